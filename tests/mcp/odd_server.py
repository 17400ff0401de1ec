# SPDX-License-Identifier: Apache-2.0
"""A stdio server whose lists are what odd_items.json says, true to the protocol otherwise.

    python3 odd_server.py [--new]

Without a cursor a list is all of its items, with a cursor N the Nth of all alone.  --new: it speaks
2026-07-28 and nothing else.
"""
import json
import pathlib
import sys

ITEMS = json.loads((pathlib.Path(__file__).parent / "odd_items.json").read_text())
LISTS = {"tools/list": "tools", "resources/list": "resources",
         "resources/templates/list": "resourceTemplates", "prompts/list": "prompts"}
NEW = "--new" in sys.argv
CAPABILITIES = {"tools": {}, "resources": {}, "prompts": {}}
INFO = {"name": "odd", "version": "1"}


def answer(method, params):
    if method in LISTS:
        listed = LISTS[method]
        wanted = [ITEMS[int(params["cursor"])]] if "cursor" in params else ITEMS
        items = [one["item"] for one in wanted if one["list"] == listed]
        return {listed: items, **({"ttlMs": 0, "cacheScope": "public"} if NEW else {})}
    if method == "initialize" and not NEW:
        return {"protocolVersion": params["protocolVersion"], "capabilities": CAPABILITIES, "serverInfo": INFO}
    if method == "server/discover" and NEW:
        return {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, "ttlMs": 0,
                "cacheScope": "public", "_meta": {"io.modelcontextprotocol/serverInfo": INFO}}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": params["name"]}]}
    return {} if method == "ping" and not NEW else None


for line in sys.stdin:
    said = json.loads(line)
    if "id" not in said or "method" not in said:
        continue
    result = answer(said["method"], said.get("params") or {})
    if result is None:
        body = {"error": {"code": -32601, "message": "Method not found"}}
    else:
        body = {"result": {**result, **({"resultType": "complete"} if NEW else {})}}
    print(json.dumps({"jsonrpc": "2.0", "id": said["id"], **body}), flush=True)
