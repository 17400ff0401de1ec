/* SPDX-License-Identifier: Apache-2.0 */
/* What answers say of their usage beside tokens: passed on, translated and metered. */
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
#include "llm/usage.h"

struct row {
    const char *name;
    const struct km_llm_api *api; /* of three ways the first that is there */
    const struct km_codec *codec;
    const struct km_meter_kind *meter;
    bool stream; /* of AWS's frames a line each */
    const char *text;
    int64_t searches, codes, files, hour, reasoning;
    enum km_service service;
    bool fast, in_us;
    unsigned said;
};

#define CLAUDE_USAGE                                                                               \
    "\"usage\":{\"input_tokens\":7,\"output_tokens\":5,\"cache_read_input_tokens\":0,"             \
    "\"cache_creation_input_tokens\":9,\"cache_creation\":{\"ephemeral_1h_input_tokens\":4,"       \
    "\"ephemeral_5m_input_tokens\":5},\"server_tool_use\":{\"web_search_requests\":3,"             \
    "\"web_fetch_requests\":1},\"service_tier\":\"priority\",\"speed\":\"fast\","                  \
    "\"inference_geo\":\"us\",\"output_tokens_details\":{\"thinking_tokens\":2}}"
#define CLAUDE                                                                                     \
    "{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":"              \
    "\"end_turn\"," CLAUDE_USAGE "}"
#define CLAUDE_STREAM                                                                              \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\","           \
    "\"usage\":{\"input_tokens\":7,\"output_tokens\":1,\"cache_creation_input_tokens\":9,"         \
    "\"cache_creation\":{\"ephemeral_1h_input_tokens\":4},\"service_tier\":\"priority\","          \
    "\"speed\":\"fast\",\"inference_geo\":\"us\"}}}\n\n"                                           \
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"          \
    "\"end_turn\"},\"usage\":{\"output_tokens\":5,\"server_tool_use\":"                            \
    "{\"web_search_requests\":3},\"output_tokens_details\":{\"thinking_tokens\":2}}}\n\n"          \
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define CLAUDE_SAID                                                                                \
    .searches = 3, .hour = 4, .reasoning = 2, .service = KM_SERVICE_PRIORITY, .fast = true,        \
    .in_us = true, .said = KM_SAID_SERVICE | KM_SAID_SPEED | KM_SAID_GEO
#define CHAT                                                                                       \
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"     \
    "\"a\"},\"finish_reason\":\"stop\"}],\"service_tier\":\"flex\",\"usage\":{\"prompt_tokens\":"  \
    "7,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":2}}}"
#define CHAT_STREAM                                                                                \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":"            \
    "\"stop\"}],\"service_tier\":\"flex\"}\n\ndata: {\"choices\":[],\"service_tier\":\"flex\","    \
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"completion_tokens_details\":"        \
    "{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n"
#define CHAT_SAID .reasoning = 2, .service = KM_SERVICE_FLEX, .said = KM_SAID_SERVICE
#define OUTPUT                                                                                     \
    "\"output\":[{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\"}},"                 \
    "{\"type\":\"web_search_call\",\"action\":{\"type\":\"open_page\"}},"                          \
    "{\"type\":\"web_search_call\"},{\"type\":\"code_interpreter_call\",\"container_id\":\"c1\"}," \
    "{\"type\":\"code_interpreter_call\",\"container_id\":\"c1\"},"                                \
    "{\"type\":\"code_interpreter_call\",\"container_id\":\"c2\"},"                                \
    "{\"type\":\"file_search_call\"},{\"type\":\"function_call\",\"arguments\":\"{}\"},"           \
    "{\"type\":\"message\",\"content\":[]}]"
#define RESPONSE                                                                                   \
    "{\"id\":\"r\"," OUTPUT ",\"service_tier\":\"priority\",\"usage\":{\"input_tokens\":7,"        \
    "\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":2}}}"
