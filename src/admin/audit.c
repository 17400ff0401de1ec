/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - the audit trail, for who is to answer for it.
 *
 *     GET /kanmon/audit            newest first; since, until, key, user, action, server, tool,
 *                                  outcome; limit, and before: the page's `next`
 *     GET /kanmon/audit/{seq}      one record
 *     GET /kanmon/audit/verify     the whole chain: is each record as it was written?
 *
 * It is the administrator's alone: it says who did what.  Looking at it leaves no record, and
 * nothing here changes one.  What this worker still holds is handed to the writer first, so that a
 * call whose answer was read is there.
 */
#include "admin/audit.h"

#include <stdio.h>

#include "admin/admin.h"
#include "store/audit.h"

#define BODY_BYTES 1024
#define RECORD_BYTES ((int64_t)32 * 1024 * 1024) /* one that names all tools of a server, parsed */

static void on_json(void *ctx, struct km_str json, const struct km_err *err)
{
    if (err)
        km_admin_error(ctx, err);
    else
        km_admin_json(ctx, 200, json);
}

static int read_count(struct km_admin *a, const char *name, int64_t most, int64_t *ret,
                      struct km_err *err)
{
    struct km_str text;
    int64_t n;

    if (!km_admin_query(a, name, &text) || !text.n)
        return 0;
    if (km_str_i64(text, &n) < 0 || n < 1 || n > most)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be a number from 1 to %lld.", name,
                             (long long)most);
    *ret = n;
    return 0;
}

/* A word that cannot be there is a mistake of who asks; what is merely unknown finds nothing. */
static int read_words(struct km_admin *a, struct km_audit_query *q, struct km_err *err)
{
    const struct {
        const char *name;
        struct km_str *to;
    } words[] = {
        { "key", &q->key },       { "user", &q->user }, { "action", &q->action },
        { "server", &q->server }, { "tool", &q->tool }, { "outcome", &q->outcome },
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (km_admin_query(a, words[i].name, words[i].to) && words[i].to->n > KM_AUDIT_WORD)
            return km_fail_param(err, KM_E_INVALID, words[i].name, "'%s' has more than %d bytes.",
                                 words[i].name, KM_AUDIT_WORD);
    if (km_str_starts(q->key, KM_STR("sk-")))
        return km_fail_param(err, KM_E_INVALID, "key",
                             "'key' is a key's alias or hash, not the key itself.");
    return 0;
}

static void ask(struct km_admin *a, const struct km_audit_query *q, km_store_json_fn *fn)
{
    km_ledger_flush(a->v->w->ledger);
    km_store_audit_find(a->v->w->gw->store, a->v->w->mailbox, q, fn, a);
}

static int list(struct km_admin *a, struct km_err *err)
{
    struct km_audit_query q = { 0 };
    int r = km_admin_when(a, "since", &q.from_us, err);

    if (r == 0)
        r = km_admin_when(a, "until", &q.to_us, err);
    if (r == 0)
        r = read_words(a, &q, err);
    if (r == 0)
        r = read_count(a, "limit", KM_AUDIT_PAGE, &q.limit, err);
    if (r == 0)
        r = read_count(a, "before", INT64_MAX, &q.before, err);
    if (r == 0)
        ask(a, &q, on_json);
    return r;
}

/* --- one --- */

static void on_one(void *ctx, struct km_str json, const struct km_err *err)
{
    struct km_admin *a = ctx;
    const struct km_json *root, *record = NULL;
    struct km_err none = { 0 };
    struct km_json_iter it;
    struct km_str key;

    if (!err && km_json_parse(&a->arena, km_arena_str(&a->arena, json), &root, &none) == 0) {
        km_json_iter(km_json_get(root, "records"), &it);
        if (km_json_next(&it, &key, &record)) {
            km_admin_json(a, 200, km_json_compact(record, &a->arena));
            return;
        }
        km_fail(&none, KM_E_NOT_FOUND, "There is no record %.*s in the audit trail.",
                KM_STR_ARG(km_str_sub(a->v->match.params[0], 0, 32)));
    }
    km_admin_error(a, err ? err : &none);
}

static int show(struct km_admin *a, struct km_err *err)
{
    struct km_str text = a->v->match.params[0];
    struct km_audit_query q = { .limit = 1 };

    if (km_str_i64(text, &q.seq) < 0 || q.seq < 1 || q.seq == INT64_MAX)
        return km_fail(err, KM_E_NOT_FOUND, "A record is named by its number, not '%.*s'.",
                       KM_STR_ARG(km_str_sub(text, 0, 64)));
    ask(a, &q, on_one);
    return 0;
}

static int verify(struct km_admin *a, struct km_err *err)
{
    (void)err;
    km_store_audit_verify(a->v->w->gw->store, a->v->w->mailbox, on_json, a);
    return 0;
}

KM_ADMIN_HANDLER(on_list, BODY_BYTES, list)
KM_ADMIN_HANDLER(on_show, RECORD_BYTES, show)
KM_ADMIN_HANDLER(on_verify, BODY_BYTES, verify)

static const struct km_route rows[] = {
    { "GET", "/kanmon/audit", on_list, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/audit/verify", on_verify, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/audit/{seq}", on_show, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_audit_routes = { rows, sizeof rows / sizeof rows[0] };
