/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "aws_frames.h"
#include "llm/provider/codecs.h"
#include "llm/provider/converse.h"
#include "notes.h"

struct fixture {
    const struct km_codec *codec;
    struct km_arena arena, scratch;
    struct km_buf out;
    struct codec_notes notes;
    struct km_answer answer;
    struct km_decode d;
    char state[KM_CONVERSE_STATE > KM_MESSAGES_STATE ? KM_CONVERSE_STATE : KM_MESSAGES_STATE];
    struct km_err err;
};

static void begin(struct fixture *f)
{
    km_buf_reset(&f->out);
    f->notes = (struct codec_notes){ 0 };
    f->err = (struct km_err){ 0 };
    memset(f->state, 0, sizeof f->state);
    f->answer = (struct km_answer){ .to = &codec_notes_encoder,
                                    .gathers = codec_notes_encoder.gathers,
                                    .state = &f->notes,
                                    .arena = &f->arena,
                                    .out = &f->out,
                                    .stream = true };
    f->d = (struct km_decode){
        .answer = &f->answer, .arena = &f->arena, .scratch = &f->scratch, .state = f->state
    };
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    f->codec = &km_codec_converse;
    km_arena_init(&f->arena, 64 << 20, NULL);
    km_arena_init(&f->scratch, 1 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    begin(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    km_arena_done(&f->scratch);
    km_buf_done(&f->out);
    free(f);
    return 0;
}

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct fixture *f = ctx;
    int r = f->codec->event(&f->d, e, err);

    km_arena_done(&f->scratch);
    return r;
}

/* The stream in pieces: [0..cut) and the rest. */
static int run(struct fixture *f, struct km_str bytes, size_t cut)
{
    struct km_framer *framer = km_framer_new(f->codec->framing, 65536, on_event, f);
    int r;

    assert_non_null(framer);
    r = km_framer_feed(framer, bytes.p, cut, &f->err);
    if (r == 0)
        r = km_framer_feed(framer, bytes.p + cut, bytes.n - cut, &f->err);
    if (r == 0)
        r = f->codec->end(&f->d, &f->err);
    km_framer_free(framer);
    return r;
}

static int run_lines(struct fixture *f, const char *lines)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    begin(f);
    aws_put_lines(&bytes, lines);
    return run(f, km_buf_view(&bytes), bytes.n);
}

static void expect(struct fixture *f, const char *want)
{
    assert_string_equal(km_buf_cstr(&f->out), want);
}

/* --- streams --- */

#define START "messageStart {\"role\":\"assistant\"}\n"
#define DELTA(i, delta) "contentBlockDelta {\"contentBlockIndex\":" #i ",\"delta\":" delta "}\n"
#define STOP(i) "contentBlockStop {\"contentBlockIndex\":" #i "}\n"
#define END(reason) "messageStop {\"stopReason\":\"" reason "\"}\n"
#define META                                                                                       \
    "metadata {\"usage\":{\"inputTokens\":10,\"outputTokens\":5,\"totalTokens\":15,"              \
    "\"cacheReadInputTokens\":3,\"cacheWriteInputTokens\":2},\"metrics\":{\"latencyMs\":5}}\n"

static const char *const whole_stream = START DELTA(0, "{\"reasoningContent\":{\"text\":\"th\"}}")
    DELTA(0, "{\"reasoningContent\":{\"text\":\"ink\"}}") DELTA(
        0, "{\"reasoningContent\":{\"signature\":\"c2ln\"}}") STOP(0)
        DELTA(1, "{\"text\":\"H\"},\"p\":\"abcdef\"") DELTA(1, "{\"text\":\"i\"}") STOP(
            1) "contentBlockStart {\"contentBlockIndex\":2,\"start\":{\"toolUse\":{"
               "\"toolUseId\":\"t1\",\"name\":\"f\"}}}\n" DELTA(2, "{\"toolUse\":{\"input\":\"\"}}")
                   DELTA(2, "{\"toolUse\":{\"input\":\"{\\\"a\\\":\"}}")
                       DELTA(2, "{\"toolUse\":{\"input\":\"1}\"}}")
                           STOP(2) "contentBlockStart {\"contentBlockIndex\":3,\"start\":{"
                                   "\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\"}}}\n" STOP(3)
                                       END("tool_use") META;

