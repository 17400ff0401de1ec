/* SPDX-License-Identifier: Apache-2.0 */
/* id.c - see id.h for the contract.
 *
 * Only what we write ourselves is read: exactly 42 lower-case hexadecimal digits.  Whatever else
 * a client sends is an id we never gave, and is told so by whoever asks (404), not here.
 * The random bits are OpenSSL's; without them no session is begun.
 */
#include "mcp/session/id.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/encode.h"

int km_mcp_session_id_make(uint32_t replica, size_t worker, char ret[KM_MCP_SESSION_ID_LEN + 1],
                           struct km_err *err)
{
    uint8_t random[16];
    int r = km_random(random, sizeof random, err);

    if (r < 0)
        return r;
    km_assert(worker < KM_MCP_WORKERS_MAX);
    snprintf(ret, 11, "%08x%02x", (unsigned)replica, (unsigned)worker);
    km_hex(ret + 10, random, sizeof random);
    return 0;
}

bool km_mcp_session_id_owner(struct km_str id, uint32_t replica, size_t *ret_worker)
{
    uint8_t b[5]; /* replica and worker; whether there is one with the rest, the owner knows */
    char again[2 * sizeof b + 1];

    if (id.n != KM_MCP_SESSION_ID_LEN || km_unhex(km_str_sub(id, 0, 2 * sizeof b), b, sizeof b) < 0)
        return false;
    km_hex(again, b, sizeof b); /* one spelling only */
    if (memcmp(again, id.p, 2 * sizeof b) != 0)
        return false;
    if (((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]) != replica)
        return false;
    *ret_worker = b[4];
    return true;
}
