/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/provider/anthropic.h"
#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"

struct fixture {
    struct km_arena arena;
    struct km_chat chat;
    struct km_deployment d;
    struct km_encode_args args;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    km_chat_init(&f->chat);
    f->d = (struct km_deployment){ .provider_name = KM_STR("anthropic"), .price = KM_PRICE_NONE };
    f->args = (struct km_encode_args){ .d = &f->d, .arena = &f->arena, .max_tokens = -1 };
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

static int encode(struct fixture *f, const char *model, struct km_str *ret)
{
    struct km_json_out out;
    struct km_str *parts;
    size_t n;
    int r;

    f->args.model = km_str_c(model);
    f->args.can = km_capability_find(f->args.model);
    km_json_out_parts_init(&out, &f->arena, 1 << 20);
    r = km_codec_messages.encode(&f->args, &f->chat, &out, &f->err);
    if (r == 0) {
        const struct km_json *root;

        assert_int_equal(km_json_out_parts(&out, &parts, &n, NULL), 0);
        *ret = km_arena_cat(&f->arena, parts, n);
        assert_int_equal(km_json_parse(&f->arena, *ret, &root, NULL), 0);
    }
    km_json_out_done(&out);
    return r;
}

static void expect_body(struct fixture *f, const char *model, const char *want)
{
    struct km_str body = KM_STR_NONE;

    assert_int_equal(encode(f, model, &body), 0);
    assert_string_equal(km_arena_cstr(&f->arena, body), want);
}

/* The body holds this text. */
static void expect_in(struct fixture *f, const char *model, const char *want)
{
    struct km_str body = KM_STR_NONE;

    assert_int_equal(encode(f, model, &body), 0);
    if (km_str_find(body, km_str_c(want)) == body.n)
        fail_msg("%s\nis not in\n%.*s", want, KM_STR_ARG(body));
}

static void expect_not_in(struct fixture *f, const char *model, const char *text)
{
    struct km_str body = KM_STR_NONE;

    assert_int_equal(encode(f, model, &body), 0);
    if (km_str_find(body, km_str_c(text)) < body.n)
        fail_msg("%s\nis in\n%.*s", text, KM_STR_ARG(body));
}

static void expect_refused(struct fixture *f, const char *model, const char *param)
{
    struct km_str body;

    assert_int_equal(encode(f, model, &body), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, param);
}

static struct km_part *say(struct fixture *f, enum km_role role, enum km_part_kind kind,
                           const char *text)
{
    struct km_message *m = km_chat_message(&f->chat, &f->arena, role);
    struct km_part *part = km_chat_part(&f->arena, &m->parts, kind);

    part->text = km_str_c(text);
    return part;
}

static struct km_part *also(struct fixture *f, enum km_part_kind kind, const char *text)
{
    struct km_part *part = km_chat_part(&f->arena, &f->chat.last_message->parts, kind);

    part->text = km_str_c(text);
    return part;
}

static struct km_part *call(struct fixture *f, const char *id, const char *name, const char *input)
{
    struct km_part *part = also(f, KM_PART_TOOL_USE, "");

    part->id = km_str_c(id);
    part->name = km_str_c(name);
    part->input_json = km_str_c(input);
    return part;
}

static struct km_part *result(struct fixture *f, const char *id, const char *text)
{
    struct km_part *part = say(f, KM_ROLE_USER, KM_PART_TOOL_RESULT, "");

    part->id = km_str_c(id);
    km_chat_part(&f->arena, &part->content, KM_PART_TEXT)->text = km_str_c(text);
    return part;
}

static struct km_tool *tool(struct fixture *f, const char *name, const char *schema)
{
    struct km_tool *t = km_chat_tool(&f->chat, &f->arena);

