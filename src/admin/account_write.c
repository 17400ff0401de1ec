/* SPDX-License-Identifier: Apache-2.0 */
/* account_write.c - accounts made, changed and blocked.
 *
 * A request is read and judged whole, with what it makes along (members of a team, a user's key);
 * then its rows are written, one after the other (account_steps.c).  What is refused has changed
 * nothing.
 */
#include "admin/account_inside.h"
#include "admin/columns.h"
#include "admin/key_inside.h"
#include "base/encode.h"

#define ANSWER_BYTES (16 * 1024 * 1024)

/* What it names is there. */
static int check_others(struct km_admin *a, const struct km_account_row *row, struct km_err *err)
{
    int r = km_account_check_there(a, KM_ACCOUNT_ORGANIZATION, row->organization_id, err);

    return r < 0 ? r : km_account_check_there(a, KM_ACCOUNT_BUDGET, row->budget_id, err);
}

/* An address names one user. */
static int check_email(struct km_admin *a, const struct km_account_row *row, struct km_err *err)
{
    struct km_account *other = NULL;
    int r = row->kind == KM_ACCOUNT_USER && row->email.n
                ? km_account_by_email(a, row->email, &other, err)
                : 0;

    if (r == 0 && other && !km_str_eq(other->row.id, row->id))
        r = km_fail_param(err, KM_E_EXISTS, "user_email", "User with email %.*s already exists",
                          KM_STR_ARG(km_str_sub(row->email, 0, 200)));
    km_account_unref(other);
    return r;
}

/* --- new --- */

static int name_new(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    const struct km_account_sort *sort = w->sort;
    struct km_str id = km_admin_text(a, km_account_words[sort->kind].id);
    struct km_account *there;

    if (!id.n && sort->own_id)
        return km_account_missing(km_account_words[sort->kind].id, err);
    w->row = km_account_row_none(sort->kind, id.n ? id : km_account_fresh_id(a), KM_STR_NONE);
    there = km_accounts_find(a->v->w->gw->accounts, sort->kind, w->row.id, KM_STR_NONE);
    if (!there)
        return 0;
    km_account_unref(there);
    return km_fail_param(err, sort->exists_code, km_account_words[sort->kind].id, "%s%.*s%s",
                         sort->exists[0], KM_STR_ARG(w->row.id), sort->exists[1]);
}

static int add_members(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    const struct km_json *members = km_json_get(a->body, "members_with_roles"), *member;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    for (km_json_iter(members, &it); r == 0 && km_json_next(&it, &key, &member);)
        r = km_member_steps(a, KM_ACCOUNT_MEMBER, w->row.id, member, NULL, err);
    return r;
}

/* A user's membership of an existing team or organisation. */
static int join(struct km_admin *a, struct km_account_work *w, enum km_account_kind kind,
                const struct km_json *of, struct km_err *err)
{
    const struct km_account_sort team = { .kind = KM_ACCOUNT_TEAM,
                                          .unknown = { "Team not found, passed team_id=", "" } };
    const struct km_account_sort org = { .kind = KM_ACCOUNT_ORGANIZATION,
                                         .unknown = { "Organization not found for organization_id=",
                                                      "" } };
    const struct km_account_sort *sort = kind == KM_ACCOUNT_MEMBER ? &team : &org;
    struct km_account_row row;
    struct km_account *there;
    struct km_str id = KM_STR_NONE;

    if (!km_json_string(of, &id))
        (void)km_json_string(km_json_get(of, "team_id"), &id);
    there = km_accounts_find(a->v->w->gw->accounts, sort->kind, id, KM_STR_NONE);
    if (!there)
        return km_account_unknown(sort, id, err);
    km_account_unref(there);
    if (km_account_step_made(a, kind, w->row.id, id))
        return 0;
    row = km_account_row_none(kind, w->row.id, id);
    row.role = kind == KM_ACCOUNT_MEMBER ? KM_STR("user") : KM_STR("internal_user");
    km_account_stamp(a, &row);
    return km_account_step_put(a, &row, true, "add", err);
}

static int join_all(struct km_admin *a, struct km_account_work *w, enum km_account_kind kind,
                    const char *name, struct km_err *err)
{
    const struct km_json *of;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    for (km_json_iter(km_json_get(a->body, name), &it); r == 0 && km_json_next(&it, &key, &of);)
        r = join(a, w, kind, of, err);
    return r;
}

