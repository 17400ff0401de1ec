/* SPDX-License-Identifier: Apache-2.0 */
/* media.c - the endpoints for images, audio and moderations, and their JSON requests.
 *
 *     client   {"model":"painter","prompt":"a cat","size":"1024x1024","tags":["x"]}
 *     upstream {"model":"gpt-image-1","prompt":"a cat","size":"1024x1024"}
 *
 * As everywhere else the body is the caller's own bytes but for the model's name and the
 * gateway's own members, and a member that counts and stands there twice is refused.  The same
 * fields as a form are read in kept/upload.c.
 */
#include "llm/api/media.h"

#include "llm/api/openai.h"

enum member {
    KM_MM_MODEL,
    KM_MM_STREAM,
    KM_MM_STREAM_FORMAT,
    KM_MM_N,
    KM_MM_SIZE,
    KM_MM_QUALITY,
    KM_MM_INPUT,
    KM_MM_PROMPT,
    KM_MM_USER,
    KM_MM_API_BASE,
    KM_MM_BASE_URL,
    KM_MM_METADATA, /* from here on: the gateway's own, never sent upstream */
    KM_MM_OWN,
    KM_MM_COUNT = KM_MM_OWN + KM_LLM_OWN_COUNT,
};

static const struct km_str members[KM_MM_COUNT] = {
    { "model", 5 },     { "stream", 6 },   { "stream_format", 13 }, { "n", 1 },
    { "size", 4 },      { "quality", 7 },  { "input", 5 },          { "prompt", 6 },
    { "user", 4 },      { "api_base", 8 }, { "base_url", 8 },       { "metadata", 8 },
    KM_LLM_OWN_NAMES,
};

/* Some of these routes have a model of their own. */
static int read_model(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                      struct km_err *err)
{
    const char *own = km_media_of(r->api)->model;

    if (own && !path_model.n && !km_llm_present(r, KM_MM_MODEL)) {
        r->model = km_str_c(own);
        return 0;
    }
    return km_llm_read_model(r, arena, path_model, KM_MM_MODEL, NULL, err);
}

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    int e = km_llm_read_members(r, arena, members, KM_MM_COUNT, err);

    if (e == 0)
        e = read_model(r, arena, path_model, err);
    if (e < 0)
        return e;
    if (r->spans[KM_MM_API_BASE].type != KM_JSON_ABSENT ||
        r->spans[KM_MM_BASE_URL].type != KM_JSON_ABSENT)
        return km_llm_bad(err, "api_base",
                          "is not allowed in a request: the configuration chooses the upstream");
    r->stream =
        r->spans[KM_MM_STREAM].type == KM_JSON_TRUE ||
        km_str_eq(km_json_value(r->body, &r->spans[KM_MM_STREAM_FORMAT]), KM_STR("\"sse\""));
    if (r->spans[KM_MM_METADATA].type == KM_JSON_OBJECT)
        r->metadata = km_json_value(r->body, &r->spans[KM_MM_METADATA]);
    if (r->spans[KM_MM_USER].type == KM_JSON_STRING)
        r->user = km_json_text(arena, r->body, &r->spans[KM_MM_USER]);
    return km_llm_read_own(r, &r->spans[KM_MM_OWN], err);
}

static int body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err)
{
    struct km_str model = km_llm_upstream_model(args->deployment, args->star, arena);
    const struct km_json_span *span = &r->spans[KM_MM_MODEL];
    struct km_json_edits e;
    int rc;

    km_json_edits_init(&e, r->body, &r->object);
    if (span->type == KM_JSON_ABSENT)
        km_json_add(&e, arena, KM_STR("model"), km_llm_json_string(arena, model));
    else if (span->type != KM_JSON_STRING || !km_str_eq(model, km_json_text(arena, r->body, span)))
        km_json_replace(&e, span, km_llm_json_string(arena, model));
    km_llm_cut_from(r, KM_MM_METADATA, &e);
    rc = km_llm_add_defaults(r, args, &e, arena, err);
    return rc == 0 ? km_json_parts(&e, arena, ret_parts, ret_n, err) : rc;
}

/* Characters as the bill has them: code points, after escapes. */
static int64_t code_points(struct km_str s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            n++;
    return n;
}

int km_media_set(struct km_media_ask *ask, struct km_str name, struct km_str value,
                 struct km_err *err)
{
    if (km_str_eq(name, KM_STR("n"))) {
        if (km_str_i64(value, &ask->n) < 0 || ask->n < 1 || ask->n > KM_CHOICES_MOST)
            return km_fail_param(err, KM_E_INVALID, "n", "'n' must be an integer from 1 to %d.",
                                 KM_CHOICES_MOST);
    } else if (km_str_eq(name, KM_STR("size"))) {
        ask->size = value;
    } else if (km_str_eq(name, KM_STR("quality"))) {
        ask->quality = value;
    } else if (km_str_eq(name, KM_STR("input"))) {
        ask->characters = code_points(value);
    } else {
        return KM_E_NOT_FOUND;
    }
    return 0;
}

int km_media_read(const struct km_llm_request *r, struct km_arena *arena, struct km_media_ask *ask,
                  struct km_err *err)
{
    *ask = (struct km_media_ask){ .n = 1, .bytes = (int64_t)r->body.n };
    for (enum member m = KM_MM_N; m <= KM_MM_INPUT; m++) {
        const struct km_json_span *span = &r->spans[m];
        bool text = span->type == KM_JSON_STRING;
        int e;

        if (span->type == KM_JSON_ABSENT || span->type == KM_JSON_NULL)
            continue;
        if (m != KM_MM_INPUT && text == (m == KM_MM_N))
            return km_llm_bad(err, members[m].p,
                              m == KM_MM_N ? "must be an integer" : "must be a string");
        e = km_media_set(ask, members[m],
                         text ? km_json_text(arena, r->body, span) : km_json_value(r->body, span),
                         err);
        if (e < 0)
            return e;
    }
    return 0;
}

#define MEDIA .streams = true, .wire = KM_WIRE_MEDIA, .dialect = KM_DIALECT_OPENAI, \
    .parse = parse, .body = body

const struct km_media_api km_media_generations = {
    .api = { .path = "/images/generations", .call_type = "aimage_generation", MEDIA },
    .what = KM_MEDIA_IMAGE,
};
const struct km_media_api km_media_edits = {
    .api = { .path = "/images/edits", .call_type = "aimage_edit", MEDIA },
    .what = KM_MEDIA_IMAGE, .body = KM_MEDIA_EITHER,
};
const struct km_media_api km_media_variations = {
    .api = { .path = "/images/variations", .call_type = "aimage_variation", MEDIA },
    .what = KM_MEDIA_IMAGE, .body = KM_MEDIA_FORM, .model = "dall-e-2",
};
const struct km_media_api km_media_speech = {
    .api = { .path = "/audio/speech", .call_type = "aspeech", MEDIA },
    .what = KM_MEDIA_SPEECH,
};
const struct km_media_api km_media_transcriptions = {
    .api = { .path = "/audio/transcriptions", .call_type = "atranscription", MEDIA },
    .what = KM_MEDIA_AUDIO, .body = KM_MEDIA_FORM,
};
const struct km_media_api km_media_translations = {
    .api = { .path = "/audio/translations", .call_type = "atranslation", MEDIA },
    .what = KM_MEDIA_AUDIO, .body = KM_MEDIA_FORM,
};
const struct km_media_api km_media_moderations = {
    .api = { .path = "/moderations", .call_type = "amoderation", MEDIA },
    .what = KM_MEDIA_CHECK, .model = "omni-moderation-latest",
};
