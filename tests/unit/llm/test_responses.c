/* SPDX-License-Identifier: Apache-2.0 */
#include "chat_fixture.h"
#include "llm/api/responses.h"
#include "llm/provider/codecs.h"

static int parse(struct chat_fixture *f, struct km_llm_request *r, const char *body)
{
    f->err = (struct km_err){ 0 };
    return km_llm_request_parse(r, &km_api_responses, &f->arena, km_str_c(body), KM_STR_NONE,
                                &f->err);
}

static int decode(struct chat_fixture *f, const char *body)
{
    f->err = (struct km_err){ 0 };
    return km_api_responses.decode(NULL, chat_tree(f, body), &f->arena, &f->chat, &f->err);
}

static void expect_input(struct chat_fixture *f, const char *input, const char *want)
{
    const char *body =
        km_arena_cstr(&f->arena, km_arena_printf(&f->arena, "{\"input\":%s}", input));

    assert_int_equal(decode(f, body), 0);
    assert_string_equal(dump_messages(f), want);
}

static void items_become_messages(void **state)
{
    struct chat_fixture *f = *state;

    expect_input(f, "\"Hi\"", "user: text(Hi)\n");
    expect_input(
        f,
        "[{\"role\":\"developer\",\"content\":\"Be brief.\"},{\"type\":\"message\",\"role\":"
        "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"},{\"type\":"
        "\"input_image\",\"image_url\":\"data:image/png;base64,AQID\",\"detail\":\"low\"},"
        "{\"type\":\"input_image\",\"file_id\":\"f1\"},{\"type\":\"input_file\",\"filename\":"
        "\"a.pdf\",\"file_data\":\"AQID\"},{\"type\":\"input_file\",\"file_url\":"
        "\"https://a/b\"}]}]",
        "system: text(Be brief.)\nuser: text(a) image(image/png,AQID low) image(file=f1) "
        "document(application/pdf,AQID called a.pdf) document(https://a/b)\n");
    assert_int_equal(decode(f, "{\"instructions\":\"First.\",\"input\":\"Hi\"}"), 0);
    assert_string_equal(dump_messages(f), "system: text(First.)\nuser: text(Hi)\n");
}

static void an_assistant_s_items_are_one_message(void **state)
{
    expect_input(
        *state,
        "[{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[{\"type\":\"summary_text\",\"text\":"
        "\"t\"},"
        "{\"type\":\"summary_text\",\"text\":\"u\"}],\"encrypted_content\":\"kanmon:t:sig\"},"
        "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"kanmon:r:QUJD\"},"
        "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"gAAAA\"},"
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
        "\"text\":"
        "\"Hi\"},{\"type\":\"refusal\",\"refusal\":\"no\"}]},"
        "{\"type\":\"function_call\",\"call_id\":\"a__thought__sg\",\"name\":\"f\",\"arguments\":"
        "\"\"},"
        "{\"type\":\"custom_tool_call\",\"call_id\":\"b\",\"name\":\"p\",\"input\":\"x\\ny\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"a__thought__sg\",\"output\":\"1\"},"
        "{\"type\":\"custom_tool_call_output\",\"call_id\":\"b\",\"output\":[{\"type\":\"input_"
        "text\","
        "\"text\":\"2\"}]},{\"role\":\"assistant\",\"content\":\"Done\"}]",
        "assistant: reason(tu sig=sig) redacted(QUJD) text(Hi) refusal(no) use(id=a name=f {} "
        "sig=sg) "
        "use(id=b name=p {\"input\":\"x\\ny\"})\n"
        "user: result(id=a name=f text(1)) result(id=b name=p text(2))\nassistant: text(Done)\n");
}

