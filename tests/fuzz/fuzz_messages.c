/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic's Messages, both ways.
 *
 * The first byte chooses.  0: the rest is a stream of an upstream; cut in pieces of the next
 * byte's size it must give the same events as whole, and what the encoder makes of them must be
 * read again as the same.  1: a whole answer.  2: a caller's request; what is read must be
 * writable for an upstream, and what is read of that is written as the same once more.
 */
#include "fuzz_answer.h"

#include "llm/api/messages.h"
#include "llm/provider/anthropic.h"
#include "llm/provider/codecs.h"

static const struct dialect messages = { .encoder = &km_messages_encoder,
                                       .event = km_messages_event,
                                       .end = km_messages_end,
                                       .state_size = KM_MESSAGES_STATE,
                                       .model = "claude-opus-4-6" };

static void an_answer(const char *p, size_t n)
{
    struct reading r, again;

    reading_init(&r, &messages, false);
    reading_init(&again, &messages, false);
    if (km_messages_decode(&r.d, km_str(p, n), NULL) == 0 &&
        km_messages_encoder.whole(&r.answer, NULL) == 0 && !km_buf_failed(&r.out)) {
        must(km_messages_decode(&again.d, km_buf_view(&r.out), NULL) == 0);
        must(again.answer.heard.bytes >= r.answer.heard.bytes);
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
        fuzz_stream(&messages, p + 2, size - 2, (size_t)data[1] % 64 + 1);
    else if (data[0] % 3 == 1)
        an_answer(p + 2, size - 2);
    else
        a_request(p + 2, size - 2);
    return 0;
}