    t->name = km_str_c(name);
    t->schema_json = km_str_c(schema);
    f->chat.set |= KM_P_BIT(KM_P_TOOLS);
    return t;
}

static void set(struct fixture *f, enum km_chat_param p)
{
    f->chat.set |= KM_P_BIT(p);
}

static void the_references_example_becomes_its_body(void **state)
{
    static const struct km_str stop[] = { { "END", 3 } };
    struct fixture *f = *state;
    struct km_part *image;

    say(f, KM_ROLE_SYSTEM, KM_PART_TEXT, "Be brief.");
    say(f, KM_ROLE_USER, KM_PART_TEXT, "What is it?");
    image = also(f, KM_PART_IMAGE, "");
    image->media.type = KM_STR("image/png");
    image->media.data = KM_STR("AQID");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_ASSISTANT);
    call(f, "call_1", "look", "{\"q\":\"x\"}");
    result(f, "call_1", "42");
    tool(f, "look", "{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}}}")
        ->description = KM_STR("d");
    f->chat.tool_choice = KM_CHOICE_REQUIRED;
    set(f, KM_P_TOOL_CHOICE);
    f->chat.max_tokens = 100;
    f->chat.stop = stop;
    f->chat.nstop = 1;
    set(f, KM_P_STOP);
    f->chat.temperature = KM_STR("0.2");
    set(f, KM_P_TEMPERATURE);
    expect_body(
        f, "claude-haiku-4-5",
        "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":100,\"system\":[{\"type\":\"text\","
        "\"text\":\"Be brief.\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"What is it?\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
        "\"media_type\":\"image/png\",\"data\":\"AQID\"}}]},{\"role\":\"assistant\",\"content\":[{"
        "\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"look\",\"input\":{\"q\":\"x\"}}]},{"
        "\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"call_1\","
        "\"content\":\"42\"}]}],\"tools\":[{\"name\":\"look\",\"description\":\"d\","
        "\"input_schema\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}}}}],"
        "\"tool_choice\":{\"type\":\"any\"},\"stop_sequences\":[\"END\"],\"temperature\":0.2}");
}

static void messages_of_one_role_become_one_turn_results_first(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "a");
    say(f, KM_ROLE_SYSTEM, KM_PART_TEXT, "late");
    say(f, KM_ROLE_USER, KM_PART_TEXT, "b");
    say(f, KM_ROLE_ASSISTANT, KM_PART_TEXT, "c");
    call(f, "1", "x", "{}");
    say(f, KM_ROLE_ASSISTANT, KM_PART_TEXT, " \n");
    say(f, KM_ROLE_USER, KM_PART_TEXT, "d");
    result(f, "1", "r");
    expect_in(f, "claude-opus-4-6",
              "\"system\":[{\"type\":\"text\",\"text\":\"late\"}],\"messages\":["
              "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
              "\"text\",\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
              "\"text\":\"c\"},{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"x\",\"input\":{}}]},"
              "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\","
              "\"content\":\"r\"},{\"type\":\"text\",\"text\":\"d\"}]}]");
}

static void thinking_comes_first_and_only_with_its_signature(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    say(f, KM_ROLE_ASSISTANT, KM_PART_TEXT, "a");
    also(f, KM_PART_REASONING, "kept")->signature = KM_STR("S");
    also(f, KM_PART_REASONING, "lost");
    also(f, KM_PART_REDACTED, "RR");
    say(f, KM_ROLE_USER, KM_PART_TEXT, "q2");
    expect_in(f, "claude-opus-4-6",
              "\"content\":[{\"type\":\"thinking\",\"thinking\":\"kept\",\"signature\":\"S\"},"
              "{\"type\":\"redacted_thinking\",\"data\":\"RR\"},{\"type\":\"text\",\"text\":\"a\"}"
              "]");
}

static void a_turn_that_begins_with_thinking_keeps_its_order(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    say(f, KM_ROLE_ASSISTANT, KM_PART_REASONING, "1")->signature = KM_STR("S1");
    also(f, KM_PART_TEXT, "a");
    also(f, KM_PART_REASONING, "2")->signature = KM_STR("S2");
    call(f, "t", "x", "{}");
    result(f, "t", "r");
    expect_in(f, "claude-opus-4-6",
              "\"signature\":\"S1\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"thinking\","
              "\"thinking\":\"2\",\"signature\":\"S2\"},{\"type\":\"tool_use\"");
}

