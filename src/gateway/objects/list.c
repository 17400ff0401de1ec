/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - the files and batches of a key, as lists.
 *
 * They are told from the store alone: an upstream's own list would be everybody's.  So a list says
 * of each object what the upstream said last, and asks it nothing; pages go by id, newest first,
 * as OpenAI's do.
 */
#include "gateway/objects/inside.h"

#include <stdlib.h>

#include "door/reply.h"

struct listing {
    struct km_visit *v; /* NULL: the client went away */
};

static void on_gone(void *ctx)
{
    struct listing *l = ctx;
    struct km_exchange *x = l->v->x;

    l->v = NULL;
    km_exchange_abort(x);
}

static const struct km_exchange_events list_events = { .on_gone = on_gone };

static void on_list(void *ctx, struct km_str json, const struct km_err *err)
{
    struct listing *l = ctx;

    if (l->v && err)
        km_reply_error(l->v, err);
    else if (l->v)
        km_reply_json(l->v, 200, json);
    free(l);
}

void km_object_list(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    const char *kind = match->route->data;
    struct km_str query = km_exchange_request(x)->query, after = KM_STR_NONE, limit = KM_STR_NONE;
    struct km_str purpose = KM_STR_NONE;
    struct km_arena *arena = km_exchange_arena(x);
    struct listing *l = calloc(1, sizeof *l);
    struct km_err err = { 0 };
    uint8_t owner[32];
    int64_t n = kind[0] == 'b' ? 20 : KM_OBJECTS_LIST_MOST;
    int r = l ? 0 : km_fail(&err, KM_E_NOMEM, "out of memory");

    (void)km_query_get(arena, query, KM_STR("after"), &after);
    (void)km_query_get(arena, query, KM_STR("purpose"), &purpose);
    if (r == 0 && km_query_get(arena, query, KM_STR("limit"), &limit) &&
        (km_str_i64(limit, &n) < 0 || n < 1 || n > KM_OBJECTS_LIST_MOST))
        r = km_fail_param(&err, KM_E_INVALID, "limit", "'limit' must be an integer from 1 to %d.",
                          KM_OBJECTS_LIST_MOST);
    if (r < 0) {
        km_reply_error(v, &err);
        free(l);
        return;
    }
    l->v = v;
    km_exchange_listen(x, &list_events, l);
    km_visit_hash(v, owner);
    km_store_object_list(v->w->gw->store, v->w->mailbox, km_str_c(kind), after, purpose, n, owner,
                         on_list, l);
}
