/* SPDX-License-Identifier: Apache-2.0 */
/* openai_answer.c - answers on their way back: whole ones, errors, and streams event by event.
 *
 * The upstream's bytes go to the client as they are; only the value of `model` is set back to
 * the name that was asked for, and in streams a usage the client did not ask for is taken out:
 * a chunk that is nothing but usage goes whole, in any other only that member is cut.
 *
 * What was used is read wherever it comes.  Where it never comes it is estimated from what was
 * produced, so that a client that leaves or an upstream that says nothing still has its cost.
 */
#include "llm/api/openai.h"

#include "base/encode.h"
#include "llm/provider/openai.h"
#include "llm/usage.h"

enum { A_MODEL, A_USAGE, A_CHOICES, A_ERROR, A_COUNT };

static const struct km_str answer_members[A_COUNT] = {
    { "model", 5 },
    { "usage", 5 },
    { "choices", 7 },
    { "error", 5 },
};

/* {"prompt_tokens", "completion_tokens", "prompt_tokens_details":{"cached_tokens"}} */
static void read_usage(const struct km_arena *arena, struct km_str text, struct km_usage *u)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, arena->cap, arena->pool);
    if (km_json_parse_answer(&scratch, text, &root, NULL) == 0)
        (void)km_openai_read_usage(root, u);
}

/* A chat that searched the web says so by what it cites, not how often: once, as it is billed. */
static void note_search(const struct km_llm_request *r, struct km_str text, struct km_usage *u)
{
    if (r->priced.hosts && !u->hosted[KM_HOSTED_WEB_SEARCH] &&
        km_str_find(text, KM_STR("\"url_citation\"")) < text.n)
        u->hosted[KM_HOSTED_WEB_SEARCH] = 1;
}

int km_openai_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                     struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                     struct km_err *err)
{
    static const struct km_llm_whole names = {
        { "model", 5 }, { "usage", 5 }, { "service_tier", 12 }, read_usage
    };

    int e = km_llm_relay_whole(&names, r, arena, body, ret_parts, ret_n, ret_usage, err);

    if (e == 0)
        note_search(r, body, ret_usage);
    return e;
}

static const char *behind_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

static bool is_output(struct km_str key)
{
    return km_str_eq(key, KM_STR("content")) || km_str_eq(key, KM_STR("reasoning_content")) ||
           km_str_eq(key, KM_STR("arguments")) || km_str_eq(key, KM_STR("text"));
}

/* Reads `choices` of an event, string by string: those that are output are heard, for an
 * estimate, and whether a finish_reason is a string, which completes the answer.  Every event
 * of every stream passes here, so it is one pass. */
static void note_choices(struct km_llm_stream *s, struct km_str choices)
{
    const char *p = choices.p, *end = p + choices.n;
    size_t bytes;

    while ((p = memchr(p, '"', (size_t)(end - p)))) {
        const char *name = p + 1, *after = km_llm_string_end(name, end, &bytes);
        struct km_str key, text;

        p = behind_space(after, end);
        if (p == end || *p != ':')
            continue;
        key = km_str(name, (size_t)(after - 1 - name));
        p = behind_space(p + 1, end);
        if (p == end || *p != '"')
            continue;
        text = km_llm_string_raw(p + 1, end, &p);
        if (is_output(key))
            km_text_hear(&s->heard, text);
        else if (km_str_eq(key, KM_STR("finish_reason")))
            s->finished = true;
    }
}

/* The data of an event, edited, framed as it came: what stands before and after stays. */
static void emit(const struct km_sse_event *event, const struct km_str *parts, size_t n,
                 struct km_buf *out)
{
    const char *raw = event->raw.p;
    const char *at = km_sse_data_in_raw(event) ? event->data.p : NULL;

    if (!at) { /* several data lines: frame it anew */
        struct km_buf whole KM_CLEANUP(km_buf_done) = KM_BUF(32 * 1024 * 1024);

        for (size_t i = 0; i < n; i++)
            km_buf_str(&whole, parts[i]);
        km_sse_write(out, event->type, km_buf_view(&whole));
        return;
    }
    km_buf_bytes(out, raw, (size_t)(at - raw));
    for (size_t i = 0; i < n; i++)
        km_buf_str(out, parts[i]);
    km_buf_bytes(out, at + event->data.n, event->raw.n - (size_t)(at - raw) - event->data.n);
}

