# SPDX-License-Identifier: Apache-2.0
"""Shadows of calls: another model hears the same, a budget of its own pays, and the client notices
nothing."""

import json

import pytest

from gateway import MASTER, Gateway, wait_until
from test_faults import Scripted, response
from test_timeouts import stops_after

CONFIG = """
model_list:
  - model_name: m
    litellm_params: &open {{model: openai/ok-m, api_base: "{url}/v1", api_key: sk-u,
                            input_cost_per_token: 0.000001, output_cost_per_token: 0.000002,
                            silent_model: {silent}, silent_model_percent: {percent}}}
  - model_name: shadow
    litellm_params: &plain {{model: openai/ok-shadow, api_base: "{shadow}/v1", api_key: sk-u, num_retries: 0,
                             input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
  - {{model_name: shadow2, litellm_params: {{<<: *plain, model: openai/ok-shadow2}}}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1{more}}}
"""
PAID = ", mirror: {budget: 1}"


@pytest.fixture
def route(tmp_path, upstream):
    made = []

    def make(more=PAID, silent="shadow", percent=100, shadow=None, start=True):
        gateway = Gateway(tmp_path, CONFIG.format(
            url=upstream.url, master=MASTER, state=tmp_path / "state", more=more, silent=silent,
            percent=percent, shadow=shadow or upstream.url))
        made.append(gateway)
        return gateway.start() if start else gateway

    yield make
    for gateway in made:
        gateway.stop()


def asked(upstream):
    return [record.model for record in upstream.records]


def outcomes(gateway):
    found = {}
    for line in gateway.call("GET", "/metrics").body.decode().splitlines():
        if line.startswith("kanmon_mirrored_total{"):
            found[line.split('outcome="')[1].split('"')[0]] = int(line.rsplit(" ", 1)[1])
    return found


def rows(gateway, model):
    return [row for row in gateway.spend_logs() if row["model_group"] == model]


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_is_asked_of_another_model(route, upstream, stream):
    gateway = route()
    key = gateway.new_key(max_budget=1)
    answer = gateway.chat("m", key=key, stream=stream, temperature=0.5,
                          headers={"x-litellm-tags": "theirs"})
    assert answer.status == 200 and answer.header("x-litellm-model-group") == "m"
    wait_until(lambda: outcomes(gateway) == {"answered": 1}, what="the shadow")
    first, second = (json.loads(record.body) for record in upstream.records)
    assert (first.pop("model"), second.pop("model")) == ("ok-m", "ok-shadow")
    assert first == second


def test_a_key_of_its_own_pays_in_a_row_of_its_own(route):
    gateway = route()
    key = gateway.new_key(max_budget=1)
    assert gateway.chat("m", key=key).status == 200
    wait_until(lambda: rows(gateway, "shadow"), what="its row")
    own, = rows(gateway, "m")
    shadow, = rows(gateway, "shadow")
    assert own["api_key"] != shadow["api_key"] and shadow["spend"] > 0
    assert own["request_id"] != shadow["request_id"]
    wait_until(lambda: gateway.key_info(key)["spend"] == pytest.approx(own["spend"]), what="a sum")
    info = gateway.call("GET", f"/key/info?key={shadow['api_key']}").json()["info"]
    assert info["max_budget"] == 1 and info["key_alias"] == "mirror"
    wait_until(lambda: gateway.call("GET", f"/key/info?key={shadow['api_key']}").json()["info"][
        "spend"] == pytest.approx(shadow["spend"]), what="the mirror's spend")


def test_without_a_budget_it_does_not_start(route):
    gateway = route(more="", start=False)
    ran = gateway.command("serve", "--config", gateway.config)
    assert ran.returncode != 0 and "kanmon_settings.mirror.budget" in ran.stderr + ran.stdout


def test_a_budget_that_is_spent_ends_them(route, upstream):
    gateway = route(more=", mirror: {budget: 0.00000001}")
    for _ in range(3):
        assert gateway.chat("m").status == 200
    wait_until(lambda: outcomes(gateway) == {"failed": 3}, what="the refusals")
    assert "ok-shadow" not in asked(upstream)


def test_a_share_of_the_calls(route, upstream):
    gateway = route(percent=0)
    assert [gateway.chat("m").status for _ in range(20)] == [200] * 20
    assert outcomes(gateway) == {} and set(asked(upstream)) == {"ok-m"}


def test_several_models(route, upstream):
    gateway = route(silent="[shadow, shadow2]")
    assert gateway.chat("m").status == 200
    wait_until(lambda: outcomes(gateway).get("answered") == 1, what="the shadows")
    wait_until(lambda: set(asked(upstream)) == {"ok-m", "ok-shadow", "ok-shadow2"}, what="both")


def test_one_that_hangs_delays_nobody_and_more_are_dropped(route):
    with Scripted(stops_after()) as shadow:
        gateway = route(more=", mirror: {budget: 1, concurrency: 1}", shadow=shadow.url)
        assert [gateway.chat("m").status for _ in range(5)] == [200] * 5
        wait_until(lambda: outcomes(gateway) == {"dropped": 4}, what="the drops")
        gateway.stop()


def test_what_offers_tools_is_not_mirrored(route, upstream):
    gateway = route()
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert gateway.chat("m", tools=tools).status == 200
    assert gateway.chat("m").status == 200
    wait_until(lambda: outcomes(gateway) == {"answered": 1}, what="the other's shadow")
    assert asked(upstream).count("ok-shadow") == 1


def test_one_that_fails_is_nobodys_error(route):
    def refuse(link, _head):
        link.sendall(response(500, b"{}"))

    with Scripted(refuse) as shadow:
        gateway = route(shadow=shadow.url)
        assert gateway.chat("m").status == 200
        wait_until(lambda: outcomes(gateway) == {"failed": 1}, what="its failure")
        assert gateway.chat("m").status == 200


def test_its_spend_outlives_a_restart(route):
    gateway = route()
    assert gateway.chat("m").status == 200
    wait_until(lambda: rows(gateway, "shadow"), what="its row")
    hashed = rows(gateway, "shadow")[0]["api_key"]
    spent = rows(gateway, "shadow")[0]["spend"]
    wait_until(lambda: gateway.call("GET", f"/key/info?key={hashed}").json()["info"]["spend"] > 0,
               what="its spend")
    gateway.stop()
    gateway.start()
    info = gateway.call("GET", f"/key/info?key={hashed}").json()["info"]
    assert info["spend"] == pytest.approx(spent)
