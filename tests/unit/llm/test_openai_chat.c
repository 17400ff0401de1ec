/* SPDX-License-Identifier: Apache-2.0 */
#include "chat_fixture.h"
#include "llm/api/openai.h"

static int decode(struct chat_fixture *f, const char *body)
{
    f->err = (struct km_err){ 0 };
    return km_api_chat.decode(NULL, chat_tree(f, body), &f->arena, &f->chat, &f->err);
}

static void expect_messages(struct chat_fixture *f, const char *messages, const char *want)
{
    const char *body =
        km_arena_cstr(&f->arena, km_arena_printf(&f->arena, "{\"messages\":%s}", messages));

    assert_int_equal(decode(f, body), 0);
    assert_string_equal(dump_messages(f), want);
}

static void expect_refused(struct chat_fixture *f, const char *body, const char *param)
{
    int r = decode(f, body);

    assert_true(r == KM_E_INVALID || r == KM_E_UNSUPPORTED);
    assert_non_null(f->err.param);
    assert_string_equal(f->err.param, param);
}

static void every_role_has_its_place(void **state)
{
    struct chat_fixture *f = *state;

    expect_messages(
        f,
        "[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"And kind.\"}]},"
        "{\"role\":\"user\",\"name\":\"-ann\",\"content\":\"Hi\"},"
        "{\"role\":\"assistant\",\"content\":\"Ho\",\"refusal\":null}]",
        "system: text(Be brief.)\nsystem: text(And kind.)\nuser-ann: text(Hi)\n"
        "assistant: text(Ho)\n");
}

static void results_that_follow_one_another_are_one_message(void **state)
{
    struct chat_fixture *f = *state;

    expect_messages(
        f,
        "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{ "
        "\\\"q\\\": 1 }\"}},"
        "{\"id\":\"b\",\"function\":{\"name\":\"see\",\"arguments\":\"\"},"
        "\"extra_content\":{\"google\":{\"thought_signature\":\"sg\"}}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"42\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AQID\"}}]},"
        "{\"role\":\"user\",\"content\":\"go on\"}]",
        "assistant: use(id=a name=look {\"q\":1}) use(id=b name=see {} sig=sg)\n"
        "user: result(id=a name=look text(42)) result(id=b name=see text(x) "
        "image(image/png,AQID))\n"
        "user: text(go on)\n");
}

static void older_functions_find_their_results(void **state)
{
    struct chat_fixture *f = *state;

    expect_messages(
        f,
        "[{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":\"look\","
        "\"arguments\":\"{}\"}},{\"role\":\"function\",\"name\":\"look\",\"content\":\"42\"}]",
        "assistant: use(id=call_function_0 name=look {})\n"
        "user: result(id=call_function_0 name=look text(42))\n");
    expect_refused(f, "{\"messages\":[{\"role\":\"function\",\"name\":\"x\",\"content\":\"\"}]}",
                   "messages[0].role");
}

static void media_come_in_all_their_forms(void **state)
{
    struct chat_fixture *f = *state;

    expect_messages(
        f,
        "[{\"role\":\"user\",\"content\":[\"bare\","
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a/b.png\",\"detail\":\"low\"}},"
        "{\"type\":\"image_url\",\"image_url\":\"data:image/jpg;base64,AQID\"},"
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AQID\",\"format\":\"wav\"}},"
        "{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/"
        "pdf;base64,AQID\",\"filename\":\"a.pdf\"}},"
        "{\"type\":\"file\",\"file\":{\"file_data\":\"data:image/png;base64,AQID\"}},"
        "{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}},"
        "{\"type\":\"file\",\"file\":{\"file_id\":\"gs://b/c\",\"format\":\"application/pdf\"}}]}]",
        "user: text(bare) image(https://a/b.png low) image(image/jpeg,AQID) audio(audio/wav,AQID) "
        "document(application/pdf,AQID called a.pdf) image(image/png,AQID) document(file=file-1) "
        "document(application/pdfgs://b/c)\n");
}

static void reasoning_comes_first_and_with_its_signature(void **state)
{
    struct chat_fixture *f = *state;

    expect_messages(
        f,
        "[{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning_content\":\"th\","
        "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"th\",\"signature\":\"sg\"},"
        "{\"type\":\"redacted_thinking\",\"data\":\"QUJD\"}]}]",
        "assistant: reason(th sig=sg) redacted(QUJD) text(Hi)\n");
    expect_messages(f, "[{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning_content\":\"th\"}]",
                    "assistant: reason(th) text(Hi)\n");
    expect_messages(
        f,
        "[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
        "\"signature\":\"s\"},{\"type\":\"refusal\",\"refusal\":\"no\"}]}]",
        "assistant: reason(t sig=s) refusal(no)\n");
}

