# SPDX-License-Identifier: Apache-2.0
"""An upstream that answers every request with a failure that repeats all it was sent.

`manner` says how, for the requests to come; a WebSocket is accepted and told the same.
"""

import base64
import hashlib
import json
import re
import socketserver
import threading
import urllib.parse

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def _json(text):
    return {"error": {"message": text, "type": "invalid_request_error", "code": text[:60],
                      "status": "INVALID_ARGUMENT", "param": text}, "type": "error",
            "message": text, "detail": text, "error_description": text}


def _whole(status, kind, body, text, more=b""):
    flat = " ".join(text.split())[:900].encode()
    return (b"HTTP/1.1 %d Echo\r\ncontent-type: %s\r\nx-echo: %s\r\nwww-authenticate: %s\r\n%s"
            b"content-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, kind, flat, flat, more, len(body), body))


def _names(text):
    """A field for each word that may be a field's name."""
    words = {w.strip('",') for w in text.split()}
    return b"".join(b"x-%s: 1\r\n" % w.encode() for w in sorted(words)
                    if w.startswith("canary") and re.fullmatch(r"[\w.+-]+", w))


def _stream(text, *events):
    body = b"".join(b"event: %s\ndata: %s\n\n" % (name, json.dumps(data).encode())
                    if name else b"data: %s\n\n" % json.dumps(data).encode()
                    for name, data in events)
    return (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (len(body), body))


def _lines(text):
    """What stands in a stream beside its data, and data that is none."""
    flat = " ".join(text.split())[:900]
    good = [(b"", {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m",
                   "choices": [{"index": 0, "delta": {"content": word}}]}) for word in "abc"]
    body = _stream(text, *good[:1]).partition(b"\r\n\r\n")[2] + "".join(
        f"{line}{flat}\n\n" for line in (": ", "id: ", "retry: ", "event: ", "junk ", "data: ",
                                         "data: junk\ndata: ", ": ok\n: ", "x: ")).encode()
    for name, data in good[1:]:
        body += b": %s\ndata: %s\nid: %s\n\n" % (flat.encode(), json.dumps(data).encode(),
                                                flat.encode())
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + body


GOOD = [(b"", {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m",
               "choices": [{"index": 0, "delta": {"content": "hi"}}]}),
        (b"content_block_delta", {"type": "content_block_delta", "index": 0,
                                  "delta": {"type": "text_delta", "text": "hi"}}),
        (b"response.output_text.delta", {"type": "response.output_text.delta", "delta": "hi"}),
        (b"", {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}}]})]

ANSWER = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "type": "message",
          "role": "assistant", "stop_reason": "end_turn", "content": [{"type": "text", "text": "hi"}],
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"},
                       "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "input_tokens": 1,
                    "output_tokens": 1}}

