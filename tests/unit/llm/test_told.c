/* SPDX-License-Identifier: Apache-2.0 */
/* test_told.c - what is noted of a stream so that another upstream goes on with it (llm/told.h):
 * the text and the place after each event, the request that goes on, and the events that follow. */
#include "chat_fixture.h"

#include "llm/api/openai.h"
#include "llm/told.h"

struct fixture {
    struct chat_fixture f;
    struct km_told told;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);

    if (!x)
        return -1;
    km_arena_init(&x->f.arena, 64 << 20, NULL);
    km_arena_init(&x->f.scratch, 64 << 20, NULL);
    km_chat_init(&x->f.chat);
    km_told_init(&x->told, &x->f.arena);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    km_arena_done(&x->f.arena);
    km_arena_done(&x->f.scratch);
    free(x);
    return 0;
}

static void assert_text(const struct fixture *x, const char *text)
{
    assert_true(km_str_eq(km_told_text(&x->told), km_str_c(text)));
}

static void say(struct fixture *x, enum km_role role, const char *text)
{
    struct km_message *m = km_chat_message(&x->f.chat, &x->f.arena, role);

    km_chat_part(&x->f.arena, &m->parts, KM_PART_TEXT)->text = km_str_c(text);
}

static enum km_told_how go_on(struct fixture *x, bool prefill)
{
    enum km_told_how how = KM_TOLD_AGAIN;

    km_told_go_on(&x->told);
    assert_int_equal(km_told_continue(&x->told, &x->f.chat, prefill, &x->f.arena, &how, &x->f.err),
                     0);
    return how;
}

/* --- the request that goes on --- */

static void a_prefill_has_no_white_space_at_its_end(void **state)
{
    struct fixture *x = *state;

    say(x, KM_ROLE_USER, "why?");
    km_told_add(&x->told, KM_STR("It is \n"));
    assert_int_equal(go_on(x, true), KM_TOLD_PREFILL);
    assert_int_equal(x->f.chat.last_message->role, KM_ROLE_ASSISTANT);
    assert_true(km_str_eq(x->f.chat.last_message->parts->text, KM_STR("It is")));
}

static void who_takes_no_beginning_is_asked_to_go_on(void **state)
{
    struct fixture *x = *state;

    say(x, KM_ROLE_USER, "why?");
    km_told_add(&x->told, KM_STR("It is "));
    assert_int_equal(go_on(x, false), KM_TOLD_ASKED);
    assert_int_equal(x->f.chat.last_message->role, KM_ROLE_USER);
    assert_true(km_str_eq(x->f.chat.messages->next->parts->text, KM_STR("It is ")));
}

static void who_thinks_takes_no_beginning(void **state)
{
    struct fixture *x = *state;

    say(x, KM_ROLE_USER, "why?");
    km_told_add(&x->told, KM_STR("It"));
    x->f.chat.set = KM_P_BIT(KM_P_THINKING);
    x->f.chat.thinking = KM_THINKING_BUDGET;
    assert_int_equal(go_on(x, true), KM_TOLD_ASKED);
}

static void white_space_alone_is_asked_again(void **state)
{
    struct fixture *x = *state;

    say(x, KM_ROLE_USER, "why?");
    km_told_add(&x->told, KM_STR("\n\n"));
    assert_int_equal(go_on(x, true), KM_TOLD_AGAIN);
    assert_null(x->f.chat.messages->next);
}

static void a_beginning_of_the_callers_goes_on(void **state)
{
    struct fixture *x = *state;

    say(x, KM_ROLE_USER, "why?");
    say(x, KM_ROLE_ASSISTANT, "Because ");
    km_told_add(&x->told, KM_STR("it is"));
    assert_int_equal(go_on(x, true), KM_TOLD_PREFILL);
    assert_true(km_str_eq(x->f.chat.last_message->parts->text, KM_STR("Because it is")));
    assert_ptr_equal(x->f.chat.messages->next, x->f.chat.last_message);
}

static void what_is_put_together_of_two_is_refused(void **state)
{
    struct fixture *x = *state;
    enum km_told_how how;

    km_told_add(&x->told, KM_STR("{\"a\":"));
    x->f.chat.format = KM_FORMAT_JSON;
    assert_int_equal(km_told_continue(&x->told, &x->f.chat, true, &x->f.arena, &how, &x->f.err),
                     KM_E_UNSUPPORTED);
    assert_string_equal(x->told.unfit, "structured_output");
}

static void a_text_that_is_too_long_is_unfit(void **state)
{
    struct fixture *x = *state;
    static char text[KM_TOLD_TEXT_BYTES];

    memset(text, 'a', sizeof text);
    km_told_add(&x->told, km_str(text, sizeof text));
    assert_null(x->told.unfit);
    km_told_add(&x->told, KM_STR("a"));
    assert_string_equal(x->told.unfit, "length");
}

/* --- the events that follow --- */

static struct km_chat_event text_event(unsigned block, const char *text)
{
    return (struct km_chat_event){ .kind = KM_CHAT_TEXT, .block = block, .text = km_str_c(text) };
}

