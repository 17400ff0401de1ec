# SPDX-License-Identifier: Apache-2.0
"""A vendor that keeps books of its own: what it got, what it wrote, what it would bill.

    plan = vendor.plan(words=40, ends="cut", at=0.5)     plan.id goes into the model's name
    entry, = plan.entries                                what came of it, one for each request

It speaks every API of dialects.py, MCP (at /mcp/N) and, by realtime_vendor.py, Realtime.  Each call
behaves as its plan says.  What it bills is what a vendor does: the prompt of all that was not
refused, and the tokens that it had written when the answer ended, whoever ended it.  It runs in one
thread with the clients of the tests (client.py): Loop.
"""

import asyncio
import concurrent.futures
import functools
import gzip
import itertools
import json
import re
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field, replace

import dialects
from gateway import patient

RATE = 50  # tokens a second of a vendor that was not told otherwise and had said nothing yet
HANGS = 60  # seconds after which what is run is taken to hang
PACE_S = 0.02  # a stream is written in bursts of that much
ENDLESS = 48 << 20  # bytes; who has not had enough by then takes all
REFUSED = {*range(400, 500)} - {408, 499} | {503, 529}
ID = re.compile(rb"plan-\d+")


class Loop:
    """A thread with an event loop: the vendor's and the clients'."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(patient(HANGS))
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise AssertionError(f"not done in {HANGS} s: {coroutine!r}") from None

    def stop(self):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@dataclass
class Plan:
    """How the calls behave that name it.

    ends: whole; cut (FIN), reset (RST), hang (silent until the caller is gone or go() is called), each
          at a place of the answer: a fraction of it, or a byte, -1: before its head;
          endless, gzip, deep: no answer, but bytes
    """
    id: str = ""
    words: int = 40
    prompt: int = 0
    reports: object = "true"  # true | absent | null | (what went in, what came out), raw JSON or None
    usage_more: str = None    # a further member of the report, raw JSON
    unasked: bool = False     # a stream reports whether it was asked to or not
    first_error: str = None   # a stream's first event and its last: the type of an error, or its code
    coded: bool = False       # it compresses its answer, which it was not asked to do
    items: tuple = ()         # what a response has before its text, raw JSON
    status: int = 200
    ends: str = "whole"
    at: object = 0.5
    rate: float = None        # tokens a second of a stream; None: as fast as they are taken
    works_on: int = 0         # tokens that it writes at most while it is silent, until it notices
                              # that nobody listens; 0: an answer's, if it had not begun to speak
    tool_call: dict = None    # a chat's first answer calls this
    error: str = None         # the text of a refusal
    next: object = None       # the plan of further requests that name this one
    obeys: bool = False       # it writes no more than it is asked to
    pieces_of: int = 0        # an answer that is written in pieces of so many bytes
    entries: list = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # it has all, and hangs
    proceed: asyncio.Event = field(default_factory=asyncio.Event)

    def go(self):
        self.proceed.set()


class Entry:
    """A request in the vendor's books."""

    def __init__(self, id, dialect, path, headers, body):
        self.id, self.dialect, self.path, self.headers, self.body = id, dialect, path, headers, body
        self.stream = False
        self.began, self.ended = time.monotonic(), None
        self.status = None
        self.reports = True     # its answer says what was used, if it comes to its end
        self.outcome = "open"   # whole | refused | gone (the caller left) | broken (by us)
        self.over = asyncio.Event()
        self.prompt = self.written = 0
        self.words = 0          # of the answer, if all of it is said
        self.size = 0           # of the answer's body, whole
        self.stop = None        # the byte of it at which it stopped; -1: before its head
        self.said_at = None     # the byte at which its report of usage is out

    def json(self):
        return json.loads(self.body)

    @property
    def refused(self):
        return self.status in REFUSED

    @property
    def known(self):
        """Its caller may know what was used, for it was said."""
        return self.reports and self.stop is not None and self.stop > self.said_at

    @property
    def billed(self):
        """(tokens in, tokens out)"""
        return (0, 0) if self.refused else (self.prompt, self.written)

    def __repr__(self):
        return (f"<{self.path} {self.outcome} status {self.status} prompt {self.prompt} "
                f"wrote {self.written}>")


def bound_of(body):
    """Tokens that it asks for at most, in any API."""
    inner = body.get("generationConfig") or {}
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    return min((int(body[n]) for n in names if body.get(n) is not None),
               default=int(inner.get("maxOutputTokens") or 1 << 30))


@functools.cache
def bomb(head):
    return gzip.compress(head + b"a" * (64 << 20))


class Gone(Exception):
    """The caller is."""


