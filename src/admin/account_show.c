/* SPDX-License-Identifier: Apache-2.0 */
/* account_show.c - accounts as LiteLLM shows them.
 *
 * LiteLLM keeps the limits of a team and a user in their rows, those of all others in a row of its
 * table of budgets; so here some kinds show them as members and others as litellm_budget_table,
 * which is what counts: the account's own, and its budget's where it has none of its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/account_inside.h"
#include "admin/columns.h"
#include "admin/key_inside.h"
#include "base/encode.h"

/* --- the book: sorted once, looked up by halves --- */

static struct km_str key_team(const void *v)
{
    return ((const struct km_key *)v)->row.team_id;
}

static struct km_str key_user(const void *v)
{
    return ((const struct km_key *)v)->row.user_id;
}

static struct km_str member_of(const void *v)
{
    return ((const struct km_account *)v)->row.of;
}

static struct km_str member_id(const void *v)
{
    return ((const struct km_account *)v)->row.id;
}

typedef struct km_str name_fn(const void *v);

#define BY(name)                                                                                   \
    static int by_##name(const void *x, const void *y)                                             \
    {                                                                                              \
        return km_str_cmp(name(*(void *const *)x), name(*(void *const *)y));                       \
    }
BY(key_team)
BY(key_user)
BY(member_of)
BY(member_id)

