# SPDX-License-Identifier: Apache-2.0
"""extra_body beside what a request is translated to: no member of a body stands there twice."""

import http.server
import json
import threading

import pytest

from test_params import config

GEMINI = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]},
                          "finishReason": "STOP", "index": 0}],
          "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}
CONVERSE = {"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
            "stopReason": "end_turn", "metrics": {"latencyMs": 1},
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
MESSAGES = {"id": "m", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1}}


def once(pairs):
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.seen.append(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps(CONVERSE if self.path.endswith("/converse") else
                            MESSAGES if self.path.endswith("/messages") else GEMINI).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def vendor():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.seen = True, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def sent(gateway, vendor, path, body):
    answer = gateway.call("POST", path, body)
    assert answer.status == 200, answer
    return json.loads(vendor.seen[-1], object_pairs_hook=once)


CHAT = {"model": "m", "messages": [{"role": "system", "content": "s"},
                                   {"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("spelling", ["generationConfig", "generation_config"])
def test_gemini(new_gateway, vendor, tmp_path, spelling):
    extra = {spelling: {"temperature": 0.9, "thinkingConfig": {"thinkingBudget": 0}},
             "contents": "none", "system_instruction": "none", "labels": {"a": "b"}}
    gateway = new_gateway(config=config(tmp_path / "s", ("m", {
        "model": "gemini/gemini-2.5-flash", "api_key": "k", "api_base": vendor.url,
        "temperature": 0.3, "extra_body": extra})))
    got = sent(gateway, vendor, "/v1/chat/completions", CHAT)
    assert got["generationConfig"] == {"temperature": 0.3, "thinkingConfig": {"thinkingBudget": 0}}
    assert set(got) == {"contents", "systemInstruction", "generationConfig", "labels"}
    assert isinstance(got["contents"], list) and isinstance(got["systemInstruction"], dict)
    for own in ({}, {"generationConfig": {"topK": 3}}, {"generation_config": {"topK": 3}}):
        body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **own}
        got = sent(gateway, vendor, "/v1beta/models/m:generateContent", body)
        made, = [v for k, v in got.items() if k.startswith("generation")]
        assert made == {"temperature": 0.3, "thinkingConfig": {"thinkingBudget": 0},
                        **({"topK": 3} if own else {})}


def test_converse(new_gateway, vendor, tmp_path):
    gateway = new_gateway(config=config(tmp_path / "s", ("m", {
        "model": "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", "temperature": 0.3,
        "aws_access_key_id": "AKIA", "aws_secret_access_key": "s", "aws_region_name": "us-east-1",
        "aws_bedrock_runtime_endpoint": vendor.url,
        "extra_body": {"inferenceConfig": {"topP": 0.5, "temperature": 1}, "system": [],
                       "performanceConfig": {"latency": "optimized"}, "own": 1}})))
    got = sent(gateway, vendor, "/v1/chat/completions", CHAT)
    assert got["inferenceConfig"] == {"temperature": 0.3, "topP": 0.5}
    assert got["system"] == [{"text": "s"}] and got["performanceConfig"] == {"latency": "optimized"}
    assert got["additionalModelRequestFields"] == {"own": 1}


def test_messages(new_gateway, vendor, tmp_path):
    gateway = new_gateway(config=config(tmp_path / "s", ("m", {
        "model": "anthropic/claude-sonnet-4-5", "api_key": "k", "api_base": vendor.url,
        "extra_body": {"system": "another", "tools": [], "own": 1}})))
    got = sent(gateway, vendor, "/v1/chat/completions", CHAT)
    assert "another" not in json.dumps(got) and got["own"] == 1
