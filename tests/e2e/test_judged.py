# SPDX-License-Identifier: Apache-2.0
"""What is judged is what an upstream reads, however it reads JSON, or the call is refused.

JSON leaves open what a name means that occurs twice, Google's readers take a field in two
spellings, and some readers do not regard the case of names.  So a body that passed is read here in
all these ways, and none of them may find more than the key was judged for.
"""

import json
import random

import pytest

from gateway import Gateway
from long_form import LONG
from recorder import Recorder

PRICE = "input_cost_per_token: 0, output_cost_per_token: 0.001"
CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/m, api_base: "{up}/v1", api_key: k, {price}}}
  - model_name: secret
    litellm_params: {{model: openai/secret, api_base: "{up}/v1", api_key: k, {price}}}
  - model_name: claude
    litellm_params: {{model: anthropic/m, api_base: "{up}", api_key: k, {price}}}
  - model_name: gem
    litellm_params: {{model: gemini/m, api_base: "{up}/v1beta", api_key: k, {price}}}
  - model_name: rock
    litellm_params: {{model: bedrock/m, aws_bedrock_runtime_endpoint: "{up}", {price},
                      aws_access_key_id: a, aws_secret_access_key: b, aws_region_name: us-east-1}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{state}", workers: 1, prefix_models: any, limits: {{body_bytes: 67108864}}}}
"""
MOST = 100  # tokens a key can pay


@pytest.fixture(scope="module")
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module")
def judging(recorder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    config = CONFIG.format(up=recorder.url, state=folder / "state", price=PRICE)
    with Gateway(folder, config) as gateway:
        yield gateway


def key_of(gateway, **fields):
    return gateway.call("POST", "/key/generate", fields).json()["key"]


@pytest.fixture(scope="module")
def poor(judging):
    """Enough for MOST tokens at a time; an answer costs one."""
    return lambda: key_of(judging, max_budget=MOST * 0.001)


@pytest.fixture(scope="module")
def plain(judging):
    return key_of(judging)


# --- readers ---

def last(pairs):
    return dict(pairs)


def first(pairs):
    return dict(reversed(pairs))


def caseless_first(pairs):
    return dict(reversed([(k.lower(), v) for k, v in pairs]))


def caseless_last(pairs):
    return {k.lower(): v for k, v in pairs}


def joined_first(pairs):
    return dict(reversed([(k.lower().replace("_", ""), v) for k, v in pairs]))


def joined_last(pairs):
    return {k.lower().replace("_", ""): v for k, v in pairs}


READERS = [first, last, caseless_first, caseless_last]
GOOGLE = [joined_first, joined_last]


def named(tree, reader, *path):
    for name in path:
        if reader in READERS[2:]:
            name = name.lower()
        if reader in GOOGLE:
            name = name.lower().replace("_", "")
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


# What bounds the output, for each API: any of these members.
MODELS = [(name,) for name in ("max_tokens", "max_completion_tokens", "max_tokens_to_sample",
                               "max_gen_len")] + [
    ("inferenceConfig", "maxTokens"), ("inferenceConfig", "max_new_tokens"),
    ("textGenerationConfig", "maxTokenCount")]
APIS = {
    "/v1/chat/completions": ({"model": "chat", "messages": [{"role": "user", "content": "a"}]},
                             [("max_tokens",), ("max_completion_tokens",)]),
    "/openai/v1/chat/completions": ({"model": "chat",
                                     "messages": [{"role": "user", "content": "a"}]},
                                    [("max_tokens",), ("max_completion_tokens",)]),
    "/v1/responses": ({"model": "chat", "input": "a"}, [("max_output_tokens",)]),
    "/v1/messages": ({"model": "claude", "messages": [{"role": "user", "content": "a"}]},
                     [("max_tokens",)]),
    "/v1beta/models/gem:generateContent": (
        {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        [("generationConfig", "maxOutputTokens")]),
    "/gemini/v1beta/models/m:generateContent": (
        {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        [("generationConfig", "maxOutputTokens")]),
    "/bedrock/model/m/converse": (
        {"messages": [{"role": "user", "content": [{"text": "a"}]}]},
        [("inferenceConfig", "maxTokens")] +
        [("additionalModelRequestFields", *path) for path in MODELS]),
    "/bedrock/model/m/invoke": ({"messages": [{"role": "user", "content": "a"}]}, MODELS),
}


def bounds_found(path, body):
    """Every bound that some reader finds in this body."""
    found = []
    for reader in READERS + (GOOGLE if "gem" in path else []):
        tree = json.loads(body, object_pairs_hook=reader)
        for place in APIS[path][1]:
            value = named(tree, reader, *place)
            if isinstance(value, str) and value.strip().isdigit():
                value = int(value)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found.append(value)
    return found


# --- bodies ---

def escaped(rng, name):
    at = rng.randrange(len(name))
    return json.dumps(name)[:at + 1] + f"\\u{ord(name[at]):04x}" + json.dumps(name)[at + 2:]


def spelled(rng, name):
    """A name as somebody would write it who wants it read here and not there, or the other way."""
    snake = "".join("_" + c.lower() if c.isupper() else c for c in name)
    return rng.choice([json.dumps(name)] * 4 + [json.dumps(snake), escaped(rng, name),
                                                json.dumps(name.capitalize()),
                                                json.dumps(name.upper()), json.dumps(name.lower())])


def bound_text(rng):
    return rng.choice(["1", "1", "1", "9000", "9000", "9e3", '"9000"', "9000.0", "-1", "null"])


def put_place(rng, place):
    """The text of one member, which bounds the output there."""
    if len(place) == 1:
        return f"{spelled(rng, place[0])}:{bound_text(rng)}"
    inside = [put_place(rng, place[1:]) for _ in range(rng.choice([1, 1, 2]))]
    return f"{spelled(rng, place[0])}:{{{','.join(inside)}}}"


def random_body(rng, path):
    base, places = APIS[path]
    members = [f"{json.dumps(k)}:{json.dumps(v)}" for k, v in base.items()]
    members += [put_place(rng, rng.choice(places)) for _ in range(rng.choice([1, 2, 2, 3]))]
    rng.shuffle(members)
    return "{" + ",".join(members) + "}"


@pytest.mark.parametrize("path", APIS)
def test_no_reader_finds_more_than_was_reserved(judging, recorder, poor, path, long):
    rng = random.Random(path)
    passed = refused = 0
    for _ in range(1000 if long else 60):
        body = random_body(rng, path)
        recorder.take()
        answer = judging.call("POST", path, body, key=poor())
        seen = recorder.take()
        if not seen:
            assert answer.status in (400, 429), (body, answer)
            refused += 1
            continue
        assert answer.status == 200, (body, answer)
        passed += 1
        found = bounds_found(path, seen[0][1])
        assert not found or max(found) <= MOST, (body, seen[0][1])
    assert passed and refused


@pytest.mark.parametrize("path,more", [
    ("/bedrock/model/m/converse", '"inferenceConfig":{"maxTokens":1},"inferenceConfig":{"maxTokens":8000}'),
    ("/bedrock/model/m/converse", '"inferenceConfig":{"maxTokens":1,"maxTokens":8000}'),
    ("/bedrock/model/m/converse", '"inferenceConfig":{"maxTokens":1,"MaxTokens":8000}'),
    ("/bedrock/model/m/converse", '"InferenceConfig":{"maxTokens":8000}'),
    ("/bedrock/model/m/converse",
     '"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"max_tokens":1,"max_tokens":8000}'),
    ("/bedrock/model/m/converse", '"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{},'
     '"additionalModelRequestFields":{"max_tokens":8000}'),
    ("/bedrock/model/m/invoke", '"max_tokens":1,"max_tokens":8000'),
    ("/gemini/v1beta/models/m:generateContent",
     '"generationConfig":{"maxOutputTokens":1},"generation_config":{"max_output_tokens":65000}'),
    ("/v1beta/models/gem:generateContent",
     '"generationConfig":{"maxOutputTokens":1,"max_output_tokens":65000}'),
    ("/v1/chat/completions", '"max_tokens":1,"tools":[{"type":"function","type":"x"}]'),
])
def test_known_ways_past_a_budget(judging, recorder, poor, path, more):
    base = json.dumps(APIS[path][0])[:-1]
    recorder.take()
    answer = judging.call("POST", path, f"{base},{more}}}", key=poor())
    assert answer.status in (400, 429), answer
    assert not recorder.take()


@pytest.mark.parametrize("path,more", [
    ("/bedrock/model/m/converse",
     '"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"max_tokens":8000}'),
    ("/bedrock/model/m/converse", '"inferenceConfig":{"maxTokens":1},'
     '"additionalModelRequestFields":{"inferenceConfig":{"max_new_tokens":8000}}'),
    ("/bedrock/model/m/converse", '"inferenceConfig":{"maxTokens":1},'
     '"additionalModelRequestFields":{"textGenerationConfig":{"maxTokenCount":8000}}'),
    ("/bedrock/model/m/invoke", '"max_tokens":1,"max_gen_len":8000'),
])
def test_a_larger_bound_under_another_name_is_reserved_and_lowered(judging, recorder, poor, path, more):
    base = json.dumps(APIS[path][0])[:-1]
    recorder.take()
    answer = judging.call("POST", path, f"{base},{more}}}", key=poor())
    assert answer.status == 200, answer
    ((_, sent, *_),) = recorder.take()
    most = int(answer.header("x-kanmon-max-tokens"))
    assert most < 8000 and set(bounds_found(path, sent)) == {1, most}, sent


def test_the_larger_of_openais_two_bounds_is_reserved_and_lowered(judging, recorder, poor):
    body = {**APIS["/v1/chat/completions"][0], "max_tokens": 3, "max_completion_tokens": 5}
    assert judging.call("POST", "/v1/chat/completions", body, key=poor()).status == 200
    recorder.take()
    body |= {"max_tokens": 1, "max_completion_tokens": 8000}
    answer = judging.call("POST", "/v1/chat/completions", body, key=poor())
    assert answer.status == 200, answer
    sent = json.loads(recorder.take()[-1][1])
    assert max(sent["max_tokens"], sent["max_completion_tokens"]) <= \
        int(answer.header("x-kanmon-max-tokens")) < 8000


# --- whose things are named ---

NAMING = [("/openai/v1/responses", "previous_response_id", '"resp_of_another"'),
          ("/openai/v1/responses", "x", '{"file_ids":["file-of-another"]}'),
          ("/openai/v1/responses", "tools",
           '[{"type":"code_interpreter","container":{"type":"auto","file_ids":["file-1"]}}]'),
          ("/openai/v1/responses", "x", '[{"container_id":"cntr_1"}]'),
          ("/openai/v1/responses", "x", '{"container":{"id":["cntr_1"]}}'),
          ("/anthropic/v1/messages", "x", '[{"source":{"type":"file","file_id":"file_1"}}]'),
          ("/gemini/v1beta/models/m:generateContent", "cachedContent", '"cachedContents/1"')]


# A body of 14 MB is read by the same code whatever it names.
@pytest.mark.parametrize("path,name,value,around", [
    pytest.param(*naming, around, marks=LONG if around == "long" and naming not in NAMING[::6] else ())
    for naming in NAMING for around in ("plain", "escaped", "typed", "long", "deep")])
def test_anothers_things_are_not_reached_whatever_is_around(judging, recorder, plain, path, name,
                                                            value, around):
    if around in ("escaped", "typed"):
        value = value.replace("_id", "\\u005fid").replace("cached", "\\u0063ached")
        name = name.replace("_id", "\\u005fid").replace("cached", "\\u0063ached")
    if around == "deep":
        value = "[" * 70 + value + "]" * 70
        name = "x" if name != "cachedContent" else name
    members = ['"model":"m"', '"input":"a"', '"messages":[{"role":"user","content":"a"}]',
               '"max_tokens":5', '"contents":[{"parts":[{"text":"a"}]}]', f'"{name}":{value}']
    if around == "long":
        members.insert(1, '"pad":[' + ",".join("0" * 7_000_000) + "]")
    recorder.take()
    kind = "application/octet-stream" if around == "typed" else "application/json"
    answer = judging.call("POST", path, "{" + ",".join(members) + "}", key=plain, timeout=60,
                          headers={"content-type": kind})
    assert answer.status in (400, 403, 503), answer
    assert not recorder.take()


def test_a_compressed_body_is_not_taken_on_trust(judging, recorder, plain):
    recorder.take()
    answer = judging.call("POST", "/openai/v1/responses", b'{"model":"m","input":"a"}', key=plain,
                          headers={"content-encoding": "gzip"})
    assert answer.status in (400, 415), answer
    assert not recorder.take()


# --- models ---

@pytest.mark.parametrize("more", ['"model":"secret"', '"\\u006dodel":"secret"', '"Model":"secret"',
                                  '"MODEL":"secret"', '"mode\\u006c":"secret"'])
def test_a_second_model_is_refused(judging, recorder, more):
    key = key_of(judging, models=["chat"])
    for body in ('{"model":"chat",%s,"messages":[{"role":"user","content":"a"}]}',
                 '{%s,"messages":[{"role":"user","content":"a"}],"model":"chat"}'):
        recorder.take()
        answer = judging.call("POST", "/v1/chat/completions", body % more, key=key)
        assert answer.status in (400, 403), answer
        assert not recorder.take()


@pytest.mark.parametrize("query", ["model=chat&model=secret", "model=chat&%6dodel=secret",
                                   "alt=sse&alt=json"])
def test_a_parameter_of_the_query_is_there_once(judging, recorder, plain, query):
    recorder.take()
    answer = judging.call("POST", f"/v1beta/models/gem:generateContent?{query}",
                          APIS["/v1beta/models/gem:generateContent"][0], key=plain)
    assert answer.status == 400 and "more than once" in answer.body.decode(), answer
    assert not recorder.take()


# --- forms ---

def form_of(*fields):
    parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                    for name, value in fields)
    return (parts + '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            'RIFF\r\n--b--\r\n').encode()


@pytest.mark.parametrize("fields", [
    [("model", "chat"), ("model", "secret")], [("model", "chat"), ("Model", "secret")],
    [("MODEL", "secret"), ("model", "chat")], [("model", "chat"), ("user", "a"), ("user", "b")],
    [("model", "chat"), ("response_format", "json"), ("response_format", "text")]])
def test_a_field_of_a_form_that_is_read_is_there_once(judging, recorder, fields):
    key = key_of(judging, models=["chat"])
    recorder.take()
    answer = judging.call("POST", "/v1/audio/transcriptions", form_of(*fields), key=key,
                          headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status == 400, answer
    assert not recorder.take()
