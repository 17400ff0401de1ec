/* SPDX-License-Identifier: Apache-2.0 */
/* account_begin.c - what every change of an account begins with, and most of them end with.
 *
 * Whose row is it about, may the visitor change it, is it there: in that order where he may not, so
 * that nobody learns who there is by asking.  The row is copied into the request's arena, and the
 * change is made to the copy.
 */
#include <stdlib.h>

#include "admin/account_inside.h"
#include "base/id.h"

#define ANSWER_BYTES (16 * 1024 * 1024)

struct km_str km_account_fresh_id(struct km_admin *a)
{
    struct km_uuid id = km_uuid7(km_loop_ids(a->v->w->loop));
    char text[KM_UUID_LEN + 1];

    km_uuid_text(&id, text);
    return km_arena_str(&a->arena, km_str(text, KM_UUID_LEN));
}

void km_account_stamp(struct km_admin *a, struct km_account_row *row)
{
    row->updated_us = km_wall_us();
    row->updated_by = km_admin_actor(a);
    if (row->created_us)
        return;
    row->created_us = row->updated_us;
    row->created_by = row->updated_by;
}

int km_account_missing(const char *name, struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, name, "Missing required parameter: '%s'.", name);
}

int km_account_unknown(const struct km_account_sort *sort, struct km_str id, struct km_err *err)
{
    return km_fail_param(err, KM_E_NOT_FOUND, km_account_words[sort->kind].id, "%s%.*s%s",
                         sort->unknown[0], KM_STR_ARG(km_str_sub(id, 0, KM_ACCOUNT_ID_BYTES)),
                         sort->unknown[1]);
}

int km_account_check_there(struct km_admin *a, enum km_account_kind kind, struct km_str id,
                           struct km_err *err)
{
    struct km_account *acc =
        id.n ? km_accounts_find(a->v->w->gw->accounts, kind, id, KM_STR_NONE) : NULL;
    bool fine = !id.n || acc;

    km_account_unref(acc);
    if (fine)
        return 0;
    return km_fail_param(err, KM_E_INVALID, km_account_words[kind].id,
                         kind == KM_ACCOUNT_ORGANIZATION
                             ? "Organization not found for organization_id=%.*s"
                             : "Budget not found, passed budget_id=%.*s",
                         KM_STR_ARG(km_str_sub(id, 0, KM_ACCOUNT_ID_BYTES)));
}

int km_account_by_email(struct km_admin *a, struct km_str email, struct km_account **ret,
                        struct km_err *err)
{
    const struct km_accounts_which users = { .kind = KM_ACCOUNT_USER };
    size_t n, found = 0;
    struct km_account **all = km_accounts_all(a->v->w->gw->accounts, &users, &n);

    *ret = NULL;
    for (size_t i = 0; i < n; i++) {
        if (email.n && km_str_ieq(all[i]->row.email, email) && ++found == 1)
            *ret = km_account_ref(all[i]);
        km_account_unref(all[i]);
    }
    free(all);
    if (found < 2)
        return 0;
    *ret = km_account_unref(*ret);
    return km_fail_param(err, KM_E_INVALID, "user_email",
                         "Multiple users found with email '%.*s'. Please use 'user_id' instead.",
                         KM_STR_ARG(km_str_sub(email, 0, 200)));
}

int km_account_check_declared(const struct km_account *acc, struct km_err *err)
{
    if (!acc->declared)
        return 0;
    return km_fail(err, KM_E_FORBIDDEN,
                   "The %s '%.*s' is declared in the configuration: change it there.",
                   km_account_words[acc->row.kind].kind, KM_STR_ARG(acc->row.id));
}

int km_account_named(struct km_admin *a, enum km_account_right right, struct km_account **ret,
                     struct km_err *err)
{
    const struct km_account_sort *sort = km_account_sort_of(a);
    const char *name = km_account_words[sort->kind].id;
    struct km_str id = km_admin_text(a, name), email = km_admin_text(a, "user_email");
    int r = 0;

    *ret = NULL;
    if (id.n)
        *ret = km_accounts_find(a->v->w->gw->accounts, sort->kind, id, KM_STR_NONE);
    else if (sort->kind == KM_ACCOUNT_USER && email.n)
        r = km_account_by_email(a, id = email, ret, err);
    else
        return km_account_missing(name, err);
    /* Who may not ask does not learn whether there is one. */
    if (r == 0)
        r = km_account_may(a, right, sort->kind, *ret ? &(*ret)->row : NULL, err);
    if (r == 0)
        r = *ret ? km_account_check_declared(*ret, err) : km_account_unknown(sort, id, err);
    if (r < 0)
        *ret = km_account_unref(*ret);
    return r;
}

static void answer_plain(struct km_admin *a)
{
    struct km_account_work *w = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    km_account_show_one(a, w->row.kind, w->row.id, KM_STR_NONE, &out);
    km_admin_json(a, 200, km_buf_view(&out));
}

int km_account_begin_change(struct km_admin *a, enum km_account_right right,
                            struct km_account_work **ret, struct km_err *err)
{
    struct km_account_work *w = km_account_work_new(a, err);
    struct km_account *acc = NULL;
    int r = w ? km_account_named(a, right, &acc, err) : KM_E_NOMEM;

    if (r == 0 && km_account_row_copy(&acc->row, &a->arena, &w->row) < 0)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    km_account_unref(acc);
    *ret = w;
    return r;
}

int km_account_write_changed(struct km_admin *a, struct km_account_work *w, const char *verb,
                             struct km_err *err)
{
    int r;

    km_account_stamp(a, &w->row);
    r = km_account_step_put(a, &w->row, false, verb, err);
    if (r < 0)
        return r;
    if (!w->answer)
        w->answer = answer_plain;
    km_account_run(a);
    return 0;
}

int km_account_ids(struct km_admin *a, struct km_account_work *w, struct km_err *err)
{
    const char *name = w->sort->many ? w->sort->many : w->sort->one;
    const struct km_json *list = km_json_get(a->body, name), *item;
    struct km_json_iter it;
    struct km_str key;

    if (!w->sort->many) {
        w->ids = km_arena_alloc(&a->arena, sizeof *w->ids);
        if (!w->ids || !km_json_string(list, w->ids))
            return km_account_missing(name, err);
        w->nids = 1;
        return 0;
    }

    if (km_json_kind(list) != KM_JSON_ARRAY || km_json_count(list) == 0)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be an array of ids.", name);
    if (km_json_count(list) > 1000)
        return km_fail_param(err, KM_E_LIMIT, name, "'%s' may have at most 1000 ids.", name);
    w->ids = km_arena_alloc(&a->arena, km_json_count(list) * sizeof *w->ids);
    if (!w->ids)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);) {
        struct km_str id;
        bool twice = false;

        if (!km_json_string(item, &id))
            return km_fail_param(err, KM_E_INVALID, name, "'%s' must be an array of ids.", name);
        for (size_t i = 0; i < w->nids; i++)
            twice = twice || km_str_eq(w->ids[i], id);
        if (!twice)
            w->ids[w->nids++] = id;
    }
    return 0;
}
