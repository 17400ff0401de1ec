# SPDX-License-Identifier: Apache-2.0
"""One request to a gateway, its answer, and what the upstream got: as plain data.

Volatile things (ids, times, ports, hashes, durations) are masked so that two runs of
the same program give the same data.  What is masked keeps its kind: a UUID becomes
<uuid>, so a gateway that sends none is still seen.
"""

import http.client
import json
import re
import socket
import time

MASTER = "sk-differential-master"

# Answer headers worth comparing: the rest is the business of each HTTP server.
HEADERS = re.compile(
    r"^(content-type|retry-after|allow|www-authenticate|location|x-litellm-.*|x-request-id|"
    r"x-ratelimit-.*|llm_provider-.*|rate_limit_type|reset_at|x-echo-.*|"
    r"access-control-.*)$")

# Headers of the upstream request that are the HTTP client's own.
CLIENT_NOISE = re.compile(
    r"^(host|connection|content-length|transfer-encoding|accept-encoding|accept|user-agent|"
    r"x-stainless-.*|te|date)$")

MASKS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "<host>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?"), "<time>"),
    (re.compile(r"(chatcmpl|cmpl)-mock-\d+"), r"\1-mock-<n>"),
    (re.compile(r"chatcmpl-(?!mock)[A-Za-z0-9_<>-]{6,}"), "chatcmpl-<id>"),
    (re.compile(r"cmpl-(?!mock)(?!<)[A-Za-z0-9_-]{20,}"), "cmpl-<id>"),
    (re.compile(r"sk-[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])"), "sk-<key>"),
    (re.compile(r"sk-\.\.\.[A-Za-z0-9_-]{4}"), "sk-...<last4>"),
    (re.compile(r'File \\?"[^"]*\\?", line \d+'), "File <file>"),
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"time taken=[0-9.]+"), "time taken=<number>"),
]
NUMBERS = re.compile(r"(duration-ms|overhead|response-duration|callback-duration|key-spend)")


def mask(text):
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def mask_value(value, name=""):
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [mask_value(v, name) for v in value]
    if isinstance(value, dict):
        return {mask(k): mask_value(v, k) for k, v in value.items()}
    if name == "created" and isinstance(value, int) and value not in (1700000000, 1677610602):
        return "<unix time>"
    if name.endswith(("_ms", "seconds")) and isinstance(value, (int, float)):
        return "<number>"
    return value


def mask_header(name, value):
    if NUMBERS.search(name) and re.match(r"^[0-9.e+-]+$", value):
        return "<number>"
    if name in ("x-litellm-version", "llm_provider-date", "llm_provider-content-length"):
        return "<varies>"
    return mask(value)


def parse_events(text):
    """The data of each SSE event, parsed where it is JSON; other fields are kept as text."""
    events = []
    for block in re.split(r"\r?\n\r?\n", text):
        if not block.strip():
            continue
        data = "\n".join(line[5:].lstrip(" ") for line in block.splitlines()
                         if line.startswith("data:"))
        rest = [line for line in block.splitlines() if not line.startswith("data:")]
        try:
            item = {"data": mask_value(json.loads(data))}
        except ValueError:
            item = {"data": mask(data)}
        if rest:
            item["other"] = [mask(line) for line in rest]
        events.append(item)
    return events


def without_expansions(value):
    """A listing less the known model names that LiteLLM puts in a wildcard's place: there are
    thousands, in a new order each time.  A wildcard listed as itself stays."""
    def name(item):
        return item.get("id") or item.get("model_name") or item.get("model_group") or ""

    if isinstance(value, dict) and isinstance(value.get("data"), list) and all(
            isinstance(item, dict) for item in value["data"]):
        kept = [i for i in value["data"] if "/" not in name(i) or name(i).endswith("*")]
        return {**value, "data": sorted(kept, key=name)}
    return value


def first_of(value):
    """A list cut down to its first row, also inside an object."""
    if isinstance(value, list):
        return value[:1]
    if isinstance(value, dict):
        return {k: "<count>" if k.startswith("total_") and isinstance(v, int) else first_of(v)
                for k, v in value.items()}
    return value


def body_of(kind, raw, listed=False):
    text = raw.decode("utf-8", "replace")
    if "event-stream" in kind:
        return {"events": parse_events(text)}
    if not raw:
        return {"empty": True}
    try:
        value = without_expansions(json.loads(text))
        return {"json": mask_value(first_of(value) if listed else value)}
    except ValueError:
        return {"text": mask(text)[:400]}


def request_of(case, saved):
    headers = {"content-type": "application/json"}
    key = case.get("key", "master")
    if key == "master":
        headers["authorization"] = f"Bearer {MASTER}"
    elif key:
        name, _, value = key.format(**saved).partition(":")
        headers[name] = value[1:]
    for name, value in case.get("headers", {}).items():
        headers.pop(name, None)
        if value is not None:
            headers[name] = value
    body = None
    if "raw" in case:
        body = case["raw"].encode()
    elif case.get("json") is not None:
        text = json.dumps(case["json"])
        for name, value in saved.items():
            text = text.replace("{" + name + "}", value)
        body = text.encode()
    path = case["path"]
    for name, value in saved.items():
        path = path.replace("{" + name + "}", value)
    return case["method"], path, headers, body


def run(case, host, port, upstream, saved):
    """Sends the case and returns what is compared."""
    time.sleep(case.get("delay", 0))  # the reference does it in the background, untold
    upstream.reset()
    upstream.flaky.clear()
    method, path, headers, body = request_of(case, saved)
    link = http.client.HTTPConnection(host, port, timeout=60)
    broken = None
    try:
        link.request(method, path, body, headers)
        answer = link.getresponse()
        raw = b""
        try:
            while True:
                piece = answer.read1(65536)
                if not piece:
                    break
                raw += piece
        except (http.client.HTTPException, ConnectionError, socket.timeout) as error:
            broken = type(error).__name__
        result = {
            "status": answer.status,
            "headers": {k.lower(): mask_header(k.lower(), v) for k, v in sorted(
                answer.getheaders()) if HEADERS.match(k.lower())},
            "body": body_of(answer.getheader("content-type") or "", raw, case.get("listed")),
        }
        if case.get("save") and answer.status == 200:
            parsed = json.loads(raw)
            saved.update({name: parsed[member] for name, member in case["save"].items()})
    except (http.client.HTTPException, ConnectionError, socket.timeout) as error:
        result = {"status": None, "failed": type(error).__name__}
    finally:
        link.close()
    if broken:
        result["ended"] = broken
    result["upstream"] = [{
        "method": r.method, "target": mask(r.target),
        "headers": {k.lower(): mask(v) for k, v in sorted(r.headers)
                    if not CLIENT_NOISE.match(k.lower())},
        "body": upstream_body(r.body) if case.get("upstream_body", True) else "<varies>",
    } for r in upstream.seen() if not (r.method == "GET" and r.path.endswith("/models"))]
    return result


def upstream_body(raw):
    try:
        return mask_value(json.loads(raw))
    except ValueError:
        return mask(raw.decode("utf-8", "replace"))
