/* SPDX-License-Identifier: Apache-2.0 */
/* Google's generateContent, both ways.
 *
 * The first byte chooses.  0: the rest is a stream of an upstream; cut in pieces of the next
 * byte's size it must give the same chunks as whole, and these must be read again as complete.
 * 1: a whole answer, or a stream's array form.  2: a caller's request; what is read must be
 * writable for an upstream, and what is read of that is written as the same.  3: a refusal.
 */
#include "fuzz_answer.h"

#include "llm/api/gemini.h"
#include "llm/provider/codecs.h"
#include "llm/provider/gemini.h"

static const struct dialect gemini = { .encoder = &km_gemini_encoder,
                                     .event = km_gemini_event,
                                     .end = km_gemini_end,
                                     .state_size = sizeof(struct km_gemini_state),
                                     .model = "m" };

static void an_answer(const char *p, size_t n)
{
    struct reading r, again;

    reading_init(&r, &gemini, false);
    reading_init(&again, &gemini, false);
    if (km_gemini_decode(&r.d, km_str(p, n), NULL) == 0 &&
        km_gemini_encoder.whole(&r.answer, NULL) == 0 && !km_buf_failed(&r.out) &&
        r.answer.nchoices <= KM_GEMINI_CANDIDATES) {
        const struct km_json *root;

        must(km_json_parse(&again.arena, km_buf_view(&r.out), &root, NULL) == 0);
        must(km_json_count(km_json_get(root, "candidates")) == r.answer.nchoices);
    }
    reading_done(&r);
    reading_done(&again);
}

static bool read_request(struct km_arena *arena, struct km_str body, struct km_chat *chat)
{
    const struct km_json *root;
    struct km_llm_request q;

    km_chat_init(chat);
    return km_llm_request_parse(&q, &km_api_gemini, arena, body, KM_STR("m"), NULL) == 0 &&
           km_json_parse(arena, body, &root, NULL) == 0 &&
           km_gemini_read(&q, root, arena, chat, NULL) == 0;
}

/* Empty: refused, or over a bound. */
static struct km_str written(const struct km_encode_args *args, const struct km_chat *chat,
                             struct km_buf *out)
{
    struct km_json_out o;

    km_json_out_init(&o, out);
    return args->d->codec->encode(args, chat, &o, NULL) == 0 && !km_buf_failed(out) &&
                   !km_arena_overflowed(args->arena)
               ? km_buf_view(out)
               : KM_STR_NONE;
}

/* Reading may put a turn in order (results first, calls where the model speaks); then it stays. */
static void write_on(const struct km_encode_args *args, struct km_chat *chat)
{
    struct km_buf out[3] = { KM_BUF(16 << 20), KM_BUF(16 << 20), KM_BUF(16 << 20) };
    struct km_str body = KM_STR_NONE, before = KM_STR_NONE;
    bool read = true;

    for (size_t i = 0; read && i < 3; i++) {
        const struct km_json *root;

        before = body;
        body = written(args, chat, &out[i]);
        must(!body.n || km_json_parse(args->arena, body, &root, NULL) == 0 ||
             km_arena_overflowed(args->arena));
        read = body.n && read_request(args->arena, body, chat);
        must(i < 2 || !read || km_str_eq(body, before));
    }
    for (size_t i = 0; i < 3; i++)
        km_buf_done(&out[i]);
}

static void a_request(const char *p, size_t n)
{
    static const char *const models[] = { "gemini-2.5-pro", "gemini-3-flash" };
    static const struct km_codec *const codecs[] = { &km_codec_gemini, &km_codec_gemini_vertex };
    struct km_deployment d = { .price = KM_PRICE_NONE, .drop_params = true };
    struct km_encode_args args = { .d = &d, .max_tokens = -1 };
    struct km_arena arena;
    struct km_chat chat;

    km_arena_init(&arena, ARENA, NULL);
    args.arena = &arena;
    for (size_t i = 0; i < 2; i++) {
        d.codec = codecs[i];
        args.model = km_str_c(models[i]);
        args.can = km_capability_find(args.model);
        if (read_request(&arena, km_str(p, n), &chat))
            write_on(&args, &chat);
    }
    km_arena_done(&arena);
}

static void a_refusal(const char *p, size_t n, int status)
{
    struct km_headers none = { 0 };
    struct km_refusal ret;
    struct km_arena arena;

    km_arena_init(&arena, ARENA, NULL);
    km_gemini_refusal(&arena, 400 + status, &none, km_str(p, n), &ret);
    must(ret.text.n > 0 && ret.retry_after_ms >= 0);
    km_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    if (data[0] % 4 == 0)
        fuzz_stream(&gemini, p + 2, size - 2, (size_t)data[1] % 64 + 1);
    else if (data[0] % 4 == 1)
        an_answer(p + 2, size - 2);
    else if (data[0] % 4 == 2)
        a_request(p + 2, size - 2);
    else
        a_refusal(p + 2, size - 2, data[1]);
    return 0;
}
