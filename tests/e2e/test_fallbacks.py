# SPDX-License-Identifier: Apache-2.0
"""A model group that has failed is followed by another: by kind of failure, by the caller's word, in
another protocol, and no further than the key may go."""

import json

import anthropic as anthropic_sdk
import openai
import pytest

from gateway import MASTER, Gateway

MODELS = """
model_list:
  - &bad
    model_name: bad
    litellm_params: &open {{model: openai/err-500-bad, api_base: "{url}/v1", api_key: sk-u, num_retries: 0,
                            input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
  - {{model_name: bad2, litellm_params: {{<<: *open, model: openai/err-503-bad2}}}}
  - {{model_name: full, litellm_params: {{<<: *open, model: openai/err-429-retry, num_retries: 5}}}}
  - {{model_name: strict, litellm_params: {{<<: *open, model: openai/err-400-strict}}}}
  - {{model_name: strict2, litellm_params: {{<<: *open, model: openai/err-422-strict2}}}}
  - {{model_name: levels, litellm_params: {{<<: *open, model: openai/err-500-level, order: 1}}}}
  - {{model_name: levels, litellm_params: {{<<: *open, model: openai/ok-level, order: 2}}}}
  - {{model_name: long, litellm_params: {{<<: *open, model: openai/err-ctx}}}}
  - {{model_name: filtered, litellm_params: {{<<: *open, model: openai/err-content}}}}
  - {{model_name: hangs, litellm_params: {{<<: *open, model: openai/hang, timeout: 1}}}}
  - {{model_name: wild/*, litellm_params: {{<<: *open, model: openai/err-500-*}}}}
  - {{model_name: good, litellm_params: {{<<: *open, model: openai/ok-good}}}}
  - {{model_name: wide, litellm_params: {{<<: *open, model: openai/ok-wide}}}}
  - {{model_name: costly, litellm_params: {{<<: *open, model: openai/ok-costly,
      input_cost_per_token: 1, output_cost_per_token: 1}}}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-opus-4-6--text, api_base: "{claude}/v1", api_key: sk-c}}
router_settings: {{{router}}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1{more}}}
"""


@pytest.fixture
def route(tmp_path, upstream, anthropic):
    """route("fallbacks: ..."): a gateway with these router_settings."""
    made = []

    def make(router, more="", start=True):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        gateway = Gateway(folder, MODELS.format(
            url=upstream.url, claude=anthropic.url, router=router, more=more, master=MASTER,
            state=folder / "state"))
        made.append(gateway)
        return gateway.start() if start else gateway

    yield make
    for gateway in made:
        gateway.stop()


def ask(gateway, model, key=MASTER, **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "hi"}], **more)


def asked(upstream):
    return [record.model for record in upstream.records]


def test_the_followers_are_asked_in_turn(route, upstream):
    gateway = route("fallbacks: [{bad: [bad2, good, wide]}]")
    answer = ask(gateway, "bad")
    assert answer.headers["x-litellm-attempted-fallbacks"] == "2"
    assert answer.headers["x-litellm-model-group"] == "good"
    assert answer.parse().model == "good"
    assert asked(upstream) == ["err-500-bad", "err-503-bad2", "ok-good"]


def test_a_followers_own_followers_come_first(route, upstream):
    ask(route("fallbacks: [{bad: [bad2, good]}, {bad2: [wide]}]"), "bad")
    assert asked(upstream) == ["err-500-bad", "err-503-bad2", "ok-wide"]


def test_who_has_no_row_has_the_default(route, upstream):
    ask(route("fallbacks: [{bad: [wide]}], default_fallbacks: [good]"), "bad2")
    assert asked(upstream) == ["err-503-bad2", "ok-good"]


def test_a_wildcards_models_have_its_followers(route, upstream):
    assert ask(route('fallbacks: [{"wild/*": [good]}]'), "wild/x").parse().model == "good"
    assert asked(upstream) == ["err-500-x", "ok-good"]


