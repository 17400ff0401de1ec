# SPDX-License-Identifier: Apache-2.0
"""kill -9 under load: how many calls the books have, and how far they are from the vendor's.

strict      no call that the vendor got is missing; what is charged is within 1 % of what it bills
eventual    at most the calls of one commit interval; within 5 %
both        never above what was reserved, and no key is dead of it

tests/e2e/test_crash.py looks at single rows; this at the sums.
"""

import asyncio
import random

import pytest

from client import call, send
from gateway import patient, slow_factor
from vendor import RATE
from world import World, hash_of

COMMIT_S = 0.020
IN, OUT = 0.000001, 0.000004  # USD a token of the models cents and centsan
MOST = {"strict": 0.01, "eventual": 0.05}
KINDS = [("cents", "/v1/chat/completions"), ("centsan", "/v1/messages")]


class Load:
    """Callers that go on until the gateway dies."""

    def __init__(self, world, seed, callers, bound=300):
        self.world, self.rng, self.bound = world, random.Random(seed), bound
        self.callers, self.plans, self.ended, self.keys = callers, [], 0, []
        self.over = False

    async def begin(self):
        self.keys = [await self.world.key(max_budget=5) for _ in range(self.callers)]
        self.tasks = [asyncio.ensure_future(self.caller(n)) for n in range(self.callers)]

    async def caller(self, n):
        while not self.over:
            model, path = KINDS[self.rng.randrange(2)]
            plan = self.world.vendor.plan(words=self.rng.randrange(20, 250),
                                          prompt=self.rng.randrange(100, 400),
                                          rate=RATE * 4 if self.rng.random() < 0.1 else None)
            plan.key = self.keys[n]
            self.plans.append(plan)
            body = {"model": f"{model}-{plan.id}", "max_tokens": self.bound,
                    "stream": self.rng.random() < 0.7 or plan.rate is not None,
                    "messages": [{"role": "user", "content": " ".join(["word"] * plan.prompt)}]}
            try:
                link = await send(self.world.port, "POST", path, body, self.keys[n])
                answer = await asyncio.wait_for(link.read(), patient(60))
            except OSError:
                return
            if not answer.whole:
                return
            self.ended += 1

    async def until(self, count):
        goal = self.ended + count
        while self.ended < goal and not all(task.done() for task in self.tasks):
            await asyncio.sleep(0.02)  # between two looks

    async def join(self):
        self.over = True
        await asyncio.gather(*self.tasks)
        while any(e.outcome == "open" for plan in self.plans for e in plan.entries):
            await asyncio.sleep(0.02)  # between two looks, until the vendor noticed too


def true_cost(plan):
    return sum(IN * e.billed[0] + OUT * e.billed[1] for e in plan.entries)


def reserved(plan, bound):
    """At most: each byte a token, a quarter more, 256, and the bound."""
    size = max((len(e.body) for e in plan.entries), default=0)
    return IN * (size * 1.25 + 256) + OUT * bound


async def kill_often(world, seed, kills, each):
    loads = []
    for n in range(kills):
        load = Load(world, f"{seed}-{n}", callers=12)
        await load.begin()
        await load.until(each)
        loads.append(load)
        load.killed_at = asyncio.get_running_loop().time()
        await asyncio.get_running_loop().run_in_executor(None, world.kill)
        await load.join()
    return loads


@pytest.mark.parametrize("accounting", ["strict", "eventual"])
def test_the_books_after_kills_are_the_vendors(vendor, tmp_path, seed, accounting, long):
    world = World(vendor, tmp_path, more=f"  accounting: {accounting}\n").start()
    try:
        loads = vendor.loop.run(kill_often(world, seed, 15 if long else 3, 1500 if long else 800))
        rows = vendor.loop.run(world.rows())
        by_plan = {}
        for row in rows:
            name = "-".join(str(row["model_group"]).split("-")[1:])
            assert name not in by_plan, f"twice: {row}"
            by_plan[name] = row
        check_calls(loads, by_plan, accounting, vendor)
        check_totals(loads, by_plan, accounting)
        check_keys(world, vendor, loads, rows)
    finally:
        world.stop()


