/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "sys/dns.h"

static void literal_addresses_are_read_and_written_back(void **state)
{
    static const struct {
        const char *in, *text, *host;
    } cases[] = {
        { "127.0.0.1", "127.0.0.1:80", "127.0.0.1" },
        { "0.0.0.0", "0.0.0.0:80", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255:80", "255.255.255.255" },
        { "::1", "[::1]:80", "::1" },
        { "[::1]", "[::1]:80", "::1" },
        { "2001:DB8::0001", "[2001:db8::1]:80", "2001:db8::1" },
        { "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[KM_ADDR_TEXT];
        union km_addr a;

        assert_int_equal(km_addr_parse(km_str_c(cases[i].in), 80, &a), 0);
        km_addr_text(&a, text);
        assert_string_equal(text, cases[i].text);
        km_addr_host_text(&a, text);
        assert_string_equal(text, cases[i].host);
    }
}

static void odd_spellings_are_not_literal_addresses(void **state)
{
    static const char *const cases[] = {
        "",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
        "127.0.0.01x",
        "127.0.0.256",
        " 127.0.0.1",
        "127.0.0.1 ",
        "1.2.3.4.5",
        "localhost",
        "[127.0.0.1",
        "127.0.0.1]",
        ":::1",
        "::1::",
        "12345::",
        "::1%nosuchinterface",
        "[]",
        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
    };
    union km_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(km_addr_parse(km_str_c(cases[i]), 80, &a), KM_E_INVALID);
    assert_int_equal(km_addr_parse(km_str("127.0.0.1\0x", 11), 80, &a), KM_E_INVALID);
}

static void the_scope_of_a_link_local_address_is_kept(void **state)
{
    union km_addr a;

    (void)state;
    assert_int_equal(km_addr_parse(KM_STR("fe80::1%7"), 80, &a), 0);
    assert_int_equal(a.in6.sin6_scope_id, 7);
    assert_int_equal(km_addr_parse(KM_STR("fe80::1%lo"), 80, &a), 0);
    assert_int_not_equal(a.in6.sin6_scope_id, 0);
    assert_int_equal(km_addr_parse(KM_STR("fe80::1%"), 80, &a), KM_E_INVALID);
}

static void loopback_is_recognised_in_every_family(void **state)
{
    static const struct {
        const char *in;
        bool loopback;
    } cases[] = {
        { "127.0.0.1", true },
        { "127.255.255.254", true },
        { "::1", true },
        { "::ffff:127.0.0.2", true },
        { "128.0.0.1", false },
        { "126.255.255.255", false },
        { "::", false },
        { "::2", false },
        { "::ffff:10.0.0.1", false },
        { "0.0.0.0", false },
    };
    union km_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(km_addr_parse(km_str_c(cases[i].in), 0, &a), 0);
        assert_int_equal(km_addr_loopback(&a), cases[i].loopback);
    }
    memset(&a, 0, sizeof a);
    assert_false(km_addr_loopback(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_are_read_and_written_back),
        cmocka_unit_test(odd_spellings_are_not_literal_addresses),
        cmocka_unit_test(the_scope_of_a_link_local_address_is_kept),
        cmocka_unit_test(loopback_is_recognised_in_every_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