static void parameters_have_other_names_here(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        decode(f,
               "{\"model\":\"m\",\"input\":\"Hi\",\"max_output_tokens\":9,\"temperature\":0.5,"
               "\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},\"text\":{\"format\":{"
               "\"type\":"
               "\"json_schema\",\"name\":\"x\",\"schema\":{}},\"verbosity\":\"low\"},\"tools\":["
               "{\"type\":\"function\",\"name\":\"f\",\"parameters\":{},\"strict\":true},{\"type\":"
               "\"custom\",\"name\":\"p\"},{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":"
               "\"custom\",\"name\":\"p\"},\"store\":true,\"include\":[],\"truncation\":\"auto\","
               "\"background\":false,\"metadata\":{\"a\":\"b\"},\"min_p\":1}"),
        0);
    assert_int_equal(f->chat.max_tokens, 9);
    assert_int_equal(f->chat.effort, KM_EFFORT_LOW);
    assert_int_equal(f->chat.format, KM_FORMAT_SCHEMA);
    assert_true(km_str_eq(f->chat.verbosity, KM_STR("low")));
    assert_int_equal(f->chat.tools->strict, 1);
    assert_true(km_str_eq(f->chat.tools->next->name, KM_STR("p")));
    assert_true(f->chat.tools->next->hosted_json.n == 0);
    assert_true(km_str_eq(f->chat.tools->next->next->hosted_type, KM_STR("web_search")));
    assert_int_equal(f->chat.tool_choice, KM_CHOICE_NAMED);
    assert_true(km_str_eq(f->chat.extras->name, KM_STR("min_p")));
    assert_null(f->chat.extras->next);
}

static void what_only_openai_knows_may_be_dropped(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(decode(f, "{\"input\":\"a\",\"background\":true,\"top_logprobs\":0}"), 0);
    assert_true(km_str_eq(f->chat.extras->name, KM_STR("background")));
    assert_int_equal(f->chat.extras->kind, KM_EXTRA_FOREIGN);
    assert_null(f->chat.extras->next);
}

static void every_error_names_its_place(void **state)
{
    static const struct {
        const char *body, *param;
    } rows[] = {
        { "{\"input\":[]}", "input" },
        { "{\"input\":[5]}", "input[0]" },
        { "{\"input\":[{\"role\":\"king\",\"content\":\"\"}]}", "input[0].role" },
        { "{\"input\":[{\"role\":\"user\"}]}", "input[0].content" },
        { "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"odd\"}]}]}",
          "input[0].content[0].type" },
        { "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
          "\"x\"}]}]}",
          "input[0].content[0].image_url" },
        { "{\"input\":[{\"type\":\"computer_call\"}]}", "input[0].type" },
        { "{\"input\":[{\"type\":\"function_call\",\"name\":\"f\"}]}", "input[0].call_id" },
        { "{\"input\":[{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\",\"arguments\":"
          "\"[]\"}]}",
          "input[0].arguments" },
        { "{\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"a\"}]}",
          "input[0].output" },
        { "{\"input\":\"a\",\"tools\":[{\"type\":\"function\"}]}", "tools[0].name" },
        { "{\"input\":\"a\",\"tools\":[{\"type\":\"namespace\",\"tools\":[]}]}", "tools[0].name" },
        { "{\"input\":\"a\",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{"
          "\"type\":\"web_search\"}]}]}",
          "tools[0].tools[0].type" },
        { "{\"input\":\"a\",\"text\":{\"format\":{\"type\":\"xml\"}}}", "text.format.type" },
        { "{\"input\":\"a\",\"reasoning\":{\"effort\":\"huge\"}}", "reasoning.effort" },
        { "{\"input\":\"a\",\"conversation\":\"c\"}", "conversation" },
        { "{\"input\":\"a\",\"max_output_tokens\":\"x\"}", "max_output_tokens" },
    };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int r = decode(f, rows[i].body);

        assert_true(r == KM_E_INVALID || r == KM_E_UNSUPPORTED);
        assert_non_null(f->err.param);
        assert_string_equal(f->err.param, rows[i].param);
    }
}

/* --- tools --- */

#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"name\":\"a__b\"},{\"type\":\"namespace\",\"name\":\"agents\","      \
    "\"description\":\"All of them.\",\"tools\":[{\"type\":\"function\",\"name\":\"spawn\","       \
    "\"description\":\"One more.\"},{\"type\":\"custom\",\"name\":\"say\"}]},{\"type\":"           \
    "\"namespace\",\"name\":\"a\",\"tools\":[{\"type\":\"function\",\"name\":\"b\"}]},{\"type\":"  \
    "\"namespace\",\"name\":\"very_long_name_of_a_group_that_says_much\",\"tools\":[{\"type\":"    \
    "\"function\",\"name\":\"and_a_tool_of_a_long_name_too_one\"},{\"type\":\"function\","         \
    "\"name\":"                                                                                    \
    "\"and_a_tool_of_a_long_name_too_two\"}]}]"

