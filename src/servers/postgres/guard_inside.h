/* SPDX-License-Identifier: Apache-2.0 */
/* guard_inside.h - private to the guard: the walk, and what its parts share. */
#ifndef KM_SERVERS_POSTGRES_GUARD_INSIDE_H
#define KM_SERVERS_POSTGRES_GUARD_INSIDE_H

#include "servers/postgres/guard.h"
#include "servers/postgres/tree.h"

#define KM_PG_INSERTS 4000 /* functions that get their schema, and what stands around pg_settings */

#define KM_PG_MESSAGE(type, m) ((const type *)(const void *)(m))

struct km_pg_walk;
struct km_pg_lesser;
struct km_pg_hidden;

/* What a node means, beyond that it may stand there.  Negative: refused, the verdict says why. */
typedef int km_pg_check_fn(struct km_pg_walk *w, const ProtobufCMessage *message);

/* One kind of node: in which mode it may stand, with which fields. */
struct km_pg_node_rule {
    const char *name; /* as the grammar calls it, "SelectStmt" */
    const char *fields; /* words */
    const char *more; /* fields from more_mode on; NULL: none */
    km_pg_check_fn *check; /* NULL: nothing more */
    enum km_pg_mode mode; /* the least one */
    enum km_pg_mode more_mode;
};

extern const struct km_pg_node_rule km_pg_node_rules[];
extern const size_t km_pg_node_nrules;

/* A rule in the terms of the library's own descriptions. */
struct km_pg_ruled {
    const struct km_pg_node_rule *rule; /* NULL: never */
    uint8_t field_mode[64]; /* by field: the least mode; 255: never */
};

struct km_pg_guard {
    struct km_pg_parser *parser;
    const struct km_pg_types *types; /* the parser's */
    struct km_pg_ruled ruled[KM_PG_TYPES]; /* by type */
};

/* What is put into the text that is sent. */
struct km_pg_insert {
    uint32_t at; /* byte of the text that came */
    struct km_str text;
};

struct km_pg_walk {
    const struct km_pg_guard *guard;
    const struct km_pg_guard_options *options;
    struct km_arena *arena;
    struct km_str sql;
    struct km_pg_verdict *v;
    int at; /* the last place seen */
    unsigned depth;
    unsigned ninserts;
    struct km_pg_insert inserts[KM_PG_INSERTS]; /* in the order of the walk */
    struct km_pg_ref *columns; /* by one name, "*" among them; schema: what stands before it */
    struct km_pg_ref *calls; /* functions in FROM, by what they are called there; "*": any name */
    unsigned ncalls;
    const char *slow; /* guard_slow.c: what nothing can interrupt; NULL: nothing */
    int slow_at;
    bool quadratic; /* the same: even on what one statement can bring */
    bool swells; /* something makes long texts */
    unsigned chained; /* || */
    bool searches; /* the same: one long value for another */
    int searches_at;
    bool grows, gathers, counts; /* repeat(); aggregates; generate_series() */
    struct km_pg_ref *pairs; /* guard_types.c: what stands beside operators, and names given */
    struct km_pg_ref *made;
    unsigned nmade;
    bool opaque; /* names are given that nobody knows */
    uint64_t once[16], twice[16]; /* $n that were seen, and seen again */
    struct km_pg_lesser *lesser; /* relations of which not every column may be read */
};

/* guard_columns.c: such a relation, by its name there. */
struct km_pg_lesser {
    const struct km_pg_hidden *hidden;
    struct km_str name;
    bool renamed; /* so are its columns */
    int at;
    struct km_pg_lesser *next;
};

/* Fills the verdict and returns KM_E_FORBIDDEN. */
int km_pg_refuse(struct km_pg_walk *w, const char *code, const char *node, int at, const char *hint,
                 const char *fmt, ...) KM_PRINTF(6, 7) KM_MUST_USE;

/* What stands in a list of String nodes; more than two: the last two.  false: something else. */
bool km_pg_names(PgQuery__Node *const *nodes, size_t n, struct km_str *ret_schema,
                 struct km_str *ret_name);

int km_pg_refer(struct km_pg_walk *w, enum km_pg_ref_kind kind, struct km_str schema,
                struct km_str name, const char *more, int at) KM_MUST_USE;

/* An operator and what stands beside it, in the words of guard_types.c; NULL: unknown. */
int km_pg_refer_pair(struct km_pg_walk *w, struct km_str schema, struct km_str name,
                     const char *left, const char *right, int at) KM_MUST_USE;

