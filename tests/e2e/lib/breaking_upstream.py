# SPDX-License-Identifier: Apache-2.0
"""A model that always gives the same answer, and breaks in the middle of it when its name says so.

    {mode}-{k}...     after k events of its stream: reset (RST), close (the connection, in the
                      middle of the transfer), half (likewise, in the middle of an event), end (the
                      body ends as it should), silence, error (an error event)
    status-{n}...     answers that status
    any other name    answers well

It speaks chat completions, Messages, Responses, Converse and generateContent.  An answer that was
begun, as the last message or before the user's last one, is gone on with: what stands there is left
out of the text, and has to be its beginning.
"""

import http.server
import json
import socket
import struct
import threading
import urllib.parse

from bedrock_upstream import frame

WORDS = ["The ", "sky ", "is ", "blue,\n\n", "the \u2603 ", "is ", "patience ", "\U0001f600", "."]
TEXT = "".join(WORDS)
CREATED = 1700000000


class Wrong(Exception):
    pass


def said_so_far(turns, instruct):
    """What the assistant has of its answer; turns: [(role, text)]."""
    if turns and turns[-1][0] == "assistant":
        text, how = turns[-1][1], "prefill"
    elif len(turns) > 1 and turns[-2][0] == "assistant" and "Continue" in turns[-1][1]:
        text, how = turns[-2][1], "asked"
    else:
        return "", "again"
    if not TEXT.startswith(text):
        raise Wrong(f"begun with {text!r}")
    if how == "prefill" and text != text.rstrip():
        raise Wrong("final assistant content cannot end with trailing whitespace")
    instruct.append(how)
    return text, how


def rest_words(begun):
    """The pieces behind what was begun, cut as they are."""
    at, rest = 0, []
    for word in WORDS:
        piece = word[max(0, len(begun) - at):]
        at += len(word)
        if piece:
            rest.append(piece)
    return rest


def flat(content):
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def sse(data, name=None):
    text = f"event: {name}\n" if name else ""
    return f"{text}data: {json.dumps(data) if not isinstance(data, str) else data}\n\n".encode()


def usage_of(body, words):
    return len(json.dumps(body)) // 4, len(words)


def chat(body, words, model):
    went_in, came_out = usage_of(body, words)
    head = {"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": CREATED,
            "model": body["model"]}

    def chunk(delta, end=None):
        return sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})

    special = {"tool": {"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                                        "function": {"name": "f", "arguments": "{"}}]},
               "think": {"reasoning_content": "hm"}, "refuse": {"refusal": "no"}}
    extra = [chunk(delta) for name, delta in special.items() if name in model]
    events = [chunk({"role": "assistant", "content": ""}), *extra,
              *[chunk({"content": word}) for word in words], chunk({}, "stop")]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(sse({**head, "choices": [], "usage": {
            "prompt_tokens": went_in, "completion_tokens": came_out,
            "total_tokens": went_in + came_out}}))
    return [*events, sse("[DONE]")], sse({"error": {"message": "broke down", "type": "server_error"}})


def messages(body, words, model):
    went_in, came_out = usage_of(body, words)
    thought = [("content_block_start", {"index": 0, "content_block": {
        "type": "thinking", "thinking": "", "signature": ""}}),
        ("content_block_delta", {"index": 0, "delta": {
            "type": "thinking_delta", "thinking": "hm"}}),
        ("content_block_stop", {"index": 0})] if "think" in model else []
    index = 1 if thought else 0
    events = [("message_start", {"message": {
        "id": "msg_up", "type": "message", "role": "assistant", "model": body.get("model", "m"),
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": went_in, "output_tokens": 1}}}),
        *thought,
        ("content_block_start", {"index": index, "content_block": {"type": "text", "text": ""}}),
        ("ping", {}),
        *[("content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": word}})
          for word in words],
        ("content_block_stop", {"index": index}),
        ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None},
                           "usage": {"output_tokens": came_out}}),
        ("message_stop", {})]
    return [sse({"type": name, **data}, name) for name, data in events], sse(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")


def responses(body, words, model):
    went_in, came_out = usage_of(body, words)
    text = "".join(words)

    def response(status, output, usage):
        return {"id": "resp_up", "object": "response", "created_at": CREATED, "status": status,
                "model": body["model"], "output": output, "parallel_tool_calls": True, "tools": [],
                "tool_choice": "auto", "error": None, "incomplete_details": None, "usage": usage}

    def item(status, content):
        return {"id": "msg_upitem", "type": "message", "status": status, "role": "assistant",
                "content": content}

    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    place = {"item_id": "msg_upitem", "output_index": 0, "content_index": 0}
    events = [
        ("created", {"response": response("in_progress", [], None)}),
        ("in_progress", {"response": response("in_progress", [], None)}),
        ("output_item.added", {"output_index": 0, "item": item("in_progress", [])}),
        ("content_part.added", {**place, "part": {**part, "text": ""}}),
        *[("output_text.delta", {**place, "delta": word, "logprobs": []}) for word in words],
        ("output_text.done", {**place, "text": text, "logprobs": []}),
        ("content_part.done", {**place, "part": part}),
        ("output_item.done", {"output_index": 0, "item": item("completed", [part])}),
        ("completed", {"response": response("completed", [item("completed", [part])], {
            "input_tokens": went_in, "output_tokens": came_out, "total_tokens": went_in + came_out,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0}})})]
    failed = {**response("failed", [], None), "error": {"code": "server_error", "message": "broke"}}
    return [sse({"type": f"response.{name}", "sequence_number": n, **data}, f"response.{name}")
            for n, (name, data) in enumerate(events)], sse(
        {"type": "response.failed", "sequence_number": 99, "response": failed}, "response.failed")


