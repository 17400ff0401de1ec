/* SPDX-License-Identifier: Apache-2.0 */
/* account_members.c - who is a member of a team or an organisation, as what and with which limits.
 *
 * A member is a row of its own (user, of), so two who change the members of one team at one time do
 * not overwrite each other.  Who administers a team may take in users that are there; to make one
 * is the administrator's.
 */
#include <stdlib.h>

#include "admin/account_inside.h"
#include "admin/columns.h"
#include "base/encode.h"

#define ANSWER_BYTES (16 * 1024 * 1024)
#define MEMBERS 500 /* of one request, as LiteLLM has it */

static enum km_account_kind members_of(const struct km_account_sort *sort)
{
    return sort->kind == KM_ACCOUNT_TEAM ? KM_ACCOUNT_MEMBER : KM_ACCOUNT_ORG_MEMBER;
}

static struct km_str text_of(const struct km_json *object, const char *name)
{
    struct km_str s = KM_STR_NONE;

    return km_json_string(km_json_get(object, name), &s) ? s : KM_STR_NONE;
}

/* The user that is meant; in *ret_id, which is empty where an address is nobody's yet. */
static int find_user(struct km_admin *a, const struct km_json *member, struct km_str *ret_id,
                     struct km_err *err)
{
    struct km_str id = text_of(member, "user_id"), email = text_of(member, "user_email");
    struct km_account *user = NULL;
    int r = 0;

    *ret_id = id;
    if (!id.n && !email.n)
        return km_fail_param(err, KM_E_INVALID, "user_id",
                             "Either user_id or user_email must be provided");
    if (!id.n)
        r = km_account_by_email(a, email, &user, err);
    if (user)
        *ret_id = km_arena_str(&a->arena, user->row.id);
    km_account_unref(user);
    return r;
}

/* A user of that id, where there is none; his own row limits nothing. */
static int make_user(struct km_admin *a, const struct km_json *member, struct km_str id,
                     struct km_err *err)
{
    struct km_account *there =
        km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_USER, id, KM_STR_NONE);
    struct km_account_row row = km_account_row_none(KM_ACCOUNT_USER, id, KM_STR_NONE);
    int r;

    km_account_unref(there);
    if (there || km_account_step_made(a, KM_ACCOUNT_USER, id, KM_STR_NONE))
        return 0;
    r = km_account_may(a, KM_ACCOUNT_OWN, KM_ACCOUNT_USER, NULL, err);
    if (r < 0)
        return km_fail_param(err, KM_E_FORBIDDEN, "user_id",
                             "Only proxy admins can add a user_id that does not exist yet: %.*s. "
                             "Ask a proxy admin to create the user first.",
                             KM_STR_ARG(km_str_sub(id, 0, KM_ACCOUNT_ID_BYTES)));
    row.email = text_of(member, "user_email");
    km_account_stamp(a, &row);
    return km_account_step_put(a, &row, true, "new", err);
}

static int read_role(struct km_admin *a, struct km_account_row *row, const struct km_json *object,
                     struct km_err *err)
{
    const char *name = row->kind == KM_ACCOUNT_MEMBER ? "role" : "user_role";
    struct km_str role = text_of(object, "role");
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    const struct km_json *said;

    if (!role.n)
        return 0;
    km_buf_printf(&text, "{\"%s\":", name);
    km_buf_json(&text, role);
    km_buf_byte(&text, '}');
    if (km_json_parse(&a->arena, km_arena_str(&a->arena, km_buf_view(&text)), &said, err) < 0)
        return km_fail_param(err, KM_E_INVALID, "role", "That is no role.");
    return km_account_fields_read(a, said, 0, row, err);
}

static bool is_member(struct km_admin *a, enum km_account_kind kind, struct km_str id,
                      struct km_str of)
{
    struct km_account *there = km_accounts_find(a->v->w->gw->accounts, kind, id, of);

    km_account_unref(there);
    return there || km_account_step_made(a, kind, id, of);
}

int km_member_steps(struct km_admin *a, enum km_account_kind kind, struct km_str of,
                    const struct km_json *member, const struct km_json *limits, struct km_err *err)
{
    struct km_account_work *w = a->state;
    struct km_account_row row;
    struct km_str id;
    int r = find_user(a, member, &id, err);

    if (r < 0)
        return r;
    if (!id.n)
        id = km_account_fresh_id(a);
    else if (is_member(a, kind, id, of))
        return 0;
    r = make_user(a, member, id, err);
    row = km_account_row_none(kind, id, of);
    row.role = kind == KM_ACCOUNT_MEMBER ? KM_STR("user") : KM_STR("internal_user");
    if (r == 0)
        r = read_role(a, &row, member, err);
    if (r == 0 && limits)
        r = km_account_fields_read(a, limits, km_wall_us(), &row, err);
    if (r == 0) {
        km_account_stamp(a, &row);
        r = km_account_step_put(a, &row, true, "add", err);
    }
    if (r == 0 && w->ids)
        w->ids[w->nids++] = id;
    return r;
}

