# SPDX-License-Identifier: Apache-2.0
"""What all calls together may cost: the alert that is told once, what each action does, what is
refused, and what outlives a restart, a crash and a hand-over."""

import json
import re
import sys
import threading
import time

import pytest
from openai import OpenAI, RateLimitError

from gateway import MASTER, patient, request, roomy_ms, wait_until
from test_handover import Daemon


def settings(action="alert", **more):
    """Of a month, which no test sees the end of."""
    lines = {"cost_budget_usd_per_month": 1, "cost_budget_action": action, **more}
    return "\n".join(f"  {name}: {value}" for name, value in lines.items())


def client(gateway, key=MASTER):
    return OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0,
                  timeout=patient(30))


def ask(gateway, key=MASTER, **more):
    return client(gateway, key).chat.completions.create(
        model="costly/ok-a", messages=[{"role": "user", "content": "hello"}], max_tokens=10,
        **more)


def status(gateway):
    return gateway.call("GET", "/kanmon/status").json()["budget"]


def window(gateway, name="month"):
    return next(w for w in status(gateway)["windows"] if w["window"] == name)


def events(gateway, name=None):
    return [(e["event"], e["text"]) for e in gateway.call("GET", "/kanmon/events").json()["events"]
            if e["event"].startswith("budget.") and name in (None, e["event"])]


def logged(gateway, name):
    return len(re.findall(rf"\b{re.escape(name)}\b", gateway.log.read_text()))


def booked(gateway):
    return sum(row["spend"] for row in gateway.spend_logs())


def metric(gateway, name):
    found = re.findall(rf"^{re.escape(name)} (\S+)$", gateway.call("GET", "/metrics").body.decode(),
                       re.M)
    return float(found[0]) if found else None


def spend_until(gateway, percent, key=MASTER):
    calls = 0
    while window(gateway)["percent"] < percent:
        ask(gateway, key)
        calls += 1
        assert calls < 200
    return calls


def test_without_such_a_budget_nothing_is_said(gateway):
    assert status(gateway) is None
    assert metric(gateway, "kanmon_budget_throttled_total") is None


