# SPDX-License-Identifier: Apache-2.0
"""Ways in which somebody got more than they paid for, or paid for more than they got.

Others have their tests where what they are about is tested: bounds that stand twice in a body
(tests/e2e/test_judged.py), nonsense for usage and what is never sent (tests/e2e/test_money.py), a wall
clock that jumps (tests/e2e/test_clock.py), broken streams and bodies without an end
(test_endings.py, all kinds), kill -9 (test_struck.py, test_load.py).
"""

import asyncio

import pytest

from client import call, send
from gateway import patient, slow_factor
from world import OUTPUT, World, hash_of

CHAT = "/v1/chat/completions"
MORE = """
  - model_name: searches-*
    litellm_params: {{model: anthropic/*, api_base: "{url}", api_key: sk-vendor,
      input_cost_per_token: 0.000001, output_cost_per_token: 0.000004,
      cache_creation_input_token_cost: 0.00000125, cache_creation_input_token_cost_above_1hr: 0.000002,
      cache_read_input_token_cost: 0.0000001,
      search_context_cost_per_query: {{search_context_size_low: 0.01, search_context_size_medium: 0.01,
                                      search_context_size_high: 0.01}}}}
  - model_name: tier-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      input_cost_per_token: 0.000001, output_cost_per_token: 0.000002,
      input_cost_per_token_above_200k_tokens: 0.00001}}
  - model_name: infotier-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor}}
    model_info: {{input_cost_per_token: 0.000001, output_cost_per_token: 0.000002,
      input_cost_per_token_above_200k_tokens: 0.00001, cache_read_input_token_cost: 0.0000001}}
  - model_name: priority-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      input_cost_per_token: 0.000001, output_cost_per_token: 0.000002,
      input_cost_per_token_priority: 0.00001, output_cost_per_token_priority: 0.00002}}
  - model_name: azure
    litellm_params: {{model: azure/my-dep, api_base: "{url}", api_key: k, api_version: 2024-10-21}}
    model_info: {{base_model: gpt-4o}}
  - model_name: drops-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      additional_drop_params: [max_tokens], input_cost_per_token: 0.00001, output_cost_per_token: 0.0001}}
  - model_name: echoes-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      input_cost_per_token: 0.00001, output_cost_per_token: 0.0001}}
  - model_name: unheard-of
    litellm_params: {{model: openai/unheard-of, api_base: "{url}/v1", api_key: k}}
  - model_name: dear-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      input_cost_per_token: 0.001, output_cost_per_token: 0.001}}
  - model_name: wordy-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-vendor,
      input_cost_per_token: 0.00001, output_cost_per_token: 0.001}}
"""


@pytest.fixture(scope="module")
def world(vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("attacks"), models=MORE.format(url=vendor.url)).start()
    yield made
    made.stop()


def said(text="hello"):
    return [{"role": "user", "content": text}]


def post(world, path, body, key, **more):
    return world.loop.run(call(world.port, "POST", path, body, key, **more))


def new_key(world, **settings):
    return world.loop.run(world.key(**settings))


def rows_of(world, key, count=1):
    return world.loop.run(world.settled([key], lambda key: count)).rows(key)


# --- bodies without an end ---

@pytest.mark.parametrize("path", [CHAT, "/openai/v1/chat/completions"])
def test_a_stream_without_an_end_is_cut_and_costs_what_was_agreed(world, path):
    """Past twice the bound and 1,024 tokens by the estimate, and not before the bound."""
    plan = world.vendor.plan(ends="endless", prompt=5)
    key = new_key(world)
    answer = post(world, path, {"model": f"dear-{plan.id}", "max_tokens": 10, "stream": True,
                                "messages": said()}, key)
    events = answer.body.count(b"data: ")
    assert 10 <= events < 4 * (2 * 10 + 1024), events
    row, = rows_of(world, key)
    assert 0 < row["spend"] <= 0.001 * (10 + len(plan.entries[0].body) * 1.25 + 256), row


# --- calls that are broken off ---

