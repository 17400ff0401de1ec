# SPDX-License-Identifier: Apache-2.0
"""What a virtual key may have as limits beside one budget and one set of rates: budgets in several
windows, budgets and rates of single models, a shared budget, a raise for a while."""

import concurrent.futures
import hashlib
import re
import sqlite3

import pytest
from openai import AuthenticationError, OpenAI, RateLimitError

from gateway import Gateway, patient, wait_until
from test_account_reach import WAYS, ask
from test_account_routes import name, new_team, post
from test_handover import Call, Daemon, running

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
  - model_name: gate
    litellm_params: {{<<: *p, model: openai/gate-stream}}
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
    assert [info[n] for n in given] == [{}, None, None, None, None, None, None, None]
    assert ask(limits, "chat", key).status == 200


def test_limits_in_the_metadata_are_limits(limits):
    """Where LiteLLM keeps them, and its dashboard sends them."""
    key = limits.new_key(metadata={"model_rpm_limit": {"chat": 1}, "x": {"y": 1}})
    assert [ask(limits, "chat", key).status for _ in range(2)] == [200, 429]
    info = limits.key_info(key)
    assert info["metadata"] == {"x": {"y": 1}, "model_rpm_limit": {"chat": 1}}
    assert info["model_rpm_limit"] == {"chat": 1}
    # What is said beside it wins; metadata that do not name it leave it.
    post(limits, "/key/update", {"key": key, "model_rpm_limit": {"chat": 100},
                                 "metadata": {"model_rpm_limit": {"chat": 2}}})
    post(limits, "/key/update", {"key": key, "metadata": {"z": 1}})
    assert limits.key_info(key)["metadata"] == {"z": 1, "model_rpm_limit": {"chat": 100}}
    assert ask(limits, "chat", key).status == 200
    post(limits, "/key/generate", {"metadata": {"model_tpm_limit": {"chat": -1}}}, 400)


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


def regenerate(gateway, key, **more):
    return post(gateway, f"/key/{key}/regenerate", more)


def hash_of(key):
    return hashlib.sha256(key.encode()).hexdigest()


def test_a_former_secret_works_for_its_time_and_shares_all(limits):
    key = limits.new_key(rpm_limit=3, model_rpm_limit={"other": 1})
    made = regenerate(limits, key, grace_period="1h")
    fresh = made["key"]
    assert fresh != key and [ask(limits, "chat", k).status for k in (key, fresh)] == [200, 200]
    assert [ask(limits, "other", k).status for k in (key, fresh)] == [200, 429]
    assert [ask(limits, "chat", k).status for k in (key, fresh)] == [429, 429]
    # It is the same key, and told with it.
    info = limits.key_info(fresh)
    former, = info["deprecated_tokens"]
    assert former["token"] == hash_of(key) and limits.key_info(key)["token"] == hash_of(fresh)
    wait_until(lambda: limits.key_info(fresh)["spend"] > 0, 10, "the calls to be booked")
    assert limits.key_info(key)["spend"] == limits.key_info(fresh)["spend"]
    audit = limits.call("GET", "/kanmon/audit?action=key.regenerate").body.decode()
    assert hash_of(key) in audit and former["revoke_at"] in audit
    post(limits, "/key/generate", {"key": key}, 409)
    # Without grace all that were before are gone at once.
    last = regenerate(limits, fresh)["key"]
    assert [ask(limits, "dear", k).status for k in (key, fresh, last)] == [401, 401, 429]


def test_a_time_of_grace_ends(limits):
    key = limits.new_key()
    fresh = regenerate(limits, key, grace_period="1s")["key"]
    wait_until(lambda: ask(limits, "chat", key).status == 401, 10, "the end of the grace")
    assert ask(limits, "chat", fresh).status == 200
    assert "deprecated_tokens" not in limits.key_info(fresh)


@pytest.mark.parametrize("body, param", [
    ({"grace_period": "soon"}, "grace_period"), ({"grace_period": 5}, "grace_period"),
    ({"grace_period": "99999999999999d"}, "grace_period"),
    ({"auto_rotate": True}, "auto_rotate"), ({"rotation_interval": "30d"}, "rotation_interval"),
    ({"rpm_limit_type": "dynamic"}, "rpm_limit_type"),
    ({"tpm_limit_type": "guaranteed_throughput"}, "tpm_limit_type")])
def test_what_a_rotation_cannot_do_is_refused_by_name(limits, body, param):
    key = limits.new_key(rpm_limit_type="best_effort_throughput", auto_rotate=False)
    error = post(limits, f"/key/{key}/regenerate", body, 400)["error"]
    assert error["param"] == param and param in error["message"]
    assert ask(limits, "chat", key).status == 200


def test_no_more_than_eight_former_secrets_work(limits):
    keys = [limits.new_key()]
    for _ in range(8):
        keys.append(regenerate(limits, keys[-1], grace_period="1d")["key"])
    post(limits, f"/key/{keys[-1]}/regenerate", {"grace_period": "1d"}, 400)
    assert [ask(limits, "chat", key).status for key in keys] == [200] * 9
    post(limits, "/key/delete", {"keys": [keys[-1]]})
    assert [ask(limits, "chat", key).status for key in keys] == [401] * 9