/* LiteLLM gives a new user a key unless it is told not to. */
static int add_key(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    const struct km_json *duration = km_json_get(a->body, "duration");
    struct km_key_row *row = km_arena_alloc(&a->arena, sizeof *row);
    struct km_str text = KM_STR_NONE;
    int64_t seconds = 0;
    int r = row ? km_key_make(a, row, &w->secret, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    if (r == 0 && duration)
        r = km_column_duration("duration", duration, &text, &seconds, err);
    if (r < 0)
        return r;
    row->user_id = w->row.id;
    row->alias = km_admin_text(a, "key_alias");
    row->team_id = km_admin_text(a, "team_id");
    if (text.n)
        row->expires_us = row->created_us + seconds * 1000000;
    memcpy(w->hash, row->hash, sizeof w->hash);
    r = km_key_bound(a, row->created_us, true, row, err);
    if (r == 0)
        r = km_key_check_alias(a, row, err);
    return r < 0 ? r : km_account_step_key(a, row, err);
}

static int add_along(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    const struct km_json *team = km_json_get(a->body, "team_id");
    struct km_str id;
    bool make_key = true;
    int r = 0;

    if (w->sort->kind == KM_ACCOUNT_TEAM)
        return add_members(a, w, err);
    if (w->sort->kind != KM_ACCOUNT_USER)
        return 0;
    if (km_json_string(team, &id))
        r = join(a, w, KM_ACCOUNT_MEMBER, team, err);
    if (r == 0)
        r = join_all(a, w, KM_ACCOUNT_MEMBER, "teams", err);
    if (r == 0)
        r = join_all(a, w, KM_ACCOUNT_ORG_MEMBER, "organizations", err);
    (void)km_json_bool(km_json_get(a->body, "auto_create_key"), &make_key);
    return r == 0 && make_key ? add_key(a, w, err) : r;
}

static void show_key_of(struct km_admin *a, struct km_buf *out)
{
    struct km_account_work *w = a->state;
    struct km_key *key = w->secret.n ? km_keys_find(a->v->w->gw->keys, w->hash) : NULL;
    char text[KM_TIME_ISO_LEN + 1] = "";

    km_account_reopen(out);
    km_buf_str(out, KM_STR(",\"key\":"));
    km_buf_json(out, w->secret);
    if (key && key->row.expires_us)
        km_time_iso(key->row.expires_us, text);
    if (key)
        km_buf_printf(out, ",\"key_name\":\"%.*s\",\"expires\":%s%s%s", KM_STR_ARG(key->row.name),
                      text[0] ? "\"" : "", text[0] ? text : "null", text[0] ? "\"" : "");
    if (key && key->row.alias.n) {
        km_buf_str(out, KM_STR(",\"key_alias\":"));
        km_buf_json(out, key->row.alias);
    }
    km_buf_byte(out, '}');
    km_key_unref(key);
}

/* The row, in the frame that the kind's answers have. */
static void answer_row(struct km_admin *a, bool fresh)
{
    struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    enum km_account_kind kind = w->sort->kind;
    bool data = !fresh && (kind == KM_ACCOUNT_TEAM || kind == KM_ACCOUNT_USER);

    if (data) {
        km_buf_printf(&out, "{\"%s\":", km_account_words[kind].id);
        km_buf_json(&out, w->row.id);
        km_buf_str(&out, KM_STR(",\"data\":"));
    } else if (kind == KM_ACCOUNT_TAG) {
        struct km_str text = km_arena_printf(&a->arena, "Tag %.*s %s successfully",
                                             KM_STR_ARG(w->row.id), fresh ? "created" : "updated");

        km_buf_str(&out, KM_STR("{\"message\":"));
        km_buf_json(&out, text);
        km_buf_str(&out, KM_STR(",\"tag\":"));
    }
    km_account_show_one(a, kind, w->row.id, KM_STR_NONE, &out);
    if (fresh && kind == KM_ACCOUNT_USER)
        show_key_of(a, &out);
    if (data || kind == KM_ACCOUNT_TAG)
        km_buf_byte(&out, '}');
    km_admin_json(a, 200, km_buf_view(&out));
}

static void answer_new(struct km_admin *a)
{
    answer_row(a, true);
}

static void answer_changed(struct km_admin *a)
{
    answer_row(a, false);
}

static int take_fields(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    int r = km_account_fields_read(a, a->body, km_wall_us(), &w->row, err);

    if (r == 0)
        r = check_others(a, &w->row, err);
    if (r == 0)
        r = check_email(a, &w->row, err);
    if (r == 0)
        km_account_stamp(a, &w->row);
    return r;
}

int km_account_new(struct km_admin *a, struct km_err *err)
{
    struct km_account_work *w = km_account_work_new(a, err);
    int r = w ? km_account_may(a, KM_ACCOUNT_OWN, w->sort->kind, NULL, err) : KM_E_NOMEM;

    if (r == 0)
        r = name_new(a, w, err);
    if (r == 0)
        r = take_fields(a, w, err);
    if (r == 0)
        r = km_account_step_put(a, &w->row, true, "new", err);
    if (r == 0)
        r = add_along(a, w, err);
    if (r < 0)
        return r;
    w->answer = answer_new;
    km_account_run(a);
    return 0;
}

/* --- update, block --- */

int km_account_update(struct km_admin *a, struct km_err *err)
{
    struct km_str name;
    bool limit = km_account_says_limit(a->body, km_account_sort_of(a)->kind, &name);
    struct km_account_work *w;
    int r = km_account_begin_change(a, limit ? KM_ACCOUNT_OWN : KM_ACCOUNT_CHANGE, &w, err);

    if (r == 0)
        r = take_fields(a, w, err);
    if (r < 0)
        return r;
    w->answer = answer_changed;
    return km_account_write_changed(a, w, "update", err);
}

static void answer_blocked(struct km_admin *a)
{
    struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    km_buf_str(&out, KM_STR("{\"blocked_users\":["));
    for (size_t i = 0; i < w->nids; i++) {
        if (i > 0)
            km_buf_byte(&out, ',');
        km_account_show_one(a, w->sort->kind, w->ids[i], KM_STR_NONE, &out);
    }
    km_buf_str(&out, KM_STR("]}"));
    km_admin_json(a, 200, km_buf_view(&out));
}

/* An end user that nobody has heard of can be blocked before he comes. */
static int block_one(struct km_admin *a, struct km_account_work *w, struct km_str id, bool blocked,
                     struct km_err *err)
{
    struct km_account *acc =
        km_accounts_find(a->v->w->gw->accounts, w->sort->kind, id, KM_STR_NONE);
    struct km_account_row row = km_account_row_none(w->sort->kind, id, KM_STR_NONE);
    int r = 0;

    if (acc && km_account_row_copy(&acc->row, &a->arena, &row) < 0)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0 && acc)
        r = km_account_check_declared(acc, err);
    if (r == 0 && !acc && !blocked)
        r = km_account_unknown(w->sort, id, err);
    if (r == 0) {
        row.blocked = blocked;
        km_account_stamp(a, &row);
        r = km_account_step_put(a, &row, !acc, blocked ? "block" : "unblock", err);
    }
    km_account_unref(acc);
    return r;
}

static int set_blocked(struct km_admin *a, bool blocked, struct km_err *err)
{
    struct km_account_work *w;
    int r;

    if (!km_account_sort_of(a)->many || km_account_sort_of(a)->kind == KM_ACCOUNT_TEAM) {
        r = km_account_begin_change(a, KM_ACCOUNT_OWN, &w, err);
        if (r < 0)
            return r;
        w->row.blocked = blocked;
        return km_account_write_changed(a, w, blocked ? "block" : "unblock", err);
    }
    w = km_account_work_new(a, err);
    r = w ? km_account_may(a, KM_ACCOUNT_OWN, w->sort->kind, NULL, err) : KM_E_NOMEM;
    if (r == 0)
        r = km_account_ids(a, w, err);
    for (size_t i = 0; r == 0 && i < w->nids; i++)
        r = block_one(a, w, w->ids[i], blocked, err);
    if (r < 0)
        return r;
    w->answer = answer_blocked;
    km_account_run(a);
    return 0;
}

int km_account_block(struct km_admin *a, struct km_err *err)
{
    return set_blocked(a, true, err);
}

int km_account_unblock(struct km_admin *a, struct km_err *err)
{
    return set_blocked(a, false, err);
}
