# SPDX-License-Identifier: Apache-2.0
"""What a call is charged whose upstream says nonsense or nothing, and what a key with money left
may write.  Reports of usage are raw JSON, so that they can be what no serializer would write."""

import http.client
import http.server
import json
import socket
import struct
import threading

import pytest
from gateway import patient, wait_until

TAKES_S = 21
INPUT, OUTPUT = 0.0001, 0.001  # USD a token
RATE = 50  # tokens a second that one is taken to write of which nothing is known
CONFIG = """
model_list:
  - model_name: openai/*
    litellm_params: &priced
      {{model: openai/*, api_base: "{url}/v1", api_key: sk-u, input_cost_per_token: 0.0001, output_cost_per_token: 0.001}}
  - model_name: claude/*
    litellm_params: {{<<: *priced, model: anthropic/*, api_base: "{url}"}}
  - model_name: gemini/*
    litellm_params: {{<<: *priced, model: gemini/*, api_base: "{url}"}}
  - model_name: ollama/*
    litellm_params: {{<<: *priced, model: ollama/*, api_base: "{url}"}}
  - model_name: known
    litellm_params: {{<<: *priced, model: openai/known}}
    model_info: {{max_output_tokens: 50}}
general_settings: {{master_key: sk-e2e-master}}
litellm_settings: {{request_timeout: 20, num_retries: 0}}
kanmon_settings: {{state_dir: "{state}", workers: 2}}
"""
TEXT = "one two three four"


def sse(*events):
    return "".join(f"data: {e}\n\n" for e in events)


def named(*events):
    return "".join(f"event: {json.loads(e)['type']}\ndata: {e}\n\n" for e in events)


def chat(usage, stream):
    if not stream:
        return ('{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
                '"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
                '"usage":%s}' % (TEXT, usage))
    head = '{"id":"x","object":"chat.completion.chunk","created":1,"model":"m",'
    return sse(head + '"choices":[{"index":0,"delta":{"role":"assistant","content":"%s"},'
               '"finish_reason":null}]}' % TEXT,
               head + '"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
               head + '"choices":[],"usage":%s}' % usage, "[DONE]")


def messages(usage, stream):
    if not stream:
        return ('{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":'
                '"text","text":"%s"}],"stop_reason":"end_turn","usage":%s}' % (TEXT, usage))
    return named(
        '{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
        '"model":"m","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}' % TEXT,
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":%s}' % usage,
        '{"type":"message_stop"}')


def responses(usage, stream):
    done = ('{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m",'
            '"output":[{"type":"message","id":"m1","role":"assistant","status":"completed",'
            '"content":[{"type":"output_text","text":"%s","annotations":[]}]}],"usage":%s}'
            % (TEXT, usage))
    if not stream:
        return done
    return named('{"type":"response.output_text.delta","item_id":"m1","output_index":0,'
                 '"content_index":0,"delta":"%s"}' % TEXT,
                 '{"type":"response.completed","response":%s}' % done)


def gemini(usage, stream):
    text = ('{"candidates":[{"content":{"role":"model","parts":[{"text":"%s"}]},"finishReason":'
            '"STOP","index":0}],"usageMetadata":%s,"modelVersion":"m"}' % (TEXT, usage))
    return sse(text) if stream else text


def ollama(usage, stream):
    return ('{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",'
            '"content":"%s"},"done":true,"done_reason":"stop"%s}\n'
            % (TEXT, "," + usage[1:-1] if usage != "null" else ""))


