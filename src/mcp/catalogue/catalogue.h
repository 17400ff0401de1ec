/* SPDX-License-Identifier: Apache-2.0 */
/* catalogue.h - a catalogue while it is made, and as JSON for the store; private to mcp/. */
#ifndef KM_MCP_CATALOGUE_H
#define KM_MCP_CATALOGUE_H

#include "mcp/catalogue/listing.h"

#define KM_CATALOGUE_BYTES ((size_t)64 * 1024 * 1024)
#define KM_CATALOGUE_ITEMS 10000 /* of one list */
#define KM_CATALOGUE_PAGES 1000 /* of one list */

/* One reference, nothing known.  NULL when out of memory. */
struct km_mcp_catalogue *km_catalogue_new(void);

/* What initialize or server/discover said: capabilities, serverInfo, instructions. */
int km_catalogue_hello(struct km_mcp_catalogue *c, const struct km_mcp_revision *revision,
                       struct km_str json, struct km_err *err) KM_MUST_USE;
/* Does it have the list at all, by its capabilities? */
bool km_catalogue_has(const struct km_mcp_catalogue *c, enum km_mcp_list list);
/* Appends a page (the result of its method).  *ret_cursor: of the next one, in the catalogue's
 * arena; empty: it was the last.  An item that clients would not take
 * is mended, or left out and remembered. */
int km_catalogue_page(struct km_mcp_catalogue *c, enum km_mcp_list list, struct km_str result,
                      struct km_str *ret_cursor, struct km_err *err) KM_MUST_USE;
/* No more comes of that list, for this reason; before: the catalogue in force, or NULL.  Once for
 * each list before the end. */
void km_catalogue_settle(struct km_mcp_catalogue *c, enum km_mcp_list list,
                         const struct km_mcp_catalogue *before, enum km_listing_word word,
                         struct km_str why);
/* Every list is settled. */
int km_catalogue_finish(struct km_mcp_catalogue *c, struct km_err *err) KM_MUST_USE;

void km_catalogue_json(const struct km_mcp_catalogue *c, struct km_buf *out);
/* What the above wrote; from_store is set. */
int km_catalogue_read(struct km_str json, struct km_mcp_catalogue **ret,
                      struct km_err *err) KM_MUST_USE;

#endif
