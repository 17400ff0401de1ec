/* SPDX-License-Identifier: Apache-2.0 */
/* account_remove.c - accounts taken away, and a team's models added and taken away.
 *
 * A key is worth nothing without its team or user, so it goes with them, and teams go with their
 * organisation.  A budget that somebody uses stays, and so does a team's last model: without them
 * there would be no limit at all.
 */
#include <stdlib.h>

#include "admin/account_inside.h"
#include "base/encode.h"

#define ANSWER_BYTES (16 * 1024 * 1024)

static int remove_keys(struct km_admin *a, struct km_str team, struct km_str user,
                       struct km_str org, struct km_err *err)
{
    size_t n;
    struct km_key **keys = km_keys_all(a->v->w->gw->keys, &n);
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        const struct km_key_row *row = &keys[i]->row;

        if (r == 0 && ((team.n && km_str_eq(row->team_id, team)) ||
                       (user.n && km_str_eq(row->user_id, user)) ||
                       (org.n && km_str_eq(row->organization_id, org))))
            r = km_account_step_key_del(a, row->hash, err);
        km_key_unref(keys[i]);
    }
    free(keys);
    return r;
}

static int remove_teams(struct km_admin *a, struct km_str org, struct km_err *err)
{
    const struct km_accounts_which which = { .kind = KM_ACCOUNT_TEAM, .organization_id = org };
    size_t n;
    struct km_account **teams = km_accounts_all(a->v->w->gw->accounts, &which, &n);
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        if (r == 0)
            r = remove_keys(a, teams[i]->row.id, KM_STR_NONE, KM_STR_NONE, err);
        if (r == 0)
            r = km_account_step_del(a, &teams[i]->row, err);
        km_account_unref(teams[i]);
    }
    free(teams);
    return r;
}

static int check_unused(struct km_admin *a, struct km_str budget, struct km_err *err)
{
    const struct km_accounts_which which = { .budget_id = budget };
    size_t n;
    struct km_account **users = km_accounts_all(a->v->w->gw->accounts, &which, &n);
    int r = 0;

    if (n)
        r = km_fail_param(err, KM_E_INVALID, "id",
                          "Budget '%.*s' is that of %zu others, the %s '%.*s' among them: without "
                          "it they would have no limit. Give them another first.",
                          KM_STR_ARG(budget), n, km_account_words[users[0]->row.kind].kind,
                          KM_STR_ARG(users[0]->row.id));
    for (size_t i = 0; i < n; i++)
        km_account_unref(users[i]);
    free(users);
    return r;
}

static int remove_one(struct km_admin *a, struct km_account *acc, struct km_err *err)
{
    struct km_str id = acc->row.id;
    int r = km_account_check_declared(acc, err);

    if (r == 0 && acc->row.kind == KM_ACCOUNT_TEAM)
        r = remove_keys(a, id, KM_STR_NONE, KM_STR_NONE, err);
    if (r == 0 && acc->row.kind == KM_ACCOUNT_USER)
        r = remove_keys(a, KM_STR_NONE, id, KM_STR_NONE, err);
    if (r == 0 && acc->row.kind == KM_ACCOUNT_ORGANIZATION)
        r = remove_teams(a, id, err);
    if (r == 0 && acc->row.kind == KM_ACCOUNT_ORGANIZATION)
        r = remove_keys(a, KM_STR_NONE, KM_STR_NONE, id, err);
    if (r == 0 && acc->row.kind == KM_ACCOUNT_BUDGET)
        r = check_unused(a, id, err);
    return r < 0 ? r : km_account_step_del(a, &acc->row, err);
}

static void put_python_list(const struct km_account_work *w, struct km_buf *text)
{
    km_buf_byte(text, '[');
    for (size_t i = 0; i < w->nids; i++)
        km_buf_printf(text, "%s'%.*s'", i ? ", " : "", KM_STR_ARG(w->ids[i]));
    km_buf_byte(text, ']');
}

static void answer_deleted(struct km_admin *a)
{
    struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    switch (w->sort->kind) {
    case KM_ACCOUNT_TEAM:
        km_buf_str(&out, KM_STR("{\"deleted_teams\":"));
        km_buf_json_list(&out, w->ids, w->nids);
        km_buf_byte(&out, '}');
        break;
    case KM_ACCOUNT_USER:
        km_buf_printf(&out, "%zu", w->nids);
        break;
    case KM_ACCOUNT_END_USER:
        km_buf_str(&text, KM_STR("Successfully deleted customers with ids: "));
        put_python_list(w, &text);
        km_buf_printf(&out, "{\"deleted_customers\":%zu,\"message\":", w->nids);
        km_buf_json(&out, km_buf_view(&text));
        km_buf_byte(&out, '}');
        break;
    case KM_ACCOUNT_TAG:
        km_buf_printf(&text, "Tag %.*s deleted successfully", KM_STR_ARG(w->ids[0]));
        km_buf_str(&out, KM_STR("{\"message\":"));
        km_buf_json(&out, km_buf_view(&text));
        km_buf_byte(&out, '}');
        break;
    default:
        km_buf_str(&out, w->before);
        break;
    }
    km_admin_json(a, 200, km_buf_view(&out));
}

