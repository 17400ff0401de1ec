/* SPDX-License-Identifier: Apache-2.0 */
/* account_steps.c - what one request writes: rows of accounts and keys, one after the other.
 *
 * Each is written with its audit record in one transaction, and only then does memory change; the
 * next begins when the one before is durable.  All that can be refused is refused before the first,
 * so what stops them in between is a store that fails: what was written until then stays, and the
 * same request can be sent again.
 */
#include "admin/account_inside.h"
#include "admin/key_inside.h"
#include "base/encode.h"

enum what { PUT, INSERT, DELETE, KEY_PUT, KEY_DELETE };

struct km_account_step {
    enum what what;
    const char *verb;
    const struct km_account_row *row;
    const struct km_key_row *key;
    uint8_t hash[32];
    struct km_account_step *next;
};

struct km_account_work *km_account_work_new(struct km_admin *a, struct km_err *err)
{
    struct km_account_work *w = km_arena_zalloc(&a->arena, sizeof *w);

    if (!w) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    w->sort = km_account_sort_of(a);
    w->last = &w->first;
    a->state = w;
    return w;
}

static struct km_account_step *add_step(struct km_admin *a, enum what what, struct km_err *err)
{
    struct km_account_work *w = a->state;
    struct km_account_step *s = NULL;

    if (w->n >= KM_ACCOUNT_STEPS) {
        km_fail(err, KM_E_LIMIT,
                "More than %d rows would be written by one request: delete keys and members first.",
                KM_ACCOUNT_STEPS);
        return NULL;
    }
    s = km_arena_zalloc(&a->arena, sizeof *s);
    if (!s) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    s->what = what;
    *w->last = s;
    w->last = &s->next;
    w->n++;
    return s;
}

/* The row in the request's arena. */
static int keep_row(struct km_admin *a, const struct km_account_row *row,
                    const struct km_account_row **ret, struct km_err *err)
{
    struct km_account_row *mine = km_arena_alloc(&a->arena, sizeof *mine);

    if (!mine || km_account_row_copy(row, &a->arena, mine) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = mine;
    return 0;
}

static size_t count_steps(const struct km_admin *a, int what)
{
    const struct km_account_work *w = a->state;
    size_t n = 0;

    for (const struct km_account_step *s = w->first; s; s = s->next)
        n += (int)s->what == what;
    return n;
}

int km_account_step_put(struct km_admin *a, const struct km_account_row *row, bool insert,
                        const char *verb, struct km_err *err)
{
    struct km_account_step *s;
    int r = km_accounts_check(row, err);

    if (r == 0 && insert)
        r = km_accounts_make_room(a->v->w->gw->accounts, count_steps(a, INSERT) + 1, err);
    if (r < 0)
        return r;
    s = add_step(a, insert ? INSERT : PUT, err);
    if (!s)
        return err->code;
    s->verb = verb;
    return keep_row(a, row, &s->row, err);
}

int km_account_step_del(struct km_admin *a, const struct km_account_row *row, struct km_err *err)
{
    struct km_account_step *s = add_step(a, DELETE, err);

    if (!s)
        return err->code;
    s->verb = "delete";
    return keep_row(a, row, &s->row, err);
}

int km_account_step_key(struct km_admin *a, const struct km_key_row *row, struct km_err *err)
{
    struct km_account_step *s;

    if (km_keys_make_room(a->v->w->gw->keys, count_steps(a, KEY_PUT) + 1, err) < 0)
        return err->code;
    s = add_step(a, KEY_PUT, err);
    if (!s)
        return err->code;
    s->verb = "key.generate";
    s->key = row;
    memcpy(s->hash, row->hash, sizeof s->hash);
    return 0;
}

int km_account_step_key_del(struct km_admin *a, const uint8_t hash[32], struct km_err *err)
{
    const struct km_account_work *w = a->state;
    struct km_account_step *s;

    for (s = w->first; s; s = s->next) /* of a team and of its organisation: it goes once */
        if (s->what == KEY_DELETE && memcmp(s->hash, hash, sizeof s->hash) == 0)
            return 0;
    s = add_step(a, KEY_DELETE, err);
    if (!s)
        return err->code;
    s->verb = "key.delete";
    memcpy(s->hash, hash, sizeof s->hash);
    return 0;
}

const struct km_account_row *km_account_step_made(const struct km_admin *a,
                                                  enum km_account_kind kind, struct km_str id,
                                                  struct km_str of)
{
    const struct km_account_work *w = a->state;

    for (const struct km_account_step *s = w->first; s; s = s->next)
        if (s->what == INSERT && s->row->kind == kind && km_str_eq(s->row->id, id) &&
            km_str_eq(s->row->of, of))
            return s->row;
    return NULL;
}

/* Memory follows the store. */
static int run_step(struct km_admin *a, const struct km_account_step *s, struct km_err *err)
{
    struct km_gateway *gw = a->v->w->gw;

    switch (s->what) {
    case PUT:
    case INSERT:
        return km_accounts_put(gw->accounts, s->row, err);
    case DELETE:
        km_accounts_del(gw->accounts, s->row->kind, s->row->id, s->row->of);
        return 0;
    case KEY_PUT:
        return km_keys_put(gw->keys, s->key, err);
    default:
        km_key_forget(a, s->hash);
        km_keys_del(gw->keys, s->hash);
        return 0;
    }
}

static void on_written(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct km_account_work *w = a->state;
    struct km_err why = { 0 };

    if (err || run_step(a, w->first, &why) < 0) {
        km_admin_error(a, err ? err : &why);
        return;
    }
    w->first = w->first->next;
    km_account_run(a);
}

static struct km_str target_of(struct km_admin *a, const struct km_account_step *s)
{
    if (!s->row)
        return km_key_target(a, s->hash);
    if (!s->row->of.n)
        return s->row->id;
    return km_arena_printf(&a->arena, "%.*s of %.*s", KM_STR_ARG(s->row->id),
                           KM_STR_ARG(s->row->of));
}

void km_account_run(struct km_admin *a)
{
    struct km_account_work *w = a->state;
    const struct km_account_step *s = w->first;
    struct km_store *store = a->v->w->gw->store;
    struct km_mailbox *reply = a->v->w->mailbox;
    struct km_audit audit;

    if (!s) {
        w->answer(a);
        return;
    }
    audit = (struct km_audit){ .actor = km_admin_actor(a),
                               .action = km_str_c(s->verb),
                               .target = target_of(a, s),
                               .detail = km_admin_said(a) };
    if (s->row)
        audit.action =
            km_arena_printf(&a->arena, "%s.%s", km_account_words[s->row->kind].kind, s->verb);
    if (s->what == DELETE && s->row)
        km_store_account_delete(store, reply, s->row->kind, s->row->id, s->row->of, &audit,
                                on_written, a);
    else if (s->what == KEY_DELETE)
        km_store_key_delete(store, reply, s->hash, &audit, on_written, a);
    else if (s->what == KEY_PUT)
        km_store_key_put(store, reply, s->key, true, &audit, on_written, a);
    else
        km_store_account_put(store, reply, s->row, s->what == INSERT, &audit, on_written, a);
}
