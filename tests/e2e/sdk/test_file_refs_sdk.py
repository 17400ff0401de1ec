# SPDX-License-Identifier: Apache-2.0
"""Files named by id inside other calls, by OpenAI's own Python SDK: only the key's own, and only
where they are held.  The upstream itself would open any file of its account."""

import json

import anthropic
import openai
import pytest

from gateway import MASTER, Gateway, patient
from media_upstream import config_of


def client_of(gateway, key=None):
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=key or gateway.new_key(),
                         max_retries=0, timeout=patient(20))


def new_file(client, model="batcher"):
    return client.files.create(file=("a.pdf", b"%PDF-"), purpose="user_data",
                               extra_body={"model": model}).id


def chat(client, *ids, model="batcher"):
    parts = [{"type": "file", "file": {"file_id": i}} for i in ids]
    return client.chat.completions.create(model=model,
                                          messages=[{"role": "user", "content": parts}])


def says(client, content, model="batcher", **more):
    return client.responses.create(model=model, store=False, **more,
                                   input=[{"role": "user", "content": content}])


def in_file(client, i):
    return says(client, [{"type": "input_file", "file_id": i}])


def in_image(client, i):
    return says(client, [{"type": "input_image", "detail": "auto", "file_id": i}])


def in_container(client, i):
    return says(client, "run it", tools=[{"type": "code_interpreter",
                                          "container": {"type": "auto", "file_ids": [i]}}])


def in_variable(client, i):
    return says(client, "go", prompt={"id": "pmpt_1", "variables": {
        "metadata": {"type": "input_file", "file_id": i}}})


def in_edit(client, i):
    return client.post("/images/edits", cast_to=object, body={
        "model": "painter", "prompt": "a hat", "images": [{"file_id": i}]})


WAYS = [chat, in_file, in_image, in_container, in_variable, in_edit]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_only_the_keys_own(media_gateway, media, way):
    mine, other = client_of(media_gateway), client_of(media_gateway)
    own, foreign = new_file(mine), new_file(other)
    media.forget()
    way(mine, own)
    assert own in json.dumps(media.seen()[-1]["fields"])
    media.forget()
    for i in (foreign, "file-unknown", "file-" + "x" * 300):
        with pytest.raises(openai.NotFoundError) as caught:
            way(mine, i)
        assert i[:100] in caught.value.message and caught.value.param == "file_id"
    assert media.seen() == []
    way(other, foreign)


def test_nor_the_administrators_but_by_its_owner(media_gateway):
    theirs = new_file(client_of(media_gateway))
    with pytest.raises(openai.NotFoundError):
        chat(client_of(media_gateway, MASTER), theirs)


def test_one_foreign_among_own_ones_and_an_escaped_name(media_gateway, media):
    mine = client_of(media_gateway)
    own, foreign = new_file(mine), new_file(client_of(media_gateway))
    media.forget()
    with pytest.raises(openai.NotFoundError) as caught:
        chat(mine, own, foreign)
    assert foreign in caught.value.message
    body = {"model": "batcher", "messages": [{"role": "user", "content": [
        {"type": "file", "file": {"file_id": foreign}}]}]}
    for escape in ("file\\u005fid", "\\u0066ile_id", "fi\\u006Ce_id"):
        text = json.dumps(body).replace("file_id", escape)
        answer = media_gateway.call("POST", "/v1/chat/completions", key=mine.api_key,
                                    body=text.encode())
        assert answer.status == 404 and foreign in answer.json()["error"]["message"]
    assert media.seen() == []


def test_the_call_goes_where_the_files_are(media_gateway, media):
    mine = client_of(media_gateway)
    here, too, azure = new_file(mine), new_file(mine, "painter"), new_file(mine, "azure-ears")
    media.forget()
    chat(mine, here, too)  # two entries of one account
    assert len(media.seen()) == 1
    for ids in ([azure], [here, azure]):
        with pytest.raises(openai.BadRequestError) as caught:
            chat(mine, *ids)
        assert azure in caught.value.message and "azure-ears" in caught.value.message
    with pytest.raises(openai.BadRequestError) as caught:
        chat(mine, here, model="azure-ears")
    assert here in caught.value.message and len(media.seen()) == 1


