/* SPDX-License-Identifier: Apache-2.0 */
/* request_state.c - see request_state.h for the contract.
 *
 *     base64url( AEAD( worker:4 park:8 ends:8 nserver:2 server inner ) )
 *     aad = replica \n principal \n method \n digest
 *
 * What it is bound to is not inside but authenticated beside it: a state that is right for one
 * call is no text at all for another.  Numbers are in network order.
 */
#include "mcp/request_state.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "mcp/schema.h"

#define FIXED 22

static void put_number(struct km_buf *b, uint64_t v, unsigned bytes)
{
    while (bytes-- > 0)
        km_buf_byte(b, (char)(v >> (8 * bytes)));
}

static uint64_t get_number(const char *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static void put_place(const struct km_mcp_state_place *place, struct km_buf *b)
{
    put_number(b, place->replica, 4);
    put_number(b, place->principal.n, 4);
    km_buf_str(b, place->principal);
    put_number(b, place->method.n, 4);
    km_buf_str(b, place->method);
    km_buf_bytes(b, place->digest, 32);
}

/* Members in the order of their names, so that spelling does not matter; the digest of each value
 * is made on its own. */
int km_mcp_state_digest(const struct km_json *params, uint8_t ret[32], struct km_err *err)
{
    static const struct km_str skipped[] = { { "_meta", 5 },
                                             { "inputResponses", 14 },
                                             { "requestState", 12 } };
    uint8_t sum[32] = { 0 }, one[64];
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    for (km_json_iter(params, &it); km_json_next(&it, &key, &v);) {
        bool skip = false;
        int r;

        for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++)
            skip = skip || km_str_eq(key, skipped[i]);
        if (skip)
            continue;
        km_sha256(key, one);
        r = km_json_digest(v, one + 32, err);
        if (r < 0)
            return r;
        km_sha256(km_str((const char *)one, sizeof one), one);
        for (size_t i = 0; i < 32; i++) /* the order they stand in does not matter */
            sum[i] = (uint8_t)(sum[i] + one[i]);
    }
    memcpy(ret, sum, 32);
    return 0;
}

int km_mcp_state_seal(const struct km_mcp_state_place *place, const struct km_mcp_sealed *state,
                      struct km_buf *out, struct km_err *err)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_STATE_BYTES);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_STATE_BYTES + 64);
    int r;

    put_number(&plain, state->worker, 4);
    put_number(&plain, state->park, 8);
    put_number(&plain, state->ends_ms, 8);
    put_number(&plain, state->server.n, 2);
    km_buf_str(&plain, state->server);
    km_buf_str(&plain, state->inner);
    put_place(place, &aad);
    if (km_buf_failed(&plain) || km_buf_failed(&aad) || state->server.n > UINT16_MAX)
        return km_fail(err, KM_E_LIMIT, "the server's requestState is too large");
    r = km_aead_seal(place->key, km_buf_view(&plain), km_buf_view(&aad), &sealed, err);
    if (r == 0)
        km_buf_base64url(out, km_buf_view(&sealed));
    return r;
}

static int invalid(struct km_err *err)
{
    return km_fail(err, KM_E_INVALID, "Invalid or expired requestState");
}

int km_mcp_state_open(const struct km_mcp_state_place *place, struct km_str text, uint64_t now_ms,
                      struct km_arena *arena, struct km_mcp_sealed *ret, struct km_err *err)
{
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_MCP_STATE_BYTES);
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_MCP_STATE_BYTES);
    struct km_buf again KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_MCP_STATE_BYTES);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_str p;
    size_t n;

    put_place(place, &aad);
    if (text.n > 2 * KM_MCP_STATE_BYTES || km_buf_failed(&aad) ||
        km_buf_unbase64(&sealed, text) < 0)
        return invalid(err);
    km_buf_base64url(&again, km_buf_view(&sealed));
    if (!km_str_eq(km_buf_view(&again), text)) /* one spelling only */
        return invalid(err);
    if (km_aead_open(place->key, km_buf_view(&sealed), km_buf_view(&aad), &plain, err) < 0 ||
        plain.n < FIXED)
        return invalid(err);
    p = km_arena_str(arena, km_buf_view(&plain));
    n = p.n ? (size_t)get_number(p.p + 20, 2) : 0;
    if (!p.n || FIXED + n > p.n)
        return invalid(err);
    *ret = (struct km_mcp_sealed){ .worker = (uint32_t)get_number(p.p, 4),
                                  .park = get_number(p.p + 4, 8),
                                  .ends_ms = get_number(p.p + 12, 8),
                                  .server = km_str_sub(p, FIXED, n),
                                  .inner = km_str_skip(p, FIXED + n) };
    return ret->ends_ms > now_ms ? 0 : invalid(err);
}
