/* SPDX-License-Identifier: Apache-2.0 */
/* id.h - ids of MCP sessions: which process and worker owns one, and 128 random bits.
 *
 *     7f3a91c2 03 9d0e...                    hexadecimal digits, nothing else
 *     replica  worker  random (32 digits)
 *
 * The owner is read from the id, so that any worker can pass a message on; the random part makes
 * it unguessable.  An id of another process names no session here.
 */
#ifndef KM_MCP_SESSION_ID_H
#define KM_MCP_SESSION_ID_H

#include "base/str.h"

#define KM_MCP_SESSION_ID_LEN 42
#define KM_MCP_WORKERS_MAX 256

int km_mcp_session_id_make(uint32_t replica, size_t worker, char ret[KM_MCP_SESSION_ID_LEN + 1],
                           struct km_err *err) KM_MUST_USE;

/* true: it begins as those of this process; *ret_worker may still be more than there are, and the
 * owner may not know the rest. */
bool km_mcp_session_id_owner(struct km_str id, uint32_t replica, size_t *ret_worker);

#endif
