# SPDX-License-Identifier: Apache-2.0
"""Looks at servers with one Python client and writes what it saw:

    python look.py CLIENT <targets.json     ->  {target: {row: value}}

    py1                          mcp 1.x
    py2-legacy, py2-auto         mcp 2.x, in the era that shakes hands; in the newest
    fastmcp2, fastmcp4-auto      fastmcp's client, on either line of the SDK
    langchain, agents            LangChain's adapters and the OpenAI Agents SDK, on mcp 1.x

One class for each makes them look alike to look_at(); what a client cannot do is None, and has no
row.  A target is {name, transport, command, args, env | url, headers, calls, errors, completions,
prompts, none}.
"""

import asyncio
import contextlib
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
LIMIT_S = 90
READS = 4  # of the resources that are listed
ANSWERS = {
    "sampling": {"model": "m", "role": "assistant", "stopReason": "endTurn",
                 "content": {"type": "text", "text": "Because."}},
    "elicitation": {"action": "accept", "content": {"value": "word", "name": "Ann", "check": True, "integer": 7}},
    "roots": {"roots": []},
}


def dump(value):
    if isinstance(value, list):
        return [dump(item) for item in value]
    return value.model_dump(by_alias=True, mode="json", exclude_none=True) if hasattr(value, "model_dump") else value


def answering(kind, name):
    async def on_question(*_):
        return kind.model_validate(ANSWERS[name])
    return on_question


def callbacks():
    from mcp import types
    return {"sampling_callback": answering(types.CreateMessageResult, "sampling"),
            "elicitation_callback": answering(types.ElicitResult, "elicitation"),
            "list_roots_callback": answering(types.ListRootsResult, "roots")}


def stdio(target):
    from mcp import StdioServerParameters
    from mcp.client.stdio import stdio_client
    known = StdioServerParameters(command=target["command"], args=target["args"], env=target.get("env"))
    return stdio_client(known, errlog=open(os.devnull, "w"))


class Sdk:
    """What the official SDK's two lines do alike."""

    async def capable(self, what):
        return self.capabilities.get(what) is not None

    async def pages(self, method, member):
        items, cursor = [], None
        while True:
            page = dump(await self.list(method, cursor))
            items += page[member]
            cursor = page.get("nextCursor")
            if not cursor:
                return items

    async def tools(self):
        return await self.pages("list_tools", "tools")

    async def resources(self):
        return await self.pages("list_resources", "resources")

    async def templates(self):
        return await self.pages("list_resource_templates", "resourceTemplates")

    async def prompts(self):
        return await self.pages("list_prompts", "prompts")

    async def call(self, name, arguments):
        return dump(await self.session.call_tool(name, arguments))

    async def read(self, uri):
        return dump(await self.session.read_resource(self.uri(uri)))

    async def prompt(self, name, arguments):
        return dump(await self.session.get_prompt(name, arguments))

    async def complete(self, ref, name, value):
        from mcp import types
        kind = types.PromptReference if ref["type"] == "ref/prompt" else self.template_reference(types)
        return dump(await self.session.complete(kind.model_validate(ref), {"name": name, "value": value}))

    @staticmethod
    def template_reference(types):
        return types.ResourceTemplateReference


class First(Sdk):
    @contextlib.asynccontextmanager
    async def connected(self, target):
        from mcp import ClientSession, types
        self.types = types
        async with self.transport(target) as streams:
            async with ClientSession(*streams[:2], **callbacks()) as self.session:
                begun = await self.session.initialize()
                self.capabilities, self.instructions = dump(begun.capabilities), begun.instructions
                yield self

    @staticmethod
    def transport(target):
        if target["transport"] == "stdio":
            return stdio(target)
        if target["transport"] == "sse":
            from mcp.client.sse import sse_client
            return sse_client(target["url"])
        from mcp.client.streamable_http import streamable_http_client
        return streamable_http_client(target["url"])

    @staticmethod
    def uri(text):
        from pydantic import AnyUrl
        return AnyUrl(text)

    def list(self, method, cursor):
        return getattr(self.session, method)(params=self.types.PaginatedRequestParams(cursor=cursor))


class Second(Sdk):
    def __init__(self, mode):
        self.mode = mode

    @contextlib.asynccontextmanager
    async def connected(self, target):
        from mcp import Client
        from mcp.client.sse import sse_client
        where = stdio(target) if target["transport"] == "stdio" else \
            sse_client(target["url"]) if target["transport"] == "sse" else target["url"]
        async with Client(where, mode=self.mode, cache=None, **callbacks()) as self.session:
            self.capabilities = dump(self.session.server_capabilities)
            self.instructions = self.session.instructions
            yield self

    @staticmethod
    def uri(text):
        return text

    def list(self, method, cursor):
        return getattr(self.session, method)(cursor=cursor)


class Fast(Sdk):
    @contextlib.asynccontextmanager
    async def connected(self, target):
        from fastmcp import Client
        from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
        if target["transport"] == "stdio":
            where = StdioTransport(target["command"], target["args"], env=target.get("env"), keep_alive=False)
        else:
            where = (SSETransport if target["transport"] == "sse" else StreamableHttpTransport)(target["url"])
        async with Client(where, elicitation_handler=self.elicit, sampling_handler=self.sample) as self.session:
            begun = self.session.initialize_result
            # the newer line has no handshake in the newest era, and says it itself
            self.capabilities = dump(begun.capabilities if begun else self.session.server_capabilities)
            self.instructions = begun.instructions if begun else self.session.instructions
            yield self

    @staticmethod
    async def elicit(*_):
        from fastmcp.client.elicitation import ElicitResult
        return ElicitResult(**ANSWERS["elicitation"])

    @staticmethod
    async def sample(*_):
        return ANSWERS["sampling"]["content"]["text"]

    async def pages(self, method, member):
        return dump(await getattr(self.session, method)())

    async def call(self, name, arguments):
        return dump(await self.session.call_tool_mcp(name, arguments))

    async def read(self, uri):
        return dump(await self.session.read_resource(uri))

    complete = None


