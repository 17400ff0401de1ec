# SPDX-License-Identifier: Apache-2.0
"""Organisations, teams, users, members, end users, tags and budgets: each case depends on those before."""


def account_cases(chat, get, post):
    def own(name):
        return {"key": "Authorization: Bearer {" + name + "}"}

    return (budgets(get, post) + organizations(get, post) + teams(chat, get, post, own)
            + users(chat, get, post, own) + customers(chat, get, post)
            + tags(chat, get, post))


def budgets(get, post):
    g = "accounts"
    return [
        post("budget-new", g, "/budget/new", {
            "budget_id": "small", "max_budget": 0.00001, "soft_budget": 0.000005, "rpm_limit": 50,
            "tpm_limit": 5000, "budget_duration": "30d"}),
        post("budget-new-again", g, "/budget/new", {"budget_id": "small", "max_budget": 1}),
        post("budget-new-wrong", g, "/budget/new", {"budget_id": "x", "max_budget": "much"}),
        post("budget-info", g, "/budget/info", {"budgets": ["small"]}),
        post("budget-info-unknown", g, "/budget/info", {"budgets": ["nothing"]}),
        post("budget-update", g, "/budget/update", {"budget_id": "small", "rpm_limit": 60}),
        post("budget-update-unknown", g, "/budget/update", {"budget_id": "nothing", "rpm_limit": 6}),
        get("budget-list", g, "/budget/list", listed=True),
        get("budget-settings", g, "/budget/settings?budget_id=small"),
    ]


def organizations(get, post):
    g = "accounts"
    return [
        post("organization-new", g, "/organization/new", {
            "organization_id": "org", "organization_alias": "The organisation", "models": ["chat", "priced"],
            "max_budget": 10, "budget_duration": "30d", "metadata": {"a": 1}}),
        post("organization-new-no-alias", g, "/organization/new", {"max_budget": 1}),
        get("organization-info", g, "/organization/info?organization_id=org"),
        get("organization-info-unknown", g, "/organization/info?organization_id=nothing"),
        get("organization-list", g, "/organization/list", listed=True),
        {**post("organization-update", g, "/organization/update", {
            "organization_id": "org", "organization_alias": "Renamed"}), "method": "PATCH"},
        post("organization-member-add", g, "/organization/member_add", {
            "organization_id": "org", "member": {"role": "internal_user", "user_id": "ann"}}),
    ]


def teams(chat, get, post, own):
    g = "accounts"
    return [
        post("team-new", g, "/team/new", {
            "team_id": "blue", "team_alias": "Blue", "models": ["chat", "priced"], "max_budget": 5,
            "budget_duration": "1d", "rpm_limit": 100, "tpm_limit": 10000, "metadata": {"b": 2},
            "members_with_roles": [{"role": "admin", "user_id": "ann"}]}),
        post("team-new-again", g, "/team/new", {"team_id": "blue"}),
        post("team-new-plain", g, "/team/new", {}, save={"plain_team": "team_id"}),
        post("team-new-wrong", g, "/team/new", {"max_budget": "much"}),
        post("team-new-negative", g, "/team/new", {"max_budget": -1}),
        post("team-new-organization", g, "/team/new", {
            "team_id": "in-org", "organization_id": "org", "models": ["chat"]}),
        post("team-new-organization-unknown", g, "/team/new", {
            "team_id": "out", "organization_id": "nothing"}),
        post("team-new-beyond-organization", g, "/team/new", {
            "team_id": "beyond", "organization_id": "org", "max_budget": 1000}),
        get("team-info", g, "/team/info?team_id=blue"),
        get("team-info-unknown", g, "/team/info?team_id=nothing"),
        get("team-list", g, "/team/list", listed=True),
        post("team-update", g, "/team/update", {"team_id": "blue", "team_alias": "Bluer",
                                                "max_budget": 6}),
        post("team-update-unknown", g, "/team/update", {"team_id": "nothing", "max_budget": 6}),
        post("team-update-nothing", g, "/team/update", {}),
        post("team-member-add", g, "/team/member_add", {
            "team_id": "blue", "member": {"role": "user", "user_id": "bob"},
            "max_budget_in_team": 0.5}),
        post("team-member-add-again", g, "/team/member_add", {
            "team_id": "blue", "member": {"role": "user", "user_id": "bob"}}),
        post("team-member-add-unknown", g, "/team/member_add", {
            "team_id": "nothing", "member": {"role": "user", "user_id": "bob"}}),
        post("team-member-update", g, "/team/member_update", {
            "team_id": "blue", "user_id": "bob", "max_budget_in_team": 0.7}),
        post("team-key", g, "/key/generate", {"team_id": "blue"}, save={"team_key": "key"}),
        post("team-key-unknown-team", g, "/key/generate", {"team_id": "nothing"}),
        chat("team-chat", g, "priced", **own("team_key")),
        chat("team-chat-denied", g, "embed", **own("team_key")),
        post("team-block", g, "/team/block", {"team_id": "blue"}),
        chat("team-chat-blocked", g, **own("team_key")),
        post("team-unblock", g, "/team/unblock", {"team_id": "blue"}),
        chat("team-chat-unblocked", g, **own("team_key")),
        post("team-info-not-admin", g, "/team/new", {}, **own("team_key")),
        post("team-model-add", g, "/team/model/add", {"team_id": "blue", "models": ["embed"]}),
        post("team-model-delete", g, "/team/model/delete", {"team_id": "blue", "models": ["embed"]}),
        post("team-poor", g, "/team/new", {"team_id": "poor", "max_budget": 0.00001}),
        post("team-poor-key", g, "/key/generate", {"team_id": "poor"}, save={"poor_key": "key"}),
        chat("team-poor-first", g, "priced", max_tokens=1, **own("poor_key")),
        chat("team-poor-second", g, "priced", max_tokens=1, delay=3, **own("poor_key")),
        post("team-slow", g, "/team/new", {"team_id": "slow", "rpm_limit": 1}),
        post("team-slow-key", g, "/key/generate", {"team_id": "slow"}, save={"slow_key": "key"}),
        chat("team-slow-first", g, **own("slow_key")),
        chat("team-slow-second", g, **own("slow_key")),
        post("team-member-delete", g, "/team/member_delete", {"team_id": "blue", "user_id": "bob"}),
        post("team-member-delete-again", g, "/team/member_delete", {
            "team_id": "blue", "user_id": "bob"}),
        post("team-delete", g, "/team/delete", {"team_ids": ["blue"]}),
        post("team-delete-again", g, "/team/delete", {"team_ids": ["blue"]}),
        chat("team-chat-deleted", g, **own("team_key")),
    ]


