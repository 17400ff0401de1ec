# SPDX-License-Identifier: Apache-2.0
"""Calls that go to another model group than the one they ask for, by rule; and who comes back to the
same deployment."""

import json

import openai
import pytest

from gateway import MASTER, Gateway, wait_until

TAKES_S = 28
CONFIG = """
model_list:
{deployments}
router_settings: {{num_retries: 0{router}}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2{own}}}
"""
GROUPS = {"chat": {"ok-chat": ""}, "wide": {"ok-wide": ""}, "new": {"ok-new": ""}}


@pytest.fixture
def route(tmp_path, upstream):
    """route(own="routes: [...]", router="...", groups={"group": {"model": "more of its entry"}})"""
    made = []

    def make(own="", router="", groups=GROUPS, start=True):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        listed = "".join(
            f'  - model_name: {group}\n    litellm_params: {{model: openai/{model}, '
            f'api_base: "{upstream.url}/v1", api_key: sk-u, {params}}}\n'
            f"    model_info: {{id: {model}}}\n"
            for group, models in groups.items() for model, params in models.items())
        gateway = Gateway(folder, CONFIG.format(
            deployments=listed, router=router and ", " + router, own=own and ", " + own,
            master=MASTER, state=folder / "state"))
        made.append(gateway)
        return gateway.start() if start else gateway

    yield make
    for gateway in made:
        gateway.stop()


def ask(gateway, model="chat", key=MASTER, text="hi", **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": text}], **more)


def asked(upstream):
    return [record.model for record in upstream.records]


# --- conditions ---

RULES = """routes: [
  {name: long, models: [chat], tokens_at_least: 300, to: wide},
  {name: gold, headers: {x-tier: "gold*"}, to: new},
  {name: search, metadata: {feature: search}, to: new},
  {name: app, keys: ["app-*"], to: wide},
  {name: team, teams: [t1], to: new}]"""


def test_each_condition_leads_where_it_says(route, upstream):
    gateway = route(RULES)
    team = gateway.new_key(team_id="t1")
    app = gateway.new_key(key_alias="app-7")
    for more, name, served in (
            ({}, None, "ok-chat"), ({"text": "word " * 400}, "long", "ok-wide"),
            ({"text": "word " * 400, "model": "new"}, None, "ok-new"),
            ({"extra_headers": {"x-tier": "gold-2"}}, "gold", "ok-new"),
            ({"extra_headers": {"x-tier": "silver"}}, None, "ok-chat"),
            ({"extra_body": {"metadata": {"feature": "search"}}}, "search", "ok-new"),
            ({"extra_body": {"metadata": {"feature": 7}}}, None, "ok-chat"),
            ({"key": app}, "app", "ok-wide"), ({"key": team}, "team", "ok-new")):
        upstream.reset()
        answer = ask(gateway, **more)
        assert asked(upstream) == [served], more
        assert answer.headers.get("x-kanmon-route") == name
        assert answer.parse().model == more.get("model", "chat")  # the name that was asked for
    wait_until(lambda: "route=long" in gateway.log.read_text(), what="the log's line")


def test_a_key_is_led_nowhere_it_may_not_go(route, upstream):
    gateway = route(RULES)
    key = gateway.new_key(models=["chat", "wide"])
    ask(gateway, key=key, extra_headers={"x-tier": "gold"})
    ask(gateway, key=key, text="word " * 400)
    assert asked(upstream) == ["ok-chat", "ok-wide"]
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, "new", key=key)


def test_a_routed_call_costs_what_its_group_costs(route, upstream):
    gateway = route("routes: [{name: r, models: [chat], to: wide}]", groups={
        "chat": {"ok-chat": "input_cost_per_token: 0.00001, output_cost_per_token: 0.00001"},
        "wide": {"ok-wide": "input_cost_per_token: 0.01, output_cost_per_token: 0.01"}})
    key = gateway.new_key(max_budget=0.01)
    with pytest.raises(openai.APIStatusError) as refused:
        ask(gateway, key=key, max_tokens=100)
    assert "udget" in refused.value.message and not asked(upstream)


# --- parts ---

def test_a_canary_has_its_part(route, upstream):
    gateway = route("routes: [{name: canary, models: [chat], split: [{to: new, percent: 25}]}]")
    for _ in range(200):
        ask(gateway)
    assert 25 < asked(upstream).count("ok-new") < 80
    assert set(asked(upstream)) == {"ok-new", "ok-chat"}


def test_a_part_may_be_a_deployments(route, upstream):
    gateway = route("routes: [{name: all, models: [chat], split: [{to: ok-b, percent: 100}]}]",
                    groups={"chat": {"ok-a": "", "ok-b": ""}})
    for _ in range(10):
        ask(gateway)
    assert set(asked(upstream)) == {"ok-b"}


