/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_embed.c - Google's embedContent and batchEmbedContents, as callers speak them.
 *
 *     content, taskType, outputDimensionality   ->  input, task_type, dimensions
 *     requests[] of these                       ->  input[]
 *     data[].embedding                          ->  embedding.values, embeddings[].values
 *
 * The body is written anew in OpenAI's words before anything else looks at it, and the answer in
 * Google's behind everything else: what is between, for every provider of vectors, is that of
 * /v1/embeddings.
 */
#include "http/json_drop.h"
#include "http/json_out.h"
#include "http/json_take.h"
#include "llm/api/gemini.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"
#include "llm/dropped.h"
#include "llm/embed.h"

#define BODY_MOST ((size_t)64 * 1024 * 1024)

static const struct km_str task_type = { "task_type", 9 };

struct asked {
    struct km_reading rd;
    struct km_str task;
    int64_t dimensions; /* 0: not said */
    struct km_json_out *out;
};

/* The texts of a content's parts, one after another. */
static int put_content(struct asked *a, const struct km_place *at, const struct km_json *content)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(BODY_MOST);
    const struct km_json *parts = km_json_take(content, "parts"), *part;
    struct km_str piece, key;
    struct km_json_iter it;
    int r = 0;

    at = KM_AT(KM_AT(at, "content"), "parts");
    if (km_json_string(content, &piece)) {
        km_out_str(a->out, piece);
        return 0;
    }
    if (km_json_kind(parts) != KM_JSON_ARRAY || km_json_count(parts) == 0)
        return km_read_bad(&a->rd, at, "must be an array of parts");
    km_json_iter(parts, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &part); i++) {
        r = km_read_needed(&a->rd, KM_AT(KM_ITEM(at, i), "text"), km_json_take(part, "text"),
                           &piece);
        if (r == 0)
            km_buf_str(&text, piece);
    }
    if (r == 0 && km_buf_failed(&text))
        r = km_read_nomem(&a->rd);
    if (r == 0)
        km_out_str(a->out, km_arena_str(a->rd.arena, km_buf_view(&text)));
    return r;
}

/* What one request says for all: a call has one task and one length. */
static int read_settings(struct asked *a, const struct km_place *at, const struct km_json *v,
                         bool first)
{
    struct km_str task = KM_STR_NONE;
    int64_t dimensions = 0;
    int r = km_read_string(&a->rd, KM_AT(at, "taskType"), km_gemini_get(v, "taskType"), &task);

    if (r == 0)
        r = km_read_i64(&a->rd, KM_AT(at, "outputDimensionality"),
                        km_gemini_get(v, "outputDimensionality"), 1, 1000000, &dimensions);
    if (r == 0 && !first && (!km_str_eq(task, a->task) || dimensions != a->dimensions))
        return km_read_bad(&a->rd, at,
                           "has another taskType or outputDimensionality than the first");
    a->task = task;
    a->dimensions = dimensions;
    return r;
}

static int put_one(struct asked *a, const struct km_place *at, const struct km_json *v, bool first)
{
    int r = put_content(a, at, km_json_take(v, "content"));

    return r == 0 ? read_settings(a, at, v, first) : r;
}

static int put_all(struct asked *a, const struct km_json *root)
{
    const struct km_json *requests = km_json_take(root, "requests"), *item;
    const struct km_place *at = KM_AT(NULL, "requests");
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(requests) != KM_JSON_ARRAY || km_json_count(requests) == 0)
        return km_read_bad(&a->rd, at, "must be an array of requests");
    km_json_iter(requests, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = put_one(a, KM_ITEM(at, i), item, i == 0);
    return r;
}

static const struct km_str idle[] = {
    KM_IDLE("model"),         KM_IDLE("content.role"),
    KM_IDLE("requests.model"), KM_IDLE("requests.content.role"),
    KM_IDLE(""),
};

static int rewrite(struct km_str body, bool batch, struct km_arena *arena, struct km_dropped *left,
                   struct km_str *ret_body, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(BODY_MOST);
    struct km_json_out o;
    struct asked a = { .rd = { arena, err }, .out = &o };
    const struct km_json *root;
    int r = km_llm_parse_body(arena, body, &root, err);

    km_json_out_init(&o, &text);
    km_out_open(&o, '{');
    km_out_key(&o, "input");
    km_out_open(&o, '[');
    if (r == 0)
        r = batch ? put_all(&a, root) : put_one(&a, NULL, root, true);
    km_out_close(&o, ']');
    if (a.dimensions)
        km_out_member_i64(&o, "dimensions", a.dimensions);
    if (a.task.n)
        km_out_member(&o, "task_type", a.task);
    km_out_close(&o, '}');
    if (r == 0) {
        *ret_body = km_arena_str(arena, km_buf_view(&text));
        km_dropped_left(left, root, idle);
    }
    return r == 0 && (km_buf_failed(&text) || !ret_body->n) ? km_read_nomem(&a.rd) : r;
}

