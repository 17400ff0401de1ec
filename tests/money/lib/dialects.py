# SPDX-License-Identifier: Apache-2.0
"""How the truthful vendor writes an answer, by the API it is asked in.

A row of DIALECTS is an API of an upstream: which paths are it, the names its report of usage has,
and `write(plan, entry)`, which makes the pieces of an answer: (bytes, tokens written up to here,
is this the report of usage?).  The end of the last piece is the end of the answer.
"""

import base64
import json
import re
import struct
import zlib

WORDS = ("time year people way day man thing woman life child world school state family student "
         "group country problem hand part place case week company system program question work "
         "government number night point home water room mother area money story fact month").split()
SSE = "text/event-stream"
JSON = "application/json"


def text_of(count):
    """So many tokens of text: a word each."""
    return [" " + WORDS[i * 7 % len(WORDS)] for i in range(count)]


def frame(name, payload):
    """A message of Bedrock's event stream; the payload is JSON text, which no serializer made."""
    headers = b"".join(
        struct.pack("!B", len(key)) + key + b"\x07" + struct.pack("!H", len(value)) + value
        for key, value in ((b":message-type", b"event"), (b":event-type", name.encode()),
                           (b":content-type", b"application/json")))
    body = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


class Report:
    """What is said of usage: true, or what the plan says instead; raw JSON texts."""

    def __init__(self, plan, came, went):
        self.absent = plan.reports == "absent"
        given = plan.reports if isinstance(plan.reports, tuple) else (None, None)
        self.came = str(plan.prompt) if given[0] is None else given[0]
        self.went = str(plan.words) if given[1] is None else given[1]
        self.null = plan.reports == "null"
        self.names = came, went

    def json(self, *more):
        if self.null:
            return "null"
        members = [f'"{name}":{value}' for name, value in zip(self.names, (self.came, self.went))
                   if value != "left out"]
        return "{" + ",".join([*members, *more]) + "}"

    def member(self, name="usage", *more):
        return "" if self.absent else f',"{name}":{self.json(*more)}'


def data(text):
    return f"data: {text}\n\n".encode()


def named(event):
    return f"event: {json.loads(event)['type']}\ndata: {event}\n\n".encode()


# --- OpenAI ---

def chat(plan, entry):
    report = Report(plan, "prompt_tokens", "completion_tokens")
    body = entry.json()
    n = max(1, int(body.get("n") or 1))
    more = () if plan.usage_more is None else (plan.usage_more,)
    calls = plan.tool_call if not any(m.get("role") == "tool" for m in body["messages"]) else None
    if not entry.stream:
        message = {"role": "assistant", "content": "".join(text_of(plan.words))}
        if calls:
            message = {"role": "assistant", "content": None, "tool_calls": [calls]}
        end = "tool_calls" if calls else "stop"
        choices = [{"index": i, "message": message, "finish_reason": end} for i in range(n)]
        return JSON, [(('{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":%s%s}'
                        % (json.dumps(choices), report.member("usage", *more))).encode(), plan.words)]
    head = '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    if calls:
        pieces = [(data(head + json.dumps([{"index": 0, "finish_reason": None, "delta": {
            "role": "assistant", "tool_calls": [{**calls, "index": 0}]}}]) + "}"), plan.words)]
    else:
        pieces = [(data(head + '[{"index":0,"delta":{"role":"assistant","content":"%s"},'
                        '"finish_reason":null}]}' % word), i + 1)
                  for i, word in enumerate(text_of(plan.words))]
    pieces.append((data(head + '[{"index":0,"delta":{},"finish_reason":"%s"}]}'
                        % ("tool_calls" if calls else "stop")), plan.words))
    if plan.unasked or (body.get("stream_options") or {}).get("include_usage"):
        pieces.append((data(head + "[]" + report.member("usage", *more) + "}"), plan.words))
    else:
        entry.reports = False
    return SSE, [*pieces, (data("[DONE]"), plan.words)]


def completions(plan, entry):
    report = Report(plan, "prompt_tokens", "completion_tokens")
    head = '{"id":"t1","object":"text_completion","created":1,"model":"m","choices":'
    one = '[{"index":0,"text":"%s","finish_reason":%s}]'
    words = text_of(plan.words)
    if not entry.stream:
        return JSON, [((head + one % ("".join(words), '"stop"') + report.member() + "}").encode(),
                       plan.words)]
    pieces = [(data(head + one % (word, "null") + "}"), i + 1) for i, word in enumerate(words)]
    pieces.append((data(head + one % ("", '"stop"') + "}"), plan.words))
    if (entry.json().get("stream_options") or {}).get("include_usage"):
        pieces.append((data(head + "[]" + report.member() + "}"), plan.words))
    else:
        entry.reports = False
    return SSE, [*pieces, (data("[DONE]"), plan.words)]


