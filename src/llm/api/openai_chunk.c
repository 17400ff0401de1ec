/* SPDX-License-Identifier: Apache-2.0 */
/* openai_chunk.c - an answer's events as OpenAI's stream: chat.completion.chunk after chunk.
 *
 *     START       ->  (nothing: each choice's first chunk says its role)
 *     TEXT        ->  delta.content
 *     REASONING   ->  delta.reasoning_content
 *     SIGNATURE   ->  kept; when its block is over, delta.thinking_blocks with the whole block,
 *                     for clients keep the last list they got and must be able to send it back
 *     TOOL        ->  delta.tool_calls: index, id, name, arguments ""
 *     TOOL_INPUT  ->  delta.tool_calls: index, a piece of the arguments
 *     FINISH      ->  delta {} with finish_reason
 *     end()       ->  the usage chunk, where it was asked for, and [DONE]
 *
 * What accumulates chunks at the other end is strict: a role in the first one, calls counted from
 * 0 whatever blocks they were, arguments of at least "{}" (but of a call that was cut off before
 * it had any, which is not to be made), a finish_reason for each choice.  What all chunks share is
 * written once and copied.
 */
#include "base/buf.h"
#include "llm/api/citations.h"
#include "llm/api/openai.h"
#include "llm/told.h"

struct reasoning {
    char *p;
    size_t n, cap;
};

struct choice {
    unsigned block, calls;
    bool begun, open; /* open: a block that has something to say at its end */
    bool tool, input; /* the block is a call; it has had input */
    struct reasoning text, signature;
};

struct chunks {
    struct km_str front, back; /* of every chunk, around the choices */
    struct choice one, *more; /* the first choice, and where there are others: all */
};

/* --- what chunks share --- */

static void prepare(struct km_answer *a, struct chunks *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&b, KM_STR("data: {\"id\":"));
    km_buf_json(&b, km_answer_id(a, KM_STR("chatcmpl-")));
    km_buf_printf(&b, ",\"object\":\"chat.completion.chunk\",\"created\":%lld,\"model\":",
                  (long long)a->created_s);
    km_buf_json(&b, a->model);
    km_buf_str(&b, KM_STR(",\"choices\":["));
    c->front = km_arena_str(a->arena, km_buf_view(&b));
    c->back = a->usage_asked ? KM_STR("],\"usage\":null}\n\n") : KM_STR("]}\n\n");
}

static struct choice *choice_at(struct km_answer *a, struct chunks *c, unsigned i)
{
    if (i == 0)
        return &c->one;
    if (!c->more)
        c->more = km_arena_zalloc(a->arena, KM_CHOICES_MOST * sizeof *c->more);
    return c->more ? &c->more[i] : NULL;
}

static void open_chunk(struct km_answer *a, unsigned choice)
{
    const struct chunks *c = a->state;

    km_buf_str(a->out, c->front);
    km_buf_str(a->out, KM_STR("{\"index\":"));
    km_buf_u64(a->out, choice);
    km_buf_str(a->out, KM_STR(",\"delta\":{"));
}

static void close_chunk(struct km_answer *a)
{
    const struct chunks *c = a->state;

    km_buf_str(a->out, KM_STR("},\"logprobs\":null,\"finish_reason\":null}"));
    km_buf_str(a->out, c->back);
}

static void member_chunk(struct km_answer *a, unsigned choice, struct km_str name,
                         struct km_str text)
{
    open_chunk(a, choice);
    km_buf_str(a->out, name);
    km_buf_json(a->out, text);
    close_chunk(a);
}

/* --- blocks --- */

static void keep(struct km_answer *a, struct reasoning *r, struct km_str piece)
{
    if (piece.n > r->cap - r->n) {
        size_t cap = r->cap ? r->cap * 2 : 512;
        char *p;

        while (cap < r->n + piece.n)
            cap *= 2;
        p = km_arena_alloc(a->arena, cap);
        if (!p)
            return;
        if (r->n)
            memcpy(p, r->p, r->n);
        r->p = p;
        r->cap = cap;
    }
    if (piece.n)
        memcpy(r->p + r->n, piece.p, piece.n);
    r->n += piece.n;
}

