# SPDX-License-Identifier: Apache-2.0
"""Health checks in the background: who is asked, with what, what it costs, and what it changes."""

import json
import time

import pytest

from gateway import MASTER, Gateway, wait_until

CONFIG = """
model_list:
  - &one
    model_name: m
    litellm_params: &open {{model: openai/ok-a, api_base: "{url}/v1", api_key: sk-u, order: 0,
                            input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
    model_info: {{id: a{info}}}
  - {{model_name: m, litellm_params: {{<<: *open, model: openai/{second}, order: 1}}, model_info: {{id: b}}}}
  - {{model_name: e, litellm_params: {{<<: *open, model: openai/ok-e}}, model_info: {{id: e, mode: embedding}}}}
  - {{model_name: i, litellm_params: {{<<: *open, model: openai/ok-i}}, model_info: {{id: i, mode: image_generation}}}}
  - {{model_name: n, litellm_params: {{<<: *open, model: openai/ok-n}},
      model_info: {{id: n, disable_background_health_check: true}}}}
  - {{model_name: mocked, litellm_params: {{<<: *open, model: openai/ok-x, mock_response: hello}}}}
  - {{model_name: "any/*", litellm_params: {{<<: *open, model: openai/*}}}}
general_settings: {{master_key: {master}, {general}}}
kanmon_settings: {{state_dir: "{state}", workers: 2}}
"""
ON = "background_health_checks: true, health_check_interval: 60ms"
EACH_S = 0.02  # between two of the three that are asked


@pytest.fixture
def route(tmp_path, upstream):
    made = []

    def make(general=ON, second="ok-b", info=""):
        gateway = Gateway(tmp_path, CONFIG.format(
            url=upstream.url, master=MASTER, state=tmp_path / "state", general=general,
            second=second, info=info))
        made.append(gateway.start())
        return gateway

    yield make
    for gateway in made:
        gateway.stop()


def asked(upstream):
    return {record.model for record in upstream.records}


def checks(upstream):
    return [record for record in upstream.records if record.model != "ok-n"]


def states(gateway):
    said = gateway.call("GET", "/health").json()
    return {one["model_id"]: one.get("health_check", {}).get("verdict")
            for one in said["healthy_endpoints"] + said["unhealthy_endpoints"]}


def test_nobody_is_asked_unless_it_is_said(route, upstream):
    gateway = route(general="health_check_interval: 10ms, enable_health_check_routing: true")
    for _ in range(20):
        assert gateway.chat("n").status == 200
    assert asked(upstream) == {"ok-n"}


def test_each_is_asked_something_small(route, upstream):
    gateway = route()
    wait_until(lambda: asked(upstream) >= {"ok-a", "ok-b", "ok-e"}, what="the checks")
    wait_until(lambda: len(upstream.records) > 12, what="more rounds")
    assert asked(upstream) == {"ok-a", "ok-b", "ok-e"}
    for record in upstream.records:
        body = json.loads(record.body)
        if record.model == "ok-e":
            assert body["input"] == ["hi"] and record.target.endswith("/embeddings")
        else:
            assert body["max_tokens"] == 1 and set(body) == {"model", "messages", "max_tokens"}
    wait_until(lambda: states(gateway)["a"] == "healthy", what="its verdict")
    assert states(gateway)["n"] is None


def test_they_are_in_the_ledger(route, upstream):
    gateway = route()
    wait_until(lambda: len(upstream.records) > 3, what="the checks")
    wait_until(lambda: [r for r in gateway.spend_logs() if r["call_type"] == "health_check"],
               what="their rows")
    row = [r for r in gateway.spend_logs() if r["call_type"] == "health_check"][0]
    assert row["model_group"] in ("a", "b", "e", "m") and row["spend"] > 0


def test_one_that_fails_gets_no_calls_where_routing_asks(route, upstream):
    gateway = route(general=ON + ", enable_health_check_routing: true", second="err-503-b")
    wait_until(lambda: states(gateway)["b"] == "unhealthy", what="its verdict")
    left = gateway.call("GET", "/kanmon/status").json()["left_alone"]
    assert [one["name"] for one in left] == ["b"]
    assert [gateway.chat("m").status for _ in range(10)] == [200] * 10


def test_one_that_works_again_is_asked_again(route, upstream):
    """It fails four times, its checks go on, and then it serves."""
    gateway = route(general=ON + ", enable_health_check_routing: true", second="flaky-4-503-health")
    wait_until(lambda: states(gateway)["b"] == "unhealthy", what="its verdict")
    wait_until(lambda: states(gateway)["b"] == "healthy", what="its return")
    said = gateway.call("GET", "/health").json()
    assert "b" in [one["model_id"] for one in said["healthy_endpoints"]]


def test_only_the_groups_that_are_named(route, upstream):
    gateway = route(general=ON + ", background_health_check_model_groups: [e]")
    wait_until(lambda: len(upstream.records) > 3, what="the checks")
    assert asked(upstream) == {"ok-e"}
    assert states(gateway)["a"] is None


def test_details_may_be_left_out(route):
    gateway = route(general="health_check_details: false")
    said = gateway.call("GET", "/health").json()
    assert all(set(one) == {"model"} for one in said["healthy_endpoints"])


def test_a_reload_takes_them_away(route, upstream):
    gateway = route()
    wait_until(lambda: asked(upstream), what="the checks")
    gateway.reload(CONFIG.format(url=upstream.url, master=MASTER, state=gateway.folder / "state",
                                 general="health_check_interval: 1", second="ok-b", info=""))

    def nobody_is_asked():
        """While calls are served for as long as twenty checks would have taken."""
        before, until = len(checks(upstream)), time.monotonic() + 20 * EACH_S
        while time.monotonic() < until:
            assert gateway.chat("n").status == 200
        return len(checks(upstream)) == before

    wait_until(nobody_is_asked, what="their end")  # the reload is on its way as well