static void what_goes_on_has_the_next_place(void **state)
{
    struct fixture *x = *state;
    struct km_chat_event start = { .kind = KM_CHAT_START }, e = text_event(2, "It is \n");
    struct km_chat_event thought = { .kind = KM_CHAT_REASONING, .text = KM_STR("hm") };
    struct km_chat_event tool = { .kind = KM_CHAT_TOOL, .block = 2 };

    assert_true(km_told_take(&x->told, &start));
    assert_true(km_told_take(&x->told, &e));
    say(x, KM_ROLE_USER, "why?");
    (void)go_on(x, true);
    assert_false(km_told_take(&x->told, &start));
    assert_false(km_told_take(&x->told, &thought));
    e = text_event(1, " ");
    assert_false(km_told_take(&x->told, &e)); /* the client has it */
    e = text_event(1, "\n\nblue");
    assert_true(km_told_take(&x->told, &e));
    assert_true(km_str_eq(e.text, KM_STR("\nblue")));
    assert_int_equal(e.block, 2);
    assert_true(km_told_take(&x->told, &tool));
    assert_int_equal(tool.block, 3);
    assert_string_equal(x->told.unfit, "tool_call");
    assert_text(x, "It is \n\nblue");
}

static void a_call_is_the_next_block(void **state)
{
    struct fixture *x = *state;
    struct km_chat_event e = text_event(0, "It"), tool = { .kind = KM_CHAT_TOOL };

    assert_true(km_told_take(&x->told, &e));
    say(x, KM_ROLE_USER, "why?");
    (void)go_on(x, false);
    assert_true(km_told_take(&x->told, &tool));
    assert_int_equal(tool.block, 1);
}

/* --- streams that are passed on --- */

struct line {
    const char *data, *text; /* what was said, all in all */
    bool open, part;
    const char *unfit;
};

static void feed(struct fixture *x, km_told_note_fn *note, const struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        note(&x->told, KM_STR_NONE, km_str_c(lines[i].data), &x->f.scratch);
        assert_text(x, lines[i].text);
        assert_int_equal(x->told.open, lines[i].open);
        assert_int_equal(x->told.part, lines[i].part);
        if (lines[i].unfit)
            assert_string_equal(x->told.unfit, lines[i].unfit);
        else
            assert_null(x->told.unfit);
    }
}

#define FEED(x, note, lines) feed(x, note, lines, sizeof(lines) / sizeof *(lines))

static void chats_are_noted(void **state)
{
    static const struct line lines[] = {
        { "{\"id\":\"c\",\"created\":7,\"choices\":[]}", "", false, false, NULL },
        { "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
          "\"refusal\":null,\"tool_calls\":[]},\"logprobs\":null,\"finish_reason\":null}]}",
          "", true, false, NULL },
        { "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\n\"}}]}", "a\n", true, false,
          NULL },
        { "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", "a\n", true,
          false, "end" },
    };
    struct fixture *x = *state;

    FEED(x, km_told_note_chat, lines);
    assert_true(km_str_eq(x->told.id, KM_STR("c")));
    assert_int_equal(x->told.created_s, 7);
}

static void messages_are_noted(void **state)
{
    static const struct line lines[] = {
        { "{\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}", "", false, false, NULL },
        { "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
          "\"text\":\"\"}}",
          "", true, false, NULL },
        { "{\"type\":\"ping\"}", "", true, false, NULL },
        { "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
          "\"text\":\"a\"}}",
          "a", true, false, NULL },
        { "{\"type\":\"content_block_stop\",\"index\":0}", "a", false, false, NULL },
        { "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":"
          "\"tool_use\"}}",
          "a", true, false, "tool_call" },
    };
    struct fixture *x = *state;

    FEED(x, km_told_note_messages, lines);
    assert_true(km_str_eq(x->told.id, KM_STR("m")));
    assert_int_equal(x->told.index, 1);
}

static void responses_are_noted(void **state)
{
    static const struct line lines[] = {
        { "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\","
          "\"created_at\":7}}",
          "", false, false, NULL },
        { "{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"item\":{\"type\":"
          "\"message\",\"id\":\"i\",\"content\":[]}}",
          "", true, false, NULL },
        { "{\"type\":\"response.content_part.added\",\"sequence_number\":2,\"part\":{\"type\":"
          "\"output_text\",\"text\":\"\"}}",
          "", true, true, NULL },
        { "{\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"delta\":\"a\","
          "\"logprobs\":[]}",
          "a", true, true, NULL },
        { "{\"type\":\"response.output_text.done\",\"sequence_number\":4,\"text\":\"a\"}", "a",
          true, true, "end" },
    };
    struct fixture *x = *state;

    FEED(x, km_told_note_responses, lines);
    assert_true(km_str_eq(x->told.id, KM_STR("r")));
    assert_true(km_str_eq(x->told.item, KM_STR("i")));
    assert_int_equal(x->told.sequence, 4);
}

static void what_cannot_be_read_is_unfit(void **state)
{
    struct fixture *x = *state;

    km_told_note_chat(&x->told, KM_STR_NONE, KM_STR("{"), &x->f.scratch);
    assert_string_equal(x->told.unfit, "unknown_event");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_prefill_has_no_white_space_at_its_end),
        TEST(who_takes_no_beginning_is_asked_to_go_on),
        TEST(who_thinks_takes_no_beginning),
        TEST(white_space_alone_is_asked_again),
        TEST(a_beginning_of_the_callers_goes_on),
        TEST(what_is_put_together_of_two_is_refused),
        TEST(a_text_that_is_too_long_is_unfit),
        TEST(what_goes_on_has_the_next_place),
        TEST(a_call_is_the_next_block),
        TEST(chats_are_noted),
        TEST(messages_are_noted),
        TEST(responses_are_noted),
        TEST(what_cannot_be_read_is_unfit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
