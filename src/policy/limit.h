/* SPDX-License-Identifier: Apache-2.0 */
/* limit.h - requests and tokens a minute, calls in parallel.  Pure: the owner holds the lock.
 *
 * Fixed windows of 60 s that begin with their first request, as LiteLLM's.  Tokens are reserved
 * when a call is admitted and counted when it settles, so that calls at once cannot all pass a
 * limit that has room for one.  A call that is alone is admitted if its input fits: by it, and by
 * no second one, a limit may be passed.  A refused call burns nothing.
 */
#ifndef KM_POLICY_LIMIT_H
#define KM_POLICY_LIMIT_H

#include "base/err.h"
#include "base/time.h"
#include "policy/quantile.h"

#define KM_LIMIT_WINDOW_MS 60000
/* What a call may write, as long as none of its owner's has told: more than most answers have, and
 * the first one that ends says better. */
#define KM_LIMIT_OUTPUT_UNKNOWN 1024

struct km_limits {
    int64_t rpm, tpm, parallel; /* -1 none */
};

struct km_limit_state {
    uint64_t window_ms; /* monotonic start; 0: none began */
    int64_t requests, tokens; /* of the window */
    int64_t running;
    int64_t reserved, holders; /* tokens, and calls that hold them: beyond the end of a window */
    struct km_quantile output; /* what nine of ten calls write at most */
};

/* Tokens a call asks for: what goes in, and what may come out. */
struct km_limit_need {
    int64_t input, output;
};

enum km_limit_kind { KM_LIMIT_NONE, KM_LIMIT_REQUESTS, KM_LIMIT_TOKENS, KM_LIMIT_PARALLEL };

/* bound: what it may write at most, -1: not bounded; of that no more counts than nine of ten of the
 * owner's calls write. */
struct km_limit_need km_limit_need(const struct km_limit_state *s, int64_t input, int64_t bound);
int64_t km_limit_need_sum(const struct km_limit_need *need);

/* Takes one request, one running call and its tokens, or says which limit refuses. */
enum km_limit_kind km_limit_take(struct km_limit_state *s, const struct km_limits *l,
                                 const struct km_limit_need *need, uint64_t now_ms);
/* The same but for the running call, which another one has. */
enum km_limit_kind km_limit_within(struct km_limit_state *s, const struct km_limits *l,
                                   const struct km_limit_need *need, uint64_t now_ms);
/* One running call and no request: what it does takes requests of its own, with again. */
enum km_limit_kind km_limit_place(struct km_limit_state *s, const struct km_limits *l);
/* Of what goes on running and holds that many tokens, for this request too: one more request. */
enum km_limit_kind km_limit_again(struct km_limit_state *s, const struct km_limits *l, int64_t held,
                                  uint64_t now_ms);

/* The other way: a call ended.  give: of its tokens; after take and within. */
void km_limit_release(struct km_limit_state *s); /* after take and place */
void km_limit_give(struct km_limit_state *s, int64_t held);
/* Tokens were used; `output` of them were written (0: nobody said), by which is learnt. */
void km_limit_use(struct km_limit_state *s, int64_t tokens, int64_t output, uint64_t now_ms);
/* Tokens used and reserved. */
int64_t km_limit_tokens(const struct km_limit_state *s);
/* Milliseconds until the window ends. */
uint64_t km_limit_reset_ms(const struct km_limit_state *s, uint64_t now_ms);
const char *km_limit_kind_name(enum km_limit_kind kind); /* "requests", ... */

#endif
