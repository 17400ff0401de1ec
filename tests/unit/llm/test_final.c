/* SPDX-License-Identifier: Apache-2.0 */
/* When a stream's usage is final: each API's and each upstream's, cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "aws_frames.h"
#include "codec_fixture.h"
#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/meter.h"

#define PIECE " ab cdef" /* of output: two words */
#define PIECE_TOKENS 2

struct row {
    const char *name;
    /* One of the three reads it. */
    const struct km_llm_api *api;
    const struct km_codec *codec;
    const struct km_meter_kind *meter;
    const char *text; /* of AWS's frames: a line each */
    bool aws;
    const char *last; /* stands in the event with which it is final; NULL: only its end is */
    const char *early; /* stands in the first event that says something; NULL: none before */
    int64_t early_in, early_out, in, out;
    int64_t choices;
};

#define CHUNK(i, more) \
    "data: {\"choices\":[{\"index\":" i ",\"delta\":{\"content\":\"" PIECE "\"}" more "}]"
#define USED(in, out) \
    "\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out "}"
#define FINISH ",\"finish_reason\":\"stop\""
#define CHAT                                                                                       \
    CHUNK("0", "") "}\n\n" CHUNK("0", "") "}\n\n" CHUNK("0", FINISH) "}\n\n"                       \
    "data: {\"choices\":[]," USED("7", "5") "}\n\ndata: [DONE]\n\n"
#define CHAT_EACH                                                                                  \
    CHUNK("0", "") "," USED("7", "1") "}\n\n" CHUNK("0", "") "," USED("7", "30") "}\n\n"           \
    CHUNK("0", FINISH) "," USED("7", "40") "}\n\ndata: [DONE]\n\n"
#define CHAT_EARLY                                                                                 \
    CHUNK("0", "") "," USED("7", "9") "}\n\n" CHUNK("0", FINISH) "}\n\ndata: [DONE]\n\n"
#define CHAT_TWO                                                                                   \
    CHUNK("0", "") "," USED("7", "3") "}\n\n" CHUNK("0", FINISH) "," USED("7", "4") "}\n\n"        \
    CHUNK("1", "") "," USED("7", "30") "}\n\n" CHUNK("1", FINISH) "," USED("7", "40") "}\n\n"      \
    "data: [DONE]\n\n"
#define TEXT(more) "data: {\"choices\":[{\"index\":0,\"text\":\"" PIECE "\"" more "}]"
#define RESPONSE(type, more) \
    "data: {\"type\":\"response." type "\",\"response\":{\"id\":\"r\"" more "}}\n\n"
#define DELTA "data: {\"type\":\"response.output_text.delta\",\"delta\":\"" PIECE "\"}\n\n"
#define EVENT(type, more) "event: " type "\ndata: {\"type\":\"" type "\"," more "}\n\n"
#define BLOCKS                                                                                     \
    EVENT("content_block_start",                                                                   \
          "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")                       \
    EVENT("content_block_delta",                                                                   \
          "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" PIECE "\"}")                \
    EVENT("content_block_delta",                                                                   \
          "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" PIECE "\"}")                \
    EVENT("content_block_stop", "\"index\":0")
#define MESSAGES                                                                                   \
    EVENT("message_start", "\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":7,"              \
                           "\"output_tokens\":1}}")                                                \
    BLOCKS EVENT("message_delta", "\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"            \
                                  "{\"output_tokens\":5}")                                         \
        EVENT("message_stop", "\"x\":1")
#define GOOGLE(more, counts)                                                                       \
    "data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"" PIECE               \
    "\"}]}" more "}],\"usageMetadata\":{\"promptTokenCount\":7" counts "}}\n\n"
#define GEMINI                                                                                     \
    GOOGLE("", "") GOOGLE("", ",\"candidatesTokenCount\":3")                                       \
    GOOGLE(",\"finishReason\":\"STOP\"", ",\"candidatesTokenCount\":5")
