# SPDX-License-Identifier: Apache-2.0
"""Arguments against schemas of an OpenAPI document, judged by us and by python's jsonschema.

Each operation takes one schema, made at random of a fixed seed.  What jsonschema takes is sent,
whatever words the schema has; what it refuses is refused, where all words are ones we know.
"""
import json
import random

import pytest
from jsonschema import Draft202012Validator

from served import served, until
from test_openapi import openapi, rest  # noqa: F401 (a fixture)

SCHEMAS, VALUES = 40, 6
TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"]
WORDS = ["a", "b", "c"]


def value(rng, depth=0):
    kind = rng.randrange(5 if depth > 2 else 8)
    if kind < 5:
        return rng.choice([None, True, False, 0, 1, 2, -1, 1.0, 1.5, 2**70, "a", "b", ""])
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {name: value(rng, depth + 1) for name in WORDS if rng.random() < 0.5}


def schema(rng, strange, depth=0):
    """A schema; strange: with words that we pass over."""
    found = {}
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(6 if depth > 2 else 12)
        if kind == 0:
            found["type"] = rng.choice(TYPES)
        elif kind == 1:
            found["type"] = rng.sample(TYPES, rng.randrange(1, 4))
        elif kind == 2:
            found["enum"] = [value(rng, 2) for _ in range(rng.randrange(1, 5))]
        elif kind == 3:
            found["const"] = value(rng, 2)
        elif kind == 4:
            found[rng.choice(["minimum", "maximum"])] = rng.choice([0, 1, 1.5])
        elif kind == 5:
            found["required"] = rng.sample(WORDS, rng.randrange(1, 3))
        elif kind == 6:
            found["properties"] = {name: schema(rng, strange, depth + 1)
                                   for name in rng.sample(WORDS, 2)}
        elif kind == 7:
            found["additionalProperties"] = rng.choice([False, schema(rng, strange, depth + 1)])
        elif kind == 8:
            found["items"] = schema(rng, strange, depth + 1)
        elif kind == 9:
            found["$ref"] = rng.choice(["#/components/schemas/tree", "#/components/schemas/leaf"])
        else:
            word = rng.choice(["anyOf", "allOf", "oneOf"])
            found[word] = [schema(rng, strange, depth + 1) for _ in range(rng.randrange(1, 4))]
            if strange and rng.random() < 0.2:
                found["discriminator"] = {"propertyName": "a"}
    if strange and rng.random() < 0.4:
        found[rng.choice(["not", "contains", "propertyNames", "if"])] = schema(rng, 0, 3)
    return found


TREE = {"anyOf": [{"type": ["string", "null"]},
                  {"type": "object", "additionalProperties": False,
                   "properties": {"a": {"$ref": "#/components/schemas/tree"},
                                  "b": {"type": "integer"}}}]}
LEAF = {"type": ["integer", "string"], "enum": [1, "a", "b"]}


@pytest.fixture(scope="module")
def gateway(rest, tmp_path_factory):  # noqa: F811
    rng, folder = random.Random(4), tmp_path_factory.mktemp("schema")
    paths = {f"/echo/{i}": {"post": {
        "operationId": f"s{i}", "responses": {"200": {"description": "what was sent"}},
        "requestBody": {"required": True, "content": {"application/json": {
            "schema": schema(rng, i % 2)}}}}} for i in range(SCHEMAS)}
    (folder / "made.json").write_text(json.dumps(openapi(
        paths, rest.url, "3.1.0", components={"schemas": {"tree": TREE, "leaf": LEAF}})))
    with served(folder, {"made": {"spec_path": "made.json"}},
                mcp_safety={"approve": "never"}) as started:
        until(started, "made", "ready")
        yield started


def test_two_validators_agree(gateway, long):
    def asked(method, **params):
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return json.loads(gateway.post(message, "/mcp/made").body)["result"]

    rng, taken, refused = random.Random(5), 0, 0
    tools = asked("tools/list")["tools"]
    assert len(tools) == SCHEMAS
    for tool in tools:
        rules = Draft202012Validator(tool["inputSchema"])
        strange = int(tool["name"][1:]) % 2
        for _ in range(VALUES if long else 2):
            arguments = {"body": value(rng)}
            said = asked("tools/call", name=tool["name"], arguments=arguments)
            sent = "arguments" not in said["content"][0]["text"][:9]
            about = json.dumps([tool["inputSchema"], arguments, said], indent=1)
            if rules.is_valid(arguments):
                assert sent, about
                taken += 1
            elif not strange:
                assert not sent, about
                refused += 1
    assert min(taken, refused) > (30 if long else 8), (taken, refused)
