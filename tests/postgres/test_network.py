# SPDX-License-Identifier: Apache-2.0
"""A server that only reads and that other machines can reach does not start with a role that could
do more; a database that cannot be asked then is asked with its first call."""

import os
import subprocess

import pytest

from conftest import Server, sanitizers
from gateway import MASTER, Gateway, binary, patient, wait_until
from ports import free_port


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_role_that_can_do_more_is_refused_at_the_start(postgres, tmp_path, host):
    where = f"[{host}]" if ":" in host else host
    ran = subprocess.run(
        [str(binary()), "mcp", "postgres", "--listen", f"{where}:{free_port()}"],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": postgres.dsn("postgres"),
             "LITELLM_MASTER_KEY": "sk-network", "KANMON_STATE_DIR": str(tmp_path), **sanitizers()},
        capture_output=True, text=True, timeout=patient(60))
    assert ran.returncode == 4, ran.stderr
    assert "its role could do more: it is a superuser" in ran.stderr
    with Server(postgres.dsn("postgres")) as server:  # of this machine alone
        server.ok("execute_sql", sql="SELECT 1")


def served(tmp_path, dsn, mode):
    return Gateway(tmp_path, env={"KANMON_HOST": "0.0.0.0"}, config=f"""
model_list: []
general_settings:
  master_key: {MASTER}
kanmon_settings:
  state_dir: "{tmp_path}/state"
  mcp_servers:
    shop: {{builtin: postgres, postgres: {{dsn: "{dsn}", mode: {mode}}}}}
""")


def test_a_gateway_does_not_start_with_such_a_server(postgres, tmp_path):
    gateway = served(tmp_path, postgres.dsn("postgres"), "read-only").start(wait=False)
    try:
        assert gateway.process.wait(timeout=patient(60)) == 4
        assert "shop: this server only reads" in gateway.log.read_text()
    finally:
        gateway.stop()


@pytest.mark.parametrize("user,mode,port", [("mcp_ro", "read-only", None), ("postgres", "dml", None),
                                            ("postgres", "read-only", 9)])
def test_others_start(postgres, tmp_path, user, mode, port):
    dsn = postgres.dsn(user) if not port else f"postgresql://{user}@127.0.0.1:{port}/postgres"
    with served(tmp_path, dsn, mode) as gateway:
        wait_until(lambda: "listening" in gateway.log.read_text())