#define CONVERSE                                                                                   \
    "messageStart {\"role\":\"assistant\"}\n"                                                      \
    "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"" PIECE "\"}}\n"             \
    "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"" PIECE "\"}}\n"             \
    "contentBlockStop {\"contentBlockIndex\":0}\n"                                                 \
    "messageStop {\"stopReason\":\"end_turn\"}\n"                                                  \
    "metadata {\"usage\":{\"inputTokens\":7,\"outputTokens\":5}}\n"
#define CLAUDE                                                                                     \
    "chunk {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":7,"   \
    "\"output_tokens\":1}}}\n"                                                                     \
    "chunk {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","    \
    "\"text\":\"\"}}\n"                                                                            \
    "chunk {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","      \
    "\"text\":\"" PIECE "\"}}\n"                                                                   \
    "chunk {\"type\":\"content_block_stop\",\"index\":0}\n"                                        \
    "chunk {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"        \
    "{\"output_tokens\":5}}\n"                                                                     \
    "chunk {\"type\":\"message_stop\"}\n"
#define LLAMA                                                                                      \
    "chunk {\"generation\":\"" PIECE "\"}\n"                                                       \
    "chunk {\"generation\":\"" PIECE "\",\"amazon-bedrock-invocationMetrics\":"                    \
    "{\"inputTokenCount\":7,\"outputTokenCount\":5}}\n"

static const struct row rows[] = {
    { .name = "chat", .api = &km_api_chat, .text = CHAT, .last = "\"usage\"", .in = 7, .out = 5 },
    { .name = "chat, counting all the while", .api = &km_api_chat, .text = CHAT_EACH,
      .last = "finish_reason", .early = "\"usage\"", .early_in = 7, .early_out = 1, .in = 7,
      .out = 40 },
    { .name = "chat, counting early", .api = &km_api_chat, .text = CHAT_EARLY, .last = "[DONE]",
      .early = "\"usage\"", .early_in = 7, .early_out = 9, .in = 7, .out = 9 },
    { .name = "chat, two choices", .api = &km_api_chat, .text = CHAT_TWO, .last = "[DONE]",
      .early = "\"usage\"", .early_in = 7, .early_out = 3, .in = 7, .out = 40, .choices = 2 },
    { .name = "completion", .api = &km_api_completion,
      .text = TEXT("") "}\n\n" TEXT(FINISH) "," USED("7", "5") "}\n\ndata: [DONE]\n\n",
      .last = "\"usage\"", .in = 7, .out = 5 },
    { .name = "responses", .api = &km_api_responses,
      .text = RESPONSE("created", ",\"usage\":null") DELTA DELTA RESPONSE(
          "completed", ",\"usage\":{\"input_tokens\":7,\"output_tokens\":5}"),
      .last = "response.completed", .in = 7, .out = 5 },
    { .name = "responses, counting early", .api = &km_api_responses,
      .text = RESPONSE("in_progress", ",\"usage\":{\"input_tokens\":7,\"output_tokens\":3}") DELTA
          RESPONSE("incomplete", ",\"usage\":{\"input_tokens\":7,\"output_tokens\":5}"),
      .last = "response.incomplete", .early = "in_progress", .early_in = 7, .early_out = 3,
      .in = 7, .out = 5 },
    { .name = "messages", .api = &km_api_messages, .text = MESSAGES,
      .last = "\"type\":\"message_delta\"", .early = "\"type\":\"message_start\"", .early_in = 7,
      .early_out = 1, .in = 7, .out = 5 },
    { .name = "gemini", .api = &km_api_gemini_stream, .text = GEMINI, .last = "finishReason",
      .early = "usageMetadata", .early_in = 7, .in = 7, .out = 5 },
    { .name = "OpenAI's codec", .codec = &km_codec_openai, .text = CHAT, .last = "\"usage\"",
      .in = 7, .out = 5 },
    { .name = "OpenAI's codec, counting all the while", .codec = &km_codec_openai,
      .text = CHAT_EACH, .last = "finish_reason", .early = "\"usage\"", .early_in = 7,
      .early_out = 1, .in = 7, .out = 40 },
    { .name = "OpenAI's codec, counting early", .codec = &km_codec_openai, .text = CHAT_EARLY,
      .early = "\"usage\"", .early_in = 7, .early_out = 9, .in = 7, .out = 9 },
    { .name = "Anthropic's codec", .codec = &km_codec_messages, .text = MESSAGES,
      .last = "\"type\":\"message_delta\"", .early = "\"type\":\"message_start\"", .early_in = 7,
      .early_out = 1, .in = 7, .out = 5 },
    { .name = "Gemini's codec", .codec = &km_codec_gemini, .text = GEMINI,
      .early = "usageMetadata", .early_in = 7, .in = 7, .out = 5 },
    { .name = "Ollama's codec", .codec = &km_codec_ollama,
      .text = "{\"message\":{\"content\":\"" PIECE "\"},\"done\":false}\n"
              "{\"message\":{\"content\":\"" PIECE "\"},\"done\":false}\n"
              "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
              "\"prompt_eval_count\":7,\"eval_count\":5}\n",
      .last = "\"done\":true", .in = 7, .out = 5 },
    { .name = "Converse's codec", .codec = &km_codec_converse, .text = CONVERSE, .aws = true,
      .last = "metadata", .in = 7, .out = 5 },
    { .name = "Claude's codec by InvokeModel", .codec = &km_codec_bedrock_invoke, .text = CLAUDE,
      .aws = true, .last = "message_delta", .early = "message_start", .early_in = 7,
      .early_out = 1, .in = 7, .out = 5 },
    { .name = "metered chat", .meter = &km_meter_chat, .text = CHAT, .last = "\"usage\"", .in = 7,
      .out = 5 },
    { .name = "metered messages", .meter = &km_meter_messages, .text = MESSAGES,
      .last = "\"type\":\"message_delta\"", .early = "\"type\":\"message_start\"", .early_in = 7,
      .early_out = 1, .in = 7, .out = 5 },
    { .name = "metered Converse", .meter = &km_meter_converse, .text = CONVERSE, .aws = true,
      .last = "metadata", .in = 7, .out = 5 },
    { .name = "metered InvokeModel of Claude", .meter = &km_meter_invoke, .text = CLAUDE,
      .aws = true, .last = "message_delta", .early = "message_start", .early_in = 7,
      .early_out = 1, .in = 7, .out = 5 },
    { .name = "metered InvokeModel of Llama", .meter = &km_meter_invoke, .text = LLAMA,
      .aws = true, .last = "invocationMetrics", .in = 7, .out = 5 },
};

