# SPDX-License-Identifier: Apache-2.0
"""A bound is not a reservation: streams reserve a slice at a time and are ended as if they had come to
their bound when there is no more, other calls are bounded only by what is left, and every further
attempt is paid for before it is made."""

import asyncio
import json

import pytest

from client import call, send
from gateway import slow_factor
from world import OUTPUT, Daemon, World

CHAT = "/v1/chat/completions"
SLICE = 2048
PAIR = """
  - model_name: brief-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      input_cost_per_token: 0.000002, output_cost_per_token: 0.0001}}
    model_info: {{max_output_tokens: 100}}
  - model_name: pair-*
    litellm_params: &pair {{model: openai/a-*, api_base: "{url}/v1", api_key: sk-vendor, order: 1,
      input_cost_per_token: 0.00001, output_cost_per_token: 0.0001, timeout: {timeout}}}
  - model_name: pair-*
    litellm_params: {{<<: *pair, model: openai/b-*, order: 2}}
"""


def begin(vendor, folder, more=""):
    """`more`: lines of kanmon_settings."""
    made = World(vendor, folder, models=PAIR.format(url=vendor.url, timeout=slow_factor()))
    text = made.gateway.config.read_text().replace("num_retries: 0", "num_retries: 1")
    made.gateway.config.write_text(text.replace("kanmon_settings:\n", "kanmon_settings:\n" + more))
    made.start()
    return made


@pytest.fixture(scope="module")
def world(vendor, tmp_path_factory):
    made = begin(vendor, tmp_path_factory.mktemp("slices"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def unkept(vendor, tmp_path_factory):
    """Each attempt has a connection of its own: none is one that was idle, and dead."""
    made = begin(vendor, tmp_path_factory.mktemp("unkept"), "  upstream: {max_idle: 0}\n")
    yield made
    made.stop()


def said(text="hello"):
    return [{"role": "user", "content": text}]


def post(world, path, body, key, **more):
    return world.loop.run(call(world.port, "POST", path, body, key, **more))


def rows_of(world, key, count=1):
    return world.loop.run(world.settled([key], lambda key: count)).rows(key)


def ask(path, model, plan):
    name = f"{model}-{plan.id}"
    if "responses" in path:
        return path, {"model": name, "input": "hello", "stream": True}
    if "converse" in path:
        return path.format(name), {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    if "models/" in path:
        return path.format(name), {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    return path, {"model": name, "messages": said(), "stream": True}


INCOMPLETE = '"incomplete_details":{"reason":"max_output_tokens"}'
GOOGLE = "/v1beta/models/{}:streamGenerateContent?alt=sse"
# Where it is asked, what answers, how its caller hears that it came to its bound.
CUT = [(CHAT, "oa", '"finish_reason":"length"'), (CHAT, "an", '"finish_reason":"length"'),
       (CHAT, "ge", '"finish_reason":"length"'), (CHAT, "be", '"finish_reason":"length"'),
       ("/v1/responses", "oa", INCOMPLETE), ("/v1/responses", "an", INCOMPLETE),
       (GOOGLE, "ge", '"MAX_TOKENS"'), (GOOGLE, "oa", '"MAX_TOKENS"'),
       ("/openai/v1/chat/completions", "oa", '"finish_reason":"length"'),
       ("/bedrock/model/{}/converse-stream", "be", '"stopReason":"max_tokens"')]


@pytest.mark.parametrize("path,model,word", CUT, ids=lambda v: str(v)[:24])
def test_a_stream_that_is_not_paid_for_ends_as_one_at_its_bound(world, path, model, word):
    budget = 2500 * OUTPUT
    # It never comes to its end by itself, however slowly it is read.
    plan = world.vendor.plan(words=9000, prompt=5, rate=40000, ends="hang", at=0.9)
    key = world.loop.run(world.key(max_budget=budget))
    path, body = ask(path, model, plan)
    answer = post(world, path, body, key)
    assert answer.status == 200 and answer.whole, answer
    entry, = plan.entries
    assert not any(name in entry.body for name in (b"max_tokens", b"max_output", b"maxOutput",
                                                   b"max_completion")) or model in ("an", "be"), entry.body
    assert word in answer.body.decode("latin-1").replace('": ', '":'), answer.body[-600:]
    row, = rows_of(world, key)
    assert row["budget_cut"] is True, row
    assert 0.95 * budget <= row["spend"] <= budget, row  # what is less than a slice is written, too
    world.loop.run(entry.over.wait())
    assert entry.outcome == "gone", entry


ASKED = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9000, "messages": said()}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "hello"}]}], "inferenceConfig": {"maxTokens": 9000}}
# Bodies that are no API of ours, and where they have their bound.
NATIVE = [("/bedrock/model/{}/invoke", "bc", ASKED, lambda body: body["max_tokens"]),
          ("/bedrock/model/{}/converse", "be", CONVERSE, lambda body: body["inferenceConfig"]["maxTokens"]),
          ("/bedrock/model/{}/converse", "be", {"messages": CONVERSE["messages"]},
           lambda body: body["inferenceConfig"]["maxTokens"])]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path,model,body,bound", NATIVE, ids=["invoke", "converse", "converse-unbound"])
