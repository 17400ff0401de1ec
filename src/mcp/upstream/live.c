/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - see live.h.
 *
 * An upstream that fails rests, longer each time (half a second, doubling to thirty), and a
 * request that comes meanwhile is refused with the reason of the last failure instead of waiting
 * for the next one.  The first answer ends that.
 *
 * A catalogue is found out by one desk at a time.  If the server says meanwhile that a list has
 * changed, the same desk asks again: the answer it just got may be older than that.
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

static struct km_mcp_catalogue *catalogue_empty(void)
{
    struct km_mcp_catalogue *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->refs = 1;
    km_arena_init(&c->arena, 4096, NULL);
    return c;
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
    live->variants[0].catalogue = catalogue_empty();
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

bool km_mcp_live_ok(struct km_mcp_live *live)
{
    bool news;

    pthread_mutex_lock(&live->lock);
    km_breaker_reset(&live->breaker);
    live->status.last_ok_us = km_wall_us();
    news = live->status.state != KM_MCP_READY && !live->held;
    live->status.restarts = news ? 0 : live->status.restarts;
    if (news)
        set_state(live, KM_MCP_READY, "");
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

void km_mcp_status(const struct km_mcp_upstream *u, struct km_mcp_status *ret)
{
    struct km_mcp_live *live = u->live;

    pthread_mutex_lock(&live->lock);
    *ret = live->status;
    pthread_mutex_unlock(&live->lock);
    ret->sessions = live->sessions;
    ret->asks = live->asks;
}

/* --- catalogues --- */

static struct km_mcp_variant *find(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY])
{
    for (size_t i = 0; i < live->nvariants; i++)
        if (memcmp(live->variants[i].key, key, KM_MCP_KEY) == 0)
            return &live->variants[i];
    return NULL;
}

/* A new one, in place of the one not used for longest where there is no room; never of the first
 * (of askers without anything of their own), nor of one that is being found out. */
static struct km_mcp_variant *make(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY])
{
    struct km_mcp_variant *v = NULL;
    struct km_mcp_catalogue *c = catalogue_empty();

    if (!c)
        return NULL;
    if (live->nvariants < KM_MCP_VARIANTS)
        v = &live->variants[live->nvariants++];
    for (size_t i = 1; !v && i < live->nvariants; i++)
        if (!live->variants[i].refreshing)
            v = &live->variants[i];
    for (size_t i = 1; v && v->catalogue && i < live->nvariants; i++)
        if (!live->variants[i].refreshing && live->variants[i].used_ms < v->used_ms)
            v = &live->variants[i];
    if (!v) {
        km_mcp_catalogue_unref(c);
        return NULL;
    }
    km_mcp_catalogue_unref(v->catalogue);
    *v = (struct km_mcp_variant){ .catalogue = c, .stale = true };
    memcpy(v->key, key, KM_MCP_KEY);
    return v;
}

struct km_mcp_catalogue *km_mcp_live_catalogue(struct km_mcp_live *live,
                                               const uint8_t key[KM_MCP_KEY], bool *ret_begin)
{
    struct km_mcp_catalogue *c;
    struct km_mcp_variant *v;

    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    if (!v)
        v = make(live, key);
    if (v)
        v->used_ms = km_mono_ms();
    if (ret_begin) {
        *ret_begin = v && v->stale && !v->refreshing;
        if (*ret_begin) {
            v->stale = false;
            v->refreshing = true;
        }
    }
    c = km_mcp_catalogue_ref((v ? v : &live->variants[0])->catalogue);
    pthread_mutex_unlock(&live->lock);
    return c;
}

bool km_mcp_live_refreshed(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY],
                           struct km_mcp_catalogue *c, unsigned *ret_changed)
{
    struct km_mcp_catalogue *old = c;
    struct km_mcp_variant *v;
    bool over = true;

    *ret_changed = 0;
    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    if (v && c) {
        old = v->catalogue;
        v->catalogue = c;
        for (int i = 0; i < KM_MCP_LISTS; i++)
            if ((old->known || c->lists[i].n) && /* of nothing known to nothing is no change */
                memcmp(old->hash[i], c->hash[i], sizeof old->hash[i]) != 0)
                *ret_changed |= 1u << i;
    }
    if (v) {
        over = !c || !v->stale; /* after a failure the next asker tries */
        v->refreshing = !over;
        v->stale = !c;
    }
    pthread_mutex_unlock(&live->lock);
    km_mcp_catalogue_unref(old);
    return over;
}

void km_mcp_live_load(struct km_mcp_live *live, struct km_mcp_catalogue *c)
{
    struct km_mcp_catalogue *old = c;

    pthread_mutex_lock(&live->lock);
    if (!live->variants[0].catalogue->known) {
        old = live->variants[0].catalogue;
        live->variants[0].catalogue = c;
        live->revision = c->revision;
    }
    pthread_mutex_unlock(&live->lock);
    km_mcp_catalogue_unref(old);
}

bool km_mcp_live_stale(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY])
{
    struct km_mcp_variant *v;
    bool begin = false;

    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    if (v) {
        begin = !v->refreshing;
        v->stale = !begin;
        v->refreshing = true;
    }
    pthread_mutex_unlock(&live->lock);
    return begin;
}

void km_mcp_live_all_stale(struct km_mcp_live *live)
{
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->nvariants; i++)
        live->variants[i].stale = true;
    pthread_mutex_unlock(&live->lock);
}

bool km_mcp_live_pending(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY])
{
    const struct km_mcp_variant *v;
    bool pending;

    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    pending = v && v->refreshing;
    pthread_mutex_unlock(&live->lock);
    return pending;
}

bool km_mcp_live_overdue(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY], uint64_t ms)
{
    const uint64_t now = km_mono_ms();
    struct km_mcp_variant *v;
    bool overdue = false;

    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    if (v && !v->waited_ms)
        v->waited_ms = now;
    overdue = v && now - v->waited_ms >= ms;
    pthread_mutex_unlock(&live->lock);
    return overdue;
}
