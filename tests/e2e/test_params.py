# SPDX-License-Identifier: Apache-2.0
"""litellm_params: what reaches the provider, what is kept back, and what stops the start."""

import json
import re

import pytest

from gateway import TOP, patient

SECRET = "AKsecretvalue123"


def rows(name):
    """The names of a table of src/llm."""
    text = (TOP / "src" / "llm" / name).read_text()
    return re.findall(r'^    \{ "([^"]+)",', text, re.M)


REQUEST, LITELLM = rows("param_request.c"), rows("param_litellm.c")


def config(state, *models):
    """A file whose models are (name, litellm_params); they cost nothing, or that would be said."""
    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    return json.dumps({
        "model_list": [{"model_name": n, "litellm_params": p, "model_info": free}
                       for n, p in models],
        "general_settings": {"master_key": "sk-e2e-master"},
        "kanmon_settings": {"state_dir": str(state), "workers": 1}})


def openai(upstream, **params):
    return {"model": "openai/ok-params", "api_base": upstream.url + "/v1", "api_key": "sk-up",
            **params}


@pytest.fixture
def check(tmp_path, new_gateway):
    """check(params...): exit status and diagnostics of `config check` for models of these."""
    def run(*params, yaml=False):
        text = config(tmp_path / "state", *((f"m{i}", p) for i, p in enumerate(params)))
        if yaml:
            text = text.replace("Infinity", ".inf").replace("NaN", ".nan")
        text = text.replace('"litellm_params": {', '"litellm_params": {\n')
        gateway = new_gateway(config=text, start=False)
        done = gateway.command("config", "check", gateway.config, "--json")
        assert SECRET not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)
    return run


def said(diagnostics, name):
    return [d for d in diagnostics if f".{name} " in d["message"] + " "]


def test_a_default_without_its_variable_is_said(check):
    code, found = check(dict(model="openai/x", api_key="k", seed="os.environ/KM_NOT_SET_1", Top_P=1,
                             response_format={"a": ["os.environ/KM_NOT_SET_2"]}))
    assert code == 0 and sorted(d["code"] for d in found) == ["W0104", "W0104", "W0304"]
    assert "KM_NOT_SET_1" in said(found, "seed:")[0]["message"]
    assert "KM_NOT_SET_2" in said(found, "response_format:")[0]["message"]
    assert "'top_p'" in said(found, "Top_P")[0]["suggestion"]


def test_a_number_that_json_has_not_stops_the_start(check):
    for value in ({"min_p": float("inf")}, {"extra_body": {"a": [float("nan")]}}):
        # Python writes Infinity and NaN, YAML .inf and .nan; both files are the same otherwise.
        code, found = check({"model": "openai/x", "api_key": "k", **value}, yaml=True)
        assert code == 5 and [d["code"] for d in found] == ["E0102"], found


def test_what_a_model_never_takes_is_said_at_load(check):
    def claude_of(model, **params):
        return {"model": f"anthropic/{model}", "api_key": "k", **params}
    code, found = check(claude_of("claude-opus-4-1", temperature=0.3, top_p=0.9),
                        claude_of("claude-sonnet-4-0", temperature=0.3, top_k=9),
                        claude_of("claude-opus-4-7", temperature=0.3))
    assert code == 0 and [d["code"] for d in found] == ["W0306", "W0306"], found
    assert "top_p" in found[0]["message"] and "claude-opus-4-1" in found[0]["message"]
    assert "temperature" in found[1]["message"] and "claude-opus-4-7" in found[1]["message"]


# --- parameters of requests ---

