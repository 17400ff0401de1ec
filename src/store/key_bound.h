/* SPDX-License-Identifier: Apache-2.0 */
/* key_bound.h - the columns of a key as fields and names of statements (key_columns.h). */
#ifndef KM_STORE_KEY_BOUND_H
#define KM_STORE_KEY_BOUND_H

#include "store/key_columns.h"

/* A row as statements bind and read it: lists are texts there. */
struct km_key_bound {
    struct km_key_row row;
    struct km_str models;
    uint8_t old[32]; /* the hash it had */
};

/* KM_KEY_<kind>_FIELD: how a column of the kind lies in it. */
#define KM_KEY_TEXT_FIELD(member) KM_FIELD(struct km_key_bound, row.member)
#define KM_KEY_OBJECT_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_EXTRA_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_COUNT_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_MONEY_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_FLAG_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_TIME_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_SECONDS_FIELD KM_KEY_TEXT_FIELD
#define KM_KEY_LIST_FIELD(member) KM_FIELD(struct km_key_bound, member)

#define KM_KEY_FIELD(member, kind, ...) KM_KEY_##kind##_FIELD(member),
/* Fields of all columns, each followed by a comma. */
#define KM_KEY_FIELDS KM_KEY_COLUMNS(KM_KEY_FIELD)

#define KM_KEY_NAME(member, ...) #member ", "
/* "name, alias, ..., ": the columns' names, each followed by a comma. */
#define KM_KEY_NAMES KM_KEY_COLUMNS(KM_KEY_NAME)

#endif
