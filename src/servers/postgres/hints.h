/* SPDX-License-Identifier: Apache-2.0 */
/* hints.h - private to the server: what to do about an error of PostgreSQL's that says nothing of
 * it. */
#ifndef KM_SERVERS_POSTGRES_HINTS_H
#define KM_SERVERS_POSTGRES_HINTS_H

#include "base/str.h"

/* For a SQLSTATE and the server's message; empty: there is none. */
struct km_str km_pg_hint(struct km_str sqlstate, struct km_str message);

#endif
