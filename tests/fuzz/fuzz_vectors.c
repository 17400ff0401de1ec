/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings and rankings: what callers ask, and what each codec reads of an upstream's answer.
 *
 * The first byte chooses the codec, the second what the rest is and how many inputs were sent.
 * What a codec takes must be writable for the caller as JSON, as floats and in base64, with no
 * negative count; a request that is taken must be writable for every upstream.
 */
#include "fuzz.h"

#include "http/json.h"
#include "llm/embed.h"
#include "llm/provider/codecs.h"
#include "llm/rank.h"

#define MAX_INPUT ((size_t)1 << 16)
#define ARENA ((size_t)64 << 20)
#define INPUTS_MOST 5

static const struct km_codec *const embedders[] = {
    &km_codec_cohere, &km_codec_jina,   &km_codec_voyage,        &km_codec_ollama,
    &km_codec_gemini, &km_codec_gemini_vertex, &km_codec_bedrock_cohere, &km_codec_converse,
};
#define EMBEDDERS (sizeof embedders / sizeof embedders[0])
static const struct km_codec *const rankers[] = { &km_codec_cohere, &km_codec_voyage };

static void is_json(struct km_arena *arena, const struct km_buf *out)
{
    const struct km_json *root;

    if (!km_buf_failed(out) && !km_arena_overflowed(arena))
        must(km_json_parse(arena, km_buf_view(out), &root, NULL) == 0 ||
             km_arena_overflowed(arena));
}

/* Every window gets the same answer, as far as it is asked for. */
static void vectors(const struct km_codec *codec, size_t n, bool base64, struct km_str body)
{
    static const struct km_embed_input inputs[INPUTS_MOST];
    size_t most = codec->embed_most ? codec->embed_most : n;
    struct km_embed e = { .inputs = inputs, .n = n, .base64 = base64 };
    struct km_buf out = KM_BUF(16 << 20);
    struct km_arena arena;
    int r = 0;

    km_arena_init(&arena, ARENA, NULL);
    e.vectors = km_arena_zalloc(&arena, n * sizeof *e.vectors);
    for (e.first = 0; r == 0 && e.first < n; e.first += e.count) {
        e.count = n - e.first < most ? n - e.first : most;
        r = codec->embed_decode(&e, &arena, body, NULL);
    }
    must(e.usage.prompt_tokens >= 0);
    if (r == 0 && km_embed_write(&e, KM_STR("m"), &e.usage, &out, NULL) == 0)
        is_json(&arena, &out);
    km_buf_done(&out);
    km_arena_done(&arena);
}

/* Twice, as when the first upstream's answer was refused. */
static void ranking(const struct km_codec *codec, size_t n, bool documents, struct km_str body)
{
    static const struct km_str texts[INPUTS_MOST];
    struct km_rank rank = { .documents = texts, .n = n, .return_documents = documents };
    struct km_arena arena;

    km_arena_init(&arena, ARENA, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct km_buf out = KM_BUF(16 << 20);

        if (codec->rank_decode(&rank, &arena, body, NULL) == 0) {
            must(rank.nresults <= n);
            must(!rank.usage.known || rank.usage.prompt_tokens >= 0);
            km_rank_write(&rank, KM_STR("m"), KM_STR("1"), &out);
            is_json(&arena, &out);
        }
        km_buf_done(&out);
    }
    km_arena_done(&arena);
}

typedef int encode_fn(const struct km_encode_args *args, const void *what, struct km_json_out *out,
                      const struct km_codec *codec);

static int encode_embed(const struct km_encode_args *args, const void *what,
                        struct km_json_out *out, const struct km_codec *codec)
{
    return codec->embed_encode(args, what, out, NULL);
}

static int encode_rank(const struct km_encode_args *args, const void *what, struct km_json_out *out,
                       const struct km_codec *codec)
{
    return codec->rank_encode(args, what, out, NULL);
}

static void encoded(struct km_arena *arena, const struct km_codec *codec, encode_fn *encode,
                    const void *what)
{
    struct km_deployment d = { .price = KM_PRICE_NONE, .codec = codec, .default_output = -1 };
    struct km_encode_args args = { .d = &d, .arena = arena, .max_tokens = -1 };
    struct km_buf out = KM_BUF(16 << 20);
    struct km_json_out o;

    args.model = KM_STR("cohere.embed-v4:0");
    args.can = km_capability_find(args.model);
    km_json_out_init(&o, &out);
    if (encode(&args, what, &o, codec) == 0)
        is_json(arena, &out);
    km_buf_done(&out);
}

static void requests(struct km_str body)
{
    struct km_deployment d = { .price = KM_PRICE_NONE, .default_output = -1 };
    const struct km_json *root;
    struct km_arena arena;
    struct km_embed e;
    struct km_rank rank;

    km_arena_init(&arena, ARENA, NULL);
    if (km_json_parse(&arena, body, &root, NULL) == 0) {
        if (km_rank_read(&d, root, &arena, &rank, NULL) == 0)
            for (size_t i = 0; i < sizeof rankers / sizeof rankers[0]; i++)
                encoded(&arena, rankers[i], encode_rank, &rank);
        if (km_embed_read(&d, root, &arena, &e, NULL) == 0)
            for (size_t i = 0; i < EMBEDDERS; i++) {
                e.first = 0;
                e.count = embedders[i]->embed_most && embedders[i]->embed_most < e.n
                              ? embedders[i]->embed_most
                              : e.n;
                encoded(&arena, embedders[i], encode_embed, &e);
            }
    }
    km_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_str body = km_str((const char *)data + 2, size - 2);
    size_t n;
    bool more;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    n = (size_t)data[1] / 8 % INPUTS_MOST + 1;
    more = data[1] & 4;
    if (data[1] % 4 == 0)
        vectors(embedders[data[0] % EMBEDDERS], n, more, body);
    else if (data[1] % 4 == 1)
        ranking(rankers[data[0] % 2], n, more, body);
    else
        requests(body);
    return 0;
}