def responses(plan, entry):
    report = Report(plan, "input_tokens", "output_tokens")
    words = text_of(plan.words)
    queued = entry.json().get("background")
    done = ('{"id":"resp_%s","object":"response","created_at":1,"status":"%s","model":"m",'
            '"output":[%s{"type":"message","id":"m1","role":"assistant","status":"completed",'
            '"content":[{"type":"output_text","text":"%s","annotations":[]}]}]%s}'
            % (entry.id, "queued" if queued else "completed", "".join(f"{i}," for i in plan.items),
               "" if queued else "".join(words),
               ',"usage":null' if queued else report.member()))
    if not entry.stream:
        return JSON, [(done.encode(), plan.words)]
    item = '"item_id":"m1","output_index":0,"content_index":0,'
    pieces = [(named('{"type":"response.created","response":{"id":"resp_%s","object":"response",'
                     '"created_at":1,"status":"in_progress","model":"m","output":[]}}' % entry.id), 0)]
    pieces += [(named('{"type":"response.output_text.delta",%s"delta":"%s"}' % (item, word)), i + 1)
               for i, word in enumerate(words)]
    return SSE, [*pieces, (named('{"type":"response.completed","response":%s}' % done), plan.words)]


def embeddings(plan, entry):
    report = Report(plan, "prompt_tokens", "total_tokens")
    if not isinstance(plan.reports, tuple):
        report.went = report.came
    many = entry.json().get("input")
    vectors = [{"object": "embedding", "index": i, "embedding": [0.5, -0.25]}
               for i in range(len(many) if isinstance(many, list) else 1)]
    return JSON, [(('{"object":"list","model":"m","data":%s%s}'
                    % (json.dumps(vectors), report.member())).encode(), 0)]


def rerank(plan, entry):
    """Cohere's: its units are what costs; a plan may say others."""
    units = f'"search_units":{plan.usage_more or -(-len(entry.json()["documents"]) // 100)}'
    billed = "" if plan.reports == "absent" else f',"meta":{{"billed_units":{{{units}}}}}'
    return JSON, [(('{"id":"r1","results":[{"index":0,"relevance_score":0.5}]%s}' % billed).encode(), 0)]


def images(plan, entry):
    report = Report(plan, "input_tokens", "output_tokens")
    total = f'"total_tokens":{plan.prompt + plan.words}'
    return JSON, [(('{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]%s}'
                    % report.member("usage", total)).encode(), plan.words)]


def speech(plan, entry):
    """Bytes of sound; nobody counts, the characters are what costs."""
    entry.reports = False
    return "audio/mpeg", [(b"\xff\xf3" + bytes(510), plan.words)] * 4


def transcription(plan, entry):
    report = Report(plan, "input_tokens", "output_tokens")
    more = ('"type":"tokens"', '"total_tokens":%d' % (plan.prompt + plan.words))
    text = "".join(text_of(plan.words))
    if plan.usage_more:  # seconds
        said = '{"text":"%s","usage":{"type":"duration","seconds":%s}}' % (text, plan.usage_more)
        return JSON, [(said.encode(), plan.words)]
    return JSON, [(('{"text":"%s"%s}' % (text, report.member("usage", *more))).encode(), plan.words)]


# --- others ---

def messages(plan, entry):
    report = Report(plan, "input_tokens", "output_tokens")
    words = text_of(plan.words)
    head = '"id":"msg_1","type":"message","role":"assistant","model":"m"'
    more = () if plan.usage_more is None else (plan.usage_more,)
    if not entry.stream:
        return JSON, [(('{%s,"content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn"%s}'
                        % (head, "".join(words), report.member("usage", *more))).encode(), plan.words)]
    first = Report(plan, *report.names)
    first.went = "1" if first.went != "left out" else first.went
    pieces = [(named('{"type":"message_start","message":{%s,"content":[],"stop_reason":null%s}}'
                     % (head, first.member("usage", *more))), 0),
              (named('{"type":"content_block_start","index":0,"content_block":{"type":"text",'
                     '"text":""}}'), 0)]
    pieces += [(named('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
                      '"text":"%s"}}' % word), i + 1) for i, word in enumerate(words)]
    pieces += [(named('{"type":"content_block_stop","index":0}'), plan.words),
               (named('{"type":"message_delta","delta":{"stop_reason":"end_turn"}%s}'
                      % report.member("usage", *more)), plan.words),
               (named('{"type":"message_stop"}'), plan.words)]
    return SSE, pieces


def gemini(plan, entry):
    report = Report(plan, "promptTokenCount", "candidatesTokenCount")
    words = text_of(plan.words)
    one = '{"candidates":[{"content":{"role":"model","parts":[{"text":"%s"}]}%s,"index":0}]%s,' \
          '"modelVersion":"m"}'
    end = ',"finishReason":"STOP"'
    if not entry.stream:
        return JSON, [((one % ("".join(words), end, report.member("usageMetadata"))).encode(),
                       plan.words)]
    # As Google does it: pieces carry a report without what went out.
    partly = ',"usageMetadata":{"promptTokenCount":%s}' % report.came if plan.reports == "true" else ""
    pieces = [(data(one % (word, "", partly)), i + 1) for i, word in enumerate(words[:-1])]
    last = words[-1] if words else ""
    return SSE, [*pieces, (data(one % (last, end, report.member("usageMetadata"))), plan.words)]


