# SPDX-License-Identifier: Apache-2.0
"""A server on the official Python SDK:   upstream_server.py stdio|http|sse [PORT]

Beside stdio it listens on a free port of its own and says its address on standard output.
"""
import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("python-fixture", instructions="Adds numbers.")


@server.tool(description="Adds two numbers.")
def add(a: int, b: int) -> int:
    return a + b


@server.resource("memo://today")
def today() -> str:
    return "Friday"


@server.prompt(description="Greets.")
def greet(name: str) -> str:
    return f"Say hello to {name}."


def listen(app, path):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{taken.getsockname()[1]}{path}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[taken])


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    elif sys.argv[1] == "http":
        listen(server.streamable_http_app(), "/mcp")
    else:
        listen(server.sse_app(), "/sse")
