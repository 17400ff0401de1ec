/* SPDX-License-Identifier: Apache-2.0 */
/* account_fields.c - a request's members into the row of an account.
 *
 * Which there are is the table of an account's columns (store/accounts.h), and which kind has which
 * is asked of it.  What LiteLLM knows and we do not is treated as keys' is (key_fields.c): what
 * would restrict is refused, a member that is nearly one that limits too, the rest is kept.
 */
#include "admin/account_inside.h"
#include "admin/columns.h"
#include "base/near.h"
#include "policy/budget.h"

/* Would restrict, and this version does not enforce it. */
static const char *const restrictive[] = {
    "guardrails",
    "policies",
    "object_permission",
    "allowed_routes",
    "allowed_passthrough_routes",
    "denied_passthrough_routes",
    "allowed_vector_store_indexes",
    "allowed_model_region",
    "allowed_cache_controls",
    "enforced_params",
    "permissions",
    "access_group_ids",
    "tpd_limit",
    "mcp_rpm_limit",
    "tag_rpm_limit",
    "team_member_budget",
    "team_member_budget_duration",
    "team_member_rpm_limit",
    "team_member_tpm_limit",
    "team_member_key_duration",
    "default_team_member_models",
    "budget_fallbacks",
    NULL,
};

/* Of the request itself, said elsewhere, or only the gateway's to write. */
static const char *const transient[] = {
    "spend",      "members_with_roles", "members",    "admins",          "member",
    "teams",      "organizations",      "team_ids",   "user_ids",        "auto_create_key",
    "key_alias",  "duration",           "password",   "send_invite_email", "created_at",
    "updated_at", "created_by",         "updated_by", "budget_reset_at", "litellm_budget_table",
    "role",       "user_role",          NULL
};

/* Other names that some kinds have for columns. */
static const struct {
    enum km_account_kind kind;
    const char *said, *column;
} synonyms[] = {
    { KM_ACCOUNT_MEMBER, "max_budget_in_team", "max_budget" },
    { KM_ACCOUNT_MEMBER, "allowed_models", "models" },
    { KM_ACCOUNT_ORG_MEMBER, "max_budget_in_organization", "max_budget" },
};

static bool is_word(const char *word, struct km_str name)
{
    return word && km_str_eq(km_str_c(word), name);
}

static const struct km_key_column *column_of(enum km_account_kind kind, struct km_str name)
{
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
        if (synonyms[i].kind == kind && is_word(synonyms[i].said, name))
            name = km_str_c(synonyms[i].column);
    return km_account_column(kind, name);
}

static const char *const user_roles[] = { "proxy_admin", "proxy_admin_viewer", "internal_user",
                                          "internal_user_viewer", NULL };
static const char *const member_roles[] = { "admin", "user", NULL };
static const char *const org_roles[] = { "org_admin", "internal_user", "internal_user_viewer",
                                         NULL };

static int check_role(const struct km_account_row *row, struct km_err *err)
{
    const char *const *roles = row->kind == KM_ACCOUNT_USER     ? user_roles
                               : row->kind == KM_ACCOUNT_MEMBER ? member_roles
                                                                : org_roles;
    const char *name = km_account_words[row->kind].role;

    if (!name || !row->role.n || km_column_listed(roles, row->role))
        return 0;
    return km_fail_param(err, KM_E_INVALID, name, "'%s' must be one of: %s, %s%s%s%s%s.", name,
                         roles[0], roles[1], roles[2] ? ", " : "", roles[2] ? roles[2] : "",
                         roles[2] && roles[3] ? ", " : "", roles[2] && roles[3] ? roles[3] : "");
}

static int read_column(struct km_admin *a, const struct km_key_column *c, struct km_str name,
                       const struct km_json *v, int64_t now_us, struct km_account_row *row,
                       struct km_err *err)
{
    const char *said = km_arena_cstr(&a->arena, name);
    int r;

