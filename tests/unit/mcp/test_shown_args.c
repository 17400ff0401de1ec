/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "mcp/safety/shown_args.h"

struct shown {
    struct km_arena arena;
    struct km_buf in, out;
    const struct km_json *args, *again; /* what was given; what was shown, read again */
    size_t cut;
};

static void init(struct shown *s)
{
    km_arena_init(&s->arena, (size_t)64 << 20, NULL);
    km_buf_init(&s->in, (size_t)32 << 20);
    km_buf_init(&s->out, KM_ARGS_TEXT_BYTES);
}

static void done(struct shown *s)
{
    km_buf_done(&s->in);
    km_buf_done(&s->out);
    km_arena_done(&s->arena);
}

static void show(struct shown *s, const char *line)
{
    assert_false(km_buf_failed(&s->in));
    assert_int_equal(km_json_parse_answer(&s->arena, km_buf_view(&s->in), &s->args, NULL), 0);
    km_buf_reset(&s->out);
    s->cut = km_args_show(s->args, KM_ARGS_SHOWN_BYTES, line, &s->out);
    assert_false(km_buf_failed(&s->out));
    assert_int_equal(km_json_parse_answer(&s->arena, km_buf_view(&s->out), &s->again, NULL), 0);
}

static void fill(struct km_buf *b, char c, size_t n)
{
    while (n--)
        km_buf_byte(b, c);
}

static bool has(const struct shown *s, const char *text)
{
    struct km_str all = km_buf_view(&s->out);

    return km_str_find(all, km_str_c(text)) < all.n;
}

static void what_fits_is_shown_as_it_is(void **state)
{
    static const char *const cases[][2] = {
        { "{}", "{}" },
        { "{ \"a\" : [1, 2.50, -1e9], \"b\":{\"c\":null,\"d\":[true,false]} }",
          "{\"a\":[1,2.50,-1e9],\"b\":{\"c\":null,\"d\":[true,false]}}" },
        { "{\"q\\\"\":\"tab\\tline\\nback\\\\ \\u00e9\"}",
          "{\"q\\\"\":\"tab\\tline\\nback\\\\ \xc3\xa9\"}" },
        /* What turns or hides text, in names too: escaped, as JSON has it. */
        { "{\"\xe2\x80\xae\":\"a\xe2\x80\xae\xe2\x80\x8b\x7f\\u0007\"}",
          "{\"\\u202e\":\"a\\u202e\\u200b\\u007f\\u0007\"}" },
        { "[\"\xf3\xa0\x81\xa1\xe2\x80\xa8z\"]", "[\"\\udb40\\udc61\\u2028z\"]" },
        { "[1]", "[1]" },
    };
    struct shown s;

    (void)state;
    init(&s);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        km_buf_reset(&s.in);
        km_buf_str(&s.in, km_str_c(cases[i][0]));
        show(&s, "");
        assert_string_equal(km_buf_cstr(&s.out), cases[i][1]);
        assert_int_equal(s.cut, 0);
    }
    km_buf_reset(&s.out);
    assert_int_equal(km_args_show(NULL, KM_ARGS_SHOWN_BYTES, "", &s.out), 0);
    assert_string_equal(km_buf_cstr(&s.out), "{}");
    done(&s);
}

static void a_member_has_a_line_where_lines_are_asked_for(void **state)
{
    struct shown s;

    (void)state;
    init(&s);
    km_buf_str(&s.in, KM_STR("{\"a\":1,\"b\":{\"c\":2}}"));
    show(&s, "\n  ");
    assert_string_equal(km_buf_cstr(&s.out), "{\n  \"a\":1,\n  \"b\":{\"c\":2}\n}");
    km_buf_reset(&s.in);
    km_buf_str(&s.in, KM_STR("{}"));
    show(&s, "\n  ");
    assert_string_equal(km_buf_cstr(&s.out), "{}");
    done(&s);
}

