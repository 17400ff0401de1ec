# SPDX-License-Identifier: Apache-2.0
"""Files and batches by OpenAI's own Python SDK, its oldest and its newest supported major: whose
they are, where they are, and what a batch costs."""

import json
import threading

import openai
import pytest

from gateway import MASTER, Gateway, slow_factor, wait_until
from media_upstream import config_of

# 10 tokens in, 5 out a line, at half of gpt-4o-mini's price.
LINE_NANO = 10 * 75 + 5 * 300


def client_of(gateway, key=MASTER):
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=0, timeout=20)


@pytest.fixture
def client(media_gateway):
    return client_of(media_gateway)


def lines(n):
    return "".join(json.dumps({"custom_id": f"c{i}", "method": "POST",
                               "url": "/v1/chat/completions",
                               "body": {"model": "gpt-4o-mini", "messages": []}}) + "\n"
                   for i in range(n)).encode()


def new_file(client, n=3, model="batcher"):
    return client.files.create(file=("in.jsonl", lines(n)), purpose="batch",
                               extra_body={"model": model} if model else None)


def new_batch(client, n=3):
    return client.batches.create(input_file_id=new_file(client, n).id, completion_window="24h",
                                 endpoint="/v1/chat/completions", metadata={"a": "b"})


def test_a_file_lives_and_goes(client, media):
    file = new_file(client)
    assert media.seen()[-1]["fields"] == {"purpose": "batch"}
    assert file.object == "file" and file.bytes == len(lines(3))
    assert client.files.retrieve(file.id).id == file.id
    assert client.files.content(file.id).content == lines(3)
    assert file.id in [f.id for f in client.files.list()]
    assert client.files.delete(file.id).deleted
    assert file.id not in [f.id for f in client.files.list()]
    for ask in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            ask(file.id)


def test_which_upstream(client, media):
    assert new_file(client, model=None).id
    assert media.seen()[-1]["headers"]["authorization"] == "Bearer sk-media-upstream"
    client.files.create(file=("a", b"x"), purpose="batch",
                        extra_body={"target_model_names": "azure-ears, scribe"})
    seen = media.seen()[-1]
    assert (seen["path"], seen["query"]) == ("/openai/files", "?api-version=2024-10-21")
    client.files.create(file=("a", b"x"), purpose="batch",
                        extra_body={"custom_llm_provider": "azure"})
    assert media.seen()[-1]["path"] == "/openai/files"
    client.files.create(file=("a", b"x"), purpose="batch", extra_query={"model": "azure-v1"})
    assert media.seen()[-1]["path"] == "/openai/v1/files"
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a", b"x"), purpose="batch",
                            extra_body={"custom_llm_provider": "nobody"})
    with pytest.raises(openai.BadRequestError):
        new_file(client, model="claude")


