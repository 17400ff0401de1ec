# SPDX-License-Identifier: Apache-2.0
"""No answer is shortened for money that is there: a key with 99 of 100 USD sends what a key without a
budget sends, byte for byte, by every kind of call and to models of every name.

tests/e2e/test_money.py looks at what is sent when the money is not there.
"""

import asyncio

import pytest

import endings
from cases import Case
from client import call
from kinds import KINDS
from world import World

# A name that tables of prices and maxima know: how it is asked.
NAMED = {
    "gpt-4o": ("openai/gpt-4o", "/v1/chat/completions", {}),
    "gpt-5": ("openai/gpt-5", "/v1/chat/completions", {"reasoning_effort": "high"}),
    "gpt-5-responses": ("openai/gpt-5", "/v1/responses", {}),
    "claude": ("anthropic/claude-sonnet-4-5-20250929", "/v1/chat/completions", {}),
    "claude-thinks": ("anthropic/claude-sonnet-4-5-20250929", "/v1/chat/completions",
                      {"reasoning_effort": "high"}),
    "gemini": ("gemini/gemini-2.5-flash", "/v1/chat/completions", {}),
    "gemini-thinks": ("gemini/gemini-2.5-flash", "/v1/chat/completions", {"reasoning_effort": "high"}),
    "gemini-google": ("gemini/gemini-2.5-flash", "/v1beta/models/gemini-google:generateContent", {}),
    "bedrock": ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "/v1/chat/completions", {}),
    "claude-messages": ("anthropic/claude-sonnet-4-5-20250929", "/v1/messages", {"max_tokens": 32000}),
    "gpt-messages": ("openai/gpt-4o", "/v1/messages", {"max_tokens": 32000}),
}
SAYING = [(kind, stream, bound) for kind in KINDS if kind.dialect not in ("mcp", "raw")
          for stream in kind.streams for bound in ((None, 300) if kind.bounds else (None,))]


def models(vendor):
    bases = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta"}
    text = ""
    for name, (model, _, _) in NAMED.items():
        provider = model.split("/")[0]
        where = f'api_base: "{vendor.url}{bases[provider]}", api_key: sk-vendor' if provider in bases else (
            f'aws_bedrock_runtime_endpoint: "{vendor.url}", aws_access_key_id: a, '
            "aws_secret_access_key: b, aws_region_name: us-east-1")
        for own in ("", "own-"):  # at the table's price, and at one of its own
            price = ", input_cost_per_token: 0.000001, output_cost_per_token: 0.00001" if own else ""
            text += f"  - {{model_name: {own}{name}, litellm_params: {{model: {model}, {where}{price}}}}}\n"
    return text


@pytest.fixture(scope="module")
def rich(vendor, tmp_path_factory):
    made = World(vendor, tmp_path_factory.mktemp("rich"), models=models(vendor)).start()
    yield made
    made.stop()


async def keys(world):
    """Without a budget, and with 99 of 100 USD left."""
    free, rich = await world.key(max_budget=None), await world.key(max_budget=100)
    plan = world.vendor.plan(reports=("1", "10000"))
    answer = await call(world.port, "POST", "/v1/chat/completions", {
        "model": f"oa-{plan.id}", "max_tokens": 10000,
        "messages": [{"role": "user", "content": "a"}]}, rich)
    assert answer.status == 200, answer
    return free, rich


async def sent(world, plan, ask):
    """What the vendor got of the same call by each key."""
    got = []
    for key in await keys(world):
        count = len(plan.entries)
        answer = await ask(key)
        assert len(plan.entries) > count, answer
        got.append([(entry.path, entry.body) for entry in plan.entries[count:]])
        assert "x-kanmon-max-tokens" not in answer.headers
    return got


@pytest.mark.parametrize("kind,stream,bound", [
    pytest.param(kind, stream, bound, id=f"{kind.name}-{'stream' if stream else 'whole'}-{bound}")
    for kind, stream, bound in SAYING])
def test_a_large_budget_sends_the_bytes_of_none(rich, seed, kind, stream, bound):
    case = Case(kind, stream, endings.BY_NAME["answer"], seed)
    case.bound = bound
    case.prepare(rich)

    async def ask(key):
        case.key = key
        link = await kind.send(case)
        return await asyncio.wait_for(link.read(), 600)
    free, budgeted = rich.loop.run(sent(rich, case.plan, ask))
    assert free == budgeted


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("own", ["", "own-"], ids=["tables-price", "own-price"])
@pytest.mark.parametrize("name", NAMED)
def test_nor_is_a_known_model_shortened(rich, name, own, stream):
    model, path, more = NAMED[name]
    plan = rich.vendor.plan(words=5, prompt=5)
    said = [{"role": "user", "content": f"{plan.id} hello"}]
    body = {"model": own + name, "input" if "responses" in path else "messages": said, **more}
    if "models/" in path:
        path = path.replace("gemini-google", own + name)
        body = {"contents": [{"role": "user", "parts": [{"text": f"{plan.id} hello"}]}]}
        if stream:
            path = path.replace("generateContent", "streamGenerateContent?alt=sse")
    elif stream:
        body["stream"] = True
    free, budgeted = rich.loop.run(sent(
        rich, plan, lambda key: call(rich.port, "POST", path, body, key)))
    assert free == budgeted
