/* SPDX-License-Identifier: Apache-2.0 */
/* veil.h - what upstreams say of failures, without the deployment's credentials (base/veil.h).
 *
 *     answers from 300 on     the HTTP server, all routes (http/server.h)
 *     log lines               base/log
 *     an upstream's refusal   km_veil_answer(), before it is read or passed on
 *     why a call failed       km_veil_failure(), before it is told, as an event too
 *     an event of a stream    km_veil_event(), all but what is known to be content
 *     a failure of status 200 km_veil_whole()
 *     any other message       km_veil_str(), in sessions and of MCP servers
 *     a field of any answer   km_veil_field(), what the gateway knows to be a credential
 *
 * The content of what went well is never touched.
 */
#ifndef KM_CALL_VEIL_H
#define KM_CALL_VEIL_H

#include "base/arena.h"
#include "http/message.h"

struct km_call;
struct km_veil;

/* The text itself where nothing was cut; empty: no memory. */
struct km_str km_veil_str(struct km_veil *veil, struct km_arena *arena, struct km_str text);
/* The value of a header field as a client may have it; refused: of what did not go well.  false: a
 * credential is in its name, and no client gets it. */
bool km_veil_field(struct km_veil *veil, struct km_arena *arena, const struct km_header *field,
                   bool refused, struct km_str *ret_value) KM_MUST_USE;
/* true: no field has one in its name or value.  false: it is to be asked of each. */
bool km_veil_is_clear(const struct km_veil *veil, const struct km_headers *h);
/* The body and the head of an upstream's refusal that the call has gathered. */
void km_veil_answer(struct km_call *call);
/* Does a stream's event, or some of them, say that something failed?  By a name, or by "error" as a
 * value or as a member that is not null, but where a client or a model chose that word. */
bool km_veil_tells_failure(struct km_str event);

/* An event of a stream, or some of them, as a client may have it; true: it is appended to out, some
 * of it cut.  false: it leaves as it is, out is as it was. */
bool km_veil_event(struct km_veil *veil, struct km_str event, struct km_buf *out);
/* Where an answer of status 200 that the call has gathered says what failed, it is cut as a refusal
 * is, by value alone: it may be content.  type: its Content-Type. */
void km_veil_whole(struct km_call *call, struct km_str type);

/* Puts a unit into the call's answer, before its head, that lets a text event stream through which
 * is passed on as it comes: whole events, of which those that tell of a failure are cut; the
 * beginning of the next one waits for its end.  An event over KM_VEIL_EVENT_BYTES does not wait. */
#define KM_VEIL_EVENT_BYTES ((size_t)1 << 20)
void km_veil_stream(struct km_call *call);

/* call->err. */
void km_veil_failure(struct km_call *call);

#endif
