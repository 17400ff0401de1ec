/* SPDX-License-Identifier: Apache-2.0 */
/* translate_embed.c - embeddings from upstreams that do not have OpenAI's, and ranking from those
 * that do not have Cohere's.
 *
 * A list of inputs may be more than the upstream takes at once (Titan takes one): the attempt is
 * then several requests, one after another, each for a window of the inputs.  All of them end in
 * one answer, one permit and one line in the books.
 */
#include "gateway/llm/translate.h"

#define BODY_BYTES ((size_t)256 * 1024 * 1024)

static int next_window(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    struct km_embed *e = tr->embed;
    size_t most = tr->codec->embed_most, left = e->n - e->first;
    struct km_encode_args args;
    struct km_json_out out;
    int r;

    e->count = most && left > most ? most : left;
    km_translate_encode_args(call, &args);
    km_json_out_parts_init(&out, &tr->request, BODY_BYTES);
    r = tr->codec->embed_encode(&args, e, &out, err);
    if (r == 0)
        r = km_translate_request(call, &out, NULL, KM_WIRE_EMBEDDING, err);
    km_json_out_done(&out);
    return r;
}

int km_embed_attempt(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    const struct km_json *root;
    int r = km_translate_body(call, call->at->d->nalso_drop, &root, err);

    tr->embed = km_arena_zalloc(&call->arena, sizeof *tr->embed);
    if (!tr->embed)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_embed_read(call->at->d, root, &tr->request, tr->embed, err);
    return r == 0 ? next_window(call, err) : r;
}

int km_embed_complete(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    struct km_embed *e = tr->embed;
    struct km_usage usage;
    int r = tr->codec->embed_decode(e, &call->arena, km_buf_view(&call->at->answer), err);

    if (r < 0)
        return r;
    e->first += e->count;
    if (e->first < e->n) {
        r = next_window(call, err);
        return r == 0 ? KM_E_AGAIN : r;
    }
    usage = e->usage;
    if (!usage.known)
        usage.prompt_tokens = km_llm_prompt_estimate(&call->req);
    r = call->api->embeds ? call->api->embeds(&call->req, e, &tr->whole, err)
                          : km_embed_write(e, call->req.model, &usage, &tr->whole, err);
    return r == 0 ? km_translate_whole(call, err) : r;
}

/* --- ranking --- */

int km_rank_attempt(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    const struct km_json *root;
    struct km_encode_args args;
    struct km_json_out out;
    int r = km_translate_body(call, call->at->d->nalso_drop, &root, err);

    tr->rank = km_arena_zalloc(&call->arena, sizeof *tr->rank);
    if (!tr->rank)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_rank_read(call->at->d, root, &tr->request, tr->rank, err);
    if (r < 0)
        return r;
    km_translate_encode_args(call, &args);
    km_json_out_parts_init(&out, &tr->request, BODY_BYTES);
    r = tr->codec->rank_encode(&args, tr->rank, &out, err);
    if (r == 0)
        r = km_translate_request(call, &out, NULL, KM_WIRE_RERANK, err);
    km_json_out_done(&out);
    return r;
}

int km_rank_complete(struct km_call *call, struct km_err *err)
{
    struct km_translation *tr = call->at->convert;
    int r = tr->codec->rank_decode(tr->rank, &call->arena, km_buf_view(&call->at->answer), err);

    if (r < 0)
        return r;
    km_rank_write(tr->rank, call->req.model, km_str(call->visit->id_text, KM_UUID_LEN), &tr->whole);
    return km_translate_whole(call, err);
}
