# SPDX-License-Identifier: Apache-2.0
"""Chats with tools of type mcp: listed, called and gone on with, by OpenAI's SDK."""

import concurrent.futures
import json
import pathlib
import sqlite3
import sys

import openai
import pytest
from gateway import MASTER, Gateway, wait_until
from scripted import Scripted

MANY = pathlib.Path(__file__).resolve().parents[2] / "mcp" / "many.py"
FUNCTION = {"type": "function", "function": {"name": "own", "description": "The caller's.",
                                             "parameters": {"type": "object", "properties": {}}}}


def mcp(**more):
    return {"type": "mcp", "server_label": "tools", "server_url": "litellm_proxy/mcp/many",
            "require_approval": "never", **more}


@pytest.fixture(scope="module")
def model():
    with Scripted() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mcp-chat")
    command = {"transport": "stdio", "command": sys.executable}
    text = json.dumps({
        "model_list": [{"model_name": "m", "litellm_params": {
            "model": "openai/m", "api_base": model.url, "api_key": "sk-up",
            "input_cost_per_token": 0.001, "output_cost_per_token": 0.002}}],
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {
            "many": {**command, "args": [str(MANY), "20"], "allowed_params": {"tool_3": ["x"]}},
            "risky": {**command, "args": [str(MANY), "1"], "risk": "destructive",
                      "approve": "write"}},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2,
                            "mcp_chat_rounds": 4}})
    with Gateway(folder, text) as started:
        def known():
            tools = started.call("GET", "/mcp-rest/tools/list").json()["tools"]
            return {"many-tool_1", "risky-tool_0"} <= {tool["name"] for tool in tools}
        wait_until(known, 60)
        yield started


@pytest.fixture
def client(gateway):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=MASTER, max_retries=0)


def ask(client, turns, tools, **more):
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": json.dumps(turns)}], tools=tools, **more)


def names(model, at=-1):
    return [tool["function"]["name"] for tool in model.asked[at]["tools"]]


CALLS = [[["many-tool_1", {"x": "one"}], ["many-tool_2", {"x": "two"}]],
         [["many-tool_1", {"x": "again"}]], "all done"]


def test_tools_are_called_until_the_model_is_done(client, model):
    del model.asked[:]
    answer = ask(client, CALLS, [mcp()])
    assert len(model.asked) == 3
    assert len(names(model)) == 20 and "many-tool_7" in names(model)
    message = answer.choices[0].message
    assert message.content == "all done" and answer.choices[0].finish_reason == "stop"
    fields = message.model_extra["provider_specific_fields"]
    assert len(fields["mcp_list_tools"]) == 20
    assert [c["function"]["name"] for c in fields["mcp_tool_calls"]] == [
        "many-tool_1", "many-tool_2", "many-tool_1"]
    assert [r["result"] for r in fields["mcp_call_results"]] == [
        "tool_1 one", "tool_2 two", "tool_1 again"]
    told = model.asked[-1]["messages"]
    assert [m["role"] for m in told] == ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert told[2]["content"] == "tool_1 one" and told[2]["tool_call_id"] == "call_0_0"


