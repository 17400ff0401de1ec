# SPDX-License-Identifier: Apache-2.0
"""Items that no client would take for one do not cost anybody a list: they are mended or withheld.

What clients take is what the official SDKs take, of both lines and in both eras, when they talk to
the server themselves: each judges each item of odd_items.json alone, and nothing that all of them
take is changed or withheld.
"""

import json
import os
import subprocess
import sys

import pytest
from gateway import MASTER, patient

from conftest import NEW
from served import HERE, served, status, until

TAKES_S = 23
ITEMS = json.loads((HERE / "odd_items.json").read_text())
NAME = {"tools": "name", "resources": "uri", "resourceTemplates": "uriTemplate", "prompts": "name"}
METHOD = {"tools": "tools/list", "resources": "resources/list",
          "resourceTemplates": "resources/templates/list", "prompts": "prompts/list"}
NODE = [os.environ.get("KM_NODE", "node"), HERE / "odd_client.mjs"]
PYTHON = [sys.executable, HERE / "odd_client.py"]
PYTHON_V1 = [os.environ["KM_PYTHON_V1"], HERE / "odd_client.py"]
CLIENTS = {"python 1": (PYTHON_V1, "v1"), "python 2": (PYTHON, "legacy"), "python 2 new": (PYTHON, NEW),
           "typescript 1": (NODE, "v1"), "typescript 2": (NODE, "legacy"), "typescript 2 new": (NODE, NEW)}


def run(client, *words):
    command, mode = CLIENTS[client]
    words = [*command, *words, mode, *([sys.executable] if command is NODE else [])]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=patient(120))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    entry = {"transport": "stdio", "command": sys.executable, "args": [str(HERE / "odd_server.py")]}
    with served(tmp_path_factory.mktemp("odd"), {"odd": entry}) as gateway:
        until(gateway, "odd", "ready")
        yield gateway


@pytest.fixture(scope="module")
def taken():
    """Of each item: do all clients take it?"""
    each = [run(client, "alone", HERE / "odd_items.json", HERE / "odd_server.py") for client in CLIENTS]
    return [all(verdicts) for verdicts in zip(*each)]


def refused(gateway):
    return {(one["list"], one["name"]): one["why"] for one in status(gateway, "odd")["refusals"]}


def name_of(one, number):
    item = one["item"]
    name = item.get(NAME[one["list"]]) if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else f"number {number}"


def items():
    """(list, name it is told by, item)"""
    counts = dict.fromkeys(NAME, 0)
    for one in ITEMS:
        counts[one["list"]] += 1
        yield one["list"], name_of(one, counts[one["list"]]), one["item"]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_has_every_list(odd, client):
    gone = refused(odd)
    listed = run(client, "all", f"{odd.url}/mcp/odd", MASTER)
    for kind in NAME:
        wanted = [name for k, name, _ in items() if k == kind and (k, name) not in gone]
        got = listed[kind]
        if client == "python 1" and kind == "resources":  # it writes a URL anew
            assert len(got) == len(wanted)
        else:
            assert got == wanted


def test_what_all_clients_take_is_passed_on_as_it_is(odd, taken):
    gone = refused(odd)
    shown = {kind: {item[NAME[kind]]: item for item in odd.rpc(METHOD[kind], path="/mcp/odd")["result"][kind]}
             for kind in NAME}
    new = odd.stateless("tools/list", path="/mcp/odd").json()["result"]["tools"]
    mended = 0
    for (kind, name, item), all_take_it in zip(items(), taken):
        if (kind, name) in gone:
            # The one that no gateway can serve: nobody could call it by its name.
            assert not all_take_it or name.startswith("number"), f"{kind} {name} is withheld"
        elif all_take_it:
            assert shown[kind][name] == item
        else:
            mended += shown[kind][name] != item
            lost = {k for k, v in item.items() if shown[kind][name].get(k) != v}
            added = shown[kind][name].keys() - item.keys()
            assert lost <= {"title", "description", "icons", "annotations", "execution", "_meta", "size",
                            "mimeType", "inputSchema", "outputSchema", "arguments", "name"}, (kind, name)
            assert added <= {"inputSchema", "name"}, (kind, name)
    assert mended > 20
    assert [t["name"] for t in new] == list(shown["tools"])


def test_what_is_withheld_is_named_with_its_reason(odd):
    gone = refused(odd)
    assert "inputSchema.type is not \"object\"" in gone["tools", "input-of-string"]
    assert "inputSchema is no object" in gone["tools", "input-word"]
    assert "inputSchema.properties.a is no object" in gone["tools", "prop-word"]
    assert "uri is no absolute URI" in gone["resources", "/etc/hosts"]
    assert "arguments" in gone["prompts", "arguments-object"]
    row = status(odd, "odd")
    assert row["refused"] == len(gone) and row["mended"] > 20 and row["state"] == "ready"
    said = odd.command("mcp", "status", "odd", "--config", odd.config).stdout
    assert "withheld of tools: input-word: inputSchema is no object" in said
    assert f"{len(gone)} withheld" in odd.command("mcp", "list", "--config", odd.config).stdout
    assert "are withheld, for clients would lose" in odd.command("doctor", "--config", odd.config).stdout
    assert "tools: 'input-word' of odd is withheld" in odd.call("GET", "/kanmon/events").body.decode()


def test_a_tool_that_is_withheld_cannot_be_called(odd):
    answer = odd.rpc("tools/call", {"name": "input-word", "arguments": {}}, path="/mcp/odd")
    assert answer["error"]["code"] == -32602
    kept = odd.rpc("tools/call", {"name": "none", "arguments": {}}, path="/mcp/odd")
    assert kept["result"]["content"][0]["text"] == "none"
