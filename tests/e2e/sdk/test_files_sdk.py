# SPDX-License-Identifier: Apache-2.0
"""Files and batches by OpenAI's own Python SDK, its oldest and its newest supported major: whose
they are, where they are, and what a batch costs."""

import base64
import json
import random
import threading

import openai
import pytest

from gateway import MASTER, Gateway, patient, slow_factor, wait_until
from media_upstream import config_of

# 10 tokens in, 5 out a line, at half of gpt-4o-mini's price.
LINE_NANO = 10 * 75 + 5 * 300


def client_of(gateway, key=MASTER):
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=0,
                         timeout=patient(20))


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


@pytest.mark.parametrize("line", [
    "null", "{}", "[]", '{"prompt_tokens":10,"completion_tokens":null}', '{"prompt_tokens":-1}',
    '{"prompt_tokens":1e300,"completion_tokens":5}', '{"completion_tokens":5}'])
def test_a_batch_whose_lines_count_nonsense_is_an_estimate(media_gateway, media, line):
    key = media_gateway.new_key(max_budget=1)
    mine = client_of(media_gateway, key)
    batch = new_batch(mine, 3)
    media.finish(False, line)
    assert mine.batches.retrieve(batch.id).status == "completed"
    wait_until(lambda: media_gateway.key_info(key)["spend"] > 0, what="the batch's price")
    (row,) = [r for r in media_gateway.spend_logs(api_key=key) if r["spend"]]
    assert row["estimated"] is True and row["completion_tokens"] > 0 and row["spend"] < 0.001, row


def charged_for(gateway, media, endpoint, bodies, n=1, model="nobody-knows-how-long", **report):
    """What a batch of n lines costs its key, in nano-dollars, and its row."""
    key = gateway.new_key()
    mine = client_of(gateway, key)
    line = json.dumps({"custom_id": "c", "method": "POST", "url": endpoint, "body": {
        "model": model, "messages": []}}).encode() + b"\n"
    file = mine.files.create(file=("in.jsonl", line * n), purpose="batch",
                             extra_body={"model": "batcher"})
    batch = mine.batches.create(input_file_id=file.id, completion_window="24h", endpoint=endpoint)
    media.finish_with(*bodies, **report)
    assert mine.batches.retrieve(batch.id).status == "completed"
    wait_until(lambda: gateway.key_info(key)["spend"] > 0, what="the batch's price")
    (row,) = [r for r in gateway.spend_logs(api_key=key) if r["spend"]]
    return round(row["spend"] * 1e9), row


def response_of(model="nobody-knows-how-long", tools=(), **usage):
    return {"id": "resp_1", "object": "response", "model": model, "status": "completed",
            "output": [{"type": kind, "id": f"x{i}", "status": "completed", **more}
                       for i, (kind, more) in enumerate(tools)],
            "usage": {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110, **usage}}


REPORT = {"input_tokens": 200, "output_tokens": 20, "total_tokens": 220,
          "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}


@pytest.mark.parametrize("report", [{}, {"usage": REPORT, "model": "nobody-knows-how-long"}])
def test_tools_that_a_line_had_run_are_charged(media_gateway, media, report):
    """Whether the batch says what it used or not: tools are only in its lines."""
    ran = response_of(tools=[("web_search_call", {"action": {"type": "search"}}),
                             ("web_search_call", {"action": {"type": "open_page"}}),
                             ("web_search_call", {"action": {"type": "search"}}),
                             ("code_interpreter_call", {"container_id": "cntr_1"})])
    nano, row = charged_for(media_gateway, media, "/v1/responses", [ran, response_of()], 2, **report)
    assert nano == 2 * (100 * 75 + 10 * 300) + 2 * 10_000_000 + 30_000_000, row
    assert row["prompt_tokens"] == 200 and row["completion_tokens"] == 20 and not row["estimated"]


def test_each_line_is_charged_at_the_price_of_the_model_that_it_names(media_gateway, media):
    """Also where the batch says of itself no more than how many tokens there were."""
    bodies = [response_of("dear-one-2026-01-02"), response_of()]
    true = 100 * 1000 + 10 * 5000 + 100 * 75 + 10 * 300
    assert charged_for(media_gateway, media, "/v1/responses", bodies, 2)[0] == true
    assert charged_for(media_gateway, media, "/v1/responses", bodies, 2, usage=REPORT)[0] == true
    # of another model whose name begins likewise: a table's, and no version of one of ours
    bodies = [response_of("gpt-4o-mini-search-preview")]
    assert charged_for(media_gateway, media, "/v1/responses", bodies)[0] == 100 * 75 + 10 * 300


def test_what_a_batch_reports_beyond_its_lines_is_charged(media_gateway, media):
    """And instead of them, where they counted nothing."""
    nano, row = charged_for(media_gateway, media, "/v1/responses", [response_of(), None], 2, usage=REPORT)
    assert nano == 200 * 75 + 20 * 300 and not row["estimated"], row
    uncounted = {**response_of(), "usage": None}
    nano, row = charged_for(media_gateway, media, "/v1/responses", [uncounted], 2, usage=REPORT)
    assert nano == 200 * 75 + 20 * 300 and not row["estimated"], row


def test_a_search_that_a_chat_cites_is_charged_once(media_gateway, media):
    body = {"id": "c", "object": "chat.completion", "model": "nobody-knows-how-long", "choices": [{
        "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a", "annotations": [
            {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "a"}}] * 2}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}}
    nano, row = charged_for(media_gateway, media, "/v1/chat/completions", [body])
    assert nano == 100 * 75 + 10 * 300 + 10_000_000, row


