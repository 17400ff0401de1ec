/* SPDX-License-Identifier: Apache-2.0 */
/* key_columns.h - the columns of a key, once: what the store writes and reads, and what moves with
 * a row's copy, is made of this list.
 *
 * A field of struct km_key_row that joins has a line here (and a migration that makes its column,
 * which has its name).  `hash` names the row, `spend` and `window_us` are the ledger's: they are
 * written by their own statements.
 */
#ifndef KM_STORE_KEY_COLUMNS_H
#define KM_STORE_KEY_COLUMNS_H

#include "store/driver.h"
#include "store/store.h"

/* TEXT(member): a struct km_str; LIST(member): a struct km_str_list, in its column a JSON array;
 * NUMBER(member): anything else. */
#define KM_KEY_COLUMNS(TEXT, LIST, NUMBER)                                                         \
    TEXT(name)                                                                                     \
    TEXT(alias)                                                                                    \
    LIST(models)                                                                                   \
    TEXT(user_id)                                                                                  \
    TEXT(team_id)                                                                                  \
    TEXT(metadata)                                                                                 \
    TEXT(extra)                                                                                    \
    NUMBER(max_budget)                                                                             \
    NUMBER(soft_budget)                                                                            \
    NUMBER(budget_duration_s)                                                                      \
    TEXT(budget_duration)                                                                          \
    NUMBER(budget_reset_us)                                                                        \
    NUMBER(rpm)                                                                                    \
    NUMBER(tpm)                                                                                    \
    NUMBER(max_parallel)                                                                           \
    NUMBER(expires_us)                                                                             \
    NUMBER(created_us)                                                                             \
    NUMBER(updated_us)                                                                             \
    TEXT(created_by)                                                                               \
    TEXT(updated_by)                                                                               \
    NUMBER(blocked)

/* A row as statements bind and read it: lists are texts there. */
struct km_key_bound {
    struct km_key_row row;
    struct km_str models;
    uint8_t old[32]; /* the hash it had */
};

#define KM_KEY_FIELD(member) KM_FIELD(struct km_key_bound, row.member),
#define KM_KEY_LIST_FIELD(member) KM_FIELD(struct km_key_bound, member),
/* Fields of all columns, each followed by a comma. */
#define KM_KEY_FIELDS KM_KEY_COLUMNS(KM_KEY_FIELD, KM_KEY_LIST_FIELD, KM_KEY_FIELD)

#define KM_KEY_NAME(member) #member ", "
/* "name, alias, ..., ": the columns' names, each followed by a comma. */
#define KM_KEY_NAMES KM_KEY_COLUMNS(KM_KEY_NAME, KM_KEY_NAME, KM_KEY_NAME)

#endif