/* The first whose name is not below this one. */
static size_t first_of(void *const *v, size_t n, name_fn *name, struct km_str wanted)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (km_str_cmp(name(v[mid]), wanted) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static size_t count_of(void *const *v, size_t n, name_fn *name, struct km_str wanted)
{
    size_t from = first_of(v, n, name, wanted), to = from;

    while (to < n && km_str_eq(name(v[to]), wanted))
        to++;
    return to - from;
}

static void *sorted_copy(void *const *v, size_t n, int (*order)(const void *, const void *))
{
    void **copy = n ? malloc(n * sizeof *copy) : NULL;

    if (copy) {
        memcpy(copy, v, n * sizeof *copy);
        qsort(copy, n, sizeof *copy, order);
    }
    return copy;
}

/* Keys of that team or that user; of all where neither is said. */
static void take_keys(struct km_admin *a, struct km_account_book *book, struct km_str team,
                      struct km_str user)
{
    size_t n, kept = 0;
    struct km_key **keys = km_keys_all(a->v->w->gw->keys, &n);

    for (size_t i = 0; i < n; i++) {
        bool wanted = (!team.n && !user.n) || (team.n && km_str_eq(keys[i]->row.team_id, team)) ||
                      (user.n && km_str_eq(keys[i]->row.user_id, user));

        if (wanted)
            keys[kept++] = keys[i];
        else
            km_key_unref(keys[i]);
    }
    book->keys = keys;
    book->nkeys = kept;
}

int km_account_book_open(struct km_admin *a, struct km_account_book *book, struct km_str team,
                         struct km_str user, struct km_str org, struct km_err *err)
{
    struct km_accounts *t = a->v->w->gw->accounts;
    const struct km_accounts_which members = { .kind = KM_ACCOUNT_MEMBER, .id = user, .of = team };
    const struct km_accounts_which orgs = { .kind = KM_ACCOUNT_ORG_MEMBER, .of = org };

    *book = (struct km_account_book){ 0 };
    take_keys(a, book, team, user);
    book->of_team = km_accounts_all(t, &members, &book->nteam);
    book->of_org = km_accounts_all(t, &orgs, &book->norg);
    book->by_user = sorted_copy((void *const *)book->of_team, book->nteam, by_member_id);
    book->user_keys = sorted_copy((void *const *)book->keys, book->nkeys, by_key_user);
    if ((book->nteam && !book->by_user) || (book->nkeys && !book->user_keys)) {
        km_account_book_close(book);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    if (book->nteam)
        qsort(book->of_team, book->nteam, sizeof(void *), by_member_of);
    if (book->norg)
        qsort(book->of_org, book->norg, sizeof(void *), by_member_of);
    if (book->nkeys)
        qsort(book->keys, book->nkeys, sizeof(void *), by_key_team);
    return 0;
}

static void unref_all(struct km_account **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        km_account_unref(v[i]);
    free(v);
}

void km_account_book_close(struct km_account_book *book)
{
    unref_all(book->of_team, book->nteam);
    unref_all(book->of_org, book->norg);
    free(book->by_user);
    for (size_t i = 0; i < book->nkeys; i++)
        km_key_unref(book->keys[i]);
    free(book->keys);
    free(book->user_keys);
    *book = (struct km_account_book){ 0 };
}

size_t km_account_count_keys(const struct km_account_book *book, struct km_str user)
{
    return count_of((void *const *)book->user_keys, book->nkeys, key_user, user);
}

void km_account_show_keys(const struct km_account_book *book, struct km_str team,
                          struct km_str user, struct km_buf *out)
{
    struct km_key **v = team.n ? book->keys : book->user_keys;
    name_fn *name = team.n ? key_team : key_user;
    struct km_str wanted = team.n ? team : user;
    size_t i = first_of((void *const *)v, book->nkeys, name, wanted);

    km_buf_byte(out, '[');
    for (size_t from = i; wanted.n && i < book->nkeys && km_str_eq(name(v[i]), wanted); i++) {
        if (i > from)
            km_buf_byte(out, ',');
        km_key_show(v[i], out);
    }
    km_buf_byte(out, ']');
}

/* --- one row --- */

/* Is it one of those that LiteLLM has in its table of budgets? */
static bool is_limit(const struct km_key_column *c)
{
    return c->offset >= offsetof(struct km_account_row, max_budget) &&
           c->offset <= offsetof(struct km_account_row, max_parallel);
}

static bool has_own_limits(enum km_account_kind kind)
{
    return kind == KM_ACCOUNT_TEAM || kind == KM_ACCOUNT_USER || kind == KM_ACCOUNT_BUDGET;
}

static void put_limits(struct km_account *acc, const struct km_account_row *row, struct km_buf *out)
{
    struct km_account_row now = *row;

    if (acc->npurses && now.budget_duration_s)
        now.budget_reset_us = km_account_window_end(acc);
    for (size_t i = 0; i < km_account_columns_n; i++)
        if (is_limit(&km_account_columns[i]) && km_account_columns[i].name)
            km_column_write(out, km_account_columns[i].name, &km_account_columns[i], &now);
}

static bool has_limits(const struct km_account_row *row)
{
    return row->max_budget >= 0 || row->soft_budget >= 0 || row->rpm >= 0 || row->tpm >= 0 ||
           row->max_parallel >= 0 || row->budget_duration_s || row->budget_limits.n ||
           row->model_max_budget.n || row->temp_budget_increase >= 0 || row->budget_id.n;
}

static void put_budget_table(struct km_account *acc, struct km_buf *out)
{
    km_buf_str(out, KM_STR(",\"litellm_budget_table\":"));
    if (!has_limits(&acc->limits)) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_buf_str(out, KM_STR("{\"budget_id\":"));
    if (acc->row.budget_id.n)
        km_buf_json(out, acc->row.budget_id);
    else
        km_buf_str(out, KM_STR("null"));
    put_limits(acc, &acc->limits, out);
    if (acc->row.kind == KM_ACCOUNT_MEMBER) {
        km_buf_str(out, KM_STR(",\"allowed_models\":"));
        km_buf_json_list(out, acc->limits.models.v, acc->limits.models.n);
    }
    km_column_write_time(out, "created_at", acc->row.created_us);
    km_buf_byte(out, '}');
}

static void put_first(struct km_buf *out, const char *name, struct km_str value)
{
    km_buf_printf(out, "{\"%s\":", name);
    km_buf_json(out, value);
}

static struct km_account *find_user(struct km_admin *a, struct km_str id)
{
    return km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_USER, id, KM_STR_NONE);
}

/* members and members_with_roles of a team; the teams of a user. */
static void put_members(struct km_admin *a, const struct km_account_book *book, struct km_str team,
                        struct km_buf *out)
{
    void *const *v = (void *const *)book->of_team;
    size_t from = first_of(v, book->nteam, member_of, team);
    size_t n = count_of(v, book->nteam, member_of, team);

    km_buf_str(out, KM_STR(",\"admins\":[],\"members\":["));
    for (size_t i = from; i < from + n; i++) {
        km_buf_str(out, i > from ? KM_STR(",") : KM_STR(""));
        km_buf_json(out, book->of_team[i]->row.id);
    }
    km_buf_str(out, KM_STR("],\"members_with_roles\":["));
    for (size_t i = from; i < from + n; i++) {
        const struct km_account_row *m = &book->of_team[i]->row;
        struct km_account *user = find_user(a, m->id);

        km_buf_str(out, i > from ? KM_STR(",") : KM_STR(""));
        put_first(out, "user_id", m->id);
        km_column_write_text(out, "user_email", user ? user->row.email : KM_STR_NONE);
        km_column_write_text(out, "role", m->role.n ? m->role : KM_STR("user"));
        km_buf_byte(out, '}');
        km_account_unref(user);
    }
    km_buf_byte(out, ']');
}

static void put_teams(const struct km_account_book *book, struct km_str user, struct km_buf *out)
{
    void *const *v = (void *const *)book->by_user;
    size_t from = first_of(v, book->nteam, member_id, user);
    size_t n = count_of(v, book->nteam, member_id, user);

    km_buf_str(out, KM_STR(",\"teams\":["));
    for (size_t i = from; i < from + n; i++) {
        km_buf_str(out, i > from ? KM_STR(",") : KM_STR(""));
        km_buf_json(out, book->by_user[i]->row.of);
    }
    km_buf_byte(out, ']');
}

/* What of LiteLLM's row is always the same here; clients look for it.  By kind, name by name. */
static const struct {
    enum km_account_kind kind;
    const char *name, *value;
} constants[] = {
    { KM_ACCOUNT_TEAM, "model_spend", "{}" },
    { KM_ACCOUNT_TEAM, "router_settings", "{}" },
    { KM_ACCOUNT_TEAM, "access_group_ids", "[]" },
    { KM_ACCOUNT_TEAM, "team_member_permissions", "[]" },
    { KM_ACCOUNT_TEAM, "default_team_member_models", "[]" },
    { KM_ACCOUNT_TEAM, "allow_team_guardrail_config", "false" },
    { KM_ACCOUNT_TEAM, "tpd_limit", "null" },
    { KM_ACCOUNT_TEAM, "model_id", "null" },
    { KM_ACCOUNT_TEAM, "policies", "[]" },
    { KM_ACCOUNT_TEAM, "litellm_model_table", "null" },
    { KM_ACCOUNT_TEAM, "object_permission", "null" },
    { KM_ACCOUNT_TEAM, "object_permission_id", "null" },
    { KM_ACCOUNT_USER, "team_id", "null" },
    { KM_ACCOUNT_USER, "sso_user_id", "null" },
    { KM_ACCOUNT_USER, "model_spend", "{}" },
    { KM_ACCOUNT_USER, "allowed_cache_controls", "[]" },
    { KM_ACCOUNT_USER, "policies", "[]" },
    { KM_ACCOUNT_USER, "object_permission", "null" },
    { KM_ACCOUNT_USER, "object_permission_id", "null" },
    { KM_ACCOUNT_END_USER, "allowed_model_region", "null" },
    { KM_ACCOUNT_END_USER, "default_model", "null" },
    { KM_ACCOUNT_END_USER, "object_permission", "null" },
    { KM_ACCOUNT_END_USER, "object_permission_id", "null" },
    { KM_ACCOUNT_ORGANIZATION, "model_spend", "{}" },
    { KM_ACCOUNT_ORGANIZATION, "users", "null" },
    { KM_ACCOUNT_ORGANIZATION, "object_permission", "null" },
    { KM_ACCOUNT_ORGANIZATION, "object_permission_id", "null" },
    { KM_ACCOUNT_TAG, "model_info", "{}" },
    { KM_ACCOUNT_BUDGET, "tpd_limit", "null" },
    { KM_ACCOUNT_BUDGET, "allowed_models", "[]" },
};

static void put_rest(const struct km_account_row *row, struct km_buf *out)
{
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        char name[64];

        snprintf(name, sizeof name, "\"%s\":", constants[i].name);
        if (constants[i].kind == row->kind &&
            km_str_find(row->extra, km_str_c(name)) == row->extra.n)
            km_buf_printf(out, ",%s%s", name, constants[i].value);
    }
    if (row->extra.n > 2) { /* "{...}": its members join ours */
        km_buf_byte(out, ',');
        km_buf_str(out, km_str_sub(row->extra, 1, row->extra.n - 2));
    }
}

