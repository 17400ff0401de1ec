# SPDX-License-Identifier: Apache-2.0
"""What general_settings and litellm_settings of LiteLLM's file say of MCP servers."""

import json
import subprocess

import pytest
from gateway import MASTER, binary

from conftest import McpGateway
from faulty_http import FaultyHttp
from served import until
from sessions import Session

SERVERS = {
    "plain": {}, "everyones": {"allow_all_keys": True},
    "bearer": {"auth_type": "bearer_token", "auth_value": "configured"},
    "keyed": {"auth_type": "api_key"},
    "fixed": {"auth_type": "bearer_token", "static_headers": {"Authorization": "Fixed one"}},
    "a_long_name": {},
}
ALIASES = {"short": "a_long_name", "shorter": "a_long_name", "lost": "nobody"}


@pytest.fixture(scope="module")
def upstream():
    with FaultyHttp() as server:
        yield server


def config(folder, upstream, **general):
    servers = {name: {"url": f"{upstream.url}/{name}", "transport": "http", **more}
               for name, more in SERVERS.items()}
    return json.dumps({
        "general_settings": {"master_key": MASTER, **general}, "mcp_servers": servers,
        "litellm_settings": {"mcp_aliases": ALIASES},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2}})


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litellm")
    with McpGateway(folder, config(folder, upstream, require_key_mcp_access_defined=True)) as one:
        for name in SERVERS:
            until(one, name, "ready")
        yield one


def servers(gateway, key):
    with Session(gateway, key=key) as session:
        return {name.split("-")[0] for name in session.tools()} - {"kanmon"}


def new_key(gateway, **permission):
    more = {"object_permission": permission} if permission else {}
    return gateway.call("POST", "/key/generate", more).json()["key"]


def test_a_key_that_names_no_server_has_none(gateway):
    everything = {"plain", "everyones", "bearer", "keyed", "fixed", "short"}
    assert servers(gateway, MASTER) == everything
    assert servers(gateway, new_key(gateway)) == {"everyones"}
    assert servers(gateway, new_key(gateway, mcp_servers=["plain"])) == {"plain", "everyones"}
    listed = gateway.call("GET", "/v1/mcp/server", key=new_key(gateway)).json()
    assert [one["server_name"] for one in listed] == ["everyones"]
    answer = gateway.rpc("tools/call", {"name": "plain-work", "arguments": {}}, path="/mcp",
                         key=new_key(gateway))
    assert answer["error"]["code"] == -32602


def test_else_it_has_all(upstream, tmp_path):
    with McpGateway(tmp_path, config(tmp_path, upstream)) as gateway:
        for name in SERVERS:
            until(gateway, name, "ready")
        assert "plain" in servers(gateway, new_key(gateway))


def test_what_has_no_effect_is_said(upstream, tmp_path):
    """The header of the client's own key among it: no server is to see that."""
    (tmp_path / "config.yaml").write_text(
        config(tmp_path, upstream, mcp_client_side_auth_header_name="authorization"))
    ran = subprocess.run([binary(), "config", "check", tmp_path / "config.yaml"],
                         capture_output=True, text=True, check=True)
    said = ran.stdout + ran.stderr
    assert "mcp_aliases.lost: there is no MCP server 'nobody'" in said
    assert "'authorization' is for kanmon, no server is sent it" in said


def sent(gateway, upstream, name, **headers):
    """The credentials the server saw in this call."""
    with Session(gateway) as session:
        session.headers |= headers
        session.tool(f"{name}-work")
    last = [one for one in upstream.seen
            if one["path"].endswith("/" + name) and one["method"] == "tools/call"][-1]
    return {n: [value for name, value in last["lines"] if name == n]
            for n in ("authorization", "x-api-key", "x-mcp-auth") if n in last}


@pytest.mark.parametrize("name, headers, seen", [
    ("bearer", {}, {"authorization": ["Bearer configured"]}),
    ("bearer", {"x-mcp-auth": "mine"}, {"authorization": ["Bearer mine"]}),
    ("bearer", {"x-mcp-auth": "mine", "x-mcp-bearer-authorization": "Own one"},
     {"authorization": ["Own one"]}),
    ("keyed", {"x-mcp-auth": "mine"}, {"x-api-key": ["mine"]}),
    ("fixed", {"x-mcp-auth": "mine", "x-mcp-fixed-authorization": "Own one"},
     {"authorization": ["Fixed one"]}),
    ("plain", {"x-mcp-auth": "mine"}, {}),
])
def test_a_clients_own_credential(gateway, upstream, name, headers, seen):
    assert sent(gateway, upstream, name, **headers) == seen


def test_the_header_may_have_another_name(upstream, tmp_path):
    text = config(tmp_path, upstream, mcp_client_side_auth_header_name="x-their-token")
    with McpGateway(tmp_path, text) as gateway:
        until(gateway, "bearer", "ready")
        more = {"x-their-token": "mine", "x-mcp-auth": "not this"}
        assert sent(gateway, upstream, "bearer", **more) == {"authorization": ["Bearer mine"]}
