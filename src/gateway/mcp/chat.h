/* SPDX-License-Identifier: Apache-2.0 */
/* chat.h - chats with `tools: [{"type": "mcp", "server_url": "litellm_proxy..."}]`.
 *
 *     request ──> functions of the MCP tools, beside the caller's own
 *        ┌──────> round: the same body as a call within (ask.h)
 *        │          └── calls of MCP tools ──> tools/call within, one after the other
 *        └──────────────── their results, as messages ───┘
 *                   └── anything else ──> the caller
 *
 * As LiteLLM does it: tools with require_approval "never" are run here and the model goes on, at
 * most kanmon_settings.mcp_chat_rounds times; those of other tools are given to the caller as
 * calls of functions.  Where a turn calls both, the caller gets its own functions' calls and none
 * of the tools is run: the model asks for them again when it has the functions' results.
 *
 * The chat is a call that pays nothing: it has the key's place among those that run at once, its
 * deadline is that of all, and each round and each tool call is a call within it, in the caller's
 * name, with its own books.
 * Thread: the call's worker.
 */
#ifndef KM_GATEWAY_MCP_CHAT_H
#define KM_GATEWAY_MCP_CHAT_H

#include "call/ask.h"
#include "call/hooks.h"
#include "gateway/mcp/turn.h"
#include "http/sse.h"

#define KM_MCP_CHAT_SPECS 32 /* mcp tools of one request */
#define KM_MCP_CHAT_TOOLS 1000 /* functions they become */
#define KM_MCP_CHAT_CALLS 64 /* tool calls of one round */
#define KM_MCP_CHAT_TEXT ((size_t)1024 * 1024) /* of one result, as the model sees it */
#define KM_MCP_CHAT_BYTES ((size_t)128 << 20) /* of one body, there or back */
#define KM_MCP_CHAT_HEAD ((size_t)32 * 1024) /* of header lines */
#define KM_MCP_CHAT_KEPT 5 /* members of a streamed turn, chat_turn.c */

/* At `prepared`: a call whose body has such tools becomes a chat. */
extern const struct km_call_hook km_mcp_chat_hook;

/* --- private to chat*.c --- */

struct km_mcp_chat_spec { /* one tool of type mcp */
    struct km_mcp_reach reach;
    struct km_str label;
    struct km_str head; /* header lines for its calls */
    const struct km_json *allowed; /* names; NULL: all */
    const struct km_json *never; /* names that need no approval; NULL: see auto_run */
    bool auto_run; /* require_approval is "never" */
};

struct km_mcp_chat_fn { /* one function */
    struct km_str name, json; /* as the model sees it; complete JSON */
    struct km_str title; /* the tool's entry of mcp_list_tools of a Responses answer */
    const struct km_mcp_chat_spec *spec;
    bool auto_run;
};

struct km_mcp_chat_call { /* of one round */
    struct km_buf id, name, arguments; /* streams bring them in pieces */
    struct km_buf more; /* other members of a streamed call: `,"extra_content":{...}` */
    const struct km_mcp_chat_fn *fn; /* NULL: the caller's own function */
};

struct km_mcp_chat {
    struct km_call *call; /* holds it */
    struct km_arena arena; /* of all rounds: their bodies are long */
    struct km_asker asker;
    struct km_visit *v;
    const struct km_json *root;
    struct km_str body;

    struct km_mcp_chat_spec specs[KM_MCP_CHAT_SPECS];
    size_t nspecs;
    struct km_mcp_chat_fn *fns;
    size_t nfns;
    struct km_str tools; /* the array the model is given */
    struct km_mcp_arrival in; /* what views are made for */
    struct km_mcp_wait *wait;
    struct km_deferred begin;

    struct km_buf turns; /* what came after the caller's messages: ",{...},{...}" */
    struct km_buf items; /* of a Responses answer: mcp_list_tools, mcp_call */
    struct km_buf calls_made, results; /* for provider_specific_fields */
    int64_t cost; /* nano-USD, of all rounds */

