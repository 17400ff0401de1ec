# SPDX-License-Identifier: Apache-2.0
"""For whom a call is: headers that LiteLLM's keys name, and the key that wants each call to say it."""

import pytest

from gateway import Gateway, wait_until
from test_account_routes import name, new_user, post

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/ok, api_base: "{url}/v1", api_key: k,
                      input_cost_per_token: 0.0001, output_cost_per_token: 0.001}}
  - model_name: embed
    litellm_params: {{model: openai/ok, api_base: "{url}/v1", api_key: k}}
general_settings:
  master_key: sk-e2e-master
  {general}
litellm_settings: {{extra_spend_tag_headers: [X-Project, x-cost-centre]}}
kanmon_settings: {{state_dir: "{state}"}}
"""

MAPPINGS = ("user_header_mappings: [{header_name: X-User, litellm_user_role: internal_user},"
            " {header_name: X-Mail, litellm_user_role: customer},"
            " {header_name: X-Id, litellm_user_role: customer}]\n  user_header_name: x-old")


def started(general, upstream, folder):
    return Gateway(folder, CONFIG.format(url=upstream.url, state=folder / "state",
                                         general=general))


@pytest.fixture(scope="module")
def mapped(session_upstream, tmp_path_factory):
    with started(MAPPINGS, session_upstream, tmp_path_factory.mktemp("mapped")) as made:
        yield made


@pytest.fixture(scope="module")
def named(session_upstream, tmp_path_factory):
    with started("user_header_name: X-Open-User\n  enforce_user_param: true", session_upstream,
                 tmp_path_factory.mktemp("named")) as made:
        yield made


def row_of(gateway, answer):
    found = []

    def is_there():
        found[:] = gateway.spend_logs(request_id=answer.headers["x-litellm-call-id"])
        return found

    wait_until(is_there, 10, "the row of the call")
    return found[0]


@pytest.mark.parametrize("headers, user, who", [
    ({"x-mail": "ada@example.org"}, None, "ada@example.org"),
    ({"X-ID": "7"}, "body", "7"),
    ({"x-id": "7", "x-mail": "ada"}, None, "ada"),  # the first of the list
    ({"x-id": "7", "x-litellm-end-user-id": "own"}, "body", "own"),
    ({"x-old": "old"}, "body", "body"),  # not read where there are mappings
    ({"x-mail": "  "}, "body", "body"),
    ({}, "body", "body")])
def test_a_header_names_the_end_user(mapped, headers, user, who):
    answer = mapped.chat(headers=headers, **({"user": user} if user else {}))
    assert answer.status == 200
    assert row_of(mapped, answer)["end_user"] == who


def test_a_header_that_names_the_end_user_adds_his_limits(mapped):
    customer = name("c")
    post(mapped, "/customer/new", {"user_id": customer, "rpm_limit": 1})
    key = mapped.new_key()
    assert mapped.chat(key=key, headers={"x-id": customer}).status == 200
    assert mapped.chat(key=key, headers={"x-id": customer}).status == 429
    assert mapped.chat(key=key, headers={"x-id": customer + "x"}).status == 200


def test_a_header_names_the_user_of_a_key_that_has_none_and_no_other(mapped):
    first, second = (new_user(mapped, rpm_limit=1)[0] for _ in range(2))
    free, his = mapped.new_key(), mapped.new_key(user_id=second)
    assert mapped.chat(key=free, headers={"x-user": first}).status == 200
    assert mapped.chat(key=free, headers={"x-user": first}).status == 429
    assert mapped.chat(key=free).status == 200
    assert mapped.chat(key=his, headers={"x-user": first}).status == 200  # paid by the second
    assert mapped.chat(key=his).status == 429


def test_headers_tag_a_call(mapped):
    value = name("p")
    post(mapped, "/tag/new", {"name": f"X-Project: {value}", "rpm_limit": 1})
    key = mapped.new_key()
    assert mapped.chat(key=key, headers={"x-project": value}).status == 200
    assert mapped.chat(key=key, headers={"x-project": value}).status == 429
    assert mapped.chat(key=key, headers={"x-cost-centre": value}).status == 200


@pytest.mark.parametrize("path, body", [
    ("/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}),
    ("/v1/chat/completions", {"model": "chat", "stream": True,
                              "messages": [{"role": "user", "content": "hi"}]}),
    ("/v1/messages", {"model": "chat", "max_tokens": 5,
                      "messages": [{"role": "user", "content": "hi"}]}),
    ("/v1/embeddings", {"model": "embed", "input": "hi"}),
    ("/v1/images/generations", {"model": "chat", "prompt": "a cat"})])
def test_a_call_must_name_its_end_user_where_the_file_wants_it(named, path, body):
    refused = named.call("POST", path, body)
    assert refused.status == 400
    assert "enforce_user_param" in refused.json()["error"]["message"]
    own = {"metadata": {"user_id": "ada"}} if path == "/v1/messages" else {"user": "ada"}
    assert named.call("POST", path, {**body, **own}).status == 200
    assert named.call("POST", path, body, headers={"x-open-user": "ada"}).status == 200


def test_what_is_no_call_of_a_model_needs_no_end_user(named):
    assert named.call("GET", "/v1/models").status == 200
    assert named.new_key()