def test_a_prompt_that_is_too_long_goes_to_the_wide_one(route, upstream):
    gateway = route("fallbacks: [{long: [good]}], context_window_fallbacks: [{long: [wide]}]")
    assert ask(gateway, "long").parse().model == "wide"
    assert asked(upstream) == ["err-ctx", "ok-wide"]


def test_what_a_filter_stopped_goes_where_it_is_configured(route, upstream):
    gateway = route("content_policy_fallbacks: [{filtered: [wide]}], fallbacks: [{filtered: [good]}]")
    assert ask(gateway, "filtered").parse().model == "wide"


def test_the_general_list_serves_where_there_is_no_other(route):
    assert ask(route("fallbacks: [{long: [good]}]"), "long").parse().model == "good"


def test_what_one_model_calls_a_bad_request_another_may_take(route, upstream):
    assert ask(route("fallbacks: [{strict: [good]}]"), "strict").parse().model == "good"
    assert asked(upstream) == ["err-400-strict", "ok-good"]


def test_of_a_bad_request_the_first_word_counts(route, upstream):
    with pytest.raises(openai.BadRequestError, match="err-400-strict"):
        ask(route("fallbacks: [{strict: [strict2]}]"), "strict")
    assert asked(upstream) == ["err-400-strict", "err-422-strict2"]


def test_a_callers_own_lists_by_kind_of_failure(route, upstream):
    gateway = route("fallbacks: [{long: [wide]}]")
    own = {"context_window_fallbacks": [{"long": ["good"]}],
           "content_policy_fallbacks": [{"filtered": ["wide"]}]}
    assert ask(gateway, "long", extra_body=own).parse().model == "good"
    assert ask(gateway, "filtered", extra_body=own).parse().model == "wide"
    assert not any(b"_fallbacks" in record.body for record in upstream.records)


def test_members_of_a_higher_order_are_asked_in_the_place_of_those_that_failed(route, upstream):
    """Each order has its own attempts; other groups come after all of them."""
    assert ask(route("fallbacks: [{levels: [wide]}]"), "levels").parse().model == "levels"
    assert asked(upstream) == ["err-500-level", "ok-level"]


def test_one_that_is_full_is_not_waited_for(route, upstream):
    assert ask(route("fallbacks: [{full: [good]}]"), "full").parse().model == "good"
    assert asked(upstream) == ["err-429-retry", "ok-good"]


def test_one_that_hangs_leaves_time_for_its_follower(route, upstream):
    assert ask(route("fallbacks: [{hangs: [good]}]"), "hangs").parse().model == "good"


def test_the_callers_own_list_counts_before_the_configured_one(route, upstream):
    gateway = route("fallbacks: [{bad: [wide]}]")
    assert ask(gateway, "bad", extra_body={"fallbacks": ["bad2", "good"]}).parse().model == "good"
    assert ask(gateway, "bad", extra_body={"fallbacks": [{"model": "good"}]}).parse().model == "good"
    assert ask(gateway, "bad", extra_body={"fallbacks": [{"bad": ["good"]}]}).parse().model == "good"
    assert all("fallbacks" not in record.json() for record in upstream.records)


def test_a_caller_may_want_none(route, upstream):
    with pytest.raises(openai.InternalServerError):
        ask(route("fallbacks: [{bad: [good]}]"), "bad", extra_body={"disable_fallbacks": True})
    assert asked(upstream) == ["err-500-bad"]


@pytest.mark.parametrize("own", [[], [{"bad2": ["good"]}]])
@pytest.mark.parametrize("lists", ["fallbacks: [{bad: [good]}]", "default_fallbacks: [good]"])
def test_a_callers_list_that_names_nobody_is_one_too(route, upstream, lists, own):
    """It takes the place of the configured lists and of those of its key."""
    gateway = route(lists)
    key = gateway.new_key(router_settings={"fallbacks": [{"bad": ["wide"]}]})
    for who in (MASTER, key):
        with pytest.raises(openai.InternalServerError):
            ask(gateway, "bad", who, extra_body={"fallbacks": own})
    assert asked(upstream) == ["err-500-bad"] * 2
    assert ask(gateway, "bad").parse().model == "good"


