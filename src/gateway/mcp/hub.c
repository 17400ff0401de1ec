/* SPDX-License-Identifier: Apache-2.0 */
/* hub.c - see hub.h for the contract.
 *
 * One timer ticks for all: it sends the comments that keep streams alive and lets stale sessions
 * go.  The end is asked for by the worker when its servers have none left to serve; what may
 * still be under way then is a call whose client went (its books are being written) and requests
 * passed from or to another worker.
 */
#include "gateway/mcp/hub.h"

#include <stdlib.h>

#include "gateway/mcp/call.h"
#include "gateway/mcp/counts.h"
#include "gateway/mcp/job.h"
#include "gateway/mcp/notify.h"
#include "gateway/mcp/turn.h"

#define POLL_MS 10

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

/* --- the end --- */

static bool quiet(const struct km_mcp_hub *hub)
{
    return hub->reached == 0 && hub->doors == 0 && hub->w->ncalls == 0;
}

static void on_poll(void *ctx)
{
    struct km_mcp_hub *hub = ctx;

    if (quiet(hub))
        hub->on_quiet(hub->w);
    else
        km_timer_start(&hub->poll, POLL_MS);
}

struct km_mcp_hub *km_mcp_hub_new(struct km_worker *w, struct km_err *err)
{
    struct km_mcp_hub *hub = calloc(1, sizeof *hub);

    if (!hub) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    hub->w = w;
    km_list_init(&hub->loose);
    km_list_init(&hub->open);
    km_list_init(&hub->listens);
    km_mcp_parks_init(&hub->parks, w->gw->mcp_park_shares);
    km_list_init(&hub->watch.link);
    hub->sessions = km_mcp_sessions_new(w->gw->mcp_replica, w->index, KM_MCP_SESSIONS_MOST);
    hub->views = km_map_new(KM_MCP_VIEWS_MOST);
    hub->counts = km_mcp_counts_new(w->gw->metrics, w->index);
    km_timer_init(&hub->tick, w->loop, on_tick, hub);
    km_timer_init(&hub->poll, w->loop, on_poll, hub);
    km_mcp_notify_init(hub);
    if (!hub->sessions || !hub->views || !hub->counts) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return km_mcp_hub_free(hub);
    }
    km_mcp_notify_watch(hub);
    km_timer_start(&hub->tick, KM_MCP_KEEPALIVE_MS);
    return hub;
}

void km_mcp_hub_drop_session(struct km_mcp_hub *hub, struct km_mcp_session *s)
{
    while (!km_list_empty(&s->streams))
        km_mcp_stream_end(KM_CONTAINER(s->streams.next, struct km_mcp_stream, link));
    km_mcp_call_forget_questions(s);
    km_mcp_notify_forget(s);
    km_mcp_session_drop(hub->sessions, s);
}

static void end_all(struct km_mcp_hub *hub)
{
    struct km_mcp_session *s;

    hub->ended = true;
    while ((s = km_mcp_session_first(hub->sessions)))
        km_mcp_hub_drop_session(hub, s);
    while (!km_list_empty(&hub->loose))
        km_mcp_stream_end(KM_CONTAINER(hub->loose.next, struct km_mcp_stream, link));
}

struct km_mcp_hub *km_mcp_hub_free(struct km_mcp_hub *hub)
{
    if (!hub)
        return NULL;
    if (hub->sessions)
        end_all(hub);
    km_mcp_unwatch(&hub->watch);
    km_timer_stop(&hub->tick);
    km_timer_stop(&hub->poll);
    km_timer_stop(&hub->changed);
    km_mcp_sessions_free(hub->sessions, NULL, NULL);
    if (hub->views)
        km_mcp_views_drop(hub);
    km_map_free(hub->views, NULL);
    km_mcp_counts_free(hub->counts);
    free(hub);
    return NULL;
}

void km_mcp_hub_drain(struct km_mcp_hub *hub)
{
    struct km_mcp_session *next;

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

void km_mcp_hub_close(struct km_mcp_hub *hub, void (*on_quiet)(struct km_worker *w))
{
    hub->on_quiet = on_quiet;
    hub->closing = true;
    end_all(hub);
    on_poll(hub);
}
