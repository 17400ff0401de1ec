/* SPDX-License-Identifier: Apache-2.0 */
/* verdicts.h - what the guard said of texts it saw before.
 *
 * The guard's verdict depends on the text and on the options of its database alone, so it is kept
 * by the text.  What the names in it stand for depends on the catalogue: with the verdict is kept
 * in which state of it they were harmless.
 * Thread: its loop's.
 */
#ifndef KM_SERVERS_POSTGRES_VERDICTS_H
#define KM_SERVERS_POSTGRES_VERDICTS_H

#include "servers/postgres/guard.h"

struct km_pg_verdicts;

struct km_pg_verdicts *km_pg_verdicts_new(void); /* NULL: no memory */
struct km_pg_verdicts *km_pg_verdicts_free(struct km_pg_verdicts *c);

/* A copy in the arena; false: it is not there. */
bool km_pg_verdicts_find(const struct km_pg_verdicts *c, struct km_arena *arena, struct km_str sql,
                         struct km_pg_verdict *ret);
/* The look-up had nothing against the text in that state of the catalogue (unchanged.h). */
void km_pg_verdicts_seen(struct km_pg_verdicts *c, struct km_str sql, struct km_str state,
                         bool pure);
/* Keeps one that allows; others are not asked for twice. */
void km_pg_verdicts_keep(struct km_pg_verdicts *c, struct km_str sql,
                         const struct km_pg_verdict *v);

#endif