static void cache_points_stand_on_their_blocks_and_tools(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_SYSTEM, KM_PART_TEXT, "s")->cache_ttl_s = 3600;
    say(f, KM_ROLE_USER, KM_PART_TEXT, "q")->cache_ttl_s = 300;
    tool(f, "t", "")->cache_ttl_s = 300;
    expect_in(f, "claude-opus-4-6",
              "\"text\":\"s\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]");
    expect_in(f, "claude-opus-4-6", "\"text\":\"q\",\"cache_control\":{\"type\":\"ephemeral\"}}]");
    expect_in(f, "claude-opus-4-6",
              "{\"name\":\"t\",\"input_schema\":{\"type\":\"object\",\"properties\":{}},"
              "\"cache_control\":{\"type\":\"ephemeral\"}}");
}

static void media_go_by_value_by_address_or_by_id(void **state)
{
    struct fixture *f = *state;
    struct km_part *p = say(f, KM_ROLE_USER, KM_PART_IMAGE, "");

    p->media.url = KM_STR("https://x.example/a.png");
    p = also(f, KM_PART_IMAGE, "");
    p->media.data = KM_STR("/9j/AAAA");
    p = also(f, KM_PART_DOCUMENT, "");
    p->media.data = KM_STR("JVBERi0=");
    p->media.type = KM_STR("application/pdf");
    p->media.name = KM_STR("a.pdf");
    p = also(f, KM_PART_DOCUMENT, "");
    p->media.data = KM_STR("aGnDqQ==");
    p->media.type = KM_STR("text/plain");
    p = also(f, KM_PART_DOCUMENT, "");
    p->media.file_id = KM_STR("file_1");
    expect_in(f, "claude-opus-4-6",
              "[{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.example/"
              "a.png\"}},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
              "\"image/jpeg\",\"data\":\"/9j/AAAA\"}},{\"type\":\"document\",\"source\":{\"type\":"
              "\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBERi0=\"},\"title\":"
              "\"a.pdf\"},{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":"
              "\"text/plain\",\"data\":\"hi\xc3\xa9\"}},{\"type\":\"document\",\"source\":{"
              "\"type\":\"file\",\"file_id\":\"file_1\"}}]");
    also(f, KM_PART_AUDIO, "");
    expect_refused(f, "claude-opus-4-6", "messages");
}

static void an_image_elsewhere_than_on_the_web_is_refused(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_IMAGE, "")->media.url = KM_STR("gs://b/a.png");
    expect_refused(f, "claude-opus-4-6", "messages");
}

static void output_is_bounded_by_somebody_in_any_case(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    expect_in(f, "claude-3-5-haiku-latest", "\"max_tokens\":8192");
    f->args.can = NULL;
    expect_in(f, "some-model", "\"max_tokens\":4096");
    f->d.price.max_output_tokens = 7;
    expect_in(f, "claude-3-5-haiku-latest", "\"max_tokens\":7");
    f->chat.max_tokens = 9;
    expect_in(f, "claude-3-5-haiku-latest", "\"max_tokens\":9");
    f->args.max_tokens = 3;
    expect_in(f, "claude-3-5-haiku-latest", "\"max_tokens\":3");
}

static void effort_is_a_budget_or_adaptive_by_generation(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_EFFORT);
    f->chat.effort = KM_EFFORT_MEDIUM;
    f->chat.max_tokens = 100;
    expect_in(f, "claude-sonnet-4-5",
              "\"max_tokens\":2148,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
              "\"text\",\"text\":\"q\"}]}],\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
              "2048}}");
    expect_in(f, "claude-opus-4-6",
              "\"output_config\":{\"effort\":\"medium\"},\"thinking\":{\"type\":\"adaptive\"}}");
    expect_in(f, "claude-opus-5-5",
              "\"output_config\":{\"effort\":\"medium\"},\"thinking\":{\"type\":\"adaptive\"}}");
    f->chat.effort = KM_EFFORT_XHIGH;
    expect_in(f, "claude-opus-4-6", "\"effort\":\"high\"");
    expect_in(f, "claude-opus-4-8", "\"effort\":\"xhigh\"");
    f->chat.effort = KM_EFFORT_MINIMAL;
    expect_in(f, "claude-opus-4-8", "\"effort\":\"low\"");
    expect_refused(f, "claude-3-5-haiku-latest", "reasoning_effort");
    f->d.drop_params = true;
    expect_not_in(f, "claude-3-5-haiku-latest", "thinking");
}

