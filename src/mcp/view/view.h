/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - what one caller sees of all servers: names, lists, and whose everything is.
 *
 *     members (server, its catalogue, what of it may be seen)
 *        └── entries: tools, resources, templates, prompts, in the order of the members
 *               ├── by wire name and by bare name      a call is resolved here, never by splitting
 *               └── lists: the bytes of each page, made once
 *
 * Immutable after km_mcp_view_new() but for the pages, which are made when first asked for.  It
 * holds references to the catalogues, whose bytes its entries are views of.
 *
 * Thread: one worker's.
 */
#ifndef KM_MCP_VIEW_H
#define KM_MCP_VIEW_H

#include "base/map.h"
#include "mcp/view/search.h"
#include "mcp/server/server.h"
#include "mcp/upstream/upstream.h"
#include "mcp/view/virtual.h"

#define KM_MCP_VIEW_MEMBERS 256
#define KM_MCP_VIEW_ENTRIES ((size_t)20000)
#define KM_MCP_PAGE_ENTRIES 500
#define KM_MCP_PAGE_BYTES ((size_t)4 * 1024 * 1024)
#define KM_MCP_INSTRUCTION_BYTES 2048 /* of one server, where several are joined */

struct km_mcp_member {
    struct km_mcp_upstream *upstream; /* NULL: a server that is part of kanmon */
    const struct km_mcp_server *builtin;
    struct km_mcp_catalogue *catalogue; /* referenced */
    struct km_str name, alias;
    struct km_mcp_virtual *virtual; /* referenced; it is seen through this one; or NULL */
    const struct km_mcp_part *part; /* of virtual: what of it is seen */
};

struct km_mcp_entry_of {
    const struct km_mcp_member *member;
    const struct km_mcp_item *item;
    struct km_str wire; /* tools and prompts; of the others the uri */
    struct km_str json; /* what is shown when it is not the item's own but for the name */
    bool hidden; /* not listed: it is found by words */
};

/* May this be seen (and used)?  NULL: everything. */
struct km_mcp_filter {
    bool (*shows)(void *ctx, const struct km_mcp_member *m, enum km_mcp_list list,
                  const struct km_mcp_item *item);
    /* What stands in the place of its own words. */
    void (*dress)(void *ctx, const struct km_mcp_member *m, enum km_mcp_list list,
                  const struct km_mcp_item *item, struct km_mcp_dress *ret);
    /* Is it kept back until somebody approves it?  Then it is in no list and cannot be called, but
     * its name is known (km_mcp_view_withheld).  NULL: nothing is. */
    bool (*withholds)(void *ctx, const struct km_mcp_member *m, enum km_mcp_list list,
                      const struct km_mcp_item *item);
    void *ctx;
};

struct km_mcp_view_args {
    const struct km_mcp_member *members; /* references are taken */
    size_t n;
    bool prefixed; /* "{alias}-{name}"; both forms are accepted either way */
    const struct km_mcp_filter *filter;
    bool searched; /* tools are found by words; only these are listed */
    const struct km_str_list *visible;
};

struct km_mcp_view;

int km_mcp_view_new(const struct km_mcp_view_args *args, struct km_mcp_view **ret,
                    struct km_err *err) KM_MUST_USE;
struct km_mcp_view *km_mcp_view_ref(struct km_mcp_view *v);
struct km_mcp_view *km_mcp_view_unref(struct km_mcp_view *v);

size_t km_mcp_view_members(const struct km_mcp_view *v, const struct km_mcp_member **ret);
/* What a list has, hidden entries included, in its order. */
size_t km_mcp_view_entries(const struct km_mcp_view *v, enum km_mcp_list list,
                           const struct km_mcp_entry_of **ret);
/* A tool or prompt by its wire name, or by its bare one where only one server has it. */
const struct km_mcp_entry_of *km_mcp_view_named(const struct km_mcp_view *v, enum km_mcp_list list,
                                                struct km_str name);
/* A tool that is withheld, by either name; NULL: it is not, or there is none. */
const struct km_mcp_entry_of *km_mcp_view_withheld(const struct km_mcp_view *v, struct km_str name);
/* Who has this resource: who lists it, else whose template gives it.  NULL: nobody says so. */
const struct km_mcp_member *km_mcp_view_owner(const struct km_mcp_view *v, struct km_str uri);
const struct km_mcp_member *km_mcp_view_member(const struct km_mcp_view *v, struct km_str name);
/* Has its server said that it has this capability ("tasks", ...)? */
bool km_mcp_member_can(const struct km_mcp_member *m, const char *capability);
/* The virtual server all of it is seen through; NULL: none, or several. */
const struct km_mcp_virtual *km_mcp_view_virtual(const struct km_mcp_view *v);

/* The result of a list, complete JSON, valid as long as the view.  cursor empty: the first page.
 * KM_E_INVALID: not a cursor of this list. */
int km_mcp_view_page(struct km_mcp_view *v, enum km_mcp_list list, enum km_mcp_era era,
                     struct km_str cursor, struct km_str *ret, struct km_err *err) KM_MUST_USE;
/* The capabilities all members together have: {"tools":{"listChanged":true},...} */
void km_mcp_view_capabilities(const struct km_mcp_view *v, enum km_mcp_era era, struct km_buf *out);
/* The members' own words, joined under their alias where there are several; a JSON string, or
 * nothing when nobody has any. */
void km_mcp_view_instructions(const struct km_mcp_view *v, struct km_buf *out);
/* Are its tools found by words?  Then tools/list has km_mcp_search_tools() in their place. */
bool km_mcp_view_searched(const struct km_mcp_view *v);
/* The index of its tools, made when it is first asked for; NULL when out of memory. */
struct km_mcp_search *km_mcp_view_index(struct km_mcp_view *v);
/* One tool as its list shows it. */
void km_mcp_view_tool(const struct km_mcp_entry_of *e, enum km_mcp_era era, struct km_buf *out);
/* Of a list as it is shown: changes when the client should ask again. */
const uint8_t *km_mcp_view_hash(const struct km_mcp_view *v, enum km_mcp_list list);

/* "kanmon" to clients: Implementation, complete JSON. */
struct km_str km_mcp_identity(void);

#endif