static void a_stream_becomes_events_wherever_it_is_cut(void **state)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct fixture *f = *state;

    aws_put_lines(&bytes, whole_stream);
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        begin(f);
        assert_int_equal(run(f, km_buf_view(&bytes), cut), 0);
        expect(f, "start 0 /\nreasoning 0 think\nsignature 0 c2ln\ntext 1 Hi\ntool 2 t1/f\n"
                  "input 2 {\"a\":1}\ntool 3 t2/g\nusage 0 15 5 3 2\nfinish 0 4");
    }
}

static void a_stream_cut_short_is_an_error_never_an_end(void **state)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct fixture *f = *state;

    aws_put_lines(&bytes, START DELTA(0, "{\"text\":\"H\"}") STOP(0) END("end_turn"));
    for (size_t n = 0; n < bytes.n; n++) {
        begin(f);
        assert_int_equal(run(f, km_str(bytes.p, n), n), KM_E_UPSTREAM_PROTOCOL);
        assert_int_equal(km_str_find(km_buf_view(&f->out), KM_STR("finish")), f->out.n);
    }
    begin(f); /* all but the usage: complete, its cost unknown */
    assert_int_equal(run(f, km_buf_view(&bytes), 0), 0);
    expect(f, "start 0 /\ntext 0 H\nfinish 0 1");
}

static void an_exception_in_a_stream_is_the_error_it_would_have_been(void **state)
{
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        { "!throttlingException {\"message\":\"slow down\"}", 429 },
        { "!ThrottlingException {\"message\":\"slow down\"}", 429 },
        { "!serviceUnavailableException {\"message\":\"slow down\"}", 503 },
        { "!internalServerException {\"message\":\"slow down\"}", 500 },
        { "!modelStreamErrorException {\"message\":\"slow down\",\"originalStatusCode\":500}",
          502 },
        { "!modelTimeoutException {\"message\":\"slow down\"}", 504 },
        { "!validationException {\"Message\":\"slow down\"}", 400 },
        { "!somethingNew slow down", 502 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(run_lines(f, cases[i].line), KM_E_UPSTREAM_STATUS);
        assert_int_equal(km_err_http(&f->err), cases[i].status);
        assert_non_null(strstr(f->err.text, "slow down"));
        assert_false(f->answer.started);
    }
}

static void reasons_to_stop_are_told(void **state)
{
    static const struct {
        const char *stop;
        enum km_finish finish;
    } cases[] = {
        { END("end_turn"), KM_FINISH_STOP },
        { END("max_tokens"), KM_FINISH_LENGTH },
        { END("model_context_window_exceeded"), KM_FINISH_LENGTH },
        { END("guardrail_intervened"), KM_FINISH_FILTER },
        { END("content_filtered"), KM_FINISH_FILTER },
        { END("of_the_future"), KM_FINISH_STOP },
        { END("malformed_tool_use"), KM_FINISH_STOP },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_str lines = km_arena_printf(
            &f->arena, "%s%s%s", START DELTA(0, "{\"text\":\"H\"}"), cases[i].stop, META);
        struct km_str want = km_arena_printf(
            &f->arena, "start 0 /\ntext 0 H\nusage 0 15 5 3 2\nfinish 0 %d", cases[i].finish);

        assert_int_equal(run_lines(f, lines.p), 0);
        expect(f, want.p);
    }
    assert_int_equal(run_lines(f, START
                               "messageStop {\"stopReason\":\"stop_sequence\","
                               "\"additionalModelResponseFields\":{\"stop_sequence\":\"END\"}}\n"),
                     0);
    expect(f, "start 0 /\nfinish 0 2 END");
    assert_int_equal(run_lines(f, START END("malformed_model_output")), KM_E_UPSTREAM_PROTOCOL);
}

static void what_is_out_of_order_breaks_the_protocol(void **state)
{
    static const char *const cases[] = {
        DELTA(0, "{\"text\":\"H\"}"),
        START START,
        END("end_turn"),
        START DELTA(1, "{\"text\":\"H\"}") DELTA(0, "{\"text\":\"H\"}"),
        START DELTA(0, "{\"toolUse\":{\"input\":\"{}\"}}"),
        START "contentBlockStart {\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"name\":"
              "\"f\"}}}\n",
        START "contentBlockDelta {\"delta\":{\"text\":\"a\"}}\n",
        START END("end_turn") DELTA(0, "{\"text\":\"H\"}"),
        START END("end_turn") END("end_turn"),
        "messageStart {",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(run_lines(*state, cases[i]), KM_E_UPSTREAM_PROTOCOL);
}

static void what_is_unknown_is_passed_over(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        run_lines(f, START "fromTheFuture {\"a\":1}\n" DELTA(0, "{\"citation\":{\"title\":\"x\"}}")
                         DELTA(0, "{\"text\":\"a\"}")
                             DELTA(1, "{\"reasoningContent\":{\"redactedContent\":\"AA==\"}}")
                                 STOP(1) END("end_turn") META),
        0);
    expect(f, "start 0 /\ntext 0 a\ncitation 0 x\nredacted 1 AA==\nusage 0 15 5 3 2\nfinish 0 1");
}

