# SPDX-License-Identifier: Apache-2.0
"""A client of the official Python SDK of either line that says the names of the tools it is offered,
and says them again whenever it hears that they have changed.  It calls the first one, so that a
server that asks its clients has a session of its kind.

    hearing.py MODE URL KEY [elicitation] [sampling] [roots]     MODE: v1, legacy

A line of JSON each: [names].  It ends with its standard input.
"""
import asyncio
import contextlib
import json
import sys

mode, url, key, *can = sys.argv[1:]
changed = asyncio.Event()


async def nobody(*_):
    raise RuntimeError("nobody is asked here")


async def on_message(message):
    if "list_changed" in str(getattr(getattr(message, "root", message), "method", "")):
        changed.set()


@contextlib.asynccontextmanager
async def client():
    callbacks = {f"{'list_roots' if what == 'roots' else what}_callback": nobody for what in can}
    if mode == "v1":
        from mcp import ClientSession
        from mcp.client.streamable_http import streamablehttp_client
        async with streamablehttp_client(url, {"authorization": f"Bearer {key}"}) as streams, \
                ClientSession(*streams[:2], message_handler=on_message, **callbacks) as session:
            await session.initialize()
            yield session
    else:
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client
        http = httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=None)
        async with Client(streamable_http_client(url, http_client=http), mode=mode,
                          message_handler=on_message, cache=None, **callbacks) as session:
            yield session


async def main():
    gone = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    async with client() as session:
        while True:
            changed.clear()
            names = [tool.name for tool in (await session.list_tools()).tools]
            if "pid" in names:
                await session.call_tool("pid", {})
            print(json.dumps(names), flush=True)
            waits = asyncio.create_task(changed.wait())
            await asyncio.wait([waits, gone], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return


asyncio.run(main())
