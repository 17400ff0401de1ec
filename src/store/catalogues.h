/* SPDX-License-Identifier: Apache-2.0 */
/* catalogues.h - what MCP servers offered when they were last asked: one JSON text a server.
 *
 * The store does not look into it.  `shape` says of which configuration it is true.
 */
#ifndef KM_STORE_CATALOGUES_H
#define KM_STORE_CATALOGUES_H

#include "store/store.h"

/* In place of the server's last one.  Copied before return; done may be NULL. */
void km_store_catalogue_put(struct km_store *store, struct km_mailbox *reply, struct km_str server,
                            struct km_str shape, struct km_str json, km_store_done_fn *done,
                            void *ctx);

typedef void km_catalogue_row_fn(void *ctx, struct km_str server, struct km_str shape,
                                 struct km_str json);
/* Every one; blocking, before loops run. */
int km_store_catalogues(struct km_store *store, km_catalogue_row_fn *each, void *ctx,
                        struct km_err *err) KM_MUST_USE;

#endif
