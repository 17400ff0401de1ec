# SPDX-License-Identifier: Apache-2.0
"""The benchmark of PostgreSQL's built-in server: one query by its key, asked in every way.

    pgbench -S            the database alone
    pgbench, lease.sql    the statements of our lease, without a gateway: the limit
    kanmon                execute_sql over Streamable HTTP
    the others            the same query, over what they speak

A private PostgreSQL, 8 connections or calls under way each, rounds interleaved, the others frozen;
ratios are taken within a round.  What lease.sql says is compared with what the server logs of one
call, so that the limit cannot be another lease than ours.
"""
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from harness import postgres_distinct, procs
from harness.mcp import McpKanmon, McpMeasure, freeze
from harness.postgres_peers import (CONNECTIONS, QUERY, PostgresMcp, Reference, Streamable,
                                    Toolbox)
from harness.servers import Unavailable, free_port, write
from harness.translation import section_of

BEGIN, END = "<!-- postgres: begin -->", "<!-- postgres: end -->"
LEASE, PEER = 0.8, 10.0
NEW_MS = 2.0 # of a statement that was not asked before
SURE = re.compile(r"SELECT a\.\*, CASE .* FROM \((SELECT .*)\) AS a")  # our anchor, all sent at once
SETTLED_S = 10  # until it is that one, where nothing changes


