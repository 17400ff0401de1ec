/* SPDX-License-Identifier: Apache-2.0 */
/* openai_read.c - OpenAI's answers as events: whole ones, and what both forms share.
 *
 *     choices[i].message  ->  REASONING, TEXT, REFUSAL, TOOL TOOL_INPUT ..., LOGPROBS, FINISH
 *     usage               ->  USAGE
 *
 * Providers differ in small things and all of them are taken: reasoning under either name, content
 * as a list of texts and thoughts, arguments as an object, `stop` where calls were made, an error
 * object with status 200.
 */
#include "http/json_take.h"
#include "llm/api.h"
#include "llm/usage.h"
#include "llm/provider/citations.h"
#include "llm/provider/openai_inside.h"

/* What came out, where its own count is left out: embeddings have none, and what a total has above
 * the prompt can be nothing else. */
static int64_t rest_of_total(const struct km_json *v, int64_t prompt, bool *bad)
{
    int64_t rest = km_usage_due(v, "total_tokens", bad) - prompt;

    *bad = *bad || rest < 0;
    return rest > 0 ? rest : 0;
}

static void add_thoughts(const struct km_json *v, struct km_usage *u)
{
    int64_t total;

    if (u->reasoning_tokens > 0 && km_json_i64(km_json_take(v, "total_tokens"), &total) &&
        total == u->prompt_tokens + u->completion_tokens + u->reasoning_tokens)
        u->completion_tokens += u->reasoning_tokens;
}

/* Perplexity's, of which the tokens are no part of those of all: what it found, what it thought. */
static void read_searches(const struct km_json *v, struct km_usage *u, bool *bad)
{
    int64_t thoughts = km_usage_count(v, "reasoning_tokens", bad), total;

    u->citation_tokens = km_usage_count(v, "citation_tokens", bad);
    if (!u->hosted[KM_HOSTED_WEB_SEARCH])
        u->hosted[KM_HOSTED_WEB_SEARCH] = km_usage_count(v, "num_search_queries", bad);
    if (u->reasoning_tokens || thoughts == 0)
        return;
    u->reasoning_tokens = thoughts;
    if (km_json_i64(km_json_take(v, "total_tokens"), &total) &&
        total == u->prompt_tokens + u->completion_tokens && u->hosted[KM_HOSTED_WEB_SEARCH])
        u->completion_tokens += thoughts;
}

static void read_beside(const struct km_json *v, struct km_usage *u, bool *bad)
{
    km_usage_extras(v, u, bad);
    read_searches(v, u, bad);
}

bool km_openai_read_usage(const struct km_json *v, struct km_usage *ret)
{
    const struct km_json *in = km_json_take(v, "prompt_tokens_details");
    const struct km_json *out = km_json_take(v, "completion_tokens_details");
    const struct km_json *prompt = km_json_take(v, "prompt_tokens");
    const struct km_json *completion = km_json_take(v, "completion_tokens");
    bool bad = false;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return false;
    km_json_take_all(v);
    *ret = (struct km_usage){
        .cached_tokens = km_usage_count(in, "cached_tokens", &bad),
        .cache_write_tokens = km_usage_count(in, "cache_write_tokens", &bad),
        .reasoning_tokens = km_usage_count(out, "reasoning_tokens", &bad),
    };
    if (prompt)
        ret->prompt_tokens = km_usage_value(prompt, &bad);
    else /* Jina and Voyage say no more than a total */
        ret->prompt_tokens = km_usage_due(v, "total_tokens", &bad);
    if (prompt && completion)
        ret->completion_tokens = km_usage_value(completion, &bad);
    else if (prompt)
        ret->completion_tokens = rest_of_total(v, ret->prompt_tokens, &bad);
    if (km_json_kind(km_json_take(out, "reasoning_tokens")) == KM_JSON_NUMBER)
        ret->said |= KM_SAID_REASONING;
    if (!ret->prompt_tokens && !ret->completion_tokens)
        ret->prompt_tokens = km_usage_count(v, "total_tokens", &bad);
    if (!ret->cached_tokens) /* DeepSeek's name */
        ret->cached_tokens = km_usage_count(v, "prompt_cache_hit_tokens", &bad);
    if (!ret->cache_write_tokens) /* LiteLLM's */
        ret->cache_write_tokens = km_usage_count(v, "cache_creation_input_tokens", &bad);
    if (prompt && completion) /* xAI's counts what was thought in the total alone */
        add_thoughts(v, ret);
    if (km_json_count(v) >
        (size_t)(!!prompt + !!completion + !!in + !!out + !!km_json_take(v, "total_tokens")))
        read_beside(v, ret, &bad); /* there is more than what all say */
    km_usage_judge(ret, bad);
    return true;
}