/* A long text at each place among short members: all the others are shown whole. */
static void a_long_member_hides_no_other_wherever_it_stands(void **state)
{
    struct shown s;
    char wanted[64];

    (void)state;
    init(&s);
    for (int place = 0; place < 5; place++) {
        km_buf_reset(&s.in);
        km_buf_byte(&s.in, '{');
        for (int i = 0; i < 5; i++) {
            km_buf_printf(&s.in, "%s\"m%d\":\"", i ? "," : "", i);
            if (i == place)
                fill(&s.in, 'x', 3000000);
            km_buf_printf(&s.in, "end %d\"", i);
        }
        km_buf_byte(&s.in, '}');
        show(&s, "");
        assert_int_equal(s.cut, 1);
        for (int i = 0; i < 5; i++) {
            snprintf(wanted, sizeof wanted, i == place ? "end %d\"" : "\"m%d\":\"end %d\"", i, i);
            assert_true(has(&s, wanted)); /* of the long one its end, too */
        }
        assert_true(has(&s, "(3000005 bytes in all)"));
        assert_true(s.out.n > KM_ARGS_SHOWN_BYTES / 2); /* the room is used */
    }
    done(&s);
}

static void nested_members_share_the_room_of_theirs(void **state)
{
    struct shown s;

    (void)state;
    init(&s);
    km_buf_str(&s.in, KM_STR("{\"first\":{\"note\":\""));
    fill(&s.in, 'n', 40000);
    km_buf_str(&s.in, KM_STR("\",\"in\":[{\"pad\":\""));
    fill(&s.in, 'p', 50000);
    km_buf_str(&s.in, KM_STR("\",\"command\":\"rm -rf /\"}]},\"last\":["));
    for (int i = 0; i < 9000; i++)
        km_buf_printf(&s.in, "%d,", i);
    km_buf_str(&s.in, KM_STR("\"the end\"]}"));
    show(&s, "");
    assert_true(has(&s, "\"command\":\"rm -rf /\""));
    assert_true(has(&s, "(40000 bytes in all)"));
    assert_true(has(&s, "(50000 bytes in all)"));
    assert_true(has(&s, "(9001 items in all,"));
    assert_true(has(&s, "[0,1,2,"));
    assert_true(has(&s, "\"the end\"]"));
    assert_int_equal(s.cut, 3);
    done(&s);
}

static void long_names_and_numbers_are_cut_as_texts_are(void **state)
{
    struct shown s;

    (void)state;
    init(&s);
    km_buf_str(&s.in, KM_STR("{\"n\":"));
    fill(&s.in, '7', 30000);
    km_buf_str(&s.in, KM_STR(",\"k"));
    fill(&s.in, 'k', 20000);
    km_buf_str(&s.in, KM_STR("y\":\"its value\",\"o\":1}"));
    show(&s, "");
    assert_true(has(&s, "(30000 bytes in all)"));
    assert_true(has(&s, "(20002 bytes in all)"));
    assert_true(has(&s, "\"its value\",\"o\":1}"));
    done(&s);
}

static void a_text_is_cut_between_characters(void **state)
{
    struct shown s;

    (void)state;
    init(&s);
    for (size_t shift = 0; shift < 4; shift++) {
        km_buf_reset(&s.in);
        km_buf_str(&s.in, KM_STR("{\"t\":\""));
        fill(&s.in, 'a', shift);
        for (int i = 0; i < 9000; i++)
            km_buf_str(&s.in, KM_STR("\xf0\x9f\x98\x80"));
        km_buf_str(&s.in, KM_STR("\"}"));
        show(&s, ""); /* which reads it again: it is UTF-8 */
        assert_int_equal(s.cut, 1);
    }
    done(&s);
}

static void more_members_than_can_be_shown_are_refused(void **state)
{
    struct shown s;

    (void)state;
    init(&s);
    for (int n = KM_ARGS_MEMBERS; n <= KM_ARGS_MEMBERS + 1; n++) {
        struct km_err err = { 0 };

        km_buf_reset(&s.in);
        km_buf_byte(&s.in, '{');
        for (int i = 0; i < n; i++) {
            km_buf_printf(&s.in, "%s\"member%d\":\"", i ? "," : "", i);
            fill(&s.in, 'v', 1000);
            km_buf_byte(&s.in, '"');
        }
        km_buf_byte(&s.in, '}');
        show(&s, "");
        if (n > KM_ARGS_MEMBERS) {
            assert_int_equal(km_args_showable(s.args, &err), KM_E_LIMIT);
            assert_non_null(strstr(err.text, "129"));
            continue;
        }
        assert_int_equal(km_args_showable(s.args, &err), 0);
        for (int i = 0; i < n; i++) {
            char name[32];

            snprintf(name, sizeof name, "member%d", i);
            assert_non_null(km_json_get(s.again, name));
        }
    }
    assert_int_equal(km_args_showable(NULL, NULL), 0);
    done(&s);
}

