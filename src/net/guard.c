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
#include "net/guard.h"

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

/* Where machines of a cloud ask who they are, and what only the link they are on can have meant. */
static const struct v4_net metadata_v4[] = {
    { V4(169, 254, 0, 0), 16 }, /* link-local: AWS, GCP, Azure, OCI, OpenStack, Tencent ... */
    { V4(100, 100, 100, 200), 32 }, /* Alibaba */
    { V4(168, 63, 129, 16), 32 }, /* Azure's host */
    { V4(192, 0, 0, 192), 32 }, /* Oracle's first cloud */
};

static const struct v6_net metadata_v6[] = {
    { { 0xfe, 0x80 }, 10 }, /* link-local */
    { { 0xfd, 0x00, 0x0e, 0xc2 }, 32 }, /* AWS: ::254 and its neighbours */
    { { 0xfd, 0x20, 0x00, 0xce }, 32 }, /* GCP: ::254 */
    { { 0xfd, 0x00, 0x00, 0x42 }, 32 }, /* Scaleway: ::42 */
};

/* Forms of IPv6 that carry an IPv4 address, and at which byte; `flips`: it is inverted there. */
static const struct {
    struct v6_net net;
    unsigned at;
    bool flips;
} carriers[] = {
    { { { 0 }, 96 }, 12, false }, /* compatible, long deprecated */
    { { { [10] = 0xff, [11] = 0xff }, 96 }, 12, false }, /* mapped */
    { { { [8] = 0xff, [9] = 0xff }, 96 }, 12, false }, /* translated (RFC 2765) */
    { { { 0x00, 0x64, 0xff, 0x9b }, 96 }, 12, false }, /* NAT64 */
    { { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 }, 12, false }, /* NAT64 of one's own, /96 */
    { { { 0x20, 0x02 }, 16 }, 2, false }, /* 6to4 */
    { { { 0x20, 0x01, 0x00, 0x00 }, 32 }, 12, true }, /* Teredo */
};

static bool v4_metadata(uint32_t a)
{
    for (size_t i = 0; i < sizeof metadata_v4 / sizeof metadata_v4[0]; i++)
        if ((a ^ metadata_v4[i].net) >> (32 - metadata_v4[i].bits) == 0)
            return true;
    return false;
}

static bool v6_metadata(const uint8_t a[16])
{
    for (size_t i = 0; i < sizeof metadata_v6 / sizeof metadata_v6[0]; i++)
        if (v6_in(a, &metadata_v6[i]))
            return true;
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++) {
        const uint8_t *four = a + carriers[i].at;
        uint32_t v4 = V4(four[0], four[1], four[2], four[3]);

        if (v6_in(a, &carriers[i].net) && v4_metadata(carriers[i].flips ? ~v4 : v4))
            return true;
    }
    return false;
}

bool km_addr_metadata(const union km_addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return v4_metadata(ntohl(a->in.sin_addr.s_addr));
    return a->sa.sa_family == AF_INET6 && v6_metadata(a->in6.sin6_addr.s6_addr);
}

bool km_guard_allows(enum km_guard guard, const union km_addr *a, const char **ret_why)
{
    switch (guard) {
    case KM_GUARD_NONE:
        return true;
    case KM_GUARD_METADATA:
        *ret_why = "a link-local or metadata address, which only the configuration file may name";
        return !km_addr_metadata(a);
    case KM_GUARD_PUBLIC:
        break;
    }
    *ret_why = "not a public address";
    return km_addr_public(a);
}

bool km_addr_public(const union km_addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return v4_public(ntohl(a->in.sin_addr.s_addr));
    return a->sa.sa_family == AF_INET6 && v6_public(a->in6.sin6_addr.s6_addr);
}
