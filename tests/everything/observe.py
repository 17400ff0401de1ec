# SPDX-License-Identifier: Apache-2.0
"""Goes through the features with one Python client over one transport and writes what it saw.

    python observe.py '{"client": "py1", "transport": "http", "url": "..."}'
    python observe.py '{"client": "py2-auto", "transport": "stdio", "command": "...", "args": []}'

py1 needs mcp 1.x, py2-legacy and py2-auto mcp 2.x; each has an environment of its own.  One class
for each makes them look alike to features.py:

    features.py --> Client (what both do) --> First: mcp 1.x     ClientSession over streams
                                          \\-> Second: mcp 2.x    Client of either era
"""

import asyncio
import contextlib
import json
import os
import re
import sys
import warnings

import mcp.shared.exceptions as exceptions
import mcp.types as types
from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client

from features import features, handshake, tasks

warnings.simplefilter("ignore")
SPEC = json.loads(sys.argv[1])
ANSWERS = {
    "sampling/createMessage": {"model": "m", "role": "assistant", "stopReason": "endTurn",
                               "content": {"type": "text", "text": "Because."}},
    "elicitation/create": {"action": "accept", "content": {"name": "Ann", "check": True,
                                                           "integer": 7}},
    "roots/list": {"roots": [{"uri": "file:///somewhere", "name": "somewhere"}]},
}
PAGES = {"tools": "list_tools", "resources": "list_resources", "prompts": "list_prompts",
         "resourceTemplates": "list_resource_templates"}


def dump(model):
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


class Client:
    """What both lines of the SDK do alike."""

    errors = getattr(exceptions, "McpError", None) or exceptions.MCPError

    def __init__(self):
        self.file = f"f-{os.getpid()}.gz"
        self.noted = []  # [method, params] of questions and notifications, as they came
        self.news = asyncio.Event()
        self.callbacks = {
            "sampling_callback": self.answer("sampling/createMessage", types.CreateMessageResult),
            "elicitation_callback": self.answer("elicitation/create", types.ElicitResult),
            "list_roots_callback": self.answer("roots/list", types.ListRootsResult),
            "message_handler": self.on_message,
        }

    def answer(self, method, kind):
        async def on_question(_context, params=None):
            asked = dump(params) if params is not None else {}
            asked.pop("_meta", None)
            self.noted.append([method, asked])
            answer = dict(ANSWERS[method])
            if asked.get("mode") == "url" or "interpretation" in json.dumps(asked):
                answer = {"action": "accept", "content": {"interpretation": "technical"}}
            if asked.get("mode") == "url":
                del answer["content"]
            return kind.model_validate(answer)
        return on_question

    async def on_message(self, message):
        message = getattr(message, "root", message)  # mcp 1.x wraps it
        if hasattr(message, "method"):
            self.noted.append([message.method, dump(message).get("params") or {}])
            self.news.set()

    @staticmethod
    def code(error):
        return error.error.code

    def seen(self, method):
        return [params for noted, params in self.noted if noted == method]

    async def heard(self, method, wanted, limit_s=30):
        """The first such notification, waited for."""
        async with asyncio.timeout(limit_s):
            while True:
                self.news.clear()
                for params in self.seen(method):
                    if wanted(params):
                        return params
                await self.news.wait()

    async def tool(self, name, arguments, on_progress=None):
        return dump(await self.session.call_tool(name, arguments, progress_callback=on_progress))

    async def prompt(self, name, **arguments):
        return dump(await self.session.get_prompt(name, arguments))

    async def complete(self, ref, name, value, context=None):
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return dump(await self.session.complete(kind.model_validate(ref),
                                                {"name": name, "value": value}, context))

    async def page(self, member, cursor):
        return dump(await self.list(PAGES[member], cursor))

    async def read(self, uri):
        return dump(await self.session.read_resource(self.uri(uri)))

    async def subscribe(self, uri):
        return dump(await self.session.subscribe_resource(self.uri(uri)))

    async def unsubscribe(self, uri):
        return dump(await self.session.unsubscribe_resource(self.uri(uri)))

    async def log_level(self, level):
        return dump(await self.session.set_logging_level(level))

    async def ping(self):
        return dump(await self.session.send_ping())


