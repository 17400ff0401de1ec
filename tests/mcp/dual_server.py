# SPDX-License-Identifier: Apache-2.0
"""A server of both eras on the official Python SDK that asks its client:   dual_server.py stdio|http

Each tool asks what its name says.  `elicits`, `samples` and `lists_roots` send a request of their
own, which the SDK does in the handshake era alone; `resolves` asks as the era wants it.  `large` and
`rows` have results of any size, as text and in structured form; beside them one of each kind.
"""
import sys
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel

from upstream_server import listen

server = MCPServer("dual-fixture")


class Word(BaseModel):
    word: str


@server.tool()
async def elicits(ctx: Context) -> str:
    answer = await ctx.elicit("which word?", Word)
    return answer.data.word


@server.tool()
async def samples(ctx: Context) -> str:
    said = await ctx.session.create_message(
        messages=[SamplingMessage(role="user", content=TextContent(type="text", text="a word?"))], max_tokens=9)
    return said.content.text


@server.tool()
async def lists_roots(ctx: Context) -> str:
    return str((await ctx.session.list_roots()).roots[0].uri)


async def which() -> Elicit[Word]:
    return Elicit("which word?", Word)


@server.tool()
async def resolves(word: Annotated[Word, Resolve(which)]) -> str:
    return word.word


@server.tool()
def large(count: int) -> str:
    return "x" * count


@server.tool(structured_output=False, annotations={"readOnlyHint": True})
def plain(count: int) -> str:
    return "x" * count


class Row(BaseModel):
    number: int
    text: str


@server.tool()
def rows(count: int, size: int) -> list[Row]:
    return [Row(number=i, text="y" * size) for i in range(count)]


@server.resource("dual://one")
def one() -> str:
    return "one"


@server.prompt()
def greet(name: str) -> str:
    return f"Greet {name}."


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        listen(server.streamable_http_app(), "/mcp")