class Vendor:
    def __init__(self, loop):
        self.loop, self.plans, self.ids = loop, {}, itertools.count(1)
        self.unplanned = []     # what nobody here asked for: must stay empty
        self.sessions = 0
        self.streamed_tools = set()
        self.files = {}
        self.port = loop.run(self._listen())
        self.url = f"http://127.0.0.1:{self.port}"

    async def _listen(self):
        self.server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=1 << 22,
                                                 backlog=4096)
        return self.server.sockets[0].getsockname()[1]

    def plan(self, **more):
        made = Plan(id=f"plan-{next(self.ids)}", **more)
        self.plans[made.id] = made
        return made

    # --- a connection ---

    async def _client(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as error:  # a fault of the vendor's own
            self.unplanned.append(repr(error))
            raise
        finally:
            writer.close()

    async def _one(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        if "chunked" in headers.get("transfer-encoding", ""):
            body = await self._chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        path = urllib.parse.unquote(target.partition("?")[0])
        answer = await self.side(method, path, headers, body)
        if answer is not None:
            status, extra, data = answer
            return await self._send(writer, status, data, extra=extra)
        named = ID.search(path.encode()) or ID.search(body)
        plan = self.plans.get(named[0].decode()) if named else None
        dialect = dialects.dialect_of(path)
        while plan and plan.entries and plan.next:
            plan = plan.next
        if plan is None or dialect is None:
            self.unplanned.append((method, path, body[:300]))
            return await self._send(writer, 404, b'{"error":{"message":"nobody planned this"}}')
        entry = Entry(plan.id, dialect, path, headers, body)
        self._begin(plan, entry)
        if plan.obeys:
            plan = replace(plan, words=min(plan.words, bound_of(entry.json())))
        entry.words = plan.words
        try:
            return await self._answer(plan, entry, reader, writer)
        except (Gone, ConnectionError):
            entry.outcome = "gone"
            return False
        finally:
            if entry.outcome == "open":
                entry.outcome = "gone"
            entry.ended = time.monotonic()
            entry.over.set()
            plan.reached.set()

    def _begin(self, plan, entry):
        try:
            asked = entry.json()
        except ValueError:
            asked = {}  # a form
        entry.stream = bool(entry.dialect.streams(entry.path, asked))
        if entry.dialect.name == "mcp":
            entry.stream = plan.id in self.streamed_tools
        entry.prompt = plan.prompt
        plan.entries.append(entry)

    @staticmethod
    async def _chunks(reader):
        body = b""
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            if size == 0:
                while (await reader.readline()).strip():
                    pass
                return body
            body += await reader.readexactly(size)
            await reader.readexactly(2)

    @staticmethod
    async def _send(writer, status, body, kind="application/json", extra=()):
        head = [f"HTTP/1.1 {status} Vendor", f"content-type: {kind}",
                f"content-length: {len(body)}", *extra]
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + body)
        await writer.drain()
        return True

    # --- an answer ---

    async def _wait(self, reader, seconds=None, until=None):
        """Waits for one of them, or raises Gone."""
        gone = asyncio.ensure_future(reader.read(1))
        others = [asyncio.ensure_future(until.wait())] if until else []
        try:
            await asyncio.wait([gone, *others], timeout=seconds,
                               return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise Gone
        finally:
            for task in [gone, *others]:
                task.cancel()
            await asyncio.gather(gone, *others, return_exceptions=True)

    @staticmethod
    def _worked(plan, entry):
        """Tokens until it noticed: of what is said when all of it is there, not before that."""
        made = min(plan.works_on, int((time.monotonic() - entry.began) * plan.rate))
        return made if entry.stream else max(made, plan.words)

    async def _hang(self, plan, entry, reader):
        """Nothing more is said; a model goes on writing meanwhile."""
        silent = entry.written == 0
        plan.reached.set()
        try:
            await self._wait(reader, until=plan.proceed)
        finally:
            if plan.works_on:
                entry.written = max(entry.written, self._worked(plan, entry))
            elif silent:
                rate = plan.rate or RATE
                entry.written = min(plan.words, int((time.monotonic() - entry.began) * rate))

    async def _compose(self, plan, entry, reader):
        """An answer that is said when all of it is there."""
        try:
            await self._wait(reader, max(0, plan.words / plan.rate - time.monotonic() + entry.began))
        except Gone:
            entry.written = self._worked(plan, entry) if plan.works_on else min(
                plan.words, int((time.monotonic() - entry.began) * plan.rate))
            raise

    async def _answer(self, plan, entry, reader, writer):
        if plan.status != 200:
            entry.status, entry.outcome = plan.status, "refused"
            return await self._refuse(plan, entry, writer)
        if plan.ends in ("endless", "gzip", "deep"):
            entry.status = 200
            return await self._flood(plan, entry, reader, writer)
        kind, pieces = entry.dialect.write(plan, entry)
        if plan.pieces_of:
            whole = b"".join(data for data, _ in pieces)
            pieces = [(whole[i:i + plan.pieces_of], plan.words)
                      for i in range(0, len(whole), plan.pieces_of)]
        if plan.first_error and entry.stream:
            entry.status, entry.outcome = 529, "refused"
            return await self._send(writer, 200, self._error_event(plan, entry), dialects.SSE)
        if plan.coded:
            pieces = [(gzip.compress(b"".join(data for data, _ in pieces)), plan.words)]
            kind += "\r\ncontent-encoding: gzip"
        entry.size = sum(len(data) for data, _ in pieces)
        stop = entry.stop = self._place(plan, entry)
        entry.said_at = self._said_at(entry, b"".join(data for data, _ in pieces))
        if stop == -1:
            if plan.ends == "hang":
                await self._hang(plan, entry, reader)
            else:
                return self._break(plan, entry, writer)
        if plan.rate and not entry.stream:
            await self._compose(plan, entry, reader)
        entry.status = 200
        if not entry.stream:
            entry.written = plan.words  # it is said when all of it is there
        chunked = entry.stream or len(pieces) > 1
        length = "transfer-encoding: chunked" if chunked else f"content-length: {entry.size}"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{length}\r\n\r\n".encode())
        done = 0
        for data, tokens in pieces:
            if chunked:
                writer.write(b"%x\r\n" % len(data))
            if 0 <= stop <= done + len(data):
                writer.write(data[:stop - done])
                await writer.drain()
                if plan.ends != "hang":
                    return self._break(plan, entry, writer)
                await self._hang(plan, entry, reader)
                data, stop = data[stop - done:], -1
            writer.write(data + (b"\r\n" if chunked else b""))
            done += len(data)
            entry.written = tokens
            ahead = tokens / plan.rate - (time.monotonic() - entry.began) if plan.rate else 0
            if ahead > PACE_S:
                await writer.drain()
                await self._wait(reader, ahead)
        writer.write(b"0\r\n\r\n" if chunked else b"")
        await writer.drain()
        entry.written, entry.outcome = plan.words, "whole"
        return True

    @staticmethod
    def _place(plan, entry):
        """The byte of the answer's body at which it stops: -1: before its head, None: nowhere."""
        if plan.ends not in ("cut", "reset", "hang"):
            return entry.size + 1
        if isinstance(plan.at, float):
            return min(int(plan.at * entry.size), entry.size - 1)
        return min(plan.at, entry.size - 1)

    @staticmethod
    def _said_at(entry, body):
        """What is wrapped in base64 may be out from the last quarter on."""
        name = entry.dialect.names[1].encode()
        at = body.rfind(name) if name else -1
        return at if at >= 0 else entry.size * 3 // 4

    @staticmethod
    def _break(plan, entry, writer):
        entry.outcome = "broken"
        if plan.ends == "reset":
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return False

    async def _refuse(self, plan, entry, writer):
        kinds = {400: "invalid_request_error", 408: "timeout", 429: "rate_limit_error",
                 529: "overloaded_error"}
        error = {"message": plan.error or f"The vendor refuses {plan.id}.", "code": plan.status,
                 "type": kinds.get(plan.status, "api_error"), "status": "UNAVAILABLE"}
        body = json.dumps({"type": "error", "error": error, "message": error["message"]}).encode()
        return await self._send(writer, plan.status, body)

    @staticmethod
    def _error_event(plan, entry):
        """A no that came when the head was out."""
        text = f"The vendor refuses {plan.id}."
        if entry.dialect.name == "messages":
            kind = "overloaded_error" if plan.first_error == "529" else plan.first_error
            said = {"type": "error", "error": {"type": kind, "message": text}}
            return f"event: error\ndata: {json.dumps(said)}\n\n".encode()
        return f'data: {json.dumps({"error": {"message": text, "code": int(plan.first_error)}})}\n\n'.encode()

    async def _flood(self, plan, entry, reader, writer):
        """Bytes without an end, or ones that become many; what it bills is the answer it spoilt."""
        entry.written = plan.words
        kind, coding, piece, times = {
            ("endless", False): (dialects.JSON, "", b" " * 65536, ENDLESS // 65536),
            ("endless", True): (dialects.SSE, "", self._event(plan, entry) * 100, ENDLESS // 20000),
            ("gzip", False): (dialects.JSON, "content-encoding: gzip\r\n",
                              bomb(b'{"a":"'), 1),
            ("gzip", True): (dialects.SSE, "content-encoding: gzip\r\n",
                             bomb(b"data: "), 1),
            ("deep", False): (dialects.JSON, "", b"[" * 100000 + b"]" * 100000, 1),
            ("deep", True): (dialects.SSE, "", b"data: " + b"[" * 100000 + b"]" * 100000 + b"\n\n", 1),
        }[plan.ends, entry.stream]
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{coding}"
                     "transfer-encoding: chunked\r\n\r\n".encode())
        for _ in range(times):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        entry.outcome = "broken"
        return True

    @staticmethod
    def _event(plan, entry):
        """An event in the middle of a stream of this API."""
        _, pieces = entry.dialect.write(plan, entry)
        return pieces[min(3, len(pieces) - 1)][0]

    # --- what is no call ---

    async def side(self, method, path, headers, body):
        """MCP's greetings, files and batches: (status, header lines, body), or None: it is a call."""
        if path.startswith("/mcp/"):
            return self._mcp(method, json.loads(body or b"{}"))
        if "/files" in path or "/batches" in path:
            return self._batch(method, path, body)
        return None

    def _mcp(self, method, message):
        asked = message.get("method")
        if method != "POST":
            return 405, ["allow: POST"], b"{}"
        if asked == "tools/call":
            return None
        if "id" not in message:
            return 202, [], b""
        result, extra = {}, []
        if asked == "server/discover":
            return 400, [], json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {
                "code": -32600, "message": "Bad Request: Server not initialized"}}).encode()
        if asked == "initialize":
            self.sessions += 1
            extra = [f"mcp-session-id: s{self.sessions}"]
            result = {"protocolVersion": message["params"]["protocolVersion"],
                      "capabilities": {"tools": {}}, "serverInfo": {"name": "vendor", "version": "1"}}
        if asked == "tools/list":
            result = {"tools": [{"name": "work", "description": "Works.", "inputSchema": {
                "type": "object", "properties": {"plan": {"type": "string"}}}}]}
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return 200, extra, json.dumps(answer).encode()

    def _batch(self, method, path, body):
        """A file is its lines; a batch is done when its plan says so."""
        last = path.rstrip("/").split("/")
        if method == "POST" and last[-1] == "files":
            plan = ID.search(body)[0].decode()
            self.files[f"file-{plan}"] = body[body.index(b'{"custom_id"'):body.rindex(b"\r\n--")]
            return 200, [], json.dumps({"id": f"file-{plan}", "object": "file", "bytes": len(body),
                                        "created_at": 1, "filename": "in.jsonl", "purpose": "batch",
                                        "status": "processed"}).encode()
        plan = self.plans[ID.search(path.encode() + body)[0].decode()]
        if last[-1] == "content" and last[-2] in self.files:
            return 200, [], self.files[last[-2]]
        if last[-1] == "content":
            line = {"custom_id": "1", "response": {"status_code": 200, "body": {
                "object": "chat.completion", "model": "m", "choices": [], "usage": {
                    "prompt_tokens": plan.prompt, "completion_tokens": plan.words,
                    "total_tokens": plan.prompt + plan.words}}}}
            return 200, [], (json.dumps(line) + "\n").encode()
        if method == "POST" and last[-1] == "batches":
            entry = Entry(plan.id, None, path, {}, body)
            entry.prompt, entry.status = plan.prompt, plan.status
            plan.entries.append(entry)
            if plan.status != 200:
                entry.outcome = "refused"
                return plan.status, [], b'{"error":{"message":"refused","type":"x","code":null}}'
        return 200, [], json.dumps(self._batch_state(plan)).encode()

    @staticmethod
    def _batch_state(plan):
        done = plan.proceed.is_set()
        made = {"id": f"batch-{plan.id}", "object": "batch", "endpoint": "/v1/chat/completions",
                "input_file_id": f"file-{plan.id}", "completion_window": "24h", "created_at": 1,
                "errors": None, "output_file_id": None, "error_file_id": None,
                "status": "completed" if done else "in_progress",
                "request_counts": {"total": 1, "completed": int(done), "failed": 0}}
        if done:
            plan.entries[0].written, plan.entries[0].outcome = plan.words, "whole"
            made["output_file_id"] = f"file-out-{plan.id}"
            if plan.reports == "true":
                made["usage"] = {"input_tokens": plan.prompt, "output_tokens": plan.words,
                                 "total_tokens": plan.prompt + plan.words}
        return made
