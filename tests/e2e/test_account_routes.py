# SPDX-License-Identifier: Apache-2.0
"""Organisations, teams, users, members, end users, tags and budgets: LiteLLM's routes and shapes.

The shapes are those of LiteLLM's own response models (tests/differential/account_shapes.py).
"""

import concurrent.futures
import json
import uuid

import pytest

from gateway import TOP, wait_until
from shapes import Shapes

SHAPES = Shapes(json.loads((TOP / "tests/data/accounts/litellm_shapes.json").read_text()))
# What LiteLLM has of them and we do not: their features are not here.
ABSENT = {"allow_team_guardrail_config", "password", "password_reset_required",
          "last_breach_check_at", "organization_memberships", "user"}


def name(stem):
    return f"{stem}-{uuid.uuid4().hex[:12]}"


def done(answer, status=200):
    assert answer.status == status, answer
    return answer.json()


def post(gateway, path, body, status=200, method="POST", **kwargs):
    return done(gateway.call(method, path, body, **kwargs), status)


def get(gateway, path, status=200, **kwargs):
    return done(gateway.call("GET", path, **kwargs), status)


def fits(shape, value):
    assert SHAPES.faults(shape, value) == []
    missing = SHAPES.names(shape) - set(value) - ABSENT
    assert not missing, f"{shape}: {sorted(missing)}"
    return value


def new_user(gateway, role=None, **more):
    user = post(gateway, "/user/new", {"user_id": name("u"), "user_role": role, **more})
    return user["user_id"], user["key"]


def new_team(gateway, **more):
    return post(gateway, "/team/new", {"team_alias": name("alias"), **more})["team_id"]


# -- shapes: a life of each kind ------------------------------------------------------------


def test_a_team_lives_in_litellms_shapes(gateway):
    team = name("t")
    made = fits("team", post(gateway, "/team/new", {
        "team_id": team, "team_alias": "A", "max_budget": 10, "budget_duration": "30d",
        "tpm_limit": 5, "models": ["chat"], "metadata": {"a": 1}, "note": "kept",
        "budget_limits": [{"budget_duration": "1d", "max_budget": 1}],
        "members_with_roles": [{"role": "admin", "user_id": name("first")}]}))
    assert made["max_budget"] == 10 and made["spend"] == 0 and made["metadata"] == {"a": 1}
    assert made["note"] == "kept" and made["members_with_roles"][0]["role"] == "admin"
    again = post(gateway, "/team/new", {"team_id": team}, 400)["error"]
    assert again["message"] == f"Team id = {team} already exists. Please use a different team id."
    changed = post(gateway, "/team/update", {"team_id": team, "max_budget": None, "rpm_limit": 7})
    assert changed["team_id"] == team
    row = fits("team", changed["data"])
    assert (row["max_budget"], row["rpm_limit"], row["tpm_limit"]) == (None, 7, 5)
    key = gateway.new_key(team_id=team, key_alias=name("k"))
    info = get(gateway, f"/team/info?team_id={team}")
    fits("team", info["team_info"])
    assert info["team_id"] == team and len(info["keys"]) == 1
    assert fits("team_membership", info["team_memberships"][0])["team_id"] == team
    listed = [t for t in get(gateway, "/team/list") if t["team_id"] == team]
    assert len(fits("team_listed", listed[0])["keys"]) == 1
    page = get(gateway, f"/v2/team/list?page=1&page_size=1&team_id={team}")
    assert (page["total"], page["page"], page["page_size"], page["total_pages"]) == (1, 1, 1, 1)
    assert fits("team", post(gateway, "/team/block", {"team_id": team}))["blocked"] is True
    assert fits("team", post(gateway, "/team/unblock", {"team_id": team}))["blocked"] is False
    more = post(gateway, "/team/model/add", {"team_id": team, "models": ["embed", "chat"]})
    assert fits("team", more)["models"] == ["chat", "embed"]
    less = post(gateway, "/team/model/delete", {"team_id": team, "models": ["chat"]})
    assert less["models"] == ["embed"]
    # An empty list is all models: the last one does not go by accident.
    post(gateway, "/team/model/delete", {"team_id": team, "models": ["embed"]}, 400)
    assert get(gateway, "/team/available") == []
    gone = post(gateway, "/team/delete", {"team_ids": [team, team]})
    assert gone == {"deleted_teams": [team]}
    assert gateway.chat(key=key).status == 401, "the team's key outlived it"
    missing = get(gateway, f"/team/info?team_id={team}", 404)["error"]
    assert missing["message"] == f"Team not found, passed team_id={team}"


