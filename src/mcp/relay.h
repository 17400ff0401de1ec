/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h - asks, subscriptions and words to a server that lives on another worker's loop; private
 * to mcp/.
 *
 * A stdio server is one process for all workers, at the desk that is its home.  The near end is
 * the asker's desk, the far end the home; between them are messages, so the events come on the
 * asker's loop.  Thread: that of the near desk.
 */
#ifndef KM_MCP_RELAY_H
#define KM_MCP_RELAY_H

#include "mcp/desk.h"

struct km_relay;

/* Is the server to be reached through a relay? */
bool km_relay_needed(const struct km_mcp_desk *d, const struct km_mcp_upstream *u);

/* As km_job_start() and what belongs to it; events follow.  NULL: no memory. */
struct km_relay *km_relay_ask(struct km_mcp_desk *d, const struct km_mcp_ask_args *args, bool own);
void km_relay_answer(struct km_relay *r, uint64_t question, bool is_error, struct km_str json);
void km_relay_note(struct km_relay *r, struct km_str method, struct km_str params);
void km_relay_cancel(struct km_relay *r, struct km_str reason); /* r is gone */
void km_relay_forget(struct km_relay *r); /* r is gone */

/* As km_mcp_subscribe(). */
struct km_relay *km_relay_subscribe(struct km_mcp_desk *d,
                                    const struct km_mcp_subscribe_args *args);
void km_relay_unsubscribe(struct km_relay *r); /* r is gone */

/* As km_mcp_tell(). */
void km_relay_tell(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                   const struct km_mcp_asker *asker, struct km_str method, struct km_str params);

/* relay.c: what a desk does with a message of a relay (desk->relayed). */
void km_relay_message_in(struct km_msg *msg, void *owner);

/* The near desk ends: every ask of it is told CANCELED. */
void km_relay_end_all(struct km_mcp_desk *d);

#endif
