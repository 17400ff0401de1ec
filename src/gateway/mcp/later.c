/* SPDX-License-Identifier: Apache-2.0 */
/* later.c - a request that depends on servers nobody has heard yet waits for them.
 *
 *     request ──> view: some of its servers are cold ──> wait (mcp_sessions.first_list, at most)
 *                                                         └──> the same request once more
 *
 * After a start without a stored catalogue a server's lists are not known.  A list would come out
 * short and a name be unknown, so the request is taken up again when all have been heard, are
 * down, or the time is over; then it is answered with what there is.  The arrival is kept for
 * that, off its exchange.
 *
 * Lists are those of sessions without client capabilities.  A name that is not among them may be
 * one a server shows only to clients that can be asked something: a call of it begins the session
 * that declares what this client does, once, and waits for what that lists.
 */
#include "gateway/mcp/access.h"
#include "gateway/mcp/job.h"
#include "gateway/mcp/turn.h"
#include "mcp/view/names.h"

#define FIRST_LIST_MS 10000 /* mcp_sessions.first_list without settings */

struct later {
    struct km_mcp_job job;
    struct km_mcp_wait *wait;
    struct km_mcp_turn turn;
};

static void later_free(struct later *l)
{
    struct km_arena arena = l->turn.in->arena;

    km_arena_done(&arena); /* it is in there too */
}

static void on_waited(void *ctx)
{
    struct later *l = ctx;

    l->wait = NULL;
    l->turn.stream = km_mcp_job_take(&l->job);
    l->turn.session = l->turn.stream->session;
    km_mcp_dispatch(&l->turn);
    later_free(l);
}

static void on_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    struct later *l = KM_CONTAINER(job, struct later, job);

    (void)reason;
    km_mcp_wait_cancel(l->wait);
    later_free(l);
}

static uint64_t patience(const struct km_mcp_hub *hub)
{
    const struct km_mcp_session_bounds *bounds = km_mcp_bounds(hub);

    return bounds ? (uint64_t)bounds->first_list_ms : FIRST_LIST_MS;
}

/* The servers of the view that were never heard. */
static size_t unheard(const struct km_mcp_view *view,
                      struct km_mcp_upstream *v[KM_MCP_VIEW_MEMBERS])
{
    const struct km_mcp_member *m;
    size_t n = km_mcp_view_members(view, &m), k = 0;

    for (size_t i = 0; i < n && k < KM_MCP_VIEW_MEMBERS; i++)
        if (m[i].upstream && !m[i].catalogue->known)
            v[k++] = m[i].upstream;
    return k;
}

struct km_mcp_wait *km_mcp_cold_wait(const struct km_mcp_hub *hub, const struct km_mcp_view *view,
                                     const struct km_mcp_asker *asker, void (*fn)(void *ctx),
                                     void *ctx)
{
    struct km_mcp_upstream *v[KM_MCP_VIEW_MEMBERS];
    size_t n = unheard(view, v);

    if (!n)
        return NULL;
    return km_mcp_catalogue_wait(hub->w->desk, v, n, asker, patience(hub), fn, ctx);
}

/* The turn, kept off its exchange; NULL: it cannot be. */
static struct later *later_new(struct km_mcp_turn *t)
{
    struct later *l = km_arena_zalloc(t->arena, sizeof *l);

    t->text = km_arena_str(t->arena, t->text); /* body and head go with the exchange */
    t->msg.id = km_arena_str(t->arena, t->msg.id);
    t->msg.method = km_arena_str(t->arena, t->msg.method);
    t->msg.params_text = km_arena_str(t->arena, t->msg.params_text);
    t->capabilities = km_arena_str(t->arena, t->capabilities);
    t->client = km_arena_str(t->arena, t->client);
    if (!l || km_mcp_arrival_keep(t->in) < 0 || km_arena_overflowed(t->arena))
        return NULL;
    l->turn = *t;
    l->job.cancel = on_cancelled;
    return l;
}

static bool begin(struct later *l, struct km_mcp_turn *t)
{
    if (!l->wait)
        return false;
    t->in->kept = true;
    km_mcp_job_begin(&l->job, t->stream, l->turn.msg.id);
    return true;
}

static struct km_mcp_asker asker_of(struct km_mcp_turn *t)
{
    struct km_mcp_asker asker = km_mcp_arrival_asker(t->in, t->capabilities);

    asker.rights = km_mcp_rights_text(km_mcp_rights_of(t->in->visit, t->arena));
    return asker;
}

bool km_mcp_later(struct km_mcp_turn *t, const struct km_mcp_view *view)
{
    struct km_mcp_upstream *v[KM_MCP_VIEW_MEMBERS];
    struct km_mcp_asker asker = asker_of(t);
    struct later *l;

    if (t->waited || !t->stream || t->stream->batch || !unheard(view, v))
        return false;
    l = later_new(t);
    if (!l)
        return false;
    l->turn.waited = true;
    l->wait = km_mcp_cold_wait(t->hub, view, &asker, on_waited, l);
    return begin(l, t);
}

/* Whose it would be; NULL: nobody's, or that server has told this client what it lists. */
static struct km_mcp_upstream *could_be_of(struct km_arena *arena, const struct km_mcp_view *view,
                                           struct km_str name, const struct km_mcp_asker *asker)
{
    const struct km_mcp_member *m;
    size_t n = km_mcp_view_members(view, &m);

    for (size_t i = 0; i < n; i++)
        if (m[i].upstream &&
            (n == 1 || km_str_starts(name, km_mcp_name_prefix(arena, m[i].alias))) &&
            km_mcp_own_unheard(m[i].upstream, asker))
            return m[i].upstream;
    return NULL;
}

bool km_mcp_later_own(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str name)
{
    struct km_mcp_asker asker = asker_of(t);
    struct km_mcp_upstream *u = could_be_of(t->arena, view, name, &asker);
    struct later *l;

    if (!u || t->waited_own || !t->stream || t->stream->batch)
        return false;
    l = later_new(t);
    if (!l)
        return false;
    l->turn.waited_own = true;
    l->wait = km_mcp_own_wait(t->hub->w->desk, u, &asker, patience(t->hub), on_waited, l);
    return begin(l, t);
}
