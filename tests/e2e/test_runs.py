# SPDX-License-Identifier: Apache-2.0
"""Runs of agents: how often one may ask models and call a tool with the same arguments, by OpenAI's
and Anthropic's SDK and as Google's clients write it."""

import concurrent.futures
import json

import anthropic as anthropic_sdk
import openai
import pytest

from gateway import MASTER, Gateway, wait_until

CONFIG = """
model_list:
  - model_name: good
    litellm_params: {{model: openai/ok-good, api_base: "{url}/v1", api_key: sk-u}}
  - model_name: gated
    litellm_params: {{model: openai/gate-runs, api_base: "{url}/v1", api_key: sk-u}}
  - model_name: dear
    litellm_params: &dear {{model: openai/ok-dear, api_base: "{url}/v1", api_key: sk-u,
                            input_cost_per_token: 0, output_cost_per_token: 0.01}}
  - {{model_name: dear-gated, litellm_params: {{<<: *dear, model: openai/gate-runs}}}}
  - {{model_name: dear-bad, litellm_params: {{<<: *dear, model: openai/err-503-runs}}}}
  - model_name: endless
    litellm_params: {{model: openai/stream-forever, api_base: "{url}/v1", api_key: sk-u,
                      input_cost_per_token: 0, output_cost_per_token: 0.00001}}
  - model_name: bad
    litellm_params: {{model: openai/err-503-runs, api_base: "{url}/v1", api_key: sk-u}}
router_settings: {{num_retries: 0, fallbacks: [{{dear-bad: [dear]}}]}}
general_settings: {{master_key: {master}}}
kanmon_settings:
  state_dir: "{state}"
  workers: 3
  runs: {{{runs}}}
"""


@pytest.fixture
def start(tmp_path, upstream):
    made = []

    def make(runs=""):
        folder = tmp_path / str(len(made))
        made.append(Gateway(folder, CONFIG.format(url=upstream.url, master=MASTER, runs=runs,
                                                  state=folder / "state")))
        return made[-1].start()
    yield make
    for one in made:
        one.stop()


def head(session):
    return {"x-litellm-session-id": session} if session else {}


def ask(gateway, session=None, key=MASTER, model="good", retries=0, **more):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=retries) as client:
        return client.chat.completions.with_raw_response.create(
            model=model, messages=more.pop("messages", [{"role": "user", "content": "hi"}]),
            extra_headers={**head(session), **more.pop("headers", {})}, **more)


def may_ask(gateway, session, *args, **more):
    try:
        return ask(gateway, session, *args, **more)
    except openai.APIStatusError:
        return None


def metrics_of(gateway):
    return gateway.call("GET", "/metrics").body.decode()


def refusal(gateway, session, **more):
    with pytest.raises(openai.RateLimitError) as refused:
        ask(gateway, session, **more)
    return refused.value


# --- max_iterations ---

def test_a_run_asks_models_as_often_as_it_may(start, upstream):
    gateway = start("max_iterations: 3")
    for _ in range(3):
        ask(gateway, "one")
    seen = len(upstream.records)
    refused = refusal(gateway, "one", retries=5)
    assert len(upstream.records) == seen
    assert refused.type == "budget_exceeded" and refused.code == "max_iterations_exceeded"
    assert refused.response.headers["x-should-retry"] == "false"
    assert "'" not in refused.body["message"] and "session one." in refused.body["message"]
    assert "max_iterations: 3" in refused.body["message"]
    ask(gateway, "two")
    for _ in range(5):
        ask(gateway)  # who names no run is in none
    assert 'kanmon_run_refusals_total{reason="max_iterations"} 1' in metrics_of(gateway)
    assert "run=one" in gateway.log.read_text()


def test_it_is_named_in_the_body_too(start):
    gateway = start("max_iterations: 1")
    ask(gateway, extra_body={"litellm_session_id": "a"})
    assert refusal(gateway, "a")
    ask(gateway, metadata={"session_id": "b"})
    assert refusal(gateway, "b")
    ask(gateway, headers={"x-litellm-trace-id": "c"})
    assert refusal(gateway, None, headers={"x-litellm-trace-id": "c"})