def test_a_stream_is_one_answer(client, model):
    chunks = list(ask(client, CALLS, [mcp()], stream=True,
                      stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "step0step1alldone"
    assert not any(c.choices and c.choices[0].delta.tool_calls for c in chunks)
    ends = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    assert ends == ["stop"]
    assert sum(c.usage is not None for c in chunks) == 1
    extra = [c.choices[0].delta.model_extra for c in chunks if c.choices]
    fields = [e["provider_specific_fields"] for e in extra if "provider_specific_fields" in e]
    assert len(fields[0]["mcp_list_tools"]) == 20
    assert [r["result"] for r in fields[-1]["mcp_call_results"]] == [
        "tool_1 one", "tool_2 two", "tool_1 again"]


def test_each_round_and_each_call_has_its_books(gateway, client):
    key = gateway.new_key(key_alias="chat-books")
    answer = ask(openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=key).with_raw_response,
                 CALLS, [mcp()])
    assert float(answer.headers["x-litellm-response-cost"]) == pytest.approx(0.06)
    store = next((gateway.folder / "state").glob("*.db"))

    def records():
        with sqlite3.connect(store) as db:
            return [json.loads(detail) for actor, detail in db.execute(
                "SELECT actor, detail FROM audit WHERE action='mcp.call' ORDER BY seq")
                    if actor.startswith("key:")]

    found = wait_until(lambda: len(records()) >= 3 and records())
    assert [(one["server"], one["tool"]) for one in found] == [
        ("many", "tool_1"), ("many", "tool_2"), ("many", "tool_1")]
    rows = wait_until(lambda: len(kept := gateway.call(
        "GET", f"/spend/logs?api_key={key}").json()) >= 6 and kept)
    kinds = [row["call_type"] for row in rows]
    assert kinds.count("acompletion") == 3 and kinds.count("call_mcp_tool") == 3


@pytest.mark.parametrize("stream", [False, True])
def test_own_functions_are_given_back(client, model, stream):
    def calls(turns):
        answer = ask(client, turns, [FUNCTION, mcp()], stream=stream)
        if not stream:
            return [c.function.name for c in answer.choices[0].message.tool_calls]
        found = [c.choices[0].delta.tool_calls for c in answer
                 if c.choices and c.choices[0].delta.tool_calls]
        return [c.function.name for part in found for c in part if c.function.name]

    assert calls([[["own", {}]]]) == ["own"]
    assert names(model)[0] == "own" and len(names(model)) == 21
    del model.asked[:]
    assert calls([[["many-tool_1", {"x": "1"}]], [["own", {}]]]) == ["own"]
    assert len(model.asked) == 2
    assert calls([[["own", {}], ["many-tool_1", {"x": "1"}]]]) == ["own"]  # of a mixed turn


def test_without_never_the_caller_decides(client, model):
    del model.asked[:]
    for approval in ("always", None):
        tool = mcp(require_approval=approval) if approval else mcp()
        if not approval:
            del tool["require_approval"]
        answer = ask(client, CALLS, [tool])
        assert [c.function.name for c in answer.choices[0].message.tool_calls] == [
            "many-tool_1", "many-tool_2"]
    assert len(model.asked) == 2
    some = ask(client, CALLS, [mcp(require_approval={"never": {"tool_names": ["tool_1"]}})])
    assert some.choices[0].finish_reason == "tool_calls"


def test_only_allowed_tools_of_servers_of_the_key(gateway, client, model):
    ask(client, ["hi"], [mcp(allowed_tools=["tool_1", "many-tool_2"])])
    assert names(model) == ["many-tool_1", "many-tool_2"]
    ask(client, ["hi"], [mcp(server_url="litellm_proxy", headers={"x-mcp-servers": "risky"})])
    assert names(model) == ["risky-tool_0"]
    ask(client, ["hi"], [mcp(server_url="litellm_proxy")])
    assert len(names(model)) == 21
    key = gateway.new_key(object_permission={"mcp_tool_permissions": {"many": ["tool_5"]}})
    own = openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=key)
    answer = ask(own, [[["many-tool_6", {}]], "end"], [mcp()])
    assert names(model) == ["many-tool_5"]
    assert answer.choices[0].finish_reason == "tool_calls"  # it is no tool of this chat


def test_what_a_call_is_refused_with_is_told_to_the_model(client, model):
    ask(client, [[["many-tool_3", {"y": 1}]], "sorry"], [mcp()])
    assert "Parameter 'y'" in model.asked[-1]["messages"][-1]["content"]
    ask(client, [[["risky-tool_0", {"x": 1}]], "sorry"], [mcp(server_url="litellm_proxy")])
    assert model.asked[-1]["messages"][-1]["content"].startswith("approval required: ")


def of_key(gateway, **settings):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1",
                         api_key=gateway.new_key(**settings), max_retries=0)


