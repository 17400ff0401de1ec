# SPDX-License-Identifier: Apache-2.0
"""The vendors' SDKs read streams that the gateway ended early, after each of their events: none
raises, and each tells its program that the output came to its bound.

What they read is tests/data/streams: the stream up to the event, and what tests/unit/llm/test_cut.c
had the gateway say there; and streams that were translated, whole.
"""

import http.server
import json
import pathlib
import threading

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "streams"


def cuts(name):
    """What a client has of the stream, cut before its first event, after it, after the next..."""
    text = (DATA / f"{name}.sse").read_bytes().decode()
    eol = "\r\n\r\n" if "\r\n" in text else "\n\n"
    events = [event + eol for event in text.split(eol)[:-1]]
    ends = [json.loads(line) for line in (DATA / f"{name}.ends").read_text().splitlines()]
    if "[DONE]" in events[-1]:
        events.pop()
    return ["".join(events[:n]) + end for n, end in enumerate(ends) if n <= len(events)]


def translated(dialect):
    return [json.loads(line) for line in (DATA / f"to_{dialect}.cuts").read_text().splitlines()]


def each(texts):
    return pytest.mark.parametrize("text", texts, ids=[str(n) for n in range(len(texts))])


class Canned(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = self.server.text.encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    canned = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    thread = threading.Thread(target=canned.serve_forever)
    thread.start()
    canned.url = f"http://127.0.0.1:{canned.server_port}"
    yield canned
    canned.shutdown()
    thread.join()
    canned.server_close()


def openai_of(server):
    return openai.OpenAI(base_url=server.url, api_key="sk", max_retries=0)


ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


# The upstream had said itself why it ended, when it was cut behind that.
def was_over(text, mark):
    return text.count(mark) > 0


@each(cuts("chat") + cuts("chat_two") + translated("chat"))
def test_chat_completions(server, text):
    server.text = text
    chunks = list(openai_of(server).chat.completions.create(
        **ASKED, stream=True, stream_options={"include_usage": True}))
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices
               if choice.finish_reason]
    indexes = {choice.index for chunk in chunks for choice in chunk.choices}
    assert len(reasons) == max(len(indexes), 1)
    assert "length" in reasons or was_over(text, '"finish_reason":"tool_calls"') or \
        was_over(text, '"finish_reason":"stop"')
    assert chunks[-1].usage.completion_tokens > 0


@each(cuts("chat") + cuts("chat_two") + translated("chat"))
def test_chat_completions_gathered(server, text):
    server.text = text
    with openai_of(server).chat.completions.stream(
            **ASKED, stream_options={"include_usage": True}) as stream:
        stream.until_done()
        try:
            answer = stream.get_final_completion()
        except openai.LengthFinishReasonError as cut:  # so it calls every answer of that length
            answer = cut.completion
    assert all(choice.finish_reason for choice in answer.choices)
    assert answer.usage.completion_tokens > 0


@each(cuts("completion"))
def test_completions(server, text):
    server.text = text
    chunks = list(openai_of(server).completions.create(model="m", prompt="hi", stream=True))
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices
               if choice.finish_reason]
    assert reasons == ["stop" if was_over(text, '"stop"') else "length"]


@each(cuts("responses") + cuts("responses_beside") + translated("responses"))
def test_responses(server, text):
    server.text = text
    with openai_of(server).responses.stream(model="m", input="hi") as stream:
        events = list(stream)
    if was_over(text, '"type":"response.completed"'):
        assert events[-1].type == "response.completed"
        return
    answer = events[-1].response
    assert events[-1].type == "response.incomplete"
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 7
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in answer.output] == [item.id for item in done]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert answer.output_text == text
    assert [event.sequence_number for event in events] == list(range(len(events)))


@each(cuts("messages") + translated("messages"))
def test_messages(server, text):
    server.text = text
    client = anthropic.Anthropic(base_url=server.url, api_key="sk", max_retries=0)
    with client.messages.stream(**ASKED, max_tokens=99) as stream:
        events = list(stream)
        answer = stream.get_final_message()
    assert events[-1].type == "message_stop"
    assert answer.stop_reason == ("tool_use" if was_over(text, '"stop_reason":"tool_use"')
                                  else "max_tokens")
    assert answer.usage.output_tokens > 0
    starts = sum(event.type == "content_block_start" for event in events)
    assert starts == sum(event.type == "content_block_stop" for event in events)


@each(cuts("gemini") + cuts("gemini_two") + translated("gemini"))
def test_gemini(server, text):
    server.text = text
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url))
    chunks = list(client.models.generate_content_stream(model="m", contents="hi"))
    reasons = {candidate.index or 0: candidate.finish_reason for chunk in chunks
               for candidate in chunk.candidates or [] if candidate.finish_reason}
    indexes = {candidate.index or 0 for chunk in chunks for candidate in chunk.candidates or []}
    assert set(reasons) == indexes and indexes
    assert types.FinishReason.MAX_TOKENS in reasons.values() or was_over(text, '"STOP"')
    assert chunks[-1].usage_metadata.total_token_count > 0


# Without alt=sse the chunks are one array.
def test_gemini_as_an_array():
    whole = [json.loads(line[6:]) for line in
             (DATA / "gemini.sse").read_text().splitlines() if line.startswith("data: ")]
    for n, line in enumerate((DATA / "gemini_array.ends").read_text().splitlines()):
        before = "[" + ",\r\n".join(json.dumps(one) for one in whole[:n]) if n else ""
        answer = json.loads(before + json.loads(line))
        assert answer[-1]["candidates"][0]["finishReason"] in ("MAX_TOKENS", "STOP")
