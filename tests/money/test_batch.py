# SPDX-License-Identifier: Apache-2.0
"""Batches: charged once, what the vendor's books say of them, whatever happens before they end."""

import json

import pytest

import kinds
from client import call
from kinds import FORM
from world import BATCH, World

ENDINGS = {  # how its vendor behaves, what strikes in between
    "answer": ({}, None),
    "usage-absent": ({"reports": "absent"}, None),  # then the lines of its output count
    "refused": ({"status": 400}, None),
    "overloaded": ({"status": 529}, None),
    "killed-while-it-runs": ({}, World.kill),
    "killed-without-usage": ({"reports": "absent"}, World.kill),
}


@pytest.fixture(scope="module", params=["eventual", "strict"])
def world(request, vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp(f"batch-{request.param}"),
                 more=f"  accounting: {request.param}\n").start()
    yield made
    made.stop()


async def upload(world, plan, key, **more):
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": f"oa-{plan.id}", "max_tokens": 300, "messages": [{"role": "user", "content": "a"}], **more}}
    form = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
                   for name, more, value in (
                       ("purpose", "", "batch"), ("model", "", f"oa-{plan.id}"),
                       ("file", '; filename="in.jsonl"', json.dumps(line))))
    answer = await call(world.port, "POST", "/v1/files", (form + "--b--\r\n").encode(), key,
                        {"content-type": FORM})
    assert answer.status == 200, answer
    return answer.json()["id"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_batch_is_charged_once_and_as_it_was(world, ending):
    how, strike = ENDINGS[ending]
    plan = world.vendor.plan(words=50, prompt=20, **how)
    loop = world.loop

    async def begin():
        key = await world.key()
        file = await upload(world, plan, key)
        return key, await call(world.port, "POST", "/v1/batches", {
            "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}, key)

    async def look(key, id):
        answer = await call(world.port, "GET", f"/v1/batches/{id}", key=key)
        assert answer.status == 200, answer
        return answer.json()
    key, made = loop.run(begin())
    refused = how.get("status", 200) != 200
    assert (made.status == 200) is not refused, made
    if not refused:
        id = made.json()["id"]
        assert loop.run(look(key, id))["status"] == "in_progress"
        if strike:
            loop.run(world.rows())  # hands over what waits to be written
            strike(world)
        loop.run(_go(plan))
        for _ in range(3):
            assert loop.run(look(key, id))["status"] == "completed"
    books = loop.run(world.settled([key], lambda key: 1))
    rows = [r for r in books.rows(key) if r["spend"]]
    true = 0 if refused else kinds.by_tokens(20, 50) * BATCH
    assert len(rows) == (not refused), rows
    assert abs(sum(r["spend"] for r in rows) - true) < 1e-9, rows
    assert abs(books.spend(key) - true) < 1e-9 and abs(books.daily_spend(key) - true) < 1e-9
    assert loop.run(world.left(key)) >= 100 - true - 0.01


async def _go(plan):
    plan.go()


def test_a_dear_container_in_a_batch_is_refused_by_name(world):
    """How much memory a line had is not known when it is charged: it would cost a sixty-fourth."""
    async def ask(memory):
        plan, key = world.vendor.plan(words=5, prompt=5), await world.key()
        file = await upload(world, plan, key, tools=[{
            "type": "code_interpreter", "container": {"type": "auto", "memory_limit": memory}}])
        return plan, await call(world.port, "POST", "/v1/batches", {
            "input_file_id": file, "endpoint": "/v1/responses", "completion_window": "24h"}, key)
    plan, answer = world.loop.run(ask("64g"))
    assert answer.status == 400 and b"memory_limit" in answer.body and not plan.entries, answer
