# SPDX-License-Identifier: Apache-2.0
"""A network of its own in which 8.8.8.8 is ours: the only way to let the guarded dialer reach a
server of a test.  Run by test_media.py inside `unshare`; prints a JSON object by case."""

import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import threading

from gateway import Gateway, request

ADDRESS = "8.8.8.8"
IMAGE = b"\x89PNG" + bytes(100_000)
CONFIG = """
model_list:
  - model_name: local
    litellm_params: {{model: ollama/llama3, api_base: "{url}"}}
kanmon_settings: {{state_dir: "{state}", auth: none, fetch_remote_media: true}}
"""


class Images(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        name = self.path.strip("/")
        to = {"http": f"http://{ADDRESS}/ok", "private": "https://127.0.0.1/ok"}.get(name)
        if name.startswith("hops-"):
            left = int(name[5:]) - 1
            to = f"/hops-{left}" if left else "/ok"
        body = b"" if to else bytes(21 << 20) if name == "big" else IMAGE
        self.send_response(302 if to else 200)
        if to:
            self.send_header("location", to)
        self.send_header("content-type", "text/html" if name == "page" else "image/png")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class Ollama(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        body = json.dumps({"model": "m", "message": {"role": "assistant", "content": "seen"},
                           "done": True, "done_reason": "stop"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(address, handler, context=None):
    server = http.server.ThreadingHTTPServer(address, handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main(folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=images", "-addext",
                    f"subjectAltName=IP:{ADDRESS}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    serve((ADDRESS, 443), Images, context)
    ollama = serve(("127.0.0.1", 0), Ollama)
    config = CONFIG.format(url=f"http://127.0.0.1:{ollama.server_port}", state=folder / "state")
    results = {}
    with Gateway(folder, config, {"SSL_CERT_FILE": str(cert)}) as gateway:
        for name in sys.argv[2:]:
            answer = request(gateway.port, "POST", "/v1/chat/completions", {
                "model": "local", "messages": [{"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": f"https://{ADDRESS}/{name}"}}]}]})
            same = answer.status == 200 and base64.b64decode(
                Ollama.seen[-1]["messages"][0]["images"][0]) == IMAGE
            results[name] = {"status": answer.status, "same": same, "text": answer.body.decode()}
    print(json.dumps(results))


main(pathlib.Path(sys.argv[1]))