static void no_effort_turns_thinking_off_where_it_can_be(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_EFFORT);
    f->chat.effort = KM_EFFORT_NONE;
    expect_in(f, "claude-opus-5", "\"thinking\":{\"type\":\"disabled\"}");
    expect_not_in(f, "claude-opus-4-7", "thinking");
    expect_not_in(f, "claude-opus-5-5", "thinking");
    expect_not_in(f, "claude-opus-5-5", "effort");
}

static void a_budget_stays_below_a_bound_that_must_hold(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_THINKING);
    f->chat.thinking = KM_THINKING_BUDGET;
    f->chat.thinking_budget = 10000;
    f->args.max_tokens = 4000;
    expect_in(f, "claude-sonnet-4-5", "\"budget_tokens\":2000");
    f->args.max_tokens = 1000;
    expect_not_in(f, "claude-sonnet-4-5", "thinking");
    f->args.max_tokens = -1;
    f->chat.max_tokens = 20000;
    expect_in(f, "claude-sonnet-4-5", "\"max_tokens\":20000");
    expect_in(f, "claude-opus-4-6", "{\"type\":\"enabled\",\"budget_tokens\":10000}");
    expect_in(f, "claude-opus-4-8", "{\"type\":\"adaptive\"}");
    expect_in(f, "claude-opus-4-8", "\"effort\":\"high\"");
}

static void calls_without_their_thoughts_are_not_thought_about(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_ASSISTANT);
    call(f, "t", "x", "{}");
    result(f, "t", "r");
    set(f, KM_P_EFFORT);
    f->chat.effort = KM_EFFORT_HIGH;
    expect_not_in(f, "claude-sonnet-4-5", "thinking");
    expect_in(f, "claude-opus-4-6", "\"thinking\":{\"type\":\"adaptive\"}");
}

static void sampling_is_left_out_where_it_is_refused(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_TEMPERATURE);
    set(f, KM_P_TOP_P);
    set(f, KM_P_TOP_K);
    f->chat.temperature = KM_STR("1.7");
    f->chat.top_p = KM_STR("0.5");
    f->chat.top_k = KM_STR("40");
    expect_in(f, "claude-3-5-haiku-latest", "\"temperature\":1,\"top_p\":0.5,\"top_k\":40");
    expect_in(f, "claude-haiku-4-5", "\"temperature\":1,\"top_k\":40");
    expect_not_in(f, "claude-opus-4-8", "temperature");
    f->d.head = KM_STR("Content-Type: application/json\r\nanthropic-version: 2026-10-21\r\n");
    expect_not_in(f, "claude-haiku-4-5", "top_k");
    f->d.head = KM_STR_NONE;
    set(f, KM_P_EFFORT);
    f->chat.effort = KM_EFFORT_LOW;
    expect_not_in(f, "claude-haiku-4-5", "temperature");
}

static void a_forced_tool_is_kept_or_refused(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    tool(f, "look", "");
    set(f, KM_P_TOOL_CHOICE);
    f->chat.tool_choice = KM_CHOICE_NAMED;
    f->chat.tool_name = KM_STR("look");
    f->chat.parallel_tools = false;
    set(f, KM_P_EFFORT);
    f->chat.effort = KM_EFFORT_LOW;
    expect_in(f, "claude-opus-4-8",
              "\"tool_choice\":{\"type\":\"tool\",\"name\":\"look\",\"disable_parallel_tool_use\":"
              "true}");
    expect_not_in(f, "claude-opus-4-8", "adaptive");
    expect_refused(f, "claude-opus-5-5", "tool_choice");
    f->d.drop_params = true;
    expect_in(f, "claude-opus-5-5", "\"tool_choice\":{\"type\":\"auto\"");
    f->chat.tool_choice = KM_CHOICE_NONE;
    expect_in(f, "claude-opus-5-5", "\"tool_choice\":{\"type\":\"none\"}");
}

