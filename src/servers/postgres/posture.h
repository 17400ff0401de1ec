/* SPDX-License-Identifier: Apache-2.0 */
/* posture.h - what the role could do that a server which only reads should not be able to.
 *
 * The guard and READ ONLY hold without it; the role is the layer that still holds when both are
 * wrong.  It is looked at before the first statement of a caller, and now and then again.
 */
#ifndef KM_SERVERS_POSTGRES_POSTURE_H
#define KM_SERVERS_POSTGRES_POSTURE_H

#include "pg/conn.h"

#define KM_PG_POSTURE_BYTES 512

struct km_pg_posture {
    bool known;
    bool writes; /* it could change something */
    char why[KM_PG_POSTURE_BYTES]; /* of writes: what, for people */
};

/* One statement without parameters; one row of texts, a reason each. */
extern const char *const km_pg_posture_sql;

/* Reads its rows. */
void km_pg_posture_take(const struct km_pg_result *rows, struct km_pg_posture *ret);

#endif
