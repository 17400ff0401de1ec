/* SPDX-License-Identifier: Apache-2.0 */
/* messages_encode.c - an answer's events as Messages has them, streamed and whole.
 *
 *     START                        message_start
 *     first event of a block       content_block_stop of the one before, content_block_start
 *     TEXT, REFUSAL                content_block_delta text_delta
 *     REASONING                    ... thinking_delta
 *     TOOL_INPUT                   ... input_json_delta
 *     CITATION                     ... citations_delta, of the text that is open
 *     SIGNATURE                    kept; one signature_delta before its block stops, for clients
 *                                  take each for the whole
 *     REDACTED                     content_block_start with all of it
 *     FINISH, USAGE                kept
 *     end()                        content_block_stop, message_delta, message_stop
 *
 * Blocks are numbered from 0 without a gap and never interleave.  message_start must say usage;
 * what is known then is an estimate, and message_delta says all of it again.  Only one answer can
 * be given: of several choices the first.
 */
#include "llm/api/citations.h"
#include "llm/api/messages.h"
#include "llm/dropped.h"
#include "llm/told.h"
#include "llm/usage.h"

enum block_kind { BLOCK_NONE, BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL, BLOCK_REDACTED };

struct state {
    enum block_kind kind; /* of the block that is open */
    unsigned block; /* its number in the answer's events */
    unsigned index; /* its number here: how many were before */
    enum km_finish finish;
    struct km_str finish_text;
    char *signature; /* of the block under way */
    size_t signature_n, signature_cap;
    bool refused; /* a refusal was told as text: Messages has a reason to stop for it */
};

/* --- what both forms share --- */

static const char *stop_reason(enum km_finish finish)
{
    static const char *const reasons[] = {
        [KM_FINISH_NONE] = "end_turn",       [KM_FINISH_STOP] = "end_turn",
        [KM_FINISH_LENGTH] = "max_tokens",   [KM_FINISH_STOP_SEQUENCE] = "stop_sequence",
        [KM_FINISH_TOOLS] = "tool_use",      [KM_FINISH_FILTER] = "refusal",
        [KM_FINISH_PAUSE] = "pause_turn",
    };

    return reasons[finish];
}

static void write_stop(struct km_json_out *o, enum km_finish finish, struct km_str text)
{
    km_out_member(o, "stop_reason", km_str_c(stop_reason(finish)));
    km_out_key(o, "stop_sequence");
    if (finish == KM_FINISH_STOP_SEQUENCE && text.n)
        km_out_str(o, text);
    else
        km_out_null(o);
    if (finish != KM_FINISH_FILTER)
        return;
    km_out_key(o, "stop_details");
    km_out_open(o, '{');
    km_out_member(o, "type", KM_STR("refusal"));
    km_out_key(o, "category");
    km_out_null(o);
    km_out_key(o, "explanation");
    if (text.n)
        km_out_str(o, text);
    else
        km_out_null(o);
    km_out_close(o, '}');
}

void km_messages_usage(struct km_json_out *o, const struct km_usage *u)
{
    int64_t input = u->prompt_tokens - u->cached_tokens - u->cache_write_tokens;

    km_out_key(o, "usage");
    km_out_open(o, '{');
    km_out_member_i64(o, "input_tokens", input > 0 ? input : 0);
    km_out_member_i64(o, "cache_creation_input_tokens", u->cache_write_tokens);
    if (u->cache_write_1h_tokens) {
        km_out_key(o, "cache_creation");
        km_usage_write_split(o, u);
    }
    km_out_member_i64(o, "cache_read_input_tokens", u->cached_tokens);
    km_out_member_i64(o, "output_tokens", u->completion_tokens);
    if (u->reasoning_tokens > 0) {
        km_out_key(o, "output_tokens_details");
        km_out_open(o, '{');
        km_out_member_i64(o, "thinking_tokens", u->reasoning_tokens);
        km_out_close(o, '}');
    }
    if (u->said & KM_SAID_SERVICE)
        km_out_member(o, "service_tier",
                      u->service == KM_SERVICE_PRIORITY ? KM_STR("priority")
                      : u->service == KM_SERVICE_BATCH  ? KM_STR("batch")
                                                        : KM_STR("standard"));
    km_out_close(o, '}');
}

