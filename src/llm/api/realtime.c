/* SPDX-License-Identifier: Apache-2.0 */
/* realtime.c - the events of OpenAI's Realtime API; contract in realtime.h.
 *
 * A session carries thousands of small events and some large ones (audio in base64), of which
 * few matter here.  So a text is walked once by span, which also judges whether it is JSON, and
 * only the objects that count are looked into:
 *
 *     {"type": ..., "event_id": ..., "session": {...}, "response": {...}, "usage": {...}}
 *
 * Source: OpenAI's API reference, Realtime, client and server events of the GA interface; the
 * beta's differ in names: max_response_output_tokens, input_audio_transcription.
 *
 * A client's event is judged here and read again by the upstream, so it is refused where the two
 * could differ: a member twice (at any depth), in GA's and the beta's name or in another case, a
 * bound or a model's name that is none.  Of the upstream's own events that is nobody's harm.
 */
#include "llm/api/realtime.h"
#include "llm/api/priced.h"
#include "llm/usage.h"

#define BASE64_A_TOKEN 1000 /* of audio: 8 kHz G.711 is 1067 characters in 100 ms */

const struct km_llm_api km_api_realtime = { .path = "/realtime",
                                            .call_type = "_arealtime_session",
                                            .required = "model",
                                            .wire = KM_WIRE_REALTIME,
                                            .dialect = KM_DIALECT_OPENAI };

/* --- objects by place --- */

/* Members of an object that is known to be JSON. */
static int members(struct km_str object, const struct km_str *names, size_t n,
                   struct km_json_span *spans, struct km_err *err)
{
    return km_json_spans(object, names, n, spans, NULL, err);
}

static int bad(struct km_err *err, const char *param, const char *why)
{
    return km_fail_param(err, KM_E_INVALID, param, "'%s' %s.", param, why);
}

static struct km_str object_at(struct km_str text, const struct km_json_span *span)
{
    return span->type == KM_JSON_OBJECT ? km_json_value(text, span) : KM_STR_NONE;
}

static struct km_str text_at(struct km_arena *arena, struct km_str text,
                             const struct km_json_span *span)
{
    return span->type == KM_JSON_STRING ? km_json_text(arena, text, span) : KM_STR_NONE;
}

enum top { TYPE, EVENT_ID, SESSION, RESPONSE, USAGE, ITEM_ID, DELTA, NTOP };

static const struct km_str top_names[NTOP] = { { "type", 4 },    { "event_id", 8 },
                                               { "session", 7 }, { "response", 8 },
                                               { "usage", 5 },   { "item_id", 7 },
                                               { "delta", 5 } };

static int ask_parser(struct km_arena *arena, struct km_str text, bool client,
                      struct km_json_span *spans, struct km_err *err)
{
    const struct km_json *root;
    int r = client ? km_json_parse(arena, text, &root, err)
                   : km_json_parse_answer(arena, text, &root, err);

    if (r == 0 && km_json_kind(root) != KM_JSON_OBJECT)
        r = km_fail(err, KM_E_INVALID, "An event is a JSON object.");
    return r == 0 ? members(text, top_names, NTOP, spans, err) : r;
}

static int read_top(struct km_arena *arena, struct km_str text, bool client,
                    struct km_json_span *spans, struct km_rt_event *e, struct km_err *err)
{
    bool sure = client ? km_json_judged_spans(text, top_names, NTOP, spans, NULL, NULL)
                       : km_json_sure_spans(text, top_names, NTOP, spans, NULL, NULL);
    int r = sure ? 0 : ask_parser(arena, text, client, spans, err);

    if (r < 0)
        return r;
    *e = (struct km_rt_event){ .max_output = KM_RT_OUTPUT_NONE };
    e->type = text_at(arena, text, &spans[TYPE]);
    e->event_id = text_at(arena, text, &spans[EVENT_ID]);
    return e->type.n ? 0 : km_fail_param(err, KM_E_INVALID, "type", "An event has a `type`.");
}

/* --- session and response --- */

enum part { MODEL, MOST, MOST_BETA, AUDIO, HEARD_BETA, ID, USED, NPART };

static const struct km_str part_names[NPART] = {
    { "model", 5 },  { "max_output_tokens", 17 },          { "max_response_output_tokens", 26 },
    { "audio", 5 },  { "input_audio_transcription", 25 },  { "id", 2 },
    { "usage", 5 },
};

/* false: it is there and no bound. */
static bool read_most(struct km_arena *arena, struct km_str object, const struct km_json_span *span,
                      struct km_rt_event *e)
{
    int64_t v;

    if (span->type == KM_JSON_NUMBER && km_str_i64(km_json_value(object, span), &v) == 0 && v >= 0)
        e->max_output = v;
    else if (span->type == KM_JSON_STRING && km_str_eq(text_at(arena, object, span), KM_STR("inf")))
        e->max_output = KM_RT_OUTPUT_INF;
    else
        return span->type == KM_JSON_ABSENT || span->type == KM_JSON_NULL;
    return true;
}