class Langchain:
    instructions = None
    resources = templates = prompts = read = prompt = complete = None

    @contextlib.asynccontextmanager
    async def connected(self, target):
        from langchain_mcp_adapters.client import MultiServerMCPClient
        from langchain_mcp_adapters.tools import load_mcp_tools
        known = {k: v for k, v in target.items() if k in ("command", "args", "env", "url")}
        known["transport"] = {"http": "streamable_http"}.get(target["transport"], target["transport"])
        async with MultiServerMCPClient({"one": known}).session("one") as session:
            self.loaded = {tool.name: tool for tool in await load_mcp_tools(session)}
            yield self

    async def capable(self, what):
        return what == "tools"

    async def tools(self):
        return [{"name": t.name, "description": t.description, "inputSchema": t.args_schema}
                for t in self.loaded.values()]

    async def call(self, name, arguments):
        if name not in self.loaded:
            return "it is not among its tools"
        said = await self.loaded[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
        # an id of its own making for each part is none of the server's
        content = [{k: v for k, v in part.items() if k != "id"} if isinstance(part, dict) else part
                   for part in (said.content if isinstance(said.content, list) else [said.content])]
        return {"content": content, "isError": said.status == "error"}


class Agents:
    instructions = None
    resources = templates = prompts = read = prompt = complete = None

    @contextlib.asynccontextmanager
    async def connected(self, target):
        from agents.mcp import MCPServerSse, MCPServerStdio, MCPServerStreamableHttp
        kind = {"stdio": MCPServerStdio, "sse": MCPServerSse, "http": MCPServerStreamableHttp}[target["transport"]]
        known = {k: v for k, v in target.items() if k in ("command", "args", "env", "url")}
        async with kind(params=known, client_session_timeout_seconds=LIMIT_S) as self.server:
            yield self

    async def capable(self, what):
        return what == "tools"

    async def tools(self):
        return dump(await self.server.list_tools())

    async def call(self, name, arguments):
        return dump(await self.server.call_tool(name, arguments))


CLIENTS = {"py1": First, "py2-legacy": lambda: Second("legacy"), "py2-auto": lambda: Second("auto"),
           "fastmcp2": Fast, "fastmcp4-auto": Fast, "langchain": Langchain, "agents": Agents}


def arguments_of(prompt):
    return {a["name"]: "5" for a in prompt.get("arguments") or [] if a.get("required")}


async def row(rows, name, asked):
    try:
        rows[name] = await asyncio.wait_for(asked, LIMIT_S)
    except Exception as error:  # what a client throws is what it saw
        told = getattr(error, "error", None)
        rows[name] = {"threw": dump(told) if told is not None else f"{type(error).__name__}: {error}"[:600]}
    return rows[name]


def listed(value):
    return value if isinstance(value, list) else []


async def look_at_lists(client, target, rows):
    if client.resources and await client.capable("resources"):
        found = listed(await row(rows, "resources", client.resources()))
        await row(rows, "templates", client.templates())
        for one in found[:READS]:
            await row(rows, f"read {one['uri']}", client.read(one["uri"]))
        await row(rows, "error read", client.read("none://such"))
    if client.prompts and await client.capable("prompts"):
        for one in listed(await row(rows, "prompts", client.prompts())):
            await row(rows, f"prompt {one['name']}", client.prompt(
                one["name"], target["prompts"].get(one["name"]) or arguments_of(one)))
        await row(rows, "error prompt", client.prompt("no-such-prompt", {}))


async def look_at(client, target):
    rows = {"instructions": client.instructions}
    await look_at_lists(client, target, rows)
    for name, arguments in target["calls"]:
        await row(rows, f"call {name} {json.dumps(arguments)}", client.call(name, arguments))
    for name, arguments in target["errors"]:
        await row(rows, f"error {name} {json.dumps(arguments)}", client.call(name, arguments))
    await row(rows, "error tool", client.call(target["none"], {}))
    for ref, name, value in target["completions"] if client.complete else []:
        await row(rows, f"complete {json.dumps(ref)} {name}", client.complete(ref, name, value))
    # Some tools are listed only to clients that can be asked, which kanmon says of them with their
    # first call.
    if await client.capable("tools"):
        await row(rows, "tools", client.tools())
    return rows


async def look(kind, target):
    rows = {}
    try:
        async with asyncio.timeout(LIMIT_S * 2), CLIENTS[kind]().connected(target) as client:
            rows = await look_at(client, target)
    except BaseException as error:  # pylint: disable=broad-except
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if not rows:
            rows["connect"] = {"threw": f"{type(error).__name__}: {error}"[:600]}
    return rows


async def main():
    targets, several = json.load(sys.stdin), asyncio.Semaphore(4)
    seen = {}

    async def one(target):
        async with several:
            seen[target["name"]] = await look(sys.argv[1], target)

    await asyncio.gather(*(asyncio.create_task(one(target)) for target in targets))
    sys.stdout.write("\n" + json.dumps(seen) + "\n")
    sys.stdout.flush()
    os._exit(0)  # some clients leave threads behind


asyncio.run(main())
