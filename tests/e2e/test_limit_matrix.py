# SPDX-License-Identifier: Apache-2.0
"""Requests, tokens and calls at once, of whoever may have them: with three workers exactly as many
of those at once pass as may, and what was counted and runs counts in the process after this one."""

import concurrent.futures

import pytest

from gateway import wait_until
from test_account_reach import ask
from test_account_routes import name, new_team, new_user, post
from test_handover import Call
from test_key_limits import daemon, limits  # noqa: F401

KINDS = ["key", "user", "team", "member", "organization", "customer", "tag", "model"]


def limited(gateway, kind, **limit):
    """A key, and what its caller says, of somebody who has that limit."""
    if kind == "key":
        return gateway.new_key(**limit), {}
    if kind == "model":
        return gateway.new_key(**{f"model_{n}": {"chat": v} for n, v in limit.items()}), {}
    if kind == "user":
        return gateway.new_key(user_id=new_user(gateway, **limit)[0]), {}
    if kind == "team":
        return gateway.new_key(team_id=new_team(gateway, **limit)), {}
    if kind == "member":
        team, (user, _) = new_team(gateway), new_user(gateway)
        post(gateway, "/team/member_add", {"team_id": team,
                                           "member": {"role": "user", "user_id": user}})
        post(gateway, "/team/member_update", {"team_id": team, "user_id": user, **limit})
        return gateway.new_key(team_id=team, user_id=user), {}
    who = name(kind)
    if kind == "organization":
        post(gateway, "/organization/new", {"organization_id": who, "organization_alias": who,
                                            **limit})
        return gateway.new_key(organization_id=who), {}
    if kind == "customer":
        post(gateway, "/customer/new", {"user_id": who, **limit})
        return gateway.new_key(), {"user": who}
    post(gateway, "/tag/new", {"name": who, **limit})
    return gateway.new_key(), {"metadata": {"tags": [who]}}


def all_at_once(gateway, who, calls):
    key, more = who
    with concurrent.futures.ThreadPoolExecutor(calls) as pool:
        answers = list(pool.map(lambda _: ask(gateway, "chat", key, **more), range(calls)))
    passed = [a for a in answers if a.status == 200]
    assert all(a.status == 429 for a in answers if a not in passed)
    return passed


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_requests_at_once_so_many_pass(limits, kind):  # noqa: F811
    assert len(all_at_once(limits, limited(limits, kind, rpm_limit=5), 20)) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_many_at_once_are_no_more_than_may_be(limits, kind):  # noqa: F811
    passed = all_at_once(limits, limited(limits, kind, tpm_limit=150), 20)
    assert 0 < len(passed) < 20
    assert sum(a.json()["usage"]["total_tokens"] for a in passed) <= 150


def test_what_runs_and_was_counted_counts_in_the_next_process(daemon, upstream):  # noqa: F811
    gateway = daemon.gateway
    parallel = {kind: limited(gateway, kind, max_parallel_requests=2)
                for kind in KINDS if kind != "model"}
    rated = {kind: limited(gateway, kind, rpm_limit=2) for kind in KINDS}
    running = {kind: [Call(gateway, "gate", key=key, stream=True, **more) for _ in range(5)]
               for kind, (key, more) in parallel.items()}
    for kind, calls in running.items():
        wait_until(lambda calls=calls: sum(call.answer is not None for call in calls) == 3, 20,
                   f"three of the five calls of the {kind} to be refused")
        assert all(call.answer.status == 429 for call in calls if call.answer)
    for key, more in rated.values():
        assert ask(gateway, "chat", key, **more).status == 200
    daemon.restart()
    for kind, (key, more) in parallel.items():
        assert ask(gateway, "chat", key, **more).status == 429, kind
    for kind, (key, more) in rated.items():
        assert [ask(gateway, "chat", key, **more).status for _ in range(2)] == [200, 429], kind
    upstream.open_gate()
    for kind, calls in running.items():
        answers = [call.result() for call in calls]
        assert sorted(a.status for a in answers) == [200, 200, 429, 429, 429], kind
        key, more = parallel[kind]
        wait_until(lambda key=key, more=more: ask(gateway, "chat", key, **more).status == 200, 10,
                   f"the places of the {kind}")
