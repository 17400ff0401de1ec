# SPDX-License-Identifier: Apache-2.0
"""/user, /team, /tag, /customer and /organization/daily/activity: LiteLLM's sums by day."""

import datetime
import decimal
import json
import uuid

import pytest

METRICS = {
    "spend", "flat_cost", "prompt_tokens", "completion_tokens", "cache_read_input_tokens",
    "cache_creation_input_tokens", "compression_saved_tokens", "compression_savings_spend",
    "prompt_caching_savings_spend", "gateway_injected_caching_savings_spend",
    "autorouter_savings_spend", "total_tokens", "successful_requests", "failed_requests",
    "api_requests", "total_response_time_ms", "timed_requests"}
BREAKDOWNS = {"mcp_servers", "models", "model_groups", "providers", "endpoints", "api_keys",
              "entities"}


def name(stem):
    return f"{stem}-{uuid.uuid4().hex[:12]}"


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def days():
    """A range that has today in it, also if midnight comes between two calls."""
    return f"start_date={today() - datetime.timedelta(2)}&end_date={today() + datetime.timedelta(1)}"


def parsed(answer, status=200):
    assert answer.status == status, answer
    return json.loads(answer.body, parse_float=decimal.Decimal)


def activity(gateway, kind, query="", status=200, key=None, path="daily/activity"):
    more = {} if key is None else {"key": key}
    return parsed(gateway.call("GET", f"/{kind}/{path}?{days()}&{query}", **more), status)


def post(gateway, path, body, **kwargs):
    answer = gateway.call("POST", path, body, **kwargs)
    assert answer.status == 200, answer
    return answer.json()


def total(rows, member):
    return sum(row["metrics"][member] for row in rows)


def merged(answer, breakdown):
    """Name to spend over all days."""
    sums = {}
    for day in answer["results"]:
        for item, value in day["breakdown"][breakdown].items():
            sums[item] = sums.get(item, 0) + value["metrics"]["spend"]
    return sums


@pytest.fixture(scope="module")
def world(session_gateway):
    """An organisation with a team of two, each with a key; a user without one; tags, a customer."""
    gateway = session_gateway
    w = {"org": name("org"), "team": name("team"), "other": name("team"), "tags": [name("x"), name("y")],
         "customer": name("c"), "admin": name("admin"), "member": name("member"), "lone": name("lone"),
         "boss": name("boss")}
    post(gateway, "/organization/new", {"organization_id": w["org"], "organization_alias": "Org"})
    for team in ("team", "other"):
        post(gateway, "/team/new", {"team_id": w[team], "team_alias": f"The {team}",
                                    "organization_id": w["org"]})
    for user in ("admin", "member", "lone", "boss"):
        post(gateway, "/user/new", {"user_id": w[user], "user_email": f"{user}@example.com",
                                    "user_role": "internal_user", "auto_create_key": False})
    post(gateway, "/team/member_add", {"team_id": w["team"], "member": [
        {"role": "admin", "user_id": w["admin"]}, {"role": "user", "user_id": w["member"]}]})
    post(gateway, "/organization/member_add", {"organization_id": w["org"], "member": [
        {"role": "org_admin", "user_id": w["boss"]}]})
    for tag in w["tags"]:
        post(gateway, "/tag/new", {"name": tag})
    post(gateway, "/customer/new", {"user_id": w["customer"]})
    w["keys"] = {
        "admin": gateway.new_key(team_id=w["team"], user_id=w["admin"], key_alias=name("ka")),
        "member": gateway.new_key(team_id=w["team"], user_id=w["member"]),
        "lone": gateway.new_key(user_id=w["lone"]),
        "boss": gateway.new_key(user_id=w["boss"]),
        "other": gateway.new_key(team_id=w["other"]),
        "bare": gateway.new_key(),
    }
    both = {"x-litellm-tags": ",".join(w["tags"])}
    for who, model, times, headers in (
            ("admin", "chat", 3, both), ("member", "chat", 2, {"x-litellm-tags": w["tags"][0]}),
            ("member", "costly/ok", 1, {"x-litellm-end-user-id": w["customer"]}),
            ("lone", "chat", 2, None), ("other", "m", 1, None), ("bare", "chat", 1, None),
            ("lone", "refuses/err-400", 1, None)):
        for _ in range(times):
            gateway.chat(model, key=w["keys"][who], headers=headers)
    w["spend"] = {who: decimal.Decimal(0) for who in w["keys"]}
    for who, key in w["keys"].items():
        answer = parsed(gateway.call("GET", f"/spend/logs?api_key={key}"))
        w["spend"][who] = sum(row["spend"] or 0 for row in answer)
    return w


