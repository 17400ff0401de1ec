# SPDX-License-Identifier: Apache-2.0
"""A case is a kind of call, whole or as a stream, and the way it ends; many run at once, each with a
key of its own, and then the books are compared with the vendor's (rules.py)."""

import asyncio
import json
import random

import pytest

from client import manage
from gateway import patient

from endings import BY_NAME, ENDINGS
from kinds import KINDS
from world import UNBOUNDED

AT_ONCE = 48
FEW = 6  # tokens of an answer that is ended at each of its bytes


class Case:
    def __init__(self, kind, stream, ending, seed, at=None):
        self.kind, self.stream, self.ending = kind, stream, ending
        self.rng = random.Random(f"{seed} {self.id}")
        self.at, self.rate, self.words, self.prompt = at, None, None, None
        self.works_on = False  # its vendor, while it is silent
        self.bound = self.rng.choice([None, 300]) if ending.bound == "drawn" else ending.bound
        if not kind.bounds:
            self.bound = None
        self.world = self.plan = self.key = self.answer = self.inner = None
        self.body = b""
        self.problems = None

    @property
    def id(self):
        return f"{self.kind.name}-{'stream' if self.stream else 'whole'}-{self.ending.name}"

    def prepare(self, world):
        self.world = world
        how = dict(self.ending.plan)
        if self.at is not None:
            how["at"] = self.at
        elif self.ending.place == "any":
            how["at"] = self.rng.random()
        self.plan = world.vendor.plan(words=self.words or self.kind.draw(self.rng),
                                      prompt=self.prompt or self.rng.randrange(20, 200),
                                      rate=self.rate, **how)
        if self.kind.dialect == "mcp" and self.stream:
            world.vendor.streamed_tools.add(self.plan.id)
        self.path, body, self.headers = self.kind.ask(self)
        if self.works_on:  # of an image no part is made; all else is as long as its bound allows
            image = self.kind.dialect == "images"
            self.plan.works_on = 1 if image else self.bound or UNBOUNDED
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def entries(self):
        more = self.inner.entries if self.inner else []
        return [*self.plan.entries, *more]

    async def begin(self):
        self.key = await self.world.key()
        self.link = await self.kind.send(self)
        self.reading = asyncio.ensure_future(self.link.read())

    async def silent(self):
        """Until the vendor has all of it and is silent, or there will be no more."""
        reached = asyncio.ensure_future(self.plan.reached.wait())
        await asyncio.wait([reached, self.reading], timeout=patient(30),
                           return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()

    async def finish(self):
        client = self.ending.client
        if client == "leaves":
            await self.silent()
            self.link.leave()
        elif client == "blocked":
            await self.silent()
            await manage(self.world.port, "POST", "/key/block", {"key": self.key})
        self.answer = await asyncio.wait_for(self.reading, patient(30))

    async def run(self):
        await self.begin()
        await self.finish()

    def verdict(self):
        """Fails with what is wrong, and what was going on."""
        if self.problems is None or self.problems:
            pytest.fail("; ".join(self.problems or ["it was not run"]) + f"\n    {self!r}", pytrace=False)

    def __repr__(self):
        place = f" at {self.plan.at}" if self.ending.place or self.at is not None else ""
        return (f"{self.id}{place}, bound {self.bound}, {self.plan.prompt} in, {self.plan.words} out; "
                f"client {self.answer}; vendor {self.entries()}")


def all_cases(seed, world=None):
    """Every combination there is."""
    return [Case(kind, stream, ending, seed)
            for kind in KINDS for stream in kind.streams for ending in ENDINGS
            if (world is None or ending.world == world)
            and (ending.only is None or ending.only(kind, stream))]


def of_session(request, name):
    """The cases that this session is to run: all, or those of a second try."""
    parameters = [getattr(getattr(item, "callspec", None), "params", {})
                  for item in request.session.items]
    return [params[name] for params in parameters if name in params]


def at_each_byte(world, kind, stream, ending, seed, most=None):
    """The same short call, ended at each byte of its answer, or at so many that are drawn."""
    whole = Case(kind, stream, BY_NAME["answer"], seed)
    whole.words = FEW
    world.loop.run(run_live([whole], world))
    size = whole.plan.entries[-1].size
    places = range(size)
    if most and size > most:
        places = sorted(random.Random(f"{seed} {whole.id}").sample(places, most))
    found = [Case(kind, stream, ending, seed, at) for at in places]
    for case in found:
        case.words = FEW
    return found


async def run_live(cases, world):
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(case):
        async with gate:
            case.prepare(world)
            try:
                await case.run()
            except (OSError, asyncio.TimeoutError, AssertionError) as error:
                case.problems = [f"it did not end: {error!r}"]
    await asyncio.gather(*(one(case) for case in cases))


async def run_struck(cases, world, strike):
    """All of them under way and silent, then the gateway is struck."""
    for case in cases:
        case.prepare(world)
    await asyncio.gather(*(case.begin() for case in cases))
    await asyncio.gather(*(case.silent() for case in cases))
    await world.rows()  # hands over what waits to be written
    await asyncio.get_running_loop().run_in_executor(None, strike)
    for case in cases:
        case.plan.go()
    await asyncio.gather(*(case.finish() for case in cases))


async def judge(cases, world):
    """Writes what is wrong into each case."""
    import rules
    keys = [case.key for case in cases if case.key]
    rows = {case.key: rules.expected_rows(case) for case in cases if case.key}
    books = await world.settled(keys, lambda key: rows[key])
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(case):
        if case.problems is None:
            async with gate:
                if case.ending.client == "blocked":
                    await manage(world.port, "POST", "/key/unblock", {"key": case.key})
                case.problems = rules.check(case, books, await world.left(case.key))
    await asyncio.gather(*(one(case) for case in cases))

