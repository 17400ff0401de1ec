# SPDX-License-Identifier: Apache-2.0
"""kill -9 and the oracle: what the mock served and what the clients got is compared
with the rows that the gateway has after it was started again.

strict: every call the mock served has exactly one row, settled or incomplete, and
every call whose last byte reached its client is settled exactly.  eventual: at most
the calls of the last 20 ms are absent.  In both, none twice."""

import random
import time
from collections import Counter

import pytest

from gateway import slow_factor
from load import Load

# A call that ended this long before the kill must be there.  20 ms are promised; the
# rest is the time of the commit itself and of two processes that share two cores.
EVENTUAL_WINDOW = 0.020 + 0.060


def settled(row):
    return row["total_tokens"] == 15 and abs(row["spend"] - 2e-5) < 1e-12


def incomplete(row):
    return row.get("incomplete") is True


def name_of(row):
    for member in ("model_group", "model"):
        name = str(row.get(member) or "")
        if "-kill" in name:
            return name.split("/")[-1]
    return None


@pytest.mark.parametrize("accounting", ["strict", "eventual"])
def test_kill_9_loses_and_doubles_nothing(new_gateway, upstream, accounting, long):
    kills = 100 if long else 5
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    gateway = new_gateway(f"  accounting: {accounting}")
    calls, ends = [], []
    for n in range(kills):
        load = Load(gateway.port, f"kill{n}", clients=6, stop_on_error=True).start()
        load.wait_for(rng.randrange(20, 120))
        ends.append(time.monotonic())
        gateway.kill()
        for call in load.stop():
            call.kill = ends[-1]
            calls.append(call)
        gateway.start()
    assert len(calls) > 20 * kills, f"seed {seed}"
    rows = gateway.spend_logs()
    count = Counter(filter(None, map(name_of, rows)))
    twice = [name for name, times in count.items() if times > 1]
    assert not twice, f"seed {seed}: twice: {twice[:5]}"
    by_name = {name_of(r): r for r in rows if name_of(r)}
    served = {r.model for r in upstream.seen() if r.status == 200}
    finished = [c for c in calls if c.done is not None and c.status == 200]
    if accounting == "strict":
        absent = [name for name in served if name not in by_name]
        assert not absent, f"seed {seed}: served without a row: {absent[:5]} of {len(absent)}"
        wrong = [c.name for c in finished if not settled(by_name[c.name.split('/')[-1]])
                 or incomplete(by_name[c.name.split('/')[-1]])]
        assert not wrong, f"seed {seed}: at the client but not settled: {wrong[:5]}"
    else:
        late = [c for c in finished if c.name.split("/")[-1] not in by_name
                and c.kill - c.done > EVENTUAL_WINDOW * slow_factor()]
        assert not late, (f"seed {seed}: {len(late)} absent, the oldest ended "
                          f"{max(c.kill - c.done for c in late) * 1000:.0f} ms before the kill")
        wrong = [name for name, row in by_name.items() if not settled(row)
                 and not incomplete(row)]
        assert not wrong, f"seed {seed}: neither settled nor incomplete: {wrong[:5]}"


def test_a_budget_holds_over_kills(new_gateway, upstream, long):
    """What was under way when the gateway died is charged or held: the dollar is never passed."""
    gateway = new_gateway("  accounting: strict")
    key = gateway.new_key(max_budget=1)
    for n in range(10 if long else 3):
        load = Load(gateway.port, f"kill{n}", clients=8, model="costly/ok", key=key,
                    stop_on_error=True).start()
        load.wait_for(25)
        gateway.kill()
        load.stop()
        gateway.start()
    served = [r for r in upstream.seen() if r.status == 200]
    spend = gateway.key_info(key)["spend"]
    held = gateway.call("GET", "/kanmon/spend/holds").json()["amount"]
    assert len(served) * 0.006 <= spend + held + 1e-9, "something served is neither charged nor held"
    assert spend + held <= 1 + 1e-9


def test_a_killed_gateway_leaves_no_child(new_gateway):
    import os
    gateway = new_gateway()
    pid = gateway.process.pid
    gateway.kill()
    alive = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = open(f"/proc/{entry}/stat").read()
                if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
                    alive.append(entry)
            except OSError:
                pass
    assert not alive