class Database:
    """initdb in a temporary folder, pgbench's own tables, a role that may only read them."""

    def __init__(self):
        found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
        if not found:
            raise Unavailable("PostgreSQL's server is not installed")
        self.bin = os.path.dirname(max(found, key=lambda p: int(p.split("/")[4])))
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = tempfile.mkdtemp(prefix="kanmon-bench-pg-")
        if self.user:
            shutil.chown(self.folder, self.user)
        self.port = free_port()
        self.dsn = f"postgresql://bench_ro:bench@127.0.0.1:{self.port}/postgres"

    def run(self, program, *words, check=True, text=None):
        done = subprocess.run([f"{self.bin}/{program}", *words], user=self.user, cwd=self.folder,
                              env={**os.environ, "PGOPTIONS": "-c kanmon.pinned=on"},
                              input=text, capture_output=True, text=True, timeout=120, check=False,
                              preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count())))
        if check and done.returncode:
            raise Unavailable(f"{program}: {(done.stderr + done.stdout).strip()[-200:]}")
        return done.stdout

    def sql(self, text):
        self.run("psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                 "postgres", text=text)

    def start(self):
        self.run("initdb", "-D", "data", "-A", "trust", "-U", "postgres", "--locale=C.UTF-8",
                 "--no-sync")
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o",
                 f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off "
                 "-c log_line_prefix= -c max_connections=60", "start")
        self.run("pgbench", "-i", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                 "postgres")
        self.sql("CREATE ROLE bench_ro LOGIN PASSWORD 'bench'; "
                 "GRANT SELECT ON ALL TABLES IN SCHEMA public TO bench_ro; ANALYZE")

    def said(self, act):
        """What runs while act() does: (name, statement, values) in their order."""
        path = os.path.join(self.folder, "log")
        self.sql("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
        procs.until(lambda: False, 0.3)
        begin = os.path.getsize(path)
        act()
        self.sql("ALTER SYSTEM RESET log_statement; SELECT pg_reload_conf()")
        with open(path, encoding="utf-8") as f:
            f.seek(begin)
            return statements(f.read())

    def stop(self):
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def statements(log):
    """Of a log without prefix: (name, statement, values)."""
    out = []
    for line in log.replace("\n\t", "\n ").splitlines():
        found = re.match(r"LOG:  execute (\S+): (.*)", line)
        if found:
            out.append([found[1], found[2].strip(), []])
        elif line.startswith("DETAIL:  parameters: ") and out:
            out[-1][2] = [v.replace("''", "'") for v in
                          re.findall(r"\$\d+ = '((?:[^']|'')*)'", line)]
    return [tuple(s) for s in out]


def script(template, said):
    """lease.sql filled in; Unavailable when it is not what the server was told."""
    anchor = anchor_of(said)
    if not anchor:
        raise Unavailable("what our transactions begin with is not in the server's log")
    text = "\n".join(line for line in template.splitlines() if not line.startswith("--"))
    bare = text.replace("@ANCHOR@", anchor).replace("@QUERY@", QUERY)
    ours = [line.rstrip(";") for line in bare.splitlines() if not re.match(r"\\|DISCARD", line)]
    theirs = [s[1] for s in said]
    if ours != [anchor if SURE.fullmatch(s) else s for s in theirs]:
        raise Unavailable(f"bench/lease.sql is not our lease: {theirs} against {ours}")
    # Its values are variables of pgbench, which sends them as parameters, too.
    return bare.replace("$1", ":statement_ms").replace("$2", ":lock_ms")


def anchor_of(said):
    """What the sure anchor wraps: by itself it is the anchor of two round trips; or None."""
    return next((found[1] for s in said if (found := SURE.fullmatch(s[1]))), None)


class Pgbench:
    """One of pgbench's ways; it runs by itself, so that there is nothing to freeze."""

    process = None

    def __init__(self, name, title, note, *words):
        self.name, self.title, self.note, self.words = name, title, note, words
        self.database = None

    def begin(self, database, _measure):
        self.database = database

    def version(self):
        return ""

    def rate(self, seconds):
        said = self.database.run(
            "pgbench", "-n", "-c", str(CONNECTIONS), "-j", "1", "-T", str(max(round(seconds), 1)),
            "-h", "127.0.0.1", "-p", str(self.database.port), "-U", "bench_ro", *self.words,
            "postgres")
        found = re.search(r"tps = ([\d.]+) \(without", said)
        failed = re.search(r"failed transactions: ([1-9]\d*)", said)
        if not found or failed:
            raise Unavailable(f"pgbench: {said.strip()[-150:]}")
        return float(found[1])

    def stop(self):
        pass


class PgKanmon(Streamable, McpKanmon):
    name, title, endpoint = "kanmon", "kanmon", "/mcp/db"
    note = ("`execute_sql` over Streamable HTTP through the gateway; one worker, a key is checked, "
            "every call audited, every statement judged")

    def command(self):
        config = write(f"{self.dir}/config.yaml", f"""\
mcp_servers:
  db:
    builtin: postgres
    postgres: {{dsn: "{self.bench.database.dsn}", pool_max: {CONNECTIONS}}}
general_settings:
  master_key: sk-bench-master
kanmon_settings:
  state_dir: {self.dir}/state
  workers: 1
""")
        return [self.binary, "serve", "--config", config, "--host", "127.0.0.1", "--port",
                str(self.port)]

    def begin(self, database, measure):
        self.measure = measure
        super().begin()

    def settled(self):
        """What the server is told when nothing has changed for a while."""
        end = time.monotonic() + SETTLED_S
        said = self.bench.database.said(self.once)
        while not anchor_of(said) and time.monotonic() < end:
            said = self.bench.database.said(self.once)
        return said


def measure(servers, place, rounds, seconds, say):
    """{"servers": {name: {"title", "note", "rates": [...]} or {"failed": why}}, "rounds": n}"""
    database, results, live = Database(), {}, []
    one = McpMeasure(os.path.join(place.build, "bench/bench_load"), seconds, rounds)
    place.database = database
    try:
        database.start()
        for make in servers:
            server = make(place)
            row = results[server.name] = {"title": server.title, "note": server.note, "rates": []}
            try:
                server.begin(database, one)
                row["version"] = server.version()
                live.append(server)
            except (Unavailable, OSError) as why:
                say(f"{server.title}: {why}")
                row["failed"] = str(why)
                server.stop()
            if server.name == "kanmon" and "failed" not in row:
                live += leases(place, server, database, results)
        for number in range(rounds):
            for server in list(live):
                freeze(live, server)
                say(f"round {number + 1}: {server.title}")
                try:
                    results[server.name]["rates"].append(server.rate(seconds))
                except (Unavailable, OSError, subprocess.SubprocessError) as why:
                    say(f"{server.title}: {why}")
                    results[server.name]["failed"] = f"in round {number + 1}: {why}"
                    live.remove(server)
                    server.stop()
        end(live)
        new = postgres_distinct.measure(place.kanmon, database, say)
    finally:
        end(live)
        database.stop()
    return {"servers": results, "rounds": rounds, "new": new}


def end(live):
    """Of those that are frozen too; the list is empty afterwards."""
    while live:
        server = live.pop()
        if server.process:
            procs.send(procs.tree(server.process.pid), 18)
        server.stop()


def leases(place, kanmon, database, results):
    """pgbench's three ways; the lease is what kanmon was seen to say."""
    with open(os.path.join(place.root, "bench/lease.sql"), encoding="utf-8") as f:
        text = script(f.read(), kanmon.settled())
    path = write(os.path.join(database.folder, "lease.sql"), text)
    os.chmod(path, 0o644)
    words = ["-M", "extended", "-f", path, "-D", "statement_ms=30000", "-D", "lock_ms=5000", "-D"]
    made = [Pgbench("select", "`pgbench -S`", "the database alone", "-S"),
            Pgbench("lease", "the lease by pgbench", "`bench/lease.sql`; two round trips, no "
                    "gateway, no HTTP, no guard", *words, "once=0", "-D", "discard=0"),
            Pgbench("lease-once", "the lease at once", "the same in one round trip, as kanmon sends "
                    "it where the catalogue stands still", *words, "once=1", "-D", "discard=0"),
            Pgbench("lease-discard", "the lease with DISCARD ALL", "as a statement needs it that "
                    "is not pure", *words, "once=0", "-D", "discard=1")]
    for server in made:
        server.begin(database, None)
        results[server.name] = {"title": server.title, "note": server.note, "rates": []}
    return made


def ratio(result, name, base):
    """Within the rounds."""
    both = list(zip(*(result["servers"].get(n, {}).get("rates", []) for n in (name, base))))
    return statistics.median(a / b for a, b in both) if both else None


def verdicts(result, guard):
    """[what, measured or None, words of the bound, reached or None where there is no bound]."""
    def row(what, measured, bound, ok):
        return (what, measured, bound, None if ok is None else measured is not None and ok(measured))

    return [
        row("Of the lease by pgbench", ratio(result, "kanmon", "lease"), f"at least {LEASE}",
            lambda v: v >= LEASE),
        row("Of the lease at once by pgbench", ratio(result, "kanmon", "lease-once"), "stated",
            None),
        row("Of `pgbench -S`", ratio(result, "kanmon", "select"), "stated", None),
        row("The lease by pgbench, of `pgbench -S`", ratio(result, "lease", "select"), "stated", None),
        row("Times postgres-mcp", ratio(result, "kanmon", "postgres-mcp"), f"at least {PEER:.0f}",
            lambda v: v >= PEER),
        row("Times MCP Toolbox", ratio(result, "kanmon", "toolbox"), "above 1", lambda v: v > 1),
        *(row(f"A statement not asked before, {tables} tables, ms", result.get("new", {}).get(tables),
              f"at most {NEW_MS:.0f}", lambda v: v <= NEW_MS) for tables in postgres_distinct.TABLES),
        row("Guard of a typical statement, µs", guard.get("uncached"), "at most 30",
            lambda v: v <= 30),
        row("Guard of a cached one, µs", guard.get("cached"), "at most 5", lambda v: v <= 5)]


def guard_cost(place):
    """The dearest of bench_guard's statements."""
    try:
        said = subprocess.run([os.path.join(place.build, "bench/bench_guard")], check=False,
                              capture_output=True, text=True, timeout=60).stdout
    except OSError:
        return {}
    return {kind: max(map(float, found)) for kind in ("uncached", "cached")
            if (found := re.findall(rf"\b{kind} +([\d.]+) us", said))}


def markdown(result, guard, facts):
    lines = [BEGIN, "## What a query costs", "",
             f"Made by `bench/run --postgres` on {facts['date']} at commit {facts['commit']}; "
             f"{result['rounds']} interleaved rounds, medians. `{QUERY}`, {CONNECTIONS} "
             "connections or calls under way; the database shares the two cores with whoever "
             "asks it.", "", "| | queries a second | of `pgbench -S` |", "|---|---:|---:|"]
    for name, one in result["servers"].items():
        if one["rates"]:
            lines.append(f"| {one['title']} | {statistics.median(one['rates']):,.0f} | "
                         f"{ratio(result, name, 'select') or 0:.3f} |")
    lines += ["", "| kanmon | measured | | |", "|---|---:|---|---|"]
    for what, measured, bound, ok in verdicts(result, guard):
        word = "not measured" if measured is None else "" if ok is None else \
            "reached" if ok else "**not reached**"
        lines.append(f"| {what} | {'–' if measured is None else f'{measured:,.2f}'} | {bound} | {word} |")
    lines.append("")
    for one in result["servers"].values():
        title = f"{one['title']} {one.get('version', '')}".strip()
        lines.append(f"- **{title}**: {one['note']}"
                     + (f"; not measured: {one['failed']}" if one.get("failed") else ""))
    return "\n".join([*lines, "", END, ""])


def kept(page):
    """The section as it stands on a page, or nothing."""
    return section_of(page, BEGIN, END)


def put(page, section):
    """The page with this section in place of the one that it had."""
    old = kept(page)
    return page.replace(old, section) if old else page.rstrip("\n") + "\n\n" + section


SERVERS = (PgKanmon, PostgresMcp, Toolbox, Reference)


def main(place, smoke, quick, path, facts, say):
    """As `bench/run --postgres`; 1 when kanmon or the lease could not be measured."""
    rounds, seconds = (1, 1) if smoke else (3, 2) if quick else (7, 4)
    result = measure(SERVERS[:1] if smoke else SERVERS, place, rounds, seconds, say)
    guard = guard_cost(place)
    section = markdown(result, guard, facts)
    if path:
        with open(path, encoding="utf-8") as f:
            page = put(f.read(), section)
        with open(path, "w", encoding="utf-8") as f:
            f.write(page)
        say(f"wrote {path}")
    else:
        print(section)
    for what, measured, bound, ok in verdicts(result, guard):
        if ok is False and measured is not None:
            say(f"not reached: {what}: {measured:.2f}, {bound}")
    return 0 if ratio(result, "kanmon", "lease") else 1
