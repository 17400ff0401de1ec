/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - the response cache: one shared table of finished answers.
 *
 * It is not active yet: km_cache_active() says so, and every operation answers
 * KM_E_NOT_IMPLEMENTED with the words `not active`, so that no caller can take silence for a
 * miss or a clear that cleared nothing for one that did.  The keys are the SHA-256 of the
 * operation's name and its canonical arguments.
 */
#ifndef KM_POLICY_CACHE_H
#define KM_POLICY_CACHE_H

#include "base/str.h"

struct km_cache;

/* NULL when out of memory. */
struct km_cache *km_cache_new(void);
struct km_cache *km_cache_free(struct km_cache *cache);

/* Whether anything is stored and found at all.  NULL: no. */
bool km_cache_active(const struct km_cache *cache);

/* KM_E_NOT_FOUND is a miss; *ret_body lives until the next operation on the cache. */
int km_cache_lookup(struct km_cache *cache, const uint8_t key[32], uint64_t now_ms,
                    struct km_str *ret_body, struct km_err *err) KM_MUST_USE;
int km_cache_store(struct km_cache *cache, const uint8_t key[32], struct km_str body,
                   uint64_t now_ms, uint64_t ttl_ms, struct km_err *err) KM_MUST_USE;
/* *ret_n: how many entries went. */
int km_cache_clear(struct km_cache *cache, size_t *ret_n, struct km_err *err) KM_MUST_USE;

#endif