static void cache_points_stand_on_parts_and_messages(void **state)
{
    struct chat_fixture *f = *state;

    expect_messages(
        f,
        "[{\"role\":\"system\",\"content\":\"long\",\"cache_control\":{\"type\":\"ephemeral\"}},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":"
        "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}},{\"type\":\"text\",\"text\":\"b\"}]}]",
        "system: text(long)+300\nuser: text(a)+3600 text(b)\n");
}

static void every_error_names_its_place(void **state)
{
    static const struct {
        const char *body, *param;
    } rows[] = {
        { "{\"messages\":[]}", "messages" },
        { "{\"messages\":[1]}", "messages[0]" },
        { "{\"messages\":[{\"content\":\"\"}]}", "messages[0].role" },
        { "{\"messages\":[{\"role\":\"king\",\"content\":\"\"}]}", "messages[0].role" },
        { "{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":5}]}", "messages[0].content" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"x\"}]}]}",
          "messages[0].content[0].type" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
          "messages[0].content[0].text" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":["
          "{\"type\":\"text\",\"text\":\"\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}"
          "]}]}",
          "messages[1].content[1].image_url" },
        { "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"image_url\","
          "\"image_url\":{\"url\":\"https://a/b\"}}]}]}",
          "messages[0].content[0].type" },
        { "{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}", "messages[0].tool_call_id" },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":"
          "\"function\","
          "\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}]}",
          "messages[0].tool_calls[0].function.arguments" },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":"
          "\"custom\"}]}]}",
          "messages[0].tool_calls[0].type" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_"
          "audio\":"
          "{\"data\":\"?\",\"format\":\"wav\"}}]}]}",
          "messages[0].content[0].input_audio.data" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{}}]}]}",
          "messages[0].content[0].file" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"temperature\":\"hot\"}",
          "temperature" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"stop\":[1]}", "stop[0]" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"tools\":[{\"type\":\"function\","
          "\"function\":{\"name\":\"f\",\"parameters\":3}}]}",
          "tools[0].function.parameters" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"tool_choice\":\"maybe\"}",
          "tool_choice" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"response_format\":{\"type\":"
          "\"json_schema\","
          "\"json_schema\":{}}}",
          "response_format.json_schema.schema" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"reasoning_effort\":\"huge\"}",
          "reasoning_effort" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"thinking\":{\"type\":\"some\"}}",
          "thinking.type" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"max_tokens\":1.5}",
          "max_tokens" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_refused(*state, rows[i].body, rows[i].param);
}

#define ASK "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"

static void parameters_land_in_their_fields(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_chat *c = &f->chat;

    assert_int_equal(
        decode(
            f, ASK
            "\"model\":\"m\",\"stream\":true,\"metadata\":{\"a\":1},\"tags\":[],\"max_tokens\":5,"
            "\"max_completion_tokens\":9,\"temperature\":0.20,\"top_p\":1e-1,\"top_k\":4,\"seed\":"
            "7,"
            "\"stop\":\"END\",\"n\":2,\"logprobs\":true,\"top_logprobs\":3,\"logit_bias\":{\"5\":-"
            "1},"
            "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\","
            "\"strict\":true,"
            "\"schema\":{\"type\":\"object\"}}},\"reasoning_effort\":\"high\",\"user\":\"u\","
            "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048},\"modalities\":[\"text\"],"
            "\"parallel_tool_calls\":false,\"service_tier\":\"auto\",\"min_p\":0.1}"),
        0);
    assert_int_equal(c->max_tokens, 9);
    assert_true(km_str_eq(c->temperature, KM_STR("0.20")));
    assert_true(km_str_eq(c->top_p, KM_STR("1e-1")));
    assert_true(km_str_eq(c->top_k, KM_STR("4")));
    assert_int_equal(c->nstop, 1);
    assert_int_equal(c->n, 2);
    assert_true(c->logprobs && km_str_eq(c->logit_bias_json, KM_STR("{\"5\":-1}")));
    assert_int_equal(c->format, KM_FORMAT_SCHEMA);
    assert_true(km_str_eq(c->schema_json, KM_STR("{\"type\":\"object\"}")));
    assert_int_equal(c->schema_strict, 1);
    assert_int_equal(c->effort, KM_EFFORT_HIGH);
    assert_int_equal(c->thinking, KM_THINKING_BUDGET);
    assert_int_equal(c->thinking_budget, 2048);
    assert_false(c->parallel_tools);
    assert_false(km_chat_has(c, KM_P_METADATA) || km_chat_has(c, KM_P_MODALITIES) ||
                 km_chat_has(c, KM_P_SERVICE_TIER));
    assert_non_null(c->extras);
    assert_true(km_str_eq(c->extras->name, KM_STR("min_p")));
    assert_true(km_str_eq(c->extras->json, KM_STR("0.1")));
    assert_null(c->extras->next);
}