def test_a_user_lives_in_litellms_shapes(gateway):
    team, user, mail = new_team(gateway), name("u"), f"{name('m')}@example.com"
    made = fits("user", post(gateway, "/user/new", {
        "user_id": user, "user_email": mail, "user_role": "internal_user", "teams": [team],
        "max_budget": 3, "key_alias": name("k"), "duration": "1h"}))
    assert SHAPES.faults("user_new", made) == [] and made["teams"] == [team]
    assert made["key"].startswith("sk-") and made["expires"]
    assert gateway.key_info(made["key"])["user_id"] == user
    post(gateway, "/user/new", {"user_id": user}, 409)
    post(gateway, "/user/new", {"user_email": mail.upper()}, 409)
    without = post(gateway, "/user/new", {"auto_create_key": False})
    assert without["key"] == "" and without["user_id"]
    info = fits("user_info", get(gateway, f"/user/info?user_id={user}"))
    fits("user", info["user_info"])
    assert get(gateway, f"/v2/user/info?user_id={user}") == info["user_info"]
    assert [t["team_id"] for t in info["teams"]] == [team] and len(info["keys"]) == 1
    changed = post(gateway, "/user/update", {"user_email": mail, "user_alias": "A"})
    assert changed["user_id"] == user and fits("user", changed["data"])["user_alias"] == "A"
    page = get(gateway, f"/user/list?user_ids={user},{without['user_id']}&page_size=1&page=2")
    assert (page["total"], page["page"], page["total_pages"]) == (2, 2, 2)
    fits("user_counted", page["users"][0])
    found = get(gateway, f"/user/list?user_email={mail[2:9]}&team={team}&role=internal_user")
    assert [u["user_id"] for u in found["users"]] == [user]
    assert post(gateway, "/user/delete", {"user_ids": [user]}) == 1
    assert gateway.chat(key=made["key"]).status == 401, "the user's key outlived him"
    assert get(gateway, f"/team/info?team_id={team}")["team_info"]["members"] == []
    post(gateway, "/user/delete", {"user_ids": [user]}, 404)


@pytest.mark.parametrize("stem", ["customer", "end_user"])
def test_a_customer_lives_in_litellms_shapes(gateway, stem):
    one, other = name("c"), name("c")
    made = post(gateway, f"/{stem}/new", {"user_id": one, "alias": "A", "max_budget": 1})
    assert fits("end_user", made)["litellm_budget_table"]["max_budget"] == 1
    exists = post(gateway, f"/{stem}/new", {"user_id": one}, 400)["error"]["message"]
    assert exists == f"Customer already exists, passed user_id={one}. Please pass a new user_id."
    post(gateway, f"/{stem}/new", {"alias": "nameless"}, 400)
    changed = post(gateway, f"/{stem}/update", {"user_id": one, "alias": "B"})
    assert fits("end_user", changed)["alias"] == "B"
    blocked = post(gateway, f"/{stem}/block", {"user_ids": [one, other]})["blocked_users"]
    assert [(fits("end_user", c)["user_id"], c["blocked"]) for c in blocked] == [
        (one, True), (other, True)]
    post(gateway, f"/{stem}/unblock", {"user_ids": [one]})
    assert fits("end_user", get(gateway, f"/{stem}/info?end_user_id={one}"))["blocked"] is False
    assert {one, other} <= {fits("end_user", c)["user_id"] for c in get(gateway, f"/{stem}/list")}
    gone = post(gateway, f"/{stem}/delete", {"user_ids": [one, other]})
    assert gone["deleted_customers"] == 2
    missing = get(gateway, f"/{stem}/info?end_user_id={one}", 404)["error"]["message"]
    assert missing == f"End User Id={one} does not exist in db"


