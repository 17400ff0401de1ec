# SPDX-License-Identifier: Apache-2.0
"""A dry run says what would happen, by the SDKs that ask for it, and does nothing: no upstream is
asked, nothing is spent, counted or written but a line of the log."""

import json
import pathlib

import anthropic as anthropic_sdk
import openai
import pytest

from gateway import MASTER, Gateway, wait_until

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "docs/dry-run.schema.json").read_text())

MODELS = """
model_list:
  - model_name: good
    litellm_params: &open {{model: openai/ok-good, api_base: "{url}/v1", api_key: sk-u, weight: 3,
                            input_cost_per_token: 0.000001, output_cost_per_token: 0.00001}}
  - {{model_name: good, litellm_params: {{<<: *open, model: openai/ok-other, weight: 1}}}}
  - {{model_name: small, litellm_params: {{<<: *open, model: openai/ok-small}}, model_info: {{max_input_tokens: 5}}}}
  - {{model_name: wide, litellm_params: {{<<: *open, model: openai/ok-wide}}}}
  - {{model_name: secret, litellm_params: {{<<: *open, model: openai/ok-secret}}}}
  - {{model_name: free, litellm_params: {{model: openai/ok-unpriced, api_base: "{url}/v1", api_key: sk-u}}}}
  - {{model_name: broken, litellm_params: {{<<: *open, model: openai/err-503-broken}}}}
  - {{model_name: vectors, litellm_params: {{<<: *open, model: openai/ok-vectors}}}}
router_settings: {{num_retries: 0, fallbacks: [{{good: [secret, wide]}}], enable_pre_call_checks: true}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, session_upstream):
    folder = tmp_path_factory.mktemp("dry")
    made = Gateway(folder, MODELS.format(url=session_upstream.url, master=MASTER, state=folder / "state"))
    yield made.start()
    made.stop()


def check(value, schema, at="$"):
    """What of JSON Schema the file uses."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
             "boolean": bool, "null": type(None)}
    if "const" in schema:
        assert value == schema["const"], at
    if "enum" in schema:
        assert value in schema["enum"], at
    if "type" in schema:
        wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))
                   for kind in wanted), (at, value)
    if isinstance(value, dict):
        assert not set(schema.get("required", ())) - set(value), (at, value)
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            assert known is not False, f"{at}.{name}"
            if isinstance(known, dict):
                check(inner, known, f"{at}.{name}")
    if isinstance(value, list):
        for i, one in enumerate(value):
            check(one, schema.get("items", {}), f"{at}[{i}]")
    if "maximum" in schema:
        assert schema["minimum"] <= value <= schema["maximum"], at


def sdk(gateway, key):
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)


def told(answer):
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-kanmon-dry-run"] == "true"
    said = json.loads(answer.http_response.read())  # also where its SDK expects a stream
    check(said, SCHEMA)
    return said


def dry(gateway, model="good", key=MASTER, say=None, **more):
    more.setdefault("messages", [{"role": "user", "content": "hi"}])
    how = {"extra_body": {"kanmon": {"dryRun": True, **say}}} if say else {
        "extra_headers": {"x-kanmon-dry-run": "true"}}
    return told(sdk(gateway, key).chat.completions.with_raw_response.create(model=model, **how, **more))


def test_nothing_is_done(gateway, upstream):
    key = gateway.new_key(max_budget=1, rpm_limit=2)
    before = gateway.call("GET", "/metrics").body
    for _ in range(5):  # more than the limit has
        assert dry(gateway, key=key)["verdict"] == {"allowed": True}
    assert not upstream.records
    assert gateway.key_info(key)["spend"] == 0
    assert not [row for row in gateway.spend_logs() if row["model_group"] == "good"]
    after = gateway.call("GET", "/metrics").body
    count = [line for line in before.splitlines() if b"litellm_proxy_total_requests" in line]
    assert count == [line for line in after.splitlines() if b"litellm_proxy_total_requests" in line]
    lines = wait_until(lambda: [line for line in gateway.log.read_text().splitlines()
                                if "dry_run" in line], 10, "a line of the log")
    assert lines


def test_the_route_is_told(gateway):
    said = dry(gateway)
    assert [(one["model"], one["place"], one["share"]) for one in said["route"]] == [
        ("openai/ok-good", "may_serve", 0.75), ("openai/ok-other", "may_serve", 0.25)]
    assert said["fallbacks"] == ["secret", "wide"]
    assert said["model_group"] == "good" and all(one["id"] for one in said["route"])


