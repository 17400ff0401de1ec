# SPDX-License-Identifier: Apache-2.0
"""Teams, users, end users and tags that limit calls: every account of a call pays, whoever has no
more is named, and what each has spent outlives a restart, a crash and a hand-over."""

import sqlite3
import threading
import time

import pytest
from openai import OpenAI, RateLimitError

from gateway import patient, wait_until
from test_handover import Daemon

COLUMNS = {
    "kind": 0, "id": "", "of": "", "alias": "", "organization_id": "", "budget_id": "",
    "email": "", "role": "", "models": "[]", "max_budget": -1, "soft_budget": -1,
    "budget_duration_s": 0, "budget_duration": "", "budget_reset_us": 0, "budget_limits": "",
    "model_max_budget": "", "model_rpm_limit": "", "model_tpm_limit": "",
    "temp_budget_increase": -1, "temp_budget_expiry_us": 0, "rpm": -1, "tpm": -1,
    "max_parallel": -1, "blocked": 0, "metadata": "", "extra": "", "created_us": 0,
    "updated_us": 0, "created_by": "", "updated_by": ""}
ORGANIZATION, TEAM, MEMBER, USER, END_USER, TAG = 2, 4, 5, 6, 7, 8
USD = 10**9


def store(gateway):
    return sqlite3.connect(next(gateway.folder.rglob("kanmon.db")), timeout=10)


def put(gateway, kind, name, **columns):
    """An account, in a store that nobody has open."""
    row = {**COLUMNS, "kind": kind, "id": name, "created_us": int(time.time() * 1e6), **columns}
    with store(gateway) as db:
        db.execute("INSERT INTO accounts (%s) VALUES (%s)" % (
            ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))), list(row.values()))


def spent(gateway, kind, name):
    """What its purse has spent, and what the days' sums say that its calls cost."""
    like = f"{kind}\x1f{name}\x1f%"
    with store(gateway) as db:
        purse = db.execute("SELECT coalesce(sum(s.spend), 0) FROM purse_spend s JOIN purses u"
                           " ON u.id = s.purse WHERE u.name LIKE ?", [like]).fetchone()[0]
        days = db.execute("SELECT coalesce(sum(d.cost), 0) FROM daily d JOIN payer_purses p"
                          " ON p.payer = d.key JOIN purses u ON u.id = p.purse"
                          " WHERE u.name LIKE ?", [like]).fetchone()[0]
    assert purse == days
    return purse / USD


@pytest.fixture
def closed(new_gateway):
    """A gateway that has a store, and is not running."""
    gateway = new_gateway()
    gateway.stop()
    return gateway


def client(gateway, key):
    return OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)


def ask(gateway, key, **more):
    return client(gateway, key).chat.completions.create(
        model="costly/ok-a", messages=[{"role": "user", "content": "hello"}], max_tokens=100,
        **more)


def cost_of_one(gateway):
    key = gateway.new_key()
    ask(gateway, key)
    wait_until(lambda: gateway.key_info(key)["spend"] > 0, 10, "the call to be booked")
    return gateway.key_info(key)["spend"]


def test_two_keys_of_a_team_share_its_budget(closed):
    put(closed, TEAM, "t1", max_budget=int(0.3 * USD))
    closed.start()
    one = cost_of_one(closed)
    keys = [closed.new_key(team_id="t1", max_budget=100) for _ in range(2)]
    calls = 0
    with pytest.raises(RateLimitError) as refused:
        while calls < 1000:
            ask(closed, keys[calls % 2])
            calls += 1
    assert calls > 1
    assert "Budget has been exceeded! Team=t1 Current cost: " in str(refused.value)
    assert "Max budget: 0.3" in str(refused.value)
    assert refused.value.body["type"] == "budget_exceeded"
    closed.stop()
    assert spent(closed, TEAM, "t1") == pytest.approx(calls * one)
    closed.start()  # it is remembered
    with pytest.raises(RateLimitError, match="Team=t1"):
        ask(closed, keys[0])
    ask(closed, closed.new_key(team_id="t2", max_budget=100))


