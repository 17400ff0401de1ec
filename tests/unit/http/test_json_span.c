/* SPDX-License-Identifier: Apache-2.0 */
/* Places of members and edits by place, against yyjson as the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "json_property.h"

static uint64_t seed = 88172645463325252u;

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

static void put_space(struct km_buf *b)
{
    static const char *const spaces[] = { "", "", "", " ", "\n", "\r\n\t", "  " };

    km_buf_str(b, km_str_c(spaces[any(7)]));
}

static void put_name(struct km_buf *b)
{
    static const char *const names[] = {
        "\"model\"",
        "\"\\u006dodel\"",
        "\"stream\"",
        "\"\"",
        "\"a\\\"b\\\\\"",
        "\"user\"",
        "\"caf\\u00e9\"",
        "\"caf\xc3\xa9\"",
        "\"\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"n\"",
        "\"\\n\"",
        "\"models\"",
        "\"mode\"",
        "\"x\\\\\"",
        "\"\\u006D\\u006F\\u0064\\u0065\\u006c\"",
        "\"y\"",
        "\"z,{}[]:\"",
    };

    km_buf_str(b, km_str_c(names[any(sizeof names / sizeof *names)]));
}

static void put_value(struct km_buf *b, int depth);

static void put_members(struct km_buf *b, int depth, char open, char close)
{
    uint32_t n = any(5);

    km_buf_byte(b, open);
    put_space(b);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            km_buf_byte(b, ',');
        put_space(b);
        if (open == '{') {
            put_name(b);
            put_space(b);
            km_buf_byte(b, ':');
            put_space(b);
        }
        put_value(b, depth + 1);
        put_space(b);
    }
    km_buf_byte(b, close);
}

static void put_value(struct km_buf *b, int depth)
{
    static const char *const leaves[] = {
        "1",          "-0.5e-7",
        "true",       "false",
        "null",       "\"\"",
        "\"\\\\\"",   "\"\\\"\"",
        "\"}{][,:\"", "\"\\u0041\\n\\u00e9\\ud83d\\ude00\"",
        "\"text\"",   "123456789012345678901234567890",
    };
    uint32_t kind = any(depth > 4 ? 4 : 8);

    if (kind < 5 || depth > 4)
        km_buf_str(b, km_str_c(leaves[any(sizeof leaves / sizeof *leaves)]));
    else
        put_members(b, depth, kind < 7 ? '{' : '[', kind < 7 ? '}' : ']');
}

static void random_objects_with_random_edits_equal_the_edited_parse(void **state)
{
    (void)state;
    for (int i = 0; i < 40000; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

        put_space(&b);
        put_members(&b, 0, '{', '}');
        put_space(&b);
        property_check(b.p, b.n, any(1u << 30));
    }
}

static void objects_cut_at_every_offset_stay_inside_their_bytes(void **state)
{
    static const char body[] =
        "{\"model\":\"a\\\\\",\"n\":[1,{\"x\":\"]\"}],\"\\u0061\\ud83d\\ude00\""
        ":tru,\"user\":-1e5 , \"stream\" : {}}";

    (void)state;
    for (size_t n = 0; n < sizeof body; n++) {
        char *copy = malloc(n ? n : 1); /* exact, so that a stray read is seen */

        memcpy(copy, body, n);
        property_check(copy, n, 0x2d5a7);
        free(copy);
    }
}

static void a_byte_changed_anywhere_is_judged_as_the_parser_judges_it(void **state)
{
    static const char bytes[] =
        "\"\\{}[]:,0123456789.eE+-truefalsn \n\t\x01\x1f\x7f\x80\xbf\xc3\xa9\xe2"
        "\xed\xa0\xf0\x9f\xf4\xffuUdD";

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

        put_members(&b, 0, '{', '}');
        for (uint32_t k = any(3); k > 0 && b.n > 0; k--)
            b.p[any((uint32_t)b.n)] = bytes[any(sizeof bytes)]; /* its NUL too */
        property_valid(km_buf_view(&b));
    }
}

static void numbers_words_and_escapes_are_judged_as_the_parser_judges_them(void **state)
{
    static const char *const values[] = {
        "0",        "-0",      "00",         "01",        "-",          "-a",         "1.",
        "1.5",      ".5",      "1e",         "1e+",       "1e+5",       "1E-05",      "0e0",
        "0.0e1",    "+1",      "1e999",      "-1e-999",   "0x10",       "1 2",        "NaN",
        "Infinity", "tru",     "truee",      "nul",       "null",       "false",      "True",
        "\"\\u12\"", "\"\\u\"", "\"\\uD7ff\"", "\"\\ud800\"", "\"\\uDC00\"",
        "\"\\u00zz\"", "\"\\x\"",
        "\"\\/\"",  "\"\\\"",  "\"\t\"",     "'a'",       "[1,]",       "[,1]",       "{\"a\":1,}",
        "{,}",      "{\"a\"}", "{\"a\":}",   "{a:1}",     "[[[]]]",     "[}",         "{]",
        "",         "/**/1",   "\xef\xbb\xbf" "1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

        km_buf_printf(&b, "{\"longer than a word\": %s }", values[i]);
        property_valid(km_buf_view(&b));
        property_valid(km_str_c(values[i]));
    }
    assert_true(km_json_surely_object(KM_STR(" {\"a\": [1, {\"b\": \"caf\xc3\xa9\"}]}\n")));
    assert_false(km_json_surely_object(KM_STR("{} x")));
    assert_false(km_json_surely_object(KM_STR("[]")));
    assert_false(km_json_surely_object(KM_STR_NONE));
}

