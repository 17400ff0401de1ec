/* SPDX-License-Identifier: Apache-2.0 */
/* schema_part.h - private to schema.c, schema_value.c, schema_words.c and digest.c: a walk through
 * a schema, and an object's members in order of their names. */
#ifndef KM_MCP_SCHEMA_PART_H
#define KM_MCP_SCHEMA_PART_H

#include "mcp/schema.h"

#define KM_JSON_FEW 8 /* members that are sorted where they are: at any depth, so not many */

struct km_json_pair {
    struct km_str key;
    const struct km_json *value;
    size_t at; /* a stable order for members of one name */
};

/* In few if there are no more than nfew, else the caller's to free.  What is no object has none.
 * NULL: no memory. */
struct km_json_pair *km_json_pairs(const struct km_json *object, struct km_json_pair *few,
                                   size_t nfew, size_t *ret_n);

struct km_schema_walk {
    const struct km_json *root;
    unsigned composed; /* how many $ref, anyOf ... lead here */
    size_t steps; /* that are left below those */
    bool lone_refs; /* up to draft 7 nothing counts beside a $ref */
    bool unsure; /* what fits so far may not: something was passed over, or could not be told */
};

struct km_schema_place {
    const struct km_schema_place *up; /* NULL: the arguments themselves */
    struct km_str name; /* of a member; empty: an item */
    size_t index;
};

/* KM_E_INVALID; says it in err, if there is one. */
int km_schema_wrong(const struct km_schema_place *at, struct km_err *err, const char *what,
                    struct km_str which);
/* May n more be looked at?  Else what is left fits. */
bool km_schema_may(struct km_schema_walk *w, size_t n);

/* schema_words.c: a schema with words in it that are passed over, or that say what we cannot read,
 * makes the walk unsure. */
void km_schema_read(struct km_schema_walk *w, const struct km_json *schema);

/* schema_value.c: a keyword each; NULL in its place: it is not there. */
int km_schema_type(struct km_schema_walk *w, const struct km_json *type, const struct km_json *v,
                   const struct km_schema_place *at, struct km_err *err);
int km_schema_enum(struct km_schema_walk *w, const struct km_json *list, const struct km_json *v,
                   const struct km_schema_place *at, struct km_err *err);
int km_schema_const(struct km_schema_walk *w, const struct km_json *only, const struct km_json *v,
                    const struct km_schema_place *at, struct km_err *err);
int km_schema_range(struct km_schema_walk *w, const struct km_json *schema, const struct km_json *v,
                    const struct km_schema_place *at, struct km_err *err);

#endif
