# SPDX-License-Identifier: Apache-2.0
"""The kinds of call: a row each.  What is asked, by which of the vendor's APIs it is answered, what it
costs by what was used, and what may have been reserved for it at most.

    Kind(name, dialect, ask, ...)     ask(case) -> (path, body or bytes, header fields)

A case (cases.py) says how much is asked and written, and what bounds the answer (None: nothing).
"""

import json

import client
import realtime_vendor
import world
from dialects import text_of

FORM = "multipart/form-data; boundary=b"
ROOM = 4096  # tokens that a stream may have reserved ahead of what was heard: two slices


def words(case):
    return "".join(text_of(case.plan.prompt)).strip()


def bounded(case, name, body):
    if case.bound is not None:
        body[name] = case.bound
    if case.stream:
        body["stream"] = True
    return body


def chat(model, path="/v1/chat/completions"):
    def ask(case):
        return path, bounded(case, "max_tokens", {
            "model": f"{model}-{case.plan.id}",
            "messages": [{"role": "user", "content": words(case)}]}), {}
    return ask


def completions(case):
    return "/v1/completions", bounded(case, "max_tokens", {
        "model": f"tx-{case.plan.id}", "prompt": words(case)}), {}


def responses(model, path="/v1/responses"):
    def ask(case):
        return path, bounded(case, "max_output_tokens", {
            "model": f"{model}-{case.plan.id}", "input": words(case)}), {}
    return ask


def messages(model, path="/v1/messages"):
    def ask(case):
        case.bound = case.bound or 400  # it must be there
        return path, bounded(case, "max_tokens", {
            "model": f"{model}-{case.plan.id}",
            "messages": [{"role": "user", "content": words(case)}]}), {}
    return ask


def gemini(model, prefix=""):
    def ask(case):
        action = "streamGenerateContent?alt=sse" if case.stream else "generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": words(case)}]}]}
        if case.bound is not None:
            body["generationConfig"] = {"maxOutputTokens": case.bound}
        return f"{prefix}/v1beta/models/{model}{case.plan.id}:{action}", body, {}
    return ask


def converse(case):
    body = {"messages": [{"role": "user", "content": [{"text": words(case)}]}]}
    if case.bound is not None:
        body["inferenceConfig"] = {"maxTokens": case.bound}
    return f"/bedrock/model/be-{case.plan.id}/converse{'-stream' * case.stream}", body, {}


def invoke(case):
    case.bound = case.bound or 400
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": case.bound,
            "messages": [{"role": "user", "content": words(case)}]}
    more = "-with-response-stream" if case.stream else ""
    return f"/bedrock/model/bc-{case.plan.id}/invoke{more}", body, {}


def embeddings(case):
    return "/v1/embeddings", {"model": f"oa-{case.plan.id}", "input": words(case)}, {}


# Tokens of one, as OpenAI publishes them for gpt-image-1: by quality, of 1024 by 1024.
IMAGES = {"low": 272, "medium": 1056, "high": 4160}


def draw_image(rng):
    return IMAGES[rng.choice(["low"] * 3 + ["medium"] * 5 + ["high"] * 2)]


def images(case):
    body = {"model": f"im-{case.plan.id}", "prompt": words(case), "size": "1024x1024"}
    body.update({"quality": name for name, tokens in IMAGES.items() if tokens == case.plan.words})
    return "/v1/images/generations", body, {}


def speech(case):
    return "/v1/audio/speech", {"model": f"sp-{case.plan.id}", "input": words(case), "voice": "a"}, {}


def transcription(case):
    fields = {"model": f"oa-{case.plan.id}", "response_format": "json"}
    parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                    for name, value in fields.items())
    sound = b"RIFF" + bytes(case.plan.prompt * 100)
    return "/v1/audio/transcriptions", (
        parts.encode() + b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + sound + b"\r\n--b--\r\n"), {"content-type": FORM}


def passing(case):
    return "/pass", {"plan": case.plan.id, "stream": case.stream, "text": words(case)}, {}


def server_of(case):
    return int(case.plan.id.split("-")[1]) % world.SERVERS


