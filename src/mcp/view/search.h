/* SPDX-License-Identifier: Apache-2.0 */
/* search.h - finding tools by words, for clients that are not to be shown all of them.
 *
 *     view ──> index: words of each tool's name, title, description and parameters
 *                 └── query ──> the tools that fit best, by BM25 (k1 = 1.2, b = 0.75)
 *
 * A list of a few hundred tools is more text than most conversations.  Where tool search is on,
 * tools/list has three tools in their place (gateway/mcp/search.c), and those the operator
 * wants seen all the same.
 *
 * An index belongs to one view and is made when it is first asked; a view is made anew when a list
 * changes, so it is never out of date.  Thread: the view's.
 */
#ifndef KM_MCP_SEARCH_H
#define KM_MCP_SEARCH_H

#include "mcp/upstream/upstream.h"

#define KM_MCP_SEARCH_RESULTS 50 /* at most, of one query */
#define KM_MCP_SEARCH_QUERY ((size_t)2000) /* bytes of a query that count */

struct km_mcp_view;
struct km_mcp_entry_of;

/* kanmon_settings.mcp_tool_search: for the endpoints that are not one server. */
struct km_mcp_search_settings {
    bool whole;
    struct km_str_list groups, visible;
    int64_t results;
};
extern const struct km_settings_table km_mcp_search_table;

struct km_mcp_found {
    const struct km_mcp_entry_of *entry;
    float score;
};

/* NULL when out of memory.  Tools over the bound of the index are not found by words. */
struct km_mcp_search *km_mcp_search_new(const struct km_mcp_view *view);
struct km_mcp_search *km_mcp_search_free(struct km_mcp_search *s);
/* The best first; ties in the order of the list.  Returns how many, at most `most`, which is
 * at most KM_MCP_SEARCH_RESULTS. */
size_t km_mcp_search_query(struct km_mcp_search *s, struct km_str query, struct km_mcp_found *ret,
                           size_t most);

#endif
