# SPDX-License-Identifier: Apache-2.0
"""The official Python SDK of either line, asking for lists; prints what it has as JSON.

    odd_client.py alone ITEMS.json SERVER.py MODE     of each item, alone in its list: is it taken?
    odd_client.py all URL KEY MODE                    {list: [names]}
"""
import asyncio
import contextlib
import json
import sys

what, where, more, mode = sys.argv[1:]
NAMES = {"tools": ("list_tools", "name"), "resources": ("list_resources", "uri"),
         "resourceTemplates": ("list_resource_templates", "uri_template"), "prompts": ("list_prompts", "name")}


@contextlib.asynccontextmanager
async def client():
    from mcp import StdioServerParameters
    from mcp.client.stdio import stdio_client

    if what == "alone":
        transport = stdio_client(StdioServerParameters(
            command=sys.executable, args=[more, *(["--new"] if mode not in ("v1", "legacy") else [])]))
    elif mode == "v1":
        from mcp.client.streamable_http import streamablehttp_client
        transport = streamablehttp_client(where, {"authorization": f"Bearer {more}"})
    else:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client
        transport = streamable_http_client(where, http_client=httpx2.AsyncClient(
            headers={"authorization": f"Bearer {more}"}, timeout=None))
    if mode == "v1":
        from mcp import ClientSession
        async with transport as streams, ClientSession(*streams[:2]) as session:
            await session.initialize()
            yield session
    else:
        from mcp import Client
        async with Client(transport, mode=mode) as session:
            yield session


async def alone(session):
    taken = []
    for number, one in enumerate(json.load(open(where, encoding="utf-8"))):
        try:
            await getattr(session, NAMES[one["list"]][0])(cursor=str(number))
            taken.append(True)
        except Exception:
            taken.append(False)
    return taken


def named(item, name):
    return str(getattr(item, name, None) or item.uriTemplate)


async def all_of_them(session):
    listed = {}
    for kind, (method, name) in NAMES.items():
        result = await getattr(session, method)()
        items = next(v for k, v in result if isinstance(v, list))
        listed[kind] = [named(item, name) for item in items]
    return listed


async def main():
    async with client() as session:
        print(json.dumps(await (alone if what == "alone" else all_of_them)(session)))


asyncio.run(main())