def test_it_has_litellms_shape(gateway, world):
    answer = activity(gateway, "team", f"team_ids={world['team']}")
    assert set(answer) == {"results", "metadata"}
    for day in answer["results"]:
        assert set(day) == {"date", "metrics", "breakdown"} and set(day["metrics"]) == METRICS
        assert set(day["breakdown"]) == BREAKDOWNS
        for breakdown in BREAKDOWNS:
            for value in day["breakdown"][breakdown].values():
                assert set(value["metrics"]) == METRICS
                for of_key in value.get("api_key_breakdown", {}).values():
                    assert set(of_key["metadata"]) == {"key_alias", "team_id", "user_id",
                                                       "user_email", "key_exists"}
        datetime.date.fromisoformat(day["date"])
    meta = answer["metadata"]
    assert {m if m.startswith("total_") else f"total_{m}" for m in METRICS} <= set(meta)
    assert (meta["page"], meta["has_more"]) == (1, False)


def test_sums_are_the_books_to_the_nano_dollar(gateway, world):
    wanted = {"team": (f"team_ids={world['team']}", ("admin", "member")),
              "organization": (f"organization_ids={world['org']}", ("admin", "member", "other")),
              "user": (f"user_id={world['lone']}", ("lone",))}
    for kind, (query, keys) in wanted.items():
        answer = activity(gateway, kind, query)
        spent = sum(world["spend"][key] for key in keys)
        assert spent > 0 and answer["metadata"]["total_spend"] == spent
        assert total(answer["results"], "spend") == spent
        for breakdown in ("models", "model_groups", "providers", "api_keys", "entities"):
            assert sum(merged(answer, breakdown).values()) == spent, breakdown
        for day in answer["results"]:
            for value in day["breakdown"]["models"].values():
                assert sum(k["metrics"]["spend"] for k in value["api_key_breakdown"].values()) \
                    == value["metrics"]["spend"]


def test_calls_and_tokens_are_counted(gateway, world):
    answer = activity(gateway, "user", f"user_id={world['lone']}")["metadata"]
    rows = parsed(gateway.call("GET", f"/spend/logs?api_key={world['keys']['lone']}"))
    assert answer["total_api_requests"] == len(rows) == 3
    assert answer["total_failed_requests"] == 1 and answer["total_successful_requests"] == 2
    for ours, theirs in (("prompt_tokens", "prompt_tokens"), ("completion_tokens", "completion_tokens")):
        assert answer[f"total_{ours}"] == sum(row[theirs] for row in rows) > 0
    assert answer["total_tokens"] == answer["total_prompt_tokens"] + answer["total_completion_tokens"]


def test_entities_say_who_they_are(gateway, world):
    teams = activity(gateway, "organization", f"organization_ids={world['org']}")["results"]
    assert teams[0]["breakdown"]["entities"][world["org"]]["metadata"] == {"organization_alias": "Org"}
    team = activity(gateway, "team", f"team_ids={world['team']}")["results"][0]["breakdown"]
    assert team["entities"][world["team"]]["metadata"] == {"team_alias": "The team"}
    known = {k["metadata"]["user_id"]: k["metadata"] for k in team["api_keys"].values()}
    assert known[world["admin"]]["user_email"] == "admin@example.com"
    assert known[world["admin"]]["key_exists"] is True and known[world["admin"]]["key_alias"]
    assert known[world["admin"]]["team_id"] == world["team"]


def test_a_call_with_two_tags_is_in_each_and_once_in_the_day(gateway, world):
    first, second = world["tags"]
    answer = activity(gateway, "tag", f"tags={first},{second}")
    entities = merged(answer, "entities")
    # Three calls of the admin have both, two of the member the first.
    assert entities[second] == world["spend"]["admin"]
    assert entities[first] > entities[second]
    assert answer["metadata"]["total_api_requests"] == 5
    assert answer["metadata"]["total_spend"] == entities[first]
    assert merged(activity(gateway, "tag", f"tags={second}"), "entities") == {second: entities[second]}