static void a_group_s_tools_are_functions_that_are_found_again(void **state)
{
    static const struct {
        const char *group, *name;
        bool custom;
    } rows[] = {
        { "", "a__b", false },
        { "agents", "spawn", false },
        { "agents", "say", true },
        { "", "a__b", false }, /* the caller's own comes first */
        { "very_long_name_of_a_group_that_says_much", "and_a_tool_of_a_long_name_too_one", false },
        { "very_long_name_of_a_group_that_says_much", "and_a_tool_of_a_long_name_too_two", false },
    };
    struct chat_fixture *f = *state;
    const struct km_tool *tool;
    struct km_llm_request r;
    size_t i = 0;

    assert_int_equal(decode(f, "{\"input\":\"a\",\"tools\":" TOOLS "}"), 0);
    assert_int_equal(parse(f, &r, "{\"model\":\"m\",\"input\":\"a\",\"tools\":" TOOLS "}"), 0);
    for (tool = f->chat.tools; tool; tool = tool->next, i++) {
        struct km_responses_tool found = km_responses_tool(&r, tool->name, &f->arena);

        assert_true(i < sizeof rows / sizeof rows[0]);
        assert_true(tool->name.n <= 64);
        assert_true(km_str_eq(found.group, km_str_c(rows[i].group)));
        assert_true(km_str_eq(found.name, km_str_c(rows[i].name)));
        assert_int_equal(found.custom, rows[i].custom);
        if (i == 1)
            assert_true(km_str_eq(tool->description, KM_STR("All of them.\n\nOne more.")));
    }
    assert_int_equal(i, 6);
    assert_true(km_str_eq(km_responses_tool(&r, KM_STR("agents__fly"), &f->arena).name,
                          KM_STR("agents__fly")));
    expect_input(f,
                 "[{\"type\":\"function_call\",\"call_id\":\"c\",\"namespace\":\"agents\","
                 "\"name\":\"spawn\",\"arguments\":\"{}\"}]",
                 "assistant: use(id=c name=agents__spawn {})\n");
}

/* {choice, the name that goes upstream or, in <>, the member that is refused} */
static void a_tool_of_a_group_is_chosen_by_its_own_name(void **state)
{
    static const char *const rows[][2] = {
        { "{\"type\":\"function\",\"name\":\"spawn\"}", "agents__spawn" },
        { "{\"type\":\"custom\",\"name\":\"say\"}", "agents__say" },
        { "{\"type\":\"function\",\"name\":\"spawn\",\"namespace\":\"agents\"}", "agents__spawn" },
        { "{\"type\":\"function\",\"name\":\"agents__spawn\"}", "agents__spawn" },
        { "{\"type\":\"function\",\"name\":\"a__b\"}", "a__b" },
        { "{\"type\":\"function\",\"name\":\"b\"}", "a__b" },
        { "{\"type\":\"function\",\"name\":\"twice\",\"namespace\":\"two\"}", "two__twice" },
        { "{\"type\":\"function\",\"name\":\"twice\"}", "<tool_choice.name>" },
        { "{\"type\":\"function\",\"name\":\"say\",\"namespace\":\"a\"}",
          "<tool_choice.namespace>" },
        { "{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{\"type\":\"function\","
          "\"name\":\"spawn\"},{\"type\":\"namespace\",\"name\":\"two\"}]}",
          "agents__spawn,two__twice," },
        { "{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{\"type\":\"function\","
          "\"name\":\"twice\",\"namespace\":\"one\"},{\"type\":\"function\",\"name\":\"a__b\"}]}",
          "a__b,a__b,one__twice," },
    };
    static const char more[] =
        ",{\"type\":\"namespace\",\"name\":\"one\",\"tools\":[{\"type\":\"function\",\"name\":"
        "\"twice\"}]},{\"type\":\"namespace\",\"name\":\"two\",\"tools\":[{\"type\":\"function\","
        "\"name\":\"twice\"}]}]";
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_str body =
            km_arena_printf(&f->arena, "{\"input\":\"a\",\"tool_choice\":%s,\"tools\":%.*s%s}",
                            rows[i][0], (int)(sizeof TOOLS - 2), TOOLS, more);
        int r = decode(f, km_arena_cstr(&f->arena, body));
        struct km_str got = f->chat.tool_name;

        if (r < 0)
            got = km_arena_printf(&f->arena, "<%s>", f->err.param);
        for (const struct km_tool *t = f->chat.tools; r == 0 && !f->chat.tool_name.n && t;
             t = t->next)
            got = km_arena_printf(&f->arena, "%.*s%.*s,", KM_STR_ARG(got), KM_STR_ARG(t->name));
        assert_string_equal(km_arena_cstr(&f->arena, got), rows[i][1]);
    }
}

