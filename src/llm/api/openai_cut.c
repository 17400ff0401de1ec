/* SPDX-License-Identifier: Apache-2.0 */
/* openai_cut.c - streams of chat completions and completions that are ended early.
 *
 *     {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}    for each that is not over
 *     {"choices":[],"usage":{...}}                                     if it was asked for
 *     [DONE]                                                           (its owner's)
 *
 * Of a stream with one answer only the first chunk is kept, for its id and date, which are read if
 * it is cut; of one with several each is looked at, for which of them it is about.
 */
#include "llm/api/cut.h"
#include "llm/api/openai.h"

#define CHUNK_MOST ((size_t)1024 * 1024)

struct tail {
    struct km_str first;
    struct km_cut_choices choices; /* of several */
};

enum { T_ID, T_CREATED, T_MODEL, T_COUNT };

static const struct km_str members[T_COUNT] = {
    { "id", 2 },
    { "created", 7 },
    { "model", 5 },
};

static struct tail *begin(struct km_llm_stream *s, struct km_str data)
{
    int64_t answers = km_llm_answers(s->request);
    struct tail *t = km_arena_zalloc(s->arena, sizeof *t);

    if (!t)
        return NULL;
    t->first = km_arena_str(s->arena, data);
    if (answers > 1 && !km_cut_choices_init(&t->choices, s->arena, answers))
        return NULL;
    s->tail = t;
    return t;
}

void km_openai_keep(struct km_llm_stream *s, struct km_str data, struct km_str choices)
{
    struct tail *t = s->tail ? s->tail : begin(s, data);

    s->keeps = t && t->choices.n > 0;
    if (s->keeps)
        km_cut_choices_note(&t->choices, s->scratch, choices, "finish_reason");
}

static struct km_str value_of(struct km_str in, const struct km_json_span *s,
                              enum km_json_type type)
{
    return s->type == type ? km_json_value(in, s) : KM_STR_NONE;
}

static void open_chunk(const struct km_llm_stream *s, const struct km_llm_cut *c, struct km_buf *b)
{
    struct km_json_span spans[T_COUNT] = { { .type = KM_JSON_ABSENT } };
    const struct tail *t = s->tail;
    struct km_str first = t ? t->first : KM_STR_NONE;
    bool chat = s->request->api->chat;

    if (km_json_spans(first, members, T_COUNT, spans, NULL, NULL) < 0)
        memset(spans, 0, sizeof spans);
    km_buf_reset(b);
    km_buf_str(b, KM_STR("{\"id\":"));
    km_buf_str(b, km_cut_or(value_of(first, &spans[T_ID], KM_JSON_STRING),
                            km_cut_id(s, c, chat ? "chatcmpl-" : "cmpl-")));
    km_buf_str(b, chat ? KM_STR(",\"object\":\"chat.completion.chunk\",\"created\":")
                       : KM_STR(",\"object\":\"text_completion\",\"created\":"));
    km_buf_str(b, km_cut_or(value_of(first, &spans[T_CREATED], KM_JSON_NUMBER),
                            km_arena_i64(s->scratch, c->created_s)));
    km_buf_str(b, KM_STR(",\"model\":"));
    km_buf_str(b, km_cut_model(s, value_of(first, &spans[T_MODEL], KM_JSON_STRING)));
    km_buf_str(b, KM_STR(",\"choices\":["));
}

static int say(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_buf *b,
               struct km_err *err)
{
    return km_buf_failed(b) ? km_fail(err, KM_E_NOMEM, "out of memory")
                            : km_cut_say(s, c, KM_STR_NONE, km_buf_view(b), err);
}

/* begun: its client knows it already. */
static int finish(struct km_llm_stream *s, const struct km_llm_cut *c, size_t index, bool begun,
                  struct km_buf *b, struct km_err *err)
{
    open_chunk(s, c, b);
    km_buf_str(b, KM_STR("{\"index\":"));
    km_buf_u64(b, index);
    km_buf_str(b, !s->request->api->chat ? KM_STR(",\"text\":\"\"")
                  : begun                ? KM_STR(",\"delta\":{}")
                          : KM_STR(",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"));
    km_buf_str(b, KM_STR(",\"logprobs\":null,\"finish_reason\":\"length\"}]"));
    km_buf_str(b, s->request->usage_asked ? KM_STR(",\"usage\":null}") : KM_STR("}"));
    return say(s, c, b, err);
}

static int finish_all(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_buf *b,
                      struct km_err *err)
{
    const struct tail *t = s->tail;
    int r = 0;

    if (!t || !t->choices.n || !km_cut_choices_seen(&t->choices))
        return s->finished ? 0 : finish(s, c, 0, s->events > 0, b, err);
    for (size_t i = 0; r == 0 && i < t->choices.n; i++)
        if (t->choices.v[i] == KM_CUT_OPEN)
            r = finish(s, c, i, true, b, err);
    return r;
}

int km_openai_cut(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(CHUNK_MOST);
    struct km_json_out o;
    int r = finish_all(s, c, &b, err);

    if (r < 0 || !s->request->usage_asked || s->usage_told)
        return r;
    open_chunk(s, c, &b);
    km_buf_str(&b, KM_STR("],\"usage\":"));
    km_json_out_init(&o, &b);
    km_openai_usage(&o, &c->usage);
    km_buf_byte(&b, '}');
    return say(s, c, &b, err);
}