def users(chat, get, post, own):
    g = "accounts"
    return [
        post("user-new", g, "/user/new", {
            "user_id": "carl", "user_email": "carl@example.test", "user_role": "internal_user",
            "max_budget": 0.00001, "budget_duration": "30d", "models": ["chat", "priced"]},
            save={"carl_key": "key"}),
        post("user-new-again", g, "/user/new", {"user_id": "carl"}),
        post("user-new-no-key", g, "/user/new", {"user_id": "dora", "auto_create_key": False}),
        post("user-new-wrong-role", g, "/user/new", {"user_id": "eve", "user_role": "emperor"}),
        get("user-info", g, "/user/info?user_id=carl"),
        get("user-info-unknown", g, "/user/info?user_id=nobody"),
        get("user-info-own", g, "/user/info", **own("carl_key")),
        get("user-list", g, "/user/list?user_ids=carl", listed=True),
        post("user-update", g, "/user/update", {"user_id": "carl", "user_alias": "Carl"}),
        chat("user-chat", g, "priced", max_tokens=1, **own("carl_key")),
        chat("user-chat-over", g, "priced", max_tokens=1, delay=3, **own("carl_key")),
        chat("user-chat-denied", g, "embed", **own("carl_key")),
        post("user-key-of-other", g, "/key/generate", {"user_id": "dora"}, **own("carl_key")),
        post("user-delete", g, "/user/delete", {"user_ids": ["carl"]}),
        post("user-delete-again", g, "/user/delete", {"user_ids": ["carl"]}),
    ]


def customers(chat, get, post):
    g = "accounts"
    return [
        post("customer-new", g, "/customer/new", {
            "user_id": "shop", "max_budget": 0.00001, "budget_duration": "1d", "alias": "The shop"}),
        post("customer-new-again", g, "/customer/new", {"user_id": "shop"}),
        post("customer-new-by-budget", g, "/end_user/new", {"user_id": "stall", "budget_id": "small"}),
        get("customer-info", g, "/customer/info?end_user_id=shop"),
        get("customer-info-unknown", g, "/customer/info?end_user_id=nobody"),
        get("customer-list", g, "/customer/list", listed=True),
        chat("customer-chat", g, "priced", user="shop", max_tokens=1),
        chat("customer-chat-over", g, "priced", user="shop", max_tokens=1, delay=3),
        chat("customer-chat-other", g, "priced", user="somebody", max_tokens=1),
        post("customer-update", g, "/customer/update", {"user_id": "shop", "max_budget": 1}),
        post("customer-block", g, "/customer/block", {"user_ids": ["shop"]}),
        chat("customer-chat-blocked", g, user="shop"),
        post("customer-unblock", g, "/customer/unblock", {"user_ids": ["shop"]}),
        post("customer-delete", g, "/customer/delete", {"user_ids": ["shop"]}),
    ]


def tags(chat, get, post):
    g = "accounts"
    return [
        post("tag-new", g, "/tag/new", {"name": "trial", "description": "a trial",
                                        "max_budget": 0.00001}),
        post("tag-new-again", g, "/tag/new", {"name": "trial"}),
        post("tag-info", g, "/tag/info", {"names": ["trial"]}),
        get("tag-list", g, "/tag/list", listed=True),
        post("tag-update", g, "/tag/update", {"name": "trial", "description": "another"}),
        chat("tag-chat", g, "priced", metadata={"tags": ["trial"]}, max_tokens=1),
        post("tag-delete", g, "/tag/delete", {"name": "trial"}),
    ]
