# SPDX-License-Identifier: Apache-2.0
"""What is judged is what the server reads: a second member of one name is a way past every rule.

The servers read JSON as Python and JavaScript do, where the last of two members counts.
"""

import json

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
