/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - which addresses a guarded dial may reach, and which are a private network's.
 *
 * A table of what is refused for IPv4 (IANA's special-purpose registry, RFC 6890, plus the
 * one cloud metadata service that lives in public space).  For IPv6 it is the other way
 * round: only global unicast, 2000::/3, is public, less what is reserved or tunnelled in it.
 * Forms that carry an IPv4 address which the kernel or a translator would then contact
 * (mapped, NAT64) are as public as that address.  6to4 and Teredo are refused whole: nothing
 * public is reached by them only, and what they carry is a relay's business.
 *
 * The check is on the address that is connected to, so that no spelling of a URL and no DNS
 * answer that changes afterwards can go round it.
 */
#include "net/dial.h"

#include <arpa/inet.h>

struct v4_net {
    uint32_t net;
    unsigned bits;
};

#define V4(a, b, c, d)                                                                             \
    (((uint32_t)(a) << 24) | ((uint32_t)(b) << 16) | ((uint32_t)(c) << 8) | (uint32_t)(d))

static const struct v4_net refused_v4[] = {
    { V4(0, 0, 0, 0), 8 }, /* this network */
    { V4(10, 0, 0, 0), 8 }, /* private */
    { V4(100, 64, 0, 0), 10 }, /* shared by carriers; some clouds' metadata */
    { V4(127, 0, 0, 0), 8 }, /* loopback */
    { V4(168, 63, 129, 16), 32 }, /* Azure's metadata service */
    { V4(169, 254, 0, 0), 16 }, /* link-local; metadata services */
    { V4(172, 16, 0, 0), 12 }, /* private */
    { V4(192, 0, 0, 0), 24 }, /* protocol assignments */
    { V4(192, 0, 2, 0), 24 }, /* documentation */
    { V4(192, 88, 99, 0), 24 }, /* 6to4 relays */
    { V4(192, 168, 0, 0), 16 }, /* private */
    { V4(198, 18, 0, 0), 15 }, /* benchmarks */
    { V4(198, 51, 100, 0), 24 }, /* documentation */
    { V4(203, 0, 113, 0), 24 }, /* documentation */
    { V4(224, 0, 0, 0), 3 }, /* multicast, reserved, broadcast */
};

struct v6_net {
    uint8_t net[16];
    unsigned bits;
};

static const struct v6_net refused_v6[] = {
    { { 0x20, 0x01, 0x00 }, 23 }, /* protocol assignments, Teredo, ORCHID */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 }, /* 6to4 */
    { { 0x3f, 0xff, 0x00 }, 20 }, /* documentation */
};

static const struct v6_net global_unicast = { { 0x20 }, 3 };
static const struct v6_net mapped = { { [10] = 0xff, [11] = 0xff }, 96 };
static const struct v6_net nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 };

static bool v4_public(uint32_t a)
{
    for (size_t i = 0; i < sizeof refused_v4 / sizeof refused_v4[0]; i++) {
        const struct v4_net *n = &refused_v4[i];

        if ((a ^ n->net) >> (32 - n->bits) == 0)
            return false;
    }
    return true;
}

static bool v6_in(const uint8_t a[16], const struct v6_net *n)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    if (memcmp(a, n->net, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ n->net[whole]) >> (8 - rest) == 0;
}

static bool v6_public(const uint8_t a[16])
{
    if (v6_in(a, &mapped) || v6_in(a, &nat64))
        return v4_public(V4(a[12], a[13], a[14], a[15]));
    if (!v6_in(a, &global_unicast))
        return false;
    for (size_t i = 0; i < sizeof refused_v6 / sizeof refused_v6[0]; i++)
        if (v6_in(a, &refused_v6[i]))
            return false;
    return true;
}

/* What is not public is not yet private: nobody owns 6to4's or a carrier's shared addresses. */
static const struct v4_net private_v4[] = {
    { V4(10, 0, 0, 0), 8 },     { V4(127, 0, 0, 0), 8 },    { V4(169, 254, 0, 0), 16 },
    { V4(172, 16, 0, 0), 12 }, { V4(192, 168, 0, 0), 16 },
};

static const struct v6_net private_v6[] = {
    { { [15] = 1 }, 128 }, /* loopback */
    { { 0xfc }, 7 }, /* unique local */
    { { 0xfe, 0x80 }, 10 }, /* link-local */
};

static bool v4_private(uint32_t a)
{
    for (size_t i = 0; i < sizeof private_v4 / sizeof private_v4[0]; i++)
        if ((a ^ private_v4[i].net) >> (32 - private_v4[i].bits) == 0)
            return true;
    return false;
}

bool km_addr_private(const union km_addr *a)
{
    const uint8_t *six = a->in6.sin6_addr.s6_addr;

    if (a->sa.sa_family == AF_INET)
        return v4_private(ntohl(a->in.sin_addr.s_addr));
    if (a->sa.sa_family != AF_INET6)
        return false;
    if (v6_in(six, &mapped))
        return v4_private(V4(six[12], six[13], six[14], six[15]));
    for (size_t i = 0; i < sizeof private_v6 / sizeof private_v6[0]; i++)
        if (v6_in(six, &private_v6[i]))
            return true;
    return false;
}

bool km_addr_public(const union km_addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return v4_public(ntohl(a->in.sin_addr.s_addr));
    return a->sa.sa_family == AF_INET6 && v6_public(a->in6.sin6_addr.s6_addr);
}
