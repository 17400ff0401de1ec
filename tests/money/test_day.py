# SPDX-License-Identifier: Apache-2.0
"""A day of mixed traffic, made short: of every bad ending one call in a hundred, and what is booked
beside what is true, by ending.  `tests/money/run --table FILE day` writes the table as Markdown.

Time is compressed alike for all: the vendor writes about seven times as fast as models do, and who
waits for it waits so much shorter.  It is a vendor as they are: it bills what it wrote until it
noticed that nobody listens, and of what is said when all of it is there it notices at its end.
"""

import math
import os
import pathlib
import random

import pytest

import cases
import endings
import kinds
import rules
from gateway import slow_factor
from world import BUDGET, Daemon

BAD = ["status-429", "status-500", "status-503", "closed-before-head", "cut", "reset",
       "gone-before-head", "gone", "late-head", "frozen", "blocked", "usage-null", "usage-absent",
       "went-minus", "endless", "gzip", "killed", "killed-before-head", "handed-over", "lost"]
EACH = 0.01
MOST_OFF = 0.05  # of its whole, a fifth of which ended badly
RATE = 400       # tokens a second that its models write
IMAGE_RATE = 4000
PROMPT, WORDS = (300, 3000), (120, 300)  # tokens: their median, and the most there are
KNOWN = 0.4      # of the good calls: those that a gateway begins with, so that it knows its vendors
LEAST = 3        # calls of an ending that strikes all that are under way
STRIKES = {"killed": Daemon.kill, "handed": Daemon.restart, "lost": Daemon.lose}
# What is spoken, passed and worked is charged by the piece; the others are what a day is made of.
MIX = ["chat"] * 4 + ["messages", "responses", "gemini", "chat-anthropic", "chat-gemini", "chat-bedrock",
                      "messages-openai", "prefix-openai", "prefix-anthropic", "completions",
                      "embeddings", "images", "speech", "pass", "mcp-rest"]


def draw(seed, count):
    rng = random.Random(f"day {seed}")
    names = [name for name in BAD for _ in range(max(LEAST, round(count * EACH)))]
    names += ["answer"] * max(0, count - len(names))
    for n, name in enumerate(names):
        ending = endings.BY_NAME[name]
        while True:
            kind = kinds.BY_NAME[rng.choice(MIX)]
            stream = rng.choice(kind.streams)
            if ending.only is None or ending.only(kind, stream):
                break
        yield drawn(rng, cases.Case(kind, stream, ending, f"{seed} {n}"))


def size(rng, middle, most):
    """As sizes of real traffic are: many small ones, and few that are large."""
    return max(8, min(most, round(rng.lognormvariate(math.log(middle), 0.8))))


def drawn(rng, case):
    image = case.kind.dialect == "images"
    case.rate = (IMAGE_RATE if image else RATE) / slow_factor()  # as what waits for it is longer
    case.prompt, case.words = size(rng, *PROMPT), None if image else size(rng, *WORDS)
    case.works_on = True
    return case


def in_order(rng, live):
    """Two halves, between which the gateway is struck; what it had learnt goes with it."""
    rng.shuffle(live)
    halves = live[::2], live[1::2]
    for half in halves:
        good = [case for case in half if case.ending.name == "answer"]
        first = good[:round(len(good) * KNOWN)]
        yield first
        yield [case for case in half if case not in first]


def truth(case):
    """USD that the vendor bills."""
    last = case.plan.entries[-1] if case.plan.entries else None
    if last is None or last.refused:
        return 0.0
    return case.kind.cost_of(case, last)


class Table:
    """Booked against true, by ending."""

    def __init__(self, found, books):
        self.rows = []
        for name in ["answer", *BAD]:
            of = [case for case in found if case.ending.name == name]
            true = sum(map(truth, of))
            booked = sum(r["spend"] for case in of for r in rules.call_rows(case, books))
            self.rows.append((name, len(of), true, booked))
        self.rows.append(("all", len(found), sum(r[2] for r in self.rows),
                          sum(r[3] for r in self.rows)))

    @property
    def off(self):
        _, _, true, booked = self.rows[-1]
        return booked / true - 1

    def markdown(self):
        total = self.rows[-1][2]
        lines = ["| ending | calls | true USD | booked USD | off | of the day |", "|---|---|---|---|---|---|"]
        for name, calls, true, booked in self.rows:
            off = f"{(booked / true - 1) * 100:+.1f} %" if true else "" if not booked else "for nothing"
            share = f"{(booked - true) / total * 100:+.2f} %"
            lines.append(f"| {name} | {calls} | {true:.4f} | {booked:.4f} | {off} | {share} |")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def day(vendor, tmp_path_factory, seed, request):
    count = 5000 if request.config.getoption("--long") else 500
    wait = 3 * slow_factor()
    made = Daemon(vendor, tmp_path_factory.mktemp("day"), timeout=wait,
                  more=f"  stream_idle: {wait}s\n").start()
    found = list(draw(seed, count))
    loop = vendor.loop
    live = [case for case in found if case.ending.world in ("live", "hasty")]
    parts = list(in_order(random.Random(seed), live))
    for part in parts[:2]:
        loop.run(cases.run_live(part, made))
    for name, strike in STRIKES.items():
        struck = [case for case in found if case.ending.world == name]
        for n in range(0, len(struck), 40):
            loop.run(cases.run_struck(struck[n:n + 40], made, lambda strike=strike: strike(made)))
    for part in parts[2:]:
        loop.run(cases.run_live(part, made))
    loop.run(cases.judge(found, made))
    books = loop.run(made.books([case.key for case in found if case.key]))
    yield found, books, Table([case for case in found if case.key], books)
    made.stop()


def test_a_day_is_booked_as_it_was(day):
    _, _, table = day
    if os.environ.get("KM_MONEY_TABLE"):
        pathlib.Path(os.environ["KM_MONEY_TABLE"]).write_text(table.markdown() + "\n")
    print(table.markdown())
    assert abs(table.off) <= MOST_OFF


def test_no_ending_of_a_day_is_free_or_costs_more_than_was_agreed(day):
    found, _, _ = day
    wrong = [f"{'; '.join(case.problems)}\n    {case!r}" for case in found if case.problems]
    assert not wrong, f"{len(wrong)} of {len(found)}:\n" + "\n".join(wrong[:20])


def test_the_sums_of_a_day_are_one(day):
    found, books, table = day
    keys = [case.key for case in found if case.key]
    booked = sum(r["spend"] for key in keys for r in books.rows(key))
    assert abs(booked - sum(books.spend(key) for key in keys)) < 1e-6
    assert abs(booked - sum(books.daily_spend(key) for key in keys)) < 1e-6
    assert all(books.spend(key) <= BUDGET for key in keys)
