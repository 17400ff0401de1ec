# SPDX-License-Identifier: Apache-2.0
"""How far an account's word reaches: its limits of a model hold by whatever name or way the model is
reached, what may not be used is no fallback either, and who is blocked does nothing any more."""

import http.client
import json
import time

import pytest

from gateway import MASTER, Gateway, patient, wait_until
from test_account_routes import get, name, new_team, new_user, post
from test_accounts import store

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: &p {{model: openai/ok, api_base: "{url}/v1", api_key: k,
                         input_cost_per_token: 0.0001, output_cost_per_token: 0.001}}
    model_info: {{id: chat-1}}
  - model_name: other
    litellm_params: {{<<: *p, model: openai/ok-other}}
  - model_name: bad
    litellm_params: {{<<: *p, model: openai/err-500}}
  - model_name: dear
    litellm_params: {{<<: *p, model: openai/ok-dear, input_cost_per_token: 1}}
  - model_name: wild/*
    litellm_params: {{<<: *p, model: openai/*}}
router_settings:
  model_group_alias: {{nickname: chat, hidden: {{model: chat, hidden: true}}}}
  fallbacks: [{{bad: [chat]}}]
  budget_fallbacks: [{{dear: [chat]}}]
  num_retries: 0
  disable_cooldowns: true
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  cost_optimization: {{prefer_cost_efficient_models: true}}
  routes:
    - {{name: by-head, models: [other], headers: {{x-to: chat}}, to: chat}}
    - {{name: thrift, models: [dear], headers: {{x-to: cheap}}, substitutes: [chat]}}
"""


@pytest.fixture(scope="module")
def reach(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach")
    with Gateway(folder, CONFIG.format(url=session_upstream.url, state=folder / "state")) as made:
        yield made


def ask(gateway, model, key, **more):
    return gateway.chat(model, key=key, max_tokens=20, **more)


# How a call gets to the model group `chat`.
WAYS = [("chat", {}), ("nickname", {}), ("hidden", {}), ("chat-1", {}), ("mine", {}), ("bad", {}),
        ("other", {"headers": {"x-to": "chat"}}), ("bad", {"fallbacks": ["chat"]}),
        ("dear", {"headers": {"x-to": "cheap"}})]


@pytest.mark.parametrize("limit", [
    {"model_max_budget": {"chat": {"budget_limit": 0.0001, "time_period": "1d"}}},
    {"model_rpm_limit": {"chat": 0}}, {"model_tpm_limit": {"chat": 0}},
    {"model_rpm_limit": {"ch*t": 0}}])
def test_a_limit_of_a_model_holds_by_whatever_way_it_is_reached(reach, limit):
    key = reach.new_key(team_id=new_team(reach, **limit), aliases={"mine": "chat"})
    for model, more in WAYS:
        answer = ask(reach, model, key, **more)
        assert answer.status != 200, (model, more)
    assert ask(reach, "other", key).status == 200


def test_a_limit_of_a_pattern_is_of_all_that_it_fits(reach):
    key = reach.new_key(team_id=new_team(reach, model_rpm_limit={"wild/*": 1}))
    assert ask(reach, "wild/ok-one", key).status == 200
    assert ask(reach, "wild/ok-two", key).status == 429
    assert ask(reach, "chat", key).status == 200


def spent(gateway, team):
    info = get(gateway, f"/team/info?team_id={team}")["team_info"]
    return info["spend"], info["model_spend"]


def test_who_pays_for_a_follower_is_booked_in_memory_and_in_the_store(reach):
    """Each model's purse pays for what was asked of it, and the team's for both, as both workers and
    the books see it."""
    limits = {"chat": {"budget_limit": 5, "time_period": "1d"},
              "bad": {"budget_limit": 5, "time_period": "1d"}}
    team = new_team(reach, model_max_budget=limits)
    key = reach.new_key(team_id=team)
    answer = ask(reach, "bad", key)
    assert answer.status == 200 and answer.header("x-litellm-model-group") == "chat"
    cost = float(answer.header("x-litellm-response-cost"))

    def purses():
        like = f"4\x1f{team}\x1f%"
        with store(reach) as db:
            return [n / 1e9 for n, in db.execute(
                "SELECT s.spend FROM purse_spend s JOIN purses u ON u.id = s.purse"
                " WHERE u.name LIKE ? ORDER BY s.spend", [like])]
    wait_until(lambda: len(purses()) == 3, 10, "the call to be booked to all three")
    failed, served, all_of_it = purses()  # the first said 500, which may have cost its input
    assert failed + served == pytest.approx(all_of_it) and all_of_it == pytest.approx(cost)
    assert 0 < failed < served
    assert spent(reach, team)[0] == pytest.approx(cost)
    row = reach.spend_logs(request_id=answer.header("x-litellm-call-id"))[0]
    assert row["spend"] == pytest.approx(cost)
    # What it has spent there counts for who asks for it by its name.
    post(reach, "/team/update", {"team_id": team, "model_max_budget": {
        **limits, "chat": {"budget_limit": cost, "time_period": "1d"}}})
    assert ask(reach, "chat", key).status == 429
    assert ask(reach, "bad", key).status == 500, "nor is it a follower any more"


def test_a_model_whose_budget_is_spent_leaves_its_fallback_alone(reach):
    """budget_fallbacks: the call is one of the other model, and the spent limit is not its own."""
    team = new_team(reach, model_max_budget={"dear": {"budget_limit": 0.01, "time_period": "1d"}})
    answer = ask(reach, "dear", reach.new_key(team_id=team))
    assert answer.status == 200 and answer.header("x-litellm-model-group") == "chat"


@pytest.mark.parametrize("kind", ["tag", "customer"])
def test_models_of_who_is_named_hold_for_every_way_to_them(reach, kind):
    who, models = name(kind), ["bad", "other", "dear"]
    post(reach, f"/{kind}/new", {"models": models, "name" if kind == "tag" else "user_id": who})
    key = reach.new_key(aliases={"mine": "chat"})
    named = {"tags": [who]} if kind == "tag" else {"user": who}
    for model, more in WAYS:
        answer = ask(reach, model, key, **named, **more)
        assert answer.header("x-litellm-model-group") != "chat", (model, more, answer)
        assert answer.header("x-litellm-model-id") != "chat-1", (model, more, answer)
    assert ask(reach, "bad", key, **named).status == 500
    assert ask(reach, "other", key, **named).status == 200
    assert ask(reach, "bad", key).status == 200


# -- who is blocked --------------------------------------------------------------------------


def begin_stream(gateway, key, headers=None, **more):
    link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=patient(20))
    link.request("POST", "/v1/chat/completions", json.dumps({
        "model": "wild/stream-forever", "stream": True, **more,
        "messages": [{"role": "user", "content": "x"}]}),
        {"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})})
    answer = link.getresponse()
    assert answer.status == 200, answer.read()
    answer.readline()
    return link, answer


def to_its_end(stream):
    """What is left of it; one that goes on and on fails."""
    rest, deadline = b"", time.monotonic() + patient(10)
    while piece := stream.read1(65536):
        rest += piece
        assert time.monotonic() < deadline, rest[-300:]
    return rest.decode()


def test_who_is_blocked_takes_running_streams_along(reach):
    org, team, (user, _), tag = name("o"), name("t"), new_user(reach), name("tag")
    post(reach, "/organization/new", {"organization_id": org, "organization_alias": org})
    post(reach, "/team/new", {"team_id": team, "organization_id": org})
    post(reach, "/tag/new", {"name": tag})
    team_key, own = reach.new_key(team_id=team), reach.new_key(user_id=user)
    cases = [
        (team_key, {}, "/team/block", {"team_id": team}, "POST"),
        (own, {}, "/user/update", {"user_id": user, "blocked": True}, "POST"),
        (reach.new_key(), {"tags": [tag]}, "/tag/update", {"name": tag, "blocked": True}, "POST"),
        # A customer nobody has heard of until he is blocked.
        (reach.new_key(), {"user": name("c")}, "/customer/block", None, "POST"),
        (reach.new_key(), {"headers": {"x-litellm-end-user-id": name("c")}}, "/customer/block",
         None, "POST"),
        (reach.new_key(team_id=new_team(reach, organization_id=org)), {}, "/organization/update",
         {"organization_id": org, "blocked": True}, "PATCH")]
    for key, more, path, body, method in cases:
        customer = more.get("user") or more.get("headers", {}).get("x-litellm-end-user-id")
        link, stream = begin_stream(reach, key, **more)
        post(reach, path, body or {"user_ids": [customer]}, method=method)
        rest = to_its_end(stream)
        assert "is blocked" in rest and "[DONE]" not in rest, (path, rest[-300:])
        link.close()


def test_who_is_blocked_has_no_role_and_no_session(reach):
    boss, key = new_user(reach, "proxy_admin")
    team = new_team(reach)
    members = reach.new_key(team_id=team)
    begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"}}}
    accept = {"accept": "application/json, text/event-stream"}
    session = reach.call("POST", "/mcp/kanmon", begin, key=members, headers=accept)
    accept["mcp-session-id"] = session.header("mcp-session-id")
    listening = http.client.HTTPConnection("127.0.0.1", reach.port, timeout=patient(20))
    listening.request("GET", "/mcp/kanmon", headers={
        "authorization": f"Bearer {members}", **accept, "accept": "text/event-stream"})
    stream = listening.getresponse()
    assert stream.status == 200, stream.read()
    post(reach, "/user/update", {"user_id": boss, "blocked": True})
    post(reach, "/team/block", {"team_id": team})
    for path, body in (("/team/new", {}), ("/user/update", {"user_id": boss, "blocked": False}),
                       ("/key/generate", {})):
        post(reach, path, body, 401, key=key)
    for path in ("/v1/models", "/key/info", f"/team/info?team_id={team}", "/mcp-rest/tools/list"):
        get(reach, path, 401, key=members)
    asks = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert reach.call("POST", "/mcp/kanmon", asks, key=members, headers=accept).status == 401
    assert reach.call("GET", "/user/list", key=MASTER).status == 200
    to_its_end(stream)  # the session is over, for good
    listening.close()
    post(reach, "/team/unblock", {"team_id": team})
    assert reach.call("POST", "/mcp/kanmon", asks, key=members, headers=accept).status == 404
