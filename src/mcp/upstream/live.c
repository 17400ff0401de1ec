/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - see live.h.
 *
 * An upstream that fails rests, longer each time (half a second, doubling to thirty), and a
 * request that comes meanwhile is refused with the reason of the last failure instead of waiting
 * for the next one.  The first answer ends that.
 *
 * Catalogues are in variants.c.
 */
#include "mcp/upstream/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"

/* The first failure opens it: a server is one process or one site, not one of many. */
static const struct km_breaker_settings rests = { .failures = 1,
                                                  .open_ms = 500,
                                                  .open_most_ms = 30000 };

const char *km_mcp_state_name(enum km_mcp_state state)
{
    static const char *const names[] = {
#define XX(NAME, name) [KM_MCP_##NAME] = #name,
        KM_MCP_STATES(XX)
#undef XX
    };

    return names[state];
}

/* Control bytes of a server's own words would forge lines where this is shown. */
static void take_why(char out[256], const char *why)
{
    size_t n = 0;

    for (; why && *why && n < 255; why++)
        out[n++] = (unsigned char)*why < 0x20 || *why == 0x7f ? ' ' : *why;
    out[n] = '\0';
}

struct km_mcp_live *km_mcp_live_new(void)
{
    struct km_mcp_live *live = calloc(1, sizeof *live);

    if (!live)
        return NULL;
    pthread_mutex_init(&live->lock, NULL);
    live->status.since_us = km_wall_us();
    take_why(live->status.why, "not started yet");
    /* The one for askers without anything of their own is always there. */
    live->variants[0].catalogue = km_mcp_live_empty();
    live->variants[0].stale = true;
    live->nvariants = 1;
    live->suspects = km_suspects_new();
    return live->variants[0].catalogue && live->suspects ? live : km_mcp_live_free(live);
}

struct km_mcp_live *km_mcp_live_free(struct km_mcp_live *live)
{
    if (!live)
        return NULL;
    for (size_t i = 0; i < live->nvariants; i++)
        km_mcp_catalogue_unref(live->variants[i].catalogue);
    km_suspects_free(live->suspects);
    pthread_mutex_destroy(&live->lock);
    free(live);
    return NULL;
}

void km_mcp_upstream_suspects(const struct km_mcp_upstream *u, struct km_buf *out)
{
    km_suspects_json(u->live->suspects, u->name, out);
}

static bool set_state(struct km_mcp_live *live, enum km_mcp_state state, const char *why)
{
    bool changed = live->status.state != state;

    if (changed)
        live->status.since_us = km_wall_us();
    live->status.state = state;
    take_why(live->status.why, why);
    return changed;
}

bool km_mcp_live_state(struct km_mcp_live *live, enum km_mcp_state state, const char *why)
{
    bool changed;

    pthread_mutex_lock(&live->lock);
    changed = set_state(live, state, why);
    pthread_mutex_unlock(&live->lock);
    return changed;
}

uint64_t km_mcp_live_failed(struct km_mcp_live *live, uint64_t now_ms, const char *why)
{
    pthread_mutex_lock(&live->lock);
    km_breaker_report(&live->breaker, &rests, false, now_ms);
    live->status.restarts++;
    now_ms += km_breaker_left_ms(&live->breaker, now_ms);
    set_state(live, live->held ? KM_MCP_STOPPED : KM_MCP_DOWN, why);
    pthread_mutex_unlock(&live->lock);
    return now_ms;
}

/* Every list of the base for everybody was had when it was asked for last. */
static bool lists_well(const struct km_mcp_live *live)
{
    const struct km_mcp_catalogue *c = live->variants[0].catalogue;

    return c->known && km_mcp_catalogue_failing(c) == KM_MCP_LISTS;
}

bool km_mcp_live_ok(struct km_mcp_live *live, bool served)
{
    bool news = false;

    pthread_mutex_lock(&live->lock);
    live->status.last_ok_us = km_wall_us();
    if (served || lists_well(live)) {
        km_breaker_reset(&live->breaker);
        news = live->status.state != KM_MCP_READY && !live->held;
        live->status.restarts = news ? 0 : live->status.restarts;
        if (news)
            set_state(live, KM_MCP_READY, "");
    }
    pthread_mutex_unlock(&live->lock);
    return news;
}

