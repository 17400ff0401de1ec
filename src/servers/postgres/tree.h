/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - the parse tree: its kinds of messages, a copy of it, a walk over it.
 *
 * A tree is protobuf-c's structs; each message carries its description, so that nothing here knows
 * a kind by heart.  Descriptions are the library's, which is never closed.
 */
#ifndef KM_SERVERS_POSTGRES_TREE_H
#define KM_SERVERS_POSTGRES_TREE_H

#include <pg_query/pg_query.pb-c.h>

#include "base/arena.h"

#define KM_PG_TYPES 512 /* kinds of messages the library may have */
#define KM_PG_WALK 4000 /* messages inside messages: KM_PG_NESTING is reached before it */

struct km_pg_type {
    const ProtobufCMessageDescriptor *descriptor;
    const char *name; /* "A_Const", as the grammar says it */
    bool node; /* the wrapper around all others: a union of pointers to messages */
    unsigned place; /* offset of an int32 `location`; 0: it has none */
    unsigned first, n; /* its fields that point somewhere, in km_pg_types.fields */
};

struct km_pg_types {
    struct km_pg_type v[KM_PG_TYPES];
    size_t n;
    uint16_t index[2 * KM_PG_TYPES]; /* by the descriptor's address, 0: free, else 1 + place */
    const ProtobufCFieldDescriptor **fields; /* of all types; owned */
};

/* Every kind that can be reached from the root. */
int km_pg_types_init(struct km_pg_types *types, const ProtobufCMessageDescriptor *root,
                     struct km_err *err) KM_MUST_USE;
void km_pg_types_done(struct km_pg_types *types);
const struct km_pg_type *km_pg_type_of(const struct km_pg_types *types, const ProtobufCMessage *m);

/* A deep copy in the arena.  KM_E_LIMIT: it is too deep, or has what no kind has. */
int km_pg_tree_copy(const struct km_pg_types *types, struct km_arena *arena,
                    const ProtobufCMessage *m, ProtobufCMessage **ret_copy,
                    struct km_err *err) KM_MUST_USE;

/* Called for each message but wrappers, outer ones first.  type is never NULL. */
typedef void km_pg_see_fn(void *ctx, const struct km_pg_type *type, const ProtobufCMessage *m);
/* Deeper than KM_PG_WALK nothing is seen. */
void km_pg_tree_walk(const struct km_pg_types *types, const ProtobufCMessage *m, km_pg_see_fn *see,
                     void *ctx);

/* The names of WITH that a relation without a schema may mean at a place, inner ones first. */
struct km_pg_scope {
    const struct km_pg_scope *up;
    struct km_str name;
};

/* scope: of the place; NULL: no name. */
typedef void km_pg_see_scoped_fn(void *ctx, const struct km_pg_scope *scope,
                                 const struct km_pg_type *type, const ProtobufCMessage *m);
/* The same walk; scopes live in the arena.  Without memory a name is missing from them. */
void km_pg_tree_walk_scoped(const struct km_pg_types *types, struct km_arena *arena,
                            const ProtobufCMessage *m, km_pg_see_scoped_fn *see, void *ctx);

#endif