def test_customers_are_those_that_calls_named(gateway, world):
    for path in ("customer", "end_user"):
        answer = activity(gateway, path, f"end_user_ids={world['customer']}")
        assert answer["metadata"]["total_api_requests"] == 1
        assert set(merged(answer, "entities")) == {world["customer"]}
        assert world["customer"] not in merged(
            activity(gateway, path, f"exclude_end_user_ids={world['customer']}"), "entities")


def test_filters_by_model_and_key(gateway, world):
    team = f"team_ids={world['team']}"
    by_group = activity(gateway, "team", f"{team}&model=costly/ok")
    assert by_group["metadata"]["total_api_requests"] == 1
    upstream_name = next(iter(merged(by_group, "models")))
    assert activity(gateway, "team", f"{team}&model={upstream_name}")["metadata"][
        "total_spend"] >= by_group["metadata"]["total_spend"]
    assert activity(gateway, "team", f"{team}&model=nothing")["results"] == []
    key = world["keys"]["admin"]
    by_key = activity(gateway, "team", f"{team}&api_key={key}")
    assert by_key["metadata"]["total_spend"] == world["spend"]["admin"]
    digest = next(iter(by_key["results"][0]["breakdown"]["api_keys"]))
    assert activity(gateway, "team", f"{team}&api_key={digest}") == by_key
    assert merged(activity(gateway, "team", f"exclude_team_ids={world['team']}"), "entities").keys() \
        .isdisjoint({world["team"]})


def test_without_a_filter_an_admin_sees_all(gateway, world):
    answer = activity(gateway, "user")
    entities = merged(answer, "entities")
    assert {world["lone"], world["admin"], world["member"], "Unassigned"} <= set(entities)
    assert sum(entities.values()) == answer["metadata"]["total_spend"]
    assert answer == activity(gateway, "user", path="daily/activity/aggregated")


# -- who may ---------------------------------------------------------------------------------


def user_key(gateway, role):
    return post(gateway, "/user/new", {"user_id": name("u"), "user_role": role})["key"]


def test_a_user_sees_himself(gateway, world):
    key = world["keys"]["lone"]
    mine = activity(gateway, "user", key=key)
    assert mine == activity(gateway, "user", f"user_id={world['lone']}", key=key)
    assert mine == activity(gateway, "user", f"user_id={world['lone']}")
    activity(gateway, "user", f"user_id={world['admin']}", 403, key)
    activity(gateway, "user", "", 403, world["keys"]["bare"])
    for role in ("proxy_admin", "proxy_admin_viewer"):
        assert activity(gateway, "user", f"user_id={world['lone']}", key=user_key(gateway, role)) == mine


def test_a_teams_admin_sees_the_team_and_a_member_his_part(gateway, world):
    query, keys = f"team_ids={world['team']}", world["keys"]
    whole = activity(gateway, "team", query)
    assert activity(gateway, "team", query, key=keys["admin"]) == whole
    assert activity(gateway, "team", "", key=keys["admin"]) == whole
    for asked in (query, ""):
        own = activity(gateway, "team", asked, key=keys["member"])
        assert own["metadata"]["total_spend"] == world["spend"]["member"]
        assert all(k["metadata"]["user_id"] == world["member"]
                   for k in own["results"][0]["breakdown"]["api_keys"].values())
    # Of two teams, one of which is not hers to see whole: what she did.
    activity(gateway, "team", f"team_ids={world['other']}", 404, keys["admin"])
    activity(gateway, "team", f"team_ids={world['team']},{world['other']}", 404, keys["admin"])
    assert activity(gateway, "team", query, key=keys["boss"]) == whole
    assert activity(gateway, "team", "", key=keys["lone"])["results"] == []
    # A key of the team that is nobody's sees itself.
    assert activity(gateway, "team", f"team_ids={world['other']}", key=keys["other"])["metadata"][
        "total_spend"] == world["spend"]["other"]


def test_an_org_admin_sees_the_organization(gateway, world):
    query = f"organization_ids={world['org']}"
    whole = activity(gateway, "organization", query)
    assert activity(gateway, "organization", query, key=world["keys"]["boss"]) == whole
    assert activity(gateway, "organization", "", key=world["keys"]["boss"]) == whole
    activity(gateway, "organization", query, 403, world["keys"]["admin"])
    assert activity(gateway, "organization", "", key=world["keys"]["lone"])["results"] == []


