/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - the part of an upstream that changes; private to mcp/.
 *
 * All workers share it, so it is locked inside; nothing here calls back.  What happens to an
 * upstream is told to the desks by whoever changed it (desk.h).
 */
#ifndef KM_MCP_UPSTREAM_LIVE_H
#define KM_MCP_UPSTREAM_LIVE_H

#include <pthread.h>

#include "mcp/safety/suspect.h"
#include "mcp/upstream/upstream.h"
#include "policy/breaker.h"

#define KM_MCP_VARIANTS 256 /* catalogues of one upstream: by who asks */
#define KM_MCP_KEY 32

/* One catalogue, and whether somebody is about to make it anew. */
struct km_mcp_variant {
    uint8_t key[KM_MCP_KEY]; /* of the asker: see asker.h */
    struct km_mcp_catalogue *catalogue; /* never NULL */
    bool refreshing; /* somebody asks the server */
    bool stale; /* what is there may be old: nobody has asked yet */
    uint64_t used_ms;
    uint64_t waited_ms; /* monotonic: since when somebody waits to hear of it first; 0: nobody */
};

struct km_mcp_live {
    pthread_mutex_t lock; /* of all that is not atomic */
    struct km_mcp_status status;
    _Atomic bool held; /* stopped by hand */
    _Atomic bool gone; /* no longer configured */
    uint64_t health_ms; /* next look; of the desk that is its home, as the next two */
    bool pinging; /* it was asked whether it lives, and did not answer yet */
    unsigned silent; /* how often in a row it did not */
    const struct km_mcp_revision *revision; /* spoken last; NULL: not known */
    bool guessed; /* it was asked in that way first: it may speak a newer one */
    bool sse; /* a server asked as Streamable HTTP that speaks HTTP+SSE */
    bool lacks[2]; /* by enum km_mcp_era: it was asked, and does not speak it */
    struct km_breaker breaker; /* atomic: it rests after it failed */
    struct km_mcp_variant variants[KM_MCP_VARIANTS];
    size_t nvariants;
    struct km_suspects *suspects; /* never NULL; locked by itself */
    _Atomic uint32_t sessions, asks;
    _Atomic uint32_t children; /* of a stdio server */
    _Atomic uint32_t hearers[KM_MCP_LEVELS + 1]; /* of its log messages, by the level they want */
};

struct km_mcp_live *km_mcp_live_new(void); /* NULL when out of memory */
struct km_mcp_live *km_mcp_live_free(struct km_mcp_live *live);

/* true: the state is another than before.  why may be empty; it is cut and cleaned. */
bool km_mcp_live_state(struct km_mcp_live *live, enum km_mcp_state state, const char *why);
/* It could not be reached, or ended: when it may be tried next (monotonic ms). */
uint64_t km_mcp_live_failed(struct km_mcp_live *live, uint64_t now_ms, const char *why);
bool km_mcp_live_ok(struct km_mcp_live *live); /* it answered; true: it is ready again */
/* 0, or why it is not to be asked now. */
int km_mcp_live_may(struct km_mcp_live *live, const struct km_mcp_upstream *u, uint64_t now_ms,
                    struct km_err *err) KM_MUST_USE;

const struct km_mcp_revision *km_mcp_live_revision(struct km_mcp_live *live);
bool km_mcp_live_sse(struct km_mcp_live *live);
void km_mcp_live_speaks(struct km_mcp_live *live, const struct km_mcp_revision *revision, bool sse);
/* The same where nothing is known yet: it speaks this one, and it may speak a newer one. */
void km_mcp_live_guess(struct km_mcp_live *live, const struct km_mcp_revision *revision);
/* As km_mcp_live_revision(); NULL too where it is a guess. */
const struct km_mcp_revision *km_mcp_live_sure(struct km_mcp_live *live);

/* It was asked, and does not speak that era.  What it speaks later than that counts. */
void km_mcp_live_lack(struct km_mcp_live *live, enum km_mcp_era era);
bool km_mcp_live_lacks(struct km_mcp_live *live, enum km_mcp_era era);

/* The catalogue for a key, referenced.  *ret_begin: the caller is to find out (it has been marked
 * as refreshing); never for want of room. */
struct km_mcp_catalogue *km_mcp_live_catalogue(struct km_mcp_live *live,
                                               const uint8_t key[KM_MCP_KEY], bool *ret_begin);
/* Found out: c (its reference is taken) in place of the old one; NULL: it could not be had.
 * *ret_changed has a bit for each list that is another one.  false: it changed again meanwhile and
 * is to be asked once more (still marked as refreshing). */
bool km_mcp_live_refreshed(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY],
                           struct km_mcp_catalogue *c, unsigned *ret_changed);
/* What the store had kept, for askers without anything of their own; the reference is taken. */
void km_mcp_live_load(struct km_mcp_live *live, struct km_mcp_catalogue *c);
/* A list has changed, the server says.  true: the caller is to find out. */
bool km_mcp_live_stale(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY]);
/* What is known of any asker may be old: the next to ask finds out. */
void km_mcp_live_all_stale(struct km_mcp_live *live);
/* Is it being found out, or still to be? */
bool km_mcp_live_pending(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY]);
/* Has somebody waited `ms` for its first word already, in vain?  Time counts from the first
 * call. */
bool km_mcp_live_overdue(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY], uint64_t ms);

#endif
