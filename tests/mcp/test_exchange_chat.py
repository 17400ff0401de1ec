# SPDX-License-Identifier: Apache-2.0
"""The tools of a chat, at a server that is given tokens exchanged for the caller's (RFC 8693)."""

import concurrent.futures
import json

import pytest
from conftest import McpGateway
from gateway import MASTER, wait_until
from scripted import Scripted
from sessions import Session
from test_exchange import claims, company, exchanging, there, token  # noqa: F401 (fixtures)


@pytest.fixture(scope="module")
def model():
    with Scripted() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(company, exchanging, model, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("exchange-chat")
    text = json.dumps({
        "model_list": [{"model_name": "m", "litellm_params": {
            "model": "openai/m", "api_base": model.url, "api_key": "sk-up"}}],
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {"tools": {
            "url": exchanging.mcp, "auth_type": "oauth2_token_exchange", "audience": "urn:tools",
            "token_exchange_endpoint": exchanging.endpoint, "client_id": "poster",
            "client_secret": "horse"}},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2, "jwt": [
            {"issuer": company.url, "audience": "kanmon", "default_key": "all"}]}})
    with McpGateway(folder, text) as started:
        started.new_key(key_alias="all")
        yield started


def chat(gateway, key, tool="tools-whoami"):
    """The message: what the model said last, and the gateway of its tools."""
    answer = gateway.call("POST", "/v1/chat/completions", {
        "model": "m", "messages": [{"role": "user", "content": json.dumps(
            [[[tool, {}]], "all done"])}],
        "tools": [{"type": "mcp", "server_label": "tools", "require_approval": "never",
                   "server_url": "litellm_proxy/mcp/tools"}]}, key=key)
    assert answer.status == 200, answer
    return answer.json()["choices"][0]["message"]


def test_a_tool_is_called_as_who_chats(gateway, there, token, model):  # noqa: F811
    keys = [token(), token("bob")] * 3
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda key: chat(gateway, key), keys))
    for key, message in zip(keys, said):
        (result,) = message["provider_specific_fields"]["mcp_call_results"]
        who = json.loads(result["result"])
        assert (who["sub"], who["via"]) == (claims(key)["sub"], claims(key)["jti"])
    seen = there.seen()
    assert len(seen) == 2 and not any(key in line for key in keys for line in seen)
    assert "tools-whoami" in [t["function"]["name"] for t in model.asked[-1]["tools"]]
    assert not any(key in json.dumps(model.asked) for key in keys)


def test_who_gets_no_token_is_told_by_the_one_tool(gateway, there, token, model):  # noqa: F811
    key = token()
    there.set("denied", claims(key)["sub"])
    message = chat(gateway, key, "tools-login")
    assert [t["function"]["name"] for t in model.asked[-1]["tools"]] == ["tools-login"]
    ((result,), said) = message["provider_specific_fields"]["mcp_call_results"], message["content"]
    assert "no token for 'tools'" in result["result"] and said == "all done"
    assert key not in json.dumps([message, model.asked])
    there.set()
    assert "tools-whoami" in json.dumps(chat(gateway, key))


def test_lists_that_nobody_could_ask_for_are_asked_for_with_the_next_token(
        gateway, there, token):  # noqa: F811
    """A stream outlives the token it began with, and with that nothing can be asked any more."""
    old, new = token(), token()
    with Session(gateway, "/mcp/tools", old) as client:
        assert "whoami" in client.tools()
        client.listen()
        there.say("/revoke", "mcp")
        there.set("denied", claims(old)["sub"])
        name = there.say("/offer", "mcp")["name"]
        wait_until(there.asked, 20, "it tried to have another token")
        assert name not in client.tools()
        there.set()
        client.headers["authorization"] = f"Bearer {new}"
        wait_until(lambda: name in client.tools(), 20, "the new tool")
        wait_until(lambda: any(n.get("method") == "notifications/tools/list_changed"
                               for n in client.notices), 20, "its stream was told")
    assert gateway.call("GET", "/kanmon/mcp/servers/tools").json()["state"] == "ready"
