# SPDX-License-Identifier: Apache-2.0
"""A storm: many callers at once, in the words of three APIs, in front of deployments that fail as a plan
of each call says: attempt by attempt, until one is answered or nobody is left to ask.

    storm = Storm(world, seed, callers=24)
    await storm.run(400)            so many calls to their ends
    storm.wrong()                   what was not as it must be, a text each

What must be: an answer is one that the vendor gave, whole and in the caller's own words, or an error in
them that something explains; and the row of a call has what all its attempts cost (rules of rules.py).
"""

import asyncio
import json
import random

from client import call, send
from dialects import text_of
from gateway import patient
from world import INPUT, OUTPUT

NEAR = 1e-9
BOUND = 300
STATUSES = (400, 408, 429, 500, 502, 503, 504, 529)
ERRORS = {400, 401, 403, 404, 408, 413, 422, 429, 499, 500, 502, 503, 504, 529}
# What is refused without any attempt: a budget, a limit, all deployments left alone.
UNASKED = {400, 429, 503}


def fail(rng):
    """How an attempt goes wrong, as a plan of it says."""
    kind = rng.choice(["status"] * 6 + ["cut", "reset", "head", "head", "event"])
    if kind == "status":
        return {"status": rng.choice(STATUSES)}
    if kind == "head":
        return {"ends": rng.choice(["cut", "reset"]), "at": -1}
    if kind == "event":
        return {"first_error": "529"}
    return {"ends": kind, "at": rng.random()}


def chat(ask):
    return "/v1/chat/completions", {"max_tokens": BOUND, "user": ask.plan.id}


def messages(ask):
    return "/v1/messages", {"max_tokens": BOUND, "metadata": {"user_id": ask.plan.id}}


def responses(ask):
    return "/v1/responses", {"max_output_tokens": BOUND, "user": ask.plan.id}


def events(body):
    """The data of each; `[DONE]` stays text."""
    for block in body.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                yield line[6:] if line[6:] == "[DONE]" else json.loads(line[6:])


def read_chat(body, stream):
    """(the text, is it whole, the error)"""
    if not stream:
        answer = json.loads(body)
        return answer["choices"][0]["message"]["content"], True, None
    text, done, error = "", False, None
    for event in events(body):
        if event == "[DONE]":
            done = True
        elif "error" in event:
            error = event["error"]
        else:
            text += "".join(c["delta"].get("content") or "" for c in event["choices"])
    return text, done, error


def read_messages(body, stream):
    if not stream:
        return "".join(b["text"] for b in json.loads(body)["content"]), True, None
    text, done, error = "", False, None
    for event in events(body):
        if event["type"] == "content_block_delta":
            text += event["delta"].get("text", "")
        done = done or event["type"] == "message_stop"
        error = event.get("error") or error
    return text, done, error


def read_responses(body, stream):
    if not stream:
        output = json.loads(body)["output"]
        return "".join(c["text"] for o in output for c in o.get("content", [])), True, None
    text, done, error = "", False, None
    for event in events(body):
        if event == "[DONE]":
            continue
        kind = event.get("type")
        if kind == "response.output_text.delta":
            text += event["delta"]
        done = done or kind == "response.completed"
        if kind in (None, "error", "response.failed"):  # without a type: what SDKs raise at
            error = event.get("error") or event.get("response", {}).get("error") or event
    return text, done, error


APIS = {"chat": (chat, read_chat), "messages": (messages, read_messages),
        "responses": (responses, read_responses)}


