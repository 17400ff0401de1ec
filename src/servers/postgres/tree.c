/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - see tree.h.
 *
 *     type ── fields that point somewhere: strings, messages, arrays
 *       └──── the wrapper: one union; which member is set does not matter, all are messages
 *
 * Most fields of most messages are numbers, and the wrapper has 240 members of which one is set: a
 * list of what points somewhere, made once, is what makes copy and walk cheap.
 */
#include "servers/postgres/tree.h"

#include <stdlib.h>

static size_t slot_of(const struct km_pg_types *t, const ProtobufCMessageDescriptor *d)
{
    size_t n = sizeof t->index / sizeof t->index[0];
    size_t i = ((uintptr_t)d >> 5) * 0x9e3779b97f4a7c15u >> 40 & (n - 1);

    while (t->index[i] && t->v[t->index[i] - 1].descriptor != d)
        i = (i + 1) & (n - 1);
    return i;
}

const struct km_pg_type *km_pg_type_of(const struct km_pg_types *types, const ProtobufCMessage *m)
{
    size_t i = slot_of(types, m->descriptor);

    return types->index[i] ? &types->v[types->index[i] - 1] : NULL;
}

/* --- the kinds --- */

static bool points(const ProtobufCFieldDescriptor *f)
{
    return f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING ||
           f->type == PROTOBUF_C_TYPE_BYTES || f->label == PROTOBUF_C_LABEL_REPEATED;
}

/* false: there is no room. */
static bool add_type(struct km_pg_types *types, const ProtobufCMessageDescriptor *d)
{
    size_t slot = slot_of(types, d);
    const char *dot = strrchr(d->name, '.'); /* short_name is a C name */
    struct km_pg_type *t;

    if (types->index[slot])
        return true;
    if (types->n == KM_PG_TYPES)
        return false;
    t = &types->v[types->n++];
    types->index[slot] = (uint16_t)types->n;
    t->descriptor = d;
    t->name = dot ? dot + 1 : d->name;
    t->node = strcmp(t->name, "Node") == 0;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        t->n += points(f);
        if (f->type == PROTOBUF_C_TYPE_INT32 && f->label == PROTOBUF_C_LABEL_NONE &&
            strcmp(f->name, "location") == 0)
            t->place = f->offset;
    }
    return true;
}

static int add_fields(struct km_pg_types *types, struct km_err *err)
{
    unsigned n = 0;

    for (size_t i = 0; i < types->n; i++)
        n += types->v[i].n;
    types->fields = calloc(n + 1, sizeof(const ProtobufCFieldDescriptor *));
    if (!types->fields)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    n = 0;
    for (size_t i = 0; i < types->n; i++) {
        struct km_pg_type *t = &types->v[i];

        t->first = n;
        for (unsigned k = 0; k < t->descriptor->n_fields; k++)
            if (points(&t->descriptor->fields[k]))
                types->fields[n++] = &t->descriptor->fields[k];
    }
    return 0;
}

int km_pg_types_init(struct km_pg_types *types, const ProtobufCMessageDescriptor *root,
                     struct km_err *err)
{
    bool room = add_type(types, root);

    for (size_t i = 0; room && i < types->n; i++) {
        const ProtobufCMessageDescriptor *d = types->v[i].descriptor;

        for (unsigned k = 0; room && k < d->n_fields; k++)
            if (d->fields[k].type == PROTOBUF_C_TYPE_MESSAGE)
                room = add_type(types, d->fields[k].descriptor);
    }
    return room ? add_fields(types, err)
                : km_fail(err, KM_E_LIMIT, "libpg_query has more than %d kinds of nodes",
                          KM_PG_TYPES);
}

void km_pg_types_done(struct km_pg_types *types)
{
    free(types->fields);
    types->fields = NULL;
}

/* --- fields --- */

/* protobuf-c's C names are of one layout: each field is at the offset its description says. */
static void *at(const ProtobufCMessage *m, unsigned offset)
{
    return (char *)(uintptr_t)m + offset;
}

static bool unset(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
           *(const int *)at(m, f->quantifier_offset) != (int)f->id;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    default:
        return 0; /* nothing of the grammar today */
    }
}

/* --- the copy --- */

struct copy {
    const struct km_pg_types *types;
    struct km_arena *arena;
    unsigned depth;
};

static bool copy_message(struct copy *c, ProtobufCMessage **p);

static bool copy_array(struct copy *c, const ProtobufCFieldDescriptor *f, size_t n, void **p)
{
    size_t size = size_of(f->type);
    void *v = size ? km_arena_alloc(c->arena, n * size) : NULL;
    bool ok = v != NULL;

    if (ok)
        memcpy(v, *p, n * size);
    *p = v;
    for (size_t i = 0; ok && f->type == PROTOBUF_C_TYPE_MESSAGE && i < n; i++)
        ok = copy_message(c, (ProtobufCMessage **)v + i);
    return ok;
}

static bool copy_string(struct copy *c, char **p)
{
    static const char empty[] =
        ""; /* most fields are: no copy for each, and none is the library's */

    if (*p)
        *p = (char *)(uintptr_t)(**p ? km_arena_cstr(c->arena, km_str_c(*p)) : empty);
    return true;
}

static bool copy_field(struct copy *c, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t n;

    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        n = *(const size_t *)at(m, f->quantifier_offset);
        return n == 0 || copy_array(c, f, n, at(m, f->offset));
    }
    if (unset(m, f))
        return true;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return copy_message(c, at(m, f->offset));
    return f->type == PROTOBUF_C_TYPE_STRING && copy_string(c, at(m, f->offset));
}

