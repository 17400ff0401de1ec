/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_cut.c - Google's streams that are ended early.
 *
 *     {"candidates":[{"content":...,"finishReason":...,"index":0}],"usageMetadata":{...}}
 *
 * One more chunk, for each candidate that has not said why it ended: its tokens were as many as it
 * may have.  As SSE, or as the last item of the array, whose bracket is its owner's.  Google sends
 * calls whole, so that none is ever open.
 */
#include "llm/api/cut.h"
#include "llm/api/gemini.h"
#include "llm/provider/gemini.h"

#define CHUNK_MOST ((size_t)1024 * 1024)
#define STRING(name) #name

struct tail {
    struct km_str id, model; /* JSON */
    struct km_cut_choices choices; /* of several */
};

enum { T_ID, T_MODEL, T_COUNT };

static const struct km_str members[T_COUNT] = {
    { "responseId", 10 },
    { "modelVersion", 12 },
};

static struct tail *begin(struct km_llm_stream *s, struct km_str data)
{
    struct km_json_span spans[T_COUNT];
    struct tail *t = km_arena_zalloc(s->arena, sizeof *t);

    if (!t || km_json_spans(data, members, T_COUNT, spans, NULL, NULL) < 0)
        return NULL;
    if (spans[T_ID].type == KM_JSON_STRING)
        t->id = km_arena_str(s->arena, km_json_value(data, &spans[T_ID]));
    if (spans[T_MODEL].type == KM_JSON_STRING && !s->model_json.n)
        t->model = km_arena_str(s->arena, km_json_value(data, &spans[T_MODEL]));
    if (s->request->choices > 1 &&
        !km_cut_choices_init(&t->choices, s->arena, KM_GEMINI_CANDIDATES))
        return NULL;
    s->tail = t;
    return t;
}

void km_gemini_keep(struct km_llm_stream *s, struct km_str data, struct km_str candidates)
{
    struct tail *t = s->tail ? s->tail : begin(s, data);

    s->keeps = t && t->choices.n > 0;
    if (s->keeps)
        km_cut_choices_note(&t->choices, s->scratch, candidates, "finishReason");
}

static void candidate(struct km_json_out *o, size_t index)
{
    km_out_open(o, '{');
    km_out_member_raw(o, "content", KM_STR("{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"}"));
    km_out_member(o, "finishReason", KM_STR(STRING(MAX_TOKENS)));
    km_out_member_i64(o, "index", (int64_t)index);
    km_out_close(o, '}');
}

static bool is_over(const struct km_llm_stream *s, const struct tail *t)
{
    if (!t->choices.n || !km_cut_choices_seen(&t->choices))
        return s->finished;
    for (size_t i = 0; i < t->choices.n; i++)
        if (t->choices.v[i] == KM_CUT_OPEN)
            return false;
    return true;
}

static void candidates(struct km_json_out *o, const struct tail *t)
{
    km_out_key(o, "candidates");
    km_out_open(o, '[');
    if (!t->choices.n || !km_cut_choices_seen(&t->choices))
        candidate(o, 0);
    else
        for (size_t i = 0; i < t->choices.n; i++)
            if (t->choices.v[i] == KM_CUT_OPEN)
                candidate(o, i);
    km_out_close(o, ']');
}

int km_gemini_cut(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_err *err)
{
    static const struct tail none;
    const struct tail *t = s->tail ? s->tail : &none;
    struct km_buf data KM_CLEANUP(km_buf_done) = KM_BUF(CHUNK_MOST);
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(CHUNK_MOST);
    struct km_sse_event event = { .has_data = true, .retry_ms = -1 };
    struct km_json_out o;

    if (is_over(s, t))
        return 0;
    km_json_out_init(&o, &data);
    km_out_open(&o, '{');
    candidates(&o, t);
    km_gemini_write_usage(&o, &c->usage);
    km_out_member_raw(&o, "modelVersion", km_cut_model(s, t->model));
    km_out_member_raw(&o, "responseId", km_cut_or(t->id, km_llm_json_string(s->scratch, c->id)));
    km_out_close(&o, '}');
    event.data = km_buf_view(&data);
    km_gemini_frame(s, &event.data, 1, &raw);
    event.raw = km_buf_view(&raw);
    if (km_buf_failed(&data) || km_buf_failed(&raw) || km_arena_overflowed(s->scratch))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return c->say(c->ctx, &event, err);
}
