# SPDX-License-Identifier: Apache-2.0
"""What may go wrong with a database, made to go wrong: each ends in an error that says so, and the
next call is served."""

import os
import signal
import time

import pytest
from gateway import slow_factor, wait_until

from conftest import Server
from test_gateway import Served
from test_lease import SLOW, running


def backends(postgres, role):
    pids = postgres.psql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{role}'")
    return [int(pid) for pid in pids.split()]


@pytest.fixture
def role(postgres):
    """A role of this test's own, so that its connections can be told apart."""
    name = f"r_{time.monotonic_ns()}"
    postgres.psql(f"CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    yield name
    postgres.psql(f"DROP OWNED BY {name}; DROP ROLE {name}")


def works(server):
    return server.ok("execute_sql", sql="SELECT 42 AS answer")["rows"] == [[42]]


def until_it_works(server):
    wait_until(lambda: not server.call("execute_sql", sql="SELECT 42")["isError"], 60,
               "calls to be served again", 0.1)


def test_a_stopped_server_is_given_up_and_comes_back(postgres, role):
    with Server(postgres.dsn(role), "--statement-timeout", "500ms", "--pool-max", 1) as server:
        assert works(server)
        (pid,) = backends(postgres, role)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert "does not answer" in server.error("execute_sql", sql="SELECT 1 AS a")
            assert works(server)  # on another connection, while that one is still stopped
        finally:
            os.kill(pid, signal.SIGCONT)
        assert works(server)


def test_a_connection_that_is_cut_takes_its_call_with_it_and_no_other(postgres, role):
    with Server(postgres.dsn(role), "--pool-max", 1) as server:
        assert works(server)
        number = server.send("tools/call", {"name": "execute_sql",
                                            "arguments": {"sql": SLOW.format(mark="m_cut")}})
        wait_until(lambda: running(postgres, "m_cut"), 20, "the statement to run")
        postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      f"WHERE usename = '{role}'")
        result = server.wait(number)["result"]
        assert result["isError"] and postgres.dsn(role) not in str(result)
        assert works(server)


def test_one_that_is_cut_while_it_waits_is_not_lent(postgres, role):
    with Server(postgres.dsn(role), "--pool-max", 1) as server:
        for _ in range(3):
            assert works(server)
            postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          f"WHERE usename = '{role}'")
            wait_until(lambda: not backends(postgres, role), 20, "the connection to be gone")
            until_it_works(server)


def test_too_many_connections_are_an_error_until_there_is_room(postgres, role):
    postgres.psql(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    with Server(postgres.dsn(role)) as server:
        assert "too many connections" in server.error("execute_sql", sql="SELECT 1")
        postgres.psql(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        until_it_works(server)


def test_a_password_that_changes_is_read_anew(postgres, role, tmp_path):
    hba = postgres.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    file = tmp_path / "password"
    hba.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n{before}")
    postgres.psql(f"ALTER ROLE {role} PASSWORD 'first'; SELECT pg_reload_conf()")
    try:
        file.write_text("first\n")
        with Server(postgres.dsn(role), "--password-file", file, "--pool-max", 1) as server:
            wait_until(lambda: not server.call("execute_sql", sql="SELECT 1")["isError"], 20,
                       "the first password to count")
            postgres.psql(f"ALTER ROLE {role} PASSWORD 'second'")
            assert works(server)  # who is in stays in
            postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          f"WHERE usename = '{role}'")
            wait_until(lambda: not backends(postgres, role), 20, "the connection to be gone")
            error = server.error("execute_sql", sql="SELECT 1")
            assert "password authentication failed" in error and "first" not in error
            file.write_text("second\n")
            until_it_works(server)
    finally:
        hba.write_text(before)
        postgres.psql("SELECT pg_reload_conf()")


def test_another_host_takes_over(postgres):
    dsn = (f"host=127.0.0.1,127.0.0.1 port=1,{postgres.port} user=mcp_ro dbname=postgres "
           "target_session_attrs=any")
    with Server(dsn) as server:
        assert works(server)


def test_a_reload_keeps_the_connections_of_what_stays(postgres, role, tmp_path):
    text = ("general_settings: {{master_key: sk-e2e-master}}\nkanmon_settings:\n"
            f"  state_dir: '{tmp_path}/state'\n  workers: 1\n  mcp_servers:\n"
            f"    stays: {{{{builtin: postgres, postgres: {{{{pool_max: 1, "
            f"dsn: '{postgres.dsn(role)}'}}}}}}}}\n"
            "    goes: {{builtin: postgres, postgres: {{max_rows: {rows}, "
            f"dsn: '{postgres.dsn()}'}}}}}}}}\n")
    with Served(tmp_path, text.format(rows=1)) as served:
        wait_until(lambda: served.state("stays")["state"] == "ready", 20, "it to be ready")

        def rows(server):
            return served.command_ok("mcp", "call", f"{server}-execute_sql",
                                     "sql=SELECT id FROM t_acct ORDER BY id").count("[")

        rows("stays")
        (pid,) = backends(postgres, role)
        fewer = rows("goes")
        served.reload(text.format(rows=5))
        wait_until(lambda: rows("goes") > fewer, 20, "the new setting to count")
        rows("stays")
        assert backends(postgres, role) == [pid]
