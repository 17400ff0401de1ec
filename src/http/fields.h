/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - header fields by what they are for and where they go on: one table for all who pass
 * messages on.
 *
 *     client ── request ──> km_field_goes(name, KM_WAY_TARGET ...) ──> upstream
 *     client <── KM_WAY_CLIENT, KM_WAY_RENAMED <── answer ── upstream
 *
 * A field that nobody here knows goes on: it may be the one that the message is about.
 */
#ifndef KM_HTTP_FIELDS_H
#define KM_HTTP_FIELDS_H

#include "base/str.h"

/* Where clients of this gateway put their key; bearer: after that word. */
struct km_key_field {
    struct km_str name;
    bool bearer;
};
#define KM_KEY_FIELDS 6
extern const struct km_key_field km_key_fields[KM_KEY_FIELDS];

/* The ways a field may go on. */
enum km_way {
    KM_WAY_TARGET = 1 << 0, /* of a request: to the target of a pass-through */
    KM_WAY_VENDOR = 1 << 1, /* to a vendor's own API, as the deployment's account */
    KM_WAY_MCP = 1 << 2, /* to an MCP server, where its entry asks for it */
    KM_WAY_INNER = 1 << 3, /* to the gateway itself, in the same caller's name */
    KM_WAY_CLIENT = 1 << 4, /* of an answer: to the client, by its own name */
    KM_WAY_RENAMED = 1 << 5, /* as llm_provider-<name> */
};

/* false: it stays here.  What the message's Connection names besides, and what a setting calls a
 * key, is for the caller to see. */
bool km_field_goes(struct km_str name, enum km_way way);

/* It proves a client to this gateway or to a proxy before it, whatever it may mean elsewhere: no
 * server is ever sent it as it came. */
bool km_field_proves(struct km_str name);

/* It is of one connection, or of the framing of one message (RFC 9110, 7.6.1 and 8.6): who passes
 * a request on has its own. */
bool km_field_of_hop(struct km_str name);

#endif