/* --- pass-through --- */

static void what_is_the_gateway_s_own_is_cut(void **state)
{
    static const struct km_provider row = { .name = "openai", .max_tokens = "x" };
    struct km_deployment d = { .provider = &row, .upstream_model = KM_STR("up") };
    struct km_llm_body_args args = { .deployment = &d, .max_tokens = 7 };
    struct chat_fixture *f = *state;
    struct km_llm_request r;
    struct km_str *parts;
    size_t n;

    assert_int_equal(
        parse(f, &r,
              "{\"model\":\"m\", \"tags\":[1],\"input\": [ ],\"metadata\":{\"a\":\"b\"},"
              "\"stream\":true,\"num_retries\":2,\"odd\":1}"),
        0);
    assert_true(r.stream && r.num_retries == 2 && r.max_tokens == -1);
    assert_int_equal(km_api_responses.body(&r, &args, &f->arena, &parts, &n, &f->err), 0);
    assert_string_equal(
        km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n)),
        "{\"model\":\"up\", \"input\": [ ],\"metadata\":{\"a\":\"b\"},\"stream\":true,"
        "\"odd\":1,\"max_output_tokens\":7}");
}

static void a_request_s_types_are_checked(void **state)
{
    static const struct {
        const char *body, *param;
    } rows[] = {
        { "{\"input\":\"a\"}", "model" },
        { "{\"model\":\"m\"}", "input" },
        { "{\"model\":\"m\",\"input\":5}", "input" },
        { "{\"model\":\"m\",\"input\":\"a\",\"stream\":1}", "stream" },
        { "{\"model\":\"m\",\"input\":\"a\",\"previous_response_id\":1}", "previous_response_id" },
        { "{\"model\":\"m\",\"input\":\"a\",\"api_base\":\"http://x\"}", "api_base" },
        { "{\"model\":\"m\",\"input\":\"a\",\"max_output_tokens\":-1}", "max_output_tokens" },
    };
    struct chat_fixture *f = *state;
    struct km_llm_request r;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(parse(f, &r, rows[i].body), KM_E_INVALID);
        assert_string_equal(f->err.param, rows[i].param);
    }
}

static int on_sse(void *ctx, const struct km_sse_event *event)
{
    void **to = ctx;

    return km_api_responses.event(to[0], event, to[1], NULL);
}

#define OBJECT(model, status)                                                                      \
    "{\"id\":\"resp_1\",\"model\":\"" model "\",\"status\":\"" status                              \
    "\",\"output\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":4,"                          \
    "\"input_tokens_details\":{\"cached_tokens\":1}}}"

/* What whoever keeps an answer takes from the last of these events. */
static struct km_str final_of(struct km_str events)
{
    const struct km_str mark = KM_STR("data: ");
    struct km_str line, object = KM_STR_NONE;

    while (!object.n && km_str_split(&events, '\n', &line))
        if (km_str_starts(line, mark))
            object = km_responses_final(km_str_skip(line, mark.n));
    return object;
}

