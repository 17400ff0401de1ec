# SPDX-License-Identifier: Apache-2.0
"""What Anthropic keeps for the account behind a deployment, named by the vendors' own SDKs: a
container and the files made in it are the key's in whose call they were made, every other file is
the operator's.  The upstream itself would open any of them for whoever has the account's key."""

import anthropic
import openai
import pytest

from conftest import MESSAGES_CONFIG
from gateway import MASTER, Gateway, patient

MODEL = "claude/run"


def client_of(gateway, key=None):
    return anthropic.Anthropic(base_url=gateway.url, api_key=key or gateway.new_key(),
                               max_retries=0, timeout=patient(20))


def whole(client, **more):
    ask = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "run it"}]}
    return client.beta.messages.create(**{**ask, **more})


def streamed(client, **more):
    ask = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "run it"}]}
    with client.beta.messages.stream(**{**ask, **more}) as stream:
        return stream.get_final_message()


def counted(client, **more):
    more.pop("container", None)
    return client.beta.messages.count_tokens(model=MODEL, **{
        "messages": [{"role": "user", "content": "run it"}], **more})


def made_in(message):
    return message.content[1].content.content[0].file_id


def history(message):
    """The next turn of a conversation: all that was said goes back as it came."""
    return [{"role": "user", "content": "run it"},
            {"role": "assistant", "content": [b.model_dump() for b in message.content]},
            {"role": "user", "content": "again"}]


def with_file(file):
    return [{"role": "user", "content": [
        {"type": "container_upload", "file_id": file},
        {"type": "document", "source": {"type": "file", "file_id": file}}]}]


def refused(upstream, client, ask, name, **more):
    """404 in Anthropic's words, and the upstream hears nothing."""
    before = len(upstream.seen())
    with pytest.raises(anthropic.NotFoundError) as caught:
        ask(client, **more)
    assert name in caught.value.message
    assert caught.value.body["error"]["type"] == "not_found_error"
    assert len(upstream.seen()) == before


@pytest.fixture
def claude(messages_gateway):
    return messages_gateway


@pytest.mark.parametrize("way", [whole, streamed], ids=lambda way: way.__name__)
def test_a_container_is_the_keys_that_made_it(claude, session_anthropic, way):
    mine, other = client_of(claude), client_of(claude)
    made = way(mine).container.id
    for container in (made, {"id": made, "skills": [
            {"type": "custom", "skill_id": "skill_1", "version": "latest"}]}):
        assert way(mine, container=container).container.id == made
        assert session_anthropic.seen()[-1].json()["container"] == container
        refused(session_anthropic, other, way, made, container=container)
    assert way(client_of(claude, MASTER), container=made).container.id == made
    assert way(mine, container=made).container.id == made  # nobody took it over
    refused(session_anthropic, other, way, "container_guessed", container="container_guessed")
    assert way(other, container={"skills": []}).container.id != made


@pytest.mark.parametrize("way", [whole, streamed], ids=lambda way: way.__name__)
def test_a_file_made_in_it_too(claude, session_anthropic, way):
    mine, other = client_of(claude), client_of(claude)
    message = way(mine)
    file = made_in(message)
    for messages in (history(message), with_file(file)):
        assert way(mine, messages=messages)
        assert counted(mine, messages=messages).input_tokens == 42
        for ask in (way, counted):
            refused(session_anthropic, other, ask, file, messages=messages)
    assert way(client_of(claude, MASTER), messages=with_file(file))


def test_any_other_file_is_the_operators(claude, session_anthropic):
    for ask in (whole, streamed, counted):
        refused(session_anthropic, client_of(claude), ask, "file_011",
                messages=with_file("file_011"))
        assert ask(client_of(claude, MASTER), messages=with_file("file_011"))
    assert session_anthropic.seen()[-1].json()["messages"] == with_file("file_011")


def test_a_models_words_make_no_file_its_callers(claude, session_anthropic):
    """A caller decides what a model puts into a tool's input, and echoes what it likes."""
    key = client_of(claude)
    said = whole(key, model="claude/tools")
    assert said.content[1].type == "tool_use"
    stolen = [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look",
                                                 "input": {"file_id": "file_of_others"}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                                            "content": "file_id: file_of_others"}]}]
    assert whole(key, messages=[{"role": "user", "content": "a"}, *stolen])
    refused(session_anthropic, key, whole, "file_of_others", messages=with_file("file_of_others"))


def test_from_openais_api(claude, session_anthropic):
    """Translated: the file's id and the container go on, so they are asked of likewise."""
    made = whole(client_of(claude, mine := claude.new_key()))
    before = len(session_anthropic.seen())

    def chat(key, more):
        client = openai.OpenAI(base_url=claude.url + "/v1", api_key=key, max_retries=0)
        return client.chat.completions.create(model="claude/text", max_tokens=9, extra_body=more,
                                              messages=[{"role": "user", "content": [
                                                  {"type": "text", "text": "hi"}]}])

    for more in ({"container": made.container.id}, {"container": {"id": made.container.id}}):
        with pytest.raises(openai.NotFoundError) as caught:
            chat(claude.new_key(), more)
        assert made.container.id in caught.value.message
    assert len(session_anthropic.seen()) == before
    assert chat(mine, {"container": made.container.id}).choices
    assert session_anthropic.seen()[-1].json()["container"] == made.container.id


def test_the_operator_may_open_them(session_anthropic, upstream, tmp_path):
    config = MESSAGES_CONFIG.format(
        claude=session_anthropic.url, openai=upstream.url,
        state=tmp_path / "state").replace(
            "workers: 2", "workers: 1, account_objects: [containers, files]")
    with Gateway(tmp_path, config) as gateway:
        assert whole(client_of(gateway), container="container_2").container.id == "container_2"
        assert whole(client_of(gateway), messages=with_file("file_011"))
