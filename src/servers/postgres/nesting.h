/* SPDX-License-Identifier: Apache-2.0 */
/* nesting.h - how deep a statement may nest, judged by its text before anybody parses it.
 *
 * libpg_query turns its tree into a message by recursion and has no bound on it: a few kilobytes
 * of `1+1+1+...` are enough to run any stack over.  This finds an upper bound of the tree's depth
 * in one pass, without recursion and without memory but for a small stack of open brackets.
 */
#ifndef KM_SERVERS_POSTGRES_NESTING_H
#define KM_SERVERS_POSTGRES_NESTING_H

#include "base/str.h"

#define KM_PG_NESTING 1000 /* levels of a statement, its operators counted */
#define KM_PG_BRACKETS 250 /* open brackets, and CASE without END */

/* Never less than the depth of what PostgreSQL's grammar makes of it.  *ret_at is the place where
 * the bound was passed.  KM_E_LIMIT. */
int km_pg_nesting(struct km_str sql, size_t *ret_at, struct km_err *err) KM_MUST_USE;

#endif
