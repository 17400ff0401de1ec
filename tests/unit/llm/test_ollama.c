/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_fixture.h"

#include "llm/embed.h"

static void a_chat_with_everything_becomes_ollamas_body(void **state)
{
    struct codec_fixture f;
    struct km_message *m;
    struct km_part *p, *text;
    struct km_tool *tool;

    (void)state;
    codec_setup(&f, &km_codec_ollama, "llama3.2");
    m = km_chat_message(&f.chat, &f.arena, KM_ROLE_SYSTEM);
    km_chat_part(&f.arena, &m->parts, KM_PART_TEXT)->text = KM_STR("Be brief.");
    m = km_chat_message(&f.chat, &f.arena, KM_ROLE_USER);
    km_chat_part(&f.arena, &m->parts, KM_PART_TEXT)->text = KM_STR("What is it?");
    km_chat_part(&f.arena, &m->parts, KM_PART_IMAGE)->media.data = KM_STR("AQID");
    m = km_chat_message(&f.chat, &f.arena, KM_ROLE_ASSISTANT);
    p = km_chat_part(&f.arena, &m->parts, KM_PART_TOOL_USE);
    p->id = KM_STR("call_1");
    p->name = KM_STR("look");
    p->input_json = KM_STR("{\"q\":\"x\"}");
    m = km_chat_message(&f.chat, &f.arena, KM_ROLE_USER);
    p = km_chat_part(&f.arena, &m->parts, KM_PART_TOOL_RESULT);
    p->id = KM_STR("call_1");
    text = km_chat_part(&f.arena, &p->content, KM_PART_TEXT);
    text->text = KM_STR("42");
    km_chat_name_results(&f.chat);
    tool = km_chat_tool(&f.chat, &f.arena);
    tool->name = KM_STR("look");
    tool->description = KM_STR("d");
    f.chat.temperature = KM_STR("0.2");
    f.chat.max_tokens = 100;
    f.chat.stop = &(struct km_str){ "END", 3 };
    f.chat.nstop = 1;
    f.args.stream = true;
    assert_string_equal(
        codec_body(&f),
        "{\"model\":\"llama3.2\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":\"What is it?\",\"images\":[\"AQID\"]},"
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"look\","
        "\"arguments\":{\"q\":\"x\"}}}]},"
        "{\"role\":\"tool\",\"tool_name\":\"look\",\"content\":\"42\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"description\":\"d\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],"
        "\"options\":{\"temperature\":0.2,\"num_predict\":100,\"stop\":[\"END\"]},"
        "\"stream\":true}");
    f.args.max_tokens = 7; /* a budget's rest */
    assert_non_null(strstr(codec_body(&f), "\"num_predict\":7"));
    codec_teardown(&f);
}

static void what_it_cannot_do_is_refused_by_name(void **state)
{
    struct codec_fixture f;
    struct km_message *m;

    (void)state;
    codec_setup(&f, &km_codec_ollama, "llama3.2");
    m = km_chat_message(&f.chat, &f.arena, KM_ROLE_USER);
    km_chat_part(&f.arena, &m->parts, KM_PART_IMAGE)->media.url = KM_STR("https://a/b.png");
    assert_null(codec_body(&f));
    assert_int_equal(f.err.code, KM_E_UNSUPPORTED);
    m->parts = NULL;
    km_chat_tool(&f.chat, &f.arena)->name = KM_STR("t");
    f.chat.tool_choice = KM_CHOICE_REQUIRED;
    assert_null(codec_body(&f));
    assert_string_equal(f.err.param, "tool_choice");
    f.d.drop_params = true;
    assert_non_null(codec_body(&f));
    codec_teardown(&f);
}

static void thinking_is_on_off_or_a_level(void **state)
{
    struct codec_fixture f;

    (void)state;
    codec_setup(&f, &km_codec_ollama, "llama3.2");
    f.chat.set = KM_P_BIT(KM_P_EFFORT);
    f.chat.effort = KM_EFFORT_HIGH;
    assert_non_null(strstr(codec_body(&f), "\"think\":true"));
    f.args.can = km_capability_find(KM_STR("gpt-oss-20b"));
    assert_non_null(strstr(codec_body(&f), "\"think\":\"high\""));
    f.chat.effort = KM_EFFORT_NONE;
    assert_non_null(strstr(codec_body(&f), "\"think\":false"));
    codec_teardown(&f);
}

#define LINE(message, rest)                                                                        \
    "{\"model\":\"m\",\"created_at\":\"2026-11-20T00:00:00Z\",\"message\":{\"role\":\"assistant\"" \
    message "}," rest "}\n"
