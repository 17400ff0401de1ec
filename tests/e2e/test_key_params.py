# SPDX-License-Identifier: Apache-2.0
"""What the configuration gives to new keys, and what they may get at most (LiteLLM's
default_key_generate_params and upperbound_key_generate_params)."""

import pytest

from gateway import Gateway
from test_account_routes import name, post
from test_key_limits import CONFIG, refuses_to_start

SETTINGS = """
litellm_settings:
  default_key_generate_params:
    {max_budget: 3, rpm_limit: 7, budget_duration: 1d, models: [chat], team_id: all}
  upperbound_key_generate_params:
    {max_budget: 10, rpm_limit: 20, tpm_limit: 500, max_parallel_requests: 4, duration: 30d}
"""


def started(upstream, folder, settings):
    return Gateway(folder, CONFIG.format(url=upstream.url, state=folder / "state") + settings)


@pytest.fixture(scope="module")
def bounded(session_upstream, tmp_path_factory):
    with started(session_upstream, tmp_path_factory.mktemp("params"), SETTINGS) as gateway:
        yield gateway


def shown(gateway, key):
    info = gateway.key_info(key)
    return {n: info[n] for n in ("max_budget", "rpm_limit", "tpm_limit", "max_parallel_requests",
                                 "budget_duration", "models", "team_id")}


def test_what_a_new_key_does_not_say_it_gets(bounded):
    every = {"max_budget": 3, "rpm_limit": 7, "tpm_limit": 500, "max_parallel_requests": 4,
             "budget_duration": "1d", "models": ["chat"], "team_id": "all"}
    key = bounded.new_key()
    assert shown(bounded, key) == every and bounded.key_info(key)["expires"]
    said = {"max_budget": 1, "rpm_limit": 0, "tpm_limit": 9, "max_parallel_requests": 2,
            "budget_duration": "1h", "models": ["other"], "team_id": "t"}
    assert shown(bounded, bounded.new_key(**said)) == said
    # null is a choice for the windows alone.
    nothing = {n: None for n in ("max_budget", "rpm_limit", "budget_duration")}
    assert shown(bounded, bounded.new_key(**nothing)) == {**every, "budget_duration": None}
    # A key that comes along with a user is no way round it.
    user = post(bounded, "/user/new", {"user_id": name("u")})
    assert shown(bounded, user["key"]) == every


@pytest.mark.parametrize("more", [
    {"max_budget": 10.5}, {"rpm_limit": 21}, {"tpm_limit": 501}, {"max_parallel_requests": 5},
    {"duration": "31d"}])
def test_more_than_the_bound_is_refused(bounded, more):
    member = next(iter(more))
    key = bounded.new_key()
    for path, body in (("/key/generate", more), ("/key/update", {"key": key, **more}),
                       (f"/key/{key}/regenerate", more)):
        error = post(bounded, path, body, 400)["error"]
        assert f"{member} is over max limit set in config" in error["message"]
    # Nor is a limit taken away.
    before = bounded.key_info(key)
    post(bounded, "/key/update", {"key": key, member: None})
    assert bounded.key_info(key)["expires" if member == "duration" else member] is not None
    post(bounded, "/key/update", {"key": key, "key_alias": name("other")})
    assert before["expires"] is not None


def test_what_a_budget_says_is_not_replaced_by_a_default(bounded):
    small, big = name("small"), name("big")
    post(bounded, "/budget/new", {"budget_id": small, "max_budget": 1, "rpm_limit": 2})
    post(bounded, "/budget/new", {"budget_id": big, "max_budget": 11})
    info = bounded.key_info(bounded.new_key(budget_id=small))
    assert info["max_budget"] is None and info["rpm_limit"] is None
    post(bounded, "/key/generate", {"budget_id": big}, 400)


@pytest.mark.parametrize("settings, said", [
    ("upperbound_key_generate_params: {duration: soon}", "'soon' is no duration of a key"),
    ("default_key_generate_params: {max_budgt: 3}", "max_budgt"),
    ("default_team_settings: [{team_id: t, max_budget: 3}]", "default_team_settings")])
def test_what_cannot_be_kept_ends_the_start(upstream, tmp_path, settings, said):
    gateway = started(upstream, tmp_path, f"litellm_settings: {{{settings}}}\n")
    refuses_to_start(gateway, said)