enum km_finish km_openai_read_finish(struct km_str reason)
{
    static const struct {
        const char *name;
        enum km_finish finish;
    } rows[] = {
        { "length", KM_FINISH_LENGTH },       { "max_tokens", KM_FINISH_LENGTH },
        { "model_length", KM_FINISH_LENGTH }, { "tool_calls", KM_FINISH_TOOLS },
        { "function_call", KM_FINISH_TOOLS }, { "content_filter", KM_FINISH_FILTER },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(reason, km_str_c(rows[i].name)))
            return rows[i].finish;
    return KM_FINISH_STOP;
}

int km_openai_read_error(const struct km_json *error, struct km_err *err)
{
    struct km_str text = KM_STR("(no message)"), code = KM_STR_NONE;
    int64_t status = 0;

    if (!km_json_string(error, &text))
        (void)km_json_string(km_json_take(error, "message"), &text);
    (void)km_fail(err, KM_E_UPSTREAM_STATUS, "The upstream answered with an error: %.*s",
                  KM_STR_ARG(km_str_sub(text, 0, 400)));
    if (!km_json_i64(km_json_take(error, "code"), &status) &&
        km_json_string(km_json_take(error, "code"), &code) && km_str_i64(code, &status) < 0)
        status = km_refusal_status(code); /* a word for what others say by a number */
    if (err && status >= 400 && status < 600 && status != 401 && status != 403)
        err->http = (int)status;
    if (!err)
        return KM_E_UPSTREAM_STATUS;
    if (km_str_eq(code, KM_STR("insufficient_quota")))
        err->kind = KM_REFUSED_QUOTA;
    km_refusal_judge(err, text);
    if (km_str_eq(code, KM_STR("context_length_exceeded")))
        err->kind = KM_REFUSED_CONTEXT;
    return KM_E_UPSTREAM_STATUS;
}

/* --- events --- */

int km_openai_put(struct km_decode *d, const struct km_openai_choice *c,
                  enum km_chat_event_kind kind, struct km_str text, struct km_err *err)
{
    struct km_chat_event e = { .kind = kind, .choice = c->index, .block = c->block, .text = text };

    return km_answer_put(d->answer, &e, err);
}

int km_openai_piece(struct km_decode *d, struct km_openai_choice *c, enum km_chat_event_kind kind,
                    struct km_str text, struct km_err *err)
{
    enum km_chat_event_kind block = kind == KM_CHAT_SIGNATURE ? KM_CHAT_REASONING : kind;

    if (!text.n)
        return 0;
    if (!c->open || c->kind != block || kind == KM_CHAT_REDACTED) {
        c->block += c->blocks++ ? 1 : 0;
        c->open = true;
        c->kind = block;
    }
    return km_openai_put(d, c, kind, text, err);
}

int km_openai_tool_event(struct km_decode *d, struct km_openai_choice *c, struct km_str id,
                         struct km_str name, struct km_str signature, struct km_err *err)
{
    struct km_chat_event e = {
        .kind = KM_CHAT_TOOL, .choice = c->index, .id = id, .name = name, .text = signature
    };

    c->block += c->blocks++ ? 1 : 0;
    c->open = true;
    c->kind = KM_CHAT_TOOL;
    c->tools = true;
    e.block = c->block;
    if (!id.n)
        e.id = km_arena_printf(d->scratch, "call_%.*s_%u", KM_STR_ARG(d->answer->id), c->block);
    return km_answer_put(d->answer, &e, err);
}

int km_openai_finish_event(struct km_decode *d, struct km_openai_choice *c, enum km_finish finish,
                           struct km_str text, struct km_err *err)
{
    struct km_chat_event e = {
        .kind = KM_CHAT_FINISH, .choice = c->index, .finish = finish, .text = text
    };

