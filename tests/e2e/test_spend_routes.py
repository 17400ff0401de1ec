# SPDX-License-Identifier: Apache-2.0
"""Budgets of providers, deployments and tags: one that is spent sends calls on to the next target, what
an attempt cost stays with whom it went to, and all of it survives a restart and a hand-over."""

import threading

import pytest

from gateway import MASTER, Gateway, wait_until
from test_account_routes import get, name, post
from test_accounts import store
from ports import free_port
from test_handover import Call, Daemon, running

# The fake says of each answer that 10 tokens went in and 5 came out, so a call costs a little more than
# a cent; with max_tokens=7 it may cost two more.
CONFIG = """
model_list:
  - model_name: chat
    litellm_params: &a {{model: openai/ok-a, api_base: "{url}/v1", api_key: k, order: 1,
                         input_cost_per_token: 0.000001, output_cost_per_token: 0.002}}
    model_info: {{id: first}}
  - model_name: chat
    litellm_params: {{<<: *a, model: groq/ok-b, order: 2}}
    model_info: {{id: second}}
  - model_name: fails
    litellm_params: {{<<: *a, model: openai/err-500-a}}
    model_info: {{id: fails-1}}
  - model_name: fails
    litellm_params: {{<<: *a, model: groq/ok-c, order: 2}}
    model_info: {{id: fails-2}}
  - model_name: unreachable
    litellm_params: {{<<: *a, model: openai/ok-g, api_base: "http://127.0.0.1:{closed}/v1"}}
    model_info: {{id: unreachable-1}}
  - model_name: unreachable
    litellm_params: {{<<: *a, model: groq/ok-h, order: 2}}
    model_info: {{id: unreachable-2}}
  - model_name: falls
    litellm_params: {{<<: *a, model: openai/gate-x}}
    model_info: {{id: falls-1}}
  - model_name: falls
    litellm_params: {{<<: *a, model: groq/ok-i, order: 2}}
    model_info: {{id: falls-2}}
  - model_name: crash
    litellm_params: {{<<: *a, model: openai/ok-j, api_base: "http://127.0.0.1:{closed}/v1"}}
    model_info: {{id: crash-1}}
  - model_name: crash
    litellm_params: {{<<: *a, model: groq/gate-y, order: 2}}
    model_info: {{id: crash-2}}
  - model_name: lone
    litellm_params: {{<<: *a, model: deepseek/ok-d, max_budget: {deployment}, budget_duration: 1d}}
    model_info: {{id: lone-1}}
  - model_name: follows
    litellm_params: {{<<: *a, model: deepseek/ok-e, max_budget: 0}}
    model_info: {{id: follows-1}}
  - model_name: any
    litellm_params: {{<<: *a, model: mistral/ok-f}}
    model_info: {{id: any-1}}
  - model_name: held
    litellm_params: {{<<: *a, model: openai/gate-held}}
    model_info: {{id: held-1}}
router_settings:
  num_retries: 0
  disable_cooldowns: true
  fallbacks: [{{follows: [any]}}]
  provider_budget_config:
    openai: {{budget_limit: {openai}, time_period: {window}}}
    groq: {{max_budget: {groq}, budget_duration: 30d}}
litellm_settings:
  tag_budget_config: {{costly: {{max_budget: {tag}, budget_duration: 1d}}}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{state}", workers: 2}}
"""
COST = 0.01001


@pytest.fixture
def made(upstream, new_gateway):
    def make(openai=100, groq=100, deployment=100, tag=100, window="1d", start=True):
        gateway = new_gateway(start=False)
        gateway.config.write_text(CONFIG.format(
            url=upstream.url, closed=free_port(), state=gateway.folder / "state", openai=openai, groq=groq,
            deployment=deployment, tag=tag, window=window))
        return gateway.start() if start else gateway
    return make


def ask(gateway, model="chat", key=MASTER, **more):
    return gateway.chat(model, key=key, **{"max_tokens": 7, **more})


def who(answer):
    return answer.status, answer.header("x-litellm-model-id")


def budgets(gateway):
    return get(gateway, "/provider/budgets")["providers"]


def spent_at(gateway, provider):
    return budgets(gateway)[provider]["spend"]


