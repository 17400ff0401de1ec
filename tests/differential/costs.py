#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What LiteLLM's own calculator makes of prices and usages: tests/data/prices/costs.json.

    costs.py --venv DIR            are the kept costs those of the LiteLLM installed there?
    costs.py --venv DIR --write    makes them anew

The unit test policy/price_litellm reads the same entries by kanmon's columns and has to come to
the same costs.  Entries are LiteLLM's own rows of the models named below, and some made up.
"""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
KEPT = HERE.parent / "data" / "prices" / "costs.json"

MODELS = """gpt-4o gpt-4o-mini gpt-4.1 gpt-5 gpt-5-mini gpt-5.4 gpt-5.5 o3 gpt-audio
claude-opus-4-6 claude-sonnet-4-5 claude-opus-5 claude-haiku-4-5 azure/gpt-4o azure/us/gpt-4o-2024-08-06
azure/gpt-4.1 gemini/gemini-2.5-pro gemini/gemini-2.5-flash gemini/gemini-3.1-pro-preview
anthropic.claude-sonnet-4-5-20250929-v1:0 amazon.nova-pro-v1:0 mistral/mistral-large-latest
deepseek/deepseek-chat deepseek/deepseek-v4-pro xai/grok-4.3 dashscope/qwen-plus dashscope/qwen-flash
perplexity/sonar-pro fireworks_ai/accounts/fireworks/models/deepseek-v3p1 groq/openai/gpt-oss-120b
gpt-4o-audio-preview-2024-12-17""".split()

FLAT = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
MADE = {
    "openai/flat": FLAT,
    "openai/strings": {"input_cost_per_token": "1e-6", "output_cost_per_token": "0.000002"},
    "openai/nulls": {**FLAT, "cache_read_input_token_cost": None},
    "openai/tier": {**FLAT, "input_cost_per_token_above_200k_tokens": 1e-5},
    "openai/tiers": {**FLAT, "input_cost_per_token_above_128k_tokens": 3e-6,
                     "output_cost_per_token_above_200k_tokens": 9e-6,
                     "input_cost_per_token_above_272k_tokens": 4e-6},
    "openai/services": {**FLAT, "input_cost_per_token_flex": 5e-7,
                        "output_cost_per_token_priority": 7e-6,
                        "cache_read_input_token_cost": 1e-7,
                        "cache_read_input_token_cost_priority": 3e-7,
                        "input_cost_per_token_above_200k_tokens": 8e-6,
                        "input_cost_per_token_above_200k_tokens_priority": 9e-6,
                        "input_cost_per_token_batches": 3e-7, "output_cost_per_token_batches": 4e-7},
    "openai/thinking": {**FLAT, "output_cost_per_reasoning_token": 5e-6,
                        "output_cost_per_token_priority": 6e-6},
    "openai/hours": {**FLAT, "cache_creation_input_token_cost": 3e-6,
                     "cache_creation_input_token_cost_above_1hr": 5e-6,
                     "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 7e-6},
    "openai/zero": {"input_cost_per_token": 0, "output_cost_per_token": 0},
    "openai/ranges": {"tiered_pricing": [
        {"range": [0, 32000], "input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6},
        {"range": [32000, 128000], "input_cost_per_token": 2e-6, "output_cost_per_token": 5e-6,
         "cache_read_input_token_cost": 2e-7},
        {"range": [128000, 252000], "input_cost_per_token": 3e-6, "output_cost_per_token": 6e-6,
         "output_cost_per_reasoning_token": 8e-6}]},
}

# kanmon's names of what was used; LiteLLM's are made of them below.
USAGES = [
    {"prompt_tokens": 1000, "completion_tokens": 500},
    {"prompt_tokens": 1, "completion_tokens": 0},
    {"prompt_tokens": 1000, "completion_tokens": 10, "cached_tokens": 900},
    {"prompt_tokens": 5000, "completion_tokens": 10, "cached_tokens": 900,
     "cache_write_tokens": 3000},
    {"prompt_tokens": 5000, "completion_tokens": 10, "cache_write_tokens": 3000,
     "cache_write_1h_tokens": 2000},
    {"prompt_tokens": 1000, "completion_tokens": 700, "reasoning_tokens": 600},
    {"prompt_tokens": 1000, "completion_tokens": 700, "audio_tokens": 300,
     "audio_completion_tokens": 200},
    *({"prompt_tokens": n, "completion_tokens": 1000, "cached_tokens": 50000}
      for n in (128000, 128001, 199999, 200000, 200001, 272000, 272001)),
    {"prompt_tokens": 300000, "completion_tokens": 900, "cache_write_tokens": 100000,
     "cache_write_1h_tokens": 60000},
    *({"prompt_tokens": n, "completion_tokens": 700, "reasoning_tokens": 500, "cached_tokens": 400,
       "service": s} for n in (1000, 250000, 300000) for s in ("flex", "priority")),
    {"prompt_tokens": 1000, "completion_tokens": 700, "service": "batch"},
    {"prompt_tokens": 1000, "completion_tokens": 700, "cached_tokens": 400, "fast": 1},
    {"prompt_tokens": 1000, "completion_tokens": 700, "cached_tokens": 400, "in_us": 1},
    {"prompt_tokens": 1000, "completion_tokens": 700, "fast": 1, "in_us": 1},
    {"prompt_tokens": 1000, "completion_tokens": 700, "web_searches": 3},
]

# Run by the environment's own Python.
RUN = r"""
import importlib.metadata, json, sys
import litellm
from litellm.cost_calculator import batch_cost_calculator
from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token
from litellm.llms.anthropic import cost_calculation as anthropic
from litellm.llms.gemini import cost_calculator as gemini
from litellm.types.utils import (CacheCreationTokenDetails, CompletionTokensDetailsWrapper,
                                 PromptTokensDetailsWrapper, ServerToolUse, Usage)