static void one_tool_at_a_time_needs_a_choice(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    f->chat.parallel_tools = false;
    expect_not_in(f, "claude-opus-4-8", "tool_choice");
    tool(f, "look", "");
    expect_in(f, "claude-opus-4-8",
              "\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}");
}

static void a_schema_is_told_as_one_or_becomes_a_tool(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_FORMAT);
    f->chat.format = KM_FORMAT_SCHEMA;
    f->chat.schema_json =
        KM_STR("{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"object\""
               ",\"additionalProperties\":true},\"b\":{\"type\":\"array\","
               "\"items\":{\"properties\":{}}}}}");
    expect_in(f, "claude-opus-4-6",
              "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
              "\"object\",\"properties\":{\"type\":{\"type\":\"object\",\"additionalProperties\":"
              "false},\"b\":{\"type\":\"array\",\"items\":{\"properties\":{},"
              "\"additionalProperties\":false}}},\"additionalProperties\":false}}}");
    expect_in(f, "claude-3-5-haiku-latest", "\"tools\":[{\"name\":\"json_tool_call\"");
    expect_in(f, "claude-3-5-haiku-latest",
              "\"tool_choice\":{\"type\":\"tool\",\"name\":\"json_tool_call\"}");
    tool(f, "look", "{}");
    expect_in(f, "claude-3-5-haiku-latest",
              "\"tools\":[{\"name\":\"look\",\"input_schema\":{\"type\":\"object\"}},{");
    expect_in(f, "claude-3-5-haiku-latest", "\"tool_choice\":{\"type\":\"any\"}");
}

static void json_without_a_schema_is_asked_for_in_words(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_FORMAT);
    f->chat.format = KM_FORMAT_JSON;
    expect_in(f, "claude-opus-4-6", "\"system\":[{\"type\":\"text\",\"text\":\"Answer with one");
    say(f, KM_ROLE_SYSTEM, KM_PART_TEXT, "s");
    expect_in(f, "claude-opus-4-6", "\"text\":\"s\"},{\"type\":\"text\",\"text\":\"Answer with");
}

static void foreign_ids_and_names_are_spelled_anew_alike(void **state)
{
    struct fixture *f = *state;
    struct km_str a = km_messages_clean(KM_STR("a.b"), 128, &f->arena);
    struct km_str b = km_messages_clean(KM_STR("a:b"), 128, &f->arena);
    char longer[300];

    assert_true(km_str_starts(a, KM_STR("a_b_")) && a.n == 12 && !km_str_eq(a, b));
    assert_true(km_str_eq(a, km_messages_clean(KM_STR("a.b"), 128, &f->arena)));
    memset(longer, 'x', sizeof longer);
    assert_int_equal(km_messages_clean(km_str(longer, sizeof longer), 128, &f->arena).n, 128);
    assert_int_equal(km_messages_clean(KM_STR_NONE, 128, &f->arena).n, 9);
}

static void hosted_tools_of_others_are_refused(void **state)
{
    struct fixture *f = *state;
    struct km_tool *t;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    t = tool(f, "", "");
    t->hosted_type = KM_STR("web_search_20250305");
    t->hosted_json = KM_STR("{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}");
    expect_in(f, "claude-opus-4-6",
              "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]");
    t->hosted_type = KM_STR("file_search");
    expect_refused(f, "claude-opus-4-6", "tools");
}

static void users_that_are_persons_are_not_told(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_USER);
    f->chat.user = KM_STR("u-1");
    expect_in(f, "claude-opus-4-6", "\"metadata\":{\"user_id\":\"u-1\"}");
    f->chat.user = KM_STR("a@b.example");
    expect_not_in(f, "claude-opus-4-6", "metadata");
    f->chat.user = KM_STR("+1 555 0100 99");
    expect_not_in(f, "claude-opus-4-6", "metadata");
}

