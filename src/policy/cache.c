/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - see cache.h for the contract.
 *
 * The seam of the response cache.  Callers are written against the final interface now: the
 * step `cache` of a call, `kanmon clear-cache` and the health report all ask here.  What they
 * get is the truth, that nothing is cached, in words a person can read; a stand-in that
 * answered "miss" and "0 entries cleared" would be believed.
 */
#include "policy/cache.h"

#include <stdlib.h>

struct km_cache {
    bool active;
};

static int not_active(struct km_err *err)
{
    return km_fail(err, KM_E_NOT_IMPLEMENTED, "response cache: not active");
}

struct km_cache *km_cache_new(void)
{
    return calloc(1, sizeof(struct km_cache));
}

struct km_cache *km_cache_free(struct km_cache *cache)
{
    free(cache);
    return NULL;
}

bool km_cache_active(const struct km_cache *cache)
{
    return cache && cache->active;
}

int km_cache_lookup(struct km_cache *cache, const uint8_t key[32], uint64_t now_ms,
                    struct km_str *ret_body, struct km_err *err)
{
    (void)cache;
    (void)key;
    (void)now_ms;
    (void)ret_body;
    return not_active(err);
}

int km_cache_store(struct km_cache *cache, const uint8_t key[32], struct km_str body,
                   uint64_t now_ms, uint64_t ttl_ms, struct km_err *err)
{
    (void)cache;
    (void)key;
    (void)body;
    (void)now_ms;
    (void)ttl_ms;
    return not_active(err);
}

int km_cache_clear(struct km_cache *cache, size_t *ret_n, struct km_err *err)
{
    (void)cache;
    (void)ret_n;
    return not_active(err);
}
