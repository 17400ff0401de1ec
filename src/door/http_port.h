/* SPDX-License-Identifier: Apache-2.0 */
/* http_port.h - an HTTP exchange as the port of whoever answers it: see host/port.h. */
#ifndef KM_DOOR_HTTP_PORT_H
#define KM_DOOR_HTTP_PORT_H

#include "host/port.h"
#include "host/visit.h"

/* The visit's exchange as a port, in its arena: it listens to the exchange from now on, and whoever
 * takes it listens to it (km_port_listen) before the loop goes on.  NULL: no memory; the exchange
 * is still the caller's. */
struct km_port *km_http_port(struct km_visit *v);

#endif
