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
#include "policy/retry_budget.h"

#define KM_MCP_VARIANTS 256 /* catalogues of one upstream: by who asks */
#define KM_MCP_KEY 32

/* One catalogue, and whether somebody is about to make it anew.
 *
 * Lists come from a base: a session without client capabilities, shared by all askers who bring the
 * same credentials.  A session that declares capabilities for its callers is asked too, once it is
 * there; what it lists is a variant of its own, which counts where it differs from that base. */
struct km_mcp_variant {
    uint8_t key[KM_MCP_KEY]; /* of the asker: see asker.h */
    uint8_t base[KM_MCP_KEY]; /* own: of the variant it is compared with */
    bool own; /* of sessions that declare capabilities: nobody is asked for its sake */
    bool differs; /* own: it lists something else than its base, as that is now */
    struct km_mcp_catalogue *catalogue; /* never NULL */
    bool refreshing; /* somebody asks the server */
    bool stale; /* what is there may be old: nobody has asked yet */
    unsigned failures; /* in a row, of asking for its lists */
    uint64_t retry_ms; /* monotonic: when a list that could not be had is asked for again; or 0 */
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
    struct km_breaker fuse; /* atomic: of calls in sessions that are there (calls.h) */
    struct km_retry_budget retries; /* atomic: the same */
    struct km_mcp_variant variants[KM_MCP_VARIANTS];
    size_t nvariants;
    struct km_suspects *suspects; /* never NULL; locked by itself */
    _Atomic uint32_t sessions;
    _Atomic uint32_t asks; /* of clients */
    _Atomic uint64_t declared_calls, declared_questions; /* see struct km_mcp_status */
    _Atomic uint32_t children; /* of a stdio server */
    _Atomic uint32_t hearers[KM_MCP_LEVELS + 1]; /* of its log messages, by the level they want */
};

/* The key of askers without anything of their own. */
static inline bool km_mcp_plain(const uint8_t key[KM_MCP_KEY])
{
    static const uint8_t none[KM_MCP_KEY];

    return memcmp(key, none, KM_MCP_KEY) == 0;
}

struct km_mcp_live *km_mcp_live_new(void); /* NULL when out of memory */
struct km_mcp_live *km_mcp_live_free(struct km_mcp_live *live);

/* A catalogue of which nothing is known; NULL when out of memory. */
struct km_mcp_catalogue *km_mcp_live_empty(void);

/* true: the state is another than before.  why may be empty; it is cut and cleaned. */
bool km_mcp_live_state(struct km_mcp_live *live, enum km_mcp_state state, const char *why);
/* It could not be reached, or ended: when it may be tried next (monotonic ms). */
uint64_t km_mcp_live_failed(struct km_mcp_live *live, uint64_t now_ms, const char *why);
/* It answered; true: it is ready again.  That takes more than an answer where its lists are known
 * to everybody: it has to have given them.  served: this was for somebody with credentials of its
 * own, whose lists are its own affair. */
bool km_mcp_live_ok(struct km_mcp_live *live, bool served);
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
/* The same for askers whose sessions have the key `own`: their own variant where that differs. */
struct km_mcp_catalogue *km_mcp_live_shown(struct km_mcp_live *live, const uint8_t own[KM_MCP_KEY],
                                           const uint8_t base[KM_MCP_KEY], bool *ret_begin);
/* A session can be asked for its lists.  true: the caller is to find out.  again: what somebody is
 * finding out may be old already. */
bool km_mcp_live_begin(struct km_mcp_live *live, const uint8_t own[KM_MCP_KEY],
                       const uint8_t base[KM_MCP_KEY], bool again);
/* Was such a session ever asked? */
bool km_mcp_live_heard_own(struct km_mcp_live *live, const uint8_t own[KM_MCP_KEY]);
/* What own sessions list is not known any more: they end.  A bit for each list that clients see
 * otherwise now. */
unsigned km_mcp_live_forget_own(struct km_mcp_live *live);
/* Found out: c (its reference is taken) in place of the old one; NULL: it could not be had.
 * *ret_changed has a bit for each list that is another one for clients.  false: it changed again
 * meanwhile and is to be asked once more (still marked as refreshing). */
bool km_mcp_live_refreshed(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY],
                           struct km_mcp_catalogue *c, unsigned *ret_changed);
/* What the store had kept, for askers without anything of their own; the reference is taken. */
void km_mcp_live_load(struct km_mcp_live *live, struct km_mcp_catalogue *c);
/* A list has changed, the server says.  true: the caller is to find out. */
bool km_mcp_live_stale(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY]);
/* What is known of any asker may be old: the next to ask finds out. */
void km_mcp_live_all_stale(struct km_mcp_live *live);
/* Lists of askers with credentials of their own that could not be had, and whose time has come:
 * the next to ask finds out.  true: there is one, and whoever keeps what it was shown is to look
 * again. */
bool km_mcp_live_fall_due(struct km_mcp_live *live);
/* Would nobody find out but for an asker: nothing is stale? */
bool km_mcp_live_settled(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY]);
/* Is it being found out, or still to be? */
bool km_mcp_live_pending(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY]);
/* Has somebody waited `ms` for its first word already, in vain?  Time counts from the first
 * call. */
bool km_mcp_live_overdue(struct km_mcp_live *live, const uint8_t key[KM_MCP_KEY], uint64_t ms);

#endif