static bool is_said(const struct km_json_span *span)
{
    return span->type != KM_JSON_ABSENT && span->type != KM_JSON_NULL;
}

/* A client's session or response: may the upstream read something else in it? */
static int check_names(struct km_arena *arena, struct km_str object,
                       const struct km_json_span *spans, struct km_err *err)
{
    struct km_json_span again[NPART];

    if (is_said(&spans[MOST]) && is_said(&spans[MOST_BETA]))
        return bad(err, "max_response_output_tokens", "is max_output_tokens: say it once");
    if (is_said(&spans[AUDIO]) && is_said(&spans[HEARD_BETA]))
        return bad(err, "input_audio_transcription",
                   "is audio.input.transcription: do not say both");
    return km_llm_read_inside(arena, object, part_names, NPART, again, err);
}

static int read_member(struct km_str object, struct km_str name, struct km_json_span *ret,
                       struct km_err *err)
{
    if (object.n)
        return members(object, &name, 1, ret, err);
    *ret = (struct km_json_span){ .type = KM_JSON_ABSENT };
    return 0;
}

/* session.audio.input.transcription.model, or the beta's. */
static int read_transcriber(struct km_arena *arena, struct km_str object, bool client,
                            const struct km_json_span *spans, struct km_rt_event *e,
                            struct km_err *err)
{
    struct km_str at = object_at(object, &spans[AUDIO]);
    struct km_json_span span;
    int r = read_member(at, KM_STR("input"), &span, err);

    at = object_at(at, &span);
    if (r == 0)
        r = read_member(at, KM_STR("transcription"), &span, err);
    at = object_at(at, &span);
    if (!at.n)
        at = object_at(object, &spans[HEARD_BETA]);
    if (r == 0)
        r = read_member(at, KM_STR("model"), &span, err);
    if (r == 0 && client && is_said(&span) && span.type != KM_JSON_STRING)
        return bad(err, "transcription.model", "must be a string");
    if (r == 0)
        e->transcriber = text_at(arena, at, &span);
    return r;
}

/* *ret_used: the value of `usage`. */
static int read_part(struct km_arena *arena, struct km_str object, bool client,
                     struct km_rt_event *e, struct km_str *ret_used, struct km_err *err)
{
    struct km_json_span spans[NPART];
    int r;

    *ret_used = KM_STR_NONE;
    if (!object.n)
        return 0;
    r = members(object, part_names, NPART, spans, err);
    if (r == 0 && client)
        r = check_names(arena, object, spans, err);
    if (r == 0 && client)
        r = km_llm_priced_object(object, KM_PRICED_REALTIME, arena, &e->priced, err);
    if (r < 0)
        return r;
    e->model = text_at(arena, object, &spans[MODEL]);
    if (spans[MODEL].type != KM_JSON_ABSENT)
        e->model_value = km_json_value(object, &spans[MODEL]);
    if ((!read_most(arena, object, &spans[MOST], e) ||
         !read_most(arena, object, &spans[MOST_BETA], e)) &&
        client)
        return bad(err, "max_output_tokens", "must be an integer or \"inf\"");
    e->id = text_at(arena, object, &spans[ID]);
    *ret_used = object_at(object, &spans[USED]);
    return read_transcriber(arena, object, client, spans, e, err);
}

/* --- usage --- */

static int read_usage(struct km_arena *arena, struct km_str text, struct km_usage *u, bool *ret_bad,
                      struct km_err *err)
{
    const struct km_json *root, *in, *cached, *out;
    bool bad = false, timed;
    int r = km_json_parse_answer(arena, text, &root, err);

    if (r < 0)
        return r;
    timed = km_json_get(root, "seconds") != NULL; /* of a transcript: it has no tokens */
    in = km_json_get(root, "input_token_details");
    cached = km_json_get(in, "cached_tokens_details");
    out = km_json_get(root, "output_token_details");
    *u = (struct km_usage){
        .prompt_tokens = (timed ? km_usage_count : km_usage_due)(root, "input_tokens", &bad),
        .completion_tokens = (timed ? km_usage_count : km_usage_due)(root, "output_tokens", &bad),
        .cached_tokens = km_usage_count(in, "cached_tokens", &bad),
        .audio_tokens = km_usage_count(in, "audio_tokens", &bad),
        .image_tokens = km_usage_count(in, "image_tokens", &bad),
        .audio_cached_tokens = km_usage_count(cached, "audio_tokens", &bad),
        .image_cached_tokens = km_usage_count(cached, "image_tokens", &bad),
        .audio_completion_tokens = km_usage_count(out, "audio_tokens", &bad),
        .audio_ms = km_usage_ms(root, "seconds", &bad),
    };
    u->known = !bad;
    *ret_bad = bad;
    return 0;
}

