/* SPDX-License-Identifier: Apache-2.0 */
/* listing.c - see listing.h for the contract.
 *
 * A catalogue is immutable and dies as a whole, so a list that outlives the catalogue it came with
 * is copied: its strings lie in that catalogue's arena.
 */
#include "mcp/catalogue/listing.h"

#include "base/crypto.h"

const char *km_mcp_known_name(enum km_mcp_known known)
{
    static const char *const names[] = { "unknown", "known", "undeclared", "stale" };

    return names[known];
}

static void take_hash(struct km_mcp_listing *l)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF((l->n + 1) * sizeof l->hash);

    for (size_t i = 0; i < l->n; i++)
        km_buf_bytes(&all, l->v[i].hash, sizeof l->v[i].hash);
    km_sha256(km_buf_view(&all), l->hash);
}

/* The items and hash of before. */
static void copy_items(struct km_mcp_listing *l, const struct km_mcp_listing *before,
                       struct km_arena *arena)
{
    struct km_mcp_item *v = km_arena_zalloc(arena, (before->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < before->n; i++) {
        v[i] = before->v[i];
        v[i].json = km_arena_str(arena, v[i].json);
        v[i].name = km_arena_str(arena, v[i].name);
    }
    l->v = v;
    l->n = v ? before->n : 0;
    memcpy(l->hash, before->hash, sizeof l->hash);
}

static enum km_mcp_known after(enum km_mcp_known was, enum km_listing_word word, bool declared)
{
    switch (word) {
    case KM_LISTING_RESULT:
        return KM_MCP_LIST_KNOWN;
    case KM_LISTING_NOT_DECLARED:
        return KM_MCP_LIST_UNDECLARED;
    case KM_LISTING_NOT_ASKED:
        return was;
    case KM_LISTING_NO_METHOD:
        if (!declared)
            return KM_MCP_LIST_UNDECLARED;
        break;
    case KM_LISTING_FAILURE:
        break;
    }
    return was == KM_MCP_LIST_KNOWN || was == KM_MCP_LIST_STALE ? KM_MCP_LIST_STALE
                                                                : KM_MCP_LIST_UNKNOWN;
}

void km_listing_settle(struct km_mcp_listing *l, const struct km_mcp_listing *before,
                       enum km_listing_word word, bool declared, struct km_str why,
                       struct km_arena *arena)
{
    static const struct km_mcp_listing nothing = { 0 };
    const struct km_mcp_listing *was = before ? before : &nothing;
    const enum km_mcp_known now = after(was->known, word, declared);
    const bool keeps = word == KM_LISTING_NOT_ASKED || now == KM_MCP_LIST_STALE;

    if (word != KM_LISTING_RESULT) /* some pages may have come before the failure */
        *l = (struct km_mcp_listing){ 0 };
    l->known = now;
    if (word == KM_LISTING_NOT_ASKED)
        why = was->why;
    if (now == KM_MCP_LIST_UNKNOWN || now == KM_MCP_LIST_STALE)
        l->why = km_arena_str(arena, why);
    if (keeps)
        copy_items(l, was, arena);
    else if (now != KM_MCP_LIST_UNKNOWN)
        take_hash(l);
}

bool km_listing_differs(const struct km_mcp_listing *before, const struct km_mcp_listing *now)
{
    if (before->known == KM_MCP_LIST_UNKNOWN || now->known == KM_MCP_LIST_UNKNOWN)
        return before->n || now->n;
    return memcmp(before->hash, now->hash, sizeof before->hash) != 0;
}
