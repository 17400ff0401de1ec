/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_embed.c - vectors by Ollama's own /api/embed.
 *
 *     {"model", "input": [texts], "dimensions"}  ->  {"embeddings": [[...]], "prompt_eval_count"}
 *
 * All texts go in one request; its count of tokens is that of all of them.  An input that is too
 * long is cut there unless "truncate" says otherwise, which a caller may send along.
 */
#include "llm/provider/ollama.h"
#include "llm/usage.h"

int km_ollama_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                           struct km_json_out *out, struct km_err *err)
{
    int r = km_embed_texts_only(e, "Ollama", err);

    if (r < 0)
        return r;
    km_out_open(out, '{');
    km_out_member(out, "model", args->model);
    km_out_key(out, "input");
    km_out_open(out, '[');
    for (size_t i = e->first; i < e->first + e->count; i++)
        km_out_str(out, e->inputs[i].text);
    km_out_close(out, ']');
    if (e->dimensions)
        km_out_member_i64(out, "dimensions", e->dimensions);
    r = km_ollama_extras(e->extras, args->arena, out, err);
    km_out_close(out, '}');
    return r;
}

int km_ollama_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                           struct km_err *err)
{
    const struct km_json *root, *list, *item;
    struct km_json_iter it;
    struct km_str key;
    int64_t tokens;
    bool bad = false;
    int r = 0;

    if (km_answer_json(arena, body, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    list = km_json_get(root, "embeddings");
    if (km_json_count(list) != e->count)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "%zu embeddings came for %zu inputs",
                       km_json_count(list), e->count);
    km_json_iter(list, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = km_embed_put(e, arena, e->first + i, item, err);
    if (r < 0)
        return r;
    tokens = km_usage_due(root, "prompt_eval_count", &bad);
    km_embed_used(e, tokens, bad);
    return 0;
}
