/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h - from a request's head to the handler of its route. */
#ifndef KM_GATEWAY_DISPATCH_H
#define KM_GATEWAY_DISPATCH_H

#include "gateway/auth.h"

/* By the control socket peers are local. */
extern const struct km_door km_http_door;

#endif