async def leave(world, body, key, plan):
    link = await send(world.port, "POST", CHAT, body, key)
    reading = asyncio.ensure_future(link.read())
    reached = asyncio.ensure_future(plan.reached.wait())
    await asyncio.wait([reading, reached], return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    if reading.done():
        return reading.result()
    link.leave()
    return await reading


async def give_up(world, body, key, plan):
    return await call(world.port, "POST", CHAT, {**body, "timeout": 0.3}, key)


async def give_up_by_header(world, body, key, plan):
    return await call(world.port, "POST", CHAT, body, key, {"x-litellm-timeout": "0.3"})


@pytest.mark.parametrize("way", [leave, give_up, give_up_by_header], ids=lambda way: way.__name__)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_calls_that_are_broken_off_use_a_budget_up(world, way, stream):
    async def all_of_them():
        key, ended = await world.key(max_budget=0.2), []
        for _ in range(40):
            plan = world.vendor.plan(ends="hang", at=-1, prompt=1000, words=100)
            body = {"model": f"wordy-{plan.id}", "max_tokens": 20, "stream": stream,
                    "messages": said("one two three four five " * 200)}
            answer = await asyncio.wait_for(way(world, body, key, plan), patient(60))
            if answer.status == 429:
                break
            ended.append(plan)
        return key, ended
    key, ended = world.loop.run(all_of_them())
    sent = [plan for plan in ended if plan.entries]
    assert 0 < len(sent) < 40, f"{len(ended)} of 40 calls were never refused"
    books = world.loop.run(world.settled([key], lambda key: len(sent)))
    assert 0.00001 * 1000 * len(sent) * 0.6 <= books.spend(key) <= 0.2
    assert abs(books.spend(key) - sum(r["spend"] for r in books.rows(key))) < 1e-9


def test_a_call_that_writes_while_nobody_listens_costs_what_it_writes(world):
    """Seconds upstream times what the deployment writes a second, at most what was reserved."""
    key = new_key(world)
    for _ in range(3):
        plan = world.vendor.plan(words=80, prompt=10, rate=100)
        post(world, CHAT, {"model": f"dear-{plan.id}", "max_tokens": 100, "stream": True,
                           "messages": said()}, key)
    plan = world.vendor.plan(ends="hang", at=-1, prompt=10, words=80, rate=100)
    answer = post(world, CHAT, {"model": f"dear-{plan.id}", "max_tokens": 100, "stream": True,
                                "messages": said(), "timeout": 0.5 * slow_factor()}, key)
    assert answer.status == 408, answer
    row = max(rows_of(world, key, 4), key=lambda r: r["startTime"])
    assert row["estimated"] and row["completion_tokens"] >= plan.entries[0].written // 3, row
    assert row["completion_tokens"] <= 100, row


@pytest.mark.parametrize("kind", ["overloaded_error", "rate_limit_error", "invalid_request_error"])
def test_a_no_that_is_a_streams_first_event_costs_what_a_no_costs(world, kind):
    """Whoever was told that the vendor is overloaded paid for the prompt each time."""
    plan = world.vendor.plan(prompt=3000, words=10, first_error=kind)
    key = new_key(world)
    answer = post(world, CHAT, {"model": f"an-{plan.id}", "stream": True, "max_tokens": 100,
                                "messages": said("hello " * 3000)}, key)
    assert answer.status in (400, 429, 529), answer
    row, = rows_of(world, key)
    assert row["spend"] == 0 and row["status"] == "failure", row


@pytest.mark.parametrize("path,model,kind", [
    ("/v1/messages", "an", "overloaded_error"), ("/v1/messages", "an", "rate_limit_error"),
    (CHAT, "oa", "503"), (CHAT, "oa", "429"), (CHAT, "oa", "400")])
def test_nor_does_one_of_a_stream_that_is_relayed_as_it_comes(world, path, model, kind):
    plan = world.vendor.plan(prompt=3000, words=10, first_error=kind)
    key = new_key(world)
    answer = post(world, path, {"model": f"{model}-{plan.id}", "stream": True, "max_tokens": 100,
                                "messages": said("hello " * 3000)}, key)
    assert answer.status in (400, 429, 503, 529) and b"refuses" in answer.body, answer
    row, = rows_of(world, key)
    assert row["spend"] == 0 and row["status"] == "failure", row


# --- answers nobody follows ---

@pytest.mark.parametrize("path", ["/v1/responses", "/openai/v1/responses"])
def test_a_background_answer_is_refused_by_name(world, path):
    plan = world.vendor.plan()
    key = new_key(world, max_budget=1)
    answer = post(world, path, {"model": f"oa-{plan.id}", "background": True, "input": "hello",
                                "max_output_tokens": 1000}, key)
    assert answer.status == 400 and b"background" in answer.body, answer
    assert not plan.entries


# --- what changes a price ---

@pytest.mark.parametrize("model,path,more,word", [
    ("an", "/v1/messages", {"speed": "fast", "max_tokens": 10}, "speed"),
    ("an", "/v1/messages", {"inference_geo": "us", "max_tokens": 10}, "inference_geo"),
    ("oa", CHAT, {"service_tier": "priority"}, "service_tier"),
    ("oa", "/v1/responses", {"service_tier": "priority"}, "service_tier"),
    ("an", "/v1/messages", {"max_tokens": 10, "tools": [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 100}]}, "web_search"),
    ("oa", "/v1/responses", {"tools": [{"type": "web_search"}]}, "web_search"),
    ("oa", "/v1/responses", {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
     "code_interpreter"),
])
def test_what_has_no_price_is_refused_by_name_to_a_key_with_a_budget(world, model, path, more, word):
    """And passes for a key without one."""
    for settings, refused in (({"max_budget": 50}, True), ({"max_budget": None}, False)):
        plan = world.vendor.plan(words=5, prompt=5)
        body = {"model": f"{model}-{plan.id}",
                "input" if "responses" in path else "messages": said(), **more}
        answer = post(world, path, body, new_key(world, **settings))
        if refused:
            assert answer.status == 400 and word.encode() in answer.body, answer
        assert bool(plan.entries) is not refused, answer


@pytest.mark.parametrize("path", [CHAT, "/v1/responses"])
@pytest.mark.parametrize("value", ["auto", "default"])
def test_values_that_change_nothing_never_refuse(world, path, value):
    plan = world.vendor.plan(words=5, prompt=5)
    body = {"model": f"oa-{plan.id}", "input" if "responses" in path else "messages": said(),
            "service_tier": value}
    assert post(world, path, body, new_key(world)).status == 200


def test_a_service_with_a_price_is_reserved_and_charged_at_it(world):
    plan = world.vendor.plan(words=50, prompt=10)
    key = new_key(world)
    answer = post(world, CHAT, {"model": f"priority-{plan.id}", "messages": said(), "max_tokens": 100,
                                "service_tier": "priority"}, key)
    assert answer.status == 200, answer
    row, = rows_of(world, key)
    assert abs(row["spend"] - (10 * 0.00001 + 50 * 0.00002)) < 1e-12, row
    plan = world.vendor.plan()
    answer = post(world, CHAT, {"model": f"priority-{plan.id}", "messages": said(), "max_tokens": 1000,
                                "service_tier": "priority"}, new_key(world, max_budget=0.005))
    bound = plan.entries[0].json()["max_tokens"] if plan.entries else 0
    assert bound <= 250, "the ordinary price was reserved"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_writes_kept_for_an_hour_and_searches_cost_their_price(world, stream):
    plan = world.vendor.plan(
        words=20, prompt=100, usage_more='"cache_creation_input_tokens":1000,"cache_read_input_tokens":500,'
        '"cache_creation":{"ephemeral_5m_input_tokens":400,"ephemeral_1h_input_tokens":600},'
        '"server_tool_use":{"web_search_requests":3}')
    key = new_key(world)
    answer = post(world, "/v1/messages", {
        "model": f"searches-{plan.id}", "max_tokens": 100, "messages": said("word " * 1000),
        "stream": stream, "tools": [{"type": "web_search_20250305", "name": "web_search",
                                     "max_uses": 5}]}, key)
    assert answer.status == 200, answer
    row, = rows_of(world, key)
    true = (100 * 0.000001 + 500 * 0.0000001 + 400 * 0.00000125 + 600 * 0.000002 + 20 * 0.000004
            + 3 * 0.01)
    assert abs(row["spend"] - true) < 1e-12, (row["spend"], true)


def test_hosted_tools_can_be_kept_from_a_key(world):
    plan = world.vendor.plan()
    key = new_key(world, max_budget=None, hosted_tools=False)
    answer = post(world, "/v1/responses", {"model": f"oa-{plan.id}", "input": "hello",
                                           "tools": [{"type": "web_search"}]}, key)
    assert answer.status in (400, 403) and b"web_search" in answer.body, answer
    assert not plan.entries


# --- what a refusal teaches ---

def test_a_caller_cannot_teach_what_holds_for_others(world):
    """Vendors repeat a value that they do not know, and its caller may write what a refusal would say."""
    for error, more in (("Invalid value: 'stream_options'. Supported values are: 'low'.", {"stream": True}),
                        ("Invalid value: 'max_tokens: 99999999 > 17, which is the maximum allowed number "
                         "of output tokens'. Supported values are: 'low'.", {})):
        plan = world.vendor.plan(status=400, error=error)
        answer = post(world, CHAT, {"model": f"echoes-{plan.id}", "reasoning_effort": "x",
                                    "messages": said(), **more}, new_key(world, max_budget=1))
        assert answer.status == 400 and len(plan.entries) == 2, answer
    plan = world.vendor.plan(words=3000, prompt=5)
    key = new_key(world, max_budget=1)
    answer = post(world, CHAT, {"model": f"echoes-{plan.id}", "stream": True, "messages": said()}, key)
    assert answer.status == 200
    assert plan.entries[0].json()["stream_options"] == {"include_usage": True}
    row, = rows_of(world, key)
    assert abs(row["spend"] - (5 * 0.00001 + 3000 * 0.0001)) < 1e-9 and not row["over_reserved"], row


# --- bounds that are not what was asked for ---

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_thought_beyond_the_bound_that_was_asked_for_is_reserved_and_paid(world, stream):
    """Anthropic's bound has the thinking in it; a chat's has not always, so a larger one is sent."""
    for budget, bound in ((None, 4196), (100, 4196), (0.05, 100)):
        plan = world.vendor.plan(words=20, prompt=5, reports=("5", "3050" if bound > 100 else "90"))
        key = new_key(world, max_budget=budget)
        answer = post(world, CHAT, {"model": f"an-claude-3-7-sonnet-20250219-{plan.id}",
                                    "max_tokens": 100, "reasoning_effort": "high", "stream": stream,
                                    "messages": said()}, key)
        assert answer.status == 200 and plan.entries[0].json()["max_tokens"] == bound, answer
        row, = rows_of(world, key)
        assert row["completion_tokens"] == (3050 if bound > 100 else 90), row
        assert not row["estimated"] and not row["over_reserved"], row


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages"])
@pytest.mark.parametrize("left,most", [(1500, 1024), (5000, 2500), (800, None)])
def test_a_bound_that_is_lowered_leaves_room_to_think_in(world, path, left, most):
    """A budget of thinking that is not below the bound is refused by the vendor."""
    plan = world.vendor.plan(words=10, prompt=5)
    key = new_key(world, max_budget=left * OUTPUT)
    answer = post(world, path, {"model": f"an-{plan.id}",
                                "max_tokens": 16000, "messages": said(),
                                "thinking": {"type": "enabled", "budget_tokens": 10000}}, key)
    assert answer.status == 200, answer
    sent = plan.entries[0].json()
    assert left * 0.9 < sent["max_tokens"] < left, sent
    if most:
        assert most * 0.9 <= sent["thinking"]["budget_tokens"] <= most
        assert sent["thinking"]["budget_tokens"] < sent["max_tokens"]
    else:
        assert sent["thinking"] == {"type": "disabled"}


def test_a_bound_that_never_left_makes_no_report_impossible(world):
    plan = world.vendor.plan(words=100, prompt=5, reports=("5", "5000"))
    key = new_key(world)
    answer = post(world, CHAT, {"model": f"drops-{plan.id}", "max_tokens": 10, "messages": said()}, key)
    assert answer.status == 200 and "max_tokens" not in plan.entries[0].json(), answer
    row, = rows_of(world, key)
    assert row["completion_tokens"] == 5000 and not row["estimated"], row


# --- prices of a configuration ---

@pytest.mark.parametrize("model", ["tier", "infotier"])
def test_a_tier_of_the_configuration_is_charged_and_stays_here(world, model):
    plan = world.vendor.plan(words=100, prompt=250000)
    answer = post(world, CHAT, {"model": f"{model}-{plan.id}", "max_tokens": 200,
                                "messages": said("word " * 60000)}, new_key(world))
    assert answer.status == 200, answer
    assert abs(float(answer.headers["x-litellm-response-cost"]) - 2.5002) < 1e-9
    assert b"above_200k" not in plan.entries[0].body


def test_a_cache_price_of_model_info_is_read(world):
    plan = world.vendor.plan(words=450, prompt=1000, reports=(
        "1000", '450,"prompt_tokens_details":{"cached_tokens":900}'))
    answer = post(world, CHAT, {"model": f"infotier-{plan.id}", "max_tokens": 500,
                                "messages": said("word " * 1000)}, new_key(world))
    cost = 100 * 0.000001 + 900 * 0.0000001 + 450 * 0.000002
    assert abs(float(answer.headers["x-litellm-response-cost"]) - cost) < 1e-12


def test_a_base_model_is_the_price_of_an_azure_deployment(world):
    plan = world.vendor.plan(words=200, prompt=600)
    answer = post(world, CHAT, {"model": "azure", "max_tokens": 300,
                                "messages": said(plan.id + " word" * 600)}, new_key(world))
    assert answer.status == 200, answer
    assert abs(float(answer.headers["x-litellm-response-cost"]) - 0.0035) < 1e-9


def test_a_model_without_a_price_is_said_and_its_spend_is_not_known(world):
    plan = world.vendor.plan(words=5, prompt=5)
    key = new_key(world, max_budget=None)
    answer = post(world, CHAT, {"model": "unheard-of", "messages": said(plan.id)}, key)
    assert answer.status == 200 and "x-litellm-response-cost" not in answer.headers, answer
    row, = rows_of(world, key)
    assert row["unpriced"] is True
    checked = world.gateway.command("config", "check", world.gateway.config)
    for text in (checked.stdout + checked.stderr, world.gateway.log.read_text()):
        assert "unheard-of" in text and "prices import" in text, text[-2000:]


# --- tokens a minute ---

@pytest.mark.parametrize("bound", [10, None], ids=["bounded", "unbounded"])
def test_a_limit_of_tokens_is_overshot_by_one_call_at_most(world, bound):
    """400 at once, of 20 tokens each, passed a limit for 15."""
    async def all_at_once():
        key = await world.key(tpm_limit=300)

        async def one():
            plan = world.vendor.plan(words=10, prompt=10)
            body = {"model": f"cents-{plan.id}", "messages": said("one two three four five six")}
            if bound:
                body["max_tokens"] = bound
            return await call(world.port, "POST", CHAT, body, key, limit=600)
        answers = await asyncio.gather(*(one() for _ in range(400)))
        return key, answers
    key, answers = world.loop.run(all_at_once())
    passed = [a for a in answers if a.status == 200]
    assert {a.status for a in answers} == {200, 429}, {a.status for a in answers}
    rows = [r for r in rows_of(world, key, len(passed)) if r["total_tokens"]]
    minute = {}
    for row in rows:  # a minute may turn meanwhile
        minute.setdefault(row["startTime"][:16], []).append(row["total_tokens"])
    assert all(sum(tokens) <= 300 + 20 for tokens in minute.values()), {
        at: sum(tokens) for at, tokens in minute.items()}
    assert passed, "none was admitted"


def test_a_call_alone_in_its_minute_is_admitted_if_its_input_fits(world):
    plan = world.vendor.plan(words=10, prompt=10)
    answer = post(world, CHAT, {"model": f"cents-{plan.id}", "messages": said(), "max_tokens": 100000},
                  new_key(world, tpm_limit=300))
    assert answer.status == 200, answer


# --- a key with little money ---

def test_a_kill_leaves_no_key_dead(vendor, tmp_path):
    """A dollar, and a call without a bound under way: what was reserved is held, not spent, and can be
    given back."""
    world = World(vendor, tmp_path).start()
    try:
        async def one():
            key = await world.key(max_budget=1)
            plan = vendor.plan(ends="hang", at=-1)
            link = await send(world.port, "POST", CHAT, {"model": f"oa-{plan.id}", "messages": said()},
                              key)
            reading = asyncio.ensure_future(link.read())
            await plan.reached.wait()
            await world.rows()  # hands over what waits to be written
            await asyncio.get_running_loop().run_in_executor(None, world.kill)
            await reading
            return key, (await world.books([key])).spend(key)
        key, spend = world.loop.run(one())
        assert 0 < spend < 0.01, f"{spend} of a dollar is charged for a call of a cent"
        world.command("spend", "release", "--all")
        plan = vendor.plan(words=10, prompt=5)
        answer = post(world, CHAT, {"model": f"oa-{plan.id}", "messages": said(), "max_tokens": 50}, key)
        assert answer.status == 200, answer
        assert abs(world.loop.run(world.books([key])).spend(key) - spend - 10 * OUTPUT - 5 * 0.000002) < 1e-9
        assert hash_of(key) in {r["api_key"] for r in world.loop.run(world.rows())}
    finally:
        world.stop()
