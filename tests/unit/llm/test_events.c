/* SPDX-License-Identifier: Apache-2.0 */
/* What an event of a stream takes in memory: nothing that is not the call's.  Each upstream's
 * decoder writes to each caller's encoder; once a stream is under way neither may ask for memory
 * however long it gets, and but for what has to be gathered for its end (Responses) the call's
 * own arena stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/provider/codecs.h"
#include "llm/provider/ollama.h"

#define WARM 200
#define EVENTS 5000

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

static size_t calls; /* of all three, since it was zeroed */

void *__wrap_malloc(size_t n)
{
    calls++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
    calls++;
    return __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    calls++;
    return __real_realloc(p, n);
}

/* head: how a stream begins; event: what comes again and again.  Frames of AWS's are given as
 * their events: "type payload", for cutting them allocates nothing of its own (framing.h). */
static const struct {
    const struct km_codec *codec;
    const char *head[3], *event;
    bool gathers; /* what it holds back doubles, in the call */
} decoders[] = {
    { .codec = &km_codec_openai,
      .head = { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n" },
      .event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" w\\u00e9\"}}]}\n\n" },
    { .codec = &km_codec_openai,
      .head = { "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
                "\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n" },
      .event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
               "\"function\":{\"arguments\":\"1 \"}}]}}]}\n\n",
      .gathers = true },
    { .codec = &km_codec_messages,
      .head = { "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\","
                "\"usage\":{\"input_tokens\":3}}}\n\n",
                "data: {\"type\":\"content_block_start\",\"index\":0,"
                "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" },
      .event = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
               "{\"type\":\"text_delta\",\"text\":\" w\\u00e9\"}}\n\n" },
    { .codec = &km_codec_gemini,
      .head = { "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n" },
      .event = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" \\u00e9\"}]}}]}\n\n" },
    { .codec = &km_codec_ollama,
      .head = { "{\"message\":{\"content\":\"a\"},\"done\":false}\n" },
      .event = "{\"message\":{\"content\":\" w\\u00e9\"},\"done\":false}\n" },
    { .codec = &km_codec_converse,
      .head = { "messageStart {\"role\":\"assistant\"}" },
      .event = "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\" w\\u00e9\"}}" },
    { .codec = &km_codec_bedrock_invoke,
      .head = { "chunk {\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsiaWQiOiJt"
                "IiwidXNhZ2UiOnsiaW5wdXRfdG9rZW5zIjozfX19\"}",
                "chunk {\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19zdGFydCIsImluZGV4IjowLCJj"
                "b250ZW50X2Jsb2NrIjp7InR5cGUiOiJ0ZXh0IiwidGV4dCI6IiJ9fQ==\"}" },
      .event = "chunk {\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJk"
               "ZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiIgdyJ9fQ==\",\"p\":\"abc\"}" },
};

static const struct {
    const char *name;
    const struct km_encoder *encoder;
} encoders[] = {
    { "chat", &km_encoder_chat },
    { "messages", &km_messages_encoder },
    { "gemini", &km_gemini_encoder },
    { "responses", &km_encoder_responses },
};

struct stream {
    struct km_arena_pool *pool;
    struct km_arena call, scratch;
    struct km_buf out;
    struct km_llm_request request;
    struct km_answer answer;
    struct km_capability can;
    struct km_decode decode;
    const struct km_codec *codec;
    struct km_framer *framer;
};

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct stream *s = ctx;
    int r = s->codec->event(&s->decode, e, err);

    km_arena_done(&s->scratch);
    return r;
}

static void begin(struct stream *s, const struct km_codec *codec, const struct km_encoder *to)
{
    memset(s, 0, sizeof *s);
    s->pool = km_arena_pool_new(64);
    km_arena_init(&s->call, 256 << 20, s->pool);
    km_arena_init(&s->scratch, 64 << 20, s->pool);
    km_buf_init(&s->out, 1 << 20);
    s->codec = codec;
    s->can = *km_capability_find(KM_STR("m"));
    s->request = (struct km_llm_request){
        .api = &km_api_chat, .body = KM_STR("{}"), .model = KM_STR("m"), .stream = true
    };
    if (to == &km_encoder_responses) {
        s->request.api = &km_api_responses;
        assert_int_equal(km_llm_request_parse(&s->request, &km_api_responses, &s->call,
                                              KM_STR("{\"model\":\"m\",\"input\":\"a\","
                                                     "\"stream\":true}"),
                                              KM_STR_NONE, NULL),
                         0);
    }
    s->answer = (struct km_answer){ .to = to,
                                    .gathers = to->gathers,
                                    .request = &s->request,
                                    .arena = &s->call,
                                    .out = &s->out,
                                    .stream = true,
                                    .model = KM_STR("m"),
                                    .id = KM_STR("0190a1b2-0000-7000-8000-000000000000") };
    if (to->state_size)
        s->answer.state = km_arena_zalloc(&s->call, to->state_size);
    s->decode = (struct km_decode){ .answer = &s->answer,
                                    .arena = &s->call,
                                    .scratch = &s->scratch,
                                    .can = &s->can,
                                    .state = km_arena_zalloc(&s->call, codec->state_size) };
    s->framer = km_framer_new(codec->framing, 1 << 20, on_event, s);
    assert_non_null(s->framer);
}

static void finish(struct stream *s)
{
    km_framer_free(s->framer);
    km_buf_done(&s->out);
    km_arena_done(&s->scratch);
    km_arena_done(&s->call);
    km_arena_pool_free(s->pool);
}

static void feed(struct stream *s, const char *text)
{
    struct km_str bytes = km_str_c(text);
    struct km_frame_event e = { 0 };
    struct km_err err = { 0 };
    int r;

    km_buf_reset(&s->out);
    if (s->codec->framing == KM_FRAMING_AWS) {
        e.type = km_str_sub(bytes, 0, km_str_chr(bytes, ' '));
        e.data = km_str_skip(bytes, e.type.n + 1);
        r = on_event(s, &e, &err);
    } else {
        r = km_framer_feed(s->framer, bytes.p, bytes.n, &err);
    }
    if (r < 0)
        fail_msg("%s: %s", text, err.text);
}

static void an_event_takes_no_memory_but_the_calls(void **state)
{
    (void)state;
    for (size_t d = 0; d < sizeof decoders / sizeof decoders[0]; d++)
        for (size_t e = 0; e < sizeof encoders / sizeof encoders[0]; e++) {
            struct stream s;
            size_t used, outside;

            begin(&s, decoders[d].codec, encoders[e].encoder);
            for (size_t i = 0; i < 3 && decoders[d].head[i]; i++)
                feed(&s, decoders[d].head[i]);
            for (size_t i = 0; i < WARM; i++)
                feed(&s, decoders[d].event);
            if (s.out.n == 0 && !decoders[d].gathers)
                fail_msg("decoder %zu says nothing to %s", d, encoders[e].name);
            used = s.call.used;
            calls = 0;
            for (size_t i = 0; i < EVENTS; i++)
                feed(&s, decoders[d].event);
            outside = calls;
            /* what is gathered doubles: a few blocks of the call's, never one an event */
            if (decoders[d].gathers || encoders[e].encoder->gathers
                    ? outside > 48
                    : outside > 0 || s.call.used != used)
                fail_msg("%s, decoder %zu, to %s: %zu allocations, %zu bytes more in the call",
                         decoders[d].codec->name, d, encoders[e].name, outside, s.call.used - used);
            finish(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_takes_no_memory_but_the_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
