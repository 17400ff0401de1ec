# SPDX-License-Identifier: Apache-2.0
"""What a body names by an id, or as a further model, is judged like what it asks for: earlier
answers are their key's, the account's stores and buckets the operator's, and no second model is
run that the key may not use or that nobody reserved for."""

import copy
import json

import pytest

from gateway import MASTER, Gateway
from recorder import ANSWERS, Recorder

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/m, api_base: "{up}/v1", api_key: k, {price}}}
  - model_name: cheap
    litellm_params: {{model: openai/cheap, api_base: "{up}/v1", api_key: k, input_cost_per_token: 0, output_cost_per_token: 0}}
  - model_name: dear
    litellm_params: {{model: openai/dear, api_base: "{up}/v1", api_key: k, input_cost_per_token: 1, output_cost_per_token: 1}}
  - model_name: both
    litellm_params: {{model: openai/m, api_base: "{up}/v1", api_key: k, {price}}}
  - model_name: both
    litellm_params: {{model: ollama_chat/m, api_base: "{up}", {price}}}
  - model_name: router
    litellm_params: {{model: openrouter/m, api_base: "{up}/v1", api_key: k, {price}}}
  - model_name: claude
    litellm_params: {{model: anthropic/m, api_base: "{up}", api_key: k, {price}}}
  - model_name: gem
    litellm_params: {{model: gemini/m, api_base: "{up}/v1beta", api_key: k, {price}}}
  - model_name: rock
    litellm_params: {{model: bedrock/amazon.nova-pro-v1:0, aws_bedrock_runtime_endpoint: "{up}", {price},
                      aws_access_key_id: a, aws_secret_access_key: b, aws_region_name: us-east-1}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{state}", workers: 1, prefix_models: any{more}}}
"""
PRICE = "input_cost_per_token: 0.000001, output_cost_per_token: 0.000001"
SAID = [{"role": "user", "content": "a"}]


@pytest.fixture(scope="module")
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module")
def owning(recorder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("owning")
    config = CONFIG.format(up=recorder.url, state=folder / "state", price=PRICE, more="")
    with Gateway(folder, config) as gateway:
        yield gateway


@pytest.fixture
def opened(recorder, tmp_path):
    config = CONFIG.format(up=recorder.url, state=tmp_path / "state", price=PRICE,
                           more=", account_objects: [responses, buckets, vector_stores]")
    with Gateway(tmp_path, config) as gateway:
        yield gateway


def key_of(gateway, **fields):
    return gateway.call("POST", "/key/generate", fields).json()["key"]


def ask(gateway, recorder, key, path, body):
    """The answer, and what the upstream heard."""
    recorder.take()
    answer = gateway.call("POST", path, body, key=key)
    seen = recorder.take()
    assert not seen or answer.status == 200, answer
    assert seen or answer.status != 200, answer
    return answer


def passes(gateway, recorder, key, path, body):
    answer = ask(gateway, recorder, key, path, body)
    assert answer.status == 200, answer
    return answer.json()


def refused(gateway, recorder, key, path, body, status, word):
    answer = ask(gateway, recorder, key, path, body)
    assert answer.status == status and word in answer.body.decode(), answer


# --- earlier answers ---

def answer_of(items):
    return {**ANSWERS["responses"], "id": f"resp_{items[0]['id']}", "output": items}


def streamed(answer):
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in (
        {"type": "response.created", "response": {**answer, "status": "in_progress", "output": []}},
        {"type": "response.completed", "response": answer}))


def make_items(gateway, recorder, key, name, stream=False, **more):
    """The items of an answer to this key, as a client has them."""
    items = [{"type": "reasoning", "id": f"rs_{name}", "summary": []},
             {"type": "image_generation_call", "id": f"ig_{name}", "status": "completed",
              "result": "AAAA"},
             {"type": "message", "id": f"msg_{name}", "role": "assistant", "status": "completed",
              "content": [{"type": "output_text", "text": "ok", "annotations": []}]},
             {"type": "file_search_call", "id": f"fs_{name}", "status": "completed",
              "queries": ["a"], "results": None}]
    answer = answer_of(items)
    recorder.own = {"responses": streamed(answer) if stream else answer}
    try:
        body = {"model": "chat", "input": "a", "stream": stream, **more}
        assert gateway.call("POST", "/v1/responses", body, key=key).status == 200
    finally:
        recorder.own = {}
    return items


def references(name):
    return [{"type": "item_reference", "id": f"msg_{name}"}, {"id": f"msg_{name}"},
            {"type": "item_reference", "id": f"rs_{name}"},
            {"type": "reasoning", "id": f"rs_{name}", "summary": []},
            {"type": "image_generation_call", "id": f"ig_{name}"}]


def says(item, model="chat"):
    return {"model": model, "input": [{"role": "user", "content": "a"}, item]}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_item_is_its_keys(owning, recorder, stream):
    mine, other = key_of(owning), key_of(owning)
    name = f"own{stream}"
    make_items(owning, recorder, mine, name, stream)
    for item in references(name):
        passes(owning, recorder, mine, "/v1/responses", says(item))
        refused(owning, recorder, other, "/v1/responses", says(item), 404, item["id"])
        passes(owning, recorder, MASTER, "/v1/responses", says(item))
    refused(owning, recorder, mine, "/v1/responses", says({"id": "msg_guessed"}), 404, "msg_guessed")


def test_what_says_all_itself_needs_no_owner(owning, recorder):
    key = key_of(owning)
    items = make_items(owning, recorder, key_of(owning), "whole")
    items[0]["encrypted_content"] = "sealed"
    items[-1]["results"] = [{"file_id": "file-1", "text": "a"}]
    passes(owning, recorder, key, "/v1/responses", {"model": "chat", "input": items})


def test_what_was_not_stored_is_nobodys(owning, recorder):
    key = key_of(owning)
    make_items(owning, recorder, key, "unstored", store=False)
    for item in references("unstored"):
        refused(owning, recorder, key, "/v1/responses", says(item), 404, item["id"])


def test_a_search_goes_back_without_its_results_stored_or_not(owning, recorder):
    mine, other = key_of(owning), key_of(owning)
    for store in (True, False):
        search = make_items(owning, recorder, mine, f"search{store}", store=store)[-1]
        passes(owning, recorder, mine, "/v1/responses", says(search))
        refused(owning, recorder, other, "/v1/responses", says(search), 404, search["id"])


def test_what_came_with_an_earlier_answer_is_not_asked_for(owning, recorder):
    """Its items may be of a time when nobody wrote them down."""
    key, other = key_of(owning), key_of(owning)
    make_items(owning, recorder, other, "foreign")
    make_items(owning, recorder, key, "first")
    more = {"model": "chat", "previous_response_id": "resp_rs_first"}
    passes(owning, recorder, key, "/v1/responses", {**more, "input": "b"})
    refused(owning, recorder, key, "/v1/responses",
            {**more, "input": [{"id": "msg_foreign"}]}, 404, "msg_foreign")


def test_where_nobody_looks_items_up_they_are_nobodys(owning, recorder):
    """Of a group only who has it, or does not look, gets the call."""
    key = key_of(owning)
    for _ in range(4):
        recorder.take()
        owning.call("POST", "/v1/responses", says(
            {"type": "reasoning", "id": "rs_other", "summary": []}, "both"), key=key)
        assert [path for path, _ in recorder.take()] == ["/api/chat"]


def test_below_the_prefix_too(owning, recorder):
    key = key_of(owning)
    for item in references("raw"):
        refused(owning, recorder, key, "/openai/v1/responses", says(item, "m"), 403, "input")
    passes(owning, recorder, MASTER, "/openai/v1/responses", says(references("raw")[0], "m"))
    passes(owning, recorder, key, "/openai/v1/responses", says({"role": "user", "content": "b"}, "m"))
    refused(owning, recorder, key, "/openai/v1/chat/completions", {
        "model": "m", "messages": [*SAID, {"role": "assistant", "audio": {"id": "audio_1"}}]},
        403, "audio")


def spoken(name):
    answer = copy.deepcopy(ANSWERS["completions"])
    answer["choices"][0]["message"]["audio"] = {"id": name, "data": "AAAA", "transcript": "ok"}
    return answer


def spoken_stream(name):
    chunks = [{"id": "c", "object": "chat.completion.chunk", "model": "m", "created": 1, "choices": [
        {"index": 0, "delta": {"audio": {"id": name, **more}}, "finish_reason": end}]}
        for more, end in (({"transcript": "o"}, None), ({"data": "AAAA"}, None), ({}, "stop"))]
    return "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_spoken_answer_is_its_keys(owning, recorder, stream):
    mine, other = key_of(owning), key_of(owning)
    name = f"audio_{stream}"
    body = {"model": "chat", "messages": SAID, "modalities": ["text", "audio"], "stream": stream,
            "audio": {"voice": "alloy", "format": "pcm16"}}
    recorder.own = {"completions": spoken_stream(name) if stream else spoken(name)}
    try:
        assert owning.call("POST", "/v1/chat/completions", body, key=mine).status == 200
    finally:
        recorder.own = {}
    body = {**body, "stream": False,
            "messages": [*SAID, {"role": "assistant", "audio": {"id": name}}, *SAID]}
    passes(owning, recorder, mine, "/v1/chat/completions", body)
    refused(owning, recorder, other, "/v1/chat/completions", body, 404, name)
    passes(owning, recorder, MASTER, "/v1/chat/completions", body)


def test_the_operator_may_open_answers(opened, recorder):
    passes(opened, recorder, key_of(opened), "/v1/responses", says({"id": "msg_elsewhere"}))


# --- the account's stores and buckets ---

GEM = {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}
STORES = [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/1"]}},
          {"file_search": {"file_search_store_names": ["fileSearchStores/1"]}},
          {"retrieval": {"vertexRagStore": {"ragResources": [{"ragCorpus": "projects/p"}]}}}]


@pytest.mark.parametrize("path", ["/v1beta/models/gem:generateContent",
                                  "/gemini/v1beta/models/m:generateContent"])
def test_googles_stores_are_the_operators(owning, opened, recorder, path):
    key = key_of(owning)
    for store in STORES:
        body = {**GEM, "tools": [store]}
        refused(owning, recorder, key, path, body, 403, "tore")
        passes(owning, recorder, MASTER, path, body)
    if path.startswith("/v1beta"):
        passes(opened, recorder, key_of(opened), path, {**GEM, "tools": STORES[:1]})


def in_parts(uri):
    return {"contents": [{"role": "user", "parts": [
        {"fileData": {"fileUri": uri, "mimeType": "application/pdf"}}]}]}


def in_chat(uri, model="rock"):
    return {"model": model, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": uri}}]}]}


def in_message(uri):
    return {"model": "rock", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "url", "url": uri}}]}]}


def in_converse(uri):
    return {"messages": [{"role": "user", "content": [
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": uri}}}}]}]}


BUCKETS = [("/v1beta/models/gem:generateContent", in_parts("gs://b/a.pdf")),
           ("/gemini/v1beta/models/m:generateContent", in_parts("gs://b/a.pdf")),
           ("/v1/chat/completions", in_chat("s3://b/a.png")),
           ("/v1/chat/completions", in_chat("gs://b/a.png", "gem")),
           ("/v1/messages", in_message("s3://b/a.png")),
           ("/bedrock/model/amazon.nova-pro-v1%3A0/converse", in_converse("s3://b/a.mp4")),
           ("/bedrock/model/amazon.nova-pro-v1%3A0/invoke", {**in_converse("S3://b/a.mp4"), "max_tokens": 9})]


@pytest.mark.parametrize("path,body", BUCKETS)
def test_a_bucket_is_read_for_the_operator(owning, opened, recorder, path, body):
    refused(owning, recorder, key_of(owning), path, body, 403,
            "account_objects: [buckets]")
    passes(owning, recorder, MASTER, path, body)
    passes(opened, recorder, key_of(opened), path, body)


@pytest.mark.parametrize("path", ["/v1beta/models/gem:generateContent",
                                  "/gemini/v1beta/models/m:generateContent"])
def test_what_a_tool_answered_names_no_file(owning, recorder, path):
    said = {"functionResponse": {"name": "f", "response": {"fileUri": "files/1"}}}
    passes(owning, recorder, key_of(owning), path, {"contents": [{"role": "user", "parts": [said]}]})


AZURE = [{"data_sources": [{"type": "azure_search", "parameters": {"endpoint": "https://a.example"}}]},
         {"tools": [{"type": "azure_ai_search", "azure_ai_search": {"indexes": [
             {"project_connection_id": "c"}]}}]},
         {"agent_reference": {"name": "an-agent", "type": "agent_reference"}}]


@pytest.mark.parametrize("more", AZURE, ids=lambda m: next(iter(m)))
@pytest.mark.parametrize("path,body", [
    ("/v1/chat/completions", {"model": "chat", "messages": SAID, "max_tokens": 9}),
    ("/v1/responses", {"model": "chat", "input": "a", "max_output_tokens": 9}),
    ("/openai/v1/chat/completions", {"model": "m", "messages": SAID, "max_tokens": 9})],
    ids=["chat", "responses", "prefix"])
def test_what_azure_has_connected_is_the_operators(owning, recorder, path, body, more):
    refused(owning, recorder, key_of(owning), path, {**body, **more}, 403, "account")
    passes(owning, recorder, MASTER, path, {**body, **more})


# --- further models ---

CHAT = {"model": "chat", "messages": SAID, "max_tokens": 9}
TOOL = {"model": "chat", "input": "a", "max_output_tokens": 9}
CLAUDE = {"model": "m", "messages": SAID, "max_tokens": 9}
NAMING = [("/v1/chat/completions", {**CHAT, "models": ["NAME"]}),
          ("/v1/chat/completions", {**CHAT, "models": [{"model": "NAME"}]}),
          ("/v1/chat/completions", {**CHAT, "model": "router", "models": ["m", "NAME"]}),
          ("/v1/chat/completions", {**CHAT, "plugins": [{"id": "fusion", "model": "NAME"}]}),
          ("/v1/chat/completions", {**CHAT, "type": "function", "models": ["NAME"]}),
          ("/v1/chat/completions", {**CHAT, "tools": [
              {"type": "openrouter:advisor", "parameters": {"model": "NAME"}}]}),
          ("/v1/chat/completions", {**CHAT, "compound_custom": {"models": {"answering_model": "NAME"}}}),
          ("/v1/chat/completions", {**CHAT, "plugins": [{"id": "fusion", "analysis_models": ["NAME"]}]}),
          ("/v1/chat/completions", {**CHAT, "plugins": [{"id": "auto", "allowed_models": ["NAME"]}]}),
          ("/v1/chat/completions", {**CHAT, "default_fallbacks": ["NAME"]}),
          ("/v1/chat/completions", {**CHAT, "Models": ["NAME"]}),
          ("/v1/chat/completions", {**CHAT, "judgeModel": "NAME"}),
          ("/v1/chat/completions", {**CHAT, "model_list": [
              {"model_name": "chat", "litellm_params": {"model": "NAME"}}]}),
          ("/v1/chat/completions", {**CHAT, "lora_path": "NAME"}),
          ("/v1/chat/completions", {**CHAT, "lora_path": [None, "NAME"]}),
          ("/v1/chat/completions", {**CHAT, "adapters": ["NAME"]}),
          ("/v1/chat/completions", {**CHAT, "parameters": {"adapter_id": "NAME"}}),
          ("/v1/chat/completions", {**CHAT, "engine": "NAME"}),
          ("/v1/completions", {"model": "chat", "prompt": "hi", "deployment_id": "NAME"}),
          ("/openai/v1/chat/completions", {**CHAT, "model": "m", "modelId": "NAME"}),
          ("/v1/chat/completions", {**CHAT, "guardrail": {"Fallback": "NAME"}}),
          ("/openai/v1/chat/completions", {**CHAT, "model": "m", "speculative": {"draft_model": "NAME"}}),
          ("/v1/responses", {**TOOL, "tools": [{"type": "image_generation", "model": "NAME"}]}),
          ("/v1/responses", {**TOOL, "tools": [
              {"type": "image_generation", "input_schema": {}, "model": "NAME"}]}),
          ("/v1/messages", {**CLAUDE, "model": "claude", "tools": [
              {"type": "advisor_20260301", "name": "advisor", "model": "NAME"}]}),
          ("/anthropic/v1/messages", {**CLAUDE, "fallbacks": [{"model": "NAME"}]}),
          ("/openai/v1/responses", {**TOOL, "model": "m", "tools": [
              {"type": "image_generation", "model": "NAME"}]})]
LISTED = ["chat", "claude", "router", "allowed"]


def naming(body, name):
    return json.loads(json.dumps(body).replace("NAME", name))


@pytest.mark.parametrize("path,body", NAMING)
def test_a_further_model_is_one_the_key_may_use(owning, recorder, path, body):
    key = key_of(owning, models=LISTED)
    refused(owning, recorder, key, path, naming(body, "secret"), 403, "secret")
    passes(owning, recorder, key, path, naming(body, "allowed"))
    for free in (MASTER, key_of(owning)):
        passes(owning, recorder, free, path, naming(body, "secret"))


@pytest.mark.parametrize("path,body", NAMING)
def test_nor_one_that_costs_what_nobody_reserved(owning, recorder, path, body):
    refused(owning, recorder, key_of(owning, max_budget=1), path, naming(body, "unheard-of"), 400,
            "unheard-of")


def test_of_a_budget_another_may_answer_that_costs_no_more(owning, recorder):
    key = key_of(owning, max_budget=1)
    path = "/v1/chat/completions"
    passes(owning, recorder, key, path, {**CHAT, "models": ["cheap", "m", "chat"]})
    refused(owning, recorder, key, path, {**CHAT, "models": ["cheap", "dear"]}, 400, "dear")
    refused(owning, recorder, key, path, {**CHAT, "plugins": [{"model": "cheap"}]}, 400, "cheap")


def test_what_openrouter_chooses_itself_is_not_for_a_held_key(owning, recorder):
    for more in ({"route": "fallback"}, {"preset": "ours"}):
        body = {**CHAT, "model": "router", **more}
        refused(owning, recorder, key_of(owning, models=["router"]), "/v1/chat/completions", body,
                400, next(iter(more)))
        passes(owning, recorder, key_of(owning), "/v1/chat/completions", body)


def test_what_is_merged_into_a_body_upstream_is_not_for_a_held_key(owning, recorder):
    """LiteLLM's proxy takes what stands in extra_body for members of the body."""
    path, body = "/v1/chat/completions", {**CHAT, "extra_body": {"max_tokens": 80000}}
    for held in ({"models": LISTED}, {"max_budget": 1}):
        refused(owning, recorder, key_of(owning, **held), path, body, 400, "extra_body")
    passes(owning, recorder, key_of(owning), path, body)


def test_what_is_said_and_a_callers_own_tools_name_no_models(owning, recorder):
    key = key_of(owning, models=LISTED)
    function = {"name": "f", "parameters": {"type": "object", "model": "secret", "properties": {
        "model": {"type": "string", "enum": ["secret"]}}}}
    for path, body in (
            ("/v1/chat/completions", {**CHAT, "metadata": {"model": "secret"}, "tools": [
                {"type": "function", "function": function}]}),
            ("/v1/responses", {**TOOL, "tools": [{"type": "function", **function}]}),
            ("/v1/messages", {**CLAUDE, "model": "claude", "tools": [
                {"name": "f", "input_schema": function["parameters"]}]})):
        passes(owning, recorder, key, path, body)


def test_a_fallback_is_a_model_that_is_asked_for(owning, recorder):
    key = key_of(owning, models=LISTED)
    for own in ({"fallbacks": ["secret"]}, {"context_window_fallbacks": [{"chat": ["secret"]}]},
                {"content_policy_fallbacks": [{"chat": ["secret"]}]}):
        answer = owning.call("POST", "/v1/chat/completions", {**CHAT, **own}, key=key)
        assert answer.status == 403 and not recorder.take(), (own, answer)


@pytest.mark.parametrize("name", ["guided_json", "structured_outputs", "format", "client_metadata",
                                  "chat_template_kwargs", "response_format", "labels", "documents"])
def test_schemas_and_labels_name_no_models(owning, recorder, name):
    held = {"model": "secret", "models": ["secret"], "properties": {"fallbacks": ["secret"]}}
    passes(owning, recorder, key_of(owning, models=LISTED), "/v1/chat/completions",
           {**CHAT, name: held})


@pytest.mark.parametrize("name", ["responseSchema", "responseJsonSchema", "response_json_schema"])
def test_schemas_of_gemini_name_no_models(owning, recorder, name):
    schema = {"type": "object", "properties": {"model": {"type": "string"}, "models": {
        "type": "array"}}, "required": ["model"]}
    path = "/v1beta/models/gem:generateContent"
    passes(owning, recorder, key_of(owning, models=["gem"]), path, {
        "contents": [{"parts": [{"text": "a"}]}], "generationConfig": {name: schema}})


def test_a_key_hears_of_its_own_models_alone_and_not_where_they_are(owning):
    own = owning.call("GET", "/health", key=key_of(owning, models=["chat"])).json()
    seen = own["healthy_endpoints"] + own["unhealthy_endpoints"]
    assert seen and {one["model_name"] for one in seen} == {"chat"}
    assert not any("api_base" in one for one in seen)
    every = owning.call("GET", "/health", key=MASTER).json()
    assert any("api_base" in one for one in every["healthy_endpoints"])
    assert every["healthy_count"] > own["healthy_count"]