@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "openai_like", "openrouter"])
def test_every_parameter_of_requests_reaches_a_compatible_provider(new_gateway, upstream, tmp_path,
                                                                   provider):
    assert len(REQUEST) > 350
    chunks = [REQUEST[i:i + 40] for i in range(0, len(REQUEST), 40)]
    values = {n: 1 if n in ("n", "best_of") or n.startswith("max_") else {"of": [n, 1.5, True]}
              for n in REQUEST}
    models = [(f"m{i}", openai(upstream, **{n: values[n] for n in names})
               | {"model": f"{provider}/ok-params"}) for i, names in enumerate(chunks)]
    gateway = new_gateway(config=config(tmp_path / "state", *models), start=False)
    done = gateway.command("config", "check", gateway.config)
    assert done.returncode == 0 and "0 errors, 0 warnings" in done.stderr, done.stdout
    gateway.start()
    for i, names in enumerate(chunks):
        upstream.reset()
        assert gateway.chat(f"m{i}").status == 200
        got = json.loads(upstream.seen()[0].body)
        assert {n: got.get(n) for n in names} == {n: values[n] for n in names}
        assert set(got) == {"model", "messages", *names}


def test_a_caller_wins_over_a_default(new_gateway, upstream, tmp_path):
    gateway = new_gateway(config=config(tmp_path / "s", ("m", openai(upstream, top_k=4, min_p=0.1))))
    assert gateway.chat("m", top_k=9).status == 200
    got = upstream.seen()[0].json()
    assert got["top_k"] == 9 and got["min_p"] == 0.1


@pytest.mark.parametrize("name, value", [("stream", True), ("model", "other"), ("input", "x"),
                                         ("messages", [{"role": "user", "content": "x"}]),
                                         ("prompt", "x"), ("Stream", True),
                                         ("stream_options", {"include_usage": True})])
@pytest.mark.parametrize("below", [False, True])
def test_what_a_request_says_itself_is_no_default(new_gateway, upstream, tmp_path, check, name,
                                                  value, below):
    params = openai(upstream)
    if name != "model" or below:
        params |= {"extra_body": {name: value}} if below else {name: value}
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    answer = gateway.chat("m")
    assert answer.status == 200 and answer.json()["choices"][0]["message"]["content"]
    assert set(upstream.seen()[0].json()) == {"model", "messages"}
    assert upstream.seen()[0].json()["model"] == "ok-params"
    if name != "model":
        assert len(said(check(params)[1], name)) == 1


# --- LiteLLM's own ---

def test_litellms_own_names_never_reach_a_provider(new_gateway, upstream, tmp_path):
    nested = {"search_context_cost_per_query": {"search_context_size_low": 0.01},
              "tiered_pricing": [{"range": [0, 1000], "input_cost_per_token": 1e-6}]}
    code = {n: nested.get(n, 1e-6 if "cost" in n or "uplift" in n else "x") for n in LITELLM}
    fixed = openai(upstream)
    text = config(tmp_path / "state", ("m", {"temperature": 0.5, **fixed}))
    accept = [f"model_list.litellm_params.{n}" for n in LITELLM]
    rowless = set(LITELLM) - set(json.loads(schema(new_gateway))["properties"]["model_list"]
                                 ["items"]["properties"]["litellm_params"]["anyOf"][1]
                                 ["properties"])
    loaded = json.loads(text)
    loaded["model_list"][0]["litellm_params"].update({n: code[n] for n in rowless})
    loaded["kanmon_settings"]["accept_unsupported"] = accept
    assert len(rowless) > 250
    gateway = new_gateway(config=json.dumps(loaded))
    assert gateway.chat("m").status == 200
    assert set(upstream.seen()[0].json()) == {"model", "messages", "temperature"}


def schema(new_gateway):
    return new_gateway(start=False).command("config", "schema").stdout


def test_litellms_own_names_are_said_once(check, upstream):
    name = "google_maps_grounding_cost_per_query"
    code, found = check(*(openai(upstream, **{name: 1e-5, "use_litellm_proxy": True,
                                              "litellm_trace_id": "", "supports_reasoning": True,
                                              "base_model": "x"})
                          for _ in range(3)))
    assert code == 0 and [d["code"] for d in said(found, name)] == ["W0103"]
    assert "Google Maps" in said(found, name)[0]["suggestion"]
    assert len(said(found, "use_litellm_proxy")) == 1
    assert not said(found, "litellm_trace_id") and not said(found, "base_model")