class Ask:
    """One call: how it is asked, and how each of its attempts goes."""

    def __init__(self, storm, rng):
        self.storm, self.key = storm, rng.choice(storm.keys)
        self.api, self.stream = rng.choice(list(APIS)), rng.random() < 0.5
        self.model = rng.choice(storm.models)
        self.words, self.prompt = rng.randrange(5, 120), rng.randrange(10, 120)
        self.leaves = rng.random() < 0.05
        failures = [fail(rng) for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3, 6]))]
        if self.leaves:
            failures += [{"ends": "hang", "at": rng.choice([-1, rng.random()])}]
        self.plan = self.last = storm.world.vendor.plan(words=self.words, prompt=self.prompt,
                                                        obeys=True, **(failures or [{}])[0])
        for how in [*failures[1:], *([{}] if failures and not self.leaves else [])]:
            self.last.next = storm.world.vendor.plan(words=self.words, prompt=self.prompt,
                                                       obeys=True, **how)
            self.last = self.last.next
        self.answer, self.torn = None, False

    @property
    def plans(self):
        plan = self.plan
        while plan:
            yield plan
            plan = plan.next

    @property
    def entries(self):
        return [entry for plan in self.plans for entry in plan.entries]

    def body(self):
        path, more = APIS[self.api][0](self)
        text = self.plan.id + "".join(text_of(self.prompt))
        if self.api == "responses":
            return path, {"model": self.model, "input": text, "stream": self.stream, **more}
        return path, {"model": self.model, "stream": self.stream, **more,
                      "messages": [{"role": "user", "content": text}]}

    async def run(self):
        path, body = self.body()
        try:
            link = await send(self.storm.world.port, "POST", path, body, self.key)
        except OSError:  # a gateway that is being struck
            self.torn = True
            await self.storm.up.wait()
            return
        reading = asyncio.ensure_future(link.read())
        if self.leaves:
            reached = asyncio.ensure_future(self.last.reached.wait())
            await asyncio.wait([reached, reading], timeout=patient(30),
                               return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            link.leave()
        self.answer = await asyncio.wait_for(reading, patient(60))
        self.torn = not self.answer.whole
        if self.torn:
            await self.storm.up.wait()

    # --- what must be ---

    @property
    def ended_here(self):
        """A stream whose key had no money for more of it."""
        return bool(self.answer and self.answer.status == 200 and self.stream
                    and b"udget" in self.answer.body)

    def wrong(self, rows, killed):
        if not (self.torn and (self.leaves or killed)):
            yield from self.wrong_answer()
        yield from self.wrong_row(rows, killed and self.torn)

    def wrong_answer(self):
        a = self.answer
        if a is None or not a.whole:
            yield "the answer is torn"
        elif a.status != 200:
            yield from self.wrong_error(a)
        else:
            yield from self.wrong_text(a)

    def wrong_error(self, a):
        error = a.json().get("error")
        if a.status not in ERRORS or not isinstance(error, dict) or not error.get("message"):
            yield f"no error of this API: {a}"
        if not self.entries and a.status not in UNASKED:
            yield f"nobody was asked, and yet {a.status}"
        if any(entry.outcome == "whole" for entry in self.entries):
            yield "an attempt was answered, its client has an error"

    def wrong_text(self, a):
        text, done, error = APIS[self.api][1](a.body, self.stream)
        good = [entry for entry in self.entries if entry.outcome == "whole"]
        true = "".join(text_of(good[-1].words if good else self.words))
        if error is None and not (done and text == true and good):
            yield f"it ends as a whole answer does, with {len(text)} of {len(true)} bytes"
        if error is not None and (done or not true.startswith(text)):
            yield "a broken stream with a good end, or with words that nobody said"
        if error is not None and not error.get("message"):
            yield "an error without a text"

    def wrong_row(self, rows, killed):
        exact, most, open_ends, said = 0.0, 0.0, 0, True
        for entry in self.entries:
            if entry.refused and not killed:
                continue
            if entry.outcome == "whole" and not killed and not self.ended_here:
                exact += INPUT * entry.prompt + OUTPUT * entry.written
            else:
                open_ends += 1
                said = said and entry.known  # broken behind its report: it may have been heard
                most += INPUT * (len(entry.body) * 1.25 + 256) + OUTPUT * BOUND
        spend = sum(row["spend"] for row in rows)
        if len(rows) > 1 or (self.entries and not rows):
            yield f"{len(rows)} rows"
        if killed:  # what a kill met is charged by what was written of it, if it was sent or not
            if spend > exact + most + NEAR and self.entries:
                yield f"{spend:.9f} is booked, {exact + most:.9f} is the most it can be"
            return
        if not open_ends and abs(spend - exact) > NEAR:
            yield f"{exact:.9f} is what its attempts cost, {spend:.9f} is booked"
        if open_ends and not exact - NEAR <= spend <= exact + most + NEAR:
            yield f"{spend:.9f} is booked, {exact:.9f} to {exact + most:.9f} it can be"
        if open_ends and not said and spend > exact + NEAR and not rows[0]["estimated"]:
            yield "an estimate that is not marked as one"

    def __repr__(self):
        tail = self.answer.body[-120:] if self.answer else None
        return (f"<{self.plan.id} {self.api} {self.model} stream {self.stream} leaves {self.leaves} "
                f"torn {self.torn} status {self.answer and self.answer.status} ends {tail} "
                f"attempts {self.entries}>")


def brief(rows):
    return [{name: row[name] for name in ("spend", "prompt_tokens", "completion_tokens", "http_status",
                                          "attempts", "estimated", "incomplete")} for row in rows or []]


class Storm:
    def __init__(self, world, seed, callers, models, keys):
        self.world, self.rng, self.callers = world, random.Random(f"storm {seed}"), callers
        self.models, self.keys, self.asks, self.strikes = models, keys, [], 0
        self.up = asyncio.Event()
        self.up.set()

    async def run(self, count, strike_each=0, strike=None, tears=False):
        """strike: called in a thread after each so many calls have ended; tears: calls, too."""
        self.tears = tears
        left, ended = iter(range(count)), 0
        event = asyncio.Event()

        async def caller():
            nonlocal ended
            for _ in left:
                ask = Ask(self, self.rng)
                self.asks.append(ask)
                await ask.run()
                ended += 1
                if strike_each and ended % strike_each == 0:
                    event.set()

        async def striker():
            while True:
                await event.wait()
                event.clear()
                self.strikes += 1
                self.up.clear()
                await asyncio.get_running_loop().run_in_executor(None, strike)
                self.up.set()

        striking = asyncio.ensure_future(striker())
        await asyncio.gather(*(caller() for _ in range(self.callers)))
        await self.up.wait()
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)
        while any(entry.outcome == "open" for ask in self.asks for entry in ask.entries):
            await asyncio.sleep(0.02)  # between two looks, until the vendor noticed too

    async def rows(self):
        """By plan, once all are there."""
        for _ in range(100):
            found = {}
            for row in await self.world.rows():
                found.setdefault(row["end_user"], []).append(row)
            if all(ask.plan.id in found for ask in self.asks if ask.entries):
                break
            await asyncio.sleep(0.05)  # between two looks
        return found

    async def wrong(self):
        rows = await self.rows()
        return [f"{problem}\n    {ask!r}\n    {brief(rows.get(ask.plan.id))}" for ask in self.asks
                for problem in ask.wrong(rows.get(ask.plan.id, []), self.tears)]

    async def wrong_keys(self, budgets):
        """The rows of a key, its spend and the sums by day are one; none is above its budget; nothing
        of it is held by a call that has ended."""
        books, found = await self.world.books(self.keys), []
        for key, budget in zip(self.keys, budgets):
            total, spend = sum(r["spend"] for r in books.rows(key)), books.spend(key)
            if abs(total - spend) > NEAR or abs(total - books.daily_spend(key)) > NEAR:
                found.append(f"rows {total:.9f}, spend {spend:.9f}, {books.daily_spend(key):.9f}")
            if budget is not None and spend > budget + NEAR:
                found.append(f"a budget of {budget}, {spend:.9f} is spent")
        return found

    async def wrong_permits(self):
        """Each key still has the places and the money that its calls had."""
        found = []
        for key in self.keys:
            plan = self.world.vendor.plan(words=5, prompt=5)
            answer = await call(self.world.port, "POST", "/v1/chat/completions", {
                "model": "calm", "max_tokens": 5, "user": plan.id,
                "messages": [{"role": "user", "content": plan.id}]}, key)
            if answer.status != 200 and "budget" not in str(answer).lower():
                found.append(f"a key does not go on: {answer}")
        return found
