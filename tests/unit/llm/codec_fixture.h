/* SPDX-License-Identifier: Apache-2.0 */
/* codec_fixture.h - a codec and nothing else: a chat in, its body out; an answer in, its events
 * out as a line of text each. */
#ifndef KM_TEST_LLM_CODEC_FIXTURE_H
#define KM_TEST_LLM_CODEC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"
#include "notes.h"

struct codec_fixture {
    const struct km_codec *codec;
    struct km_arena arena, scratch;
    struct km_chat chat;
    struct km_deployment d;
    struct km_encode_args args;
    struct km_buf out; /* the events, a line each; pieces of one block put together */
    struct codec_notes notes;
    struct km_answer answer;
    struct km_decode decode;
    struct km_err err;
};

/* A new answer of the same codec. */
static inline void codec_begin(struct codec_fixture *f)
{
    km_buf_reset(&f->out);
    f->notes = (struct codec_notes){ 0 };
    f->err = (struct km_err){ 0 };
    f->answer = (struct km_answer){ .to = &codec_notes_encoder,
                                    .gathers = codec_notes_encoder.gathers,
                                    .state = &f->notes,
                                    .arena = &f->arena,
                                    .out = &f->out,
                                    .id = KM_STR("ID"),
                                    .stream = true };
    f->decode = (struct km_decode){ .answer = &f->answer,
                                    .arena = &f->arena,
                                    .scratch = &f->scratch,
                                    .state = km_arena_zalloc(&f->arena, f->codec->state_size),
                                    .can = f->args.can };
}

static inline void codec_setup(struct codec_fixture *f, const struct km_codec *codec,
                               const char *model)
{
    *f = (struct codec_fixture){ .codec = codec };
    km_arena_init(&f->arena, 256 << 20, NULL);
    km_arena_init(&f->scratch, 64 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    km_chat_init(&f->chat);
    f->d = (struct km_deployment){ .provider_name = KM_STR("test"), .price = KM_PRICE_NONE };
    f->args = (struct km_encode_args){ .d = &f->d,
                                       .model = km_str_c(model),
                                       .can = km_capability_find(km_str_c(model)),
                                       .arena = &f->arena,
                                       .buckets = true,
                                       .max_tokens = -1 };
    codec_begin(f);
}

static inline void codec_teardown(struct codec_fixture *f)
{
    km_buf_done(&f->out);
    km_arena_done(&f->scratch);
    km_arena_done(&f->arena);
}

/* The body of f->chat, checked to be JSON; NULL: refused, f->err says why. */
static inline const char *codec_body(struct codec_fixture *f)
{
    const struct km_json *root;
    struct km_json_out out;
    struct km_str *parts, body = KM_STR_NONE;
    size_t n;
    int r;

    km_json_out_parts_init(&out, &f->arena, 1 << 20);
    r = f->codec->encode(&f->args, &f->chat, &out, &f->err);
    if (r == 0) {
        assert_int_equal(km_json_out_parts(&out, &parts, &n, NULL), 0);
        body = km_arena_cat(&f->arena, parts, n);
        assert_int_equal(km_json_parse(&f->arena, body, &root, NULL), 0);
    }
    km_json_out_done(&out);
    return r == 0 ? km_arena_cstr(&f->arena, body) : NULL;
}

static inline int codec_on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct codec_fixture *f = ctx;
    int r = f->codec->event(&f->decode, e, err);

    km_arena_done(&f->scratch);
    km_arena_init(&f->scratch, 64 << 20, NULL);
    return r;
}

/* A stream, cut in two at `at`, to its end. */
static inline int codec_feed(struct codec_fixture *f, struct km_str stream, size_t at)
{
    struct km_framer *framer = km_framer_new(f->codec->framing, 1 << 20, codec_on_event, f);
    int r = km_framer_feed(framer, stream.p, at, &f->err);

    if (r == 0)
        r = km_framer_feed(framer, stream.p + at, stream.n - at, &f->err);
    if (r == 0)
        r = f->codec->end(&f->decode, &f->err);
    km_framer_free(framer);
    return r;
}

/* The same events, wherever the stream is cut. */
static inline void codec_expect_stream(struct codec_fixture *f, const char *stream,
                                       const char *want)
{
    struct km_str s = km_str_c(stream);

    for (size_t at = 0; at <= s.n; at++) {
        codec_begin(f);
        if (codec_feed(f, s, at) < 0)
            fail_msg("cut at %zu: %s", at, f->err.text);
        assert_string_equal(km_buf_cstr(&f->out), want);
    }
}

/* Every proper beginning of it is refused: nothing ends well that was cut off. */
static inline void codec_expect_cut(struct codec_fixture *f, const char *stream, size_t complete)
{
    for (size_t n = 0; n < complete; n++) {
        codec_begin(f);
        assert_int_equal(codec_feed(f, km_str(stream, n), n / 2), KM_E_UPSTREAM_PROTOCOL);
    }
}

static inline void codec_expect_whole(struct codec_fixture *f, const char *body, const char *want)
{
    codec_begin(f);
    if (f->codec->decode(&f->decode, km_str_c(body), &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_string_equal(km_buf_cstr(&f->out), want);
}

#endif
