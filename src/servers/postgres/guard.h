/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - may this statement run?  The verdict over a text of SQL, before any server sees it.
 *
 * The text is parsed by PostgreSQL's own grammar and the tree is walked as a whole: every node and
 * every field of a node must be on the list of the mode, every function on the list of functions.
 * What nobody thought of is refused.  What only a catalogue can tell (whose is this operator?) is
 * given along as references, for resolve.h to ask about before the statement runs.
 *
 * The statement to send is verdict.sql, not the text that came: functions without a schema carry
 * pg_catalog there, so that no function of the same name elsewhere can take their place.
 */
#ifndef KM_SERVERS_POSTGRES_GUARD_H
#define KM_SERVERS_POSTGRES_GUARD_H

#include "servers/postgres/parse.h"

#define KM_PG_REFS 2000 /* references of one statement */

enum km_pg_mode { KM_PG_READ_ONLY, KM_PG_DML, KM_PG_DDL, KM_PG_ADMIN };

/* "read-only", "dml", "ddl", "admin".  km_pg_mode_parse: false for other words. */
struct km_str km_pg_mode_name(enum km_pg_mode mode);
bool km_pg_mode_parse(struct km_str name, enum km_pg_mode *ret_mode);

enum km_pg_ref_kind {
    KM_PG_REF_RELATION,
    KM_PG_REF_FUNCTION, /* more: the extension it must belong to, "*": PostgreSQL's or any known
                         * one's; NULL: one of options->functions */
    KM_PG_REF_OPERATOR,
    KM_PG_REF_TYPE,
    KM_PG_REF_ATTRIBUTE, /* a.b, which calls b(a) where a has no column b */
    KM_PG_REF_SCALAR, /* the same, where a may be of any type: (1).b, FROM f() AS a */
    KM_PG_REF_SYSTEM, /* a relation of PostgreSQL's own schemas: what its columns are */
};

struct km_pg_ref {
    enum km_pg_ref_kind kind;
    struct km_str schema, name; /* schema is empty: by the search path */
    const char *more;
    int at; /* byte of the text that came; -1: unknown */
    struct km_pg_ref *next;
    const char *left, *right; /* of an operator: what it stands between, in the words of
                               * guard_types.c; NULL: unknown */
};

/* A function the configuration vouches for. */
struct km_pg_named {
    struct km_str schema, name;
};

struct km_pg_guard_options {
    enum km_pg_mode mode;
    const struct km_pg_named *functions; /* allow_functions */
    size_t nfunctions;
    bool of_view; /* the text is a view's definition: what it SHOWs is its owner's business */
};

struct km_pg_verdict {
    bool allowed;
    bool parsed; /* it is a statement of the grammar, allowed or not */
    char fingerprint[KM_PG_FINGERPRINT]; /* as km_pg_fingerprint(), where its lease made it */
    /* refused: a stable word, the node of the grammar, where, why, and what would pass */
    const char *code; /* "GUARD_FUNCTION" */
    const char *node; /* "FuncCall"; NULL: no tree */
    int at; /* byte; -1: unknown */
    struct km_str message, hint;
    /* allowed */
    struct km_str sql;
    const char *root; /* "SelectStmt" */
    struct km_pg_ref *refs;
    size_t nrefs;
    unsigned params; /* the highest $n */
    bool writes; /* it changes something, or may */
    bool pure; /* nothing of it outlives a ROLLBACK: only built-ins without effect on the session */
    bool explains;
    bool analyzes; /* EXPLAIN names ANALYZE: it may run */
    bool outside; /* it runs in no transaction: CREATE INDEX CONCURRENTLY and its like */
    struct km_str empties; /* tables that it empties uncounted, TRUNCATE and DROP TABLE, as JSON:
                            * [{"s": schema, "n": name}]; empty: none */
    bool cascades; /* and what refers to them */
    /* private to the lease: the state of the catalogue (unchanged.h) in which the look-up had
     * nothing against it, and pure as it was then; empty: none is known */
    struct km_str seen;
    bool seen_pure;
    struct km_str inserts; /* private: what was put where, for km_pg_verdict_place */
};

struct km_pg_guard;

int km_pg_guard_new(struct km_pg_guard **ret_guard, struct km_err *err) KM_MUST_USE;
struct km_pg_guard *km_pg_guard_free(struct km_pg_guard *guard);
const struct km_pg_parser *km_pg_guard_parser(const struct km_pg_guard *guard);

/* The verdict lives in the arena, which must take KM_PG_TREE_BYTES for the largest statement.
 * Negative only when there was no memory for a verdict: then nothing may run. */
int km_pg_guard_judge(const struct km_pg_guard *guard, struct km_arena *arena, struct km_str sql,
                      const struct km_pg_guard_options *options, struct km_pg_verdict *ret_verdict,
                      struct km_err *err) KM_MUST_USE;

/* Where a place of verdict->sql (a character from 1, as servers say it) is in the text that came */
int km_pg_verdict_place(const struct km_pg_verdict *v, int position);

#endif