static void a_stream_s_model_is_set_back_wherever_it_is_cut(void **state)
{
    static const char text[] =
        ": ping\n\nevent: response.created\ndata: "
        "{\"type\":\"response.created\",\"response\":" OBJECT(
            "up", "in_progress") "}\n\ndata: {\"type\":\"response.output_text.delta\",\"delta\":"
                                 "\"Hi\"}\n\nevent: response.completed\ndata: {\"type\":"
                                 "\"response.completed\",\"response\":" OBJECT("up",
                                                                               "completed") "}\n\n";
    static const char want[] =
        ": ping\n\nevent: response.created\ndata: "
        "{\"type\":\"response.created\",\"response\":" OBJECT(
            "m", "in_progress") "}\n\ndata: {\"type\":\"response.output_text.delta\",\"delta\":"
                                "\"Hi\"}\n\nevent: response.completed\ndata: {\"type\":"
                                "\"response.completed\",\"response\":" OBJECT("m",
                                                                              "completed") "}\n\n";
    struct chat_fixture *f = *state;
    struct km_llm_request r;

    assert_int_equal(parse(f, &r, "{\"model\":\"m\",\"input\":\"a\"}"), 0);
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct km_llm_stream s;
        void *to[] = { &s, &f->out };
        struct km_sse *sse = km_sse_new(1 << 20, on_sse, to);

        km_llm_stream_init(&s, &r, &f->arena, &f->scratch);
        km_buf_reset(&f->out);
        assert_int_equal(km_sse_feed(sse, text, cut, NULL), 0);
        assert_int_equal(km_sse_feed(sse, text + cut, sizeof text - 1 - cut, NULL), 0);
        km_sse_free(sse);
        assert_string_equal(km_buf_cstr(&f->out), want);
        assert_true(s.finished && !s.error && s.usage.known);
        assert_int_equal(s.usage.prompt_tokens, 3);
        assert_int_equal(s.usage.cached_tokens, 1);
        assert_true(km_str_eq(final_of(km_buf_view(&f->out)), km_str_c(OBJECT("m", "completed"))));
        assert_int_equal(s.heard.bytes, 2);
    }
}

/* --- memory --- */

static void what_was_said_before_stands_in_front(void **state)
{
    static const char response[] = "{\"id\":\"resp_1\",\"output\":[{\"type\":\"message\"}]}";
    static const struct {
        const char *first, *second, *input;
        size_t before;
    } rows[] = {
        { "\"One\"", "\"Two\"",
          "[{\"role\":\"user\",\"content\":\"One\"},{\"type\":\"message\"},{\"role\":\"user\","
          "\"content\":\"Two\"}]",
          2 },
        { "[{\"a\":1}, {\"b\":2}]", "[ ]", "[{\"a\":1}, {\"b\":2},{\"type\":\"message\"} ]", 3 },
        { "[]", "[{\"c\":3}]", "[{\"type\":\"message\"},{\"c\":3}]", 1 },
    };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_str record, body, kept;
        struct km_llm_request r;
        const char *want;
        size_t before;

        assert_int_equal(
            parse(f, &r,
                  km_arena_cstr(
                      &f->arena,
                      km_arena_printf(&f->arena, "{\"model\":\"m\",\"input\":%s}", rows[i].first))),
            0);
        assert_int_equal(km_responses_record(&r, km_str_c(response), &f->arena, &record, &f->err),
                         0);
        assert_int_equal(km_responses_recorded(record, &kept, &f->err), 0);
        assert_true(km_str_eq(kept, km_str_c(response)));
        assert_int_equal(
            parse(f, &r,
                  km_arena_cstr(
                      &f->arena,
                      km_arena_printf(&f->arena,
                                      "{\"previous_response_id\":\"resp_1\",\"model\":\"m\","
                                      "\"input\":%s}",
                                      rows[i].second))),
            0);
        assert_true(km_str_eq(km_responses_previous(&r, &f->arena), KM_STR("resp_1")));
        assert_int_equal(km_responses_continue(&r, record, &f->arena, &body, &before, &f->err), 0);
        want = km_arena_cstr(
            &f->arena, km_arena_printf(&f->arena, "{\"model\":\"m\",\"input\":%s}", rows[i].input));
        assert_string_equal(km_arena_cstr(&f->arena, body), want);
        assert_int_equal(before, rows[i].before);
        assert_int_equal(parse(f, &r, want), 0);
    }
}

/* --- items by reference --- */

