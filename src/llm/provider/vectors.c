/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.c - Cohere, Jina and Voyage: embeddings and ranking in words of their own.
 *
 *             embeddings                                        ranking
 *     Cohere  /v2/embed {"texts","input_type",                  /v2/rerank, without documents
 *             "output_dimension"} -> {"embeddings":{"float"}}   in its answers
 *     Jina    {"input","dimensions"} -> {"data"}                as Cohere's first version
 *     Voyage  {"input","output_dimension"} -> {"data"}          {"top_k"} -> {"data"}
 *
 * They look like OpenAI's and are not: none takes `user`, Voyage refuses "float" as a format and
 * Jina calls that member something else, while OpenAI's library asks for base64 unasked and reads
 * nothing else.  So their answers are numbers here and become what the caller asked for
 * (embed.h).  Members of their own ("input_type", "task", "truncation") are passed on.
 *
 * Cohere's chats go through its API that is compatible with OpenAI's.
 */
#include "llm/embed.h"
#include "llm/provider/codecs.h"
#include "llm/provider/openai.h"
#include "llm/rank.h"
#include "llm/usage.h"

#define COHERE_MOST 96
#define JINA_MOST 2048
#define VOYAGE_MOST 1000 /* "the maximum length of the list is 1,000" */

/* --- embeddings --- */

static void write_texts(struct km_json_out *out, const char *name, const struct km_embed *e)
{
    km_out_key(out, name);
    km_out_open(out, '[');
    for (size_t i = e->first; i < e->first + e->count; i++)
        if (e->inputs[i].object_json.n)
            km_out_raw(out, e->inputs[i].object_json);
        else
            km_out_str(out, e->inputs[i].text);
    km_out_close(out, ']');
}

static int cohere_embed(const struct km_encode_args *args, const struct km_embed *e,
                        struct km_json_out *out, struct km_err *err)
{
    int r = km_embed_texts_only(e, "Cohere", err);

    if (r < 0)
        return r;
    km_out_open(out, '{');
    km_out_member(out, "model", args->model);
    write_texts(out, "texts", e);
    if (!km_embed_extra(e, "input_type").n)
        km_out_member(out, "input_type", KM_STR("search_document"));
    if (!km_embed_extra(e, "embedding_types").n)
        km_out_member_raw(out, "embedding_types", KM_STR("[\"float\"]"));
    if (e->dimensions)
        km_out_member_i64(out, "output_dimension", e->dimensions);
    r = km_extras_write(out, e->extras, err);
    km_out_close(out, '}');
    return r;
}

/* Model, texts, size: all that Jina and Voyage have, under names of their own. */
static int write_plain(const struct km_encode_args *args, const struct km_embed *e,
                       const char *texts, const char *size, struct km_json_out *out,
                       struct km_err *err)
{
    int r;

    km_out_open(out, '{');
    km_out_member(out, "model", args->model);
    write_texts(out, texts, e);
    if (e->dimensions)
        km_out_member_i64(out, size, e->dimensions);
    r = km_extras_write(out, e->extras, err);
    km_out_close(out, '}');
    return r;
}

static int jina_embed(const struct km_encode_args *args, const struct km_embed *e,
                      struct km_json_out *out, struct km_err *err)
{
    int r = km_embed_no_tokens(e, "Jina", err);

    return r < 0 ? r : write_plain(args, e, "input", "dimensions", out, err);
}

static int voyage_embed(const struct km_encode_args *args, const struct km_embed *e,
                        struct km_json_out *out, struct km_err *err)
{
    int r = km_embed_texts_only(e, "Voyage", err);

    return r < 0 ? r : write_plain(args, e, "input", "output_dimension", out, err);
}

static int put_all(struct km_embed *e, struct km_arena *arena, const struct km_json *list,
                   struct km_err *err)
{
    const struct km_json *item, *inner;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_count(list) != e->count || km_json_kind(list) != KM_JSON_ARRAY)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "%zu embeddings came for %zu inputs",
                       km_json_count(list), e->count);
    km_json_iter(list, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        int64_t index = (int64_t)i;

        inner = km_json_get(item, "embedding");
        (void)km_json_i64(km_json_get(item, "index"), &index);
        r = index < 0 || (size_t)index >= e->count
                ? km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's embedding %zu is none.", i)
                : km_embed_put(e, arena, e->first + (size_t)index, inner ? inner : item, err);
    }
    return r;
}

static int cohere_vectors(struct km_embed *e, struct km_arena *arena, struct km_str body,
                          struct km_err *err)
{
    const struct km_json *root, *units;
    bool bad = false;
    int64_t tokens;
    int r = km_answer_json(arena, body, &root, err);

