/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

#define S(literal) KM_STR(literal)

static void comparison_is_by_bytes_and_empty_views_are_equal(void **state)
{
    (void)state;
    assert_true(km_str_eq(KM_STR_NONE, S("")));
    assert_true(km_str_eq(S("a\0b"), S("a\0b")));
    assert_false(km_str_eq(S("a\0b"), S("a\0c")));
    assert_true(km_str_cmp(S("a"), S("ab")) < 0);
    assert_true(km_str_cmp(S("b"), S("ab")) > 0);
    assert_int_equal(km_str_cmp(KM_STR_NONE, S("")), 0);
    assert_true(km_str_eq(km_str_c(NULL), KM_STR_NONE));
}

static void folding_is_ascii_only(void **state)
{
    (void)state;
    assert_true(km_str_ieq(S("Content-Type"), S("content-tYPE")));
    assert_false(km_str_ieq(S("a"), S("ab")));
    assert_false(km_str_ieq(S("@"), S("`"))); /* differ by the case bit only */
    assert_true(km_str_iamong(S("B"), (struct km_str[]){ S("a"), S("b") }, 2));
    assert_false(km_str_iamong(S("c"), (struct km_str[]){ S("a"), S("b") }, 2));
    assert_false(km_str_ieq(S("["), S("{")));
    assert_false(km_str_ieq(S("\xc3\x84"), S("\xc3\xa4")));
    assert_true(km_str_istarts(S("Bearer x"), S("bEARER ")));
    assert_false(km_str_istarts(S("Bear"), S("bearer")));
}

/* Eight bytes are folded at once: every pair of bytes in every place, its neighbours of other
 * case. */
static void folding_eight_bytes_is_folding_each(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (size_t at = 0; at < 9; at++) {
                char one[] = "Zaz[AZ\xff\x40z", two[] = "zAZ[az\xff\x40Z";
                const bool letters =
                    (a | 0x20) == (b | 0x20) && (a | 0x20) >= 'a' && (a | 0x20) <= 'z';

                one[at] = (char)a;
                two[at] = (char)b;
                assert_true(km_str_ieq(km_str(one, 9), km_str(two, 9)) == (a == b || letters));
            }
}

/* The last of them are folded with some of those before: any length, one byte off at each place. */
static void folding_sees_every_place_of_any_length(void **state)
{
    const char same[] = "Mcp-Protocol-Version", other[] = "mCP-pROTOCOL-vERSION";

    (void)state;
    for (size_t n = 1; n < sizeof same; n++) {
        assert_true(km_str_istarts(km_str(same, sizeof same - 1), km_str(other, n)));
        for (size_t at = 0; at < n; at++) {
            char off[sizeof other];

            memcpy(off, other, sizeof other);
            off[at] ^= 1;
            assert_false(km_str_istarts(km_str(same, sizeof same - 1), km_str(off, n)));
            assert_false(km_str_starts(km_str(other, sizeof other - 1), km_str(off, n)));
        }
    }
}

static void starts_and_ends_take_whole_and_empty(void **state)
{
    (void)state;
    assert_true(km_str_starts(S("abc"), S("abc")));
    assert_true(km_str_starts(KM_STR_NONE, KM_STR_NONE));
    assert_false(km_str_starts(S("ab"), S("abc")));
    assert_true(km_str_ends(S("abc"), S("bc")));
    assert_true(km_str_ends(S("abc"), S("")));
    assert_false(km_str_ends(S("bc"), S("abc")));
}

static void search_answers_the_length_when_there_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(km_str_find(S("abcabc"), S("ca")), 2);
    assert_int_equal(km_str_find(S("abc"), S("x")), 3);
    assert_int_equal(km_str_find(S("abc"), S("abcd")), 3);
    assert_int_equal(km_str_find(S("abc"), S("")), 0);
    assert_int_equal(km_str_chr(S("a.b.c"), '.'), 1);
    assert_int_equal(km_str_rchr(S("a.b.c"), '.'), 3);
    assert_int_equal(km_str_chr(KM_STR_NONE, '.'), 0);
    assert_int_equal(km_str_rchr(S("abc"), '.'), 3);
}

