/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"

static void hex_goes_both_ways(void **state)
{
    uint8_t bytes[4] = { 0, 0x7f, 0x80, 0xff }, back[4] = { 0 };
    char text[9];

    (void)state;
    km_hex(text, bytes, 4);
    assert_string_equal(text, "007f80ff");
    assert_int_equal(km_unhex(KM_STR("007F80fF"), back, 4), 0);
    assert_memory_equal(back, bytes, 4);
    assert_int_equal(km_unhex(KM_STR("007f80f"), back, 4), KM_E_INVALID);
    assert_int_equal(km_unhex(KM_STR("007f80ff0"), back, 4), KM_E_INVALID);
    assert_int_equal(km_unhex(KM_STR("007f80fg"), back, 4), KM_E_INVALID);
    assert_memory_equal(back, bytes, 4);
}

static void base64_has_the_vectors_of_rfc_4648(void **state)
{
    static const char *const vectors[][2] = { { "", "" },
                                              { "f", "Zg==" },
                                              { "fo", "Zm8=" },
                                              { "foo", "Zm9v" },
                                              { "foob", "Zm9vYg==" },
                                              { "fooba", "Zm9vYmE=" },
                                              { "foobar", "Zm9vYmFy" } };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);
        struct km_buf back KM_CLEANUP(km_buf_done) = KM_BUF(100);

        km_buf_base64(&b, km_str_c(vectors[i][0]));
        assert_string_equal(km_buf_cstr(&b), vectors[i][1]);
        assert_int_equal(km_buf_unbase64(&back, km_buf_view(&b)), 0);
        assert_string_equal(km_buf_cstr(&back), vectors[i][0]);
    }
}

static void base64url_is_unpadded_and_reads_back(void **state)
{
    char bytes[256];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(255 - i);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1000);
        struct km_buf back KM_CLEANUP(km_buf_done) = KM_BUF(1000);

        km_buf_base64url(&b, km_str(bytes, n));
        assert_int_equal(b.n, (n * 8 + 5) / 6);
        assert_int_equal(km_str_chr(km_buf_view(&b), '='), b.n);
        assert_int_equal(km_str_chr(km_buf_view(&b), '/'), b.n);
        assert_int_equal(km_buf_unbase64(&back, km_buf_view(&b)), 0);
        assert_true(km_str_eq(km_buf_view(&back), km_str(bytes, n)));
    }
}

static void base64_has_one_text_for_one_value(void **state)
{
    static const char *const bad[] = { "Z",     "Zh",     "Zh==",     "Zm9=",     "Zg=",
                                       "Zg===", "=",      "==",       "Zm9v=",    "Z===",
                                       "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zm9v!mFy", "====" };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);

    (void)state;
    km_buf_str(&b, KM_STR("kept"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_buf_unbase64(&b, km_str_c(bad[i])), KM_E_INVALID);
    assert_string_equal(km_buf_cstr(&b), "kept");
}

static void base64_over_the_limit_fails(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(3);

    (void)state;
    km_buf_base64(&b, KM_STR("f"));
    assert_true(km_buf_failed(&b));
    km_buf_reset(&b);
    assert_int_equal(km_buf_unbase64(&b, KM_STR("Zm9vYg==")), KM_E_LIMIT);
}

static void utf8_is_valid_as_unicode_says(void **state)
{
    static const char *const good[] = { "",
                                        "ascii, and more than eight",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80",
                                       "\xbf",
                                       "\xc0\x80",
                                       "\xc1\xbf",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "\xc2",
                                       "\xe3\x81",
                                       "\xf0\x90\x80",
                                       "12345678\x80",
                                       "1234567\x80-",
                                       "\xc2\x41" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(km_utf8_valid(km_str_c(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(km_utf8_valid(km_str_c(bad[i])));
    assert_true(km_utf8_valid(KM_STR("a\0b")));
}

static void utf8_cut_inside_a_sequence_is_not_valid(void **state)
{
    struct km_str text = KM_STR("a\xc2\x80\xe3\x81\x82\xf0\x9f\x98\x80z");
    static const bool whole[] = { true, true,  false, true,  false, false,
                                  true, false, false, false, true,  true };

    (void)state;
    for (size_t n = 0; n <= text.n; n++)
        assert_int_equal(km_utf8_valid(km_str_sub(text, 0, n)), whole[n]);
}

static void a_text_is_cut_between_characters(void **state)
{
    struct km_str text = KM_STR("a\xc3\xa9\xe2\x82\xac"); /* of one, two and three bytes */
    const size_t n[] = { 0, 1, 1, 3, 3, 3, 6, 6 };

    (void)state;
    for (size_t most = 0; most < sizeof n / sizeof n[0]; most++)
        assert_int_equal(km_utf8_cut(text, most).n, n[most]);
    assert_int_equal(km_utf8_cut(KM_STR("\x80\x80\x80"), 2).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(base64_has_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64url_is_unpadded_and_reads_back),
        cmocka_unit_test(base64_has_one_text_for_one_value),
        cmocka_unit_test(base64_over_the_limit_fails),
        cmocka_unit_test(utf8_is_valid_as_unicode_says),
        cmocka_unit_test(utf8_cut_inside_a_sequence_is_not_valid),
        cmocka_unit_test(a_text_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
