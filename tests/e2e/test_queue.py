# SPDX-License-Identifier: Apache-2.0
"""Calls that wait in line for a place at a deployment: who goes next, who is refused, and that what
a provider says of its limits is waited for."""

import concurrent.futures
import json
import threading

import anthropic
import openai
import pytest

from gateway import MASTER, Gateway, patient, wait_until
from holding_upstream import HoldingUpstream

TAKES_S = 16
CONFIG = """
model_list:
{deployments}
router_settings: {{num_retries: 0, {router}}}
litellm_settings: {{{module}}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 3, performance: {{{performance}}}{more}}}
"""


@pytest.fixture
def holding():
    upstream = HoldingUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture
def line(tmp_path, holding):
    """line("max_parallel_requests: 2", performance="..."): one deployment `m`, or a list."""
    made = []

    def make(*params, router="", module="", performance="", more=""):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        listed = "".join(
            f'  - model_name: m\n    litellm_params: {{model: openai/m{n}, '
            f'api_base: "{holding.url}/v1", api_key: sk-u, {more}}}\n'
            f"    model_info: {{id: d{n}}}\n" for n, more in enumerate(params))
        gateway = Gateway(folder, CONFIG.format(
            deployments=listed, router=router, module=module, performance=performance, more=more,
            master=MASTER, state=folder / "state"))
        made.append(gateway)
        return gateway.start()

    yield make
    for gateway in made:
        gateway.stop()


