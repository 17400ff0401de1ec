/* SPDX-License-Identifier: Apache-2.0 */
/* hold.c - jobs that wait before they are sent (remote.h).  Stdio servers only.
 *
 *     a process is at work on a call
 *        new job ── ping ── it answers ──> sent there
 *                     └── silent for `silence_timeout` ──> another process; this one is stuck
 *     a process crashed, its server rests
 *        new job ── the rest is over, within `restart_timeout` and its own time ──> tried again
 *
 * A server of one thread that hangs in a call reads nothing else, and what was written to it cannot
 * be taken back: it may be executed yet.  So a job is sent to a process at work only after that has
 * shown that it still reads; one ping serves all that wait by then.  A process that is busy and
 * answers is not left for that: only a call of somebody else that is silent too long makes us avoid
 * it.  Where no other process may be started, and for `stateful` servers, everything is sent at
 * once as ever.
 */
#include "mcp/asker.h"
#include "mcp/desk.h"

struct km_rest {
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream; /* referenced */
    struct km_mcp_asker asker;
    uint8_t key[KM_MCP_KEY];
    uint64_t until_ms;
};

static uint64_t now_of(const struct km_remote *p)
{
    return km_loop_now_ms(p->desk->loop);
}

/* May its jobs go to another process? */
static bool has_others(const struct km_remote *p)
{
    const struct km_mcp_entry *e = p->upstream->entry;

    return p->upstream->transport == KM_MCP_STDIO && !e->stateful && e->silence_ms && e->most > 1;
}

/* --- a process that is silent --- */

void km_hold_sent(struct km_remote *p, struct km_job *j)
{
    if (km_remote_callers(p) <= (j->own ? 0U : 1U)) /* no call was awaited before */
        p->answered_ms = now_of(p);
}

void km_hold_answered(struct km_remote *p)
{
    p->answered_ms = now_of(p);
    p->stuck = false;
    if (!p->sign_id)
        return;
    p->sign_id = 0;
    km_timer_stop(&p->quiet);
    p->hasty = true; /* this was the sign: all that waited for it go, and ask for no other */
    km_remote_run(p);
    p->hasty = false;
}

bool km_hold_avoid(const struct km_remote *p, const struct km_mcp_asker *asker)
{
    const uint64_t now = now_of(p);

    if (!has_others(p))
        return false;
    KM_LIST_EACH(it, &p->order)
    {
        const struct km_job *j = KM_CONTAINER(it, struct km_job, order);

        if (!j->own && j->id && km_list_empty(&j->questions) &&
            !km_job_same(j, asker->principal, asker->session) &&
            now - j->heard_ms >= (uint64_t)p->upstream->entry->silence_ms)
            return true;
    }
    return p->stuck;
}

/* To another process; false: there is none. */
static bool move(struct km_job *j)
{
    struct km_remote *p = j->remote, *next = NULL;
    struct km_mcp_asker asker = p->asker;
    struct km_err err = { 0 };

    asker.principal = j->principal;
    asker.session = j->session;
    if (j->own || j->settles || !km_list_empty(&j->questions) ||
        km_desk_remote(p->desk, p->upstream, &asker, p->key, &next, &err) < 0 || next == p)
        return false;
    km_job_unhook(j);
    km_job_hook(next, j);
    return true;
}

static void on_quiet(void *ctx)
{
    struct km_remote *p = ctx;

    p->sign_id = 0;
    p->stuck = true;
    KM_LIST_EACH(it, &p->waiting)
    if (!move(KM_CONTAINER(it, struct km_job, link)))
        p->hasty = true; /* it waits where it would have waited anyway */
    if (p->hasty)
        km_remote_run(p);
    p->hasty = false;
}

void km_hold_init(struct km_remote *p)
{
    km_timer_init(&p->quiet, p->desk->loop, on_quiet, p);
}

void km_hold_end(struct km_remote *p)
{
    km_timer_stop(&p->quiet);
    p->stuck = false;
    if (p->sign_id && p->state == KM_REMOTE_READY) { /* what waits belongs here */
        p->hasty = true;
        km_remote_run(p);
        p->hasty = false;
    }
    p->sign_id = 0;
}

static void ask_for_sign(struct km_remote *p, uint64_t since)
{
    const bool stateless = p->revision->era == KM_MCP_STATELESS;
    const struct km_str method = stateless ? KM_STR("server/discover") : KM_STR("ping");
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);
    struct km_str token;

    p->sign_id = ++p->next_id;
    km_remote_message(p, p->sign_id, method, KM_STR_NONE, KM_STR_NONE, &text, &token);
    km_remote_transmit(p, p->sign_id, method, &text, KM_STR_NONE, NULL);
    km_timer_start(&p->quiet, since + (uint64_t)p->upstream->entry->silence_ms - now_of(p));
}

