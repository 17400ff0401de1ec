# SPDX-License-Identifier: Apache-2.0
"""No credential of the deployment leaves in an error or stands in a log, whatever upstreams repeat.

Each field of the configuration that holds a credential has a value of its own; every route is
called with each manner of failing, and all that comes out is searched for those values.
"""

import base64
import http.client
import itertools
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from echo_upstream import MANNERS, EchoUpstream
from gateway import Answer, Gateway, patient, wait_until

TAKES_S = 45
CHILD = pathlib.Path(__file__).resolve().parent / "lib" / "echo_child.py"
MASTER = "sk-Canary/master+key=0001"
NAMES = itertools.count(1)
PLACE = "/srv/work/of-a-child"  # no secret, though a variable holds it
CANARIES = {"master": MASTER, "legal": "canary.legal-name.token-0042"} # the name of a field, too


def canary(name):
    """A value with what JSON, URLs and headers spell in other ways."""
    return CANARIES.setdefault(name, f"CANARY/{name}+{next(NAMES):03d}=x.y")


def model(name, **params):
    return {"model_name": name, "litellm_params": {**params, "extra_headers": {
        "x-extra": canary(f"{name}-extra-header"), "x-legal": CANARIES["legal"]}}}


def config(up, state):
    key = lambda name: {"api_key": canary(f"{name}-key")}
    models = [
        model("open", model="openai/gpt", api_base=f"{up}/v1", **key("open")),
        model("claude", model="anthropic/claude", api_base=up, **key("claude")),
        model("gemini", model="gemini/gemini", api_base=up, **key("gemini")),
        model("azure", model="azure/gpt", api_base=up, api_version="2024-10-21", **key("azure")),
        model("converse", model="bedrock/converse/anthropic.claude-x", aws_region_name="us-east-1",
              aws_access_key_id=canary("aws-id"), aws_secret_access_key=canary("aws-secret"),
              aws_session_token=canary("aws-session"), aws_bedrock_runtime_endpoint=up),
        model("rerank", model="cohere/rerank-v3", api_base=up, **key("cohere")),
        model("mistral", model="mistral/m", api_base=f"{up}/v1", **key("mistral")),
    ]
    for one in models:
        if one["model_name"] in ("open", "claude", "gemini", "azure"):
            one["litellm_params"]["use_in_pass_through"] = True
    return {
        "model_list": models,
        "litellm_settings": {"num_retries": 0},
        "general_settings": {"master_key": MASTER, "pass_through_endpoints": [
            {"path": "/pt", "target": f"{up}/pt", "include_subpath": True, "headers": {
                "authorization": "Bearer " + canary("pass-bearer"),
                "x-own": canary("pass-header"), "x-legal": CANARIES["legal"]}}]},
        "mcp_servers": {
            "child": {"command": sys.executable, "transport": "stdio",
                      "args": [str(CHILD), "--api-key", canary("child-argument")],
                      "env": {"SERVICE_TOKEN": canary("child-token"), "WORK_DIR": PLACE,
                              "PLAIN": canary("child-variable")}},
            "bearer": {"url": f"{up}/mcp", "transport": "http", "auth_type": "bearer_token",
                       "auth_value": canary("mcp-bearer"),
                       "static_headers": {"X-Static": canary("mcp-static")}},
            "basic": {"url": f"{up}/mcp", "transport": "http", "auth_type": "basic",
                      "auth_value": "user:" + canary("mcp-basic")},
            "machine": {"url": f"{up}/mcp", "transport": "http", "auth_type": "oauth2",
                        "oauth2_flow": "client_credentials", "client_id": "kanmon",
                        "client_secret": canary("mcp-client"), "token_url": f"{up}/token"},
            "issued": {"url": f"{up}/refusing", "transport": "http", "auth_type": "oauth2",
                       "oauth2_flow": "client_credentials", "client_id": "kanmon",
                       "client_secret": canary("mcp-client"), "token_url": f"{up}/issue"},
        },
        "kanmon_settings": {"state_dir": str(state), "workers": 1, "log_level": "debug"},
    }


@pytest.fixture(scope="module")
def echo():
    with EchoUpstream() as upstream:
        upstream.issued = canary("issued-token")
        yield upstream


@pytest.fixture(scope="module")
def veiled(echo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("veil")
    with Gateway(folder, json.dumps(config(echo.url, folder / "state"))) as gateway:
        yield gateway


def found(text):
    """The values in it, in any spelling."""
    if isinstance(text, str):
        text = text.encode()
    plain = text.decode("latin-1")
    spellings = {plain}
    if "%" in plain:
        spellings.add(urllib.parse.unquote(plain))
    if "\\" in plain:
        spellings |= {plain.replace("\\/", "/"),
                      re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), plain)}
    seen = []
    for name, value in CANARIES.items():
        coded = base64.b64encode(value.encode()).decode()
        mixed = base64.b64encode(f"user:{value}".encode()).decode()
        for spelling in spellings:
            if any(v in spelling for v in (value, coded, mixed, value[:16])):
                seen.append(name)
                break
    return seen


