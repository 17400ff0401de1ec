/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - threads that answer queries with one buffer of JSON, each over a read-only
 * connection of its own, so that no loop and no commit ever waits for one. */
#ifndef KM_STORE_READER_H
#define KM_STORE_READER_H

#include "store/store.h"

#define KM_READER_THREADS 2
#define KM_READER_QUEUE 1024 /* queries waiting; one more is KM_E_OVERLOADED */
#define KM_READER_JSON (64 * 1024 * 1024) /* largest answer */

struct km_db;
struct km_readers;

int km_readers_new(struct km_store *store, struct km_readers **ret_readers,
                   struct km_err *err) KM_MUST_USE;
/* Answers what is queued, joins. */
struct km_readers *km_readers_free(struct km_readers *r);

/* Runs on a reader thread.  query: the bytes given to km_reader_ask(). */
typedef int km_reader_fn(struct km_db *db, const void *query, struct km_buf *out,
                         struct km_err *err);

/* query_n bytes of query are copied; fn is called exactly once on reply's loop. */
void km_reader_ask(struct km_store *store, struct km_mailbox *reply, km_reader_fn *run,
                   const void *query, size_t query_n, km_store_json_fn *fn, void *ctx);

#endif
