/* SPDX-License-Identifier: Apache-2.0 */
/* addr.c - socket addresses and their texts; the contract is in dns.h.
 *
 * inet_pton and not getaddrinfo reads literals: it takes "127.0.0.1" and "::1" and refuses the
 * spellings (0x7f.1, 2130706433, 017700000001) that resolvers accept and that hide where a
 * request goes.
 */
#include "sys/dns.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

socklen_t km_addr_len(const union km_addr *a)
{
    return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

bool km_addr_loopback(const union km_addr *a)
{
    const struct in6_addr *v6 = &a->in6.sin6_addr;

    if (a->sa.sa_family == AF_INET)
        return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
    if (a->sa.sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

static char *put_byte(char *at, unsigned v)
{
    if (v >= 100)
        *at++ = (char)('0' + v / 100);
    if (v >= 10)
        *at++ = (char)('0' + v / 10 % 10);
    *at++ = (char)('0' + v % 10);
    return at;
}

/* Every call writes its client's address into the books; inet_ntop() does this by sprintf(). */
static void ipv4_text(const struct in_addr *in, char *out)
{
    unsigned char b[4];

    memcpy(b, in, sizeof b);
    for (size_t i = 0; i < 4; i++) {
        out = put_byte(out, b[i]);
        *out++ = i < 3 ? '.' : '\0';
    }
}

void km_addr_host_text(const union km_addr *a, char out[KM_ADDR_TEXT])
{
    if (a->sa.sa_family == AF_INET)
        ipv4_text(&a->in.sin_addr, out);
    else if (a->sa.sa_family != AF_INET6 ||
             !inet_ntop(AF_INET6, &a->in6.sin6_addr, out, KM_ADDR_TEXT))
        snprintf(out, KM_ADDR_TEXT, "unknown");
}

void km_addr_text(const union km_addr *a, char out[KM_ADDR_TEXT])
{
    char host[KM_ADDR_TEXT];

    km_addr_host_text(a, host);
    if (a->sa.sa_family == AF_INET6)
        snprintf(out, KM_ADDR_TEXT, "[%.*s]:%u", INET6_ADDRSTRLEN, host,
                 (unsigned)ntohs(a->in6.sin6_port));
    else if (a->sa.sa_family == AF_INET)
        snprintf(out, KM_ADDR_TEXT, "%.*s:%u", INET_ADDRSTRLEN, host,
                 (unsigned)ntohs(a->in.sin_port));
    else
        snprintf(out, KM_ADDR_TEXT, "unknown");
}

/* "fe80::1%eth0" or "%2": the interface of a link-local address. */
static int parse_scope(const char *scope, uint32_t *ret_scope)
{
    uint64_t number;

    *ret_scope = if_nametoindex(scope);
    if (*ret_scope == 0 && km_str_u64(km_str_c(scope), &number) == 0 && number <= UINT32_MAX)
        *ret_scope = (uint32_t)number;
    return *ret_scope ? 0 : KM_E_INVALID;
}

int km_addr_parse(struct km_str host, uint16_t port, union km_addr *ret_addr)
{
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    union km_addr a;
    char *scope;

    memset(&a, 0, sizeof a);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = km_str_sub(host, 1, host.n - 2);
    if (host.n == 0 || host.n >= sizeof text || memchr(host.p, 0, host.n))
        return KM_E_INVALID;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(port);
        *ret_addr = a;
        return 0;
    }
    a.in6.sin6_family = AF_INET6;
    a.in6.sin6_port = htons(port);
    scope = strchr(text, '%');
    if (scope) {
        *scope++ = 0;
        if (parse_scope(scope, &a.in6.sin6_scope_id) < 0)
            return KM_E_INVALID;
    }
    if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
        return KM_E_INVALID;
    *ret_addr = a;
    return 0;
}