def test_an_organization_lives_in_litellms_shapes(gateway):
    org, user = name("o"), new_user(gateway)[0]
    made = fits("organization_new", post(gateway, "/organization/new", {
        "organization_id": org, "organization_alias": "Acme", "max_budget": 100}))
    assert made["litellm_budget_table"]["max_budget"] == 100
    team = new_team(gateway, organization_id=org)
    key = gateway.new_key(team_id=team)
    added = post(gateway, "/organization/member_add", {
        "organization_id": org, "member": {"role": "org_admin", "user_id": user},
        "max_budget_in_organization": 2})
    fits("organization_member_added", added)
    fits("organization_membership", added["updated_organization_memberships"][0])
    changed = post(gateway, "/organization/member_update", {
        "organization_id": org, "user_id": user, "role": "internal_user",
        "max_budget_in_organization": 4}, method="PATCH")
    assert fits("organization_membership", changed)["user_role"] == "internal_user"
    assert changed["litellm_budget_table"]["max_budget"] == 4
    info = fits("organization_info", get(gateway, f"/organization/info?organization_id={org}"))
    assert [m["user_id"] for m in info["members"]] == [user]
    assert [t["team_id"] for t in info["teams"]] == [team]
    assert post(gateway, "/organization/info", {"organizations": [org]}) == [info]
    listed = get(gateway, f"/organization/list?org_id={org}&org_alias=ACM")
    assert [fits("organization_info", o)["organization_id"] for o in listed] == [org]
    row = post(gateway, "/organization/update", {"organization_id": org, "models": ["chat"]},
               method="PATCH")
    assert fits("organization", row)["models"] == ["chat"]
    removed = post(gateway, "/organization/member_delete",
                   {"organization_id": org, "user_id": user}, method="DELETE")
    assert removed["user_id"] == user
    gone = post(gateway, "/organization/delete", {"organization_ids": [org]}, method="DELETE")
    assert fits("organization", gone[0])["organization_id"] == org
    get(gateway, f"/team/info?team_id={team}", 404)
    assert gateway.chat(key=key).status == 401


def test_a_budget_lives_in_litellms_shapes_and_stays_while_it_is_used(gateway):
    budget = name("b")
    made = post(gateway, "/budget/new", {"budget_id": budget, "max_budget": 5,
                                         "budget_duration": "30d"})
    assert fits("budget", made)["max_budget"] == 5 and made["budget_reset_at"]
    exists = post(gateway, "/budget/new", {"budget_id": budget}, 400)["error"]["message"]
    assert exists == f"Budget with id '{budget}' already exists."
    user = post(gateway, "/customer/new", {"user_id": name("c"), "budget_id": budget})
    assert user["budget_id"] == budget and user["litellm_budget_table"]["max_budget"] == 5
    assert fits("budget", post(gateway, "/budget/update",
                               {"budget_id": budget, "max_budget": 6}))["max_budget"] == 6
    now = get(gateway, f"/customer/info?end_user_id={user['user_id']}")
    assert now["litellm_budget_table"]["max_budget"] == 6
    assert [fits("budget", b)["budget_id"]
            for b in post(gateway, "/budget/info", {"budgets": [budget, "none"]})] == [budget]
    assert budget in {b["budget_id"] for b in get(gateway, "/budget/list")}
    settings = get(gateway, f"/budget/settings?budget_id={budget}")
    assert {s["field_name"]: s["field_value"] for s in settings}["max_budget"] == 6
    assert [SHAPES.faults("setting", s) for s in settings] == [[]] * len(settings)
    # Whose budget goes would have no limit.
    post(gateway, "/budget/delete", {"id": budget}, 400)
    post(gateway, "/customer/delete", {"user_ids": [user["user_id"]]})
    assert fits("budget", post(gateway, "/budget/delete", {"id": budget}))["budget_id"] == budget
    post(gateway, "/team/new", {"budget_id": budget}, 400)


