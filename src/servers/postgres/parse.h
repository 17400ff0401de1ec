/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - PostgreSQL's own grammar: libpg_query, opened when the first guard is made.
 *
 * The tree is protobuf-c's (tree.h), in the caller's arena, and dies with it.
 *
 * Thread: any; the library keeps what it needs for each thread.
 */
#ifndef KM_SERVERS_POSTGRES_PARSE_H
#define KM_SERVERS_POSTGRES_PARSE_H

#include "base/arena.h"

#define KM_PG_SQL_BYTES ((size_t)256 * 1024) /* of a statement */
#define KM_PG_TREE_BYTES ((size_t)96 * 1024 * 1024) /* of its tree: what an arena must take */

struct km_pg_parser;
struct km_pg_types;
struct PgQuery__ParseResult;
struct PgQuery__ScanResult;

/* KM_E_UNSUPPORTED when the library is not there, with the package to install. */
int km_pg_parser_new(struct km_pg_parser **ret_parser, struct km_err *err) KM_MUST_USE;
struct km_pg_parser *km_pg_parser_free(struct km_pg_parser *parser);

/* sql: valid UTF-8 without NUL.  *ret_at is the byte where it goes wrong.  KM_E_INVALID with the
 * parser's words, KM_E_LIMIT when it nests too deep or is too long. */
int km_pg_parse(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                struct PgQuery__ParseResult **ret_tree, size_t *ret_at,
                struct km_err *err) KM_MUST_USE;

/* The words of a text, comments among them, with their places; in the arena.  KM_E_INVALID where it
 * has none (a quote that does not end), KM_E_LIMIT when there are too many for the arena. */
int km_pg_scan(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
               struct PgQuery__ScanResult **ret_words, struct km_err *err) KM_MUST_USE;

#define KM_PG_FINGERPRINT 24 /* bytes of one, with its NUL */
/* What stays of a statement when its values are left out, as a word.  sql was parsed before, so
 * it does not nest too deep.  Empty: it has none. */
void km_pg_fingerprint(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                       char *out, size_t cap);

/* The kinds of messages a tree may have. */
const struct km_pg_types *km_pg_parser_types(const struct km_pg_parser *parser);

#endif
