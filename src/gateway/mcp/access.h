/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - what a key may use of the servers behind kanmon: its object_permission.
 *
 *     {"mcp_servers": ["github"], "mcp_access_groups": ["dev"],
 *      "mcp_tool_permissions": {"github": ["list_issues"]},
 *      "mcp_param_permissions": {"github": {"list_issues": ["owner", "repo"]}},
 *      "mcp_modes": {"shop": "dml"}, "mcp_values": {"shop": {"tenant": "acme"}}}
 *
 * Servers are named by name, alias or server_id, virtual ones by name.  A key that may use a
 * virtual server may use what is in it, also of servers it may not use beside that.  A key without
 * object_permission may use every server; with one, those that are named, those of its groups, and
 * those with allow_all_keys.
 * The administrator may use all.  What a server's own allowed_tools leave out nobody gets, and one
 * that is not available on the public internet is not there for anybody who comes from it.
 */
#ifndef KM_GATEWAY_MCP_ACCESS_H
#define KM_GATEWAY_MCP_ACCESS_H

#include "base/right.h"
#include "door/origin.h"
#include "mcp/view/view.h"

struct km_mcp_arrival;
struct km_mcp_asker;
struct km_mcp_turn;

struct km_mcp_rights {
    struct km_str text; /* the object_permission; empty: everything */
    const struct km_json *json;
};

/* NULL: everything.  In the arena.  Of a permission that cannot be read: a right to nothing. */
const struct km_mcp_rights *km_mcp_rights_of(const struct km_visit *v, struct km_arena *arena);
struct km_str km_mcp_rights_text(const struct km_mcp_rights *r);
enum km_right km_mcp_grants_server(const struct km_mcp_rights *r,
                                   const struct km_mcp_upstream *u) KM_MUST_USE;
/* Who asks by this request, for lists: neither its rights nor a session are in it.  It points into
 * the arrival. */
struct km_mcp_asker km_mcp_arrival_asker(const struct km_mcp_arrival *in,
                                         struct km_str capabilities);
/* Who asks by this message: what its sender brings, for servers to know or to be told apart by.  It
 * points into the turn. */
struct km_mcp_asker km_mcp_turn_asker(const struct km_mcp_turn *t);
/* Does the request come from this machine or a private network, with these header fields?  One
 * that a proxy passed on does when its sender and all that X-Forwarded-For, X-Real-IP or Forwarded
 * name do: whom to believe need not be known, for a header can only take rights away.  One that a
 * proxy passed on without saying for whom does not. */
bool km_mcp_inside(const struct km_visit *v, const struct km_headers *headers);
/* available_on_public_internet: may it be used from there? */
enum km_right km_mcp_grants_place(const struct km_mcp_upstream *u, bool inside) KM_MUST_USE;
/* *ret_said: by name or group, and not because nothing forbids it. */
enum km_right km_mcp_grants_virtual(const struct km_mcp_rights *r, const struct km_mcp_virtual *v,
                                    bool *ret_said) KM_MUST_USE;
/* A tool of a member, by its own name.  What is permitted for the server and what for the virtual
 * server it is seen through must both allow it. */
enum km_right km_mcp_grants_tool(const struct km_mcp_rights *r, const struct km_mcp_member *m,
                                 struct km_str tool) KM_MUST_USE;
/* Denied: KM_E_FORBIDDEN, naming the argument that may not be given; KM_E_INVALID where arguments
 * are held to a list and a server could read others than were judged. */
enum km_right km_mcp_grants_args(const struct km_mcp_rights *r, const struct km_mcp_member *m,
                                 struct km_str tool, const struct km_json *args,
                                 struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* Of arguments that a person or a list judges no two members may differ in case alone, at any
 * depth: servers that read names without their case (Go's encoding/json) would take either. */
int km_mcp_args_once(const struct km_json *args, struct km_arena *arena,
                     struct km_err *err) KM_MUST_USE;

/* What a call of the tool costs, nano-USD: mcp_info.mcp_server_cost_info, as LiteLLM has it. */
int64_t km_mcp_configured_cost(const struct km_mcp_upstream *u, struct km_str tool);
/* tool_name_to_display_name, tool_name_to_description. */
void km_mcp_configured_dress(const struct km_mcp_upstream *u, struct km_str tool,
                             struct km_str *ret_name, struct km_str *ret_description);

#endif