/* A stream as bytes, and how many of them each event ends behind. */
struct stream {
    struct km_buf bytes;
    size_t last, early; /* behind these events; SIZE_MAX: there is none */
    size_t pieces[8], npieces; /* behind each event with a piece */
};

static void note_event(struct stream *s, const struct row *row, struct km_str event)
{
    size_t end = s->bytes.n;

    if (row->last && s->last == SIZE_MAX && km_str_find(event, km_str_c(row->last)) < event.n)
        s->last = end;
    if (row->early && s->early == SIZE_MAX && km_str_find(event, km_str_c(row->early)) < event.n)
        s->early = end;
    if (km_str_find(event, KM_STR(PIECE)) < event.n)
        s->pieces[s->npieces++] = end;
}

static void make(struct stream *s, const struct row *row)
{
    struct km_str rest = km_str_c(row->text);
    bool lines = row->aws || row->codec == &km_codec_ollama;

    *s = (struct stream){ .last = SIZE_MAX, .early = SIZE_MAX };
    km_buf_init(&s->bytes, 1 << 20);
    while (rest.n) {
        size_t n = km_str_find(rest, lines ? KM_STR("\n") : KM_STR("\n\n")) + (lines ? 1 : 2);
        struct km_str event = km_str_sub(rest, 0, n);

        if (row->aws) {
            char line[1024] = { 0 };

            memcpy(line, event.p, event.n);
            aws_put_lines(&s->bytes, line);
        } else {
            km_buf_str(&s->bytes, event);
        }
        note_event(s, row, event);
        rest = km_str_skip(rest, n);
    }
}

