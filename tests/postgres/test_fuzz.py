# SPDX-License-Identifier: Apache-2.0
"""A fuzzer: statements made of pieces of the hostile and the legitimate ones.  What the guard lets
through is run, by a role that may only SELECT and by a superuser: nothing may have changed.

    KM_FUZZ_SECONDS=600 tests/postgres/run fuzz      longer
    KM_FUZZ_SEED=...                                 the same statements again
"""

import os
import random
import re
import time

import pytest

from conftest import Server, lines_of

TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\$\w*\$.*?\$\w*\$|\w+|\s+|.", re.DOTALL)
WRAPS = ["SELECT * FROM ({}) AS w", "WITH w AS ({}) SELECT * FROM w", "SELECT ({})",
         "EXPLAIN {}", "EXPLAIN ANALYZE {}", "({}) UNION ALL ({})", "SELECT EXISTS ({})",
         "/* c */ {}", "{} -- c\n", "{};", "{}; {}", "WITH RECURSIVE w AS ({}) TABLE w",
         "SELECT ARRAY({})", "SELECT 1 WHERE 1 IN ({})", "SELECT * FROM LATERAL ({}) AS w",
         "VALUES (({}))", "SELECT coalesce(({}), NULL)", "BEGIN; {}; COMMIT", "DECLARE c CURSOR FOR {}"]

LEAST = 20  # statements of a run: one that gets nothing through shows nothing


def mutants(seed):
    rng = random.Random(seed)
    pool = [sql for name in ("hostile.tsv", "hostile-more.tsv", "legit.tsv", "legit-more.tsv")
            for sql, _ in lines_of(name) if "\0" not in sql and len(sql) < 2000]
    tokens = [found for found in map(TOKEN.findall, pool) if found]
    words = sorted({t for ts in tokens for t in ts if t.strip()})

    def pick():
        return rng.choice(pool)

    def splice():
        a, b = rng.choice(tokens), rng.choice(tokens)
        return "".join(a[:rng.randrange(len(a) + 1)] + b[rng.randrange(len(b) + 1):])

    def swap():
        a = list(rng.choice(tokens))
        for _ in range(rng.randrange(1, 4)):
            a[rng.randrange(len(a))] = rng.choice(words)
        return "".join(a)

    def drop():
        a = list(rng.choice(tokens))
        for _ in range(rng.randrange(1, 3)):
            if len(a) > 1:
                del a[rng.randrange(len(a))]
        return "".join(a)

    def wrap():
        frame = rng.choice(WRAPS)
        return frame.format(*[pick() for _ in range(frame.count("{}"))])

    def spell():
        def other(t):
            if not re.fullmatch(r"[a-zA-Z_]\w+", t) or rng.random() < 0.7:
                return t
            return rng.choice([t.upper(), t.swapcase(), f'"{t}"', f"pg_catalog.{t}", f"public.{t}",
                               f'U&"\\{ord(t[0]):04x}{t[1:]}"'])
        return "".join(other(t) for t in rng.choice(tokens))

    while True:
        sql = rng.choice([splice, swap, drop, wrap, spell])()
        if rng.random() < 0.2:
            sql = rng.choice(WRAPS[:4]).format(sql, sql)
        yield sql


@pytest.mark.parametrize("role", ["mcp_ro", "postgres"])
def test_whatever_passes_changes_nothing(postgres, role):
    seconds = float(os.environ.get("KM_FUZZ_SECONDS", "3"))
    seed = int(os.environ.get("KM_FUZZ_SEED", time.time_ns()))
    before = postgres.state()
    judged = passed = 0
    batch = []
    with Server(postgres.dsn(role), "--statement-timeout", "300ms") as server:
        server.ok("execute_sql", sql="SELECT 1")  # starting takes no time from the statements
        end = time.monotonic() + seconds
        for sql in mutants(seed):
            # A machine that is busy may take long for a few: so many there are all the same.
            if time.monotonic() > end and judged > LEAST and passed:
                break
            judged += 1
            result = server.call("execute_sql", sql=sql, timeout_ms=100, max_rows=5)
            if "GUARD_" in result["content"][0]["text"]:
                continue
            passed += not result["isError"]
            batch.append(sql)
            if len(batch) >= 200:
                assert postgres.state() == before, (seed, batch)
                batch = []
    print(f"seed {seed}: {judged} statements, {passed} ran")
    assert postgres.state() == before, (seed, batch)
