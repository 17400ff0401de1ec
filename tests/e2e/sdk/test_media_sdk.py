# SPDX-License-Identifier: Apache-2.0
"""Images, audio and moderations by OpenAI's own Python SDK, its oldest and its newest supported
major, and by its AzureOpenAI client; the books to the nano-USD."""

import io

import openai
import pytest

from gateway import MASTER, patient, wait_until

TAPE = b"RIFF" + bytes(range(256)) * 40


@pytest.fixture
def client(media_gateway):
    return openai.OpenAI(base_url=media_gateway.url + "/v1", api_key=MASTER, max_retries=0,
                         timeout=patient(20))


def row_of(media_gateway, call_id):
    """The books' row of one call."""
    def found():
        rows = media_gateway.spend_logs(request_id=call_id)
        return rows[0] if rows else None
    return wait_until(found, what="the call in the books")


def spend(media_gateway, raw):
    return round(row_of(media_gateway, raw.headers["x-litellm-call-id"])["spend"] * 1e9)


def test_an_image_by_tokens(client, media_gateway, media):
    raw = client.images.with_raw_response.generate(model="painter", prompt="a cat", quality="high")
    answer = raw.parse()
    assert answer.data[0].b64_json == "aW1hZ2U0"
    assert media.seen()[-1]["fields"] == {"model": "gpt-image-1", "prompt": "a cat",
                                          "quality": "high"}
    assert spend(media_gateway, raw) == 10 * 5000 + 40 * 10000 + 1056 * 40000


def test_images_by_number(client, media_gateway):
    raw = client.images.with_raw_response.generate(model="dall", prompt="a cat", n=3)
    assert len(raw.parse().data) == 3
    assert spend(media_gateway, raw) == 3 * 40_000_000
    assert float(raw.headers["x-litellm-response-cost"]) == 0.12


def test_images_by_size(client, media_gateway):
    raw = client.images.with_raw_response.generate(model="pixels", prompt="a cat", n=2,
                                                   size="512x512")
    assert len(raw.parse().data) == 2
    assert spend(media_gateway, raw) == (2 * 512 * 512 * 19074 + 500) // 1000  # the price is rounded to a pico-USD


def test_an_edit_by_form(client, media_gateway, media):
    raw = client.images.with_raw_response.edit(model="painter", prompt="add a hat",
                                               image=("cat.png", TAPE, "image/png"))
    assert raw.parse().data
    seen = media.seen()[-1]
    assert seen["path"] == "/v1/images/edits" and seen["fields"]["model"] == "gpt-image-1"
    assert [f["bytes"] for f in seen["files"]] == [len(TAPE)]
    assert spend(media_gateway, raw) == 10 * 5000 + 40 * 10000 + 1056 * 40000


def test_a_variation(client, media_gateway):
    raw = client.images.with_raw_response.create_variation(model="dall", n=2,
                                                           image=("cat.png", TAPE, "image/png"))
    assert len(raw.parse().data) == 2
    assert spend(media_gateway, raw) == 2 * 40_000_000


def test_a_transcription_by_seconds(client, media_gateway, media):
    raw = client.audio.transcriptions.with_raw_response.create(
        model="ears", file=("tape.wav", io.BytesIO(TAPE)), language="en",
        extra_headers={"x-litellm-num-retries": "0"})
    assert raw.parse().text == "Hello from the tape"
    seen = media.seen()[-1]
    assert seen["fields"] == {"model": "whisper-1", "language": "en"}
    assert spend(media_gateway, raw) == 9 * 100_000


def test_a_form_keeps_what_its_deployment_says(client, media_gateway, media):
    """Its values for what the caller left out, and nothing of what it takes out."""
    client.audio.transcriptions.create(model="tuned", file=("tape.wav", io.BytesIO(TAPE)),
                                       language="en", temperature=0.7,
                                       extra_body={"include": ["logprobs"]})
    seen = media.seen()[-1]
    assert seen["fields"] == {"model": "whisper-1", "temperature": "0.7",
                              "response_format": "verbose_json",
                              "timestamp_granularities[]": ["word", "segment"]}


def test_a_transcription_by_tokens(client, media_gateway):
    raw = client.audio.transcriptions.with_raw_response.create(
        model="scribe", file=("tape.wav", io.BytesIO(TAPE)))
    assert raw.parse().text == "Hello from the tape"
    assert spend(media_gateway, raw) == 4 * 2500 + 96 * 6000 + 6 * 10000


@pytest.mark.parametrize("form", ["text", "srt", "vtt", "verbose_json"])
def test_transcripts_of_every_form(client, media_gateway, form):
    raw = client.audio.transcriptions.with_raw_response.create(
        model="ears", file=("tape.wav", io.BytesIO(TAPE)), response_format=form)
    assert "Hello from the tape" in raw.text
    ms = 8470 if form == "verbose_json" else None
    if ms:
        assert spend(media_gateway, raw) == ms * 100
    else:
        assert raw.headers["content-type"].startswith("text/plain")
        row = row_of(media_gateway, raw.headers["x-litellm-call-id"])
        assert row["spend"] > 0 and row["estimated"]


def test_a_translation(client, media_gateway):
    raw = client.audio.translations.with_raw_response.create(
        model="ears", file=("tape.wav", io.BytesIO(TAPE)))
    assert raw.parse().text == "Hello from the tape"
    assert spend(media_gateway, raw) == 900_000


