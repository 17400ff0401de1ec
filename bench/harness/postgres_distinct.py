# SPDX-License-Identifier: Apache-2.0
"""What a statement costs that nobody asked before, in a database of many tables.

One client on standard input, one call after the other, each with another literal and another table:
no verdict is kept, so guard and look-up run for each of them.  The database compiles (jit) as it
does by default.
"""
import json
import os
import statistics
import subprocess
import time

TABLES = (300, 1000)
STATEMENTS = 200
WARM = 20


def fill(database, tables):
    """Tables in five schemas, with a key, an index and a comment each, so many in all."""
    database.sql("".join(
        f"CREATE SCHEMA IF NOT EXISTS many{n % 5}; CREATE TABLE IF NOT EXISTS many{n % 5}.t{n} "
        f"(id int PRIMARY KEY, a int, b text); CREATE INDEX IF NOT EXISTS t{n}_a ON many{n % 5}.t{n} (a); "
        f"COMMENT ON TABLE many{n % 5}.t{n} IS 'table {n}';" for n in range(tables)))
    database.sql("".join(f"GRANT USAGE ON SCHEMA many{n} TO bench_ro; "
                         f"GRANT SELECT ON ALL TABLES IN SCHEMA many{n} TO bench_ro;"
                         for n in range(5)) + "ANALYZE")


def ask(process, number, method, params):
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method,
                                    "params": params}) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def milliseconds(binary, dsn, tables):
    """The median of a call, in milliseconds."""
    with subprocess.Popen([binary, "mcp", "postgres"], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count())),
                          env={"PATH": os.environ["PATH"], "DATABASE_URL": dsn}) as process:
        ask(process, 0, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                                       "clientInfo": {"name": "bench", "version": "1"}})
        took = []
        for n in range(1, STATEMENTS + WARM + 1):
            table = n * 7 % tables
            sql = f"SELECT count(*) FROM many{table % 5}.t{table} WHERE a = {n} AND b <> 'x{n}'"
            began = time.monotonic()
            answer = ask(process, n, "tools/call", {"name": "execute_sql",
                                                    "arguments": {"sql": sql}})
            took.append((time.monotonic() - began) * 1000)
            if answer["result"]["isError"]:
                raise RuntimeError(str(answer)[:300])
        process.stdin.close()
        process.wait()
    return statistics.median(took[WARM:])


def measure(binary, database, say):
    """{tables: milliseconds}"""
    found = {}
    for tables in TABLES:
        fill(database, tables)
        found[tables] = milliseconds(binary, database.dsn, tables)
        say(f"a new statement among {tables} tables: {found[tables]:.2f} ms")
    return found