def test_a_key_may_have_less_and_never_more(start):
    gateway = start("max_iterations: 2")
    less = gateway.new_key(metadata={"max_iterations": 1})
    more = gateway.new_key(metadata={"max_iterations": "9"})
    ask(gateway, "same", less)
    assert "max_iterations: 1" in refusal(gateway, "same", key=less).body["message"]
    for _ in range(2):
        ask(gateway, "same", more)  # another key's run of that name is another run
    assert "max_iterations: 2" in refusal(gateway, "same", key=more).body["message"]


@pytest.mark.parametrize("limit", [-1, 1.5, "many", True, [1]])
@pytest.mark.parametrize("name", ["max_iterations", "max_identical_tool_calls", "max_budget_per_session"])
def test_a_limit_that_is_none_is_refused_with_the_key(start, name, limit):
    if name == "max_budget_per_session" and limit == 1.5:
        return
    gateway = start()
    made = gateway.call("POST", "/key/generate", {"metadata": {name: limit}})
    assert made.status == 400 and name in made.json()["error"]["message"]


def at_gate(upstream, n):
    upstream.wait_for(lambda records: sum(r.model == "gate-runs" for r in records) == n)


@pytest.fixture
def pool(upstream):
    with concurrent.futures.ThreadPoolExecutor(20) as made:
        yield made
        upstream.open_gate()  # whatever went wrong: nobody waits for ever


def test_calls_at_once_do_not_pass_it(start, upstream, pool):
    gateway = start("max_iterations: 5")

    def one(_):
        try:
            return ask(gateway, "crowd", model="gated").http_response.status_code
        except openai.RateLimitError as refused:
            return refused.code
    asked = [pool.submit(one, i) for i in range(20)]
    at_gate(upstream, 5)
    wait_until(lambda: sum(a.done() for a in asked) == 15, what="the refusals")
    upstream.open_gate()
    answers = [a.result() for a in asked]
    assert sorted(map(str, answers)) == ["200"] * 5 + ["max_iterations_exceeded"] * 15
    assert len(upstream.seen("gate-runs")) == 5


def test_what_is_refused_before_does_not_count_and_what_fails_does(start):
    gateway = start("max_iterations: 2")
    key = gateway.new_key(rpm_limit=1)
    ask(gateway, "slow", key)
    for _ in range(3):
        assert refusal(gateway, "slow", key=key).code != "max_iterations_exceeded"
    ask(gateway, "fails")
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "fails", model="bad")
    assert refusal(gateway, "fails").code == "max_iterations_exceeded"


def test_a_dry_run_tells_and_counts_nothing(start):
    gateway = start("max_iterations: 1")
    for _ in range(3):
        told = ask(gateway, "dry", extra_body={"kanmon": {"dryRun": True}}).http_response.json()
        assert told["verdict"]["allowed"]
    ask(gateway, "dry")
    told = ask(gateway, "dry", extra_body={"kanmon": {"dryRun": True}}).http_response.json()
    assert told["verdict"]["error"]["status"] == 429
    assert "max_iterations: 1" in told["verdict"]["error"]["message"]


@pytest.mark.parametrize("name", ["x" * 4000, "new\nline\r\n\tand\x00nul\x1f", "ünï" * 50, "%s%n{}", '"\\'])
def test_any_name_is_one(start, name):
    gateway = start("max_iterations: 1")
    ask(gateway, extra_body={"litellm_session_id": name})
    refused = refusal(gateway, None, extra_body={"litellm_session_id": name})
    assert refused.code == "max_iterations_exceeded"
    assert not [c for c in refused.body["message"] if ord(c) < 32]
    ask(gateway, extra_body={"litellm_session_id": "other"})


def test_the_oldest_idle_run_makes_room(start):
    gateway = start("max_iterations: 1, max_runs: 2")
    for name in ("a", "b"):
        ask(gateway, name)
        assert refusal(gateway, name)
    ask(gateway, "c")  # a's place
    assert refusal(gateway, "b") and refusal(gateway, "c")
    ask(gateway, "a")


def test_runs_with_calls_under_way_stay(start, upstream, pool):
    gateway = start("max_iterations: 1, max_runs: 1")
    waits = pool.submit(ask, gateway, "held", model="gated")
    at_gate(upstream, 1)
    with pytest.raises(openai.InternalServerError) as full:
        ask(gateway, "another")
    assert full.value.status_code == 503 and "max_runs" in full.value.body["message"]
    assert refusal(gateway, "held").code == "max_iterations_exceeded"
    upstream.open_gate()
    assert waits.result().http_response.status_code == 200
    wait_until(lambda: may_ask(gateway, "another"), what="the room")