    if (finish == KM_FINISH_STOP && c->tools)
        e.finish = KM_FINISH_TOOLS;
    else if (finish == KM_FINISH_STOP && text.n)
        e.finish = KM_FINISH_STOP_SEQUENCE;
    c->finished = true;
    return km_answer_put(d->answer, &e, err);
}

/* [{"type":"text","text"}, {"type":"thinking","thinking":[{"type":"text","text"}]}] */
static int list_content(struct km_decode *d, struct km_openai_choice *c, const struct km_json *v,
                        enum km_chat_event_kind kind, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;
    int r = 0;

    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &item);) {
        const struct km_json *thinking = km_json_take(item, "thinking");

        if (km_json_string(km_json_take(item, "text"), &text))
            r = km_openai_piece(d, c, kind, text, err);
        else if (km_json_string(thinking, &text))
            r = km_openai_piece(d, c, KM_CHAT_REASONING, text, err);
        else if (km_json_kind(thinking) == KM_JSON_ARRAY && kind == KM_CHAT_TEXT)
            r = list_content(d, c, thinking, KM_CHAT_REASONING, err);
    }
    return r;
}

/* LiteLLM's blocks: their text came as reasoning_content; their signatures are here. */
static int thinking_blocks(struct km_decode *d, struct km_openai_choice *c, const struct km_json *v,
                           struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;
    int r = 0;

    if (km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &item);)
        if (km_json_string(km_json_take(item, "signature"), &text))
            r = km_openai_piece(d, c, KM_CHAT_SIGNATURE, text, err);
        else if (km_json_string(km_json_take(item, "data"), &text))
            r = km_openai_piece(d, c, KM_CHAT_REDACTED, text, err);
    return r;
}

int km_openai_read_text(struct km_decode *d, struct km_openai_choice *c, const struct km_json *m,
                        struct km_err *err)
{
    const struct km_json *content = km_json_take(m, "content");
    struct km_str text;
    int r = 0;

    if (km_json_string(km_json_take(m, "reasoning_content"), &text) ||
        km_json_string(km_json_take(m, "reasoning"), &text))
        r = km_openai_piece(d, c, KM_CHAT_REASONING, text, err);
    if (r == 0)
        r = thinking_blocks(d, c, km_json_take(m, "thinking_blocks"), err);
    if (r == 0 && km_json_string(content, &text))
        r = km_openai_piece(d, c, KM_CHAT_TEXT, text, err);
    else if (r == 0 && km_json_kind(content) == KM_JSON_ARRAY)
        r = list_content(d, c, content, KM_CHAT_TEXT, err);
    if (r == 0 && km_json_string(km_json_take(m, "refusal"), &text))
        r = km_openai_piece(d, c, KM_CHAT_REFUSAL, text, err);
    if (r == 0)
        r = km_openai_cite(d, c->index, c->block, km_json_take(m, "annotations"), err);
    return r;
}

struct km_str km_openai_signature(const struct km_json *call)
{
    const struct km_json *google = km_json_take(km_json_take(call, "extra_content"), "google");
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_take(google, "thought_signature"), &s);
    return s;
}

struct km_str km_openai_arguments(const struct km_json *function, struct km_arena *arena)
{
    const struct km_json *v = km_json_take(function, "arguments");
    struct km_str s = KM_STR_NONE;

    if (!km_json_string(v, &s) && km_json_kind(v) == KM_JSON_OBJECT)
        s = km_json_take_compact(v, arena);
    return s;
}

/* --- whole answers --- */

