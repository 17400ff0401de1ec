/* SPDX-License-Identifier: Apache-2.0 */
/* writer.h - the thread that owns the only writing connection, and its queue.
 *
 * Work comes as operations (answered one by one) and as chunks of the workers' ledgers.  The
 * writer takes all there is, writes it in one transaction, answers, and looks again.
 */
#ifndef KM_STORE_WRITER_H
#define KM_STORE_WRITER_H

#include "store/chunk.h"
#include "store/op.h"

struct km_writer;

/* Opens the connection, charges what a crash left open (unless handed_over), starts the thread. */
int km_writer_new(struct km_store *store, bool handed_over, struct km_writer **ret_writer,
                  struct km_err *err) KM_MUST_USE;
/* Writes everything queued, joins. */
struct km_writer *km_writer_free(struct km_writer *w);

/* Something lies in a ledger.  Cheap when the writer knows.  urgent: do not wait for more. */
void km_writer_wake(struct km_writer *w, bool urgent);
/* Takes a list of chunks over (NULL is fine). */
void km_writer_adopt(struct km_writer *w, struct km_chunk *list);

/* The operation belongs to the writer from here on; answered exactly once, after the commit. */
void km_writer_submit(struct km_writer *w, struct km_op *op);

/* See km_store_release_writer() and km_store_forward(). */
int km_writer_release(struct km_writer *w, struct km_err *err) KM_MUST_USE;
/* See km_store_take_back(). */
int km_writer_take_back(struct km_writer *w, struct km_err *err) KM_MUST_USE;
void km_writer_forward(struct km_writer *w, km_ledger_forward_fn *fn, void *ctx);

#endif