def test_tags_are_shown_of_own_keys_and_customers_to_admins(gateway, world):
    own = activity(gateway, "tag", f"tags={world['tags'][0]}", key=world["keys"]["member"])
    assert own["metadata"]["total_api_requests"] == 2
    assert activity(gateway, "tag", "", key=world["keys"]["bare"])["results"] == []
    activity(gateway, "customer", "", 403, world["keys"]["admin"])
    for kind in ("user", "team", "tag", "customer", "organization"):
        assert gateway.call("GET", f"/{kind}/daily/activity?{days()}", key=None).status == 401


# -- days, pages, and what is refused ----------------------------------------------------------


def test_wrong_parameters_are_named(gateway):
    def refused(query):
        return parsed(gateway.call("GET", f"/user/daily/activity?{query}"), 400)["error"]["message"]
    assert "start_date" in refused("") and "end_date" in refused("start_date=2026-01-01")
    for query, said in (("start_date=2026-1-1&end_date=2026-01-02", "start_date"),
                        ("start_date=yesterday&end_date=2026-01-02", "start_date"),
                        ("start_date=2026-02-30&end_date=2026-03-02", "start_date"),
                        ("start_date=2026-01-02&end_date=2026-01-01", "end_date"),
                        ("start_date=2020-01-02&end_date=2026-01-01", "400 days")):
        assert said in refused(query), query
    for more, said in (("page=0", "page"), ("page=x", "page"), ("page_size=0", "page_size"),
                       ("page_size=1001", "page_size"), ("api_key=none", "key")):
        assert said in refused(f"{days()}&{more}"), more


def test_pages_are_of_days_and_sum_up(new_gateway, tmp_path):
    sqlite3 = pytest.importorskip("sqlite3")
    gateway = new_gateway()
    key = gateway.new_key()
    for _ in range(2):
        assert gateway.chat("chat", key=key).status == 200
    whole = activity(gateway, "user")
    gateway.stop()
    link = sqlite3.connect(gateway.folder / "state" / "kanmon.db")
    for back in range(1, 5):
        link.execute("INSERT INTO daily SELECT day - ?, key, route, calls, failed, prompt_tokens,"
                     " completion_tokens, cached_tokens, cost FROM daily WHERE day ="
                     " (SELECT max(day) FROM daily)", (back,))
    link.commit()
    plan = " ".join(row[3] for row in link.execute(
        "EXPLAIN QUERY PLAN SELECT d.day FROM daily d WHERE d.day >= 1 AND d.day <= 2"
        " ORDER BY d.day DESC, d.key, d.route"))
    link.close()
    assert "USING PRIMARY KEY" in plan and "SCAN" not in plan
    gateway.start()
    begin = today() - datetime.timedelta(10)
    pages = [parsed(gateway.call("GET", f"/user/daily/activity?start_date={begin}"
                                 f"&end_date={today()}&page={page}&page_size=2"))
             for page in (1, 2, 3, 4)]
    assert [p["metadata"]["total_pages"] for p in pages] == [3] * 4
    assert [p["metadata"]["has_more"] for p in pages] == [True, True, False, False]
    dates = [day["date"] for p in pages for day in p["results"]]
    assert len(dates) == 5 and dates == sorted(dates, reverse=True)
    assert sum(p["metadata"]["total_spend"] for p in pages) == 5 * whole["metadata"]["total_spend"] > 0
    every = parsed(gateway.call("GET", f"/user/daily/activity/aggregated?start_date={begin}"
                                f"&end_date={today()}"))
    assert every["results"] == [day for p in pages for day in p["results"]]


def test_what_is_gone_stays_in_the_sums(gateway):
    team = name("team")
    post(gateway, "/team/new", {"team_id": team})
    key = gateway.new_key(team_id=team)
    assert gateway.chat("chat", key=key).status == 200
    before = activity(gateway, "team", f"team_ids={team}")["metadata"]
    post(gateway, "/team/delete", {"team_ids": [team]})
    after = activity(gateway, "team", f"team_ids={team}")
    assert after["metadata"] == before and before["total_spend"] > 0
    of_key, = after["results"][0]["breakdown"]["api_keys"].values()
    assert of_key["metadata"]["key_exists"] is False
