/* SPDX-License-Identifier: Apache-2.0 */
/* key_columns.c - the list of key_columns.h as a table.
 *
 * The list is a macro because the store's SQL is made of it when the program is built; who reads
 * columns at run time has this table.
 */
#include "store/key_columns.h"

#define COLUMN(member, kind, given, limits, ...)                                                   \
    { offsetof(struct km_key_row, member), KM_KEY_##kind, KM_KEY_##given, limits, __VA_ARGS__ },

const struct km_key_column km_key_columns[] = { KM_KEY_COLUMNS(COLUMN) };
const size_t km_key_columns_n = sizeof km_key_columns / sizeof km_key_columns[0];

const struct km_key_column *km_key_column_said(struct km_str said)
{
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_columns[i].said && km_str_eq(km_str_c(km_key_columns[i].said), said))
            return &km_key_columns[i];
    return NULL;
}
