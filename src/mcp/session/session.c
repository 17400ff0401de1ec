/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h for the contract.
 *
 *     by id: map ──> session <── list, least recently used first
 *
 * A session that is in use (a stream is open, a call runs) is never taken away, however long ago
 * its last message was: a client with an open GET stream is there.  What belongs to the layer
 * above, streams and questions, hangs on lists here and is emptied there before a drop.
 */
#include "mcp/session/session.h"

#include <stdlib.h>

struct owner {
    size_t sessions;
};

struct km_mcp_sessions {
    struct km_map *ids;
    struct km_map *owners; /* principal to struct owner */
    struct km_mcp_session_bounds bounds;
    struct km_list used;
    uint32_t replica;
    size_t worker, most;
};

struct km_mcp_sessions *km_mcp_sessions_new(uint32_t replica, size_t worker, size_t most)
{
    struct km_mcp_sessions *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->replica = replica;
    t->worker = worker;
    t->most = most;
    km_list_init(&t->used);
    t->bounds = (struct km_mcp_session_bounds){ .idle_ms = (int64_t)KM_MCP_SESSION_IDLE_MS,
                                                .per_key = (int64_t)KM_MCP_SESSIONS_MOST,
                                                .events = KM_MCP_EVENTS_MOST,
                                                .event_bytes = (int64_t)KM_MCP_EVENT_BYTES };
    t->ids = km_map_new_borrowed(most);
    t->owners = km_map_new(most);
    if (t->ids && t->owners)
        return t;
    if (t->ids)
        km_map_free(t->ids, NULL);
    if (t->owners)
        km_map_free(t->owners, NULL);
    free(t);
    return NULL;
}

void km_mcp_sessions_bound(struct km_mcp_sessions *t, const struct km_mcp_session_bounds *bounds)
{
    t->bounds = *bounds;
}

struct km_mcp_sessions *km_mcp_sessions_free(struct km_mcp_sessions *t,
                                             void (*drop)(void *ctx, struct km_mcp_session *s),
                                             void *ctx)
{
    struct km_list *it;

    if (!t)
        return NULL;
    while ((it = km_list_pop(&t->used))) {
        struct km_mcp_session *s = KM_CONTAINER(it, struct km_mcp_session, link);

        if (drop)
            drop(ctx, s);
        km_mcp_session_drop(t, s);
    }
    km_map_free(t->ids, NULL);
    km_map_free(t->owners, free);
    free(t);
    return NULL;
}

/* --- how many a principal has --- */

static int count_in(struct km_mcp_sessions *t, struct km_str principal, struct km_err *err)
{
    struct owner *o = km_map_get(t->owners, principal);

    if (o && o->sessions >= (size_t)t->bounds.per_key)
        return km_fail(err, KM_E_LIMIT, "this key has %zu sessions, all of them in use",
                       o->sessions);
    if (!o) {
        o = calloc(1, sizeof *o);
        if (!o || km_map_set(t->owners, principal, o, NULL) < 0) {
            free(o);
            return km_fail(err, KM_E_NOMEM, "out of memory");
        }
    }
    o->sessions++;
    return 0;
}

static void count_out(struct km_mcp_sessions *t, struct km_str principal)
{
    struct owner *o = km_map_get(t->owners, principal);

    if (o && --o->sessions == 0)
        free(km_map_del(t->owners, principal));
}

