# SPDX-License-Identifier: Apache-2.0
"""Keys by command line that may use some MCP servers, tools and parameters: said as options, held to
what is there, shown again, and enforced."""

import json
import os

import pytest

from served import faulty, served, until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    servers = {"git": faulty("--schemas"), "docs": faulty(access_groups=["readers"], alias="the docs"),
               "late": faulty("--dead", os.devnull)}
    with served(tmp_path_factory.mktemp("keys"), servers) as made:
        for name in ("git", "docs"):
            until(made, name, "ready")
        yield made


def command(gateway, *words):
    return gateway.command("key", *words, "--config", gateway.config)


def made(gateway, *words):
    done = command(gateway, "generate", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def permission(gateway, key):
    return gateway.key_info(key).get("object_permission")


def tools(gateway, key):
    return {t["name"] for t in gateway.rpc("tools/list", path="/mcp", key=key)["result"]["tools"]}


def test_what_is_said_is_what_the_key_may_do(gateway):
    key = made(gateway, "--alias", "bot", "--mcp-servers", "docs", "--mcp-tools", "git:pid,git:big",
               "--mcp-params", "git:big:v")
    assert permission(gateway, key) == {
        "mcp_servers": ["docs", "git"], "mcp_tool_permissions": {"git": ["pid", "big"]},
        "mcp_param_permissions": {"git": {"big": ["v"]}}}
    mine = tools(gateway, key)
    assert {"git-pid", "git-big"} == {t for t in mine if t.startswith("git-")}
    assert any(t.startswith("the_docs-") for t in mine) and not any(t.startswith("late") for t in mine)
    other = made(gateway, "--mcp-groups", "readers")
    assert permission(gateway, other) == {"mcp_access_groups": ["readers"]}
    assert not any(t.startswith("git-") for t in tools(gateway, other))
    none = made(gateway, "--alias", "closed", "--mcp-servers", "none")
    assert permission(gateway, none) == {"mcp_servers": []} and not tools(gateway, none) - tools(
        gateway, made(gateway, "--mcp-servers", "none"))
    assert permission(gateway, made(gateway)) is None
    modes = made(gateway, "--mcp-modes", "git:read-only", "--mcp-values", "git:tenant=a=b,git:x=1", "--unchecked")
    assert permission(gateway, modes) == {"mcp_servers": ["git"], "mcp_modes": {"git": "read-only"},
                                          "mcp_values": {"git": {"tenant": "a=b", "x": "1"}}}


@pytest.mark.parametrize("words, said", [
    (("--mcp-servers", "gti"), "no MCP server 'gti'; did you mean 'git'?"),
    (("--mcp-servers", "nowhere"), "no MCP server 'nowhere' now; `kanmon mcp list`"),
    (("--mcp-groups", "raeders"), "no access group 'raeders'; did you mean 'readers'?"),
    (("--mcp-tools", "git:pdi"), "no tool 'pdi'; did you mean 'pid'?"),
    (("--mcp-tools", "git"), "'git' is not two words"),
    (("--mcp-params", "git:big:w"), "no parameter 'w'; did you mean 'v'?"),
    (("--mcp-params", "git:big"), "SERVER:TOOL:PARAMETER"),
    (("--mcp-servers", "git", "--mcp-tools", "none"), "would restrict nothing: say all"),
    (("--mcp-servers", "git", "--mcp-params", "none"), "would restrict nothing: say all"),
    (("--mcp-modes", "git:read-only"), "'git' would not be held to it"),
    (("--mcp-values", "git:tenant=acme"), "'git' would not be held to it"),
    (("--mcp-values", "git:tenant"), "'git:tenant' is not SERVER:NAME=VALUE"),
    (("--mcp-values", "git:=acme"), "'git:=acme' is not SERVER:NAME=VALUE"),
])
def test_a_name_that_is_not_there_is_said(gateway, words, said):
    keys = json.loads(command(gateway, "list", "--json").stdout)["total_count"]
    done = command(gateway, "generate", *words)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert json.loads(command(gateway, "list", "--json").stdout)["total_count"] == keys


def test_what_is_not_known_yet_is_taken_with_a_word(gateway):
    done = command(gateway, "generate", "--mcp-tools", "late:whatever")
    assert done.returncode == 0 and "is not known now" in done.stderr
    key = made(gateway, "--mcp-servers", "tomorrow", "--unchecked")
    assert permission(gateway, key) == {"mcp_servers": ["tomorrow"]}


def test_a_key_is_changed_part_by_part_and_shown(gateway):
    key = made(gateway, "--alias", "changing", "--mcp-servers", "docs", "--max-budget", "2")
    done = command(gateway, "update", "changing", "--mcp-tools", "git:pid")
    assert done.returncode == 0, done.stderr
    assert permission(gateway, key) == {"mcp_servers": ["git"], "mcp_tool_permissions": {"git": ["pid"]}}
    done = command(gateway, "update", "changing", "--mcp-servers", "docs,git", "--rpm", "7")
    assert "docs,git" in done.stdout and '{"git":["pid"]}' in done.stdout
    info = gateway.key_info(key)
    assert info["object_permission"] == {"mcp_servers": ["docs", "git"],
                                         "mcp_tool_permissions": {"git": ["pid"]}}
    assert info["rpm_limit"] == 7 and info["max_budget"] == 2
    shown = command(gateway, "info", "changing").stdout
    assert "mcp servers  docs,git" in shown and '{"git":["pid"]}' in shown
    listed = {line.split()[1]: line.split()[-1] for line in command(gateway, "list").stdout.splitlines()[1:]
              if len(line.split()) > 5}
    assert listed["changing"] == "docs,git"
    done = command(gateway, "update", "changing", "--mcp-tools", "all")
    assert gateway.key_info(key)["object_permission"] == {"mcp_servers": ["docs", "git"], "mcp_tool_permissions": {}}
    assert "git-big" in tools(gateway, key)
    done = command(gateway, "update", "changing", "--mcp-tools", "git:pid", "--mcp-servers", "docs,git")
    done = command(gateway, "update", "changing", "--max-budget", "3")  # says nothing of servers
    assert gateway.key_info(key)["object_permission"] == info["object_permission"]
    done = command(gateway, "info", "chnaging")
    assert done.returncode == 1 and "kanmon key list" in done.stderr
    done = command(gateway, "update", "changing")
    assert done.returncode == 2 and "say what of the key" in done.stderr
    done = command(gateway, "update", "nobody", "--rpm", "1")
    assert done.returncode == 1 and "nobody" in done.stderr


def test_the_names_are_the_administrators(gateway):
    key = gateway.new_key()
    assert gateway.call("GET", "/kanmon/mcp/names", key=key).status in (401, 403)
    names = gateway.call("GET", "/kanmon/mcp/names").json()
    big = next(t for s in names["servers"] if s["name"] == "git" for t in s["tools"] if t["name"] == "big")
    assert big["parameters"] == ["v"] and names["groups"] == ["readers"]
