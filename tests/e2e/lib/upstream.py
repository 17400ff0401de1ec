# SPDX-License-Identifier: Apache-2.0
"""A provider that records and misbehaves on request.

It speaks HTTP/1.1 over asyncio's streams with nothing but the standard library,
so that it shares no code with the gateway it judges.  Every request is kept as it
came: request line, header lines in order, body bytes, when it started, how many
SSE events were written, and how and when the connection ended.

What it answers is chosen by the model name of the body (or by `?behave=` of the
path), so that a thousand calls in flight need no shared script:

    ok...               a completion (10 tokens in, 5 out), streamed when asked
    err-STATUS[-...]    an error; err-429-retry adds retry-after: 7
    err-ctx, err-content, err-html, err-text, err-empty
    flaky-N-STATUS-ID   N errors for this very name, then ok
    slow-MS, hang       first byte late or never
    reset, close        the connection ends before any header (RST, FIN)
    cut-json            a content-length that is not fulfilled
    big-BYTES           an answer of about so many bytes
    stream-cut          dies in the middle of the third event (FIN)
    stream-reset        the same with RST
    stream-byte         one byte a write
    stream-nodone       no [DONE]
    stream-error        an error event after two chunks
    stream-usage-last   usage inside the last chunk that has choices
    stream-usage-always usage whether asked or not, in a chunk of its own
    stream-refuses-N    status N naming stream_options when it is present
    stream-forever      an event each 10 ms until the client is gone
    stream-slow-MS      the first event late
    closing             a good answer without a word about closing, then FIN
    raw-NAME            the bytes of RAW[NAME], then FIN: answers no server should give
    stream-crlf, stream-comments, stream-many-N, stream-wide-N (N events of 16 KB)

Run alone: `upstream.py [--port N]` prints `PORT n`; GET /_ctl/requests and
POST /_ctl/reset give tests in other languages the same view.
"""

import argparse
import asyncio
import base64
import collections
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

CREATED = 1700000000
WORDS = ["Hel", "lo", " from", " the", " mock"]
PROMPT_TOKENS, COMPLETION_TOKENS = 10, 5


def _whole(body, head=b"", first=b"HTTP/1.1 200 OK"):
    return (first + b"\r\ncontent-type: application/json\r\n" + head
            + b"content-length: %d\r\n\r\n" % len(body) + body)


_OK = (b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
       b'"message":{"role":"assistant","content":"raw"},"finish_reason":"stop"}],'
       b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}')
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"

