# SPDX-License-Identifier: Apache-2.0
"""An MCP server that says on all its ways what it was started with."""

import json
import os
import sys

ALL = " ".join(sys.argv) + " " + " ".join(f"{k}={v}" for k, v in sorted(os.environ.items()))

sys.stderr.write(ALL[:len(ALL) // 2])
sys.stderr.flush()
sys.stderr.write(ALL[len(ALL) // 2:] + "\n" + ALL)
sys.stderr.flush()
for line in sys.stdin:
    message = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": message.get("id")}
    if message.get("method") == "initialize":
        answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}, "logging": {}},
                            "serverInfo": {"name": "echo", "version": "1"}}
    elif message.get("method") == "tools/list":
        answer["result"] = {"tools": [{"name": n, "inputSchema": {"type": "object"}}
                                      for n in ("fails", "refuses", "dies", "logs")]}
    elif message.get("method") == "logging/setLevel":
        answer["result"] = {}
    elif message.get("method") != "tools/call":
        if "id" in message:
            print(json.dumps({**answer, "error": {"code": -32601, "message": ALL}}), flush=True)
        continue
    elif message["params"]["name"] == "fails":
        answer["result"] = {"content": [{"type": "text", "text": ALL}], "isError": True}
    elif message["params"]["name"] == "logs":
        print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {
            "level": "error", "data": {"why": "told: " + ALL}}}), flush=True)
        answer["result"] = {"content": [{"type": "text", "text": "went well"}]}
    elif message["params"]["name"] == "refuses":
        answer["error"] = {"code": -32000, "message": ALL, "data": {"all": ALL}}
    else:
        sys.stderr.write(ALL + "\n")
        sys.exit(3)
    print(json.dumps(answer), flush=True)