def converse(plan, entry):
    report = Report(plan, "inputTokens", "outputTokens")
    words = text_of(plan.words)
    total = f'"totalTokens":{plan.prompt + plan.words}'
    if not entry.stream:
        return JSON, [(('{"output":{"message":{"role":"assistant","content":[{"text":"%s"}]}},'
                        '"stopReason":"end_turn","metrics":{"latencyMs":1}%s}'
                        % ("".join(words), report.member("usage", total))).encode(), plan.words)]
    pieces = [(frame("messageStart", {"role": "assistant"}), 0)]
    pieces += [(frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": w}}),
                i + 1) for i, w in enumerate(words)]
    pieces += [(frame("contentBlockStop", {"contentBlockIndex": 0}), plan.words),
               (frame("messageStop", {"stopReason": "end_turn"}), plan.words),
               (frame("metadata", "{%s}" % report.member("usage", total)[1:]), plan.words)]
    return "application/vnd.amazon.eventstream", pieces


def invoke(plan, entry):
    kind, pieces = messages(plan, entry)
    if not entry.stream:
        return kind, pieces
    wrapped = []
    for piece, tokens in pieces:
        event = piece.split(b"data: ", 1)[1].strip()
        wrapped.append((frame("chunk", {"bytes": base64.b64encode(event).decode()}), tokens))
    return "application/vnd.amazon.eventstream", wrapped


def ollama(plan, entry):
    report = Report(plan, "prompt_eval_count", "eval_count")
    words = text_of(plan.words)
    one = '{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",' \
          '"content":"%s"},"done":%s}\n'
    usage = "" if report.absent or report.null else "," + report.json()[1:-1]
    end = 'true,"done_reason":"stop"' + usage.rstrip(",")
    if not entry.stream:
        return JSON, [((one % ("".join(words), end)).encode(), plan.words)]
    pieces = [((one % (word, "false")).encode(), i + 1) for i, word in enumerate(words)]
    return "application/x-ndjson", [*pieces, ((one % ("", end)).encode(), plan.words)]


def raw(plan, entry):
    """No API of ours: a target of a pass-through endpoint."""
    entry.reports = False
    if not entry.stream:
        return JSON, [(b'{"done":true,"words":%d}' % plan.words, plan.words)]
    return SSE, [(data('{"word":"%s"}' % word), i + 1) for i, word in enumerate(text_of(plan.words))]


def mcp(plan, entry):
    """The result of a tool; its price is a sum for each call."""
    entry.reports = False
    answer = json.dumps({"jsonrpc": "2.0", "id": entry.json()["id"], "result": {
        "content": [{"type": "text", "text": "".join(text_of(plan.words))}], "isError": False}})
    if not entry.stream:
        return JSON, [(answer.encode(), plan.words)]
    return SSE, [(f"event: message\ndata: {answer}\n\n".encode(), plan.words)]


class Dialect:
    def __init__(self, name, path, write, came="", went="", stream=None):
        self.name, self.path, self.write = name, re.compile(path), write
        self.names, self.streams = (came, went), stream or (lambda path, body: body.get("stream"))


def in_path(*words):
    return lambda path, body: any(word in path for word in words)


DIALECTS = [
    Dialect("chat", r"/chat/completions$", chat, "prompt_tokens", "completion_tokens"),
    Dialect("completions", r"/completions$", completions, "prompt_tokens", "completion_tokens"),
    Dialect("responses", r"/responses$", responses, "input_tokens", "output_tokens"),
    Dialect("messages", r"/messages$", messages, "input_tokens", "output_tokens"),
    Dialect("gemini", r":(stream)?[gG]enerateContent$", gemini, "promptTokenCount",
            "candidatesTokenCount", in_path(":stream")),
    Dialect("converse", r"/converse(-stream)?$", converse, "inputTokens", "outputTokens",
            in_path("-stream")),
    Dialect("invoke", r"/invoke(-with-response-stream)?$", invoke, "input_tokens", "output_tokens",
            in_path("-with-response-stream")),
    Dialect("ollama", r"/api/chat$", ollama, "prompt_eval_count", "eval_count",
            lambda path, body: body.get("stream", True)),
    Dialect("embeddings", r"/embeddings$", embeddings, "prompt_tokens", "total_tokens"),
    Dialect("rerank", r"/rerank$", rerank),
    Dialect("images", r"/images/generations$", images, "input_tokens", "output_tokens"),
    Dialect("speech", r"/audio/speech$", speech),
    Dialect("transcription", r"/audio/transcriptions$", transcription, "input_tokens",
            "output_tokens"),
    Dialect("raw", r"^/raw$", raw),
    Dialect("mcp", r"^/mcp/\d+$", mcp),
]


def dialect_of(path):
    return next((d for d in DIALECTS if d.path.search(path)), None)
