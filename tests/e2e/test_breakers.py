# SPDX-License-Identifier: Apache-2.0
"""Deployments and providers that are left alone: when, for how long, and who is told."""

import json

import pytest

from gateway import MASTER, Gateway, wait_until
from test_faults import OK, Scripted, response

CONFIG = """
model_list:
  - &bad
    model_name: bad
    litellm_params: &open {{model: openai/err-500-bad, api_base: "{url}/v1", api_key: sk-u, num_retries: 0}}
    model_info: {{id: bad{info}}}
  - {{model_name: bad2, litellm_params: {{<<: *open, model: openai/err-503-bad2}}, model_info: {{id: bad2}}}}
  - {{model_name: denied, litellm_params: {{<<: *open, model: openai/err-401-denied}}, model_info: {{id: denied}}}}
  - {{model_name: denied2, litellm_params: {{<<: *open, model: openai/err-401-denied2}}, model_info: {{id: denied2}}}}
  - {{model_name: good, litellm_params: {{<<: *open, model: openai/ok-good}}, model_info: {{id: good}}}}
  - {{model_name: alone, litellm_params: {{<<: *open, model: openai/ok-alone}}, model_info: {{id: alone}}}}
  - {{model_name: other, litellm_params: {{<<: *open, model: openai/m, api_base: "{other}/v1"}}, model_info: {{id: other}}}}
router_settings: {{fallbacks: [{{good: [other]}}]}}
general_settings: {{master_key: {master}}}
kanmon_settings:
  state_dir: "{state}"
  workers: 1
  performance: {{circuit_breaker_failures: 1, circuit_breaker_open_time: {open}{more}}}
"""


@pytest.fixture
def route(tmp_path, upstream):
    made = []

    def serve(link, _head):
        link.sendall(response(200, OK))

    def make(open_time="60s", more="", info=""):
        gateway = Gateway(tmp_path, CONFIG.format(
            url=upstream.url, other=elsewhere.url, master=MASTER, state=tmp_path / "state",
            open=open_time, more=more, info=info))
        made.append(gateway.start())
        return gateway

    with Scripted(serve) as elsewhere:
        yield make
        for gateway in made:
            gateway.stop()


def asked(upstream):
    return [record.model for record in upstream.records]


def events(gateway):
    return [(e["event"], e["text"]) for e in gateway.call("GET", "/kanmon/events").json()["events"]
            if e["event"].startswith("breaker.")]


def test_a_provider_that_answers_in_between_is_not_left_alone(route, upstream):
    gateway = route()
    assert [gateway.chat(m).status for m in ("bad", "good", "bad2")] == [500, 200, 503]
    assert gateway.chat("good").header("x-litellm-model-group") == "good"


def test_a_provider_that_is_left_alone(route, upstream):
    gateway = route()
    assert [gateway.chat(m).status for m in ("bad", "bad2")] == [500, 503]
    before = asked(upstream)
    answer = gateway.chat("good")
    assert answer.header("x-litellm-model-group") == "other" and asked(upstream) == before
    assert gateway.chat("alone").status == 200  # nothing else is there: it is asked all the same
    left = gateway.call("GET", "/kanmon/status").json()["left_alone"]
    assert [(one["kind"], one["name"], one["state"]) for one in left if one["kind"] == "deployment"] \
        == [("deployment", "bad", "open"), ("deployment", "bad2", "open")]
    opened = [text for name, text in events(gateway) if name == "breaker.opened"]
    assert [t.split(" ")[0] for t in opened] == ["deployment", "deployment", "provider"]


def test_its_state_is_in_metrics_and_in_status(route, upstream):
    gateway = route()
    assert [gateway.chat(m).status for m in ("bad", "bad2")] == [500, 503]
    host = upstream.url.split("//")[1]
    metrics = gateway.call("GET", "/metrics").body.decode()
    assert f'kanmon_breaker_state{{kind="provider",name="openai at {host}"}} 1' in metrics
    assert 'kanmon_breaker_state{kind="deployment",name="bad"} 1' in metrics
    assert 'kanmon_breaker_state{kind="deployment",name="good"} 0' in metrics
    assert 'litellm_deployment_state{litellm_model_name="openai/err-500-bad",model_id="bad",' \
        f'api_base="{upstream.url}/v1",api_provider="openai"}} 2' in metrics
    said = gateway.command("status", "--config", gateway.config).stdout
    assert f"provider openai at {host}: open, " in said
    assert "deployment bad2: open, " in said
    said = json.loads(gateway.command("status", "--json", "--config", gateway.config).stdout)
    assert {one["name"] for one in said["left_alone"]} == {f"openai at {host}", "bad", "bad2"}


def test_a_key_that_is_refused_is_not_its_provider(route, upstream):
    gateway = route()
    assert {gateway.chat(m).status for m in ("denied", "denied2")} == {502}
    assert gateway.chat("good").header("x-litellm-model-group") == "good"


def test_providers_have_none_where_the_number_is_zero(route, upstream):
    gateway = route(more=", circuit_breaker_deployments: 0")
    assert [gateway.chat(m).status for m in ("bad", "bad2")] == [500, 503]
    assert gateway.chat("good").header("x-litellm-model-group") == "good"


def test_one_call_tests_it_and_it_comes_back(route, upstream):
    gateway = route("1ms")
    assert [gateway.chat(m).status for m in ("bad", "bad2")] == [500, 503]
    wait_until(lambda: gateway.chat("good").header("x-litellm-model-group") == "good",
               what="the provider's return")
    assert ("breaker.closed" in [name for name, text in events(gateway) if "provider" in text])
    wait_until(lambda: "breaker.half_open" in gateway.log.read_text(), what="a line of the log")


def test_a_deployments_own_cool_down_counts_before_the_general(route, upstream):
    gateway = route(info=", cooldown_time: 0")
    assert [gateway.chat("bad").status for _ in range(5)] == [500] * 5
    assert not gateway.call("GET", "/kanmon/status").json()["left_alone"]


def test_a_deployments_own_allowed_fails(route, upstream):
    gateway = route(info=", allowed_fails: 3, cooldown_time: 500")
    gateway.chat("bad")
    assert not gateway.call("GET", "/kanmon/status").json()["left_alone"]
    wait_until(lambda: gateway.chat("bad") and
               gateway.call("GET", "/kanmon/status").json()["left_alone"], what="its breaker")
    assert gateway.call("GET", "/kanmon/status").json()["left_alone"][0]["left_ms"] > 400000
