/* SPDX-License-Identifier: Apache-2.0 */
/* hear.c - log messages that belong to no request: a server's word while nobody calls (ask.h).
 *
 *     km_mcp_hear ── counted by level at the server ── logging/setLevel: the most that anyone wants
 *     notifications/message, while no client's request runs (remote/in.c)
 *         HTTP   -> the hearings of this desk: other workers have sessions of their own there
 *         stdio  -> those of all desks: it is one child for all workers
 *     a reload -> the server that took the place of another; none did: nothing is heard any more
 *     a hearing is told where its key is the session's (asker.h) and its level allows it
 *
 * Over HTTP a call can overtake the level that its client has set before it, and was told that it
 * is set: such calls wait until the server has answered, for a second once.
 *
 * Such a message does not say of whose work it speaks.  So it is only for the one caller that has
 * used that session or child; where a second one has, nobody is told, and where none has, everyone
 * with the same key.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/desk.h"

#define HEARINGS_MOST 10000 /* of a desk */
#define ASKER_BYTES ((size_t)1024 * 1024)
#define SAID_MOST 1000 /* messages of a session or child within a second */
#define SAID_BYTES ((size_t)1024 * 1024) /* of one message */
#define LEVEL_MS 1000 /* how long a server may take over a level while calls wait for that */

struct km_mcp_hearing {
    struct km_list link; /* of the desk */
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream; /* NULL: it is not configured any more */
    uint8_t key[KM_MCP_KEY];
    unsigned level;
    km_mcp_heard_fn *fn;
    void *ctx;
    struct km_arena arena; /* what of the asker it keeps */
    struct km_mcp_asker asker;
};

/* What is said, on its way to a desk; or that the level is another one (params empty). */
struct said {
    struct km_msg msg;
    struct km_mcp_upstreams *ups;
    size_t desk;
    struct km_mcp_upstream *upstream;
    uint8_t key[KM_MCP_KEY];
    unsigned level;
    struct km_str user, params; /* in bytes */
    char bytes[];
};

/* 0: nobody wants to hear anything. */
static unsigned wanted(const struct km_mcp_live *live)
{
    for (unsigned i = 1; i <= KM_MCP_LEVELS; i++)
        if (live->hearers[i])
            return i;
    return 0;
}

unsigned km_hear_level(const struct km_remote *p, unsigned level)
{
    unsigned most = wanted(p->upstream->live);

    return most && (!level || most < level) ? most : level;
}

void km_remote_level(struct km_remote *p, struct km_str level)
{
    char params[64];
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(256);
    unsigned n = km_hear_level(p, km_mcp_level(level));

    if (!n || p->revision->era != KM_MCP_HANDSHAKE || n == p->log_level ||
        km_str_find(km_buf_view(&p->hello), KM_STR("\"logging\"")) == p->hello.n)
        return;
    p->log_level = n;
    snprintf(params, sizeof params, "{\"level\":\"%.*s\"}", KM_STR_ARG(km_mcp_level_name(n)));
    km_remote_message(p, ++p->next_id, KM_STR("logging/setLevel"), km_str_c(params), KM_STR_NONE,
                      &text, NULL);
    km_remote_transmit(p, p->next_id, KM_STR("logging/setLevel"), &text, KM_STR_NONE, NULL);
    if (!p->upstream->origin || p->hurries)
        return;
    p->level_id = p->next_id;
    km_timer_start(&p->timer, LEVEL_MS);
}

bool km_hear_waits(struct km_remote *p, struct km_str level)
{
    km_remote_level(p, level);
    return level.n && p->level_id;
}

void km_hear_leveled(struct km_remote *p, uint64_t id)
{
    if (!id || id != p->level_id)
        return;
    p->level_id = 0;
    km_timer_stop(&p->timer);
    km_remote_run(p);
}

void km_hear_hurry(struct km_remote *p)
{
    p->hurries = true;
    km_hear_leveled(p, p->level_id);
}

/* --- what is said --- */

static void tell(struct km_mcp_desk *d, const struct said *m)
{
    KM_LIST_EACH(it, &d->hearings)
    {
        const struct km_mcp_hearing *h = KM_CONTAINER(it, struct km_mcp_hearing, link);

        if (h->upstream == m->upstream && m->level >= h->level &&
            memcmp(h->key, m->key, KM_MCP_KEY) == 0 &&
            (!m->user.n || km_str_eq(h->asker.principal, m->user)))
            h->fn(h->ctx, m->params);
    }
}

static void on_said(struct km_msg *msg, void *owner)
{
    struct said *m = (struct said *)(void *)msg;
    struct km_mcp_desk *d;

    (void)owner;
    pthread_mutex_lock(&m->ups->lock);
    d = m->ups->desks[m->desk]; /* on its own loop: nobody frees it meanwhile */
    pthread_mutex_unlock(&m->ups->lock);
    if (d && m->params.n)
        tell(d, m);
    else if (d)
        KM_LIST_EACH(it, &d->remotes)
        {
            struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

            if (p->upstream == m->upstream && p->state == KM_REMOTE_READY)
                km_remote_level(p, KM_STR_NONE);
        }
    km_mcp_upstream_unref(m->upstream);
    free(m);
}