static void names_come_back_as_the_caller_spelled_them(void **state)
{
    struct fixture *f = *state;
    struct km_tool tool = { .name = KM_STR("mcp.server/read") };
    struct km_chat chat = { .tools = &tool };
    struct km_str said = km_messages_clean(tool.name, KM_CONVERSE_NAME_MOST, &f->arena);
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    aws_put_lines(&bytes, START);
    aws_put_frame(&bytes, "event", "contentBlockStart",
                  km_arena_printf(&f->arena,
                                  "{\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"toolUseId\":"
                                  "\"t\",\"name\":\"%.*s\"}}}",
                                  KM_STR_ARG(said)));
    aws_put_lines(&bytes, END("tool_use"));
    km_converse_note(f->state, &chat, false, &f->arena);
    assert_int_equal(run(f, km_buf_view(&bytes), 0), 0);
    expect(f, "start 0 /\ntool 0 t/mcp.server/read\nfinish 0 4");
}

static void a_tool_that_stands_for_a_schema_is_text(void **state)
{
    struct fixture *f = *state;
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_chat chat = { .tools = NULL };

    aws_put_lines(&bytes, START
                  "contentBlockStart {\"contentBlockIndex\":0,\"start\":{\"toolUse\":{"
                  "\"toolUseId\":\"t\",\"name\":\"json_tool_call\"}}}\n" DELTA(
                      0, "{\"toolUse\":{\"input\":\"{\\\"a\\\":1}\"}}") STOP(0) END("tool_use"));
    km_converse_note(f->state, &chat, true, &f->arena);
    assert_int_equal(run(f, km_buf_view(&bytes), 0), 0);
    expect(f, "start 0 /\ntext 0 {\"a\":1}\nfinish 0 1");
}

/* --- whole --- */

static void a_whole_answer_is_the_same_events(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        f->codec->decode(
            &f->d,
            KM_STR("{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{"
                   "\"reasoningContent\":{\"reasoningText\":{\"text\":\"th\",\"signature\":"
                   "\"c2ln\"}}},{\"reasoningContent\":{\"redactedContent\":\"AA==\"}},{\"text\":"
                   "\"Hi\"},{\"citationsContent\":{\"content\":[{\"text\":\"quoted\"}],"
                   "\"citations\":[]}},{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":"
                   "{\"a\":1}}},{\"toolUse\":{\"toolUseId\":\"u\",\"name\":\"g\",\"input\":{}}}]}},"
                   "\"stopReason\":\"tool_use\",\"usage\":{\"inputTokens\":10,\"outputTokens\":5,"
                   "\"totalTokens\":15},\"metrics\":{\"latencyMs\":500}}"),
            &f->err),
        0);
    expect(f, "start 0 /\nreasoning 0 th\nsignature 0 c2ln\nredacted 1 AA==\ntext 2 Hi\n"
              "text 3 quoted\ntool 4 t/f\ninput 4 {\"a\":1}\ntool 5 u/g\nusage 0 10 5 0 0\n"
              "finish 0 4");
}

static void a_whole_answer_that_is_none_is_an_error(void **state)
{
    static const char *const cases[] = { "", "{", "{}", "{\"output\":{}}", "[]" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(f);
        assert_int_equal(f->codec->decode(&f->d, km_str_c(cases[i]), &f->err),
                         KM_E_UPSTREAM_PROTOCOL);
    }
}

/* --- InvokeModel --- */