static void bounds_are_clamped(void **state)
{
    (void)state;
    assert_true(km_str_eq(km_str_sub(S("abcdef"), 2, 2), S("cd")));
    assert_true(km_str_eq(km_str_sub(S("abc"), 2, SIZE_MAX), S("c")));
    assert_true(km_str_eq(km_str_sub(S("abc"), SIZE_MAX, SIZE_MAX), S("")));
    assert_true(km_str_eq(km_str_skip(KM_STR_NONE, 3), S("")));
    assert_true(km_str_eq(km_str_trim(S(" \t a b\t ")), S("a b")));
    assert_true(km_str_eq(km_str_trim(S(" \t ")), S("")));
}

static void split_gives_every_part_empty_ones_too(void **state)
{
    struct km_str rest = S("a,,b,"), part;

    (void)state;
    assert_true(km_str_split(&rest, ',', &part) && km_str_eq(part, S("a")));
    assert_true(km_str_split(&rest, ',', &part) && km_str_eq(part, S("")));
    assert_true(km_str_split(&rest, ',', &part) && km_str_eq(part, S("b")));
    assert_true(km_str_split(&rest, ',', &part) && km_str_eq(part, S("")));
    assert_false(km_str_split(&rest, ',', &part));
    rest = KM_STR_NONE;
    assert_false(km_str_split(&rest, ',', &part));
}

static void integers_are_read_whole_or_not_at_all(void **state)
{
    static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1.0", "0x1", "--1" };
    uint64_t u = 7;
    int64_t i = 7;

    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
        assert_int_equal(km_str_u64(km_str_c(bad[n]), &u), KM_E_INVALID);
        assert_int_equal(km_str_i64(km_str_c(bad[n]), &i), KM_E_INVALID);
    }
    assert_int_equal(u, 7);
    assert_int_equal(i, 7);
    assert_int_equal(km_str_u64(S("18446744073709551615"), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(km_str_u64(S("18446744073709551616"), &u), KM_E_INVALID);
    assert_int_equal(km_str_u64(S("-1"), &u), KM_E_INVALID);
    assert_int_equal(km_str_i64(S("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(km_str_i64(S("9223372036854775807"), &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(km_str_i64(S("9223372036854775808"), &i), KM_E_INVALID);
    assert_int_equal(km_str_i64(S("-9223372036854775809"), &i), KM_E_INVALID);
}

static void decimals_are_exact(void **state)
{
    static const struct {
        const char *text;
        int scale;
        int64_t value;
    } cases[] = {
        { "2.5e-06", 12, 2500000 },
        { "0.0000025", 12, 2500000 },
        { "0.0000025000", 12, 2500000 },
        { "1", 0, 1 },
        { "1", 9, 1000000000 },
        { "0", 12, 0 },
        { "000.000", 3, 0 },
        { "0e999999999999999999999", 12, 0 },
        { "1e-999999999999999999999", 12, 0 },
        { "3E+2", 0, 300 },
        { ".5", 1, 5 },
        { "5.", 1, 50 },
        { "0.5", 0, 1 },
        { "0.49999999999999999999999999", 0, 0 },
        { "1.4", 0, 1 },
        { "1.5", 0, 2 },
        { "0.05", 0, 0 },
        { "9.99", 1, 100 },
        { "12.5e-3", 6, 12500 },
        { "0.1e-12", 12, 0 },
        { "0.5e-12", 12, 1 },
        { "1234567.89", 2, 123456789 },
        { "123456789e-9", 9, 123456789 },
        { "9223372.036854775807", 12, INT64_MAX },
        { "00000000000000000000000000000000001", 3, 1000 },
        { "1.1", 12, 1100000000000 },
        { "0.000000000000000000000000000012e25", 12, 120000000 },
    };

    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        int64_t v = -1;

        assert_int_equal(km_str_decimal(km_str_c(cases[n].text), cases[n].scale, &v), 0);
        assert_true(v == cases[n].value);
    }
}

static void what_is_not_a_decimal_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "e5",
                                       "-1",
                                       "+1",
                                       "1e",
                                       "1e+",
                                       "1e-",
                                       "1.2.3",
                                       "1,5",
                                       "1 ",
                                       "nan",
                                       "inf",
                                       "0x1",
                                       "1e5x",
                                       "9223372036854775808",
                                       "9223372036854775807.5",
                                       "1e19",
                                       "1e99999999999999999999",
                                       "99999999999999999999" };
    int64_t v = 7;

    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++)
        assert_int_equal(km_str_decimal(km_str_c(bad[n]), 0, &v), KM_E_INVALID);
    assert_int_equal(km_str_decimal(S("9223372.036854775808"), 12, &v), KM_E_INVALID);
    assert_int_equal(v, 7);
}