struct relay {
    struct km_llm_stream s;
    struct km_buf out;
};

static int on_sse(void *ctx, const struct km_sse_event *event)
{
    struct relay *r = ctx;

    return r->s.request->api->event(&r->s, event, &r->out, NULL);
}

static struct km_llm_request request_of(const struct row *row)
{
    return (struct km_llm_request){ .api = row->api     ? row->api
                                           : row->meter ? row->meter->api
                                                        : NULL,
                                    .max_tokens = -1,
                                    .choices = row->choices ? row->choices : 1,
                                    .usage_asked = true,
                                    .model = KM_STR("m"),
                                    .prompt = KM_STR("\"0123456789012345678901234567890123\"") };
}

/* What the prompt of all these is taken for, until something is said of it. */
static int64_t by_text(void)
{
    const struct km_llm_request r = request_of(&(struct row){ 0 });

    return km_llm_prompt_estimate(&r);
}

static struct km_usage by_relay(const struct row *row, struct km_str bytes)
{
    struct km_arena arena KM_CLEANUP(km_arena_done), scratch KM_CLEANUP(km_arena_done);
    struct km_llm_request request = request_of(row);
    struct relay r;
    struct km_sse *sse = km_sse_new(1 << 20, on_sse, &r);
    struct km_usage u;

    km_arena_init(&arena, 1 << 20, NULL);
    km_arena_init(&scratch, 1 << 20, NULL);
    km_llm_stream_init(&r.s, &request, &arena, &scratch);
    km_buf_init(&r.out, 1 << 20);
    assert_int_equal(km_sse_feed(sse, bytes.p, bytes.n, NULL), 0);
    u = km_llm_stream_usage(&r.s);
    km_sse_free(sse);
    km_buf_done(&r.out);
    return u;
}

static struct km_usage by_codec(const struct row *row, struct km_str bytes, bool end)
{
    struct codec_fixture f;
    struct km_framer *framer;
    struct km_usage u;

    codec_setup(&f, row->codec, "m");
    f.answer.prompt_estimate = by_text();
    framer = km_framer_new(row->codec->framing, 1 << 20, codec_on_event, &f);
    if (km_framer_feed(framer, bytes.p, bytes.n, &f.err) < 0 ||
        (end && row->codec->end(&f.decode, &f.err) < 0))
        fail_msg("%s: %s", row->name, f.err.text);
    u = km_answer_usage(&f.answer);
    km_framer_free(framer);
    codec_teardown(&f);
    return u;
}

static struct km_usage by_meter(const struct row *row, struct km_str bytes)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_llm_request request = request_of(row);
    struct km_meter m;
    struct km_usage u;

    km_arena_init(&arena, 1 << 20, NULL);
    km_meter_init(&m, row->meter, &request, &arena);
    assert_int_equal(km_meter_stream(&m, 1 << 20, NULL), 0);
    km_meter_feed(&m, bytes.p, bytes.n, &out);
    u = km_meter_usage(&m);
    km_meter_done(&m);
    return u;
}

static struct km_usage used(const struct row *row, struct km_str bytes, bool end)
{
    return row->api     ? by_relay(row, bytes)
           : row->codec ? by_codec(row, bytes, end)
                        : by_meter(row, bytes);
}

static int64_t heard(const struct stream *s, size_t n)
{
    int64_t tokens = 0;

    for (size_t i = 0; i < s->npieces; i++)
        tokens += s->pieces[i] <= n ? PIECE_TOKENS : 0;
    return tokens;
}

