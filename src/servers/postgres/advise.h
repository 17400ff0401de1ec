/* SPDX-License-Identifier: Apache-2.0 */
/* advise.h - private to the server: which columns of a statement an index could serve.
 *
 * Read off the statement's own tree: what stands beside what operator, and in what order rows are
 * wanted.  Whose a column is, is for the catalogue to say: a name without a table may be any of the
 * tables'.
 */
#ifndef KM_SERVERS_POSTGRES_ADVISE_H
#define KM_SERVERS_POSTGRES_ADVISE_H

#include <pg_query/pg_query.pb-c.h>

#include "base/arena.h"
#include "servers/postgres/parse.h"

#define KM_PG_USES 128 /* of one statement */
#define KM_PG_TABLES 16
#define KM_PG_FIXED 8 /* constant conditions of one statement */
#define KM_PG_LITERAL 100 /* bytes of a constant that may stand in a partial index */

enum km_pg_use_kind {
    KM_PG_USE_READ, /* it is wanted, or stands in something no index serves */
    KM_PG_USE_EQUAL,
    KM_PG_USE_RANGE,
    KM_PG_USE_ORDER,
    KM_PG_USE_HOLDS, /* @> ? ?| ?& @? @@ &&: what an inverted index finds */
    KM_PG_USE_PATTERN, /* LIKE or ILIKE that does not begin with a letter: trigrams */
    KM_PG_USE_PREFIX, /* LIKE 'abc%': a btree that compares byte by byte */
    KM_PG_USE_MADE, /* what is made of it is compared: lower(email) = 'x' */
};

/* What is made of a column, as the text around its name; type: of the column, where it must be
 * that one. */
struct km_pg_made {
    struct km_str before, after;
    const char *type;
};

struct km_pg_use {
    struct km_str table; /* alias or name as it was written; empty: not said */
    struct km_str column;
    struct km_str op; /* HOLDS: the operator */
    struct km_str config; /* HOLDS: of to_tsvector(config, column); empty: the column itself */
    struct km_pg_made made; /* MADE */
    enum km_pg_use_kind kind;
    unsigned param; /* the $n it is compared with; 0: none */
    bool down; /* ORDER: descending */
    bool first; /* ORDER: only its first row is wanted, max() */
    bool may_begin; /* PATTERN: a parameter, which may begin with letters */
};

/* A condition on every row the statement takes: an index of such rows alone serves it. */
struct km_pg_fixed {
    struct km_str table, column;
    struct km_str after; /* behind the column, as SQL: " = 'open'", " IS NULL"; empty: it is true */
    struct km_str value; /* as pg_stats writes it; empty: after says it all */
    bool not ; /* NOT column */
};

struct km_pg_named_table {
    struct km_str schema, name, alias; /* alias: what columns call it */
};

struct km_pg_uses {
    struct km_pg_use v[KM_PG_USES];
    size_t n;
    struct km_pg_named_table tables[KM_PG_TABLES];
    size_t ntables;
    struct km_pg_fixed fixed[KM_PG_FIXED];
    size_t nfixed;
    unsigned params; /* the highest $n */
    bool computed; /* a condition compares what is made of a column: lower(email), doc->>'a' */
    bool either; /* OR */
    bool whole; /* whole rows are wanted (SELECT *), or columns that found no place above */
};

/* Views of the tree, which lives in the arena.  KM_E_INVALID: not one statement that parses. */
int km_pg_uses_find(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                    struct km_pg_uses *ret, struct km_err *err) KM_MUST_USE;

/* The column that something is made of, if that can be the text of an index; NULL: it is none. */
const PgQuery__Node *km_pg_made_of(struct km_arena *arena, const PgQuery__Node *node,
                                   struct km_pg_made *ret);

/* The rows an UPDATE or DELETE looks for, as a SELECT whose $n are counted anew; in the arena.
 * Empty: it is neither, begins with WITH, or looks at all rows. */
struct km_str km_pg_reading(const struct km_pg_parser *parser, struct km_arena *arena,
                            struct km_str sql);

#endif