def clean(what, text):
    leaked = found(text)
    assert not leaked, (what, leaked, text[-1500:])


PASSES = ("/pt", "/openai/", "/openai_passthrough/", "/anthropic/", "/gemini/", "/bedrock/",
          "/vertex", "/azure/")


def is_success(path, manner, answer):
    """What an upstream says went well is never edited: below a vendor's prefix and a path that is
    passed through, a whole body of status 200."""
    return answer.status == 200 and path.startswith(PASSES) and (
        "event-stream" not in answer.header("content-type", ""))


def say(gateway, method, path, body=None, manner=None, **more):
    try:
        answer = gateway.call(method, path, body, key=MASTER, **more)
    except http.client.IncompleteRead as broken:  # a stream that broke has a broken end
        answer = Answer(200, {"content-type": "text/event-stream"}, broken.partial)
    clean((method, path, answer.status), json.dumps(answer.headers))
    if not is_success(path, manner, answer):
        clean((method, path, answer.status), answer.body)
    return answer


MESSAGES = [{"role": "user", "content": "hi"}]
CHAT, INPUT = {"messages": MESSAGES, "max_tokens": 10}, {"input": "hi"}
BODIES = {  # by a word of the path
    "rerank": [{"query": "a", "documents": ["b"]}], "embed": [INPUT], "moderations": [INPUT],
    "responses": [INPUT, {**INPUT, "stream": True}], "speech": [{**INPUT, "voice": "v"}],
    "images": [{"prompt": "hi"}], "generateContent": [{"contents": [{"parts": [{"text": "hi"}]}]}],
    "gemini": [{"contents": [{"parts": [{"text": "hi"}]}]}, {"contents": [], "stream": True}],
    "chat": [CHAT, {**CHAT, "stream": True}], "messages": [CHAT, {**CHAT, "stream": True}],
    "completions": [{"prompt": "hi"}, {"prompt": "hi", "stream": True}],
    "": [{**CHAT, **INPUT}, {**CHAT, **INPUT, "stream": True}],
}


def bodies(path):
    return next(found for word, found in BODIES.items() if word in path)


def fill(path, name):
    path = path.replace("{rest:path}", f"v1/models/{name}:generateContent" if "gemini" in path or
                        "vertex" in path else f"model/{name}/converse" if "bedrock" in path else
                        f"openai/deployments/{name}/chat/completions" if "azure" in path
                        else "v1/messages" if "anthropic" in path else "v1/chat/completions")
    path = re.sub(r"\{[a-z_]*model[a-z_]*(:path)?\}", name, path)
    return re.sub(r"\{[^}]*\}", "x", path)


# What changes the gateway, and streams that wait for news and never end.
LEFT_OUT = re.compile(r"/kanmon/reload$|(^|/)mcp$|/sse$|^/mcp/|/\{[a-z_]+\}/mcp|^/v1/mcp/server$|"
                      r"^/key/(delete|block)$|realtime$|/login|/toolset")


def routes(gateway):
    rows = gateway.call("GET", "/routes", key=MASTER).json()
    rows = rows if isinstance(rows, list) else rows["routes"]
    for row in rows:
        methods = row.get("methods") or [row["method"]]
        for method in methods:
            if not LEFT_OUT.search(row["path"]):
                yield "POST" if method == "*" else method, row["path"]
    yield from (("POST", "/pt/x"), ("GET", "/pt/x"))  # the configuration's own


MODELS = ["open", "claude", "gemini", "azure", "converse", "rerank", "mistral"]


@pytest.mark.parametrize("manner", MANNERS)
def test_no_route_gives_a_credential_away(veiled, echo, manner, long):
    """The short form asks each model every fourth time, beginning elsewhere for each manner: all of
    them together have asked everything several times."""
    echo.manner = manner
    before = len(echo.heard)
    turns = itertools.count(list(MANNERS).index(manner))
    for method, path in routes(veiled):
        if method == "GET" or method == "DELETE":
            say(veiled, method, fill(path, "open"))
            continue
        hard = "{" in path or any(word in path for word in ("chat/completions", "messages",
                                                            "responses", "embeddings"))
        for name in MODELS if hard else ["open"]:
            for body in bodies(path):
                if hard and not long and next(turns) % 4:
                    continue
                target = fill(path, name)
                if "gemini" in path and body.get("stream"):
                    target = target.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
                say(veiled, method, target, {"model": name, **body}, manner=manner)
    heard = "".join(echo.heard[before:])
    assert len(found(heard)) > 8, "the upstream was not given what it should repeat"
    clean("log", veiled.log.read_bytes())


