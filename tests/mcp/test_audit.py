# SPDX-License-Identifier: Apache-2.0
"""The audit trail as a person reads it: by command, by route, by time, key, server and outcome."""

import json
import sqlite3
import sys

import pytest
from gateway import MASTER, wait_until

from served import HERE, faulty, served, until
from sessions import text


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with served(tmp_path_factory.mktemp("audit"), {"git": faulty(), "docs": faulty()}) as made:
        for name in ("git", "docs"):
            until(made, name, "ready")
        yield made


def command(gateway, *words, env=None):
    return gateway.command("audit", *words, "--config", gateway.config)


def records(gateway, *words):
    done = command(gateway, "list", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["records"]


def call(gateway, key, tool, **more):
    return gateway.rpc("tools/call", {"name": tool, "arguments": more}, path="/mcp", key=key)


@pytest.fixture(scope="module")
def keys(gateway):
    """Two keys, the one with an alias and a user, each of which has called two tools."""
    made = [gateway.new_key(key_alias="team-a", user_id="ann"),
            gateway.new_key(object_permission={"mcp_servers": ["docs"]})]
    for key in made:
        for tool in ("git-pid", "docs-pid"):
            call(gateway, key, tool)
    wait_until(lambda: len(records(gateway, "--action", "mcp.call")) == 4, 20, "the records")
    return made


def test_a_call_is_found_by_who_where_and_how_it_ended(gateway, keys):
    found = records(gateway, "--key", "team-a", "--action", "mcp")
    assert sorted(r["detail"]["server"] for r in found) == ["docs", "git"]
    assert {(r["key_alias"], r["user_id"], r["action"]) for r in found} == {
        ("team-a", "ann", "mcp.call")}
    assert [r["seq"] for r in records(gateway, "--user", "ann")] == [r["seq"] for r in found]
    hashed = gateway.key_info(keys[0])["token"]
    assert [r["seq"] for r in records(gateway, "--key", hashed)] == [r["seq"] for r in found]
    assert [r["key_alias"] for r in records(gateway, "--server", "git", "--outcome", "ok")] == ["team-a"]
    assert len(records(gateway, "--tool", "pid", "--outcome", "ok")) == 3
    refused, = (r for r in records(gateway, "--action", "mcp.call")
                if r["detail"]["outcome"] != "ok")  # a tool its key may not see is nobody's
    assert refused["target"] == "git-pid" and not refused["key_alias"]
    assert records(gateway, "--key", "nobody") == []


def test_who_changed_what_is_in_the_same_trail(gateway, keys):
    made = records(gateway, "--action", "key.generate")
    assert len(made) >= 2 and {r["actor"] for r in made} == {"master"}
    done = gateway.command("mcp", "restart", "docs", "--config", gateway.config)
    assert done.returncode == 0, done.stderr
    newest = records(gateway, "--limit", "1")[0]
    assert (newest["action"], newest["target"]) == ("mcp.restart", "docs")
    assert newest["actor"].startswith("local:")
    assert newest["seq"] in {r["seq"] for r in records(gateway, "--server", "docs")}


def test_a_range_of_time_is_said_in_three_ways(gateway, keys):
    every = records(gateway)
    assert records(gateway, "--since", "1h") == every == records(gateway, "--since", "2020-01-01")
    assert records(gateway, "--until", "2020-01-01T00:00:00Z") == []
    middle = every[len(every) // 2]["at"]
    later, earlier = records(gateway, "--since", middle), records(gateway, "--until", middle)
    assert later and earlier  # a record has its place by when it was written
    assert sorted(r["seq"] for r in later + earlier) == sorted(r["seq"] for r in every)
    for bad in ("yesterday", "1", "2020-13-01"):
        done = command(gateway, "list", "--since", bad)
        assert done.returncode == 2 and "1h or 7d (ago)" in done.stderr
    answer = gateway.call("GET", "/kanmon/audit?since=soon")
    assert answer.status == 400 and b"1h or 7d (ago)" in answer.body


def test_pages_give_all_once(gateway, keys):
    every = [r["seq"] for r in records(gateway, "--limit", "1000")]
    seen, before = [], []
    while True:
        done = command(gateway, "list", "--json", "--limit", "2", *before)
        page = json.loads(done.stdout)
        seen += [r["seq"] for r in page["records"]]
        if page["next"] is None:
            break
        before = ["--before", page["next"]]
    assert seen == every == sorted(every, reverse=True)
    done = command(gateway, "list", "--limit", "2")
    assert f"--before {every[1]}" in done.stderr and len(done.stdout.splitlines()) == 3


def test_one_record_is_shown_with_all_its_members(gateway, keys):
    one = records(gateway, "--key", "team-a", "--server", "git")[0]
    done = command(gateway, "show", one["seq"])
    assert done.returncode == 0, done.stderr
    for word in ("team-a", "ann", "mcp.call", "git-pid", "ok", one["hash"],
                 one["detail"]["arguments_sha256"], "2025-11-25", str(one["detail"]["duration_us"])):
        assert word in done.stdout
    assert json.loads(command(gateway, "show", one["seq"], "--json").stdout) == one
    done = command(gateway, "show", "999999")
    assert done.returncode == 1 and "There is no record 999999" in done.stderr
    done = command(gateway, "show", "x")
    assert done.returncode == 2 and "kanmon audit list" in done.stderr


def test_it_is_the_administrators_alone(gateway, keys):
    for path in ("/kanmon/audit", "/kanmon/audit/1", "/kanmon/audit/verify"):
        for key in (*keys, None):
            answer = gateway.call("GET", path, key=key)
            assert answer.status in (401, 403), answer
            assert b"team-a" not in answer.body and b"records" not in answer.body
        assert gateway.call("GET", path, key=MASTER).status == 200
    done = command(gateway, "list", "--key", keys[0])
    assert done.returncode == 2 and "read by others" in done.stderr


def test_what_a_caller_wrote_does_nothing_to_a_terminal(gateway, keys):
    call(gateway, keys[0], "git-\x1b[2Jgone\u202e")
    wait_until(lambda: "gone" in records(gateway, "--limit", "1")[0]["target"], 20, "the record")
    newest = records(gateway, "--limit", "1")[0]
    for done in (command(gateway, "list"), command(gateway, "show", newest["seq"])):
        assert "gone" in done.stdout and not {"\x1b", "\u202e"} & set(done.stdout)


def test_a_record_that_names_all_tools_of_a_server_is_shown_whole(tmp_path):
    says = tmp_path / "says.json"
    says.write_text("{}")
    entry = {"transport": "stdio", "command": sys.executable, "args": [str(HERE / "listing.py"), str(says)]}
    with served(tmp_path, {"one": entry}) as made:
        until(made, "one", "ready")
        names = {f"t{i}_" + "n" * 100 for i in range(3000)}
        says.write_text(json.dumps({"tools": sorted(names)}))
        call(made, MASTER, "one-tell")
        wait_until(lambda: len(made.call("GET", "/kanmon/mcp/pins").json()["tools"]) == 3000, 60, "the tools")
        assert made.command("mcp", "approve", "one", "--config", made.config).returncode == 0
        newest = records(made, "--action", "mcp.accept")[0]
        assert set(newest["detail"]["accepted"]) == names
        shown = command(made, "show", newest["seq"])
        assert shown.returncode == 0 and all(name in shown.stdout for name in names), shown.stderr


def test_a_record_that_was_changed_shows(gateway, keys):
    done = command(gateway, "verify")
    assert done.returncode == 0 and "each as it was written" in done.stdout
    with sqlite3.connect(next((gateway.folder / "state").glob("*.db"))) as store:
        store.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 1")
    done = command(gateway, "verify")
    assert done.returncode == 7 and "record 1 is not as it was written" in done.stderr
    assert command(gateway, "verify", "--json").returncode == 7
