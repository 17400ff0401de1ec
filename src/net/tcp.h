/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.h - making connected TCP sockets, below the dialer.
 *
 * km_tcp_race() is happy eyeballs (RFC 8305): addresses alternate between the families, a new
 * attempt starts 250 ms after the last or as soon as it fails, the first to connect wins and
 * the others are closed.
 */
#ifndef KM_NET_TCP_H
#define KM_NET_TCP_H

#include "net/guard.h"
#include "net/stream.h"

#define KM_TCP_STAGGER_MS 250
#define KM_TCP_MAX_ADDRS 16 /* of a name with more, the first of each family are tried */

struct km_tcp_race;

/* stream (the callee's) or err, which names each address's failure.  Exactly once, never
 * synchronous; the race is gone after. */
typedef void km_tcp_race_fn(void *ctx, struct km_stream *stream, const struct km_err *err);

/* Addresses that the guard does not allow are refused.  NULL when out of memory. */
struct km_tcp_race *km_tcp_race_new(struct km_loop *loop, const union km_addr *addrs, size_t n,
                                    enum km_guard guard, km_tcp_race_fn *fn, void *ctx);
/* Stops it; no callback follows.  NULL is fine.  Returns NULL. */
struct km_tcp_race *km_tcp_race_free(struct km_tcp_race *race);

/* false when the kernel does not say. */
bool km_tcp_acked(int fd, uint64_t *ret_bytes);

#endif