#define RESPONSE_SAID                                                                              \
    .searches = 2, .codes = 2, .files = 1, .reasoning = 2, .service = KM_SERVICE_PRIORITY,         \
    .said = KM_SAID_SERVICE
#define GROUNDED "\"groundingMetadata\":{\"webSearchQueries\":[\"a\",\"b\"]}"
#define GEMINI                                                                                     \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\","      \
    GROUNDED "}],\"usageMetadata\":{\"promptTokenCount\":7,\"candidatesTokenCount\":3,"            \
    "\"toolUsePromptTokenCount\":4,\"thoughtsTokenCount\":2,"                                      \
    "\"trafficType\":\"ON_DEMAND_PRIORITY\"}}"
#define GEMINI_STREAM                                                                              \
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}," GROUNDED "}],"           \
    "\"usageMetadata\":{\"promptTokenCount\":7,\"trafficType\":\"ON_DEMAND_PRIORITY\"}}\n\n"       \
    "data: " GEMINI "\n\n"
#define GEMINI_SAID                                                                                \
    .searches = 2, .reasoning = 2, .service = KM_SERVICE_PRIORITY, .said = KM_SAID_SERVICE
#define CONVERSE_USAGE                                                                             \
    "\"usage\":{\"inputTokens\":7,\"outputTokens\":5,\"cacheWriteInputTokens\":9,"                 \
    "\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":5},{\"ttl\":\"1h\",\"inputTokens\":4}]},"   \
    "\"serviceTier\":{\"type\":\"flex\"}"
#define SYSTEM_TOOL                                                                                \
    "\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"nova_grounding\",\"type\":\"server_tool_use\","   \
    "\"input\":{}}"
#define CONVERSE                                                                                   \
    "{\"output\":{\"message\":{\"content\":[{" SYSTEM_TOOL "},{\"text\":\"a\"}]}},"                \
    "\"stopReason\":\"end_turn\"," CONVERSE_USAGE "}"
#define CONVERSE_STREAM                                                                            \
    "messageStart {\"role\":\"assistant\"}\n"                                                      \
    "contentBlockStart {\"contentBlockIndex\":0,\"start\":{" SYSTEM_TOOL "}}\n"                    \
    "messageStop {\"stopReason\":\"end_turn\"}\nmetadata {" CONVERSE_USAGE "}\n"

static const struct row rows[] = {
    { "messages", .api = &km_api_messages, .text = CLAUDE, CLAUDE_SAID },
    { "messages' stream", .api = &km_api_messages, .stream = true, .text = CLAUDE_STREAM,
      CLAUDE_SAID },
    { "Anthropic's codec", .codec = &km_codec_messages, .text = CLAUDE, CLAUDE_SAID },
    { "Anthropic's codec, stream", .codec = &km_codec_messages, .stream = true,
      .text = CLAUDE_STREAM, CLAUDE_SAID },
    { "metered messages", .meter = &km_meter_messages, .text = CLAUDE, CLAUDE_SAID },
    { "metered messages' stream", .meter = &km_meter_messages, .stream = true,
      .text = CLAUDE_STREAM, CLAUDE_SAID },
    { "metered InvokeModel", .meter = &km_meter_invoke, .text = CLAUDE, CLAUDE_SAID },
    { "chat", .api = &km_api_chat, .text = CHAT, CHAT_SAID },
    { "chat's stream", .api = &km_api_chat, .stream = true, .text = CHAT_STREAM, CHAT_SAID },
    { "chat that cites", .api = &km_api_chat, .searches = 1,
      .text = "{\"choices\":[{\"message\":{\"content\":\"a\",\"annotations\":[{\"type\":"
              "\"url_citation\"},{\"type\":\"url_citation\"}]}}],\"usage\":{\"prompt_tokens\":7,"
              "\"completion_tokens\":5}}" },
    { "chat that cites, streamed", .api = &km_api_chat, .stream = true, .searches = 1,
      .text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"annotations\":[{\"type\":"
              "\"url_citation\"}]},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],"
              "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n" },
    { "chat whose host counts", .api = &km_api_chat, .searches = 4,
      .text = "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,"
              "\"server_tool_use\":{\"web_search_requests\":4}}}" },
    { "chat whose host counts queries", .api = &km_api_chat, .searches = 3,
      .text = "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,"
              "\"num_search_queries\":3}}" },
    { "OpenAI's codec", .codec = &km_codec_openai, .text = CHAT, CHAT_SAID },
    { "OpenAI's codec, stream", .codec = &km_codec_openai, .stream = true, .text = CHAT_STREAM,
      CHAT_SAID },
    { "metered chat", .meter = &km_meter_chat, .text = CHAT, CHAT_SAID },
    { "responses", .api = &km_api_responses, .text = RESPONSE, RESPONSE_SAID },
    { "responses' stream", .api = &km_api_responses, .stream = true,
      .text = "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":"
              "\"web_search_call\"}}\n\n"
              "data: {\"type\":\"response.completed\",\"response\":" RESPONSE "}\n\n",
      RESPONSE_SAID },
    { "responses' stream, cut", .api = &km_api_responses, .stream = true,
      .text = "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":"
              "\"web_search_call\"}}\n\n"
              "data: {\"type\":\"response.output_item.added\",\"item\":{\"type\":"
              "\"web_search_call\"}}\n\n"
              "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":"
              "\"code_interpreter_call\"}}\n\n"
              "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":"
              "\"code_interpreter_call\"}}\n\n",
      .searches = 1, .codes = 1 },
    { "metered responses", .meter = &km_meter_responses, .text = RESPONSE, RESPONSE_SAID },
    { "gemini", .api = &km_api_gemini, .text = GEMINI, GEMINI_SAID },
    { "gemini's stream", .api = &km_api_gemini_stream, .stream = true, .text = GEMINI_STREAM,
      GEMINI_SAID },
    { "Gemini's codec", .codec = &km_codec_gemini, .text = GEMINI, GEMINI_SAID },
    { "Gemini's codec, stream", .codec = &km_codec_gemini, .stream = true, .text = GEMINI_STREAM,
      GEMINI_SAID },
    { "metered gemini", .meter = &km_meter_gemini, .text = GEMINI, GEMINI_SAID },
    { "metered array of gemini", .meter = &km_meter_gemini_stream, .text = "[" GEMINI "]",
      GEMINI_SAID },
    { "metered Converse", .meter = &km_meter_converse, .text = CONVERSE, .searches = 1, .hour = 4,
      .service = KM_SERVICE_FLEX, .said = KM_SAID_SERVICE },
    { "metered Converse's stream", .meter = &km_meter_converse, .stream = true,
      .text = CONVERSE_STREAM, .searches = 1, .hour = 4, .service = KM_SERVICE_FLEX,
      .said = KM_SAID_SERVICE },
};

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
                                    .choices = 1,
                                    .priced = { .hosts = true },
                                    .model = KM_STR("m") };
}