    /* the call within that is under way */
    struct km_arena inner;
    struct km_question *question;
    struct km_buf answer;
    struct km_buf head; /* x-... lines of the last round's answer */
    struct km_mcp_chat_call calls[KM_MCP_CHAT_CALLS];
    size_t ncalls, at;
    struct km_str shown; /* of a Responses answer: items the caller sees although it goes on */
    struct km_str said; /* the assistant's turn, complete JSON; of a Responses answer its output */

    /* streaming */
    struct km_sse *sse;
    struct km_buf kept[KM_MCP_CHAT_KEPT]; /* what this round said beside its calls */
    struct km_buf held; /* events that wait for the end of the round */
    struct km_buf first; /* id, created, model of the stream: members of a chunk */

    struct km_buf final; /* what the caller is answered with, whole */
    unsigned round;
    int status; /* of the answer within */
    bool responses, stream; /* what was asked for */
    bool waited; /* for lists */
    bool crowded; /* the turn has more calls than are kept */
    bool listed, done; /* of the stream: it named the tools; its round cannot be read any more */
    bool refused; /* the answer is what a round was refused with */
};

/* chat.c: ends, after which the chat may be gone; and the wait for the lists is over */
void km_mcp_chat_fail(struct km_mcp_chat *c, const struct km_err *err);
void km_mcp_chat_no_memory(struct km_mcp_chat *c);
void km_mcp_chat_give(struct km_mcp_chat *c, const struct km_json *root); /* a whole answer */
void km_mcp_chat_refused(struct km_mcp_chat *c); /* what the round was refused with */
void km_mcp_chat_end_stream(struct km_mcp_chat *c); /* all of it was written */
void km_mcp_chat_listed(struct km_mcp_chat *c);
/* A caller that takes no more for now pauses the round. */
void km_mcp_chat_write(struct km_mcp_chat *c, struct km_str bytes);

/* chat_round.c */
void km_mcp_chat_round(struct km_mcp_chat *c); /* the next one */
void km_mcp_chat_reset(struct km_mcp_chat *c); /* what the last one within brought is forgotten */
void km_mcp_chat_bytes(void *ctx, struct km_str bytes); /* of a body, into c->answer */

/* chat_run.c */
bool km_mcp_chat_runs(struct km_mcp_chat *c); /* the turn's calls are all to be run here */
void km_mcp_chat_run(struct km_mcp_chat *c); /* then the next round */

/* chat_turn.c */
void km_mcp_chat_forget(struct km_mcp_chat *c);
void km_mcp_chat_hear(struct km_mcp_chat *c, const struct km_json *root); /* a whole answer */
void km_mcp_chat_add(struct km_mcp_chat *c, const struct km_json *delta); /* a piece of one */
bool km_mcp_chat_say(struct km_mcp_chat *c); /* the pieces as c->said; false: too large */
/* `"id":...,"type":"function",...}` */
void km_mcp_chat_put_call(const struct km_mcp_chat_call *call, struct km_buf *b);

/* chat_tools.c */
bool km_mcp_chat_read(struct km_mcp_chat *c); /* false: none of its tools is ours */
int km_mcp_chat_list(struct km_mcp_chat *c, struct km_err *err) KM_MUST_USE; /* E_AGAIN: waits */
const struct km_mcp_chat_fn *km_mcp_chat_find(const struct km_mcp_chat *c, struct km_str name);
/* The text of a tools/call's answer for the model, into out; false: it is an error. */
bool km_mcp_chat_text(struct km_arena *arena, struct km_str answer, struct km_buf *out);

/* chat_answer.c */
void km_mcp_chat_answer(const struct km_mcp_chat *c, const struct km_json *root, struct km_buf *b);
void km_mcp_chat_metadata(const struct km_mcp_chat *c, bool list, struct km_buf *b);
/* The turn calls functions of the caller's beside tools that would be run here; then
 * these calls are the caller's business and the others are left out. */
bool km_mcp_chat_mixed(const struct km_mcp_chat *c);

/* chat_stream.c */
int km_mcp_chat_event(struct km_mcp_chat *c, const struct km_sse_event *event);
void km_mcp_chat_release(struct km_mcp_chat *c); /* the held events, and the end */
/* Responses, as events; false: too large. */
bool km_mcp_chat_replay(struct km_mcp_chat *c, struct km_str json);

#endif