static bool empty_array(struct km_str value)
{
    value = km_str_trim(km_str_sub(value, 1, value.n - 2));
    return value.n == 0;
}

/* In a text of the model's such a name stands between escaped quotes. */
static void read_service(struct km_str data, struct km_usage *u)
{
    static const struct km_str name = { "\"service_tier\"", 14 };
    const char *end = data.p + data.n, *p = data.p + km_str_find(data, name);
    size_t bytes;

    if (p == end)
        return;
    p = behind_space(p + name.n, end);
    if (p < end && *p == ':')
        p = behind_space(p + 1, end);
    if (p < end && *p == '"')
        km_usage_served(u, km_str(p + 1, (size_t)(km_llm_string_end(p + 1, end, &bytes) - p) - 2));
}

/* Some say with each chunk what was used so far: that is final with the last of them, which is the
 * one where the only choice finishes, or one behind all choices; else at [DONE]. */
static void note_usage(struct km_llm_stream *s, struct km_str data, struct km_str usage,
                       bool no_choices)
{
    int64_t searches = s->usage.hosted[KM_HOSTED_WEB_SEARCH];

    read_usage(s->scratch, usage, &s->usage);
    read_service(data, &s->usage);
    if (!s->usage.hosted[KM_HOSTED_WEB_SEARCH])
        s->usage.hosted[KM_HOSTED_WEB_SEARCH] = searches;
    s->ended = s->finished && (no_choices || km_llm_answers(s->request) == 1);
}

/* Reads what an event tells.  true: the client gets none of it. */
static bool note_event(struct km_llm_stream *s, struct km_str data,
                       const struct km_json_span *spans)
{
    struct km_str choices = km_json_value(data, &spans[A_CHOICES]);
    bool no_choices = spans[A_CHOICES].type == KM_JSON_ARRAY && empty_array(choices);

    if (spans[A_ERROR].type == KM_JSON_OBJECT)
        s->error = true;
    if (spans[A_CHOICES].type == KM_JSON_ARRAY && !no_choices) {
        s->events++;
        note_choices(s, choices);
        if (s->keeps)
            km_openai_keep(s, data, choices);
        note_search(s->request, choices, &s->usage);
    }
    s->usage_told = s->usage_told || (no_choices && spans[A_USAGE].type == KM_JSON_OBJECT);
    if (spans[A_USAGE].type == KM_JSON_OBJECT)
        note_usage(s, data, km_json_value(data, &spans[A_USAGE]), no_choices);
    return no_choices && spans[A_USAGE].type == KM_JSON_OBJECT && !s->request->usage_asked;
}

int km_openai_event(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                    struct km_err *err)
{
    struct km_json_span spans[A_COUNT];
    struct km_json_object object;
    struct km_json_edits e;
    struct km_str *parts;
    size_t n;
    int r;

    if (event->has_data && km_str_eq(km_str_trim(event->data), KM_STR("[DONE]"))) {
        s->done = s->ended = true;
        return 0;
    }
    if (!event->has_data ||
        km_json_spans(event->data, answer_members, A_COUNT, spans, &object, NULL) < 0) {
        km_buf_str(out, event->raw); /* comments, and what we do not understand */
        return 0;
    }
    if (note_event(s, event->data, spans))
        return 0;
    km_json_edits_init(&e, event->data, &object);
    if (spans[A_MODEL].type == KM_JSON_STRING && s->model_json.n &&
        !km_str_eq(km_json_value(event->data, &spans[A_MODEL]), s->model_json))
        km_json_replace(&e, &spans[A_MODEL], s->model_json);
    if (spans[A_USAGE].type != KM_JSON_ABSENT && !s->request->usage_asked)
        km_json_cut(&e, &spans[A_USAGE]);
    if (e.n == 0) {
        km_buf_str(out, event->raw);
        return 0;
    }
    r = km_json_parts(&e, s->scratch, &parts, &n, err);
    if (r == 0)
        emit(event, parts, n, out);
    return r;
}
