# SPDX-License-Identifier: Apache-2.0
"""Nothing that the vendors' schemas allow is lost in silence: every member of a request, as the
vendors' own SDKs declare it, is put alone into a request to a model of another vendor, and every
member of an answer into one to a caller of another API.  Then what comes out is another, or the
answer names the member (x-kanmon-dropped), or it is refused by name."""

import copy
import http.server
import inspect
import json
import re
import threading
import types
import typing
from collections.abc import Iterable, Mapping

import anthropic.types.message_create_params
import botocore.session
import openai.types.chat
import openai.types.chat.completion_create_params
import openai.types.responses.response_create_params
import pydantic
import pytest
import typing_extensions
from google.genai import types as google

from gateway import MASTER, Gateway, wait_until

TAKES_S = 60
WRAPPERS = (typing.Required, typing.NotRequired, typing.Annotated, typing_extensions.Required,
            typing_extensions.NotRequired, typing_extensions.Annotated)
DEEP = 9

# What a member of this name can hold; others get a word.
VALUES = {
    "index": 0, "url": "https://example.com/a.png", "image_url": "https://example.com/a.png",
    "fileUri": "https://example.com/a.png", "file_url": "https://example.com/a.pdf",
    "data": "AAAA", "file_data": "data:application/pdf;base64,JVBERi0x", "media_type": "image/png",
    "mimeType": "image/png", "arguments": "{}", "logit_bias": {"1": 2}, "input_schema": {
        "type": "object"}, "schema": {"type": "object"}, "temperature": 0.5, "top_p": 0.5,
    "topP": 0.5, "topK": 5, "top_k": 5, "call_id": "call_1", "tool_call_id": "call_1",
    "tool_use_id": "call_1", "detail": "low", "budget_tokens": 1024, "parameters": {"type": "object"},
}


# Google's classes need nothing; its API does.
NEEDED = {"Blob": {"data", "mimeType"}, "FileData": {"fileUri", "mimeType"}, "FunctionCall": {"name"},
          "FunctionResponse": {"name", "response"}, "FunctionDeclaration": {"name"},
          "ExecutableCode": {"code", "language"}, "CodeExecutionResult": {"outcome"}}


def bare(t):
    while typing.get_origin(t) in WRAPPERS:
        t = typing.get_args(t)[0]
    return t


def fields(t):
    """{name: (type, is it required)}; None: no object."""
    if inspect.isclass(t) and issubclass(t, pydantic.BaseModel):
        return {f.alias or n: (f.annotation, f.is_required() or
                               (f.alias or n) in NEEDED.get(t.__name__, ()))
                for n, f in t.model_fields.items()}
    if hasattr(t, "__required_keys__"):
        hints = typing_extensions.get_type_hints(t, include_extras=True)
        return {n: (h, is_needed(t, n, h)) for n, h in hints.items()}
    return None


def is_needed(t, name, hint):
    """What the class says of its keys leaves out those whose hint is a string, as all are where
    annotations are put off: then the hint itself says it."""
    while typing.get_origin(hint) in WRAPPERS:
        if typing.get_origin(hint) in (typing.Required, typing_extensions.Required):
            return True
        hint = typing.get_args(hint)[0]
    return name in t.__required_keys__


def choices(t):
    """The alternatives of a type, but None."""
    t = bare(t)
    if typing.get_origin(t) is typing.Union or isinstance(t, types.UnionType):
        return [c for a in typing.get_args(t) for c in choices(a)]
    return [] if t in (type(None), None) else [t]


def is_list(t):
    o = typing.get_origin(t)
    return o in (list, tuple) or (inspect.isclass(o) and issubclass(o, Iterable) and
                                  not issubclass(o, Mapping))


def value(t, name, depth=0):
    """The least that the type allows."""
    t = bare(t)
    if name in VALUES:
        return VALUES[name]
    some = choices(t)
    if len(some) != 1 or some[0] is not t:
        plain = [c for c in some if c in (str, int, float, bool)]
        return value((plain or some or [str])[0], name, depth)
    if typing.get_origin(t) in (typing.Literal, typing_extensions.Literal):
        return typing.get_args(t)[0]
    if is_list(t):
        return [value(typing.get_args(t)[0], name, depth + 1)] if depth < DEEP else []
    of = fields(t)
    if of is not None:
        return {n: value(h, n, depth + 1) for n, (h, needed) in of.items() if needed}
    if inspect.isclass(t) and issubclass(t, str) and t is not str:  # an enum
        return list(t)[-1].value
    return {str: "word", int: 3, float: 0.5, bool: True}.get(t, {"a": 1})


