/* SPDX-License-Identifier: Apache-2.0 */
/* http_port.h - a call whose other end is an HTTP exchange. */
#ifndef KM_GATEWAY_HTTP_PORT_H
#define KM_GATEWAY_HTTP_PORT_H

#include "gateway/call.h"

/* Begins a call for the visit.  Takes it over: the exchange is answered by the call. */
void km_call_begin(struct km_visit *v, const struct km_call_kind *kind,
                   const struct km_llm_api *api);

#endif
