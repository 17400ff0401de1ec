/* SPDX-License-Identifier: Apache-2.0 */
/* dns.h - names to addresses without blocking: c-ares on the loop, cached by TTL.
 *
 * Literal addresses and /etc/hosts answer too, through the same callback.  The cache is
 * bounded (1,024 names); TTLs are clamped to 1 s..1 h; failures are kept 1 s.  Queries for the
 * same name in flight are joined.
 */
#ifndef KM_SYS_DNS_H
#define KM_SYS_DNS_H

#include <netinet/in.h>

#include "sys/loop.h"

union km_addr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct km_dns;
struct km_dns_query;

struct km_dns *km_dns_new(struct km_loop *loop, struct km_err *err);
/* Queries in flight end with CANCELED, from inside this call; not from inside a callback. */
struct km_dns *km_dns_free(struct km_dns *dns);

/* Asks these servers instead of the system's: "192.0.2.1,[2001:db8::1]:5353". */
int km_dns_servers(struct km_dns *dns, const char *servers, struct km_err *err) KM_MUST_USE;

/* err NULL: n >= 1 addresses (ports set), IPv6 and IPv4 as the resolver sorted them; valid
 * inside the callback only.  Exactly once, never from inside km_dns_resolve(). */
typedef void km_dns_fn(void *ctx, const union km_addr *addrs, size_t n, const struct km_err *err);

/* NULL only when out of memory (then the callback never comes). timeout_ms bounds it all. */
struct km_dns_query *km_dns_resolve(struct km_dns *dns, struct km_str host, uint16_t port,
                                    uint64_t timeout_ms, km_dns_fn *fn, void *ctx);
void km_dns_cancel(struct km_dns_query *q); /* no callback follows */

/* "127.0.0.1:80", "[::1]:80" */
#define KM_ADDR_TEXT 56
void km_addr_text(const union km_addr *a, char out[KM_ADDR_TEXT]);
/* Only the address, without the port. */
void km_addr_host_text(const union km_addr *a, char out[KM_ADDR_TEXT]);
socklen_t km_addr_len(const union km_addr *a);
bool km_addr_loopback(const union km_addr *a);
/* Literal IPv4/IPv6 only (no name, no odd spelling such as 0x7f.1). */
int km_addr_parse(struct km_str host, uint16_t port, union km_addr *ret_addr) KM_MUST_USE;

#endif
