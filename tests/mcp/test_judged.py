# SPDX-License-Identifier: Apache-2.0
"""What is judged is what the server reads: a second member of one name is a way past every rule.

The servers read JSON as Python and JavaScript do, where the last of two members counts.
"""

import json
import random
import sys

import pytest

from conftest import META, NEW, OLD
from served import faulty, served, until

LIMITED = {"mcp_servers": ["one"], "mcp_tool_permissions": {"one": ["pid", "big"]},
           "mcp_param_permissions": {"one": {"big": ["bytes"]}}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with served(tmp_path_factory.mktemp("judged"), {"one": faulty()}) as started:
        until(started, "one", "ready")
        yield started


def send(gateway, params, era, key):
    """A call with these very bytes as its parameters; the answer's error."""
    new = era == "new"
    meta = f'"_meta":{json.dumps(META)},' if new else ""
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{%s%s}}' % (meta, params)
    headers = {"content-type": "application/json", "mcp-protocol-version": NEW if new else OLD}
    if new:
        headers |= {"mcp-method": "tools/call", "mcp-name": json.loads("{%s}" % params.split(",")[0])["name"]}
    answer = gateway.post(body.encode(), "/mcp/one", headers, key=key).json()
    return answer.get("error") or answer["result"]


@pytest.mark.parametrize("era", ["old", "new"])
@pytest.mark.parametrize("params", [
    '"name":"pid","name":"env"', '"name":"pid","n\\u0061me":"env"', '"name":"pid","Name":"env"',
    '"name":"big","arguments":{"bytes":1},"arguments":{"bytes":1,"more":2}',
    '"name":"big","arguments":{"bytes":1,"bytes":2}', '"name":"big","arguments":"{\\"more\\":1}"',
    '"name":"big","arguments":[{"more":1}]'])
def test_nothing_is_called_that_was_not_judged(gateway, params, era):
    key = gateway.new_key(object_permission=LIMITED)
    assert "content" in send(gateway, '"name":"big","arguments":{"bytes":1}', era, key)
    refused = send(gateway, params, era, key)
    assert refused.get("code") in (-32600, -32602), refused


def test_no_server_is_asked_for_a_result_that_is_kept_here(gateway):
    answer = gateway.rpc("resources/read", {"uri": "kanmon://results/" + 32 * "0"}, path="/mcp/one")
    assert answer["error"]["code"] == -32002, answer


# --- what a server reads, however it reads ---

SERVER = '''
import json, sys
for line in sys.stdin:
    with open(sys.argv[1], "a") as seen:
        seen.write(line)
    said = json.loads(line)
    if "id" not in said:
        continue
    hints = {"readOnlyHint": True} if "--safe" in sys.argv else {"destructiveHint": True}
    result = {"initialize": lambda: {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                     "serverInfo": {"name": "s", "version": "1"}},
              "tools/list": lambda: {"tools": [{"name": n, "inputSchema": {"type": "object"},
                                                "annotations": hints} for n in ("run", "wipe")]},
              "tools/call": lambda: {"content": [{"type": "text", "text": "done"}]}}
    print(json.dumps({"jsonrpc": "2.0", "id": said["id"],
                      "result": result.get(said["method"], dict)()}), flush=True)
'''


def heard(path):
    return path.read_text().splitlines() if path.exists() else []


def calls_in(lines):
    return [line for line in lines if "tools/call" in line]


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    """Two servers that keep each line: `held` by lists of parameters, `asked` by approvals."""
    folder = tmp_path_factory.mktemp("listening")
    (folder / "server.py").write_text(SERVER)
    logs = {name: folder / f"{name}.log" for name in ("held", "asked", "wide")}

    def entry(name, *words, **more):
        return {"transport": "stdio", "command": sys.executable,
                "args": [str(folder / "server.py"), str(logs[name]), *words], **more}

    servers = {"held": entry("held", "--safe"),
               "asked": entry("asked", approve="destructive"),
               "wide": entry("wide", "--safe", allow_all_keys=True)}
    with served(folder, servers) as started:
        for name in servers:
            until(started, name, "ready")
        yield started, logs


READERS = [dict, lambda pairs: dict(reversed(pairs)),
           lambda pairs: {k.lower(): v for k, v in pairs},
           lambda pairs: dict(reversed([(k.lower(), v) for k, v in pairs]))]


def spelled(rng, name):
    at = rng.randrange(len(name))
    return rng.choice([name] * 3 + [name.upper(), name.capitalize(),
                                    name[:at] + f"\\u{ord(name[at]):04x}" + name[at + 1:]])


def random_object(rng, names, depth=0):
    def value():
        if depth < 2 and rng.random() < 0.3:
            return random_object(rng, names, depth + 1)
        return rng.choice(["1", '"good"', '"EVIL"', "null", "[1]"])

    return "{%s}" % ",".join(f'"{spelled(rng, rng.choice(names))}":{value()}'
                             for _ in range(rng.randrange(4)))


