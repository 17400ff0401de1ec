/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/api/messages.h"
#include "llm/provider/codecs.h"

struct fixture {
    struct km_arena arena;
    struct km_chat chat;
    struct km_deployment d;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 64 << 20, NULL);
    f->d = (struct km_deployment){ .provider_name = KM_STR("anthropic"), .price = KM_PRICE_NONE };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static int read(struct fixture *f, const char *body)
{
    const struct km_json *root;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(body), &root, NULL), 0);
    return km_messages_read(NULL, root, &f->arena, &f->chat, &f->err);
}

/* Read and written again for an upstream of the same protocol: what comes of it. */
static const char *again(struct fixture *f, const char *model, const char *body)
{
    struct km_encode_args args = { .d = &f->d,
                                   .model = km_str_c(model),
                                   .can = km_capability_find(km_str_c(model)),
                                   .arena = &f->arena,
                                   .max_tokens = -1 };
    struct km_json_out out;
    struct km_str *parts;
    size_t n;

    assert_int_equal(read(f, body), 0);
    assert_int_equal(km_chat_check(&f->chat, &km_codec_messages, &f->d, NULL, &f->arena, &f->err),
                     0);
    km_json_out_parts_init(&out, &f->arena, 1 << 20);
    assert_int_equal(km_codec_messages.encode(&args, &f->chat, &out, &f->err), 0);
    assert_int_equal(km_json_out_parts(&out, &parts, &n, &f->err), 0);
    return km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n));
}

static void a_request_read_and_written_again_is_the_same(void **state)
{
    static const char body[] =
        "{\"model\":\"claude-opus-4-6\",\"max_tokens\":32000,\"system\":[{\"type\":\"text\","
        "\"text\":\"You are Claude Code.\",\"cache_control\":{\"type\":\"ephemeral\"}}],"
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},{"
        "\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":"
        "\"AQID\"}},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/"
        "i\"}},{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\","
        "\"data\":\"h\xc3\xa9\"},\"title\":\"t\"},{\"type\":\"document\",\"source\":{\"type\":"
        "\"file\",\"file_id\":\"f1\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"thinking\",\"thinking\":\"th\",\"signature\":\"sig\"},{\"type\":\"redacted_thinking\","
        "\"data\":\"RR\"},{\"type\":\"text\",\"text\":\"ok\"},{\"type\":\"tool_use\",\"id\":"
        "\"toolu_1\",\"name\":\"Read\",\"input\":{\"path\":\"a\",\"n\":1.50}}]},{\"role\":\"user\","
        "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_1\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"r\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
        "\"media_type\":\"image/png\",\"data\":\"AQID\"}}],\"is_error\":true,\"cache_control\":{"
        "\"type\":\"ephemeral\",\"ttl\":\"1h\"}},{\"type\":\"text\",\"text\":\"go on\"}]}],"
        "\"tools\":[{\"name\":\"Read\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\","
        "\"properties\":{\"path\":{\"type\":\"string\"}}},\"strict\":true,\"cache_control\":{"
        "\"type\":\"ephemeral\"}},{\"type\":\"web_search_20250305\",\"name\":\"web_search\","
        "\"max_uses\":5}],\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true},"
        "\"output_config\":{\"effort\":\"high\",\"format\":{\"type\":\"json_schema\",\"schema\":{"
        "\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}}},"
        "\"stop_sequences\":[\"END\"],\"thinking\":{\"type\":\"adaptive\",\"display\":"
        "\"summarized\"},\"metadata\":{\"user_id\":\"{\\\"device_id\\\":\\\"d\\\"}\"},"
        "\"cache_control\":{\"type\":\"ephemeral\"},\"context_management\":{\"edits\":[{\"type\":"
        "\"clear_thinking_20251015\"}]},\"service_tier\":\"standard_only\"}";
    struct fixture *f = *state;

    assert_string_equal(again(f, "claude-opus-4-6", body), body);
}

static void texts_may_stand_without_blocks(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        again(f, "claude-haiku-4-5",
              "{\"model\":\"m\",\"max_tokens\":5,\"temperature\":0.50,\"top_k\":3,\"system\":\"s\","
              "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
              "\"content\":\"\"},{\"role\":\"system\",\"content\":\"late\"}],\"tags\":[\"x\"],"
              "\"thinking\":{\"type\":\"disabled\"}}"),
        "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":5,\"system\":[{\"type\":\"text\",\"text\":"
        "\"s\"},{\"type\":\"text\",\"text\":\"late\"}],\"messages\":[{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}],\"temperature\":0.50,\"top_k\":3,"
        "\"thinking\":{\"type\":\"disabled\"}}");
}

static void results_come_first_and_know_their_tool(void **state)
{
    struct fixture *f = *state;
    const struct km_part *p;

    assert_int_equal(
        read(f, "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
                "\"t1__thought__SIG\",\"name\":\"look\",\"input\":{}}]},{\"role\":\"user\","
                "\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"tool_result\","
                "\"tool_use_id\":\"t1__thought__SIG\",\"content\":\"42\"}]}]}"),
        0);
    p = f->chat.messages->parts;
    assert_true(km_str_eq(p->id, KM_STR("t1")) && km_str_eq(p->signature, KM_STR("SIG")));
    p = f->chat.messages->next->parts;
    assert_int_equal(p->kind, KM_PART_TOOL_RESULT);
    assert_true(km_str_eq(p->id, KM_STR("t1")) && km_str_eq(p->name, KM_STR("look")));
    assert_true(km_str_eq(p->content->text, KM_STR("42")));
    assert_int_equal(p->next->kind, KM_PART_TEXT);
}

