/* SPDX-License-Identifier: Apache-2.0 */
/* variants.c - the catalogues of an upstream, by who asks (live.h).
 *
 *     base   no client capabilities ──┬── what its askers are shown
 *     own    of sessions that declare ┘   unless their own variant lists something else
 *
 * A catalogue is found out by one desk at a time.  If the server says meanwhile that a list has
 * changed, the same desk asks again: the answer it just got may be older than that.  A list that
 * could not be had is asked for again after a second, then two, up to a minute.
 *
 * When a base changes, what was found to differ from it says nothing any more: clients are shown
 * the base until a session of theirs has been asked again.
 */
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "mcp/catalogue/listing.h"
#include "mcp/upstream/live.h"

#define RETRY_MS 1000 /* until a list is asked for again that could not be had; it doubles ... */
#define RETRY_MOST 6 /* ... that often */

struct km_mcp_catalogue *km_mcp_live_empty(void)
{
    struct km_mcp_catalogue *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->refs = 1;
    km_arena_init(&c->arena, 4096, NULL);
    return c;
}

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
    struct km_mcp_catalogue *c = km_mcp_live_empty();

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

static bool is_due(const struct km_mcp_variant *v, uint64_t now)
{
    return !v->refreshing && (v->stale || (v->retry_ms && now >= v->retry_ms));
}

struct km_mcp_catalogue *km_mcp_live_shown(struct km_mcp_live *live, const uint8_t own[KM_MCP_KEY],
                                           const uint8_t base[KM_MCP_KEY], bool *ret_begin)
{
    const uint64_t now = km_mono_ms();
    struct km_mcp_variant *v, *mine;
    struct km_mcp_catalogue *c;

    pthread_mutex_lock(&live->lock);
    v = find(live, base);
    if (!v)
        v = make(live, base);
    mine = find(live, own);
    if (v)
        v->used_ms = now;
    if (mine)
        mine->used_ms = now;
    if (ret_begin) {
        *ret_begin = v && is_due(v, now);
        if (*ret_begin) {
            v->stale = false;
            v->refreshing = true;
        }
    }
    if (mine && mine->own && mine->differs)
        v = mine;
    c = km_mcp_catalogue_ref((v ? v : &live->variants[0])->catalogue);
    pthread_mutex_unlock(&live->lock);
    return c;
}

struct km_mcp_catalogue *km_mcp_live_catalogue(struct km_mcp_live *live,
                                               const uint8_t key[KM_MCP_KEY], bool *ret_begin)
{
    return km_mcp_live_shown(live, key, key, ret_begin);
}

bool km_mcp_live_begin(struct km_mcp_live *live, const uint8_t own[KM_MCP_KEY],
                       const uint8_t base[KM_MCP_KEY], bool again)
{
    struct km_mcp_variant *v;
    bool begin = false;

    pthread_mutex_lock(&live->lock);
    v = find(live, own);
    if (!v)
        v = make(live, own);
    if (v && memcmp(own, base, KM_MCP_KEY) != 0) {
        v->own = true;
        memcpy(v->base, base, KM_MCP_KEY);
    }
    if (v) {
        begin = !v->refreshing;
        v->stale = !begin && (again || v->stale);
        v->refreshing = true;
    }
    pthread_mutex_unlock(&live->lock);
    return begin;
}

bool km_mcp_live_heard_own(struct km_mcp_live *live, const uint8_t own[KM_MCP_KEY])
{
    const struct km_mcp_variant *v;
    bool heard;

    pthread_mutex_lock(&live->lock);
    v = find(live, own);
    heard = v && v->catalogue->known;
    pthread_mutex_unlock(&live->lock);
    return heard;
}

/* A bit for each list that is another one for clients. */
static unsigned differences(const struct km_mcp_catalogue *a, const struct km_mcp_catalogue *b)
{
    unsigned bits = 0;

    for (int i = 0; a != b && i < KM_MCP_LISTS; i++)
        if (km_listing_differs(&a->lists[i], &b->lists[i]))
            bits |= 1u << i;
    return bits;
}

/* What clients see who have this variant. */
static struct km_mcp_catalogue *seen(struct km_mcp_live *live, const struct km_mcp_variant *v)
{
    const struct km_mcp_variant *base = v->own && !v->differs ? find(live, v->base) : NULL;

    return (base ? base : v)->catalogue;
}