def test_a_tag_lives_in_litellms_shapes(gateway):
    tag = name("tag")
    made = post(gateway, "/tag/new", {"name": tag, "description": "d", "max_budget": 2})
    assert made["message"] == f"Tag {tag} created successfully"
    fits("tag", made["tag"])
    assert post(gateway, "/tag/new", {"name": tag}, 400)["error"]["message"] == \
        f"Tag {tag} already exists"
    changed = post(gateway, "/tag/update", {"name": tag, "description": "e"})
    assert fits("tag", changed["tag"])["description"] == "e"
    info = post(gateway, "/tag/info", {"names": [tag]})
    assert fits("tag", info[tag])["litellm_budget_table"]["max_budget"] == 2
    assert tag in {fits("tag", t)["name"] for t in get(gateway, "/tag/list")}
    post(gateway, "/tag/info", {"names": [tag, "no-such-tag"]}, 404)
    assert post(gateway, "/tag/delete", {"name": tag})["message"] == \
        f"Tag {tag} deleted successfully"
    post(gateway, "/tag/delete", {"name": tag}, 404)


def test_members_come_change_and_go(gateway):
    team, mail = new_team(gateway), f"{name('m')}@example.com"
    user, _ = new_user(gateway)
    added = post(gateway, "/team/member_add", {
        "team_id": team, "max_budget_in_team": 3, "allowed_models": ["chat"],
        "member": [{"role": "user", "user_id": user}, {"role": "admin", "user_email": mail}]})
    fits("team_member_added", added)
    assert [m["litellm_budget_table"]["max_budget"]
            for m in added["updated_team_memberships"]] == [3, 3]
    assert {m["role"] for m in added["members_with_roles"]} == {"user", "admin"}
    both = [{"role": "user", "user_id": user}, {"role": "user", "user_email": mail}]
    post(gateway, "/team/member_add", {"team_id": team, "member": both}, 400)
    post(gateway, "/team/member_add", {"team_id": team, "member": both[0]}, 400)
    changed = post(gateway, "/team/member_update", {
        "team_id": team, "user_email": mail, "max_budget_in_team": 4, "role": "user",
        "temp_budget_increase": 1, "temp_budget_expiry": "2030-01-01T00:00:00Z"})
    assert fits("team_member_updated", changed)["max_budget_in_team"] == 4
    post(gateway, "/team/member_update",
         {"team_id": team, "user_id": user, "temp_budget_increase": 1}, 400)
    key = gateway.new_key(team_id=team, user_id=user)
    own = gateway.new_key(user_id=user)
    left = post(gateway, "/team/member_delete", {"team_id": team, "user_id": user})
    assert user not in fits("team", left)["members"]
    assert gateway.chat(key=key).status == 401, "what he had of the team is the team's"
    assert gateway.chat(key=own).status == 200
    post(gateway, "/team/member_delete", {"team_id": team, "user_id": user}, 400)
    post(gateway, "/team/member_delete", {"team_id": team}, 400)


# -- who may what ---------------------------------------------------------------------------


def test_a_plain_key_sees_itself_and_nothing_else(gateway):
    team, key = new_team(gateway), gateway.new_key()
    assert gateway.call("GET", "/key/info", key=key).status == 200
    for path in (f"/team/info?team_id={team}", "/user/list", "/customer/list", "/budget/list",
                 "/tag/list", "/user/info?user_id=anybody", "/customer/info?end_user_id=x",
                 "/organization/info?organization_id=x", "/budget/settings"):
        get(gateway, path, 403, key=key)
    assert get(gateway, "/team/list", key=key) == []
    assert get(gateway, "/organization/list", key=key) == []
    for path, body in (("/team/new", {}), ("/team/update", {"team_id": team}),
                       ("/team/update", {"team_id": "no-such-team"}),
                       ("/team/member_add", {"team_id": team, "member": {"user_id": "x"}}),
                       ("/team/delete", {"team_ids": [team]}), ("/user/new", {}),
                       ("/customer/block", {"user_ids": ["x"]}), ("/budget/new", {}),
                       ("/tag/new", {"name": "x"}), ("/organization/new", {})):
        post(gateway, path, body, 403, key=key)
    assert gateway.call("GET", "/team/list", key=None).status == 401


