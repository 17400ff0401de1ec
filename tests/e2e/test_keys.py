# SPDX-License-Identifier: Apache-2.0
"""Virtual keys: their life, what they may do, and what they spent."""

import concurrent.futures
import hashlib
import json
import re
import threading

import pytest

from gateway import wait_until

PRICE = 2e-5  # of one call to the mock: 10 tokens in, 5 out


def sha(key):
    return hashlib.sha256(key.encode()).hexdigest()


def spent(gateway, key, amount):
    """Settled within the commit interval; then exact."""
    wait_until(lambda: gateway.key_info(key)["spend"] >= amount - 1e-12, 5, f"a spend of {amount}")
    assert gateway.key_info(key)["spend"] == pytest.approx(amount, abs=1e-12)


def test_a_key_lives_from_generate_to_delete(gateway):
    answer = gateway.call("POST", "/key/generate", {"key_alias": "life", "metadata": {"a": 1}})
    assert answer.status == 200, answer
    made = answer.json()
    key = made["key"]
    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{22}", key)
    assert made["token"] == sha(key) and made["key_alias"] == "life"
    assert made["key_name"] == f"sk-...{key[-4:]}"
    assert gateway.chat(key=key).status == 200
    assert gateway.key_info(key)["key_alias"] == "life"
    assert gateway.call("POST", "/key/block", {"key": key}).status == 200
    refused = gateway.chat(key=key)
    assert refused.status == 401 and "blocked" in refused.json()["error"]["message"]
    assert gateway.call("POST", "/key/unblock", {"key": key}).status == 200
    assert gateway.chat(key=key).status == 200
    updated = gateway.call("POST", "/key/update", {"key": key, "models": ["embed"]})
    assert updated.status == 200, updated
    assert gateway.chat(key=key).status in (401, 403)
    assert gateway.call("POST", "/key/update", {"key": key, "models": ["chat"]}).status == 200
    assert gateway.chat(key=key).status == 200
    deleted = gateway.call("POST", "/key/delete", {"keys": [key]})
    assert deleted.status == 200 and deleted.json()["deleted_keys"]
    assert gateway.chat(key=key).status == 401
    assert gateway.call("GET", f"/key/info?key={key}").status == 404


def test_a_regenerated_key_replaces_the_old_one(gateway):
    key = gateway.new_key(models=["chat"])
    answer = gateway.call("POST", f"/key/{key}/regenerate", {})
    if answer.status == 404:
        answer = gateway.call("POST", "/key/regenerate", {"key": key})
    assert answer.status == 200, answer
    fresh = answer.json()["key"]
    assert fresh != key
    assert gateway.chat(key=key).status == 401
    assert gateway.chat(key=fresh).status == 200
    assert gateway.chat("embed", key=fresh).status in (401, 403), "the allow-list was lost"


