# SPDX-License-Identifier: Apache-2.0
"""Embeddings that meet go to their upstream as one request, asked for by the official SDKs: who is
alone is never held up, each gets its own vectors and its share of what was used."""

import base64
import concurrent.futures
import http.server
import json
import os
import pathlib
import socket
import struct
import subprocess
import threading

import openai
import pytest

from gateway import MASTER, Gateway, patient, wait_until

HERE = pathlib.Path(__file__).resolve().parent

CONFIG = """
model_list:
  - model_name: vectors
    litellm_params: {{model: openai/v, api_base: "{url}/v1", api_key: sk-u, input_cost_per_token: 0.001}}
  - {{model_name: chat, litellm_params: {{model: openai/c, api_base: "{url}/v1", api_key: sk-u}}}}
router_settings: {{num_retries: 0}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1, performance: {{batching: {on}}}}}
"""


def vector(text):
    return [float(len(text)), float(sum(text.encode()) % 97)]


class Upstream(http.server.ThreadingHTTPServer):
    """Notes what it is asked, and answers when it may."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked, self.heads, self.held, self.bad, self.status = [], [], threading.Event(), None, 200
        self.first = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def inputs(self):
        return [one["input"] for one in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        up = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with up.first:
            up.asked.append(body)
            number = len(up.asked)
        if number == 1:  # whatever comes meanwhile meets
            up.held.wait(patient(60))
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        status = up.status if number > 1 and len(texts) > 1 else 200
        if up.bad in texts:
            status = 400
        data = []
        for i, text in enumerate(texts):
            v = vector(text)
            if body.get("encoding_format") == "base64":
                v = base64.b64encode(struct.pack("<2f", *v)).decode()
            data.append({"object": "embedding", "index": i, "embedding": v})
        used = 10 * len(texts) + 1  # nothing that divides evenly
        answer = {"object": "list", "data": list(reversed(data)), "model": body["model"],
                  "usage": {"prompt_tokens": used, "total_tokens": used}}
        if status != 200:
            answer = {"error": {"message": "no", "type": "x", "code": None}}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.held.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def gateway(tmp_path, upstream):
    made = Gateway(tmp_path, CONFIG.format(url=upstream.url, master=MASTER, state=tmp_path / "state", on="true"))
    yield made.start()
    made.stop()


def ask(gateway, text, key=MASTER, **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    return client.embeddings.create(model="vectors", input=text, **more)


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(16) as made:
        yield made


def hold(gateway, upstream, pool, **more):
    """One is with the upstream: the next ones like it wait."""
    first = pool.submit(ask, gateway, "first", **more)
    wait_until(lambda: len(upstream.asked) == 1, 30, "the first request")
    return first


def test_one_alone_goes_at_once(gateway, upstream):
    upstream.held.set()
    for text in ("a", "bb", "ccc"):  # one after the other: none waits for another
        assert ask(gateway, text).data[0].embedding == vector(text)
    assert upstream.inputs() == ["a", "bb", "ccc"]


def test_five_that_meet_are_one(gateway, upstream, pool):
    first = hold(gateway, upstream, pool)
    texts = [f"text {i}" * (i + 1) for i in range(5)]
    asked = [pool.submit(ask, gateway, text) for text in texts]
    wait_until(lambda: len(upstream.asked) == 2, 30, "the five")  # the first is still out
    answers = [one.result(60) for one in asked]
    assert sorted(upstream.inputs()[1]) == sorted(texts)
    for text, answer in zip(texts, answers):
        assert [item.index for item in answer.data] == [0]
        assert answer.data[0].embedding == pytest.approx(vector(text))
        assert answer.model == "vectors"
    assert sum(answer.usage.prompt_tokens for answer in answers) == 51
    assert all(answer.usage.prompt_tokens == answer.usage.total_tokens > 0 for answer in answers)
    upstream.held.set()
    first.result(60)
    assert len(upstream.asked) == 2
    rows = wait_until(lambda: (lambda r: r if len(r) == 6 else None)(gateway.spend_logs()), 20, "six rows")
    assert sum(row["prompt_tokens"] for row in rows) == 51 + 11
    assert sum(row["spend"] for row in rows) == pytest.approx(0.062)


def test_lists_of_inputs_meet_too(gateway, upstream, pool):
    first = hold(gateway, upstream, pool, encoding_format="float")
    lists = [["one", "two"], ["three"], ["four", "five", "six"], ["seven"], ["eight", "nine"]]
    asked = [pool.submit(ask, gateway, texts, encoding_format="float") for texts in lists]
    answers = [one.result(60) for one in asked]  # while the first is held
    assert len(upstream.asked) == 2 and len(upstream.inputs()[1]) == 9
    for texts, answer in zip(lists, answers):
        by = {item.index: item.embedding for item in answer.data}
        assert [by[i] for i in range(len(texts))] == [vector(text) for text in texts]
    upstream.held.set()
    first.result(60)


def test_what_differs_stays_apart(gateway, upstream, pool):
    """Other dimensions, formats, users and keys: each waits for its own kind, if at all."""
    first = hold(gateway, upstream, pool)
    key = gateway.new_key()
    others = [pool.submit(ask, gateway, "a", dimensions=2), pool.submit(ask, gateway, "b", user="x"),
              pool.submit(ask, gateway, "c", key), pool.submit(ask, gateway, "d", encoding_format="float")]
    for one in others:  # nothing like it is out: it goes at once, while the first is held
        assert one.result(60).data
    assert sorted(upstream.inputs()[1:]) == ["a", "b", "c", "d"]
    upstream.held.set()
    first.result(60)


def test_after_a_refusal_each_asks_for_itself(gateway, upstream, pool):
    upstream.bad = "bad"
    first = hold(gateway, upstream, pool)
    texts = ["good 1", "bad", "good 2", "good 3", "good 4"]
    asked = {text: pool.submit(ask, gateway, text) for text in texts}
    for text, one in asked.items():
        if text == "bad":
            with pytest.raises(openai.BadRequestError):
                one.result(60)
        else:
            assert one.result(60).data[0].embedding == pytest.approx(vector(text))
    assert sorted(upstream.inputs()[2:]) == sorted(texts)  # behind the one of all
    upstream.held.set()
    first.result(60)
    assert gateway.call("GET", "/health/readiness").status == 200


def test_after_any_other_failure_nothing_is_sent_again(gateway, upstream, pool):
    upstream.status = 500
    first = hold(gateway, upstream, pool)
    asked = [pool.submit(ask, gateway, f"text {i}") for i in range(5)]
    for one in asked:
        with pytest.raises(openai.InternalServerError):
            one.result(60)
    assert len(upstream.asked) == 2
    upstream.held.set()
    first.result(60)


def test_a_request_may_stay_alone_or_ask_to_meet(gateway, upstream, pool):
    first = hold(gateway, upstream, pool)
    alone = pool.submit(ask, gateway, "alone", extra_body={"kanmon": {"enableBatching": False}})
    assert alone.result(60).data  # while the first is held
    upstream.held.set()
    first.result(60)


def test_off_it_is_asked_for(tmp_path, upstream, pool):
    with Gateway(tmp_path, CONFIG.format(url=upstream.url, master=MASTER, state=tmp_path / "state",
                                         on="false")) as gateway:
        say = {"extra_body": {"kanmon": {"enableBatching": True}}}
        first = pool.submit(ask, gateway, "first", **say)
        wait_until(lambda: len(upstream.asked) == 1, 30, "the first request")
        assert ask(gateway, "as ever").data  # while the first is held
        asked = [pool.submit(ask, gateway, f"text {i}", **say) for i in range(5)]
        assert all(one.result(60).data for one in asked)
        assert [len(x) for x in upstream.inputs()[2:]] == [5]
        assert "kanmon" not in str(upstream.asked)
        upstream.held.set()
        first.result(60)
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
        answer = client.models.with_raw_response.list(extra_headers={"x-kanmon-enable-batching": "true"})
        assert answer.status_code == 200


def test_who_leaves_takes_nobody_along(gateway, upstream, pool):
    first = hold(gateway, upstream, pool)
    body = json.dumps({"model": "vectors", "input": "leaves"}).encode()
    with socket.create_connection(("127.0.0.1", gateway.port)) as link:  # gone before the others come
        link.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                     + MASTER.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: "
                     + str(len(body)).encode() + b"\r\n\r\n" + body)
    asked = [pool.submit(ask, gateway, f"text {i}") for i in range(5)]
    for i, one in enumerate(asked):
        assert one.result(60).data[0].embedding == pytest.approx(vector(f"text {i}"))
    upstream.held.set()
    first.result(60)


@pytest.mark.parametrize("package", ["openai-oldest", "openai-newest"])
def test_the_node_sdk_too(gateway, upstream, pool, package):
    texts = [f"node {i}" for i in range(6)]  # whichever comes first goes alone
    node = os.environ.get("KM_NODE")
    assert node, "KM_NODE is not set: run this by tests/e2e/run"
    ran = pool.submit(subprocess.run, [node, HERE / "sdk/together.mjs"], capture_output=True, text=True,
                      timeout=patient(60),
                      env={"KANMON_URL": gateway.url, "KANMON_KEY": MASTER, "PACKAGE": package,
                           "TEXTS": json.dumps(texts)})
    wait_until(lambda: len(upstream.asked) == 2 or ran.done(), 60, "the five others")
    upstream.held.set()
    done = ran.result(60)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [one["vector"] for one in answers] == [pytest.approx(vector(text)) for text in texts]
    assert sum(one["used"] for one in answers) == 51 + 11
    assert len(upstream.asked) == 2