/* A variant that was made beside the base as it was before says nothing about the present one: its
 * sessions are asked again, where there are any. */
static void forget_differences(struct km_mcp_live *live, const uint8_t base[KM_MCP_KEY])
{
    for (size_t i = 0; i < live->nvariants; i++)
        if (live->variants[i].own && memcmp(live->variants[i].base, base, KM_MCP_KEY) == 0)
            live->variants[i].differs = false;
}

unsigned km_mcp_live_forget_own(struct km_mcp_live *live)
{
    unsigned changed = 0;

    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->nvariants; i++) {
        struct km_mcp_variant *v = &live->variants[i];
        struct km_mcp_catalogue *before = v->catalogue;

        if (!v->own || !v->differs)
            continue;
        v->differs = false;
        changed |= differences(before, seen(live, v));
    }
    pthread_mutex_unlock(&live->lock);
    return changed;
}

static void plan_retry(struct km_mcp_variant *v)
{
    const unsigned doubled = v->failures < RETRY_MOST ? v->failures : RETRY_MOST;
    const bool failing = km_mcp_catalogue_failing(v->catalogue) != KM_MCP_LISTS;

    v->failures = failing ? v->failures + 1 : 0;
    v->retry_ms = failing && !v->own ? km_mono_ms() + ((uint64_t)RETRY_MS << doubled) : 0;
}

bool km_mcp_live_refreshed(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY],
                           struct km_mcp_catalogue *c, unsigned *ret_changed)
{
    struct km_mcp_catalogue *old = c, *before, *same = NULL;
    struct km_mcp_variant *v;
    bool over = true;

    *ret_changed = 0;
    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    if (v && c) {
        before = seen(live, v);
        old = v->catalogue;
        v->catalogue = c;
        v->differs = false;
        v->differs = v->own && differences(seen(live, v), c) != 0;
        *ret_changed = differences(before, seen(live, v));
        if (seen(live, v) != c) { /* it is as its base: kept once */
            v->catalogue = km_mcp_catalogue_ref(seen(live, v));
            same = c;
        }
        if (!v->own && *ret_changed)
            forget_differences(live, key);
        plan_retry(v);
    }
    if (v) {
        over = !c || !v->stale; /* after a failure the next asker tries */
        v->refreshing = !over;
        v->stale = !c;
    }
    pthread_mutex_unlock(&live->lock);
    km_mcp_catalogue_unref(old);
    km_mcp_catalogue_unref(same);
    return over;
}

static struct km_str definition_in(const struct km_mcp_catalogue *c, struct km_str tool,
                                   struct km_str pin)
{
    const struct km_mcp_listing *tools = &c->lists[KM_MCP_TOOLS];
    char hex[65];

    for (size_t i = 0; i < tools->n; i++) {
        km_hex(hex, tools->v[i].pin, sizeof tools->v[i].pin);
        if (km_str_eq(tools->v[i].name, tool) && km_str_eq(km_str(hex, 64), pin))
            return tools->v[i].json;
    }
    return KM_STR_NONE;
}

struct km_str km_mcp_definition(const struct km_mcp_upstream *u, struct km_str tool,
                                struct km_str pin, struct km_arena *arena)
{
    struct km_mcp_live *live = u->live;
    struct km_str json = KM_STR_NONE;

    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; !json.n && i < live->nvariants; i++)
        json = definition_in(live->variants[i].catalogue, tool, pin);
    json = km_arena_str(arena, json);
    pthread_mutex_unlock(&live->lock);
    return json;
}

bool km_mcp_live_settled(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY])
{
    const struct km_mcp_variant *v;
    bool settled;

    pthread_mutex_lock(&live->lock);
    v = find(live, key);
    settled = v && !v->stale;
    pthread_mutex_unlock(&live->lock);
    return settled;
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

bool km_mcp_live_fall_due(struct km_mcp_live *live)
{
    const uint64_t now = km_mono_ms();
    bool any = false;

    pthread_mutex_lock(&live->lock);
    for (size_t i = 1; i < live->nvariants; i++) {
        struct km_mcp_variant *v = &live->variants[i];

        if (!v->retry_ms || !is_due(v, now))
            continue;
        v->retry_ms = 0;
        v->stale = any = true;
    }
    pthread_mutex_unlock(&live->lock);
    return any;
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