def test_the_alert_is_told_once_and_refuses_nothing(new_gateway):
    gateway = new_gateway(settings(cost_budget_usd_per_month=0.05, cost_budget_usd_per_day=100))
    ask(gateway)
    assert events(gateway) == []
    threads = [threading.Thread(target=ask, args=(gateway,)) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wait_until(lambda: window(gateway)["spent"] > 0.05, what="the calls to be paid")
    told = events(gateway)
    assert [name for name, _ in told] == ["budget.alert", "budget.spent"]
    assert told[0][1].startswith("month: 0.") and "of 0.05 USD are spent" in told[0][1]
    assert logged(gateway, "budget.alert") == logged(gateway, "budget.spent") == 1
    ask(gateway)
    assert len(events(gateway)) == 2


def test_what_is_shown_of_it(new_gateway):
    gateway = new_gateway(settings(cost_budget_usd_per_hour=2.9, cost_budget_usd_per_day=60))
    ask(gateway)
    shown = status(gateway)
    assert shown["action"] == "alert"
    assert [w["window"] for w in shown["windows"]] == ["hour", "day", "month"]
    month = shown["windows"][2]
    assert month["limit"] == 1 and month["spent"] == pytest.approx(booked(gateway), abs=1e-9)
    assert month["begins_at"].endswith("01T00:00:00.000000Z")
    assert month["ends_at"].endswith("01T00:00:00.000000Z") and not month["blocks"]
    assert shown["projected_month"] >= shown["spent_month"] == month["spent"]
    assert metric(gateway, 'kanmon_budget_spent_usd{window="month"}') == pytest.approx(month["spent"])
    assert metric(gateway, 'kanmon_budget_limit_usd{window="hour"}') == 2.9
    assert metric(gateway, "kanmon_budget_projected_month_usd") > 0
    said = gateway.command("status", "--config", gateway.config).stdout
    assert re.search(r"budget +month: 0\.\d+ of 1 USD spent, \d+ %, ends \d{4}-\d\d-01T00:00:00Z", said)
    assert re.search(r"month: 0\.\d+ USD spent, [\d.]+ USD projected \(alert\)", said)


def test_block_refuses_what_the_month_does_not_cover(new_gateway):
    gateway = new_gateway(settings("block", cost_budget_usd_per_month=0.2))
    key = gateway.new_key()
    with pytest.raises(RateLimitError) as refused:
        for _ in range(100):
            ask(gateway, key)
    assert refused.value.status_code == 429 and refused.value.body["type"] == "budget_exceeded"
    assert "Budget has been exceeded! Current cost: 0." in refused.value.body["message"]
    assert "the gateway's budget of this month (kanmon_settings.cost_budget_usd_per_month), " \
        "which ends at " in refused.value.body["message"]
    shown = window(gateway)
    assert shown["blocks"] and shown["spent"] <= 0.2 and shown["reserved"] == 0
    assert shown["spent"] == pytest.approx(booked(gateway), abs=1e-9)
    with pytest.raises(RateLimitError):  # the master key pays as any other
        ask(gateway)
    assert gateway.chat("mock").status == 200  # what costs nothing goes on


@pytest.mark.parametrize("mode", ["reserve", "litellm"])
def test_calls_at_once_of_all_workers_share_it(new_gateway, mode):
    gateway = new_gateway(settings("block", cost_budget_usd_per_month=0.3, budget_mode=mode))
    keys = [gateway.new_key() for _ in range(3)]
    served = []

    def some(key):
        for _ in range(8):
            try:
                ask(gateway, key)
                served.append(key)
            except RateLimitError:
                pass

    threads = [threading.Thread(target=some, args=(k,)) for k in keys * 2]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    spent = booked(gateway)
    assert window(gateway)["spent"] == pytest.approx(spent, abs=1e-9)
    assert window(gateway)["reserved"] == 0 and served
    if mode == "reserve":
        assert spent <= 0.3


def test_what_was_spent_outlives_a_restart_and_a_crash(new_gateway):
    gateway = new_gateway(settings("block", cost_budget_usd_per_month=0.3,
                                   cost_budget_usd_per_hour=50, cost_budget_alert_percent=5))
    for _ in range(3):
        ask(gateway)
    spent = window(gateway)["spent"]
    assert len(events(gateway, "budget.alert")) == 1
    gateway.stop()
    gateway.start()
    assert window(gateway)["spent"] == spent == pytest.approx(booked(gateway))
    assert window(gateway, "hour")["spent"] in (spent, 0)  # 0: the hour ended in between
    assert events(gateway) == []  # it was told before
    ask(gateway)
    assert events(gateway) == []
    wait_until(lambda: len(gateway.spend_logs()) == 4, what="the books")
    spent = window(gateway)["spent"]
    gateway.kill()
    gateway.start()
    assert window(gateway)["spent"] == spent == pytest.approx(booked(gateway))
    with pytest.raises(RateLimitError):
        for _ in range(100):
            ask(gateway)


def test_litellms_budget_of_the_proxy(new_gateway, upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(gateway.config.read_text().replace(
        "  request_timeout: 20\n", "  request_timeout: 20\n  max_budget: 0.2\n"
        "  budget_duration: 30d\n"))
    gateway.start()
    with pytest.raises(RateLimitError) as refused:
        for _ in range(100):
            ask(gateway)
    assert "the gateway's budget of this period (litellm_settings.max_budget), which ends at " \
        in refused.value.body["message"]
    shown = window(gateway, "proxy")
    assert shown["blocks"] and shown["limit"] == 0.2 and shown["spent"] <= 0.2
    gateway.stop()
    gateway.config.write_text(gateway.config.read_text().replace("  budget_duration: 30d\n", ""))
    gateway.start()
    assert window(gateway, "proxy")["spent"] == shown["spent"]
    with pytest.raises(RateLimitError) as refused:
        for _ in range(100):
            ask(gateway)
    assert "which does not start anew" in refused.value.body["message"]


def test_a_stream_ends_where_the_budget_does(new_gateway):
    gateway = new_gateway(settings("block", cost_budget_usd_per_month=0.1))
    key = gateway.new_key()
    with pytest.raises(RateLimitError):
        for _ in range(100):
            for _ in ask(gateway, key, stream=True):
                pass
    assert window(gateway)["reserved"] == 0
    assert 0 < window(gateway)["spent"] == pytest.approx(booked(gateway), abs=1e-9)
    assert window(gateway)["spent"] <= 0.1


def test_calls_without_a_key_pay_too(new_gateway, upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(gateway.config.read_text().replace(
        "general_settings:\n  master_key: sk-e2e-master\n", "general_settings:\n") +
        settings("block", cost_budget_usd_per_month=0.1) + "\n  allow_unauthenticated: true\n")
    gateway.start()
    answers = [gateway.chat("costly/ok-a", key=None, max_tokens=10).status for _ in range(30)]
    assert answers[0] == 200 and answers[-1] == 429 and set(answers) == {200, 429}
    shown = gateway.call("GET", "/kanmon/status", key=None).json()["budget"]["windows"][0]
    assert 0 < shown["spent"] <= 0.1 and shown["reserved"] == 0


def test_throttle_spreads_calls_and_refuses_none(new_gateway):
    most = roomy_ms(1000)  # the second call comes before that is over
    gateway = new_gateway(settings("throttle", cost_budget_usd_per_month=0.05,
                                   cost_budget_throttle_wait=f"{most}ms"))
    calls = spend_until(gateway, 80)
    assert calls == 7 and metric(gateway, "kanmon_budget_throttled_total") == 0
    low = {"extra_headers": {"x-kanmon-priority": "low"}}
    raw = client(gateway).chat.completions.with_raw_response
    waited = []
    began = time.monotonic()
    for _ in range(2):
        answer = raw.create(model="costly/ok-a", max_tokens=10,
                            messages=[{"role": "user", "content": "hello"}], **low)
        waited.append(int(answer.headers.get("x-kanmon-queue-wait-ms", 0)))
    assert waited[0] == 0 and 0 < waited[1] <= most, waited
    assert time.monotonic() - began >= sum(waited) / 1000
    assert metric(gateway, "kanmon_budget_throttled_total") == 1
    spend_until(gateway, 100)
    critical = raw.create(model="m", messages=[{"role": "user", "content": "hello"}],
                          extra_headers={"x-kanmon-priority": "critical"})
    assert critical.status_code == 200
    assert gateway.chat("mock").header("x-kanmon-queue-wait-ms") is None  # it costs nothing
    assert status(gateway)["throttled_calls"] >= 1
    assert {name for name, _ in events(gateway)} == {"budget.alert", "budget.spent"}


def test_who_is_held_back_may_go_away(new_gateway):
    gateway = new_gateway(settings("throttle", cost_budget_usd_per_month=0.01,
                                   cost_budget_throttle_wait="600s"))
    spend_until(gateway, 100)
    ask(gateway)
    link = threading.Event()

    def leave():
        with pytest.raises(TimeoutError):
            request(gateway.port, "POST", "/v1/chat/completions",
                    {"model": "costly/ok-a", "messages": [{"role": "user", "content": "x"}]},
                    timeout=0.05)
        link.set()

    threading.Thread(target=leave).start()
    assert link.wait(patient(20))
    wait_until(lambda: any(row["status"] == "failure" for row in gateway.spend_logs()),
               what="the call that was given up to be in the books")
    assert gateway.chat("mock").status == 200


CHEAPER = """
model_list:
  - model_name: m
    litellm_params: &open {{model: openai/ok-dear, api_base: "{url}/v1", api_key: sk-u,
      input_cost_per_token: 0.001, output_cost_per_token: 0.001}}
    model_info: {{id: dear}}
  - model_name: m
    litellm_params: {{<<: *open, model: openai/ok-cheap, input_cost_per_token: 0.0001,
      output_cost_per_token: 0.0001}}
    model_info: {{id: cheap}}
general_settings: {{master_key: {master}}}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
{more}
"""


def test_cheaper_lets_the_cheapest_serve_past_the_threshold(new_gateway, upstream, tmp_path):
    gateway = new_gateway(config=CHEAPER.format(
        url=upstream.url, master=MASTER, state=tmp_path / "state",
        more=settings("cheaper", cost_budget_usd_per_month=0.5)))
    raw = client(gateway).chat.completions.with_raw_response

    def once():
        return raw.create(model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=9)

    economies = []
    while window(gateway)["percent"] < 80:
        economies.append(once().headers.get("x-kanmon-economy"))
        assert len(economies) < 900
    assert set(economies) == {None}
    assert {r.model for r in upstream.records} == {"ok-dear", "ok-cheap"}
    before = len(upstream.records)
    for _ in range(12):
        assert once().headers["x-kanmon-economy"] == "cheapest of 2, near_budget"
    assert {r.model for r in upstream.records[before:]} == {"ok-cheap"}


SERVER = """
import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if "id" not in said:
        continue
    result = {"initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                             "serverInfo": {"name": "till", "version": "1"}},
              "tools/list": {"tools": [{"name": "pay", "inputSchema": {"type": "object"}}]},
              "tools/call": {"content": [{"type": "text", "text": "paid"}]}}.get(said["method"], {})
    print(json.dumps({"jsonrpc": "2.0", "id": said["id"], "result": result}), flush=True)
"""


def test_a_tool_with_a_price_pays(new_gateway, tmp_path):
    (tmp_path / "till.py").write_text(SERVER)
    gateway = new_gateway(start=False)
    gateway.config.write_text(
        gateway.config.read_text() + settings("block", cost_budget_usd_per_month=1) + "\n" +
        "mcp_servers: " + json.dumps({"till": {
            "transport": "stdio", "command": sys.executable, "args": [str(tmp_path / "till.py")],
            "mcp_info": {"mcp_server_cost_info": {"default_cost_per_query": 0.4}}}}) + "\n")
    gateway.start()

    def pay():
        return gateway.call("POST", "/mcp-rest/tools/call", {
            "server_id": "till", "name": "pay", "arguments": {}})

    wait_until(lambda: gateway.call("GET", "/mcp-rest/tools/list?server_id=till").json()["tools"],
               what="the tool")
    assert [pay().status for _ in range(3)] == [200, 200, 429]
    assert "the gateway's budget of this month" in pay().body.decode()
    assert window(gateway)["spent"] == 0.8 and window(gateway)["reserved"] == 0
    assert len(events(gateway, "budget.alert")) == 1


def test_a_hand_over_takes_what_was_spent_along(new_gateway, upstream):
    gateway = new_gateway(settings("block", cost_budget_usd_per_month=0.3,
                                   cost_budget_alert_percent=5), start=False)
    daemon = Daemon(gateway)
    try:
        for _ in range(3):
            ask(gateway)
        spent = window(gateway)["spent"]
        hung = threading.Thread(target=lambda: gateway.chat("costly/gate-a", max_tokens=10))
        hung.start()
        wait_until(lambda: window(gateway)["reserved"] > 0, what="the call to be under way")
        daemon.restart()
        assert window(gateway)["spent"] == spent and window(gateway)["reserved"] > 0
        upstream.open_gate()
        hung.join()
        wait_until(lambda: window(gateway)["reserved"] == 0, what="the old call to be settled")
        assert spent < window(gateway)["spent"] == pytest.approx(booked(gateway), abs=1e-9)
        assert events(gateway) == []
        with pytest.raises(RateLimitError):
            for _ in range(100):
                ask(gateway)
    finally:
        upstream.open_gate()
        daemon.stop()