def converse(body, words, model):
    went_in, came_out = usage_of(body, words)
    events = [("messageStart", {"role": "assistant"}),
              *[("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}})
                for word in words],
              ("contentBlockStop", {"contentBlockIndex": 0}),
              ("messageStop", {"stopReason": "end_turn"}),
              ("metadata", {"usage": {"inputTokens": went_in, "outputTokens": came_out,
                                      "totalTokens": went_in + came_out}, "metrics": {}})]
    return [frame("event", name, data) for name, data in events], frame(
        "exception", "modelStreamErrorException", {"message": "broke down"})


def gemini(body, words, model):
    went_in, came_out = usage_of(body, words)
    counts = {"promptTokenCount": went_in, "candidatesTokenCount": came_out,
              "totalTokenCount": went_in + came_out}

    def piece(text, **more):
        return sse({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]},
                                    "index": 0, **more}], "modelVersion": model,
                    "responseId": "gem-up", "usageMetadata": counts})

    return [*[piece(word) for word in words[:-1]],
            *[piece(word, finishReason="STOP") for word in words[-1:]]], sse(
        {"error": {"code": 503, "message": "broke down", "status": "UNAVAILABLE"}})


def turns_of(path, body):
    if path.endswith("/responses"):
        said = body["input"]
        said = [{"role": "user", "content": said}] if isinstance(said, str) else said
        return [(m["role"], flat(m["content"])) for m in said]
    if "contents" in body:
        return [("assistant" if c["role"] == "model" else "user", flat(c["parts"]))
                for c in body["contents"]]
    return [(m["role"], flat(m["content"])) for m in body["messages"]]


def writer_of(path):
    if path.endswith("/chat/completions"):
        return chat, "text/event-stream"
    if path.endswith("/messages"):
        return messages, "text/event-stream"
    if path.endswith("/responses"):
        return responses, "text/event-stream"
    if path.endswith("/converse-stream"):
        return converse, "application/vnd.amazon.eventstream"
    return gemini, "text/event-stream"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def model_of(self, path, body):
        if "/model/" in path:
            return urllib.parse.unquote(path.split("/")[2])
        if "/models/" in path:
            return path.split("/models/")[1].split(":")[0]
        return body["model"]

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.partition("?")[0]
        model = self.model_of(path, body)
        record = {"model": model, "path": path, "body": body, "how": "again"}
        self.server.seen.append(record)
        how = []
        try:
            begun, record["how"] = said_so_far(turns_of(path, body), how)
        except Wrong as wrong:
            return self.refuse(400, str(wrong))
        mode, _, count = model.partition("-")
        if mode == "status":
            return self.refuse(int(count.split("-")[0]), "not now")
        write, kind = writer_of(path)
        events, error = write(body, rest_words(begun), model)
        record["events"] = len(events)
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if mode in MODES and int(count.split("-")[0]) < len(events):
            return self.break_after(events, int(count.split("-")[0]), mode, error)
        for event in events:
            self.piece(event)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def refuse(self, status, why):
        data = json.dumps({"error": {"message": why, "type": "api_error"}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def break_after(self, events, count, mode, error):
        for event in events[:count]:
            self.piece(event)
        if mode == "half":
            self.piece(events[count][:len(events[count]) // 2])
        if mode == "error":
            self.piece(error)
        if mode in ("error", "end"):
            self.wfile.write(b"0\r\n\r\n")
            return
        if mode == "silence":
            self.server.stopping.wait()
        if mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


MODES = ("reset", "close", "half", "end", "silence", "error")


class BreakingUpstream(http.server.ThreadingHTTPServer):
    """with BreakingUpstream() as up: up.url, up.seen"""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen = []
        self.stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass

    def __exit__(self, *_):
        self.stopping.set()
        self.shutdown()
        self.server_close()