/* text is put there into what is sent; it must live as long as the arena.  false: too many. */
bool km_pg_put(struct km_pg_walk *w, size_t at, struct km_str text);

/* The whole statement was walked. */
int km_pg_check_end(struct km_pg_walk *w) KM_MUST_USE;

/* guard_size.c: would the call make a value of more than ten million characters or elements? */
bool km_pg_too_large(const PgQuery__FuncCall *f, struct km_str name);

/* guard_slow.c: what nothing can interrupt. */
km_pg_check_fn km_pg_check_xml_table, km_pg_check_xml_column, km_pg_check_with;
int km_pg_check_slow(struct km_pg_walk *w, const PgQuery__FuncCall *f,
                     struct km_str name) KM_MUST_USE;
void km_pg_note_operator(struct km_pg_walk *w, struct km_str name, const PgQuery__Node *left,
                         const PgQuery__Node *right, int at);
void km_pg_note_type(struct km_pg_walk *w, struct km_str name, int at);
int km_pg_check_slow_end(struct km_pg_walk *w) KM_MUST_USE;

/* guard_columns.c: a relation with a column that tells secrets, and the end of the statement. */
int km_pg_check_hidden(struct km_pg_walk *w, const PgQuery__RangeVar *v) KM_MUST_USE;
int km_pg_check_hidden_end(struct km_pg_walk *w) KM_MUST_USE;

/* pg_catalog, information_schema. */
bool km_pg_is_system(struct km_str schema);

/* guard_checks.c: the checks of the rules about names. */
km_pg_check_fn km_pg_check_function, km_pg_check_column, km_pg_check_indirection,
    km_pg_check_operator, km_pg_check_sublink, km_pg_check_sort, km_pg_check_type,
    km_pg_check_relation, km_pg_check_join, km_pg_check_case, km_pg_check_call, km_pg_check_sample;

/* guard_types.c: an operator between two things, of CASE, of what runs more often than it is
 * written; before one; beside what a subselect gives, each of a list, the elements of an array.
 * Nodes may be NULL: unknown. */
int km_pg_pair(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
               const PgQuery__Node *left, const PgQuery__Node *right) KM_MUST_USE;
int km_pg_pair_case(struct km_pg_walk *w, int at, const PgQuery__Node *left,
                    const PgQuery__Node *right) KM_MUST_USE;
int km_pg_pair_again(struct km_pg_walk *w, struct km_str name, int at, const PgQuery__Node *left,
                     const PgQuery__Node *right) KM_MUST_USE;
int km_pg_pair_before(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                      const PgQuery__Node *operand) KM_MUST_USE;
int km_pg_pair_selected(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                        const PgQuery__Node *left, const PgQuery__Node *subselect) KM_MUST_USE;
int km_pg_pair_columns(struct km_pg_walk *w, struct km_str name, int at) KM_MUST_USE;
int km_pg_pair_list(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                    const PgQuery__Node *left, const PgQuery__Node *list) KM_MUST_USE;
int km_pg_pair_any(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                   const PgQuery__Node *left, const PgQuery__Node *array) KM_MUST_USE;
/* Names that a statement gives, and parameters by how often they stand there. */
km_pg_check_fn km_pg_check_alias, km_pg_check_made, km_pg_check_opaque, km_pg_check_subselect,
    km_pg_check_cte;
void km_pg_make(struct km_pg_walk *w, struct km_str name);
void km_pg_see_relation(struct km_pg_walk *w, const PgQuery__RangeVar *v);
void km_pg_see_call(struct km_pg_walk *w, const PgQuery__RangeFunction *f);
void km_pg_see_param(struct km_pg_walk *w, unsigned number);
/* The whole statement was walked: of each pair only what is sure is still told. */
void km_pg_pairs_end(struct km_pg_walk *w);

/* guard_json.c: SQL/JSON, and merge_action(). */
km_pg_check_fn km_pg_check_json;

/* An operator by its name, String nodes, and what it stands between; NULL: it is not told. */
int km_pg_refer_operator(struct km_pg_walk *w, PgQuery__Node *const *nodes, size_t n, int at,
                         const PgQuery__Node *left, const PgQuery__Node *right) KM_MUST_USE;

/* guard_statements.c: those about statements. */
km_pg_check_fn km_pg_check_explain, km_pg_check_show, km_pg_check_param, km_pg_check_write,
    km_pg_check_truncate, km_pg_check_index, km_pg_check_partition, km_pg_check_drop,
    km_pg_check_alter, km_pg_check_rename, km_pg_check_constraint, km_pg_check_move;

#endif
