/* SPDX-License-Identifier: Apache-2.0 */
/* turn.h - one message of an MCP client, on the loop that owns its session.
 *
 *     door (any worker)  arrival: who, where to, headers, body       door.c
 *        └── owner       session, revision, batch; a turn a message  take.c
 *               └── method                                           methods.c, call.c
 *
 * An arrival lives until it was taken, which is synchronous: what goes on longer (a call, a
 * stream) copies what it needs.
 */
#ifndef KM_GATEWAY_MCP_TURN_H
#define KM_GATEWAY_MCP_TURN_H

#include "host/visit.h"
#include "gateway/mcp/stream.h"
#include "mcp/view/view.h"

/* Which servers a request is about. */
struct km_mcp_reach {
    struct km_str servers, groups; /* comma lists of names; empty: all */
    bool path; /* the path names them: unknown ones are an error, one alone has bare names */
};

enum km_mcp_way {
    KM_MCP_WAY_POST,
    KM_MCP_WAY_GET,
    KM_MCP_WAY_DELETE,
    KM_MCP_WAY_LEGACY_GET,
    KM_MCP_WAY_LEGACY_POST
};

struct km_mcp_arrival {
    struct km_msg msg; /* between workers */
    struct km_arena arena; /* holds it */
    struct km_mcp_hub *hub; /* the owner's */
    struct km_visit *visit;
    struct km_mcp_pipe *pipe; /* NULL: given to a stream */
    enum km_mcp_way way;
    enum km_mcp_era era; /* of its client, once a message is read */
    struct km_headers headers;
    struct km_str session_id, body, principal;
    struct km_mcp_reach reach;
    bool secure; /* it came by TLS */
    bool plain; /* km_mcp_stream.plain */
    bool kept; /* whoever kept it frees its arena */
    const struct km_mcp_endpoint *builtins; /* servers that are part of kanmon */
};

/* One message of it. */
struct km_mcp_turn {
    struct km_mcp_hub *hub;
    struct km_mcp_arrival *in;
    struct km_arena *arena;
    struct km_mcp_session *session; /* NULL: none */
    struct km_mcp_stream *stream; /* NULL: a notification or response */
    const struct km_mcp_revision *revision;
    struct km_rpc_message msg;
    struct km_str text; /* the message itself */
    struct km_str capabilities; /* the client's, JSON object */
    struct km_str client; /* a stateless one that is one process: its word for itself; or empty */
    bool waited; /* for cold servers: not again */
    bool waited_own; /* for a session of the client's own: not again */
    bool searched; /* it came as call_tool, and is the call of the tool now */
};

/* principal.c: whom sessions, approvals, log-ins and parked calls are bound to: who a token says
 * its holder is, at its issuer, whatever key it leads to; else a key by its whole hash, also when
 * its secret was changed.  In the arena. */
struct km_str km_mcp_principal(const struct km_visit *v, struct km_arena *arena);
/* take.c: on the owner's loop; the arrival is gone after. */
void km_mcp_take(struct km_mcp_arrival *in);
/* Makes it outlive its exchange: headers and visit are copied. */
int km_mcp_arrival_keep(struct km_mcp_arrival *in) KM_MUST_USE;
/* As whom it came and what it is about, without body, pipe and view (km_visit_seat); it lies in its
 * own arena.  NULL: no memory. */
struct km_mcp_arrival *km_mcp_arrival_copy(const struct km_mcp_arrival *in);
/* To another worker, with its pipe; false: it stays. */
bool km_mcp_arrival_pass(struct km_mcp_arrival *in, struct km_worker *to);
/* streams.c: GET and DELETE. */
void km_mcp_take_get(struct km_mcp_arrival *in);
void km_mcp_take_delete(struct km_mcp_arrival *in);
void km_mcp_take_legacy_get(struct km_mcp_arrival *in);
/* Answers the request itself with an error that has no id, and forgets the pipe. */
void km_mcp_refuse(struct km_mcp_arrival *in, enum km_mcp_era era, int http, int code,
                   const char *message);
struct km_mcp_session *km_mcp_in_session(struct km_mcp_arrival *in);

/* methods.c: a request or notification. */
void km_mcp_dispatch(struct km_mcp_turn *t);
void km_mcp_on_tools_call(struct km_mcp_turn *t); /* requests.c */
/* search.c: true when it was search_tools or describe_tool, and answered; a call_tool has
 * become the call of the tool it names. */
bool km_mcp_search_call(struct km_mcp_turn *t);
/* An object with a member in the place of its own, whatever that was; json is not empty. */
int km_mcp_with_member(struct km_arena *arena, struct km_str object, struct km_str name,
                       struct km_str json, struct km_str *ret, struct km_err *err) KM_MUST_USE;
void km_mcp_on_resources_read(struct km_mcp_turn *t);
void km_mcp_on_prompts_get(struct km_mcp_turn *t);
void km_mcp_on_complete(struct km_mcp_turn *t);
void km_mcp_on_progress(struct km_mcp_turn *t); /* ask.c */
void km_mcp_on_task(struct km_mcp_turn *t);
void km_mcp_on_tasks_list(struct km_mcp_turn *t); /* tasks.c */

/* later.c: true: some servers of the view are cold; the request is dispatched again when they
 * were heard, and the turn is over. */
bool km_mcp_later(struct km_mcp_turn *t, const struct km_mcp_view *view);

/* later.c: the same where nobody lists this name to clients in general, but a server could to one
 * that declares what this client does: its session with that server begins with this call. */
bool km_mcp_later_own(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str name);

/* later.c: fn once, on the loop, never synchronously: when all servers of the view have been heard,
 * or are down for now, or after mcp_sessions.first_list.  NULL, and no fn: all have been heard, or
 * there is no memory.  km_mcp_wait_cancel() ends it. */
struct km_mcp_wait *km_mcp_cold_wait(const struct km_mcp_hub *hub, const struct km_mcp_view *view,
                                     const struct km_mcp_asker *asker, void (*fn)(void *ctx),
                                     void *ctx);

/* --- answers of a request --- */
void km_mcp_turn_result(struct km_mcp_turn *t, struct km_str json);
void km_mcp_turn_fault(struct km_mcp_turn *t, enum km_rpc_fault fault, const char *message);
/* As an error has it: its code, text, type and when to try again. */
void km_mcp_turn_fail(struct km_mcp_turn *t, const struct km_err *err);
void km_mcp_turn_fault_data(struct km_mcp_turn *t, enum km_rpc_fault fault, const char *message,
                            struct km_str data);
/* What the turn's caller sees, a reference; NULL: nothing, and that was answered. */
struct km_mcp_view *km_mcp_turn_view(struct km_mcp_turn *t);
/* There is no view (why: km_mcp_view_for's): 404 where the path names nobody. */
void km_mcp_turn_no_view(struct km_mcp_turn *t, int why, const char *message);

/* views.c: what this caller sees; a reference.  KM_E_NOT_FOUND: the path names nobody. */
int km_mcp_view_for(struct km_mcp_arrival *in, struct km_str capabilities, struct km_mcp_view **ret,
                    struct km_err *err) KM_MUST_USE;
/* Its one tool is kanmon's own, to log in (oauth.h). */
bool km_mcp_member_offers_login(const struct km_mcp_member *m);
/* It does because the token the caller came with could not be exchanged, or was none, or because
 * the caller has left no credential: why. */
bool km_mcp_no_token(const struct km_mcp_arrival *in, const struct km_mcp_member *m,
                     struct km_err *ret);
#define KM_MCP_VIEWS_MOST 1024
void km_mcp_views_drop(struct km_mcp_hub *hub); /* all that are kept */

#endif