#define LAST                                                                                       \
    LINE(",\"content\":\"\"", "\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":11,"   \
                              "\"eval_count\":7")

static void a_stream_is_the_same_wherever_it_is_cut(void **state)
{
    static const char stream[] = LINE(",\"content\":\"\",\"thinking\":\"Hm\"", "\"done\":false")
        LINE(",\"content\":\"H\303\244\"", "\"done\":false") LINE(",\"content\":\"llo\"",
                                                                  "\"done\":false")
            LINE(",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":"
                 "{\"x\":1}}},{\"function\":{\"name\":\"b\",\"arguments\":{}}}]",
                 "\"done\":false") LAST;
    struct codec_fixture f;

    (void)state;
    codec_setup(&f, &km_codec_ollama, "m");
    codec_expect_stream(&f, stream,
                        "start 0 /\nreasoning 0 Hm\ntext 1 H\303\244llo\ntool 2 call_ID_2/a\n"
                        "input 2 {\"x\":1}\ntool 3 call_ID_3/b\ninput 3 {}\nusage 0 11 7 0 0\n"
                        "finish 0 4");
    /* A line without its line feed may be a part of one. */
    codec_expect_cut(&f, stream, sizeof stream - 1);
    codec_teardown(&f);
}

static void errors_and_endless_answers_are_no_answers(void **state)
{
    struct codec_fixture f;

    (void)state;
    codec_setup(&f, &km_codec_ollama, "m");
    assert_int_equal(codec_feed(&f, KM_STR("{\"error\":\"out of memory\"}\n"), 3),
                     KM_E_UPSTREAM_PROTOCOL);
    assert_string_equal(f.err.text, "Ollama: out of memory");
    codec_begin(&f);
    assert_int_equal(codec_feed(&f, KM_STR(LAST LAST), 3), KM_E_UPSTREAM_PROTOCOL);
    codec_expect_whole(&f,
                       LINE(",\"content\":\"Hi\"",
                            "\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":1,"
                            "\"eval_count\":2"),
                       "start 0 /\ntext 0 Hi\nusage 0 1 2 0 0\nfinish 0 3");
    codec_teardown(&f);
}

static void texts_become_vectors_in_one_request(void **state)
{
    static const char request[] = "{\"input\":[\"a\",\"b\"],\"dimensions\":2,\"truncate\":false}";
    struct km_deployment d = { 0 };
    struct km_embed e = { 0 };
    struct km_err err = { 0 };
    struct km_arena arena;
    struct km_encode_args args = { .d = &d, .model = KM_STR("m"), .arena = &arena };
    const struct km_json *root;
    struct km_str *parts;
    struct km_json_out out;
    size_t n;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&arena, km_str_c(request), &root, NULL), 0);
    assert_int_equal(km_embed_read(&d, root, &arena, &e, &err), 0);
    e.count = e.n;
    km_json_out_parts_init(&out, &arena, 1 << 20);
    assert_int_equal(km_codec_ollama.embed_encode(&args, &e, &out, &err), 0);
    assert_int_equal(km_json_out_parts(&out, &parts, &n, NULL), 0);
    assert_string_equal(km_arena_cstr(&arena, km_arena_cat(&arena, parts, n)),
                        "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":2,"
                        "\"truncate\":false}");
    km_json_out_done(&out);
    assert_int_equal(km_codec_ollama.embed_decode(&e, &arena,
                                                  KM_STR("{\"embeddings\":[[1],[2.5]],"
                                                         "\"prompt_eval_count\":4}"),
                                                  &err),
                     0);
    assert_true(km_str_eq(e.vectors[1], KM_STR("[2.5]")));
    assert_int_equal(e.usage.prompt_tokens, 4);
    assert_int_equal(
        km_codec_ollama.embed_decode(&e, &arena, KM_STR("{\"embeddings\":[[1]]}"), &err),
        KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(km_codec_ollama.embed_decode(&e, &arena, KM_STR("<html>"), &err),
                     KM_E_UPSTREAM_PROTOCOL);
    km_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_with_everything_becomes_ollamas_body),
        cmocka_unit_test(what_it_cannot_do_is_refused_by_name),
        cmocka_unit_test(thinking_is_on_off_or_a_level),
        cmocka_unit_test(a_stream_is_the_same_wherever_it_is_cut),
        cmocka_unit_test(errors_and_endless_answers_are_no_answers),
        cmocka_unit_test(texts_become_vectors_in_one_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
