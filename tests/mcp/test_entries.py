# SPDX-License-Identifier: Apache-2.0
"""Each key of an entry of `mcp_servers` does what it says: LiteLLM's, in LiteLLM's file."""

import base64
import json
import re

import pytest
from gateway import MASTER, wait_until

from conftest import McpGateway
from faulty_http import FaultyHttp
from served import faulty, status, until
from sessions import Session, text

HTTP = {
    "key": {"auth_type": "api_key", "auth_value": "k1"},
    "bearer": {"auth_type": "bearer_token", "auth_value": "os.environ/TOKEN_OF_BEARER"},
    "basic": {"auth_type": "basic", "auth_value": "ann:secret"},
    "encoded": {"auth_type": "basic", "auth_value": base64.b64encode(b"bob:secret").decode()},
    "raw": {"auth_type": "authorization", "auth_value": "Custom abc"},
    "token": {"auth_type": "token", "authentication_token": "t1"},
    "fixed": {"static_headers": {"X-Team": "os.environ/TEAM", "X-For": "user ${X-WHO}!"},
              "extra_headers": ["x-trace", "authorization"]},
    "asks": {"static_headers": {"X-Copied": "${X-API-KEY}${X-Litellm-Api-Key}${X-Our-Key}."},
             "extra_headers": ["x-api-key", "Ocp-Apim-Subscription-Key", "X-Our-Key", "x-trace"]},
    "only": {"allowed_tools": ["only-work"]},
    "neither": {"allowed_tools": ["work"], "disallowed_tools": ["neither-work"]},
    "without": {"disallowed_tools": ["work"]},
    "dressed": {"tool_name_to_display_name": {"work": "labour"},
                "tool_name_to_description": {"work": "Does it."}, "instructions": "Ask nicely.",
                "description": "A server", "mcp_info": {"logo_url": "l"},
                "server_id": "the-id", "alias": "d"},
    "closed": {}, "open": {"allow_all_keys": True},
    "inner": {"available_on_public_internet": False},
    "old": {"spec_version": "2025-03-26"},
    "newest": {"spec_version": "2026-07-28"},  # of what it speaks: any
    "off": {"enabled": False},
}


@pytest.fixture(scope="module")
def upstream():
    with FaultyHttp() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("entries")
    servers = {name: {"url": f"{upstream.url}/{name}", "transport": "http", **more}
               for name, more in HTTP.items()}
    (folder / "place").mkdir()
    servers["lines"] = faulty("--env", "os.environ/WORD", cwd=str(folder / "place"), timeout=0.5,
                              env={"GIVEN": "os.environ/TEAM"})
    servers["noisy"] = faulty("--flood")
    text_of = json.dumps({
        "general_settings": {"master_key": MASTER, "litellm_key_header_name": "x-our-key"},
        "mcp_servers": servers,
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2, "mcp_servers": {
            "noisy": {"log_size": "64KiB"}},
            "mcp_virtual_servers": {"some": {"servers": {"inner": "*", "open": "*"}}}}})
    with McpGateway(folder, text_of, {"TOKEN_OF_BEARER": "b1", "TEAM": "blue",
                                      "WORD": "--pids"[2:]}) as started:
        for name in servers:
            until(started, name, "stopped" if name in ("off", "fixed", "asks") else "ready")  # who asks?
        yield started


def seen(upstream, name):
    """Of its messages that belong to a session."""
    return [one for one in upstream.seen if one["path"].endswith("/" + name)]


def tools(gateway, path="/mcp", **more):
    answer = gateway.rpc("tools/list", path=path, **more)
    return {tool["name"]: tool for tool in answer.get("result", {}).get("tools", [])}


def call(gateway, tool, path="/mcp", **more):
    return gateway.rpc("tools/call", {"name": tool, "arguments": {}}, path=path, **more)


