/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - an answer on its way from an upstream's codec to the caller's: a sequence of events.
 *
 *     upstream bytes -> codec (codec.h) -> km_answer_put() -> the caller's encoder -> bytes
 *
 * A streamed answer and a whole one are the same events; a whole one has few of them.  The
 * grammar, which decoders keep and encoders rely on:
 *
 *     START  ( BLOCK DELTA* )*  FINISH  [USAGE]        USAGE may come anywhere, the last one holds
 *
 * - START comes once and first.
 * - A block (text, reasoning, a tool's call, a refusal) begins implicitly with its first event;
 *   its number `block` counts from 0, never goes back, and the events of one block stand
 *   together: a decoder whose upstream interleaves blocks gathers them.  `choice` is 0 unless
 *   the caller asked for several answers; blocks count within their choice, and the events of
 *   several choices may alternate.
 * - A tool's call begins with TOOL (id and name, whole) and goes on with TOOL_INPUT fragments of
 *   its JSON; a call without input has none, or "{}".
 * - CITATION is of text that came already, and begins no block.
 * - FINISH comes once a choice.  A decoder that never saw its upstream's end says so at its end
 *   (KM_E_UPSTREAM_PROTOCOL) and invents none.
 *
 * Views in an event die when km_answer_put() returns.
 */
#ifndef KM_LLM_ANSWER_H
#define KM_LLM_ANSWER_H

#include "base/buf.h"
#include "llm/chat.h"
#include "llm/citation.h"
#include "policy/pace.h"
#include "policy/price.h"

enum km_chat_event_kind {
    KM_CHAT_START, /* id: the upstream's id of the answer, may be empty */
    KM_CHAT_TEXT, /* text: a piece */
    KM_CHAT_REASONING, /* text: a piece */
    KM_CHAT_SIGNATURE, /* text: the signature of the reasoning block under way, or a piece of it */
    KM_CHAT_REDACTED, /* text: a whole sealed block, base64 */
    KM_CHAT_REFUSAL, /* text: a piece */
    KM_CHAT_TOOL, /* id, name; text: its signature where its provider signs calls */
    KM_CHAT_TOOL_INPUT, /* text: a piece of its input's JSON */
    KM_CHAT_LOGPROBS, /* text: OpenAI's `logprobs` object of the piece before, JSON */
    KM_CHAT_FINISH, /* finish, and text: the stop sequence that was met, or a refusal's reason */
    KM_CHAT_USAGE, /* usage */
    KM_CHAT_CITATION, /* citation: by km_answer_cite() */
};

enum km_finish {
    KM_FINISH_NONE, /* not finished */
    KM_FINISH_STOP,
    KM_FINISH_STOP_SEQUENCE, /* OpenAI and Gemini do not tell it from STOP */
    KM_FINISH_LENGTH,
    KM_FINISH_TOOLS,
    KM_FINISH_FILTER, /* a filter or a refusal */
    KM_FINISH_PAUSE, /* Anthropic's pause_turn: go on by sending it back */
};

struct km_chat_event {
    enum km_chat_event_kind kind;
    unsigned choice, block;
    struct km_str text, id, name;
    enum km_finish finish;
    struct km_usage usage; /* .known: its counts can be */
    const struct km_citation *citation; /* lives as long as the answer */
};

struct km_answer;
struct km_llm_request;
struct km_told; /* told.h */

/* What the caller speaks: one of these an inbound API (api.h).  Appends to a->out. */
struct km_encoder {
    size_t state_size; /* zeroed bytes at a->state */
    /* Of a stream: what the client gets of this event; possibly nothing. */
    int (*event)(struct km_answer *a, const struct km_chat_event *e, struct km_err *err);
    /* The end of a stream that ended as it should ("data: [DONE]", message_stop). */
    void (*end)(struct km_answer *a);
    /* The whole answer at once, from what was gathered (a->choices). */
    int (*whole)(struct km_answer *a, struct km_err *err);
    /* The end of a stream that broke: an error event.  NULL: the dialect's common one. */
    void (*fail)(struct km_answer *a, const struct km_err *err);
    /* The state that the encoder would have behind what the client was told of a stream that was
     * passed on: its next event goes on there.  Writes nothing.  NULL: it cannot. */
    int (*go_on)(struct km_answer *a, const struct km_told *told, struct km_err *err);
    bool gathers; /* streams too need the whole at their end (Responses) */
    bool logprobs; /* has a place for them; who has none notes those of a stream itself */
};

/* One of the answers asked for, gathered. */
struct km_choice {
    struct km_part *parts;
    enum km_finish finish;
    struct km_str finish_text;
    struct km_str logprobs_json;
};

/* A text under way, and the block it belongs to: answer.c's. */
struct km_gathering {
    char *p;
    size_t n, cap;
};
struct km_gather {
    struct km_part *part, *last;
    struct km_gathering text, signature;
    unsigned block;
    bool open;
};

#define KM_CHOICES_MOST 128

struct km_answer {
    const struct km_encoder *to;
    void *state; /* the encoder's */
    const struct km_llm_request *request; /* what is answered; lives as long */
    struct km_arena *arena; /* the call's: what must live to the answer's end */
    struct km_buf *out; /* the client's bytes; its owner sends and empties it */
    /* Of a stream: who gets its events instead of the encoder, and says later, by km_answer_say(),
     * what it is to have; NULL: nobody. */
    int (*hand_on)(void *ctx, const struct km_chat_event *e, struct km_err *err);
    void *hand_ctx;
    bool stream; /* the client gets events */
    bool usage_asked; /* OpenAI's include_usage */
    bool legacy_calls; /* OpenAI's `functions`: km_chat's */
    bool gathers; /* a stream is gathered too: the encoder asks for it, or citations are likely */
    struct km_dropped *dropped; /* where it is noted what the client is not told; or NULL */
    unsigned cited; /* citations so far */
    struct km_str model; /* the name the caller used */
    struct km_str id; /* the gateway's id of the answer, without any API's prefix */
    struct km_str whole_id; /* instead, with it: the client was told this one; or empty */
    struct km_told *watch; /* notes what the client is told, and places it; NULL: nobody does */
    const struct km_usage *told; /* what the client is told was used; NULL: what was */
    struct km_str upstream_id; /* START's, kept */
    int64_t created_s;
    int64_t prompt_estimate; /* tokens; for encoders that must say usage at their start */
    /* Kept by km_answer_put(): */
    struct km_usage usage;
    bool started, finished; /* finished: a FINISH for each choice seen so far */
    bool cut; /* it was ended early */
    uint64_t open[KM_CHOICES_MOST / 64]; /* bit a choice: it has said something and no FINISH */
    uint64_t events; /* that carry output */
    struct km_text_heard heard; /* text, reasoning and tools' input: an estimate's base */
    struct km_choice *choices; /* gathered: whole answers, and where the encoder gathers */
    size_t nchoices;
    struct km_gather **gather; /* by choice, while it grows */
    unsigned room; /* in both */
};

/* Counts what the upstream said, and says it or hands it on.  Checks the grammar: a decoder's
 * fault is KM_E_UPSTREAM_PROTOCOL, never an assertion, for upstreams misbehave. */
int km_answer_put(struct km_answer *a, const struct km_chat_event *e,
                  struct km_err *err) KM_MUST_USE;

/* What the client is told: gathers it where a whole is asked for, and of a stream encodes it into
 * a->out.  KM_E_NOMEM: also a choice over KM_CHOICES_MOST. */
int km_answer_say(struct km_answer *a, const struct km_chat_event *e,
                  struct km_err *err) KM_MUST_USE;

/* A citation of the choice's text, copied.  One over KM_CITATIONS_MOST is only noted. */
int km_answer_cite(struct km_answer *a, unsigned choice, unsigned block,
                   const struct km_citation *c, struct km_err *err) KM_MUST_USE;
/* The block under way, in characters of the choice's text; -1 where the text is not gathered. */
void km_answer_block_place(const struct km_answer *a, unsigned choice, int64_t *ret_start,
                           int64_t *ret_end);
/* The choice's text so far.  false: it is not gathered. */
bool km_answer_words(const struct km_answer *a, unsigned choice, struct km_str *ret);

/* The id that its client knows it by, behind its API's prefix if it is the gateway's own. */
struct km_str km_answer_id(const struct km_answer *a, struct km_str prefix);

/* Gathers what the client was told before this answer began, where a whole is wanted. */
int km_answer_tell_before(struct km_answer *a, struct km_str text, struct km_err *err) KM_MUST_USE;

/* Ends a stream early, as one whose output came to its bound: the events that its decoder owes.
 * told: what the client is told of its use.  The decoder puts nothing more; the encoder's end() is
 * the owner's, as ever. */
int km_answer_cut(struct km_answer *a, const struct km_usage *told, struct km_err *err) KM_MUST_USE;

struct km_json;

/* Reads an answer's text, or a part of it.  KM_E_UPSTREAM_PROTOCOL says where it is no JSON. */
struct km_arena;
int km_answer_json(struct km_arena *arena, struct km_str text, const struct km_json **ret_root,
                   struct km_err *err) KM_MUST_USE;
/* The same error, for who found that otherwise; why: the reader's. */
int km_answer_not_json(const struct km_err *why, struct km_err *err);

/* What was used: the upstream's word, or an estimate (.known false); of one that was cut, what was
 * told. */
struct km_usage km_answer_usage(const struct km_answer *a);

#endif