@pytest.mark.parametrize("value, status", [(["us"], 5), ([], 0), (None, 0), (False, 0), ("", 0)])
def test_one_that_restricts_stops_the_start(check, upstream, value, status):
    code, found = check(openai(upstream, allowed_model_region=value))
    assert code == status
    assert [d["code"] for d in said(found, "allowed_model_region")] == ["E0108"] * (status > 0)


def test_accept_unsupported_lets_it_start(new_gateway, upstream, tmp_path):
    text = json.loads(config(tmp_path / "state", ("m", openai(upstream, guardrails=["a"]))))
    text["kanmon_settings"]["accept_unsupported"] = ["model_list.litellm_params.guardrails"]
    gateway = new_gateway(config=json.dumps(text))
    assert gateway.chat("m").status == 200
    assert "guardrails" not in upstream.seen()[0].json()


# --- mistakes ---

@pytest.mark.parametrize("name, row", [
    ("api_bse", "api_base"), ("apiBase", "api_base"), ("api-base", "api_base"),
    ("api_kye", "api_key"), ("aws_secret_acces_key", "aws_secret_access_key"),
    ("organisation", "organization"), ("vertex_projct", "vertex_project"),
    ("input_cost_per_tokn", "input_cost_per_token"), ("rpmm", "rpm"), ("max_buget", "max_budget")])
@pytest.mark.parametrize("model", ["openai/x", "gemini/x", "ollama/x", "*"])
def test_a_misspelled_guarded_row_stops_the_start(check, name, row, model):
    code, found = check({"model": model, "api_key": "sk-x", name: SECRET})
    d, = said(found, name)
    assert code == 5 and d["level"] == "error" and d["code"] == "E0304"
    assert f"'{row}'" in d["suggestion"] and "extra_body" in d["suggestion"]
    assert d["line"] == 2 and d["column"] > 1 and d["file"].endswith("config.yaml")


@pytest.mark.parametrize("name", ["hf_token", "company_api_key", "proxyPassword", "x-auth-token"])
def test_what_sounds_like_a_credential_stops_the_start(check, upstream, name):
    code, found = check(openai(upstream, **{name: SECRET}))
    d, = said(found, name)
    assert code == 5 and d["code"] == "E0305" and "extra_body" in d["suggestion"]


def test_the_start_says_where_and_what_to_do(new_gateway, upstream, tmp_path):
    gateway = new_gateway(config=config(tmp_path / "s", ("m", openai(upstream, api_kye=SECRET))),
                          start=False)
    gateway.start(wait=False)
    assert gateway.process.wait(patient(30)) == 5
    log = gateway.log.read_text()
    said = r"litellm_params\.api_kye .*'api_key'.*config\.yaml:1:\d+.*extra_body"
    assert re.search(said, log, re.S), log
    assert SECRET not in log


def test_extra_body_is_never_judged(new_gateway, upstream, check, tmp_path):
    extra = {"api_kye": "x", "hf_token": "y", "my_flag": 1, "guardrails": ["a"], "base_model": "z"}
    code, found = check(openai(upstream, extra_body=extra))
    assert code == 0 and not found
    gateway = new_gateway(config=config(tmp_path / "s", ("m", openai(upstream, extra_body=extra))))
    assert gateway.chat("m").status == 200
    assert extra.items() <= upstream.seen()[0].json().items()


def test_anything_else_is_sent_and_said_once(new_gateway, upstream, check, tmp_path):
    params = openai(upstream, context_window=4096, rpm_limit=5, tpm_limit=6, max_token=7)
    code, found = check(params, params)
    assert code == 0
    for name, meant in (("context_window", ""), ("rpm_limit", "'rpm'"), ("tpm_limit", "'tpm'"),
                        ("max_token", "'max_tokens'")):
        d, = said(found, name)
        assert d["level"] == "warning" and "openai" in d["message"]
        assert meant in d["suggestion"] and "extra_body" in d["suggestion"]
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    assert gateway.chat("m").status == 200
    assert upstream.seen()[0].json()["context_window"] == 4096