@pytest.mark.parametrize("name, field, value", [
    ("key", "x-api-key", "k1"), ("bearer", "authorization", "Bearer b1"),
    ("basic", "authorization", "Basic " + base64.b64encode(b"ann:secret").decode()),
    ("encoded", "authorization", "Basic " + base64.b64encode(b"bob:secret").decode()),
    ("raw", "authorization", "Custom abc"), ("token", "authorization", "token t1"),
    ("fixed", "x-team", "blue")])
def test_every_request_has_what_proves_kanmon_there(gateway, upstream, name, field, value):
    assert text(call(gateway, f"{name}-work")) == "done"
    assert {one.get(field) for one in seen(upstream, name)} == {value}


def test_what_a_client_sends_reaches_the_server_it_is_meant_for(gateway, upstream):
    before = len(upstream.seen)
    sent = {"x-who": "ann", "x-trace": "7", "x-other": "8", "x-mcp-fixed-x-mine": "9",
            "x-mcp-key-x-theirs": "10"}
    assert text(call(gateway, "fixed-work", headers=sent)) == "done"
    called, = (one for one in upstream.seen[before:] if one["method"] == "tools/call")
    assert (called["x-for"], called["x-trace"], called["x-mine"]) == ("user ann!", "7", "9")
    assert not {"authorization", "x-other", "x-theirs", "x-who"} & set(called)
    call(gateway, "fixed-work", headers={"x-mcp-fixed-authorization": "Bearer for-it"})
    assert upstream.seen[-1]["authorization"] == "Bearer for-it"


@pytest.mark.parametrize("field", ["x-api-key", "ocp-apim-subscription-key", "x-our-key",
                                   "x-litellm-api-key"])
def test_a_clients_key_to_kanmon_goes_nowhere(gateway, upstream, field):
    """By whichever header it came, and whatever an entry asks for."""
    key, before = gateway.new_key(), len(upstream.seen)
    answer = gateway.rpc("tools/call", {"name": "asks-work", "arguments": {}}, path="/mcp", key=None,
                         headers={field: key, "x-trace": "7"})
    assert text(answer) == "done"
    called, = (one for one in upstream.seen[before:] if one["method"] == "tools/call")
    assert (called["x-copied"], called["x-trace"]) == (".", "7")
    assert key not in json.dumps(upstream.seen[before:])


def test_an_entry_that_asks_for_a_clients_key_is_told(gateway):
    said = gateway.command("config", "check", "--config", gateway.config)
    said = said.stdout + said.stderr
    for name in ("x-api-key", "Ocp-Apim-Subscription-Key", "X-Our-Key", "authorization"):
        assert f"extra_headers: '{name}' is for kanmon" in said
    assert said.count("static_headers: '${X-API-KEY}") == 3 and "'x-trace'" not in said


def test_tools_that_are_left_out_are_nobodys(gateway):
    assert list(tools(gateway, "/mcp/only")) == ["work"]
    assert list(tools(gateway, "/mcp/without")) == ["break"]
    assert not tools(gateway, "/mcp/neither")
    for tool in ("only-break", "without-work", "neither-work", "neither-break"):
        assert tool not in tools(gateway)
        assert call(gateway, tool)["error"]["code"] == -32602


def test_what_is_shown_of_a_tool_and_its_server(gateway, upstream):
    shown = tools(gateway)["d-labour"]
    assert shown["description"] == "Does it." and "d-work" not in tools(gateway)
    assert tools(gateway, "/mcp/the-id")["labour"] and tools(gateway, "/dressed/mcp")["break"]
    assert text(call(gateway, "d-labour")) == "done"
    assert upstream.seen[-1]["params"]["name"] == "work"
    with Session(gateway, "/mcp/d") as session:
        assert session.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                                          "clientInfo": {"name": "t", "version": "1"}})[
            "result"]["instructions"] == "Ask nicely."
    row = gateway.call("GET", "/v1/mcp/server/the-id").json()
    assert (row["description"], row["alias"], row["server_name"]) == ("A server", "d", "dressed")
    listed = gateway.call("GET", "/mcp-rest/tools/list?server_id=the-id").json()["tools"]
    assert {one["mcp_info"]["logo_url"] for one in listed} == {"l"}