# One of which a part of Google's has; the others say something of it.
CONTENT = {"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
           "codeExecutionResult", "toolCall", "toolResponse"}


def members(t, depth=0, seen=()):
    """(places below, a value that has the last of them alone): each optional member of each
    alternative, however deep; a place is names, None for the item of a list."""
    for c in choices(t):
        if is_list(c):
            for path, v in members(typing.get_args(c)[0], depth + 1, seen):
                yield (None, *path), [v]
            continue
        of = fields(c)
        if of is None or depth > DEEP or seen.count(c) > 0:
            continue
        least = value(c, "", depth)
        yield (), least
        for n, (h, needed) in of.items():
            least = {"text": "word"} if c is google.Part and n not in CONTENT else value(c, "", depth)
            if not needed:
                yield (n,), {**least, n: value(h, n, depth + 1)}
            for path, v in members(h, depth + 1, (*seen, c)):
                yield (n, *path), {**least, n: v}


# What a member needs beside it.
HI_GOOGLE = [{"role": "user", "parts": [{"text": "hi"}]}]
BESIDE = {"messages": {"tool_choice": {"tools": [{"name": "word", "input_schema": {
    "type": "object"}}]}}}
HI = [{"role": "user", "content": "hi"}]
APIS = {
    "chat": ("/v1/chat/completions", "claude", {"model": "claude", "messages": HI},
             openai.types.chat.completion_create_params.CompletionCreateParamsBase),
    "responses": ("/v1/responses", "claude", {"model": "claude", "input": "hi"},
                  openai.types.responses.response_create_params.ResponseCreateParamsBase),
    "messages": ("/v1/messages", "gpt", {"model": "gpt", "max_tokens": 9, "messages": HI},
                 anthropic.types.message_create_params.MessageCreateParamsBase),
    "gemini": ("/v1beta/models/claude:generateContent", "claude",
               {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, None),
}
GEMINI = {"contents": list[google.Content], "systemInstruction": google.Content,
          "generationConfig": google.GenerationConfig, "tools": list[google.Tool],
          "toolConfig": google.ToolConfig, "safetySettings": list[google.SafetySetting]}


class Upstream:
    """Both vendors: it keeps what it was asked last, and answers it."""

    def __init__(self):
        own = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                own.asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                kind = "messages" if "messages" in self.path else \
                    "converse" if "/converse" in self.path else \
                    "gemini" if "generateContent" in self.path else "chat"
                text = own.stream or json.dumps(own.answer or ANSWERS[kind])
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if own.stream
                                 else "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        self.asked = self.answer = self.stream = None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


ANSWERS = {
    "messages": {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [
        {"type": "text", "text": "ok"}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1}},
    "gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]},
                              "finishReason": "STOP", "index": 0}],
               "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1,
                                 "totalTokenCount": 2}},
    "converse": {"output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
                 "stopReason": "end_turn", "metrics": {"latencyMs": 1},
                 "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}},
    "chat": {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
}

CONFIG = """
model_list:
  - model_name: claude
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_base: "{url}", api_key: sk-u}}
  - model_name: gpt
    litellm_params: {{model: openai/gpt-golden, api_base: "{url}/v1", api_key: sk-u}}
  - model_name: thinker
    litellm_params: {{model: moonshot/kimi, api_base: "{url}/v1", api_key: sk-u}}
  - model_name: gem
    litellm_params: {{model: gemini/gemini-2.5-flash, api_base: "{url}", api_key: sk-u}}
  - model_name: bed
    litellm_params: {{model: bedrock/anthropic.claude-3-haiku-20240307-v1:0, aws_region_name: us-east-1,
                      aws_access_key_id: AKID, aws_secret_access_key: secret,
                      aws_bedrock_runtime_endpoint: "{url}"}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}"}}
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    upstream = Upstream()
    folder = tmp_path_factory.mktemp("members")
    with Gateway(folder, CONFIG.format(url=upstream.url, master=MASTER,
                                       state=folder / "state")) as gateway:
        yield gateway, upstream
    upstream.server.shutdown()


def without(v, path):
    """v without what stands at its path: what it would be had nobody said it."""
    v = copy.deepcopy(v)
    at = v
    for name in path[:-1]:
        at = at[0 if name is None else name]
    if path[-1] is None:
        at.pop()
    else:
        at.pop(path[-1], None)
    return v


class Asked:
    def __init__(self, both, path):
        self.gateway, self.upstream = both
        self.path, self.known = path, {}

    def __call__(self, body):
        text = json.dumps(body, sort_keys=True)
        if text not in self.known:
            self.upstream.asked = None
            answer = self.gateway.call("POST", self.path, body)
            said = "" if answer.status == 200 else answer.body.decode()
            self.known[text] = (answer.status, self.upstream.asked,
                                answer.header("x-kanmon-dropped") or "", said)
        return self.known[text]


def is_told(names, path, v):
    """A name is the member's place, one above it, or, of what goes by another word inside, a part
    of it; of an item of a list, its kind."""
    if "annotations" in path and "annotations" not in names:
        path = tuple("citations" if n == "annotations" else n for n in path)
    if "citations" in names.split(", ") and (
            path == ("delta",) or {"citation", "groundingMetadata", "citationMetadata"} & set(path)):
        return True  # one is gone, with all that is in it
    dotted = ".".join(n for n in path if n)
    return any(dotted == n or dotted.startswith(n + ".") or n.startswith(dotted + ".") or
               n == "..." or n.rpartition(".")[2] in path or n in kinds(v) or
               (path[-1] is None and n in str(v))
               for n in names.split(", ") if n)


def kinds(v):
    """What stands in it, by type; a model's thoughts have a name of their own in each API."""
    if isinstance(v, list):
        return {k for x in v for k in kinds(x)}
    if not isinstance(v, dict):
        return set()
    own = {"thinking" if v["type"] == "reasoning" else v["type"]} if isinstance(
        v.get("type"), str) else set()
    return own.union(*map(kinds, v.values()))


def answered(api, v):
    """What stands before a result, for it answers a call."""
    if api != "gemini" or not isinstance(v, list) or "functionResponse" not in str(v):
        return v
    return [*HI_GOOGLE, {"role": "model", "parts": [{"functionCall": {"name": "word"}}]}, *v]


def by_the_model(root, v):
    """The same said by the model, after its caller; None: nobody says it."""
    turns = {"messages": {"role": "assistant"}, "contents": {"role": "model"}}.get(root)
    if not turns or not v or not isinstance(v[0], dict):
        return None
    first = {"role": "user", "content": "hi"} if root == "messages" else \
        {"role": "user", "parts": [{"text": "hi"}]}
    return [first, {**v[0], **turns}]


# What changes nothing by itself, by API: the gateway's own, what holds without it too, what needs
# another member, and words that are none.
IDLE = {
    "chat": {"stream", "model", "metadata", "stream_options", "function_call", "tool_choice",
             "parallel_tool_calls", "service_tier", "modalities", "messages.audio"},
    "responses": {"stream", "model", "stream_options", "parallel_tool_calls", "service_tier",
                  "store", "tool_choice"},
    "messages": {"stream", "model"},
    "gemini": {"contents.role", "systemInstruction.role", "generationConfig.thinkingConfig",
               "generationConfig.responseSchema.nullable",  # of no type
               "tools.functionDeclarations.parameters.nullable",
               "toolConfig.functionCallingConfig.allowedFunctionNames"},
}


def says_nothing(v):
    """{}, or one that holds nothing else, how deep it may lie."""
    if isinstance(v, dict):
        return all(says_nothing(x) for x in v.values())
    return isinstance(v, list) and all(says_nothing(x) for x in v)


def at(v, path):
    for name in path:
        v = v[0 if name is None else name]
    return v


# What an API holds to where nobody says it, or that its own form has and another has not.
SAME = {
    "chat": {("response_format.type", "text")},
    "responses": {("text.format.type", "text"), ("input.type", "message")},
    "messages": {("tool_choice.type", "auto"), ("tools.type", "custom"), ("thinking.type", "adaptive"),
                 ("thinking.type", "disabled"), ("thinking.type", "between_tools")},
    "gemini": set(),
}
OWN = {"responses": {"input.id", "input.status", "text.format.strict"}}


def is_idle(api, place, v):
    dotted = ".".join(n for n in place if n)
    here = at(v, place[1:])
    of_type = here if isinstance(here, str) else here.get("type") if isinstance(here, dict) and \
        set(here) == {"type"} else None
    if of_type and {(dotted, of_type), (dotted + ".type", of_type)} & SAME[api]:
        return True
    return says_nothing(here) or dotted in OWN.get(api, ()) or any(
        dotted == n or dotted.startswith(n + ".") for n in IDLE[api])


@pytest.mark.parametrize("api", list(APIS))
def test_no_member_of_a_request_is_lost_in_silence(both, api):
    path, _, base, schema = APIS[api]
    ask = Asked(both, path)
    roots = GEMINI.items() if schema is None else [(n, h) for n, (h, _) in fields(schema).items()]
    lost, asked, seen = [], 0, {"refused": 0, "told": 0, "mapped": 0}
    for root, hint in roots:
        for below, v in [((), value(hint, root)), *members(hint)]:
            place = (root, *below)
            if is_idle(api, place, v):
                continue
            beside = {**base, **BESIDE.get(api, {}).get(root, {})}
            full = answered(api, v)
            body = {**beside, root: full}
            status, got, names, said = ask(body)
            bare_one = without({root: v}, place)
            before = ask({**beside, root: answered(api, bare_one[root])} if below and full is not v
                         else {**beside, **without(body, place)} if root not in base or below
                         else beside)
            again = by_the_model(root, v) if status != 200 and len(below) > 1 else None
            if again:
                body = {**base, root: again}
                status, got, names, said = ask(body)
                before = ask(without(body, (root, 1, *below[1:])))
            asked += 1
            if status != 200:
                seen["refused"] += 1
                # What it names may not be there; else it says where it stands.
                if status not in (400, 404) or (status == 400 and root not in said):
                    lost.append((place, status, said[:200]))
            elif got != before[1]:
                seen["mapped"] += 1
            elif is_told(names, place, v):
                seen["told"] += 1
            else:
                lost.append((place, str(v)[:160], names))
    print(api, asked, seen)
    assert asked > 100 and seen["mapped"] > 10
    assert not lost, "\n".join(str(one)[:300] for one in lost)


@pytest.mark.parametrize("model,named", [("thinker", ""), ("gpt", "thinking")])
def test_thoughts_that_go_back_are_not_named(both, model, named):
    """Some of OpenAI's kind take them, by a member of their own."""
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    body = {"model": model, "max_tokens": 9, "messages": [
        *HI, {"role": "assistant", "content": [thought, {"type": "text", "text": "ok"}]}, *HI]}
    status, got, names, _ = Asked(both, "/v1/messages")(body)
    assert status == 200 and names == named
    assert got["messages"][1].get("reasoning_content") == (None if named else "hm")


READ = {
    "messages": ("/v1/chat/completions", {"model": "claude", "messages": HI},
                 anthropic.types.Message),
    "chat": ("/v1/messages", {"model": "gpt", "max_tokens": 9, "messages": HI},
             openai.types.chat.ChatCompletion),
    "gemini": ("/v1/chat/completions", {"model": "gem", "messages": HI},
               google.GenerateContentResponse),
}
# Of its own form, or of which build answered; the SDK's own; what is counted in the books.
FORM = {
    "messages": {"id", "type", "role", "model", "usage", "stop_sequence", "stop_reason",
                 "stop_details"},  # of an answer that was no refusal
    "chat": {"id", "object", "created", "choices.logprobs.content", "choices.logprobs.refusal", "model", "system_fingerprint", "usage", "service_tier",
             "choices.index", "choices.message.role"},
    "gemini": {"responseId", "modelVersion", "createTime", "usageMetadata", "sdkHttpResponse",
               "automaticFunctionCallingHistory", "parsed", "candidates.content.role",
               "candidates.index"},
}


# --- AWS describes its API in a model of its own, which its SDK reads ---


def least(shape, name="", depth=0):
    """The least that the shape allows; of a union its first."""
    if name in VALUES:
        return VALUES[name]
    kind = shape.type_name
    if kind == "structure":
        union = getattr(shape, "is_tagged_union", False)
        names = list(shape.members)[:1] if union else shape.required_members
        return {n: least(shape.members[n], n, depth + 1) for n in names} if depth < DEEP else {}
    if kind == "list":
        return [least(shape.member, name, depth + 1)] if depth < DEEP else []
    if kind == "string":
        return shape.enum[0] if shape.enum else "word"
    return {"integer": 3, "long": 3, "float": 0.5, "double": 0.5, "boolean": True,
            "blob": "AAAA"}.get(kind, {"a": 1})


def shaped(shape, depth=0):
    """As members() of the others' classes."""
    if shape.type_name == "list":
        for path, v in shaped(shape.member, depth + 1):
            yield (None, *path), [v]
    if shape.type_name != "structure" or depth > DEEP:
        return
    union = getattr(shape, "is_tagged_union", False)
    rest = {} if union else least(shape, depth=depth)
    for n, one in shape.members.items():
        if n not in rest:
            yield (n,), {**rest, n: least(one, n, depth + 1)}
        for path, v in shaped(one, depth + 1):
            yield (n, *path), {**rest, n: v}


# What every answer has, and what the books count.
CONVERSE_FORM = {"usage", "metrics", "stopReason", "output.message.role"}


def test_no_member_of_converses_answer_is_lost_in_silence(both):
    gateway, upstream = both
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    known = {}

    def told(answer):
        text = json.dumps(answer, sort_keys=True)
        if text not in known:
            upstream.answer = answer
            got = gateway.call("POST", "/v1/chat/completions", {"model": "bed", "messages": HI})
            upstream.answer = None
            plain = got.json() if got.status == 200 else {}
            for name in ("id", "created"):
                plain.pop(name, None)
            known[text] = (got.status, plain, got.header("x-kanmon-dropped") or "")
        return known[text]

    lost, asked = [], 0
    for place, v in shaped(model.operation_model("Converse").output_shape):
        dotted = ".".join(n for n in place if n)
        if says_nothing(at(v, place)) or any(
                dotted == n or dotted.startswith(n + ".") for n in CONVERSE_FORM):
            continue
        answer = {**ANSWERS["converse"], **v}
        status, got, names = told(answer)
        before = told(without(answer, place) if place[0] in v else ANSWERS["converse"])
        asked += 1
        if status == 200 and got == before[1] and not is_told(names, place, v):
            lost.append((place, str(v)[:160], names))
    print("converse", asked)
    assert asked > 20
    assert not lost, "\n".join(str(one)[:300] for one in lost)


@pytest.mark.parametrize("api", list(READ))
def test_no_member_of_an_answer_is_lost_in_silence(both, api):
    path, body, schema = READ[api]
    gateway, upstream = both
    known = {}

    def told(answer):
        text = json.dumps(answer, sort_keys=True)
        if text not in known:
            upstream.answer = answer
            got = gateway.call("POST", path, body)
            upstream.answer = None
            plain = got.json() if got.status == 200 else {}
            for name in ("id", "created"):
                plain.pop(name, None)
            known[text] = (got.status, plain, got.header("x-kanmon-dropped") or "", got.body[:200])
        return known[text]

    lost, asked = [], 0
    for root, (hint, _) in fields(schema).items():
        for below, v in [((), value(hint, root)), *members(hint)]:
            place = (root, *below)
            dotted = ".".join(n for n in place if n)
            if dotted == "choices.message" and None in below[-2:]:
                continue  # who speaks, and nothing said
            if says_nothing(v) or any(dotted == n or dotted.startswith(n + ".") for n in FORM[api]):
                continue
            base = ANSWERS[api]
            status, got, names, said = told({**base, root: v})
            before = told({**base, **without({root: v}, place)} if root not in base or below
                          else base)
            asked += 1
            if status == 200 and got == before[1] and not is_told(names, place, v):
                lost.append((place, str(v)[:160], names))
    print(api, asked)
    assert asked > 20
    assert not lost, "\n".join(str(one)[:300] for one in lost)


# --- streams: of each vendor's events, put between the first and the last ---

MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [],
           "stop_reason": None, "stop_sequence": None,
           "usage": {"input_tokens": 1, "output_tokens": 1}}