class Saying(http.server.ThreadingHTTPServer):
    """A vendor of several APIs whose usage is what a test says; `mute`: it reads and is silent;
    `endless`: bytes until the reader is gone."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.usage, self.mode = "null", "say"
        self.bodies, self.changed = [], threading.Condition()
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.bodies) >= count, 60), len(self.bodies)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.changed:
            self.server.bodies.append((self.path, body))
            self.server.changed.notify_all()
        if self.server.mode == "mute":
            self.server.ended.wait(patient(120))
            return
        if isinstance(self.server.mode, tuple):
            kind, text = self.server.mode
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text.encode()))
            self.close_connection = True
            return
        if self.server.mode == "endless":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b" " * 65536)
            except OSError:
                self.close_connection = True
                return
        stream = body.get("stream") or "stream" in self.path
        write = (messages if "/messages" in self.path else responses if "/responses" in self.path
                 else gemini if "enerate" in self.path or "models/" in self.path
                 else ollama if "/api/" in self.path else chat)
        text = write(self.server.usage, stream).encode()
        kind = "application/json"
        if stream:
            kind = "application/x-ndjson" if write is ollama else "text/event-stream"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture(scope="module")
def vendor():
    server = Saying()
    yield server
    server.ended.set()
    server.shutdown()


@pytest.fixture(scope="module")
def money(vendor, tmp_path_factory):
    from gateway import Gateway
    folder = tmp_path_factory.mktemp("money")
    with Gateway(folder, CONFIG.format(url=vendor.url, state=folder / "state")) as gateway:
        yield gateway


@pytest.fixture
def says(vendor):
    def set_up(usage="null", mode="say"):
        vendor.usage, vendor.mode = usage, mode
        vendor.bodies.clear()
        return vendor
    yield set_up
    vendor.mode = "say"


TALK = [{"role": "user", "content": "hello there, how are you"}]
# path, what is asked for, the names its vendor's report has; all verbatim, then translated
ASKS = {
    "chat": ("/v1/chat/completions", {"model": "openai/m", "messages": TALK},
             ("prompt_tokens", "completion_tokens")),
    "responses": ("/v1/responses", {"model": "openai/m", "input": "hello there, how are you"},
                  ("input_tokens", "output_tokens")),
    "messages": ("/v1/messages", {"model": "claude/m", "max_tokens": 50, "messages": TALK},
                 ("input_tokens", "output_tokens")),
    "chat-claude": ("/v1/chat/completions", {"model": "claude/m", "messages": TALK},
                    ("input_tokens", "output_tokens")),
    "chat-gemini": ("/v1/chat/completions", {"model": "gemini/m", "messages": TALK},
                    ("promptTokenCount", "candidatesTokenCount")),
    "messages-openai": ("/v1/messages", {"model": "openai/m", "max_tokens": 50, "messages": TALK},
                        ("prompt_tokens", "completion_tokens")),
    "ollama": ("/v1/chat/completions", {"model": "ollama/m", "messages": TALK},
               ("prompt_eval_count", "eval_count")),
}
NONSENSE = ["null", "-5", "1e300", "99999999999999999999", '"7"', "1.5", "true"]


def last_row(gateway, key, count=1):
    def rows():
        found = [r for r in gateway.spend_logs(api_key=key) if r["call_type"]]
        return found if len(found) >= count else None
    return wait_until(rows, what="the call's row")[0]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("ask", ASKS)
def test_nonsense_for_a_count_is_an_estimate(money, says, ask, stream):
    path, body, (came, went) = ASKS[ask]
    for value in NONSENSE:
        for report in ('{"%s":3,"%s":%s}' % (came, went, value),
                       '{"%s":%s,"%s":4}' % (came, value, went)):
            if ask in ("messages", "chat-claude") and stream and came + '":' + value in report:
                continue  # the last report of a stream may leave out what went in
            if value == "null" and came == "prompt_eval_count" and came + '":null' in report:
                continue  # Ollama leaves it out where the prompt was in its cache
            says(report)
            key = money.new_key()
            answer = money.call("POST", path, {**body, "stream": stream}, key=key)
            assert answer.status == 200, (report, answer)
            row = last_row(money, key)
            assert row["completion_tokens"] >= len(TEXT) // 5, (report, row)
            assert row["prompt_tokens"] >= 1 and row["spend"] > 0, (report, row)
            assert row["spend"] < 1, (report, row)
            assert row["estimated"] is True, (report, row)


@pytest.mark.parametrize("ask", ASKS)
def test_a_report_that_can_be_is_charged_as_it_stands(money, says, ask):
    path, body, (came, went) = ASKS[ask]
    says('{"%s":3,"%s":4}' % (came, went))
    key = money.new_key()
    assert money.call("POST", path, body, key=key).status == 200
    row = last_row(money, key)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (3, 4)
    assert abs(row["spend"] - (3 * INPUT + 4 * OUTPUT)) < 1e-12 and not row["estimated"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_estimate_is_never_above_what_was_reserved(money, says, stream):
    """An upstream that sends without end is paid for ten tokens when ten were agreed."""
    says(mode="endless")
    key = money.new_key()
    body = {"model": "openai/m", "messages": TALK, "max_tokens": 10, "stream": stream}
    answer = money.call("POST", "/v1/chat/completions", body, key=key, timeout=120)
    assert answer.status == 502, answer
    row = last_row(money, key)
    most = (1.25 * len(json.dumps(body)) + 256) * INPUT + 10 * OUTPUT
    assert 0 < row["spend"] <= most and row["completion_tokens"] <= 10, row
    assert row["estimated"] is True


def cut_after(*events, kind="text/event-stream"):
    """These events, and then no end."""
    return kind, "".join(f"data: {e}\n\n" for e in events)


WORDS = "one two three four " * 50
CHUNK = ('{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
         '"delta":{"content":"%s"},"finish_reason":null}]%s}')
PIECE = '{"candidates":[{"content":{"role":"model","parts":[{"text":"%s"}]},"index":0}]%s}'
CUTS = {
    "chat": cut_after(CHUNK % ("", ',"usage":{"prompt_tokens":3,"completion_tokens":0,'
                               '"total_tokens":3}'), CHUNK % (WORDS, ""), CHUNK % (WORDS, "")),
    "chat-gemini": cut_after(PIECE % (WORDS, ',"usageMetadata":{"trafficType":"ON_DEMAND"}'),
                             PIECE % (WORDS, ',"usageMetadata":{"trafficType":"ON_DEMAND"}')),
    "gemini": cut_after(PIECE % (WORDS, ',"usageMetadata":{"trafficType":"ON_DEMAND"}'),
                        PIECE % (WORDS, ',"usageMetadata":{"promptTokenCount":3}')),
}


@pytest.mark.parametrize("ask", CUTS)
def test_a_stream_that_is_cut_costs_what_was_heard(money, says, ask):
    """Whatever a report said before most of it came."""
    path, body = {
        "gemini": ("/v1beta/models/gemini/m:streamGenerateContent?alt=sse",
                   {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
    }.get(ask) or ASKS[ask][:2]
    says(mode=CUTS[ask])
    key = money.new_key()
    try:
        money.call("POST", path, {**body, **({} if ask == "gemini" else {"stream": True})}, key=key)
    except http.client.IncompleteRead:
        pass  # the client hears of the cut, too
    row = last_row(money, key)
    assert row["completion_tokens"] >= len(WORDS) // 4 and row["prompt_tokens"] > 0, row
    assert row["estimated"] is True and row["spend"] > 0


@pytest.mark.parametrize("report", ["{}", '{"totalTokenCount":-5}', '{"candidatesTokenCount":4}',
                                    '{"trafficType":"ON_DEMAND"}'])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_googles_report_without_what_went_in_is_an_estimate(money, says, report, stream):
    says(report)
    key = money.new_key()
    assert money.call("POST", "/v1/chat/completions", {**ASKS["chat-gemini"][1], "stream": stream},
                      key=key).status == 200
    row = last_row(money, key)
    assert row["estimated"] is True and row["prompt_tokens"] > 0 and row["spend"] > 0, row


def test_an_attempt_that_was_given_up_is_owed_whatever_comes_after(vendor, says, tmp_path):
    """The first deployment reads and is silent, the second refuses."""
    from gateway import Gateway
    says(mode="mute")
    config = CONFIG.replace("num_retries: 0", "num_retries: 1").replace("general_settings", """\
  - model_name: two
    litellm_params: {{<<: *priced, model: openai/a, order: 1, timeout: 0.3}}
  - model_name: two
    litellm_params: {{<<: *priced, model: openai/b, order: 2, api_base: "http://127.0.0.1:{shut}/v1"}}
