# SPDX-License-Identifier: Apache-2.0
"""Which deployments of a group may serve a call at all: by what their models take and can, by
region and by tags; and how it is told."""

import openai
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
    """route("enable_tag_filtering: true", [("m", "ok-a", "tags: [a]", "")]): groups of deployments,
    each a model, more of its litellm_params and more of its model_info."""
    made = []

    def make(router, deployments, more=""):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        listed = "".join(
            f'  - model_name: {group}\n    litellm_params: {{model: openai/{model}, '
            f'api_base: "{upstream.url}/v1", api_key: sk-u, {params}}}\n'
            f"    model_info: {{id: {model}, {info}}}\n" for group, model, params, info in deployments)
        gateway = Gateway(folder, CONFIG.format(deployments=listed, router=router, more=more,
                                                master=MASTER, state=folder / "state"))
        made.append(gateway)
        return gateway.start()

    yield make
    for gateway in made:
        gateway.stop()


def ask(gateway, model="m", key=MASTER, text="hi", **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    messages = more.pop("messages", [{"role": "user", "content": text}])
    return client.chat.completions.with_raw_response.create(model=model, messages=messages, **more)


def asked(upstream):
    return [record.model for record in upstream.records]


# --- what fits ---

LONG = "word " * 400
TWO = [("m", "ok-small", "", "max_input_tokens: 100"), ("m", "ok-wide", "", "max_input_tokens: 9000")]


def test_a_long_prompt_goes_to_who_takes_it(route, upstream):
    gateway = route("enable_pre_call_checks: true", TWO)
    for _ in range(8):
        answer = ask(gateway, text=LONG)
        assert answer.headers["x-kanmon-left-out"] == "context_window=1"
    assert asked(upstream) == ["ok-wide"] * 8
    wait_until(lambda: "ok-small: context_window" in gateway.log.read_text(), what="the log's line")
    assert "x-kanmon-left-out" not in ask(gateway).headers


def test_without_the_checks_chance_decides(route, upstream):
    gateway = route("", TWO)
    for _ in range(30):
        assert "x-kanmon-left-out" not in ask(gateway, text=LONG).headers
    assert set(asked(upstream)) == {"ok-small", "ok-wide"}


def test_a_prompt_that_none_takes_is_refused_in_litellms_words(route, upstream):
    gateway = route("enable_pre_call_checks: true", TWO[:1])
    with pytest.raises(openai.BadRequestError) as refused:
        ask(gateway, text=LONG)
    assert refused.value.code == "context_length_exceeded"
    assert ("litellm.ContextWindowExceededError: litellm._pre_call_checks: Context Window exceeded for "
            "given call. No models have context window large enough for this call.\n"
            "Model=openai/ok-small, Max Input Tokens=100, Got=") in refused.value.message
    assert not asked(upstream)


def test_a_prompt_that_none_takes_goes_to_the_wide_one(route, upstream):
    gateway = route("enable_pre_call_checks: true, context_window_fallbacks: [{m: [wide]}], "
                    "fallbacks: [{m: [other]}]",
                    TWO[:1] + [("wide", "ok-wide", "", ""), ("other", "ok-other", "", "")])
    assert ask(gateway, text=LONG).headers["x-litellm-model-group"] == "wide"
    assert asked(upstream) == ["ok-wide"]


PICTURE = [{"role": "user", "content": [
    {"type": "text", "text": "what is it?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]
TOOL = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}


@pytest.mark.parametrize("flag, reason, asks", [
    ("supports_vision", "vision", {"messages": PICTURE}),
    ("supports_function_calling", "tools", {"tools": TOOL}),
    ("supports_response_schema", "response_schema", {"response_format": SCHEMA}),
])
def test_what_a_model_cannot_do_goes_elsewhere(route, upstream, flag, reason, asks):
    gateway = route("enable_pre_call_checks: true",
                    [("m", "ok-a", "", f"{flag}: false"), ("m", "ok-b", "", "")])
    for _ in range(6):
        assert ask(gateway, **asks).headers["x-kanmon-left-out"] == f"{reason}=1"
    assert asked(upstream) == ["ok-b"] * 6
    for _ in range(30):
        ask(gateway)
    assert "ok-a" in asked(upstream)


def test_a_key_stays_in_its_region(route, upstream):
    gateway = route("enable_pre_call_checks: true",
                    [("m", "ok-eu", "region_name: eu", ""), ("m", "ok-us", "region_name: us", ""),
                     ("m", "ok-somewhere", "", "")])
    key = gateway.new_key(metadata={"allowed_model_region": "eu"})
    for _ in range(6):
        ask(gateway, key=key, extra_headers={"x-kanmon-model-region": "us"})
    assert asked(upstream) == ["ok-eu"] * 6
    lost = gateway.new_key(metadata={"allowed_model_region": "mars"})
    with pytest.raises(openai.BadRequestError) as refused:
        ask(gateway, key=lost)
    assert "No deployments available for selected model" in refused.value.message
    upstream.reset()
    ask(gateway, extra_headers={"x-kanmon-model-region": "us"})
    assert asked(upstream) == ["ok-us"]


# --- tags ---

TAGGED = [("m", "ok-free", "tags: [free]", ""), ("m", "ok-paid", "tags: [paid, eu]", ""),
          ("m", "ok-rest", "tags: [default]", "")]


def test_calls_go_where_their_tags_are(route, upstream):
    gateway = route("enable_tag_filtering: true", TAGGED)
    for tags, served in (({"metadata": {"tags": ["paid"]}}, "ok-paid"), ({"tags": ["free"]}, "ok-free"),
                         ({}, "ok-rest"), ({"tags": ["unheard-of"]}, "ok-rest"),
                         ({"tags": ["!free", "&eu"]}, "ok-paid"), ({"tags": "free"}, "ok-rest")):
        upstream.reset()
        answer = ask(gateway, extra_body=tags)
        assert asked(upstream) == [served], tags
        assert answer.headers["x-kanmon-left-out"] == "tags=2"
    upstream.reset()
    ask(gateway, extra_headers={"x-litellm-tags": "other, paid"})
    assert asked(upstream) == ["ok-paid"]


def test_all_tags_where_one_is_not_enough(route, upstream):
    gateway = route("enable_tag_filtering: true, tag_filtering_match_any: false", TAGGED)
    ask(gateway, extra_body={"tags": ["eu", "paid"]})
    assert asked(upstream) == ["ok-paid"]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(gateway, extra_body={"tags": ["eu", "free"]})
    assert "Not allowed to access model due to tags configuration" in refused.value.message


def test_a_tag_that_is_for_routing_says_so(route, upstream):
    gateway = route("enable_tag_filtering: true, tag_routing_prefix: 'route:'", TAGGED)
    ask(gateway, extra_body={"tags": ["route:paid"]})
    ask(gateway, extra_body={"tags": ["bill:paid", "some"]})
    assert asked(upstream) == ["ok-paid", "ok-rest"]
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, extra_body={"tags": ["route:nobody"]})


def test_a_keys_tags_count_whatever_its_caller_says(route, upstream):
    gateway = route("enable_tag_filtering: true", TAGGED)
    key = gateway.new_key(metadata={"tags": ["&free"]})
    ask(gateway, key=key)
    assert asked(upstream) == ["ok-free"]
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, key=key, extra_body={"tags": ["paid"]})


def test_tags_that_none_may_serve_go_to_the_groups_that_follow(route, upstream):
    gateway = route("enable_tag_filtering: true, fallbacks: [{m: [other]}]",
                    TAGGED + [("other", "ok-other", "", "enable_tag_filtering: false")])
    ask(gateway, extra_body={"tags": ["&nobody"]})
    assert asked(upstream) == ["ok-other"]


def test_a_group_may_have_its_own_word_on_tags(route, upstream):
    gateway = route("", [("m", "ok-a", "tags: [a]", "enable_tag_filtering: true"),
                         ("m", "ok-b", "tags: [b]", "")])
    for _ in range(6):
        ask(gateway, extra_body={"tags": ["b"]})
    assert asked(upstream) == ["ok-b"] * 6
