/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/api/messages.h"

struct fixture {
    struct km_arena arena;
    struct km_buf out;
    struct km_answer a;
    struct km_err err;
};

static void begin(struct fixture *f, bool stream)
{
    km_buf_reset(&f->out);
    f->a = (struct km_answer){ .to = &km_messages_encoder,
                               .gathers = km_messages_encoder.gathers,
                               .arena = &f->arena,
                               .out = &f->out,
                               .stream = stream,
                               .model = KM_STR("fast"),
                               .id = KM_STR("1"),
                               .prompt_estimate = 9 };
    f->a.state = km_arena_zalloc(&f->arena, km_messages_encoder.state_size);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    begin(f, true);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_buf_done(&f->out);
    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static void put(struct fixture *f, enum km_chat_event_kind kind, unsigned block, const char *text)
{
    struct km_chat_event e = { .kind = kind, .block = block, .text = km_str_c(text) };

    assert_int_equal(km_answer_put(&f->a, &e, &f->err), 0);
}

static void put_tool(struct fixture *f, unsigned block, const char *id, const char *name,
                     const char *signature)
{
    struct km_chat_event e = { .kind = KM_CHAT_TOOL,
                               .block = block,
                               .id = km_str_c(id),
                               .name = km_str_c(name),
                               .text = km_str_c(signature) };

    assert_int_equal(km_answer_put(&f->a, &e, &f->err), 0);
}

static void put_end(struct fixture *f, enum km_finish finish, const char *text)
{
    struct km_chat_event e = { .kind = KM_CHAT_FINISH, .finish = finish, .text = km_str_c(text) };
    struct km_chat_event u = { .kind = KM_CHAT_USAGE,
                               .usage = { .prompt_tokens = 17,
                                          .completion_tokens = 15,
                                          .cached_tokens = 4,
                                          .cache_write_tokens = 3,
                                          .known = true } };

    assert_int_equal(km_answer_put(&f->a, &e, &f->err), 0);
    assert_int_equal(km_answer_put(&f->a, &u, &f->err), 0);
}

static void put_all(struct fixture *f)
{
    put(f, KM_CHAT_START, 0, "");
    put(f, KM_CHAT_REASONING, 0, "th");
    put(f, KM_CHAT_SIGNATURE, 0, "si");
    put(f, KM_CHAT_SIGNATURE, 0, "g");
    put(f, KM_CHAT_REDACTED, 1, "RR");
    put(f, KM_CHAT_TEXT, 2, "H");
    put(f, KM_CHAT_TEXT, 2, "i\n");
    put_tool(f, 3, "toolu_1", "f", "");
    put(f, KM_CHAT_TOOL_INPUT, 3, "{\"a\":");
    put(f, KM_CHAT_TOOL_INPUT, 3, "1}");
    put_tool(f, 4, "toolu_2", "g", "");
    put_end(f, KM_FINISH_TOOLS, "");
}

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define START                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"  \
          "\"fast\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"        \
          "\"input_tokens\":9,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"    \
          "\"output_tokens\":0}}")
#define BLOCK(i, b) EVENT("content_block_start", ",\"index\":" i ",\"content_block\":{" b "}")
#define DELTA(i, d) EVENT("content_block_delta", ",\"index\":" i ",\"delta\":{" d "}")
#define STOP(i) EVENT("content_block_stop", ",\"index\":" i)
#define USAGE                                                                                      \
    "\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":3,"                            \
    "\"cache_read_input_tokens\":4,\"output_tokens\":15}"
#define ENDING(delta)                                                                              \
    EVENT("message_delta", ",\"delta\":{" delta "}," USAGE) EVENT("message_stop", "")

static void events_become_messages_own_in_strict_order(void **state)
{
    struct fixture *f = *state;

    put_all(f);
    km_messages_encoder.end(&f->a);
    assert_string_equal(
        km_buf_cstr(&f->out),
        START BLOCK("0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
            DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"th\"")
                DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"sig\"") STOP("0")
                    BLOCK("1", "\"type\":\"redacted_thinking\",\"data\":\"RR\"") STOP("1")
                        BLOCK("2", "\"type\":\"text\",\"text\":\"\"")
                            DELTA("2", "\"type\":\"text_delta\",\"text\":\"H\"") DELTA(
                                "2", "\"type\":\"text_delta\",\"text\":\"i\\n\"") STOP("2")
                                BLOCK("3", "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":"
                                           "\"f\",\"input\":{}")
                                    DELTA("3", "\"type\":\"input_json_delta\",\"partial_json\":"
                                               "\"{\\\"a\\\":\"")
                                        DELTA("3", "\"type\":\"input_json_delta\","
                                                   "\"partial_json\":\"1}\"") STOP("3")
                                            BLOCK("4", "\"type\":\"tool_use\",\"id\":"
                                                       "\"toolu_2\",\"name\":\"g\",\"input\":{}")
                                                STOP("4") ENDING("\"stop_reason\":\"tool_use\","
                                                                 "\"stop_sequence\":null"));
}