class Calls:
    """Calls that are under way, each with a text of its own."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.pool = concurrent.futures.ThreadPoolExecutor(64)

    def begin(self, text, priority=None, key=MASTER, **more):
        headers = {"x-kanmon-priority": priority} if priority else None
        return self.pool.submit(self.gateway.chat, "m", key=key, headers=headers,
                                messages=[{"role": "user", "content": text}], **more)


def metric(gateway, name, **labels):
    """The sum of what has all these labels."""
    total = 0.0
    for text in gateway.call("GET", "/metrics").body.decode().splitlines():
        if text.startswith(name + "{") and all(f'{k}="{v}"' in text for k, v in labels.items()):
            total += float(text.rsplit(" ", 1)[1])
    return total


def in_line(gateway, n):
    wait_until(lambda: metric(gateway, "kanmon_queue_depth") == n, what=f"{n} calls in line")


def came(holding, n):
    wait_until(lambda: len(holding.came) >= n, what=f"request {n}")
    return holding.came[n - 1]


def test_a_call_that_finds_no_place_waits_for_one(line, holding):
    gateway = line("max_parallel_requests: 2")
    calls = Calls(gateway)
    begun = [calls.begin(str(n)) for n in range(5)]
    in_line(gateway, 3)
    came(holding, 2)
    assert len(holding.came) == 2
    for n in range(5):
        came(holding, n + 1).answer()
    answers = [call.result() for call in begun]
    assert [answer.status for answer in answers] == [200] * 5
    assert holding.most == 2
    waited = [a.header("x-kanmon-queue-wait-ms") for a in answers]
    assert sum(w is not None and int(w) > 0 for w in waited) == 3
    in_line(gateway, 0)
    assert metric(gateway, "kanmon_queue_wait_seconds_count") == 3
    wait_until(lambda: gateway.log.read_text().count("queued_ms") == 3, what="its lines in the log")


def test_the_higher_class_goes_first_and_the_lower_is_not_forgotten(line, holding):
    gateway = line("max_parallel_requests: 1")
    calls = Calls(gateway)
    begun = [calls.begin("first")]
    came(holding, 1)
    for n, priority in enumerate(["low", "low", "high", "critical", "2"]):
        begun.append(calls.begin(f"{priority}{n}", priority))
        in_line(gateway, n + 1)
    order = []
    for n in range(6):
        held = came(holding, n + 1)
        order.append(held.text)
        held.answer()
    assert all(call.result().status == 200 for call in begun)
    assert order[:4] == ["first", "critical3", "high2", "24"]
    assert order[4:] == ["low0", "low1"]


def test_a_full_line_refuses_the_lowest_with_retry_after(line, holding):
    gateway = line("max_parallel_requests: 1", performance="queue_length: 2")
    calls = Calls(gateway)
    running = calls.begin("running")
    came(holding, 1)
    low = [calls.begin("low0", "low")]
    in_line(gateway, 1)
    low.append(calls.begin("low1", "low"))
    in_line(gateway, 2)
    critical = calls.begin("critical", "critical")
    shed = low[1].result()  # the last of the lowest
    assert shed.status == 429 and int(shed.header("retry-after")) >= 1
    refused = gateway.chat("m", headers={"x-kanmon-priority": "low"})
    assert refused.status == 429 and int(refused.header("retry-after")) >= 1
    assert metric(gateway, "kanmon_queue_shed_total", priority="low") == 2
    for n in range(3):
        came(holding, n + 1).answer()
    assert running.result().status == critical.result().status == low[0].result().status == 200
    assert [held.text for held in holding.came] == ["running", "critical", "low0"]


def test_official_clients_hear_of_a_full_line_in_their_protocol(line, holding):
    gateway = line("max_parallel_requests: 1", performance="queue_length: 0")
    running = Calls(gateway).begin("running")
    came(holding, 1)
    said = [{"role": "user", "content": "hello"}]
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
    with pytest.raises(openai.RateLimitError) as full:
        client.chat.completions.create(model="m", messages=said)
    assert int(full.value.response.headers["retry-after"]) >= 1
    claude = anthropic.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as full:
        claude.messages.create(model="m", max_tokens=10, messages=said)
    assert full.value.body["error"]["type"] == "rate_limit_error"
    came(holding, 1).answer()
    assert running.result().status == 200
    holding.automatic = (200, {})
    assert client.chat.completions.create(model="m", messages=said).choices[0].message.content


def test_who_leaves_and_whose_time_is_over_stands_in_line_no_more(line, holding):
    gateway = line("max_parallel_requests: 1", performance="queue_timeout: 100ms")
    calls = Calls(gateway)
    running = calls.begin("running")
    came(holding, 1)
    late = gateway.chat("m")
    assert late.status == 429 and "queue_timeout" in late.json()["error"]["message"]
    came(holding, 1).answer()
    assert running.result().status == 200

    gateway = line("max_parallel_requests: 1")
    calls = Calls(gateway)
    running = calls.begin("running")
    came(holding, 2)
    out_of_time = gateway.chat("m", timeout=30, headers={"x-litellm-timeout": "0.2"})
    assert out_of_time.status in (408, 504)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0,
                           timeout=patient(0.3))
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    in_line(gateway, 0)
    came(holding, 2).answer()
    assert running.result().status == 200
    assert len(holding.came) == 2  # neither of the two was sent
    holding.automatic = (200, {})
    assert gateway.chat("m").status == 200  # the place is free again


def test_status_has_the_line(line, holding):
    gateway = line("max_parallel_requests: 1")
    calls = Calls(gateway)
    begun = [calls.begin("running")]
    came(holding, 1)
    begun += [calls.begin("low", "low"), calls.begin("high", "high")]
    in_line(gateway, 2)
    queue, = gateway.call("GET", "/kanmon/status").json()["queues"]
    assert queue["resource"] == "m/d0" and queue["limit"] == 1 and queue["running"] == 1
    assert queue["waiting"] == 2
    assert queue["waiting_by_priority"] == {"critical": 0, "high": 1, "medium": 0, "low": 1}
    assert queue["pacing"]["requests_left"] is None
    said = gateway.command("status", "--config", str(gateway.config)).stdout
    assert "m/d0: 2 wait, 1 of 1 run" in said
    holding.automatic = (200, {})
    came(holding, 1).answer()
    assert all(call.result().status == 200 for call in begun)


def test_another_deployment_with_a_place_comes_before_the_line(line, holding):
    gateway = line("max_parallel_requests: 1", "max_parallel_requests: 1")
    calls = Calls(gateway)
    begun = [calls.begin(str(n)) for n in range(4)]
    in_line(gateway, 2)
    wait_until(lambda: len(holding.came) == 2, what="two at once")
    assert sorted(held.model for held in holding.came) == ["m0", "m1"]
    holding.automatic = (200, {})
    for held in holding.came[:2]:
        held.answer()
    assert [call.result().status for call in begun] == [200] * 4


def test_a_hedge_never_waits(line, holding):
    gateway = line("max_parallel_requests: 1", "max_parallel_requests: 1",
                   more=", hedge: {models: [m], after: 20ms}")
    calls = Calls(gateway)
    begun = [calls.begin(str(n)) for n in range(2)]
    came(holding, 2)
    wait_until(lambda: metric(gateway, "kanmon_hedges_total", outcome="sent") == 2,
               what="both to be hedged, which have no other place to go")
    assert metric(gateway, "kanmon_queue_depth") == 0 and len(holding.came) == 2
    for held in holding.came[:2]:
        held.answer()
    assert [call.result().status for call in begun] == [200, 200]
    begun = [calls.begin(str(n)) for n in range(2)]  # and both places are there again
    for n in range(2):
        came(holding, 3 + n).answer()
    assert [call.result().status for call in begun] == [200, 200]


def test_a_place_is_given_back_by_each_way_an_attempt_ends(line, holding):
    gateway = line("max_parallel_requests: 1", router="retry_after: 0")
    statuses = []
    for n, status in enumerate([500, 400, 200, 503]):
        call = Calls(gateway).begin(str(n))
        came(holding, n + 1).answer(status)
        statuses.append(call.result().status)
    assert statuses[:3] == [500, 400, 200] and statuses[3] == 503
    call = Calls(gateway).begin("streamed", num_retries=1)
    came(holding, 5).answer(500)
    came(holding, 6).answer()
    assert call.result().status == 200
    holding.automatic = (200, {})
    assert gateway.chat("m").status == 200


def test_a_caller_above_its_ceiling_is_lowered_and_not_refused(line, holding):
    gateway = line("max_parallel_requests: 1")
    capped = gateway.new_key(metadata={"priority": "low", "priority_ceiling": "medium"})
    calls = Calls(gateway)
    begun = [calls.begin("running")]
    came(holding, 1)
    begun.append(calls.begin("capped", "critical", key=capped))
    in_line(gateway, 1)
    begun.append(calls.begin("high", "high"))
    in_line(gateway, 2)
    assert metric(gateway, "kanmon_queue_depth", priority="medium") == 1
    begun.append(calls.begin("unsaid", key=capped))
    in_line(gateway, 3)
    assert metric(gateway, "kanmon_queue_depth", priority="low") == 1
    for n in range(4):
        came(holding, n + 1).answer()
    assert all(call.result().status == 200 for call in begun)
    assert [held.text for held in holding.came] == ["running", "high", "capped", "unsaid"]


def begin_with(calls, text, priority):
    """With LiteLLM's number in the body."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "priority": priority}
    return calls.pool.submit(calls.gateway.call, "POST", "/v1/chat/completions", json.dumps(body))


