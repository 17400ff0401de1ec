/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - what the names of a statement stand for, asked of the catalogue before it runs. */
#ifndef KM_SERVERS_POSTGRES_RESOLVE_H
#define KM_SERVERS_POSTGRES_RESOLVE_H

#include "base/buf.h"
#include "servers/postgres/guard.h"
#include "pg/conn.h"

/* A setting of ours that every session begins with: where it is not known, none of them arrived. */
#define KM_PG_PINNED "kanmon.pinned"

/* First in a transaction: sets its limits, puts pg_catalog first on the search path, and takes the
 * snapshot, after which a transaction cannot be made writable any more.  $1 statement_timeout,
 * $2 lock_timeout, both in milliseconds.  km_pg_anchor tells the state of unchanged.h too.
 * km_pg_anchor_sure fails with KM_PG_NOT_SURE unless that is $3, its parts with a space between. */
extern const char km_pg_anchor[], km_pg_anchor_sure[], km_pg_anchor_pooled[];
#define KM_PG_NOT_SURE "22P02"
/* Before and after the look-up: its plan is made once, where it is prepared (making it takes ten
 * times as long as running it), and never compiled; statements of callers have plans of their own
 * as ever. */
extern const char km_pg_plan_once[], km_pg_plan_as_ever[];
/* The anchor's settings for the session: where there is no transaction. */
extern const char km_pg_session[];
/* A text of our own is about the catalogue too: not compiled, and with no operators but
 * PostgreSQL's.  It begins, the text is put behind the declaration, the path comes back for what it
 * says of names, and it runs. */
extern const char km_pg_own_begins[], km_pg_own_declares[], km_pg_own_path_back[], km_pg_own_runs[];
/* The setting that has the schemas of the path, where our texts have it no more. */
#define KM_PG_SCHEMAS "kanmon.schemas"
/* Rows the session has changed, those of triggers and cascades too: one number that only grows
 * within a transaction. */
extern const char km_pg_changed[];

/* The query that asks: one row a finding: kind, at, text.  $1: km_pg_resolve_refs(), $2:
 * km_pg_extensions. */
void km_pg_resolve_sql(struct km_buf *out);

/* The references and what is narrowed (narrow.h's list) as JSON, NUL-terminated, in the arena;
 * NULL: out of memory. */
const char *km_pg_resolve_refs(const struct km_pg_verdict *v, struct km_arena *arena,
                               const struct km_pg_guard_options *options, struct km_str narrowed);

/* Looks at the rows of the query, views' definitions among them.  Turns the verdict into a
 * refusal, or leaves it.  Negative: out of memory, and nothing may run. */
int km_pg_resolve_take(const struct km_pg_guard *guard, const struct km_pg_guard_options *options,
                       struct km_arena *arena, const struct km_pg_result *rows,
                       struct km_pg_verdict *v, struct km_err *err) KM_MUST_USE;

#endif
