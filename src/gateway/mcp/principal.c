/* SPDX-License-Identifier: Apache-2.0 */
/* principal.c - whom an MCP client is, as a word: what its sessions, approvals, log-ins and parked
 * calls are bound to (turn.h). */
#include "base/crypto.h"
#include "base/encode.h"
#include "gateway/mcp/turn.h"

struct km_str km_mcp_principal(const struct km_visit *v, struct km_arena *arena)
{
    uint8_t hash[32];
    char hex[65];

    if (v->who.subject.n) {
        struct km_str n = km_arena_printf(arena, "%zu:", v->who.issuer.n);

        km_sha256_parts((struct km_str[]){ n, v->who.issuer, v->who.subject }, 3, hash);
        km_hex(hex, hash, 32);
        return n.n ? km_arena_printf(arena, "jwt:%s", hex) : KM_STR_NONE;
    }
    if (!v->who.key)
        return km_arena_str(arena, km_str_c(v->who.who));
    km_key_books(v->who.key, hash);
    km_hex(hex, hash, 32);
    return km_arena_printf(arena, "key:%s", hex);
}
