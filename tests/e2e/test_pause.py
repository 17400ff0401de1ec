# SPDX-License-Identifier: Apache-2.0
"""A gateway that stood still (a stopped process, a machine that slept): what came in time while
it did is not late."""

import math
import pathlib
import signal
import threading
import time

import pytest

from gateway import config_text, machine_factor, wait_until
from long_form import LONG
from test_upstream import TlsUpstream, certificate
from upstream import Upstream

TAKES_S = 20
CALLS = 30


@pytest.fixture(params=["http", "https"])
def behind(request, tmp_path):
    """An upstream, and what the gateway's environment says of it."""
    cert = None
    if request.param == "https":
        cert, key = certificate(tmp_path)
    upstream = TlsUpstream(cert, key) if cert else Upstream()
    upstream.start()
    yield upstream, {"SSL_CERT_FILE": str(cert)} if cert else {}
    upstream.stop()


def is_stopped(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


# Each waits for the deadlines of its calls.
@pytest.mark.parametrize("behind,stream", [
    ("http", False), ("https", True), pytest.param("http", True, marks=LONG),
    pytest.param("https", False, marks=LONG)], indirect=["behind"])
def test_answers_that_came_during_a_pause_are_taken(new_gateway, tmp_path, behind, stream):
    upstream, env = behind
    timeout = 4 * math.ceil(machine_factor())
    text = config_text(upstream, tmp_path / "state").replace(
        "request_timeout: 20", f"request_timeout: {timeout}")
    gateway = new_gateway(config=text, env=env)
    key = gateway.new_key()
    answers = []

    def call(n):
        answers.append(gateway.chat(f"any/gate-{n}", key, stream=stream))
    threads = [threading.Thread(target=call, args=(n,)) for n in range(CALLS)]
    for thread in threads:
        thread.start()
    upstream.wait_for(lambda records: len(records) == CALLS, what="the calls")
    gateway.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: is_stopped(gateway.process.pid), 10, "the pause")
        upstream.open_gate()
        upstream.wait_for(lambda records: all(one.outcome == "served" for one in records), what="the answers")
        over = max(one.began for one in upstream.seen()) + timeout + 2
        wait_until(lambda: time.monotonic() > over, timeout + 10, "their deadlines")
    finally:
        gateway.process.send_signal(signal.SIGCONT)
    for thread in threads:
        thread.join()
    assert [one.status for one in answers] == [200] * CALLS, answers
    assert not stream or all(one.events()[-1] == "[DONE]" for one in answers)
    rows = gateway.spend_logs(api_key=key)
    assert [row["total_tokens"] for row in rows] == [15] * CALLS, rows
    true = CALLS * (10 * 0.000001 + 5 * 0.000002)
    wait_until(lambda: abs(gateway.key_info(key)["spend"] - true) < 1e-9, 5, "what was spent")