static int spans_of(const char *body, struct km_json_span *spans)
{
    struct km_err err;

    return km_json_spans(km_str_c(body), property_names, PROPERTY_NAMES, spans, NULL, &err);
}

static void a_wanted_member_that_occurs_twice_is_refused_however_it_is_spelled(void **state)
{
    struct km_json_span s[PROPERTY_NAMES];

    (void)state;
    assert_int_equal(spans_of("{\"model\":1,\"\\u006dodel\":2}", s), KM_E_INVALID);
    assert_int_equal(spans_of("{\"mod\\u0065l\":1,\"model\":2}", s), KM_E_INVALID);
    assert_int_equal(spans_of("{\"x\":1,\"x\":2,\"model\":{\"model\":1}}", s), 0);
    assert_int_equal(s[0].type, KM_JSON_OBJECT);
    assert_int_equal(spans_of("[{\"model\":1}]", s), KM_E_INVALID);
    assert_int_equal(spans_of("", s), KM_E_INVALID);
}

static void nesting_is_bounded(void **state)
{
    struct km_json_span s[PROPERTY_NAMES];
    char body[512];

    (void)state;
    for (int levels = KM_JSON_DEPTH - 1; levels <= KM_JSON_DEPTH; levels++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(sizeof body);

        km_buf_str(&b, KM_STR("{\"model\":"));
        for (int i = 0; i < levels; i++)
            km_buf_byte(&b, '[');
        for (int i = 0; i < levels; i++)
            km_buf_byte(&b, ']');
        km_buf_byte(&b, '}');
        assert_int_equal(spans_of(km_buf_cstr(&b), s), levels < KM_JSON_DEPTH ? 0 : KM_E_LIMIT);
    }
}

static struct km_str spliced(struct km_arena *a, const char *body, const char *cut,
                             const char *added)
{
    struct km_json_span s[PROPERTY_NAMES];
    struct km_json_object object;
    struct km_json_edits e;
    struct km_str *parts;
    struct km_err err;
    size_t n;

    assert_int_equal(
        km_json_spans(km_str_c(body), property_names, PROPERTY_NAMES, s, &object, &err), 0);
    km_json_edits_init(&e, km_str_c(body), &object);
    for (size_t i = 0; i < PROPERTY_NAMES; i++)
        for (const char *c = cut; *c && property_names[i].n > 0; c++)
            if (*c == property_names[i].p[0])
                km_json_cut(&e, &s[i]);
    if (added)
        km_json_add(&e, a, km_str_c(added), KM_STR("1"));
    assert_int_equal(km_json_parts(&e, a, &parts, &n, &err), 0);
    return km_arena_cat(a, parts, n);
}

static void commas_are_right_whatever_is_cut_and_added(void **state)
{
    static const char body[] = "{ \"model\":1 , \"user\":2,\"n\":3 }";
    static const struct {
        const char *cut, *added, *want;
    } cases[] = {
        { "", NULL, "{ \"model\":1 , \"user\":2,\"n\":3 }" },
        { "m", NULL, "{  \"user\":2,\"n\":3 }" },
        { "u", NULL, "{ \"model\":1 , \"n\":3 }" },
        { "n", NULL, "{ \"model\":1 , \"user\":2 }" },
        { "un", NULL, "{ \"model\":1  }" },
        { "mn", NULL, "{  \"user\":2 }" },
        { "mun", NULL, "{   }" },
        { "mun", "x", "{   \"x\":1}" },
        { "n", "x", "{ \"model\":1 , \"user\":2 ,\"x\":1}" },
    };
    struct km_arena a;

    (void)state;
    km_arena_init(&a, 1 << 20, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct km_str got = spliced(&a, body, cases[i].cut, cases[i].added);

        assert_string_equal(km_arena_cstr(&a, got), cases[i].want);
    }
    assert_string_equal(km_arena_cstr(&a, spliced(&a, "{}", "", "x")), "{\"x\":1}");
    km_arena_done(&a);
}

static void a_body_without_edits_is_one_part_the_body_itself(void **state)
{
    struct km_str body = KM_STR(" {\"model\":1} ");
    struct km_json_object object;
    struct km_json_span s[PROPERTY_NAMES];
    struct km_json_edits e;
    struct km_arena a;
    struct km_str *parts;
    struct km_err err;
    size_t n;

    (void)state;
    km_arena_init(&a, 1 << 16, NULL);
    assert_int_equal(km_json_spans(body, property_names, PROPERTY_NAMES, s, &object, &err), 0);
    km_json_edits_init(&e, body, &object);
    km_json_cut(&e, &s[1]); /* absent: nothing happens */
    km_json_replace(&e, &s[1], KM_STR("1"));
    assert_int_equal(km_json_parts(&e, &a, &parts, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_ptr_equal(parts[0].p, body.p);
    assert_int_equal(parts[0].n, body.n);
    for (size_t i = 0; i <= KM_JSON_EDITS; i++)
        km_json_add(&e, &a, KM_STR("x"), KM_STR("1"));
    assert_int_equal(km_json_parts(&e, &a, &parts, &n, &err), KM_E_NOMEM);
    km_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_objects_with_random_edits_equal_the_edited_parse),
        cmocka_unit_test(objects_cut_at_every_offset_stay_inside_their_bytes),
        cmocka_unit_test(a_byte_changed_anywhere_is_judged_as_the_parser_judges_it),
        cmocka_unit_test(numbers_words_and_escapes_are_judged_as_the_parser_judges_them),
        cmocka_unit_test(a_wanted_member_that_occurs_twice_is_refused_however_it_is_spelled),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(commas_are_right_whatever_is_cut_and_added),
        cmocka_unit_test(a_body_without_edits_is_one_part_the_body_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