static void an_item_is_taken_from_what_is_stored_or_says_all_itself(void **state)
{
    static const struct {
        const char *item, *id; /* empty: it is no reference */
    } rows[] = {
        { "{\"type\":\"item_reference\",\"id\":\"msg_1\"}", "msg_1" },
        { "{\"type\":\"item_reference\",\"id\":\"msg_1\",\"content\":\"a\"}", "msg_1" },
        { "{\"id\":\"msg_1\"}", "msg_1" },
        { "{\"id\":\"msg_1\",\"type\":null}", "msg_1" },
        { "{\"id\":\"msg_1\",\"role\":\"user\",\"content\":\"a\"}", "" },
        { "{\"role\":\"user\",\"content\":\"a\"}", "" },
        { "{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[{}]}", "" },
        { "{\"type\":\"message\",\"id\":\"msg_1\"}", "msg_1" },
        { "{\"type\":\"image_generation_call\",\"id\":\"ig_1\"}", "ig_1" },
        { "{\"type\":\"image_generation_call\",\"id\":\"ig_1\",\"result\":null}", "ig_1" },
        { "{\"type\":\"image_generation_call\",\"id\":\"ig_1\",\"result\":\"\"}", "ig_1" },
        { "{\"type\":\"image_generation_call\",\"id\":\"ig_1\",\"result\":\"AAAA\"}", "" },
        { "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"content\":[{}]}", "rs_1" },
        { "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"x\"}", "" },
        { "{\"type\":\"file_search_call\",\"id\":\"fs_1\",\"queries\":[\"a\"]}", "fs_1" },
        { "{\"type\":\"function_call\",\"id\":\"fc_1\",\"arguments\":\"{}\"}", "" },
        { "{\"type\":\"made_tomorrow\",\"id\":\"x_1\"}", "x_1" },
        { "{\"type\":\"item_reference\"}", "" },
        { "{\"type\":\"item_reference\",\"id\":\"\"}", "" },
        { "\"text\"", "" },
    };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_json *item;
        struct km_str id;

        assert_int_equal(km_json_parse(&f->arena, km_str_c(rows[i].item), &item, &f->err), 0);
        assert_int_equal(km_responses_refers(item, &id), rows[i].id[0] != 0);
        if (rows[i].id[0])
            assert_true(km_str_eq(id, km_str_c(rows[i].id)));
    }
}

static void what_may_be_a_reference_or_a_model_is_noticed(void **state)
{
    static const struct {
        const char *more;
        bool files, models, audio;
    } rows[] = {
        { "\"input\":\"a\"", false, false, false },
        { "\"input\":[{\"role\":\"user\",\"content\":\"a\"}]", false, false, false },
        { "\"input\":[{\"id\":\"msg_1\"}]", true, false, false },
        { "\"input\":[{\"\\u0069d\":\"msg_1\"}]", true, true, true },
        { "\"input\":\"a\",\"models\":[\"b\"]", false, true, false },
        { "\"input\":\"a\",\"tools\":[{\"model\":\"b\"}]", false, true, false },
        { "\"input\":[{\"audio\":{}}]", true, false, true },
        { "\"input\":[{\"fileSearchStoreNames\":[]}]", true, false, false },
    };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_llm_request r;

        assert_int_equal(
            parse(f, &r,
                  km_arena_cstr(&f->arena,
                                km_arena_printf(&f->arena, "{\"model\":\"m\",%s}", rows[i].more))),
            0);
        assert_int_equal(!!(r.names & KM_NAMES_FILES), rows[i].files);
        assert_int_equal(!!(r.names & KM_NAMES_MODELS), rows[i].models);
        assert_int_equal(!!(r.names & KM_NAMES_AUDIO), rows[i].audio);
    }
}

static void only_a_stream_s_last_event_holds_the_answer(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        km_responses_final(km_str_c("{\"type\":\"response.created\",\"response\":{}}")).n, 0);
    assert_int_equal(km_responses_final(KM_STR("[DONE]")).n, 0);
    assert_true(km_str_eq(km_responses_final(km_str_c(
                              "{\"type\":\"response.incomplete\",\"response\":{\"id\":\"x\"}}")),
                          KM_STR("{\"id\":\"x\"}")));
    assert_true(km_str_eq(km_responses_id(KM_STR("{\"id\":\"x\"}"), &f->arena), KM_STR("x")));
    assert_int_equal(km_responses_id(KM_STR("{}"), &f->arena).n, 0);
}