static struct km_usage by_api(const struct row *row)
{
    struct km_arena arena KM_CLEANUP(km_arena_done), scratch KM_CLEANUP(km_arena_done);
    struct km_llm_request request = request_of(row);
    struct km_str *parts, text = km_str_c(row->text);
    struct km_usage u = { 0 };
    struct relay r;
    struct km_sse *sse;
    size_t n;

    km_arena_init(&arena, 1 << 20, NULL);
    km_arena_init(&scratch, 1 << 20, NULL);
    if (!row->stream) {
        assert_int_equal(row->api->answer(&request, &arena, text, &parts, &n, &u, NULL), 0);
        return u;
    }
    sse = km_sse_new(1 << 20, on_sse, &r);
    km_llm_stream_init(&r.s, &request, &arena, &scratch);
    km_buf_init(&r.out, 1 << 20);
    assert_int_equal(km_sse_feed(sse, text.p, text.n, NULL), 0);
    u = km_llm_stream_usage(&r.s);
    km_sse_free(sse);
    km_buf_done(&r.out);
    return u;
}

static struct km_usage by_codec(const struct row *row)
{
    struct codec_fixture f;
    struct km_usage u;

    codec_setup(&f, row->codec, "m");
    f.answer.stream = row->stream;
    if ((row->stream ? codec_feed(&f, km_str_c(row->text), 0)
                     : row->codec->decode(&f.decode, km_str_c(row->text), &f.err)) < 0)
        fail_msg("%s: %s", row->name, f.err.text);
    u = km_answer_usage(&f.answer);
    codec_teardown(&f);
    return u;
}

