/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_routes.c - the endpoints, as rows.
 *
 * A built-in server is a line in `all`, an endpoint of its own, and a route.  /mcp lists the
 * tools of every server under its server's name; /mcp/{server} lists them bare.  Both ask for a
 * key: the tools then see who it is.
 */
#include "servers/mcp_routes.h"

#include "gateway/mcp/http.h"
#include "servers/kanmon.h"

static const struct km_mcp_server *const all[] = { &km_mcp_server_kanmon };

static const struct km_mcp_endpoint everything = {
    .name = { "kanmon", 6 },
    .title = { "kanmon: all servers", 19 },
    .version = { KM_VERSION, sizeof KM_VERSION - 1 },
    .servers = all,
    .nservers = sizeof all / sizeof all[0],
    .prefixed = true,
};

#define ENDPOINT(path)                                                                             \
    { "POST", path, km_mcp_post, KM_AUTH_LOGIN, &everything },                                     \
        { "GET", path, km_mcp_get, KM_AUTH_LOGIN, &everything },                                   \
        { "DELETE", path, km_mcp_delete, KM_AUTH_LOGIN, &everything }

static const struct km_route rows[] = {
    ENDPOINT("/mcp"),
    ENDPOINT("/mcp/"),
    ENDPOINT("/mcp/{server}"),
    ENDPOINT("/{server}/mcp"),
    { "GET", "/mcp-rest/tools/list", km_mcp_rest_list, KM_AUTH_LOGIN, &everything },
    { "GET", "/v1/mcp/tools", km_mcp_rest_list, KM_AUTH_KEY, &everything },
    { "POST", "/mcp-rest/tools/call", km_mcp_rest_call, KM_AUTH_LOGIN, &everything },
    { "GET", "/sse", km_mcp_sse, KM_AUTH_LOGIN, &everything },
    { "POST", "/messages", km_mcp_messages, KM_AUTH_KEY, &everything },
};

const struct km_route_rows km_mcp_routes = { rows, sizeof rows / sizeof rows[0] };
