#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Known ways out of a read-only server, tried on kanmon and on peers, as a table.

    tests/postgres/peers.py [--binary build/release/kanmon]

Each statement goes to each server over stdio, once with a superuser's connection (what holds
without the role) and once with a role that may only SELECT.  Each pair of a server and a role has a
private PostgreSQL of its own, and a process of its own for each statement.  Of a statement that
should change something the database is asked afterwards; of one that should read something the
answer is searched for what only the server's files hold.

The peers are those of `bench/run --postgres`, from the lock files of bench/peers; one that cannot be
installed is not in the table.  Run on demand: they come from registries.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
from types import SimpleNamespace

from conftest import HERE, Postgres
from gateway import patient

ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "bench"))
from harness.postgres_peers import PostgresMcp, Reference, Toolbox  # noqa: E402
from harness.servers import Unavailable  # noqa: E402

# (what it is, the statement, what shows that it went through: SQL that gives t, or None: the answer
# holds the secret)
TRIED = [
    ("second statement ends the transaction", "COMMIT; CREATE TABLE escaped (a int)",
     "SELECT to_regclass('escaped') IS NOT NULL"),
    ("EXPLAIN ANALYZE of CREATE TABLE AS", "EXPLAIN ANALYZE CREATE TABLE made AS SELECT 42 AS a",
     "SELECT to_regclass('made') IS NOT NULL"),
    ("large object made by a function", "SELECT lo_create(77777)",
     "SELECT EXISTS (SELECT 1 FROM pg_largeobject_metadata WHERE oid = 77777)"),
    ("SQL in a string: ts_stat", "SELECT * FROM ts_stat('SELECT to_tsvector(lo_create(88888)::text)')",
     "SELECT EXISTS (SELECT 1 FROM pg_largeobject_metadata WHERE oid = 88888)"),
    ("the transaction made writable", "SET TRANSACTION READ WRITE; INSERT INTO canary VALUES (1)",
     "SELECT EXISTS (SELECT 1 FROM canary WHERE a = 1)"),
    ("lock that outlives the statement", "SELECT pg_advisory_lock(4242)",
     "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4242)"),
    ("function called by the name of a column", "SELECT (c).poke FROM canary c",
     "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4343)"),
    ("file of the server, in FROM", "SELECT * FROM pg_read_file('kanmon-secret')", None),
    ("file of the server, name escaped", "SELECT U&\"pg_read_fil\\0065\"('kanmon-secret')", None),
    ("file of the server, by ts_stat",
     "SELECT * FROM ts_stat('SELECT to_tsvector(''simple'', pg_read_file(''kanmon-secret''))')",
     None),
    ("SQL in a string: query_to_xml",
     "SELECT query_to_xml('SELECT pg_read_file(''kanmon-secret'')', true, false, '')", None),
    ("statistics reset", "SELECT pg_stat_reset()",
     "SELECT stats_reset IS NOT NULL FROM pg_stat_database WHERE datname = current_database()"),
]
SECRET = "sesamopensecret"


class Peer:
    """An MCP server on standard input and output, one tool of it."""

    def __init__(self, command, env, tool, argument):
        self.tool, self.argument, self.next = tool, argument, 0
        self.lines = queue.Queue()
        self.process = subprocess.Popen(command, env={**os.environ, **env}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        threading.Thread(target=lambda: [self.lines.put(line) for line in self.process.stdout],
                         daemon=True).start()
        self.request("initialize", {"protocolVersion": "2025-03-26", "capabilities": {},
                                    "clientInfo": {"name": "peers", "version": "1"}})
        self.send({"method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def request(self, method, params):
        self.next += 1
        self.send({"id": self.next, "method": method, "params": params})
        while True:
            answer = json.loads(self.lines.get(timeout=patient(60)))
            if answer.get("id") == self.next:
                return json.dumps(answer)

    def run(self, sql):
        return self.request("tools/call", {"name": self.tool, "arguments": {self.argument: sql}})

    def stop(self):
        self.process.kill()
        self.process.communicate()


def went_through(database, peer, sql, shows):
    try:
        answer = peer.run(sql)
    except (queue.Empty, OSError):
        answer = ""  # it hung or died: what it did before counts
    return SECRET in answer if shows is None else database.psql(shows) == "t"


def try_all(make, role):
    """What became of each statement."""
    database = Postgres()
    try:
        database.start()
        secret = database.folder / "data" / "kanmon-secret"
        secret.write_text(SECRET)
        secret.chmod(0o644)
        database.psql("CREATE TABLE canary (a int); INSERT INTO canary VALUES (0);"
                      "GRANT SELECT ON canary TO mcp_ro; CREATE FUNCTION poke(canary) RETURNS bool "
                      "LANGUAGE sql AS 'SELECT pg_try_advisory_lock(4343)'")
        for _, sql, shows in TRIED:
            peer = make(database.dsn(role))
            try:
                yield "**through**" if went_through(database, peer, sql, shows) else "stopped"
            finally:
                peer.stop()
    finally:
        database.stop()


def makers(binary):
    """{name: dsn -> Peer}"""
    place = SimpleNamespace(root=str(ROOT), cache=str(ROOT / "build/bench"),
                            work=str(ROOT / "build/bench/peers"))
    kanmon = [binary, "mcp", "postgres"]
    found = {"kanmon": lambda dsn: Peer(kanmon, {"DATABASE_URL": dsn}, "execute_sql", "sql")}
    for peer, make in (
            (PostgresMcp(place), lambda p, dsn: Peer(
                [f"{p.venv}/bin/postgres-mcp", "--access-mode=restricted"], {"DATABASE_URI": dsn},
                "execute_sql", "sql")),
            (Toolbox(place), lambda p, dsn: Peer(
                [p.binary, "--stdio", "--disable-version-check", "--config", p.config(dsn)], {}, p.tool,
                "sql")),
            (Reference(place), lambda p, dsn: Peer(["node", p.script, dsn], {}, p.tool, "sql"))):
        try:
            peer.prepare()
            found[f"{peer.title} {peer.version()}"] = lambda dsn, p=peer, make=make: make(p, dsn)
        except Unavailable as why:
            print(f"{peer.title}: {why}", file=sys.stderr)
    return found


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--binary", default=str(ROOT / "build/release/kanmon"))
    peers = makers(words.parse_args().binary)
    columns = [list(try_all(make, role)) for make in peers.values()
               for role in ("postgres", "mcp_ro")]
    print("| tried |", " | ".join(f"{p}, {r}" for p in peers for r in ("superuser", "reader")), "|")
    print("|---|" + "---|" * len(columns))
    for row, (what, _, _) in enumerate(TRIED):
        print("|", what, "|", " | ".join(column[row] for column in columns), "|")


if __name__ == "__main__":
    main()
