/* SPDX-License-Identifier: Apache-2.0 */
/* poll.h - looks at batches until they have ended, so that each is charged without its owner. */
#ifndef KM_GATEWAY_POLL_H
#define KM_GATEWAY_POLL_H

#include "gateway/gateway.h"

struct km_batch_poll;

/* One a gateway: worker 0's, on its loop.  NULL: no memory. */
struct km_batch_poll *km_batch_poll_new(struct km_worker *w);
/* Nothing is begun any more and what runs is stopped; the last of it has ended when the worker
 * has no calls. */
void km_batch_poll_end(struct km_batch_poll *p);
struct km_batch_poll *km_batch_poll_free(struct km_batch_poll *p); /* NULL is fine */

#endif
