# SPDX-License-Identifier: Apache-2.0
"""Header fields that repeat arguments: checked, whoever the client says it is."""

import json

import pytest
from gateway import wait_until

from faulty_http import FaultyHttp
from served import over_http, served

SCHEMA = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}


def names(gateway):
    answer = gateway.stateless("tools/list", path="/mcp/one").json()
    return {t["name"] for t in answer.get("result", {}).get("tools", [])}


@pytest.mark.parametrize("headers, fine", [
    ({"mcp-param-region": "eu"}, True),
    ({"mcp-param-region": "us"}, False),
    ({}, False),
    ({"x-kanmon-client": "a"}, True),  # a process on standard input has none
    ({"x-kanmon-client": "a", "mcp-param-region": "eu"}, True),
    ({"x-kanmon-client": "a", "Mcp-Param-Region": "us"}, False),
    ({"x-kanmon-client": "a", "mcp-param-other": "us"}, False),
])
def test_who_sends_some_is_checked(tmp_path, headers, fine):
    with FaultyHttp() as upstream:
        upstream.tools[0]["inputSchema"] = SCHEMA
        with served(tmp_path, {"one": over_http(upstream)}) as gateway:
            wait_until(lambda: "work" in names(gateway), 20, "its tools")
            answer = gateway.stateless("tools/call", {"name": "work", "arguments": {"region": "eu"}},
                                       headers=headers, path="/mcp/one")
            body = answer.events()[-1] if "event-stream" in answer.header("content-type") \
                else answer.body
            said = json.loads(body)
            assert ("error" not in said) == fine, said
            if not fine:
                assert said["error"]["code"] == -32020
                assert upstream.counts["tools/call"] == 0
