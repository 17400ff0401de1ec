/* SPDX-License-Identifier: Apache-2.0 */
#include "chat_fixture.h"

static void parts_and_messages_keep_their_order(void **state)
{
    struct chat_fixture *f = *state;
    struct km_message *m;

    km_chat_init(&f->chat);
    assert_int_equal(f->chat.max_tokens, -1);
    assert_true(f->chat.parallel_tools);
    m = km_chat_message(&f->chat, &f->arena, KM_ROLE_USER);
    km_chat_part(&f->arena, &m->parts, KM_PART_TEXT)->text = KM_STR("a");
    km_chat_part(&f->arena, &m->parts, KM_PART_TEXT)->text = KM_STR("b");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_ASSISTANT);
    assert_string_equal(dump_messages(f), "user: text(a) text(b)\nassistant:\n");
    assert_int_equal(km_chat_tool(&f->chat, &f->arena)->strict, -1);
    km_chat_extra(&f->chat, &f->arena, KM_STR("x"), KM_STR("1"));
    km_chat_extra(&f->chat, &f->arena, KM_STR("y"), KM_STR("2"));
    assert_true(km_str_eq(f->chat.extras->next->name, KM_STR("y")));
}

static void results_get_the_names_of_the_nearest_calls(void **state)
{
    struct chat_fixture *f = *state;
    static const char *const names[] = { "old", "new" };

    km_chat_init(&f->chat);
    for (size_t i = 0; i < 2; i++) {
        struct km_message *m = km_chat_message(&f->chat, &f->arena, KM_ROLE_ASSISTANT);
        struct km_part *p = km_chat_part(&f->arena, &m->parts, KM_PART_TOOL_USE);

        p->id = KM_STR("same");
        p->name = km_str_c(names[i]);
        m = km_chat_message(&f->chat, &f->arena, KM_ROLE_USER);
        km_chat_part(&f->arena, &m->parts, KM_PART_TOOL_RESULT)->id = KM_STR("same");
        km_chat_part(&f->arena, &m->parts, KM_PART_TOOL_RESULT)->id = KM_STR("never");
    }
    km_chat_name_results(&f->chat);
    assert_string_equal(dump_messages(f), "assistant: use(id=same name=old)\n"
                                          "user: result(id=same name=old) result(id=never)\n"
                                          "assistant: use(id=same name=new)\n"
                                          "user: result(id=same name=new) result(id=never)\n");
}

static void addresses_of_media_are_told_apart(void **state)
{
    static const struct {
        const char *url, *type, *data;
        int result;
    } rows[] = {
        { "data:image/png;base64,AQID", "image/png", "AQID", 0 },
        { "DATA:image/jpg;base64,AQID", "image/jpeg", "AQID", 0 },
        { "data:text/plain;charset=utf-8;base64,QQ==", "text/plain", "QQ==", 0 },
        { "https://a/b", "", "", 0 },
        { "gs://a/b", "", "", 0 },
        { "data:image/png,AQID", "", "", KM_E_INVALID },
        { "data:image/png;base64,A?ID", "", "", KM_E_INVALID },
        { "data:image/png;base64,AQI", "", "", KM_E_INVALID },
        { "data:image/png;base64,", "", "", KM_E_INVALID },
        { "data:", "", "", KM_E_INVALID },
        { "file", "", "", KM_E_INVALID },
        { "", "", "", KM_E_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_media m = { 0 };

        assert_int_equal(km_media_from_url(&m, km_str_c(rows[i].url), NULL), rows[i].result);
        if (rows[i].result < 0)
            continue;
        assert_true(km_str_eq(m.type, km_str_c(rows[i].type)));
        assert_true(km_str_eq(m.data, km_str_c(rows[i].data)));
        assert_int_equal(m.url.n > 0, rows[i].data[0] == '\0');
    }
}

static void efforts_and_budgets_meet(void **state)
{
    enum km_effort e;

    (void)state;
    for (int i = KM_EFFORT_NONE; i <= KM_EFFORT_MAX; i++) {
        assert_int_equal(km_effort_parse(km_str_c(km_effort_name((enum km_effort)i)), &e), 0);
        assert_int_equal(e, i);
    }
    assert_int_equal(km_effort_parse(KM_STR("huge"), &e), KM_E_INVALID);
    assert_int_equal(km_budget_effort(0), KM_EFFORT_NONE);
    assert_int_equal(km_budget_effort(1), KM_EFFORT_MINIMAL);
    assert_int_equal(km_budget_effort(1024), KM_EFFORT_LOW);
    assert_int_equal(km_budget_effort(2048), KM_EFFORT_MEDIUM);
    assert_int_equal(km_budget_effort(100000), KM_EFFORT_HIGH);
    assert_int_equal(km_effort_budget(KM_EFFORT_MEDIUM), 2048);
}

static void nothing_is_added_when_memory_runs_out(void **state)
{
    struct km_chat chat;
    struct km_arena arena;

    (void)state;
    km_arena_init(&arena, 8192, NULL);
    while (km_arena_alloc(&arena, 64))
        ;
    km_chat_init(&chat);
    assert_null(km_chat_message(&chat, &arena, KM_ROLE_USER));
    assert_null(km_chat_tool(&chat, &arena));
    km_chat_extra(&chat, &arena, KM_STR("x"), KM_STR("1"));
    assert_null(chat.extras);
    assert_null(chat.messages);
    assert_true(km_arena_overflowed(&arena));
    km_arena_done(&arena);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(parts_and_messages_keep_their_order),
        CASE(results_get_the_names_of_the_nearest_calls),
        CASE(addresses_of_media_are_told_apart),
        CASE(efforts_and_budgets_meet),
        CASE(nothing_is_added_when_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