static struct km_usage by_meter(const struct row *row)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_llm_request request = request_of(row);
    struct km_meter m;
    struct km_usage u;

    km_arena_init(&arena, 1 << 20, NULL);
    km_meter_init(&m, row->meter, &request, &arena);
    if (row->stream && row->meter->framing == KM_FRAMING_AWS)
        aws_put_lines(&bytes, row->text);
    else
        km_buf_str(&bytes, km_str_c(row->text));
    if (row->stream) {
        assert_int_equal(km_meter_stream(&m, 1 << 20, NULL), 0);
        km_meter_feed(&m, bytes.p, bytes.n, &out);
    } else {
        km_meter_whole(&m, NULL, km_buf_view(&bytes));
    }
    u = km_meter_usage(&m);
    km_meter_done(&m);
    return u;
}

static void what_is_said_beside_tokens_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct km_usage u = row->api ? by_api(row) : row->codec ? by_codec(row) : by_meter(row);

        if (u.hosted[KM_HOSTED_WEB_SEARCH] != row->searches ||
            u.hosted[KM_HOSTED_CODE_INTERPRETER] != row->codes ||
            u.hosted[KM_HOSTED_FILE_SEARCH] != row->files || u.cache_write_1h_tokens != row->hour ||
            u.reasoning_tokens != row->reasoning || u.service != row->service ||
            u.fast != row->fast || u.in_us != row->in_us ||
            (u.said & ~(unsigned)KM_SAID_REASONING) != row->said)
            fail_msg("%s: %d %d %d, hour %d, reasoning %d, service %d %d %d said %u", row->name,
                     (int)u.hosted[0], (int)u.hosted[1], (int)u.hosted[2],
                     (int)u.cache_write_1h_tokens, (int)u.reasoning_tokens, (int)u.service, u.fast,
                     u.in_us, u.said);
    }
}

static struct km_usage read_extras(const char *text, bool *bad)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_usage u = { .hosted = { 7 }, .cache_write_1h_tokens = 8 };
    const struct km_json *root;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&arena, km_str_c(text), &root, NULL), 0);
    *bad = false;
    km_usage_extras(root, &u, bad);
    return u;
}

static void what_is_left_out_stays_and_nonsense_is_said(void **state)
{
    static const char *const odd[] = {
        "{\"server_tool_use\":{\"web_search_requests\":-1}}",
        "{\"server_tool_use\":{\"web_search_requests\":\"3\"}}",
        "{\"server_tool_use\":{\"code_execution_requests\":1e300}}",
        "{\"cache_creation\":{\"ephemeral_1h_input_tokens\":1.5}}",
        "{\"cacheDetails\":[{\"ttl\":\"1h\",\"inputTokens\":-4}]}",
    };
    bool bad;
    struct km_usage u = read_extras("{\"server_tool_use\":null,\"cache_creation\":null,"
                                    "\"service_tier\":null,\"speed\":null}",
                                    &bad);

    (void)state;
    assert_false(bad);
    assert_int_equal(u.hosted[0], 7);
    assert_int_equal(u.cache_write_1h_tokens, 8);
    assert_int_equal(u.said, 0);
    u = read_extras("{\"service_tier\":\"tarot\"}", &bad);
    assert_int_equal(u.said, 0);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        (void)read_extras(odd[i], &bad);
        if (!bad)
            fail_msg("%s", odd[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_beside_tokens_is_counted),
        cmocka_unit_test(what_is_left_out_stays_and_nonsense_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
