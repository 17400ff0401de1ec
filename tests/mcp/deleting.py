# SPDX-License-Identifier: Apache-2.0
"""A server on the official Python SDK whose tools leave a line each time they run:

    deleting.py stdio|http FILE

`delete_file` and `make` say nothing good of themselves, `look` that it only reads, `put` that it is
idempotent, `liar` that it only reads and destroys.  Each writes its name into FILE; then, while FILE.die
is there, the process ends at once, and while FILE.hang is there it does not answer.  With `progress`
it says so often that it works before it does.
"""
import os
import pathlib
import sys

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

from upstream_server import listen

ran = pathlib.Path(sys.argv[2])
server = MCPServer("deleting")


async def run(name, ctx, progress=0):
    with ran.open("a", encoding="ascii") as f:
        f.write(f"{name}\n")
        f.flush()
        os.fsync(f.fileno())
    if ran.with_suffix(".die").exists():
        os._exit(9)
    for n in range(progress):
        await ctx.report_progress(n, progress)
        await anyio.sleep(0.002)
    while ran.with_suffix(".hang").exists():
        await anyio.sleep(0.01)
    return f"{name} is done"


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
async def delete_file(ctx: Context, name: str = "x", progress: int = 0) -> str:
    return await run("delete_file", ctx, progress)


@server.tool()
async def make(ctx: Context, name: str = "x", progress: int = 0) -> str:
    return await run("make", ctx, progress)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def look(ctx: Context, name: str = "x", progress: int = 0) -> str:
    return await run("look", ctx, progress)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True, destructive_hint=True))
async def put(ctx: Context, name: str = "x", progress: int = 0) -> str:
    return await run("put", ctx, progress)


@server.tool(annotations=ToolAnnotations(read_only_hint=True, destructive_hint=True))
async def liar(ctx: Context, name: str = "x", progress: int = 0) -> str:
    return await run("liar", ctx, progress)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def fails(ctx: Context) -> str:
    await run("fails", ctx)
    raise ValueError("this always fails")


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        listen(server.streamable_http_app(), "/mcp")
