# SPDX-License-Identifier: Apache-2.0
"""The cheapest deployment that is good enough, of a group and of a route's substitutes."""

import openai
import pytest

from gateway import MASTER, Gateway, wait_until

CONFIG = """
model_list:
{deployments}
router_settings: {{num_retries: 1}}
general_settings: {{master_key: {master}}}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  performance: {{circuit_breaker_failures: 1000000}}
  cost_optimization: {{{economy}}}
  {own}
"""
ON = "prefer_cost_efficient_models: true"


def price(usd):
    return f"input_cost_per_token: {usd}, output_cost_per_token: {usd}"


@pytest.fixture
def route(tmp_path, upstream):
    """route({"group": {"model": ("more of its entry", "model_info")}}, "cost_optimization", "own")"""
    made = []

    def make(groups, economy=ON, own=""):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        listed = "".join(
            f'  - model_name: {group}\n    litellm_params: {{model: openai/{model}, '
            f'api_base: "{upstream.url}/v1", api_key: sk-u, {params}}}\n'
            f"    model_info: {{id: {model}, {info}}}\n"
            for group, models in groups.items() for model, (params, info) in models.items())
        made.append(Gateway(folder, CONFIG.format(deployments=listed, economy=economy, own=own,
                                                  master=MASTER, state=folder / "state")))
        return made[-1].start()

    yield make
    for gateway in made:
        gateway.stop()


def ask(gateway, model="m", key=MASTER, text="hi", **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": text}], **more)


def asked(upstream):
    return [record.model for record in upstream.records]


def test_the_cheapest_serves_and_it_is_said(route, upstream):
    gateway = route({"m": {"ok-dear": (price(0.001), ""), "ok-cheap": (price(0.0001), ""),
                           "ok-unknown": ("", "")}})
    for _ in range(8):
        assert ask(gateway).headers["x-kanmon-economy"] == "cheapest of 2, unpriced=1"
    assert asked(upstream) == ["ok-cheap"] * 8
    wait_until(lambda: 'economy="cheapest of 2, unpriced=1"' in gateway.log.read_text(),
               what="the log's line")


def test_off_is_chance(route, upstream):
    gateway = route({"m": {"ok-dear": (price(0.001), ""), "ok-cheap": (price(0.0001), "")}}, "")
    for _ in range(40):
        assert "x-kanmon-economy" not in ask(gateway).headers
    assert set(asked(upstream)) == {"ok-dear", "ok-cheap"}


def test_a_dearer_one_serves_where_the_cheap_one_cannot(route, upstream):
    gateway = route({"m": {"ok-dear": (price(0.001), "max_input_tokens: 9000"),
                           "ok-cheap": (price(0.0001), "max_input_tokens: 100")}})
    ask(gateway, text="word " * 400)
    ask(gateway)
    assert asked(upstream) == ["ok-dear", "ok-cheap"]


def test_a_slow_one_comes_behind_until_the_budget_is_nearly_spent(route, upstream):
    gateway = route({"m": {"slow-400-cheap": (price(0.0001), ""), "ok-dear": (price(0.001), "")}},
                    f"{ON}, max_latency: 0.1, near_budget: 10")
    key = gateway.new_key(max_budget=100)
    for _ in range(4):
        answer = ask(gateway, key=key, max_tokens=16)
    assert asked(upstream)[0] == "slow-400-cheap"
    assert asked(upstream)[1:] == ["ok-dear"] * 3
    assert answer.headers["x-kanmon-economy"] == "cheapest of 1, slow=1"
    spent = gateway.key_info(key)["spend"]
    assert spent > 0
    answer = gateway.call("POST", "/key/update", {"key": key, "max_budget": spent / 0.11})
    assert answer.status == 200
    answer = ask(gateway, key=key, max_tokens=1)
    assert answer.headers["x-kanmon-economy"] == "cheapest of 2, near_budget"
    assert asked(upstream)[-1] == "slow-400-cheap"


def test_one_that_fails_too_often_comes_behind(route, upstream):
    gateway = route({"m": {"err-500-cheap": (price(0.0001), ""), "ok-dear": (price(0.001), "")}})
    answers = [ask(gateway) for _ in range(12)]
    assert 5 <= asked(upstream).count("err-500-cheap") < 12
    assert asked(upstream).count("ok-dear") == 12
    assert answers[0].headers["x-litellm-attempted-retries"] == "1"
    assert any(a.headers["x-kanmon-economy"] == "cheapest of 1, failing=1" for a in answers)


SUBSTITUTES = "routes: [{name: thrift, models: [m], substitutes: [small, tiny]}]"
GROUPS = {"m": {"ok-m": (price(0.001), "")}, "small": {"ok-small": (price(0.0001), "")},
          "tiny": {"ok-tiny": (price(0.00001), "supports_function_calling: false")}}


def test_a_routes_substitutes_serve_where_they_are_cheaper(route, upstream):
    gateway = route(GROUPS, own=SUBSTITUTES)
    answer = ask(gateway)
    assert answer.headers["x-kanmon-route"] == "thrift" and answer.parse().model == "m"
    ask(gateway, tools=[{"type": "function", "function": {"name": "f"}}])
    key = gateway.new_key(models=["m", "small"])
    ask(gateway, key=key)
    ask(gateway, key=gateway.new_key(models=["m"]))
    ask(gateway, "small")
    assert asked(upstream) == ["ok-tiny", "ok-small", "ok-small", "ok-m", "ok-small"]


def test_substitutes_count_where_it_is_switched_on(route, upstream):
    ask(route(GROUPS, "", SUBSTITUTES))
    assert asked(upstream) == ["ok-m"]
