# SPDX-License-Identifier: Apache-2.0
"""Every feature of the reference server, as rows for the Python SDKs.

Like features.mjs: a name and what to do with a connected client; what a row returns is compared
between the direct way and the way through kanmon.  A client is one of observe.py's, which make
the two SDKs look alike:

    features[name](client) -> anything JSON can hold
"""

import asyncio

UPDATED = "demo://resource/dynamic/text/1"
SLOW = "trigger-long-running-operation"


def tool(name, **arguments):
    return lambda c: c.tool(name, arguments)


def everything(member):
    """All pages of a list."""
    async def run(c):
        items, cursor = [], None
        while True:
            page = await c.page(member, cursor)
            items += page[member]
            cursor = page.get("nextCursor")
            if cursor is None:
                return [i for i in items
                        if not i.get("uri", "").startswith("demo://resource/session/")]
    return run


def failure(run):
    """The error's code alone: its words belong to who says it."""
    async def tried(c):
        try:
            return {"unexpected": await run(c)}
        except c.errors as error:
            return {"code": c.code(error)}
    return tried


async def unknown_tool(c):
    try:
        return {"isError": (await c.tool("no-such-tool", {}))["isError"]}
    except c.errors:
        return {"isError": True}  # since 2025-11-25 a protocol error; this server says it in a result


async def progress(c):
    told = []

    async def on_progress(done, total, message):
        told.append([done, total, message])
    result = await c.tool(SLOW, {"duration": 0.3, "steps": 3}, on_progress)
    # The last one comes with the answer, and some clients let go of the listener first.
    return {"result": result, "progress": told[:2]}


async def cancellation(c):
    begun = asyncio.Event()

    async def on_progress(*_):
        begun.set()
    running = asyncio.ensure_future(c.tool(SLOW, {"duration": 6, "steps": 30}, on_progress))
    await begun.wait()
    running.cancel()
    try:
        await running
        ended = "answered"
    except asyncio.CancelledError:
        ended = "cancelled"
    return {"ended": ended, "alive": await c.tool("echo", {"message": "still here"})}


async def asked(c, method, name, arguments):
    result = await c.tool(name, arguments)
    return {"result": result, "asked": c.seen(method)}


async def own_file(c):
    data = "data:text/plain;base64,aGVsbG8="
    made = await c.tool("gzip-file-as-resource",
                        {"name": c.file, "data": data, "outputType": "resourceLink"})
    link = next(part for part in made["content"] if part["type"] == "resource_link")
    return {"made": made, "read": await c.read(link["uri"])}


features = {
    "resources/list": everything("resources"),
    "resources/templates/list": everything("resourceTemplates"),
    "prompts/list": everything("prompts"),
    "a text": tool("echo", message='héllo \U0001f600 "quoted"'),
    "numbers": tool("get-sum", a=2, b=3.5),
    "an image": tool("get-tiny-image"),
    "annotations": tool("get-annotated-message", messageType="error", includeImage=True),
    "links to resources": tool("get-resource-links", count=3),
    "a resource in the answer": tool("get-resource-reference", resourceType="Text", resourceId=2),
    "structured content": tool("get-structured-content", location="Chicago"),
    "roots": tool("get-roots-list"),
    # Some tools are listed only to clients that can be asked, which kanmon says of them with their
    # first call; the one above is such a tool.
    "tools/list": everything("tools"),
    "progress": progress,
    "sampling": lambda c: asked(c, "sampling/createMessage", "trigger-sampling-request",
                                {"prompt": "What?", "maxTokens": 20}),
    "elicitation": lambda c: asked(c, "elicitation/create", "trigger-elicitation-request", {}),
    "elicitation of a visit": lambda c: asked(
        c, "elicitation/create", "trigger-url-elicitation",
        {"url": "https://example.org/visit", "elicitationId": "e-1"}),
    "wrong arguments": tool("get-sum", a="x"),
    "an unknown tool": unknown_tool,
    "a resource": lambda c: c.read("demo://resource/dynamic/text/7"),
    "a binary resource": lambda c: c.read("demo://resource/dynamic/blob/3"),
    "a document": lambda c: c.read("demo://resource/static/document/features.md"),
    "a resource that is none": failure(lambda c: c.read("demo://resource/no-such/1")),
    "a simple prompt": lambda c: c.prompt("simple-prompt"),
    "a prompt with arguments": lambda c: c.prompt("args-prompt", city="Oslo", state="N"),
    "a prompt with a resource": lambda c: c.prompt("resource-prompt", resourceType="Text",
                                                   resourceId="5"),
    "a prompt that is none": failure(lambda c: c.prompt("no-such-prompt")),
    "a prompt that lacks an argument": failure(lambda c: c.prompt("args-prompt")),
    "completion of a prompt": lambda c: c.complete(
        {"type": "ref/prompt", "name": "completable-prompt"}, "department", "S"),
    "completion by context": lambda c: c.complete(
        {"type": "ref/prompt", "name": "completable-prompt"}, "name", "",
        {"department": "Sales"}),
    "completion of a template": lambda c: c.complete(
        {"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"},
        "resourceId", "12"),
    "a file of the session": own_file,
    "cancellation": cancellation,
}


async def log_messages(c):
    await c.log_level("debug")
    begun = await c.tool("toggle-simulated-logging", {})
    told = await c.heard("notifications/message", lambda p: "-level " in p.get("data", "")
                         or " level-" in p.get("data", ""))
    ended = await c.tool("toggle-simulated-logging", {})
    return {"begun": begun, "told": bool(told), "ended": ended}


async def updates(c):
    subscribed = await c.subscribe(UPDATED)
    begun = await c.tool("toggle-subscriber-updates", {})
    told = await c.heard("notifications/resources/updated", lambda p: p["uri"] == UPDATED)
    ended = await c.tool("toggle-subscriber-updates", {})
    return {"subscribed": subscribed, "begun": begun, "told": told, "ended": ended,
            "unsubscribed": await c.unsubscribe(UPDATED)}


# What only clients and servers that shake hands have.
handshake = {
    "ping": lambda c: c.ping(),
    "log messages": log_messages,
    "updates of a resource": updates,
}


async def a_task(c):
    """One that asks, to its end, and one that is cancelled."""
    made = await c.task("simulate-research-query", {"topic": "tides", "ambiguous": True})
    other = await c.task("simulate-research-query", {"topic": "waves"})
    first = await c.task_get(made)
    cancelled = await c.task_cancel(other)
    listed = await c.task_list()
    result = await c.task_result(made)  # waits, and carries the question
    return {"first": first["status"], "cancelled": cancelled["status"], "result": result,
            "listed": {made, other} <= {t["taskId"] for t in listed},
            "last": (await c.task_get(made))["status"],
            "unknown": await failure(lambda c: c.task_get("no-such-task"))(c)}


# What only the line of the SDK has that knows tasks of 2025-11-25.
tasks = {"a task": a_task}