static void put_column(struct km_account *acc, const struct km_key_column *c, struct km_buf *out)
{
    const struct km_account_words *words = &km_account_words[acc->row.kind];
    const char *name = c->name;

    if (c->offset == offsetof(struct km_account_row, alias))
        name = words->alias;
    if (c->offset == offsetof(struct km_account_row, role))
        name = words->role;
    if (!name || is_limit(c) || !km_account_has(acc->row.kind, c))
        return;
    if (c->kind == KM_KEY_FLAG)
        km_buf_printf(out, ",\"%s\":%s", name, acc->row.blocked ? "true" : "false");
    else if (acc->row.kind == KM_ACCOUNT_ORGANIZATION && !acc->row.budget_id.n &&
             c->offset == offsetof(struct km_account_row, budget_id))
        km_buf_str(out, KM_STR(",\"budget_id\":\"\"")); /* never null there */
    else
        km_column_write(out, name, c, &acc->row);
}

/* Of a membership: what user it is, and what the user is called. */
static void put_user(struct km_admin *a, struct km_account *acc, struct km_buf *out)
{
    struct km_account *user = find_user(a, acc->row.id);

    km_column_write_text(out, "user_email", user ? user->row.email : KM_STR_NONE);
    km_account_unref(user);
}

void km_account_show(struct km_admin *a, const struct km_account_book *book, struct km_account *acc,
                     struct km_buf *out)
{
    const struct km_account_row *row = &acc->row;
    const struct km_account_words *words = &km_account_words[row->kind];