def test_an_answer_of_many_mebibytes_is_charged(media_gateway, media):
    body = response_of(tools=[("image_generation_call", {"result": "QUJD" * (1500 << 10)})])
    assert charged_for(media_gateway, media, "/v1/responses", [body])[0] == 100 * 75 + 10 * 300


def test_lines_that_cannot_be_read_are_as_dear_as_the_others(media_gateway, media):
    bodies = [response_of(), response_of(tools=[("message", {"content": "a" * (17 << 20)})])]
    nano, row = charged_for(media_gateway, media, "/v1/responses", bodies, 2)
    assert nano == 2 * (100 * 75 + 10 * 300) and row["estimated"] is True, row


@pytest.mark.parametrize("more", [
    {"max_completion_tokens": 1, "max_tokens": 1000000}, {"max_tokens": 20000, "n": 100},
    {"max_tokens": 20000, "best_of": 100}, {"n_predict": 1000000, "max_tokens": 1},
    {"max_tokens": 1000, "prompt": ["a"] * 1000}])
def test_the_dearest_reading_of_a_batchs_line_is_held_against_the_budget(media_gateway, more):
    """0.3 USD a million tokens out: any of these may cost more than the key has."""
    mine = client_of(media_gateway, media_gateway.new_key(max_budget=0.2))
    text = json.dumps({"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], **more}})
    file = mine.files.create(file=("in.jsonl", text.encode()), purpose="batch",
                             extra_body={"model": "batcher"})
    with pytest.raises(openai.APIStatusError) as caught:
        mine.batches.create(input_file_id=file.id, completion_window="24h",
                            endpoint="/v1/chat/completions")
    assert "budget" in str(caught.value).lower()


def endless_line(**more):
    return json.dumps({"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "nobody-knows-how-long", "messages": [{"role": "user", "content": "hi"}],
        **more}}).encode() + b"\n"


def test_a_line_without_a_bound_needs_what_a_call_without_one_would(media_gateway):
    """131,072 tokens at 0.3 USD a million: 0.0393 USD, and no word of it can be lowered."""
    poor = client_of(media_gateway, media_gateway.new_key(max_budget=0.05))
    assert batch_of(poor, endless_line()).status == "in_progress"
    with pytest.raises(openai.RateLimitError) as caught:
        batch_of(poor, endless_line() + endless_line(max_tokens=5) + endless_line(n=1))
    assert "2 of its lines" in caught.value.message and "max_tokens" in caught.value.message
    assert "0.05 USD is left" in caught.value.message
    with pytest.raises(openai.RateLimitError) as caught:
        batch_of(poor, endless_line(max_tokens=200000))
    assert "Lower its lines' max_tokens" in caught.value.message
    assert batch_of(poor, endless_line(max_tokens=1000) * 100).status == "in_progress"
    with pytest.raises(openai.BadRequestError) as caught:
        batch_of(poor, endless_line(n=10**9))
    assert "'n'" in caught.value.message


def test_a_line_is_as_long_as_the_same_call_would_be(media_gateway):
    """0.075 USD a million tokens in: 120 KB of English are 25,000, and a picture is a picture."""
    poor = client_of(media_gateway, media_gateway.new_key(max_budget=0.004))
    prose = "The quick brown fox jumps over the lazy dog, and nobody minds at all. " * 1700
    assert batch_of(poor, endless_line(max_tokens=9, messages=[
        {"role": "user", "content": prose}])).status == "in_progress"
    picture = "data:image/png;base64," + base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(700 << 10)).decode()
    assert batch_of(poor, endless_line(max_tokens=9, messages=[{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": picture}}]}])).status == "in_progress"
    with pytest.raises(openai.RateLimitError):
        batch_of(poor, endless_line(max_tokens=9, messages=[{"role": "user", "content": prose * 3}]))


def test_a_line_that_writes_nothing_reserves_no_output(media_gateway):
    """And which upstreams go by the batch's endpoint, and which by the line's address, is not known:
    where they differ it writes."""
    poor = client_of(media_gateway, media_gateway.new_key(max_budget=0.03))
    line = json.dumps({"custom_id": "c", "method": "POST", "url": "/v1/embeddings", "body": {
        "model": "nobody-knows-how-long", "input": "hi"}}).encode() + b"\n"
    file = poor.files.create(file=("in.jsonl", line * 20), purpose="batch",
                             extra_body={"model": "batcher"}).id
    assert poor.batches.create(input_file_id=file, completion_window="24h",
                               endpoint="/v1/embeddings").status == "in_progress"
    for other in ("/v1/chat/completions", "/v1/chat/completions?a=/embeddings", "/v2/embeddings"):
        with pytest.raises(openai.RateLimitError):
            poor.batches.create(input_file_id=file, completion_window="24h", endpoint=other)


@pytest.mark.parametrize("fields,more,words", [
    ({"hosted_tools": False}, {"tools": [{"type": "web_search"}]}, "hosted_tools"),
    ({"max_budget": 5}, {"tools": [{"type": "image_generation"}]}, "image_generation"),
    ({"max_budget": 5}, {"service_tier": "turbo"}, "turbo"),
    ({"max_budget": 5}, {"background": True}, "background")])
def test_what_a_line_asks_beside_tokens_is_judged(media_gateway, fields, more, words):
    mine = client_of(media_gateway, media_gateway.new_key(**fields))
    text = json.dumps({"custom_id": "c", "method": "POST", "url": "/v1/responses", "body": {
        "model": "gpt-4o-mini", "input": "hi", "max_output_tokens": 9, **more}})
    file = mine.files.create(file=("in.jsonl", text.encode()), purpose="batch",
                             extra_body={"model": "batcher"})
    with pytest.raises(openai.APIStatusError) as caught:
        mine.batches.create(input_file_id=file.id, completion_window="24h",
                            endpoint="/v1/responses")
    assert words in str(caught.value)


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


@pytest.fixture
def polling(media, tmp_path):
    """A gateway that looks at batches by itself, often."""
    config = config_of(media, tmp_path / "state").replace("workers: 1", "workers: 2\n  batch_poll: 50ms")
    with Gateway(tmp_path, config) as gateway:
        yield gateway


def charged(gateway, key):
    return [round(r["spend"] * 1e9) for r in gateway.spend_logs(api_key=key) if r["spend"]]


def looks(media, batch):
    return len([s for s in media.seen() if s["path"] == f"/v1/batches/{batch}"])


@pytest.mark.parametrize("usage", [True, False])
def test_a_batch_is_charged_though_its_owner_never_asks(polling, media, usage):
    key = polling.new_key(max_budget=1, rpm_limit=3)
    batch = new_batch(client_of(polling, key), 7).id
    wait_until(lambda: looks(media, batch) >= 2, what="two looks at it")
    assert charged(polling, key) == []
    media.finish(usage)
    wait_until(lambda: round(polling.key_info(key)["spend"] * 1e9) == 7 * LINE_NANO,
               what="the batch's price")
    assert charged(polling, key) == [7 * LINE_NANO]
    seen = looks(media, batch)
    other = new_batch(client_of(polling), 1).id  # the poll goes on, and leaves the first alone
    wait_until(lambda: looks(media, other) >= 3, what="three looks at the next")
    assert looks(media, batch) == seen
    media.finish(True)


def test_its_owner_and_the_poll_charge_a_batch_once(polling, media):
    key = polling.new_key(max_budget=1)
    mine = client_of(polling, key)
    made = [new_batch(mine, 2).id for _ in range(8)]
    media.finish(False)
    for batch in made:
        assert mine.batches.retrieve(batch).status == "completed"
    wait_until(lambda: len(charged(polling, key)) >= 8, what="eight charges")
    assert charged(polling, key) == 8 * [2 * LINE_NANO]
    assert round(polling.key_info(key)["spend"] * 1e9) == 16 * LINE_NANO


def test_the_poll_survives_kills_and_charges_once(polling, media):
    key = polling.new_key(max_budget=1)
    mine = client_of(polling, key)
    made = [new_batch(mine, 2).id for _ in range(20)]
    media.finish(False)
    for most in range(1, 40):
        if len(charged(polling, key)) >= 20:
            break
        wait_until(lambda: len(charged(polling, key)) >= min(most, 20), what="one more charge")
        polling.kill()
        polling.start()
    wait_until(lambda: len(charged(polling, key)) >= 20, what="all charges")
    polling.stop()
    polling.start()
    assert charged(polling, key) == 20 * [2 * LINE_NANO] and len(made) == 20
    assert round(polling.key_info(key)["spend"] * 1e9) == 40 * LINE_NANO


def test_a_batch_of_a_key_that_is_gone_is_in_the_books(polling, media):
    key = polling.new_key()
    new_batch(client_of(polling, key), 3)
    token = polling.key_info(key)["token"]
    polling.call("POST", "/key/delete", {"keys": [key]})
    media.finish(True)
    wait_until(lambda: [r for r in polling.spend_logs() if r["spend"] and r["api_key"] == token],
               what="a row of the key that is gone")


def test_an_upstream_that_is_not_there_is_asked_again(polling, media):
    key = polling.new_key()
    batch = new_batch(client_of(polling, key), 1).id
    media._ask("/busy-batches?n=2", b"")
    wait_until(lambda: looks(media, batch) >= 4, what="looks after two refusals")
    media.finish(True)
    wait_until(lambda: charged(polling, key) == [LINE_NANO], what="the batch's price")


def test_a_batch_whose_output_is_gone_is_charged_by_what_it_reports(polling, media):
    key = polling.new_key()
    new_batch(client_of(polling, key), 2)
    media.finish_with({}, gone=True, usage=REPORT)
    wait_until(lambda: charged(polling, key) == [200 * 75 + 20 * 300], what="the batch's price")


def test_a_batch_whose_deployment_left_the_configuration(polling, media):
    """Its owner hears where it is and what is missing, nothing is charged, and once an entry of
    that name is back it is charged as if that had been there all along."""
    key = polling.new_key(max_budget=1)
    mine = client_of(polling, key)
    batch = new_batch(mine, 3)
    config = polling.config.read_text()
    polling.reload("".join(line for line in config.splitlines(keepends=True)
                           if "gpt-4o-mini," not in line and "model_name: batcher" not in line))
    wait_until(lambda: "batcher" not in [m.id for m in mine.models.list()], what="the reload")
    wait_until(lambda: f"batch {batch.id} could not" in polling.log.read_text(), what="a warning")
    media.finish(True)
    seen = looks(media, batch.id)
    for ask, its in ((mine.batches.retrieve, batch.id), (mine.batches.cancel, batch.id),
                     (mine.files.content, batch.input_file_id)):
        with pytest.raises(openai.InternalServerError) as caught:
            ask(its)
        assert its in caught.value.message and "'batcher', which is no longer" in str(caught.value)
        assert caught.value.status_code == 503
        assert caught.value.response.headers["x-should-retry"] == "false"
    assert [b.id for b in mine.batches.list()] == [batch.id]
    assert looks(media, batch.id) == seen and charged(polling, key) == []
    polling.reload(config)
    wait_until(lambda: charged(polling, key) == [3 * LINE_NANO], what="the batch's price")
    assert mine.batches.retrieve(batch.id).status == "completed"
    assert round(polling.key_info(key)["spend"] * 1e9) == 3 * LINE_NANO


def test_the_lines_of_a_batch_name_files_of_the_key_alone(media_gateway, media):
    one, two = (client_of(media_gateway, media_gateway.new_key()) for _ in range(2))
    secret = one.files.create(file=("a.pdf", b"secret"), purpose="user_data",
                              extra_body={"model": "batcher"}).id

    def line(file, member="file_id"):
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": [
            {"type": "file", "file": {member: file}}]}]}
        return json.dumps({"custom_id": "c", "method": "POST", "url": "/v1/chat/completions",
                           "body": body}).encode() + b"\n"

    assert batch_of(one, lines(2) + line(secret)).status == "in_progress"
    made = len([s for s in media.seen() if s["path"] == "/v1/batches"])
    for client in (two, client_of(media_gateway)):  # the administrator's key too
        for hostile in (line(secret), lines(2) + line(secret).rstrip(),
                        line(secret).replace(b"file_id", b"file\\u005fid")):
            with pytest.raises(openai.NotFoundError) as caught:
                batch_of(client, hostile)
            assert secret in caught.value.message
    double = line(secret).replace(b'"body"', b'"body": {"model": "gpt-4o-mini"}, "body"')
    with pytest.raises(openai.BadRequestError):
        batch_of(two, double)
    for member, value in (("previous_response_id", "resp_1"), ("conversation", "conv_1")):
        with pytest.raises(openai.PermissionDeniedError):
            batch_of(two, lines(1).replace(b'"messages": []', json.dumps(
                {member: value})[1:-1].encode()))
    assert len([s for s in media.seen() if s["path"] == "/v1/batches"]) == made
    with pytest.raises(openai.BadRequestError) as caught:
        batch_of(one, b"".join(line(secret[:-4] + f"{i:04}") for i in range(1001)))
    assert "1000 files" in caught.value.message


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
    poor = client_of(media_gateway, media_gateway.new_key(max_budget=0.012))
    assert batch_of(poor, lines(2)).status == "in_progress"  # 16384 tokens each: 0.0098 USD
    with pytest.raises(openai.RateLimitError) as caught:
        batch_of(poor, lines(3))
    assert "budget" in caught.value.message
    assert len(poor.batches.list().data) == 1