def test_roles_of_users_decide(gateway):
    team = new_team(gateway)
    _, admin = new_user(gateway, "proxy_admin")
    _, viewer = new_user(gateway, "proxy_admin_viewer")
    made = post(gateway, "/team/new", {"team_id": name("t")}, key=admin)["team_id"]
    assert post(gateway, "/team/delete", {"team_ids": [made]}, key=admin)
    assert get(gateway, f"/team/info?team_id={team}", key=viewer)
    assert get(gateway, "/user/list", key=viewer)["total"] > 0
    post(gateway, "/team/update", {"team_id": team, "team_alias": "x"}, 403, key=viewer)
    post(gateway, "/user/new", {}, 403, key=viewer)
    # Who loses the role loses it at once.
    who = get(gateway, "/user/info", key=admin)["user_id"]
    post(gateway, "/user/update", {"user_id": who, "user_role": "internal_user"})
    post(gateway, "/team/new", {}, 403, key=admin)


def test_a_team_admin_has_his_team_and_not_its_limits(gateway):
    chief, key = new_user(gateway, "internal_user")
    member, members_key = new_user(gateway, "internal_user")
    team = new_team(gateway, max_budget=1, members_with_roles=[
        {"role": "admin", "user_id": chief}, {"role": "user", "user_id": member}])
    other = new_team(gateway)
    for k in (key, members_key):
        assert get(gateway, f"/team/info?team_id={team}", key=k)
        assert [t["team_id"] for t in get(gateway, "/team/list", key=k)] == [team]
    post(gateway, "/team/update", {"team_id": team, "team_alias": "mine"}, key=key)
    guest, _ = new_user(gateway)
    post(gateway, "/team/member_add",
         {"team_id": team, "member": {"role": "user", "user_id": guest}}, key=key)
    post(gateway, "/team/member_update",
         {"team_id": team, "user_id": guest, "max_budget_in_team": 1}, key=key)
    post(gateway, "/team/member_delete", {"team_id": team, "user_id": guest}, key=key)
    for field, value in (("max_budget", 9), ("max_budget", None), ("models", []), ("blocked", False),
                         ("organization_id", None), ("rpm_limit", 9), ("budget_id", None),
                         ("soft_budget", 4)):
        post(gateway, "/team/update", {"team_id": team, field: value}, 403, key=key)
    stranger = {"team_id": team, "member": {"role": "user", "user_id": name("nobody")}}
    post(gateway, "/team/member_add", stranger, 403, key=key)
    for who, where in ((key, other), (members_key, team)):
        post(gateway, "/team/update", {"team_id": where, "team_alias": "x"}, 403, key=who)
        post(gateway, "/team/member_add",
             {"team_id": where, "member": {"role": "user", "user_id": guest}}, 403, key=who)
    for path, body in (("/team/delete", {"team_ids": [team]}), ("/team/block", {"team_id": team}),
                       ("/team/model/add", {"team_id": team, "models": ["chat"]})):
        post(gateway, path, body, 403, key=key)


def test_a_user_changes_his_name_and_not_what_he_may(gateway):
    user, key = new_user(gateway, "internal_user", max_budget=1)
    other, _ = new_user(gateway)
    assert get(gateway, "/user/info", key=key)["user_id"] == user
    get(gateway, f"/user/info?user_id={other}", 403, key=key)
    post(gateway, "/user/update", {"user_id": user, "user_alias": "me"}, key=key)
    for field, value in (("max_budget", 9), ("max_budget", None), ("user_role", "proxy_admin"),
                         ("models", []), ("tpm_limit", None), ("spend", 0), ("blocked", False),
                         ("teams", ["x"])):
        post(gateway, "/user/update", {"user_id": user, field: value}, 403, key=key)
    post(gateway, "/user/update", {"user_id": other, "user_alias": "x"}, 403, key=key)
    watcher, key = new_user(gateway, "internal_user_viewer")
    post(gateway, "/user/update", {"user_id": watcher, "user_alias": "me"}, 403, key=key)


