/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - the names tools and prompts have for clients of several servers.
 *
 * "{alias}-{name}", in the letters every model's API takes ([A-Za-z0-9_-]) and at most 64 of
 * them: other letters become '_', and a name that is too long, or would be another's, is cut and
 * ends in eight digits of its digest.  The same server and name give the same wire name always.
 * Nobody ever takes such a name apart: it is looked up.
 */
#ifndef KM_MCP_NAMES_H
#define KM_MCP_NAMES_H

#include "base/arena.h"

#define KM_MCP_NAME_MOST 64

/* taken: another one has the plain form.  Empty on overflow of the arena. */
struct km_str km_mcp_name_wire(struct km_arena *arena, struct km_str alias, struct km_str name,
                               bool taken);

/* What a server's wire names begin with. */
struct km_str km_mcp_name_prefix(struct km_arena *arena, struct km_str alias);

/* Does an RFC 6570 template of the first levels ("test://{id}/data", "file:///{+path}") give this
 * URI?  {x} stands for one or more characters without '/', {+x}, {/x*} and the like for any. */
bool km_mcp_template_matches(struct km_str pattern, struct km_str uri);

#endif