def check_calls(loads, by_plan, accounting, vendor):
    absent = [plan for load in loads for plan in load.plans if plan.entries and plan.id not in by_plan]
    if accounting == "strict":
        assert not absent, f"{len(absent)} calls that the vendor got are not there: {absent[:3]}"
    late = COMMIT_S + 0.060 * slow_factor()  # the commit itself, on a machine that does other things
    for load in loads:
        ended = [e.ended for plan in load.plans for e in plan.entries if e.ended]
        old = [plan for plan in load.plans if plan in absent
               and max(ended) - plan.entries[0].began > 4 * late]
        assert not old, f"absent, and begun long before the kill: {old[:3]}"
    for load in loads:
        for plan in load.plans:
            row, most = by_plan.get(plan.id), reserved(plan, load.bound)
            if row is None:
                continue
            assert row["spend"] <= most + 1e-9 or not row["estimated"], (
                f"{row['spend']} is above the {most} that was reserved", row, plan.entries)
            if plan.entries and plan.entries[0].outcome == "whole" and not row["incomplete"]:
                assert abs(row["spend"] - true_cost(plan)) < 1e-9, (row, plan.entries)


def check_totals(loads, by_plan, accounting):
    plans = [plan for load in loads for plan in load.plans]
    true = sum(map(true_cost, plans))
    booked = sum(by_plan[plan.id]["spend"] for plan in plans if plan.id in by_plan)
    cut = [plan for plan in plans if plan.entries and plan.id in by_plan
           and by_plan[plan.id]["incomplete"]]
    off = (booked - true) / true
    print(f"{accounting}: {len(plans)} calls, {len(cut)} cut by a kill; true {true:.6f}, booked "
          f"{booked:.6f}, {off * 100:+.2f} %; of those cut: true {sum(map(true_cost, cut)):.6f}, booked "
          f"{sum(by_plan[p.id]['spend'] for p in cut):.6f}")
    assert cut, "no kill met a call"
    assert abs(off) <= MOST[accounting], f"{booked:.6f} is booked, {true:.6f} is true"


def check_keys(world, vendor, loads, rows):
    """Rows and keys are the same; what is held can be seen; each key goes on; a hold can be given up."""
    keys = [key for load in loads for key in load.keys]
    books = vendor.loop.run(world.books(keys))
    for key in keys:
        total = sum(row["spend"] for row in books.rows(key))
        assert abs(total - books.spend(key)) < 1e-9 and abs(total - books.daily_spend(key)) < 1e-9
        assert vendor.loop.run(world.left(key)) > 0, "a key is dead"
    assert books.holds is not None, "nothing says what is held"
    cut = {row["request_id"] for row in rows if row["incomplete"]}
    assert {hold["request_id"] for hold in books.holds} <= cut
    world.command("spend", "release", "--all")
    assert not vendor.loop.run(world.holds())
    incomplete = next(row for row in rows if row["incomplete"])
    world.command("spend", "correct", incomplete["request_id"], "--cost", "0.001", "--reason", "test")
    row, = [r for r in vendor.loop.run(world.rows()) if r["request_id"] == incomplete["request_id"]]
    assert abs(row["spend"] - 0.001) < 1e-9
    key = next(key for key in keys if hash_of(key) == row["api_key"])
    after = vendor.loop.run(world.books([key]))
    assert abs(sum(r["spend"] for r in after.rows(key)) - after.spend(key)) < 1e-9
    assert abs(after.spend(key) - after.daily_spend(key)) < 1e-9


def test_a_hold_ends_with_its_calls_deadline(vendor, tmp_path):
    """Held after a kill, and gone by itself when the call would have been over."""
    world = World(vendor, tmp_path, more="  crash_hold_time: 3s\n").start()
    try:
        async def one():
            key = await world.key()
            plan = vendor.plan(ends="hang", at=-1)
            link = await send(world.port, "POST", "/v1/chat/completions", {
                "model": f"oa-{plan.id}", "max_tokens": 300,
                "messages": [{"role": "user", "content": "hello"}]}, key)
            reading = asyncio.ensure_future(link.read())
            await plan.reached.wait()
            await world.rows()  # hands over what waits to be written
            await asyncio.get_running_loop().run_in_executor(None, world.kill)
            await reading
            held = await world.holds()
            assert held is not None, "nothing says what is held"
            while await world.holds():
                await asyncio.sleep(0.1)  # between two looks
            answer = await call(world.port, "GET", "/kanmon/spend/holds")
            assert answer.json()["holds"] == []
            books = await world.books([key])
            assert await world.left(key) > 100 - books.spend(key) - 0.01
        vendor.loop.run(asyncio.wait_for(one(), patient(60)))
        assert "held" in world.gateway.log.read_text(), "the start does not say what is held"
    finally:
        world.stop()