/* --- add --- */

static void put_each(struct km_admin *a, enum km_account_kind kind, struct km_str of,
                     struct km_buf *out)
{
    const struct km_account_work *w = a->state;

    km_buf_byte(out, '[');
    for (size_t i = 0; i < w->nids; i++) {
        if (i > 0)
            km_buf_byte(out, ',');
        km_account_show_one(a, kind, w->ids[i], of, out);
    }
    km_buf_byte(out, ']');
}

static void answer_added(struct km_admin *a)
{
    const struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    bool team = w->sort->kind == KM_ACCOUNT_TEAM;

    if (team) {
        km_account_show_one(a, w->sort->kind, w->row.id, KM_STR_NONE, &out);
        km_account_reopen(&out);
    } else {
        km_buf_str(&out, KM_STR("{\"organization_id\":"));
        km_buf_json(&out, w->row.id);
    }
    km_buf_str(&out, KM_STR(",\"updated_users\":"));
    put_each(a, KM_ACCOUNT_USER, KM_STR_NONE, &out);
    km_buf_printf(&out, ",\"updated_%s_memberships\":", km_account_words[w->sort->kind].kind);
    put_each(a, members_of(w->sort), w->row.id, &out);
    km_buf_byte(&out, '}');
    km_admin_json(a, 200, km_buf_view(&out));
}

static int add_all(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    const struct km_json *said = km_json_get(a->body, "member"), *member;
    enum km_account_kind kind = members_of(w->sort);
    bool list = km_json_kind(said) == KM_JSON_ARRAY;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if ((!list && km_json_kind(said) != KM_JSON_OBJECT) || km_json_count(said) == 0)
        return km_fail_param(err, KM_E_INVALID, "member", "No member/members passed in");
    if (list && km_json_count(said) > MEMBERS)
        return km_fail_param(err, KM_E_LIMIT, "member", "Maximum %d members can be added at once",
                             MEMBERS);
    w->ids = km_arena_alloc(&a->arena, MEMBERS * sizeof *w->ids);
    if (!w->ids)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!list)
        r = km_member_steps(a, kind, w->row.id, said, a->body, err);
    else
        for (km_json_iter(said, &it); r == 0 && km_json_next(&it, &key, &member);)
            r = km_member_steps(a, kind, w->row.id, member, a->body, err);
    if (r == 0 && !w->nids)
        r = km_fail_param(err, KM_E_INVALID, "member",
                          list ? "All users are already in the %s." : "User already in %s.",
                          km_account_words[w->sort->kind].kind);
    return r;
}

int km_member_add(struct km_admin *a, struct km_err *err)
{
    struct km_account_work *w;
    int r = km_account_begin_change(a, KM_ACCOUNT_CHANGE, &w, err);

    if (r == 0)
        r = add_all(a, w, err);
    if (r < 0)
        return r;
    w->answer = answer_added;
    km_account_run(a);
    return 0;
}

/* --- update, delete --- */

/* The row of the member that the body names, of the team it names. */
static int begin_work(struct km_admin *a, struct km_account_work **ret,
                      struct km_account_row *member, struct km_err *err)
{
    struct km_account *acc = NULL;
    struct km_account_work *w;
    struct km_str id = KM_STR_NONE;
    int r = km_account_begin_change(a, KM_ACCOUNT_CHANGE, ret, err);

    w = *ret;
    if (r == 0)
        r = find_user(a, a->body, &id, err);
    if (r < 0)
        return r;
    acc = id.n ? km_accounts_find(a->v->w->gw->accounts, members_of(w->sort), id, w->row.id) : NULL;
    if (!acc && w->sort->kind == KM_ACCOUNT_TEAM)
        r = km_fail_param(err, KM_E_INVALID, "user_id", "User not found in team");
    else if (!acc)
        r = km_fail_param(err, KM_E_NOT_FOUND, "user_id",
                          "Member not found in organization for user_id=%.*s",
                          KM_STR_ARG(km_str_sub(id, 0, KM_ACCOUNT_ID_BYTES)));
    else if (acc->declared)
        r = km_fail(err, KM_E_FORBIDDEN,
                    "This member is declared in the configuration: change it there.");
    else if (km_account_row_copy(&acc->row, &a->arena, member) < 0)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    km_account_unref(acc);
    return r;
}