# --- max_budget_per_session ---

def spend_of(gateway, key):
    return round(gateway.key_info(key)["spend"], 9)


def test_a_run_spends_what_it_may_and_calls_at_once_no_more(start, upstream, pool):
    gateway = start("max_budget_per_session: 0.5")
    key = gateway.new_key()

    def one(_):
        try:  # of 10 tokens that are reserved the upstream reports 5
            return ask(gateway, "edge", key, "dear-gated", max_tokens=10).http_response.status_code
        except openai.RateLimitError as refused:
            return refused.code
    asked = [pool.submit(one, i) for i in range(20)]
    at_gate(upstream, 5)
    wait_until(lambda: sum(a.done() for a in asked) == 15, what="the refusals")
    upstream.open_gate()
    assert sorted(str(a.result()) for a in asked) == \
        ["200"] * 5 + ["max_budget_per_session_exceeded"] * 15
    made = 5
    while may_ask(gateway, "edge", key, "dear", max_tokens=10):
        made += 1
    assert made == 9  # 0.45 spent: another one may cost 0.1
    refused = refusal(gateway, "edge", key=key, model="dear", max_tokens=10, retries=5)
    assert refused.type == "budget_exceeded" and refused.code == "max_budget_per_session_exceeded"
    assert refused.response.headers["x-should-retry"] == "false"
    assert "session edge" in refused.body["message"] and "0.45" in refused.body["message"]
    assert spend_of(gateway, key) == 0.45
    ask(gateway, "fresh", key, "dear", max_tokens=10)
    other = gateway.new_key()
    ask(gateway, "edge", other, "dear", max_tokens=10)  # another key's
    assert 'kanmon_run_refusals_total{reason="max_budget_per_session"} 17' in metrics_of(gateway)


def test_a_run_pays_for_its_calls_wherever_they_go(start):
    gateway = start("max_budget_per_session: 0.12")
    key = gateway.new_key()
    answer = ask(gateway, "moves", key, "dear-bad", max_tokens=10)
    assert answer.http_response.headers["x-litellm-attempted-fallbacks"] == "1"
    assert refusal(gateway, "moves", key=key, model="dear", max_tokens=10)
    assert spend_of(gateway, key) == 0.05


def test_a_stream_ends_with_its_runs_budget(start):
    gateway = start("max_budget_per_session: 0.05")
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.new_key(), max_retries=0) as client:
        stream = client.chat.completions.create(model="endless", stream=True, extra_headers=head("cut"),
                                                messages=[{"role": "user", "content": "hi"}])
        last = [c.choices[0].finish_reason for c in stream if c.choices][-1]
        assert last == "length"
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="endless", stream=True, extra_headers=head("cut"),
                                           messages=[{"role": "user", "content": "hi"}])


def test_a_key_may_bound_its_runs(start):
    gateway = start()
    key = gateway.new_key(metadata={"max_budget_per_session": "0.12"})
    ask(gateway, "mine", key, "dear", max_tokens=10)
    assert refusal(gateway, "mine", key=key, model="dear", max_tokens=10)
    gateway.call("POST", "/key/update", {"key": key, "metadata": {"max_budget_per_session": 0.2}})
    wait_until(lambda: may_ask(gateway, "mine", key, "dear", max_tokens=10), what="the new limit")


# --- identical calls of a tool ---

SAME = ['{"city":"Oslo","days":1}', '{ "days" : 1.0, "city" : "\\u004fslo" }',
        '{"days":10e-1,"city":"Osl\\u006f"}']


