# SPDX-License-Identifier: Apache-2.0
"""Where a price comes from: the file's members, the built-in table, base_model; and what is said
where nobody knows one.  The upstream reports what each test has set."""

import http.server
import json
import threading

import pytest
from gateway import wait_until

TAKES_S = 18
MASTER = "sk-e2e-master"


class Reporter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        body = json.dumps({
            "id": "x", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": "hello"}}],
            "usage": self.server.usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def reporter():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reporter)
    server.seen, server.usage = [], {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


# A prompt that may have as many tokens as are reported: no text has more of them than bytes.
LONG = [{"role": "user", "content": "many words " * 25000}]


def usage(prompt, completion, **details):
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion, **details}


def config(tmp_path, *models):
    return json.dumps({
        "model_list": [{"model_name": f"m{i}", **m} for i, m in enumerate(models)],
        "general_settings": {"master_key": MASTER},
        "kanmon_settings": {"state_dir": str(tmp_path / "state"), "workers": 1}})


def entry(reporter, model="openai/mine", info=None, **params):
    return {"litellm_params": {"model": model, "api_base": reporter.url + "/v1", "api_key": "k",
                               **params}, **({"model_info": info} if info else {})}


def cost(answer):
    assert answer.status == 200, answer
    return float(answer.header("x-litellm-response-cost"))


TIERED = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
          "input_cost_per_token_above_200k_tokens": 1e-5}


def test_a_tier_of_the_file_counts_and_is_not_sent(new_gateway, reporter, tmp_path):
    gateway = new_gateway(config=config(
        tmp_path, entry(reporter, **TIERED), entry(reporter, info=TIERED)))
    reporter.usage = usage(250000, 100)
    for model in ("m0", "m1"):
        assert cost(gateway.chat(model, messages=LONG)) == pytest.approx(2.5002)
        assert set(reporter.seen[-1]) == {"model", "messages"}
    reporter.usage = usage(200000, 100)
    assert cost(gateway.chat("m0", messages=LONG)) == pytest.approx(0.2002)


def test_what_the_cache_costs_is_read_from_model_info(new_gateway, reporter, tmp_path):
    prices = {"input_cost_per_token": 1e-5, "output_cost_per_token": 0,
              "cache_read_input_token_cost": 1e-6}
    gateway = new_gateway(config=config(
        tmp_path, entry(reporter, **prices), entry(reporter, info=prices)))
    reporter.usage = usage(1000, 1, prompt_tokens_details={"cached_tokens": 900})
    assert cost(gateway.chat("m0")) == cost(gateway.chat("m1")) == pytest.approx(0.0019)


@pytest.mark.parametrize("model, base", [
    ("azure/my-dep", "gpt-4o"), ("azure/my-dep", "azure/gpt-4o"), ("azure/gpt-4o", None),
    ("azure/us/gpt-4o-2024-08-06", None), ("openai/mine", "gpt-4o"),
    ("hosted_vllm/mine", "gpt-4o"), ("azure/my-dep", "anthropic/claude-opus-4-6")])
@pytest.mark.parametrize("where", ["model_info", "litellm_params"])
def test_azure_and_base_models_have_prices(new_gateway, reporter, tmp_path, model, base, where):
    what = entry(reporter, model, api_version="2024-10-21")
    what["litellm_params"]["api_base"] = reporter.url + ("" if "azure" in model else "/v1")
    if base:
        what.setdefault(where, {})["base_model"] = base
    gateway = new_gateway(config=config(tmp_path, what))
    reporter.usage = usage(1000, 100)
    dollars = 0.0075 if base and "opus" in base else 0.0035
    assert cost(gateway.chat("m0")) == pytest.approx(dollars, rel=0.11)  # a region's uplift
    assert "base_model" not in reporter.seen[-1]


def test_what_nobody_knows_is_unknown_and_not_nothing(new_gateway, reporter, tmp_path):
    gateway = new_gateway(config=config(
        tmp_path, entry(reporter), entry(reporter, "openai/gpt-4o"),
        {"litellm_params": {"model": "openai/none", "mock_response": "hello"}},
        {"litellm_params": {"model": "ollama/llama"}}))
    reporter.usage = usage(10, 5)
    key = gateway.call("POST", "/key/generate", {}).json()["key"]
    answer = gateway.call("POST", "/v1/chat/completions",
                          {"model": "m0", "messages": [{"role": "user", "content": "hi"}]}, key=key)
    assert answer.status == 200 and answer.header("x-litellm-response-cost") is None
    assert cost(gateway.chat("m2")) == 0
    row, = wait_until(lambda: [r for r in gateway.call("GET", "/spend/logs").json()
                               if r["model"] == "openai/mine"])
    assert row["unpriced"] and row["spend"] is None and row["prompt_tokens"] == 10
    line = "1 of 4 models have no price: m0; their spend is unknown"
    assert line in gateway.log.read_text()
    for command in (("config", "check", gateway.config), ("doctor", "--no-network", "--config", gateway.config)):
        said = gateway.command(*command)
        assert said.returncode == 0 and line in said.stdout, said
        assert "kanmon prices import" in said.stdout


@pytest.mark.parametrize("name, value", [
    ("input_cost_per_token", -1e-6), ("input_cost_per_token_flex", -1e-6),
    ("output_cost_per_token_above_128k_tokens", "much"), ("cache_read_input_token_cost_priority", True),
    ("search_context_cost_per_query", {"search_context_size_low": "x"}),
    ("provider_specific_entry", {"fast": -1}), ("tiered_pricing", [{"input_cost_per_token": 1}])])
@pytest.mark.parametrize("where", ["litellm_params", "model_info"])
def test_what_is_no_price_stops_the_start(new_gateway, reporter, tmp_path, name, value, where):
    what = entry(reporter)
    what.setdefault(where, {})[name] = value
    gateway = new_gateway(config=config(tmp_path, what), start=False)
    done = gateway.command("config", "check", gateway.config, "--json")
    assert done.returncode == 5
    error, = (d for d in json.loads(done.stdout) if d["level"] == "error")
    assert error["code"] == "E0102" and "much" not in error["message"]


@pytest.mark.parametrize("value", ["1e-6", 1e-6, "0.000001"])
def test_numbers_in_quotes_are_numbers(new_gateway, reporter, tmp_path, value):
    names = ("input_cost_per_token", "output_cost_per_token",
             "input_cost_per_token_above_128k_tokens")
    gateway = new_gateway(config=config(
        tmp_path, entry(reporter, **dict.fromkeys(names, value), cache_read_input_token_cost=None)))
    reporter.usage = usage(127999, 1)
    assert cost(gateway.chat("m0", messages=LONG)) == pytest.approx(0.128)
