# SPDX-License-Identifier: Apache-2.0
"""Behind PgBouncer, which lends one session to one transaction after another: nothing of a client
is left to the next, nothing is asked of a session that is somebody else's a moment later."""

import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest
from gateway import wait_until
from ports import free_port

from conftest import Server
from test_faults import ask, text_of, works
from test_lease import SLOW, running

PGBOUNCER = "/usr/sbin/pgbouncer"


class Bouncer:
    """PgBouncer in front of a server, with one session for each role."""

    def __init__(self, postgres, *more):
        self.postgres = postgres
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-pgbouncer-"))
        users = self.folder / "users"
        users.write_text("".join(f'"{role}" ""\n' for role in ("mcp_ro", "postgres", "crooked")))
        settings = self.folder / "pgbouncer.ini"
        settings.write_text("\n".join([
            "[databases]", f"* = host=127.0.0.1 port={postgres.port}", "[pgbouncer]",
            "listen_addr = 127.0.0.1", f"listen_port = {self.port}", "unix_socket_dir =",
            "auth_type = trust", f"auth_file = {users}", "pool_mode = transaction",
            "default_pool_size = 1", "server_login_retry = 1", *more, ""]))
        if postgres.user:
            for path in (self.folder, users, settings):
                shutil.chown(path, postgres.user)
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen([PGBOUNCER, str(settings)], user=postgres.user,
                                        cwd=self.folder, stdout=self.log, stderr=self.log)

    def ready(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def dsn(self, user="mcp_ro", more=""):
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres{more}"

    def psql(self, sql, user="postgres"):
        """As another client of the same session would."""
        ran = self.postgres._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                                 "127.0.0.1", "-p", self.port, "-U", user, "postgres", input=sql)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def __enter__(self):
        wait_until(self.ready, 20, "PgBouncer to listen", 0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def bouncer(postgres):
    with Bouncer(postgres) as bouncer:
        yield bouncer


def pooled(bouncer, *words, user="mcp_ro"):
    return Server(bouncer.dsn(user), "--pooler", "transaction", *words)


MINE = ("SELECT pg_backend_pid(), current_setting('statement_timeout'), "
        "current_setting('transaction_read_only'), current_setting('DateStyle'), "
        "current_setting('bytea_output'), current_setting('search_path')")
LEFT = ("SELECT pg_backend_pid(), current_setting('statement_timeout'), "
        "current_setting('transaction_read_only'), current_setting('lock_timeout'), "
        "current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements), "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')")


def test_two_clients_of_one_session_see_nothing_of_each_other(postgres, bouncer):
    postgres.psql("SELECT pg_stat_statements_reset()")
    with pooled(bouncer, "--statement-timeout", "7s") as one, \
            pooled(bouncer, "--statement-timeout", "9s") as two:
        calls = [(server, limit, ask(server, MINE)) for _ in range(25)
                 for server, limit in ((one, "7s"), (two, "9s"))]
        pids = set()
        for server, limit, number in calls:
            row = server.wait(number)["result"]["structuredContent"]["rows"][0]
            assert row[1:5] == [limit, "on", "ISO, MDY", "hex"]
            pids.add(row[0])
        assert len(pids) == 1  # it was one session all the time
        pid, *left = bouncer.psql(LEFT, "mcp_ro").split("|")
        assert int(pid) in pids and left == ["0", "off", "0", '"$user", public', "0", "0"]
        # What another client leaves is pinned away, and stays as that client left it.
        bouncer.psql("SET DateStyle = German; SET bytea_output = escape; SET statement_timeout = '1h';"
                     "SET search_path = nowhere; SET default_transaction_read_only = off", "mcp_ro")
        row = one.ok("execute_sql", sql=MINE)["rows"][0]
        assert row[0] == int(pid) and row[1:5] == ["7s", "on", "ISO, MDY", "hex"]
        assert row[5].startswith("pg_catalog, ") and row[5].endswith(", pg_temp")
        assert one.ok("execute_sql", sql="SELECT '\\x00ff'::bytea, date '2024-01-02'")["rows"] == [
            ["AP8=", "2024-01-02"]]
        assert bouncer.psql("SHOW statement_timeout", "mcp_ro") == "1h"
        bouncer.psql("RESET ALL", "mcp_ro")
    sent = postgres.psql("SELECT query FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid "
                         "WHERE rolname = 'mcp_ro'")
    assert "DISCARD" not in sent and "BEGIN READ ONLY" in sent


def test_a_change_is_committed_or_rolled_back_there(postgres, bouncer):
    postgres.psql("CREATE TABLE lent (id int PRIMARY KEY)")
    try:
        with pooled(bouncer, "--mode", "dml", "--max-affected", 3, user="postgres") as server, \
                pooled(bouncer, user="postgres") as reader:
            numbers = [ask(server, f"INSERT INTO lent VALUES ({n})") for n in range(20)]
            for n, number in enumerate(numbers):
                assert server.wait(number)["result"]["isError"] is False, n
            assert "rolled back" in server.error("execute_sql", sql="DELETE FROM lent")
            assert server.error("execute_sql", sql="INSERT INTO lent VALUES (1)")["code"] == "23505"
            T = {"table": "lent"}
            shown = server.ok("delete_rows", **T, filter={"column": "id", "op": "eq", "value": 3},
                              preview=True)
            assert shown["would_affect"] == 1
            assert reader.ok("count_rows", **T)["count"] == 20
            assert reader.ok("describe_table", name="lent")["columns"]
            assert reader.ok("explain_query", sql="SELECT * FROM lent", analyze=True)["plan"]
        assert bouncer.psql("SHOW transaction_read_only") == "off"
    finally:
        postgres.psql("DROP TABLE lent")


def test_a_cancelled_statement_ends_in_the_database(postgres, bouncer):
    with pooled(bouncer, "--pool-max", 1) as server, pooled(bouncer, user="postgres") as other:
        number = ask(server, SLOW.format(mark="m_lent"))
        wait_until(lambda: running(postgres, "m_lent"), 20, "the statement to run", 0.02)
        server.process.stdin.write('{"jsonrpc": "2.0", "method": "notifications/cancelled", '
                                   f'"params": {{"requestId": {number}}}}}\n')
        server.process.stdin.flush()
        wait_until(lambda: not running(postgres, "m_lent"), 20, "the statement to end", 0.02)
        assert works(server) and works(other)
        # More rows than are wanted: the rest is cancelled, and the session is lent on.
        for _ in range(5):
            got = server.ok("execute_sql", sql="SELECT a FROM generate_series(1, 100000) a, "
                            "generate_series(1, 100000) b", max_rows=3)
            assert got["truncated"] and got["row_count"] == 3
            assert works(server) and works(other)


def test_who_forgets_to_say_so_is_told(bouncer):
    with Server(bouncer.dsn()) as server:
        error = server.error("execute_sql", sql="SELECT 1")
        assert "pooler: transaction" in error and "startup parameter" in error


@pytest.mark.parametrize("mode", ["read-only", "dml"])
def test_options_that_a_pooler_drops_are_missed(postgres, mode):
    """It may be told to ignore what it cannot keep: then nothing of a session would be pinned."""
    with Bouncer(postgres, "ignore_startup_parameters = options") as bouncer:
        with Server(bouncer.dsn(), "--mode", mode) as server:
            for _ in range(3):
                assert "pooler: transaction" in server.error("execute_sql", sql="SELECT 1")
        with pooled(bouncer, "--mode", mode) as server:
            assert works(server)


def test_without_conforming_strings_nothing_runs(postgres, bouncer):
    postgres.psql("CREATE ROLE crooked LOGIN; ALTER ROLE crooked SET standard_conforming_strings = off")
    try:
        with pooled(bouncer, user="crooked") as server:
            for _ in range(2):
                text = text_of(server, ask(server, "SELECT 1"))
                assert "standard_conforming_strings" in text
        with Server(postgres.dsn("crooked")) as server:  # where it can be pinned, it is
            assert works(server)
    finally:
        bouncer.psql("SELECT 1")
        postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'crooked';"
                      "DROP ROLE crooked")