def chat_turns(calls, name="weather"):
    turns = [{"role": "user", "content": "How is it?"}]
    for i, arguments in enumerate(calls):
        turns += [{"role": "assistant", "content": None, "tool_calls": [
            {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": f"c{i}", "content": "rain"}]
    return turns


def last_text(answer):
    return answer.http_response.json()["choices"][0]["message"]["content"]


def test_a_loop_of_a_chat_ends_with_a_text(start, upstream):
    gateway = start("max_identical_tool_calls: 3")
    ask(gateway, messages=chat_turns(SAME[:2]))
    seen = len(upstream.records)
    answer = ask(gateway, messages=chat_turns(SAME))
    assert len(upstream.records) == seen
    said = answer.http_response.json()
    assert said["choices"][0]["finish_reason"] == "stop"
    assert "'weather' was called 3 times in a row" in said["choices"][0]["message"]["content"]
    assert said["usage"]["total_tokens"] == 0
    assert answer.http_response.headers["x-kanmon-ended"] == "max_identical_tool_calls"
    assert float(answer.http_response.headers["x-litellm-response-cost"]) == 0
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER) as client:
        stream = client.chat.completions.create(model="good", messages=chat_turns(SAME), stream=True)
        pieces = [c.choices[0] for c in stream if c.choices]
    assert "3 times" in "".join(p.delta.content or "" for p in pieces)
    assert pieces[-1].finish_reason == "stop"
    assert 'kanmon_run_refusals_total{reason="max_identical_tool_calls"} 2' in metrics_of(gateway)


@pytest.mark.parametrize("turns", [
    chat_turns(SAME[:2] + ['{"city":"Oslo","days":2}']),
    chat_turns(SAME[:2] + ['{"city":"Oslo","days":1,"x":null}']),
    chat_turns(SAME[:2]) + chat_turns(SAME[:1], "other")[1:],
    chat_turns(SAME) + [{"role": "user", "content": "go on"}],
    chat_turns(SAME) + [{"role": "assistant", "content": "It rains."}, {"role": "user", "content": "?"}],
    chat_turns(SAME[:2]) + [{"role": "user", "content": "again"}] + chat_turns(SAME[:2])[1:],
    chat_turns(SAME, "poll_status"),
])
def test_what_is_no_loop_goes_on(start, upstream, turns):
    gateway = start('max_identical_tool_calls: 3, repeatable_tools: ["poll_*"]')
    seen = len(upstream.records)
    ask(gateway, messages=turns)
    assert len(upstream.records) == seen + 1


def test_a_loop_of_messages_ends(start, upstream):
    gateway = start("max_identical_tool_calls: 3")
    turns = [{"role": "user", "content": "How is it?"}]
    for i in range(3):
        turns += [{"role": "assistant", "content": [{"type": "text", "text": f"Look {i}"}, {
            "type": "tool_use", "id": f"c{i}", "name": "weather", "input": json.loads(SAME[i])}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": f"c{i}", "content": "rain"},
                {"type": "text", "text": f"reminder {i}"}]}]
    seen = len(upstream.records)
    client = anthropic_sdk.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)
    said = client.messages.create(model="good", max_tokens=50, messages=turns)
    assert said.stop_reason == "end_turn" and "3 times in a row" in said.content[0].text
    with client.messages.stream(model="good", max_tokens=50, messages=turns) as stream:
        assert "3 times in a row" in stream.get_final_text()
    assert len(upstream.records) == seen


def test_a_loop_of_responses_ends(start, upstream):
    gateway = start("max_identical_tool_calls: 3")
    items = [{"role": "user", "content": "How is it?"}]
    for i in range(3):
        items += [{"type": "function_call", "call_id": f"c{i}", "name": "weather", "arguments": SAME[i]},
                  {"type": "function_call_output", "call_id": f"c{i}", "output": "rain"}]
    seen = len(upstream.records)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0) as client:
        said = client.responses.create(model="good", input=items)
        assert said.status == "completed" and "3 times in a row" in said.output_text
        events = list(client.responses.create(model="good", input=items, stream=True))
    assert events[-1].type == "response.completed"
    assert "3 times in a row" in events[-1].response.output_text
    assert len(upstream.records) == seen


@pytest.mark.parametrize("way", ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"])
def test_a_loop_of_googles_ends(start, upstream, way):
    gateway = start("max_identical_tool_calls: 3")
    turns = [{"role": "user", "parts": [{"text": "How is it?"}]}]
    for said in SAME:
        turns += [{"role": "model", "parts": [{"functionCall": {"name": "weather", "args": json.loads(said)}}]},
                  {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"r": 1}}}]}]
    seen = len(upstream.records)
    answer = gateway.call("POST", f"/v1beta/models/good:{way}", {"contents": turns})
    assert answer.status == 200 and len(upstream.records) == seen
    said = answer.json() if "sse" in way or "stream" not in way else json.loads(answer.body)
    if isinstance(said, list):
        text = "".join(p["text"] for one in said for c in one.get("candidates", []) for p in c["content"].get("parts", []))
    else:
        text = answer.body.decode()
    assert "3 times in a row" in text
    assert '"STOP"' in answer.body.decode()
