/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.h - private to the guard: what to write instead of a text that does not parse. */
#ifndef KM_SERVERS_POSTGRES_SYNTAX_H
#define KM_SERVERS_POSTGRES_SYNTAX_H

#include "base/str.h"

/* at: the byte where the parser stopped; message: its words.  Static, never empty. */
struct km_str km_pg_syntax_hint(struct km_str sql, size_t at, struct km_str message);

#endif