# -- restart, hand-over, three workers at once ------------------------------------------------


@pytest.fixture
def daemon(upstream, tmp_path):
    gateway = Gateway(tmp_path, CONFIG.format(url=upstream.url, state=tmp_path / "state"))
    it = Daemon(gateway)
    yield it
    upstream.open_gate()
    it.stop()


def client(gateway, key):
    return OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)


def say(gateway, key, model="chat", **more):
    return client(gateway, key).chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hello"}], max_tokens=20, **more)


def test_limits_and_former_secrets_outlive_hand_overs(daemon, upstream):
    """A stream under the old secret runs through the regeneration and two processes, and all that
    was counted and promised before still is."""
    gateway = daemon.gateway
    key = gateway.new_key(model_rpm_limit={"chat": 4, "other": 1}, max_parallel_requests=2,
                          model_max_budget={"gate": {"budget_limit": 50, "time_period": "1d"}})
    call = Call(gateway, "gate", key=key, stream=True)
    running(upstream, "gate-stream")
    say(gateway, key)
    say(gateway, key, "other")
    fresh = regenerate(gateway, key, grace_period="1h")["key"]
    say(gateway, key)
    say(gateway, fresh)
    daemon.restart()
    daemon.restart()
    say(gateway, key)
    for secret in (key, fresh):
        with pytest.raises(RateLimitError, match="model_per_key: [0-9a-f]{64}:chat"):
            say(gateway, secret)
        with pytest.raises(RateLimitError, match="model_per_key: [0-9a-f]{64}:other"):
            say(gateway, secret, "other")
    upstream.open_gate()
    assert call.result().events()[-1] == "[DONE]"
    wait_until(lambda: gateway.key_info(key)["spend"] > 0, 10, "the calls to be booked")
    regenerate(gateway, fresh)
    with pytest.raises(AuthenticationError):
        say(gateway, key, "dear")


def calls_until_refused(gateway, key):
    with pytest.raises(RateLimitError, match="exceeded budget for model=chat"):
        for passed in range(1000):
            say(gateway, key)
    return passed


def test_what_the_windows_of_a_key_spent_outlives_its_secret_and_a_restart(daemon):
    gateway = daemon.gateway
    cost = cost_of_one(gateway)
    limit = {"model_max_budget": {"chat": {"budget_limit": 0.1}},
             "budget_limits": [{"budget_duration": "30d", "max_budget": 100}]}
    key = gateway.new_key(**limit)
    say(gateway, key)
    key = regenerate(gateway, key)["key"]
    daemon.stop()
    daemon.__init__(gateway)
    others = calls_until_refused(gateway, gateway.new_key(**limit))
    assert calls_until_refused(gateway, key) == others - 1 > 0

    def spent():
        with sqlite3.connect(next(gateway.folder.rglob("kanmon.db")), timeout=10) as db:
            return [n / 1e9 for n, in db.execute(
                "SELECT sum(s.spend) FROM purse_spend s JOIN purses u ON u.id = s.purse"
                " GROUP BY u.name")]
    # Each has three: its own, the window's, the model's.
    wait_until(lambda: spent() == pytest.approx([others * cost] * 6), 10, "the books")


@pytest.mark.parametrize("limit", [
    {"model_rpm_limit": {"chat": 7}},
    {"model_max_budget": {"chat": {"budget_limit": 0.2, "time_period": "1d"}}},
    {"budget_limits": [{"budget_duration": "1h", "max_budget": 0.2}]}])
def test_of_many_at_once_no_more_pass_than_may(limits, limit):
    keys = [limits.new_key(**limit)]
    keys.append(regenerate(limits, keys[0], grace_period="1h")["key"])
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda i: ask(limits, "chat", keys[i % 2]), range(40)))
    passed = [a for a in answers if a.status == 200]
    assert len(passed) + sum(a.status == 429 for a in answers) == 40
    if "model_rpm_limit" in limit:
        assert len(passed) == 7
    else:
        cost = sum(float(a.header("x-litellm-response-cost")) for a in passed)
        assert 0 < cost <= 0.2


# -- what does not fit into memory ------------------------------------------------------------


def refuses_to_start(gateway, said):
    gateway.start(wait=False)
    assert gateway.process.wait(patient(20)) != 0
    assert said in gateway.log.read_text()


@pytest.mark.parametrize("setting, kind", [("max_keys", "virtual keys"),
                                           ("max_accounts", "accounts")])