bool km_hold_waits(struct km_remote *p, const struct km_job *j)
{
    const bool works = km_remote_callers(p) > 0;
    const uint64_t now = now_of(p), since = works ? p->answered_ms : now;

    if (j->own || p->hasty || p->stuck || !has_others(p))
        return false;
    if (p->sign_id)
        return true;
    /* A call that was given up may go on there; most do not, and nobody answers for them. */
    if ((!works && p->nstrays == 0) || now - since >= (uint64_t)p->upstream->entry->silence_ms ||
        !km_desk_room(p->desk, p->upstream))
        return false;
    ask_for_sign(p, since);
    return true;
}

/* --- a server that rests after a crash --- */

static void drop_upstream(void *u)
{
    km_mcp_upstream_unref(u);
}

/* It worked before, and will be tried again by itself. */
static bool crashed(const struct km_mcp_upstream *u)
{
    struct km_mcp_status now;

    if (u->transport != KM_MCP_STDIO || !u->entry->enabled || u->live->held || u->live->gone)
        return false;
    km_mcp_status(u, &now);
    return now.last_ok_us > 0;
}

static struct km_rest *rest_new(struct km_mcp_desk *d, struct km_job *j, struct km_mcp_upstream *u,
                                const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY])
{
    struct km_rest *rest = km_arena_zalloc(&j->arena, sizeof *rest);
    uint64_t most = (uint64_t)u->entry->restart_ms;

    if (!rest || km_arena_defer(&j->arena, drop_upstream, u) < 0)
        return NULL;
    rest->upstream = km_mcp_upstream_ref(u);
    if (km_asker_copy(asker, &j->arena, &rest->asker) < 0)
        return NULL;
    rest->desk = d;
    memcpy(rest->key, key, KM_MCP_KEY);
    if (j->timeout_ms && j->timeout_ms < most)
        most = j->timeout_ms;
    rest->until_ms = km_loop_now_ms(d->loop) + most;
    return rest;
}

bool km_hold_rest(struct km_mcp_desk *d, struct km_job *j, struct km_mcp_upstream *u,
                  const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY],
                  const struct km_err *err)
{
    const uint64_t after = err->retry_after_ms > 0 ? (uint64_t)err->retry_after_ms + 1 : 0;

    if (j->own || !after || err->code != KM_E_UPSTREAM_CONNECT || !u->entry->restart_ms ||
        d->ending || !crashed(u))
        return false;
    if (!j->rest)
        j->rest = rest_new(d, j, u, asker, key);
    if (!j->rest || km_loop_now_ms(d->loop) + after > j->rest->until_ms)
        return false;
    km_list_push(&d->resting, &j->link);
    km_timer_start(&j->timer, after);
    return true;
}

bool km_hold_outlives(struct km_remote *p, struct km_job *j, const struct km_err *why)
{
    struct km_mcp_upstream *u = p->upstream;
    struct km_mcp_asker asker = p->asker;
    struct km_err err = { 0 };

    if (why->code != KM_E_UPSTREAM_CONNECT || j->own || j->settles ||
        !km_list_empty(&j->questions) || p->desk->ending ||
        km_mcp_live_may(u->live, u, now_of(p), &err) == 0)
        return false;
    asker.principal = j->principal;
    asker.session = j->session;
    if (!km_hold_rest(p->desk, j, u, &asker, p->key, &err))
        return false;
    km_list_remove(&j->link);
    km_job_unhook(j);
    km_list_push(&p->desk->resting, &j->link);
    return true;
}

bool km_hold_rested(struct km_job *j)
{
    struct km_rest *rest = j->rest;
    struct km_remote *p = NULL;
    struct km_err err = { 0 };

    if (!rest || j->remote)
        return false;
    km_list_remove(&j->link);
    j->unasked = km_desk_remote(rest->desk, rest->upstream, &rest->asker, rest->key, &p, &err) < 0;
    if (!j->unasked)
        km_job_hook(p, j);
    else if (!km_hold_rest(rest->desk, j, rest->upstream, &rest->asker, rest->key, &err))
        km_job_fail(j, &err, false);
    return true;
}

void km_hold_end_all(struct km_mcp_desk *d)
{
    struct km_list *node;
    struct km_err err;

    km_fail(&err, KM_E_CANCELED, "the gateway is ending");
    while ((node = km_list_pop(&d->resting)) != NULL)
        km_job_fail(KM_CONTAINER(node, struct km_job, link), &err, false);
}