static void an_answer_is_begun_by_the_caller_only_where_the_model_goes_on(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    say(f, KM_ROLE_ASSISTANT, KM_PART_TEXT, "It is \n");
    expect_in(f, "claude-sonnet-4-5", "\"text\":\"It is\"}]}]");
    expect_refused(f, "claude-opus-4-8", "messages");
}

static void the_tiers_are_anthropics(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    set(f, KM_P_SERVICE_TIER);
    f->chat.service_tier = KM_STR("default");
    expect_in(f, "claude-opus-4-6", "\"service_tier\":\"standard_only\"");
    f->chat.service_tier = KM_STR("flex");
    expect_refused(f, "claude-opus-4-6", "service_tier");
}

static void other_hosts_of_claude_change_what_differs(void **state)
{
    static const struct km_messages_options vertex = { .version = "vertex-2023-10-16" };
    struct fixture *f = *state;
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_json_out out;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    f->args.model = KM_STR("claude-opus-4-6");
    f->args.can = km_capability_find(f->args.model);
    f->args.stream = true;
    f->chat.max_tokens = 5;
    km_json_out_init(&out, &text);
    assert_int_equal(km_messages_encode(&vertex, &f->args, &f->chat, &out, NULL), 0);
    assert_string_equal(km_buf_cstr(&text),
                        "{\"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\":5,"
                        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                        "\"text\":\"q\"}]}]}");
}

static void advice_goes_where_its_beta_can_be_told(void **state)
{
    static const struct km_messages_options vertex = { .version = "vertex-2023-10-16" };
    struct fixture *f = *state;
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_json_out out;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "q");
    km_chat_extra(&f->chat, &f->arena, KM_STR("context_management"), KM_STR("{}"))->kind =
        KM_EXTRA_ADVICE;
    km_chat_extra(&f->chat, &f->arena, KM_STR("anthropic_beta"), KM_STR("[]"))->kind =
        KM_EXTRA_ADVICE;
    expect_in(f, "claude-opus-4-6", "\"context_management\":{}");
    expect_not_in(f, "claude-opus-4-6", "anthropic_beta");
    km_json_out_init(&out, &text);
    assert_int_equal(km_messages_encode(&vertex, &f->args, &f->chat, &out, NULL), 0);
    assert_null(strstr(km_buf_cstr(&text), "context_management"));
    assert_non_null(strstr(km_buf_cstr(&text), "\"anthropic_beta\":[]"));
}

static void expect_head(struct fixture *f, const struct km_chat *chat, const char *want)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    assert_int_equal(km_codec_messages.head(&f->args, chat, &head, NULL), 0);
    assert_string_equal(km_buf_cstr(&head), want);
}

static void versions_are_the_deployments_then_the_callers(void **state)
{
    static const struct km_header fields[] = {
        { { "Anthropic-Version", 17 }, { "2026-10-21", 10 } },
        { { "Anthropic-Beta", 14 }, { "a-1,b-2", 7 } },
    };
    static const struct km_headers caller = { .v = fields, .n = 2 };
    struct fixture *f = *state;

    expect_head(f, &f->chat, "anthropic-version: 2023-06-01\r\n");
    f->args.caller = &caller;
    expect_head(f, &f->chat, "anthropic-version: 2023-06-01\r\nanthropic-beta: a-1,b-2\r\n");
    expect_head(f, NULL, "anthropic-version: 2026-10-21\r\nanthropic-beta: a-1,b-2\r\n");
    f->d.head = KM_STR("anthropic-version: 2023-06-01\r\n");
    expect_head(f, NULL, "anthropic-beta: a-1,b-2\r\n");
}

static void expect_refusal(struct fixture *f, int status, const char *body, int want,
                           enum km_refusal_kind kind, enum km_again again)
{
    static const struct km_headers none = { .v = NULL, .n = 0 };
    struct km_refusal r;

    km_codec_messages.refusal(&f->arena, status, &none, km_str_c(body), &r);
    assert_int_equal(r.status, want);
    assert_int_equal(r.again, again);
    assert_int_equal(r.kind, kind);
    assert_true(r.text.n > 0);
}

