/* SPDX-License-Identifier: Apache-2.0 */
/* key_row.h - a copy of a key's row that owns its strings. */
#ifndef KM_STORE_KEY_ROW_H
#define KM_STORE_KEY_ROW_H

#include "base/arena.h"
#include "store/store.h"

/* Row and strings in one block; NULL when out of memory. */
struct km_key_row *km_key_row_new(const struct km_key_row *from);
/* Another whose strings lie in the arena, for who changes it; KM_E_NOMEM. */
int km_key_row_copy(const struct km_key_row *from, struct km_arena *arena,
                    struct km_key_row *ret) KM_MUST_USE;
struct km_key_row *km_key_row_free(struct km_key_row *row);

/* The list of models from the JSON array that km_buf_json_list() made of it: *ret_v is to be freed
 * (free()), its views with it.  What is not an array of plain strings is KM_E_INVALID. */
int km_key_models_parse(struct km_str json, struct km_str **ret_v, size_t *ret_n) KM_MUST_USE;

#endif