/* To every desk but one. */
static void post_all(struct km_mcp_upstreams *ups, const struct said *like, size_t but)
{
    pthread_mutex_lock(&ups->lock);
    for (size_t i = 0; i < ups->ndesks; i++) {
        struct said *m =
            ups->desks[i] && i != but ? malloc(sizeof *m + like->user.n + like->params.n) : NULL;

        if (!m)
            continue; /* it is only news */
        *m = *like;
        m->user = km_str(m->bytes, like->user.n);
        m->params = km_str(m->bytes + like->user.n, like->params.n);
        if (like->user.n)
            memcpy(m->bytes, like->user.p, like->user.n);
        if (like->params.n)
            memcpy(m->bytes + like->user.n, like->params.p, like->params.n);
        m->msg = (struct km_msg){ .run = on_said };
        m->ups = ups;
        m->desk = i;
        km_mcp_upstream_ref(m->upstream);
        km_mailbox_post(ups->desks[i]->mailbox, &m->msg);
    }
    pthread_mutex_unlock(&ups->lock);
}

static unsigned level_of(struct km_str params)
{
    static const struct km_str name = { "level", 5 };
    struct km_json_span span = { 0 };
    struct km_str level;

    if (!params.n || km_json_spans(params, &name, 1, &span, NULL, NULL) < 0)
        return 0;
    level = km_json_value(params, &span);
    return level.n < 2 ? 0 : km_mcp_level(km_str_sub(level, 1, level.n - 2));
}

void km_hear_said(struct km_remote *p, struct km_str params)
{
    struct said m = { .upstream = p->upstream, .user = p->user, .params = params };

    m.level = level_of(params);
    if (p->users > 1 || !m.level || !wanted(p->upstream->live) || p->flood > SAID_MOST ||
        params.n > SAID_BYTES)
        return;
    memcpy(m.key, p->key, KM_MCP_KEY);
    tell(p->desk, &m);
    if (p->upstream->transport == KM_MCP_STDIO)
        post_all(p->desk->ups, &m, p->desk->index);
}

/* --- who hears --- */

static void leave(struct km_mcp_hearing *h)
{
    if (h->upstream)
        h->upstream->live->hearers[h->level]--;
    h->upstream = km_mcp_upstream_unref(h->upstream);
}

static int join(struct km_mcp_hearing *h, struct km_mcp_upstream *u)
{
    struct km_err err;
    int r = km_asker_key(u, &h->asker, h->key, &err);

    if (r < 0)
        return r;
    h->upstream = km_mcp_upstream_ref(u);
    if (u->live->hearers[h->level]++ == 0)
        post_all(h->desk->ups, &(struct said){ .upstream = u }, SIZE_MAX);
    return 0;
}

struct km_mcp_hearing *km_mcp_hear(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                   const struct km_mcp_asker *asker, unsigned level,
                                   km_mcp_heard_fn *fn, void *ctx)
{
    struct km_mcp_upstream *now = km_desk_now(desk, u);
    struct km_mcp_hearing *h = now && desk->nhearings < HEARINGS_MOST ? calloc(1, sizeof *h) : NULL;

    if (!h)
        return NULL;
    km_assert(level > 0 && level <= KM_MCP_LEVELS);
    h->desk = desk;
    h->level = level;
    h->fn = fn;
    h->ctx = ctx;
    km_arena_init(&h->arena, ASKER_BYTES, NULL);
    km_list_push(&desk->hearings, &h->link);
    desk->nhearings++;
    if (km_asker_copy(asker, &h->arena, &h->asker) == 0 && join(h, now) == 0)
        return h;
    km_mcp_unhear(h);
    return NULL;
}

void km_hearings_follow(struct km_mcp_desk *d)
{
    KM_LIST_EACH(it, &d->hearings)
    {
        struct km_mcp_hearing *h = KM_CONTAINER(it, struct km_mcp_hearing, link);
        struct km_mcp_upstream *now = h->upstream ? km_desk_now(d, h->upstream) : NULL;

        if (now == h->upstream)
            continue;
        leave(h);
        if (now)
            (void)!join(h, now);
    }
}

const struct km_mcp_upstream *km_mcp_hears(const struct km_mcp_hearing *h)
{
    return h->upstream;
}

void km_mcp_unhear(struct km_mcp_hearing *h)
{
    if (!h)
        return;
    leave(h);
    h->desk->nhearings--;
    km_list_remove(&h->link);
    km_arena_done(&h->arena);
    free(h);
}