def test_an_org_admin_has_his_organizations_members(gateway):
    chief, key = new_user(gateway, "internal_user")
    guest, _ = new_user(gateway)
    org, other = name("o"), name("o")
    for o in (org, other):
        post(gateway, "/organization/new", {"organization_id": o, "organization_alias": o})
    post(gateway, "/organization/member_add",
         {"organization_id": org, "member": {"role": "org_admin", "user_id": chief}})
    team = new_team(gateway, organization_id=org)
    assert [o["organization_id"] for o in get(gateway, "/organization/list", key=key)] == [org]
    member = {"member": {"role": "internal_user", "user_id": guest}}
    post(gateway, "/organization/member_add", {"organization_id": org, **member}, key=key)
    post(gateway, "/organization/member_add", {"organization_id": other, **member}, 403, key=key)
    post(gateway, "/team/update", {"team_id": team, "team_alias": "x"}, key=key)
    post(gateway, "/organization/update", {"organization_id": org, "max_budget": 1}, 403,
         method="PATCH", key=key)
    post(gateway, "/organization/delete", {"organization_ids": [org]}, 403, method="DELETE",
         key=key)


# -- together, and for good -----------------------------------------------------------------


def test_members_added_at_one_time_are_all_there(gateway):
    team, users = new_team(gateway), [new_user(gateway)[0] for _ in range(12)]

    def add(user):
        return gateway.call("POST", "/team/member_add", {
            "team_id": team, "member": {"role": "user", "user_id": user}}).status
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(add, users)) == [200] * 12
        same = name("same")
        made = pool.map(lambda _: gateway.call("POST", "/team/new", {"team_id": same}).status,
                        range(8))
        assert sorted(made) == [200] + [400] * 7
    assert sorted(get(gateway, f"/team/info?team_id={team}")["team_info"]["members"]) == \
        sorted(users)


def test_all_of_it_survives_a_restart(new_gateway):
    gateway = new_gateway()
    user, key = new_user(gateway, "internal_user", max_budget=2)
    post(gateway, "/organization/new", {"organization_id": "o", "organization_alias": "O"})
    post(gateway, "/budget/new", {"budget_id": "b", "max_budget": 5})
    post(gateway, "/team/new", {"team_id": "t", "organization_id": "o", "budget_id": "b",
                                "members_with_roles": [{"role": "admin", "user_id": user}]})
    post(gateway, "/customer/new", {"user_id": "c", "max_budget": 1})
    post(gateway, "/tag/new", {"name": "x", "rpm_limit": 3})
    paths = ["/team/info?team_id=t", f"/user/info?user_id={user}", "/customer/list", "/tag/list",
             "/organization/list", "/budget/list", "/team/list"]
    before = [get(gateway, path) for path in paths]
    gateway.stop()
    gateway.start()
    assert [get(gateway, path) for path in paths] == before
    assert get(gateway, "/user/info", key=key)["user_id"] == user
    actions = [r["action"] for r in get(gateway, "/kanmon/audit?limit=50")["records"]]
    for action in ("team.new", "team_member.add", "user.new", "organization.new", "budget.new",
                   "end_user.new", "tag.new", "key.generate"):
        assert action in actions, actions


# -- hostile input --------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["a\u0000b", "a\nb", "\u007f", "x" * 193, "a\u001b[2J"])
def test_an_id_is_a_plain_word(gateway, bad):
    for path, field in (("/team/new", "team_id"), ("/user/new", "user_id"), ("/tag/new", "name"),
                        ("/customer/new", "user_id"), ("/budget/new", "budget_id"),
                        ("/organization/new", "organization_id")):
        post(gateway, path, {field: bad}, 400)
    team = new_team(gateway)
    post(gateway, "/team/member_add", {"team_id": team, "member": {"user_id": bad}}, 400)
    post(gateway, "/customer/block", {"user_ids": [bad]}, 400)
    assert get(gateway, f"/team/info?team_id={team}")["team_info"]["members"] == []


