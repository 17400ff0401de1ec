/* SPDX-License-Identifier: Apache-2.0 */
/* normal.h - a statement's text without its values, for logs and for who may not see them. */
#ifndef KM_SERVERS_POSTGRES_NORMAL_H
#define KM_SERVERS_POSTGRES_NORMAL_H

#include "servers/postgres/parse.h"

/* "SELECT * FROM t WHERE a = ? AND b = $1": each literal is a question mark, comments are gone,
 * blanks are one; at most max bytes, then "...".  In the arena.  Empty where the text has no words
 * (a quote that does not end) or the arena no room: then nothing of it may be shown. */
struct km_str km_pg_normal(const struct km_pg_parser *parser, struct km_arena *arena,
                           struct km_str sql, size_t max);

#endif
