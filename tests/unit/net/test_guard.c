/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "net/dial.h"

enum verdict {
    PUBLIC, /* a literal address that may be reached */
    REFUSED, /* a literal address that may not */
    NAME, /* not a literal: it would be resolved, and what comes of it checked */
};

static const struct {
    const char *host;
    enum verdict verdict;
} cases[] = {
    /* loopback, in every spelling that some resolver takes */
    { "127.0.0.1", REFUSED },
    { "127.255.255.255", REFUSED },
    { "127.1", NAME },
    { "0x7f.1", NAME },
    { "0x7f000001", NAME },
    { "017700000001", NAME },
    { "0177.0.0.1", NAME },
    { "2130706433", NAME },
    { "127.0.0.1.", NAME },
    { "localhost", NAME },
    { "localhost.", NAME },
    { "127.0.0.1.nip.io", NAME },
    { "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", NAME }, /* fullwidth digits */
    { "127\xe3\x80\x82"
      "0.0.1",
      NAME }, /* ideographic full stop */
    { "127.0.0.1%00", NAME },
    { "::1", REFUSED },
    { "[::1]", REFUSED },
    { "0:0:0:0:0:0:0:1", REFUSED },
    { "[::ffff:7f00:1]", REFUSED },
    { "::ffff:127.0.0.1", REFUSED },
    { "::127.0.0.1", REFUSED },
    { "[::]", REFUSED },
    { "0.0.0.0", REFUSED },
    { "0.255.255.255", REFUSED },
    /* private, shared, link-local, metadata */
    { "10.0.0.1", REFUSED },
    { "10.255.255.255", REFUSED },
    { "100.64.0.1", REFUSED },
    { "100.127.255.255", REFUSED },
    { "100.100.100.200", REFUSED },
    { "169.254.169.254", REFUSED },
    { "168.63.129.16", REFUSED },
    { "172.16.0.1", REFUSED },
    { "172.31.255.255", REFUSED },
    { "192.168.0.1", REFUSED },
    { "192.0.0.192", REFUSED },
    { "192.0.2.1", REFUSED },
    { "192.88.99.1", REFUSED },
    { "198.18.0.1", REFUSED },
    { "198.19.255.255", REFUSED },
    { "198.51.100.1", REFUSED },
    { "203.0.113.1", REFUSED },
    { "224.0.0.1", REFUSED },
    { "239.255.255.255", REFUSED },
    { "240.0.0.1", REFUSED },
    { "255.255.255.255", REFUSED },
    { "fc00::1", REFUSED },
    { "fdff::1", REFUSED },
    { "fd00:ec2::254", REFUSED },
    { "fe80::1", REFUSED },
    { "fe80::1%1", REFUSED },
    { "febf::1", REFUSED },
    { "fec0::1", REFUSED },
    { "ff02::1", REFUSED },
    { "100::1", REFUSED },
    { "2001:db8::1", REFUSED },
    { "3fff::1", REFUSED },
    { "5f00::1", REFUSED },
    /* an IPv4 address inside an IPv6 one */
    { "::ffff:10.0.0.1", REFUSED },
    { "::ffff:169.254.169.254", REFUSED },
    { "64:ff9b::127.0.0.1", REFUSED },
    { "64:ff9b::a9fe:a9fe", REFUSED },
    { "64:ff9b:1::1", REFUSED },
    { "2002:7f00:1::", REFUSED }, /* 6to4 */
    { "2002:808:808::1", REFUSED },
    { "2001:0:4136:e378:8000:63bf:3fff:fdd2", REFUSED }, /* Teredo */
    { "2001:1ff::1", REFUSED },
    /* and the neighbours of all these that are public */
    { "1.1.1.1", PUBLIC },
    { "8.8.8.8", PUBLIC },
    { "9.255.255.255", PUBLIC },
    { "11.0.0.0", PUBLIC },
    { "100.63.255.255", PUBLIC },
    { "100.128.0.0", PUBLIC },
    { "126.255.255.255", PUBLIC },
    { "128.0.0.0", PUBLIC },
    { "168.63.129.15", PUBLIC },
    { "168.63.129.17", PUBLIC },
    { "169.253.255.255", PUBLIC },
    { "169.255.0.0", PUBLIC },
    { "172.15.255.255", PUBLIC },
    { "172.32.0.0", PUBLIC },
    { "192.0.1.0", PUBLIC },
    { "192.167.255.255", PUBLIC },
    { "192.169.0.0", PUBLIC },
    { "198.17.255.255", PUBLIC },
    { "198.20.0.0", PUBLIC },
    { "223.255.255.255", PUBLIC },
    { "::ffff:8.8.8.8", PUBLIC },
    { "64:ff9b::8.8.8.8", PUBLIC },
    { "2001:200::1", PUBLIC },
    { "2001:4860:4860::8888", PUBLIC },
    { "2003::1", PUBLIC },
    { "2606:4700::1111", PUBLIC },
    { "3ffe::1", PUBLIC },
};