class First(Client):
    """mcp 1.x, and tasks of 2025-11-25."""

    @contextlib.asynccontextmanager
    async def connected(self):
        async with first_transport() as streams:
            async with ClientSession(*streams[:2], **self.callbacks) as self.session:
                self.begun = await self.session.initialize()
                self.negotiated = self.begun.protocolVersion
                self.capabilities = dump(self.begun.capabilities)
                yield self

    @staticmethod
    def uri(text):
        from pydantic import AnyUrl
        return AnyUrl(text)

    def list(self, method, cursor):
        return getattr(self.session, method)(params=types.PaginatedRequestParams(cursor=cursor))

    async def task(self, name, arguments):
        made = await self.session.experimental.call_tool_as_task(name, arguments)
        return made.task.taskId

    async def task_get(self, task):
        return dump(await self.session.experimental.get_task(task))

    async def task_list(self):
        return dump(await self.session.experimental.list_tasks())["tasks"]

    async def task_cancel(self, task):
        return dump(await self.session.experimental.cancel_task(task))

    async def task_result(self, task):
        return dump(await self.session.experimental.get_task_result(task, types.CallToolResult))


def first_transport():
    if SPEC["transport"] == "stdio":
        return stdio_client(stdio_parameters(), errlog=open(os.devnull, "w"))
    if SPEC["transport"] == "sse":
        return sse_client(SPEC["url"])
    from mcp.client.streamable_http import streamable_http_client
    return streamable_http_client(SPEC["url"])


class Second(Client):
    """mcp 2.x, in the era that SPEC says."""

    @contextlib.asynccontextmanager
    async def connected(self):
        from mcp import Client as Both
        mode = SPEC["client"].partition("-")[2]
        # No cache: each row is to reach the server.
        async with Both(second_transport(), mode=mode, cache=None, **self.callbacks) as self.session:
            self.negotiated = self.session.protocol_version
            self.capabilities = dump(self.session.server_capabilities)
            yield self

    @staticmethod
    def uri(text):
        return text

    def list(self, method, cursor):
        return getattr(self.session, method)(cursor=cursor)


def second_transport():
    if SPEC["transport"] == "stdio":
        return stdio_client(stdio_parameters(), errlog=open(os.devnull, "w"))
    return sse_client(SPEC["url"]) if SPEC["transport"] == "sse" else SPEC["url"]


def stdio_parameters():
    return StdioServerParameters(command=SPEC["command"], args=SPEC["args"], env=dict(os.environ))


# What differs from run to run, and what belongs to a revision and not to the answer.
OF_REVISION = {"resultType", "ttlMs", "cacheScope"}
if SPEC["client"] == "py2-auto":
    OF_REVISION.add("execution")
SERVER = "io.modelcontextprotocol/serverInfo"


def plain(value):
    if isinstance(value, str):
        value = value.replace(f"f-{os.getpid()}.gz", "(file)")
        value = re.sub(r"session [0-9a-f-]{36}|session undefined", "session (id)", value)
        return re.sub(r"\d{1,2}:\d{2}:\d{2}\s?[AP]M", "(time)", value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {k: plain(v) for k, v in value.items() if k not in OF_REVISION and k != SERVER}
    if "taskId" in kept:
        kept["taskId"] = "(task)"
    return {k: v for k, v in kept.items() if k != "_meta" or v}


def binary(value):
    """A generated blob says the time: its text is what is compared."""
    import base64
    for part in value.get("contents", []) if isinstance(value, dict) else []:
        if "blob" in part:
            text = base64.b64decode(part["blob"])
            part["blob"] = text.decode() if text.startswith(b"Resource") else part["blob"]
    return value


async def observe():
    client = First() if SPEC["client"] == "py1" else Second()
    found = {}
    async with client.connected():
        rows = dict(features)
        if client.negotiated != "2026-07-28":
            rows.update(handshake)
        if SPEC["client"] == "py1":
            rows.update(tasks)
        for name, run in rows.items():
            client.noted.clear()
            try:
                found[name] = plain(binary(await run(client)))
            except Exception as error:  # what a client throws is what it saw
                found[name] = {"threw": f"{type(error).__name__}: {error}"}
        print(json.dumps({"negotiated": client.negotiated, "capabilities": client.capabilities,
                          "features": found}), flush=True)


with contextlib.suppress(ExceptionGroup):  # mcp 1.x may throw where progress comes as it closes
    asyncio.run(observe())
