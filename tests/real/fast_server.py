# SPDX-License-Identifier: Apache-2.0
"""A server as people write it with fastmcp, of either line of it:   fast_server.py [PORT]

Over stdio, or at PORT over Streamable HTTP.  One tool of each kind, a resource, a template, a prompt
and a tool for each question to its client.
"""
import pathlib
import sys
import time
from dataclasses import dataclass

from fastmcp import Context, FastMCP
from fastmcp.utilities.types import Image

server = FastMCP("fast", instructions="Tools of each kind. 'Quotes' and ünïcode too.")


@dataclass
class Person:
    name: str
    age: int


@server.tool
def add(a: int, b: float = 1.5) -> float:
    """Adds two numbers."""
    return a + b


@server.tool(annotations={"readOnlyHint": True, "title": "Who it is"}, tags={"people"})
def person(name: str) -> Person:
    """Structured output."""
    return Person(name, 41)


@server.tool
def picture() -> Image:
    return Image(data=b"\x89PNG\r\n\x1a\n", format="png")


@server.tool
def broken() -> str:
    raise ValueError("it broke: 'so'")


@server.tool
def long_text(count: int) -> str:
    return "x" * count


@server.tool
async def steps(ctx: Context, count: int) -> int:
    for done in range(count):
        await ctx.report_progress(done + 1, count)
    return count


@server.tool
async def asks(ctx: Context) -> str:
    answer = await ctx.elicit("Which word?", response_type=str)
    return f"{answer.action}: {getattr(answer, 'data', None)}"


@server.tool
async def blocks(began: str, until: str) -> str:
    """Lets nothing else run here until a file is there, as a library that waits does."""
    pathlib.Path(began).touch()
    while not pathlib.Path(until).exists():
        time.sleep(0.05)
    return "over"


@server.resource("fast://one", mime_type="application/json")
def one() -> dict:
    return {"one": 1}


@server.resource("fast://people/{name}")
def people(name: str) -> str:
    return f"Here is {name}."


@server.prompt
def greet(name: str, style: str = "warm") -> str:
    """A greeting."""
    return f"Greet {name} in a {style} way."


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
    else:
        server.run(show_banner=False)
