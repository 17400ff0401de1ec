# SPDX-License-Identifier: Apache-2.0
"""`kanmon mcp stdio` line by line, and `kanmon mcp tools`."""

import json
import subprocess

from gateway import MASTER, slow_factor
from ports import free_port

HELLO = {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}


def bridge(gateway, kanmon, lines, *more, env=None):
    """Feeds the lines (bytes, or objects) and returns what came out, a message a line.

    Requests are answered as they are done, so what came out is in the order of what was asked.
    """
    sent = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
                    for line in lines)
    ran = subprocess.run([kanmon, *gateway.bridge_words(*more)], input=sent, capture_output=True,
                         env={**gateway.env, **(env or {})}, timeout=60 * slow_factor())
    assert ran.returncode == 0, ran.stderr.decode()
    asked = [line.get("id") for line in lines if isinstance(line, dict)]
    out = [json.loads(line) for line in ran.stdout.splitlines()]
    return sorted(out, key=lambda m: asked.index(m["id"]) if m.get("id") in asked else -1)


def call(name, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name}}


def test_messages_pass_and_keep_their_ids(gateway, kanmon):
    out = bridge(gateway, kanmon, [
        HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}, b"", b"\r",
        call("list_models", 7), call("kanmon-gateway_status", "x")])
    assert [m["id"] for m in out] == ["a", 7, "x"]
    assert out[0]["result"]["protocolVersion"] == "2025-06-18"
    assert out[1]["result"]["structuredContent"]["models"] == ["small", "large"]
    assert out[2]["result"]["structuredContent"]["store"] == "healthy"


def test_the_agreed_revision_goes_into_the_header(gateway, kanmon):
    wrong = {**call("list_models"), "params": {"name": "list_models", "arguments": {"limit": 0}}}
    assert bridge(gateway, kanmon, [HELLO, wrong])[1]["error"]["code"] == -32602
    newer = {**HELLO, "params": {**HELLO["params"], "protocolVersion": "2025-11-25"}}
    assert bridge(gateway, kanmon, [newer, wrong])[1]["result"]["isError"] is True


def test_who_calls_by_the_socket_is_in_the_audit_log(gateway, kanmon):
    bridge(gateway, kanmon, [call("key_info")])
    assert gateway.audit()[-1][0].startswith("local:")


def test_an_id_comes_back_byte_for_byte(gateway, kanmon):
    line = b'{"jsonrpc":"2.0","id":"\\u0041/\\/","method":"ping"}\n'
    ran = subprocess.run([kanmon, *gateway.bridge_words()], input=line, capture_output=True,
                         env=gateway.env, timeout=60 * slow_factor())
    assert ran.stdout == b'{"jsonrpc":"2.0","id":"\\u0041/\\/","result":{}}\n'


def test_one_server_instead_of_all(gateway, kanmon):
    lines = [{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}]
    tools = bridge(gateway, kanmon, lines, "--server", "kanmon")[0]["result"]["tools"]
    assert tools[0]["name"] == "list_models"
    answer = bridge(gateway, kanmon, lines, "--server", "no/such")[0]
    assert "no MCP server" in answer["error"]["message"]
    assert answer["id"] == 1


def test_elsewhere_by_url_with_a_key(gateway, kanmon, key):
    out = bridge(gateway, kanmon, [HELLO, call("list_models")], "--url", gateway.url,
                 env={"KANMON_KEY": key})
    assert out[1]["result"]["structuredContent"]["models"] == ["small"]
    out = bridge(gateway, kanmon, [call("list_models")], "--url", gateway.url,
                 env={"KANMON_KEY": "sk-wrong-0123456789abcd"})
    assert "401" in out[0]["error"]["message"]


def test_lines_that_are_no_messages_do_not_end_it(gateway, kanmon):
    out = bridge(gateway, kanmon, [b"{", b'"x"', call("list_models", 3)])
    assert [m.get("id") for m in out] == [None, None, 3]
    assert [m["error"]["code"] for m in out[:2]] == [-32700, -32600]