def test_rows_that_do_not_fit_end_the_start_and_are_not_made(upstream, tmp_path, setting, kind):
    text = CONFIG.format(url=upstream.url, state=tmp_path / "state")
    limited = text + f"  {setting}: 3\n"
    with Gateway(tmp_path, limited) as gateway:
        def make(status=200):
            if setting == "max_keys":
                return post(gateway, "/key/generate", {}, status)
            return post(gateway, "/team/new", {"max_budget": 1}, status)
        for _ in range(3):
            make()
        error = make(400)["error"]
        assert setting in error["message"]
        # A user brings a key along: both are judged before one is written.
        post(gateway, "/user/new", {"user_id": "u", "auto_create_key": True}, 400)
        gateway.stop()
        gateway.start()
        assert len(gateway.call("GET", "/key/list?size=100").json()["keys"]) == (
            3 if setting == "max_keys" else 0)
        gateway.stop()
        gateway.config.write_text(text + f"  {setting}: 2\n")
        refuses_to_start(gateway, f"the store has more {kind}")
        gateway.config.write_text(limited)
        gateway.start()


def test_a_declared_budget_that_keys_count_on_does_not_vanish(upstream, tmp_path):
    text = CONFIG.format(url=upstream.url, state=tmp_path / "state")
    declared = text + "  budgets: [{budget_id: tight, rpm_limit: 1}]\n"
    with Gateway(tmp_path, declared) as gateway:
        key = gateway.new_key(budget_id="tight")
        assert [ask(gateway, "chat", key).status for _ in range(2)] == [200, 429]
        gateway.stop()
        gateway.config.write_text(text)
        refuses_to_start(gateway, "the budget 'tight', which is not there")
        gateway.config.write_text(declared)
        gateway.start()


def told(gateway, word):
    return [line for line in gateway.log.read_text().splitlines() if "budget.soft" in line
            and word in line]


def passed(gateway, kind):
    text = gateway.call("GET", "/metrics").body.decode()
    found = re.search(rf'^kanmon_soft_budget_passed_total{{kind="{kind}"}} (\d+)', text, re.M)
    return int(found[1]) if found else 0


def test_a_soft_budget_is_told_once_and_refuses_nothing(upstream, tmp_path):
    with Gateway(tmp_path, CONFIG.format(url=upstream.url, state=tmp_path / "state")) as gateway:
        cost = cost_of_one(gateway)
        budget, team = name("b"), name("t")
        post(gateway, "/budget/new", {"budget_id": budget, "soft_budget": cost * 1.5})
        post(gateway, "/team/new", {"team_id": team, "soft_budget": cost * 2.5})
        keys = {"own": gateway.new_key(key_alias="own", soft_budget=cost * 1.5),
                "shared": gateway.new_key(key_alias="shared", budget_id=budget, team_id=team),
                "far": gateway.new_key(key_alias="far", soft_budget=cost * 100)}
        for count in (1, 2, 3, 4):
            for key in keys.values():
                assert ask(gateway, "chat", key).status == 200
            if count == 1:
                assert not told(gateway, "USD")
        wait_until(lambda: told(gateway, "own") and told(gateway, "shared")
                   and told(gateway, team), 10, "the three to be told")
        assert [len(told(gateway, word)) for word in ("'own'", "'shared'", team, "'far'")] == [
            1, 1, 1, 0]
        assert [passed(gateway, kind) for kind in ("key", "team")] == [2, 1]
        events = gateway.call("GET", "/kanmon/events").body.decode()
        assert "key 'own' has spent" in events
        # Not again after a restart; and a higher one is another.
        gateway.stop()
        gateway.start()
        ask(gateway, "chat", keys["own"])
        post(gateway, "/key/update", {"key": keys["own"], "soft_budget": cost * 5.5})
        ask(gateway, "chat", keys["own"])
        wait_until(lambda: len(told(gateway, "'own'")) == 2, 10, "the higher one to be told")


@pytest.mark.parametrize("path, alias", [("/key/generate", "key_alias"), ("/team/new", "team_alias"),
                                         ("/user/new", "user_alias")])
def test_texts_are_bounded_and_have_no_control_characters(limits, path, alias):
    for value in ("a\nb", "a\0b", "\x7f", "x" * 100_000):
        for body in ({alias: value}, {"models": [value]}, {"tags": [value]},
                     {"metadata": {"note": value.replace("\n", "\x1b")}}):
            error = post(limits, path, body, 400)["error"]
            assert "control characters" in error["message"] or re.search(
                "1024 bytes|64 KiB", error["message"]), (body, error)
    post(limits, path, {alias: name("ünï"), "metadata": {"note": "two\n\tlines"}})


@pytest.mark.parametrize("path, size", [
    ("/key/list", "size"), ("/team/list", "page_size"), ("/v2/team/list", "page_size"),
    ("/user/list", "page_size")])
def test_a_page_that_does_not_read_is_refused(limits, path, size):
    for number in ("x", "-1", "0", "1.5", "99999999999999999999999"):
        for member in ("page", size):
            error = limits.call("GET", f"{path}?{member}={number}")
            assert error.status == 400 and error.json()["error"]["param"] == member
    assert limits.call("GET", f"{path}?page=2&{size}=5").status == 200
