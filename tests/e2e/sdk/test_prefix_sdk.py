# SPDX-License-Identifier: Apache-2.0
"""The vendors' own SDKs for Python below the vendors' prefixes: their endpoint is the gateway's
prefix, their key a virtual key.  Each call is asked whole and streamed; the answer is the vendor's,
the books have its usage and price, and what has no budget or no known key never gets there.

The vendors are the fakes of tests/golden, which check signatures, tokens and bodies."""

import itertools
import json
import os
import pathlib
import subprocess
import urllib.request

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import openai
import pytest
from google import genai
from google.oauth2.credentials import Credentials

from gateway import MASTER, Gateway, patient, wait_until

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
HELLO, USAGE, COST = "Hello there!", (21, 9), 21 * 0.000003 + 9 * 0.000015
PROFILE = "jp.anthropic.claude-haiku-4-5-20251001-v1:0"
marks = itertools.count(1)


class Vendors:
    def __init__(self, folder):
        self.process = subprocess.Popen([os.environ["KM_NODE"], str(LIB / "vendors.mjs"), folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.process.stdout.readline())
        self.port, self.models, self.env = told["port"], told["models"], told["env"]

    def seen(self, mark):
        url = f"http://127.0.0.1:{self.port}/seen?mark={mark}"
        with urllib.request.urlopen(url, timeout=patient(20)) as answer:
            return json.load(answer)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(patient(20))
        self.process.stdout.close()


@pytest.fixture(scope="module")
def vendors(tmp_path_factory):
    made = Vendors(str(tmp_path_factory.mktemp("vendors")))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def prefixed(vendors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefixed")
    config = {"model_list": vendors.models, "general_settings": {"master_key": MASTER},
              "router_settings": {"num_retries": 0},
              "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 1}}
    with Gateway(folder, json.dumps(config), vendors.env) as gateway:
        yield gateway


# --- each SDK: (url, key, text, stream) -> the text of the answer ---

def chat(client, model, text, stream):
    ask = {"model": model, "max_completion_tokens": 64,
           "messages": [{"role": "user", "content": text}]}
    if not stream:
        return client.chat.completions.create(**ask).choices[0].message.content
    return "".join(e.choices[0].delta.content or ""
                   for e in client.chat.completions.create(**ask, stream=True) if e.choices)


def by_openai(url, key, text, stream):
    client = openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key, max_retries=0)
    return chat(client, "gpt-golden", text, stream)


def by_responses(url, key, text, stream):
    client = openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key, max_retries=0)
    ask = {"model": "gpt-golden", "input": text, "max_output_tokens": 64}
    if not stream:
        return client.responses.create(**ask).output_text
    return "".join(e.delta for e in client.responses.create(**ask, stream=True)
                   if e.type == "response.output_text.delta")


def by_azure(url, key, text, stream):
    client = openai.AzureOpenAI(azure_endpoint=f"{url}/azure", api_key=key,
                                api_version="2024-10-21", max_retries=0)
    return chat(client, "gpt-golden", text, stream)


def messages(client, model, text, stream):
    ask = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
    if not stream:
        return client.messages.create(**ask).content[0].text
    with client.messages.stream(**ask) as events:
        return "".join(events.text_stream)


def by_anthropic(url, key, text, stream):
    client = anthropic.Anthropic(base_url=f"{url}/anthropic", api_key=key, max_retries=0)
    return messages(client, "claude-haiku-4-5", text, stream)


def by_anthropic_vertex(url, key, text, stream):
    client = anthropic.AnthropicVertex(base_url=f"{url}/vertex_ai/v1", access_token=key,
                                       region="mars-north1", project_id="my-own", max_retries=0)
    return messages(client, "claude-haiku-4-5@20251001", text, stream)


def generate(client, text, stream):
    ask = {"model": "gemini-2.5-flash", "contents": text, "config": {"max_output_tokens": 64}}
    if not stream:
        return client.models.generate_content(**ask).text
    return "".join(e.text or "" for e in client.models.generate_content_stream(**ask))


def by_genai(url, key, text, stream):
    client = genai.Client(api_key=key, http_options={"base_url": f"{url}/gemini"})
    return generate(client, text, stream)


def by_genai_vertex(url, key, text, stream):
    client = genai.Client(vertexai=True, project="my-own", location="mars-north1",
                          credentials=Credentials(token=key),
                          http_options={"base_url": f"{url}/vertex_ai"})
    return generate(client, text, stream)


def by_boto3(url, key, text, stream):
    once = botocore.config.Config(retries={"total_max_attempts": 1})
    client = boto3.client("bedrock-runtime", endpoint_url=f"{url}/bedrock", config=once,
                          region_name="us-east-1", aws_access_key_id=key,
                          aws_secret_access_key="any")
    ask = {"modelId": PROFILE, "inferenceConfig": {"maxTokens": 64},
           "messages": [{"role": "user", "content": [{"text": text}]}]}
    if not stream:
        return client.converse(**ask)["output"]["message"]["content"][0]["text"]
    return "".join(e["contentBlockDelta"]["delta"].get("text", "")
                   for e in client.converse_stream(**ask)["stream"] if "contentBlockDelta" in e)


SDKS = {"openai": by_openai, "openai-responses": by_responses, "azure": by_azure,
        "anthropic": by_anthropic, "anthropic-vertex": by_anthropic_vertex, "genai": by_genai,
        "genai-vertex": by_genai_vertex, "boto3": by_boto3}
each_sdk = pytest.mark.parametrize("sdk", SDKS.values(), ids=SDKS)
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def mark_of():
    return f"golden:plain.{900000 + next(marks)}"


def status_of(error):
    """The HTTP status as each SDK shows it."""
    if isinstance(error, botocore.exceptions.ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return getattr(error, "status_code", None) or getattr(error, "code", None)


@each_way
@each_sdk
def test_the_answer_is_the_vendors_and_the_books_have_it(prefixed, vendors, sdk, stream):
    key, mark = prefixed.new_key(max_budget=1), mark_of()
    assert sdk(prefixed.url, key, f"{mark} Hi.", stream) == HELLO
    asked = vendors.seen(mark)
    assert len(asked) == 1
    assert key not in json.dumps(asked)
    row, = wait_until(lambda: prefixed.spend_logs(api_key=key), what="the call's row")
    assert (row["prompt_tokens"], row["completion_tokens"]) == USAGE
    assert row["spend"] == pytest.approx(COST, abs=1e-12)
    wait_until(lambda: prefixed.key_info(key)["spend"] == pytest.approx(COST, abs=1e-12),
               what="the key's spend")


@each_way
@each_sdk
def test_a_spent_budget_is_refused_before_the_vendor_hears_of_it(prefixed, vendors, sdk, stream):
    key, mark = prefixed.new_key(max_budget=1e-9), mark_of()
    with pytest.raises(Exception) as refused:
        sdk(prefixed.url, key, f"{mark} Hi.", stream)
    assert status_of(refused.value) == 429, refused.value
    assert vendors.seen(mark) == []
    assert prefixed.key_info(key)["spend"] == 0


@each_way
@each_sdk
def test_an_unknown_key_is_refused_before_the_vendor_hears_of_it(prefixed, vendors, sdk, stream):
    mark = mark_of()
    with pytest.raises(Exception) as refused:
        sdk(prefixed.url, "sk-nobody-knows-0123456789", f"{mark} Hi.", stream)
    assert status_of(refused.value) in (401, 403), refused.value
    assert vendors.seen(mark) == []
    assert "sk-nobody-knows" not in prefixed.log.read_text()


def test_googles_files_and_caches_are_the_operators(vendors, prefixed):
    """Below the prefix and at the gateway's own routes, in Google's words and in OpenAI's."""
    file = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    key = prefixed.new_key()

    def generate(base, who, mark, part=None, **config):
        client = genai.Client(api_key=who, http_options={"base_url": base})
        parts = [{"text": mark}, *([part] if part else [])]
        return client.models.generate_content(
            model="listed-gemini" if base == prefixed.url else "gemini-2.5-flash", contents=[
            {"role": "user", "parts": parts}], config=config or None).text

    def chat_with(who, mark, part):
        client = openai.OpenAI(base_url=f"{prefixed.url}/v1", api_key=who, max_retries=0)
        return client.chat.completions.create(model="listed-gemini", messages=[
            {"role": "user", "content": [{"type": "text", "text": mark}, part]}])

    for base, status in ((f"{prefixed.url}/gemini", 403), (prefixed.url, 404)):
        for address in ("files/abc", file.replace("google", "GOOGLE"), file):
            mark = mark_of()
            part = {"fileData": {"fileUri": address, "mimeType": "image/png"}}
            with pytest.raises(genai.errors.ClientError) as caught:
                generate(base, key, mark, part)
            assert caught.value.code == status and vendors.seen(mark) == []
        assert generate(base, MASTER, mark, part) and len(vendors.seen(mark)) == 1
        mark = mark_of()
        with pytest.raises(genai.errors.ClientError) as caught:
            generate(base, key, mark, cached_content="cachedContents/1")
        assert caught.value.code == 403 and vendors.seen(mark) == []
        assert generate(base, MASTER, mark, cached_content="cachedContents/1")
        assert generate(base, key, mark, {"fileData": {
            "fileUri": "https://example.com/a.png", "mimeType": "image/png"}})
    mark = mark_of()
    with pytest.raises(openai.NotFoundError):
        chat_with(key, mark, {"type": "file", "file": {"file_id": file}})
    for who in (key, MASTER):
        with pytest.raises(openai.BadRequestError) as caught:
            chat_with(who, mark, {"type": "image_url", "image_url": {"url": file}})
        assert "file_id" in caught.value.message
    assert vendors.seen(mark) == []
    assert chat_with(MASTER, mark, {"type": "file", "file": {"file_id": file}}).choices
