/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.h - private to the guard: what to write instead of a text that does not parse, and what a
 * node of the grammar is called in SQL. */
#ifndef KM_SERVERS_POSTGRES_SYNTAX_H
#define KM_SERVERS_POSTGRES_SYNTAX_H

#include "base/str.h"

/* at: the byte where the parser stopped; message: its words.  Static, never empty. */
struct km_str km_pg_syntax_hint(struct km_str sql, size_t at, struct km_str message);

/* "CREATE FUNCTION" of CreateFunctionStmt; the node itself where SQL has no word for it. */
const char *km_pg_node_words(const char *node);
/* What to do instead of such a statement; NULL: nothing of its own. */
const char *km_pg_node_hint(const char *node);

#endif
