# SPDX-License-Identifier: Apache-2.0
"""What a crash leaves of a call whose upstream still works for it: charged by what was known, the
rest held where its key cannot spend it and people see it; released, corrected, over in time."""

import json
import re
import sqlite3
import threading

import pytest

from gateway import wait_until


def in_flight(gateway, key, calls=1):
    """Calls that their upstream will not answer, seen in the store."""
    for _ in range(calls):
        threading.Thread(target=ask, args=(gateway, key), daemon=True).start()
    wait_until(lambda: len(open_calls(gateway)) == calls, 20, "the calls to be in the store")


def ask(gateway, key):
    try:
        gateway.chat("costly/hang", key=key, max_tokens=100, timeout=60)
    except OSError:
        pass  # the gateway is killed


def store(gateway):
    return sqlite3.connect(next(gateway.folder.rglob("kanmon.db")), timeout=10)


def open_calls(gateway):
    with store(gateway) as db:
        return db.execute("SELECT id, reserved, state FROM open_calls").fetchall()


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def numbers(packed):
    value, shift, found = 0, 0, []
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
    return found


def crash(gateway, part):
    """Killed; of each call so much of what it had reserved is known to be spent."""
    gateway.kill()
    with store(gateway) as db:
        for call, reserved, state in db.execute("SELECT id, reserved, state FROM open_calls"):
            known = numbers(state)
            known[5] = int(reserved * part)
            db.execute("UPDATE open_calls SET state = ? WHERE id = ?",
                       (b"".join(map(number, known)), call))
    reserved = sum(row[1] for row in open_calls(gateway)) / 1e9
    gateway.start()
    return reserved


def holds(gateway):
    answer = gateway.call("GET", "/kanmon/spend/holds")
    assert answer.status == 200, answer
    return answer.json()


def spend(gateway, *words):
    ran = gateway.command("spend", *words, "--config", gateway.config)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def audited(gateway, action):
    with store(gateway) as db:
        return [json.loads(row[0]) for row in
                db.execute("SELECT detail FROM audit WHERE action = ? ORDER BY seq", (action,))]


def test_the_rest_of_a_lost_call_is_held_seen_and_released(new_gateway, upstream):
    gateway = new_gateway("  accounting: strict")
    key = gateway.new_key(max_budget=1, key_alias="team-a")
    in_flight(gateway, key, calls=2)
    reserved = crash(gateway, 0.25)
    rows = [row for row in gateway.spend_logs() if row["incomplete"]]
    assert len(rows) == 2 and all(row["estimated"] for row in rows)
    charged = sum(row["spend"] for row in rows)
    assert charged == pytest.approx(reserved / 4)
    assert gateway.key_info(key)["spend"] == pytest.approx(charged)
    said = holds(gateway)
    assert said["amount"] == pytest.approx(reserved - charged)
    assert {hold["request_id"] for hold in said["holds"]} == {row["request_id"] for row in rows}
    assert all(hold["key_alias"] == "team-a" and hold["model_group"] == "costly/hang"
               for hold in said["holds"])
    assert re.search(r"2 calls had not ended .* charged .* held until", gateway.log.read_text())

    # Its key cannot spend it, as if the calls still ran.
    big = int((1 - charged - said["amount"] / 2) / 0.001)
    bounded = gateway.chat("costly/ok", key=key, max_tokens=big)
    assert bounded.status == 200 and int(bounded.header("x-kanmon-max-tokens")) < big - 50, bounded
    first, second = (hold["request_id"] for hold in said["holds"])
    assert first in spend(gateway, "holds") and "team-a" in spend(gateway, "holds")
    assert "released 1" in spend(gateway, "release", first)
    assert gateway.command("spend", "release", first, "--config", gateway.config).returncode != 0
    assert "released 1" in spend(gateway, "release", "--key", "team-a")
    assert "released 0" in spend(gateway, "release", "--all")
    assert spend(gateway, "holds") == "nothing is held\n"
    bounded = gateway.chat("costly/ok", key=key, max_tokens=big - 50)
    assert bounded.status == 200 and not bounded.header("x-kanmon-max-tokens"), bounded
    assert [entry["released"] for entry in audited(gateway, "spend.release")] == [1, 1, 0]
    assert gateway.call("POST", "/kanmon/spend/holds/release", {}).status == 400
    assert gateway.call("GET", "/kanmon/spend/holds", key=key).status in (401, 403)


def test_a_hold_outlives_a_crash_and_a_restart_once(new_gateway, upstream):
    gateway = new_gateway("  accounting: strict")
    key = gateway.new_key(max_budget=1)
    in_flight(gateway, key)
    crash(gateway, 0.5)
    before = holds(gateway)
    assert before["amount"] > 0
    gateway.kill()
    gateway.start()
    assert holds(gateway) == before
    gateway.stop()
    gateway.start()
    assert holds(gateway) == before
    assert len([row for row in gateway.spend_logs() if row["incomplete"]]) == 1


def test_a_hold_ends_by_its_time(new_gateway, upstream):
    gateway = new_gateway("  accounting: strict\n  crash_hold_time: 1s")
    key = gateway.new_key(max_budget=1)
    in_flight(gateway, key)
    crash(gateway, 0.5)
    spent = gateway.key_info(key)["spend"]
    wait_until(lambda: holds(gateway)["holds"] == [], 30, "the hold to be over")
    most = int((1 - spent) / 0.001) - 20  # all that is left
    wait_until(lambda: gateway.chat("costly/ok", key=key, max_tokens=most).status == 200, 10,
               "the key to have it back")


def test_a_cost_is_corrected_in_its_row_and_in_all_sums(new_gateway, upstream):
    gateway = new_gateway("  accounting: strict")
    key = gateway.new_key(max_budget=1)
    in_flight(gateway, key)
    crash(gateway, 0.5)
    call = holds(gateway)["holds"][0]["request_id"]
    for _ in range(2):  # the same once more changes nothing
        said = spend(gateway, "correct", call, "--cost", "0.3", "--reason", "as it was billed")
        assert said.startswith("corrected: 0.3 USD, was ")
        row = next(row for row in gateway.spend_logs() if row["request_id"] == call)
        assert row["spend"] == 0.3 and row["corrected"] and row["incomplete"]
        assert gateway.key_info(key)["spend"] == pytest.approx(0.3)
    assert holds(gateway)["holds"] == []  # nothing of it is in doubt any more
    day = gateway.call("GET", "/spend/logs?start_date=2020-01-01&end_date=2029-01-01").json()
    assert sum(entry["spend"] for entry in day) == pytest.approx(0.3)
    records = audited(gateway, "spend.correct")
    assert [record["reason"] for record in records] == ["as it was billed"] * 2
    gateway.kill()
    gateway.start()
    assert gateway.key_info(key)["spend"] == pytest.approx(0.3)
    unknown = "00000000-0000-7000-8000-000000000000"
    body = {"request_id": unknown, "cost": 1}
    assert gateway.call("POST", "/kanmon/spend/correct", body).status == 404
    for cost in (-1, "much", None, 1e300):
        body = {"request_id": call, "cost": cost}
        assert gateway.call("POST", "/kanmon/spend/correct", body).status == 400, cost
    assert gateway.call("POST", "/kanmon/spend/correct", {"cost": 1}).status == 400
