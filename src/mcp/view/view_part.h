/* SPDX-License-Identifier: Apache-2.0 */
/* view_part.h - private to mcp/: a view from the inside, for view.c and lists.c. */
#ifndef KM_MCP_VIEW_PART_H
#define KM_MCP_VIEW_PART_H

#include "mcp/view/view.h"

#define KM_MCP_PAGES_MOST (KM_MCP_VIEW_ENTRIES / KM_MCP_PAGE_ENTRIES + 64)

struct km_mcp_view {
    unsigned refs;
    struct km_arena arena;
    struct km_mcp_member *members;
    size_t nmembers;
    bool prefixed, searched;
    struct km_mcp_search *index; /* NULL: not asked for yet */
    struct {
        struct km_mcp_entry_of *v;
        size_t n;
    } lists[KM_MCP_LISTS];
    struct km_map *wire[KM_MCP_LISTS], *bare[KM_MCP_LISTS];
    struct km_map *withheld; /* tools, by wire and bare name */
    uint8_t hash[KM_MCP_LISTS][32];
    struct km_buf *pages[KM_MCP_LISTS][2]; /* by era; in the arena */
    size_t npages[KM_MCP_LISTS][2];
};

/* The entry's JSON with these words in the place of its own; empty ones stay. */
struct km_str km_mcp_view_dressed(struct km_mcp_view *v, const struct km_mcp_entry_of *e,
                                  const struct km_mcp_dress *dress);

#endif
