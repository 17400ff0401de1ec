/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_names.c - every name that a key's object_permission can have, for the administrator.
 *
 *     GET /kanmon/mcp/names   {"servers": [{"name", "alias", "server_id", "builtin", "known",
 *                                           "tools": [{"name", "parameters": [...]}]}],
 *                              "virtual": [...], "groups": [...]}
 *
 * For who writes a permission and would rather not misspell it.  known: the server's tools are
 * those it has; else nobody can say yet.  Parameters are the top-level ones of a tool's schema.
 */
#include "admin/admin.h"
#include "admin/mcp.h"
#include "mcp/ask.h"
#include "mcp/builtin.h"
#include "mcp/view/virtual.h"

#define BODY_BYTES 1024
#define NAMES_BYTES ((size_t)16 * 1024 * 1024)
#define TOOL_BYTES ((size_t)16 * 1024 * 1024) /* of a tool's definition, parsed */

static void put_parameters(struct km_str tool, struct km_buf *out)
{
    const struct km_json *root = NULL, *v;
    struct km_json_iter it;
    struct km_arena arena;
    struct km_str key;
    size_t n = 0;

    km_arena_init(&arena, TOOL_BYTES, NULL);
    (void)(km_json_parse(&arena, tool, &root, NULL) == 0);
    root = km_json_get(km_json_get(root, "inputSchema"), "properties");
    km_buf_byte(out, '[');
    if (km_json_kind(root) == KM_JSON_OBJECT)
        for (km_json_iter(root, &it); km_json_next(&it, &key, &v);) {
            km_buf_str(out, n++ ? KM_STR(",") : KM_STR_NONE);
            km_buf_json(out, key);
        }
    km_buf_byte(out, ']');
    km_arena_done(&arena);
}

static void put_server(struct km_mcp_upstream *u, struct km_buf *out)
{
    struct km_mcp_catalogue *c = km_mcp_catalogue(NULL, u, NULL);
    const struct km_mcp_listing *tools = &c->lists[KM_MCP_TOOLS];

    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, u->name);
    km_buf_str(out, KM_STR(",\"alias\":"));
    km_buf_json(out, u->alias);
    km_buf_str(out, KM_STR(",\"server_id\":"));
    km_buf_json(out, u->id);
    km_buf_str(out, KM_STR(",\"builtin\":")); /* empty: it takes no modes or values of a key */
    km_buf_json(out, u->builtin ? u->builtin->name : KM_STR_NONE);
    km_buf_printf(out, ",\"known\":%s,\"tools\":[",
                  tools->known == KM_MCP_LIST_UNKNOWN ? "false" : "true");
    for (size_t i = 0; i < tools->n; i++) {
        km_buf_str(out, i ? KM_STR(",{\"name\":") : KM_STR("{\"name\":"));
        km_buf_json(out, tools->v[i].name);
        km_buf_str(out, KM_STR(",\"parameters\":"));
        put_parameters(tools->v[i].json, out);
        km_buf_byte(out, '}');
    }
    km_buf_str(out, KM_STR("]}"));
    km_mcp_catalogue_unref(c);
}

static void put_groups(const struct km_mcp_set *set, struct km_buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < set->v[i]->entry->access_groups.n; k++) {
            km_buf_str(out, n++ ? KM_STR(",") : KM_STR_NONE);
            km_buf_json(out, set->v[i]->entry->access_groups.v[k]);
        }
    for (size_t i = 0; i < set->nvirtuals; i++)
        for (size_t k = 0; k < set->virtuals[i]->entry.access_groups.n; k++) {
            km_buf_str(out, n++ ? KM_STR(",") : KM_STR_NONE);
            km_buf_json(out, set->virtuals[i]->entry.access_groups.v[k]);
        }
}

static int list(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(NAMES_BYTES);
    struct km_mcp_set *set = km_mcp_upstreams_set(a->v->w->gw->mcp);

    km_buf_str(&out, KM_STR("{\"servers\":["));
    for (size_t i = 0; i < set->n; i++) {
        km_buf_str(&out, i ? KM_STR(",") : KM_STR_NONE);
        put_server(set->v[i], &out);
    }
    km_buf_str(&out, KM_STR("],\"virtual\":["));
    for (size_t i = 0; i < set->nvirtuals; i++) {
        km_buf_str(&out, i ? KM_STR(",") : KM_STR_NONE);
        km_buf_json(&out, set->virtuals[i]->name);
    }
    km_buf_str(&out, KM_STR("],\"groups\":["));
    put_groups(set, &out);
    km_buf_str(&out, KM_STR("]}"));
    km_mcp_set_unref(set);
    if (km_buf_failed(&out))
        return km_fail(err, KM_E_LIMIT, "the names are too many for one answer");
    km_admin_json(a, 200, km_buf_view(&out));
    return 0;
}

KM_ADMIN_HANDLER(on_list, BODY_BYTES, list)

static const struct km_route rows[] = {
    { "GET", "/kanmon/mcp/names", on_list, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_name_routes = { rows, sizeof rows / sizeof rows[0] };
