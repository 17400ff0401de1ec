/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h - messages from any thread to one loop.
 *
 * A message is intrusive and belongs to the receiver once posted; run() is called on the
 * loop's thread, exactly once, in posting order per sender.  Wake-ups are coalesced.
 */
#ifndef KM_SYS_MAILBOX_H
#define KM_SYS_MAILBOX_H

#include "sys/loop.h"

struct km_msg;
typedef void km_msg_fn(struct km_msg *msg, void *owner);

struct km_msg {
    struct km_msg *next;
    km_msg_fn *run; /* may free the message */
};

struct km_mailbox;

struct km_mailbox *km_mailbox_new(struct km_loop *loop, void *owner, struct km_err *err);
/* Loop thread; messages still queued are run first.  No posts may follow. */
struct km_mailbox *km_mailbox_free(struct km_mailbox *mb);
void km_mailbox_post(struct km_mailbox *mb, struct km_msg *msg); /* any thread */

#endif
