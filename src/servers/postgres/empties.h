/* SPDX-License-Identifier: Apache-2.0 */
/* empties.h - private to the lease: the rows that TRUNCATE and DROP TABLE take away, counted before
 * they do, since afterwards nobody knows.
 */
#ifndef KM_SERVERS_POSTGRES_EMPTIES_H
#define KM_SERVERS_POSTGRES_EMPTIES_H

/* Gives one text, a statement that counts them; null where there is no table.  $1: the tables, as
 * km_pg_verdict.empties has them; $2: whether tables that refer to them are emptied too; $3: from
 * how many rows on it need not count further. */
extern const char km_pg_empties_sql[];

#endif
