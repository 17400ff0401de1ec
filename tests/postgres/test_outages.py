# SPDX-License-Identifier: Apache-2.0
"""A server that has no room, no disk, or gave its place to another."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess

import pytest
from gateway import wait_until
from ports import free_port

from conftest import Postgres, Server
from proxy import Proxy
from test_faults import ask, backends, postmaster, role, text_of, until_it_works, works


# --- no room ---

def occupy(port, user):
    """A session that does nothing, or None when there is no place for one."""
    link = socket.create_connection(("127.0.0.1", port))
    words = b"user\0" + user.encode() + b"\0database\0postgres\0\0"
    link.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
    told = b""
    while b"Z\0\0\0\5" not in told:
        data = link.recv(4096)
        if not data or data[:1] == b"E":
            link.close()
            return None
        told += data
    return link


def test_a_full_server_is_named_and_not_stormed(postgres, role):
    with Proxy(postgres.port) as wire, contextlib.ExitStack() as held:
        with Server(wire.dsn(role)) as server:
            assert works(server)
            wire.cut()
            wait_until(lambda: not backends(postgres, role), 20, "its places to be free")
            while link := occupy(postgres.port, "postgres"):
                held.callback(link.close)
            before = wire.made
            os.kill(postmaster(postgres), signal.SIGSTOP)  # so that all are refused together
            try:
                numbers = [ask(server) for _ in range(40)]
                wait_until(lambda: wire.made == before + 8, 20, "all to be asked for")
            finally:
                os.kill(postmaster(postgres), signal.SIGCONT)
            for number in numbers:
                assert "too many clients" in text_of(server, number)
            first = wire.made
            assert first <= before + 9  # the pool's most, and one that tried again
            # From now on one attempt after ever longer pauses, however many ask: 100 ms, 200, ...
            for _ in range(40):
                assert "too many clients" in text_of(server, ask(server))
            assert wire.made - first <= 4
            held.close()
            # Eight refusals at once were one: the pause is not that of eight in a row.
            until_it_works(server, 5)
            for number in [ask(server) for _ in range(40)]:
                assert server.wait(number)["result"]["isError"] is False


# --- no disk ---

SPILL = ("SELECT count(*) FROM (SELECT DISTINCT g, repeat('x', 100) || g AS t "
         "FROM generate_series(1, 100000) g) s")


@pytest.fixture
def spilling(postgres):
    """A role whose sorts go to disk at once."""
    postgres.psql("CREATE ROLE spills LOGIN; ALTER ROLE spills SET work_mem = '64kB'; "
                  "ALTER ROLE spills SET hash_mem_multiplier = 1")
    yield postgres
    postgres.psql("DROP OWNED BY spills; DROP ROLE spills")


def test_more_temporary_files_than_the_role_may_have(spilling):
    spilling.psql("ALTER ROLE spills SET temp_file_limit = '1MB'")
    with Server(spilling.dsn("spills"), "--pool-max", 1) as server:
        error = server.error("execute_sql", sql=SPILL)
        assert error["code"] == "53400" and "temp_file_limit" in error["message"]
        assert works(server)


def test_a_disk_that_is_full(spilling):
    folder = spilling.folder / "small"
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)],
        capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("a file system of one mebibyte cannot be mounted here")
    try:
        shutil.chown(folder, spilling.user)
        spilling.psql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        spilling.psql("GRANT CREATE ON TABLESPACE small TO spills; "
                      "ALTER ROLE spills SET temp_tablespaces = small")
        with Server(spilling.dsn("spills"), "--pool-max", 1) as server:
            error = server.error("execute_sql", sql=SPILL)
            assert error["code"] == "53100" and "No space left" in error["message"]
            assert works(server)
        spilling.psql("ALTER ROLE spills RESET temp_tablespaces; "
                      "REVOKE ALL ON TABLESPACE small FROM spills; DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# --- another server ---

@pytest.fixture
def standby(postgres):
    other = Postgres(port=free_port())
    try:
        postgres.psql("CREATE ROLE repl LOGIN REPLICATION")
        copied = other._run("pg_basebackup", "-h", "127.0.0.1", "-p", postgres.port, "-U", "repl",
                            "-D", other.folder / "data", "-R", "-c", "fast", "--no-sync")
        assert copied.returncode == 0, copied.stderr
        other.boot()
        yield other
    finally:
        other.stop()
        postgres.psql("DROP ROLE repl")


def test_another_server_takes_the_place(postgres, standby):
    postgres.psql("CREATE TABLE moved (id int)")
    insert = "INSERT INTO moved VALUES ({n})"
    both = (f"host=127.0.0.1,127.0.0.1 port={standby.port},{postgres.port} user=postgres "
            "dbname=postgres target_session_attrs=read-write")
    try:
        with Proxy(postgres.port) as wire, \
                Server(wire.dsn("postgres"), "--mode", "dml", "--pool-max", 1) as server, \
                Server(wire.dsn("postgres"), "--pool-max", 1) as reader:
            server.ok("execute_sql", sql=insert.format(n=1))
            assert works(reader)
            with Server(both, "--mode", "dml", "--pool-max", 1) as chooser:
                chooser.ok("execute_sql", sql=insert.format(n=2))  # not at the first of the list
            wait_until(lambda: standby.psql("SELECT count(*) FROM moved") == "2", 20,
                       "the standby to have it")
            wire.target = None
            wire.cut()
            for _ in range(2):
                assert server.call("execute_sql", sql=insert.format(n=3))["isError"]
            wire.target = standby.port
            until_it_works(server)
            until_it_works(reader)
            # In recovery: it reads, and a change is refused in the server's words.
            assert reader.ok("execute_sql", sql="SELECT count(*) FROM moved")["rows"] == [[2]]
            error = server.error("execute_sql", sql=insert.format(n=3))
            assert "recovery" in error["message"] or "read-only" in error["message"]
            assert error["code"] in ("0A000", "25006")
            assert works(server)
            standby.psql("SELECT pg_promote()")
            assert server.ok("execute_sql", sql=insert.format(n=4))["command"] == "INSERT 0 1"
            assert standby.psql("SELECT array_agg(id ORDER BY id) FROM moved") == "{1,2,4}"
            assert postgres.psql("SELECT count(*) FROM moved") == "2"
    finally:
        postgres.psql("DROP TABLE moved")