/* A piece of what an answer has: its text, what it says in words, or the sound of it. */
static void read_delta(struct km_str text, const struct km_json_span *span, struct km_rt_event *e)
{
    if (span->type != KM_JSON_STRING || !km_str_starts(e->type, KM_STR("response.")) ||
        !km_str_ends(e->type, KM_STR("delta")))
        return;
    e->delta = km_str_sub(km_json_value(text, span), 1, span->value_n - 2);
    e->speaks = km_str_eq(e->type, KM_STR("response.output_audio.delta")) ||
                km_str_eq(e->type, KM_STR("response.audio.delta"));
}

/* --- the contract --- */

static enum km_rt_kind kind_of(struct km_str type, bool client)
{
    static const struct {
        struct km_str type;
        enum km_rt_kind kind;
        bool client;
    } rows[] = {
        { { "response.create", 15 }, KM_RT_RESPONSE_CREATE, true },
        { { "session.update", 14 }, KM_RT_SESSION_UPDATE, true },
        { { "transcription_session.update", 28 }, KM_RT_SESSION_UPDATE, true },
        { { "input_audio_buffer.append", 25 }, KM_RT_AUDIO_APPEND, true },
        { { "session.created", 15 }, KM_RT_SESSION, false },
        { { "session.updated", 15 }, KM_RT_SESSION, false },
        { { "transcription_session.created", 29 }, KM_RT_SESSION, false },
        { { "transcription_session.updated", 29 }, KM_RT_SESSION, false },
        { { "response.created", 16 }, KM_RT_RESPONSE_CREATED, false },
        { { "response.done", 13 }, KM_RT_RESPONSE_DONE, false },
        { { "conversation.item.input_audio_transcription.completed", 53 },
          KM_RT_TRANSCRIBED,
          false },
        { { "error", 5 }, KM_RT_ERROR, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].client == client && km_str_eq(type, rows[i].type))
            return rows[i].kind;
    return KM_RT_OTHER;
}

static int read_event(struct km_arena *arena, struct km_str text, bool client,
                      struct km_rt_event *ret, struct km_err *err)
{
    struct km_json_span spans[NTOP];
    struct km_str used = KM_STR_NONE;
    int r = read_top(arena, text, client, spans, ret, err);

    if (r < 0)
        return r;
    ret->kind = kind_of(ret->type, client);
    if (ret->kind == KM_RT_OTHER && !client)
        read_delta(text, &spans[DELTA], ret);
    if (ret->kind == KM_RT_OTHER || ret->kind == KM_RT_AUDIO_APPEND || ret->kind == KM_RT_ERROR)
        return 0;
    if (ret->kind == KM_RT_SESSION_UPDATE || ret->kind == KM_RT_SESSION) {
        r = read_part(arena, object_at(text, &spans[SESSION]), client, ret, &used, err);
        used = KM_STR_NONE;
    } else if (ret->kind == KM_RT_TRANSCRIBED) {
        ret->id = text_at(arena, text, &spans[ITEM_ID]);
        used = object_at(text, &spans[USAGE]);
    } else {
        r = read_part(arena, object_at(text, &spans[RESPONSE]), client, ret, &used, err);
    }
    return r == 0 && used.n ? read_usage(arena, used, &ret->usage, &ret->usage_bad, err) : r;
}

int km_rt_read_client(struct km_arena *arena, struct km_str text, struct km_rt_event *ret,
                      struct km_err *err)
{
    return read_event(arena, text, true, ret, err);
}

int km_rt_read_upstream(struct km_arena *arena, struct km_str text, struct km_rt_event *ret,
                        struct km_err *err)
{
    return read_event(arena, text, false, ret, err);
}

int64_t km_rt_tokens_upper(const struct km_rt_event *e, struct km_str text)
{
    if (e->kind == KM_RT_AUDIO_APPEND)
        return (int64_t)(text.n / BASE64_A_TOKEN) + 1;
    return km_tokens_upper(text.n);
}

void km_rt_error(const struct km_err *err, struct km_str event_id, struct km_str about,
                 struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"type\":\"error\",\"event_id\":"));
    km_buf_json(out, event_id);
    km_buf_printf(out, ",\"error\":{\"type\":\"%s\",\"code\":", km_err_openai_type(err));
    if (err->reason)
        km_buf_json(out, km_str_c(err->reason));
    else
        km_buf_str(out, KM_STR("null"));
    km_buf_str(out, KM_STR(",\"message\":"));
    km_buf_json(out, km_str_c(err->text));
    km_buf_str(out, KM_STR(",\"param\":"));
    if (err->param)
        km_buf_json(out, km_str_c(err->param));
    else
        km_buf_str(out, KM_STR("null"));
    km_buf_str(out, KM_STR(",\"event_id\":"));
    if (about.n)
        km_buf_json(out, about);
    else
        km_buf_str(out, KM_STR("null"));
    km_buf_str(out, KM_STR("}}"));
}
