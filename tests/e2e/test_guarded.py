# SPDX-License-Identifier: Apache-2.0
"""Units stand on the way of every call to a model, whatever its client and its upstream speak:
tests/guarded.  The upstream hears the mark, the client has the word; no way says it twice."""

import json

import anthropic
import openai
import pytest
from gateway import MASTER, Gateway, guarded
from scripted import Scripted

WORD = "swordfish"
# The scripted model gives no stream of responses.
WAYS = [(way, stream) for way in ("chat", "responses", "messages") for stream in (False, True)
        if (way, stream) != ("responses", True)]


@pytest.fixture(scope="module")
def model():
    with Scripted() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    text = json.dumps({
        "model_list": [{"model_name": "m", "litellm_params": {
            "model": "openai/m", "api_base": model.url, "api_key": "sk-up",
            "input_cost_per_token": 0.001, "output_cost_per_token": 0.002}}],
        "general_settings": {"master_key": MASTER},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2}})
    with Gateway(folder, text, program=guarded()) as started:
        yield started


def ask(gateway, way, text, stream):
    """What an SDK makes of the answer: all its text, and what its last event says of it."""
    script = json.dumps([text])
    if way == "messages":
        client = anthropic.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)
        args = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": script}]}
        if not stream:
            whole = client.messages.create(**args).content[0].text
            return whole, whole
        with client.messages.stream(**args) as events:
            pieces = "".join(events.text_stream)
            return pieces, events.get_final_message().content[0].text
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
    if way == "chat":
        args = {"model": "m", "messages": [{"role": "user", "content": script}]}
        if not stream:
            whole = client.chat.completions.create(**args).choices[0].message.content
            return whole, whole
        pieces = "".join(c.choices[0].delta.content or "" for c in
                         client.chat.completions.create(stream=True, **args) if c.choices)
        return pieces, pieces
    if not stream:
        whole = client.responses.create(model="m", input=script).output_text
        return whole, whole
    pieces, last = "", None
    for event in client.responses.create(model="m", input=script, stream=True):
        pieces += event.delta if event.type == "response.output_text.delta" else ""
        last = event.response.output_text if event.type == "response.completed" else last
    return pieces, last


def plain(text):
    return text.replace(" ", "")


@pytest.mark.parametrize("way, stream", WAYS)
@pytest.mark.parametrize("text", [f"a {WORD} swims", f"slowly a {WORD} with patience swims"])
def test_the_upstream_hears_the_mark_and_the_client_the_word(gateway, model, way, stream, text):
    model.asked.clear()
    pieces, last = ask(gateway, way, text, stream)
    assert plain(pieces) == plain(last) == plain(text)
    assert WORD not in json.dumps(model.asked) and "[[1]]" in json.dumps(model.asked)


@pytest.mark.parametrize("way, stream", WAYS)
def test_what_is_refused_is_an_error_of_its_protocol(gateway, way, stream):
    for text, why in (("what is forbidden is not said", "does not let this pass"),
                      ("this may well be doubted later", "does not let this pass"),
                      ("unjoinable", "cannot stand here")):
        with pytest.raises((openai.APIError, anthropic.APIError), match=why):
            ask(gateway, way, text, stream)
    if not stream:
        with pytest.raises((openai.APIError, anthropic.APIError), match="held back"):
            ask(gateway, way, "hold the end", stream)
    assert plain(ask(gateway, way, "well", stream)[0]) == "well"
