/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_relay.c - answers of an upstream that speaks the caller's protocol.
 *
 * The upstream's bytes go on as they are but for `modelVersion`, which is set back to the name
 * that was asked for.  The upstream is always asked for SSE; a caller that wants the array form
 * gets the same objects between brackets and commas (its last one is the row's).
 */
#include "llm/api/gemini.h"
#include "llm/provider/gemini.h"

enum { A_MODEL, A_USAGE, A_CANDIDATES, A_FEEDBACK, A_ERROR, A_COUNT };

static const struct km_str answer_members[A_COUNT] = {
    { "modelVersion", 12 },   { "usageMetadata", 13 }, { "candidates", 10 },
    { "promptFeedback", 14 }, { "error", 5 },
};

static void read_usage(const struct km_arena *like, struct km_str text, struct km_usage *u)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, like->cap, like->pool);
    if (km_json_parse_answer(&scratch, text, &root, NULL) == 0)
        (void)km_gemini_usage(root, u);
}

static void note_searches(const struct km_arena *like, struct km_str candidates, struct km_usage *u)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;
    int64_t n;

    km_arena_init(&scratch, like->cap, like->pool);
    if (km_str_find(candidates, KM_STR("\"webSearchQueries\"")) == candidates.n)
        return;
    n = km_json_parse_answer(&scratch, candidates, &root, NULL) == 0 ? km_gemini_searches(root) : 0;
    if (n > u->hosted[KM_HOSTED_WEB_SEARCH])
        u->hosted[KM_HOSTED_WEB_SEARCH] = n;
}

int km_gemini_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                     struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                     struct km_err *err)
{
    static const struct km_llm_whole names = {
        { "modelVersion", 12 }, { "usageMetadata", 13 }, { NULL, 0 }, read_usage
    };
    static const struct km_str candidates = { "candidates", 10 };
    struct km_json_span span;
    int e = km_llm_relay_whole(&names, r, arena, body, ret_parts, ret_n, ret_usage, err);

    if (e == 0 && r->priced.hosts && km_json_spans(body, &candidates, 1, &span, NULL, NULL) == 0)
        note_searches(arena, km_json_value(body, &span), ret_usage);
    return e;
}

/* The texts, and what stands for arguments: enough for an estimate. */
static void hear_output(struct km_llm_stream *s, struct km_str candidates)
{
    static const char key[] = "\"text\":";
    struct km_str rest = candidates, text;
    const char *ignored;

    for (;;) {
        size_t at = km_str_find(rest, km_str(key, sizeof key - 1));

        if (at == rest.n)
            return;
        rest = km_str_trim(km_str_skip(rest, at + sizeof key - 1));
        text = km_str_skip(rest, 1);
        km_text_hear(&s->heard, km_llm_string_raw(text.p, text.p + text.n, &ignored));
    }
}

static bool holds(struct km_str text, const char *what)
{
    return km_str_find(text, km_str_c(what)) < text.n;
}

static void note(struct km_llm_stream *s, struct km_str data, const struct km_json_span *spans)
{
    struct km_str candidates = km_json_value(data, &spans[A_CANDIDATES]);
    bool last = false;

    if (spans[A_USAGE].type == KM_JSON_OBJECT)
        read_usage(s->scratch, km_json_value(data, &spans[A_USAGE]), &s->usage);
    if (spans[A_ERROR].type == KM_JSON_OBJECT)
        s->error = true;
    if (spans[A_FEEDBACK].type == KM_JSON_OBJECT &&
        holds(km_json_value(data, &spans[A_FEEDBACK]), "\"blockReason\""))
        last = true;
    if (spans[A_CANDIDATES].type == KM_JSON_ARRAY) {
        s->events++;
        hear_output(s, candidates);
        if (s->keeps)
            km_gemini_keep(s, data, candidates);
        last = last || holds(candidates, "\"finishReason\"");
        if (s->request->priced.hosts)
            note_searches(s->scratch, candidates, &s->usage);
    }
    s->finished = s->finished || last;
    /* Of several candidates one may go on behind another's end: each chunk says it anew, and what
     * comes behind the last has counts alone. */
    s->ended = s->finished && (last || spans[A_CANDIDATES].type != KM_JSON_ARRAY);
}

/* The object in the caller's framing. */
void km_gemini_frame(struct km_llm_stream *s, const struct km_str *parts, size_t n,
                     struct km_buf *out)
{
    bool sse = s->request->api != &km_api_gemini_array;

    km_buf_str(out, sse ? KM_STR("data: ") : s->begun ? KM_STR(",\r\n") : KM_STR("["));
    for (size_t i = 0; i < n; i++)
        km_buf_str(out, parts[i]);
    if (sse)
        km_buf_str(out, KM_STR("\r\n\r\n"));
    s->begun = true;
}

int km_gemini_relay(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                    struct km_err *err)
{
    struct km_json_span spans[A_COUNT];
    struct km_json_object object;
    struct km_json_edits e;
    struct km_str *parts;
    size_t n;
    int r;

    if (!event->has_data ||
        km_json_spans(event->data, answer_members, A_COUNT, spans, &object, NULL) < 0)
        return 0; /* a comment, or nothing that a client of this protocol could read */
    note(s, event->data, spans);
    km_json_edits_init(&e, event->data, &object);
    if (spans[A_MODEL].type == KM_JSON_STRING)
        km_json_replace(&e, &spans[A_MODEL], s->model_json);
    r = km_json_parts(&e, s->scratch, &parts, &n, err);
    if (r == 0)
        km_gemini_frame(s, parts, n, out);
    return r;
}