# name: (may it be taken for a good answer?, the bytes)
RAW = {
    "hints": (True, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + _whole(_OK)),
    "continue": (True, b"HTTP/1.1 100 Continue\r\n\r\n" + _whole(_OK)),
    "until-close": (True, _JSON + b"\r\n" + _OK),
    "chunked": (True, _JSON + b"transfer-encoding: chunked\r\n\r\n5;a=b\r\n" + _OK[:5]
                + b"\r\n%x\r\n" % len(_OK[5:]) + _OK[5:] + b"\r\n0\r\nx-trailer: 1\r\n\r\n"),
    "trailing-bytes": (True, _whole(_OK) + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    "http-1.0": (True, _whole(_OK, first=b"HTTP/1.0 200 OK")),
    "endless-hints": (False, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 20000),
    "te-and-cl": (False, _JSON + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n"
                  b"0\r\n\r\n"),
    "two-lengths": (False, _JSON + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
    "bad-chunk": (False, _JSON + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
    "huge-chunk": (False, _JSON + b"transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
    "negative-length": (False, _JSON + b"content-length: -1\r\n\r\n"),
    "no-http": (False, b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "nul-header": (False, b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\n{}"),
    "long-header": (False, b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2000000 + b"\r\n\r\n"),
    "many-headers": (False, b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 50000 + b"\r\n"),
    "status-99": (False, b"HTTP/1.1 99 Odd\r\ncontent-length: 0\r\n\r\n"),
    "switching": (False, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    "redirect": (False, b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n"
                 b"content-length: 0\r\n\r\n"),
    "no-content": (False, b"HTTP/1.1 204 No Content\r\n\r\n"),
    "empty-json": (False, _whole(b"")),
    "not-json": (False, _whole(b"<html>hello</html>")),
    "deep-json": (False, _whole(b"[" * 100000 + b"]" * 100000)),
    "array": (False, _whole(b"[1,2,3]")),
    "nothing": (False, b""),
}


class Record:
    """One request as it came, and what became of it."""

    def __init__(self, seq, method, target, headers, body):
        self.seq, self.method, self.target = seq, method, target
        self.headers, self.body = headers, body
        self.began = time.monotonic()
        self.ended = None          # when the client's side was seen to end, or we finished
        self.events = 0            # SSE events written whole
        self.sent = b""            # the body of our answer
        self.status = None
        self.outcome = "open"      # served | gone (client left) | broken (we broke it)
        self.closed = False        # its connection is: whoever keeps it can know

    @property
    def path(self):
        return urlsplit(self.target).path

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def json(self):
        return json.loads(self.body)

    @property
    def model(self):
        try:
            return self.json().get("model")
        except (ValueError, AttributeError):
            return None

    def as_dict(self):
        return {
            "seq": self.seq, "method": self.method, "target": self.target,
            "headers": self.headers, "body": self.body.decode("utf-8", "replace"),
            "body_base64": base64.b64encode(self.body).decode(), "status": self.status,
            "events": self.events, "outcome": self.outcome, "model": self.model,
            "seconds": None if self.ended is None else self.ended - self.began,
        }


class ClientGone(Exception):
    pass


def usage(n_in=PROMPT_TOKENS, n_out=COMPLETION_TOKENS):
    return {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out}


def error_body(status, model):
    kinds = {400: ("invalid_request_error", None), 401: ("invalid_request_error", "invalid_api_key"),
             403: ("permission_error", None), 404: ("invalid_request_error", "model_not_found"),
             408: ("timeout", None), 413: ("invalid_request_error", None),
             422: ("invalid_request_error", None), 429: ("requests", "rate_limit_exceeded")}
    kind, code = kinds.get(status, ("server_error", None))
    return {"error": {"message": f"The mock refuses {model} with {status}.", "type": kind,
                      "param": None, "code": code}}


class Upstream:
    """The server.  In tests it runs in a thread of its own: start(), then stop()."""

    def __init__(self, host="127.0.0.1", port=0):
        self.host, self.port = host, port
        self.records = []
        self.connections = 0           # accepted since the start
        self.open_connections = 0
        self.flaky = collections.Counter()
        self.changed = threading.Condition()
        self.context = None            # of TLS, set before start()
        self.gate = None               # `gate-...` models wait until open_gate()
        self.gate_breaks = False
        self._loop = None
        self._thread = None
        self._server = None

    # -- life ------------------------------------------------------------------

    def start(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def stop(self):
        if self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = None

    def _run(self, ready):
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.listen())
        ready.set()
        self._loop.run_forever()
        self._server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def listen(self):
        self.gate = asyncio.Event()
        self._server = await asyncio.start_server(
            self._client, self.host, self.port, limit=1 << 20, backlog=4096, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def open_gate(self):
        self._loop.call_soon_threadsafe(self.gate.set)

    def break_gate(self):
        """It opens, and what waited there is answered 500."""
        self.gate_breaks = True
        self.open_gate()

    def close_gate(self):
        self._loop.call_soon_threadsafe(self.gate.clear)

    # -- what tests ask ---------------------------------------------------------

    def reset(self):
        with self.changed:
            self.records = []

    def seen(self, model=None):
        with self.changed:
            return [r for r in self.records if model is None or r.model == model]

    def wait_for(self, predicate, timeout=20, what="the upstream to see it"):
        """Waits until predicate(records) is true; it is tried at each change."""
        with self.changed:
            if not self.changed.wait_for(lambda: predicate(self.records), timeout):
                raise AssertionError(f"waited {timeout} s for {what}")
            return list(self.records)

    def _note(self):
        with self.changed:
            self.changed.notify_all()

    # -- one connection ---------------------------------------------------------

    async def _client(self, reader, writer):
        self.connections += 1
        self.open_connections += 1
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Not the kernel's megabytes: a reader that stops is to be felt here.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
        records = []
        try:
            while await self._one(reader, writer, records):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            await self._close(writer, records)

    async def _close(self, writer, records):
        """What is said to be closed is: close() alone only asks for it."""
        writer.close()
        try:
            await writer.wait_closed()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        finally:
            self.open_connections -= 1
            for record in records:
                record.closed = True
            self._note()

    async def _one(self, reader, writer, records):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append([name, value.strip()])
        low = {name.lower(): value for name, value in headers}
        if low.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in low.get("transfer-encoding", ""):
            body = await self._chunks(reader)
        else:
            body = await reader.readexactly(int(low.get("content-length", "0")))
        if target.startswith("/_ctl/"):
            return await self._control(writer, target)
        with self.changed:
            record = Record(len(self.records), method, target, headers, body)
            self.records.append(record)
            records.append(record)
            self.changed.notify_all()
        try:
            keep = await self._answer(record, reader, writer)
            record.outcome = "served" if record.outcome == "open" else record.outcome
        except (ClientGone, ConnectionError):
            record.outcome, keep = "gone", False
        finally:
            record.ended = time.monotonic()
            self._note()
        return keep and low.get("connection", "").lower() != "close"

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

    async def _control(self, writer, target):
        if target.startswith("/_ctl/reset"):
            self.reset()
            answer = b"{}"
        else:
            answer = json.dumps({"requests": [r.as_dict() for r in self.seen()],
                                 "open_connections": self.open_connections - 1}).encode()
        await self._send(writer, 200, answer)
        return True

    # -- answers ----------------------------------------------------------------

    @staticmethod
    async def _send(writer, status, body, kind="application/json", extra=()):
        head = [f"HTTP/1.1 {status} Mock", f"content-type: {kind}",
                f"content-length: {len(body)}", *extra]
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + body)
        await writer.drain()

    @staticmethod
    def _abort(writer):
        """RST instead of FIN."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    @staticmethod
    async def _pause(reader, seconds):
        """Waits, and notices when the client leaves meanwhile."""
        try:
            got = await asyncio.wait_for(reader.read(1), seconds)
        except asyncio.TimeoutError:
            return
        if not got:
            raise ClientGone
        raise ClientGone  # bytes in mid-answer: pipelining is not ours to serve

    async def _answer(self, record, reader, writer):
        path = record.path
        query = parse_qs(urlsplit(record.target).query)
        try:
            request = json.loads(record.body) if record.body else {}
        except ValueError:
            request = {}
        if not isinstance(request, dict):
            request = {}
        name = str(request.get("model", "ok"))
        name = query.get("behave", [name])[0].split("/")[-1]
        if path.startswith("/echo"):
            return await self._echo(record, writer)
        if path.endswith("/models"):
            record.status = 200
            await self._send(writer, 200, json.dumps({"object": "list", "data": [
                {"id": "upstream-model", "object": "model", "created": CREATED,
                 "owned_by": "mock"}]}).encode())
            return True
        found = re.match(r"flaky-(\d+)-(\d+)", name)
        if found:
            self.flaky[name] += 1
            name = f"err-{found[2]}" if self.flaky[name] <= int(found[1]) else "ok"
        if name.startswith("err-"):
            return await self._error(name, record, writer)
        if name == "reset":
            record.outcome = "broken"
            self._abort(writer)
            return False
        if name.startswith("raw-"):
            record.status, record.outcome = 200, "broken"
            writer.write(RAW[name[4:]][1])
            await writer.drain()
            return False
        if name == "close":
            record.outcome = "broken"
            return False
        if name.startswith("gate"):
            gone = asyncio.ensure_future(reader.read(1))
            opened = asyncio.ensure_future(self.gate.wait())
            await asyncio.wait({gone, opened}, return_when=asyncio.FIRST_COMPLETED)
            opened.cancel()
            if gone.done():
                raise ClientGone
            gone.cancel()
            await asyncio.sleep(0)
            if self.gate_breaks:
                return await self._error("err-500", record, writer)
        if name == "hang":
            await self._pause(reader, 3600)
        found = re.match(r"slow-(\d+)", name)
        if found:
            await self._pause(reader, int(found[1]) / 1000)
        found = re.match(r"stream-refuses-(\d+)", name)
        if found and "stream_options" in request:
            record.status = int(found[1])
            await self._send(writer, int(found[1]), json.dumps({"error": {
                "message": "Unrecognized request argument supplied: stream_options",
                "type": "invalid_request_error", "param": None, "code": None}}).encode())
            return True
        record.status = 200
        if path.endswith("/embeddings"):
            return await self._embeddings(request, record, writer)
        if request.get("stream") is True:
            return await self._stream(name, request, record, reader, writer)
        if not name.startswith("closing"):
            return await self._complete(name, request, path, record, writer)
        # The answer and the FIN in one segment: a request that came between them would be
        # acknowledged and lost, and nobody could tell it from one that was served.
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        await self._complete(name, request, path, record, writer)
        sock.shutdown(socket.SHUT_WR)
        return False

    async def _echo(self, record, writer):
        record.status = 200
        await self._send(writer, 200, record.body or b"{}", "application/octet-stream",
                         [f"x-echo-method: {record.method}"])
        return True

    async def _error(self, name, record, writer):
        kind, extra = "application/json", ["x-request-id: req_mock"]
        found = re.match(r"err-(\d+)", name)
        if found:
            record.status = int(found[1])
            body = json.dumps(error_body(record.status, name)).encode()
            if "retry" in name:
                extra.append("retry-after: 7")
        elif name == "err-ctx":
            record.status = 400
            body = json.dumps({"error": {
                "message": "This model's maximum context length is 8192 tokens. However, your "
                           "messages resulted in 9000 tokens.", "type": "invalid_request_error",
                "param": "messages", "code": "context_length_exceeded"}}).encode()
        elif name == "err-content":
            record.status = 400
            body = json.dumps({"error": {
                "message": "Your request was rejected as a result of our safety system.",
                "type": "invalid_request_error", "param": None,
                "code": "content_policy_violation"}}).encode()
        elif name == "err-html":
            record.status, kind = 502, "text/html"
            body = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        elif name == "err-text":
            record.status, kind, body = 500, "text/plain", b"something broke"
        else:
            record.status, body = 500, b""
        await self._send(writer, record.status, body, kind, extra)
        return True

    async def _embeddings(self, request, record, writer):
        inputs = request.get("input")
        count = len(inputs) if isinstance(inputs, list) and inputs and not isinstance(
            inputs[0], int) else 1
        if request.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack("<3f", 0.5, -0.25, 0.125)).decode()
        else:
            vector = [0.5, -0.25, 0.125]
        await self._send(writer, 200, json.dumps({
            "object": "list", "model": request.get("model"),
            "data": [{"object": "embedding", "index": i, "embedding": vector}
                     for i in range(count)],
            "usage": {"prompt_tokens": 10, "total_tokens": 10}}).encode())
        return True

    async def _complete(self, name, request, path, record, writer):
        text = "".join(WORDS)
        found = re.match(r"big-(\d+)", name)
        if found:
            text = "x" * int(found[1])
        message = {"role": "assistant", "content": text, "refusal": None}
        reason = "stop"
        if name.startswith("tools"):
            message = {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "look", "arguments": "{\"at\": \"moon\"}"}}]}
            reason = "tool_calls"
        answer = {"id": f"chatcmpl-mock-{record.seq}", "object": "chat.completion",
                  "created": CREATED, "model": request.get("model"),
                  "choices": [{"index": 0, "message": message, "logprobs": None,
                               "finish_reason": reason}],
                  "usage": usage(), "system_fingerprint": "fp_mock", "x_vendor": {"kept": 1}}
        if path.endswith("/completions") and "/chat/" not in path:
            answer["id"], answer["object"] = f"cmpl-mock-{record.seq}", "text_completion"
            answer["choices"] = [{"index": 0, "text": text, "logprobs": None,
                                  "finish_reason": "stop"}]
        body = json.dumps(answer).encode()
        if name == "cut-json":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                         + f"content-length: {len(body)}\r\n\r\n".encode() + body[:40])
            await writer.drain()
            record.outcome = "broken"
            return False
        record.sent = body
        await self._send(writer, 200, body, extra=["x-request-id: req_mock",
                                                   "x-ratelimit-remaining-requests: 99",
                                                   "openai-processing-ms: 3"])
        return True

    # -- streams ----------------------------------------------------------------

    def _chunk(self, request, path, record, delta, finish=None, **more):
        if "/chat/" in path:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            kind, ident = "chat.completion.chunk", "chatcmpl"
        else:
            choice = {"index": 0, "text": delta.get("content", ""), "logprobs": None,
                      "finish_reason": finish}
            kind, ident = "text_completion", "cmpl"
        return {"id": f"{ident}-mock-{record.seq}", "object": kind, "created": CREATED,
                "model": request.get("model"), "choices": [choice],
                "system_fingerprint": "fp_mock", **more}

    def _events(self, name, request, record):
        """The SSE events of an orderly stream, as bytes."""
        path = record.path
        asked = bool((request.get("stream_options") or {}).get("include_usage"))
        found = re.match(r"stream-(many|wide)-(\d+)", name)
        words = ["w " if found[1] == "many" else "w" * 16384] * int(found[2]) if found else WORDS
        chunks = [self._chunk(request, path, record, {"role": "assistant", "content": ""})]
        chunks += [self._chunk(request, path, record, {"content": w}) for w in words]
        last = self._chunk(request, path, record, {}, "stop")
        if asked and name != "stream-usage-last":
            for chunk in chunks:
                chunk["usage"] = None
            last["usage"] = None
        if name == "stream-usage-last":
            last["usage"] = usage(PROMPT_TOKENS, len(words))
        chunks.append(last)
        if name == "stream-usage-always" or (asked and name != "stream-usage-last"):
            tail = self._chunk(request, path, record, {})
            tail["choices"], tail["usage"] = [], usage(PROMPT_TOKENS, len(words))
            chunks.append(tail)
        end = b"\r\n\r\n" if name == "stream-crlf" else b"\n\n"
        events = [b"data: " + json.dumps(c).encode() + end for c in chunks]
        if name == "stream-comments":
            events = [b": keep-alive\n\n" + b"event: message\nid: 7\n" + e for e in events]
        if name != "stream-nodone":
            events.append(b"data: [DONE]" + end)
        return events

    async def _stream(self, name, request, record, reader, writer):
        found = re.match(r"stream-slow-(\d+)", name)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n")

        async def put(data, whole=True):
            writer.write(b"%x\r\n" % len(data) + data + b"\r\n")
            await writer.drain()
            record.sent += data
            if whole:
                record.events += 1
                self._note()

        if found:
            await self._pause(reader, int(found[1]) / 1000)
        if name.startswith("stream-forever"):
            chunk = b"data: " + json.dumps(
                self._chunk(request, record.path, record, {"content": "tick "})).encode() + b"\n\n"
            while True:
                await put(chunk)
                await self._pause(reader, 0.01)
        events = self._events(name, request, record)
        if name in ("stream-cut", "stream-reset", "stream-error"):
            for event in events[:2]:
                await put(event)
            record.outcome = "broken"
            if name == "stream-error":
                await put(b'data: {"error": {"message": "The mock broke in mid-stream.", '
                          b'"type": "server_error", "param": null, "code": null}}\n\n')
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return True
            await put(events[2][:20], False)
            if name == "stream-reset":
                self._abort(writer)
            return False
        for event in events:
            if name == "stream-byte":
                for i in range(len(event)):
                    await put(event[i:i + 1], i + 1 == len(event))
            else:
                await put(event)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def main():
    parser = argparse.ArgumentParser(description="A recording, misbehaving provider.")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    upstream = Upstream(port=args.port).start()
    print(f"PORT {upstream.port}", flush=True)
    sys.stdin.read()  # lives until the parent closes our stdin
    upstream.stop()


if __name__ == "__main__":
    main()
