# SPDX-License-Identifier: Apache-2.0
"""What a server or a caller writes does nothing to the terminal it is shown in: no escape sequences,
no text turned round, no line that kanmon did not write."""

import json
import sys

import pytest
from gateway import wait_until

from served import HERE, served, until

EVIL = "ev\x1b[2Jil\u202e\x9b2J\r\nFORGED\rFORGED"
ALLOWED = "ev\u202eil\x9b2J"  # of names: ASCII's control characters are refused there
COMMANDS = [("mcp", "approve"), ("mcp", "approve", "git", "--show"), ("mcp", "status", "git"), ("mcp", "tools"),
            ("mcp", "tools", "git"), ("mcp", "list"), ("audit", "list"), ("key", "list"), ("doctor",),
            ("mcp", "logs"), ("key", "info", EVIL), ("mcp", "call", "git-" + EVIL), ("audit", "show", "LAST"),
            ("mcp", "approve", "git")]  # the last changes what the others show


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")
    says = folder / "says.json"
    says.write_text(json.dumps({"tools": ["one"]}))
    entry = {"transport": "stdio", "command": sys.executable, "args": [str(HERE / "listing.py"), str(says)]}
    with served(folder, {"git": entry}) as made:
        until(made, "git", "ready")
        says.write_text(json.dumps({"tools": [EVIL, "one"]}))
        key = made.new_key(key_alias=ALLOWED, user_id=ALLOWED)
        for name in ("git-tell", "git-" + EVIL):
            made.rpc("tools/call", {"name": name, "arguments": {}, "_meta": {"kanmon/requestedBy": EVIL}},
                     path="/mcp", key=key)
        wait_until(lambda: made.call("GET", "/kanmon/mcp/pins").json()["tools"], 30, "the new tool")
        wait_until(lambda: b"unknown_tool" in made.call("GET", "/kanmon/audit").body, 30, "the record")
        yield made


@pytest.mark.parametrize("json_too", [True, False])
def test_nothing_that_others_wrote_steers_a_terminal(gateway, json_too):
    last = next(r["seq"] for r in gateway.call("GET", "/kanmon/audit").json()["records"]
                if "FORGED" in r["target"])
    seen = 0
    for words in COMMANDS if not json_too else COMMANDS[:-1]:
        words = [str(last) if w == "LAST" else w for w in words] + (["--json"] if json_too else [])
        done = gateway.command(*words, "--config", gateway.config)
        said = done.stdout + done.stderr
        bad = {c for c in said if (ord(c) < 0x20 and c not in "\n\t") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"}
        assert not bad, (words, bad)
        assert not [line for line in said.splitlines() if line.startswith("FORGED")], (words, said)
        seen += "FORGED" in said
        if json_too and done.returncode == 0 and done.stdout:
            assert all(json.loads(line) is not None for line in done.stdout.splitlines()), words
    assert seen >= 7