static void a_whole_answer_has_the_same_content(void **state)
{
    struct fixture *f = *state;

    begin(f, false);
    put_all(f);
    assert_int_equal(km_messages_encoder.whole(&f->a, &f->err), 0);
    assert_string_equal(
        km_buf_cstr(&f->out),
        "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"fast\","
        "\"content\":[{\"type\":\"thinking\",\"thinking\":\"th\",\"signature\":\"sig\"},{\"type\":"
        "\"redacted_thinking\",\"data\":\"RR\"},{\"type\":\"text\",\"text\":\"Hi\\n\"},{\"type\":"
        "\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"a\":1}},{\"type\":"
        "\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\",\"input\":{}}],\"stop_reason\":"
        "\"tool_use\",\"stop_sequence\":null," USAGE "}");
}

static void an_answer_without_content_is_complete_too(void **state)
{
    struct fixture *f = *state;

    put(f, KM_CHAT_START, 0, "");
    put_end(f, KM_FINISH_STOP, "");
    km_messages_encoder.end(&f->a);
    assert_string_equal(km_buf_cstr(&f->out),
                        START ENDING("\"stop_reason\":\"end_turn\",\"stop_sequence\":null"));
    begin(f, false);
    put(f, KM_CHAT_START, 0, "");
    put_end(f, KM_FINISH_LENGTH, "");
    assert_int_equal(km_messages_encoder.whole(&f->a, &f->err), 0);
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"content\":[],\"stop_reason\":\"max_tokens\""));
}

static void expect_stop(struct fixture *f, enum km_finish finish, const char *text,
                        const char *want)
{
    begin(f, true);
    put(f, KM_CHAT_START, 0, "");
    put_end(f, finish, text);
    km_messages_encoder.end(&f->a);
    assert_non_null(strstr(km_buf_cstr(&f->out), want));
}

static void reasons_to_stop_are_anthropics(void **state)
{
    struct fixture *f = *state;

    expect_stop(f, KM_FINISH_STOP_SEQUENCE, "END",
                "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\"}");
    expect_stop(f, KM_FINISH_PAUSE, "", "\"stop_reason\":\"pause_turn\",\"stop_sequence\":null}");
    expect_stop(f, KM_FINISH_FILTER, "No.",
                "\"stop_reason\":\"refusal\",\"stop_sequence\":null,\"stop_details\":{\"type\":"
                "\"refusal\",\"category\":null,\"explanation\":\"No.\"}}");
    expect_stop(f, KM_FINISH_FILTER, "", "\"explanation\":null}");
}

static void a_signed_call_carries_its_signature_in_its_id(void **state)
{
    struct fixture *f = *state;

    put(f, KM_CHAT_START, 0, "");
    put_tool(f, 0, "c1", "f", "S+/=");
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"id\":\"c1__thought__S+/=\""));
}

static void of_several_choices_the_first_is_given(void **state)
{
    struct fixture *f = *state;
    struct km_chat_event other = { .kind = KM_CHAT_TEXT, .choice = 1, .text = KM_STR("no") };

    put(f, KM_CHAT_START, 0, "");
    put(f, KM_CHAT_TEXT, 0, "yes");
    assert_int_equal(km_answer_put(&f->a, &other, &f->err), 0);
    assert_null(strstr(km_buf_cstr(&f->out), "\"no\""));
}

static void a_call_with_broken_input_is_no_answer(void **state)
{
    struct fixture *f = *state;

    begin(f, false);
    put(f, KM_CHAT_START, 0, "");
    put_tool(f, 0, "c1", "f", "");
    put(f, KM_CHAT_TOOL_INPUT, 0, "{\"a\":");
    put_end(f, KM_FINISH_TOOLS, "");
    assert_int_equal(km_messages_encoder.whole(&f->a, &f->err), KM_E_UPSTREAM_PROTOCOL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(events_become_messages_own_in_strict_order),
        CASE(a_whole_answer_has_the_same_content),
        CASE(an_answer_without_content_is_complete_too),
        CASE(reasons_to_stop_are_anthropics),
        CASE(a_signed_call_carries_its_signature_in_its_id),
        CASE(of_several_choices_the_first_is_given),
        CASE(a_call_with_broken_input_is_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