static void tools_may_be_chosen_in_every_way(void **state)
{
    static const struct {
        const char *choice;
        enum km_tool_choice want;
        const char *name;
        size_t tools;
    } rows[] = {
        { "\"auto\"", KM_CHOICE_AUTO, "", 3 },
        { "\"none\"", KM_CHOICE_NONE, "", 3 },
        { "\"required\"", KM_CHOICE_REQUIRED, "", 3 },
        { "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}", KM_CHOICE_NAMED, "g", 3 },
        { "{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\",\"tools\":["
          "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}}",
          KM_CHOICE_REQUIRED, "", 1 },
    };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *body = km_arena_cstr(
            &f->arena,
            km_arena_printf(
                &f->arena,
                ASK "\"tool_choice\":%s,\"tools\":[{\"type\":\"function\",\"function\":"
                    "{\"name\":\"f\",\"strict\":false}},{\"type\":\"function\",\"function\":"
                    "{\"name\":\"g\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}},"
                    "{\"type\":\"web_search\"}]}",
                rows[i].choice));
        size_t n = 0;

        assert_int_equal(decode(f, body), 0);
        for (const struct km_tool *t = f->chat.tools; t; t = t->next)
            n++;
        assert_int_equal(n, rows[i].tools);
        assert_int_equal(f->chat.tool_choice, rows[i].want);
        assert_true(km_str_eq(f->chat.tool_name, km_str_c(rows[i].name)));
    }
}

static void a_provider_s_own_tool_is_kept_whole(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(decode(f, ASK "\"tools\":[{\"type\":\"web_search\",\"k\":1}]}"), 0);
    assert_true(km_str_eq(f->chat.tools->hosted_type, KM_STR("web_search")));
    assert_true(km_str_eq(f->chat.tools->hosted_json, KM_STR("{\"type\":\"web_search\",\"k\":1}")));
}

static void unknown_members_are_bounded(void **state)
{
    struct chat_fixture *f = *state;
    struct km_buf b = KM_BUF(1 << 20);

    km_buf_str(&b, KM_STR("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]"));
    for (int i = 0; i < 200; i++)
        km_buf_printf(&b, ",\"x%d\":1", i);
    km_buf_byte(&b, '}');
    assert_int_equal(decode(f, km_buf_cstr(&b)), KM_E_LIMIT);
    km_buf_done(&b);
}

static void a_prompt_is_one_user_s_message(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        km_api_completion.decode(
            NULL,
            chat_tree(f, "{\"model\":\"m\",\"prompt\":[\"Once\"],\"max_tokens\":4,"
                         "\"echo\":false,\"best_of\":1,\"suffix\":\"\",\"logprobs\":2}"),
            &f->arena, &f->chat, &f->err),
        0);
    assert_string_equal(dump_messages(f), "user: text(Once)\n");
    assert_null(f->chat.extras);
    assert_true(f->chat.logprobs);
    assert_int_equal(f->chat.max_tokens, 4);
    assert_int_equal(km_api_completion.decode(NULL, chat_tree(f, "{\"prompt\":[\"a\",\"b\"]}"),
                                              &f->arena, &f->chat, &f->err),
                     KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "prompt");
}

static void a_default_is_set_by_its_name(void **state)
{
    struct chat_fixture *f = *state;

    km_chat_init(&f->chat);
    assert_int_equal(
        km_openai_param(&f->chat, &f->arena, KM_STR("temperature"), chat_tree(f, "0.5"), &f->err),
        0);
    assert_true(km_chat_has(&f->chat, KM_P_TEMPERATURE));
    assert_int_equal(
        km_openai_param(&f->chat, &f->arena, KM_STR("min_p"), chat_tree(f, "1"), &f->err),
        KM_E_NOT_FOUND);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_role_has_its_place),
        CASE(results_that_follow_one_another_are_one_message),
        CASE(older_functions_find_their_results),
        CASE(media_come_in_all_their_forms),
        CASE(reasoning_comes_first_and_with_its_signature),
        CASE(cache_points_stand_on_parts_and_messages),
        CASE(every_error_names_its_place),
        CASE(parameters_land_in_their_fields),
        CASE(tools_may_be_chosen_in_every_way),
        CASE(a_provider_s_own_tool_is_kept_whole),
        CASE(unknown_members_are_bounded),
        CASE(a_prompt_is_one_user_s_message),
        CASE(a_default_is_set_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
