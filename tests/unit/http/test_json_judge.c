/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that two readers could take for two different ones, and queries likewise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/json.h"
#include "http/message.h"

#define ROOM ((size_t)64 << 20)

static int parse(struct km_str text)
{
    const struct km_json *root = NULL;
    struct km_arena a;
    int r;

    km_arena_init(&a, ROOM, NULL);
    r = km_json_parse(&a, text, &root, NULL);
    assert_int_equal(km_json_parse_answer(&a, text, &root, NULL), 0);
    km_arena_done(&a);
    return r;
}

static bool walk(struct km_str text)
{
    return km_json_judged_spans(text, NULL, 0, NULL, NULL, NULL);
}

static void a_member_that_occurs_twice_is_refused_at_any_depth(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"x\":{\"a\":1,\"b\":2,\"a\":3}}",
        "{\"x\":[[{\"a\":1},{\"b\":[{\"c\":1,\"c\":1}]}]]}",
        "{\"x\":{\"a\":{\"b\":1}},\"y\":{\"b\":{\"a\":1},\"b\":0}}",
        "{\"\":1,\"\":2}",
        "{\"a\":{},\"b\":{},\"a\":{}}",
        "{\"\\u00e9\":1,\"\xc3\xa9\":2}",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
    };
    static const char *const fine[] = {
        "{\"a\":1,\"A\":2}",
        "{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]}},\"b\":{\"a\":1}}",
        "{\"a\":\"a\",\"b\":\"a\"}",
        "{}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (parse(km_str_c(texts[i])) != KM_E_INVALID || walk(km_str_c(texts[i])))
            fail_msg("taken: %s", texts[i]);
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        if (parse(km_str_c(fine[i])) != 0 || !walk(km_str_c(fine[i])))
            fail_msg("refused: %s", fine[i]);
    }
}

static void a_member_in_which_nothing_is_judged_may_repeat_names(void **state)
{
    static const struct km_str names[] = { { "free", 4 } };
    static const struct {
        const char *text;
        bool fine;
    } rows[] = {
        { "{\"free\":{\"5\":1,\"5\":2},\"a\":{\"b\":1}}", true },
        { "{\"free\":{\"5\":1,\"5\":2},\"a\":{\"b\":1,\"b\":2}}", false },
        { "{\"free\":{\"5\":1},\"a\":1,\"free\":{}}", false },
        { "{\"x\":{\"free\":{\"5\":1,\"5\":2}}}", false },
        { "{\"fre\\u0065\":{\"5\":1},\"free\":{}}", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct km_json_watch watch = { .free = names, .nfree = 1 };
        struct km_str text = km_str_c(rows[i].text);
        const struct km_json *root;
        struct km_arena a;

        km_arena_init(&a, 1 << 20, NULL);
        assert_int_equal(km_json_parse_answer(&a, text, &root, NULL), 0);
        assert_int_equal(km_json_unique_but(root, names, 1, &a, NULL),
                         rows[i].fine ? 0 : KM_E_INVALID);
        assert_int_equal(km_json_judged_spans(text, NULL, 0, NULL, NULL, &watch), rows[i].fine);
        km_arena_done(&a);
    }
}

/* n members; the last has the name of the `again`th, or one of its own. */
static void put_object(struct km_buf *b, size_t n, size_t again)
{
    for (size_t i = 0; i < n; i++)
        km_buf_printf(b, "%s\"m%zu\":%zu", i ? "," : "{", i + 1 == n ? again : i, i);
    km_buf_byte(b, '}');
}

static void objects_of_any_size_are_judged(void **state)
{
    static const size_t sizes[] = { 2, 15, 16, 17, 18, 63, 64, 65, 66, 255, 256, 257, 5000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t again = 0; again < sizes[i]; again += again + 1) {
            struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

            km_buf_str(&b, KM_STR("{\"x\":[0,"));
            put_object(&b, sizes[i], again);
            km_buf_str(&b, KM_STR("]}"));
            if (again + 1 < sizes[i] && walk(km_buf_view(&b)))
                fail_msg("%zu members, the %zuth twice: taken", sizes[i], again);
            assert_int_equal(parse(km_buf_view(&b)), again + 1 < sizes[i] ? KM_E_INVALID : 0);
        }
}

/* A tree as deep as the body is long must not be walked by recursion; many large objects must not
 * take the memory of each. */
static void deep_and_wide_trees_cost_no_more_than_their_bytes(void **state)
{
    struct km_buf deep KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    struct km_buf wide KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);

    (void)state;
    for (size_t i = 0; i < 200000; i++)
        km_buf_byte(&deep, '[');
    km_buf_str(&deep, KM_STR("{\"a\":1,\"a\":2}"));
    for (size_t i = 0; i < 200000; i++)
        km_buf_byte(&deep, ']');
    assert_int_equal(parse(km_buf_view(&deep)), KM_E_INVALID);
    for (size_t i = 0; i < 5000; i++) {
        km_buf_str(&wide, i ? KM_STR(",") : KM_STR("["));
        put_object(&wide, i == 7 ? 3000 : 17, i == 7 ? 2999 : 16);
    }
    km_buf_byte(&wide, ']');
    assert_int_equal(parse(km_buf_view(&wide)), 0);
}