def test_litellms_priority_in_the_body(line, holding):
    gateway = line("max_parallel_requests: 1")
    calls = Calls(gateway)
    begun = [calls.begin("running")]
    came(holding, 1)
    for n, priority in enumerate([7, 0]):
        begun.append(begin_with(calls, f"p{priority}", priority))
        in_line(gateway, n + 1)
    for n in range(3):
        came(holding, n + 1).answer()
    assert all(call.result().status == 200 for call in begun)
    assert [held.text for held in holding.came] == ["running", "p0", "p7"]


def test_what_is_reserved_for_a_name_is_kept_for_it(line, holding):
    gateway = line("max_parallel_requests: 4",
                   module="priority_reservation: {prod: 0.75}, "
                          "priority_reservation_settings: {default_priority: 0.25}")
    prod = gateway.new_key(metadata={"priority": "prod"})
    other = gateway.new_key()
    calls = Calls(gateway)
    begun = [calls.begin(f"other{n}", key=other) for n in range(4)]
    in_line(gateway, 2)  # up to half of the places whoever comes
    begun += [calls.begin(f"prod{n}", key=prod) for n in range(2)]
    wait_until(lambda: len(holding.came) == 4, what="prod's calls")
    assert sorted(held.text[:4] for held in holding.came) == ["othe", "othe", "prod", "prod"]
    holding.automatic = (200, {})
    for held in holding.came[:4]:
        held.answer()
    assert all(call.result().status == 200 for call in begun)


def test_a_429_is_waited_out_and_opens_no_breaker(line, holding):
    gateway = line("")
    calls = Calls(gateway)
    first = calls.begin("first")
    came(holding, 1).answer(429, retry_after=1)
    assert first.result().status == 429
    second = calls.begin("second")
    in_line(gateway, 1)
    assert len(holding.came) == 1  # it was not sent into another 429
    came(holding, 2).answer()
    answer = second.result()
    assert answer.status == 200 and int(answer.header("x-kanmon-queue-wait-ms")) > 100
    health = gateway.call("GET", "/health").json()["healthy_endpoints"]
    assert [d["breaker"] for d in health] == ["closed"]


