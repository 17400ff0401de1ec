# SPDX-License-Identifier: Apache-2.0
"""Calls of tools in /metrics: by server and tool, how they ended, how long they took, what they cost."""

import re

from served import faulty, served, until

NAMED = 500  # KM_MCP_COUNTED_TOOLS


def sample(gateway, name, **labels):
    """The sum of all lines of that name which have these labels."""
    found = [(dict(re.findall(r'(\w+)="([^"]*)"', line[1])), float(line[2])) for line in
             re.findall(r"^(\w+)\{(.*)\} (\S+)$", gateway.call("GET", "/metrics").body.decode(), re.M)
             if line[0] == name]
    return sum(value for has, value in found if labels.items() <= has.items())


def call(gateway, tool, **arguments):
    return gateway.rpc("tools/call", {"name": tool, "arguments": arguments}, path="/mcp")


def test_a_call_of_a_tool_is_counted_by_its_name(tmp_path):
    costs = {"mcp_server_cost_info": {"tool_name_to_cost_per_query": {"big": 0.25}}}
    with served(tmp_path, {"one": faulty(mcp_info=costs)}) as gateway:
        until(gateway, "one", "ready")
        for _ in range(3):
            assert "result" in call(gateway, "one-big", bytes=10)
        assert "result" in call(gateway, "one-pid")
        call(gateway, "one-die")
        call(gateway, "one-invented")  # no catalogue has it: what callers write is no label
        big = {"server": "one", "tool": "big"}
        assert sample(gateway, "kanmon_mcp_tool_calls_total", outcome="ok", **big) == 3
        assert sample(gateway, "kanmon_mcp_tool_call_seconds_count", **big) == 3
        assert sample(gateway, "kanmon_mcp_tool_call_seconds_sum", **big) > 0
        assert sample(gateway, "kanmon_mcp_tool_cost_usd_total", **big) == 0.75
        assert sample(gateway, "kanmon_mcp_tool_calls_total", tool="pid", outcome="ok") == 1
        assert sample(gateway, "kanmon_mcp_tool_cost_usd_total", tool="pid") == 0
        assert sample(gateway, "kanmon_mcp_tool_calls_total", tool="die", outcome="ok") == 0
        assert sample(gateway, "kanmon_mcp_tool_calls_total", tool="die") == 1
        assert sample(gateway, "litellm_proxy_total_requests_metric_total", requested_model="mcp") == 5
        assert b"invented" not in gateway.call("GET", "/metrics").body


def test_a_refused_call_is_counted_with_its_reason_and_takes_no_time(tmp_path):
    with served(tmp_path, {"one": faulty()}) as gateway:
        until(gateway, "one", "ready")
        key = gateway.new_key(rpm_limit=1)
        for _ in range(3):
            gateway.rpc("tools/call", {"name": "one-pid"}, path="/mcp", key=key)
        assert sample(gateway, "kanmon_mcp_tool_calls_total", tool="pid", outcome="ok") == 1
        assert sample(gateway, "kanmon_mcp_tool_calls_total", tool="pid", outcome="RATE_LIMITED") == 2
        assert sample(gateway, "kanmon_mcp_tool_call_seconds_count", tool="pid") == 1


def test_tools_past_the_bound_are_others(tmp_path):
    with served(tmp_path, {"one": faulty("--tools", NAMED + 20)}) as gateway:
        until(gateway, "one", "ready")
        for n in range(NAMED + 20):
            call(gateway, f"one-more{n}")
        named = {tool for tool in re.findall(r'kanmon_mcp_tool_call_seconds_count\{server="one",tool="([^"]*)"',
                                             gateway.call("GET", "/metrics").body.decode())}
        assert len(named) == NAMED
        assert sample(gateway, "kanmon_mcp_tool_calls_total") == NAMED + 20
        assert sample(gateway, "kanmon_mcp_tool_calls_total", server="other", tool="other") == 20
