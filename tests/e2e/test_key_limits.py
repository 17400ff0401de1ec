# SPDX-License-Identifier: Apache-2.0
"""What a virtual key may have as limits beside one budget and one set of rates: budgets in several
windows, budgets and rates of single models, a shared budget, a raise for a while."""

import pytest

from gateway import Gateway
from test_account_reach import WAYS, ask
from test_account_routes import name, new_team, post

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
router_settings:
  model_group_alias: {{nickname: chat, hidden: {{model: chat, hidden: true}}}}
  fallbacks: [{{bad: [chat]}}]
  num_retries: 0
  disable_cooldowns: true
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings:
  state_dir: "{state}"
  workers: 3
  cost_optimization: {{prefer_cost_efficient_models: true}}
  routes:
    - {{name: by-head, models: [other], headers: {{x-to: chat}}, to: chat}}
    - {{name: thrift, models: [dear], headers: {{x-to: cheap}}, substitutes: [chat]}}
"""
A_DAY = {"budget_limit": 0.0001, "time_period": "1d"}


@pytest.fixture(scope="module")
def limits(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("key-limits")
    with Gateway(folder, CONFIG.format(url=session_upstream.url, state=folder / "state")) as made:
        yield made


@pytest.mark.parametrize("limit", [
    {"model_max_budget": {"chat": A_DAY}}, {"model_rpm_limit": {"chat": 0}},
    {"model_tpm_limit": {"chat": 0}}, {"model_rpm_limit": {"ch*t": 0}}])
def test_a_limit_of_a_model_holds_by_whatever_way_it_is_reached(limits, limit):
    key = limits.new_key(aliases={"mine": "chat"}, **limit)
    for model, more in WAYS:
        answer = ask(limits, model, key, **more)
        assert answer.status != 200, (model, more)
    assert ask(limits, "other", key).status == 200


def cost_of_one(gateway):
    return float(ask(gateway, "chat", gateway.new_key()).header("x-litellm-response-cost"))


def test_what_a_key_is_given_is_shown_and_taken_away(limits):
    given = {"model_max_budget": {"chat": A_DAY}, "model_rpm_limit": {"chat": 3},
             "model_tpm_limit": {"chat": 4}, "temp_budget_increase": 2, "max_budget": 1,
             "temp_budget_expiry": "2030-01-01T00:00:00Z", "soft_budget": 0.5,
             "budget_limits": [{"budget_duration": "1h", "max_budget": 5}]}
    key = limits.new_key(**given)
    info = limits.key_info(key)
    expiry = info.pop("temp_budget_expiry")
    assert expiry.startswith("2030-01-01T00:00:00")
    assert {n: info[n] for n in given if n in info} == {
        n: v for n, v in given.items() if n != "temp_budget_expiry"}
    post(limits, "/key/update", {"key": key, **{n: None for n in given}})
    info = limits.key_info(key)
    assert [info[n] for n in given] == [{}, {}, {}, None, None, None, None, None]
    assert ask(limits, "chat", key).status == 200


def test_each_window_of_a_budget_is_kept(limits):
    cost = cost_of_one(limits)
    key = limits.new_key(budget_limits=[{"budget_duration": "1h", "max_budget": cost / 2},
                                        {"budget_duration": "30d", "max_budget": 100}])
    refused = ask(limits, "chat", key)
    assert refused.status == 429 and "over 1h budget" in refused.json()["error"]["message"]
    post(limits, "/key/update", {"key": key, "budget_limits": [
        {"budget_duration": "1h", "max_budget": 50}]})
    assert ask(limits, "chat", key).status == 200


def test_a_budget_that_is_shared_limits_what_the_key_does_not(limits):
    cost = cost_of_one(limits)
    budget = name("b")
    post(limits, "/budget/new", {"budget_id": budget, "max_budget": cost / 2, "rpm_limit": 100,
                                 "budget_duration": "1d"})
    poor, rich = limits.new_key(budget_id=budget), limits.new_key(
        budget_id=budget, max_budget=50, rpm_limit=100)
    refused = ask(limits, "chat", poor)
    assert refused.status == 429 and refused.json()["error"]["type"] == "budget_exceeded"
    assert ask(limits, "chat", rich).status == 200
    assert limits.key_info(poor)["budget_id"] == budget
    # It changes, and all keys that have it do.
    post(limits, "/budget/update", {"budget_id": budget, "max_budget": 100, "rpm_limit": 1})
    assert ask(limits, "chat", poor).status == 200
    assert [ask(limits, "chat", key).status for key in (poor, rich)] == [429, 200]
    used = post(limits, "/budget/delete", {"id": budget}, 400)["error"]["message"]
    assert "2 others" in used


def test_a_raise_lasts_until_its_end(limits):
    cost = cost_of_one(limits)
    key = limits.new_key(max_budget=cost / 2)
    assert ask(limits, "chat", key).status == 429
    post(limits, "/key/update", {"key": key, "temp_budget_increase": 10,
                                 "temp_budget_expiry": "2999-01-01T00:00:00Z"})
    assert ask(limits, "chat", key).status == 200
    post(limits, "/key/update", {"key": key, "temp_budget_expiry": "2020-01-01T00:00:00Z"})
    assert ask(limits, "chat", key).status == 429


def test_what_a_key_names_must_be_there(limits):
    for body, said in (({"organization_id": "nobody"}, "organization_id=nobody"),
                       ({"budget_id": "nothing"}, "budget_id=nothing")):
        for path, more in (("/key/generate", {}), ("/key/update", {"key": limits.new_key()})):
            error = post(limits, path, {**body, **more}, 400)["error"]
            assert said in error["message"] and error["param"] == next(iter(body))


def test_an_organisation_of_a_key_pays_and_goes_with_it(limits):
    org = name("o")
    post(limits, "/organization/new", {"organization_id": org, "organization_alias": org,
                                       "max_budget": 0.000001})
    team = new_team(limits, organization_id=org)
    keys = [limits.new_key(organization_id=org), limits.new_key(organization_id=org, team_id=team)]
    refused = ask(limits, "chat", keys[0])
    assert refused.status == 429 and f"Organization={org}" in refused.json()["error"]["message"]
    post(limits, "/organization/delete", {"organization_ids": [org]}, method="DELETE")
    assert [ask(limits, "chat", key).status for key in keys] == [401, 401]


@pytest.mark.parametrize("limit", [
    {"model_rpm_limit": {"chat": -1}}, {"model_rpm_limit": {"chat": "many"}},
    {"model_tpm_limit": {"chat": -5}}, {"model_max_budget": {"chat": -1}},
    {"model_max_budget": {"chat": {"budget_limit": -0.1}}},
    {"model_max_budget": {"chat": {"budget_limits": 1}}}, {"model_max_budget": {"chat": {}}},
    {"budget_limits": [{"budget_duration": "1h"}]},
    {"model_max_budget": {"chat": {"budget_limit": 1, "time_perod": "1d"}}},
    {"budget_limits": [{"budget_duration": "1h", "max_budget": -1}]},
    {"budget_limits": [{"budget_duration": "1h", "max_budgt": 1}]},
    {"budget_limits": [{"max_budget": 1}]}, {"budget_limits": [3]}, {"budget_limits": {"1h": 3}},
    {"model_rpm_limit": [1]}, {"model_rpm_limit": {"": 1}}])
@pytest.mark.parametrize("path", ["/key/generate", "/team/new"])
def test_a_limit_that_does_not_read_is_refused(limits, limit, path):
    error = post(limits, path, limit, 400)["error"]
    assert next(iter(limit)) in error["message"], error
