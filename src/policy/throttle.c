/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.c - see throttle.h.
 *
 * Fixed windows of a minute that begin with their first event.  The table is hashed with a key of
 * its own, so that nobody can choose whom to share a counter with.  A window that is over is
 * begun anew by whoever comes next; nothing has to be swept.
 */
#include "policy/throttle.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"

#define WINDOW_MS 60000

struct counter {
    uint64_t began_ms;
    unsigned n;
};

struct km_throttle {
    pthread_mutex_t lock;
    uint8_t key[16];
    unsigned most;
    size_t n;
    struct counter v[];
};

struct km_throttle *km_throttle_new(size_t counters, unsigned a_minute)
{
    struct km_throttle *t = calloc(1, sizeof *t + counters * sizeof *t->v);

    if (!t)
        return NULL;
    t->n = counters;
    t->most = a_minute;
    if (km_random(t->key, sizeof t->key, NULL) < 0 || pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

struct km_throttle *km_throttle_free(struct km_throttle *t)
{
    if (t)
        pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

static int look(struct km_throttle *t, struct km_str who, uint64_t now_ms, bool take,
                struct km_err *err)
{
    uint8_t mac[KM_SHA256_LEN];
    struct counter *c;
    uint64_t left = 0;
    size_t at;

    km_hmac_sha256(km_str((const char *)t->key, sizeof t->key), who, mac);
    memcpy(&at, mac, sizeof at);
    c = &t->v[at % t->n];
    pthread_mutex_lock(&t->lock);
    if (c->n == 0 || now_ms - c->began_ms >= WINDOW_MS)
        *c = (struct counter){ .began_ms = now_ms };
    if (c->n < t->most)
        c->n += take;
    else
        left = WINDOW_MS - (now_ms - c->began_ms);
    pthread_mutex_unlock(&t->lock);
    if (!left)
        return 0;
    km_fail(err, KM_E_RATE_LIMITED, "More than %u a minute from this address: wait a moment.",
            t->most);
    if (err)
        err->retry_after_ms = (int)left;
    return KM_E_RATE_LIMITED;
}

int km_throttle_take(struct km_throttle *t, struct km_str who, uint64_t now_ms, struct km_err *err)
{
    return look(t, who, now_ms, true, err);
}

int km_throttle_look(struct km_throttle *t, struct km_str who, uint64_t now_ms, struct km_err *err)
{
    return look(t, who, now_ms, false, err);
}
