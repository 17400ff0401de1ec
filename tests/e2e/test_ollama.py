# SPDX-License-Identifier: Apache-2.0
"""Ollama by its own API: what the caller and the configuration say reaches it as it reads it."""

import pytest

from ollama_upstream import OllamaUpstream
from test_params import config

PNG = "iVBORw0KGgo="


@pytest.fixture
def ollama():
    server = OllamaUpstream().start()
    yield server
    server.stop()


@pytest.mark.parametrize("provider", ["ollama", "ollama_chat"])
@pytest.mark.parametrize("tail", ["", "/", "/v1", "/api/chat"])
def test_ollamas_options_reach_api_chat(new_gateway, ollama, tmp_path, provider, tail):
    params = {"model": f"{provider}/llama3", "api_base": ollama.url + tail, "num_ctx": 4096,
              "keep_alive": "5m", "num_predict": 50, "repeat_penalty": 1.1, "temperature": 0.5,
              "min_p": 0.2, "options": {"num_gpu": 1, "num_ctx": 1}}
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    assert "0 warnings" in gateway.command("config", "check", gateway.config).stderr
    for stream in (False, True):
        answer = gateway.chat("m", stream=stream, top_p=0.9, stop=["END"], mirostat=2)
        assert answer.status == 200, answer
        assert "Hello" in answer.body.decode()
        path, got = ollama.seen[-1]
        assert path == "/api/chat" and got["stream"] is stream and got["keep_alive"] == "5m"
        assert got["options"] == {"num_ctx": 4096, "num_predict": 50, "repeat_penalty": 1.1,
                                  "temperature": 0.5, "min_p": 0.2, "num_gpu": 1, "top_p": 0.9,
                                  "stop": ["END"], "mirostat": 2}
        assert set(got) == {"model", "messages", "options", "keep_alive", "stream"}


def test_ollama_gets_tools_images_thinking_and_formats(new_gateway, ollama, tmp_path):
    params = {"model": "ollama_chat/llama3", "api_base": ollama.url, "format": "json"}
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    answer = gateway.chat("m", tools=[tool], reasoning_effort="high", messages=[
        {"role": "user", "content": [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}])
    message = answer.json()["choices"][0]["message"]
    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"q":"a"}'}
    assert message["reasoning_content"] == "Hm."
    _, got = ollama.seen[-1]
    assert got["messages"][0]["images"] == [PNG] and got["think"] is True
    assert got["format"] == "json" and got["tools"][0]["function"]["name"] == "look"
    schema_ = {"type": "object", "properties": {"a": {"type": "string"}}}
    gateway.chat("m", response_format={"type": "json_schema",
                                       "json_schema": {"name": "n", "schema": schema_}})
    assert ollama.seen[-1][1]["format"] == schema_  # the caller's, and once


def test_a_budget_bounds_num_predict(new_gateway, ollama, tmp_path):
    params = {"model": "ollama/llama3", "api_base": ollama.url, "num_predict": 50}
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    assert gateway.chat("m", max_tokens=7).status == 200
    assert ollama.seen[-1][1]["options"] == {"num_predict": 7}
    assert gateway.chat("m", num_predict=9).status == 200
    assert ollama.seen[-1][1]["options"] == {"num_predict": 9}


def test_ollamas_embeddings_have_options_too(new_gateway, ollama, tmp_path):
    params = {"model": "ollama/e", "api_base": ollama.url, "num_ctx": 99, "keep_alive": 0,
              "truncate": False}
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    answer = gateway.call("POST", "/v1/embeddings", {"model": "m", "input": ["a", "b"]})
    assert answer.status == 200, answer
    path, got = ollama.seen[-1]
    assert path == "/api/embed"
    assert got == {"model": "e", "input": ["a", "b"], "keep_alive": 0, "truncate": False,
                   "options": {"num_ctx": 99}}
