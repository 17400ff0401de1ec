/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "http/json_out.h"

static const char *joined(struct km_arena *arena, struct km_json_out *o, size_t *ret_n)
{
    struct km_str *parts;

    assert_int_equal(km_json_out_parts(o, &parts, ret_n, NULL), 0);
    return km_arena_cstr(arena, km_arena_cat(arena, parts, *ret_n));
}

static void commas_and_quotes_come_by_themselves(void **state)
{
    struct km_buf b = KM_BUF(1024);
    struct km_json_out o;

    (void)state;
    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_member(&o, "a", KM_STR("x\"\n"));
    km_out_key(&o, "b");
    km_out_open(&o, '[');
    km_out_i64(&o, -5);
    km_out_bool(&o, true);
    km_out_null(&o);
    km_out_open(&o, '{');
    km_out_close(&o, '}');
    km_out_open(&o, '[');
    km_out_close(&o, ']');
    km_out_cstr(&o, "e");
    km_out_close(&o, ']');
    km_out_member_raw(&o, "c", KM_STR("{\"x\": 1}"));
    km_out_member_raw(&o, "d", KM_STR_NONE);
    km_out_key_str(&o, KM_STR("k\"ey"));
    km_out_i64(&o, 1);
    km_out_close(&o, '}');
    assert_string_equal(km_buf_cstr(&b),
                        "{\"a\":\"x\\\"\\n\",\"b\":[-5,true,null,{},[],\"e\"],\"c\":{\"x\": 1},"
                        "\"d\":null,\"k\\\"ey\":1}");
    km_buf_done(&b);
}

static void a_tree_is_written_as_it_was_read(void **state)
{
    static const char text[] = "{\"a\":[1.50,\"\xc3\xa9\",null,{\"b\":false}]}";
    struct km_buf b = KM_BUF(1024);
    const struct km_json *root;
    struct km_arena arena;
    struct km_json_out o;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&arena, km_str_c(text), &root, NULL), 0);
    km_json_out_init(&o, &b);
    km_out_value(&o, root);
    assert_string_equal(km_buf_cstr(&b), text);
    assert_true(km_str_eq(km_json_compact(root, &arena), km_str_c(text)));
    km_buf_done(&b);
    km_arena_done(&arena);
}

static void long_strings_are_not_copied(void **state)
{
    char big[KM_OUT_BY_REFERENCE + 1], quoted[KM_OUT_BY_REFERENCE + 1];
    struct km_str *parts, whole;
    struct km_arena arena;
    struct km_json_out o;
    size_t n, found = 0;

    (void)state;
    memset(big, 'A', sizeof big);
    memset(quoted, '"', sizeof quoted);
    km_arena_init(&arena, 1 << 20, NULL);
    km_json_out_parts_init(&o, &arena, 1 << 16);
    km_out_open(&o, '[');
    km_out_str(&o, km_str(big, sizeof big));
    km_out_joined(&o, KM_STR("data:image/png;base64,"), km_str(big, sizeof big));
    km_out_joined(&o, KM_STR("q\""), km_str(quoted, sizeof quoted));
    km_out_str(&o, KM_STR("short"));
    km_out_close(&o, ']');
    assert_int_equal(km_json_out_parts(&o, &parts, &n, NULL), 0);
    for (size_t i = 0; i < n; i++)
        found += parts[i].p == big;
    assert_int_equal(found, 2);
    whole = km_arena_cat(&arena, parts, n);
    assert_true(km_str_starts(whole, KM_STR("[\"AAAA")));
    assert_true(km_str_find(whole, KM_STR("\",\"data:image/png;base64,AAAA")) < whole.n);
    assert_true(km_str_find(whole, KM_STR("\"q\\\"\\\"")) < whole.n);
    assert_true(km_str_ends(whole, KM_STR("\\\"\",\"short\"]")));
    km_json_out_done(&o);
    km_arena_done(&arena);
}

static void a_body_over_its_bound_is_an_error(void **state)
{
    struct km_err err = { 0 };
    struct km_arena arena;
    struct km_json_out o;
    struct km_str *parts;
    size_t n;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    km_json_out_parts_init(&o, &arena, 16);
    km_out_str(&o, KM_STR("more than sixteen bytes"));
    assert_int_equal(km_json_out_parts(&o, &parts, &n, &err), KM_E_LIMIT);
    km_json_out_done(&o);
    km_arena_done(&arena);
}

static void what_is_deep_is_written_deep(void **state)
{
    struct km_arena arena;
    struct km_json_out o;
    const char *text;
    size_t n;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    km_json_out_parts_init(&o, &arena, 1 << 16);
    for (int i = 0; i < KM_OUT_DEPTH - 1; i++)
        km_out_open(&o, '[');
    km_out_i64(&o, 1);
    km_out_i64(&o, 2);
    for (int i = 0; i < KM_OUT_DEPTH - 1; i++)
        km_out_close(&o, ']');
    text = joined(&arena, &o, &n);
    assert_int_equal(strlen(text), 2 * (KM_OUT_DEPTH - 1) + 3);
    assert_non_null(strstr(text, "[1,2]"));
    km_json_out_done(&o);
    km_arena_done(&arena);
}

/* Names count in the object under way alone, whatever strings and other objects hold. */
static void an_object_knows_the_names_it_has(void **state)
{
    struct km_buf b = KM_BUF(1024);
    struct km_json_out o;

    (void)state;
    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_member(&o, "a", KM_STR("\"hidden\":{[\\"));
    km_out_key_str(&o, KM_STR("q\"\n"));
    km_out_open(&o, '[');
    km_out_open(&o, '{');
    km_out_member(&o, "inner", KM_STR("x"));
    assert_true(km_out_has(&o, KM_STR("inner")));
    assert_false(km_out_has(&o, KM_STR("a")));
    km_out_close(&o, '}');
    km_out_open(&o, '{');
    assert_false(km_out_has(&o, KM_STR("inner")));
    km_out_close(&o, '}');
    km_out_close(&o, ']');
    assert_true(km_out_has(&o, KM_STR("a")));
    assert_true(km_out_has(&o, KM_STR("q\"\n")));
    assert_false(km_out_has(&o, KM_STR("inner")));
    assert_false(km_out_has(&o, KM_STR("hidden")));
    assert_false(km_out_has(&o, KM_STR("")));
    km_out_close(&o, '}');
    km_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_quotes_come_by_themselves),
        cmocka_unit_test(a_tree_is_written_as_it_was_read),
        cmocka_unit_test(long_strings_are_not_copied),
        cmocka_unit_test(a_body_over_its_bound_is_an_error),
        cmocka_unit_test(what_is_deep_is_written_deep),
        cmocka_unit_test(an_object_knows_the_names_it_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