def test_each_list_of_a_caller_stands_for_its_own_kind_of_failure(route, upstream):
    gateway = route("fallbacks: [{long: [good]}, {filtered: [good]}, {bad: [good]}]")
    for name, model in (("context_window_fallbacks", "long"),
                        ("content_policy_fallbacks", "filtered")):
        with pytest.raises(openai.BadRequestError):
            ask(gateway, model, extra_body={name: []})
        assert ask(gateway, "bad", extra_body={name: []}).parse().model == "good"
        assert ask(gateway, model, extra_body={"fallbacks": [], name: ["good"]}).parse().model == "good"


@pytest.mark.parametrize("fallbacks", ["good", [1], [{"model": "good", "messages": []}], ["none"],
                                       ["good"] * 21])
def test_a_callers_list_that_is_none_is_refused(route, upstream, fallbacks):
    with pytest.raises(openai.BadRequestError):
        ask(route(""), "good", extra_body={"fallbacks": fallbacks})
    assert not asked(upstream)


def test_a_key_goes_only_where_it_may(route, upstream):
    gateway = route("fallbacks: [{bad: [wide, good]}]")
    key = gateway.new_key(models=["bad", "good"])
    assert ask(gateway, "bad", key).parse().model == "good"
    assert asked(upstream) == ["err-500-bad", "ok-good"]
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, "bad", key, extra_body={"fallbacks": ["wide"]})


def test_a_key_goes_only_as_far_as_its_budget(route, upstream):
    gateway = route("fallbacks: [{bad: [costly]}]")
    key = gateway.new_key(max_budget=1)
    with pytest.raises(openai.InternalServerError):  # what was asked first is what is told
        ask(gateway, "bad", key, max_tokens=100)
    assert "ok-costly" not in asked(upstream)


def test_one_that_is_too_dear_is_passed_over_for_the_next(route, upstream):
    gateway = route("fallbacks: [{bad: [costly, good]}]")
    key = gateway.new_key(max_budget=5)
    for more in ({}, {"stream": True}):
        answer = ask(gateway, "bad", key=key, **more)
        assert answer.headers["x-litellm-model-group"] == "good"
        assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    assert asked(upstream) == ["err-500-bad", "ok-good"] * 2


LEFT_ALONE = ", performance: {circuit_breaker_failures: 1, circuit_breaker_deployments: 0}"


@pytest.mark.parametrize("followers, limits", [
    ("fallbacks: [{bad2: [good]}]", {"models": ["bad", "bad2"]}),
    ("fallbacks: [{bad2: [costly]}]", {"max_budget": 5}), ("default_fallbacks: [bad]", {})],
    ids=["not the key's", "too dear", "left alone as well"])
def test_a_group_that_none_can_follow_is_asked_though_it_is_left_alone(route, upstream, followers, limits):
    """An answer that is unlikely is better than a certain refusal, also where a list of fallbacks
    promises one that this key does not get."""
    gateway = route(followers, LEFT_ALONE)
    key = gateway.new_key(**limits)
    if "default" in followers:
        with pytest.raises(openai.InternalServerError):
            ask(gateway, "bad", key=key)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError) as refused:
            ask(gateway, "bad2", key=key)
    assert refused.value.status_code == 503
    assert refused.value.response.headers["x-litellm-model-group"] == "bad2"
    assert refused.value.response.headers["x-litellm-attempted-fallbacks"] == "0"
    assert asked(upstream)[-1] == "err-503-bad2"
    gateway.stop()
    line = [line for line in gateway.log.read_text().splitlines() if " call id=" in line][-1]
    assert "instead_of" not in line