MANNERS = {
    **{f"json-{status}": lambda text, status=status: _whole(
        status, b"application/json", json.dumps(_json(text)).encode(), text)
       for status in (400, 401, 403, 404, 422, 429, 500, 503, 529)},
    "ascii": lambda text: _whole(400, b"application/json", json.dumps(_json("".join(
        f"\\u{ord(c):04x}" for c in text))).replace("\\\\u", "\\u").encode(), text),
    "slashes": lambda text: _whole(500, b"application/json", json.dumps(_json(text)).replace(
        "/", "\\/").encode(), text),
    "url": lambda text: _whole(400, b"text/plain", urllib.parse.quote(text, safe="").encode(), text),
    "text": lambda text: _whole(500, b"text/plain", text.encode(), text),
    "html": lambda text: _whole(502, b"text/html", b"<html>" + text.encode(), text),
    "broken": lambda text: _whole(400, b"application/json", b'{"error":{"message":"' +
                                  json.dumps(text).encode()[1:-20], text),
    "broken-200": lambda text: _whole(200, b"application/json", b'{"error":{"message":"' +
                                      json.dumps(text).encode()[1:-20], ""),
    "body-200": lambda text: _whole(200, b"application/json", json.dumps(
        {"error": _json(text)["error"]}).encode(), ""),
    "body-both-200": lambda text: _whole(200, b"application/json", json.dumps(
        {**ANSWER, "error": text}).encode(), ""),
    "event-status": lambda text: _stream(text, *GOOD, (b"", {"status": 401, "message": text})),
    "event-code": lambda text: _stream(text, *GOOD, (b"", {"code": "401", "msg": text})),
    "event-other": lambda text: _stream(text, *GOOD, (b"", {"because": [{"of": text}]}), (
        b"", [text]), (b"", text)),
    "lines": _lines,
    "error-200": lambda text: _stream(text, (b"", {"error": _json(text)["error"]})),
    "event": lambda text: _stream(text, (b"error", _json(text))),
    "event-failed": lambda text: _stream(text, (b"response.failed", {
        "type": "response.failed", "response": {"id": "r", "status": "failed",
                                                "error": {"code": "x", "message": text}}})),
    "event-detail": lambda text: _stream(text, (b"", {"detail": text})),
    "event-errors": lambda text: _stream(text, (b"", {"errors": [{"message": text}]})),
    "event-fail": lambda text: _stream(text, (b"fail", {"type": "fail", "message": text})),
    "event-capital": lambda text: _stream(text, (b"Error", {"Error": {"message": text}})),
    "event-hidden": lambda text: _stream(text, (b"", {"error": _json(text)["error"]})).replace(
        b'{"error"', b'{"\\u0065rror"').replace(b"content-length", b"x-length"),
    "names-200": lambda text: _whole(200, b"application/json", json.dumps(ANSWER).encode(), "",
                                     _names(text)),
    "names-400": lambda text: _whole(400, b"application/json", json.dumps(_json("no")).encode(), "",
                                     _names(text)),
    "redirect-body": lambda text: _whole(307, b"text/plain", text.encode(), text),
    "redirect": lambda text: _whole(302, b"text/plain", b"", text, b"location: http://127.0.0.1/"
                                    + "".join(text.split())[:900].encode() + b"\r\n"),
    "fields": lambda text: _whole(200, b"application/json", json.dumps(ANSWER).encode(), text,
                                  b"x-ratelimit-remaining-tokens: "
                                  + " ".join(text.split())[:900].encode() + b"\r\n"),
    "chunks-400": lambda text: (b"HTTP/1.1 400 Echo\r\ncontent-type: text/plain\r\n"
                                b"transfer-encoding: chunked\r\n\r\nZZ\r\n" + text.encode()),
    "short-500": lambda text: _whole(500, b"text/plain", text.encode(), "").replace(
        b"content-length: ", b"content-length: 1"),
    "no-http": lambda text: text.encode(),
}


def _frame(kind, payload):
    size = len(payload)
    head = bytes([0x80 | kind]) + (bytes([size]) if size < 126 else
                                   bytes([126]) + size.to_bytes(2, "big"))
    return head + payload


class EchoUpstream:
    def __enter__(self):
        self.manner = "json-400"
        self.heard = []
        self.issued = ""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 60

            def handle(self):
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    head += line
                fields = {k.strip().lower(): v.strip() for k, _, v in
                          (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])}
                body = self.rfile.read(int(fields.get("content-length", 0)))
                text = head.decode("latin-1") + body[:2000].decode("latin-1")
                outer.heard.append(text)
                if head.split()[1] == b"/issue":  # a token that only a running gateway knows
                    self.wfile.write(_whole(200, b"application/json", json.dumps({
                        "access_token": outer.issued, "token_type": "bearer",
                        "expires_in": 3600}).encode(), ""))
                    return
                if head.split()[1] == b"/refusing":
                    self.wfile.write(outer.refuse(fields, json.loads(body or b"{}")))
                    return
                if "sec-websocket-key" in fields and not outer.manner.startswith("json"):
                    outer.talk(self.wfile, fields, text)
                else:
                    self.wfile.write(MANNERS[outer.manner](text))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    @staticmethod
    def refuse(fields, message):
        """An MCP server whose one tool fails, saying with which token but not that it is one."""
        answer = {"jsonrpc": "2.0", "id": message.get("id")}
        if message.get("method") == "initialize":
            answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                "serverInfo": {"name": "refusing", "version": "1"}}
        elif message.get("method") == "tools/list":
            answer["result"] = {"tools": [{"name": "fails", "inputSchema": {"type": "object"}}]}
        else:
            answer["error"] = {"code": -32000, "message": "it was " + fields.get(
                "authorization", "").removeprefix("Bearer ")}
        if "id" not in message:
            return _whole(202, b"text/plain", b"", "")
        return _whole(200, b"application/json", json.dumps(answer).encode(), "")

    def talk(self, wfile, fields, text):
        accept = base64.b64encode(hashlib.sha1(
            (fields["sec-websocket-key"] + GUID).encode()).digest()).decode()
        credential = fields.get("authorization", fields.get("api-key", ""))
        wfile.write(f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade"
                    f"\r\nsec-websocket-accept: {accept}\r\n\r\n".encode())
        wfile.write(_frame(1, json.dumps({"type": "error", "event_id": "e",
                                          "error": _json(text)["error"]}).encode()))
        wfile.write(_frame(8, (3000).to_bytes(2, "big") + credential.encode()[:120]))

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
