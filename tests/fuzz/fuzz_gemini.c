/* SPDX-License-Identifier: Apache-2.0 */
/* Google's generateContent, both ways.
 *
 * The first byte chooses.  0: the rest is a stream of an upstream; cut in pieces of the next
 * byte's size it must give the same chunks as whole, and these must be read again as complete.
 * 1: a whole answer, or a stream's array form.  2: a caller's request; what is read must be
 * writable for an upstream, and what is read of that is written as the same.  3: a refusal.
 */
#include <stdint.h>
#include <stdlib.h>

#include "llm/api/gemini.h"
#include "llm/provider/codecs.h"
#include "llm/provider/gemini.h"

#define MAX_INPUT ((size_t)1 << 16)
#define ARENA ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct reading {
    struct km_arena arena, scratch;
    struct km_buf out;
    struct km_answer answer;
    struct km_decode d;
    struct km_gemini_state state;
};

static void reading_init(struct reading *r, bool stream)
{
    *r = (struct reading){ .out = KM_BUF(16 << 20) };
    km_arena_init(&r->arena, ARENA, NULL);
    km_arena_init(&r->scratch, ARENA, NULL);
    r->answer = (struct km_answer){ .to = &km_gemini_encoder,
                                    .arena = &r->arena,
                                    .out = &r->out,
                                    .stream = stream,
                                    .model = KM_STR("m"),
                                    .id = KM_STR("1") };
    r->answer.state = km_arena_zalloc(&r->arena, km_gemini_encoder.state_size);
    r->d = (struct km_decode){
        .answer = &r->answer, .arena = &r->arena, .scratch = &r->scratch, .state = &r->state
    };
}

static void reading_done(struct reading *r)
{
    km_buf_done(&r->out);
    km_arena_done(&r->scratch);
    km_arena_done(&r->arena);
}

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct reading *r = ctx;
    int rc = km_gemini_event(&r->d, e, err);

    km_arena_done(&r->scratch);
    km_arena_init(&r->scratch, ARENA, NULL);
    return rc;
}

/* true: a complete answer. */
static bool feed(struct reading *r, const char *p, size_t n, size_t step)
{
    struct km_framer *framer = km_framer_new(KM_FRAMING_SSE, MAX_INPUT * 8, on_event, r);
    int rc = 0;

    must(framer != NULL);
    for (size_t at = 0; at < n && rc == 0; at += step)
        rc = km_framer_feed(framer, p + at, n - at < step ? n - at : step, NULL);
    if (rc == 0)
        rc = km_gemini_end(&r->d, NULL);
    if (rc == 0)
        km_gemini_encoder.end(&r->answer);
    km_framer_free(framer);
    return rc == 0;
}

static void a_stream(const char *p, size_t n, size_t step)
{
    struct reading whole, cut, again;
    bool complete;

    reading_init(&whole, true);
    reading_init(&cut, true);
    reading_init(&again, true);
    complete = feed(&whole, p, n, n ? n : 1);
    must(complete == feed(&cut, p, n, step));
    must(km_str_eq(km_buf_view(&whole.out), km_buf_view(&cut.out)));
    if (complete && !km_buf_failed(&whole.out)) {
        must(feed(&again, whole.out.p, whole.out.n, whole.out.n));
        must(again.answer.events >= whole.answer.events);
        must(again.answer.text_bytes >= whole.answer.text_bytes);
    }
    reading_done(&whole);
    reading_done(&cut);
    reading_done(&again);
}

static void an_answer(const char *p, size_t n)
{
    struct reading r, again;

    reading_init(&r, false);
    reading_init(&again, false);
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
        a_stream(p + 2, size - 2, (size_t)data[1] % 64 + 1);
    else if (data[0] % 4 == 1)
        an_answer(p + 2, size - 2);
    else if (data[0] % 4 == 2)
        a_request(p + 2, size - 2);
    else
        a_refusal(p + 2, size - 2, data[1]);
    return 0;
}