def test_what_is_too_large_wrong_or_unknown_is_refused_whole(gateway):
    assert gateway.call("POST", "/team/new", {"metadata": {"a": "x" * 10_000_000}}).status == 413
    post(gateway, "/team/new", {"metadata": {"a": "x" * 100_000}}, 400)
    team = name("t")
    for body in ({"max_budget": -1}, {"max_budget": "1"}, {"rpm_limit": 1.5}, {"models": "chat"},
                 {"models": [1]}, {"metadata": []}, {"budget_duration": "soon"}, {"blocked": "no"},
                 {"max_budgets": 1}, {"guardrails": ["x"]}, {"organization_id": "none"},
                 {"budget_limits": {}}, {"budget_limits": [{"max_budget": 1}]},
                 {"model_max_budget": {"chat": "x"}}, {"team_member_budget": 1},
                 {"members_with_roles": [{"role": "king", "user_id": "a"}]},
                 {"members_with_roles": [{"role": "user"}]},
                 {"members_with_roles": [7]}):
        answer = gateway.call("POST", "/team/new", {"team_id": team, **body})
        assert answer.status == 400, (body, answer)
    get(gateway, f"/team/info?team_id={team}", 404)
    post(gateway, "/team/delete", {"team_ids": []}, 400)
    post(gateway, "/team/delete", {"team_ids": "x"}, 400)
    post(gateway, "/team/member_add", {"team_id": team, "member": {"user_id": "a"}}, 404)
    many = [{"user_id": f"m{n}", "role": "user"} for n in range(501)]
    post(gateway, "/team/member_add", {"team_id": new_team(gateway), "member": many}, 400)


def test_the_end_of_a_users_key_is_never_overlooked(gateway):
    # Years beyond what a time can say came out as the past; a number, or none at all, as no end.
    for duration in ("9223372036854775807s", 3600, True, "soon"):
        for path in ("/user/new", "/key/generate"):
            post(gateway, path, {"duration": duration}, 400)
    post(gateway, "/team/new", {"max_budget": 1, "budget_duration": "9223372036854775807s"}, 400)
    far = post(gateway, "/key/generate", {"duration": "9999999d"})
    assert gateway.chat(key=far["key"]).status == 200
    gone = post(gateway, "/user/new", {"duration": "0s"})["key"]
    assert gateway.chat(key=gone).status == 401


def test_all_or_nothing_where_one_of_several_is_missing(gateway):
    team = new_team(gateway)
    post(gateway, "/team/delete", {"team_ids": [team, "no-such-team"]}, 404)
    assert get(gateway, f"/team/info?team_id={team}")


def test_names_that_are_the_same_in_several_kinds_are_not_confused(gateway):
    same = name("same")
    for path, field in (("/team/new", "team_id"), ("/user/new", "user_id"), ("/tag/new", "name"),
                        ("/customer/new", "user_id"), ("/organization/new", "organization_id")):
        post(gateway, path, {field: same})
    # A team's member of the team's own name, in an organisation of that name: no circle.
    post(gateway, "/team/update", {"team_id": same, "organization_id": same})
    post(gateway, "/team/member_add", {"team_id": same, "member": {"user_id": same}})
    post(gateway, "/organization/member_add", {"organization_id": same,
                                               "member": {"user_id": same, "role": "org_admin"}})
    assert get(gateway, f"/organization/info?organization_id={same}")["teams"][0]["members"] == \
        [same]
    post(gateway, "/organization/delete", {"organization_ids": [same]}, method="DELETE")
    get(gateway, f"/team/info?team_id={same}", 404)
    assert get(gateway, f"/user/info?user_id={same}")["teams"] == []
    assert get(gateway, f"/customer/info?end_user_id={same}")


# -- what is made here counts ---------------------------------------------------------------

PRICE = 2e-5  # of one call to the mock: 10 tokens in, 5 out


