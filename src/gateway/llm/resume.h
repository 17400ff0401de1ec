/* SPDX-License-Identifier: Apache-2.0 */
/* resume.h - LLM streams that go on at another deployment (call/resume.h): what is heard of them,
 * and what says the rest. */
#ifndef KM_GATEWAY_LLM_RESUME_H
#define KM_GATEWAY_LLM_RESUME_H

#include "call/call.h"
#include "call/resume.h"

struct km_chat;
struct km_sse_event;

/* An event of a stream that is passed on was read, and `out` has from `before` on what the client
 * gets of it: that is noted.  What says that the stream failed is kept back where another upstream
 * may go on. */
void km_llm_note_told(struct km_call *call, const struct km_sse_event *event, size_t before,
                      struct km_buf *out);
/* Such an event came: why the attempt failed.  0: none did. */
int km_llm_kept_back(struct km_call *call, struct km_err *err) KM_MUST_USE;

/* --- of translated attempts --- */
/* The request is one that goes on. */
int km_llm_continue(struct km_call *call, struct km_chat *chat, struct km_err *err) KM_MUST_USE;
/* What this answer's events are said by; makes what goes on with a stream that was passed on. */
int km_llm_take_voice(struct km_call *call, struct km_buf *out, struct km_err *err) KM_MUST_USE;
/* What says the answer to the client; NULL: nothing was begun. */
struct km_answer *km_llm_voice(struct km_call *call);
/* The bytes of several events, each to the units of the call as one that was passed on. */
int km_llm_give_events(struct km_call *call, struct km_str bytes, struct km_err *err) KM_MUST_USE;
/* The end of a stream that went on, whole or broken.  As kind->last. */
bool km_llm_resumed_last(struct km_call *call, struct km_buf *out);

#endif