def together(*jobs):
    """Runs them at one time; the first exception is ours."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        return [job.result() for job in [pool.submit(job) for job in jobs]]


def test_changes_of_one_key_at_one_time_add_up(gateway):
    key = gateway.new_key(metadata={"kept": True})
    fields = ["rpm_limit", "tpm_limit", "max_parallel_requests", "max_budget", "team_id", "note"]

    def change(field):
        def many():
            for n in range(1, 16):
                value = f"{field}-{n}" if field in ("team_id", "note") else n
                answer = gateway.call("POST", "/key/update", {"key": key, field: value})
                assert answer.status == 200, answer
                # What was answered is there, whoever else writes meanwhile.
                assert gateway.key_info(key)[field] == value
        return many
    together(*(change(field) for field in fields))
    info = gateway.key_info(key)
    assert info["metadata"] == {"kept": True}
    assert [info[field] for field in fields] == [15, 15, 15, 15.0, "team_id-15", "note-15"]


def test_an_alias_is_found_free_once(gateway):
    def make():
        return gateway.call("POST", "/key/generate", {"key_alias": "the-only-one"}).status
    assert sorted(together(*[make] * 8)) == [200] + [400] * 7


def test_a_deleted_key_does_not_come_back_by_a_late_change(gateway):
    for _ in range(10):
        key = gateway.new_key()

        def update():
            gateway.call("POST", "/key/update", {"key": key, "rpm_limit": 1000})

        def delete():
            return gateway.call("POST", "/key/delete", {"keys": [key]}).status
        assert 200 in together(update, delete, update, update)
        assert gateway.call("GET", f"/key/info?key={key}").status == 404
        assert gateway.chat(key=key).status == 401


def test_a_secret_that_is_changed_twice_at_one_time_changes_once(new_gateway):
    gateway = new_gateway()
    key = gateway.new_key(max_budget=1.0)
    assert gateway.chat(key=key).status == 200
    spent(gateway, key, PRICE)
    answers = together(*[lambda: gateway.call("POST", "/key/regenerate", {"key": key})] * 6)
    assert sorted(a.status for a in answers) == [200] + [404] * 5
    fresh = next(a.json() for a in answers if a.status == 200)
    assert fresh["spend"] == pytest.approx(PRICE)
    assert gateway.call("GET", "/key/list").json()["keys"] == [sha(fresh["key"])]
    gateway.stop()
    gateway.start()
    assert gateway.call("GET", "/key/list").json()["keys"] == [sha(fresh["key"])]
    assert gateway.key_info(fresh["key"])["spend"] == pytest.approx(PRICE)
    assert gateway.chat(key=key).status == 401
    assert gateway.chat(key=fresh["key"]).status == 200


def test_key_list_shows_hashes_and_pages(gateway):
    keys = [gateway.new_key() for _ in range(3)]
    answer = gateway.call("GET", "/key/list?page=1&size=100")
    assert answer.status == 200, answer
    listed = answer.json()
    assert {sha(k) for k in keys} <= set(listed["keys"])
    assert listed["total_count"] >= 3 and listed["current_page"] == 1
    assert not any(k in answer.body.decode() for k in keys)
    one = gateway.call("GET", "/key/list?page=2&size=1").json()
    assert len(one["keys"]) == 1 and one["current_page"] == 2


def test_the_command_lists_every_key(new_gateway):
    gateway = new_gateway()
    names = [f"key-{n}" for n in range(1003)]
    together(*[lambda part=part: [gateway.new_key(key_alias=name) for name in names[part::4]]
               for part in range(4)])
    words = ("key", "list", "--config", gateway.config)
    ran = gateway.command(*words, "--json")
    assert ran.returncode == 0, ran.stderr
    listed = json.loads(ran.stdout)
    assert sorted(k["key_alias"] for k in listed["keys"]) == sorted(names)
    assert listed["total_count"] == len(names)
    ran = gateway.command(*words)
    assert sorted(re.findall(r"key-\d+", ran.stdout)) == sorted(names)
    assert len(ran.stdout.splitlines()) == 1004


def test_a_key_sees_only_its_models(gateway, upstream):
    key = gateway.new_key(models=["chat", "any/ok-allowed"])
    assert gateway.chat("chat", key=key).status == 200
    assert gateway.chat("any/ok-allowed", key=key).status == 200
    refused = gateway.chat("any/ok-other", key=key)
    assert refused.status == 403, refused
    assert refused.json()["error"]["type"] == "key_model_access_denied"
    unknown = gateway.chat("nothing", key=key)
    assert unknown.status == 403, "a name that is not here tells the same"
    assert [m["id"] for m in gateway.call("GET", "/v1/models", key=key).json()["data"]] == [
        "chat"] or "embed" not in str(gateway.call("GET", "/v1/models", key=key).json())
    assert len(upstream.seen()) == 2


@pytest.mark.parametrize("name, value, meant", [
    ("Models", ["chat"], "models"), ("modles", ["chat"], "models"), ("maxBudget", 1, "max_budget"),
    ("max_budgets", 1, "max_budget"), ("rpmlimit", 1, "rpm_limit"), ("Blocked", True, "blocked"),
    ("object_permissions", {"mcp_servers": []}, "object_permission"),
    ("allowed_route", ["/v1/models"], "allowed_routes")])
def test_a_misspelt_limit_of_a_key_is_refused(gateway, name, value, meant):
    """LiteLLM keeps it, and the key may do everything."""
    for path, more in (("/key/generate", {}), ("/key/update", {"key": gateway.new_key()})):
        refused = gateway.call("POST", path, {name: value, **more})
        assert refused.status == 400 and f"did you mean '{meant}'" in str(refused.json())
        assert refused.json()["error"]["param"] == name


def test_what_litellm_knows_of_a_key_and_limits_nothing_is_kept(gateway):
    said = {"aliases": {"a": "b"}, "tags": ["x"], "rpm_limit_type": "best_effort_throughput",
            "config": {"a": 1},
            "router_settings": {"a": 1}, "prompts": ["p"], "agent_id": "a", "project_id": "p"}
    assert said.items() <= gateway.key_info(gateway.new_key(**said)).items()


@pytest.mark.parametrize("mode", [None, 5, {}, [], "", True])
def test_a_mode_that_is_none_is_refused(gateway, mode):
    refused = gateway.call("POST", "/key/generate",
                           {"object_permission": {"mcp_modes": {"shop": mode}}})
    assert refused.status == 400 and "mcp_modes" in str(refused.json())


def test_a_model_named_twice_cannot_pass_the_allow_list(gateway, upstream):
    key = gateway.new_key(models=["chat"])
    for body in (b'{"model":"chat","model":"any/ok-evil","messages":[]}',
                 b'{"model":"chat","\\u006dodel":"any/ok-evil","messages":[]}'):
        assert gateway.call("POST", "/v1/chat/completions", body, key=key).status == 400
    assert not upstream.seen()


def test_a_key_expires(gateway):
    key = gateway.new_key(duration="1s")
    assert gateway.chat(key=key).status == 200
    refused = wait_until(lambda: (lambda a: a if a.status != 200 else None)(
        gateway.chat(key=key)), 5, "the key's end", 0.1)
    assert refused.status == 401 and refused.json()["error"]["type"] == "expired_key"


def test_a_virtual_key_manages_no_keys(gateway):
    key = gateway.new_key()
    for method, path, body in (("POST", "/key/generate", {}), ("GET", "/key/list", None),
                               ("POST", "/key/delete", {"keys": [key]}),
                               ("POST", "/key/block", {"key": key})):
        assert gateway.call(method, path, body, key=key).status in (401, 403), path
    assert gateway.call("GET", "/key/info", key=key).status == 200, "its own info"


def test_spend_is_what_the_mock_counted(gateway, upstream):
    key = gateway.new_key()
    for i in range(7):
        answer = gateway.chat(f"any/ok-count-{i}", key=key, stream=i % 2 == 0)
        assert answer.status == 200
    for status in (429, 503):  # no; of a 500 nobody knows
        gateway.chat(f"any/err-{status}", key=key)
    served = [r for r in upstream.seen() if r.status == 200]
    assert len(served) == 7
    spent(gateway, key, 7 * PRICE)
    rows = gateway.spend_logs(api_key=sha(key))
    good = [r for r in rows if r["spend"] > 0]
    assert len(good) == 7, rows
    assert sum(r["prompt_tokens"] for r in good) == 70
    assert sum(r["completion_tokens"] for r in good) == 35
    assert sum(r["spend"] for r in good) == pytest.approx(7 * PRICE)
    assert {r["model"] for r in good} == {f"openai/ok-count-{i}" for i in range(7)}
    assert len({r["request_id"] for r in rows}) == len(rows)


def test_embeddings_and_text_completions_are_charged(gateway):
    key = gateway.new_key()
    gateway.call("POST", "/v1/embeddings", {"model": "embed", "input": "x"}, key=key)
    spent(gateway, key, 1e-5)
    gateway.call("POST", "/v1/completions", {"model": "text", "prompt": "x"}, key=key)
    spent(gateway, key, 1e-5 + PRICE)


def test_a_thousand_concurrent_calls_never_pass_one_dollar(gateway, upstream):
    """Each costs 0.006 USD.  Some hundred and sixty fit into a dollar; not one more."""
    key = gateway.new_key(max_budget=1)
    results, lock = [], threading.Lock()
    turn = threading.Semaphore(250)  # sockets at once, not calls: all thousand queue here

    def one(i):
        with turn:
            answer = gateway.chat(f"costly/ok-budget-{i}", key=key, max_tokens=5, timeout=60)
        with lock:
            results.append(answer)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [a for a in results if a.status == 200]
    refused = [a for a in results if a.status != 200]
    served = [r for r in upstream.seen() if r.status == 200]
    assert len(results) == 1000 and len(served) == len(good)
    assert 1 <= len(good) <= 166
    assert {a.status for a in refused} <= {422, 429}, {a.status for a in refused}
    assert {a.json()["error"]["type"] for a in refused} == {"budget_exceeded"}
    spent(gateway, key, len(good) * 0.006)
    assert gateway.key_info(key)["spend"] <= 1
    # What was reserved and not used came back: calls fit until the dollar is nearly gone.
    while gateway.chat("costly/ok-rest", key=key, max_tokens=5).status == 200:
        pass
    assert 0.9 <= gateway.key_info(key)["spend"] <= 1


def test_a_call_without_max_tokens_gets_what_the_budget_allows(gateway, upstream):
    key = gateway.new_key(max_budget=0.05)
    answer = gateway.chat("costly/ok-clamped", key=key)
    assert answer.status in (200, 429), answer
    if answer.status == 200:
        sent = upstream.seen()[0].json()
        limit = sent.get("max_tokens") or sent.get("max_completion_tokens")
        assert limit and limit * 0.001 <= 0.05, sent


def test_an_unpriced_model_is_refused_on_a_budgeted_key(gateway, upstream):
    key = gateway.new_key(max_budget=1)
    assert gateway.chat("mock", key=key).status in (200, 400, 403, 429)
    assert gateway.key_info(key)["spend"] <= 1


def test_max_parallel_requests_holds_and_is_released(gateway, upstream):
    key = gateway.new_key(max_parallel_requests=3)
    results, lock = [], threading.Lock()

    def one(i):
        answer = gateway.chat(f"any/gate-parallel-{i}", key=key)
        with lock:
            results.append(answer.status)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(results) == 7, 10, "seven refusals")
    upstream.wait_for(lambda rs: len(rs) == 3, what="three calls")
    upstream.open_gate()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200] * 3 + [429] * 7
    wait_until(lambda: gateway.chat(key=key).status == 200, 5, "a permit")


def test_a_permit_comes_back_when_the_client_leaves(gateway, upstream):
    import http.client
    import json
    key = gateway.new_key(max_parallel_requests=1)
    for _ in range(5):
        link = http.client.HTTPConnection("127.0.0.1", gateway.port)
        count = len(upstream.seen())
        link.request("POST", "/v1/chat/completions", json.dumps({
            "model": "any/hang", "messages": [{"role": "user", "content": "x"}]}),
            {"authorization": f"Bearer {key}", "content-type": "application/json"})
        upstream.wait_for(lambda rs: len(rs) > count, what="the call")
        link.close()
        wait_until(lambda: gateway.chat(key=key).status == 200, 5, "the permit")


def test_rpm_admits_exactly_so_many(gateway, upstream):
    key = gateway.new_key(rpm_limit=5)
    answers = [gateway.chat(key=key) for _ in range(9)]
    assert [a.status for a in answers] == [200] * 5 + [429] * 4
    last = answers[-1]
    assert 0 < int(last.header("retry-after")) <= 60
    assert last.json()["error"]["type"] == "throttling_error"
    assert len(upstream.seen()) == 5
    assert answers[0].header("x-ratelimit-limit-requests") == "5"


def test_a_call_that_was_not_admitted_says_no_limits(gateway):
    """It was never asked for its limits: 0 of 0 would have its client wait."""
    for key in (gateway.new_key(), gateway.new_key(rpm_limit=5)):
        for body in (b"{", {"model": "chat"}, {"model": "none", "messages": []}):
            answer = gateway.call("POST", "/v1/chat/completions", body, key=key)
            assert answer.status == 400
            assert not [name for name in answer.headers if name.startswith("x-ratelimit-")]


def test_tpm_holds_for_calls_at_once(gateway, upstream):
    """Each has its tokens reserved while it runs: all at once pass no limit that has room for a
    few.  One that is alone may pass it."""
    key = gateway.new_key(tpm_limit=300)
    statuses, lock = [], threading.Lock()
    spent = gateway.chat(key=key, max_tokens=8).json()["usage"]["total_tokens"]

    def some():
        for _ in range(25):
            status = gateway.chat(key=key, max_tokens=8).status
            with lock:
                statuses.append(status)
    threads = [threading.Thread(target=some) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    assert spent * (1 + statuses.count(200)) <= 300 + spent
    assert len(upstream.seen()) == 1 + statuses.count(200)


def test_tpm_admits_a_call_alone_if_its_input_fits(gateway):
    key = gateway.new_key(tpm_limit=300)
    answer = gateway.chat(key=key, max_tokens=5000)
    assert answer.status == 200
    assert answer.header("x-ratelimit-limit-tokens") == "300"
    assert answer.header("x-ratelimit-remaining-tokens") == "0"
    key = gateway.new_key(tpm_limit=300)
    long = [{"role": "user", "content": "far too many words " * 200}]
    refused = gateway.chat(key=key, messages=long)
    assert refused.status == 429
    assert "Limit type: tokens" in refused.json()["error"]["message"]


def test_rpm_holds_across_connections_and_workers(gateway, upstream):
    key = gateway.new_key(rpm_limit=20)
    statuses, lock = [], threading.Lock()

    def one():
        status = gateway.chat(key=key).status
        with lock:
            statuses.append(status)
    threads = [threading.Thread(target=one) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) == 20 and statuses.count(429) == 40


def test_tpm_refuses_once_the_tokens_are_used(gateway):
    key = gateway.new_key(tpm_limit=40)
    statuses = []
    for _ in range(6):
        statuses.append(gateway.chat(key=key, max_tokens=5).status)
    assert statuses[0] == 200 and statuses[-1] == 429
    assert 1 <= statuses.count(200) <= 3


def test_keys_survive_a_restart(new_gateway):
    gateway = new_gateway()
    key = gateway.new_key(models=["chat"], max_budget=1)
    assert gateway.chat(key=key).status == 200
    spent(gateway, key, PRICE)
    gateway.stop()
    gateway.start()
    assert gateway.chat(key=key).status == 200
    spent(gateway, key, 2 * PRICE)
    assert gateway.chat("embed", key=key).status in (401, 403)
    text = b"".join(p.read_bytes() for p in (gateway.folder / "state").rglob("*") if p.is_file())
    assert key.encode() not in text, "the key itself is in the state folder"
    assert key not in gateway.log.read_text(), "the key itself is in the log"