def messages_events(v):
    """An event where it may stand."""
    block = {"type": "text", "text": ""}
    kind, delta = v.get("type"), v.get("delta", {})
    if delta.get("type") == "input_json_delta":
        block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    elif delta.get("type") in ("thinking_delta", "signature_delta"):
        block = {"type": "thinking", "thinking": "", "signature": ""}
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    end = [{"type": "content_block_stop", "index": 0}]
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1}}
    by_kind = {"message_start": [v, start, *end, last], "message_delta": [start, *end, v],
               "content_block_start": [v, *end, last], "content_block_delta": [start, v, *end, last]}
    events = by_kind.get(kind, [start, *end, last])
    if kind != "message_start":
        events = [{"type": "message_start", "message": MESSAGE}, *events]
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n"
                   for e in [*events, {"type": "message_stop"}])


def chat_events(v):
    form = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    last = {**form, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    first = {**form, "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": None}]}
    return "".join(f"data: {json.dumps(e)}\n\n" for e in [first, {**form, **v}, last]) + \
        "data: [DONE]\n\n"


def gemini_events(v):
    form = {"responseId": "r", "modelVersion": "g"}
    first = {**form, "candidates": [{"index": 0, "content": {"role": "model", "parts": [
        {"text": "ok"}]}}]}
    last = {**form, "candidates": [{"index": 0, "finishReason": "STOP", "content": {
        "role": "model", "parts": []}}], "usageMetadata": ANSWERS["gemini"]["usageMetadata"]}
    return "".join(f"data: {json.dumps(e)}\n\n" for e in [first, {**form, **v}, last])