def test_ids_belong_to_their_key(media_gateway):
    one, two = (client_of(media_gateway, media_gateway.new_key()) for _ in range(2))
    file, batch = new_file(one), new_batch(one)
    for ask in (two.files.retrieve, two.files.content, two.files.delete):
        with pytest.raises(openai.NotFoundError):
            ask(file.id)
    for ask in (two.batches.retrieve, two.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            ask(batch.id)
    with pytest.raises(openai.NotFoundError):
        two.batches.create(input_file_id=file.id, completion_window="24h",
                           endpoint="/v1/chat/completions")
    assert [f.id for f in two.files.list()] == [] and [b.id for b in two.batches.list()] == []
    assert {f.id for f in one.files.list()} == {file.id, batch.input_file_id}
    assert [b.id for b in one.batches.list()] == [batch.id]
    assert one.batches.cancel(batch.id).status == "cancelled"


def test_a_long_list_has_pages(media_gateway):
    one = client_of(media_gateway, media_gateway.new_key())
    made = [new_batch(one).id for _ in range(5)]
    assert [b.id for b in one.batches.list(limit=2)] == made[::-1]  # the SDK asks for the next
    page = media_gateway.call("GET", "/v1/batches?limit=2", key=one.api_key).json()
    assert page["has_more"] and [b["id"] for b in page["data"]] == made[:2:-1]
    assert page["first_id"] == made[4] and page["last_id"] == made[3]


@pytest.mark.parametrize("usage", [True, False])
def test_a_batch_is_charged_once(media_gateway, media, usage):
    key = media_gateway.new_key(max_budget=1)
    mine = client_of(media_gateway, key)
    batch = new_batch(mine, 7)
    assert mine.batches.retrieve(batch.id).status == "in_progress"
    assert media_gateway.key_info(key)["spend"] == 0
    media.finish(usage)
    done = []
    asking = [threading.Thread(target=lambda: done.append(mine.batches.retrieve(batch.id)))
              for _ in range(6)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(20 * slow_factor())
    assert {d.status for d in done} == {"completed"} and len(done) == 6
    assert len(mine.files.content(done[0].output_file_id).text.splitlines()) == 7
    wait_until(lambda: round(media_gateway.key_info(key)["spend"] * 1e9) == 7 * LINE_NANO,
               what="the batch's price")
    assert mine.batches.retrieve(batch.id).status == "completed"
    rows = [r for r in media_gateway.spend_logs(api_key=key) if r["spend"]]
    assert [round(r["spend"] * 1e9) for r in rows] == [7 * LINE_NANO]
    assert rows[0]["prompt_tokens"] == 70 and rows[0]["completion_tokens"] == 35


def test_a_batch_is_charged_once_over_restarts(media, tmp_path):
    gateway = Gateway(tmp_path, config_of(media, tmp_path / "state")).start()
    try:
        key = gateway.new_key()
        batch = new_batch(client_of(gateway, key), 3).id
        gateway.stop()
        media.finish(True)
        gateway.start()
        assert client_of(gateway, key).batches.retrieve(batch).status == "completed"
        wait_until(lambda: round(gateway.key_info(key)["spend"] * 1e9) == 3 * LINE_NANO,
                   what="the batch's price")
        gateway.kill()
        gateway.start()
        assert client_of(gateway, key).batches.retrieve(batch).status == "completed"
        charged = [r for r in gateway.spend_logs(api_key=key) if r["spend"]]
        assert len(charged) == 1 and round(gateway.key_info(key)["spend"] * 1e9) == 3 * LINE_NANO
    finally:
        gateway.stop()


def batch_of(client, content):
    file = client.files.create(file=("in.jsonl", content), purpose="batch",
                               extra_body={"model": "batcher"})
    return client.batches.create(input_file_id=file.id, completion_window="24h",
                                 endpoint="/v1/chat/completions")


def test_the_lines_of_a_batch_are_held_to_the_key(media_gateway, media):
    mine = client_of(media_gateway, media_gateway.new_key(models=["batcher"]))
    assert batch_of(mine, lines(2)).status == "in_progress"
    with pytest.raises(openai.PermissionDeniedError) as caught:
        batch_of(mine, lines(2) + lines(1).replace(b"gpt-4o-mini", b"gpt-image-1"))
    assert "gpt-image-1" in caught.value.message
    with pytest.raises(openai.BadRequestError):
        batch_of(mine, lines(1) + b"{\n")
    poor = client_of(media_gateway, media_gateway.new_key(max_budget=0.003))
    assert batch_of(poor, lines(2)).status == "in_progress"  # 4096 tokens each: 0.0012 USD
    with pytest.raises(openai.RateLimitError) as caught:
        batch_of(poor, lines(3))
    assert "budget" in caught.value.message
    assert len(poor.batches.list().data) == 1


def test_a_budget_needs_a_price(media_gateway):
    key = media_gateway.new_key(max_budget=1)
    mine = client_of(media_gateway, key)
    file = new_file(mine, model="free")
    with pytest.raises(openai.BadRequestError) as caught:
        mine.batches.create(input_file_id=file.id, completion_window="24h",
                            endpoint="/v1/chat/completions")
    assert "No price is known" in caught.value.message


def test_azures_client(media_gateway, media):
    azure = openai.AzureOpenAI(azure_endpoint=media_gateway.url, api_key=MASTER, max_retries=0,
                               api_version="2024-10-21", timeout=20)
    file = azure.files.create(file=("a.jsonl", lines(1)), purpose="batch",
                              extra_body={"model": "azure-ears"})
    assert media.seen()[-1]["path"] == "/openai/files"
    assert azure.files.content(file.id).content == lines(1)
    batch = azure.batches.create(input_file_id=file.id, completion_window="24h",
                                 endpoint="/v1/chat/completions")
    assert azure.batches.retrieve(batch.id).status == "in_progress"
