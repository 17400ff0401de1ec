# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own Python SDK; run with its oldest and its newest supported major."""

import asyncio

import openai
import pytest

from gateway import MASTER, patient

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def client(gateway):
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=MASTER, max_retries=0,
                         timeout=patient(20))


def test_chat(client):
    answer = client.chat.completions.create(model="chat", messages=HI)
    assert answer.choices[0].message.content == "Hello from the mock"
    assert answer.model == "chat" and answer.usage.total_tokens == 15


def test_stream(client):
    with client.chat.completions.create(model="chat", messages=HI, stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello from the mock"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_stream_with_usage(client):
    chunks = list(client.chat.completions.create(
        model="chat", messages=HI, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.total_tokens == 15 and chunks[-1].choices == []


def test_tools(client):
    answer = client.chat.completions.create(model="any/tools", messages=HI, tools=[{
        "type": "function", "function": {"name": "look", "parameters": {
            "type": "object", "properties": {}}}}])
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "look" and answer.choices[0].finish_reason == "tool_calls"


def test_embeddings(client):
    """The SDK asks for base64 by itself and decodes it."""
    answer = client.embeddings.create(model="embed", input=["a", "b"])
    assert [d.embedding for d in answer.data] == [[0.5, -0.25, 0.125]] * 2


def test_completions(client):
    assert client.completions.create(model="text", prompt="x").choices[0].text == (
        "Hello from the mock")


def test_models(client):
    assert "chat" in {m.id for m in client.models.list()}
    assert client.models.retrieve("chat").id == "chat"


@pytest.mark.parametrize("model, error", [
    ("nothing", openai.BadRequestError), ("any/err-400", openai.BadRequestError),
    ("any/err-404", openai.NotFoundError), ("any/err-422", openai.UnprocessableEntityError),
    ("any/err-429", openai.RateLimitError), ("any/err-500", openai.InternalServerError),
    ("any/err-503", openai.InternalServerError), ("mock-rate", openai.RateLimitError),
    ("mock-context", openai.BadRequestError), ("mock-server", openai.InternalServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_sdks_own(client, model, error, stream):
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=HI, stream=stream)
    assert caught.value.body["message"]
    assert caught.value.code == ("rate_limit_exceeded" if caught.value.status_code == 429
                                 else str(caught.value.status_code))


@pytest.mark.parametrize("model", ["any/err-401", "any/err-403"])
def test_the_gateways_own_refusal_is_no_authentication_error_of_the_callers(client, model):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=HI)
    assert caught.value.status_code == 502 and caught.value.code == "upstream_auth_error"


def test_a_wrong_key(gateway):
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key="sk-wrong-0123456789abcd")
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


@pytest.mark.parametrize("model", ["any/stream-cut", "any/stream-reset", "any/stream-error"])
def test_a_stream_that_breaks_raises(client, model):
    got = []
    with pytest.raises(Exception) as caught:
        for chunk in client.chat.completions.create(model=model, messages=HI, stream=True):
            got.append(chunk)
    assert not isinstance(caught.value, AssertionError)
    assert got, "nothing arrived before the break"


def test_the_sdks_retries_pass_over_a_flaky_upstream(gateway):
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=MASTER, max_retries=3)
    answer = client.chat.completions.create(
        model=f"any/flaky-2-500-{openai.__version__}", messages=HI)
    assert answer.choices[0].message.content == "Hello from the mock"


def test_async(gateway):
    async def many():
        async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=MASTER) as client:
            return await asyncio.gather(*[client.chat.completions.create(
                model=f"any/ok-async-{i}", messages=HI) for i in range(50)])
    answers = asyncio.run(many())
    assert [a.model for a in answers] == [f"any/ok-async-{i}" for i in range(50)]


def test_the_azure_client(gateway):
    client = openai.AzureOpenAI(azure_endpoint=gateway.url, api_key=MASTER,
                                api_version="2024-02-01", max_retries=0)
    assert client.chat.completions.create(model="chat", messages=HI).choices[0].message.content


def test_leaving_a_stream_closes_the_upstream(client, upstream):
    stream = client.chat.completions.create(
        model="any/stream-forever-sdk", messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    client.close()
    upstream.wait_for(lambda rs: rs[-1].ended, 5, "the upstream connection to close")
    assert upstream.seen()[-1].outcome == "gone"