static void write_front(struct km_json_out *o, const struct km_answer *a)
{
    km_out_member(o, "id", km_answer_id(a, KM_STR("msg_")));
    km_out_member(o, "type", KM_STR("message"));
    km_out_member(o, "role", KM_STR("assistant"));
    km_out_member(o, "model", a->model);
}

/* Where a provider signs its calls, the id carries the signature: Messages has no other place. */
static struct km_str signed_id(struct km_arena *arena, struct km_str id, struct km_str signature)
{
    if (!signature.n)
        return id;
    return km_arena_cat(arena, (struct km_str[]){ id, KM_STR(KM_MESSAGES_SIGNED), signature }, 3);
}

static void write_use(struct km_json_out *o, struct km_str id, struct km_str name,
                      struct km_str input)
{
    km_out_member(o, "type", KM_STR("tool_use"));
    km_out_member(o, "id", id);
    km_out_member(o, "name", name);
    km_out_member_raw(o, "input", input);
}

/* --- streams --- */

static void open_event(struct km_answer *a, struct km_json_out *o, const char *type)
{
    km_buf_str(a->out, KM_STR("event: "));
    km_buf_str(a->out, km_str_c(type));
    km_buf_str(a->out, KM_STR("\ndata: "));
    km_json_out_init(o, a->out);
    km_out_open(o, '{');
    km_out_member(o, "type", km_str_c(type));
}

static void close_event(struct km_answer *a, struct km_json_out *o)
{
    km_out_close(o, '}');
    km_buf_str(a->out, KM_STR("\n\n"));
}

static void on_start(struct km_answer *a)
{
    struct km_usage u = { .prompt_tokens =
                              a->usage.known ? a->usage.prompt_tokens : a->prompt_estimate };
    struct km_json_out o;

    open_event(a, &o, "message_start");
    km_out_key(&o, "message");
    km_out_open(&o, '{');
    write_front(&o, a);
    km_out_key(&o, "content");
    km_out_open(&o, '[');
    km_out_close(&o, ']');
    km_out_key(&o, "stop_reason");
    km_out_null(&o);
    km_out_key(&o, "stop_sequence");
    km_out_null(&o);
    km_messages_usage(&o, &u);
    km_out_close(&o, '}');
    close_event(a, &o);
}

/* {"type":"content_block_delta","index":0,"delta":{"type":type, name: text}} */
static void delta(struct km_answer *a, const char *type, const char *name, struct km_str text)
{
    const struct state *s = a->state;

    km_buf_str(a->out, KM_STR("event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                              "\"index\":"));
    km_buf_u64(a->out, s->index);
    km_buf_str(a->out, KM_STR(",\"delta\":{\"type\":\""));
    km_buf_str(a->out, km_str_c(type));
    km_buf_str(a->out, KM_STR("\",\""));
    km_buf_str(a->out, km_str_c(name));
    km_buf_str(a->out, KM_STR("\":"));
    km_buf_json(a->out, text);
    km_buf_str(a->out, KM_STR("}}\n\n"));
}

static void end_block(struct km_answer *a)
{
    struct state *s = a->state;
    struct km_json_out o;

    if (s->kind == BLOCK_NONE)
        return;
    if (s->signature_n)
        delta(a, "signature_delta", "signature", km_str(s->signature, s->signature_n));
    s->signature_n = 0;
    open_event(a, &o, "content_block_stop");
    km_out_member_i64(&o, "index", s->index);
    close_event(a, &o);
    s->index++;
    s->kind = BLOCK_NONE;
}

static enum block_kind kind_of(enum km_chat_event_kind kind)
{
    switch (kind) {
    case KM_CHAT_REASONING:
    case KM_CHAT_SIGNATURE:
        return BLOCK_THINKING;
    case KM_CHAT_REDACTED:
        return BLOCK_REDACTED;
    case KM_CHAT_TOOL:
    case KM_CHAT_TOOL_INPUT:
        return BLOCK_TOOL;
    default:
        return BLOCK_TEXT;
    }
}