static void every_spelling_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        union km_addr a;
        enum verdict got = NAME;

        if (km_addr_parse(km_str_c(cases[i].host), 443, &a) == 0)
            got = km_addr_public(&a) ? PUBLIC : REFUSED;
        if (got != cases[i].verdict)
            fail_msg("%s: %d, not %d", cases[i].host, (int)got, (int)cases[i].verdict);
    }
}

static void a_private_network_is_not_what_is_merely_not_public(void **state)
{
    static const char *const inside[] = {
        "127.0.0.1", "10.1.2.3",  "172.16.0.1", "172.31.255.255",  "192.168.7.7", "169.254.1.1",
        "::1",       "fd12::1", "fe80::1",    "::ffff:10.0.0.1",
    };
    static const char *const outside[] = {
        "8.8.8.8",   "100.64.0.1", "172.32.0.1", "192.169.0.1", "198.18.0.1", "203.0.113.9",
        "224.0.0.1", "0.0.0.0",    "2002:7f00:1::1", "64:ff9b::10.0.0.1", "2001:db8::1", "ff02::1",
        "fec0::1",   "::ffff:8.8.8.8", "::",
    };
    union km_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_int_equal(km_addr_parse(km_str_c(inside[i]), 1, &a), 0);
        if (!km_addr_private(&a))
            fail_msg("%s is outside", inside[i]);
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_int_equal(km_addr_parse(km_str_c(outside[i]), 1, &a), 0);
        if (km_addr_private(&a))
            fail_msg("%s is inside", outside[i]);
    }
}

static void link_local_and_metadata_addresses_are_known_in_every_form(void **state)
{
    static const char *const metadata[] = {
        "169.254.169.254", "169.254.0.1", "169.254.255.255", "169.254.170.2", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "fe80::1", "febf::1", "fe80::a9fe:a9fe", "fd00:ec2::254",
        "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::100.100.100.200",
        "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "2002:a83f:8110::",
        "2001:0:1:2:3:4:5601:5601", "::ffff:168.63.129.16",
    };
    static const char *const others[] = {
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "100.100.100.201", "168.63.129.17", "169.253.1.1",
        "169.255.0.1", "8.8.8.8", "::1", "fd12::1", "fec0::1", "2606:4700::1111",
        "::ffff:10.0.0.1", "64:ff9b::8.8.8.8", "2002:a00:1::", "::",
    };
    const char *why = NULL;
    union km_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++) {
        assert_int_equal(km_addr_parse(km_str_c(metadata[i]), 80, &a), 0);
        if (km_guard_allows(KM_GUARD_METADATA, &a, &why) || !why)
            fail_msg("%s may be reached", metadata[i]);
        assert_true(km_guard_allows(KM_GUARD_NONE, &a, &why));
        if (km_guard_allows(KM_GUARD_PUBLIC, &a, &why))
            fail_msg("%s is public", metadata[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(km_addr_parse(km_str_c(others[i]), 80, &a), 0);
        if (!km_guard_allows(KM_GUARD_METADATA, &a, &why))
            fail_msg("%s may not be reached", others[i]);
    }
}

static void an_address_of_another_family_is_not_public(void **state)
{
    union km_addr a;

    (void)state;
    memset(&a, 0, sizeof a);
    a.sa.sa_family = AF_UNIX;
    assert_false(km_addr_public(&a) || km_addr_private(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_has_its_verdict),
        cmocka_unit_test(a_private_network_is_not_what_is_merely_not_public),
        cmocka_unit_test(link_local_and_metadata_addresses_are_known_in_every_form),
        cmocka_unit_test(an_address_of_another_family_is_not_public),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
