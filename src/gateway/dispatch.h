/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h - from a request's head to the handler of its route. */
#ifndef KM_GATEWAY_DISPATCH_H
#define KM_GATEWAY_DISPATCH_H

#include "gateway/visit.h"

/* The server's on_request; ctx is the worker. */
void km_dispatch(void *worker, struct km_exchange *x);
/* The same for the control socket: peers are local. */
void km_dispatch_local(void *worker, struct km_exchange *x);
/* Error bodies for what the HTTP server refuses by itself. */
void km_dispatch_error(void *worker, const struct km_err *err, struct km_str path,
                       struct km_buf *out);

/* A control connection's peer is told by its address: family AF_UNIX, the uid in the place of
 * the IPv4 address. */
void km_local_peer(union km_addr *addr, unsigned uid);

#endif