def test_of_a_group_only_its_holder(media_gateway, media):
    """The group's first entry is at another place and is never asked."""
    mine = client_of(media_gateway)
    file = new_file(mine, "scribe")
    media.forget()
    for _ in range(3):
        chat(mine, file, model="two")
    assert [s["temper"] for s in media.seen()] == ["ok"] * 3


def test_what_names_no_file_of_the_account(media_gateway):
    mine = client_of(media_gateway)
    says(mine, "hello", metadata={"file_id": "of-the-caller"}, tools=[{
        "type": "function", "name": "open", "strict": False, "parameters": {
            "type": "object", "properties": {"file_id": {"type": "string"}},
            "examples": [{"file_id": "any"}]}}])


def test_in_anthropics_dialect(media_gateway, media):
    key = media_gateway.new_key()
    own, foreign = new_file(client_of(media_gateway, key)), new_file(client_of(media_gateway))
    claude = anthropic.Anthropic(base_url=media_gateway.url, api_key=key, max_retries=0,
                                 timeout=patient(20))
    media.forget()
    with pytest.raises(anthropic.NotFoundError) as caught:
        claude.messages.create(model="batcher", max_tokens=9, messages=[{
            "role": "user", "content": [{"type": "document", "source": {
                "type": "file", "file_id": foreign}}]}])
    assert foreign in caught.value.message and caught.value.body["error"]["type"] == "not_found_error"
    assert media.seen() == [] and own


# --- what else an account keeps ---

def run_in(client, container, **more):
    return says(client, "run it", tools=[{"type": "code_interpreter", "container": container}],
                **more)


def test_a_container_is_the_keys_that_made_it(media_gateway, media):
    mine, other = client_of(media_gateway), client_of(media_gateway)
    made = run_in(mine, {"type": "auto"}).output[0].container_id
    assert run_in(mine, made).output[0].container_id == made
    again = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1",
             "container_id": made, "outputs": None}
    for client, good in ((mine, True), (other, False), (client_of(media_gateway, MASTER), True)):
        for ask in (lambda c: run_in(c, made),
                    lambda c: c.responses.create(model="batcher", store=False, input=[again])):
            if good:
                assert ask(client).status == "completed"
                continue
            media.forget()
            with pytest.raises(openai.NotFoundError) as caught:
                ask(client)
            assert made in caught.value.message and caught.value.param == "container"
            assert media.seen() == []


CLOSED = [{"conversation": "conv_1"}, {"conversation": {"id": "conv_1"}},
          {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}]


@pytest.mark.parametrize("what", CLOSED, ids=["conversation", "conversation object", "store"])
def test_what_is_the_accounts_is_the_administrators(media_gateway, media, what):
    media.forget()
    with pytest.raises(openai.PermissionDeniedError) as caught:
        says(client_of(media_gateway), "hi", **what)
    assert "account_objects" in caught.value.message
    assert media.seen() == []
    assert says(client_of(media_gateway, MASTER), "hi", **what).status == "completed"
    assert says(client_of(media_gateway), "hi", conversation=None).status == "completed"
    assert says(client_of(media_gateway), "hi", prompt={"id": "pmpt_1"}).status == "completed"


def test_the_operator_may_open_it(media, tmp_path):
    config = config_of(media, tmp_path / "state").replace(
        "workers: 1", "workers: 1\n  account_objects: [vector_stores, containers]")
    with Gateway(tmp_path, config) as gateway:
        client = client_of(gateway)
        assert says(client, "hi", **CLOSED[2]).status == "completed"
        assert run_in(client, "cntr_elsewhere").status == "completed"
        with pytest.raises(openai.PermissionDeniedError):
            says(client, "hi", **CLOSED[0])
