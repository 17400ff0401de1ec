# SPDX-License-Identifier: Apache-2.0
"""A call whose deployment is slow to begin is sent to a second one as well: whoever begins first is
heard, both are paid for, and nobody's budget is passed."""

import threading

import pytest

from gateway import MASTER, Gateway, patient, wait_until
from test_faults import OK, Scripted, response
from test_timeouts import CHUNK, END, HEAD, says, stops_after

CONFIG = """
model_list:
  - model_name: m
    litellm_params: &slow {{model: openai/slow, api_base: "{slow}/v1", api_key: sk-u, order: 0,
                            input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
    model_info: {{id: slow}}
  - model_name: m
    litellm_params: {{<<: *slow, model: openai/fast, api_base: "{fast}/v1", order: 1}}
    model_info: {{id: fast}}
  - model_name: unhedged
    litellm_params: {{<<: *slow, timeout: 1}}
  - model_name: unhedged
    litellm_params: {{<<: *slow, api_base: "{fast}/v1", order: 1}}
general_settings: {{master_key: {master}}}
litellm_settings: {{request_timeout: 60, num_retries: 1}}
kanmon_settings: {{state_dir: "{state}", workers: 1, hedge: {{models: [m], {hedge}}}}}
"""


@pytest.fixture
def route(tmp_path):
    made = []

    def make(slow, fast, hedge="after: 20ms"):
        upstreams = [Scripted(slow), Scripted(fast)]
        gateway = Gateway(tmp_path, CONFIG.format(
            slow=upstreams[0].url, fast=upstreams[1].url, master=MASTER, hedge=hedge,
            state=tmp_path / "state"))
        made.extend([*upstreams, gateway.start()])
        return gateway, *upstreams

    yield make
    for one in reversed(made):
        one.__exit__() if isinstance(one, Scripted) else one.stop()


def hedges(gateway):
    """What became of them: {outcome: how many}."""
    found = {}
    for line in gateway.call("GET", "/metrics").body.decode().splitlines():
        if line.startswith("kanmon_hedges_total{"):
            found[line.split('outcome="')[1].split('"')[0]] = int(line.rsplit(" ", 1)[1])
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_the_faster_one_is_heard(route, stream):
    gateway, slow, fast = route(stops_after(), says(HEAD, CHUNK, END) if stream
                                else says(response(200, OK)))
    answer = gateway.chat("m", stream=stream)
    assert answer.status == 200 and answer.header("x-litellm-model-id") == "fast"
    assert (slow.served, fast.served) == (1, 1)
    assert hedges(gateway) == {"sent": 1, "won": 1}


def test_both_are_paid_for_in_one_row(route):
    gateway, _, _ = route(stops_after(), says(response(200, OK)))
    key = gateway.new_key(max_budget=10)
    assert gateway.chat("m", key=key, max_tokens=10).status == 200
    wait_until(lambda: gateway.spend_logs(api_key=key), what="its row")
    row, = gateway.spend_logs(api_key=key)
    assert row["spend"] > 1 * 0.000001 + 1 * 0.000002  # what the second reported is not all
    wait_until(lambda: gateway.key_info(key)["spend"] == pytest.approx(row["spend"]),
               what="the key's spend")


def test_the_first_may_still_win(route):
    """Its answer begins when the second has been asked, and before that one answers."""
    asked = threading.Event()

    def slow(link, _head):
        asked.wait(patient(20))
        link.sendall(response(200, OK))

    def fast(link, _head):
        asked.set()
        stops_after()(link, _head)

    gateway, _, _ = route(slow, fast)
    answer = gateway.chat("m")
    assert answer.status == 200 and answer.header("x-litellm-model-id") == "slow"
    assert hedges(gateway) == {"sent": 1}


def test_other_groups_are_not_hedged(route):
    gateway, slow, fast = route(stops_after(), says(response(200, OK)))
    assert gateway.chat("unhedged").status == 200  # by its time-out
    assert hedges(gateway) == {}


def test_a_key_that_has_no_more_gets_no_second(route):
    """At the edge: the budget covers one attempt, and not two.  Nothing of it stays reserved."""
    released = threading.Event()

    def slow(link, _head):
        released.wait(patient(20))
        link.sendall(response(200, OK))

    gateway, _, fast = route(slow, says(response(200, OK)))
    key = gateway.new_key(max_budget=0.0025)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(
        gateway.chat("m", key=key, max_tokens=1000)))
    asking.start()
    wait_until(lambda: hedges(gateway).get("no_budget"), what="the second to be refused")
    released.set()
    asking.join(patient(20))
    assert answers[0].status == 200 and fast.served == 0
    wait_until(lambda: gateway.key_info(key)["spend"] > 0, what="the key's spend")
    for _ in range(3):  # as much as before may be reserved: nothing leaked
        assert gateway.chat("m", key=key, max_tokens=1000).status == 200


def test_many_at_once_leak_nothing(route):
    gateway, _, fast = route(stops_after(), says(response(200, OK)))
    key = gateway.new_key(max_budget=1, max_parallel_requests=20)
    threads = [threading.Thread(target=gateway.chat, args=("m",),
                                kwargs={"key": key, "max_tokens": 10}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patient(60))
    wait_until(lambda: len(gateway.spend_logs(api_key=key)) == 8, what="their rows")
    spent = sum(row["spend"] for row in gateway.spend_logs(api_key=key))
    wait_until(lambda: gateway.key_info(key)["spend"] == pytest.approx(spent), what="the sum")


def test_how_long_is_learnt(route):
    """Twenty answers at once tell what is slow; then one that hangs is overtaken."""
    hangs = []

    def sometimes(link, head):
        if hangs:
            stops_after()(link, head)
        else:
            link.sendall(response(200, OK))

    gateway, slow, fast = route(sometimes, says(response(200, OK)), "least: 20ms")
    for _ in range(20):
        assert gateway.chat("m").header("x-litellm-model-id") == "slow"
    hangs.append(True)
    assert gateway.chat("m").header("x-litellm-model-id") == "fast"
    assert hedges(gateway)["won"] == 1
