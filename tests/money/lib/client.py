# SPDX-License-Identifier: Apache-2.0
"""A client that reads an answer byte by byte and may leave: its connection is reset, as a killed
process does it.  Its coroutines run in the vendor's loop."""

import asyncio
import json
import socket
import struct

from gateway import MASTER, patient

FULL = 4 << 20  # bytes of an answer without an end after which a client has enough


class Answer:
    def __init__(self, status=None, headers=None, body=b"", whole=False):
        self.status, self.headers, self.body, self.whole = status, headers or {}, body, whole

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {'' if self.whole else 'torn '}{self.body[:300]!r}>"


def encode(method, path, key, headers, body):
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
    if key:
        lines.append(f"authorization: Bearer {key}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Link:
    """One connection, one call."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.answer = Answer()

    async def read(self):
        """To the end, whatever it is; never raises for a torn one."""
        try:
            await self._read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writer.close()
        return self.answer

    async def _read(self):
        a = self.answer
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        a.status = int(first.split(" ")[1])
        a.headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        if "chunked" in a.headers.get("transfer-encoding", ""):
            while True:
                size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
                piece = await self.reader.readexactly(size + 2)
                if size == 0:
                    break
                a.body += piece[:-2]
                if len(a.body) > FULL:
                    self.leave()
                    return
        elif "content-length" in a.headers:
            left = int(a.headers["content-length"])
            while left:
                piece = await self.reader.read(left)
                if not piece:
                    return
                a.body += piece
                left -= len(piece)
        else:
            while piece := await self.reader.read(1 << 16):
                a.body += piece
                if len(a.body) > FULL:
                    self.leave()
                    return
        a.whole = True

    def leave(self):
        """As a process does that is killed."""
        if self.writer.is_closing():
            return
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def connect(port):
    return Link(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 26))


async def send(port, method, path, body=b"", key=MASTER, headers=None):
    """A call that is under way."""
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    body = body.encode() if isinstance(body, str) else body
    link = await connect(port)
    kind = {"content-type": "application/json"} if body else {}
    link.writer.write(encode(method, path, key, {**kind, **(headers or {})}, body))
    await link.writer.drain()
    return link


async def call(port, method, path, body=b"", key=MASTER, headers=None, limit=60):
    """A call to its end."""
    link = await send(port, method, path, body, key, headers)
    return await asyncio.wait_for(link.read(), patient(limit))


async def manage(port, method, path, body=b""):
    """A call of the administrator's, which must go well."""
    answer = await call(port, method, path, body)
    assert answer.status == 200, (path, answer)
    return answer.json()
