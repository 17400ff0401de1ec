# SPDX-License-Identifier: Apache-2.0
"""Bounds: slow clients, silent clients, too many of them, and what happens at the end of
descriptors and of memory for bodies.  Nothing hangs, nothing dies."""

import concurrent.futures
import contextlib
import json
import resource
import select
import socket
import subprocess
import threading
import time

import pytest

from gateway import MASTER, binary, patient, raw, slow_factor, wait_until

FAST = """
  limits: {header_timeout: 300ms, idle_timeout: 400ms}
"""


def ends_within(link, seconds):
    """What comes until the other end closes."""
    link.settimeout(patient(seconds))
    got = b""
    while True:
        piece = link.recv(65536)
        if not piece:
            return got
        got += piece


def connect(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port))


def test_a_head_that_does_not_come_is_408(new_gateway):
    gateway = new_gateway(FAST)
    with connect(gateway) as link:
        link.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Slow:")
        got = ends_within(link, 5)
    assert got.startswith(b"HTTP/1.1 408"), got


def test_a_head_that_drips_is_408_all_the_same(new_gateway):
    gateway = new_gateway(FAST)
    with connect(gateway) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.settimeout(0.02)
        got = b""
        link.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Slow: ")

        def drip():
            """True at the end, which never comes if each byte begins the time anew."""
            nonlocal got
            try:
                link.sendall(b"a")
                got += link.recv(4096)
                return True
            except socket.timeout:
                return False
            except OSError:
                return True
        wait_until(drip, 60, "the end of a head that drips")
    assert not got or got.startswith(b"HTTP/1.1 408"), got


def test_an_idle_connection_is_closed_without_a_word(new_gateway):
    gateway = new_gateway(FAST)
    with connect(gateway) as link:
        link.sendall(b"GET /health/liveliness HTTP/1.1\r\nHost: x\r\n\r\n")
        got = ends_within(link, 5)
    assert got.startswith(b"HTTP/1.1 200") and got.count(b"HTTP/1.1") == 1


def test_the_end_of_descriptors_is_survived(new_gateway):
    gateway = new_gateway(start=False)
    with gateway.log.open("a") as log:
        gateway.process = subprocess.Popen(
            [str(binary()), "serve", "--config", str(gateway.config), "--port",
             str(gateway.port)], env=gateway.env, stdout=log, stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96)))
    gateway.wait_ready()
    links = []
    try:
        for _ in range(200):
            try:
                links.append(socket.create_connection(("127.0.0.1", gateway.port), 1))
            except OSError:
                break
        assert gateway.process.poll() is None
    finally:
        for link in links:
            link.close()
    wait_until(lambda: gateway.is_ready(), 20, "the gateway to serve again")
    assert gateway.chat().status == 200


def test_a_thousand_idle_connections_do_not_slow_a_call(gateway):
    def fastest_of_20_calls():
        """What a call takes at the least: the rest is other work of the machine."""
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert gateway.chat().status == 200
            took.append(time.monotonic() - began)
        return min(took)

    alone = fastest_of_20_calls()
    links = []
    try:
        for _ in range(1000):
            links.append(socket.create_connection(("127.0.0.1", gateway.port), 5))
        assert fastest_of_20_calls() < alone * 10
    finally:
        for link in links:
            link.close()


def test_bodies_over_all_bounds_are_503_with_retry_after(new_gateway, upstream):
    gateway = new_gateway("\n  limits: {buffered_bytes: 4MiB}\n")
    head = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            + MASTER.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n"
            b"\r\n")
    links, answers = [], []
    try:
        for _ in range(6):
            link = connect(gateway)
            links.append(link)
            try:
                link.sendall(head + b" " * 1900000)
            except OSError:
                pass

        def hear():
            for link in select.select(links, [], [], 0)[0]:
                with contextlib.suppress(OSError):
                    answers.append(link.recv(4096))
            return any(a.startswith(b"HTTP/1.1 503") for a in answers)
        wait_until(hear, what="one to be turned away")
    finally:
        for link in links:
            link.close()
    assert all(b"retry-after" in a.lower() for a in answers if a.startswith(b"HTTP/1.1 503"))
    wait_until(lambda: gateway.chat().status == 200, 10, "room for bodies")


def test_many_clients_that_break_off_leave_nothing_behind(gateway, upstream):
    """Half a request, then gone: descriptors and permits come back."""
    def descriptors():
        import os
        return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
    gateway.chat()
    before = descriptors()
    body = json.dumps({"model": "any/slow-300", "messages": []}).encode()
    whole = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
             + MASTER.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: "
             + str(len(body)).encode() + b"\r\n\r\n" + body)

    def one(i):
        with connect(gateway) as link:
            link.sendall(whole[:len(whole) * (i % 10 + 1) // 10])
    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Idle connections to the upstream may stay in their pool.
    wait_until(lambda: descriptors() <= before + 40, 20, "the descriptors to come back")


def test_the_gateways_descriptors_are_not_inherited(gateway):
    got = raw(gateway.port, b"GET /health/liveliness HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
              b"\r\n")
    assert b"200" in got
    import os
    flags = []
    for fd in os.listdir(f"/proc/{gateway.process.pid}/fd"):
        if int(fd) <= 2:
            continue
        try:
            text = open(f"/proc/{gateway.process.pid}/fdinfo/{fd}").read()
        except OSError:
            continue
        mode = int(next(l.split()[1] for l in text.splitlines() if l.startswith("flags")), 8)
        if not mode & os.O_CLOEXEC:
            flags.append((fd, os.readlink(f"/proc/{gateway.process.pid}/fd/{fd}")))
    assert not flags, flags


@pytest.mark.parametrize("header", [b"Host: x\r\nHost: y\r\n", b""])
def test_exactly_one_host_is_needed(gateway, header):
    got = raw(gateway.port, b"GET /health/liveliness HTTP/1.1\r\n" + header + b"\r\n")
    assert got.startswith(b"HTTP/1.1 400"), got


def anonymous(gateway):
    """Resident memory of no file, in bytes."""
    with open(f"/proc/{gateway.process.pid}/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


@pytest.mark.skipif(slow_factor() > 1, reason="the sanitizers keep what was freed")
def test_memory_of_large_bodies_goes_with_them(new_gateway, upstream):
    """The first, the largest, must not teach malloc to keep those that follow."""
    gateway = new_gateway()

    def call(model, size):
        answer = gateway.chat(model, messages=[{"role": "user", "content": "x" * size}])
        assert answer.status == 200, answer

    def together(n, size):
        """All of them are in memory at one time."""
        upstream.reset()
        upstream.close_gate()
        with concurrent.futures.ThreadPoolExecutor(n) as pool:
            done = [pool.submit(call, "any/gate-large", size) for _ in range(n)]
            upstream.wait_for(lambda records: len(records) == n, 20, "all calls at once")
            upstream.open_gate()
            for one in done:
                one.result()
    call("chat", 2000000)
    together(16, 1000)
    before = anonymous(gateway)
    together(16, 200000)
    wait_until(lambda: anonymous(gateway) < before + 1000000, 5, "the memory to be given back")