static void write_beginning(struct km_json_out *o, struct km_answer *a,
                            const struct km_chat_event *e)
{
    switch (kind_of(e->kind)) {
    case BLOCK_THINKING:
        km_out_member(o, "type", KM_STR("thinking"));
        km_out_member(o, "thinking", KM_STR(""));
        km_out_member(o, "signature", KM_STR(""));
        return;
    case BLOCK_REDACTED:
        km_out_member(o, "type", KM_STR("redacted_thinking"));
        km_out_member(o, "data", e->text);
        return;
    case BLOCK_TOOL:
        write_use(o, signed_id(a->arena, e->id, e->text), e->name, KM_STR("{}"));
        return;
    default:
        km_out_member(o, "type", KM_STR("text"));
        km_out_member(o, "text", KM_STR(""));
        return;
    }
}

static void begin_block(struct km_answer *a, const struct km_chat_event *e)
{
    struct state *s = a->state;
    enum block_kind kind = kind_of(e->kind);
    struct km_json_out o;

    if (s->kind == kind && s->block == e->block && e->kind != KM_CHAT_TOOL)
        return;
    end_block(a);
    s->kind = kind;
    s->block = e->block;
    open_event(a, &o, "content_block_start");
    km_out_member_i64(&o, "index", s->index);
    km_out_key(&o, "content_block");
    km_out_open(&o, '{');
    write_beginning(&o, a, e);
    km_out_close(&o, '}');
    close_event(a, &o);
}

static int keep_signature(struct km_answer *a, struct km_str piece, struct km_err *err)
{
    struct state *s = a->state;

    if (piece.n > s->signature_cap - s->signature_n) {
        size_t cap = s->signature_cap ? s->signature_cap * 2 : 1024;
        char *p;

        while (cap < s->signature_n + piece.n)
            cap *= 2;
        p = km_arena_alloc(a->arena, cap);
        if (!p)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        if (s->signature_n)
            memcpy(p, s->signature, s->signature_n);
        s->signature = p;
        s->signature_cap = cap;
    }
    if (piece.n)
        memcpy(s->signature + s->signature_n, piece.p, piece.n);
    s->signature_n += piece.n;
    return 0;
}

static int on_content(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    begin_block(a, e);
    switch (e->kind) {
    case KM_CHAT_REFUSAL:
        ((struct state *)a->state)->refused = true;
        delta(a, "text_delta", "text", e->text);
        return 0;
    case KM_CHAT_TEXT:
        delta(a, "text_delta", "text", e->text);
        return 0;
    case KM_CHAT_REASONING:
        delta(a, "thinking_delta", "thinking", e->text);
        return 0;
    case KM_CHAT_SIGNATURE:
        return keep_signature(a, e->text, err);
    case KM_CHAT_TOOL_INPUT:
        delta(a, "input_json_delta", "partial_json", e->text);
        return 0;
    default:
        return 0;
    }
}

static void on_citation(struct km_answer *a, const struct km_chat_event *e)
{
    const struct state *s = a->state;
    struct km_json_out o;

    if (e->choice != 0 || s->kind != BLOCK_TEXT) {
        km_cite_lost(a);
        return;
    }
    open_event(a, &o, "content_block_delta");
    km_out_member_i64(&o, "index", s->index);
    km_out_key(&o, "delta");
    km_out_open(&o, '{');
    km_out_member(&o, "type", KM_STR("citations_delta"));
    km_out_key(&o, "citation");
    km_cite_messages(a, &o, e->citation);
    km_out_close(&o, '}');
    close_event(a, &o);
}

static int on_event(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct state *s = a->state;

    switch (e->kind) {
    case KM_CHAT_START:
        on_start(a);
        return 0;
    case KM_CHAT_USAGE:
        return 0;
    case KM_CHAT_LOGPROBS:
        km_dropped_note(a->dropped, KM_STR("logprobs"));
        return 0;
    case KM_CHAT_CITATION:
        on_citation(a, e);
        return 0;
    case KM_CHAT_FINISH:
        if (e->choice == 0) {
            s->finish = e->finish;
            s->finish_text = km_arena_str(a->arena, e->text);
        }
        return 0;
    default:
        return e->choice == 0 ? on_content(a, e, err) : 0;
    }
}