def test_a_key_is_told_what_it_may_use(gateway):
    key = gateway.new_key(models=["good", "wide"], key_alias="some")
    said = dry(gateway, key=key)
    assert said["fallbacks"] == ["wide"] and said["key"] == "some"
    assert not [one for one in said["route"] if "id" in one]
    assert "secret" not in json.dumps(said)
    with pytest.raises(openai.PermissionDeniedError):
        dry(gateway, "secret", key)


def test_what_it_costs_is_what_is_reserved(gateway):
    key = gateway.new_key(max_budget=1)
    said = dry(gateway, key=key, max_tokens=1000)
    assert said["tokens"]["output_bound"] == 1000 and said["tokens"]["input_estimated"] > 0
    assert 0.01 < said["cost"]["worst_case"] < 0.011
    assert 0 < said["cost"]["estimated"] <= said["cost"]["worst_case"]
    assert said["budget"] == {"max": 1, "spent": 0, "left": 1,
                              "left_after": pytest.approx(1 - said["cost"]["worst_case"])}


def test_a_streams_worst_case_is_all_of_it(gateway):
    key = gateway.new_key(max_budget=1)
    said = dry(gateway, key=key, max_tokens=5000, stream=True)
    assert 0.05 < said["cost"]["worst_case"] < 0.051


def test_a_refusal_is_a_verdict(gateway, upstream):
    key = gateway.new_key(max_budget=0.000001)
    said = dry(gateway, key=key, max_tokens=1000)
    assert not said["verdict"]["allowed"]
    assert said["verdict"]["error"]["status"] == 429 and said["verdict"]["error"]["code"] == "BUDGET"
    with pytest.raises(openai.RateLimitError) as refused:
        sdk(gateway, key).chat.completions.create(model="good", max_tokens=1000,
                                                  messages=[{"role": "user", "content": "hi"}])
    assert refused.value.body["message"] == said["verdict"]["error"]["message"]
    said = dry(gateway, "free", key)
    assert said["verdict"]["error"]["code"] == "UNPRICED" and said["cost"]["worst_case"] is None


def test_a_rate_limit_is_a_verdict(gateway):
    key = gateway.new_key(rpm_limit=1)
    sdk(gateway, key).chat.completions.create(model="good", messages=[{"role": "user", "content": "hi"}])
    assert dry(gateway, key=key)["verdict"]["error"]["code"] == "RATE_LIMITED"


def test_what_does_not_fit_is_left_out_and_why(gateway):
    said = dry(gateway, "small", messages=[{"role": "user", "content": "many words " * 50}])
    assert said["route"][0]["place"] == "left_out" and said["route"][0]["reason"] == "context_window"
    assert not said["verdict"]["allowed"] and said["verdict"]["error"]["status"] == 400


def test_what_cannot_be_read_is_refused_as_ever(gateway):
    with pytest.raises(openai.BadRequestError):
        sdk(gateway, MASTER).chat.completions.create(model="none", messages=[], extra_body={
            "kanmon": {"dryRun": True}})


def test_every_api_is_told_the_same(gateway, upstream):
    head = {"x-kanmon-dry-run": "true"}
    client = anthropic_sdk.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)
    said = told(client.messages.with_raw_response.create(
        model="good", max_tokens=10, messages=[{"role": "user", "content": "hi"}], extra_headers=head))
    assert said["route"]
    said = told(sdk(gateway, MASTER).embeddings.with_raw_response.create(
        model="vectors", input=["a", "b"], extra_headers=head))
    assert said["tokens"]["output_bound"] == 0
    said = told(sdk(gateway, MASTER).responses.with_raw_response.create(
        model="good", input="hi", stream=True, extra_headers=head))
    assert said["call_type"] and said["cost"]["worst_case"]
    assert not upstream.records


def test_what_is_asked_beside_it_is_told(gateway):
    said = dry(gateway, say={"priority": "low", "enableCaching": True, "maxRetries": 50})
    assert said["queue"]["priority"] == "low" and said["cache"] == {"active": False}
    assert said["adjusted"] == {"enableCaching": "not active", "maxRetries": 10}


def test_what_nobody_can_tell_is_refused(gateway):
    answer = gateway.call("GET", "/v1/files", headers={"x-kanmon-dry-run": "true"})
    answer = gateway.call("POST", "/v1/batches", {"input_file_id": "file-1", "endpoint": "/v1/chat/completions"},
                          headers={"x-kanmon-dry-run": "true"})
    assert answer.status in (400, 404)
