/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of bytes, and what is built on them, against the same said byte by byte: every byte at
 * every place of two chunks, in texts that end anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/chunk.h"
#include "base/hash.h"

#define TEXT_BYTES (3 * KM_CHUNK_BYTES)

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool base64(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

static bool ascii(unsigned char c)
{
    return c < 0x80;
}

static size_t expected(bool (*is)(unsigned char), const char *p, size_t n)
{
    size_t at = 0;

    while (at < n && is((unsigned char)p[at]))
        at++;
    return at / KM_CHUNK_BYTES * KM_CHUNK_BYTES;
}

static void a_run_ends_with_the_chunk_before_the_odd_byte(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'A', sizeof text);
            text[at] = (char)c;
            assert_int_equal(km_run_plain(text, sizeof text), expected(plain, text, sizeof text));
            assert_int_equal(km_run_base64(text, sizeof text), expected(base64, text, sizeof text));
            assert_int_equal(km_run_ascii(text, sizeof text), expected(ascii, text, sizeof text));
            assert_int_equal(km_str_plain(km_str(text, sizeof text)),
                             plain((unsigned char)c) ? sizeof text : at);
        }
    for (size_t n = 0; n <= sizeof text; n++)
        assert_int_equal(km_run_ascii(text, n), expected(ascii, text, n));
}

/* Letters few enough that the beginnings of needles are everywhere. */
static void a_needle_is_found_where_it_first_is(void **state)
{
    char text[80];
    uint32_t random = 1;

    (void)state;
    for (int turn = 0; turn < 20000; turn++) {
        size_t n, m, at;

        for (size_t i = 0; i < sizeof text; i++) {
            random = random * 1103515245 + 12345;
            text[i] = (char)('a' + (random >> 16) % 2);
        }
        n = (size_t)turn % (sizeof text + 1);
        m = 1 + (random >> 8) % 9;
        for (at = 0; at + m <= n && memcmp(text + at, text + sizeof text - m, m) != 0; at++)
            ;
        assert_int_equal(km_str_find(km_str(text, n), km_str(text + sizeof text - m, m)),
                         at + m <= n ? at : n);
    }
}

static uint32_t by_bits(const char *p, size_t n)
{
    uint32_t crc = ~0U;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static void crc32_is_the_same_by_bits(void **state)
{
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 151 + (i >> 3));
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; n <= sizeof text - from; n++)
            assert_int_equal(km_crc32(0, text + from, n), by_bits(text + from, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_ends_with_the_chunk_before_the_odd_byte),
        cmocka_unit_test(a_needle_is_found_where_it_first_is),
        cmocka_unit_test(crc32_is_the_same_by_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
