/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/provider/anthropic.h"
#include "llm/provider/codecs.h"
#include "notes.h"

struct fixture {
    struct km_arena arena, scratch;
    struct km_buf out;
    struct codec_notes notes;
    struct km_answer answer;
    struct km_decode d;
    char state[KM_MESSAGES_STATE];
    struct km_err err;
};

static void begin(struct fixture *f)
{
    km_buf_reset(&f->out);
    f->notes = (struct codec_notes){ 0 };
    memset(f->state, 0, sizeof f->state);
    f->answer = (struct km_answer){ .to = &codec_notes_encoder,
                                    .gathers = codec_notes_encoder.gathers,
                                    .state = &f->notes,
                                    .arena = &f->arena,
                                    .out = &f->out,
                                    .stream = true };
    f->d = (struct km_decode){ .answer = &f->answer,
                               .arena = &f->arena,
                               .scratch = &f->scratch,
                               .state = f->state,
                               .can = km_capability_find(KM_STR("claude-opus-4-6")) };
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 64 << 20, NULL);
    km_arena_init(&f->scratch, 64 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    begin(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_buf_done(&f->out);
    km_arena_done(&f->scratch);
    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct fixture *f = ctx;
    int r = km_messages_event(&f->d, e, err);

    km_arena_done(&f->scratch);
    km_arena_init(&f->scratch, 64 << 20, NULL);
    return r;
}

/* The stream cut in two at `at`; what its end says. */
static int feed(struct fixture *f, const char *text, size_t at)
{
    struct km_framer *framer = km_framer_new(KM_FRAMING_SSE, 1 << 20, on_event, f);
    size_t n = strlen(text);
    int r = km_framer_feed(framer, text, at, &f->err);

    if (r == 0)
        r = km_framer_feed(framer, text + at, n - at, &f->err);
    if (r == 0)
        r = km_messages_end(&f->d, &f->err);
    km_framer_free(framer);
    return r;
}

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define START                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"  \
          "\"m\",\"content\":[],\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":3," \
          "\"cache_read_input_tokens\":4,\"output_tokens\":1}}")
#define BLOCK(i, b) EVENT("content_block_start", ",\"index\":" i ",\"content_block\":{" b "}")
#define DELTA(i, delta) EVENT("content_block_delta", ",\"index\":" i ",\"delta\":{" delta "}")
#define STOP(i) EVENT("content_block_stop", ",\"index\":" i)
#define FINISH(reason)                                                                             \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"" reason                                 \
                           "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}")          \
    EVENT("message_stop", "")

