/* SPDX-License-Identifier: Apache-2.0 */
/* models.h - models stored by the management API, kept beside those of the file.
 *
 * An entry is sealed by the key of the state folder, bound to its id: credentials are in it.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_MODELS_H
#define KM_STORE_MODELS_H

#include "store/store.h"

#define KM_MODEL_BYTES ((size_t)64 * 1024) /* an entry */

struct km_model_row {
    struct km_str id;
    struct km_str json; /* the entry, as one of model_list; empty: it goes */
};

/* Keeps, replaces or forgets, with its audit record.  Copied before return. */
void km_store_model_put(struct km_store *store, struct km_mailbox *reply,
                        const struct km_model_row *row, const struct km_audit *audit,
                        km_store_done_fn *done, void *ctx);

typedef int km_model_fn(void *ctx, const struct km_model_row *row, struct km_err *err);
/* Every one that opens, in the order in which they were made; blocking: before loops run.
 * *ret_lost: so many do not open. */
int km_store_models(struct km_store *store, km_model_fn *each, void *ctx, size_t *ret_lost,
                    struct km_err *err) KM_MUST_USE;

#endif