def test_a_chat_has_one_place_and_its_rounds_are_requests(gateway):
    """Three rounds and three tools are six requests, all of them in the chat's own place."""
    client = of_key(gateway, max_parallel_requests=1, rpm_limit=6)
    assert ask(client, CALLS, [mcp()]).choices[0].message.content == "all done"
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client, CALLS, [mcp()])
    assert "Limit type: requests" in str(raised.value)


def test_a_chat_keeps_its_place_until_it_ends(gateway, model):
    client = of_key(gateway, max_parallel_requests=1)
    del model.asked[:]
    model.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        chat = pool.submit(ask, client, CALLS, [mcp()])
        try:
            wait_until(lambda: model.asked)
            with pytest.raises(openai.RateLimitError) as raised:
                ask(client, ["x"], [])
            assert "max_parallel_requests" in str(raised.value)
        finally:
            model.gate.set()
        assert chat.result().choices[0].message.content == "all done"
    model.gate.clear()
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.5), CALLS, [mcp()])  # the client leaves, and the place
    model.gate.set()

    def free():
        try:
            return ask(client, ["x"], [mcp()]).choices[0].message.content == "x"
        except openai.RateLimitError:
            return False
    wait_until(free)


def test_the_deadline_of_a_chat_is_that_of_all_it_asks(client, model):
    del model.asked[:]
    model.gate.clear()
    try:
        with pytest.raises(openai.APIStatusError) as raised:
            ask(client, CALLS, [mcp()], extra_body={"timeout": 0.3})
    finally:
        model.gate.set()
    assert raised.value.status_code == 408 and "time-out" in str(raised.value)
    assert len(model.asked) == 1


def test_what_is_within_says_so_in_the_log(gateway, model):
    answer = ask(of_key(gateway, key_alias="within"), CALLS, [mcp()])

    def lines():
        return [line for line in gateway.log.read_text().splitlines()
                if " call " in line and " key=within " in line]
    wait_until(lambda: len(lines()) == 7)
    outer = [line for line in lines() if " rounds=3 " in line]
    inner = [line for line in lines() if " within=" in line]
    assert len(outer) == 1 and len(inner) == 6 and answer
    name = outer[0].split(" id=")[1].split()[0]
    assert all(f" within={name} " in line for line in inner)


def test_rounds_are_bounded(client, model):
    del model.asked[:]
    answer = ask(client, [[["many-tool_1", {"x": "more"}]]], [mcp()])
    assert len(model.asked) == 4 and answer.choices[0].finish_reason == "tool_calls"


def test_a_refused_round_is_an_error_of_the_chat(gateway):
    with pytest.raises(openai.AuthenticationError):
        ask(openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="sk-none"), ["x"], [mcp()])
    with pytest.raises(openai.APIStatusError) as raised:
        openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=MASTER).chat.completions.create(
            model="nobody", messages=[{"role": "user", "content": "x"}], tools=[mcp()])
    assert "nobody" in str(raised.value)


def test_other_mcp_tools_and_words_are_left_alone(client, model):
    answer = client.chat.completions.create(model="m", messages=[
        {"role": "user", "content": json.dumps(['"litellm_proxy" is a word'])}])
    assert answer.choices[0].message.content == '"litellm_proxy" is a word'
    assert "tools" not in model.asked[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_responses_do_the_same(client, model, stream):
    del model.asked[:]
    answer = client.responses.create(model="m", input=json.dumps(CALLS), tools=[mcp()],
                                     stream=stream)
    if stream:
        events = list(answer)
        assert events[0].type == "response.created" and events[-1].type == "response.completed"
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == \
            "all done"
        answer = events[-1].response
    assert len(model.asked) == 3 and answer.output_text == "all done"
    kinds = [item.type for item in answer.output]
    assert kinds == ["mcp_list_tools", "mcp_call", "mcp_call", "mcp_call", "message"]
    assert len(answer.output[0].tools) == 20 and answer.output[0].server_label == "tools"
    assert [c.output for c in answer.output[1:4]] == ["tool_1 one", "tool_2 two", "tool_1 again"]
