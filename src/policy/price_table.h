/* SPDX-License-Identifier: Apache-2.0 */
/* price_table.h - the rows of the built-in price table; read by price_table.c only. */
#ifndef KM_POLICY_PRICE_TABLE_H
#define KM_POLICY_PRICE_TABLE_H

#include <stddef.h>

#include "policy/price.h"

struct km_price_builtin {
    const char *names; /* "provider/model", or globs with '*', parted by spaces */
    const char *json; /* LiteLLM's members, those that price_columns.h knows */
};

extern const struct km_price_builtin km_price_builtin[];
extern const size_t km_price_builtin_n;
extern const char km_price_builtin_source[]; /* package, version, date */

#endif