static int folded(const char *text)
{
    const struct km_json *root;
    struct km_arena a;
    int r;

    km_arena_init(&a, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&a, km_str_c(text), &root, NULL), 0);
    r = km_json_unique_folded(root, km_json_fold_case, &a, NULL);
    km_arena_done(&a);
    return r;
}

static void names_that_differ_in_case_alone_are_one(void **state)
{
    static const char *const pairs[][2] = {
        { "path", "PATH" },          { "path", "pAth" },          { "s", "\xc5\xbf" },
        { "k", "\xe2\x84\xaa" },     { "\xc3\xa9", "\xc3\x89" },  { "\xc4\xb1", "I" },
        { "\xc4\xb0", "i" },         { "\xcf\x83", "\xcf\x82" },  { "\xce\xa3", "\xcf\x82" },
        { "\xd0\xb0", "\xd0\x90" },  { "\xd1\x91", "\xd0\x81" },  { "\xc2\xb5", "\xce\xbc" },
        { "\xc4\x80", "\xc4\x81" },  { "\xe1\xba\x9e", "\xc3\x9f" },
        { "\xef\xbc\xa1", "\xef\xbd\x81" },
    };
    static const char *const apart[] = {
        "{\"a\":1,\"b\":2}", "{\"a_b\":1,\"ab\":2}", "{\"\":1}", "{\"\":1,\" \":1}",
        "{\"\xe6\xa0\x87\":1,\"\xe5\x86\x85\":2}", /* two words without case */
    };
    char text[100];

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(text, sizeof text, "{\"x\":[{\"%s\":1,\"y\":2,\"%s\":3}]}", pairs[i][0],
                 pairs[i][1]);
        if (folded(text) != KM_E_INVALID)
            fail_msg("two names: %s", text);
    }
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (folded(apart[i]) != 0)
            fail_msg("one name: %s", apart[i]);
}

static void a_parameter_of_a_query_that_decides_is_there_once(void **state)
{
    static const struct km_str names[] = { { "model", 5 }, { "alt", 3 } };
    struct km_arena a;

    (void)state;
    km_arena_init(&a, 1 << 16, NULL);
    assert_null(km_query_twice(&a, KM_STR("model=a&alt=sse&x=1&x=2"), names, 2));
    assert_null(km_query_twice(&a, KM_STR("models=a&model=b&Model"), names, 2));
    assert_null(km_query_twice(&a, KM_STR(""), names, 2));
    assert_ptr_equal(km_query_twice(&a, KM_STR("model=a&alt=b&model=a"), names, 2), &names[0]);
    assert_ptr_equal(km_query_twice(&a, KM_STR("alt&x&%61lt=sse"), names, 2), &names[1]);
    assert_ptr_equal(km_query_twice(&a, KM_STR("m%6fdel=%zz&model=a"), names, 2), &names[0]);
    km_arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_that_occurs_twice_is_refused_at_any_depth),
        cmocka_unit_test(a_member_in_which_nothing_is_judged_may_repeat_names),
        cmocka_unit_test(objects_of_any_size_are_judged),
        cmocka_unit_test(deep_and_wide_trees_cost_no_more_than_their_bytes),
        cmocka_unit_test(names_that_differ_in_case_alone_are_one),
        cmocka_unit_test(a_parameter_of_a_query_that_decides_is_there_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
