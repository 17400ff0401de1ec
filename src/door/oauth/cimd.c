/* SPDX-License-Identifier: Apache-2.0 */
/* cimd.c - clients whose id is the address of a document about them.
 *
 *     ask ──> in memory, not too old ──> answered at the end of the turn
 *        └──> one request by the guarded dialer: https, a public address, no redirect, 16 KiB,
 *             5 s; then it is kept for ten minutes
 *
 * Anybody can make us ask: so the dialer refuses private addresses, and of one address only so
 * much a minute is asked for (the counter of registrations).  The memory is 64 places by the hash
 * of the id; two clients of one place push each other out, which costs a request.
 */
#include "door/oauth/oauth.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "llm/fetch.h"

#define DOCUMENT_BYTES (16 * 1024)
#define TIMEOUT_MS 5000
#define KEPT_US (INT64_C(600) * 1000000)
#define PLACES 64

struct place {
    struct km_secret id, json; /* owned texts; nothing secret */
    int64_t until_us;
};

struct km_cimd {
    pthread_mutex_t lock;
    struct place v[PLACES];
};

struct km_cimd_ask {
    struct km_visit *v;
    struct km_str id;
    km_cimd_fn *fn;
    void *ctx;
    struct km_fetch *fetch;
    struct km_deferred answer; /* from memory */
    struct km_oauth_client client;
    struct km_err err;
};

struct km_cimd *km_cimd_new(void)
{
    struct km_cimd *c = calloc(1, sizeof *c);

    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

struct km_cimd *km_cimd_free(struct km_cimd *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < PLACES; i++) {
        km_secret_done(&c->v[i].id);
        km_secret_done(&c->v[i].json);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

static struct place *place_of(struct km_cimd *c, struct km_str id)
{
    uint8_t hash[KM_SHA256_LEN];

    km_sha256(id, hash);
    return &c->v[hash[0] % PLACES];
}

static void keep(struct km_cimd *c, struct km_str id, struct km_str json, int64_t now_us)
{
    struct place *p = place_of(c, id);

    pthread_mutex_lock(&c->lock);
    km_secret_done(&p->id);
    km_secret_done(&p->json);
    if (km_secret_init(&p->id, id) < 0 || km_secret_init(&p->json, json) < 0)
        km_secret_done(&p->id);
    p->until_us = now_us + KEPT_US;
    pthread_mutex_unlock(&c->lock);
}

static struct km_str kept(struct km_cimd *c, struct km_str id, int64_t now_us,
                          struct km_arena *arena)
{
    struct place *p = place_of(c, id);
    struct km_str json = KM_STR_NONE;

    pthread_mutex_lock(&c->lock);
    if (p->until_us > now_us && km_str_eq(km_secret_view(&p->id), id))
        json = km_arena_str(arena, km_secret_view(&p->json));
    pthread_mutex_unlock(&c->lock);
    return json;
}

static void on_answer(void *ctx)
{
    struct km_cimd_ask *a = ctx;

    a->fn(a->ctx, a->err.code ? NULL : &a->client, a->err.code ? &a->err : NULL);
}

static void on_fetched(void *ctx, const struct km_response *response, struct km_str body,
                       const struct km_err *err)
{
    struct km_cimd_ask *a = ctx;
    struct km_arena *arena = km_exchange_arena(a->v->x);

    a->fetch = NULL;
    if (err)
        km_fail(&a->err, KM_E_INVALID, "The description of the program (%.*s) cannot be read: %s",
                KM_STR_ARG(km_str_sub(a->id, 0, 150)), err->text);
    else if (response->status != 200)
        km_fail(&a->err, KM_E_INVALID,
                "The description of the program (%.*s) cannot be read: status %d",
                KM_STR_ARG(km_str_sub(a->id, 0, 150)), response->status);
    else if (km_oauth_client_read(arena, body, a->id, &a->client, &a->err) == 0)
        keep(km_oauth_of(a->v->w->gw)->documents, a->id, body, a->v->came_us);
    on_answer(a);
}

static int fetch(struct km_cimd_ask *a, struct km_err *err)
{
    struct km_visit *v = a->v;
    char peer[KM_ADDR_TEXT];
    int r;

    km_addr_host_text(km_exchange_peer(v->x), peer);
    r = km_throttle_take(km_oauth_of(v->w->gw)->registrations, km_str_c(peer),
                         km_loop_now_ms(v->w->loop), err);
    if (r < 0)
        return r;
    a->fetch = km_fetch_start(
        &(struct km_fetch_args){
            .loop = v->w->loop,
            .client = v->w->client,
            .tls = v->view->snap->tls,
            .guard = km_url_host_listed(a->id, &v->view->snap->oauth->oauth.trusted_hosts)
                         ? KM_GUARD_NONE
                         : KM_GUARD_PUBLIC,
            .method = KM_STR("GET"),
            .url = a->id,
            .head = KM_STR("Accept: application/json\r\n"),
            .timeout_ms = TIMEOUT_MS,
            .tries = 1,
            .max_bytes = DOCUMENT_BYTES },
        on_fetched, a, err);
    return a->fetch ? 0 : err->code;
}

struct km_cimd_ask *km_cimd_ask(struct km_visit *v, struct km_str id, km_cimd_fn *fn, void *ctx,
                                struct km_err *err)
{
    struct km_arena *arena = km_exchange_arena(v->x);
    struct km_cimd_ask *a = km_arena_zalloc(arena, sizeof *a);
    struct km_str json;

    if (!a) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    *a = (struct km_cimd_ask){ .v = v, .id = km_arena_str(arena, id), .fn = fn, .ctx = ctx };
    km_deferred_init(&a->answer, v->w->loop, on_answer, a);
    json = kept(km_oauth_of(v->w->gw)->documents, id, v->came_us, arena);
    if (!json.n)
        return fetch(a, err) < 0 ? NULL : a;
    if (km_oauth_client_read(arena, json, a->id, &a->client, &a->err) < 0)
        a->err.code = a->err.code ? a->err.code : KM_E_INTERNAL;
    km_deferred_queue(&a->answer);
    return a;
}

void km_cimd_cancel(struct km_cimd_ask *ask)
{
    if (!ask)
        return;
    km_deferred_cancel(&ask->answer);
    km_fetch_cancel(ask->fetch);
    ask->fetch = NULL;
}
