# SPDX-License-Identifier: Apache-2.0
"""How one request is carried out, as its caller says it: in the body's `kanmon`, by OpenAI's and
Anthropic's SDK, or in headers.  It is read, told back where it is not done so, and goes to nobody."""

import json

import anthropic as anthropic_sdk
import openai
import pytest

from gateway import MASTER, Gateway, wait_until

MODELS = """
model_list:
  - model_name: bad
    litellm_params: &open {{model: openai/err-503-bad, api_base: "{url}/v1", api_key: sk-u}}
  - {{model_name: hangs, litellm_params: {{<<: *open, model: openai/hang}}}}
  - {{model_name: good, litellm_params: {{<<: *open, model: openai/ok-good}}}}
  - {{model_name: wide, litellm_params: {{<<: *open, model: openai/ok-wide}}}}
  - {{model_name: vectors, litellm_params: {{<<: *open, model: openai/ok-vectors}}}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-opus-4-6--text, api_base: "{claude}/v1", api_key: sk-c}}
router_settings: {{num_retries: 0}}
general_settings:
  master_key: {master}
  pass_through_endpoints:
    - {{path: /raw, target: "{url}/v1/chat/completions", forward_headers: true}}
kanmon_settings: {{state_dir: "{state}", workers: 1, performance: {{max_retries: 2}}}}
"""


@pytest.fixture
def gateway(tmp_path, upstream, anthropic):
    made = Gateway(tmp_path, MODELS.format(url=upstream.url, claude=anthropic.url, master=MASTER,
                                           state=tmp_path / "state"))
    yield made.start()
    made.stop()


def ask(gateway, model="good", key=MASTER, say=None, head=None, body=None, **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    body = {**(body or {}), **({} if say is None else {"kanmon": say})}
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "hi"}], extra_body=body,
        extra_headers=head or {}, **more)


def tell(gateway, model="good", say=None, head=None):
    client = anthropic_sdk.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)
    return client.messages.with_raw_response.create(
        model=model, max_tokens=50, messages=[{"role": "user", "content": "hi"}],
        extra_body={} if say is None else {"kanmon": say}, extra_headers=head or {})


SAID = {"timeout": 30, "priority": "high", "maxRetries": 1, "requestedBy": "ann@example.com"}


def test_nothing_of_it_goes_to_an_upstream(gateway, upstream, anthropic):
    before = len(upstream.records), len(anthropic.seen())
    ask(gateway, say=SAID, head={"x-kanmon-priority": "low"})
    ask(gateway, "claude", say=SAID)
    tell(gateway, say=SAID)
    tell(gateway, "claude", say=SAID)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
    client.embeddings.create(model="vectors", input="hi", extra_body={"kanmon": SAID})
    client.responses.create(model="good", input="hi", extra_body={"kanmon": SAID})
    raw = gateway.call("POST", "/raw", headers={"x-kanmon-priority": "low"}, body={
        "model": "ok-raw", "kanmon": SAID, "messages": [{"role": "user", "content": "hi"}]})
    assert raw.status == 200
    records = upstream.records[before[0]:] + anthropic.seen()[before[1]:]
    assert len(records) == 7
    for record in records:
        assert "kanmon" not in record.json()
        assert "x-kanmon-" not in str(record.headers).lower()


def two_lines(gateway):
    lines = [line for line in gateway.log.read_text().splitlines() if "requested_by" in line]
    return lines if len(lines) == 2 else None


def test_who_asked_is_in_the_log_and_in_the_books(gateway):
    key = gateway.new_key()
    ask(gateway, key=key, say=SAID, metadata={"mine": "1"})
    ask(gateway, key=key, head={"x-kanmon-requested-by": "bob"})
    by = {json.dumps(row["metadata"], sort_keys=True) for row in gateway.spend_logs()}
    assert by == {'{"mine": "1", "requestedBy": "ann@example.com"}', '{"requestedBy": "bob"}'}
    lines = wait_until(lambda: two_lines(gateway), 10, "the lines of the log")
    assert "ann@example.com" in lines[0] and "bob" in lines[1]


def test_retries_are_those_asked_for_up_to_the_ceiling(gateway, upstream):
    for asked, made, line in ((0, 1, None), (1, 2, None), (9, 3, "maxRetries=2")):
        upstream.records.clear()
        with pytest.raises(openai.InternalServerError) as refused:
            ask(gateway, "bad", say={"maxRetries": asked})
        assert len(upstream.records) == made
        assert refused.value.response.headers.get("x-kanmon-adjusted") == line