    if (r == 0)
        r = put_all(e, arena, km_json_get(km_json_get(root, "embeddings"), "float"), err);
    if (r < 0)
        return r;
    units = km_json_get(km_json_get(root, "meta"), "billed_units");
    tokens = km_usage_due(units, "input_tokens", &bad);
    km_embed_used(e, tokens, bad);
    return 0;
}

static int data_vectors(struct km_embed *e, struct km_arena *arena, struct km_str body,
                        struct km_err *err)
{
    const struct km_json *root;
    bool bad = false;
    int64_t tokens;
    int r = km_answer_json(arena, body, &root, err);

    if (r == 0)
        r = put_all(e, arena, km_json_get(root, "data"), err);
    if (r < 0)
        return r;
    tokens = km_usage_due(km_json_get(root, "usage"), "total_tokens", &bad);
    km_embed_used(e, tokens, bad);
    return 0;
}

/* --- ranking --- */

static int write_rank(const struct km_encode_args *args, const struct km_rank *rank,
                      const char *most, struct km_json_out *out, struct km_err *err)
{
    int r;

    km_out_open(out, '{');
    km_out_member(out, "model", args->model);
    km_out_member(out, "query", rank->query);
    km_out_key(out, "documents");
    km_out_open(out, '[');
    for (size_t i = 0; i < rank->n; i++)
        km_out_str(out, rank->documents[i]);
    km_out_close(out, ']');
    if (rank->top_n)
        km_out_member_i64(out, most, rank->top_n);
    r = km_extras_write(out, rank->extras, err);
    km_out_close(out, '}');
    return r;
}

static int cohere_rank(const struct km_encode_args *args, const struct km_rank *rank,
                       struct km_json_out *out, struct km_err *err)
{
    return write_rank(args, rank, "top_n", out, err);
}

static int voyage_rank(const struct km_encode_args *args, const struct km_rank *rank,
                       struct km_json_out *out, struct km_err *err)
{
    return write_rank(args, rank, "top_k", out, err);
}

static int cohere_ranked(struct km_rank *rank, struct km_arena *arena, struct km_str body,
                         struct km_err *err)
{
    return km_rank_results(rank, arena, body, "results", err);
}

static int voyage_ranked(struct km_rank *rank, struct km_arena *arena, struct km_str body,
                         struct km_err *err)
{
    return km_rank_results(rank, arena, body, "data", err);
}

/* --- the rows --- */

static struct km_str cohere_target(const struct km_target_args *args, struct km_arena *arena)
{
    if (args->wire == KM_WIRE_RERANK)
        return KM_STR("/v2/rerank");
    if (args->wire == KM_WIRE_EMBEDDING)
        return KM_STR("/v2/embed");
    return km_arena_cat(
        arena, (struct km_str[]){ KM_STR("/compatibility/v1"), km_openai_target(args, arena) }, 2);
}

const struct km_codec km_codec_cohere = {
    .name = "Cohere's OpenAI-compatible chat",
    .native = KM_WIRE_CHAT,
    .maps = KM_OPENAI_COMPATIBLE_MAPS,
    .drops = KM_OPENAI_ONLY,
    .state_size = KM_OPENAI_STATE,
    .framing = KM_FRAMING_SSE,
    .remote_images = true,
    .top_k_by_row = true,
    .target = cohere_target,
    .encode = km_openai_encode,
    .idle = km_openai_idle, .carries = KM_OPENAI_CARRIES,
    .decode = km_openai_read,
    .event = km_openai_read_event,
    .end = km_openai_read_end,
    .refusal = km_refusal_openai,
    .embed_most = COHERE_MOST,
    .embed_encode = cohere_embed,
    .embed_decode = cohere_vectors,
    .rank_encode = cohere_rank,
    .rank_decode = cohere_ranked,
};

const struct km_codec km_codec_jina = {
    .name = "Jina's API",
    .native = KM_WIRE_RERANK,
    .target = km_openai_target,
    .refusal = km_refusal_openai,
    .embed_most = JINA_MOST,
    .embed_encode = jina_embed,
    .embed_decode = data_vectors,
};

const struct km_codec km_codec_voyage = {
    .name = "Voyage's API",
    .target = km_openai_target,
    .refusal = km_refusal_openai,
    .embed_most = VOYAGE_MOST,
    .embed_encode = voyage_embed,
    .embed_decode = data_vectors,
    .rank_encode = voyage_rank,
    .rank_decode = voyage_ranked,
};