STREAMS = {
    "messages": (messages_events, anthropic.types.RawMessageStreamEvent,
                 {"message.id", "message.model", "message.role", "message.type", "message.usage",
                  "message.stop_reason", "message.stop_sequence", "message.stop_details",
                  "index", "type", "usage", "delta.stop_sequence", "delta.stop_reason",
                  "delta.stop_details", "content_block.type", "message.content"}),
    "chat": (chat_events, openai.types.chat.ChatCompletionChunk,
             {n.replace("message", "delta") for n in FORM["chat"]}),
    # Queries are counted in the books; a place without a source says nothing.
    "gemini": (gemini_events, google.GenerateContentResponse, FORM["gemini"] | {
        "candidates.finishReason", "candidates.groundingMetadata.webSearchQueries",
        "candidates.groundingMetadata.groundingSupports",
        "candidates.citationMetadata.citations.startIndex",
        "candidates.citationMetadata.citations.endIndex"}),
}


@pytest.mark.parametrize("api", list(STREAMS))
def test_no_member_of_a_streams_event_is_lost_in_silence(both, api):
    path, body, _ = READ[api]
    events, schema, form = STREAMS[api]
    gateway, upstream = both
    known = {}

    def told(v):
        upstream.stream = text = events(v)
        if text not in known:
            got = gateway.call("POST", path, {**body, "stream": True})
            plain = []
            for line in got.events():
                one = json.loads(line) if line.startswith("{") else line
                if isinstance(one, dict):
                    one.pop("id", None), one.pop("created", None)
                    one.get("message", {}).pop("id", None)
                plain.append(one)
            known[text] = (got.status, plain, got.header("x-litellm-call-id"))
        upstream.stream = None
        return known[text]

    lost, asked = [], 0
    for place, v in members(schema):
        dotted = ".".join(n for n in place if n)
        if not place or says_nothing(at(v, place)) or place == ("choices", None) or any(
                dotted == n or dotted.startswith(n + ".") for n in form):
            continue
        status, got, call = told(v)
        before = told(without(v, place))
        asked += 1
        if status != 200 or got != before[1]:
            continue
        names = said_of(gateway.folder / "kanmon.log", call)
        if not is_told(names, place, v):
            lost.append((place, str(v)[:160], names))
    print(api, asked)
    assert asked > 10
    assert not lost, "\n".join(str(one)[:300] for one in lost)


def said_of(log, call):
    """What the log names of a call: its own line is the last."""
    def ended():
        text = log.read_text()
        return text if f" call id={call} " in text else None
    said = re.findall(rf" dropped id={call} .*?members=(.*)", wait_until(ended, what="its line"))
    return said[0].strip('"') if said else ""
