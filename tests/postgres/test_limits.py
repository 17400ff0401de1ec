# SPDX-License-Identifier: Apache-2.0
"""A time limit holds for the caller whatever the server does: what nothing can interrupt there is
told to be over all the same, and its connection is lent to nobody."""

import json
import math
import re

import pytest
from gateway import machine_factor, roomy_ms, wait_until

from conftest import Server
from test_faults import ask, backends, role, text_of, works
from test_lease import running

# A division of numbers this long is computed, or planned, without a look at whether to stop, and so
# is a row of several.  How many it takes to outlast a limit, and the test's looks at it, is measured.
NUMBER, LESS = "repeat('7', 120000)::numeric", "repeat('3', 60000)::numeric"
# The mark stands in front: of a longer statement the server shows its first kilobyte.
UNSTOPPABLE = {
    "executed": "WITH {mark} AS (SELECT 1) SELECT {quotients} FROM (SELECT " + NUMBER +
                " AS n OFFSET 0) s",
    "planned": "WITH {mark} AS (SELECT 1) SELECT {quotients}",
}
LASTS_S = 4  # and so long for the looks of a machine that is not held up


@pytest.fixture(scope="module")
def unstoppable(postgres):
    """unstoppable(kind, mark): a statement that nothing can interrupt for seconds."""
    def one_s():
        plan = postgres.psql("EXPLAIN (ANALYZE, TIMING OFF) SELECT div(n, " + LESS + ") FROM (SELECT "
                             + NUMBER + " AS n OFFSET 0) s")
        return float(re.search(r"Execution Time: ([\d.]+) ms", plan)[1]) / 1000

    terms = max(1, math.ceil(LASTS_S * machine_factor() / min(one_s() for _ in range(3))))

    def statement(kind, mark):
        n = "n" if kind == "executed" else NUMBER
        quotients = "+".join(f"div({n} + {i}, {LESS})" for i in range(terms))
        return UNSTOPPABLE[kind].format(quotients=quotients, mark=mark)
    return statement


LIMITS_MS = (300, 600, 1200, 2400, 4800)


def given_up(server, statement, times=1):
    """Asks for the statement, that often at once, until all are given up at the limit.  Where the
    machine is held up the server may come to the limit before it comes to what it cannot stop."""
    for limit in LIMITS_MS:
        asked = [ask(server, statement, timeout_ms=limit) for _ in range(times)]
        errors = [json.loads(text_of(server, number))["error"] for number in asked]
        assert {e["code"] for e in errors} == {"57014"}, errors
        if all(f"{limit} ms" in e["message"] for e in errors):
            return errors[0]
    raise AssertionError(f"interrupted each time: {errors}")


@pytest.mark.parametrize("kind", UNSTOPPABLE)
def test_what_nothing_can_interrupt_is_over_for_the_caller(postgres, role, unstoppable, kind):
    with Server(postgres.dsn(role), "--pool-max", 1) as server:
        assert works(server)
        (before,) = backends(postgres, role)
        error = given_up(server, unstoppable(kind, "m_" + kind))
        assert "does not answer" in error["message"]
        assert running(postgres, "m_" + kind) == 1  # while the server still computes
        assert works(server)  # when it has ended, or soon
        assert before not in backends(postgres, role) or running(postgres, "m_" + kind)


def test_what_can_be_interrupted_keeps_its_connection(postgres, role):
    # cheap in the planner's eyes: what it compiles for dear ones takes its time without a look
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with Server(postgres.dsn(role), "--statement-timeout", f"{roomy_ms(1000)}ms", "--pool-max",
                1) as server:
        def kept():
            """On a machine that is held up the server may answer too late: then it is given up."""
            assert works(server)
            before = backends(postgres, role)
            error = server.error("execute_sql", sql=slow, timeout_ms=100)
            assert error["code"] == "57014", error
            return ("statement timeout" in error["message"] and works(server) and
                    backends(postgres, role) == before)

        wait_until(kept, 30, "a statement to be interrupted in time")


def test_a_change_that_is_given_up_does_not_happen(postgres, role, unstoppable):
    postgres.psql(f"CREATE TABLE long_change (n numeric); GRANT INSERT ON long_change TO {role}")
    try:
        with Server(postgres.dsn(role), "--pool-max", 1, "--mode", "dml") as server:
            given_up(server, "INSERT INTO long_change " + unstoppable("executed", "m_change"))
            assert running(postgres, "m_change") == 1
            assert works(server)
        wait_until(lambda: not running(postgres, "m_change"), 60, "it to end in the server", 0.1)
        assert postgres.psql("SELECT count(*) FROM long_change") == "0"
    finally:
        postgres.psql("DROP TABLE long_change")


def test_given_up_statements_do_not_grow_beyond_the_pool(postgres, role, unstoppable):
    """Each keeps its place while the server may still be at it."""
    with Server(postgres.dsn(role), "--pool-max", 2) as server:
        given_up(server, unstoppable("executed", "m_many"), times=2)
        assert running(postgres, "m_many") == 2
        number = ask(server)  # waits for a place
        assert server.request("ping")["result"] == {}
        assert number not in server.answers and len(backends(postgres, role)) == 2
        assert server.wait(number)["result"]["isError"] is False
        wait_until(lambda: not running(postgres, "m_many"), 60, "both to end in the server", 0.1)
