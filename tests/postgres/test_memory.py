# SPDX-License-Identifier: Apache-2.0
"""Many wide rows in memory that follows from the cap of bytes, and not from how many there are."""

import os
import pathlib

import pytest

from conftest import Server

ROWS = 100_000
WIDE = "SELECT g, repeat('x', 1000) AS filler FROM generate_series(1, {n}) g"
MIB = 1024 * 1024

# A result is at most ten times there: its rows in a buffer that doubles, the same as structured
# content and as text, and as the message that carries both.  The rest is libpq's, of a few rows.
COPIES = 10
REST = 6 * MIB


def status(server, field):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.split(field + ":")[1].split()[0]) * 1024


def grown(server, sql):
    """By how much the most that was resident during a call is over what was before; the result."""
    pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = status(server, "VmRSS")
    got = server.ok("execute_sql", sql=sql)
    most = status(server, "VmHWM") - before
    print("grown by", most, "bytes:", got["row_count"], "rows of", sql)
    return most, got


def kanmon(dsn, cap, *words):
    """Sanitized, it keeps what is freed unless it is told not to."""
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0"
    return Server(dsn, "--max-bytes", cap, "--max-rows", 1_000_000, "--pool-max", 1, *words,
                  env={"ASAN_OPTIONS": options})


@pytest.mark.parametrize("cap", [3 * MIB, 4096])
def test_a_hundred_thousand_wide_rows_take_what_the_cap_allows(postgres, cap):
    with kanmon(postgres.dsn(), cap) as server:
        grown(server, "SELECT 1 AS one")
        for n in (cap // 1000 + 2, ROWS, ROWS):  # one row too many, and very many
            most, got = grown(server, WIDE.format(n=n))
            assert got["truncated"] and got["row_count"] <= cap // 1000
            assert most <= COPIES * cap + REST, n


def test_where_all_of_them_come_they_take_no_more(postgres):
    """Half a change is none, so what a change returns is not cut short but goes untold."""
    postgres.psql("CREATE TABLE many (id int)")
    try:
        with kanmon(postgres.dsn("postgres"), 4096, "--mode", "dml", "--max-affected", ROWS) as server:
            grown(server, "SELECT 1 AS one")
            most, got = grown(server, f"INSERT INTO many SELECT g FROM generate_series(1, {ROWS}) g "
                                      "RETURNING id, repeat('x', 1000)")
            assert got["command"] == f"INSERT 0 {ROWS}" and got["truncated"]
            assert most <= COPIES * 4096 + REST
    finally:
        postgres.psql("DROP TABLE many")