/* Calls in two messages, and results of none of them: looking for one must come to an end. */
static void a_result_without_its_call_has_no_name(void **state)
{
    struct fixture *f = *state;
    const struct km_part *p;

    assert_int_equal(
        read(f, "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
                "\"t1\",\"name\":\"a\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
                "\"tool_use\",\"id\":\"t2\",\"name\":\"b\"}]},{\"role\":\"user\",\"content\":[{"
                "\"type\":\"tool_result\",\"tool_use_id\":\"t9\",\"content\":\"x\"},{\"type\":"
                "\"tool_result\",\"tool_use_id\":\"t1\"},{\"type\":\"tool_result\","
                "\"tool_use_id\":\"t2\"}]}]}"),
        0);
    p = f->chat.messages->next->next->parts;
    assert_int_equal(p->name.n, 0);
    assert_true(km_str_eq(p->next->name, KM_STR("a")));
    assert_true(km_str_eq(p->next->next->name, KM_STR("b")));
}

static void a_found_source_becomes_text(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        read(f, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"search_result\","
                "\"source\":\"https://x.example\",\"title\":\"T\",\"content\":[{\"type\":\"text\","
                "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},{\"type\":\"document\","
                "\"source\":{\"type\":\"content\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]}"
                "}]}]}"),
        0);
    assert_true(km_str_eq(f->chat.messages->parts->text, KM_STR("T\nhttps://x.example\na\nb")));
    assert_true(km_str_eq(f->chat.messages->parts->next->media.data, KM_STR("Yw==")));
}

static void parameters_are_read_by_their_own_words(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{"
                             "\"name\":\"look\"}],\"tool_choice\":{\"type\":\"tool\",\"name\":"
                             "\"look\"},\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5000}"
                             ",\"stop_sequences\":[\"a\",\"b\"],\"odd\":[1]}"),
                     0);
    assert_int_equal(f->chat.tool_choice, KM_CHOICE_NAMED);
    assert_true(km_str_eq(f->chat.tool_name, KM_STR("look")));
    assert_true(f->chat.parallel_tools && !km_chat_has(&f->chat, KM_P_PARALLEL_TOOLS));
    assert_int_equal(f->chat.thinking, KM_THINKING_BUDGET);
    assert_int_equal(f->chat.thinking_budget, 5000);
    assert_int_equal(f->chat.nstop, 2);
    assert_true(km_str_eq(f->chat.extras->json, KM_STR("[1]")) &&
                f->chat.extras->kind == KM_EXTRA_PLAIN);
}

#define SAYS(content) "{\"messages\":[{\"role\":\"user\",\"content\":" content "}]}"
#define WITH(member) "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]," member "}"

static void what_is_wrong_is_named_with_its_place(void **state)
{
    static const struct {
        const char *body, *param;
    } cases[] = {
        { "{}", "messages" },
        { "{\"messages\":[]}", "messages" },
        { "{\"messages\":[1]}", "messages[0]" },
        { "{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}", "messages[0].role" },
        { "{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content" },
        { SAYS("1"), "messages[0].content" },
        { SAYS("[1]"), "messages[0].content[0]" },
        { SAYS("[{\"text\":\"a\"}]"), "messages[0].content[0].type" },
        { SAYS("[{\"type\":\"text\"}]"), "messages[0].content[0].text" },
        { SAYS("[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"b\"}]"),
          "messages[0].content[0].type" },
        { SAYS("[{\"type\":\"server_tool_use\"}]"), "messages[0].content[0].type" },
        { SAYS("[{\"type\":\"image\"}]"), "messages[0].content[0].source" },
        { SAYS("[{\"type\":\"image\",\"source\":{\"type\":\"text\"}}]"),
          "messages[0].content[0].source.type" },
        { SAYS("[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
               "\"data\":\"?\"}}]"),
          "messages[0].content[0].source.data" },
        { SAYS("[{\"type\":\"tool_result\",\"content\":\"a\"}]"),
          "messages[0].content[0].tool_use_id" },
        { SAYS("[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":[{\"type\":"
               "\"tool_result\",\"tool_use_id\":\"b\"}]}]"),
          "messages[0].content[0].content" },
        { WITH("\"system\":[{\"type\":\"image\"}]"), "system[0].type" },
        { WITH("\"tools\":[{\"description\":\"d\"}]"), "tools[0].name" },
        { WITH("\"tools\":[{\"name\":\"a\",\"input_schema\":1}]"), "tools[0].input_schema" },
        { WITH("\"tool_choice\":{\"type\":\"maybe\"}"), "tool_choice.type" },
        { WITH("\"tool_choice\":{\"type\":\"tool\"}"), "tool_choice.name" },
        { WITH("\"thinking\":{\"type\":\"enabled\"}"), "thinking.budget_tokens" },
        { WITH("\"output_config\":{\"effort\":\"huge\"}"), "output_config.effort" },
        { WITH("\"output_config\":{\"format\":{\"type\":\"json_schema\"}}"),
          "output_config.format.schema" },
        { WITH("\"stop_sequences\":[1]"), "stop_sequences[0]" },
        { WITH("\"temperature\":\"hot\""), "temperature" },
        { WITH("\"max_tokens\":1.5"), "max_tokens" },
        { WITH("\"metadata\":1"), "metadata" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int r = read(f, cases[i].body);

        if (r != KM_E_INVALID && r != KM_E_UNSUPPORTED)
            fail_msg("%s: %d", cases[i].body, r);
        assert_string_equal(f->err.param, cases[i].param);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_request_read_and_written_again_is_the_same),
        CASE(texts_may_stand_without_blocks),
        CASE(results_come_first_and_know_their_tool),
        CASE(a_result_without_its_call_has_no_name),
        CASE(a_found_source_becomes_text),
        CASE(parameters_are_read_by_their_own_words),
        CASE(what_is_wrong_is_named_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
