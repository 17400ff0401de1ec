# SPDX-License-Identifier: Apache-2.0
"""Three counts of the same calls: what the clients did, what the upstream served, and
what kanmon wrote down.  They must agree to the last call and the last nano-dollar.

A call is told by its model name, of which there are few: `any/ok-unary` at the client
is `ok-unary` at the upstream and a row with the model group `any/ok-unary`.
"""

import collections
import decimal
import json
import re
import sqlite3

NANO_IN, NANO_OUT = 1000, 2000  # of a token, as config.yaml says
USAGE = re.compile(rb'"usage": \{"prompt_tokens": (\d+), (?:"completion_tokens": (\d+), )?')


class Served:
    """What the upstream did under one model name."""

    def __init__(self):
        self.requests = self.whole = self.nano = self.bound = 0

    def add(self, record):
        self.requests += 1
        # No estimate of what was sent can be over a token a byte.
        self.bound += len(record.body) * NANO_IN + len(record.sent) * NANO_OUT
        if record.outcome != "served" or record.status != 200:
            return
        self.whole += 1
        told = USAGE.findall(record.sent)
        if record.path.endswith("/embeddings"):
            told = [(b"10", b"")]  # the mock says so each time and keeps no copy
        if told:
            self.nano += int(told[-1][0]) * NANO_IN + int(told[-1][1] or 0) * NANO_OUT


class Tally:
    """The upstream's records, counted and let go: an hour of them is too much to keep."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.by_model = collections.defaultdict(Served)

    def fold(self):
        with self.upstream.changed:
            ended = [r for r in self.upstream.records if r.ended is not None]
            self.upstream.records = [r for r in self.upstream.records if r.ended is None]
        for record in ended:
            self.by_model[record.model].add(record)

    def open(self):
        with self.upstream.changed:
            return sum(r.ended is None for r in self.upstream.records)


class Row:
    """What kanmon wrote down under one model name."""

    def __init__(self, group, calls, nano, least, failed, estimated, incomplete):
        self.group, self.calls, self.nano, self.least = group, calls, nano, least
        self.failed, self.estimated, self.incomplete = failed, estimated, incomplete


class Store:
    """The SQLite file of a gateway that has ended."""

    def __init__(self, path):
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def one(self, sql):
        return self.db.execute(sql).fetchone()

    def integrity(self):
        return [row[0] for row in self.db.execute("PRAGMA integrity_check")]

    def rows(self):
        """Flags as in store/ledger.h: 2 estimated, 8 incomplete, 64 failed."""
        sql = ("SELECT r.model_group, count(*), sum(s.cost), min(s.cost), sum(s.flags & 64 != 0),"
               " sum(s.flags & 2 != 0), sum(s.flags & 8 != 0)"
               " FROM spend s JOIN routes r ON r.id = s.route GROUP BY 1")
        return {row[0]: Row(*row) for row in self.db.execute(sql)}


def spend_by_api(gateway):
    """Rows and nano-dollars of GET /spend/logs, page by page, its numbers read as decimals."""
    count, nano, size = 0, 0, 2000
    while True:
        answer = gateway.call("GET", f"/spend/logs?limit={size}&offset={count}", timeout=60)
        assert answer.status == 200, answer
        page = json.loads(answer.body, parse_float=decimal.Decimal)
        count += len(page)
        nano += sum(int(decimal.Decimal(row["spend"]) * 10**9) for row in page)
        if len(page) < size:
            return count, nano