def test_a_server_for_all_keys_is_for_all(gateway):
    key = gateway.new_key(object_permission={"mcp_servers": ["key"]})
    assert {name.split("-")[0] for name in tools(gateway, key=key)} == {"kanmon", "key", "open"}
    assert "error" in call(gateway, "closed-work", key=key)


@pytest.mark.parametrize("sent, inside", [
    ({}, True), ({"x-forwarded-for": "10.0.0.7, 192.168.1.1"}, True), ({"x-real-ip": "::1"}, True),
    ({"forwarded": 'for="[fd00::1]:80";proto=http, for=127.0.0.1'}, True),
    ({"x-forwarded-for": "203.0.113.9"}, False), ({"x-forwarded-for": "10.0.0.7, 8.8.8.8:443"}, False),
    ({"x-forwarded-for": "unknown"}, False), ({"x-real-ip": "2001:4860:4860::8888"}, False),
    ({"forwarded": 'proto=https;for="[2001:4860::8888]:1"'}, False), ({"forwarded": "for=_hidden"}, False),
    ({"via": "1.1 proxy"}, False), ({"x-forwarded-proto": "https"}, False),
    ({"forwarded": "proto=https"}, False), ({"via": "1.1 a", "x-forwarded-for": "10.0.0.7"}, True)])
def test_a_server_of_the_private_network_is_not_for_the_public_one(gateway, sent, inside):
    """Nor is it to be seen that it is there, whoever asks."""
    assert ("inner-work" in tools(gateway, headers=sent)) is inside
    assert ("work" in tools(gateway, "/mcp/inner", headers=sent)) is inside
    assert ("result" in call(gateway, "inner-work", headers=sent)) is inside
    assert len(tools(gateway, "/mcp/some", headers=sent)) == (4 if inside else 2)
    assert "open-work" in tools(gateway, headers=sent)
    rows = gateway.call("GET", "/v1/mcp/server", headers=sent).json()
    assert any(row["server_name"] == "inner" for row in rows) is inside
    one = gateway.call("GET", "/v1/mcp/server/inner", headers=sent)
    assert one.status == (200 if inside else 404)
    rest = gateway.call("GET", "/mcp-rest/tools/list?server_id=inner", headers=sent).json()
    assert bool(rest["tools"]) is inside


def test_a_revision_that_is_asked_for_is_the_newest_that_is_spoken(gateway, upstream):
    began, = {one["params"]["protocolVersion"] for one in seen(upstream, "old")
              if one["method"] == "initialize"}
    assert began == "2025-03-26" and not any(one["method"] == "server/discover"
                                             for one in seen(upstream, "old"))
    assert "newest-work" in tools(gateway)
    assert {one["method"] for one in seen(upstream, "newest")} >= {"server/discover", "initialize"}


def test_a_server_that_is_off_is_there_for_nobody(gateway, upstream):
    assert status(gateway, "off")["state"] == "stopped" and not seen(upstream, "off")
    assert not any(name.startswith("off-") for name in tools(gateway))


def test_a_child_has_its_words_its_place_and_its_time(gateway):
    with Session(gateway, "/mcp/lines") as session:
        assert json.loads(text(session.tool("env")))["GIVEN"] == "blue"
        session.tool("write", bytes=3)
        assert (gateway.folder / "place" / "large").stat().st_size == 3
        late = session.tool("sleep", seconds=20)
        assert re.search(r"said nothing for 500 ms", json.dumps(late)), late


def test_the_log_of_standard_error_is_bounded(gateway):
    with Session(gateway, "/mcp/noisy") as session:
        assert text(session.tool("pid"))
    def logs():
        return list((gateway.folder / "state" / "mcp").glob("noisy.log*"))
    wait_until(lambda: len(logs()) == 2, 10, "a second file")
    files = logs()
    assert len(files) == 2 and all(0 < file.stat().st_size <= 64 * 1024 for file in files)
    shown = gateway.command("mcp", "logs", "noisy", "--config", gateway.config)
    assert "noise noise" in shown.stdout
