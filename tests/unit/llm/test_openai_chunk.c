/* SPDX-License-Identifier: Apache-2.0 */
#include "chat_fixture.h"
#include "llm/api/openai.h"

#define CHUNK(choice, delta, reason)                                                               \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":"   \
    "\"fast\",\"choices\":[{\"index\":" choice ",\"delta\":{" delta                                \
    "},\"logprobs\":null,\"finish_reason\":" reason "}]}\n\n"
#define ROLE "\"role\":\"assistant\",\"content\":\"\""

static void signed_reasoning_comes_whole_when_its_block_is_over(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_chat, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("b"));
    PUT(f, .kind = KM_CHAT_SIGNATURE, .text = KM_STR("s"));
    PUT(f, .kind = KM_CHAT_REDACTED, .text = KM_STR("QQ=="), .block = 1);
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("\"x\""), .block = 2);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_STOP_SEQUENCE, .text = KM_STR("END"));
    km_encoder_chat.end(&f->answer);
    assert_string_equal(
        km_buf_cstr(&f->out),
        CHUNK("0", ROLE, "null") CHUNK("0", "\"reasoning_content\":\"a\"", "null") CHUNK(
            "0", "\"reasoning_content\":\"b\"",
            "null") CHUNK("0",
                          "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"ab\","
                          "\"signature\":\"s\"}]",
                          "null")
            CHUNK("0", "\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":\"QQ==\"}]",
                  "null") CHUNK("0", "\"content\":\"\\\"x\\\"\"", "null")
                CHUNK("0", "", "\"stop\"") "data: [DONE]\n\n");
}

static void an_empty_answer_has_a_role_and_an_end(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_chat, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_LENGTH);
    assert_string_equal(km_buf_cstr(&f->out),
                        CHUNK("0", ROLE, "null") CHUNK("0", "", "\"length\""));
}

static void choices_may_alternate(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_chat, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("b"), .choice = 1);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_STOP, .choice = 1);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_FILTER, .text = KM_STR("no"));
    assert_string_equal(km_buf_cstr(&f->out),
                        CHUNK("0", ROLE, "null") CHUNK("0", "\"content\":\"a\"", "null")
                            CHUNK("1", ROLE, "null") CHUNK("1", "\"content\":\"b\"", "null")
                                CHUNK("1", "", "\"stop\"") CHUNK("0", "\"refusal\":\"no\"", "null")
                                    CHUNK("0", "", "\"content_filter\""));
}

static void a_signed_call_carries_its_signature(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_chat, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TOOL, .id = KM_STR("a"), .name = KM_STR("f"), .text = KM_STR("sg"));
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_TOOLS);
    assert_string_equal(
        km_buf_cstr(&f->out),
        CHUNK("0", ROLE, "null")
            CHUNK("0",
                  "\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{"
                  "\"name\":\"f\",\"arguments\":\"\"},\"extra_content\":{\"google\":{"
                  "\"thought_signature\":\"sg\"}}}]",
                  "null")
                CHUNK("0", "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]",
                      "null") CHUNK("0", "", "\"tool_calls\""));
}

static void a_whole_answer_can_be_sent_back(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_chat, false, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("t"));
    PUT(f, .kind = KM_CHAT_SIGNATURE, .text = KM_STR("s"));
    PUT(f, .kind = KM_CHAT_TOOL, .id = KM_STR("a"), .name = KM_STR("f"), .block = 1);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_TOOLS);
    PUT(f, .kind = KM_CHAT_USAGE,
        .usage = { .prompt_tokens = 2, .completion_tokens = 3, .known = true });
    assert_int_equal(km_encoder_chat.whole(&f->answer, &f->err), 0);
    assert_string_equal(
        km_buf_cstr(&f->out),
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"fast\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
        "\"refusal\":null,"
        "\"reasoning_content\":\"t\",\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":"
        "\"t\","
        "\"signature\":\"s\"}],\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{"
        "\"name\":"
        "\"f\",\"arguments\":\"{}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],"
        "\"usage\":{"
        "\"prompt_tokens\":2,\"completion_tokens\":3,\"total_tokens\":5,\"prompt_tokens_details\":{"
        "\"cached_tokens\":0}}}"); /* what it thought nobody counted: that is not 0 */
}

static void completions_are_text_only(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_completion, true, true);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("t"));
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("a"), .block = 1);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_STOP);
    PUT(f, .kind = KM_CHAT_USAGE,
        .usage = {
            .prompt_tokens = 2, .completion_tokens = 3, .said = KM_SAID_REASONING, .known = true });
    km_encoder_completion.end(&f->answer);
    assert_string_equal(
        km_buf_cstr(&f->out),
        "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"model\":\"fast\","
        "\"choices\":[{\"text\":\"a\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],"
        "\"usage\":null}\n\n"
        "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"model\":\"fast\","
        "\"choices\":[{\"text\":\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"}],"
        "\"usage\":null}\n\n"
        "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"model\":\"fast\","
        "\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3,\"total_tokens\":5,"
        "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{"
        "\"reasoning_tokens\":0}}}\n\ndata: [DONE]\n\n");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(signed_reasoning_comes_whole_when_its_block_is_over),
        CASE(an_empty_answer_has_a_role_and_an_end),
        CASE(choices_may_alternate),
        CASE(a_signed_call_carries_its_signature),
        CASE(a_whole_answer_can_be_sent_back),
        CASE(completions_are_text_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
