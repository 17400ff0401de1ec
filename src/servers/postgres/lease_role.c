/* SPDX-License-Identifier: Apache-2.0 */
/* lease_role.c - whether a session may be used at all: what its role may do, how it reads texts.
 *
 *     first of a database, then every POSTURE_MS:  posture ──> warned of, or refused
 *     every lease:                                 standard_conforming_strings is on
 *
 * A server that only reads and can be reached from other machines refuses a role that could do
 * more (`strict`); one that only its own machine reaches says so in the log.
 */
#include "servers/postgres/lease_inside.h"

#include <stdio.h>

#include "base/log.h"

#define POSTURE_MS 300000 /* then it is looked at again */

void km_pg_lease_take_role(struct km_pg_lease *l, enum km_pg_told told,
                           const struct km_pg_result *r)
{
    struct km_pg_db *db = l->db;
    struct km_pg_posture before = db->posture;

    if (told != KM_PG_END) {
        db->posture = (struct km_pg_posture){ .known = true, .writes = true };
        snprintf(db->posture.why, sizeof db->posture.why, "what it may do could not be found out");
    } else {
        km_pg_posture_take(r, &db->posture);
    }
    db->posture_ms = km_loop_now_ms(db->loop);
    if (db->args.log && db->posture.writes && strcmp(before.why, db->posture.why) != 0)
        km_log_msg(db->args.log, KM_LOG_WARN, "postgres.role",
                   "%.*s only reads, but its role could do more: %s", KM_STR_ARG(db->args.name),
                   db->posture.why);
}

bool km_pg_lease_role_known(const struct km_pg_lease *l)
{
    const struct km_pg_db *db = l->db;

    return l->request->own || db->args.mode > KM_PG_READ_ONLY || db->args.without_guard ||
           (db->posture.known && km_loop_now_ms(db->loop) - db->posture_ms < POSTURE_MS);
}

bool km_pg_lease_role_refused(struct km_pg_lease *l)
{
    const struct km_pg_db *db = l->db;

    if (l->request->own || !db->args.strict || !db->posture.writes)
        return false;
    km_fail(&l->err, KM_E_FORBIDDEN,
            "this server only reads and can be reached from other machines, but its role could do "
            "more: %s. Give it a role that may only SELECT",
            db->posture.why);
    return true;
}

bool km_pg_lease_readable(struct km_pg_lease *l)
{
    const char *strings = km_pg_conn_parameter(l->conn, "standard_conforming_strings");

    if (strcmp(strings, "on") == 0 && km_pg_conn_version(l->conn) > 0)
        return true;
    km_fail(&l->err, KM_E_UPSTREAM_PROTOCOL,
            "the database does not say that standard_conforming_strings is on: its texts could be "
            "read in two ways");
    return false;
}
