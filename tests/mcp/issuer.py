# SPDX-License-Identifier: Apache-2.0
"""An issuer of tokens: metadata and keys over HTTP, and PyJWT to sign."""

import http.server
import json
import threading
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MAKERS = {
    "RS": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "PS": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "ES384": (lambda: ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
    "ES512": (lambda: ec.generate_private_key(ec.SECP521R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}


class Issuer:
    """with Issuer() as issuer: issuer.url, issuer.token(sub="...")"""

    def __init__(self):
        self.keys, self.asked, self.status = {}, [], 200
        self.more = []  # more members of the key set
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked.append(self.path)
                found = owner.answer(self.path)
                body = json.dumps(found).encode()
                self.send_response(owner.status if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, path):
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": self.url + "/keys"}
        if path == "/realm/keys":
            return {"keys": self.more + [jwk for _, jwk in self.keys.values()]}
        return None

    def add_key(self, kid, alg):
        make, algorithm = MAKERS.get(alg) or MAKERS[alg[:2]]
        private = make()
        jwk = json.loads(algorithm.to_jwk(private.public_key()))
        self.keys[kid] = (private, {**jwk, "kid": kid, "use": "sig", "alg": alg})
        return private

    def asked_for_keys(self):
        return self.asked.count("/realm/keys")

    def token(self, kid="first", key=None, alg=None, headers=None, **claims):
        """Claims that are None are left out."""
        private, jwk = self.keys.get(kid, (None, {}))
        now = int(time.time())
        said = {"iss": self.url, "aud": "kanmon", "sub": "somebody", "iat": now,
                "exp": now + 300, **claims}
        return jwt.encode({k: v for k, v in said.items() if v is not None}, key or private,
                          algorithm=alg or jwk.get("alg"), headers={"kid": kid, **(headers or {})})

    def public_pem(self, kid):
        return self.keys[kid][0].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
