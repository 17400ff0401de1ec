/* SPDX-License-Identifier: Apache-2.0 */
/* subject.h - the token a caller came with, kept to be exchanged for another (RFC 8693).
 *
 *     door/jwt ── judged good ──> subject ──> visit, asker, job ──> oauth/exchange.c
 *
 * It is made only where a server exchanges tokens, lives as long as a request or session needs it,
 * and is wiped with its last reference.  It is never stored, and no error or log line has it.
 *
 * Immutable; any thread.
 */
#ifndef KM_MCP_OAUTH_SUBJECT_H
#define KM_MCP_OAUTH_SUBJECT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/crypto.h"

#define KM_MCP_SUBJECT_BYTES ((size_t)16 * 1024) /* of a token; a longer one is not exchanged */

struct km_mcp_subject {
    _Atomic unsigned refs;
    struct km_secret token;
    uint8_t digest[KM_SHA256_LEN]; /* of the token */
};

/* NULL: it is too long, or no memory. */
struct km_mcp_subject *km_mcp_subject_new(struct km_str token);
struct km_mcp_subject *km_mcp_subject_ref(struct km_mcp_subject *s); /* NULL is fine */
void km_mcp_subject_unref(struct km_mcp_subject *s); /* NULL is fine */
/* A reference that goes with the arena.  KM_E_NOMEM: there is none.  NULL is fine. */
int km_mcp_subject_hold(struct km_mcp_subject *s, struct km_arena *arena) KM_MUST_USE;

#endif