static void input_chunk(struct km_answer *a, unsigned choice, unsigned call, struct km_str piece)
{
    if (a->legacy_calls && call > 0) /* there is room for one */
        return;
    open_chunk(a, choice);
    if (a->legacy_calls) {
        km_buf_str(a->out, KM_STR("\"function_call\":{\"arguments\":"));
        km_buf_json(a->out, piece);
        km_buf_str(a->out, KM_STR("}"));
        close_chunk(a);
        return;
    }
    km_buf_str(a->out, KM_STR("\"tool_calls\":[{\"index\":"));
    km_buf_u64(a->out, call);
    km_buf_str(a->out, KM_STR(",\"function\":{\"arguments\":"));
    km_buf_json(a->out, piece);
    km_buf_str(a->out, KM_STR("}}]"));
    close_chunk(a);
}

static void end_block(struct km_answer *a, struct choice *ch, unsigned choice)
{
    if (ch->open && ch->tool && !ch->input && !a->cut)
        input_chunk(a, choice, ch->calls - 1, KM_STR("{}"));
    if (ch->open && !ch->tool && ch->signature.n) {
        open_chunk(a, choice);
        km_buf_str(a->out, KM_STR("\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":"));
        km_buf_json(a->out, km_str(ch->text.p, ch->text.n));
        km_buf_str(a->out, KM_STR(",\"signature\":"));
        km_buf_json(a->out, km_str(ch->signature.p, ch->signature.n));
        km_buf_str(a->out, KM_STR("}]"));
        close_chunk(a);
    }
    ch->open = ch->tool = ch->input = false;
    ch->text.n = ch->signature.n = 0;
}

static void begin_function_call(struct km_answer *a, struct choice *ch,
                                const struct km_chat_event *e)
{
    ch->open = ch->tool = true;
    if (ch->calls++ > 0)
        return;
    open_chunk(a, e->choice);
    km_buf_str(a->out, KM_STR("\"function_call\":{\"name\":"));
    km_buf_json(a->out, e->name);
    km_buf_str(a->out, KM_STR(",\"arguments\":\"\"}"));
    close_chunk(a);
}

static void begin_call(struct km_answer *a, struct choice *ch, const struct km_chat_event *e)
{
    if (a->legacy_calls) {
        begin_function_call(a, ch, e);
        return;
    }
    open_chunk(a, e->choice);
    km_buf_str(a->out, KM_STR("\"tool_calls\":[{\"index\":"));
    km_buf_u64(a->out, ch->calls++);
    km_buf_str(a->out, KM_STR(",\"id\":"));
    km_buf_json(a->out, e->id);
    km_buf_str(a->out, KM_STR(",\"type\":\"function\",\"function\":{\"name\":"));
    km_buf_json(a->out, e->name);
    km_buf_str(a->out, KM_STR(",\"arguments\":\"\"}"));
    if (e->text.n) {
        km_buf_str(a->out, KM_STR(",\"extra_content\":{\"google\":{\"thought_signature\":"));
        km_buf_json(a->out, e->text);
        km_buf_str(a->out, KM_STR("}}"));
    }
    km_buf_str(a->out, KM_STR("}]"));
    close_chunk(a);
    ch->open = ch->tool = true;
}

static void reasoning_chunk(struct km_answer *a, struct choice *ch, const struct km_chat_event *e)
{
    ch->open = true;
    if (e->kind == KM_CHAT_SIGNATURE) {
        keep(a, &ch->signature, e->text);
        return;
    }
    keep(a, &ch->text, e->text);
    if (e->text.n)
        member_chunk(a, e->choice, KM_STR("\"reasoning_content\":"), e->text);
}

static void redacted_chunk(struct km_answer *a, const struct km_chat_event *e)
{
    open_chunk(a, e->choice);
    km_buf_str(a->out, KM_STR("\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":"));
    km_buf_json(a->out, e->text);
    km_buf_str(a->out, KM_STR("}]"));
    close_chunk(a);
}

static void finish_chunk(struct km_answer *a, const struct km_chat_event *e)
{
    const struct chunks *c = a->state;

    if (e->finish == KM_FINISH_FILTER && e->text.n)
        member_chunk(a, e->choice, KM_STR("\"refusal\":"), e->text);
    open_chunk(a, e->choice);
    km_buf_str(a->out, KM_STR("},\"logprobs\":null,\"finish_reason\":\""));
    km_buf_str(a->out, km_str_c(km_openai_finish(a, e->finish)));
    km_buf_str(a->out, KM_STR("\"}"));
    km_buf_str(a->out, c->back);
}

static void logprobs_chunk(struct km_answer *a, const struct km_chat_event *e)
{
    const struct chunks *c = a->state;

    open_chunk(a, e->choice);
    km_buf_str(a->out, KM_STR("},\"logprobs\":"));
    km_buf_str(a->out, e->text);
    km_buf_str(a->out, KM_STR(",\"finish_reason\":null}"));
    km_buf_str(a->out, c->back);
}

static void annotation_chunk(struct km_answer *a, const struct km_chat_event *e)
{
    struct km_json_out o;

    if (!km_citation_is_page(e->citation)) {
        km_cite_lost(a);
        return;
    }
    open_chunk(a, e->choice);
    km_buf_str(a->out, KM_STR("\"annotations\":["));
    km_json_out_init(&o, a->out);
    (void)km_cite_chat(a, &o, e->citation);
    km_buf_str(a->out, KM_STR("]"));
    close_chunk(a);
}

static void output(struct km_answer *a, struct choice *ch, const struct km_chat_event *e)
{
    switch (e->kind) {
    case KM_CHAT_TEXT:
        if (e->text.n)
            member_chunk(a, e->choice, KM_STR("\"content\":"), e->text);
        break;
    case KM_CHAT_REFUSAL:
        if (e->text.n)
            member_chunk(a, e->choice, KM_STR("\"refusal\":"), e->text);
        break;
    case KM_CHAT_REASONING:
    case KM_CHAT_SIGNATURE:
        reasoning_chunk(a, ch, e);
        break;
    case KM_CHAT_REDACTED:
        redacted_chunk(a, e);
        break;
    case KM_CHAT_TOOL:
        begin_call(a, ch, e);
        break;
    case KM_CHAT_TOOL_INPUT:
        if (e->text.n && ch->calls > 0) {
            ch->input = true;
            input_chunk(a, e->choice, ch->calls - 1, e->text);
        }
        break;
    case KM_CHAT_LOGPROBS:
        logprobs_chunk(a, e);
        break;
    case KM_CHAT_CITATION:
        annotation_chunk(a, e);
        break;
    default:
        break;
    }
}

static bool begins_blocks(enum km_chat_event_kind kind)
{
    return kind < KM_CHAT_LOGPROBS;
}

static int event(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct chunks *c = a->state;
    struct choice *ch;

    if (!c->front.n)
        prepare(a, c);
    if (e->kind == KM_CHAT_START || e->kind == KM_CHAT_USAGE)
        return 0;
    ch = choice_at(a, c, e->choice);
    if (!ch || !c->front.n)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!ch->begun) {
        ch->begun = true;
        open_chunk(a, e->choice);
        km_buf_str(a->out, KM_STR("\"role\":\"assistant\",\"content\":\"\""));
        close_chunk(a);
    }
    if (e->kind == KM_CHAT_FINISH || (begins_blocks(e->kind) && e->block != ch->block))
        end_block(a, ch, e->choice);
    if (e->kind == KM_CHAT_FINISH) {
        finish_chunk(a, e);
    } else {
        if (begins_blocks(e->kind))
            ch->block = e->block;
        output(a, ch, e);
    }
    return km_arena_overflowed(a->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static void end(struct km_answer *a)
{
    const struct chunks *c = a->state;

    if (a->usage_asked && c->front.n) {
        struct km_json_out o;
        struct km_usage usage = km_answer_usage(a);

        km_buf_str(a->out, c->front);
        km_buf_str(a->out, KM_STR("],\"usage\":"));
        km_json_out_init(&o, a->out);
        km_openai_usage(&o, &usage);
        if (usage.said & KM_SAID_SERVICE)
            km_buf_printf(a->out, ",\"service_tier\":\"%s\"", km_openai_tier(usage.service));
        km_buf_str(a->out, KM_STR("}\n\n"));
    }
    km_buf_str(a->out, KM_STR("data: [DONE]\n\n"));
}

static int go_on(struct km_answer *a, const struct km_told *told, struct km_err *err)
{
    struct chunks *c = a->state;

    (void)err;
    c->one.begun = told->index >= 0;
    return 0;
}

const struct km_encoder km_encoder_chat = {
    .state_size = sizeof(struct chunks),
    .event = event,
    .end = end,
    .whole = km_openai_whole,
    .go_on = go_on,
    .logprobs = true,
};
