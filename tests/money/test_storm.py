# SPDX-License-Identifier: Apache-2.0
"""A storm of calls in front of deployments that fail at random, with retries, fallbacks and breakers: each
answer is correct or a correct error, each row is what its attempts cost, no key is over its budget and
none loses a place.  Then the same with a gateway that is killed again and again.

    tests/money/run storm               half a minute
    tests/money/run --long storm        ten, and 200 kills
"""

import json

import pytest

from storm import Storm
from world import Daemon, INPUT, OUTPUT, World

PRICE = f"input_cost_per_token: {INPUT:.7f}, output_cost_per_token: {OUTPUT:.7f}"
CALLERS = 24
KEYS = 8
TIGHT = 0.08  # USD: a few calls' worth, which many at once must not pass

STRATEGIES = ["simple-shuffle", "least-busy", "usage-based-routing-v2", "latency-based-routing",
              "cost-based-routing"]


def text(vendor, state, strategy, more=""):
    where = {"openai": f'api_base: "{vendor.url}/v1", api_key: sk-v',
             "anthropic": f'api_base: "{vendor.url}", api_key: sk-v',
             "gemini": f'api_base: "{vendor.url}/v1beta", api_key: sk-v'}
    entries = [("main", "openai", 2), ("main", "anthropic", 1), ("main", "gemini", 1),
               ("lone", "openai", 3), ("spare", "anthropic", 1), ("spare", "openai", 1),
               ("bare", "gemini", 0), ("calm", "openai", 0)]
    models = "".join(
        f"  - {{model_name: {group}, litellm_params: {{model: {provider}/m{n}, {where[provider]}, {PRICE}, "
        f"num_retries: {retries}}}}}\n" for n, (group, provider, retries) in enumerate(entries))
    return f"""
model_list:
{models}
general_settings: {{master_key: sk-e2e-master}}
litellm_settings: {{request_timeout: 60}}
router_settings:
  routing_strategy: {strategy}
  retry_after: 0
  cooldown_time: 0.2
  fallbacks: [{{main: [spare]}}, {{lone: [spare, bare]}}]
kanmon_settings:
  state_dir: "{state}"
  workers: 2
{more}"""


def storm_keys(vendor, world):
    """Half of them have little money, some few places."""
    budgets = [TIGHT if n % 2 else None for n in range(KEYS)]

    async def make():
        return [await world.key(max_budget=budget, max_parallel_requests=6 if n % 4 == 0 else None)
                for n, budget in enumerate(budgets)]
    return vendor.loop.run(make()), budgets


class Bare:
    """Of a gateway without MCP servers."""

    async def tools(self):
        pass


class Calm(Bare, World):
    pass


class Handed(Bare, Daemon):
    pass


def run(vendor, world, seed, count, **strikes):
    keys, budgets = storm_keys(vendor, world)
    storm = Storm(world, seed, CALLERS, ["main", "main", "lone", "bare"], keys)
    vendor.loop.run(storm.run(count, **strikes))
    wrong = vendor.loop.run(storm.wrong())
    wrong += vendor.loop.run(storm.wrong_keys(budgets))
    wrong += vendor.loop.run(storm.wrong_permits())
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:10])
    assert not vendor.unplanned, vendor.unplanned[:3]
    return storm


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_answer_is_right_or_a_right_error(vendor, tmp_path, seed, long, strategy):
    world = Calm(vendor, tmp_path, text(vendor, tmp_path / "state", strategy)).start()
    try:
        storm = run(vendor, world, f"{seed} {strategy}", 20000 if long else 800)
        answered = [ask for ask in storm.asks if ask.answer and ask.answer.status == 200]
        again = [ask for ask in storm.asks if len(ask.entries) > 1]
        assert len(answered) > len(storm.asks) / 4 and len(again) > len(storm.asks) / 20
    finally:
        world.stop()


def test_no_call_is_lost_or_counted_twice_by_kills(vendor, tmp_path, seed, long):
    world = Calm(vendor, tmp_path, text(vendor, tmp_path / "state", "simple-shuffle",
                                        "  accounting: strict\n")).start()
    try:
        kills = 200 if long else 15
        storm = run(vendor, world, f"{seed} kills", 80 * (kills + 1), strike_each=80, strike=world.kill,
                    tears=True)
        assert storm.strikes >= kills and any(ask.torn for ask in storm.asks)
    finally:
        world.stop()


def test_a_hand_over_tears_no_call(vendor, tmp_path, seed, long):
    world = Handed(vendor, tmp_path, text(vendor, tmp_path / "state", "simple-shuffle")).start()
    try:
        times = 30 if long else 4
        storm = run(vendor, world, f"{seed} hand-over", 200 * (times + 1), strike_each=200,
                    strike=world.restart)
        assert storm.strikes >= times
    finally:
        world.stop()
