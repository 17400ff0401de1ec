/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - private to host/: the first configuration, and what of one is in force at once. */
#ifndef KM_HOST_LOAD_H
#define KM_HOST_LOAD_H

#include "host/gateway.h"

/* gw->current: of the file the program was started with and what was added to it.  What is to be
 * said of it is logged.  Main thread, blocking. */
int km_gateway_load_first(struct km_gateway *gw, struct km_err *err) KM_MUST_USE;
/* Log and bounds as gw->current has them. */
void km_gateway_apply(struct km_gateway *gw);

#endif
