# SPDX-License-Identifier: Apache-2.0
"""Calls that fail without an answer of their server: the JSON-RPC code says whose affair it is."""

from conftest import META, NEW
from served import faulty, served, until


def new_call(gateway, name, key):
    """Of the stateless era."""
    return gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                         "params": {"name": name, "arguments": {}, "_meta": META}}, "/mcp",
                        {"mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": name},
                        key=key).json()


def old_call(gateway, name, key):
    return gateway.rpc("tools/call", {"name": name, "arguments": {}}, path="/mcp", key=key)


def test_a_limit_has_its_status_as_code_in_both_eras(tmp_path):
    with served(tmp_path, {"one": faulty()}) as gateway:
        until(gateway, "one", "ready")
        for call in (old_call, new_call):
            key = gateway.new_key(rpm_limit=1)
            assert "result" in call(gateway, "one-pid", key)
            refused = call(gateway, "one-pid", key)["error"]
            assert refused["code"] == 429
            assert refused["data"]["type"] == "throttling_error"


def test_a_server_that_breaks_is_a_fault_and_a_wrong_request_is_not(tmp_path):
    with served(tmp_path, {"one": faulty()}) as gateway:
        until(gateway, "one", "ready")
        key = gateway.new_key()
        for call in (old_call, new_call):
            assert call(gateway, "one-die", key)["error"]["code"] == -32603
            assert call(gateway, "one-none", key)["error"]["code"] == -32602
            until(gateway, "one", "ready")
