/* SPDX-License-Identifier: Apache-2.0 */
/* offer.c - what a server offers to a principal that has not logged in there (oauth.h).
 *
 * What it really offers is known only to who may ask it, so another principal's lists are not shown
 * in its place: tools may bear names of customers.  In place of nothing there is one tool.  A model
 * that is asked to use the server finds it, and its answer is the address to log in at; after that
 * the lists change.  The tool is answered by kanmon and never reaches the server, so its name may
 * be one of the server's own.
 *
 * Where tokens of callers are exchanged the tool has no address to give: it says what kind of
 * caller the server takes.  Where callers bring a credential, the address is where to leave it.
 */
#include "mcp/catalogue/catalogue.h"
#include "mcp/oauth/inside.h"

#define TEXT_BYTES ((size_t)16 * 1024)

static void put_tool(struct km_buf *b, const struct km_mcp_oauth *o)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    if (o->by_exchange)
        km_buf_printf(&text,
                      "Says how to log in to the MCP server '%.*s'. Its tools are listed to who "
                      "comes with a token of an OIDC issuer; to others this is the only one.",
                      KM_STR_ARG(o->name));
    else if (o->scheme)
        km_buf_printf(&text,
                      "Gives the address at which to leave a credential of one's own for the MCP "
                      "server '%.*s'. Its tools are listed once that is done; until then this is "
                      "the only one.",
                      KM_STR_ARG(o->name));
    else
        km_buf_printf(&text,
                      "Gives the address at which to log in to the MCP server '%.*s'. Its tools "
                      "are listed once that is done; until then this is the only one.",
                      KM_STR_ARG(o->name));
    km_buf_str(b, KM_STR("{\"tools\":[{\"name\":\"login\",\"title\":\"Log in\",\"description\":"));
    km_buf_json(b, km_buf_view(&text));
    km_buf_str(b,
               KM_STR(",\"inputSchema\":{\"type\":\"object\",\"properties\":{}},\"annotations\":{"
                      "\"readOnlyHint\":true,\"openWorldHint\":true}}]}"));
}

struct km_mcp_catalogue *km_mcp_oauth_offer_new(const struct km_mcp_oauth *o)
{
    struct km_buf tools KM_CLEANUP(km_buf_done) = KM_BUF(2 * TEXT_BYTES);
    struct km_mcp_catalogue *c = km_catalogue_new();
    struct km_str cursor;
    int r;

    if (!c)
        return NULL;
    put_tool(&tools, o);
    r = km_catalogue_hello(c, km_mcp_revision_latest(KM_MCP_HANDSHAKE),
                           KM_STR("{\"capabilities\":{\"tools\":{\"listChanged\":true}}}"), NULL);
    if (r == 0)
        r = km_catalogue_page(c, KM_MCP_TOOLS, km_buf_view(&tools), &cursor, NULL);
    for (int i = 0; i < KM_MCP_LISTS; i++)
        km_catalogue_settle(c, (enum km_mcp_list)i, NULL,
                            i == KM_MCP_TOOLS ? KM_LISTING_RESULT : KM_LISTING_NOT_DECLARED,
                            KM_STR_NONE);
    if (r == 0)
        r = km_catalogue_finish(c, NULL);
    return r < 0 ? km_mcp_catalogue_unref(c) : c;
}

struct km_mcp_catalogue *km_mcp_oauth_offer(const struct km_mcp_oauth *o)
{
    return o->offer;
}
