/* SPDX-License-Identifier: Apache-2.0 */
/* listing.h - what becomes of one list of a server when it is asked for again; private to mcp/.
 *
 *                        was unknown    known, stale    undeclared
 *     a result           known          known           known
 *     not declared       undeclared     undeclared      undeclared
 *     no such method     unknown        stale           unknown
 *       never declared   undeclared     undeclared      undeclared
 *     a failure          unknown        stale           unknown
 *     not asked          unknown        as it was       undeclared
 *
 * So nothing but the server's own word that a list is another one, or that there is none, takes
 * away what was known; whatever else it says is kept as the reason.
 */
#ifndef KM_MCP_LISTING_H
#define KM_MCP_LISTING_H

#include "mcp/upstream/upstream.h"

enum km_listing_word {
    KM_LISTING_RESULT, /* its items are in the listing already */
    KM_LISTING_NOT_DECLARED, /* by its capabilities */
    KM_LISTING_NO_METHOD, /* error -32601 */
    KM_LISTING_FAILURE, /* any other error, or no answer */
    KM_LISTING_NOT_ASKED, /* it did not come to that */
};

/* Settles a listing of a catalogue that is being made: `before` is the same one of the catalogue
 * that is in force (NULL: there is none), whose items are copied into the arena where they stay.
 * declared: the server's capabilities name this very list.  why is copied. */
void km_listing_settle(struct km_mcp_listing *l, const struct km_mcp_listing *before,
                       enum km_listing_word word, bool declared, struct km_str why,
                       struct km_arena *arena);
/* Is it another list for clients?  From unknown to empty is no change. */
bool km_listing_differs(const struct km_mcp_listing *before, const struct km_mcp_listing *now);

#endif
