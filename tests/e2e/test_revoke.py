# SPDX-License-Identifier: Apache-2.0
"""A key that is blocked or deleted takes along what runs by it: streams end, and are settled."""

import http.client
import json

import pytest

from gateway import Gateway, patient, wait_until

CONFIG = """
model_list:
  - model_name: any/*
    litellm_params: {{model: openai/*, api_base: "{up}/v1", api_key: sk-upstream, use_in_pass_through: true,
                      input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
general_settings:
  master_key: sk-e2e-master
  pass_through_endpoints:
    - {{path: /pt, target: "{up}/v1/chat/completions"}}
kanmon_settings: {{state_dir: "{state}", workers: 2}}
"""

FOREVER = {"messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.fixture(scope="module")
def gateway(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("revoke")
    with Gateway(folder, CONFIG.format(up=session_upstream.url, state=folder / "state")) as it:
        yield it


ROUTES = {
    "chat": ("/v1/chat/completions", "any/stream-forever", b"data: {\"error\""),
    "messages": ("/v1/messages", "any/stream-forever", b"event: error"),
    "responses": ("/v1/responses", "any/stream-forever", b"error"),
    "gemini": ("/v1beta/models/any%2Fstream-forever:streamGenerateContent?alt=sse", None, b"\"error\""),
    "prefix": ("/openai/v1/chat/completions", "stream-forever", b"data: {\"error\""),
    "pass": ("/pt", "stream-forever", b""),
}


class Stream:
    """An endless answer that has begun."""

    def __init__(self, gateway, key, route):
        path, model, _ = ROUTES[route]
        body = {"model": model, **FOREVER, "max_tokens": 1000}
        if route == "gemini":
            body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        elif route == "responses":
            body = {"model": model, "input": "hi", "stream": True}
        self.link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=patient(60))
        self.link.request("POST", path, json.dumps(body), {
            "authorization": f"Bearer {key}", "content-type": "application/json"})
        self.answer = self.link.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.got = self.answer.read1(65536)
        assert self.got

    def rest(self):
        """All until its end, which is a broken one; the upstream's would never come."""
        try:
            while piece := self.answer.read1(65536):
                self.got += piece
        except (http.client.HTTPException, OSError):
            pass
        self.link.close()
        return self.got


def end(gateway, how, key):
    answer = gateway.call("POST", f"/key/{how}", {"keys": [key]} if how == "delete" else {"key": key})
    assert answer.status == 200, answer


@pytest.mark.parametrize("how", ["block", "delete"])
@pytest.mark.parametrize("route", ROUTES)
def test_streams_of_a_key_end_with_it(gateway, upstream, route, how):
    key, other = gateway.new_key(), gateway.new_key()
    mine = [Stream(gateway, key, route) for _ in range(3)]
    theirs = Stream(gateway, other, route)
    end(gateway, how, key)
    for stream in mine:
        said = stream.rest()
        assert ROUTES[route][2] in said[-3000:], said[-500:]
        if route in ("chat", "messages", "prefix"):
            assert b"Key is blocked" in said if how == "block" else b"was deleted" in said
        assert b"[DONE]" not in said
    assert theirs.answer.read1(65536), "the stream of another key ended"
    theirs.link.close()
    gone = [r for r in upstream.seen() if r.outcome == "gone"]
    wait_until(lambda: len([r for r in upstream.seen() if r.outcome == "gone"]) >= 3, 30,
               f"the upstream to hear of it: {gone}")


def test_what_was_heard_is_settled(gateway, upstream):
    key = gateway.new_key()
    stream = Stream(gateway, key, "chat")
    end(gateway, "block", key)
    stream.rest()
    row, = wait_until(lambda: [r for r in gateway.spend_logs() if key not in r and
                               r.get("api_key") == gateway.key_info(key)["token"]] if
                      "token" in gateway.key_info(key) else gateway.spend_logs()[-1:], 20)
    assert row["spend"] > 0 and row["completion_tokens"] > 0, row


def test_a_key_that_expires_ends_its_streams(gateway, upstream):
    key = gateway.new_key(duration="3s")
    assert b"Expired Key" in Stream(gateway, key, "chat").rest()


def test_a_regenerated_key_keeps_its_streams(gateway, upstream):
    key = gateway.new_key()
    stream = Stream(gateway, key, "chat")
    answer = gateway.call("POST", f"/key/{key}/regenerate", {})
    assert answer.status == 200, answer
    fresh = answer.json()["key"]
    witness = gateway.new_key()
    ended = Stream(gateway, witness, "chat")
    end(gateway, "delete", witness)
    ended.rest()  # every worker that runs one has looked by now, or will
    assert stream.answer.read1(65536)
    end(gateway, "delete", fresh)
    assert b"was deleted" in stream.rest()