general_settings""", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        with Gateway(tmp_path, config.format(url=vendor.url, state=tmp_path / "state",
                                             shut=closed.getsockname()[1])) as gateway:
            key = gateway.new_key()
            answer = gateway.call("POST", "/v1/chat/completions", {"model": "two", "messages": TALK},
                                  key=key)
            assert answer.status >= 500, answer
            row = last_row(gateway, key)
            assert row["estimated"] is True and row["spend"] > 0, row
            assert row["completion_tokens"] <= patient(2) * RATE, row  # in the time it had


def leave(gateway, path, body, key, count, vendor):
    """Sends the whole request, waits until the vendor has it, and is gone."""
    text = json.dumps(body).encode()
    link = socket.create_connection(("127.0.0.1", gateway.port), 30)
    link.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
                 f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n".encode()
                 + text)
    vendor.wait_for(count)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


@pytest.mark.parametrize("way", ["leaves", "leaves-stream", "timeout", "header"])
@pytest.mark.parametrize("ask", ASKS)
def test_a_call_that_is_given_up_costs_what_went_in_and_what_its_time_was_good_for(money, says, ask, way):
    path, body, _ = ASKS[ask]
    vendor = says(mode="mute")
    key = money.new_key(max_budget=100)
    if way.startswith("leaves"):
        leave(money, path, {**body, "stream": way.endswith("stream")}, key, 1, vendor)
    else:
        more = {"timeout": 0.2} if way == "timeout" else {}
        headers = {"x-litellm-timeout": "0.2"} if way == "header" else None
        answer = money.call("POST", path, {**body, **more}, key=key, headers=headers)
        assert answer.status == 408, answer
        vendor.wait_for(1)
    row = last_row(money, key)
    assert row["estimated"] is True, row
    assert row["prompt_tokens"] >= 1 and abs(
        row["spend"] - row["prompt_tokens"] * INPUT - row["completion_tokens"] * OUTPUT) < 1e-9
    wait_until(lambda: money.key_info(key)["spend"] > 0, what="the key's spend")


def test_calls_that_are_given_up_use_a_budget_up(money, says):
    path, body, _ = ASKS["chat"]
    vendor = says(mode="mute")
    body = {**body, "max_tokens": 1}
    key = money.new_key(max_budget=0.06)
    sent = 0
    for _ in range(40):
        answer = money.call("POST", path, {**body, "timeout": 0.05}, key=key)
        if answer.status == 429:
            break
        assert answer.status == 408
        sent += 1
    assert 0 < sent < 40 and money.key_info(key)["spend"] <= 0.06
    assert len(vendor.bodies) == sent


def test_what_was_never_sent_costs_nothing(money, says):
    """Refused by the vendor before a token: as before."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        answer = money.call("POST", "/v1/chat/completions", {
            "model": "openai/m", "messages": TALK, "max_tokens": "many"}, key=money.new_key())
        assert answer.status == 400


BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@pytest.mark.parametrize("ask", ["chat", "responses", "messages-openai", "chat-gemini", "ollama"])
def test_a_key_with_money_left_sends_what_its_caller_sent(money, says, ask):
    """The same bytes with a budget and without, as long as the worst case is covered."""
    path, body, (came, went) = ASKS[ask]
    vendor = says('{"%s":3,"%s":4}' % (came, went))
    body = {k: v for k, v in body.items() if k != "max_tokens" or ask.startswith("messages")}
    for settings in ({}, {"max_budget": 1000}):
        assert money.call("POST", path, body, key=money.new_key(**settings)).status == 200
    (_, free), (_, budgeted) = vendor.bodies
    assert free == budgeted


def test_what_is_left_bounds_an_answer_it_does_not_cover(money, says):
    path, body, (came, went) = ASKS["chat"]
    vendor = says('{"%s":3,"%s":4}' % (came, went))
    answer = money.call("POST", path, body, key=money.new_key(max_budget=1))
    assert answer.status == 200
    bound = next(vendor.bodies[0][1][name] for name in BOUNDS if name in vendor.bodies[0][1])
    assert 500 < bound <= 1000 and answer.header("x-kanmon-max-tokens") == str(bound)


def test_a_known_maximum_is_reserved_and_not_sent(money, says):
    path, body, (came, went) = ASKS["chat"]
    vendor = says('{"%s":3,"%s":4}' % (came, went))
    assert money.call("POST", path, {**body, "model": "known"},
                      key=money.new_key(max_budget=1)).status == 200
    assert not set(vendor.bodies[0][1]) & set(BOUNDS)


SPELLINGS = [{"max_completion_tokens": 8000}, {"n_predict": 8000}, {"max_new_tokens": 8000},
             {"max_length": 8000}, {"max_output_tokens": 8000}, {"num_predict": 8000},
             {"options": {"num_predict": 8000}}, {"min_tokens": 8000}, {"n": 100, "max_tokens": 90},
             {"best_of": 100, "max_tokens": 90}]


@pytest.mark.parametrize("path,body", [
    ("/v1/chat/completions", {"messages": TALK, "max_tokens": 1}),
    ("/v1/completions", {"prompt": "hello", "max_tokens": 1}),
    ("/v1/responses", {"input": "hello", "max_output_tokens": 1}),
    ("/openai/v1/chat/completions", {"messages": TALK, "max_tokens": 1})], ids=lambda v: str(v)[:30])
def test_a_second_spelling_of_a_bound_is_lowered_to_what_is_left(money, says, path, body):
    vendor = says('{"prompt_tokens":3,"completion_tokens":4,"input_tokens":3,"output_tokens":4}')
    key = money.new_key(max_budget=0.5)
    for more in SPELLINGS:
        if "max_output_tokens" in more and "responses" in path:
            continue
        before = len(vendor.bodies)
        answer = money.call("POST", path, {"model": "openai/m", **body, **more}, key=key)
        if "max_tokens" in more:  # a hundred answers: none of them would have a sentence
            assert answer.status == 429 and len(vendor.bodies) == before, (more, answer)
            continue
        assert answer.status == 200, (more, answer)
        sent = vendor.bodies[before][1]
        said = [v for place in (sent, sent.get("options", {})) for k, v in place.items()
                if k in (*BOUNDS, *(n for s in SPELLINGS for n in s)) and k not in ("n", "options")]
        assert max(said) <= 500, (more, sent)  # 0.5 USD
    for more in ({"n_predict": 5}, {"options": {"num_predict": 5}}, {"options": {"num_ctx": 8000}}):
        answer = money.call("POST", path, {"model": "openai/m", **body, **more}, key=key)
        assert answer.status == 200, (more, answer)


