# SPDX-License-Identifier: Apache-2.0
"""Fees beside tokens: searches that every call has, by their size, containers by their memory, units of
a reranker, seconds of audio; counts of them that cannot be, and answers that nobody can read."""

import pytest

from client import call
from world import World, hash_of

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
MORE = """
  - model_name: sonar-*
    litellm_params: {{model: perplexity/*, api_base: "{url}/v1", api_key: k,
      input_cost_per_token: 0.000002, output_cost_per_token: 0.000008,
      output_cost_per_reasoning_token: 0.000003, citation_cost_per_token: 0.000001,
      search_context_cost_per_query: {{search_context_size_low: 0.005, search_context_size_medium: 0.008,
                                      search_context_size_high: 0.012}}}}
  - model_name: deep-*
    litellm_params: {{model: perplexity/*, api_base: "{url}/v1", api_key: k,
      input_cost_per_token: 0.000002, output_cost_per_token: 0.000008,
      output_cost_per_reasoning_token: 0.000003, citation_cost_per_token: 0.000001,
      search_context_cost_per_query: {{search_context_size_medium: 0.005}}}}
  - model_name: tools-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: k,
      input_cost_per_token: 0.000002, output_cost_per_token: 0.000008,
      code_interpreter_cost_per_session: 0.03,
      search_context_cost_per_query: {{search_context_size_low: 0.01, search_context_size_medium: 0.02,
                                      search_context_size_high: 0.05}}}}
"""
MORE += """
  - model_name: ranks-*
    litellm_params: {{model: cohere/*, api_base: "{url}", api_key: k, input_cost_per_query: 0.002}}
  - model_name: hears-*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: k, input_cost_per_second: 0.0001}}
"""
SEARCHED = '{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"x"}}'
RAN = '{"type":"code_interpreter_call","id":"c","container_id":"cntr_1","status":"completed","code":"1"}'


@pytest.fixture(scope="module")
def world(vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("fees"), models=MORE.format(url=vendor.url)).start()
    yield made
    made.stop()


def booked(world, path, model, more, budget=50, **plan):
    """The answer, and the call's row, which is all that its key has spent."""
    async def ask():
        key = await world.key(max_budget=budget)
        planned = world.vendor.plan(words=400, prompt=10, **plan)
        asked = {CHAT: {"messages": [{"role": "user", "content": "hello"}]},
                 RESPONSES: {"input": "hello"}}.get(path.removeprefix("/openai"), {})
        answer = await call(world.port, "POST", path, {"model": f"{model}-{planned.id}", **asked, **more}, key)
        if answer.status != 200:
            return answer, None
        books = await world.settled([key], lambda key: 1)
        row, = books.rows(key)
        assert row["spend"] == pytest.approx(books.spend(key)) == pytest.approx(books.daily_spend(key))
        return answer, row
    return world.loop.run(ask())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("asked,said,fee", [
    ({}, None, 0.008),
    ({}, "low", 0.005),
    ({"search_context_size": "high"}, None, 0.012),
    ({"search_context_size": "low"}, "low", 0.005),
    ({"search_context_size": "low", "search_type": "fast"}, "medium", 0.008),
])
def test_each_call_of_a_model_that_always_searches_has_its_fee(world, stream, asked, said, fee):
    more = {"stream": stream, **({"web_search_options": asked} if asked else {})}
    answer, row = booked(world, CHAT, "sonar", more, unasked=True,
                         usage_more=f'"search_context_size":"{said}"' if said else None)
    assert row["spend"] == pytest.approx(10 * 0.000002 + 400 * 0.000008 + fee), row


def test_and_is_reserved(world):
    """Nothing is sent for a key that cannot pay for the search."""
    answer, _ = booked(world, CHAT, "sonar", {"max_tokens": 20}, budget=0.007)
    assert answer.status == 429, answer
    answer, row = booked(world, CHAT, "sonar", {"max_tokens": 20, "web_search_options": {
        "search_type": "pro"}})
    assert answer.status == 400 and b"search_type" in answer.body, answer


def test_deep_research_is_what_it_searched_found_and_thought(world):
    answer, row = booked(world, CHAT, "deep", {}, usage_more='"citation_tokens":20000,'
                         '"num_search_queries":18,"reasoning_tokens":70000,"total_tokens":410',
                         reports=("10", "400"))
    assert row["spend"] == pytest.approx(10 * 0.000002 + 400 * 0.000008 + 70000 * 0.000003
                                         + 20000 * 0.000001 + 18 * 0.005), row


