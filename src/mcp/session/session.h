/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - sessions of handshake-era clients: what initialize agreed on, for one principal.
 *
 * A worker has one table; an id names its worker (id.h).  A session is bound to the
 * principal that began it: for another one it does not exist.  It is small while nothing happens
 * (under 1 KB), and goes when it is deleted, when it was idle for long, or when the table is full
 * and it is the one unused for longest.
 *
 * Thread: the worker's loop.
 */
#ifndef KM_MCP_SESSION_H
#define KM_MCP_SESSION_H

#include "base/list.h"
#include "base/map.h"
#include "config/config.h"
#include "mcp/event_store.h"
#include "mcp/revision.h"
#include "mcp/session/id.h"

#define KM_MCP_SESSIONS_MOST ((size_t)65536) /* of a worker */
#define KM_MCP_SESSION_IDLE_MS ((uint64_t)60 * 60 * 1000) /* without a message or an open stream */
#define KM_MCP_CAPABILITIES_BYTES ((size_t)16 * 1024) /* of what a client declares */

/* kanmon_settings.mcp_sessions; rows in settings.c. */
struct km_mcp_session_bounds {
    int64_t idle_ms, per_key, events, event_bytes, parked_ms, answer_ms, acknowledge_ms,
        first_list_ms;
};
extern const struct km_settings_table km_mcp_session_table;

struct km_mcp_stream; /* an answer under way: the layer above */
struct km_mcp_arrival; /* a request: the layer above */

struct km_mcp_session {
    struct km_list link; /* least recently used first */
    char id[KM_MCP_SESSION_ID_LEN + 1];
    bool initialized; /* notifications/initialized came */
    bool legacy; /* HTTP+SSE of 2024-11-05: lives and dies with its one stream */
    unsigned char owed; /* bit a list: that it changed could not be told yet */
    unsigned char log_level; /* 1 + index of the wanted level; 0: none was set */
    const struct km_mcp_revision *revision;
    struct km_str principal, capabilities; /* JSON object */
    uint8_t key[32]; /* the args' */
    uint64_t used_ms;
    struct km_mcp_event_store events;
    uint32_t streams_made, questions_made;
    uint32_t calls; /* running: it is not idle */
    struct km_list streams; /* answers under way */
    struct km_mcp_stream *get; /* the open GET stream; NULL: none */
    struct km_list questions; /* asked of the client, not answered */
    struct km_list subscriptions; /* to resources */
    struct km_list heard; /* servers whose log messages it hears */
    struct km_mcp_arrival *heard_as; /* how that was asked for; NULL: it was not */
};

struct km_mcp_sessions;

struct km_mcp_sessions *km_mcp_sessions_new(uint32_t replica, size_t worker, size_t most);
/* drop is called for each that is left, before it is freed. */
struct km_mcp_sessions *km_mcp_sessions_free(struct km_mcp_sessions *t,
                                             void (*drop)(void *ctx, struct km_mcp_session *s),
                                             void *ctx);

/* From now on; copied.  Until it is called they are the defaults. */
void km_mcp_sessions_bound(struct km_mcp_sessions *t, const struct km_mcp_session_bounds *bounds);

struct km_mcp_session_args {
    struct km_str principal, capabilities;
    uint8_t key[32]; /* by whose right: the hash of a virtual key; all zero: none's */
    const struct km_mcp_revision *revision;
    bool legacy;
    uint64_t now_ms;
};
/* KM_E_LIMIT: the table is full (of sessions that are in use), or the principal has all it may
 * have; KM_E_NOMEM. */
int km_mcp_session_new(struct km_mcp_sessions *t, const struct km_mcp_session_args *args,
                       struct km_mcp_session **ret, struct km_err *err) KM_MUST_USE;
/* A legacy session's initialize comes after its stream. */
int km_mcp_session_agree(struct km_mcp_session *s, const struct km_mcp_revision *revision,
                         struct km_str capabilities, struct km_err *err) KM_MUST_USE;
/* NULL: unknown, or another principal's. Counts as a use. */
struct km_mcp_session *km_mcp_session_find(struct km_mcp_sessions *t, struct km_str id,
                                           struct km_str principal, uint64_t now_ms);
/* Out of the table and freed; its lists are empty by now. */
void km_mcp_session_drop(struct km_mcp_sessions *t, struct km_mcp_session *s);
/* One of the principal's that has to go before it may begin another; NULL: none has, or none
 * can. */
struct km_mcp_session *km_mcp_session_over(struct km_mcp_sessions *t, struct km_str principal);
/* One that may go: idle for too long, or (full) unused for longest.  NULL: none. */
struct km_mcp_session *km_mcp_session_stale(struct km_mcp_sessions *t, uint64_t now_ms);
/* for (s = first; s; s = next): any order; the current one may be dropped after next was taken. */
struct km_mcp_session *km_mcp_session_first(const struct km_mcp_sessions *t);
struct km_mcp_session *km_mcp_session_next(const struct km_mcp_sessions *t,
                                           const struct km_mcp_session *s);

#endif