static void on_end(struct km_answer *a)
{
    const struct state *s = a->state;
    struct km_usage u = km_answer_usage(a);
    struct km_json_out o;

    end_block(a);
    open_event(a, &o, "message_delta");
    km_out_key(&o, "delta");
    km_out_open(&o, '{');
    write_stop(&o, s->refused && s->finish == KM_FINISH_STOP ? KM_FINISH_FILTER : s->finish,
               s->finish_text);
    km_out_close(&o, '}');
    km_messages_usage(&o, &u);
    close_event(a, &o);
    open_event(a, &o, "message_stop");
    close_event(a, &o);
}

/* --- whole answers --- */

static void write_citations(struct km_answer *a, struct km_json_out *o, const struct km_part *p)
{
    if (!p->citations)
        return;
    km_out_key(o, "citations");
    km_out_open(o, '[');
    for (const struct km_citation *c = p->citations; c; c = c->next)
        km_cite_messages(a, o, c);
    km_out_close(o, ']');
}

static void write_part(struct km_answer *a, struct km_json_out *o, const struct km_part *p)
{
    km_out_open(o, '{');
    switch (p->kind) {
    case KM_PART_REASONING:
        km_out_member(o, "type", KM_STR("thinking"));
        km_out_member(o, "thinking", p->text);
        km_out_member(o, "signature", p->signature);
        break;
    case KM_PART_REDACTED:
        km_out_member(o, "type", KM_STR("redacted_thinking"));
        km_out_member(o, "data", p->text);
        break;
    case KM_PART_TOOL_USE:
        write_use(o, signed_id(a->arena, p->id, p->signature), p->name,
                  p->input_json.n ? p->input_json : KM_STR("{}"));
        break;
    default:
        km_out_member(o, "type", KM_STR("text"));
        km_out_member(o, "text", p->text);
        write_citations(a, o, p);
        break;
    }
    km_out_close(o, '}');
}

static bool is_object(const struct km_arena *arena, struct km_str text)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, arena->cap, arena->pool);
    return km_json_parse_answer(&scratch, text, &root, NULL) == 0 &&
           km_json_kind(root) == KM_JSON_OBJECT;
}

/* The input of a call is what a model wrote: it may be no JSON at all. */
static int check_input(const struct km_answer *a, const struct km_part *p, struct km_err *err)
{
    if (p->kind != KM_PART_TOOL_USE || !p->input_json.n || is_object(a->arena, p->input_json))
        return 0;
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The model called tool '%.*s' with an input that is no JSON object.",
                   KM_STR_ARG(km_str_sub(p->name, 0, 128)));
}

static enum km_finish finish_of(const struct km_choice *c)
{
    for (const struct km_part *p = c->parts; p; p = p->next)
        if (p->kind == KM_PART_REFUSAL && c->finish == KM_FINISH_STOP)
            return KM_FINISH_FILTER;
    return c->finish;
}

static int on_whole(struct km_answer *a, struct km_err *err)
{
    static const struct km_choice none;
    const struct km_choice *c = a->nchoices ? &a->choices[0] : &none;
    struct km_usage u = km_answer_usage(a);
    struct km_json_out o;
    int r = 0;

    km_json_out_init(&o, a->out);
    km_out_open(&o, '{');
    write_front(&o, a);
    km_out_key(&o, "content");
    km_out_open(&o, '[');
    for (const struct km_part *p = c->parts; r == 0 && p; p = p->next) {
        r = check_input(a, p, err);
        if (r == 0)
            write_part(a, &o, p);
    }
    km_out_close(&o, ']');
    write_stop(&o, finish_of(c), c->finish_text);
    km_messages_usage(&o, &u);
    km_out_close(&o, '}');
    return r;
}

static int go_on(struct km_answer *a, const struct km_told *told, struct km_err *err)
{
    struct state *s = a->state;

    (void)err;
    s->kind = told->open ? BLOCK_TEXT : BLOCK_NONE;
    s->index = (unsigned)(told->open ? told->index : told->index + 1);
    return 0;
}

const struct km_encoder km_messages_encoder = {
    .state_size = sizeof(struct state),
    .event = on_event,
    .end = on_end,
    .whole = on_whole,
    .go_on = go_on,
};