/* --- whatever is given --- */

static unsigned next_number(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void put_any(struct km_buf *b, unsigned *seed, int depth)
{
    static const char *const texts[] = { "x", "\\\"", "\\u202e", "\xc3\xa9", "\\\\", "\\n" };
    unsigned kind = next_number(seed) % (depth ? 6 : 3), n = next_number(seed);

    if (kind < 3) {
        km_buf_byte(b, '"');
        for (n = n % 4 ? n % 40 : n % 900; n; n--)
            km_buf_str(b, km_str_c(texts[next_number(seed) % 6]));
        km_buf_byte(b, '"');
        return;
    }
    km_buf_byte(b, kind == 3 ? '[' : '{');
    n = n % 3 ? n % 6 : n % 60;
    for (unsigned i = 0; i < n; i++) {
        if (i)
            km_buf_byte(b, ',');
        if (kind != 3)
            km_buf_printf(b, "\"%u-%.*s\":", i, (int)(n % 60),
                          "a rather long name for a member, longer than most are, and so on");
        put_any(b, seed, depth - 1);
    }
    km_buf_byte(b, kind == 3 ? ']' : '}');
}

/* Of any arguments: bounded, JSON, each member of the outermost object there by its name, and what
 * is not said to be cut is whole. */
static void any_arguments_are_shown_within_the_bound(void **state)
{
    struct shown s;

    (void)state;
    init(&s);
    for (unsigned n = 0; n < 25; n++) {
        struct km_json_iter it, shown;
        const struct km_json *item, *seen;
        struct km_str key, name;
        unsigned seed = n, members = next_number(&seed) % 20;

        km_buf_reset(&s.in);
        km_buf_byte(&s.in, '{');
        for (unsigned i = 0; i < members; i++) {
            km_buf_printf(&s.in, "%s\"m%u\":", i ? "," : "", i);
            put_any(&s.in, &seed, 2);
        }
        km_buf_byte(&s.in, '}');
        show(&s, n % 2 ? "\n  " : "");
        assert_true(s.out.n <= KM_ARGS_TEXT_BYTES);
        km_json_iter(s.again, &shown);
        for (km_json_iter(s.args, &it); km_json_next(&it, &key, &item);) {
            assert_true(km_json_next(&shown, &name, &seen));
            assert_true(km_str_eq(key, name));
            if (!s.cut)
                assert_true(
                    km_str_eq(km_json_compact(item, &s.arena), km_json_compact(seen, &s.arena)));
        }
        assert_true(s.cut || s.out.n <= KM_ARGS_SHOWN_BYTES + 128);
        km_arena_done(&s.arena);
        km_arena_init(&s.arena, (size_t)64 << 20, NULL);
    }
    done(&s);
}

static void json_that_is_printed_means_the_same(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(256);

    (void)state;
    km_args_json(KM_STR("{\"a\\n\xe2\x80\xae\":\n[\"\xc2\x9b\xc3\xa9\x7f\xf3\xa0\x81\x81\"]}"), &b);
    assert_string_equal(km_buf_cstr(&b),
                        "{\"a\\n\\u202e\":\n[\"\\u009b\xc3\xa9\\u007f\\udb40\\udc41\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_shown_as_it_is),
        cmocka_unit_test(a_member_has_a_line_where_lines_are_asked_for),
        cmocka_unit_test(a_long_member_hides_no_other_wherever_it_stands),
        cmocka_unit_test(nested_members_share_the_room_of_theirs),
        cmocka_unit_test(long_names_and_numbers_are_cut_as_texts_are),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(more_members_than_can_be_shown_are_refused),
        cmocka_unit_test(json_that_is_printed_means_the_same),
        cmocka_unit_test(any_arguments_are_shown_within_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
