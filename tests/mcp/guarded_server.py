# SPDX-License-Identifier: Apache-2.0
"""A stdio server on the official Python SDK that says what it heard, and how long it was."""

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("guarded-fixture")


@server.tool()
def length(text: str) -> int:
    return len(text)


@server.tool()
def say(text: str) -> str:
    return text


@server.tool()
async def work(text: str, ctx: Context) -> str:
    await ctx.report_progress(1, 2, "half of it")
    return text


@server.tool()
def fail(text: str) -> str:
    raise ToolError(text)


@server.resource("memo://today")
def today() -> str:
    return "[[1]] is in the pond"


@server.resource("memo://secret")
def secret() -> str:
    return "forbidden"


@server.prompt()
def greet(name: str) -> str:
    return f"Say hello to {name}, of {len(name)} letters."


server.run("stdio")