static const char full[] = START "event: ping\ndata: {\"type\": \"ping\"}\n\n" BLOCK(
    "0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
    DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"th\"") DELTA(
        "0", "\"type\":\"thinking_delta\",\"thinking\":\"ink\"")
        DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"sig\"") STOP("0") BLOCK(
            "1", "\"type\":\"redacted_thinking\",\"data\":\"RRR=\"") STOP("1")
            BLOCK("2", "\"type\":\"text\",\"text\":\"\"") DELTA(
                "2", "\"type\":\"text_delta\",\"text\":\"H\\u00e9\"")
                DELTA("2", "\"type\":\"citations_delta\",\"citation\":{}") DELTA(
                    "2", "\"type\":\"text_delta\",\"text\":\"llo \xf0\x9f\x98\x80\"") STOP("2")
                    BLOCK("3", "\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\","
                               "\"input\":{}")
                        DELTA("3", "\"type\":\"input_json_delta\",\"partial_json\":\"{}\"") STOP(
                            "3") BLOCK("4", "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":"
                                            "\"f\",\"input\":{}")
                            DELTA("4", "\"type\":\"input_json_delta\",\"partial_json\":\"\"") DELTA(
                                "4",
                                "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"")
                                DELTA("4", "\"type\":\"input_json_delta\",\"partial_json\":\"1}\"")
                                    STOP("4") BLOCK("5", "\"type\":\"tool_use\",\"id\":\"toolu_2\","
                                                         "\"name\":\"g\",\"input\":{}") STOP("5")
                                        FINISH("tool_use");

static const char full_events[] = "start 0 msg_1/\n"
                                  "reasoning 0 think\n"
                                  "signature 0 sig\n"
                                  "redacted 1 RRR=\n"
                                  "text 2 H\xc3\xa9llo \xf0\x9f\x98\x80\n"
                                  "tool 3 toolu_1/f\n"
                                  "input 3 {\"a\":1}\n"
                                  "tool 4 toolu_2/g\n"
                                  "usage 0 17 15 4 3\n"
                                  "finish 0 4";

static void a_stream_is_the_same_events_wherever_it_is_cut(void **state)
{
    struct fixture *f = *state;

    for (size_t at = 0; at < sizeof full; at++) {
        begin(f);
        assert_int_equal(feed(f, full, at), 0);
        assert_string_equal(km_buf_cstr(&f->out), full_events);
        assert_int_equal(f->answer.prompt_estimate, 17);
    }
}

static void a_stream_that_stops_anywhere_early_is_no_answer(void **state)
{
    struct fixture *f = *state;
    char part[sizeof full];

    for (size_t n = 0; n + 2 < sizeof full; n += 7) {
        memcpy(part, full, n);
        part[n] = '\0';
        begin(f);
        assert_int_equal(feed(f, part, 0), KM_E_UPSTREAM_PROTOCOL);
    }
}

static void a_whole_answer_is_the_same_events(void **state)
{
    static const char body[] =
        "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":"
        "[{\"type\":\"thinking\",\"thinking\":\"think\",\"signature\":\"sig\"},{\"type\":"
        "\"redacted_thinking\",\"data\":\"RRR=\"},{\"type\":\"text\",\"text\":\"H\xc3\xa9llo "
        "\xf0\x9f\x98\x80\"},{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"w\",\"input\":{}"
        "},{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"a\":1}},{\"type\":"
        "\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\",\"input\":{}}],\"stop_reason\":"
        "\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"
        "\"cache_creation_input_tokens\":3,\"cache_read_input_tokens\":4,\"output_tokens\":15}}";
    struct fixture *f = *state;

    assert_int_equal(km_messages_decode(&f->d, km_str_c(body), &f->err), 0);
    assert_string_equal(km_buf_cstr(&f->out), full_events);
}

static void expect_finish(struct fixture *f, const char *reason, enum km_finish want)
{
    struct km_str body = km_arena_printf(
        &f->arena, "{\"content\":[],\"stop_reason\":\"%s\",\"stop_sequence\":\"END\"}", reason);
    struct km_str line;

    begin(f);
    assert_int_equal(km_messages_decode(&f->d, body, &f->err), 0);
    line = km_arena_printf(&f->arena, "start 0 /\nfinish 0 %d%s", want,
                           want == KM_FINISH_STOP_SEQUENCE ? " END" : "");
    assert_string_equal(km_buf_cstr(&f->out), km_arena_cstr(&f->arena, line));
}

static void reasons_to_stop_are_told_apart(void **state)
{
    struct fixture *f = *state;

    expect_finish(f, "end_turn", KM_FINISH_STOP);
    expect_finish(f, "stop_sequence", KM_FINISH_STOP_SEQUENCE);
    expect_finish(f, "max_tokens", KM_FINISH_LENGTH);
    expect_finish(f, "model_context_window_exceeded", KM_FINISH_LENGTH);
    expect_finish(f, "tool_use", KM_FINISH_TOOLS);
    expect_finish(f, "pause_turn", KM_FINISH_PAUSE);
    expect_finish(f, "refusal", KM_FINISH_FILTER);
}

static void a_refusal_says_why(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        feed(f,
             START EVENT("message_delta",
                         ",\"delta\":{\"stop_reason\":\"refusal\",\"stop_details\":{\"type\":"
                         "\"refusal\",\"category\":\"cyber\",\"explanation\":\"No.\"}},\"usage\":{"
                         "\"output_tokens\":2}") EVENT("message_stop", ""),
             5),
        0);
    assert_string_equal(km_buf_cstr(&f->out),
                        "start 0 msg_1/\nusage 0 17 2 4 3\nrefusal 0 No.\nfinish 0 5 No.");
}