def test_calls_at_once_never_spend_more_than_their_team_has(closed):
    put(closed, TEAM, "t1", max_budget=int(0.15 * USD))
    put(closed, USER, "u1", max_budget=int(0.12 * USD))
    closed.start()
    keys = [closed.new_key(team_id="t1"), closed.new_key(team_id="t1"),
            closed.new_key(user_id="u1")]
    answers = []

    def call(key):
        try:
            ask(closed, key)
            answers.append(200)
        except RateLimitError as refused:
            assert "xceeded" in str(refused)
            answers.append(429)

    threads = [threading.Thread(target=call, args=(keys[i % 3],)) for i in range(90)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 90
    assert 200 in answers and 429 in answers
    closed.stop()
    assert 0 < spent(closed, TEAM, "t1") <= 0.15
    assert 0 < spent(closed, USER, "u1") <= 0.12


@pytest.mark.parametrize("say", [
    {"user": "e1"}, {"extra_headers": {"x-litellm-end-user-id": "e1"}},
    {"extra_headers": {"x-litellm-customer-id": "e1"}}])
def test_a_caller_names_its_end_user(closed, say):
    put(closed, END_USER, "e1", max_budget=int(0.01 * USD))
    closed.start()
    key = closed.new_key()
    with pytest.raises(RateLimitError, match="ExceededBudget: End User=e1 over budget. Spend="):
        ask(closed, key, **say)
    ask(closed, key)
    ask(closed, key, user="e2")


@pytest.mark.parametrize("say", [
    {"extra_body": {"metadata": {"tags": ["other", "red"]}}},
    {"extra_headers": {"x-litellm-tags": "other, red"}}])
def test_a_caller_names_tags_and_each_adds_its_limit(closed, say):
    put(closed, TAG, "red", rpm=1)
    put(closed, TAG, "blue", rpm=100)
    closed.start()
    key = closed.new_key()
    ask(closed, key, **say)
    with pytest.raises(RateLimitError, match="Rate limit exceeded for tag: red."):
        ask(closed, key, **say)
    ask(closed, key, extra_body={"metadata": {"tags": ["blue"]}})


def test_a_team_bounds_the_models_of_its_keys(closed):
    put(closed, TEAM, "t1", models='["chat"]')
    closed.start()
    key = closed.new_key(team_id="t1")
    assert closed.chat("chat", key=key).status == 200
    answer = closed.chat("costly/ok-a", key=key)
    assert answer.status == 403
    assert answer.json()["error"]["type"] == "team_model_access_denied"


def test_what_a_crash_leaves_is_charged_and_held_for_the_team(closed, upstream):
    put(closed, TEAM, "t1", max_budget=10 * USD)
    closed.start()
    key = closed.new_key(team_id="t1")

    def hang():
        try:
            closed.chat("costly/hang", key=key, max_tokens=100, timeout=60)
        except OSError:
            pass  # the gateway is killed

    threading.Thread(target=hang, daemon=True).start()

    def is_open():
        with store(closed) as db:
            return db.execute("SELECT count(*) FROM open_calls").fetchone()[0] == 1

    wait_until(is_open, 20, "the call to be in the store")
    closed.kill()
    closed.start()
    charged = closed.key_info(key)["spend"]
    assert charged > 0
    ask(closed, key)
    closed.stop()
    assert spent(closed, TEAM, "t1") > charged
    with store(closed) as db:
        assert db.execute("SELECT count(*) FROM holds").fetchone()[0] == 1
    upstream.open_gate()


def test_a_restart_hands_over_what_accounts_have_left(closed):
    put(closed, TEAM, "t1", max_budget=int(0.3 * USD), rpm=1000)
    daemon = Daemon(closed)
    keys = [closed.new_key(team_id="t1") for _ in range(2)]
    calls = 0
    with pytest.raises(RateLimitError, match="Team=t1"):
        while calls < 1000:
            ask(closed, keys[calls % 2])
            calls += 1
            if calls % 2 == 0:
                daemon.restart()
    daemon.stop()
    assert calls > 1
    assert 0 < spent(closed, TEAM, "t1") <= 0.3


DECLARED = """
  teams:
    - {team_id: file, team_alias: of the file, max_budget: 0.01, models: [chat, costly/*]}
    - team_id: shared
      budget_id: small
  budgets:
    - {budget_id: small, model_max_budget: {costly/ok-a: {budget_limit: 0.01, time_period: 1d}}}
"""


def test_accounts_are_declared_in_the_file(new_gateway):
    gateway = new_gateway(DECLARED)
    with pytest.raises(RateLimitError, match="Team=file Current cost: 0, Max budget: 0.01"):
        ask(gateway, gateway.new_key(team_id="file"))
    with pytest.raises(RateLimitError, match="Team: shared, exceeded budget for model=costly/ok-a"):
        ask(gateway, gateway.new_key(team_id="shared"))
    assert gateway.chat("chat", key=gateway.new_key(team_id="shared")).status == 200


def test_the_file_wins_over_the_store(closed):
    put(closed, TEAM, "file", max_budget=100 * USD)
    closed.config.write_text(closed.config.read_text() + DECLARED)
    closed.start()
    with pytest.raises(RateLimitError, match="Team=file"):
        ask(closed, closed.new_key(team_id="file"))


def test_a_member_that_is_misspelt_is_refused(closed):
    closed.config.write_text(closed.config.read_text()
                             + "\n  teams: [{team_id: t, max_buget: 1}]\n")
    closed.start(wait=False)
    assert closed.process.wait(patient(20)) != 0
    assert "max_buget is no member of it that kanmon knows" in closed.log.read_text()
