/* SPDX-License-Identifier: Apache-2.0 */
/* bedrock_embed.c - embeddings at Bedrock, by InvokeModel: each family has bodies of its own.
 *
 *     Titan v1    {"inputText"}                                {"embedding":[..]}
 *     Titan v2    {"inputText","dimensions"}                   {"embedding":[..]}
 *     Titan image {"inputText","embeddingConfig"}              {"embedding":[..]}
 *     Nova        {"taskType","singleEmbeddingParams"}         {"embeddings":[{"embedding":[..]}]}
 *     Cohere v3   {"texts","input_type"}                       {"embeddings":[[..],..]}
 *     Cohere v4   {"texts","input_type","output_dimension"}    {"embeddings":{"float":[[..],..]}}
 *
 * Amazon's take one text a request, Cohere's 96; the gateway asks as often as it must.  Members
 * that OpenAI does not have ("normalize", "input_type", "truncate") are passed on.
 *
 * Titan counts its tokens in the body; what the others count stands in a header line only and is
 * estimated.
 */
#include "llm/embed.h"
#include "llm/provider/bedrock.h"
#include "llm/usage.h"

static int no_dimensions(const struct km_encode_args *args, const struct km_embed *e,
                         struct km_err *err)
{
    if (!e->dimensions || args->d->drop_params)
        return 0;
    return km_fail_param(err, KM_E_UNSUPPORTED, "dimensions",
                         "'dimensions' is not known to model '%.*s' of bedrock. Leave it out, or "
                         "set litellm_settings.drop_params: true to have it dropped.",
                         KM_STR_ARG(args->model));
}

static int titan(const struct km_encode_args *args, const struct km_embed *e,
                 struct km_json_out *out, struct km_err *err)
{
    const struct km_capability *can = args->can;

    km_out_member(out, "inputText", e->inputs[e->first].text);
    if (!(can->can & KM_CAN_DIMENSIONS))
        return no_dimensions(args, e, err);
    if (e->dimensions && can->generation >= 20) {
        km_out_member_i64(out, "dimensions", e->dimensions);
    } else if (e->dimensions) {
        km_out_key(out, "embeddingConfig");
        km_out_open(out, '{');
        km_out_member_i64(out, "outputEmbeddingLength", e->dimensions);
        km_out_close(out, '}');
    }
    return 0;
}

static int nova(const struct km_encode_args *args, const struct km_embed *e,
                struct km_json_out *out, struct km_err *err)
{
    (void)args;
    (void)err;
    km_out_member_raw(out, "taskType", KM_STR("\"SINGLE_EMBEDDING\""));
    km_out_key(out, "singleEmbeddingParams");
    km_out_open(out, '{');
    km_out_member_raw(out, "embeddingPurpose", KM_STR("\"GENERIC_INDEX\""));
    if (e->dimensions)
        km_out_member_i64(out, "embeddingDimension", e->dimensions);
    km_out_key(out, "text");
    km_out_open(out, '{');
    km_out_member(out, "truncationMode", KM_STR("END"));
    km_out_member(out, "value", e->inputs[e->first].text);
    km_out_close(out, '}');
    km_out_close(out, '}');
    return 0;
}

static int cohere(const struct km_encode_args *args, const struct km_embed *e,
                  struct km_json_out *out, struct km_err *err)
{
    km_out_key(out, "texts");
    km_out_open(out, '[');
    for (size_t i = e->first; i < e->first + e->count; i++)
        km_out_str(out, e->inputs[i].text);
    km_out_close(out, ']');
    if (!km_embed_extra(e, "input_type").n)
        km_out_member(out, "input_type", KM_STR("search_document"));
    if (!(args->can->can & KM_CAN_DIMENSIONS))
        return no_dimensions(args, e, err);
    if (e->dimensions)
        km_out_member_i64(out, "output_dimension", e->dimensions);
    if (!km_embed_extra(e, "embedding_types").n)
        km_out_member_raw(out, "embedding_types", KM_STR("[\"float\"]"));
    return 0;
}

int km_bedrock_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                            struct km_json_out *out, struct km_err *err)
{
    int r = km_embed_texts_only(e, "Bedrock", err);

    if (r < 0)
        return r;
    km_out_open(out, '{');
    switch (args->can->family) {
    case KM_FAMILY_TITAN:
        r = titan(args, e, out, err);
        break;
    case KM_FAMILY_NOVA:
        r = nova(args, e, out, err);
        break;
    case KM_FAMILY_COHERE:
        r = cohere(args, e, out, err);
        break;
    default:
        r = km_fail_param(err, KM_E_UNSUPPORTED, "model",
                          "Model '%.*s' of bedrock gives no embeddings that are known here.",
                          KM_STR_ARG(args->model));
    }
    if (r == 0)
        r = km_extras_write(out, e->extras, err);
    km_out_close(out, '}');
    return r;
}

static int put_list(struct km_embed *e, struct km_arena *arena, const struct km_json *list,
                    struct km_err *err)
{
    const struct km_json *v, *inner;
    struct km_json_iter it;
    struct km_str key;
    size_t i = 0;
    int r = 0;

    for (km_json_iter(list, &it); r == 0 && i < e->count && km_json_next(&it, &key, &v); i++) {
        inner = km_json_get(v, "embedding");
        r = km_embed_put(e, arena, e->first + i, inner ? inner : v, err);
    }
    return r == 0 && i < e->count
               ? km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream gave %zu embeddings for %zu.",
                         i, e->count)
               : r;
}

int km_bedrock_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                            struct km_err *err)
{
    const struct km_json *root, *list;
    int64_t tokens;
    bool bad = false;
    int r;

    if (km_answer_json(arena, body, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    list = km_json_get(root, "embeddings");
    if (km_json_kind(list) == KM_JSON_OBJECT)
        list = km_json_get(list, "float");
    r = list ? put_list(e, arena, list, err)
             : km_embed_put(e, arena, e->first, km_json_get(root, "embedding"), err);
    if (r < 0)
        return r;
    tokens = km_usage_due(root, "inputTextTokenCount", &bad);
    km_embed_used(e, tokens, bad);
    return 0;
}
