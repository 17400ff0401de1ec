/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what an entry of mcp_servers says and nobody would keep (config_part.h).
 *
 *     allowed_params, costs          in a form that is not read: they would limit nothing
 *     sandbox_network: false         of a sandbox that is off
 *     headers that carry a request   would be there twice
 *     url and command, no transport  one of the two would be run or asked unasked
 *     headers that are kept back     would never be sent: that restricts nothing and is only told
 *
 * Each would be passed over without a word where it is used, so it is said when it is read.
 */
#include "http/fields.h"
#include "mcp/asker.h"
#include "mcp/upstream/config_part.h"
#include "sys/sandbox.h"

static bool names_only(const struct km_node *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i]->type != KM_NODE_STR)
            return false;
    return list->type == KM_NODE_SEQ;
}

static const char *wrong_params(const struct km_mcp_entry *e, const struct km_node **ret_at)
{
    const struct km_node *params = e->allowed_params;

    *ret_at = params;
    if (!params || params->type == KM_NODE_NULL)
        return "";
    if (params->type != KM_NODE_MAP)
        return "`allowed_params` is no map of tools";
    for (size_t i = 0; i < params->n; i++) {
        *ret_at = params->v[i];
        if (!names_only(params->v[i]))
            return "`allowed_params` has for each tool a list of names";
    }
    return "";
}

static bool is_cost(const struct km_node *v)
{
    int64_t cost;

    return v->type == KM_NODE_NULL || km_str_decimal(v->text, 9, &cost) == 0;
}

static const char *wrong_cost(const struct km_mcp_entry *e, const struct km_node **ret_at)
{
    const struct km_node *costs = km_node_get(e->info, KM_STR("mcp_server_cost_info"));
    const struct km_node *one = km_node_get(costs, KM_STR("default_cost_per_query"));
    const struct km_node *tools = km_node_get(costs, KM_STR("tool_name_to_cost_per_query"));

    *ret_at = one;
    if (one && !is_cost(one))
        return "`default_cost_per_query` is no number of USD";
    for (size_t i = 0; tools && i < tools->n; i++) {
        *ret_at = tools->v[i];
        if (tools->type != KM_NODE_MAP || !is_cost(tools->v[i]))
            return "`tool_name_to_cost_per_query` has for each tool a number of USD";
    }
    return "";
}

/* Two of one of these would end the message elsewhere than kanmon thinks. */
static bool wrong_headers(const struct km_mcp_entry *e)
{
    for (size_t i = 0; i < e->static_headers.n; i++)
        if (km_field_of_hop(e->static_headers.v[i].name))
            return true;
    for (size_t i = 0; i < e->extra_headers.n; i++)
        if (km_field_of_hop(e->extra_headers.v[i]))
            return true;
    return false;
}

const char *km_mcp_entry_wrong(const struct km_mcp_entry *e, const struct km_node **ret_at)
{
    const char *what = wrong_params(e, ret_at);

    if (!*what)
        what = wrong_cost(e, ret_at);
    if (*what)
        return what;
    *ret_at = NULL;
    if (wrong_headers(e))
        return "`static_headers` and `extra_headers` cannot have Host, Content-Length and others "
               "by which a request is carried";
    if (e->sandbox == KM_SANDBOX_OFF && !e->sandbox_network)
        return "`sandbox_network: false` holds in a sandbox only, and `sandbox` is off";
    if (e->url.n && e->command.n && !e->transport && !e->spec_path.n && !e->builtin.n)
        return "it has a url and a command; say by `transport` which one counts";
    return "";
}

static void warn_kept(const struct km_node *at, struct km_diags *diags, const char *key,
                      struct km_str value)
{
    const struct km_node *in = km_node_get(at, km_str_c(key));

    km_diag_add(diags, KM_DIAG_WARNING, "W0403", in ? in : at,
                "clients send what is for a server as x-mcp-{alias}-NAME",
                "%s: '%.*s' is for kanmon or of a connection, no server is sent a client's", key,
                KM_STR_ARG(value));
}

static void check_wanted(const struct km_str_map *map, const struct km_node *at, const char *key,
                         struct km_str key_header, struct km_diags *diags)
{
    for (size_t i = 0; i < map->n; i++)
        for (struct km_str name, rest = map->v[i].value; km_asker_next_wanted(&rest, &name);)
            if (km_asker_kept_back(name, key_header))
                warn_kept(at, diags, key, map->v[i].value);
}

void km_mcp_check_headers(const struct km_mcp_entry *e, const struct km_node *at,
                          struct km_str key_header, struct km_diags *diags)
{
    for (size_t i = 0; i < e->extra_headers.n; i++)
        if (km_asker_kept_back(e->extra_headers.v[i], key_header))
            warn_kept(at, diags, "extra_headers", e->extra_headers.v[i]);
    check_wanted(&e->static_headers, at, "static_headers", key_header, diags);
    check_wanted(&e->env, at, "env", key_header, diags);
}