#define REFUSAL(type, text)                                                                        \
    "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" text "\"}}"

static void refusals_say_whose_fault_it_is(void **state)
{
    struct fixture *f = *state;

    expect_refusal(f, 400, REFUSAL("invalid_request_error", "prompt is too long: 9 tokens > 8"),
                   400, KM_REFUSED_CONTEXT, KM_AGAIN_NO);
    expect_refusal(f, 400, REFUSAL("invalid_request_error", "max_tokens: required"), 400,
                   KM_REFUSED_PLAIN, KM_AGAIN_NO);
    expect_refusal(f, 400, REFUSAL("invalid_request_error", "Your credit balance is too low"), 400,
                   KM_REFUSED_PLAIN, KM_AGAIN_OTHER);
    expect_refusal(f, 401, REFUSAL("authentication_error", "invalid x-api-key"), 502,
                   KM_REFUSED_CREDENTIALS, KM_AGAIN_OTHER);
    expect_refusal(f, 404, REFUSAL("not_found_error", "model: x"), 404, KM_REFUSED_PLAIN,
                   KM_AGAIN_OTHER);
    expect_refusal(f, 413, REFUSAL("request_too_large", "too large"), 413, KM_REFUSED_PLAIN,
                   KM_AGAIN_NO);
    expect_refusal(f, 429, REFUSAL("rate_limit_error", "slow"), 429, KM_REFUSED_RATE,
                   KM_AGAIN_SAME);
    expect_refusal(f, 429,
                   "{\"error\":{\"message\":\"m\",\"details\":{\"error_code\":"
                   "\"enforced_spend_limit_reached\"}}}",
                   429, KM_REFUSED_QUOTA, KM_AGAIN_OTHER);
    expect_refusal(f, 429,
                   "{\"error\":{\"message\":\"m\",\"details\":{\"error_code\":"
                   "\"ramp_limit_exceeded\"}}}",
                   429, KM_REFUSED_RATE, KM_AGAIN_SAME);
    expect_refusal(f, 529, REFUSAL("overloaded_error", "Overloaded"), 529, KM_REFUSED_OVERLOADED,
                   KM_AGAIN_SAME);
    expect_refusal(f, 500, "<html>", 500, KM_REFUSED_PLAIN, KM_AGAIN_SAME);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_references_example_becomes_its_body),
        CASE(messages_of_one_role_become_one_turn_results_first),
        CASE(thinking_comes_first_and_only_with_its_signature),
        CASE(a_turn_that_begins_with_thinking_keeps_its_order),
        CASE(cache_points_stand_on_their_blocks_and_tools),
        CASE(media_go_by_value_by_address_or_by_id),
        CASE(an_image_elsewhere_than_on_the_web_is_refused),
        CASE(output_is_bounded_by_somebody_in_any_case),
        CASE(effort_is_a_budget_or_adaptive_by_generation),
        CASE(no_effort_turns_thinking_off_where_it_can_be),
        CASE(a_budget_stays_below_a_bound_that_must_hold),
        CASE(calls_without_their_thoughts_are_not_thought_about),
        CASE(sampling_is_left_out_where_it_is_refused),
        CASE(a_forced_tool_is_kept_or_refused),
        CASE(one_tool_at_a_time_needs_a_choice),
        CASE(a_schema_is_told_as_one_or_becomes_a_tool),
        CASE(json_without_a_schema_is_asked_for_in_words),
        CASE(foreign_ids_and_names_are_spelled_anew_alike),
        CASE(hosted_tools_of_others_are_refused),
        CASE(users_that_are_persons_are_not_told),
        CASE(an_answer_is_begun_by_the_caller_only_where_the_model_goes_on),
        CASE(the_tiers_are_anthropics),
        CASE(other_hosts_of_claude_change_what_differs),
        CASE(advice_goes_where_its_beta_can_be_told),
        CASE(versions_are_the_deployments_then_the_callers),
        CASE(refusals_say_whose_fault_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