def random_params(rng, tools, names):
    members = [f'"{spelled(rng, "name")}":"{rng.choice(tools)}"',
               f'"{spelled(rng, "arguments")}":{random_object(rng, names)}']
    for _ in range(rng.choice([0, 0, 1, 2])):
        members.append(rng.choice([
            f'"{spelled(rng, "name")}":"{rng.choice(tools)}"',
            f'"{spelled(rng, "arguments")}":{random_object(rng, names)}', '"x":1', '"x":2']))
    rng.shuffle(members)
    return ",".join(members)


def post(gateway, params, path, key):
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{%s}}' % params
    headers = {"content-type": "application/json", "mcp-protocol-version": OLD}
    return gateway.post(body.encode(), path, headers, key=key).json()


def test_no_reader_finds_another_tool_or_parameter_than_the_key_has(listening):
    gateway, logs = listening
    key = gateway.new_key(object_permission={
        "mcp_servers": ["held"], "mcp_tool_permissions": {"held": ["run"]},
        "mcp_param_permissions": {"held": {"run": ["a", "b"]}}})
    rng = random.Random(7)
    passed = 0
    for path in ("/mcp/held", "/mcp"):
        prefix = "" if path == "/mcp/held" else "held-"
        for _ in range(200):
            params = random_params(rng, [prefix + "run", prefix + "run", prefix + "wipe"],
                                   ["a", "b", "b", "c"])
            before = len(heard(logs["held"]))
            post(gateway, params, path, key)
            for line in calls_in(heard(logs["held"])[before:]):
                passed += 1
                for reader in READERS:
                    read = json.loads(line, object_pairs_hook=reader)["params"]
                    assert read["name"] == "run", (params, line)
                    assert set(read.get("arguments") or {}) <= {"a", "b"}, (params, line)
    assert passed


def test_what_runs_is_what_was_approved(listening):
    """One call is approved; of all that look like it only its equals run."""
    gateway, logs = listening
    key = gateway.new_key(object_permission={"mcp_servers": ["asked"]})
    rng = random.Random(11)
    good = '"name":"wipe","arguments":{"a":"good"}'
    ways = ['"name":"wipe","arguments":{"a":"good"},"arguments":{"a":"EVIL"}',
            '"name":"wipe","arguments":{"a":"EVIL"},"\\u0061rguments":{"a":"good"}',
            '"name":"wipe","arguments":{"a":"good","a":"EVIL"}',
            '"name":"wipe","arguments":{"a":"good","A":"EVIL"}',
            '"name":"wipe","arguments":{"a":"good"},"Arguments":{"a":"EVIL"}',
            '"name":"run","name":"wipe","arguments":{"a":"good"}']
    ways += [random_params(rng, ["wipe"], ["a", "a", "b"]) for _ in range(100)]
    ran = 0
    for params in [good, *ways]:
        asked = post(gateway, good, "/mcp/asked", key)["result"]["content"][0]["text"]
        if asked != "done":  # it was approved the last time and not used
            gateway.call("POST", f"/kanmon/approvals/{asked.split()[-1]}", {"approve": True})
        before = len(heard(logs["asked"]))
        post(gateway, params, "/mcp/asked", key)
        for line in calls_in(heard(logs["asked"])[before:]):
            for reader in READERS:
                read = json.loads(line, object_pairs_hook=reader)["params"]
                assert (read["name"], read["arguments"]) == ("wipe", {"a": "good"}), (params, line)
                ran += 1
    assert ran


def test_arguments_in_two_cases_are_refused_where_a_person_judges(listening):
    gateway, logs = listening
    key = gateway.new_key(object_permission={"mcp_servers": ["asked"]})
    before = len(heard(logs["asked"]))
    for inside in ('{"a":1,"A":2}', '{"x":[{"path":1,"Path":2}]}', '{"s":1,"\\u017f":2}'):
        answer = post(gateway, f'"name":"wipe","arguments":{inside}', "/mcp/asked", key)
        assert "error" in answer and "case" in answer["error"]["message"], answer
    assert not calls_in(heard(logs["asked"])[before:])


def test_a_call_never_reaches_a_server_without_its_params(listening):
    gateway, logs = listening
    key = gateway.new_key()
    for params in ('"name":"wide-run","name":"wide-run"', '"name":"wide-run","n\\u0061me":"x"'):
        post(gateway, params, "/mcp", key)
    post(gateway, '"name":"wide-run","arguments":{}', "/mcp", key)
    for line in calls_in(heard(logs["wide"])):
        assert json.loads(line)["params"]["name"] == "run", line


@pytest.mark.parametrize("held", [
    {"mcp_servers": ["held"], "mcp_param_permissions": {"held": {"run": ["a"], "held-run": ["b"]}}},
    {"mcp_servers": ["held"], "mcp_param_permissions": {"held": {"run": ["a"]}},
     "mcp_tool_permissions": {"held": ["run"]}}])
def test_each_of_several_lists_holds(listening, held):
    gateway, logs = listening
    key = gateway.new_key(object_permission=held)
    before = len(heard(logs["held"]))
    answer = post(gateway, '"name":"run","arguments":{"b":1}', "/mcp/held", key)
    assert "error" in answer, answer
    assert not calls_in(heard(logs["held"])[before:])
