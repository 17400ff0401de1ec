# SPDX-License-Identifier: Apache-2.0
"""max_cost: what the planner expects is asked before a statement runs."""

import pytest

from conftest import Server

FEW = "SELECT 1"
MANY = "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 100) b"


@pytest.fixture(scope="module")
def bounded(postgres):
    with Server(postgres.dsn(), "--max-cost", 1000) as server:
        yield server


def refused(server, sql, tool="execute_sql", **more):
    error = server.error(tool, sql=sql, **more)
    assert error["code"] == "GUARD_COST" and "at most 1000 is allowed" in error["message"], error


def test_what_costs_too_much_does_not_run(bounded):
    assert bounded.ok("execute_sql", sql=FEW)["rows"] == [[1]]
    refused(bounded, MANY)
    assert bounded.ok("execute_sql", sql=FEW)["rows"] == [[1]]


def test_without_a_bound_it_would_run(postgres):
    with Server(postgres.dsn()) as server:
        assert server.ok("execute_sql", sql="SELECT count(*) FROM generate_series(1, 2000) a, "
                         "generate_series(1, 100) b")["rows"] == [[200000]]


@pytest.mark.parametrize("sql", [
    "EXPLAIN ANALYZE " + MANY,
    "explain analyse verbose " + MANY,
    "EXPLAIN (COSTS, ANALYZE true, FORMAT JSON) " + MANY,
    "/* a /* b */ */ EXPLAIN -- c\n ANALYZE " + MANY,
    "EXPLAIN ANALYZE (" + MANY + ")",
    "WITH x AS MATERIALIZED (" + MANY + ") SELECT * FROM x",
    MANY + " UNION ALL SELECT 1",
])
def test_every_form_that_runs_is_asked_about(bounded, sql):
    refused(bounded, sql)


def test_a_plan_alone_is_always_shown(bounded):
    assert bounded.ok("execute_sql", sql="EXPLAIN " + MANY)["rows"]
    assert bounded.ok("execute_sql", sql="EXPLAIN (VERBOSE) " + MANY)["rows"]
    assert bounded.ok("explain_query", sql=MANY)
    refused(bounded, MANY, tool="explain_query", analyze=True)


def test_options_that_hide_the_statement_are_refused(bounded):
    error = bounded.error("execute_sql", sql="EXPLAIN (ANALYZE, FORMAT 'json') SELECT 1")
    assert "write its options plainly" in error
    assert bounded.ok("execute_sql", sql=FEW)["rows"] == [[1]]


def test_values_count_and_errors_keep_their_place(bounded):
    sql = "SELECT count(*) FROM generate_series(1, $1::int) a, generate_series(1, $2::int) b"
    assert bounded.ok("execute_sql", sql=sql, params=[2, 3])["rows"] == [[6]]
    refused(bounded, sql, params=[1000000, 1000000])
    error = bounded.error("execute_sql", sql="SELECT /* ä */ nothing FROM t_acct")
    assert error["position"] == 16 and error["code"] == "42703", error


def test_what_writes_is_asked_too(postgres):
    with Server(postgres.dsn("postgres"), "--max-cost", 1000, "--mode", "dml") as server:
        before = postgres.psql("SELECT count(*) FROM t_ord")
        refused(server, "DELETE FROM t_ord WHERE id IN (SELECT a FROM generate_series(1, 9000000) a,"
                " generate_series(1, 100) b)")
        assert postgres.psql("SELECT count(*) FROM t_ord") == before
