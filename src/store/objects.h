/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - files and batches that callers have at upstreams.
 *
 * An object belongs to the key that made it (or what that key's secret became); for everybody
 * else it does not exist.  A batch is charged by one call: the first that claims it.  A claim
 * whose call was never settled, because the process died, is no claim.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_OBJECTS_H
#define KM_STORE_OBJECTS_H

#include "base/id.h"
#include "store/store.h"

#define KM_OBJECT_ID_BYTES 256 /* a longer id is nobody's */
#define KM_OBJECT_JSON_BYTES (64 * 1024)
#define KM_OBJECTS_LIST_MOST 10000 /* in one answer */
/* SQL: the row is that of the key ?2, or of one whose secret became it. */
#define KM_OBJECT_MINE "(owner = ?2 OR owner IN (SELECT old FROM key_heirs WHERE hash = ?2))"

struct km_object {
    struct km_str id, kind; /* "file", "batch", "container", "made", "item", "audio" */
    struct km_str deployment, model;
    struct km_str json;
    uint8_t owner[32];
    bool charged; /* somebody has claimed it */
};

/* Keeps it, or what is new of it: json.  Copied before return; done may be NULL. */
void km_store_object_put(struct km_store *store, struct km_mailbox *reply,
                         const struct km_object *object, km_store_done_fn *done, void *ctx);
/* The record for km_object_read(); KM_E_NOT_FOUND where this owner has none of that kind. */
void km_store_object_get(struct km_store *store, struct km_mailbox *reply, struct km_str kind,
                         struct km_str id, const uint8_t owner[32], km_store_json_fn *fn,
                         void *ctx);
/* Views into the record. */
int km_object_read(struct km_str record, struct km_object *ret, struct km_err *err) KM_MUST_USE;
/* OpenAI's list of what the owner has, newest first: behind the object `after`, at most `limit`,
 * and of the purpose, where they are not empty. */
void km_store_object_list(struct km_store *store, struct km_mailbox *reply, struct km_str kind,
                          struct km_str after, struct km_str purpose, int64_t limit,
                          const uint8_t owner[32], km_store_json_fn *fn, void *ctx);
void km_store_object_delete(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                            const uint8_t owner[32], km_store_done_fn *done, void *ctx);
/* For the call to charge it: KM_E_EXISTS when another does or did. */
void km_store_object_claim(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                           const uint8_t owner[32], const struct km_uuid *call,
                           km_store_done_fn *done, void *ctx);

#endif