static int copy(struct km_str *to, struct km_str from, struct km_err *err)
{
    char *p = malloc(from.n ? from.n : 1);

    if (!p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (from.n)
        memcpy(p, from.p, from.n);
    free((char *)(uintptr_t)to->p);
    *to = km_str(p, from.n);
    return 0;
}

static void release(struct km_mcp_session *s)
{
    km_mcp_event_store_done(&s->events);
    free((char *)(uintptr_t)s->principal.p);
    free((char *)(uintptr_t)s->capabilities.p);
    free(s);
}

int km_mcp_session_agree(struct km_mcp_session *s, const struct km_mcp_revision *revision,
                         struct km_str capabilities, struct km_err *err)
{
    if (capabilities.n > KM_MCP_CAPABILITIES_BYTES)
        return km_fail(err, KM_E_LIMIT, "capabilities may have %zu bytes",
                       KM_MCP_CAPABILITIES_BYTES);
    s->revision = revision;
    return copy(&s->capabilities, capabilities.n ? capabilities : KM_STR("{}"), err);
}

int km_mcp_session_new(struct km_mcp_sessions *t, const struct km_mcp_session_args *args,
                       struct km_mcp_session **ret, struct km_err *err)
{
    struct km_mcp_session *s;
    int r;

    if (km_map_count(t->ids) >= t->most)
        return km_fail(err, KM_E_LIMIT, "this gateway has as many sessions as it can keep");
    s = calloc(1, sizeof *s);
    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_list_init(&s->link);
    km_list_init(&s->streams);
    km_list_init(&s->questions);
    km_list_init(&s->subscriptions);
    km_list_init(&s->heard);
    s->legacy = args->legacy;
    memcpy(s->key, args->key, sizeof s->key);
    s->used_ms = args->now_ms;
    r = km_mcp_session_agree(s, args->revision, args->capabilities, err);
    if (r == 0)
        r = copy(&s->principal, args->principal, err);
    if (r == 0)
        r = km_mcp_session_id_make(t->replica, t->worker, s->id, err);
    s->events.most = (uint32_t)t->bounds.events;
    s->events.most_bytes = (size_t)t->bounds.event_bytes;
    if (r == 0)
        r = count_in(t, s->principal, err);
    if (r == 0 && (r = km_map_set(t->ids, km_str(s->id, KM_MCP_SESSION_ID_LEN), s, NULL)) < 0)
        count_out(t, s->principal);
    if (r < 0) {
        release(s);
        return r;
    }
    km_list_push(&t->used, &s->link);
    *ret = s;
    return 0;
}

struct km_mcp_session *km_mcp_session_find(struct km_mcp_sessions *t, struct km_str id,
                                           struct km_str principal, uint64_t now_ms)
{
    struct km_mcp_session *s = km_map_get(t->ids, id);

    if (!s || !km_str_eq(s->principal, principal))
        return NULL;
    s->used_ms = now_ms;
    km_list_remove(&s->link);
    km_list_push(&t->used, &s->link);
    return s;
}

void km_mcp_session_drop(struct km_mcp_sessions *t, struct km_mcp_session *s)
{
    km_map_del(t->ids, km_str(s->id, KM_MCP_SESSION_ID_LEN));
    km_list_remove(&s->link);
    count_out(t, s->principal);
    release(s);
}

static bool in_use(const struct km_mcp_session *s)
{
    return s->get || s->calls || !km_list_empty(&s->streams);
}

struct km_mcp_session *km_mcp_session_over(struct km_mcp_sessions *t, struct km_str principal)
{
    const struct owner *o = km_map_get(t->owners, principal);

    if (!o || o->sessions < (size_t)t->bounds.per_key)
        return NULL;
    KM_LIST_EACH(it, &t->used)
    {
        struct km_mcp_session *s = KM_CONTAINER(it, struct km_mcp_session, link);

        if (!in_use(s) && km_str_eq(s->principal, principal))
            return s;
    }
    return NULL;
}

struct km_mcp_session *km_mcp_session_stale(struct km_mcp_sessions *t, uint64_t now_ms)
{
    bool full = km_map_count(t->ids) >= t->most;

    KM_LIST_EACH(it, &t->used)
    {
        struct km_mcp_session *s = KM_CONTAINER(it, struct km_mcp_session, link);

        if (!full && s->used_ms + (uint64_t)t->bounds.idle_ms > now_ms)
            return NULL;
        if (!in_use(s))
            return s;
    }
    return NULL;
}

struct km_mcp_session *km_mcp_session_first(const struct km_mcp_sessions *t)
{
    return km_list_empty(&t->used) ? NULL : KM_CONTAINER(t->used.next, struct km_mcp_session, link);
}

struct km_mcp_session *km_mcp_session_next(const struct km_mcp_sessions *t,
                                           const struct km_mcp_session *s)
{
    return s->link.next == &t->used ? NULL
                                    : KM_CONTAINER(s->link.next, struct km_mcp_session, link);
}
