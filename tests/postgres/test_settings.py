# SPDX-License-Identifier: Apache-2.0
"""Settings of `kanmon mcp postgres`: where they come from, which wins, what refuses to start; and
serving over HTTP."""

import asyncio
import json
import pathlib
import re
import subprocess
import tempfile

import pytest
from gateway import Gateway, binary, slow_factor
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from conftest import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]


def said(server):
    return server.hello["instructions"]


def test_flags_win_over_variables_and_those_over_the_file(postgres, tmp_path):
    file = tmp_path / "kanmon.yaml"
    file.write_text("kanmon_settings: {pg: {max_rows: 11, mode: dml, statement_timeout: 7s}}\n")
    with Server(postgres.dsn()) as server:
        assert "at most 1000 rows" in said(server) and "read-only" in said(server)
    with Server(postgres.dsn(), "--config", file) as server:
        assert "at most 11 rows" in said(server) and "mode dml" in said(server)
        assert "7000 ms" in said(server)
    variables = {"KANMON_PG_MAX_ROWS": "12", "KANMON_PG_MODE": "ddl"}
    with Server(postgres.dsn(), "--config", file, env=variables) as server:
        assert "at most 12 rows" in said(server) and "mode ddl" in said(server)
    with Server(postgres.dsn(), "--max-rows", 13, "--config", file, env=variables) as server:
        assert "at most 13 rows" in said(server) and "mode ddl" in said(server)


def who(server):
    return server.ok("execute_sql", sql="SELECT current_user::text")["rows"][0][0]


def test_addresses_come_from_where_others_take_them(postgres, tmp_path):
    file = tmp_path / "kanmon.yaml"
    file.write_text(f"kanmon_settings: {{pg: {{dsn: '{postgres.dsn()}'}}}}\n")
    with Server(postgres.dsn("postgres")) as server:
        assert who(server) == "postgres"
    with Server(postgres.dsn("postgres"), "--config", file) as server:
        assert who(server) == "mcp_ro"
    with Server(postgres.dsn("postgres"), env={"KANMON_PG_DSN": postgres.dsn()}) as server:
        assert who(server) == "mcp_ro"
    with Server("", "--dsn", postgres.dsn("postgres"), env={"KANMON_PG_DSN": postgres.dsn()}) as s:
        assert who(s) == "postgres"
    libpq = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port), "PGUSER": "mcp_ro",
             "PGDATABASE": "postgres"}
    with Server("", env=libpq) as server:
        assert who(server) == "mcp_ro"


def test_an_address_in_an_argument_is_not_shown_for_long(postgres):
    with Server("", "--dsn", postgres.dsn(more="?application_name=shy")) as server:
        with open(f"/proc/{server.process.pid}/cmdline", "rb") as words:
            assert b"shy" not in words.read()


@pytest.mark.parametrize("words, env, what", [
    (["--mode", "writes"], {}, "mode"),
    (["--max-rows", "0"], {}, "max_rows"),
    ([], {"KANMON_PG_MAX_AFFECTED": "many"}, "max_affected"),
    (["--allow-functions", "nodot"], {}, "schema.name"),
    (["--dsn", "no address at all"], {}, "dsn cannot be read"),
    (["--config", "{file}"], {}, "max_row"),
])
def test_what_cannot_be_meant_does_not_start(tmp_path, words, env, what):
    file = tmp_path / "kanmon.yaml"
    file.write_text("kanmon_settings: {pg: {max_row: 5}}\n")
    ran = subprocess.run([str(binary()), "mcp", "postgres", *[w.format(file=file) for w in words]],
                         env={"DATABASE_URL": "host=127.0.0.1", **env}, capture_output=True,
                         stdin=subprocess.DEVNULL, text=True, timeout=60 * slow_factor())
    assert ran.returncode == 5, ran.stderr
    assert what in ran.stderr and "no address" not in ran.stderr


class Alone(Gateway):
    """`kanmon mcp postgres --listen`."""

    def start(self, wait=True, words=None):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [str(binary()), "mcp", "postgres", "--listen", f"127.0.0.1:{self.port}",
                 "--max-rows", "2"],
                env=self.env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.wait_ready()
        return self


def test_it_serves_over_http_alone(postgres, tmp_path):
    async def talk(url):
        async with Client(streamable_http_client(url)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            assert "execute_sql" in tools
            got = await client.call_tool("execute_sql", {"sql": "SELECT id FROM t_ord ORDER BY id"})
            assert got.structured_content["rows"] == [[1], [2]]
            assert got.structured_content["truncated"] is True
        async with Client(streamable_http_client(url)) as client:  # it is known by now
            assert "at most 2 rows" in client.instructions

    with tempfile.TemporaryDirectory(prefix="km-") as state:  # short: a socket is made there
        env = {"DATABASE_URL": postgres.dsn(), "XDG_STATE_HOME": state}
        with Alone(tmp_path, "", env=env) as served:
            asyncio.run(talk(f"{served.url}/mcp/postgres"))
            assert (pathlib.Path(state) / f"kanmon-pg-127.0.0.1:{served.port}").is_dir()


def test_the_documentation_has_each_setting_and_its_default():
    said = {row[1].strip("`"): (row[2].strip("`"), row[3].strip("`")) for row in (
        [word.strip() for word in line.split("|")] for line in
        (ROOT / "docs/postgres.md").read_text().split("| setting |")[1].split("\n\n")[0]
        .splitlines()[2:])}
    schema = json.loads(subprocess.check_output([binary(), "config", "schema"]))
    rows = schema["properties"]["kanmon_settings"]["properties"]["pg"]["properties"]
    help = subprocess.check_output([binary(), "mcp", "postgres", "--help"], text=True)
    flags = set(re.findall(r"^ +(--[a-z-]+) [A-Z]", help, re.MULTILINE))
    assert said == {name: (flag if (flag := "--" + name.replace("_", "-")) in flags else "",
                           row.get("x-kanmon-default", "")) for name, row in rows.items()}