def test_a_follower_that_is_left_alone_hides_no_error(route, upstream):
    gateway = route("default_fallbacks: [bad]", LEFT_ALONE)
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "bad")
    with pytest.raises(openai.InternalServerError) as refused:
        ask(gateway, "bad2")
    assert refused.value.status_code == 503


def test_the_row_says_who_answered_and_what_all_cost(route):
    gateway = route("fallbacks: [{bad: [good]}]")
    key = gateway.new_key(max_budget=1)
    ask(gateway, "bad", key)
    (row,) = gateway.spend_logs()
    assert row["model_group"] == "good" and row["status"] == "success"
    assert row["spend"] == gateway.key_info(key)["spend"] > 0
    assert [attempt["deployment"] for attempt in row["attempts"]]


def test_no_more_groups_than_max_fallbacks(route, upstream):
    gateway = route("fallbacks: [{bad: [bad2, good]}], max_fallbacks: 1")
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "bad")
    assert asked(upstream) == ["err-500-bad", "err-503-bad2"]


def test_a_follower_may_speak_another_protocol(route):
    gateway = route("fallbacks: [{bad: [claude]}, {claude: [good]}]")
    answer = ask(gateway, "bad").parse()
    assert answer.model == "claude" and answer.choices[0].message.content
    client = anthropic_sdk.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)
    message = client.messages.create(model="bad", max_tokens=50,
                                     messages=[{"role": "user", "content": "hi"}])
    assert message.model == "claude" and message.content[0].text


def test_a_stream_falls_back_before_it_begins(route):
    gateway = route("fallbacks: [{bad: [good]}]")
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
    chunks = list(client.chat.completions.create(
        model="bad", messages=[{"role": "user", "content": "hi"}], stream=True))
    assert {chunk.model for chunk in chunks} == {"good"}


def test_the_metrics_tell_good_ones_from_failed_ones(route):
    gateway = route("fallbacks: [{bad: [bad2, good]}]")
    ask(gateway, "bad")
    metrics = gateway.call("GET", "/metrics").body.decode()
    for kind, to in (("failed", "bad2"), ("successful", "good")):
        assert (f'litellm_deployment_{kind}_fallbacks_total{{requested_model="bad",'
                f'fallback_model="{to}"}} 1') in metrics


def test_a_circle_stops_the_start(route):
    gateway = route("fallbacks: [{bad: [bad2]}, {bad2: [good]}, {good: [bad]}]", start=False)
    check = gateway.command("config", "check", "--config", str(gateway.config))
    assert check.returncode != 0
    assert "goes round in a circle: bad <- good <- bad2 <- bad" in check.stdout + check.stderr


@pytest.mark.parametrize("lists, way", [
    ("model_group_alias: {nick: bad}, fallbacks: [{bad: [good]}, {good: [nick]}]", "bad <- good <- bad"),
    ("model_group_alias: {nick: bad}, fallbacks: [{nick: [good]}, {good: [bad]}]", "nick <- good <- nick"),
    ('fallbacks: [{"wild/*": [good]}, {good: [wild/x]}]', "wild/* <- good <- wild/*")])
def test_a_circle_by_other_names_is_one_too(route, lists, way):
    gateway = route(lists, start=False)
    check = gateway.command("config", "check", "--config", str(gateway.config))
    assert check.returncode != 0 and f"goes round in a circle: {way}" in check.stdout + check.stderr


def test_a_circle_that_is_accepted_ends(route, upstream):
    gateway = route("fallbacks: [{bad: [bad2]}, {bad2: [bad]}]",
                    ", accept_unsupported: [router_settings.fallbacks]")
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "bad")
    assert asked(upstream) == ["err-500-bad", "err-503-bad2"]


def test_names_that_nothing_has_are_said(route):
    gateway = route("fallbacks: [{bad: [nobody]}]", start=False)
    check = gateway.command("config", "check", "--config", str(gateway.config), "--json")
    assert any(d["code"] == "W0312" and "nobody" in d["message"]
               for d in json.loads(check.stdout))