static void an_error_in_the_stream_keeps_its_kind(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed(f,
                          START EVENT("error", ",\"error\":{\"type\":\"overloaded_error\","
                                               "\"message\":\"Overloaded\"}"),
                          9),
                     KM_E_UPSTREAM_STATUS);
    assert_int_equal(f->err.http, 529);
    assert_int_equal(f->err.kind, KM_REFUSED_OVERLOADED);
    assert_non_null(strstr(f->err.text, "Overloaded"));
}

static void what_is_out_of_order_is_refused(void **state)
{
    static const char *const broken[] = {
        START START,
        BLOCK("0", "\"type\":\"text\",\"text\":\"\""),
        START DELTA("0", "\"type\":\"text_delta\",\"text\":\"x\""),
        START BLOCK("0", "\"type\":\"text\",\"text\":\"\"")
            DELTA("1", "\"type\":\"text_delta\",\"text\":\"x\""),
        START EVENT("message_stop", ""),
        FINISH("end_turn"),
        START "data: {\n\n",
        START BLOCK("0", "\"type\":\"tool_use\",\"id\":\"\",\"name\":\"\",\"input\":{}"),
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        begin(f);
        assert_int_equal(feed(f, broken[i], 0), KM_E_UPSTREAM_PROTOCOL);
    }
}

static void a_tool_that_stood_for_a_schema_is_text_again(void **state)
{
    struct fixture *f = *state;
    struct km_chat chat;

    km_chat_init(&chat);
    km_messages_note(f->state, &chat, true, &f->arena);
    assert_int_equal(
        feed(f,
             START BLOCK("0", "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"json_tool_call\","
                              "\"input\":{}")
                 DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":1}\"")
                     STOP("0") FINISH("tool_use"),
             0),
        0);
    assert_string_equal(km_buf_cstr(&f->out),
                        "start 0 msg_1/\ntext 0 {\"a\":1}\nusage 0 17 15 4 3\nfinish 0 1");
    begin(f);
    km_messages_note(f->state, &chat, true, &f->arena);
    assert_int_equal(km_messages_decode(
                         &f->d,
                         KM_STR("{\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
                                "\"json_tool_call\",\"input\":{}}],\"stop_reason\":\"tool_use\"}"),
                         &f->err),
                     0);
    assert_string_equal(km_buf_cstr(&f->out), "start 0 /\ntext 0 {}\nfinish 0 1");
}

static void names_come_back_as_the_caller_spelled_them(void **state)
{
    struct fixture *f = *state;
    struct km_chat chat;
    struct km_str said, body;

    km_chat_init(&chat);
    km_chat_tool(&chat, &f->arena)->name = KM_STR("ns.look");
    said = km_messages_clean(KM_STR("ns.look"), KM_MESSAGES_NAME_MOST, &f->arena);
    km_messages_note(f->state, &chat, false, &f->arena);
    body = km_arena_printf(&f->arena,
                           "{\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"%.*s\","
                           "\"input\":{}}],\"stop_reason\":\"tool_use\"}",
                           KM_STR_ARG(said));
    assert_int_equal(km_messages_decode(&f->d, body, &f->err), 0);
    assert_string_equal(km_buf_cstr(&f->out), "start 0 /\ntool 0 t/ns.look\nfinish 0 4");
}

static void a_whole_answer_that_is_none_is_refused(void **state)
{
    static const char *const bodies[] = { "", "[]", "{}", "{\"content\":\"x\"}" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        begin(f);
        assert_int_equal(km_messages_decode(&f->d, km_str_c(bodies[i]), &f->err),
                         KM_E_UPSTREAM_PROTOCOL);
    }
    begin(f);
    assert_int_equal(
        km_messages_decode(&f->d, KM_STR("{\"type\":\"error\",\"error\":{\"message\":\"m\"}}"),
                           &f->err),
        KM_E_UPSTREAM_STATUS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_stream_is_the_same_events_wherever_it_is_cut),
        CASE(a_stream_that_stops_anywhere_early_is_no_answer),
        CASE(a_whole_answer_is_the_same_events),
        CASE(reasons_to_stop_are_told_apart),
        CASE(a_refusal_says_why),
        CASE(an_error_in_the_stream_keeps_its_kind),
        CASE(what_is_out_of_order_is_refused),
        CASE(a_tool_that_stood_for_a_schema_is_text_again),
        CASE(names_come_back_as_the_caller_spelled_them),
        CASE(a_whole_answer_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