@pytest.mark.parametrize("size,fee", [(None, 0.02), ("low", 0.01), ("medium", 0.02), ("high", 0.05)])
def test_a_search_costs_by_its_size(world, size, fee):
    tool = {"type": "web_search", **({"search_context_size": size} if size else {})}
    answer, row = booked(world, RESPONSES, "tools", {"tools": [tool]}, items=(SEARCHED, SEARCHED))
    assert row["spend"] == pytest.approx(10 * 0.000002 + 400 * 0.000008 + 2 * fee), row


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("memory,times", [(None, 1), ("1g", 1), ("4g", 4), ("64g", 64)])
def test_a_container_costs_by_its_memory(world, stream, memory, times):
    container = {"type": "auto", **({"memory_limit": memory} if memory else {})}
    answer, row = booked(world, RESPONSES, "tools", {"stream": stream, "tools": [
        {"type": "code_interpreter", "container": container}]}, items=(RAN,))
    assert row["spend"] == pytest.approx(10 * 0.000002 + 400 * 0.000008 + times * 0.03), row


def test_a_container_is_reserved_by_its_memory(world):
    tool = {"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "64g"}}
    for more, status in (({"tools": [tool], "max_tool_calls": 1}, 429),
                         ({"tools": [{**tool, "container": {"type": "auto"}}], "max_tool_calls": 1}, 200),
                         ({"tools": [{**tool, "container": {"type": "auto", "memory_limit": "1t"}}]}, 400)):
        answer, _ = booked(world, RESPONSES, "tools", {"max_output_tokens": 500, **more}, budget=1)
        assert answer.status == status, answer


@pytest.mark.parametrize("model,usage", [
    ("sonar", '"num_search_queries":5000000'),
    ("deep", '"num_search_queries":5000000'),
    ("tools", '"server_tool_use":{"web_search_requests":1000000}'),
])
def test_a_million_searches_cannot_be(world, model, usage):
    """A broken counter cost 10,000 USD, and its key."""
    answer, row = booked(world, CHAT, model, {}, usage_more=usage)
    assert row["estimated"] and row["spend"] < 0.05, row


# --- rerankers ---

@pytest.mark.parametrize("documents,units,says,estimated", [
    (1, 1, None, False), (100, 1, None, False), (101, 2, None, False), (1000, 10, None, False),
    (1000, 10, "5000000", True), (1000, 10, "absent", True),
])
def test_a_reranker_costs_by_its_units(world, documents, units, says, estimated):
    """A query with up to a hundred documents is one; a thousand cost what one does."""
    answer, row = booked(world, "/v1/rerank", "ranks", {"query": "q", "documents": ["a"] * documents},
                         usage_more=says if says and says.isdigit() else None, reports=says or "true")
    assert row["spend"] == pytest.approx(units * 0.002) and row["estimated"] is estimated, row


def test_a_rerankers_units_are_reserved(world):
    answer, _ = booked(world, "/v1/rerank", "ranks", {"query": "q", "documents": ["a"] * 1000},
                       budget=0.01)
    assert answer.status == 429, answer


# --- what cannot be read ---

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_that_was_compressed_is_not_free(world, stream):
    """The prefix passes it on as it is, so what came is counted by its bytes."""
    answer, row = booked(world, "/openai" + CHAT, "tools", {"stream": stream}, coded=True)
    assert row["estimated"] and row["completion_tokens"] > 50, row


def test_a_recording_is_no_longer_than_its_bytes_can_be(world):
    """A broken clock cost 86.40 USD for 16 kB."""
    form = (b'--B\r\ncontent-disposition: form-data; name="model"\r\n\r\nhears-%s\r\n--B\r\n'
            b'content-disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n' + bytes(16000)
            + b"\r\n--B--\r\n")
    for seconds, cost in ((1, 0.0001), (300, 0.03), (864000, None)):
        async def ask():
            key = await world.key(max_budget=50)
            plan = world.vendor.plan(words=3, prompt=5, usage_more=str(seconds))
            answer = await call(world.port, "POST", "/v1/audio/transcriptions",
                                form.replace(b"%s", plan.id.encode()), key,
                                {"content-type": "multipart/form-data; boundary=B"})
            assert answer.status == 200, answer
            return (await world.settled([key], lambda key: 1)).rows(key)
        row, = world.loop.run(ask())
        if cost:
            assert row["spend"] == pytest.approx(cost) and not row["estimated"], row
        else:
            assert row["spend"] < 0.01 and row["estimated"], row