int km_mcp_live_may(struct km_mcp_live *live, const struct km_mcp_upstream *u, uint64_t now_ms,
                    struct km_err *err)
{
    uint64_t left;
    int r = 0;

    pthread_mutex_lock(&live->lock);
    left = km_breaker_left_ms(&live->breaker, now_ms);
    if (!u->entry->enabled)
        r = km_fail(err, KM_E_UPSTREAM_CONNECT, "MCP server '%.*s' is not enabled",
                    KM_STR_ARG(u->name));
    else if (live->held)
        r = km_fail(err, KM_E_UPSTREAM_CONNECT,
                    "MCP server '%.*s' was stopped; `kanmon mcp start %.*s` starts it",
                    KM_STR_ARG(u->name), KM_STR_ARG(u->name));
    else if (left)
        r = km_fail(err, KM_E_UPSTREAM_CONNECT,
                    "MCP server '%.*s' is down (%s); the next try is in %llu ms",
                    KM_STR_ARG(u->name), live->status.why, (unsigned long long)left);
    if (r < 0 && err)
        err->retry_after_ms = (int)left;
    pthread_mutex_unlock(&live->lock);
    return r;
}

const struct km_mcp_revision *km_mcp_live_revision(struct km_mcp_live *live)
{
    const struct km_mcp_revision *revision;

    pthread_mutex_lock(&live->lock);
    revision = live->revision;
    pthread_mutex_unlock(&live->lock);
    return revision;
}

bool km_mcp_live_sse(struct km_mcp_live *live)
{
    bool sse;

    pthread_mutex_lock(&live->lock);
    sse = live->sse;
    pthread_mutex_unlock(&live->lock);
    return sse;
}

void km_mcp_live_speaks(struct km_mcp_live *live, const struct km_mcp_revision *revision, bool sse)
{
    pthread_mutex_lock(&live->lock);
    live->revision = revision;
    live->sse = sse;
    live->guessed = false;
    if (revision)
        live->lacks[revision->era] = false;
    pthread_mutex_unlock(&live->lock);
}

void km_mcp_live_guess(struct km_mcp_live *live, const struct km_mcp_revision *revision)
{
    pthread_mutex_lock(&live->lock);
    if (!live->revision) {
        live->revision = revision;
        live->guessed = true;
    }
    pthread_mutex_unlock(&live->lock);
}

const struct km_mcp_revision *km_mcp_live_sure(struct km_mcp_live *live)
{
    const struct km_mcp_revision *revision;

    pthread_mutex_lock(&live->lock);
    revision = live->guessed ? NULL : live->revision;
    pthread_mutex_unlock(&live->lock);
    return revision;
}

void km_mcp_live_lack(struct km_mcp_live *live, enum km_mcp_era era)
{
    pthread_mutex_lock(&live->lock);
    live->lacks[era] = true;
    pthread_mutex_unlock(&live->lock);
}

bool km_mcp_live_lacks(struct km_mcp_live *live, enum km_mcp_era era)
{
    bool lacks;

    pthread_mutex_lock(&live->lock);
    lacks = live->lacks[era];
    pthread_mutex_unlock(&live->lock);
    return lacks;
}

/* Why nothing of it runs; or that something does: other callers' log-ins do not change that. */
static void say_stopped(const struct km_mcp_upstream *u, struct km_mcp_status *s)
{
    if (s->state != KM_MCP_STOPPED || u->live->held)
        return;
    if (!u->entry->enabled) {
        take_why(s->why, "not enabled");
    } else if (s->sessions) {
        s->state = s->last_ok_us ? KM_MCP_READY : KM_MCP_STARTING;
        s->why[0] = '\0';
    } else if (u->personal) {
        take_why(s->why, "it begins for each caller who asks, as that caller");
    }
}

void km_mcp_status(const struct km_mcp_upstream *u, struct km_mcp_status *ret)
{
    struct km_mcp_live *live = u->live;

    pthread_mutex_lock(&live->lock);
    *ret = live->status;
    for (size_t i = 0; i < live->nvariants; i++)
        ret->declared.differs |= live->variants[i].own && live->variants[i].differs;
    pthread_mutex_unlock(&live->lock);
    ret->declared.calls = live->declared_calls;
    ret->declared.questions = live->declared_questions;
    ret->sessions = live->sessions;
    ret->asks = live->asks;
    say_stopped(u, ret);
}