static int rewrite_one(struct km_str body, struct km_arena *arena, struct km_dropped *left,
                       struct km_str *ret_body, struct km_err *err)
{
    return rewrite(body, false, arena, left, ret_body, err);
}

static int rewrite_batch(struct km_str body, struct km_arena *arena, struct km_dropped *left,
                         struct km_str *ret_body, struct km_err *err)
{
    return rewrite(body, true, arena, left, ret_body, err);
}

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    return km_api_embedding.parse(r, arena, path_model, err);
}

static void left_out(const struct km_llm_request *r, struct km_dropped *left)
{
    struct km_json_span task;
    struct km_json_object object;

    if (km_json_spans(r->body, &task_type, 1, &task, &object, NULL) == 0 &&
        task.type != KM_JSON_ABSENT)
        km_dropped_note(left, KM_STR("taskType"));
}

/* To whoever speaks OpenAI's embeddings: a task is Google's alone, and refused there. */
static int body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err)
{
    struct km_llm_request q = { 0 };
    struct km_str plain;
    int e = km_json_drop(arena, r->body, &task_type, 1, &plain, err);

    if (e == 0)
        e = km_llm_request_parse(&q, &km_api_embedding, arena, plain, r->model, err);
    return e == 0 ? km_api_embedding.body(&q, args, arena, ret_parts, ret_n, err) : e;
}

/* --- the answer --- */

static bool is_batch(const struct km_llm_api *api)
{
    return api == &km_api_gemini_embed_batch;
}

static void put_vector(struct km_buf *out, size_t i, struct km_str values)
{
    if (i)
        km_buf_byte(out, ',');
    km_buf_str(out, KM_STR("{\"values\":"));
    km_buf_str(out, values);
    km_buf_byte(out, '}');
}

static void begin(struct km_buf *out, bool batch)
{
    km_buf_str(out, batch ? KM_STR("{\"embeddings\":[") : KM_STR("{\"embedding\":"));
}

static void end(struct km_buf *out, bool batch)
{
    km_buf_str(out, batch ? KM_STR("]}") : KM_STR("}"));
}

static int put_answer(const struct km_llm_request *r, const struct km_json *data,
                      struct km_arena *arena, struct km_buf *out, struct km_err *err)
{
    const struct km_json *item, *vector;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(data) != KM_JSON_ARRAY || km_json_count(data) == 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer has no embeddings.");
    begin(out, is_batch(r->api));
    km_json_iter(data, &it);
    for (size_t i = 0; km_json_next(&it, &key, &item); i++) {
        vector = km_json_take(item, "embedding");
        if (km_json_kind(vector) != KM_JSON_ARRAY)
            return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's embedding %zu is none.", i);
        put_vector(out, i, km_json_take_compact(vector, arena));
    }
    end(out, is_batch(r->api));
    return 0;
}

/* OpenAI's answer, in Google's form. */
static int answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str text,
                  struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                  struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(BODY_MOST);
    const struct km_json *root;
    int e = km_openai_answer(r, arena, text, ret_parts, ret_n, ret_usage, err);

    if (e == 0)
        e = km_answer_json(arena, text, &root, err);
    if (e == 0)
        e = put_answer(r, km_json_take(root, "data"), arena, &out, err);
    if (e < 0)
        return e;
    *ret_n = 1;
    *ret_parts = km_arena_alloc(arena, sizeof **ret_parts);
    if (!*ret_parts || km_buf_failed(&out))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    (*ret_parts)[0] = km_arena_str(arena, km_buf_view(&out));
    return 0;
}

static int embeds(const struct km_llm_request *r, const struct km_embed *e, struct km_buf *out,
                  struct km_err *err)
{
    begin(out, is_batch(r->api));
    for (size_t i = 0; i < e->n; i++) {
        if (!e->vectors[i].n)
            return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                           "The upstream gave no embedding for input[%zu].", i);
        put_vector(out, i, e->vectors[i]);
    }
    end(out, is_batch(r->api));
    return 0;
}

#define EMBEDS                                                                                     \
    .path = "/embeddings", .call_type = "aembedding", .required = "input",                         \
    .wire = KM_WIRE_EMBEDDING, .dialect = KM_DIALECT_GOOGLE, .parse = parse, .body = body,         \
    .left_out = left_out, .answer = answer, .embeds = embeds

const struct km_llm_api km_api_gemini_embed = { .rewrite = rewrite_one, EMBEDS };
const struct km_llm_api km_api_gemini_embed_batch = { .rewrite = rewrite_batch, EMBEDS };
