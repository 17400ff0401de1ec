/* SPDX-License-Identifier: Apache-2.0 */
/* dialect.h - whose errors a caller understands, and an error in those words.
 *
 * Pure functions on text; any thread.
 */
#ifndef KM_LLM_DIALECT_H
#define KM_LLM_DIALECT_H

#include "base/buf.h"
#include "base/err.h"

enum km_dialect { KM_DIALECT_OPENAI, KM_DIALECT_ANTHROPIC, KM_DIALECT_GOOGLE, KM_DIALECT_AWS };

/* Whose errors a path's callers understand, before anything else is known of the request. */
enum km_dialect km_dialect_of(struct km_str path);

/* Puts an error into the dialect's words, once, when it is known that it is what the caller gets:
 * status, type, reason and sentence of its kind (llm/refusal.h), as the dialect's own clients match
 * them.  An error of no kind stays as it is. */
void km_error_face(enum km_dialect dialect, struct km_err *err);

/* The word OpenAI's clients branch on ("context_length_exceeded"); NULL: there is none. */
const char *km_error_reason(const struct km_err *err);

/* An error as a body.  id: of the call, or empty.
 *     OpenAI     {"error":{"message","type","param","code"}}; code is the reason, or the status
 *                as a string, LiteLLM's way
 *     Anthropic  {"type":"error","error":{"type","message"},"request_id"}
 *     Google     {"error":{"code","message","status"}}
 *     AWS        {"__type","message"} */
void km_error_json(enum km_dialect dialect, const struct km_err *err, struct km_str id,
                   struct km_buf *out);
/* Do those who read this dialect's streams raise at an error event?  Then such a stream ends as its
 * transport should: of a torn connection the Vercel AI SDK tells that alone, and not what the event
 * says.  Google's own clients of before 2026 and that SDK pass its error events over. */
static inline bool km_error_event_is_heard(enum km_dialect dialect)
{
    return dialect == KM_DIALECT_OPENAI || dialect == KM_DIALECT_ANTHROPIC;
}
/* An event of a stream that says it broke. */
void km_error_event(enum km_dialect dialect, const struct km_err *err, struct km_str id,
                    struct km_buf *out);
/* Content-Type, Retry-After and the like of an error answer. */
void km_error_head(const struct km_err *err, struct km_buf *head);

#endif