/* --- events --- */

static void expect_types(struct chat_fixture *f, const char *want)
{
    struct km_str all = km_buf_view(&f->out), line;
    struct km_buf types = KM_BUF(65536);
    int64_t sequence, count = 0;

    while (km_str_split(&all, '\n', &line)) {
        const struct km_json *root;
        struct km_str type;

        if (!km_str_starts(line, KM_STR("data: ")))
            continue;
        assert_int_equal(km_json_parse(&f->scratch, km_str_skip(line, 6), &root, NULL), 0);
        assert_true(km_json_string(km_json_get(root, "type"), &type));
        assert_true(km_json_i64(km_json_get(root, "sequence_number"), &sequence));
        assert_int_equal(sequence, count++);
        km_buf_str(&types, km_str_skip(type, sizeof "response." - 1));
        km_buf_byte(&types, ' ');
    }
    assert_string_equal(km_buf_cstr(&types), want);
    km_buf_done(&types);
}

static void every_block_has_its_whole_sequence(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_encoder_responses, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("t"));
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("u"));
    PUT(f, .kind = KM_CHAT_SIGNATURE, .text = KM_STR("s"));
    PUT(f, .kind = KM_CHAT_REDACTED, .block = 1, .text = KM_STR("QQ=="));
    PUT(f, .kind = KM_CHAT_TEXT, .block = 2, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_TOOL, .block = 3, .id = KM_STR("c"), .name = KM_STR("f"),
        .text = KM_STR("sg"));
    PUT(f, .kind = KM_CHAT_TOOL_INPUT, .block = 3, .text = KM_STR("{}"));
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_TOOLS);
    km_encoder_responses.end(&f->answer);
    expect_types(
        f, "created in_progress output_item.added reasoning_summary_part.added "
           "reasoning_summary_text.delta reasoning_summary_text.delta reasoning_summary_text.done "
           "reasoning_summary_part.done output_item.done output_item.added output_item.done "
           "output_item.added content_part.added output_text.delta output_text.done "
           "content_part.done output_item.done output_item.added function_call_arguments.delta "
           "function_call_arguments.done output_item.done completed ");
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"encrypted_content\":\"kanmon:t:s\""));
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"encrypted_content\":\"kanmon:r:QQ==\""));
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"call_id\":\"c__thought__sg\""));
}

static void a_broken_stream_closes_its_item_and_fails(void **state)
{
    struct chat_fixture *f = *state;
    struct km_err err = { 0 };

    begin_answer(f, &km_encoder_responses, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("a"));
    (void)km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "it broke");
    (km_encoder_responses.fail)(&f->answer, &err); /* cmocka has a macro of that name */
    expect_types(f, "created in_progress output_item.added content_part.added output_text.delta "
                    "output_text.done content_part.done output_item.done failed ");
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"status\":\"failed\""));
    assert_non_null(strstr(km_buf_cstr(&f->out), "it broke"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(items_become_messages),
        CASE(an_assistant_s_items_are_one_message),
        CASE(parameters_have_other_names_here),
        CASE(what_only_openai_knows_may_be_dropped),
        CASE(every_error_names_its_place),
        CASE(a_group_s_tools_are_functions_that_are_found_again),
        CASE(a_tool_of_a_group_is_chosen_by_its_own_name),
        CASE(what_is_the_gateway_s_own_is_cut),
        CASE(a_request_s_types_are_checked),
        CASE(a_stream_s_model_is_set_back_wherever_it_is_cut),
        CASE(what_was_said_before_stands_in_front),
        CASE(only_a_stream_s_last_event_holds_the_answer),
        CASE(an_item_is_taken_from_what_is_stored_or_says_all_itself),
        CASE(what_may_be_a_reference_or_a_model_is_noticed),
        CASE(every_block_has_its_whole_sequence),
        CASE(a_broken_stream_closes_its_item_and_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