@pytest.mark.parametrize("asked", [3, 9, 11, 10**6, 10**30])
@pytest.mark.parametrize("how", ["say", "body", "head", "own head"])
def test_every_number_of_retries_is_lowered_to_the_same_ceiling(gateway, upstream, how, asked):
    with pytest.raises(openai.InternalServerError) as refused:
        ask(gateway, "bad", **{"say": {"say": {"maxRetries": asked}},
                               "body": {"body": {"num_retries": asked}},
                               "head": {"head": {"x-litellm-num-retries": str(asked)}},
                               "own head": {"head": {"x-kanmon-max-retries": str(asked)}}}[how])
    assert len(upstream.records) == 3
    assert refused.value.response.headers["x-kanmon-adjusted"] == "maxRetries=2"


@pytest.mark.parametrize("asked", [-1, 1.5, "3", True])
def test_a_number_of_retries_that_is_none_is_refused(gateway, asked):
    with pytest.raises(openai.BadRequestError, match="an integer, 0 or more") as refused:
        ask(gateway, "bad", body={"num_retries": asked})
    assert refused.value.param == "num_retries"


def test_the_body_has_the_last_word(gateway, upstream):
    with pytest.raises(openai.InternalServerError):
        ask(gateway, "bad", say={"maxRetries": 0}, head={"x-kanmon-max-retries": "2"})
    assert len(upstream.records) == 1


def test_a_timeout_ends_the_call(gateway):
    with pytest.raises(openai.APIStatusError) as refused:
        ask(gateway, "hangs", say={"timeout": 0.2})
    assert refused.value.status_code == 408


@pytest.mark.parametrize("fallback, model", [("wide", "wide"), ("anthropic", "claude"), ("openai", "hangs")])
def test_a_fallback_is_a_model_or_a_provider(gateway, fallback, model):
    if model == "hangs":  # the first of the provider's is what is asked: it has as long as it is given
        with pytest.raises(openai.APIStatusError) as refused:
            ask(gateway, "bad", say={"fallbackProvider": fallback, "timeout": 0.5})
        assert refused.value.response.headers["x-litellm-model-group"] == "hangs"
        return
    answer = ask(gateway, "bad", say={"fallbackProvider": fallback})
    assert answer.parse().model == model
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"


def test_a_fallback_is_one_that_the_key_may_use(gateway, upstream):
    key = gateway.new_key(models=["bad", "good"])
    assert ask(gateway, "bad", key, say={"fallbackProvider": "good"}).parse().model == "good"
    for other in ("wide", "anthropic", "none"):
        with pytest.raises(openai.PermissionDeniedError):
            ask(gateway, "bad", key, say={"fallbackProvider": other})


def test_what_is_not_there_is_said(gateway):
    assert ask(gateway, say={"enableCaching": True}).headers["x-kanmon-adjusted"] == "enableCaching=not active"
    assert "x-kanmon-adjusted" not in ask(gateway, say={"enableCaching": False}).headers


@pytest.mark.parametrize("say, head, param, words", [
    ({"dryrun": True}, {}, "kanmon.dryrun", "Did you mean 'dryRun'?"),
    ({"retries": 1}, {}, "kanmon.retries", "It has timeout"),
    ({"timeout": -1}, {}, "kanmon.timeout", "seconds"),
    ("fast", {}, "kanmon", "must be an object"),
    ({"requestedBy": "a\nb"}, {}, "kanmon.requestedBy", "control characters"),
    (None, {"x-kanmon-dryrun": "true"}, "x-kanmon-dryrun", "Did you mean 'x-kanmon-dry-run'?"),
    (None, {"x-kanmon-max-retries": "many"}, "x-kanmon-max-retries", "integer"),
    (None, {"x-kanmon-requested-by": "a" * 129}, "x-kanmon-requested-by", "128 bytes")])
def test_what_is_said_wrong_is_refused_in_the_callers_words(gateway, upstream, say, head, param, words):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(gateway, say=say, head=head)
    assert words in refused.value.message
    assert refused.value.param in (param, "x-kanmon-dry-run")
    with pytest.raises(anthropic_sdk.BadRequestError) as refused:
        tell(gateway, say=say, head=head)
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    assert words in refused.value.body["error"]["message"]
    assert not upstream.records
