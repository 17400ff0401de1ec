/* SPDX-License-Identifier: Apache-2.0 */
/* scalar.h - what a YAML scalar means, as PyYAML's safe_load decides it.
 *
 * Two steps as there: resolve (which type does plain text have?) and construct (its value).
 * Pure functions; nothing is allocated but from the arena given.
 */
#ifndef KM_CONFIG_SCALAR_H
#define KM_CONFIG_SCALAR_H

#include "config/tree.h"

enum km_scalar {
    KM_SCALAR_STR,
    KM_SCALAR_NULL,
    KM_SCALAR_BOOL,
    KM_SCALAR_INT,
    KM_SCALAR_FLOAT,
    KM_SCALAR_TIME,
    KM_SCALAR_MERGE, /* << : a merge key; no value has this type */
    KM_SCALAR_VALUE, /* =  : an ordinary key; no value has this type */
};

/* The type plain (unquoted, untagged) text resolves to. */
enum km_scalar km_scalar_resolve(struct km_str text);

/* Fills type, text and value of *node.  KM_E_INVALID where PyYAML raises: a date that does
 * not exist, "0b_", an !!int that is none, a value that is << or =. */
int km_scalar_construct(struct km_arena *arena, enum km_scalar kind, struct km_str text,
                        struct km_node *node, struct km_err *err) KM_MUST_USE;

#endif
