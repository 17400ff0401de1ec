/* SPDX-License-Identifier: Apache-2.0 */
/* builtin.c - see builtin.h for the contract.
 *
 * Rows become the JSON that a server of the newest revision with a handshake would have sent, so
 * that whoever merges lists, resolves names or pins definitions sees one kind of thing.
 */
#include "mcp/builtin.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "mcp/server/part.h"

#define CATALOGUE_BYTES ((size_t)16 * 1024 * 1024)
#define TOOL_BYTES ((size_t)1024 * 1024)

static bool put_item(struct km_mcp_catalogue *c, struct km_mcp_item *item,
                     const struct km_mcp_tool *tool)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TOOL_BYTES);

    km_mcp_put_tool(km_mcp_revision_latest(KM_MCP_HANDSHAKE), tool->name, tool, &b);
    item->json = km_arena_str(&c->arena, km_buf_view(&b));
    item->name = tool->name;
    km_sha256(item->json, item->hash);
    return !km_buf_failed(&b);
}

struct km_mcp_catalogue *km_mcp_builtin_catalogue(const struct km_mcp_server *server, bool admin)
{
    struct km_mcp_catalogue *c = calloc(1, sizeof *c);
    struct km_mcp_item *v;
    bool ok = true;
    size_t n = 0;

    if (!c)
        return NULL;
    c->refs = 1;
    km_arena_init(&c->arena, CATALOGUE_BYTES, NULL);
    v = km_arena_zalloc(&c->arena, (server->ntools + 1) * sizeof *v);
    for (size_t i = 0; ok && v && i < server->ntools; i++)
        if (admin || !server->tools[i].admin)
            ok = put_item(c, &v[n++], &server->tools[i]);
    c->known = true;
    c->revision = km_mcp_revision_latest(KM_MCP_HANDSHAKE);
    c->capabilities = KM_STR("{\"tools\":{}}");
    c->server_info = KM_STR("{\"name\":\"kanmon\"}");
    c->instructions = server->instructions;
    for (int i = 0; i < KM_MCP_LISTS; i++)
        c->lists[i].known = KM_MCP_LIST_UNDECLARED;
    c->lists[KM_MCP_TOOLS] = (struct km_mcp_listing){ .v = v, .n = n, .known = KM_MCP_LIST_KNOWN };
    if (ok && !km_arena_overflowed(&c->arena))
        return c;
    return km_mcp_catalogue_unref(c);
}
