# SPDX-License-Identifier: Apache-2.0
"""How long a call may take: to its first word, between two, all in all, for a server and for a tool."""
import sys

import pytest
from served import served, until
from test_repeats import DELETING, Server, entry

HOW = {"http": {}, "handshake": {"spec_version": "2025-11-25"}}


def call(gateway, tool, path, **arguments):
    """With a token for progress."""
    answer = gateway.rpc("tools/call", {"name": tool, "arguments": arguments,
                                        "_meta": {"progressToken": 7}}, path)
    return answer["error"]


@pytest.fixture(scope="module", params=["http", "handshake", "stdio"])
def world(request, tmp_path_factory):
    """(gateway, server's file); no call of its tools ends by itself."""
    folder = tmp_path_factory.mktemp("times")
    settings = {
        "first": {"timeout": "100s", "first_event_timeout": "150ms"},
        "between": {"timeout": "150ms", "first_event_timeout": "100s"},
        "whole": {"timeout": "100s", "call_timeout": "300ms"},
        "tool": {"timeout": "100s", "tool_settings": {
            "look": {"first_event_timeout": "150ms"}, "put": {"timeout": "160ms"},
            "make": {"call_timeout": "300ms"}}}}
    with Server(folder) as server:
        server.mark("hang")
        how = request.param

        def one(more):
            if how != "stdio":
                return entry(server.url, "stateless", **HOW[how], **more)
            return {"transport": "stdio", "command": sys.executable, "approve": "never",
                    "args": [str(DELETING), "stdio", str(server.ran_file)], "health_interval": 0,
                    "silence_timeout": 0, **more}
        with served(folder, {name: one(more) for name, more in settings.items()}) as gateway:
            for name in settings:
                until(gateway, name, "ready")
            yield gateway


@pytest.mark.parametrize("name, tool, progress, words", [
    ("first", "look", 0, "'first' did not begin to answer within 150 ms"),
    ("between", "look", 1, "'between' said nothing for 150 ms"),
    ("whole", "look", 0, "'whole' took longer than its call_timeout"),
    ("whole", "look", 10 ** 6, "'whole' took longer than its call_timeout"),
    ("tool", "look", 0, "'tool' did not begin to answer within 150 ms"),
    ("tool", "put", 0, "'tool' said nothing for 160 ms"),
    ("tool", "make", 10 ** 6, "'tool' took longer than its call_timeout")])
def test_each_time_has_its_own_error(world, name, tool, progress, words):
    error = call(world, tool, f"/mcp/{name}", progress=progress)
    assert words in error["message"]
    assert error["code"] == 408
