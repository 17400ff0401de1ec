/* SPDX-License-Identifier: Apache-2.0 */
/* near.h - private to the server: which names a name that does not exist may have meant. */
#ifndef KM_SERVERS_POSTGRES_NEAR_H
#define KM_SERVERS_POSTGRES_NEAR_H

#include "base/str.h"

/* Gives one text: up to three relations the role may read, as SQL writes them, nearest first; null
 * where none is near.  $1: the name that does not exist, without a schema. */
extern const char km_pg_near_sql[];

/* The name in PostgreSQL's words of an error, relation "hr.peple" does not exist: peple.  Empty:
 * there is none. */
struct km_str km_pg_near_name(struct km_str sqlstate, struct km_str message);

#endif
