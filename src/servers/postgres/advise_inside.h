/* SPDX-License-Identifier: Apache-2.0 */
/* advise_inside.h - private to the advisor: what its files share.
 *
 *     advise_reading.c      UPDATE, DELETE ──> the SELECT of the rows it looks for
 *     advise.c              a statement ──> uses of columns
 *     advise_made.c         lower(email) = $1 ──> the text of an index of that
 *     advise_facts.c        tables ──> what the catalogue knows, as JSON
 *     advise_candidates.c   uses and facts ──> indexes that could serve
 *     advise_index.c        one of them: is it there, its text, its size
 *     advise_cost.c         what each takes off, what it costs to keep; the best of a round
 *     advise_answer.c       what came of it, as JSON
 *     tools_advise.c        the tool: asks and explains
 *
 * Everything lives in the call's arena and is one loop's.
 */
#ifndef KM_SERVERS_POSTGRES_ADVISE_INSIDE_H
#define KM_SERVERS_POSTGRES_ADVISE_INSIDE_H

#include "http/json.h"
#include "servers/postgres/advise.h"

#define KM_PG_STATEMENTS 10
#define KM_PG_CANDIDATES 48
#define KM_PG_CHOSEN 5
#define KM_PG_WIDTH 3 /* key columns of an index */
#define KM_PG_INCLUDES 4 /* columns an index carries besides */
#define KM_PG_HINTS 4 /* what would help and is not installed */

struct km_pg_scan { /* of one of the statement's tables, in the plan without new indexes */
    const struct km_json *facts; /* NULL: no table that could be indexed */
    double rows, cost; /* what the planner expects; cost < 0: it is not read as a whole */
};

struct km_pg_advised {
    struct km_str sql;
    struct km_str of; /* the UPDATE or DELETE whose reading sql is; empty: it is itself */
    /* Both as they are shown.  pg_stat_statements takes constants out of what is planned only, so
     * here they go once more. */
    struct km_str shown, shown_of;
    struct km_pg_uses uses;
    struct km_pg_scan scans[KM_PG_TABLES];
    const char **values; /* of its $n */
    double weight, before, now; /* costs; negative: it could not be planned */
    double saved; /* by indexes HypoPG cannot suppose, as estimated */
    double limit; /* rows a LIMIT wants; 0: it has none */
    struct km_str error;
    struct km_str plan_before, plan_after; /* in words; after is empty where nothing was chosen */
};

enum km_pg_method { KM_PG_BTREE, KM_PG_GIN, KM_PG_BRIN };

struct km_pg_candidate {
    const struct km_json *table;
    enum km_pg_method method;
    struct km_str columns[KM_PG_WIDTH], includes[KM_PG_INCLUDES];
    bool down[KM_PG_WIDTH];
    size_t n, nincludes;
    const struct km_pg_fixed *only; /* a partial index; NULL: of all rows */
    double share; /* the part of the rows it has */
    const struct km_pg_made *made; /* of what is made of its only column; NULL: of the column */
    size_t also; /* 1 + place of one that is tried with it, for OR; 0: none */
    struct km_str opclass; /* of the last column, as SQL; empty: the type's own */
    struct km_str config; /* GIN of to_tsvector(config, column); empty: of the column */
    struct km_str ddl;
    double bytes, writes, total;
    bool estimated; /* not the planner's word */
    bool assumes; /* that a pattern, which is a parameter, begins with letters */
    bool chosen;
};

struct km_pg_advice {
    struct km_pg_advised statements[KM_PG_STATEMENTS];
    size_t nstatements;
    struct km_pg_candidate candidates[KM_PG_CANDIDATES];
    size_t ncandidates;
    struct km_str hypopg, pgss, trgm; /* schemas of the extensions; empty: not there */
    struct km_str since; /* what writes are counted from */
    bool workload; /* calls were counted over time: keeping an index counts as well */
    double age_s, window; /* of the counts of writes; the part of it that calls were counted in */
    size_t chosen[KM_PG_CHOSEN], nchosen, most;
    double most_bytes; /* of all that are chosen; 0: any */
    struct km_str hints[KM_PG_HINTS];
    size_t nhints;
    size_t si, ci; /* what is being explained; ci == ncandidates: the base */
    unsigned explains;
    uint64_t until_ms; /* no further plan after it */
    bool stopped; /* plans or time ran out */
};

/* --- facts --- */

extern const char *const km_pg_advice_facts_sql[];
/* @schema@: of pg_stat_statements; the second for releases that do not tell since when. */
extern const char km_pg_advice_workload_sql[], km_pg_advice_workload_13_sql[];
/* $1: [{"s": schema or "", "n": name}], $2: what is narrowed, of which no value is told,
 * $3: ["column", ...] of which common values are wanted */
extern const char *const km_pg_advice_tables_sql[];

/* A member as a number that is not negative. */
double km_pg_fact(const struct km_json *v, const char *name, double otherwise);
bool km_pg_fact_flag(const struct km_json *v, const char *name);
struct km_str km_pg_fact_text(const struct km_json *v, const char *name);
const struct km_json *km_pg_fact_column(const struct km_json *table, struct km_str name);
/* Sets each statement's scans[].facts and values. */
void km_pg_advice_facts(struct km_pg_advice *a, const struct km_json *tables,
                        struct km_arena *arena);
/* LIKE 'abc%', or a parameter that may be such. */
bool km_pg_use_begins(const struct km_pg_use *use);
/* Does the use mean a column of the statement's table k? */
bool km_pg_use_of(const struct km_pg_advised *s, size_t k, struct km_str table,
                  struct km_str column);

/* --- candidates --- */

void km_pg_advice_candidates(struct km_pg_advice *a, struct km_arena *arena);
bool km_pg_candidate_there(const struct km_pg_candidate *c); /* in the catalogue, or a wider one */
double km_pg_candidate_bytes(const struct km_pg_candidate *c);
void km_pg_candidate_ddl(const struct km_pg_candidate *c, struct km_buf *b);
/* Does the index of the catalogue begin with the first n columns, compared and sorted alike? */
bool km_pg_index_begins(const struct km_json *index, const struct km_pg_candidate *c, size_t n);

/* --- cost --- */

/* Reads rows and cost of the tables' scans off the plan without new indexes. */
void km_pg_advice_scans(struct km_pg_advised *s, const struct km_json *plan);
/* What the index would take off the statement, by our own estimate. */
double km_pg_advice_saves(const struct km_pg_candidate *c, const struct km_pg_advised *s);
bool km_pg_advice_concerns(const struct km_pg_candidate *c, const struct km_pg_advised *s);
/* c->total with the index, by estimate alone. */
void km_pg_advice_estimate(const struct km_pg_advice *a, struct km_pg_candidate *c);
double km_pg_candidate_write(const struct km_pg_candidate *c); /* cost of keeping it, a row */
/* What keeping it costs in the whole; 0 where nothing was counted over time. */
double km_pg_advice_upkeep(const struct km_pg_advice *a, const struct km_pg_candidate *c);
/* Keeps the best candidate that was costed; false: none is worth it. */
bool km_pg_advice_choose(struct km_pg_advice *a);

/* --- answer --- */

/* Appends it as one object; b fails where it is too large. */
void km_pg_advice_put(const struct km_pg_advice *a, struct km_buf *b);

#endif