def test_a_bound_of_a_vendors_own_is_lowered_to_what_is_left(world, path, model, body, bound, stream):
    plan = world.vendor.plan(words=50, prompt=5)
    key = world.loop.run(world.key(max_budget=400 * OUTPUT))
    more = "" if not stream else "-with-response-stream" if "invoke" in path else "-stream"
    answer = post(world, path.format(f"{model}-{plan.id}") + more, body, key)
    assert answer.status == 200 and answer.whole, answer
    entry, = plan.entries
    sent = json.loads(entry.body)
    assert 300 < bound(sent) < 400 and answer.headers["x-kanmon-max-tokens"] == str(bound(sent)), answer
    assert {**sent, "max_tokens": 0, "inferenceConfig": 0} == {**body, "max_tokens": 0, "inferenceConfig": 0}
    rich = world.loop.run(world.key(max_budget=100))  # where it is covered the bytes are the caller's
    post(world, path.format(f"{model}-{plan.id}") + more, body, rich)
    assert plan.entries[1].body == json.dumps(body).encode()


def test_a_stream_that_is_longer_than_its_model_is_known_to_write_is_paid_for(world):
    """What a table has as its maximum may be old, and whoever leaves before the report pays by
    estimate, which is never above what was reserved."""
    plan = world.vendor.plan(words=9000, prompt=5, ends="hang", at=0.3)

    async def leave():
        key = await world.key(max_budget=1)
        link = await send(world.port, "POST", CHAT, ask(CHAT, "brief", plan)[1], key)
        reading = asyncio.ensure_future(link.read())
        await plan.reached.wait()
        while link.answer.body.count(b"data: ") < 2000:
            await asyncio.sleep(0.01)  # between two looks
        link.leave()
        await reading
        return key
    key = world.loop.run(leave())
    row, = rows_of(world, key)
    assert row["spend"] >= 2000 * OUTPUT, row


def test_streams_at_once_need_a_slice_each_and_no_more(world):
    """Today's longest answer each would be a hundred times what they have."""
    count = 8
    plans = [world.vendor.plan(words=50, prompt=5, ends="hang", at=0.5) for _ in range(count)]

    async def all_at_once():
        key = await world.key(max_budget=count * (SLICE * OUTPUT + 0.01))
        calls = [asyncio.ensure_future(call(world.port, "POST", CHAT, ask(CHAT, "oa", plan)[1], key))
                 for plan in plans]
        all_there = asyncio.gather(*(plan.reached.wait() for plan in plans))
        await asyncio.wait([all_there, *calls], return_when=asyncio.FIRST_COMPLETED)
        all_there.cancel()  # one of the calls was refused, if it is not done
        await asyncio.gather(all_there, return_exceptions=True)
        for plan in plans:
            plan.go()
        return key, await asyncio.gather(*calls)
    key, answers = world.loop.run(all_at_once())
    assert [a.status for a in answers] == [200] * count, answers
    assert abs(sum(r["spend"] for r in rows_of(world, key, count))
               - count * (50 * OUTPUT + 5 * 0.000002)) < 1e-9


def test_streams_of_one_key_never_pass_its_budget_together(world):
    budget, count = 9000 * OUTPUT, 6
    plans = [world.vendor.plan(words=4000, prompt=5, rate=20000) for _ in range(count)]

    async def all_at_once():
        key = await world.key(max_budget=budget)
        answers = await asyncio.gather(*(
            call(world.port, "POST", CHAT, ask(CHAT, "oa", plan)[1], key) for plan in plans))
        return key, answers
    key, answers = world.loop.run(all_at_once())
    passed = [a for a in answers if a.status == 200]
    assert passed and {a.status for a in answers} <= {200, 429}
    rows = rows_of(world, key, len(passed))
    assert sum(r["spend"] for r in rows) <= budget + 1e-9, rows


def test_a_callers_own_bound_is_lowered_to_what_is_left_and_said(world):
    plan = world.vendor.plan(words=10, prompt=5)
    key = world.loop.run(world.key(max_budget=1000 * OUTPUT))
    answer = post(world, CHAT, {"model": f"oa-{plan.id}", "max_tokens": 5000, "messages": said()}, key)
    assert answer.status == 200, answer
    bound = plan.entries[0].json()["max_tokens"]
    assert 500 < bound < 1000 and answer.headers["x-kanmon-max-tokens"] == str(bound)


@pytest.mark.parametrize("error", [
    "max_tokens is too large: 90000. This model supports at most 4096 completion tokens, whereas you "
    "provided 90000.",
    "max_tokens: 90000 > 4096, which is the maximum allowed number of output tokens for m"])