static void a_star_stands_for_the_longest_it_can(void **state)
{
    static const struct {
        const char *pattern, *text, *star; /* star NULL: no match */
    } cases[] = {
        { "openai/*", "openai/gpt-4o", "gpt-4o" },
        { "openai/*", "openai/", "" },
        { "openai/*", "openai", NULL },
        { "*", "", "" },
        { "*", "x", "x" },
        { "gpt-4o", "gpt-4o", "" },
        { "gpt-4o", "gpt-4", NULL },
        { "*-mini", "gpt-4o-mini", "gpt-4o" },
        { "a*a", "a", NULL },
        { "a*a", "aa", "" },
        { "a*b*c", "aXbYbZc", "XbY" },
        { "a*b*c", "abc", "" },
        { "a*bb*c", "abc", NULL },
        { "**", "ab", "ab" },
        { "*a*", "bab", "b" },
        { "*aa*", "aaa", "a" },
        { "bedrock/*anthropic.*", "bedrock/us.anthropic.claude", "us." },
    };

    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        struct km_str star = S("untouched");
        bool matched = km_str_glob(km_str_c(cases[n].pattern), km_str_c(cases[n].text), &star);

        assert_int_equal(matched, cases[n].star != NULL);
        if (matched)
            assert_true(km_str_eq(star, km_str_c(cases[n].star)));
    }
    assert_true(km_str_glob(S("a*"), S("abc"), NULL));
}

static void distance_counts_edits_and_swaps(void **state)
{
    char far[300];

    (void)state;
    assert_int_equal(km_str_distance(S("timeout"), S("timeout")), 0);
    assert_int_equal(km_str_distance(S("timeout"), S("tiemout")), 1);
    assert_int_equal(km_str_distance(S("timeout"), S("time_out")), 1);
    assert_int_equal(km_str_distance(S(""), S("abc")), 3);
    assert_int_equal(km_str_distance(S("kitten"), S("sitting")), 3);
    memset(far, 'a', sizeof far);
    assert_int_equal(km_str_distance(km_str(far, 300), S("")), 255);
    assert_int_equal(km_str_distance(km_str(far, 255), S("")), 255);
    assert_int_equal(km_str_distance(km_str(far, 300), km_str(far, 300)), 0);
}

static void a_plain_run_ends_at_the_first_byte_that_is_not(void **state)
{
    char text[24];

    (void)state;
    assert_int_equal(km_str_plain(KM_STR_NONE), 0);
    for (size_t n = 0; n <= sizeof text; n++) {
        memset(text, 'a', n);
        assert_int_equal(km_str_plain(km_str(text, n)), n);
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

                memset(text, 'z', n);
                text[at] = (char)c;
                assert_int_equal(km_str_plain(km_str(text, n)), plain ? n : at);
                assert_int_equal(km_str_is_bare(km_str(text, n)), plain && c != ' ' && c != '=');
                memset(text + at, c, n - at);
                assert_int_equal(km_str_plain(km_str(text, n)), plain ? n : at);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparison_is_by_bytes_and_empty_views_are_equal),
        cmocka_unit_test(folding_is_ascii_only),
        cmocka_unit_test(folding_eight_bytes_is_folding_each),
        cmocka_unit_test(folding_sees_every_place_of_any_length),
        cmocka_unit_test(starts_and_ends_take_whole_and_empty),
        cmocka_unit_test(search_answers_the_length_when_there_is_nothing),
        cmocka_unit_test(bounds_are_clamped),
        cmocka_unit_test(split_gives_every_part_empty_ones_too),
        cmocka_unit_test(integers_are_read_whole_or_not_at_all),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(what_is_not_a_decimal_is_refused),
        cmocka_unit_test(a_star_stands_for_the_longest_it_can),
        cmocka_unit_test(distance_counts_edits_and_swaps),
        cmocka_unit_test(a_plain_run_ends_at_the_first_byte_that_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