def tool(case):
    return f"/mcp/v{server_of(case)}", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "work", "arguments": {"plan": case.plan.id}}}, {
            "accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


def tool_by_rest(case):
    return "/mcp-rest/tools/call", {"name": f"v{server_of(case)}-work",
                                    "arguments": {"plan": case.plan.id}}, {}


def realtime(case):
    response = {"instructions": words(case), "output_modalities": ["text"]}
    return f"/v1/realtime?model=rt-{case.plan.id}", {"type": "response.create",
                                                    "response": response}, {}


def inner(case):
    """A chat whose model calls a tool that runs here: two answers and the tool in between."""
    case.inner = case.world.vendor.plan(words=case.plan.words, prompt=0)
    server = server_of(case)
    case.plan.tool_call = {"id": "call_1", "type": "function", "function": {
        "name": f"v{server}-work", "arguments": json.dumps({"plan": case.inner.id})}}
    path, body, more = chat("oa")(case)
    body["tools"] = [{"type": "mcp", "server_label": f"v{server}", "require_approval": "never",
                      "server_url": f"litellm_proxy/mcp/v{server}"}]
    return path, body, more


# --- prices ---

def by_tokens(went_in, went_out):
    return went_in * world.INPUT + went_out * world.OUTPUT


def by_input(went_in, went_out):
    return went_in * world.INPUT


def by_image(went_in, went_out):
    return went_in * world.INPUT + went_out * world.IMAGE_OUTPUT


def flat(amount):
    return lambda went_in, went_out: amount


async def by_http(case):
    return await client.send(case.world.port, "POST", case.path, case.body, case.key, case.headers)


class Kind:
    """counts: its vendor says how much was used.  writes: tokens come out of it.  bounds:
    its caller can bound them.  most_output: tokens
    that are reserved for one without a bound at most.  rows: how many a good one has.  draw: tokens
    of an answer."""

    def __init__(self, name, dialect, ask, cost=by_tokens, streams=(False, True), counts=True,
                 writes=True, bounds=True, rows=1, most_output=world.UNBOUNDED, cost_of=None, send=None,
                 more_input=0, draw=lambda rng: rng.randrange(8, 120)):
        self.name, self.dialect, self.ask, self.cost = name, dialect, ask, cost
        self.streams, self.counts, self.writes, self.rows = streams, counts, writes, rows
        self.send, self.more_input, self.draw = send or by_http, more_input, draw
        self.most_output, self.bounds = most_output, bounds and writes
        self.cost_of = cost_of or (lambda case, entry: cost(*(entry.billed if entry else (0, 0))))

    def most(self, case):
        """USD that may have been reserved for this call, whatever it was."""
        size = len(case.body) * 1.25 + 256 + self.more_input
        if not self.writes:
            return self.cost(size, 0) if self.counts else self.cost_of(case, None)
        heard = sum(e.written for e in case.plan.entries)
        unbounded = min(self.most_output, heard + ROOM) if case.stream else self.most_output
        output = case.bound if case.bound is not None else unbounded
        return self.cost(size, output) * self.answers + (world.TOOL if self.rows > 2 else 0)

    @property
    def answers(self):
        return 2 if self.rows > 2 else 1


def characters(case, entry):
    return len(words(case)) * world.CHARACTER


def of_form(case, entry):
    return by_tokens(case.plan.prompt, case.plan.words)


WHOLE = (False,)
KINDS = [
    Kind("chat", "chat", chat("oa")),
    Kind("completions", "completions", completions),
    Kind("responses", "responses", responses("oa")),
    Kind("messages", "messages", messages("an")),
    Kind("gemini", "gemini", gemini("ge-")),
    Kind("chat-anthropic", "messages", chat("an")),
    Kind("chat-gemini", "gemini", chat("ge")),
    Kind("chat-bedrock", "converse", chat("be")),
    Kind("chat-ollama", "ollama", chat("ol")),
    Kind("messages-openai", "chat", messages("oa")),
    Kind("messages-bedrock", "converse", messages("be")),
    Kind("responses-anthropic", "messages", responses("an")),
    Kind("gemini-openai", "chat", gemini("oa-")),
    Kind("prefix-openai", "chat", chat("oa", "/openai/v1/chat/completions")),
    Kind("prefix-anthropic", "messages", messages("an", "/anthropic/v1/messages")),
    Kind("prefix-gemini", "gemini", gemini("ge-", "/gemini")),
    Kind("prefix-converse", "converse", converse),
    Kind("prefix-invoke", "invoke", invoke),
    Kind("embeddings", "embeddings", embeddings, by_input, WHOLE, writes=False),
    Kind("images", "images", images, by_image, WHOLE, bounds=False, draw=draw_image),
    Kind("speech", "speech", speech, None, WHOLE, counts=False, writes=False, cost_of=characters),
    Kind("transcription", "transcription", transcription, by_tokens, WHOLE,
         bounds=False),
    Kind("pass", "raw", passing, flat(world.REQUEST), counts=False, writes=False),
    Kind("mcp", "mcp", tool, flat(world.TOOL), counts=False, writes=False,
         cost_of=lambda case, entry: world.TOOL),
    Kind("mcp-rest", "mcp", tool_by_rest, flat(world.TOOL), WHOLE, counts=False, writes=False,
         cost_of=lambda case, entry: world.TOOL),
    Kind("realtime", "realtime", realtime, streams=(True,), bounds=False, most_output=4096,
         send=realtime_vendor.send, more_input=1024),
    Kind("inner", "chat", inner, rows=3),
]
BY_NAME = {kind.name: kind for kind in KINDS}
