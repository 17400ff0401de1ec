/* SPDX-License-Identifier: Apache-2.0 */
/* limit.h - requests and tokens a minute, calls in parallel.  Pure: the owner holds the lock.
 *
 * Fixed windows of 60 s that begin with their first request, as LiteLLM's.  Tokens are counted
 * when a call settles.  A refused call burns neither.
 */
#ifndef KM_POLICY_LIMIT_H
#define KM_POLICY_LIMIT_H

#include "base/err.h"
#include "base/time.h"

#define KM_LIMIT_WINDOW_MS 60000

struct km_limits {
    int64_t rpm, tpm, parallel; /* -1 none */
};

struct km_limit_state {
    uint64_t window_ms; /* monotonic start; 0: none began */
    int64_t requests, tokens;
    int64_t running;
};

enum km_limit_kind { KM_LIMIT_NONE, KM_LIMIT_REQUESTS, KM_LIMIT_TOKENS, KM_LIMIT_PARALLEL };

/* Takes one request and one running call, or says which limit refuses. */
enum km_limit_kind km_limit_take(struct km_limit_state *s, const struct km_limits *l,
                                 uint64_t now_ms);
void km_limit_release(struct km_limit_state *s, int64_t tokens, uint64_t now_ms);
/* One running call and no request: what it does takes requests of its own, with again. */
enum km_limit_kind km_limit_place(struct km_limit_state *s, const struct km_limits *l);
/* Of what goes on running: one more request; tokens. */
enum km_limit_kind km_limit_again(struct km_limit_state *s, const struct km_limits *l,
                                  uint64_t now_ms);
void km_limit_use(struct km_limit_state *s, int64_t tokens, uint64_t now_ms);
/* Milliseconds until the window ends. */
uint64_t km_limit_reset_ms(const struct km_limit_state *s, uint64_t now_ms);
const char *km_limit_kind_name(enum km_limit_kind kind); /* "requests", ... */

#endif
