/* SPDX-License-Identifier: Apache-2.0 */
/* request_state.h - the requestState kanmon gives to a stateless client, and gets back from it.
 *
 * It comes back from whoever holds it, so it is sealed: AES-256-GCM with a key of this process,
 * bound to the principal, the method and the digest of its params.  Inside: the replica and worker
 * that parked a call, or the server whose own state it wraps, and when it ends.  Another worker
 * reads whose it is and passes the message on; another replica cannot read it.
 */
#ifndef KM_MCP_REQUEST_STATE_H
#define KM_MCP_REQUEST_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/json.h"

#define KM_MCP_STATE_BYTES ((size_t)256 * 1024) /* of a state as text */

struct km_mcp_sealed {
    uint32_t worker; /* who parked the call */
    uint64_t park; /* its number there; 0: nothing is parked, `inner` is the server's own state */
    uint64_t ends_ms; /* monotonic */
    struct km_str server; /* the upstream */
    struct km_str inner;
};

struct km_mcp_state_place {
    const uint8_t *key; /* KM_AEAD_KEY_LEN bytes */
    uint32_t replica;
    struct km_str principal, method;
    const uint8_t *digest; /* 32 bytes: km_mcp_state_digest() */
};

/* SHA-256 of the params without _meta, inputResponses and requestState, members in order. */
int km_mcp_state_digest(const struct km_json *params, uint8_t ret[32],
                        struct km_err *err) KM_MUST_USE;
int km_mcp_state_seal(const struct km_mcp_state_place *place, const struct km_mcp_sealed *state,
                      struct km_buf *out, struct km_err *err) KM_MUST_USE;
/* KM_E_INVALID: changed, of another place, or over.  Strings in the arena. */
int km_mcp_state_open(const struct km_mcp_state_place *place, struct km_str text, uint64_t now_ms,
                      struct km_arena *arena, struct km_mcp_sealed *ret,
                      struct km_err *err) KM_MUST_USE;

#endif