/* LiteLLM tells a team's member back in names of its own. */
static const struct {
    const char *shown, *column;
} told[] = {
    { "max_budget_in_team", "max_budget" },
    { "tpm_limit", "tpm_limit" },
    { "rpm_limit", "rpm_limit" },
    { "budget_duration", "budget_duration" },
    { "allowed_models", "models" },
    { "temp_budget_increase", "temp_budget_increase" },
    { "temp_budget_expiry", "temp_budget_expiry" },
};

static void tell_member(struct km_admin *a, struct km_account *acc, struct km_buf *out)
{
    struct km_account *user =
        km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_USER, acc->row.id, KM_STR_NONE);

    km_buf_str(out, KM_STR("{\"team_id\":"));
    km_buf_json(out, acc->row.of);
    km_buf_str(out, KM_STR(",\"user_id\":"));
    km_buf_json(out, acc->row.id);
    km_column_write_text(out, "user_email", user ? user->row.email : KM_STR_NONE);
    km_column_write_text(out, "role", acc->row.role);
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        for (size_t j = 0; j < km_account_columns_n; j++)
            if (km_account_columns[j].name &&
                strcmp(km_account_columns[j].name, told[i].column) == 0)
                km_column_write(out, told[i].shown, &km_account_columns[j], &acc->row);
    km_buf_byte(out, '}');
    km_account_unref(user);
}

static void answer_updated(struct km_admin *a)
{
    const struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    struct km_account *acc =
        km_accounts_find(a->v->w->gw->accounts, members_of(w->sort), w->ids[0], w->row.id);

    if (acc && acc->row.kind == KM_ACCOUNT_MEMBER)
        tell_member(a, acc, &out);
    else
        km_account_show_one(a, members_of(w->sort), w->ids[0], w->row.id, &out);
    km_account_unref(acc);
    km_admin_json(a, 200, km_buf_view(&out));
}

static int name_one(struct km_admin *a, struct km_account_work *w, struct km_str id,
                    struct km_err *err)
{
    w->ids = km_arena_alloc(&a->arena, sizeof *w->ids);
    if (!w->ids)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    w->ids[0] = id;
    w->nids = 1;
    return 0;
}

int km_member_update(struct km_admin *a, struct km_err *err)
{
    struct km_account_work *w;
    struct km_account_row member;
    int r = begin_work(a, &w, &member, err);

    if (r == 0)
        r = km_account_fields_read(a, a->body, km_wall_us(), &member, err);
    if (r == 0)
        r = read_role(a, &member, a->body, err);
    if (r == 0 && (member.temp_budget_increase >= 0) != (member.temp_budget_expiry_us != 0))
        r = km_fail_param(err, KM_E_INVALID, "temp_budget_increase",
                          "temp_budget_increase and temp_budget_expiry must be set together");
    if (r == 0) {
        km_account_stamp(a, &member);
        r = km_account_step_put(a, &member, false, "update", err);
    }
    if (r == 0)
        r = name_one(a, w, member.id, err);
    if (r < 0)
        return r;
    w->answer = answer_updated;
    km_account_run(a);
    return 0;
}

static void answer_removed(struct km_admin *a)
{
    const struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    if (w->sort->kind == KM_ACCOUNT_TEAM)
        km_account_show_one(a, KM_ACCOUNT_TEAM, w->row.id, KM_STR_NONE, &out);
    else
        km_buf_str(&out, w->before);
    km_admin_json(a, 200, km_buf_view(&out));
}

/* The keys he has of this team go with him. */
static int remove_keys(struct km_admin *a, struct km_str user, struct km_str team,
                       struct km_err *err)
{
    size_t n;
    struct km_key **keys = km_keys_all(a->v->w->gw->keys, &n);
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        if (r == 0 && km_str_eq(keys[i]->row.user_id, user) &&
            km_str_eq(keys[i]->row.team_id, team))
            r = km_account_step_key_del(a, keys[i]->row.hash, err);
        km_key_unref(keys[i]);
    }
    free(keys);
    return r;
}

int km_member_delete(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    struct km_account_work *w;
    struct km_account_row member;
    int r = begin_work(a, &w, &member, err);

    if (r == 0 && w->sort->kind == KM_ACCOUNT_TEAM)
        r = remove_keys(a, member.id, member.of, err);
    if (r == 0)
        r = km_account_step_del(a, &member, err);
    if (r < 0)
        return r;
    km_account_show_one(a, member.kind, member.id, member.of, &out);
    w->before = km_arena_str(&a->arena, km_buf_view(&out));
    w->answer = answer_removed;
    km_account_run(a);
    return 0;
}