def test_the_lines_of_a_batch_name_the_keys_own_answers_alone(media_gateway):
    one, two = (client_of(media_gateway, media_gateway.new_key()) for _ in range(2))
    made = one.post("/responses", cast_to=object,
                    body={"model": "batcher", "input": "a"})["output"][0]["id"]

    def line(member, value):
        return lines(1).replace(b'"messages": []', json.dumps({member: value})[1:-1].encode())

    reference = line("input", [{"type": "item_reference", "id": made}])
    assert batch_of(one, reference).status == "in_progress"
    for hostile in (reference, line("input", [{"id": "msg_guessed"}]),
                    line("input", [{"type": "image_generation_call", "id": "ig_guessed"}]),
                    line("messages", [{"role": "assistant", "audio": {"id": "audio_guessed"}}])):
        with pytest.raises(openai.NotFoundError) as caught:
            batch_of(two, hostile)
        assert "not found" in caught.value.message
    assert batch_of(two, line("input", [{"role": "user", "content": "a", "id": "msg_1"}])).id


def test_the_lines_of_a_batch_name_no_further_model(media_gateway):
    def hostile(name):
        return lines(1).replace(b'"messages": []', json.dumps({"tools": [
            {"type": "image_generation", "model": name}]})[1:-1].encode())

    listed = client_of(media_gateway, media_gateway.new_key(models=["batcher"]))
    with pytest.raises(openai.PermissionDeniedError) as caught:
        batch_of(listed, hostile("gpt-image-1"))
    assert "gpt-image-1" in caught.value.message
    painting = client_of(media_gateway, media_gateway.new_key(models=["batcher", "painter"]))
    assert batch_of(painting, hostile("gpt-image-1")).status == "in_progress"
    with pytest.raises(openai.BadRequestError):
        batch_of(client_of(media_gateway, media_gateway.new_key(max_budget=1)),
                 hostile("gpt-image-1"))


def test_a_budget_needs_a_price(media_gateway):
    key = media_gateway.new_key(max_budget=1)
    mine = client_of(media_gateway, key)
    with pytest.raises(openai.BadRequestError) as caught:
        batch_of(mine, lines(1).replace(b"gpt-4o-mini", b"unheard-of"))
    assert "No price is known" in caught.value.message


def test_azures_client(media_gateway, media):
    azure = openai.AzureOpenAI(azure_endpoint=media_gateway.url, api_key=MASTER, max_retries=0,
                               api_version="2024-10-21", timeout=patient(20))
    file = azure.files.create(file=("a.jsonl", lines(1)), purpose="batch",
                              extra_body={"model": "azure-ears"})
    assert media.seen()[-1]["path"] == "/openai/files"
    assert azure.files.content(file.id).content == lines(1)
    batch = azure.batches.create(input_file_id=file.id, completion_window="24h",
                                 endpoint="/v1/chat/completions")
    assert azure.batches.retrieve(batch.id).status == "in_progress"
