# SPDX-License-Identifier: Apache-2.0
"""What mode ddl does beyond a row: tables that are emptied count as their rows, and what runs
outside of a transaction runs, and leaves the session as it was."""

import pytest

from conftest import Server
from proxy import Proxy


@pytest.fixture
def stock(postgres):
    postgres.psql("""
        CREATE SCHEMA "De pot"; SET search_path = "De pot";
        CREATE TABLE few (id int PRIMARY KEY); INSERT INTO few SELECT generate_series(1, 5);
        CREATE TABLE lots (id int PRIMARY KEY); INSERT INTO lots SELECT generate_series(1, 50);
        CREATE TABLE refers (id int REFERENCES few); INSERT INTO refers SELECT 1 + g % 5 FROM generate_series(1, 40) g;
        CREATE TABLE part (id int) PARTITION BY LIST (id);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
        INSERT INTO part SELECT 1 FROM generate_series(1, 20);
        CREATE TABLE empty (id int);""")
    yield postgres
    postgres.psql('DROP SCHEMA "De pot" CASCADE')


@pytest.fixture
def owner(stock):
    with Server(stock.dsn("postgres", "?options=-c%20search_path%3D%22De%5C%20pot%22"), "--mode", "ddl",
                "--max-affected", 10, "--pool-max", 1) as server:
        yield server


def count(postgres, table):
    return int(postgres.psql(f'SELECT count(*) FROM "De pot".{table}'))


@pytest.mark.parametrize("sql", [
    "TRUNCATE lots", 'TRUNCATE few, "De pot".lots', "TRUNCATE few CASCADE", "TRUNCATE part",
    "DROP TABLE lots", "DROP TABLE IF EXISTS nothing, lots", "DROP TABLE part CASCADE",
    "TRUNCATE ONLY lots", "DROP TABLE part_1",
])
def test_a_table_that_is_emptied_counts_as_its_rows(stock, owner, sql):
    before = [count(stock, t) for t in ("few", "lots", "refers", "part")]
    error = owner.error("execute_sql", sql=sql)
    assert "at most 10 are allowed" in error and "rolled back" in error
    assert [count(stock, t) for t in ("few", "lots", "refers", "part")] == before
    assert owner.ok("execute_sql", sql="SELECT 1")["rows"] == [[1]]


def test_within_the_cap_it_is_emptied(stock, owner):
    assert owner.ok("execute_sql", sql="TRUNCATE empty")["command"] == "TRUNCATE TABLE"
    stock.psql('DELETE FROM "De pot".lots WHERE id > 10')
    owner.ok("execute_sql", sql="TRUNCATE lots")
    assert count(stock, "lots") == 0
    assert owner.ok("execute_sql", sql="DROP TABLE empty, lots")["command"] == "DROP TABLE"
    error = owner.error("execute_sql", sql="DROP TABLE lots")
    assert error["code"] == "42P01"
    # a table that another refers to is not emptied by dropping it: its rows alone count
    owner.ok("execute_sql", sql="DROP TABLE few CASCADE")
    assert count(stock, "refers") == 40


CONCURRENT = ["CREATE INDEX CONCURRENTLY lots_id ON lots (id DESC)",
              "DROP INDEX CONCURRENTLY lots_id",
              "ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY"]


def test_what_runs_in_no_transaction_runs(stock, owner):
    for sql in CONCURRENT:
        owner.ok("execute_sql", sql=sql)
        rows = owner.ok("execute_sql", sql="SELECT current_setting('statement_timeout'), "
                        "current_setting('search_path'), current_setting('lock_timeout')")["rows"]
        assert rows == [["30s", '"De pot", pg_temp', "5s"]]
    assert stock.psql("SELECT count(*) FROM pg_class WHERE relname = 'lots_id'") == "0"
    assert stock.psql("SELECT relispartition FROM pg_class WHERE relname = 'part_1'") == "f"
    # the guard and the catalogue judge it as ever
    assert owner.error("execute_sql", sql="CREATE INDEX CONCURRENTLY ON lots (f_write())")[
        "code"] == "GUARD_FUNCTION"
    stock.psql('CREATE FUNCTION "De pot".f(int) RETURNS int IMMUTABLE LANGUAGE sql AS '
               "'SELECT $1'; CREATE DOMAIN \"De pot\".d AS int CHECK (\"De pot\".f(VALUE) > 0)")
    assert "f() is not on the list" in owner.error(
        "execute_sql", sql="CREATE INDEX CONCURRENTLY ON lots ((id::d))")["message"]
    assert owner.error("execute_sql", sql="CREATE INDEX CONCURRENTLY ON nothing (id)")[
        "code"] == "42P01"


def test_it_ends_in_time_and_says_what_is_left(stock):
    with Server(stock.dsn("postgres"), "--mode", "ddl", "--statement-timeout", "300ms") as server:
        holder = Server(stock.dsn("postgres"), "--mode", "dml", "--statement-timeout", "60s")
        with holder:
            holder.send("tools/call", {"name": "execute_sql", "arguments": {
                "sql": 'SELECT count(*) FROM "De pot".lots, generate_series(1, 1000000000)'}})
            while "lots" not in stock.psql(
                    "SELECT string_agg(relation::regclass::text, ',') FROM pg_locks WHERE mode = "
                    "'AccessShareLock' AND pid <> pg_backend_pid()"):
                assert holder.process.poll() is None
            error = server.error("execute_sql",
                                 sql='CREATE INDEX CONCURRENTLY slow_one ON "De pot".lots (id)')
            assert error["code"] == "57014" and "DROP INDEX CONCURRENTLY" in error["hint"]


def test_behind_a_pooler_it_is_refused(stock):
    with Server(stock.dsn("postgres"), "--mode", "ddl", "--pooler", "transaction") as server:
        assert "CONCURRENTLY" in server.error("execute_sql", sql=CONCURRENT[0])


def test_nothing_of_it_is_sent_in_other_modes(stock):
    with Proxy(stock.port) as wire, Server(wire.dsn("postgres"), "--mode", "dml") as server:
        for sql in [*CONCURRENT, "TRUNCATE lots", "DROP TABLE lots"]:
            assert server.error("execute_sql", sql=sql)["code"] == "GUARD_STATEMENT"
