# SPDX-License-Identifier: Apache-2.0
"""What differs between two exchanges, as (field, reference's value, ours).

Not everything must be equal to be compatible.  A stream may be cut into other
chunks, so its text, end and usage are compared; a success must have every member
the reference gives (less those that are null there), with the same value; an error
must agree in status, type, code, param and words.  What reached the upstream must
agree as JSON, in target and in the headers that are not the HTTP client's own.
"""

import math

IGNORED_HEADERS = ("content-type",)  # compared without its parameters, below


def same(a, b):
    """Equal, or the same number spelled otherwise (1.9999999999999998e-05 is 0.00002)."""
    if a == b:
        return True
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-9)
    except (TypeError, ValueError):
        return False


def flat(value, path=""):
    """A JSON value as {path: scalar}."""
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            out.update(flat(item, f"{path}.{key}" if path else key))
        return out or {path: {}}
    if isinstance(value, list):
        out = {}
        ids = [item.get("id") if isinstance(item, dict) else None for item in value]
        named = all(isinstance(i, str) for i in ids) and len(set(ids)) == len(ids)
        for i, item in enumerate(value):
            out.update(flat(item, f"{path}[{ids[i] if named else i}]"))
        return out or {path: []}
    return {path: value}


def stream_summary(events):
    """What a client makes of a stream."""
    text, finish, usage, error, models, roles = "", None, None, None, set(), []
    for event in events:
        data = event["data"]
        if not isinstance(data, dict):
            continue
        if data.get("error"):
            error = data["error"]
            continue
        models.add(data.get("model"))
        usage = data.get("usage") or usage
        for choice in data.get("choices") or []:
            delta = choice.get("delta") or {}
            text += delta.get("content") or choice.get("text") or ""
            if delta.get("role"):
                roles.append(delta["role"])
            finish = choice.get("finish_reason") or finish
    return {"text": text, "finish_reason": finish, "usage": usage, "error": error,
            "models": sorted(map(str, models)), "first_role": roles[:1],
            "done": bool(events) and events[-1]["data"] == "[DONE]"}


def body_fields(body):
    if body is None:
        return {}
    if "events" in body:
        return flat(stream_summary(body["events"]), "stream")
    if "json" in body:
        return flat(body["json"], "body")
    return flat(body, "body")


def kind(headers):
    return (headers.get("content-type") or "").split(";")[0]


def differences(theirs, ours):
    """A list of (field, theirs, ours); MISSING where one side has none."""
    found = []

    def check(field, a, b):
        if not same(a, b):
            found.append((field, a, b))

    check("status", theirs.get("status"), ours.get("status"))
    check("ended", theirs.get("ended"), ours.get("ended"))
    calls = len(theirs.get("upstream", [])), len(ours.get("upstream", []))
    if found and found[0][0] == "status":  # the rest would only say so again
        check("upstream.calls", *calls)
        return found
    a, b = theirs.get("headers", {}), ours.get("headers", {})
    check("headers.content-type", kind(a), kind(b))
    for name in sorted(a):
        if name in IGNORED_HEADERS:
            continue
        if name not in b:
            found.append((f"headers.{name}", a[name], "MISSING"))
        else:
            check(f"headers.{name}", a[name], b[name])
    a, b = body_fields(theirs.get("body")), body_fields(ours.get("body"))
    for path in sorted(a):
        if path in b:
            check(path, a[path], b[path])
        elif a[path] not in (None, {}, []):
            found.append((path, a[path], "MISSING"))
    check("upstream.calls", *calls)
    a, b = theirs.get("upstream", []), ours.get("upstream", [])
    for i, (x, y) in enumerate(zip(a, b)):
        check(f"upstream[{i}].target", x["target"], y["target"])
        fields_x, fields_y = flat(x["body"], "body"), flat(y["body"], "body")
        for path in sorted(set(fields_x) | set(fields_y)):
            check(f"upstream[{i}].{path}", fields_x.get(path, "MISSING"),
                  fields_y.get(path, "MISSING"))
        for name in sorted(set(x["headers"]) | set(y["headers"])):
            check(f"upstream[{i}].headers.{name}", x["headers"].get(name, "MISSING"),
                  y["headers"].get(name, "MISSING"))
    return found