static void check(const struct row *row, const struct stream *s, size_t n)
{
    struct km_usage u = used(row, km_str(s->bytes.p, n), false);
    bool early = n >= s->early;

    if (u.known != (n >= s->last))
        fail_msg("%s: %zu bytes of %zu: known %d", row->name, n, s->bytes.n, u.known);
    if (u.known) {
        assert_int_equal(u.prompt_tokens, row->in);
        assert_int_equal(u.completion_tokens, row->out);
        return;
    }
    if (u.completion_tokens < heard(s, n) || (early && u.completion_tokens < row->early_out))
        fail_msg("%s: %zu bytes: %lld tokens, and %lld were heard", row->name, n,
                 (long long)u.completion_tokens, (long long)heard(s, n));
    assert_int_equal(u.prompt_tokens, early ? row->early_in : by_text());
}

static void usage_is_final_where_its_api_ends_and_not_a_byte_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stream s;
        struct km_usage u;

        make(&s, &rows[i]);
        for (size_t n = 0; n <= s.bytes.n; n++)
            check(&rows[i], &s, n);
        u = used(&rows[i], km_buf_view(&s.bytes), true);
        assert_true(u.known);
        assert_int_equal(u.completion_tokens, rows[i].out);
        km_buf_done(&s.bytes);
    }
}

static void nonsense_is_never_final_nor_a_bound(void **state)
{
    static const struct row nonsense[] = {
        { .name = "chat", .api = &km_api_chat,
          .text = CHUNK("0", FINISH) "}\n\ndata: {\"choices\":[]," USED("7", "-5")
                  "}\n\ndata: [DONE]\n\n" },
        { .name = "chat, by far too many", .api = &km_api_chat,
          .text = CHUNK("0", FINISH) "}\n\ndata: {\"choices\":[]," USED("99999999", "1e9")
                  "}\n\ndata: [DONE]\n\n" },
        { .name = "messages", .api = &km_api_messages,
          .text = EVENT("message_start", "\"message\":{\"usage\":{\"input_tokens\":-7,"
                                         "\"output_tokens\":90000}}")
              BLOCKS EVENT("message_delta", "\"usage\":{\"output_tokens\":50000}") },
        { .name = "messages, an hour of what was not written", .api = &km_api_messages,
          .text = EVENT("message_start",
                        "\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1,"
                        "\"cache_creation\":{\"ephemeral_1h_input_tokens\":9}}}")
              BLOCKS EVENT("message_delta", "\"usage\":{\"output_tokens\":50000}") },
        { .name = "gemini", .api = &km_api_gemini_stream,
          .text = GOOGLE(",\"finishReason\":\"STOP\"", ",\"candidatesTokenCount\":null") },
        { .name = "Gemini's codec", .codec = &km_codec_gemini,
          .text = GOOGLE(",\"finishReason\":\"STOP\"", ",\"candidatesTokenCount\":\"5\"") },
        { .name = "Anthropic's codec", .codec = &km_codec_messages,
          .text = EVENT("message_start", "\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":"
                                         "1.5,\"output_tokens\":1}}")
              BLOCKS EVENT("message_delta", "\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
                                            "{\"output_tokens\":50000}")
                  EVENT("message_stop", "\"x\":1") },
        { .name = "Converse's codec", .codec = &km_codec_converse, .aws = true,
          .text = "messageStart {\"role\":\"assistant\"}\n"
                  "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"" PIECE
                  "\"}}\nmessageStop {\"stopReason\":\"end_turn\"}\n"
                  "metadata {\"usage\":{\"inputTokens\":7,\"outputTokens\":{}}}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        struct stream s;
        struct km_usage u;

        make(&s, &nonsense[i]);
        u = used(&nonsense[i], km_buf_view(&s.bytes), true);
        if (u.known || u.prompt_tokens != by_text() || u.completion_tokens > 8 ||
            u.completion_tokens < heard(&s, SIZE_MAX))
            fail_msg("%s: %lld, %lld", nonsense[i].name, (long long)u.prompt_tokens,
                     (long long)u.completion_tokens);
        km_buf_done(&s.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_is_final_where_its_api_ends_and_not_a_byte_before),
        cmocka_unit_test(nonsense_is_never_final_nor_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