asked = json.load(sys.stdin)
entries = {n: litellm.model_cost[n] for n in asked["models"] if n in litellm.model_cost}
for entry in entries.values():
    entry.pop("off_peak_pricing", None)  # kanmon takes the dearest hour: a budget must hold then
entries |= asked["made"]

def usage_of(u):
    get = lambda name: u.get(name, 0)
    written, hour = get("cache_write_tokens"), get("cache_write_1h_tokens")
    prompt = dict(cached_tokens=get("cached_tokens"), audio_tokens=get("audio_tokens"))
    if written:
        prompt["cache_creation_tokens"] = written
        prompt["cache_creation_token_details"] = CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=written - hour, ephemeral_1h_input_tokens=hour)
    usage = Usage(prompt_tokens=u["prompt_tokens"], completion_tokens=u["completion_tokens"],
                  total_tokens=u["prompt_tokens"] + u["completion_tokens"],
                  prompt_tokens_details=PromptTokensDetailsWrapper(**prompt),
                  completion_tokens_details=CompletionTokensDetailsWrapper(
                      reasoning_tokens=get("reasoning_tokens"),
                      audio_tokens=get("audio_completion_tokens")))
    if get("fast"):
        usage.speed = "fast"
    if get("in_us"):
        usage.inference_geo = "us"
    if get("web_searches"):
        usage.server_tool_use = ServerToolUse(web_search_requests=u["web_searches"])
    return usage

def cost_of(name, entry, u):
    provider = entry.get("litellm_provider") or name.split("/")[0]
    usage, service = usage_of(u), u.get("service")
    if service == "batch":
        return sum(batch_cost_calculator(usage, name, provider, model_info=dict(entry)))
    if provider == "anthropic":
        total = sum(anthropic.cost_per_token(name, usage, service, model_info=entry))
        return total + anthropic.get_cost_for_anthropic_web_search(entry, usage)
    total = sum(generic_cost_per_token(name, usage, provider, service, model_info=entry))
    if u.get("web_searches") and provider == "gemini":
        total += gemini.cost_per_web_search_request(usage, entry)
    return total

def suits(entry, u):
    # Is this calculator one that looks at it?
    provider = entry.get("litellm_provider")
    if u.get("fast") or u.get("in_us"):
        return provider == "anthropic"
    if u.get("service") == "batch": # of text in quotes it makes an error
        return not isinstance(entry.get("input_cost_per_token"), str) and "tiered_pricing" not in entry
    return not u.get("web_searches") or provider in ("anthropic", "gemini")

cases = [{"entry": n, "usage": u, "usd": cost_of(n, e, u)}
         for n, e in entries.items() for u in asked["usages"]
         if suits(e, u)]
print(json.dumps({"version": importlib.metadata.version("litellm"), "entries": entries,
                  "cases": cases}))
"""

# Of an entry only what is a price or says whose it is.
KEEP = ("cost", "pric", "uplift", "litellm_provider", "provider_specific_entry", "billing_unit")


def calculated(venv):
    asked = {"models": MODELS, "made": MADE, "usages": USAGES}
    done = subprocess.run([str(venv / "bin" / "python"), "-c", RUN], text=True, check=True,
                          stdout=subprocess.PIPE, input=json.dumps(asked),
                          env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": "/usr/bin:/bin"})
    answer = json.loads(done.stdout.splitlines()[-1])
    for entry in answer["entries"].values():
        for name in [n for n in entry if not any(k in n for k in KEEP)]:
            del entry[name]
    for case in answer["cases"]:
        case["nanousd"] = round(case.pop("usd") * 1e9)
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    now = calculated(args.venv)
    if args.write:
        lines = ",\n".join(json.dumps(c, sort_keys=True) for c in now["cases"])
        entries = ",\n".join(f"{json.dumps(n)}: {json.dumps(e, sort_keys=True)}"
                             for n, e in sorted(now["entries"].items()))
        KEPT.write_text(f'{{"version": "{now["version"]}", "entries": {{\n{entries}\n}}, '
                        f'"cases": [\n{lines}\n]}}\n')
    kept = json.loads(KEPT.read_text())
    wrong = [c for c in now["cases"] if c not in kept["cases"]]
    for case in wrong[:20]:
        print(f"costs: kept otherwise: {case}")
    if kept["version"] != now["version"] or kept["entries"] != now["entries"]:
        wrong.append("entries")
        print(f"costs: costs.json is not of LiteLLM {now['version']}: costs.py --write")
    print(f"costs: {len(now['cases'])} costs of {len(now['entries'])} prices, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
