# SPDX-License-Identifier: Apache-2.0
"""What a key says of where its calls go: aliases, fallbacks of its own, and who is asked when its
budget has not enough."""

import openai
import pytest

from gateway import MASTER, Gateway

MODELS = """
model_list:
  - {{model_name: bad, litellm_params: &open {{model: openai/err-500-bad, api_base: "{url}/v1",
      api_key: sk-u, num_retries: 0, input_cost_per_token: 0.000001,
      output_cost_per_token: 0.000002}}}}
  - {{model_name: good, litellm_params: {{<<: *open, model: openai/ok-good}}}}
  - {{model_name: wide, litellm_params: {{<<: *open, model: openai/ok-wide}}}}
  - {{model_name: costly, litellm_params: {{<<: *open, model: openai/ok-costly,
      input_cost_per_token: 1, output_cost_per_token: 1}}}}
  - {{model_name: dear, litellm_params: {{<<: *open, model: openai/ok-dear,
      input_cost_per_token: 0.5, output_cost_per_token: 0.5}}}}
router_settings: {{{router}}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1}}
"""


@pytest.fixture
def route(tmp_path, upstream):
    made = []

    def make(router=""):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Gateway(folder, MODELS.format(
            url=upstream.url, router=router, master=MASTER, state=folder / "state")))
        return made[-1].start()

    yield make
    for gateway in made:
        gateway.stop()


def ask(gateway, model, key, **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "hi"}], **more)


def asked(upstream):
    return [record.model for record in upstream.records]


def test_a_keys_alias_is_the_model_it_means(route, upstream):
    gateway = route()
    key = gateway.new_key(models=["gpt-4"], aliases={"gpt-4": "good", "costly": "wide"})
    assert ask(gateway, "gpt-4", key).parse().model == "gpt-4"
    assert asked(upstream) == ["ok-good"]
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, "good", key)
    with pytest.raises(openai.PermissionDeniedError):  # an alias alone gives no right
        ask(gateway, "costly", key)
    with pytest.raises(openai.BadRequestError):  # it is this key's
        ask(gateway, "gpt-4", gateway.new_key())
    assert gateway.key_info(key)["aliases"] == {"gpt-4": "good", "costly": "wide"}
    assert gateway.key_info(gateway.new_key())["aliases"] == {}


def test_an_alias_leads_to_nothing_that_the_keys_team_may_not_use(route, upstream):
    gateway = route()
    team = gateway.call("POST", "/team/new", {"models": ["good"]}).json()["team_id"]
    key = gateway.new_key(team_id=team, aliases={"good": "costly", "nice": "good"})
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, "good", key)
    ask(gateway, "nice", key)
    assert asked(upstream) == ["ok-good"]


def test_an_alias_may_take_the_place_of_a_model(route, upstream):
    gateway = route()
    ask(gateway, "costly", gateway.new_key(aliases={"costly": "good"}, max_budget=1))
    key = gateway.new_key(router_settings={"model_group_alias": {"costly": "wide"}})
    ask(gateway, "costly", key)
    assert asked(upstream) == ["ok-good", "ok-wide"]


def test_a_keys_fallbacks_take_the_place_of_the_configured_ones(route, upstream):
    gateway = route("fallbacks: [{bad: [wide]}]")
    key = gateway.new_key(router_settings={"fallbacks": [{"bad": ["good"]}]})
    assert ask(gateway, "bad", key).parse().model == "good"
    none = gateway.new_key(router_settings={"fallbacks": []})
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "bad", none)
    assert ask(gateway, "bad", gateway.new_key()).parse().model == "wide"
    ask(gateway, "bad", key, extra_body={"fallbacks": ["wide"]})  # its caller's come first
    assert asked(upstream) == ["err-500-bad", "ok-good", "err-500-bad", "err-500-bad", "ok-wide",
                               "err-500-bad", "ok-wide"]


def test_a_key_falls_back_where_nothing_is_configured(route, upstream):
    gateway = route()
    key = gateway.new_key(router_settings={"fallbacks": [{"*": ["good"]}]})
    assert ask(gateway, "bad", key).headers["x-litellm-attempted-fallbacks"] == "1"
    assert asked(upstream) == ["err-500-bad", "ok-good"]


def test_a_keys_retries_count(route, upstream):
    gateway = route()
    key = gateway.new_key(router_settings={"num_retries": 1})
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "bad", key)
    assert len(asked(upstream)) == 2


def test_a_budget_that_has_not_enough_is_spent_elsewhere(route, upstream):
    gateway = route()
    key = gateway.new_key(max_budget=1, budget_fallbacks={"costly": ["dear", "good"]})
    answer = ask(gateway, "costly", key)
    assert answer.parse().model == "good" and answer.headers["x-litellm-model-group"] == "good"
    assert asked(upstream) == ["ok-good"]
    (row,) = gateway.spend_logs()
    assert row["model_group"] == "good" and 0 < row["spend"] < 0.01
    rich = gateway.new_key(max_budget=100000, budget_fallbacks={"costly": ["good"]})
    assert ask(gateway, "costly", rich, max_tokens=16).parse().model == "costly"


def test_it_is_spent_where_the_key_may_go(route, upstream):
    gateway = route("budget_fallbacks: [{costly: [wide, good]}]")
    key = gateway.new_key(max_budget=1, models=["costly", "good"])
    assert ask(gateway, "costly", key).parse().model == "good"
    with pytest.raises(openai.APIStatusError) as refused:
        ask(gateway, "costly", key, extra_body={"disable_fallbacks": True})
    assert "udget" in refused.value.message
    with pytest.raises(openai.APIStatusError):
        ask(gateway, "costly", gateway.new_key(max_budget=1, models=["costly"]))
    assert asked(upstream) == ["ok-good"]


@pytest.mark.parametrize("said", [{"aliases": {"a": 1}}, {"aliases": ["a"]},
                                  {"budget_fallbacks": [{"a": ["b"]}]},
                                  {"router_settings": {"fallbacks": ["a"]}}])
def test_what_cannot_be_followed_is_refused(route, said):
    gateway = route()
    answer = gateway.call("POST", "/key/generate", said)
    assert answer.status == 400 and next(iter(said)) in answer.body.decode()
