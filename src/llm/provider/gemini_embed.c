/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_embed.c - embeddings of the Gemini API and of Vertex AI.
 *
 *     batchEmbedContents  {"requests":[{"model":"models/m","content":{"parts":[{"text"}]},...}]}
 *                         {"embeddings":[{"values":[...]}]}
 *     predict             {"instances":[{"content":"...",...}],"parameters":{...}}
 *                         {"predictions":[{"embeddings":{"values":[...],"statistics":{...}}}]}
 *
 * Vertex takes one text a request of its newer models, so there the window is one (codec.h).
 * `input_type` and `task_type` are what LiteLLM's clients say for Google's task type.
 */
#include "llm/answer.h"
#include "llm/embed.h"
#include "llm/provider/gemini.h"
#include "llm/usage.h"

/* The task type as JSON, or empty. */
static struct km_str task_of(const struct km_embed *e)
{
    static const char *const names[] = { "task_type", "taskType", "input_type" };
    struct km_str json = KM_STR_NONE;

    for (size_t i = 0; i < sizeof names / sizeof names[0] && !json.n; i++)
        json = km_embed_extra(e, names[i]);
    return json;
}

int km_gemini_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                           struct km_json_out *out, struct km_err *err)
{
    struct km_str task = task_of(e), model = args->model;
    struct km_str full =
        km_str_starts(model, KM_STR("models/"))
            ? model
            : km_arena_cat(args->arena, (struct km_str[]){ KM_STR("models/"), model }, 2);
    int r = km_embed_texts_only(e, "Gemini", err);

    if (r < 0)
        return r;
    km_out_open(out, '{');
    km_out_key(out, "requests");
    km_out_open(out, '[');
    for (size_t i = 0; i < e->count; i++) {
        km_out_open(out, '{');
        km_out_member(out, "model", full);
        km_out_key(out, "content");
        km_out_open(out, '{');
        km_out_key(out, "parts");
        km_out_open(out, '[');
        km_out_open(out, '{');
        km_out_member(out, "text", e->inputs[e->first + i].text);
        km_out_close(out, '}');
        km_out_close(out, ']');
        km_out_close(out, '}');
        if (task.n)
            km_out_member_raw(out, "taskType", task);
        if (e->dimensions)
            km_out_member_i64(out, "outputDimensionality", e->dimensions);
        km_out_close(out, '}');
    }
    km_out_close(out, ']');
    km_out_close(out, '}');
    return 0;
}

int km_vertex_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                           struct km_json_out *out, struct km_err *err)
{
    struct km_str task = task_of(e);
    int r = km_embed_texts_only(e, "Vertex AI", err);

    (void)args;
    if (r < 0)
        return r;
    km_out_open(out, '{');
    km_out_key(out, "instances");
    km_out_open(out, '[');
    for (size_t i = 0; i < e->count; i++) {
        km_out_open(out, '{');
        km_out_member(out, "content", e->inputs[e->first + i].text);
        if (task.n)
            km_out_member_raw(out, "task_type", task);
        km_out_close(out, '}');
    }
    km_out_close(out, ']');
    if (e->dimensions) {
        km_out_key(out, "parameters");
        km_out_open(out, '{');
        km_out_member_i64(out, "outputDimensionality", e->dimensions);
        km_out_close(out, '}');
    }
    km_out_close(out, '}');
    return 0;
}

/* {"values":[...]}, in the batch's list or, on Vertex, one level deeper. */
static int put_vectors(struct km_embed *e, struct km_arena *arena, const struct km_json *list,
                       bool deeper, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_count(list) != e->count)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "%zu embeddings came for %zu inputs",
                       km_json_count(list), e->count);
    km_json_iter(list, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        if (deeper)
            item = km_json_get(item, "embeddings");
        r = km_embed_put(e, arena, e->first + i, km_json_get(item, "values"), err);
    }
    return r;
}

int km_gemini_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                           struct km_err *err)
{
    const struct km_json *root;
    struct km_usage usage = { 0 };
    int r = km_answer_json(arena, body, &root, err);

    if (r == 0)
        r = put_vectors(e, arena, km_json_get(root, "embeddings"), false, err);
    if (r < 0)
        return r;
    (void)km_gemini_usage(km_json_get(root, "usageMetadata"), &usage);
    km_embed_used(e, usage.prompt_tokens, !usage.known);
    return 0;
}

int km_vertex_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                           struct km_err *err)
{
    const struct km_json *root, *item, *list;
    struct km_json_iter it;
    struct km_str key;
    int64_t tokens = 0;
    bool bad = false;
    int r = km_answer_json(arena, body, &root, err);

    if (r < 0)
        return r;
    list = km_json_get(root, "predictions");
    r = put_vectors(e, arena, list, true, err);
    km_json_iter(list, &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        tokens += km_usage_due(km_json_get(km_json_get(item, "embeddings"), "statistics"),
                               "token_count", &bad);
    if (r == 0)
        km_embed_used(e, tokens, bad);
    return r;
}
