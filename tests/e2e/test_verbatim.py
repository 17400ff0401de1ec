# SPDX-License-Identifier: Apache-2.0
"""What a client sends reaches the upstream byte for byte, except the spans that change,
and so does the answer."""

import json

import pytest

CHAT = "/v1/chat/completions"

# Spelled so that any parse and print would show: spaces, escapes, numbers, order, UTF-8.
ODD = (b'{ "temperature" : 1.10 ,\t"messages":[{"role":"user","content":'
       b'"\\u0041\\/\\ud83d\\ude00 \xe9\x96\xa2\xe9\x96\x80"} ],\r\n "model" : "any/ok-odd" , '
       b'"seed":12345678901234567890123, "logit_bias":{"5":-1.0E+2,"5":0}, "x":[ ],"y":{ },'
       b'"z": null, "top_p":0.30000000000000004 }')


def test_a_body_differs_in_the_model_only(gateway, upstream):
    assert gateway.call("POST", CHAT, ODD).status == 200
    assert upstream.seen()[0].body == ODD.replace(b"any/ok-odd", b"ok-odd")


@pytest.mark.parametrize("name, value", [
    ("metadata", {"tags": ["a"], "deep": {"b": [1, 2]}}), ("tags", ["a", "b"]),
    ("fallbacks", ["chat"]), ("num_retries", 2), ("timeout", 30), ("stream_timeout", 30),
    ("cache", {"no-cache": True}), ("caching", True), ("guardrails", []),
    ("litellm_metadata", {"a": "b"}), ("litellm_session_id", "s"), ("litellm_trace_id", "t"),
    ("no-log", True), ("disable_fallbacks", True), ("drop_params", True),
    ("allowed_openai_params", ["user"]), ("context_window_fallback_dict", {"a": "b"})])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_member_for_the_gateway_is_cut_and_nothing_else(gateway, upstream, name, value, place):
    mine = f'"{name}" : {json.dumps(value)}'.encode()
    rest = [b'"messages" : [{"role":"user","content":"hi"}]', b'"n":  1']
    model = b'"model":"any/ok-cut"'
    order = {"first": [mine, model, *rest], "middle": [model, rest[0], mine, rest[1]],
             "last": [model, *rest, mine]}[place]
    assert gateway.call("POST", CHAT, b"{" + b", ".join(order) + b"}").status == 200
    got = upstream.seen()[0].body
    assert name not in json.loads(got)
    assert json.loads(got) == {"messages": [{"role": "user", "content": "hi"}], "n": 1,
                               "model": "ok-cut"}
    for fragment in rest:
        assert fragment in got, got


def test_vendor_members_reach_the_upstream(gateway, upstream):
    answer = gateway.chat("any/ok-vendor", chat_template_kwargs={"thinking": False}, top_k=4,
                          store=True)
    assert answer.status == 200
    got = upstream.seen()[0].json()
    assert got["chat_template_kwargs"] == {"thinking": False} and got["top_k"] == 4
    assert got["store"] is True


def test_an_answer_differs_in_the_model_only(gateway, upstream):
    answer = gateway.chat("any/ok-answer")
    sent = upstream.seen()[0].sent
    assert sent and answer.body == sent.replace(b'"model": "ok-answer"', b'"model": "any/ok-answer"')


def test_a_stream_that_asked_for_usage_is_relayed_byte_for_byte(gateway, upstream):
    answer = gateway.chat("any/ok-stream", stream=True, stream_options={"include_usage": True})
    sent = upstream.seen()[0].sent
    assert sent and answer.body == sent.replace(b'"model": "ok-stream"',
                                                b'"model": "any/ok-stream"')


def test_include_usage_is_added_and_nothing_else_changes(gateway, upstream):
    body = ODD.replace(b'"z": null', b'"stream" : true')
    assert gateway.call("POST", CHAT, body).status == 200
    got = upstream.seen()[0].body
    assert json.loads(got)["stream_options"] == {"include_usage": True}
    plain = json.loads(got)
    del plain["stream_options"]
    assert plain == json.loads(body.replace(b"any/ok-odd", b"ok-odd"))
    assert got.startswith(b'{ "temperature" : 1.10 ,\t"messages"') or got[1:].lstrip().startswith(
        b'"stream_options"'), got
    assert b'"seed":12345678901234567890123, "logit_bias":{"5":-1.0E+2,"5":0}, "x":[ ]' in got


@pytest.mark.parametrize("options, merged", [
    ('{}', {"include_usage": True}),
    ('{ "include_obfuscation":false }', {"include_obfuscation": False, "include_usage": True}),
    ('{"include_usage":false,"a":[1]}', {"include_usage": True, "a": [1]}),
    ('{"include_usage" : true}', {"include_usage": True}),
    ('null', {"include_usage": True})])
def test_include_usage_is_merged_into_what_the_client_gave(gateway, upstream, options, merged):
    body = ('{"model":"any/ok-merge","stream":true,"stream_options":%s,'
            '"messages":[{"role":"user","content":"hi"}]}' % options).encode()
    answer = gateway.call("POST", CHAT, body)
    assert answer.status == 200, answer
    assert upstream.seen()[0].json()["stream_options"] == merged


def test_the_clients_headers_stay_here_unless_they_are_the_upstreams(gateway, upstream):
    gateway.chat("chat", headers={"cookie": "a=b", "x-forwarded-for": "1.2.3.4",
                                  "x-litellm-tags": "t", "proxy-authorization": "Basic eA=="})
    names = {k.lower() for k, _ in upstream.seen()[0].headers}
    assert not names & {"cookie", "x-litellm-tags", "proxy-authorization"}, names
    assert upstream.seen()[0].header("authorization") == "Bearer sk-upstream"
