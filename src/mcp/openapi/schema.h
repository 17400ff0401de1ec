/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - schemas of an OpenAPI document as JSON Schema 2020-12, whole in itself.
 *
 * Private to openapi/.  References are written out where they stand; one that leads back to itself
 * is a name in $defs.  What would be over the bound so is written with names alone, and then
 * without what the names stand for.  Only keywords a client's checker takes are kept, in the form
 * it takes: 3.0's nullable is a type, what is read only is not asked for.  A oneOf whose forms lose
 * something so, or are told apart by a discriminator, is written as anyOf: more than one may fit.
 */
#ifndef KM_MCP_OPENAPI_SCHEMA_H
#define KM_MCP_OPENAPI_SCHEMA_H

#include "base/map.h"
#include "http/json.h"

#define KM_OPENAPI_DEFS 200 /* names in one tool's $defs */
#define KM_OPENAPI_POINTERS 50000 /* that are remembered */
#define KM_OPENAPI_DEPTH 20 /* of schemas in each other: twice as many levels of JSON */

enum km_openapi_detail { KM_OPENAPI_WHOLE, KM_OPENAPI_NAMES, KM_OPENAPI_BLUNT };

/* A document and where its pointers lead: each is looked up once. */
struct km_openapi_refs {
    const struct km_json *root;
    struct km_map *known; /* pointer to value; the pointers are the document's own */
};

struct km_openapi_schemas {
    const struct km_openapi_refs *refs;
    struct km_arena *arena; /* for names */
    struct km_buf *out;
    enum km_openapi_detail detail;
    struct {
        const struct km_json *schema;
        struct km_str name;
    } defs[KM_OPENAPI_DEFS];
    size_t ndefs;
    const struct km_json *open[KM_OPENAPI_DEPTH]; /* references on the way down */
    unsigned nopen, depth;
    bool lost; /* what was written takes more than the document's schema does */
};

/* v itself, or what its "$ref": "#/a/b" leads to, through a few of them; NULL: nowhere. */
const struct km_json *km_openapi_follow(const struct km_openapi_refs *refs,
                                        const struct km_json *v);

/* What the pointer itself leads to; NULL: nowhere. */
const struct km_json *km_openapi_at(const struct km_openapi_refs *refs, struct km_str pointer);
/* The name in $defs of the schema the pointer leads to; empty: there is no room for one. */
struct km_str km_openapi_def(struct km_openapi_schemas *s, const struct km_json *schema,
                             struct km_str pointer);

/* Appends the schema; `description` (may be empty) in place of its own. */
void km_openapi_put_schema(struct km_openapi_schemas *s, const struct km_json *schema,
                           struct km_str description);
/* Appends `,"$defs":{...}` where names were used. */
void km_openapi_put_defs(struct km_openapi_schemas *s);

#endif