    if (c->given != KM_KEY_AS_WINDOW)
        return km_column_read(c, said, v, &a->arena, row, err);
    r = km_column_duration(said, v, &row->budget_duration, &row->budget_duration_s, err);
    if (r == 0)
        row->budget_reset_us =
            row->budget_duration.n ? km_time_budget_reset(now_us, row->budget_duration_s) : 0;
    return r;
}

/* The member that limits and was probably meant. */
static const char *find_meant(enum km_account_kind kind, struct km_str name)
{
    for (size_t i = 0; i < km_account_columns_n; i++) {
        const struct km_key_column *c = &km_account_columns[i];

        if (c->said && c->limits && km_account_has(kind, c) &&
            km_near_miss(name, km_str_c(c->said)))
            return c->said;
    }
    for (const char *const *other = restrictive; *other; other++)
        if (km_near_miss(name, km_str_c(*other)))
            return *other;
    return NULL;
}

static int read_other(struct km_admin *a, enum km_account_kind kind, struct km_str name,
                      const struct km_json *v, struct km_buf *extra, struct km_err *err)
{
    const char *other = find_meant(kind, name);

    if (km_column_listed(restrictive, name) && !km_column_inert(v))
        return km_fail_param(err, KM_E_UNSUPPORTED, km_arena_cstr(&a->arena, name),
                             "'%.*s' would restrict the %s, and this version does not enforce it: "
                             "leave it out.",
                             KM_STR_ARG(name), km_account_words[kind].kind);
    if (km_column_listed(restrictive, name) || km_column_inert(v))
        return 0;
    if (other)
        return km_fail_param(err, KM_E_INVALID, km_arena_cstr(&a->arena, name),
                             "'%.*s' is unknown and would limit nothing: did you mean '%s'?",
                             KM_STR_ARG(km_str_sub(name, 0, 80)), other);
    if (km_column_check_value(km_arena_cstr(&a->arena, name), v, err) < 0)
        return KM_E_INVALID;
    km_extra_keep(extra, name, v);
    return 0;
}

static bool is_name(enum km_account_kind kind, struct km_str name)
{
    return is_word(km_account_words[kind].id, name) || is_word(km_account_words[kind].of, name);
}

int km_account_fields_read(struct km_admin *a, const struct km_json *object, int64_t now_us,
                           struct km_account_row *row, struct km_err *err)
{
    struct km_buf extra KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_json_iter it;
    struct km_str name;
    const struct km_json *v;
    int r = 0;

    if (!object)
        return 0;
    km_extra_keep_old(a, row->extra, &extra);
    for (km_json_iter(object, &it); r == 0 && km_json_next(&it, &name, &v);) {
        const struct km_key_column *c = column_of(row->kind, name);

        if (c)
            r = read_column(a, c, name, v, now_us, row, err);
        else if (!km_column_listed(transient, name) && !is_name(row->kind, name))
            r = read_other(a, row->kind, name, v, &extra, err);
    }
    if (r == 0)
        r = check_role(row, err);
    return r < 0 ? r : km_extra_end(a, &extra, &row->extra, err);
}

bool km_account_says_limit(const struct km_json *object, enum km_account_kind kind,
                           struct km_str *ret_name)
{
    struct km_json_iter it;
    const struct km_json *v;

    for (km_json_iter(object, &it); km_json_next(&it, ret_name, &v);) {
        const struct km_key_column *c = column_of(kind, *ret_name);

        if (c && (c->limits || c->kind == KM_KEY_MONEY ||
                  c->offset == offsetof(struct km_account_row, role) ||
                  c->offset == offsetof(struct km_account_row, organization_id)))
            return true;
        if (km_column_listed(restrictive, *ret_name) || km_str_eq(*ret_name, KM_STR("spend")) ||
            km_str_eq(*ret_name, KM_STR("teams")) || km_str_eq(*ret_name, KM_STR("organizations")))
            return true;
    }
    return false;
}