static int whole_call(struct km_decode *d, struct km_openai_choice *c, const struct km_json *call,
                      const struct km_json *function, struct km_err *err)
{
    struct km_str id = KM_STR_NONE, name = KM_STR_NONE, input;
    int r;

    (void)km_json_string(km_json_take(call, "id"), &id);
    if (!km_json_string(km_json_take(function, "name"), &name) || !name.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer calls a nameless tool.");
    r = km_openai_tool_event(d, c, id, name, km_openai_signature(call), err);
    input = km_openai_arguments(function, d->scratch);
    return r == 0 && input.n ? km_openai_put(d, c, KM_CHAT_TOOL_INPUT, input, err) : r;
}

static int whole_calls(struct km_decode *d, struct km_openai_choice *c, const struct km_json *m,
                       struct km_err *err)
{
    const struct km_json *calls = km_json_take(m, "tool_calls"), *call;
    const struct km_json *function = km_json_take(m, "function_call");
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(calls) == KM_JSON_ARRAY)
        for (km_json_iter(calls, &it); r == 0 && km_json_next(&it, &key, &call);)
            r = whole_call(d, c, call, km_json_take(call, "function"), err);
    if (r == 0 && km_json_kind(function) == KM_JSON_OBJECT)
        r = whole_call(d, c, NULL, function, err);
    return r;
}

int km_openai_read_end_of(struct km_decode *d, struct km_openai_choice *c, const struct km_json *v,
                          struct km_err *err)
{
    struct km_str reason = KM_STR_NONE, stop = KM_STR_NONE;

    if (!km_json_string(km_json_take(v, "finish_reason"), &reason))
        return 0;
    (void)km_json_string(km_json_take(v, "stop_reason"), &stop); /* vLLM's */
    return km_openai_finish_event(d, c, km_openai_read_finish(reason), stop, err);
}

int km_openai_read_logprobs(struct km_decode *d, struct km_openai_choice *c,
                            const struct km_json *v, struct km_err *err)
{
    const struct km_json *logprobs = km_json_take(v, "logprobs");

    if (km_json_kind(logprobs) != KM_JSON_OBJECT)
        return 0;
    return km_openai_put(d, c, KM_CHAT_LOGPROBS, km_json_take_compact(logprobs, d->scratch), err);
}

static int whole_choice(struct km_decode *d, const struct km_json *root, const struct km_json *v,
                        unsigned i, struct km_err *err)
{
    struct km_openai_choice c = { .index = i };
    const struct km_json *m = km_json_take(v, "message");
    int64_t index;
    int r;

    if (km_json_i64(km_json_take(v, "index"), &index) && index >= 0 && index < KM_CHOICES_MOST)
        c.index = (unsigned)index;
    r = km_openai_read_text(d, &c, m, err);
    if (r == 0 && i == 0)
        r = km_openai_cite_found(d, c.index, c.block, root, err);
    if (r == 0)
        r = whole_calls(d, &c, m, err);
    if (r == 0)
        r = km_openai_read_logprobs(d, &c, v, err);
    if (r == 0)
        r = km_openai_read_end_of(d, &c, v, err);
    if (r == 0 && !c.finished) /* some servers say null */
        r = km_openai_finish_event(d, &c, KM_FINISH_STOP, KM_STR_NONE, err);
    return r;
}

int km_openai_read_start(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct km_chat_event e = { .kind = KM_CHAT_START };

    (void)km_json_string(km_json_take(root, "id"), &e.id);
    return km_answer_put(d->answer, &e, err);
}

int km_openai_read_used(struct km_decode *d, const struct km_json *root, bool ended,
                        struct km_err *err)
{
    struct km_chat_event e = { .kind = KM_CHAT_USAGE };

    if (!km_openai_read_usage(km_json_take(root, "usage"), &e.usage))
        return 0;
    km_usage_served_by(&e.usage, root, "service_tier");
    e.usage.known = e.usage.known && ended;
    return km_answer_put(d->answer, &e, err);
}

int km_openai_read(struct km_decode *d, struct km_str body, struct km_err *err)
{
    const struct km_json *root, *choices, *v;
    struct km_json_iter it;
    struct km_str key;
    unsigned i = 0;
    int r;

    if (km_decode_json(d, d->scratch, body, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    choices = km_json_take(root, "choices");
    v = km_json_take(root, "error");
    if (km_json_kind(v) == KM_JSON_OBJECT || km_json_kind(v) == KM_JSON_STRING)
        return km_openai_read_error(v, err);
    if (km_json_count(choices) == 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer has no choices.");
    r = km_openai_read_start(d, root, err);
    for (km_json_iter(choices, &it); r == 0 && km_json_next(&it, &key, &v);)
        r = whole_choice(d, root, v, i++, err);
    return r == 0 ? km_openai_read_used(d, root, true, err) : r;
}
