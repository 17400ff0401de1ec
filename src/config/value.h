/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - a node as the number a row asks for: units, durations, money, choices.
 *
 * Pure.  KM_E_INVALID comes with a text that says what was expected; it never holds the value.
 */
#ifndef KM_CONFIG_VALUE_H
#define KM_CONFIG_VALUE_H

#include "base/setting.h"
#include "config/tree.h"

/* For rows whose field is an int64_t (INT, BYTES, MS, SECONDS, ENUM, PRICE, MONEY), range
 * checked.  A NULL-typed node is the caller's business. */
int km_value_number(const struct km_setting *row, const struct km_node *node, int64_t *ret_value,
                    struct km_err *err) KM_MUST_USE;

bool km_value_is_number(enum km_setting_type type);

int km_value_bool(const struct km_node *node, bool *ret_value, struct km_err *err) KM_MUST_USE;

/* Strings, and scalars whose text was surely meant as one (numbers, dates). */
int km_value_str(const struct km_node *node, struct km_str *ret_value,
                 struct km_err *err) KM_MUST_USE;

/* "an integer", "a list" ...: for messages. */
const char *km_value_type_name(enum km_node_type type);
/* What a row takes, for messages and the reference. */
const char *km_value_expects(enum km_setting_type type);

#endif
