/* SPDX-License-Identifier: Apache-2.0 */
/* http_port.h - an HTTP exchange as the port of whoever answers it: see port.h. */
#ifndef KM_GATEWAY_HTTP_PORT_H
#define KM_GATEWAY_HTTP_PORT_H

#include "gateway/call.h"

/* The visit's exchange as a port, in its arena: it listens to the exchange from now on, and whoever
 * takes it listens to it (km_port_listen) before the loop goes on.  NULL: no memory. */
struct km_port *km_http_port(struct km_visit *v);
/* Begins a call for the visit.  Takes it over: the exchange is answered by the call. */
void km_call_begin(struct km_visit *v, const struct km_call_kind *kind,
                   const struct km_llm_api *api);

#endif
