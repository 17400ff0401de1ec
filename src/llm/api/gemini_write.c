/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_write.c - an answer's events as Google's chunks, and the whole object.
 *
 *     TEXT, REFUSAL       ->  a chunk with {"text"}
 *     REASONING           ->  {"text","thought":true};  SIGNATURE its thoughtSignature
 *     TOOL, TOOL_INPUT    ->  gathered; {"functionCall":{id,name,args}} when its block is over
 *     CITATION            ->  kept; groundingMetadata of the last chunk
 *     FINISH, USAGE       ->  kept; the last chunk says finishReason and usageMetadata, as Google's
 *
 * A call whose input was cut off in its middle (the answer's length) is no JSON and is left out:
 * Google sends calls whole or not at all.  Chunks go out as SSE with CRLF, or, to a caller that
 * did not ask for SSE, as the items of one array.
 */
#include "http/json_out.h"
#include "llm/api/citations.h"
#include "llm/api/gemini.h"
#include "llm/api/openai.h"
#include "llm/dropped.h"
#include "llm/provider/gemini.h"

#define STRING(name) #name
#define MAX STRING(MAX_TOKENS) /* finishReason */

struct input { /* of a call under way */
    char *p;
    size_t n, cap;
};

struct tongue { /* one candidate */
    bool seen, calls;
    unsigned block;
    struct km_str id, name, signature;
    struct input input;
    enum km_finish finish;
    struct km_str finish_text;
    struct km_citation *citations;
};

struct chunks {
    struct km_str back; /* of every chunk, behind the candidates */
    struct tongue tongues[KM_GEMINI_CANDIDATES];
    bool begun;
};

/* --- parts --- */

static void write_text(struct km_json_out *o, struct km_str text, bool thought,
                       struct km_str signature)
{
    km_out_open(o, '{');
    km_out_member(o, "text", text);
    if (thought) {
        km_out_key(o, "thought");
        km_out_bool(o, true);
    }
    if (signature.n)
        km_out_member(o, "thoughtSignature", signature);
    km_out_close(o, '}');
}

static void write_call(struct km_json_out *o, struct km_str id, struct km_str name,
                       struct km_str args, struct km_str signature)
{
    km_out_open(o, '{');
    km_out_key(o, "functionCall");
    km_out_open(o, '{');
    if (id.n)
        km_out_member(o, "id", id);
    km_out_member(o, "name", name);
    km_out_member_raw(o, "args", args);
    km_out_close(o, '}');
    if (signature.n)
        km_out_member(o, "thoughtSignature", signature);
    km_out_close(o, '}');
}

/* The input as an object; false: it is none. */
static bool args_of(const struct km_arena *like, struct km_str text, struct km_str *ret)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, like->cap, like->pool);
    *ret = km_str_trim(text);
    if (!ret->n) {
        *ret = KM_STR("{}");
        return true;
    }
    return km_json_parse_answer(&scratch, *ret, &root, NULL) == 0 &&
           km_json_kind(root) == KM_JSON_OBJECT;
}

/* --- what stands around them --- */

static const char *reason_of(enum km_finish finish)
{
    return finish == KM_FINISH_LENGTH ? MAX : finish == KM_FINISH_FILTER ? "SAFETY" : "STOP";
}

void km_gemini_write_usage(struct km_json_out *o, const struct km_usage *u)
{
    int64_t thoughts =
        u->reasoning_tokens < u->completion_tokens ? u->reasoning_tokens : u->completion_tokens;

    km_out_key(o, "usageMetadata");
    km_out_open(o, '{');
    km_out_member_i64(o, "promptTokenCount", u->prompt_tokens);
    km_out_member_i64(o, "candidatesTokenCount", u->completion_tokens - thoughts);
    if (u->cached_tokens)
        km_out_member_i64(o, "cachedContentTokenCount", u->cached_tokens);
    if (thoughts)
        km_out_member_i64(o, "thoughtsTokenCount", thoughts);
    km_out_member_i64(o, "totalTokenCount", u->prompt_tokens + u->completion_tokens);
    km_out_close(o, '}');
}

static void write_names(struct km_json_out *o, const struct km_answer *a)
{
    km_out_member(o, "modelVersion", a->model);
    km_out_member(o, "responseId", a->id);
}

static void open_candidate(struct km_json_out *o)
{
    km_out_open(o, '{');
    km_out_key(o, "content");
    km_out_open(o, '{');
    km_out_key(o, "parts");
    km_out_open(o, '[');
}

static void close_content(struct km_json_out *o)
{
    km_out_close(o, ']');
    km_out_member(o, "role", KM_STR("model"));
    km_out_close(o, '}');
}

static void close_candidate(struct km_json_out *o, unsigned index, enum km_finish finish,
                            struct km_str text)
{
    if (finish != KM_FINISH_NONE)
        km_out_member(o, "finishReason", km_str_c(reason_of(finish)));
    if (finish == KM_FINISH_FILTER && text.n)
        km_out_member(o, "finishMessage", text);
    km_out_member_i64(o, "index", index);
    km_out_close(o, '}');
}

/* --- streams --- */

