/* SPDX-License-Identifier: Apache-2.0 */
/* Converse's answers, and InvokeModel's.
 *
 * The input is lines: the first byte of each says which event it is (or that it is an exception,
 * or a whole answer), the rest is its JSON.  An 'i' before all lines says that they are Claude's
 * own events, each in the wrapping of InvokeModel.  Whatever comes, the events it becomes keep the
 * grammar (answer.c checks it: nothing before the start, one start), blocks never go back, and a
 * stream that did not say why it stopped is never an end.
 */
#include "fuzz.h"

#include "base/encode.h"
#include "llm/provider/codecs.h"

#define MAX_INPUT ((size_t)1 << 16)

struct seen {
    unsigned block;
    bool finished;
};

static int on_event(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    struct seen *s = a->state;

    (void)err;
    if (e->kind == KM_CHAT_FINISH)
        s->finished = true;
    if (e->kind == KM_CHAT_USAGE) {
        must(e->usage.prompt_tokens >= 0 && e->usage.completion_tokens >= 0);
        return 0;
    }
    must(e->block >= s->block || e->kind == KM_CHAT_FINISH);
    if (e->kind != KM_CHAT_FINISH)
        s->block = e->block;
    if (e->kind == KM_CHAT_TOOL)
        must(e->id.n > 0 && e->name.n > 0);
    return 0;
}

/* Claude's event as InvokeModel brings it; '6' is an exception there, too. */
static int one_wrapped(struct km_decode *d, struct km_str line)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 18);
    struct km_frame_event e = { .type = KM_STR("chunk") };
    struct km_err err = { 0 };
    int r;

    km_buf_str(&b, KM_STR("{\"bytes\":\""));
    km_buf_base64(&b, line);
    km_buf_str(&b, KM_STR("\"}"));
    e.data = km_buf_view(&b);
    if (line.n && line.p[0] == '6')
        e.exception = KM_STR("throttlingException");
    r = km_codec_bedrock_invoke.event(d, &e, &err);
    must(r == 0 || err.text[0]);
    return r;
}

static int one(struct km_decode *d, struct km_str line)
{
    static const char *const types[] = { "messageStart",     "contentBlockStart",
                                         "contentBlockDelta", "contentBlockStop",
                                         "messageStop",      "metadata" };
    struct km_frame_event e = { .data = km_str_skip(line, 1) };
    unsigned kind = line.n ? (unsigned)(unsigned char)line.p[0] - '0' : 0;
    struct km_err err = { 0 };
    int r;

    if (kind == 6)
        e.exception = KM_STR("throttlingException");
    else
        e.type = km_str_c(types[kind < 6 ? kind : 2]);
    r = km_codec_converse.event(d, &e, &err);
    must(r == 0 || err.text[0]);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct km_encoder encoder = { .event = on_event };
    struct km_str rest = km_str((const char *)data, size), line;
    struct km_arena arena, scratch;
    struct km_buf out = KM_BUF(1 << 20);
    struct seen seen = { 0 };
    struct km_answer answer = {
        .to = &encoder, .state = &seen, .arena = &arena, .out = &out, .stream = true
    };
    struct km_decode d = { .answer = &answer, .arena = &arena, .scratch = &scratch };
    const struct km_codec *codec = &km_codec_converse;
    int r = 0;

    if (size > MAX_INPUT || size == 0)
        return 0;
    km_arena_init(&arena, 8 << 20, NULL);
    km_arena_init(&scratch, 8 << 20, NULL);
    if (data[0] == 'i') {
        codec = &km_codec_bedrock_invoke;
        rest = km_str_skip(rest, 1);
    }
    d.state = km_arena_zalloc(&arena, codec->state_size);
    must(d.state != NULL);
    if (data[0] == '7') {
        r = km_codec_converse.decode(&d, km_str_skip(rest, 1), NULL);
        must(r < 0 || seen.finished);
    } else {
        while (r == 0 && km_str_split(&rest, '\n', &line)) {
            r = data[0] == 'i' ? one_wrapped(&d, line) : one(&d, line);
            km_arena_done(&scratch);
        }
        if (r == 0)
            must(codec->end(&d, NULL) < 0 || seen.finished);
    }
    km_arena_done(&scratch);
    km_arena_done(&arena);
    km_buf_done(&out);
    return 0;
}
