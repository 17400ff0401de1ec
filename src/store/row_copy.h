/* SPDX-License-Identifier: Apache-2.0 */
/* row_copy.h - a copy of a row that owns its strings, by the table of its columns. */
#ifndef KM_STORE_ROW_COPY_H
#define KM_STORE_ROW_COPY_H

#include "base/arena.h"
#include "store/key_columns.h"

/* A row: a struct, the columns that lie in it, and other texts of it that are no columns. */
struct km_row_shape {
    size_t size;
    const struct km_key_column *v;
    size_t n;
    const size_t *texts; /* offsets */
    size_t ntexts;
};

/* Row and strings in one block, for free(); NULL when out of memory. */
void *km_row_copy_new(const struct km_row_shape *shape, const void *from);
/* Into *ret, whose strings lie in the arena; KM_E_NOMEM. */
int km_row_copy(const struct km_row_shape *shape, const void *from, struct km_arena *arena,
                void *ret) KM_MUST_USE;

#endif