static bool is_sse(const struct km_answer *a)
{
    return !a->request || a->request->api != &km_api_gemini_array;
}

static void prepare(struct km_answer *a, struct chunks *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_str(&b, KM_STR("],\"modelVersion\":"));
    km_buf_json(&b, a->model);
    km_buf_str(&b, KM_STR(",\"responseId\":"));
    km_buf_json(&b, a->id);
    km_buf_byte(&b, '}');
    c->back = km_arena_str(a->arena, km_buf_view(&b));
}

static void begin_chunk(struct km_answer *a)
{
    struct chunks *c = a->state;

    if (is_sse(a))
        km_buf_str(a->out, KM_STR("data: "));
    else
        km_buf_str(a->out, c->begun ? KM_STR(",\r\n") : KM_STR("["));
    c->begun = true;
}

static void end_chunk(struct km_answer *a)
{
    if (is_sse(a))
        km_buf_str(a->out, KM_STR("\r\n\r\n"));
}

/* Most events: by hand, for there are many of them. */
static void text_chunk(struct km_answer *a, unsigned index, struct km_str text, bool thought,
                       struct km_str signature)
{
    const struct chunks *c = a->state;

    begin_chunk(a);
    km_buf_str(a->out, KM_STR("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":"));
    km_buf_json(a->out, text);
    if (thought)
        km_buf_str(a->out, KM_STR(",\"thought\":true"));
    if (signature.n) {
        km_buf_str(a->out, KM_STR(",\"thoughtSignature\":"));
        km_buf_json(a->out, signature);
    }
    km_buf_str(a->out, KM_STR("}],\"role\":\"model\"},\"index\":"));
    km_buf_u64(a->out, index);
    km_buf_byte(a->out, '}');
    km_buf_str(a->out, c->back);
    end_chunk(a);
}

static void call_chunk(struct km_answer *a, unsigned index, struct tongue *t)
{
    const struct chunks *c = a->state;
    struct km_json_out o;
    struct km_str args;

    if (!t->name.n)
        return;
    if (!(a->cut && !t->input.n) && args_of(a->arena, km_str(t->input.p, t->input.n), &args)) {
        begin_chunk(a);
        km_buf_str(a->out, KM_STR("{\"candidates\":["));
        km_json_out_init(&o, a->out);
        open_candidate(&o);
        write_call(&o, t->id, t->name, args, t->signature);
        close_content(&o);
        close_candidate(&o, index, KM_FINISH_NONE, KM_STR_NONE);
        km_buf_str(a->out, c->back);
        end_chunk(a);
    }
    t->name = KM_STR_NONE;
    t->input.n = 0;
}

static void begin_call(struct km_answer *a, struct tongue *t, const struct km_chat_event *e)
{
    t->id = km_arena_str(a->arena, e->id);
    t->name = km_arena_str(a->arena, e->name);
    t->signature = km_arena_str(a->arena, e->text);
    t->input.n = 0;
}

static void keep(struct km_answer *a, struct input *in, struct km_str piece)
{
    if (piece.n > in->cap - in->n) {
        size_t cap = in->cap ? in->cap * 2 : 512;
        char *p;

        while (cap < in->n + piece.n)
            cap *= 2;
        p = km_arena_alloc(a->arena, cap);
        if (!p)
            return;
        if (in->n)
            memcpy(p, in->p, in->n);
        in->p = p;
        in->cap = cap;
    }
    if (piece.n)
        memcpy(in->p + in->n, piece.p, piece.n);
    in->n += piece.n;
}

static void output(struct km_answer *a, struct tongue *t, const struct km_chat_event *e)
{
    switch (e->kind) {
    case KM_CHAT_TEXT:
    case KM_CHAT_REFUSAL:
        if (e->text.n)
            text_chunk(a, e->choice, e->text, false, KM_STR_NONE);
        break;
    case KM_CHAT_REASONING:
        if (e->text.n)
            text_chunk(a, e->choice, e->text, true, KM_STR_NONE);
        break;
    case KM_CHAT_SIGNATURE:
        text_chunk(a, e->choice, KM_STR_NONE, true, e->text);
        break;
    case KM_CHAT_TOOL:
        begin_call(a, t, e);
        break;
    case KM_CHAT_TOOL_INPUT:
        keep(a, &t->input, e->text);
        break;
    case KM_CHAT_LOGPROBS:
        km_dropped_note(a->dropped, KM_STR("logprobs"));
        break;
    case KM_CHAT_REDACTED:
        km_dropped_note(a->dropped, KM_STR("thinking"));
        break;
    default:
        break;
    }
}

static int event(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct chunks *c = a->state;
    struct tongue *t;

    if (!c->back.n)
        prepare(a, c);
    if (e->kind == KM_CHAT_START || e->kind == KM_CHAT_USAGE)
        return 0;
    if (e->choice >= KM_GEMINI_CANDIDATES)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "more answers than candidates");
    t = &c->tongues[e->choice];
    t->seen = true;
    if (e->kind == KM_CHAT_CITATION) {
        km_citation_append(a->arena, &t->citations, e->citation);
        return 0;
    }
    if (e->kind == KM_CHAT_FINISH || e->kind == KM_CHAT_TOOL || e->block != t->block)
        call_chunk(a, e->choice, t);
    t->block = e->block;
    if (e->kind == KM_CHAT_FINISH) {
        t->finish = e->finish;
        t->finish_text = km_arena_str(a->arena, e->text);
    } else {
        output(a, t, e);
    }
    return km_arena_overflowed(a->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static size_t count(const struct km_citation *c)
{
    size_t n = 0;

    for (; c; c = c->next)
        n++;
    return n;
}

/* A client puts the text's pieces together, and places are of that. */
static void stream_grounding(struct km_answer *a, struct km_json_out *o, unsigned index,
                             const struct km_citation *c)
{
    struct km_cited *v = c ? km_arena_zalloc(a->arena, count(c) * sizeof *v) : NULL;
    struct km_str text = KM_STR_NONE;
    size_t n = 0;

    if (!v)
        return;
    if (a->gathers && index < a->nchoices)
        text = km_parts_text(a->choices[index].parts, KM_PART_TEXT, a->arena);
    for (; c; c = c->next)
        v[n++] = (struct km_cited){ .c = c, .text = text };
    km_cite_gemini(a, o, v, n);
}

static void end(struct km_answer *a)
{
    struct chunks *c = a->state;
    struct km_usage usage;
    struct km_json_out o;

    begin_chunk(a);
    km_json_out_init(&o, a->out);
    km_out_open(&o, '{');
    km_out_key(&o, "candidates");
    km_out_open(&o, '[');
    for (unsigned i = 0; i < KM_GEMINI_CANDIDATES; i++) {
        if (!c->tongues[i].seen)
            continue;
        open_candidate(&o);
        write_text(&o, KM_STR_NONE, false, KM_STR_NONE);
        close_content(&o);
        stream_grounding(a, &o, i, c->tongues[i].citations);
        close_candidate(&o, i, c->tongues[i].finish, c->tongues[i].finish_text);
    }
    km_out_close(&o, ']');
    usage = km_answer_usage(a);
    km_gemini_write_usage(&o, &usage);
    write_names(&o, a);
    km_out_close(&o, '}');
    end_chunk(a);
    if (!is_sse(a))
        km_buf_byte(a->out, ']');
}

/* --- the whole --- */

/* Is it a part there? */
static bool is_written(const struct km_answer *a, const struct km_part *p)
{
    struct km_str args;

    return p->kind != KM_PART_REDACTED &&
           (p->kind != KM_PART_TOOL_USE || args_of(a->arena, p->input_json, &args));
}

static void whole_grounding(struct km_answer *a, struct km_json_out *o, const struct km_part *parts)
{
    struct km_cited *v;
    unsigned part = 0;
    size_t n = 0;

    for (const struct km_part *p = parts; p; p = p->next)
        n += count(p->citations);
    v = n ? km_arena_zalloc(a->arena, n * sizeof *v) : NULL;
    if (!v)
        return;
    n = 0;
    for (const struct km_part *p = parts; p; p = p->next) {
        for (const struct km_citation *c = p->citations; c; c = c->next)
            v[n++] = (struct km_cited){
                .c = c, .text = p->text, .base = km_cite_base(parts, p), .part = part
            };
        part += is_written(a, p);
    }
    km_cite_gemini(a, o, v, n);
}

static void write_part(struct km_json_out *o, const struct km_answer *a, const struct km_part *p)
{
    struct km_str args;

    switch (p->kind) {
    case KM_PART_TEXT:
    case KM_PART_REFUSAL:
        write_text(o, p->text, false, KM_STR_NONE);
        break;
    case KM_PART_REASONING:
        write_text(o, p->text, true, p->signature);
        break;
    case KM_PART_TOOL_USE:
        if (args_of(a->arena, p->input_json, &args))
            write_call(o, p->id, p->name, args, p->signature);
        break;
    case KM_PART_REDACTED:
        km_dropped_note(a->dropped, KM_STR("thinking"));
        break;
    default:
        break;
    }
}

static int whole(struct km_answer *a, struct km_err *err)
{
    struct km_usage usage;
    struct km_json_out o;

    (void)err;
    km_json_out_init(&o, a->out);
    km_out_open(&o, '{');
    km_out_key(&o, "candidates");
    km_out_open(&o, '[');
    for (unsigned i = 0; i < a->nchoices; i++) {
        const struct km_choice *c = &a->choices[i];

        open_candidate(&o);
        for (const struct km_part *p = c->parts; p; p = p->next)
            write_part(&o, a, p);
        close_content(&o);
        whole_grounding(a, &o, c->parts);
        close_candidate(&o, i, c->finish, c->finish_text);
    }
    km_out_close(&o, ']');
    usage = km_answer_usage(a);
    km_gemini_write_usage(&o, &usage);
    write_names(&o, a);
    km_out_close(&o, '}');
    return 0;
}

const struct km_encoder km_gemini_encoder = { .state_size = sizeof(struct chunks),
                                              .event = event,
                                              .end = end,
                                              .whole = whole };
