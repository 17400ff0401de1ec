# SPDX-License-Identifier: Apache-2.0
"""`kanmon team|user|customer|organization|budget|tag list|show|create|update|delete`."""

import json
import re

import pytest


def run(gateway, *words, code=0):
    ran = gateway.command(*words, "--config", gateway.config)
    assert ran.returncode == code, (words, ran.stdout, ran.stderr)
    return ran.stdout + ran.stderr


def rows(gateway, noun):
    return json.loads(run(gateway, noun, "list", "--json"))


KINDS = {
    # noun: (its id in JSON, options of create, what is changed, where that is shown)
    "team": ("team_id", ["--alias", "A", "--models", "chat,embed"], "max_budget"),
    "user": ("user_id", ["--email", "a@b.example", "--role", "internal_user"], "max_budget"),
    "customer": ("user_id", ["--alias", "A"], None),
    "organization": ("organization_id", ["--alias", "A"], None),
    "budget": ("budget_id", ["--budget-duration", "30d"], "max_budget"),
    "tag": ("name", ["--alias", "what it is for"], None),
}


@pytest.mark.parametrize("noun", KINDS)
def test_one_lives_by_command_line(gateway, noun):
    id_name, options, budget = KINDS[noun]
    one = f"cli-{noun}"
    run(gateway, noun, "create", one, "--max-budget", "5.5", "--rpm", "9", *options)
    row = next(r for r in rows(gateway, noun) if r[id_name] == one)
    limits = row if budget else row["litellm_budget_table"]
    assert (limits["max_budget"], limits["rpm_limit"]) == (5.5, 9)
    assert re.search(rf"^{one} .* 5\.5", run(gateway, noun, "list"), re.M)
    assert re.search(r"^  id +" + one, run(gateway, noun, "show", one), re.M)
    assert re.search(r"^  max-budget +5\.5", run(gateway, noun, "show", one), re.M)
    json.loads(run(gateway, noun, "show", one, "--json"))
    run(gateway, noun, "update", one, "--max-budget", "7")
    assert re.search(r"^  max-budget +7", run(gateway, noun, "show", one), re.M)
    run(gateway, noun, "create", one, code=1)
    run(gateway, noun, "update", one, code=2)
    run(gateway, noun, "show", code=2)
    run(gateway, noun, "delete", one, code=2)
    run(gateway, noun, "delete", one, "--yes")
    assert one not in {r[id_name] for r in rows(gateway, noun)}
    run(gateway, noun, "update", one, "--rpm", "1", code=1)


def test_block_and_unblock(gateway):
    for noun in ("team", "customer"):
        run(gateway, noun, "create", "cli-blocked")
        run(gateway, noun, "block", "cli-blocked")
        assert "blocked" in run(gateway, noun, "show", "cli-blocked").replace("cli-blocked", "")
        run(gateway, noun, "unblock", "cli-blocked")
        assert "blocked" not in run(gateway, noun, "show", "cli-blocked").replace("cli-blocked", "")
        run(gateway, noun, "delete", "cli-blocked", "--yes")


def test_a_user_gets_a_key_where_one_is_asked_for(gateway):
    key = re.search(r"sk-\S+", run(gateway, "user", "create", "cli-keyed", "--with-key"))[0]
    assert gateway.key_info(key)["user_id"] == "cli-keyed"
    assert "sk-" not in run(gateway, "user", "create", "cli-keyless")
    assert "cli-keyed" in run(gateway, "user", "list")
    for user in ("cli-keyed", "cli-keyless"):
        run(gateway, "user", "delete", user, "--yes")


def test_an_option_of_another_kind_is_named(gateway):
    assert "--email" in run(gateway, "team", "create", "x", "--email", "a@b.example", code=2)
    assert "--budget" in run(gateway, "budget", "create", "x", "--budget", "y", code=2)
    assert "max_budget" in run(gateway, "team", "create", "x", "--max-budget", "much", code=1)


def test_what_was_written_by_others_does_not_steer_a_terminal(gateway):
    """The one-character form of ESC [ too, which is no control character of ASCII and is taken."""
    assert gateway.call("POST", "/team/new", {
        "team_id": "cli-steer", "team_alias": "a\u001b[2Jb"}).status == 400
    assert gateway.call("POST", "/team/new", {
        "team_id": "cli-steer", "team_alias": "a\u009b2Jb"}).status == 200
    assert "\u009b" not in run(gateway, "team", "list") + run(gateway, "team", "show", "cli-steer")
    run(gateway, "team", "delete", "cli-steer", "--yes")
