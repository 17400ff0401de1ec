#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays raw HTTP/1 requests and judges the answers.

    http_replay.py HOST PORT KEY CASES [--parallel N] [--one-byte] [--tls CA.pem]

One TSV line a case: verdict, name, expected, status codes got, closed or open, seconds.
The verdict `wait` means that nothing came within the time this waits and the case
expects the gateway's own time-out (408).  Exit 1 when a case failed.
"""

import argparse
import base64
import json
import re
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

QUIET = 2.5  # seconds without a byte after which an answer counts as over


def connect(args):
    link = socket.create_connection((args.host, args.port), 5)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if args.tls:
        context = ssl.create_default_context(cafile=args.tls)
        link = context.wrap_socket(link, server_hostname="localhost")
    link.settimeout(QUIET)
    return link


def send(link, case, raw, args):
    try:
        if args.one_byte:
            for i in range(len(raw)):
                link.sendall(raw[i:i + 1])
        else:
            link.sendall(raw)
        if case["name"] in ("half-close", "chunk-trunc-eof", "body-short-eof"):
            if not args.tls:  # TLS has no half-close that Python could send
                link.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def run(line, args):
    case = json.loads(line)
    raw = base64.b64decode(case["raw_base64"]).replace(
        b"Bearer KEY", b"Bearer " + args.key.encode())
    link = connect(args)
    began, got, closed = time.monotonic(), b"", False
    sender = threading.Thread(target=send, args=(link, case, raw, args), daemon=True)
    sender.start()
    if args.tls:
        sender.join()  # one thread at a time may use a TLS connection
    try:
        while True:
            try:
                piece = link.recv(65536)
            except (socket.timeout, ssl.SSLWantReadError):
                if sender.is_alive():
                    continue
                break
            except OSError:
                closed = True
                break
            if not piece:
                closed = True
                break
            got += piece
    finally:
        link.close()
    codes = [c.decode() for c in re.findall(rb"HTTP/1\.[01] (\d{3})[ \r]", got)]
    final = [c for c in codes if not c.startswith("1")]
    first = final[0] if final else ("close" if closed else "none")
    ok = any(want == first or (want.endswith("xx") and first[:1] == want[0] and first.isdigit())
             for want in case["expect"].split("|"))
    if first == "none" and "408" in case["expect"].split("|"):
        ok = None
    if len(final) > max(1, case["forward"]) and not case["name"].startswith(("cl0", "pipeline")):
        ok = False
    if case["close"] and not closed and ok:
        ok = False
    verdict = {True: "ok", False: "FAIL", None: "wait"}[ok]
    shown = ",".join(codes[:4]) + ("..." if len(codes) > 4 else "") or first
    return ok, "\t".join([verdict, case["name"], case["expect"], shown,
                          "closed" if closed else "open", f"{time.monotonic() - began:.1f}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("cases")
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--one-byte", action="store_true", help="one write a byte")
    parser.add_argument("--tls", metavar="CA", help="over TLS, trusting CA")
    args = parser.parse_args()
    lines = [line for line in open(args.cases, encoding="utf-8") if line.strip()]
    with ThreadPoolExecutor(args.parallel) as pool:
        results = list(pool.map(lambda line: run(line, args), lines))
    for _, line in results:
        print(line)
    bad = sum(1 for ok, _ in results if ok is False)
    print(f"failures: {bad}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
