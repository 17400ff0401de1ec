/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic's Messages, both ways.
 *
 * The first byte chooses.  0: the rest is a stream of an upstream; cut in pieces of the next
 * byte's size it must give the same events as whole, and what the encoder makes of them must be
 * read again as the same.  1: a whole answer.  2: a caller's request; what is read must be
 * writable for an upstream, and what is read of that is written as the same once more.
 */
#include <stdint.h>
#include <stdlib.h>

#include "llm/api/messages.h"
#include "llm/provider/anthropic.h"
#include "llm/provider/codecs.h"

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
    _Alignas(max_align_t) char state[KM_MESSAGES_STATE];
};

static void reading_init(struct reading *r, bool stream)
{
    *r = (struct reading){ .out = KM_BUF(16 << 20) };
    km_arena_init(&r->arena, ARENA, NULL);
    km_arena_init(&r->scratch, ARENA, NULL);
    r->answer = (struct km_answer){ .to = &km_messages_encoder,
                                    .arena = &r->arena,
                                    .out = &r->out,
                                    .stream = stream,
                                    .model = KM_STR("m"),
                                    .id = KM_STR("1") };
    r->answer.state = km_arena_zalloc(&r->arena, km_messages_encoder.state_size);
    r->d = (struct km_decode){ .answer = &r->answer,
                               .arena = &r->arena,
                               .scratch = &r->scratch,
                               .state = r->state,
                               .can = km_capability_find(KM_STR("claude-opus-4-6")) };
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
    int rc = km_messages_event(&r->d, e, err);

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
        rc = km_messages_end(&r->d, NULL);
    if (rc == 0)
        km_messages_encoder.end(&r->answer);
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
        must(again.answer.events >= whole.answer.events); /* a refusal says why twice */
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
    if (km_messages_decode(&r.d, km_str(p, n), NULL) == 0 &&
        km_messages_encoder.whole(&r.answer, NULL) == 0 && !km_buf_failed(&r.out)) {
        must(km_messages_decode(&again.d, km_buf_view(&r.out), NULL) == 0);
        must(again.answer.text_bytes >= r.answer.text_bytes);
    }
    reading_done(&r);
    reading_done(&again);
}

/* Empty: refused, or over a bound. */
static struct km_str written(const struct km_encode_args *args, const struct km_chat *chat,
                             struct km_buf *out)
{
    struct km_json_out o;

    km_json_out_init(&o, out);
    return km_codec_messages.encode(args, chat, &o, NULL) == 0 && !km_buf_failed(out) &&
                   !km_arena_overflowed(args->arena)
               ? km_buf_view(out)
               : KM_STR_NONE;
}

static void write_twice(const struct km_encode_args *args, const struct km_chat *chat)
{
    struct km_buf once KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    struct km_buf twice KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    struct km_str body = written(args, chat, &once);
    const struct km_json *root;
    struct km_chat again;

    if (!body.n)
        return;
    if (km_json_parse(args->arena, body, &root, NULL) < 0) {
        must(km_arena_overflowed(args->arena));
        return;
    }
    if (km_messages_read(NULL, root, args->arena, &again, NULL) == 0)
        must(km_str_eq(written(args, &again, &twice), body) || km_arena_overflowed(args->arena));
}

static void a_request(const char *p, size_t n)
{
    static const char *const models[] = { "claude-3-5-haiku", "claude-sonnet-4-5",
                                          "claude-opus-5-5" };
    struct km_deployment d = { .price = KM_PRICE_NONE, .drop_params = true };
    struct km_encode_args args = { .d = &d, .max_tokens = -1 };
    const struct km_json *root;
    struct km_arena arena;
    struct km_chat chat;

    km_arena_init(&arena, ARENA, NULL);
    args.arena = args.keep = &arena;
    if (km_json_parse(&arena, km_str(p, n), &root, NULL) == 0 &&
        km_messages_read(NULL, root, &arena, &chat, NULL) == 0) {
        must(km_messages_count_chat(&chat) >= 0);
        for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
            args.model = km_str_c(models[i]);
            args.can = km_capability_find(args.model);
            write_twice(&args, &chat);
        }
    }
    km_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    if (data[0] % 3 == 0)
        a_stream(p + 2, size - 2, (size_t)data[1] % 64 + 1);
    else if (data[0] % 3 == 1)
        an_answer(p + 2, size - 2);
    else
        a_request(p + 2, size - 2);
    return 0;
}
