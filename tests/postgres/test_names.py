# SPDX-License-Identifier: Apache-2.0
"""Names of hosts: resolved beside everything else, to all their addresses, and with an error that
says what is wrong and not where the database is."""

import os
import subprocess

import pytest
from gateway import wait_until

from conftest import Server
from name_server import ADDRESS, NameServer
from test_faults import ask, works

NAMES = {"db.test": ["127.0.0.1"], "two.test": ["127.0.0.78", "127.0.0.1"], "none.test": []}


@pytest.fixture(scope="module")
def server_of_names():
    """One for all tests, where programs can be made to ask it."""
    allowed = os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True).returncode == 0
    if not allowed:
        pytest.skip("resolv.conf cannot be replaced here")
    server = NameServer(NAMES)
    yield server
    server.stop()


@pytest.fixture
def dns(server_of_names):
    server_of_names.asked.clear()
    yield server_of_names
    server_of_names.release()


def words(postgres, host, port=None):
    return f"host={host} port={port or postgres.port} user=mcp_ro dbname=postgres"


def test_a_name_that_takes_long_holds_up_nobody_else(dns, postgres, tmp_path):
    dns.held = {"db.test"}
    with Server(words(postgres, "db.test"), under=dns.under(tmp_path), greet=False) as server:
        wait_until(lambda: "db.test" in dns.asked, 20, "the name to be asked for")
        assert server.request("ping")["result"] == {}
        number = ask(server)  # waits for a connection
        assert server.request("ping")["result"] == {}
        assert number not in server.answers
        dns.release()
        assert server.wait(number)["result"]["isError"] is False
        assert server.wait(server.hello)["result"]["instructions"]


@pytest.mark.parametrize("host, port", [
    ("db.test", "{port}"), ("DB.test", "{port}"), ("two.test", "{port}"),  # its second address
    ("none.test,missing.test,db.test", "{port}"), ("two.test,/nowhere,127.0.0.1", "1,1,{port}"),
    ("{folder},db.test", "{port},1"), ("missing.test,,db.test", "1,1,{port}"),
], ids=str)
def test_each_host_is_tried_at_each_address(dns, postgres, tmp_path, host, port):
    host, port = (text.format(port=postgres.port, folder=postgres.folder) for text in (host, port))
    with Server(words(postgres, host, port), under=dns.under(tmp_path)) as server:
        assert works(server)


def test_a_service_and_the_environment_say_names_too(dns, postgres, tmp_path):
    file = tmp_path / "services"
    file.write_text(f"[shop]\nhost=db.test\nport={postgres.port}\nuser=mcp_ro\ndbname=postgres\n")
    env = {"PGHOST": "db.test", "PGPORT": str(postgres.port), "PGUSER": "mcp_ro",
           "PGDATABASE": "postgres"}
    for dsn, more in (("service=shop", {"PGSERVICEFILE": str(file)}), ("", env)):
        dns.asked.clear()
        with Server(dsn, env=more, under=dns.under(tmp_path)) as server:
            assert works(server)
        assert "db.test" in dns.asked


def test_an_address_beside_the_name_asks_nobody(dns, postgres, tmp_path):
    with Server(f"hostaddr=127.0.0.1 {words(postgres, 'missing.test')}",
                under=dns.under(tmp_path)) as server:
        assert works(server) and not dns.asked


@pytest.mark.parametrize("host, why", [
    ("missing.test", "no such name"), ("none.test", "no address"), ("not/a host", "it is no name"),
    ("missing.test,none.test", "cannot be resolved")])
def test_why_a_name_has_no_address_is_told_without_the_name(dns, postgres, tmp_path, host, why):
    quoted = f"'{host}'"
    with Server(words(postgres, quoted), under=dns.under(tmp_path)) as server:
        error = server.error("execute_sql", sql="SELECT 1")
        assert "name of PostgreSQL's host cannot be resolved" in error and why in error
        assert "test" not in error and ADDRESS not in error


def test_a_name_nobody_answers_for_is_given_up_and_the_next_host_is_tried(dns, postgres, tmp_path):
    env = {"KANMON_PG_CONNECT_TIMEOUT": "2s"}
    dns.held = {"db.test"}
    under = dns.under(tmp_path)
    with Server(words(postgres, "db.test,127.0.0.1"), under=under, env=env) as server:
        assert works(server)
    with Server(words(postgres, "db.test"), under=under, env=env) as server:
        error = server.error("execute_sql", sql="SELECT 1")
        assert "did not answer in time" in error or "no answer in" in error
