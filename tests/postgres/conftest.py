# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL with the fixture of tests/data/postgres, and the server that guards it."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e" / "lib"))
DATA = HERE.parent / "data" / "postgres"

from gateway import binary, patient
from ports import free_port


def bin_folder():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda p: int(p.parts[4].split(".")[0]))
    if not found:
        raise SystemExit("no PostgreSQL: install the packages of scripts/dependencies.txt")
    return found[-1].parent


class Postgres:
    """initdb in a temporary folder, a port of the kernel's choice, as a non-root user.  `bin` is
    the folder of the server's programs; psql is always the distribution's, which talks to all."""

    def __init__(self, bin=None, port=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kanmon-pg-"))
        self.port = port or free_port()
        self.bin = bin or bin_folder()
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)

    def _run(self, *words, **kwargs):
        bin = bin_folder() if words[0] == "psql" else self.bin
        return subprocess.run([str(bin / words[0]), *map(str, words[1:])], user=self.user,
                              cwd=self.folder, capture_output=True, text=True, timeout=patient(120),
                              **kwargs)

    def start(self):
        made = self._run("initdb", "-D", self.folder / "data", "-A", "trust", "-U", "postgres",
                         "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        assert made.returncode == 0, made.stderr
        self.boot()
        fixture = (DATA / "fixture.sql").read_text()
        if int(self.psql("SHOW server_version_num")) >= 170000:  # it was dropped there
            fixture = fixture.replace("CREATE EXTENSION adminpack;", "")
        self.psql(fixture)
        return self

    def boot(self, more=""):
        """Starts it on the data that are there, with more settings (`-c name=value`)."""
        started = self._run(
            "pg_ctl", "-D", self.folder / "data", "-w", "-t", "60", "-l", self.folder / "log", "-o",
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off "
            "-c shared_preload_libraries=pg_stat_statements -c max_connections=40 "
            f"-c autovacuum=off {more}", "start")
        assert started.returncode == 0, started.stdout + started.stderr

    def psql(self, sql, user="postgres", stop=True):
        """Runs a script; returns what it prints."""
        ran = self._run("psql", "-X", "-q", "-A", "-t", "-v", f"ON_ERROR_STOP={int(stop)}", "-h",
                        "127.0.0.1", "-p", self.port, "-U", user, "postgres", input=sql)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def dsn(self, user="mcp_ro", more=""):
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres{more}"

    def state(self):
        """What a statement could have left behind, as one text."""
        return self.psql("""
            SELECT string_agg(t::text, ',' ORDER BY id) FROM t_acct t;
            SELECT string_agg(t::text, ',' ORDER BY id) FROM t_ord t;
            SELECT string_agg(oid::text || relname || relkind::text, ',' ORDER BY oid) FROM pg_class
                WHERE relname !~ '^pg_(toast|temp)';
            SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_proc;
            SELECT string_agg(rolname || rolsuper::text, ',' ORDER BY oid) FROM pg_roles;
            SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_largeobject_metadata;
            SELECT string_agg(sequencename || coalesce(last_value, 0)::text, ',' ORDER BY sequencename) FROM pg_sequences;
            SELECT count(*) FROM pg_replication_slots;
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
            SELECT count(*) FROM pg_prepared_xacts;
            SELECT string_agg(name || setting::text, ',' ORDER BY name) FROM pg_file_settings;
        """)

    def stop(self):
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """`kanmon mcp postgres` on its standard input and output.  `under` is a command that runs it;
    with `greet` off `hello` is the greeting's number, not yet waited for."""

    def __init__(self, dsn, *words, env=None, under=(), greet=True):
        self.process = subprocess.Popen(
            [*under, str(binary()), "mcp", "postgres", *map(str, words)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env={"PATH": os.environ["PATH"], "DATABASE_URL": dsn, **sanitizers(), **(env or {})})
        self.lines = queue.Queue()
        self.log = []
        self.answers = {}
        self.told = []  # notifications
        self.next = 0
        for target, stream in ((self.lines.put, self.process.stdout),
                               (self.log.append, self.process.stderr)):
            threading.Thread(target=lambda t=target, s=stream: [t(line) for line in s],
                             daemon=True).start()
        number = self.send("initialize", {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "tests", "version": "1"}})
        self.hello = self.wait(number)["result"] if greet else number

    def send(self, method, params):
        self.next += 1
        self.process.stdin.write(json.dumps(
            {"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}) + "\n")
        self.process.stdin.flush()
        return self.next

    def wait(self, number):
        while number not in self.answers:
            answer = json.loads(self.lines.get(timeout=patient(60)))
            if "method" in answer:
                self.told.append(answer)
            else:
                self.answers[answer.get("id")] = answer
        return self.answers.pop(number)

    def request(self, method, params=None):
        return self.wait(self.send(method, params or {}))

    def call(self, name, /, **arguments):
        """The tool's result as MCP gives it."""
        return self.request("tools/call", {"name": name, "arguments": arguments})["result"]

    def ok(self, name, /, **arguments):
        result = self.call(name, **arguments)
        assert result["isError"] is False, result["content"][0]["text"]
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def error(self, name, /, **arguments):
        """The object of an error of PostgreSQL's or the guard's, or the message of kanmon's own."""
        result = self.call(name, **arguments)
        assert result["isError"] is True and "structuredContent" not in result, result
        error = json.loads(result["content"][0]["text"])["error"]
        named = error["code"].startswith("GUARD_") or any(c.isdigit() for c in error["code"])
        return error if named else error["message"]

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=patient(30)) == 0, "".join(self.log)

    def __enter__(self):
        return self

    def __exit__(self, *failed):
        if failed[0]:
            self.process.kill()
            self.process.wait()
        else:
            self.stop()


def sanitizers():
    return {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}


def lines_of(name):
    """(statement, why), with the spelled escapes of the hostile files expanded."""
    for line in (DATA / name).read_text().splitlines():
        sql, _, why = line.partition("\t")
        if name.startswith("hostile"):
            sql = sql.replace("\\n", "\n").replace("\\0", "\0").replace("\\uFEFF", "\ufeff")
        yield sql, why


@pytest.fixture(scope="session")
def postgres():
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def reader(postgres):
    """A read-only server whose role may only SELECT."""
    with Server(postgres.dsn(), "--statement-timeout", "20s") as server:
        yield server