def test_a_line_over_10_mib_is_passed_over(gateway, kanmon):
    long = {**call("list_models"), "params": {"name": "y" * (10 << 20)}}
    out = bridge(gateway, kanmon, [call("list_models", 1), long, long, call("list_models", 2)])
    assert [m.get("id") for m in out] == [None, None, 1, 2]
    assert "10 MiB" in out[0]["error"]["message"]


def test_without_a_gateway_one_is_started_and_stays(gateway, kanmon, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f'kanmon_settings: {{state_dir: "{tmp_path}/state", workers: 1, '
                      f'listen: [{{host: 127.0.0.1, port: {free_port()}}}]}}\n')
    words = ["mcp", "stdio", "--config", str(config)]
    try:
        ran = [subprocess.Popen([kanmon, *words], env=gateway.env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
               for _ in range(2)]  # at the same moment: one starts it, both use it
        for one in ran:
            out, _ = one.communicate(json.dumps(HELLO).encode() + b"\n", 60 * slow_factor())
            assert json.loads(out)["result"]["serverInfo"]["name"] == "kanmon", out
            assert one.returncode == 0
        assert gateway.command("status", "--config", config).returncode == 0
    finally:
        assert gateway.command("stop", "--config", config).returncode == 0


def test_when_none_can_be_started_the_client_is_told(gateway, kanmon, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f'kanmon_settings: {{state_dir: "{tmp_path}/state", workers: 1, '
                      f'listen: [{{host: 127.0.0.1, port: {gateway.port}}}]}}\n')
    ran = subprocess.run([kanmon, "mcp", "stdio", "--config", str(config)], env=gateway.env,
                         input=json.dumps(HELLO).encode() + b"\n", capture_output=True,
                         timeout=60 * slow_factor())
    answer = json.loads(ran.stdout)
    assert answer["id"] == "a"
    assert "kanmon start" in answer["error"]["message"]


def test_tools_are_listed_for_people_and_programs(gateway):
    ran = gateway.command("mcp", "tools", "--config", gateway.config)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[:2] == ["kanmon-list_models", "read-only"]
    ran = gateway.command("mcp", "tools", "--config", gateway.config, "--server", "kanmon", "--json")
    assert [t["name"] for t in json.loads(ran.stdout)["tools"]] == [
        "list_models", "key_info", "gateway_status"]
    gateway.env["KANMON_KEY"] = MASTER + "-wrong"
    try:
        ran = gateway.command("mcp", "tools", "--url", gateway.url)
    finally:
        del gateway.env["KANMON_KEY"]
    assert ran.returncode == 4
    assert "It is unknown here" in ran.stderr


def test_a_tool_is_called_by_hand(gateway):
    def call(*words):
        return gateway.command("mcp", "call", *words, "--config", gateway.config)

    ran = call("kanmon-list_models", "contains=lar", "limit=1")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"models": ["large"], "more": False}
    ran = call("list_models", "--server", "kanmon", "--arguments", '{"limit": 1}', "--json")
    assert json.loads(ran.stdout)["structuredContent"]["models"] == ["small"]
    ran = call("kanmon-list_models", "limit=many")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "arguments.limit must be of type integer" in ran.stderr
    ran = call("kanmon-none")
    assert ran.returncode != 0 and "kanmon-none" in ran.stderr
    assert call("kanmon-list_models", "nothing").returncode == 2
    assert call().returncode == 2


def test_what_waits_for_a_person_is_listed(gateway):
    ran = gateway.command("mcp", "approve", "--config", gateway.config)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "No call waits" in ran.stderr
    ran = gateway.command("mcp", "approve", "none", "--refuse", "--config", gateway.config)
    assert ran.returncode != 0
    ran = gateway.command("mcp", "approve", "--config", gateway.config, "--json")
    assert json.loads(ran.stdout) == {"approvals": [], "tools": []}
