# SPDX-License-Identifier: Apache-2.0
"""Something between kanmon and an MCP server over HTTP that breaks calls of tools as it is told.

    with Breaking(url) as between: ... between.url; between.fault("cut"); between.calls

A fault holds for the next `times` calls of tools (all: None); everything else passes.  `calls` are
those that came, whatever became of them.

    unread      reset, and the server never hears of it
    reset       reset when the server has answered
    close       closed instead, without a byte
    cut         closed in the middle of the answer
    mute        never answered
    502, ...    the server's answer is taken, and that status given instead
    502-error   the same with an error of JSON-RPC
    hello       closed in the handshake of TLS, for the next `times` connections
"""
import http.client
import json
import socket
import ssl
import struct
import threading
import urllib.parse

from gateway import patient


class Breaking:
    def __init__(self, url, cert=None, key=None):
        self.target = urllib.parse.urlsplit(url)
        self.how, self.left, self.calls, self.hellos = None, 0, 0, 0
        self.arrived = threading.Condition()
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.idle = set()

    @property
    def url(self):
        return (f"{'https://localhost' if self.context else 'http://127.0.0.1'}:{self.port}"
                f"{self.target.path}")

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self):
        """Says the end on connections that wait for a request; they are `idle` until the peer has
        closed them, too."""
        for link in list(self.idle):
            try:
                socket.socket.shutdown(link, socket.SHUT_WR)  # beneath TLS
            except OSError:
                pass

    def fault(self, how, times=1):
        self.how, self.left, self.calls, self.hellos = how, times, 0, 0

    def takes(self):
        if self.how is None or self.left == 0:
            return None
        self.left = self.left and self.left - 1
        return self.how

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=[link], daemon=True).start()

    def serve(self, link):
        try:
            if self.context:
                self.hellos += 1
                if self.how == "hello" and self.takes():
                    link.recv(1)  # the peer's hello: nothing of a request
                    return
                link = self.context.wrap_socket(link, server_side=True)
            with link.makefile("rb") as reader:
                while self.one(link, reader):
                    pass
        except OSError:
            pass
        finally:
            self.idle.discard(link)
            link.close()

    def one(self, link, reader):
        """One exchange; false: the connection is over."""
        self.idle.add(link)
        line = reader.readline()
        self.idle.discard(link)
        if not line:
            return False
        method, path, _ = line.decode().split()
        fields = http.client.parse_headers(reader)
        body = reader.read(int(fields.get("content-length", 0)))
        call = method == "POST" and b'"tools/call"' in body
        how = None
        if call:
            with self.arrived:
                self.calls += 1
                self.arrived.notify_all()
            how = self.takes() if self.how != "hello" else None
        if how == "unread":
            return self.reset(link)
        up = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=patient(120))
        passed = {k: v for k, v in fields.items() if k.lower() not in ("connection", "host")}
        try:
            up.request(method, path, body if body else None, passed)
            response = up.getresponse()
            if how:
                return self.broken(link, reader, how, response, body)
            return self.relay(link, response)
        except (OSError, http.client.HTTPException):  # the server is gone in the middle of it
            return self.reset(link)
        finally:
            up.close()

    def broken(self, link, reader, how, response, body):
        whole = response.read()
        if how == "reset":
            return self.reset(link)
        if how == "close":
            return False
        if how == "mute":
            reader.read(1)  # until the peer goes
            return False
        if how == "cut":
            kind = response.getheader("content-type") or "application/json"
            link.sendall(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n"
                         f"content-length: {len(whole)}\r\n\r\n".encode() + whole[:len(whole) // 2])
            return False
        said = b""
        if how.endswith("-error"):
            said = json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": {
                "code": -32603, "message": "it broke"}}).encode()
        link.sendall(f"HTTP/1.1 {how.split('-')[0]} Broken\r\ncontent-type: application/json\r\n"
                     f"content-length: {len(said)}\r\n\r\n".encode() + said)
        return True

    def relay(self, link, response):
        head = "".join(f"{k}: {v}\r\n" for k, v in response.getheaders() if k.lower() not in (
            "content-length", "transfer-encoding", "connection", "date", "server"))
        bare = response.status in (202, 204)
        link.sendall(f"HTTP/1.1 {response.status} {response.reason}\r\n{head}"
                     f"{'content-length: 0' if bare else 'transfer-encoding: chunked'}\r\n\r\n"
                     .encode())
        if bare:
            response.read()
            return True
        while part := response.read1(65536):
            link.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        link.sendall(b"0\r\n\r\n")
        return True

    @staticmethod
    def reset(link):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