def test_a_spent_provider_is_passed_over(made):
    gateway = made(openai=0.1)
    found = [who(ask(gateway))[1] for _ in range(20)]
    assert found[0] == "first" and found[-1] == "second"
    turn = found.index("second")
    assert set(found[:turn]) == {"first"} and set(found[turn:]) == {"second"}
    assert spent_at(gateway, "openai") == pytest.approx(turn * COST) and turn * COST <= 0.1
    assert spent_at(gateway, "groq") == pytest.approx((20 - turn) * COST)


def test_when_all_are_spent_the_call_is_refused_in_its_protocol(made):
    gateway = made(openai=0.0001, groq=0.0001)
    answer = ask(gateway)
    assert answer.status == 429 and answer.json()["error"]["type"] == "budget_exceeded", answer
    assert "budget" in answer.json()["error"]["message"]
    said = gateway.call("POST", "/v1/messages", {"model": "chat", "max_tokens": 7, "messages": [
        {"role": "user", "content": "hi"}]})
    assert said.status == 429 and said.json()["type"] == "error", said
    assert "budget" in said.json()["error"]["message"]


def test_another_group_follows_one_that_is_spent(made):
    answer = ask(made(), "follows")
    assert who(answer) == (200, "any-1")


def test_a_deployment_has_a_budget_of_its_own(made):
    gateway = made(deployment=0.035)
    found = [ask(gateway, "lone").status for _ in range(6)]
    assert found[0] == 200 and found[-1] == 429
    assert found == sorted(found)


def purses(gateway):
    with store(gateway) as db:
        return {name.split("\x1f")[1]: n / 1e9 for name, n in db.execute(
            "SELECT u.name, s.spend FROM purse_spend s JOIN purses u ON u.id = s.purse")}


@pytest.mark.parametrize("stream", [False, True])
def test_each_target_pays_for_the_attempt_that_went_there(made, stream):
    """The first answered 500, which may have cost its input; the second answered."""
    gateway = made()
    answer = ask(gateway, "fails", stream=stream)
    assert who(answer) == (200, "fails-2")
    wait_until(lambda: spent_at(gateway, "groq") > 0, what="the settlement")
    row, = gateway.spend_logs(request_id=answer.header("x-litellm-call-id"))
    told = {p: spent_at(gateway, p) for p in ("openai", "groq")}
    assert told["openai"] > 0 and told["groq"] == pytest.approx(COST)
    assert sum(told.values()) == pytest.approx(row["spend"])
    gateway.stop()
    assert purses(gateway) == pytest.approx(told)


def test_a_target_that_was_never_reached_pays_nothing(made):
    gateway = made()
    assert who(ask(gateway, "unreachable")) == (200, "unreachable-2")
    assert spent_at(gateway, "openai") == 0
    assert spent_at(gateway, "groq") == pytest.approx(COST)
    gateway.stop()
    assert purses(gateway) == {"groq": pytest.approx(COST)}


def test_it_is_there_again_after_a_restart(made):
    gateway = made(openai=1)
    for _ in range(4):
        assert who(ask(gateway)) == (200, "first")
    gateway.stop()
    assert purses(gateway)["openai"] == pytest.approx(4 * COST)
    gateway.start()
    assert spent_at(gateway, "openai") == pytest.approx(4 * COST)


def test_calls_at_once_never_overspend(made, upstream):
    """Two workers near the edge: what fits is served, and no more than that is spent."""
    gateway = made(openai=0.3, groq=0.2)
    answers = []

    def many():
        for _ in range(10):
            answers.append(ask(gateway))

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [a.header("x-litellm-model-id") for a in answers if a.status == 200]
    assert {a.status for a in answers} == {200, 429}
    for provider, served, limit in (("openai", "first", 0.3), ("groq", "second", 0.2)):
        spent = spent_at(gateway, provider)
        assert spent == pytest.approx(good.count(served) * COST) and spent <= limit


def test_a_hand_over_keeps_what_was_spent_and_what_is_held(made, upstream):
    gateway = made(openai=2, start=False)
    daemon = Daemon(gateway)
    try:
        assert who(ask(gateway)) == (200, "first")
        call = Call(gateway, "held", max_tokens=7)
        running(upstream, "gate-held")
        daemon.restart()
        assert spent_at(gateway, "openai") == pytest.approx(COST)
        upstream.open_gate()
        assert call.result().status == 200
        wait_until(lambda: spent_at(gateway, "openai") == pytest.approx(2 * COST), 10,
                   "the old gateway's call")
        for _ in range(2):
            assert who(ask(gateway)) == (200, "first")
        daemon.restart()
        assert spent_at(gateway, "openai") == pytest.approx(4 * COST)
    finally:
        upstream.open_gate()
        daemon.stop()


