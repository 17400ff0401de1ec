# SPDX-License-Identifier: Apache-2.0
"""A standby that streams: which server of several a DSN means, and a catalogue whose changes come
over the wire, where snapshots do not tell what has ended."""

import subprocess

import pytest
from gateway import wait_until
from ports import free_port

from conftest import Postgres, Server
from test_unchanged import CHANGES, counted, settle


@pytest.fixture(scope="module")
def standby(counted):
    other = Postgres(port=free_port())
    try:
        counted.psql("CREATE ROLE repl_s LOGIN REPLICATION")
        copied = other._run("pg_basebackup", "-h", "127.0.0.1", "-p", counted.port, "-U", "repl_s",
                            "-D", other.folder / "data", "-R", "-c", "fast", "--no-sync")
        assert copied.returncode == 0, copied.stderr
        other.boot("-c wal_retrieve_retry_interval=100ms")
        yield other
    finally:
        other.stop()
        counted.psql("DROP ROLE repl_s")


def replayed(primary, standby):
    """All that was committed so far is there; of what is new since the copy was made."""
    at = primary.psql("SELECT pg_current_wal_flush_lsn()")
    wait_until(lambda: standby.psql(f"SELECT pg_last_wal_replay_lsn() >= '{at}'") == "t", 20,
               "the standby to have it", 0.02)


IN_RECOVERY = "SELECT pg_is_in_recovery()"


@pytest.mark.parametrize("mode", ["read-only", "dml"])
@pytest.mark.parametrize("attrs, first", [
    ("read-write", "standby"), ("primary", "standby"), ("read-only", "primary"),
    ("prefer-standby", "primary"), ("standby", "primary"), ("any", "standby")])
def test_which_of_two_servers_is_meant(counted, standby, mode, attrs, first):
    ports = [standby.port, counted.port][::1 if first == "standby" else -1]
    dsn = (f"host=127.0.0.1,localhost port={ports[0]},{ports[1]} user=mcp_ro dbname=postgres "
           f"target_session_attrs={attrs}")
    with Server(dsn, "--mode", mode, "--pool-max", 1) as server:
        at_standby = server.ok("execute_sql", sql=IN_RECOVERY)["rows"] == [[True]]
        assert at_standby == (attrs not in ("read-write", "primary"))


def test_the_environment_may_mean_it_too(counted, standby):
    dsn = f"host=127.0.0.1,127.0.0.1 port={standby.port},{counted.port} user=mcp_ro dbname=postgres"
    env = {"PGTARGETSESSIONATTRS": "read-write"}
    with Server(dsn, "--pool-max", 1, env=env) as server:
        assert server.ok("execute_sql", sql=IN_RECOVERY)["rows"] == [[False]]


def test_one_that_only_reads_is_read_from_where_nothing_else_is(counted):
    with Server(counted.dsn(more="?target_session_attrs=read-only"), "--pool-max", 1) as server:
        assert server.ok("execute_sql", sql=IN_RECOVERY)["rows"] == [[False]]


def test_the_look_up_is_never_left_out_there(standby):
    with Server(standby.dsn(), "--pool-max", 1) as server:
        assert settle(standby, server, "SELECT count(*) FROM t_acct WHERE id > 3") == 2


@pytest.mark.parametrize("case", ["view with a volatile function", "operator"])
def test_a_change_that_is_replayed_is_seen_by_the_next_call(counted, standby, case):
    before, sql, change, after = CHANGES[case]
    counted.psql(before + "; GRANT SELECT ON ALL TABLES IN SCHEMA public TO mcp_ro")
    try:
        replayed(counted, standby)
        with Server(standby.dsn(), "--pool-max", 1) as server:
            settle(standby, server, sql)
            counted.psql(change)
            replayed(counted, standby)
            for _ in range(2):
                assert server.error("execute_sql", sql=sql)["code"].startswith("GUARD_"), case
    finally:
        counted.psql(after)


class Session:
    """A psql that stays."""

    def __init__(self, postgres):
        self.process = subprocess.Popen(
            [str(postgres.bin / "psql"), "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p",
             str(postgres.port), "-U", "postgres", "postgres"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def say(self, text):
        self.process.stdin.write(text + ";\n\\echo done\n")
        self.process.stdin.flush()
        while self.process.stdout.readline().strip() != "done":
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def test_an_end_that_no_snapshot_there_shows_is_seen(counted, standby):
    """A standby's snapshots do not list who is under way: the end of one between the oldest and the
    latest changes nothing in them."""
    _, sql, change, after = CHANGES["operator"]  # nothing that a reader would wait for
    counted.psql("CREATE TABLE u_old (id int); CREATE TABLE u_late (id int)")
    try:
        with Session(counted) as oldest, Session(counted) as between:
            oldest.say("BEGIN; INSERT INTO u_old VALUES (1)")
            between.say("BEGIN; " + change)
            counted.psql("INSERT INTO u_late VALUES (1)")
            replayed(counted, standby)
            with Server(standby.dsn(), "--pool-max", 1) as server:
                settle(standby, server, sql)
                before = standby.psql("SELECT pg_current_snapshot()")
                between.say("COMMIT")
                replayed(counted, standby)
                assert standby.psql("SELECT pg_current_snapshot()") == before
                assert server.error("execute_sql", sql=sql)["code"].startswith("GUARD_")
    finally:
        counted.psql(after + "; DROP TABLE u_old, u_late")
