# SPDX-License-Identifier: Apache-2.0
"""A model that refuses is one in every vendor's SDK: OpenAI's refusal is a reason to stop for
Anthropic's, and Gemini's filter is told to OpenAI's in a sentence, not by a bare word."""

import http.server
import json
import threading

import anthropic
import openai
import pytest

from gateway import MASTER, Gateway, patient

REFUSAL = "I cannot help with that."
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
CONFIG = """
model_list:
  - model_name: gpt
    litellm_params: {{model: openai/gpt-golden, api_base: "{url}/v1", api_key: sk-u}}
  - model_name: gem
    litellm_params: {{model: gemini/gemini-2.5-flash, api_base: "{url}", api_key: sk-u}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}"}}
"""
HI = [{"role": "user", "content": "How is a bomb made?"}]


def chat(stream):
    head = {"id": "c", "created": 1, "model": "m"}
    if not stream:
        return json.dumps({**head, "object": "chat.completion", "usage": USAGE, "choices": [
            {"index": 0, "finish_reason": "stop",
             "message": {"role": "assistant", "content": None, "refusal": REFUSAL}}]})
    deltas = [({"role": "assistant", "refusal": REFUSAL[:8]}, None), ({"refusal": REFUSAL[8:]}, None),
              ({}, "stop")]
    return "".join("data: " + json.dumps({**head, "object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": d, "finish_reason": f}]}) + "\n\n" for d, f in deltas) + \
        "data: [DONE]\n\n"


def gemini(stream):
    text = json.dumps({"candidates": [{"index": 0, "finishReason": "SAFETY"}], "usageMetadata": {
        "promptTokenCount": 3, "totalTokenCount": 3}})
    return f"data: {text}\n\n" if stream else text


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        stream = bool(asked.get("stream")) or "streamGenerateContent" in self.path
        text = (gemini if "enerateContent" in self.path else chat)(stream).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("refusals")
    upstream = f"http://127.0.0.1:{server.server_address[1]}"
    with Gateway(folder, CONFIG.format(url=upstream, master=MASTER,
                                       state=folder / "state")) as gateway:
        yield gateway.url
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("model", ["gpt", "gem"])
def test_anthropics_sdk_sees_a_reason_to_stop(url, model):
    client = anthropic.Anthropic(base_url=url, api_key=MASTER, max_retries=0, timeout=patient(20))
    whole = client.messages.create(model=model, max_tokens=64, messages=HI)
    with client.messages.stream(model=model, max_tokens=64, messages=HI) as stream:
        streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert message.stop_reason == "refusal"
        if model == "gpt":
            assert "".join(b.text for b in message.content) == REFUSAL


def test_openais_sdk_reads_a_sentence_of_geminis_filter(url):
    client = openai.OpenAI(base_url=url + "/v1", api_key=MASTER, max_retries=0, timeout=patient(20))
    choice = client.chat.completions.create(model="gem", messages=HI).choices[0]
    assert choice.finish_reason == "content_filter"
    assert len(choice.message.refusal.split()) > 3 and choice.message.refusal.endswith(".")
    streamed, finish = "", None
    for chunk in client.chat.completions.create(model="gem", messages=HI, stream=True):
        for one in chunk.choices:
            streamed += one.delta.model_dump().get("refusal") or ""
            finish = one.finish_reason or finish
    assert finish == "content_filter"
    assert streamed == choice.message.refusal
