# SPDX-License-Identifier: Apache-2.0
"""A region of Amazon Bedrock that verifies who asks and misbehaves on request, with nothing but
the standard library: signatures by hmac, frames by zlib's CRC-32.

What a failing region answers is chosen by the model's name: err-STATUS-EXCEPTION..., hang...,
reset..., frame-EXCEPTION... (200 and an exception as its first message), late-EXCEPTION... (after
two pieces), cut... (in the middle of a frame); any other name is answered well.
"""

import base64
import datetime
import hashlib
import hmac
import http.server
import json
import socket
import struct
import threading
import urllib.parse
import zlib

from gateway import patient

AKID, SECRET, TOKEN = "AKIDE2E", "secret/e2e+key", "session-token=="
PIECES = ["Hel", "lo \u2603", " from "]


def frame(kind, name, payload):
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + b"\x07" + struct.pack("!H", len(value))
        + value.encode() for key, value in ((":message-type", kind), (f":{kind}-type", name),
                                            (":content-type", "application/json")))
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


def signature(request, body, region, signed):
    """What `signed` header fields of this request sign to."""
    when = request.headers["x-amz-date"]
    scope = f"{when[:8]}/{region}/bedrock/aws4_request"
    path, _, query = request.path.partition("?")
    lines = "".join(f"{n}:{' '.join(request.headers[n].split())}\n" for n in signed)
    canonical = "\n".join([request.command, urllib.parse.quote(path, safe="/-_.~"), query, lines,
                           ";".join(signed), hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def denied(request, body, region):
    """Why the request is not who it says, or None."""
    fields = dict(part.strip().split("=", 1) for part in
                  request.headers.get("authorization", "").partition(" ")[2].split(",") if part)
    when = request.headers.get("x-amz-date", "")
    if fields.get("Credential") != f"{AKID}/{when[:8]}/{region}/bedrock/aws4_request":
        return f"credential {fields.get('Credential')}"
    signed = fields["SignedHeaders"].split(";")
    if not {"host", "x-amz-date", "x-amz-security-token", "content-type"} <= set(signed):
        return f"signed headers {signed}"
    if request.headers["x-amz-security-token"] != TOKEN:
        return "the session's token"
    now = datetime.datetime.now(datetime.timezone.utc)
    made = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs((now - made).total_seconds()) > 300:
        return "the time"
    wanted = signature(request, body, region, signed)
    return None if hmac.compare_digest(fields["Signature"], wanted) else "the signature"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        region = self.server.region
        model, action = urllib.parse.unquote(self.path.split("/")[2]), self.path.split("/")[3]
        why = denied(self, body, region)
        self.server.seen.append({"model": model, "action": action, "body": json.loads(body),
                                 "denied": why})
        if why:
            return self.refuse(403, "InvalidSignatureException", why)
        fault = model.split("-") if self.server.failing else ["ok"]
        if fault[0] == "err":
            return self.refuse(int(fault[1]), fault[2], "no")
        if fault[0] == "hang":
            self.server.stopping.wait(patient(30))
            self.close_connection = True
            return None
        if fault[0] == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return None
        if action == "invoke-with-response-stream":
            return self.stream(self.chunks(fault))
        return self.stream(self.frames(fault)) if action == "converse-stream" else self.whole()

    def send(self, status, body, *headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("content-type", "application/json"),
                            ("content-length", str(len(data))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, name, message):
        self.send(status, {"message": message},
                  ("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/"))

    def text(self):
        return [*PIECES, self.server.region]

    def whole(self):
        self.send(200, {
            "output": {"message": {"role": "assistant", "content": [{"text": "".join(self.text())}]}},
            "stopReason": "end_turn", "metrics": {"latencyMs": 1},
            "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}})

    def frames(self, fault):
        if fault[0] == "frame":
            yield frame("exception", fault[1], {"message": "not now"})
            return
        yield frame("event", "messageStart", {"role": "assistant"})
        for i, text in enumerate(self.text()):
            if i == 2 and fault[0] == "late":
                yield frame("exception", fault[1], {"message": "not any more"})
                return
            whole = frame("event", "contentBlockDelta",
                          {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abcd"})
            if i == 2 and fault[0] == "cut":
                yield whole[:20]
                return
            yield whole
        yield frame("event", "contentBlockStop", {"contentBlockIndex": 0})
        yield frame("event", "messageStop", {"stopReason": "end_turn"})
        yield frame("event", "metadata", {"usage": {"inputTokens": 10, "outputTokens": 5,
                                                    "totalTokens": 15}})

    def chunks(self, fault):
        """Claude's own events, each wrapped in a frame."""
        if fault[0] == "frame":
            yield frame("exception", fault[1], {"message": "not now"})
            return
        for event in (
                {"type": "message_start", "message": {
                    "id": "msg_1", "type": "message", "role": "assistant", "content": [],
                    "model": "claude", "stop_reason": None, "stop_sequence": None,
                    "usage": {"input_tokens": 10, "output_tokens": 1}}},
                {"type": "content_block_start", "index": 0,
                 "content_block": {"type": "text", "text": ""}},
                *({"type": "content_block_delta", "index": 0,
                   "delta": {"type": "text_delta", "text": text}} for text in self.text()),
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn",
                                                    "stop_sequence": None},
                 "usage": {"output_tokens": 5}},
                {"type": "message_stop"}):
            wrapped = base64.b64encode(json.dumps(event).encode()).decode()
            yield frame("event", "chunk", {"bytes": wrapped, "p": "abcd"})

    def stream(self, frames):
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for data in frames:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")


class BedrockUpstream:
    def __init__(self, region, failing):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.region, self.server.failing = region, failing
        self.server.seen = []
        self.server.stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def seen(self):
        return self.server.seen

    def stop(self):
        self.server.stopping.set()
        self.server.shutdown()
        self.server.server_close()
