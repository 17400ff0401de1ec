/* SPDX-License-Identifier: Apache-2.0 */
/* hub.c - see hub.h for the contract.
 *
 * One timer ticks for all: it sends the comments that keep streams alive and lets stale sessions
 * go.  The end is asked for by the worker when its servers have none left to serve; what may
 * still be under way then are requests passed from or to another worker.
 */
#include "gateway/mcp/hub.h"

#include <stdlib.h>

#include "gateway/mcp/call.h"
#include "gateway/mcp/counts.h"
#include "gateway/mcp/job.h"
#include "gateway/mcp/notify.h"
#include "gateway/mcp/notify_part.h"
#include "gateway/mcp/stream.h"
#include "gateway/mcp/turn.h"
#include "mcp/memory.h"
#include "mcp/safety/approval.h"

const struct km_mcp_session_bounds *km_mcp_bounds(const struct km_mcp_hub *hub)
{
    return hub->w->view ? km_config_get(hub->w->view->snap->config, &km_mcp_session_table) : NULL;
}

static void on_tick(void *ctx)
{
    struct km_mcp_hub *hub = ctx;
    const struct km_mcp_session_bounds *bounds = km_mcp_bounds(hub);
    uint64_t now = km_loop_now_ms(hub->w->loop);
    struct km_mcp_session *s;

    KM_LIST_EACH(it, &hub->open)
    km_mcp_stream_ping(KM_CONTAINER(it, struct km_mcp_stream, open));
    if (bounds)
        km_mcp_sessions_bound(hub->sessions, bounds);
    while ((s = km_mcp_session_stale(hub->sessions, now)))
        km_mcp_hub_drop_session(hub, s);
    km_mcp_notify_tick(hub);
    km_timer_start(&hub->tick, KM_MCP_KEEPALIVE_MS);
}

void km_mcp_hub_drop_session(struct km_mcp_hub *hub, struct km_mcp_session *s)
{
    while (!km_list_empty(&s->streams))
        km_mcp_stream_end(KM_CONTAINER(s->streams.next, struct km_mcp_stream, link));
    km_mcp_call_forget_questions(s);
    km_mcp_notify_forget(s);
    km_mcp_session_drop(hub->sessions, s);
}

/* --- moments --- */

static void shared_free(void *state)
{
    struct km_mcp_shared *s = state;

    km_approvals_free(s->approvals);
    km_mcp_memory_free(s->memory);
    km_mcp_park_shares_free(s->park_shares);
    free(s);
}

static int shared_init(struct km_gateway *gw, void **ret_state, struct km_err *err)
{
    struct km_mcp_shared *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s->approvals = km_approvals_new(KM_APPROVALS_MOST);
    s->memory = km_mcp_memory_new();
    s->park_shares = km_mcp_park_shares_new(gw->nworkers);
    r = s->approvals && s->memory && s->park_shares ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_random(&s->replica, sizeof s->replica, err);
    if (r == 0)
        r = km_random(s->key, sizeof s->key, err);
    if (r < 0)
        shared_free(s);
    else
        *ret_state = s;
    return r;
}

static void hub_end(struct km_worker *w, void *state)
{
    struct km_mcp_hub *hub = state;
    struct km_mcp_session *s;

    (void)w;
    hub->closing = hub->ended = true;
    while ((s = km_mcp_session_first(hub->sessions)))
        km_mcp_hub_drop_session(hub, s);
    while (!km_list_empty(&hub->loose))
        km_mcp_stream_end(KM_CONTAINER(hub->loose.next, struct km_mcp_stream, link));
}

static bool hub_quiet(struct km_worker *w, void *state)
{
    const struct km_mcp_hub *hub = state;

    (void)w;
    return hub->reached == 0 && hub->doors == 0;
}

static void hub_free(void *state)
{
    struct km_mcp_hub *hub = state;

    if (hub->sessions)
        hub_end(hub->w, hub);
    km_mcp_unwatch(&hub->watch);
    km_timer_stop(&hub->tick);
    km_timer_stop(&hub->changed);
    km_mcp_sessions_free(hub->sessions, NULL, NULL);
    if (hub->views)
        km_mcp_views_drop(hub);
    km_map_free(hub->views, NULL);
    km_mcp_counts_free(hub->counts);
    free(hub);
}

static int hub_init(struct km_worker *w, void **ret_state, struct km_err *err)
{
    struct km_mcp_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    hub->w = w;
    hub->shared = km_mcp_shared_of(w->gw);
    km_list_init(&hub->loose);
    km_list_init(&hub->open);
    km_list_init(&hub->listens);
    km_mcp_parks_init(&hub->parks, hub->shared->park_shares);
    km_list_init(&hub->watch.link);
    hub->sessions = km_mcp_sessions_new(hub->shared->replica, w->index, KM_MCP_SESSIONS_MOST);
    hub->views = km_map_new(KM_MCP_VIEWS_MOST);
    hub->counts = km_mcp_counts_new(w->gw->metrics, w->index);
    hub->drop_session = km_mcp_hub_drop_session;
    km_timer_init(&hub->tick, w->loop, on_tick, hub);
    km_mcp_notify_init(hub);
    if (!hub->sessions || !hub->views || !hub->counts) {
        hub_free(hub);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    km_mcp_notify_watch(hub);
    km_timer_start(&hub->tick, KM_MCP_KEEPALIVE_MS);
    *ret_state = hub;
    return 0;
}

/* All zero: not by a key's right. */
static bool is_revoked(struct km_worker *w, const uint8_t hash[32])
{
    static const uint8_t none[32];
    struct km_err err;

    return memcmp(hash, none, sizeof none) != 0 && km_revoke_check(w, hash, &err) < 0;
}

static void hub_revoke(struct km_worker *w, void *state)
{
    struct km_mcp_hub *hub = state;
    struct km_mcp_session *next;

    for (struct km_mcp_session *s = km_mcp_session_first(hub->sessions); s; s = next) {
        next = km_mcp_session_next(hub->sessions, s);
        if (is_revoked(w, s->key))
            km_mcp_hub_drop_session(hub, s);
    }
    KM_LIST_EACH(node, &hub->listens)
    {
        struct km_mcp_listen *l = KM_CONTAINER(node, struct km_mcp_listen, link);

        if (is_revoked(w, l->key))
            km_mcp_stream_end(l->job.stream);
    }
}

/* Long-lived streams end, so that their clients come back to the process that follows. */
static void hub_drain(struct km_worker *w, void *state)
{
    struct km_mcp_hub *hub = state;
    struct km_mcp_session *next;

    (void)w;
    for (struct km_mcp_session *s = km_mcp_session_first(hub->sessions); s; s = next) {
        next = km_mcp_session_next(hub->sessions, s);
        if (s->legacy)
            km_mcp_hub_drop_session(hub, s);
        else if (s->get)
            km_mcp_stream_end(s->get);
    }
    km_mcp_listens_end(hub);
    km_mcp_parks_end(hub, "the gateway ends; send the call again");
}

static const char place KM_MODULE_PLACE;

const struct km_module km_mcp_hub_module = {
    .name = "MCP clients",
    .place = &place,
    .gateway_init = shared_init,
    .gateway_free = shared_free,
    .worker_init = hub_init,
    .worker_revoke = hub_revoke,
    .worker_drain = hub_drain,
    .worker_end = hub_end,
    .worker_quiet = hub_quiet,
    .worker_free = hub_free,
};