def test_speech_by_characters(client, media_gateway):
    raw = client.audio.speech.with_raw_response.create(
        model="voice", voice="alloy", input="H\u00e9llo \u2603 \U0001f600")
    assert raw.headers["content-type"] == "audio/mpeg" and len(raw.content) == 100000
    assert spend(media_gateway, raw) == 9 * 15000


def test_speech_is_streamed(client):
    with client.audio.speech.with_streaming_response.create(
            model="voice", voice="alloy", input="hello") as answer:
        assert sum(map(len, answer.iter_bytes(1000))) == 100000


def test_speech_without_a_count_is_estimated(client, media_gateway):
    raw = client.audio.speech.with_raw_response.create(model="mini-voice", voice="alloy",
                                                       input="x" * 150)
    row = row_of(media_gateway, raw.headers["x-litellm-call-id"])
    assert round(row["spend"] * 1e9) == 150 * 66 * 250 and row["estimated"]


def test_a_moderation_is_free(client, media_gateway, media):
    raw = client.moderations.with_raw_response.create(input="is this fine?")
    assert raw.parse().results[0].flagged is False
    assert media.seen()[-1]["fields"]["model"] == "omni-moderation-latest"
    row = row_of(media_gateway, raw.headers["x-litellm-call-id"])
    assert row["spend"] == 0 and not row["unpriced"]


@pytest.mark.parametrize("model,path", [
    ("azure-ears", "/openai/deployments/my-whisper/audio/transcriptions")])
def test_azure_upstream_and_azure_client(media_gateway, media, model, path):
    client = openai.AzureOpenAI(azure_endpoint=media_gateway.url, api_key=MASTER, max_retries=0,
                                api_version="2024-10-21", azure_deployment=model,
                                timeout=patient(20))
    raw = client.audio.transcriptions.with_raw_response.create(
        model=model, file=("tape.wav", io.BytesIO(TAPE)))
    assert raw.parse().text == "Hello from the tape"
    seen = media.seen()[-1]
    assert seen["path"] == path and seen["query"] == "?api-version=2024-10-21"
    assert seen["fields"]["model"] == "my-whisper"
    assert spend(media_gateway, raw) == 900_000


def test_azure_images_on_both_paths(media_gateway, media):
    for model, path in (("azure-painter", "/openai/deployments/gpt-image-1/images/generations"),
                        ("azure-v1", "/openai/v1/images/generations")):
        client = openai.AzureOpenAI(azure_endpoint=media_gateway.url, api_key=MASTER, max_retries=0,
                                    api_version="2024-10-21", timeout=patient(20))
        raw = client.images.with_raw_response.generate(model=model, prompt="a cat")
        assert raw.parse().data
        assert media.seen()[-1]["path"] == path
        assert spend(media_gateway, raw) == 40_000_000


def test_errors_are_openais(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="claude", prompt="a cat")
    assert "/images/generations" in caught.value.message
    with pytest.raises(openai.BadRequestError):
        client.images.generate(model="painter", prompt="x", extra_body={"nonsense": 1})
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="nobody", prompt="x")
    assert "nobody" in caught.value.message
    with pytest.raises(openai.RateLimitError) as caught:
        client.audio.transcriptions.create(model="busy", file=("a.wav", io.BytesIO(TAPE)))
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_short_form_goes_to_the_next_deployment(client, media_gateway, media):
    media.forget()
    raw = client.audio.transcriptions.with_raw_response.create(
        model="two", file=("tape.wav", io.BytesIO(TAPE)))
    assert raw.parse().text == "Hello from the tape"
    assert [s["temper"] for s in media.seen()] == ["fail", "ok"]
    served = 4 * 2500 + 96 * 6000 + 6 * 10000  # and of the one that failed nobody knows
    assert served < spend(media_gateway, raw) < 2 * served


def test_a_budget_is_reserved_and_settled(client, media_gateway):
    key = media_gateway.new_key(max_budget=0.2)
    poor = openai.OpenAI(base_url=media_gateway.url + "/v1", api_key=key, max_retries=0,
                         timeout=patient(20))
    assert poor.images.generate(model="dall", prompt="x", n=4).data
    wait_until(lambda: abs(media_gateway.key_info(key)["spend"] - 0.16) < 1e-12, what="the spend")
    with pytest.raises(openai.RateLimitError) as caught:
        poor.images.generate(model="dall", prompt="x", n=2)
    assert "budget" in caught.value.message.lower()
    assert poor.images.generate(model="dall", prompt="x", n=1).data
    with pytest.raises(openai.BadRequestError) as caught:
        poor.images.generate(model="free", prompt="x")
    assert "No price is known" in caught.value.message
    assert poor.moderations.create(input="x").results
    with pytest.raises(openai.RateLimitError):  # the worst a tape of this length may be
        poor.audio.transcriptions.create(model="ears", file=("a.wav", io.BytesIO(TAPE * 50)))


def test_a_key_may_use_its_models_only(media_gateway):
    key = media_gateway.new_key(models=["voice"])
    client = openai.OpenAI(base_url=media_gateway.url + "/v1", api_key=key, max_retries=0,
                           timeout=patient(20))
    with pytest.raises(openai.PermissionDeniedError):
        client.audio.transcriptions.create(model="ears", file=("a.wav", io.BytesIO(TAPE)))
    assert client.audio.speech.create(model="voice", voice="alloy", input="x").content
