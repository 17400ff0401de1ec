/* SPDX-License-Identifier: Apache-2.0 */
/* risk.c - how dangerous one tool of a server is: what is configured, and what it says itself.
 *
 * The decision is km_risk_at_least()'s (approval.h); here is only where the two words come from:
 * `risks` and `risk` of the entry, and the annotations of the definition.  Those are read once,
 * when the definition comes: each call of the tool asks for its risk.
 */
#include "config/tree.h"
#include "http/json.h"
#include "mcp/upstream/upstream.h"

static signed char hint(const struct km_json *annotations, const char *name)
{
    bool yes;

    return km_json_bool(km_json_get(annotations, name), &yes) ? (yes ? 1 : -1) : 0;
}

struct km_mcp_hints km_mcp_tool_hints(const struct km_json *tool)
{
    const struct km_json *a = km_json_get(tool, "annotations");

    return (struct km_mcp_hints){ hint(a, "readOnlyHint"), hint(a, "destructiveHint"),
                                  hint(a, "idempotentHint"), hint(a, "openWorldHint") };
}

/* What is configured for the very tool counts whatever it claims. */
enum km_risk km_mcp_tool_risk(const struct km_mcp_upstream *u, const struct km_mcp_item *item)
{
    const struct km_node *own = km_node_get(u->entry->risks, item->name);

    for (int r = KM_RISK_UNKNOWN; own && r <= KM_RISK_DESTRUCTIVE; r++)
        if (km_str_eq(own->text, km_risk_name((enum km_risk)r)))
            return (enum km_risk)r;
    return km_risk_at_least((enum km_risk)u->entry->risk, &item->hints);
}
