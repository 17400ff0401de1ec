# SPDX-License-Identifier: Apache-2.0
"""Which deployment of a group serves a call, by LiteLLM's strategies; and when one is left alone."""

import concurrent.futures
import json
import time

import pytest

from gateway import MASTER, Gateway, wait_until

CONFIG = """
model_list:
{deployments}
router_settings: {{num_retries: 0, {router}}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2{more}}}
"""


@pytest.fixture
def route(tmp_path, upstream):
    """route("routing_strategy: ...", {"model": "more of litellm_params"}): one group `m`."""
    made = []

    def make(router, deployments, more=""):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        listed = "".join(
            f'  - model_name: m\n    litellm_params: {{model: openai/{model}, '
            f'api_base: "{upstream.url}/v1", api_key: sk-u, {params}}}\n'
            f"    model_info: {{id: {model}}}\n" for model, params in deployments.items())
        gateway = Gateway(folder, CONFIG.format(deployments=listed, router=router, more=more,
                                                master=MASTER, state=folder / "state"))
        made.append(gateway)
        return gateway.start()

    yield make
    for gateway in made:
        gateway.stop()


def asked(upstream):
    return [record.model for record in upstream.records]


def test_the_fewest_calls_that_are_out(route, upstream):
    gateway = route("routing_strategy: least-busy", {"gate-a": "", "gate-b": "", "gate-c": ""})
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        calls = []
        for n in range(9):
            calls.append(pool.submit(gateway.chat, "m"))
            wait_until(lambda n=n: len(upstream.records) == n + 1, what="the next call")
        upstream.open_gate()
        assert all(call.result().status == 200 for call in calls)
    assert sorted(asked(upstream)) == ["gate-a"] * 3 + ["gate-b"] * 3 + ["gate-c"] * 3


def test_no_more_than_a_deployments_rpm(route, upstream):
    gateway = route("routing_strategy: usage-based-routing-v2",
                    {"ok-a": "rpm: 2", "ok-b": "rpm: 3"})
    begun = time.time() // 60
    answers = [gateway.chat("m").status for _ in range(7)]
    if time.time() // 60 != begun:
        pytest.skip("another minute has begun, with limits of its own")
    assert answers == [200] * 5 + [429] * 2
    assert sorted(asked(upstream)) == ["ok-a"] * 2 + ["ok-b"] * 3
    refused = gateway.chat("m")
    assert 0 < int(refused.header("retry-after")) <= 60


def test_the_fastest_so_far(route, upstream):
    gateway = route("routing_strategy: latency-based-routing", {"slow-300-a": "", "ok-b": ""})
    for _ in range(12):
        assert gateway.chat("m").status == 200
    assert asked(upstream).count("slow-300-a") <= 2 < asked(upstream).count("ok-b")


def test_the_cheapest(route, upstream):
    gateway = route("routing_strategy: cost-based-routing", {
        "ok-dear": "input_cost_per_token: 0.00002, output_cost_per_token: 0.00002",
        "ok-cheap": "input_cost_per_token: 0.000001, output_cost_per_token: 0.000002"})
    for _ in range(6):
        assert gateway.chat("m").status == 200
    assert asked(upstream) == ["ok-cheap"] * 6


def test_one_that_is_full_rests_and_opens_no_breaker(route, upstream):
    gateway = route("", {"err-429-retry": "", "ok-b": ""})
    statuses = [gateway.chat("m").status for _ in range(30)]
    assert statuses.count(429) <= 1  # it asked for seven seconds
    states = {d["model_id"]: d["breaker"]
              for d in gateway.call("GET", "/health").json()["healthy_endpoints"]}
    assert states == {"err-429-retry": "closed", "ok-b": "closed"}


def test_allowed_fails_of_a_minute_have_one_left_alone(route, upstream):
    gateway = route("allowed_fails: 2, cooldown_time: 60", {"err-500-a": "", "ok-b": ""})
    begun = time.monotonic() // 60
    statuses = [gateway.chat("m").status for _ in range(60)]
    if time.monotonic() // 60 != begun:
        pytest.skip("another minute has begun")
    assert statuses.count(500) == 3
    metrics = gateway.call("GET", "/metrics").body.decode()
    assert 'litellm_deployment_cooled_down_total{model="m",model_id="err-500-a"} 1' in metrics


def test_disable_cooldowns_leaves_none_alone(route, upstream):
    gateway = route("disable_cooldowns: true", {"err-500-a": "", "ok-b": ""})
    statuses = [gateway.chat("m").status for _ in range(60)]
    assert statuses.count(500) > 15


def test_a_strategy_that_is_none_is_refused(tmp_path, upstream):
    gateway = Gateway(tmp_path, CONFIG.format(deployments="  []", router="routing_strategy: random",
                                              more="", master=MASTER, state=tmp_path / "state"))
    said = json.loads(gateway.command("config", "check", gateway.config, "--json").stdout)
    assert any(d["code"] == "E0102" for d in said)