static void invoke_streams_carry_anthropics_events(void **state)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct fixture *f = *state;

    f->codec = &km_codec_bedrock_invoke;
    aws_put_lines(
        &bytes,
        "chunk {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{"
        "\"input_tokens\":7,\"output_tokens\":1}}}\n"
        "chunk {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
        "\"text\":\"\"}}\n"
        "chunk {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
        "\"text\":\"Hi\"}}\n"
        "chunk {\"type\":\"content_block_stop\",\"index\":0}\n"
        "chunk {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
        "\"output_tokens\":2}}\n"
        "chunk {\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{}}\n");
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        begin(f);
        assert_int_equal(run(f, km_buf_view(&bytes), cut), 0);
        expect(f, "start 0 msg_1/\ntext 0 Hi\nusage 0 7 2 0 0\nfinish 0 1");
    }
    assert_int_equal(run_lines(f, "!throttlingException {\"message\":\"x\"}"),
                     KM_E_UPSTREAM_STATUS);
    assert_int_equal(run_lines(f, "event {\"bytes\":\"%%%\"}"), KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(run_lines(f, "event {}"), KM_E_UPSTREAM_PROTOCOL);
}

/* --- refusals --- */

static void refusals_are_told_by_their_exception(void **state)
{
    static const struct {
        int status;
        const char *type, *body;
        int want;
        enum km_again again;
        enum km_refusal_kind kind;
    } cases[] = {
        { 429, "ThrottlingException:http://internal.amazon.com/coral/x", "{\"message\":\"m\"}", 429,
          KM_AGAIN_SAME, KM_REFUSED_RATE },
        { 400, "com.amazon.coral#ValidationException", "{\"message\":\"m\"}", 400, KM_AGAIN_NO,
          KM_REFUSED_PLAIN },
        { 400, "ValidationException", "{\"message\":\"Input is too long for requested model.\"}",
          400, KM_AGAIN_NO, KM_REFUSED_CONTEXT },
        { 400, "ValidationException",
          "{\"message\":\"Invocation of model ID x with on-demand throughput isn\\u2019t "
          "supported.\"}",
          400, KM_AGAIN_OTHER, KM_REFUSED_PLAIN },
        { 400, "ServiceQuotaExceededException", "{\"message\":\"m\"}", 429, KM_AGAIN_OTHER,
          KM_REFUSED_QUOTA },
        { 403, "AccessDeniedException", "{\"Message\":\"m\"}", 502, KM_AGAIN_OTHER,
          KM_REFUSED_CREDENTIALS },
        { 403, "", "{\"message\":\"m\"}", 502, KM_AGAIN_OTHER, KM_REFUSED_CREDENTIALS },
        { 404, "", "{\"__type\":\"x#ResourceNotFoundException\",\"message\":\"m\"}", 404,
          KM_AGAIN_OTHER, KM_REFUSED_MODEL },
        { 408, "ModelTimeoutException", "{\"message\":\"m\"}", 504, KM_AGAIN_SAME,
          KM_REFUSED_PLAIN },
        { 424, "ModelErrorException", "{\"message\":\"m\"}", 502, KM_AGAIN_SAME, KM_REFUSED_PLAIN },
        { 429, "ModelNotReadyException", "{\"message\":\"m\"}", 503, KM_AGAIN_SAME,
          KM_REFUSED_OVERLOADED },
        { 500, "InternalServerException", "{\"message\":\"m\"}", 500, KM_AGAIN_SAME,
          KM_REFUSED_PLAIN },
        { 503, "ServiceUnavailableException", "{\"message\":\"m\"}", 503, KM_AGAIN_SAME,
          KM_REFUSED_OVERLOADED },
        { 503, "", "<html>", 503, KM_AGAIN_SAME, KM_REFUSED_PLAIN },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct km_header type = { KM_STR("X-Amzn-ErrorType"), km_str_c(cases[i].type) };
        const struct km_headers headers = { .v = &type, .n = 1 };
        struct km_refusal no = { 0 };

        f->codec->refusal(&f->arena, cases[i].status, &headers, km_str_c(cases[i].body), &no);
        assert_int_equal(no.status, cases[i].want);
        assert_int_equal(no.again, cases[i].again);
        assert_true(no.text.n > 0);
        assert_int_equal(no.kind, cases[i].kind);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_stream_becomes_events_wherever_it_is_cut),
        TEST(a_stream_cut_short_is_an_error_never_an_end),
        TEST(an_exception_in_a_stream_is_the_error_it_would_have_been),
        TEST(reasons_to_stop_are_told),
        TEST(what_is_out_of_order_breaks_the_protocol),
        TEST(what_is_unknown_is_passed_over),
        TEST(names_come_back_as_the_caller_spelled_them),
        TEST(a_tool_that_stands_for_a_schema_is_text),
        TEST(a_whole_answer_is_the_same_events),
        TEST(a_whole_answer_that_is_none_is_an_error),
        TEST(invoke_streams_carry_anthropics_events),
        TEST(refusals_are_told_by_their_exception),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