def test_no_more_are_sent_than_the_provider_says_are_left(line, holding):
    gateway = line("")
    calls = Calls(gateway)
    told = {"x_ratelimit_limit_requests": 100, "x_ratelimit_remaining_requests": 2,
            "x_ratelimit_reset_requests": "10m0s"}
    first = calls.begin("first")
    came(holding, 1).answer(200, **told)
    assert first.result().status == 200
    begun = [calls.begin(str(n)) for n in range(5)]
    in_line(gateway, 3)
    came(holding, 3)
    assert len(holding.came) == 3
    holding.automatic = (200, {**told, "x_ratelimit_remaining_requests": 90})
    for held in holding.came[1:3]:
        held.answer(200, **{**told, "x_ratelimit_remaining_requests": 90})
    assert [call.result().status for call in begun] == [200] * 5


def refused(gateway):
    answer = gateway.chat("m")
    assert answer.status == 429, answer
    return answer.json()["error"]["message"], int(answer.headers["retry-after"])


def test_who_is_refused_hears_what_it_would_have_waited_for(line, holding):
    """A rest, a limit of its upstream, its places: each by its name, with the time."""
    gateway = line("", performance="queue_timeout: 5s")
    holding.automatic = (429, {"retry_after": 40})
    assert gateway.chat("m").status == 429
    text, after = refused(gateway)
    assert "rests for" in text and "429" in text and "at most 5 s" in text and "places" not in text
    assert 30 <= after <= 40

    gateway = line("", performance="queue_timeout: 5s")
    holding.automatic = (200, {"x_ratelimit_limit_requests": 100, "x_ratelimit_reset_requests": "11h0m0s",
                               "x_ratelimit_remaining_requests": 0})
    assert gateway.chat("m").status == 200
    text, after = refused(gateway)
    assert "too little left of its limit" in text and "asked again in" in text
    assert 50 <= after <= 60  # and not in eleven hours

    holding.automatic = None
    gateway = line("max_parallel_requests: 1", performance="queue_length: 0")
    before = len(holding.came)
    calls = Calls(gateway)
    first = calls.begin("first")
    wait_until(lambda: len(holding.came) == before + 1, what="the first call")
    text, after = refused(gateway)
    assert text.startswith("All its places are taken") and "no more calls may wait: 0 do" in text
    holding.came[-1].answer()
    assert first.result().status == 200


def test_pacing_can_be_off_and_a_deployment_without_limits_never_waits(line, holding):
    gateway = line("", performance="rate_limit_pacing: false")
    calls = Calls(gateway)
    for n in range(2):
        call = calls.begin(str(n))
        came(holding, n + 1).answer(429, retry_after=30)
        assert call.result().status == 429
    begun = [calls.begin(str(n)) for n in range(20)]
    wait_until(lambda: holding.running == 20, what="twenty at once")
    for held in holding.came:
        held.answer()
    assert all(call.result().status == 200 for call in begun)


def test_many_calls_on_three_workers_lose_no_place(line, holding):
    gateway = line("max_parallel_requests: 3", performance="queue_length: 40")
    holding.automatic = (200, {})
    served, refused, left = [0], [0], [0]
    lock = threading.Lock()

    def ask(n):
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0,
                               timeout=0.02 if n % 7 == 0 else 30,
                               default_headers={"x-kanmon-priority": str(n % 4)})
        for _ in range(12):
            try:
                client.chat.completions.create(model="m",
                                               messages=[{"role": "user", "content": "x"}])
                count = served
            except openai.RateLimitError:
                count = refused
            except openai.APITimeoutError:
                count = left
            with lock:
                count[0] += 1

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        list(pool.map(ask, range(24)))
    assert served[0] + refused[0] + left[0] == 24 * 12 and served[0] > 100
    assert holding.most <= 3
    in_line(gateway, 0)
    holding.automatic = None  # and there are three places yet
    seen = len(holding.came)
    begun = [Calls(gateway).begin(str(n)) for n in range(4)]
    in_line(gateway, 1)
    wait_until(lambda: len(holding.came) == seen + 3, what="three at once")
    holding.automatic = (200, {})
    for held in holding.came[seen:]:
        held.answer()
    assert all(call.result().status == 200 for call in begun)
