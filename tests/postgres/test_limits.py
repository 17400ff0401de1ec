# SPDX-License-Identifier: Apache-2.0
"""A time limit holds for the caller whatever the server does: what nothing can interrupt there is
told to be over all the same, and its connection is lent to nobody."""

import json

import pytest
from gateway import wait_until

from conftest import Server
from test_faults import ask, backends, role, text_of, works
from test_lease import running

# A division of numbers this long takes most of a second, and one row of two is computed, or
# planned, without a look at whether to stop.
NUMBER, LESS = "repeat('7', 120000)::numeric", "repeat('3', 60000)::numeric"
QUOTIENTS = "+".join(f"div(@ + {i}, {LESS})" for i in range(2))
UNSTOPPABLE = {
    "executed": f"SELECT {QUOTIENTS.replace('@', 'n')} AS {{mark}} FROM "
                f"(SELECT {NUMBER} AS n OFFSET 0) s",
    "planned": f"SELECT {QUOTIENTS.replace('@', NUMBER)} AS {{mark}}",
}
LIMIT = ("--statement-timeout", "300ms", "--pool-max", 1)


def given_up(server, number):
    error = json.loads(text_of(server, number))["error"]
    assert error["code"] == "57014" and "300 ms" in error["message"], error
    return error


@pytest.mark.parametrize("kind", UNSTOPPABLE)
def test_what_nothing_can_interrupt_is_over_for_the_caller(postgres, role, kind):
    with Server(postgres.dsn(role), *LIMIT) as server:
        assert works(server)
        (before,) = backends(postgres, role)
        number = ask(server, UNSTOPPABLE[kind].format(mark="m_" + kind))
        assert "does not answer" in given_up(server, number)["message"]
        assert running(postgres, "m_" + kind) == 1  # while the server still computes
        assert works(server)  # when it has ended, or soon
        assert before not in backends(postgres, role) or running(postgres, "m_" + kind)


def test_what_can_be_interrupted_keeps_its_connection(postgres, role):
    # cheap in the planner's eyes: what it compiles for dear ones takes its time without a look
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with Server(postgres.dsn(role), "--statement-timeout", "2s", "--pool-max", 1) as server:
        assert works(server)
        before = backends(postgres, role)
        for _ in range(2):
            error = server.error("execute_sql", sql=slow, timeout_ms=100)
            assert error["code"] == "57014" and "statement timeout" in error["message"]
        assert works(server) and backends(postgres, role) == before


def test_a_change_that_is_given_up_does_not_happen(postgres, role):
    postgres.psql(f"CREATE TABLE long_change (n numeric); GRANT INSERT ON long_change TO {role}")
    try:
        with Server(postgres.dsn(role), *LIMIT, "--mode", "dml") as server:
            number = ask(server, "INSERT INTO long_change " +
                         UNSTOPPABLE["executed"].format(mark="m_change"))
            given_up(server, number)
            assert running(postgres, "m_change") == 1
            assert works(server)
        wait_until(lambda: not running(postgres, "m_change"), 60, "it to end in the server", 0.1)
        assert postgres.psql("SELECT count(*) FROM long_change") == "0"
    finally:
        postgres.psql("DROP TABLE long_change")


def test_given_up_statements_do_not_grow_beyond_the_pool(postgres, role):
    """Each keeps its place while the server may still be at it."""
    with Server(postgres.dsn(role), "--statement-timeout", "300ms", "--pool-max", 2) as server:
        for number in [ask(server, UNSTOPPABLE["executed"].format(mark="m_many"))
                       for _ in range(2)]:
            given_up(server, number)
        assert running(postgres, "m_many") == 2
        number = ask(server)  # waits for a place
        assert server.request("ping")["result"] == {}
        assert number not in server.answers and len(backends(postgres, role)) == 2
        assert server.wait(number)["result"]["isError"] is False
        wait_until(lambda: not running(postgres, "m_many"), 60, "both to end in the server", 0.1)
