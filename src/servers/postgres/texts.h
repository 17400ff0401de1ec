/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h - private to the server: statements of others, as a caller may see them. */
#ifndef KM_SERVERS_POSTGRES_TEXTS_H
#define KM_SERVERS_POSTGRES_TEXTS_H

#include "servers/postgres/tools.h"

/* An answer for tasks whose one value holds statements: km_pg_answer_value(), with every member
 * `query`, at whatever depth, without its values; or withheld, as texts.c says. */
km_pg_answer_fn km_pg_answer_texts;

/* It names what is narrowed (narrow.h's list, as JSON), or may. */
bool km_pg_text_withheld(const struct km_json *narrowed, struct km_str text);

#endif
