/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.h - the pairs of one YAML mapping: merge keys, duplicates, order.
 *
 * Merge first, then add the mapping's own pairs; k, v and n are the outcome and live in the
 * arena.  At most `room` different keys.
 */
#ifndef KM_CONFIG_PAIRS_H
#define KM_CONFIG_PAIRS_H

#include "config/diag.h"

struct km_map;

struct km_pairs {
    struct km_arena *arena;
    struct km_diags *diags;
    struct km_map *index; /* a key's identity to its position + 1 */
    const struct km_node **k, **v;
    bool *own; /* the value is the mapping's own, not merged */
    const struct km_node **from; /* the key that brought the value */
    size_t n;
    const struct km_lost *lost; /* own values whose keys came again */
};

/* Fails with KM_E_NOMEM only, as do the others; done() is due also after a failure. */
int km_pairs_init(struct km_pairs *ps, struct km_arena *arena, struct km_diags *diags,
                  size_t room) KM_MUST_USE;
void km_pairs_done(struct km_pairs *ps);

/* The value of `<<`: a MAP, or a SEQ of MAPs of which the first wins. */
int km_pairs_merge(struct km_pairs *ps, const struct km_node *value) KM_MUST_USE;

/* Overrides merged pairs silently, and an own one of the same key with a warning. */
int km_pairs_own(struct km_pairs *ps, const struct km_node *key,
                 const struct km_node *value) KM_MUST_USE;

#endif