@pytest.mark.parametrize("path, body", [
    ("/v1/messages", {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}),
    ("/v1beta/models/m:generateContent", {"contents": [{"role": "user",
                                                        "parts": [{"text": "hi"}]}]})])
def test_defaults_reach_a_compatible_provider_from_other_apis(new_gateway, upstream, tmp_path, path,
                                                              body):
    said = {"top_k": 3, "prompt_cache_retention": "24h", "service_tier": "flex", "seed": 4}
    gateway = new_gateway(config=config(tmp_path / "s", ("m", openai(upstream, **said))))
    answer = gateway.call("POST", path, body if "beta" in path else {"model": "m", **body})
    assert answer.status == 200, answer
    assert said.items() <= upstream.seen()[-1].json().items()


# --- providers that requests are translated for ---

def claude(anthropic, **params):
    return {"model": "anthropic/claude-opus-4-6--text", "api_base": anthropic.url,
            "api_key": "sk-ant", **params}


def test_a_default_a_provider_does_not_know_is_said_at_load(new_gateway, anthropic, check,
                                                            tmp_path):
    params = claude(anthropic, guided_json={"a": 1}, my_flag=1, seed=3, temperature=0.3,
                    stop=["END"])
    code, found = check(params)
    assert code == 0
    assert [d["code"] for d in found] == ["W0306", "W0304", "W0306"]
    assert all("anthropic" in d["message"] and "extra_body" in d["suggestion"] for d in found)
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    assert gateway.chat("m").status == 200
    got = anthropic.seen()[-1].json()
    assert got["temperature"] == 0.3 and got["stop_sequences"] == ["END"]
    assert not {"guided_json", "my_flag", "seed", "stop"} & set(got)
    answer = gateway.call("POST", "/v1/messages", {
        "model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200
    got = anthropic.seen()[-1].json()  # OpenAI's names are not for its own protocol
    assert got["temperature"] == 0.3 and not {"stop", "guided_json", "my_flag", "seed"} & set(got)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_extra_body_reaches_them_too(new_gateway, anthropic, check, tmp_path, path):
    params = claude(anthropic, extra_body={"my_flag": 1, "guided_json": {"a": [1]}})
    assert check(params) == (0, [])
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    answer = gateway.call("POST", path, {"model": "m", "max_tokens": 5,
                                         "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200, answer
    got = anthropic.seen()[-1].json()
    assert got["my_flag"] == 1 and got["guided_json"] == {"a": [1]}


def test_gemini_says_it_at_load(check):
    code, found = check({"model": "gemini/gemini-2.5-pro", "api_key": "k", "seed": 1, "top_k": 2,
                         "supports_function_calling": True, "min_p": 0.1, "task_type": "X"})
    assert code == 0 and [d["code"] for d in found] == ["W0304", "W0306"]
    assert "model_info" in found[0]["suggestion"]


# --- additional_drop_params ---

def test_dropped_members_never_reach_a_compatible_provider(new_gateway, upstream, tmp_path):
    params = openai(upstream, additional_drop_params=["temperature", "response_format", "seed"],
                    seed=4, top_p=0.5)
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    body = (b'{ "temperature" : 1.10 ,\t"messages":[{"role":"user","content":"\\u0041"} ],\r\n'
            b'"model" : "m" , "response_format":{"type":"text"}, "x":[ ] }')
    assert gateway.call("POST", "/v1/chat/completions", body).status == 200
    assert upstream.seen()[0].body == (
        b'{ \t"messages":[{"role":"user","content":"\\u0041"} ],\r\n'
        b'"model" : "ok-params" ,  "x":[ ] ,"top_p":0.5}')


def test_nested_paths_are_dropped_from_bodies_and_defaults(new_gateway, upstream, anthropic,
                                                           tmp_path):
    tool = {"type": "function", "function": {"name": "t", "strict": True,
                                             "parameters": {"type": "object"}}}
    paths = ["tools[*].function.strict", "stream_options.include_usage", "x.y"]
    gateway = new_gateway(config=config(
        tmp_path / "state", ("m", openai(upstream, additional_drop_params=paths)),
        ("d", openai(upstream, additional_drop_params=paths, tools=[tool])),
        ("c", claude(anthropic, additional_drop_params=["tools[*].function.strict", "top_p"]))))
    assert gateway.chat("m", tools=[tool, tool], x={"y": 1, "z": 2}).status == 200
    got = upstream.seen()[-1].json()
    del tool["function"]["strict"]
    assert got["tools"] == [tool, tool] and got["x"] == {"z": 2}
    assert gateway.chat("d").status == 200
    assert upstream.seen()[-1].json()["tools"] == [tool]
    tool["function"]["strict"] = True
    assert gateway.chat("c", tools=[tool], top_p=0.5).status == 200
    got = anthropic.seen()[-1].json()
    assert "strict" not in json.dumps(got["tools"]) and "top_p" not in got


def test_a_bound_that_is_dropped_is_not_what_a_budget_reserves(new_gateway, upstream, tmp_path):
    prices = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-3}
    gateway = new_gateway(config=config(
        tmp_path / "state", ("keeps", openai(upstream, **prices)),
        ("drops", openai(upstream, **prices, additional_drop_params=["max_tokens"]))))
    key = gateway.new_key(max_budget=1)
    assert gateway.chat("keeps", key=key, max_tokens=9).status == 200
    assert upstream.seen()[-1].json()["max_tokens"] == 9
    assert gateway.chat("drops", key=key, max_tokens=9).status == 200
    got = upstream.seen()[-1].json()  # what is left of the budget bounds it
    assert "max_tokens" not in got and 9 < got["max_completion_tokens"] < 1000


def test_a_dropped_stream_options_is_not_asked_for(new_gateway, upstream, tmp_path):
    gateway = new_gateway(config=config(
        tmp_path / "s", ("m", openai(upstream, additional_drop_params=["stream_options"]))))
    answer = gateway.chat("m", stream=True, stream_options={"include_usage": True})
    assert answer.status == 200 and answer.events()[-1] == "[DONE]"
    assert "stream_options" not in upstream.seen()[0].json()


@pytest.mark.parametrize("path, body", [
    ("/v1/completions", {"prompt": "hi"}), ("/v1/embeddings", {"input": "hi"}),
    ("/v1/responses", {"input": "hi"})])
def test_every_endpoint_drops(new_gateway, upstream, tmp_path, path, body):
    gateway = new_gateway(config=config(
        tmp_path / "s", ("m", openai(upstream, additional_drop_params=["user", "a.b"]))))
    gateway.call("POST", path, {"model": "m", "user": "u", "a": {"b": 1, "c": 2}, **body})
    got = upstream.seen()[0].json()
    assert "user" not in got and got["a"] == {"c": 2} and got["model"] == "ok-params"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_what_a_call_needs_is_not_dropped(new_gateway, anthropic, check, tmp_path, path):
    params = claude(anthropic, additional_drop_params=["model", "messages", "stream", "metadata"])
    code, found = check(params)
    assert code == 0 and [d["code"] for d in found] == ["W0307"] * 3
    gateway = new_gateway(config=config(tmp_path / "state", ("m", params)))
    answer = gateway.call("POST", path, {"model": "m", "max_tokens": 5, "stream": True,
                                         "metadata": {"user_id": "u"},
                                         "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200 and answer.events()
    assert "metadata" not in anthropic.seen()[-1].json()


def test_a_list_for_drop_params_names_the_other_key(check, upstream):
    code, found = check(openai(upstream, drop_params=["tool_choice"]))
    assert code == 5 and "additional_drop_params" in found[0]["suggestion"]