def test_what_was_made_by_the_routes_limits_calls_and_shows_what_they_spent(gateway):
    org, team, user = name("o"), name("t"), new_user(gateway)[0]
    post(gateway, "/organization/new", {"organization_id": org, "organization_alias": org})
    post(gateway, "/team/new", {"team_id": team, "organization_id": org, "max_budget": 100,
                                "models": ["chat"]})
    post(gateway, "/team/member_add", {"team_id": team, "member": {"user_id": user}})
    post(gateway, "/customer/new", {"user_id": name("c")})
    key = gateway.new_key(team_id=team, user_id=user)
    assert gateway.chat(key=key).status == 200
    assert gateway.chat("embed", key=key).status in (401, 403), "the team may not use it"

    def spends():
        info = get(gateway, f"/team/info?team_id={team}")
        return (info["team_info"]["spend"], info["team_memberships"][0]["spend"],
                get(gateway, f"/organization/info?organization_id={org}")["spend"])
    wait_until(lambda: min(spends()) > 0, 10, "the call to be booked")
    assert spends() == pytest.approx((PRICE, PRICE, PRICE), abs=1e-12)
    # A change counts at once, on both workers, and forgets no spend.
    post(gateway, "/team/update", {"team_id": team, "max_budget": PRICE})
    refused = [gateway.chat(key=key) for _ in range(8)]
    assert {a.status for a in refused} == {429}
    assert f"Team={team}" in refused[0].json()["error"]["message"]
    post(gateway, "/team/update", {"team_id": team, "max_budget": None})
    assert {gateway.chat(key=key).status for _ in range(8)} == {200}
    post(gateway, "/team/block", {"team_id": team})
    assert {gateway.chat(key=key).status for _ in range(8)} & {200} == set()
    post(gateway, "/team/unblock", {"team_id": team})
    assert gateway.chat(key=key).status == 200


def test_a_blocked_customer_is_refused_wherever_he_comes_from(gateway):
    customer = name("c")
    post(gateway, "/customer/block", {"user_ids": [customer]})
    key = gateway.new_key()
    for _ in range(4):
        answer = gateway.chat(key=key, user=customer)
        assert answer.status in (400, 401, 403), answer
    assert gateway.chat(key=key, user=name("other")).status == 200
    post(gateway, "/customer/unblock", {"user_ids": [customer]})
    assert gateway.chat(key=key, user=customer).status == 200


# -- keys, by the role of their user ---------------------------------------------------------


def test_keys_are_made_by_who_may_do_everything(gateway):
    _, admin = new_user(gateway, "proxy_admin")
    _, viewer = new_user(gateway, "proxy_admin_viewer")
    user, own = new_user(gateway, "internal_user")
    made = post(gateway, "/key/generate", {"user_id": user}, key=admin)["key"]
    for path, body in (("/key/generate", {"user_id": user}), ("/key/update", {"key": own}),
                       ("/key/block", {"key": own}), ("/key/delete", {"keys": [own]}),
                       ("/key/regenerate", {"key": own})):
        for key in (viewer, own, gateway.new_key()):
            post(gateway, path, body, 403, key=key)
    # Who looks: at all, at his own, at itself.
    stranger = gateway.new_key()
    assert get(gateway, f"/key/info?key={stranger}", key=viewer)
    assert get(gateway, "/key/list", key=viewer)["total_count"] > 2
    assert get(gateway, f"/key/info?key={made}", key=own)["info"]["user_id"] == user
    get(gateway, f"/key/info?key={stranger}", 403, key=own)
    listed = get(gateway, "/key/list?return_full_object=true", key=own)
    assert listed["total_count"] == 2 and {k["user_id"] for k in listed["keys"]} == {user}
    get(gateway, "/key/list", 403, key=stranger)
    post(gateway, "/key/delete", {"keys": [made]}, key=admin)
    # No role reaches the gateway itself.
    for method, path in (("POST", "/kanmon/reload"), ("GET", "/kanmon/status"),
                         ("GET", "/kanmon/audit"), ("GET", "/spend/logs")):
        assert gateway.call(method, path, key=admin).status == 403


def test_a_keys_organization_is_shown_once(gateway):
    org = name("o")
    post(gateway, "/organization/new", {"organization_id": org, "organization_alias": org})
    key = gateway.new_key(organization_id=org, project_id="p-1")
    body = gateway.call("GET", f"/key/info?key={key}").body
    assert body.count(b'"organization_id"') == 1 and body.count(b'"project_id"') == 1