@pytest.mark.parametrize("manner", ["json-401", "text", "broken", "event", "no-http", "html"])
def test_no_mcp_server_gives_a_credential_away(veiled, echo, manner):
    echo.manner = manner
    head = {"accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-11-25"}
    for path in ("/mcp", "/mcp/child", "/mcp/bearer", "/mcp/basic", "/mcp/machine", "/mcp/issued"):
        for name in ("fails", "refuses", "dies", "none"):
            for prefix in ("", "child-", "bearer-", "basic-", "machine-", "issued-"):
                say(veiled, "POST", path, {
                    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                    "params": {"name": prefix + name, "arguments": {}}}, headers=head)
        for method in ("tools/list", "prompts/list", "resources/list"):
            say(veiled, "POST", path, {"jsonrpc": "2.0", "id": 1, "method": method}, headers=head)
    for server in ("child", "bearer", "basic", "machine", "issued"):
        say(veiled, "POST", f"/kanmon/mcp/servers/{server}/restart", {})
        say(veiled, "POST", "/mcp-rest/tools/call", {"server_id": server, "name": "fails",
                                                     "arguments": {}})
        say(veiled, "GET", f"/mcp-rest/tools/list?server_id={server}")
        say(veiled, "GET", f"/kanmon/mcp/servers/{server}/log")
        say(veiled, "GET", f"/kanmon/mcp/servers/{server}")
    assert "it was [redacted]" in say(veiled, "POST", "/mcp-rest/tools/call", {
        "server_id": "issued", "name": "fails", "arguments": {}}).body.decode()


def test_no_log_message_of_a_server_gives_a_credential_away(veiled, echo):
    head = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}

    def ask(method, params):
        return say(veiled, "POST", "/mcp/child", {"jsonrpc": "2.0", "id": 1, "method": method,
                                                  "params": params}, headers=head)

    hello = ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                               "clientInfo": {"name": "t", "version": "1"}})
    head["mcp-session-id"] = hello.header("mcp-session-id")
    assert ask("logging/setLevel", {"level": "debug"}).status == 200
    name = next(tool["name"] for tool in json.loads(re.search(
        rb"\{.*\}", ask("tools/list", {}).body)[0])["result"]["tools"]
        if tool["name"].endswith("logs"))
    said = ask("tools/call", {"name": name, "arguments": {}}).body
    assert b"notifications/message" in said and b"told: " in said and b"went well" in said
    assert b"[redacted]" in said


def test_the_folder_of_a_server_is_no_credential(veiled, echo):
    """It is in the error that says where the server may go."""
    said = say(veiled, "POST", "/mcp-rest/tools/call",
               {"server_id": "child", "name": "fails", "arguments": {}}).body.decode()
    assert PLACE in said and "[redacted]" in said


def test_no_session_gives_a_credential_away(veiled, echo):
    for manner, path in itertools.product(
            ("text", "json-401"), ("/v1/realtime?model=open", "/openai/realtime?deployment=azure")):
        echo.manner = manner
        told = []
        try:
            with websockets.sync.client.connect(
                    f"ws://127.0.0.1:{veiled.port}{path}", close_timeout=5,
                    additional_headers={"authorization": f"Bearer {MASTER}"}) as session:
                while True:
                    told.append(session.recv(timeout=patient(20)))
        except ConnectionClosed as end:
            told.append(str(end.rcvd))
        except InvalidStatus as refused:
            told.append(str(refused.response.body))
        assert told
        clean(path, " ".join(map(str, told)))


def test_an_error_says_what_it_is_about_all_the_same(veiled, echo):
    echo.manner = "json-400"
    answer = say(veiled, "POST", "/v1/chat/completions", {"model": "open", "messages": MESSAGES})
    assert answer.status == 400 and "openai answered 400" in answer.json()["error"]["message"]
    assert "[redacted]" in answer.json()["error"]["message"]
    answer = say(veiled, "POST", "/pt/x", {"a": 1})
    assert answer.status == 400 and "[redacted]" in answer.json()["error"]["message"]


def test_nothing_that_is_shown_or_kept_holds_a_credential(veiled, echo):
    wait_until(lambda: veiled.call("GET", "/health/readiness", key=None).status == 200)
    for path in ("/metrics", "/health", "/kanmon/status", "/kanmon/events", "/kanmon/mcp/servers",
                 "/v1/mcp/server", "/kanmon/approvals", "/spend/logs", "/key/list", "/v1/models"):
        say(veiled, "GET", path)
    for words in (("status",), ("status", "--json"), ("mcp", "list"), ("mcp", "logs", "child"),
                  ("doctor", "--no-network"), ("config", "show")):
        done = veiled.command(*words, "--config", veiled.config)
        clean(words, done.stdout + done.stderr)
    clean("ps", subprocess.run(["ps", "-o", "args=", "-p", str(veiled.process.pid)],
                               capture_output=True, text=True, check=True).stdout)
    clean("log", veiled.log.read_bytes())
    for path in (veiled.folder / "state").rglob("*"):
        if path.is_file():
            clean(path, path.read_bytes())
    clean("log", veiled.log.read_bytes())
