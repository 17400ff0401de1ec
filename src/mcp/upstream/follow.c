/* SPDX-License-Identifier: Apache-2.0 */
/* follow.c - `fallback` of mcp_servers: who is asked in the place of a server that fails.
 *
 *     a: [b, c]   b: [d]     a ──> b ──> d ──> c     who follows b comes before its siblings
 *
 * A list that leads back to where it began promises a server where there is none: it does not
 * load.
 */
#include <stdlib.h>

#include "config/config.h"
#include "config/tree.h"
#include "mcp/upstream/config_part.h"

static const struct km_str_list *of(const struct km_mcp_upstream *u)
{
    return &u->entry->fallback;
}

static bool is_among(struct km_mcp_upstream *const *v, size_t n, const struct km_mcp_upstream *u)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] == u)
            return true;
    return false;
}

/* A walk in the order in which they are asked, each once; levels are bounded by `most`. */
static size_t walk(const struct km_mcp_set *set, const struct km_mcp_upstream *u,
                   struct km_mcp_upstream **v, size_t n, size_t most)
{
    for (size_t i = 0; i < of(u)->n && n < most; i++) {
        struct km_mcp_upstream *next = km_mcp_set_find(set, of(u)->v[i]);

        if (!next || is_among(v, n, next))
            continue;
        v[n++] = next;
        n = walk(set, next, v, n, most);
    }
    return n;
}

size_t km_mcp_followers(const struct km_mcp_set *set, const struct km_mcp_upstream *first,
                        struct km_mcp_upstream *ret[KM_MCP_FOLLOWERS])
{
    return walk(set, first, ret, 0, KM_MCP_FOLLOWERS);
}

/* Where its list is written. */
static const struct km_node *place_of(const struct km_config *config, struct km_str name)
{
    const struct km_node *root = km_config_root(config);
    const struct km_node *own = km_node_path(root, "kanmon_settings.mcp_servers");
    const struct km_node *at = km_node_get(km_node_get(own, name), KM_STR("fallback"));

    if (!at)
        at = km_node_get(km_node_get(km_node_get(root, KM_STR("mcp_servers")), name),
                         KM_STR("fallback"));
    return at;
}

/* Does the way from it lead back to it?  seen: room for all of the set. */
static bool is_circle(const struct km_mcp_set *set, const struct km_mcp_upstream *first,
                      struct km_mcp_upstream **seen)
{
    size_t n = 0;

    for (size_t at = 0; at <= n; at++) {
        const struct km_mcp_upstream *u = at ? seen[at - 1] : first;

        for (size_t i = 0; i < of(u)->n; i++) {
            struct km_mcp_upstream *next = km_mcp_set_find(set, of(u)->v[i]);

            if (next == first)
                return true;
            if (next && !is_among(seen, n, next))
                seen[n++] = next;
        }
    }
    return false;
}

static bool check_one(const struct km_mcp_set *set, const struct km_mcp_upstream *u,
                      const struct km_config *config, struct km_diags *diags,
                      struct km_mcp_upstream **seen)
{
    for (size_t i = 0; i < of(u)->n; i++) {
        if (km_mcp_set_find(set, of(u)->v[i]))
            continue;
        km_diag_add(diags, KM_DIAG_ERROR, "E0401", place_of(config, u->name),
                    "name one of mcp_servers",
                    "mcp_servers.%.*s: `fallback` names '%.*s', and there is no such server",
                    KM_STR_ARG(u->name), KM_STR_ARG(of(u)->v[i]));
        return false;
    }
    if (!is_circle(set, u, seen))
        return true;
    km_diag_add(diags, KM_DIAG_ERROR, "E0401", place_of(config, u->name),
                "take out the server that leads back",
                "mcp_servers.%.*s: `fallback` goes round in a circle", KM_STR_ARG(u->name));
    return false;
}

bool km_mcp_followers_check(const struct km_mcp_set *set, const struct km_config *config,
                            struct km_diags *diags)
{
    struct km_mcp_upstream **seen = NULL;
    bool good = true;

    for (size_t i = 0; i < set->n && good; i++) {
        if (!of(set->v[i])->n)
            continue;
        if (!seen)
            seen = calloc(set->n, sizeof(struct km_mcp_upstream *));
        good = seen && check_one(set, set->v[i], config, diags, seen);
    }
    free(seen);
    return good;
}
