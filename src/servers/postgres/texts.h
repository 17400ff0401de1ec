/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h - private to the server: statements of others, as a caller may see them. */
#ifndef KM_SERVERS_POSTGRES_TEXTS_H
#define KM_SERVERS_POSTGRES_TEXTS_H

#include "servers/postgres/tools.h"

/* An answer for tasks whose one value holds statements: km_pg_answer_value(), with every member
 * `query`, at whatever depth, without its values; or withheld, as texts.c says. */
int km_pg_answer_texts(struct km_pg_task *task, const struct km_pg_outcome *o,
                       struct km_err *err) KM_MUST_USE;
/* As km_pg_ask(), and so answered. */
int km_pg_ask_texts(struct km_mcp_call *call, const char *const *pieces, const char *const *names,
                    size_t n, struct km_err *err) KM_MUST_USE;

#endif
