# SPDX-License-Identifier: Apache-2.0
"""Endpoints in the vendors' own shapes, by the vendors' own Python SDKs: Google's embeddings, lists
of models, OpenAI's counter and compaction, and what is said of what is not here."""

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from gateway import MASTER, patient


@pytest.fixture
def google(gateway):
    return genai.Client(api_key=MASTER, http_options=types.HttpOptions(
        base_url=gateway.url, timeout=int(patient(20) * 1000)))


@pytest.fixture
def claude(gateway):
    return anthropic.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0,
                               timeout=patient(20))


@pytest.fixture
def chatgpt(gateway):
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=MASTER, max_retries=0,
                         timeout=patient(20))


def test_google_embeds(google):
    one = google.models.embed_content(model="embed", contents="a")
    assert len(one.embeddings) == 1 and all(isinstance(n, float) for n in one.embeddings[0].values)
    many = google.models.embed_content(model="embed", contents=["a", "b", "c"])
    assert len(many.embeddings) == 3


def test_google_lists_models(google):
    listed = list(google.models.list())
    assert "models/chat" in {m.name for m in listed}
    assert google.models.get(model="chat").name == "models/chat"


def test_anthropic_lists_models(claude):
    listed = list(claude.models.list())
    assert "chat" in {m.id for m in listed}
    assert all(m.type == "model" and m.display_name and m.created_at for m in listed)
    assert claude.models.retrieve("chat").id == "chat"


def test_openai_counts_and_compacts(chatgpt, upstream):
    counted = chatgpt.responses.input_tokens.count(model="chat", input="hello there, how are you?")
    assert counted.object == "response.input_tokens" and counted.input_tokens >= 4
    try:
        chatgpt.responses.compact(model="chat", input=[{"role": "user", "content": "hi"}])
    except openai.NotFoundError:
        pass  # the upstream of this test has none
    assert upstream.seen()[-1].path == "/v1/responses/compact"


def test_what_is_not_here_is_said_with_what_is(claude, chatgpt, google):
    with pytest.raises(anthropic.NotFoundError) as caught:
        claude.messages.batches.create(requests=[])
    assert "/v1/batches" in caught.value.body["error"]["message"]
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve("msgbatch_1")
    with pytest.raises(openai.NotFoundError) as caught:
        chatgpt.conversations.create()
    assert "previous_response_id" in caught.value.message
    with pytest.raises(openai.NotFoundError) as caught:
        chatgpt.conversations.items.list("conv_1")
    assert "previous_response_id" in caught.value.message


def test_an_unknown_model_is_none_in_every_dialect(claude, chatgpt, google):
    with pytest.raises(anthropic.NotFoundError) as caught:
        claude.messages.create(model="nothing", max_tokens=9,
                               messages=[{"role": "user", "content": "hi"}])
    assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(genai.errors.ClientError) as told:
        google.models.generate_content(model="nothing", contents="hi")
    assert (told.value.code, told.value.status) == (404, "NOT_FOUND")
    with pytest.raises(openai.BadRequestError):  # as LiteLLM says it of its own list
        chatgpt.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "hi"}])
