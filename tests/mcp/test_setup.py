# SPDX-License-Identifier: Apache-2.0
"""`kanmon mcp import` and `kanmon mcp config`: to and from the files of MCP clients."""

import json
import shlex
import tomllib

import pytest

URL = "http://gateway.test:4000/"
CLAUDE = """{
  // what Claude Desktop writes
  "mcpServers": {
    "context7": {"command": "npx", "args": ["-y", "@upstash/context7-mcp"],
                 "env": {"CONTEXT7_API_KEY": "ctx7sk-verysecret"}},
    "remote": {"type": "http", "url": "https://mcp.test/mcp",
               "headers": {"Authorization": "Bearer ${input:remote-token}"}},
  },
}"""


@pytest.fixture
def config(gateway, tmp_path):
    def run(client, *more):
        ran = gateway.command("mcp", "config", client, *more)
        assert ran.returncode == 0, ran.stderr
        assert "This goes to" in ran.stderr
        return ran.stdout
    return run


def test_each_client_is_told_to_start_the_bridge(gateway, kanmon, config):
    where = ["--config", gateway.config, "--server", "docs"]
    words = ["mcp", "stdio", "--config", str(gateway.config.resolve()), "--server", "docs"]
    assert shlex.split(config("claude-code", *where)) == [
        "claude", "mcp", "add", "kanmon", "--", kanmon, *words]
    for client, key in (("claude-desktop", "mcpServers"), ("cursor", "mcpServers"),
                        ("vscode", "servers")):
        server = json.loads(config(client, *where))[key]["kanmon"]
        assert (server["command"], server["args"]) == (kanmon, words)
    server = tomllib.loads(config("codex", *where))["mcp_servers"]["kanmon"]
    assert server == {"command": kanmon, "args": words}


def test_by_address_no_key_is_written_down(config):
    assert shlex.split(config("claude-code", "--url", URL))[-3:] == [
        "http://gateway.test:4000/mcp", "--header", "Authorization: Bearer $KANMON_KEY"]
    code = json.loads(config("vscode", "--url", URL, "--server", "a/b"))
    assert code["servers"]["kanmon"]["url"] == "http://gateway.test:4000/mcp/a%2Fb"
    assert code["inputs"][0]["password"] is True
    cursor = json.loads(config("cursor", "--url", URL))["mcpServers"]["kanmon"]
    assert cursor["headers"] == {"Authorization": "Bearer ${env:KANMON_KEY}"}
    codex = tomllib.loads(config("codex", "--url", URL))["mcp_servers"]["kanmon"]
    assert codex["bearer_token_env_var"] == "KANMON_KEY"


def test_what_cannot_be_configured_is_said(gateway, tmp_path):
    for words, said in ([["emacs"], "claude-code"], [["claude-desktop", "--url", URL], "--url"],
                        [["cursor", "--config", tmp_path / "none.yaml"], "none.yaml"]):
        ran = gateway.command("mcp", "config", *words)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert said in ran.stderr


def test_a_clients_file_becomes_ours(gateway, tmp_path):
    (tmp_path / "theirs.json").write_text(CLAUDE)
    ran = gateway.command("mcp", "import", tmp_path / "theirs.json")
    assert ran.returncode == 0, ran.stderr
    assert "verysecret" not in ran.stdout + ran.stderr
    assert "CONTEXT7_API_KEY" in ran.stderr and "REMOTE_TOKEN" in ran.stderr
    (tmp_path / "ours.yaml").write_text(
        ran.stdout.replace("os.environ/CONTEXT7_API_KEY", "os.environ/PATH")
        .replace("os.environ/REMOTE_TOKEN", "os.environ/PATH"))  # the variables are set by now
    shown = gateway.command("config", "check", "--json", tmp_path / "ours.yaml")
    assert not [d for d in json.loads(shown.stdout) if d["level"] == "error"], shown.stdout
    (tmp_path / "theirs.json").write_text("{}")
    ran = gateway.command("mcp", "import", tmp_path / "theirs.json")
    assert ran.returncode != 0 and not ran.stdout
    assert "mcpServers" in ran.stderr