@pytest.mark.parametrize("more", [
    {"n_predict": -1}, {"num_predict": -2}, {"options": {"num_predict": -1, "num_ctx": 5}},
    {"max_tokens": 800000, "n_predict": -1}, {"max_tokens": None, "max_length": 7, "n_predict": -1}],
    ids=str)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/v1/chat/completions"])
def test_a_bound_without_an_end_is_held_to_what_is_left(money, says, path, more):
    vendor = says('{"prompt_tokens":3,"completion_tokens":4}')
    answer = money.call("POST", path, {"model": "openai/m", "messages": TALK, **more},
                        key=money.new_key(max_budget=0.5))
    assert answer.status == 200, answer
    sent = vendor.bodies[0][1]
    said = [sent[k] for k in (*BOUNDS, "max_length", "n_predict", "num_predict")
            if sent.get(k) is not None]
    said += [sent["options"]["num_predict"]] if "options" in sent else []
    assert len(said) > 1 and all(0 < v <= int(answer.header("x-kanmon-max-tokens")) for v in said)
    assert set(more) <= set(sent)


ESTIMATES = ["null", "[1]", "{}", '{"CAME":0,"WENT":0}', '{"CAME":-5,"WENT":4}',
             '{"CAME":99999999,"WENT":null}', '{"CAME":3,"WENT":1e300}']


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("ask", [a for a in ASKS if a != "ollama"])
def test_an_estimates_tokens_and_cost_are_one_and_below_what_was_reserved(money, says, ask, stream):
    path, body, (came, went) = ASKS[ask]
    most = "max_output_tokens" if ask == "responses" else "max_tokens"
    body = {**body, most: 10, "stream": stream}
    for report in ESTIMATES:
        says(report.replace("CAME", came).replace("WENT", went))
        key = money.new_key()
        assert money.call("POST", path, body, key=key).status == 200, report
        row = last_row(money, key)
        assert row["estimated"] is True, (report, row)
        assert 0 < row["completion_tokens"] <= 10, (report, row)
        assert 0 < row["prompt_tokens"] <= 1.25 * len(json.dumps(body)) + 256, (report, row)
        cost = row["prompt_tokens"] * INPUT + row["completion_tokens"] * OUTPUT
        assert abs(row["spend"] - cost) < 1e-12, (report, row)


@pytest.mark.parametrize("path", ["/v1/completions", "/openai/v1/chat/completions"])
def test_no_tokens_for_a_text_is_an_estimate(money, says, path):
    says('{"prompt_tokens":0,"completion_tokens":0}')
    key = money.new_key()
    body = {"model": "openai/m", "prompt": "hello"} if path == "/v1/completions" else {
        "model": "openai/m", "messages": TALK}
    assert money.call("POST", path, body, key=key).status == 200
    row = last_row(money, key)
    assert row["estimated"] is True and row["spend"] > 0, row


def test_no_tokens_for_an_embedding_is_an_estimate(money, says):
    says('{"prompt_tokens":0,"total_tokens":0}')
    key = money.new_key()
    assert money.call("POST", "/v1/embeddings", {"model": "openai/m", "input": "hello"},
                      key=key).status == 200
    row = last_row(money, key)
    assert row["estimated"] is True and row["spend"] > 0 and not row["completion_tokens"], row


@pytest.mark.parametrize("path", ["/v1/completions", "/openai/v1/completions"])
@pytest.mark.parametrize("many", [
    {"prompt": ["a"] * 100}, {"prompt": [[1, 2]] * 100}, {"prompt": [1] + ["a"] * 100},
    {"prompt": None, "prompt_embeds": ["AAAA"] * 100}], ids=["texts", "tokens", "both", "vectors"])
def test_each_prompt_of_a_completion_is_reserved_for(money, says, path, many):
    """Each is answered by itself, as long as the bound allows."""
    vendor = says('{"prompt_tokens":3,"completion_tokens":4}')
    key = money.new_key(max_budget=0.5)
    ask = {"model": "openai/m", "max_tokens": 90}
    answer = money.call("POST", path, {**ask, **many}, key=key)
    assert answer.status == 429 and not vendor.bodies, answer
    for one in ("a", [1, 2] * 100, ["a"]):
        assert money.call("POST", path, {**ask, "prompt": one}, key=key).status == 200