/* What the answer shows of them, while they are there. */
static void show_before(struct km_admin *a, struct km_account_work *w)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    bool list = w->sort->kind == KM_ACCOUNT_ORGANIZATION;

    if (list)
        km_buf_byte(&out, '[');
    for (size_t i = 0; i < w->nids; i++) {
        if (i > 0)
            km_buf_byte(&out, ',');
        km_account_show_one(a, w->sort->kind, w->ids[i], KM_STR_NONE, &out);
    }
    if (list)
        km_buf_byte(&out, ']');
    w->before = km_buf_failed(&out) ? KM_STR("[]") : km_arena_str(&a->arena, km_buf_view(&out));
}

int km_account_delete(struct km_admin *a, struct km_err *err)
{
    struct km_account_work *w = km_account_work_new(a, err);
    int r = w ? km_account_may(a, KM_ACCOUNT_OWN, w->sort->kind, NULL, err) : KM_E_NOMEM;

    if (r == 0)
        r = km_account_ids(a, w, err);
    for (size_t i = 0; r == 0 && i < w->nids; i++) {
        struct km_account *acc =
            km_accounts_find(a->v->w->gw->accounts, w->sort->kind, w->ids[i], KM_STR_NONE);

        r = acc ? remove_one(a, acc, err) : km_account_unknown(w->sort, w->ids[i], err);
        km_account_unref(acc);
    }
    if (r < 0)
        return r;
    if (w->sort->kind == KM_ACCOUNT_ORGANIZATION || w->sort->kind == KM_ACCOUNT_BUDGET)
        show_before(a, w);
    w->answer = answer_deleted;
    km_account_run(a);
    return 0;
}

/* --- a team's models --- */

static bool list_holds(struct km_str_list list, struct km_str name)
{
    for (size_t i = 0; i < list.n; i++)
        if (km_str_eq(list.v[i], name))
            return true;
    return false;
}

static int read_models(struct km_admin *a, struct km_str_list *ret, struct km_err *err)
{
    const struct km_json *list = km_json_get(a->body, "models"), *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return km_fail_param(err, KM_E_INVALID, "models", "'models' must be an array of strings.");
    ret->v = km_arena_alloc(&a->arena, (km_json_count(list) + 1) * sizeof *ret->v);
    ret->n = 0;
    if (!ret->v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        if (!km_json_string(item, &((struct km_str *)ret->v)[ret->n++]))
            return km_fail_param(err, KM_E_INVALID, "models",
                                 "'models' must be an array of strings.");
    return 0;
}

static struct km_str_list join_lists(struct km_admin *a, struct km_str_list old,
                                     struct km_str_list more)
{
    struct km_str *v = km_arena_alloc(&a->arena, (old.n + more.n + 1) * sizeof *v);
    struct km_str_list all = { v, 0 };

    for (size_t i = 0; v && i < old.n; i++)
        v[all.n++] = old.v[i];
    for (size_t i = 0; v && i < more.n; i++)
        if (!list_holds(all, more.v[i]))
            v[all.n++] = more.v[i];
    return all;
}

static struct km_str_list list_without(struct km_admin *a, struct km_str_list old,
                                       struct km_str_list less)
{
    struct km_str *v = km_arena_alloc(&a->arena, (old.n + 1) * sizeof *v);
    struct km_str_list left = { v, 0 };

    for (size_t i = 0; v && i < old.n; i++)
        if (!list_holds(less, old.v[i]))
            v[left.n++] = old.v[i];
    return left;
}

static int change_models(struct km_admin *a, bool add, struct km_err *err)
{
    struct km_account_work *w;
    struct km_str_list said = { 0 }, had;
    int r = km_account_begin_change(a, add ? KM_ACCOUNT_OWN : KM_ACCOUNT_CHANGE, &w, err);

    if (r == 0)
        r = read_models(a, &said, err);
    if (r < 0)
        return r;
    had = w->row.models;
    w->row.models = add ? join_lists(a, had, said) : list_without(a, had, said);
    if (!w->row.models.v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (had.n && !w->row.models.n)
        return km_fail_param(err, KM_E_INVALID, "models",
                             "Without its last model the team could use every model: name another "
                             "first, or block the team.");
    return km_account_write_changed(a, w, "update", err);
}

int km_team_model_add(struct km_admin *a, struct km_err *err)
{
    return change_models(a, true, err);
}

int km_team_model_delete(struct km_admin *a, struct km_err *err)
{
    return change_models(a, false, err);
}