static bool copy_inside(struct copy *c, ProtobufCMessage *m)
{
    const struct km_pg_type *t = km_pg_type_of(c->types, m);
    bool ok = t && !m->n_unknown_fields;

    if (ok && t->node) {
        PgQuery__Node *node = (PgQuery__Node *)(void *)m;

        return !node->node_case || copy_message(c, (ProtobufCMessage **)(void *)&node->alias);
    }
    for (unsigned i = 0; ok && i < t->n; i++)
        ok = copy_field(c, m, c->types->fields[t->first + i]);
    return ok;
}

static bool copy_message(struct copy *c, ProtobufCMessage **p)
{
    ProtobufCMessage *m;
    bool ok;

    if (!*p)
        return true;
    if (c->depth == KM_PG_WALK)
        return false;
    m = km_arena_alloc(c->arena, (*p)->descriptor->sizeof_message);
    if (!m)
        return false;
    memcpy(m, *p, (*p)->descriptor->sizeof_message);
    *p = m;
    c->depth++;
    ok = copy_inside(c, m);
    c->depth--;
    return ok;
}

int km_pg_tree_copy(const struct km_pg_types *types, struct km_arena *arena,
                    const ProtobufCMessage *m, ProtobufCMessage **ret_copy, struct km_err *err)
{
    struct copy c = { types, arena, 0 };
    ProtobufCMessage *copy = (ProtobufCMessage *)(uintptr_t)m;

    if (!copy_message(&c, &copy) || km_arena_overflowed(arena))
        return km_fail(err, KM_E_LIMIT, "the statement is too large to be judged");
    *ret_copy = copy;
    return 0;
}

/* --- the walk --- */

struct walk {
    const struct km_pg_types *types;
    km_pg_see_fn *see; /* one of the two */
    km_pg_see_scoped_fn *see_scoped;
    void *ctx;
    struct km_arena *arena; /* of scopes */
    const struct km_pg_scope *scope;
    unsigned depth;
};

static void walk(struct walk *w, const ProtobufCMessage *m);

static void walk_field(struct walk *w, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const ProtobufCMessage *const *items;

    if (f->type != PROTOBUF_C_TYPE_MESSAGE || unset(m, f))
        return;
    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        walk(w, *(const ProtobufCMessage *const *)at(m, f->offset));
        return;
    }
    items = *(const ProtobufCMessage *const *const *)at(m, f->offset);
    for (size_t i = 0; i < *(const size_t *)at(m, f->quantifier_offset); i++)
        walk(w, items[i]);
}

static void add_scope(struct walk *w, const PgQuery__CommonTableExpr *cte)
{
    struct km_pg_scope *scope = km_arena_zalloc(w->arena, sizeof *scope);

    if (!scope)
        return;
    *scope = (struct km_pg_scope){ w->scope, km_str_c(cte->ctename) };
    w->scope = scope;
}

/* WITH: a query of it sees the names before its own, with RECURSIVE all of them; what follows WITH
 * sees all. */
static void walk_with(struct walk *w, const PgQuery__WithClause *with)
{
    w->see_scoped(w->ctx, w->scope, km_pg_type_of(w->types, &with->base), &with->base);
    for (size_t i = 0; i < with->n_ctes; i++) {
        const PgQuery__Node *n = with->ctes[i];

        if (n->node_case == PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR && with->recursive)
            add_scope(w, n->common_table_expr);
    }
    for (size_t i = 0; i < with->n_ctes; i++) {
        const PgQuery__Node *n = with->ctes[i];

        walk(w, &n->base);
        if (n->node_case == PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR && !with->recursive)
            add_scope(w, n->common_table_expr);
    }
}

/* Its WITH comes first, wherever it stands among the fields. */
static void walk_scoped(struct walk *w, const struct km_pg_type *t, const ProtobufCMessage *m)
{
    const ProtobufCFieldDescriptor *with = NULL;
    const PgQuery__WithClause *clause = NULL;
    const struct km_pg_scope *outer = w->scope;

    for (unsigned i = 0; !with && i < t->n; i++)
        if (strcmp(w->types->fields[t->first + i]->name, "with_clause") == 0)
            with = w->types->fields[t->first + i];
    if (with)
        clause = *(const PgQuery__WithClause *const *)at(m, with->offset);
    w->see_scoped(w->ctx, w->scope, t, m);
    if (clause)
        walk_with(w, clause);
    for (unsigned i = 0; i < t->n; i++)
        if (w->types->fields[t->first + i] != with)
            walk_field(w, m, w->types->fields[t->first + i]);
    w->scope = outer;
}

static void walk(struct walk *w, const ProtobufCMessage *m)
{
    const struct km_pg_type *t = m && w->depth < KM_PG_WALK ? km_pg_type_of(w->types, m) : NULL;

    if (!t)
        return;
    w->depth++;
    if (!t->node && w->see_scoped) {
        walk_scoped(w, t, m);
    } else if (t->node) {
        const PgQuery__Node *node = (const PgQuery__Node *)(const void *)m;

        if (node->node_case)
            walk(w, (const ProtobufCMessage *)(const void *)node->alias);
    } else if (w->see) {
        w->see(w->ctx, t, m);
        for (unsigned i = 0; i < t->n; i++)
            walk_field(w, m, w->types->fields[t->first + i]);
    }
    w->depth--;
}

void km_pg_tree_walk(const struct km_pg_types *types, const ProtobufCMessage *m, km_pg_see_fn *see,
                     void *ctx)
{
    struct walk w = { .types = types, .see = see, .ctx = ctx };

    walk(&w, m);
}

void km_pg_tree_walk_scoped(const struct km_pg_types *types, struct km_arena *arena,
                            const ProtobufCMessage *m, km_pg_see_scoped_fn *see, void *ctx)
{
    struct walk w = { .types = types, .see_scoped = see, .ctx = ctx, .arena = arena };

    walk(&w, m);
}
