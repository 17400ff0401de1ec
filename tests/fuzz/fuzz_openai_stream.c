/* SPDX-License-Identifier: Apache-2.0 */
/* An upstream's stream, OpenAI's chunks or Ollama's lines, through the codec into each encoder.
 *
 * One byte gives encoder, codec and the size of the pieces, the rest is the stream.  Whole and in
 * pieces it must give the same bytes and the same end; what comes out is events of JSON.
 */
#include "fuzz.h"

#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/provider/codecs.h"

#define MAX_INPUT ((size_t)1 << 16)

struct run {
    const struct km_codec *codec;
    struct km_arena arena, scratch;
    struct km_buf out;
    struct km_answer answer;
    struct km_decode decode;
};

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct run *run = ctx;
    int r = run->codec->event(&run->decode, e, err);

    km_arena_done(&run->scratch);
    return r;
}

static int feed(struct run *run, const struct km_codec *codec, const struct km_encoder *to,
                const uint8_t *p, size_t n, size_t step)
{
    struct km_framer *framer;
    struct km_err err = { 0 };
    int r = 0;

    run->codec = codec;
    km_arena_init(&run->arena, 64 << 20, NULL);
    km_arena_init(&run->scratch, 64 << 20, NULL);
    km_buf_init(&run->out, 256 << 20);
    run->answer = (struct km_answer){ .to = to,
                                      .gathers = to->gathers,
                                      .arena = &run->arena,
                                      .out = &run->out,
                                      .stream = true,
                                      .usage_asked = true,
                                      .model = KM_STR("m"),
                                      .id = KM_STR("1") };
    run->answer.state = km_arena_zalloc(&run->arena, to->state_size + 1);
    run->decode = (struct km_decode){ .answer = &run->answer,
                                      .arena = &run->arena,
                                      .scratch = &run->scratch,
                                      .can = km_capability_find(KM_STR("m")) };
    run->decode.state = km_arena_zalloc(&run->arena, codec->state_size);
    framer = km_framer_new(codec->framing, 1 << 15, on_event, run);
    must(framer && run->answer.state && run->decode.state);
    for (size_t at = 0; at < n && r == 0; at += step)
        r = km_framer_feed(framer, (const char *)p + at, n - at < step ? n - at : step, &err);
    if (r == 0)
        r = codec->end(&run->decode, &err);
    if (r == 0)
        to->end(&run->answer);
    else if (to->fail && run->answer.started)
        to->fail(&run->answer, &err);
    km_framer_free(framer);
    return r;
}

static void check_output(struct run *run)
{
    struct km_str all = km_buf_view(&run->out), line;

    while (km_str_split(&all, '\n', &line)) {
        const struct km_json *root;

        if (!km_str_starts(line, KM_STR("data: ")) || km_str_eq(line, KM_STR("data: [DONE]")))
            continue;
        must(km_json_parse(&run->scratch, km_str_skip(line, 6), &root, NULL) == 0);
        km_arena_done(&run->scratch);
    }
}

static void done(struct run *run)
{
    km_arena_done(&run->arena);
    km_arena_done(&run->scratch);
    km_buf_done(&run->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct km_encoder *const encoders[] = { &km_encoder_chat, &km_encoder_completion,
                                                         &km_encoder_responses };
    struct run whole, cut;
    const struct km_codec *codec;
    const struct km_encoder *to;
    int a, b;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    codec = data[0] & 0x80 ? &km_codec_ollama : &km_codec_openai;
    to = encoders[(data[0] & 0x7f) % 3];
    a = feed(&whole, codec, to, data + 1, size - 1, size);
    b = feed(&cut, codec, to, data + 1, size - 1, (size_t)(data[0] & 0x7f) / 3 + 1);
    must(a == b);
    must(km_str_eq(km_buf_view(&whole.out), km_buf_view(&cut.out)));
    check_output(&whole);
    done(&whole);
    done(&cut);
    return 0;
}
