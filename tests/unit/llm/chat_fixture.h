/* SPDX-License-Identifier: Apache-2.0 */
/* chat_fixture.h - what tests of decoders and encoders of chats share: a chat as text, an answer
 * being made, a stream fed in pieces. */
#ifndef KM_TESTS_CHAT_FIXTURE_H
#define KM_TESTS_CHAT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/api.h"

struct chat_fixture {
    struct km_arena arena, scratch;
    struct km_buf out;
    struct km_err err;
    struct km_chat chat;
    struct km_answer answer;
    struct km_decode decode;
    const struct km_codec *codec;
};

static inline int chat_setup(void **state)
{
    struct chat_fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 64 << 20, NULL);
    km_arena_init(&f->scratch, 64 << 20, NULL);
    km_buf_init(&f->out, 64 << 20);
    *state = f;
    return 0;
}

static inline int chat_teardown(void **state)
{
    struct chat_fixture *f = *state;

    km_arena_done(&f->arena);
    km_arena_done(&f->scratch);
    km_buf_done(&f->out);
    free(f);
    return 0;
}

static inline const struct km_json *chat_tree(struct chat_fixture *f, const char *text)
{
    const struct km_json *root = NULL;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(text), &root, &f->err), 0);
    return root;
}

/* --- a chat as text: one line a message --- */

static inline void dump_parts(struct km_buf *b, const struct km_part *part)
{
    static const char *const kinds[] = { "text",   "image",  "document",  "audio",   "use",
                                         "result", "reason", "redacted", "refusal" };

    for (; part; part = part->next) {
        km_buf_printf(b, " %s(%.*s", kinds[part->kind], KM_STR_ARG(part->text));
        if (part->id.n)
            km_buf_printf(b, "id=%.*s", KM_STR_ARG(part->id));
        if (part->name.n)
            km_buf_printf(b, " name=%.*s", KM_STR_ARG(part->name));
        if (part->input_json.n)
            km_buf_printf(b, " %.*s", KM_STR_ARG(part->input_json));
        if (part->signature.n)
            km_buf_printf(b, " sig=%.*s", KM_STR_ARG(part->signature));
        km_buf_str(b, part->media.type);
        if (part->media.data.n)
            km_buf_printf(b, ",%.*s", KM_STR_ARG(part->media.data));
        km_buf_str(b, part->media.url);
        if (part->media.file_id.n)
            km_buf_printf(b, "file=%.*s", KM_STR_ARG(part->media.file_id));
        if (part->media.name.n)
            km_buf_printf(b, " called %.*s", KM_STR_ARG(part->media.name));
        if (part->media.detail.n)
            km_buf_printf(b, " %.*s", KM_STR_ARG(part->media.detail));
        if (part->is_error)
            km_buf_str(b, KM_STR(" error"));
        dump_parts(b, part->content);
        km_buf_str(b, KM_STR(")"));
        if (part->cache_ttl_s)
            km_buf_printf(b, "+%d", part->cache_ttl_s);
    }
}

static inline const char *dump_messages(struct chat_fixture *f)
{
    static const char *const roles[] = { "system", "user", "assistant" };

    km_buf_reset(&f->out);
    for (const struct km_message *m = f->chat.messages; m; m = m->next) {
        km_buf_printf(&f->out, "%s%.*s:", roles[m->role], KM_STR_ARG(m->name));
        dump_parts(&f->out, m->parts);
        km_buf_byte(&f->out, '\n');
    }
    return km_buf_cstr(&f->out);
}

/* --- an answer --- */

static inline void begin_answer(struct chat_fixture *f, const struct km_encoder *to, bool stream,
                                bool usage)
{
    km_buf_reset(&f->out);
    f->answer = (struct km_answer){ .to = to,
                                    .gathers = to->gathers,
                                    .arena = &f->arena,
                                    .out = &f->out,
                                    .stream = stream,
                                    .usage_asked = usage,
                                    .model = KM_STR("fast"),
                                    .id = KM_STR("1"),
                                    .created_s = 7,
                                    .prompt_estimate = 3 };
    f->answer.state = km_arena_zalloc(&f->arena, to->state_size + 1);
}

static inline int put(struct chat_fixture *f, struct km_chat_event e)
{
    return km_answer_put(&f->answer, &e, &f->err);
}

#define PUT(f, ...) assert_int_equal(put(f, (struct km_chat_event){ __VA_ARGS__ }), 0)

/* --- a stream from an upstream --- */

static inline int chat_on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct chat_fixture *f = ctx;
    int r = f->codec->event(&f->decode, e, err);

    km_arena_done(&f->scratch);
    return r;
}

static inline void begin_decode(struct chat_fixture *f, const struct km_codec *codec)
{
    f->codec = codec;
    f->decode = (struct km_decode){ .answer = &f->answer,
                                    .arena = &f->arena,
                                    .scratch = &f->scratch,
                                    .can = km_capability_find(KM_STR("any")) };
    f->decode.state = km_arena_zalloc(&f->arena, codec->state_size + 1);
}

/* The stream, cut in two at `cut`, through the codec into the encoder; 0 or the error. */
static inline int stream_cut(struct chat_fixture *f, const struct km_codec *codec,
                             const struct km_encoder *to, const char *text, size_t cut)
{
    struct km_framer *framer;
    size_t n = strlen(text);
    int r;

    begin_answer(f, to, true, true);
    begin_decode(f, codec);
    framer = km_framer_new(codec->framing, 1 << 20, chat_on_event, f);
    assert_non_null(framer);
    r = km_framer_feed(framer, text, cut, &f->err);
    if (r == 0)
        r = km_framer_feed(framer, text + cut, n - cut, &f->err);
    if (r == 0)
        r = codec->end(&f->decode, &f->err);
    km_framer_free(framer);
    if (r == 0)
        to->end(&f->answer);
    return r;
}

/* The same bytes come out wherever the stream is cut. */
static inline void expect_stream(struct chat_fixture *f, const struct km_codec *codec,
                                 const struct km_encoder *to, const char *text, const char *want)
{
    size_t n = strlen(text);

    for (size_t cut = 0; cut <= n; cut += n > 2000 ? 7 : 1) {
        km_arena_done(&f->arena);
        assert_int_equal(stream_cut(f, codec, to, text, cut), 0);
        assert_string_equal(km_buf_cstr(&f->out), want);
    }
}

static inline int read_whole(struct chat_fixture *f, const struct km_codec *codec,
                             const struct km_encoder *to, const char *text)
{
    int r;

    begin_answer(f, to, false, false);
    begin_decode(f, codec);
    r = codec->decode(&f->decode, km_str_c(text), &f->err);
    return r == 0 ? to->whole(&f->answer, &f->err) : r;
}

#endif
