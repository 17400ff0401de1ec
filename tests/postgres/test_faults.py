# SPDX-License-Identifier: Apache-2.0
"""What may go wrong with a database, made to go wrong: each ends in an error that says so, and the
next call is served."""

import os
import signal
import time

import pytest
from gateway import roomy_ms, slow_factor, wait_until

from conftest import Server
from proxy import Proxy
from test_gateway import Served
from test_lease import SLOW, running


def backends(postgres, role):
    pids = postgres.psql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{role}'")
    return [int(pid) for pid in pids.split()]


def postmaster(postgres):
    return int((postgres.folder / "data" / "postmaster.pid").read_text().split()[0])


@pytest.fixture
def role(postgres):
    """A role of this test's own, so that its connections can be told apart."""
    name = f"r_{time.monotonic_ns()}"
    postgres.psql(f"CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    yield name
    postgres.psql(f"DROP OWNED BY {name}; DROP ROLE {name}")


def works(server):
    return server.ok("execute_sql", sql="SELECT 42 AS answer")["rows"] == [[42]]


def until_it_works(server, most_s=60):
    wait_until(lambda: not server.call("execute_sql", sql="SELECT 42")["isError"], most_s,
               "calls to be served again", 0.1)


def ask(server, sql="SELECT 42 AS answer", **more):
    return server.send("tools/call", {"name": "execute_sql", "arguments": {"sql": sql, **more}})


def text_of(server, number):
    """What the error of a call says."""
    result = server.wait(number)["result"]
    assert result["isError"] is True, result
    return result["content"][0]["text"]


@pytest.fixture
def once(postgres):
    postgres.psql("CREATE TABLE once (id int)")
    yield "INSERT INTO once VALUES ({n})"
    postgres.psql("DROP TABLE once")


def test_what_does_not_answer_is_given_up_and_comes_back(postgres, role, once):
    """A server that stops before the statement comes, while it runs, and after COMMIT; at once,
    because each takes seconds until it is given up."""
    words = ("--statement-timeout", f"{roomy_ms(250)}ms", "--pool-max", 1)
    with Proxy(postgres.port) as mute, Server(postgres.dsn(role), *words) as idle, \
            Server(postgres.dsn(), "--statement-timeout", f"{roomy_ms(1000)}ms", "--pool-max",
                   1) as busy, \
            Server(mute.dsn("postgres"), "--mode", "dml", *words) as writer:
        assert works(idle) and works(busy) and works(writer)
        (first,) = backends(postgres, role)
        in_flight = [(busy, ask(busy, SLOW.format(mark="m_stop")))]
        wait_until(lambda: running(postgres, "m_stop"), 20, "the statement to run", 0.02)
        second = int(postgres.psql("SELECT pid FROM pg_stat_activity WHERE query LIKE '%m_stop%' "
                                   "AND pid <> pg_backend_pid()"))
        os.kill(second, signal.SIGSTOP)
        os.kill(first, signal.SIGSTOP)
        mute.swallow, mute.silent = b"COMMIT", True
        try:
            in_flight.append((idle, ask(idle)))
            lost = ask(writer, once.format(n=1))
            for server, number in in_flight:
                assert "does not answer" in text_of(server, number)
                assert works(server)  # on another connection, while that one is still stopped
            assert "outcome unknown" in text_of(writer, lost)
            mute.swallow = None
            assert works(writer)
            assert postgres.psql("SELECT array_agg(id) FROM once") == "{1}"  # it had happened
        finally:
            os.kill(second, signal.SIGCONT)
            os.kill(first, signal.SIGCONT)
        assert works(idle) and works(busy)


def test_a_server_that_is_stopped_before_connecting(postgres, role):
    os.kill(postmaster(postgres), signal.SIGSTOP)
    try:
        with Server(postgres.dsn(role), env={"KANMON_PG_CONNECT_TIMEOUT": "300ms"}) as server:
            assert "did not answer in time" in server.error("execute_sql", sql="SELECT 1")
            os.kill(postmaster(postgres), signal.SIGCONT)
            until_it_works(server)
    finally:
        os.kill(postmaster(postgres), signal.SIGCONT)


LARGE = "SELECT g, repeat('x', 1000) AS filler FROM generate_series(1, 900) g"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_result_that_is_cut_is_never_given_as_whole(postgres, role, reset):
    with Proxy(postgres.port) as wire:
        with Server(wire.dsn(role), "--pool-max", 1) as server:
            assert works(server)  # what is asked once in a server's life has been
            wire.cut()
            wait_until(lambda: not server.call("execute_sql", sql=LARGE)["isError"], 60,
                       "a connection with nothing but this", 0.1)
            whole = wire.given
            assert whole > 900_000
            errors = 0
            wire.reset = reset
            for at in (300, 1500, 5000, 60_000, 400_000, 800_000, 900_000, whole - 100, whole - 7,
                       whole * 2):
                wire.cut()
                wire.cut_after = at
                result = server.call("execute_sql", sql=LARGE)
                errors += result["isError"]
                if not result["isError"]:
                    got = result["structuredContent"]
                    assert (got["row_count"], got["truncated"]) == (900, False), at
                    assert got["rows"][-1][0] == 900
                wire.cut_after = None
                until_it_works(server)
            assert errors >= 8  # a cut in the last bytes may come after the result


def test_a_change_whose_commit_is_not_answered_is_unknown_and_not_repeated(postgres, once):
    with Proxy(postgres.port) as wire, \
            Server(wire.dsn("postgres"), "--mode", "dml", "--pool-max", 1) as server:
        assert works(server)
        wire.swallow, made = b"COMMIT", wire.made
        text = text_of(server, ask(server, once.format(n=1)))
        assert "outcome unknown" in text and "before trying again" in text
        assert wire.made == made  # nothing was sent anew
        wire.swallow = None
        until_it_works(server)
        server.ok("execute_sql", sql=once.format(n=2))
        assert postgres.psql("SELECT array_agg(id ORDER BY id) FROM once") == "{1,2}"


def test_what_is_lost_after_commit_was_answered_is_the_session_alone(postgres, once):
    """A cut, and a server that says nothing any more, between COMMIT's answer and DISCARD ALL's."""
    words = ("--mode", "dml", "--pool-max", 1, "--statement-timeout", f"{roomy_ms(250)}ms")
    with Proxy(postgres.port) as mute, Proxy(postgres.port) as cut, \
            Server(mute.dsn("postgres"), *words) as first, \
            Server(cut.dsn("postgres"), *words) as second:
        assert works(first) and works(second)
        mute.behind = cut.behind = b"COMMIT\0"
        mute.silent = True
        made = cut.made
        number = ask(first, once.format(n=1))
        assert second.ok("execute_sql", sql=once.format(n=2))["command"] == "INSERT 0 1"
        assert works(second) and cut.made == made + 1  # on another connection
        result = first.wait(number)["result"]
        assert result["structuredContent"]["command"] == "INSERT 0 1", result
        assert postgres.psql("SELECT array_agg(id ORDER BY id) FROM once") == "{1,2}"


def test_a_change_that_is_cut_before_commit_did_not_happen(postgres, once):
    with Proxy(postgres.port) as wire, \
            Server(wire.dsn("postgres"), "--mode", "dml", "--pool-max", 1) as server:
        assert works(server)
        wire.swallow = b"INSERT INTO once"
        text = text_of(server, ask(server, once.format(n=1)))
        assert "outcome unknown" not in text and str(wire.port) not in text
        wire.swallow = None
        until_it_works(server)
        assert postgres.psql("SELECT count(*) FROM once") == "0"


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
