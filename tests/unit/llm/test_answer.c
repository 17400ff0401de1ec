/* SPDX-License-Identifier: Apache-2.0 */
#include "chat_fixture.h"

/* Notes what it is given. */
static int note(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    (void)err;
    km_buf_printf(a->out, "%d,%u,%u:%.*s;", (int)e->kind, e->choice, e->block, KM_STR_ARG(e->text));
    return 0;
}

static const struct km_encoder plain = { .event = note }, gathering = { .event = note,
                                                                        .gathers = true };

static void an_answer_is_gathered_into_parts(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_part *p;

    begin_answer(f, &plain, false, false);
    PUT(f, .kind = KM_CHAT_START, .id = KM_STR("up"));
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("b"));
    PUT(f, .kind = KM_CHAT_SIGNATURE, .text = KM_STR("s"));
    PUT(f, .kind = KM_CHAT_SIGNATURE, .text = KM_STR("t"));
    PUT(f, .kind = KM_CHAT_TEXT, .block = 1, .text = KM_STR("x"));
    PUT(f, .kind = KM_CHAT_TOOL, .block = 2, .id = KM_STR("i"), .name = KM_STR("n"));
    PUT(f, .kind = KM_CHAT_TOOL, .block = 3, .id = KM_STR("j"), .name = KM_STR("m"));
    PUT(f, .kind = KM_CHAT_TOOL_INPUT, .block = 3, .text = KM_STR("{\"a\""));
    PUT(f, .kind = KM_CHAT_TOOL_INPUT, .block = 3, .text = KM_STR(":1}"));
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_TOOLS);
    assert_int_equal(f->answer.nchoices, 1);
    assert_int_equal(f->answer.choices[0].finish, KM_FINISH_TOOLS);
    assert_true(km_str_eq(f->answer.upstream_id, KM_STR("up")));
    p = f->answer.choices[0].parts;
    assert_true(km_str_eq(p->text, KM_STR("ab")) && km_str_eq(p->signature, KM_STR("st")));
    p = p->next;
    assert_true(p->kind == KM_PART_TEXT && km_str_eq(p->text, KM_STR("x")));
    p = p->next;
    assert_true(km_str_eq(p->id, KM_STR("i")) && km_str_eq(p->input_json, KM_STR("{}")));
    p = p->next;
    assert_true(km_str_eq(p->name, KM_STR("m")) && km_str_eq(p->input_json, KM_STR("{\"a\":1}")));
    assert_null(p->next);
    assert_int_equal(f->out.n, 0); /* no stream: the encoder hears of nothing yet */
}

static void choices_are_gathered_apart(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &gathering, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TEXT, .choice = 2, .text = KM_STR("c"));
    PUT(f, .kind = KM_CHAT_TEXT, .choice = 0, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_TEXT, .choice = 2, .text = KM_STR("d"));
    assert_int_equal(f->answer.nchoices, 3);
    assert_true(km_str_eq(f->answer.choices[2].parts->text, KM_STR("cd")));
    assert_null(f->answer.choices[1].parts);
    assert_string_equal(km_buf_cstr(&f->out), "0,0,0:;1,2,0:c;1,0,0:a;1,2,0:d;");
}

static void a_stream_that_needs_no_whole_keeps_none(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &plain, true, false);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("a"));
    assert_int_equal(f->answer.nchoices, 0);
    assert_int_equal(f->answer.heard.bytes, 1);
}

static void what_is_out_of_order_is_the_upstream_s_fault(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &plain, true, false);
    assert_int_equal(put(f, (struct km_chat_event){ .kind = KM_CHAT_TEXT }),
                     KM_E_UPSTREAM_PROTOCOL);
    PUT(f, .kind = KM_CHAT_USAGE, .usage = { .prompt_tokens = 1 });
    PUT(f, .kind = KM_CHAT_START);
    assert_int_equal(put(f, (struct km_chat_event){ .kind = KM_CHAT_START }),
                     KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(
        put(f, (struct km_chat_event){ .kind = KM_CHAT_TEXT, .choice = KM_CHOICES_MOST }),
        KM_E_UPSTREAM_PROTOCOL);
}

static void the_last_usage_holds_and_none_is_estimated(void **state)
{
    struct chat_fixture *f = *state;
    struct km_usage u;

    begin_answer(f, &plain, true, false);
    PUT(f, .kind = KM_CHAT_START);
    for (int i = 0; i < 3; i++)
        PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("ab cdef "));
    u = km_answer_usage(&f->answer);
    assert_false(u.known);
    assert_int_equal(u.prompt_tokens, 3);
    assert_int_equal(u.completion_tokens, 7); /* by what is heard: six words */
    PUT(f, .kind = KM_CHAT_USAGE,
        .usage = { .prompt_tokens = 1, .completion_tokens = 2, .known = true });
    PUT(f, .kind = KM_CHAT_USAGE,
        .usage = { .prompt_tokens = 1, .completion_tokens = 9, .known = true });
    u = km_answer_usage(&f->answer); /* more may come: no less than what was said */
    assert_false(u.known);
    assert_int_equal(u.completion_tokens, 9);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_STOP);
    u = km_answer_usage(&f->answer);
    assert_true(u.known);
    assert_int_equal(u.completion_tokens, 9);
    PUT(f, .kind = KM_CHAT_USAGE, .usage = { .prompt_tokens = 1, .cached_tokens = 1 });
    u = km_answer_usage(&f->answer); /* what it says is nonsense but for what went in */
    assert_false(u.known);
    assert_int_equal(u.prompt_tokens, 1);
    assert_int_equal(u.completion_tokens, 7);
}

static void a_long_text_grows_by_doubling(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &plain, false, false);
    PUT(f, .kind = KM_CHAT_START);
    for (int i = 0; i < 100000; i++)
        PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("0123456789"));
    assert_int_equal(f->answer.choices[0].parts->text.n, 1000000);
    assert_true(f->arena.used < 3 << 20);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_answer_is_gathered_into_parts),
        CASE(choices_are_gathered_apart),
        CASE(a_stream_that_needs_no_whole_keeps_none),
        CASE(what_is_out_of_order_is_the_upstream_s_fault),
        CASE(the_last_usage_holds_and_none_is_estimated),
        CASE(a_long_text_grows_by_doubling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