@pytest.mark.parametrize("sticky", ["key", "session"])
def test_who_has_a_part_keeps_it(route, upstream, sticky):
    gateway = route("routes: [{name: canary, models: [chat], "
                    f"split: [{{to: new, percent: 50}}], sticky: {sticky}}}]")
    parts = []
    for n in range(24):
        who = ({"key": gateway.new_key()} if sticky == "key"
               else {"extra_headers": {"x-litellm-session-id": f"s-{n}"}})
        upstream.reset()
        for _ in range(3):
            ask(gateway, **who)
        assert len(set(asked(upstream))) == 1
        parts.append(asked(upstream)[0])
    assert set(parts) == {"ok-new", "ok-chat"}


@pytest.mark.parametrize("rule, says", [
    ("{name: r, to: nobody}", "there is no such model"),
    ("{name: r, models: [chat]}", "either `to` or `split`"),
    ("{name: r, split: [{to: new, percent: 60}, {to: wide, percent: 60}]}", "120 per cent"),
    ("{name: r, tokens_at_least: 5, tokens_at_most: 4, to: new}", "holds for no call"),
    ("{name: r, header: {a: b}, to: new}", "header"),
    ("{name: r, to: new, sticky: always}", "sticky"),
])
def test_a_rule_that_cannot_be_followed_stops_the_start(route, rule, says):
    gateway = route(f"routes: [{rule}]", start=False)
    check = gateway.command("config", "check", "--config", str(gateway.config), "--json")
    assert check.returncode != 0
    found = [d for d in json.loads(check.stdout) if d["level"] == "error" and says in d["message"]]
    assert found and found[0]["line"] and found[0]["column"]


# --- who comes back to the same deployment ---

FOUR = {"chat": {f"ok-{n}": "" for n in "abcd"}}


def served(gateway, upstream, times=3, **more):
    upstream.reset()
    for _ in range(times):
        ask(gateway, **more)
    return set(asked(upstream))


@pytest.mark.parametrize("named", [
    lambda s: {"extra_headers": {"x-litellm-session-id": s}},
    lambda s: {"extra_body": {"litellm_session_id": s}},
    lambda s: {"extra_body": {"metadata": {"session_id": s}}},
    lambda s: {"extra_headers": {"x-litellm-trace-id": s}},
], ids=["header", "body", "metadata", "trace"])
def test_a_session_stays_at_its_deployment(route, upstream, named):
    gateway = route(router="optional_pre_call_checks: [session_affinity]", groups=FOUR)
    places = [served(gateway, upstream, **named(f"s{n}")) for n in range(16)]
    assert all(len(place) == 1 for place in places)
    assert len(set.union(*places)) > 1
    assert len(served(gateway, upstream, times=40)) == 4  # who names none goes anywhere


def test_a_session_counts_within_its_key_and_after_a_restart(route, upstream):
    gateway = route(router="optional_pre_call_checks: [session_affinity]", groups=FOUR)
    session = {"extra_headers": {"x-litellm-session-id": "s"}}
    keys = [gateway.new_key() for _ in range(12)]
    places = [served(gateway, upstream, key=key, **session) for key in keys]
    assert len(set.union(*places)) > 1
    gateway.stop()
    gateway.start()
    assert [served(gateway, upstream, key=key, **session) for key in keys] == places


def test_a_key_stays_at_its_deployment(route, upstream):
    gateway = route(router="optional_pre_call_checks: [deployment_affinity]", groups=FOUR)
    places = [served(gateway, upstream, key=gateway.new_key()) for _ in range(12)]
    assert all(len(place) == 1 for place in places)
    assert len(set.union(*places)) > 1


def test_prompts_that_begin_alike_go_to_the_same(route, upstream):
    gateway = route(router="optional_pre_call_checks: [prompt_caching]", groups=FOUR)

    def turn(subject, turns):
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
        client.chat.completions.create(model="chat", messages=[
            {"role": "system", "content": [{"type": "text", "text": f"{subject} " * 1500,
                                            "cache_control": {"type": "ephemeral"}}]},
            *({"role": "user", "content": f"turn {n}"} for n in range(turns))])

    places = []
    for subject in ("apples", "pears", "plums", "figs", "nuts", "limes", "kiwis", "dates"):
        upstream.reset()
        for turns in (1, 2, 3):
            turn(subject, turns)
        places.append(set(asked(upstream)))
    assert all(len(place) == 1 for place in places)
    assert len(set.union(*places)) > 1


def test_a_group_may_have_its_own_word_on_affinity(route, upstream):
    gateway = route(router="optional_pre_call_checks: [session_affinity], "
                    "model_group_affinity_config: {chat: []}", groups=FOUR)
    assert len(served(gateway, upstream, times=40,
                      extra_headers={"x-litellm-session-id": "s"})) == 4


def test_a_session_goes_elsewhere_when_its_deployment_fails(route, upstream):
    gateway = route(router="optional_pre_call_checks: [session_affinity]",
                    groups={"chat": {"err-500-a": "num_retries: 2", "ok-b": ""}})
    for n in range(8):
        ask(gateway, extra_headers={"x-litellm-session-id": f"s{n}"})
