/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h - from a request's head to the handler of its route. */
#ifndef KM_DOOR_DISPATCH_H
#define KM_DOOR_DISPATCH_H

#include "host/visit.h"

/* By the control socket peers are local. */
extern const struct km_door km_http_door;

#endif