def test_a_call_that_moves_while_its_gateway_is_replaced(made, upstream):
    """It began in the old process at one provider, which fails when the new one has the counters: who
    pays for the next attempt is asked there, and the books of both agree."""
    gateway = made(start=False)
    daemon = Daemon(gateway)
    try:
        call = Call(gateway, "falls", max_tokens=7)
        running(upstream, "gate-x")
        daemon.restart()
        upstream.break_gate()
        assert who(call.result()) == (200, "falls-2")
        wait_until(lambda: spent_at(gateway, "groq") > 0, 10, "the old gateway's call")
        assert spent_at(gateway, "groq") == pytest.approx(COST)
        told = {p: spent_at(gateway, p) for p in ("openai", "groq")}
        daemon.restart()
        assert {p: spent_at(gateway, p) for p in told} == pytest.approx(told)
    finally:
        upstream.open_gate()
        daemon.stop()
    assert purses(gateway).get("openai", 0) == pytest.approx(told["openai"])


def test_a_crash_charges_the_target_that_was_asked_last(made, upstream):
    """It went to one that was not there, then to another, which had it when the gateway was killed."""
    gateway = made()
    call = Call(gateway, "crash", max_tokens=7)
    running(upstream, "gate-y")

    def told():
        with store(gateway) as db:
            return db.execute("SELECT count(*) FROM open_calls").fetchone()[0] == 1
    wait_until(told, 10, "the intent to be written")
    gateway.kill()
    call.join()
    gateway.start()
    wait_until(lambda: spent_at(gateway, "groq") > 0, 10, "the charge")
    assert spent_at(gateway, "openai") == 0


def test_a_new_window_begins_with_nothing_spent(made):
    gateway = made(openai=0.03, groq=0.0001, window="5s")

    def served():
        return who(ask(gateway)) == (200, "first")
    wait_until(lambda: not served(), 20, "the window to be spent")
    wait_until(served, 20, "the next window")


def test_what_is_left_is_a_metric(made):
    gateway = made(openai=1, deployment=2)
    assert ask(gateway).status == ask(gateway, "lone").status == 200
    text = gateway.call("GET", "/metrics").body.decode()
    left = dict(line.rsplit(" ", 1) for line in text.splitlines() if "remaining_budget" in line
                and not line.startswith("#"))
    openai = left['litellm_provider_remaining_budget_metric{api_provider="openai"}']
    assert float(openai) == pytest.approx(1 - COST)
    lone = left['kanmon_deployment_remaining_budget_usd{model_id="lone-1"}']
    assert float(lone) == pytest.approx(2 - COST)


def test_a_reload_changes_budgets(made):
    gateway = made(openai=0.0001)
    assert who(ask(gateway)) == (200, "second")
    text = gateway.config.read_text()
    gateway.reload(text.replace("budget_limit: 0.0001", "budget_limit: 5"))
    wait_until(lambda: budgets(gateway)["openai"]["budget_limit"] == 5, 10, "the reload")
    assert who(ask(gateway)) == (200, "first")
    gateway.reload(text.replace("    openai: {budget_limit", "    xai: {budget_limit"))
    wait_until(lambda: set(budgets(gateway)) == {"groq", "xai"}, 10, "the reload")
    assert who(ask(gateway)) == (200, "first")


def test_a_tag_has_a_budget_in_litellms_settings(made):
    gateway = made(tag=0.035)
    found = [ask(gateway, tags=["costly"]).status for _ in range(6)]
    assert found[0] == 200 and found[-1] == 429
    assert ask(gateway).status == 200


def test_calls_with_the_master_key_pay_from_what_they_name(made):
    gateway = made()
    user = name("customer")
    post(gateway, "/customer/new", {"user_id": user, "max_budget": 0.035})
    found = [ask(gateway, user=user).status for _ in range(6)]
    assert found[0] == 200 and found[-1] == 429
    info = get(gateway, f"/customer/info?end_user_id={user}")
    assert info["spend"] == pytest.approx(found.count(200) * COST)
    assert ask(gateway).status == 200


def test_a_budget_that_does_not_read_stops_the_start(made):
    gateway = made(openai="much", start=False)
    ran = gateway.command("config", "check", "--config", gateway.config)
    assert ran.returncode != 0
    assert "E0309" in ran.stdout + ran.stderr and "openai" in ran.stdout + ran.stderr