def test_a_maximum_that_the_vendor_names_is_learnt(world, error):
    """What is left was sent as the bound, and is more than the model writes."""
    then = world.vendor.plan(words=10, prompt=5)
    plan = world.vendor.plan(status=400, error=error, next=then)
    key = world.loop.run(world.key(max_budget=90000 * OUTPUT))
    model = "an" if "allowed" in error else "oa"
    answer = post(world, CHAT, {"model": f"{model}-{plan.id}", "messages": said()}, key)
    if plan.entries[0].json().get("max_tokens", 0) <= 4096 and model == "an":
        pytest.skip("its maximum is known already")
    assert answer.status == 200, answer
    sent = then.entries[0].json()
    assert sent.get("max_completion_tokens", sent.get("max_tokens")) == 4096
    row, = rows_of(world, key)
    assert abs(row["spend"] - (10 * OUTPUT + 5 * 0.000002)) < 1e-9, row


@pytest.fixture(scope="module")
def daemon(vendor, tmp_path_factory):
    made = Daemon(vendor, tmp_path_factory.mktemp("handed")).start()
    yield made
    made.stop()


def test_streams_wait_for_a_process_that_holds_their_money(daemon):
    """While another takes over nobody says for a while whether there is more."""
    budget, count, words = 6000 * OUTPUT, 3, 6000
    plans = [daemon.vendor.plan(words=words, prompt=5, rate=3000) for _ in range(count)]

    async def all_at_once():
        key = await daemon.key(max_budget=budget)
        calls = [asyncio.ensure_future(call(daemon.port, "POST", CHAT, ask(CHAT, "oa", plan)[1], key))
                 for plan in plans]
        while not all(plan.entries and plan.entries[0].written > 100 for plan in plans):
            await asyncio.sleep(0.01)  # between two looks
        await asyncio.get_running_loop().run_in_executor(None, daemon.restart)
        return key, await asyncio.gather(*calls)
    key, answers = daemon.loop.run(all_at_once())
    assert [a.status for a in answers] == [200] * count, answers
    rows = rows_of(daemon, key, count)
    assert 0.9 * budget <= sum(r["spend"] for r in rows) <= budget + 1e-9, rows


# --- attempts ---

def pair(world, first, words=20):
    then = world.vendor.plan(words=words, prompt=100)
    return world.vendor.plan(words=words, prompt=100, next=then, **first), then


@pytest.mark.parametrize("first,owed", [
    ({"status": 429}, False), ({"status": 503}, False), ({"status": 500}, True),
    ({"status": 502}, True), ({"ends": "cut", "at": -1}, True), ({"ends": "hang", "at": -1}, True)],
    ids=["429", "503", "500", "502", "lost", "late"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_each_attempt_that_was_sent_is_paid_for(unkept, first, owed, stream):
    plan, then = pair(unkept, first)
    key = unkept.loop.run(unkept.key())
    answer = post(unkept, CHAT, {"model": f"pair-{plan.id}", "max_tokens": 50, "stream": stream,
                                 "messages": said("one two three four five " * 20)}, key)
    assert answer.status == 200 and then.entries, answer
    row, = rows_of(unkept, key)
    second = 100 * 0.00001 + 20 * 0.0001
    if not owed:
        assert abs(row["spend"] - second) < 1e-9 and not row["estimated"], row
    else:
        assert second + 0.0004 < row["spend"] <= 2 * (0.0001 * 50 + 0.00001 * 1000), row
        assert row["estimated"] is True
    attempts = row["attempts"]
    attempts = json.loads(attempts) if isinstance(attempts, str) else attempts
    assert len(attempts) == 2, row


def test_what_a_further_attempt_would_cost_must_be_there(world):
    """The first may have cost what the next one needs; nobody is asked again."""
    plan, then = pair(world, {"ends": "hang", "at": -1}, words=600)
    budget = 0.0675  # a bound's 0.06, what goes in, and not the half of what the first may cost
    key = world.loop.run(world.key(max_budget=budget))
    answer = post(world, CHAT, {"model": f"pair-{plan.id}", "max_tokens": 600,
                                 "messages": said("one two three four five " * 20)}, key)
    assert plan.entries and not then.entries, answer
    assert answer.status >= 400
    assert 0 < rows_of(world, key)[0]["spend"] <= budget


def test_as_litellm_nothing_is_reserved_or_bounded(vendor, tmp_path):
    world = World(vendor, tmp_path, more="  budget_mode: litellm\n").start()
    try:
        for stream in (False, True):
            plan = vendor.plan(words=10, prompt=5)
            key = world.loop.run(world.key(max_budget=0.0001))
            answer = post(world, CHAT, {"model": f"oa-{plan.id}", "messages": said(), "stream": stream}, key)
            assert answer.status == 200, answer
            assert not any(name.startswith("max_") for name in plan.entries[0].json())
            assert rows_of(world, key)[0]["spend"] > 0.0001
            refused = post(world, CHAT, {"model": f"oa-{plan.id}", "messages": said()}, key)
            assert refused.status == 429, refused
    finally:
        world.stop()