    put_first(out, words->id, row->id);
    if (words->of)
        km_column_write_text(out, words->of, row->of);
    km_column_write_money(out, "spend", km_account_spend(acc));
    for (size_t i = 0; i < km_account_columns_n; i++)
        put_column(acc, &km_account_columns[i], out);
    if (has_own_limits(row->kind))
        put_limits(acc, row, out);
    else
        put_budget_table(acc, out);
    if (row->kind == KM_ACCOUNT_TEAM)
        put_members(a, book, row->id, out);
    if (row->kind == KM_ACCOUNT_USER)
        put_teams(book, row->id, out);
    if (row->kind == KM_ACCOUNT_MEMBER)
        km_column_write_money(out, "total_spend", km_account_spend(acc));
    if (row->kind == KM_ACCOUNT_MEMBER || row->kind == KM_ACCOUNT_ORG_MEMBER)
        put_user(a, acc, out);
    put_rest(row, out);
    km_buf_byte(out, '}');
}

static void show_range(struct km_admin *a, const struct km_account_book *book,
                       struct km_account **v, size_t total, struct km_str of, struct km_buf *out)
{
    size_t from = first_of((void *const *)v, total, member_of, of);
    size_t n = count_of((void *const *)v, total, member_of, of);

    km_buf_byte(out, '[');
    for (size_t i = from; i < from + n; i++) {
        if (i > from)
            km_buf_byte(out, ',');
        km_account_show(a, book, v[i], out);
    }
    km_buf_byte(out, ']');
}

void km_account_show_members(struct km_admin *a, const struct km_account_book *book,
                             struct km_str team, struct km_buf *out)
{
    show_range(a, book, book->of_team, book->nteam, team, out);
}

void km_account_show_org_members(struct km_admin *a, const struct km_account_book *book,
                                 struct km_str org, struct km_buf *out)
{
    show_range(a, book, book->of_org, book->norg, org, out);
}

void km_account_show_one(struct km_admin *a, enum km_account_kind kind, struct km_str id,
                         struct km_str of, struct km_buf *out)
{
    struct km_account *acc = km_accounts_find(a->v->w->gw->accounts, kind, id, of);
    bool team = kind == KM_ACCOUNT_TEAM, user = kind == KM_ACCOUNT_USER;
    struct km_account_book book = { 0 };

    /* Without memory for it the row is shown without what belongs to it. */
    if ((team || user) && km_account_book_open(a, &book, team ? id : KM_STR_NONE,
                                               user ? id : KM_STR_NONE, KM_STR_NONE, NULL) < 0)
        book = (struct km_account_book){ 0 };
    if (acc)
        km_account_show(a, &book, acc, out);
    else
        km_buf_str(out, KM_STR("null"));
    km_account_book_close(&book);
    km_account_unref(acc);
}
