/* SPDX-License-Identifier: Apache-2.0 */
/* advise.c - see advise.h.
 *
 *     a.x = 5          EQUAL  a.x         x > $1, BETWEEN     RANGE  x, with $1
 *     a.x = b.y        EQUAL  both        ORDER BY x          ORDER  x
 *     x IN (...)       EQUAL  x           GROUP BY x          ORDER  x
 *
 * The tree is walked by its own description, as the guard does it, so that no place is forgotten:
 * subqueries and joins are seen as well.  What is no plain column beside a plain operator serves
 * no plain index and is passed over.
 */
#include "servers/postgres/advise.h"

#include <pg_query/pg_query.pb-c.h>

#define DEPTH 4000

struct seek {
    struct km_pg_uses *u;
    unsigned depth;
};

static bool column(const PgQuery__Node *node, struct km_pg_use *use)
{
    const PgQuery__ColumnRef *ref;
    size_t n;

    if (!node || node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return false;
    ref = node->column_ref;
    n = ref->n_fields;
    if (n < 1 || n > 3 || ref->fields[n - 1]->node_case != PG_QUERY__NODE__NODE_STRING ||
        (n > 1 && ref->fields[n - 2]->node_case != PG_QUERY__NODE__NODE_STRING))
        return false;
    use->column = km_str_c(ref->fields[n - 1]->string->sval);
    use->table = n > 1 ? km_str_c(ref->fields[n - 2]->string->sval) : KM_STR_NONE;
    return true;
}

static unsigned param_of(const PgQuery__Node *node)
{
    while (node && node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        node = node->type_cast->arg;
    return node && node->node_case == PG_QUERY__NODE__NODE_PARAM_REF
               ? (unsigned)node->param_ref->number
               : 0;
}

static void add(struct seek *s, const PgQuery__Node *node, const PgQuery__Node *with,
                enum km_pg_use_kind kind)
{
    struct km_pg_use use = { .kind = kind };

    if (s->u->n == KM_PG_USES || !column(node, &use))
        return;
    use.param = param_of(with);
    s->u->v[s->u->n++] = use;
}

static void see_expression(struct seek *s, const PgQuery__AExpr *e)
{
    const PgQuery__Node *word = e->n_name ? e->name[e->n_name - 1] : NULL;
    struct km_str op;

    if (!word || word->node_case != PG_QUERY__NODE__NODE_STRING)
        return;
    op = km_str_c(word->string->sval);
    if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN) {
        add(s, e->lexpr, NULL, KM_PG_USE_RANGE);
    } else if (km_str_eq(op, KM_STR("="))) {
        add(s, e->lexpr, e->rexpr, KM_PG_USE_EQUAL);
        add(s, e->rexpr, e->lexpr, KM_PG_USE_EQUAL);
    } else if (op.n && (op.p[0] == '<' || op.p[0] == '>') &&
               (op.n == 1 || (op.n == 2 && op.p[1] == '='))) {
        add(s, e->lexpr, e->rexpr, KM_PG_USE_RANGE);
        add(s, e->rexpr, e->lexpr, KM_PG_USE_RANGE);
    }
}

static void see_table(struct seek *s, const PgQuery__RangeVar *r)
{
    struct km_pg_named_table *t = &s->u->tables[s->u->ntables];

    if (s->u->ntables == KM_PG_TABLES)
        return;
    t->schema = km_str_c(r->schemaname);
    t->name = km_str_c(r->relname);
    t->alias = r->alias && r->alias->aliasname ? km_str_c(r->alias->aliasname) : t->name;
    s->u->ntables++;
}

/* As the grammar calls it, "A_Expr"; short_name is a C name. */
static bool is(const ProtobufCMessage *m, const char *name)
{
    return strcmp(m->descriptor->name + sizeof "pg_query." - 1, name) == 0;
}

static void see(struct seek *s, const ProtobufCMessage *m)
{
    if (is(m, "A_Expr")) {
        see_expression(s, (const PgQuery__AExpr *)(const void *)m);
    } else if (is(m, "RangeVar")) {
        see_table(s, (const PgQuery__RangeVar *)(const void *)m);
    } else if (is(m, "SortBy")) {
        add(s, ((const PgQuery__SortBy *)(const void *)m)->node, NULL, KM_PG_USE_ORDER);
    } else if (is(m, "SelectStmt")) {
        const PgQuery__SelectStmt *q = (const PgQuery__SelectStmt *)(const void *)m;

        for (size_t i = 0; i < q->n_group_clause; i++)
            add(s, q->group_clause[i], NULL, KM_PG_USE_ORDER);
    } else if (is(m, "ParamRef")) {
        unsigned n = (unsigned)((const PgQuery__ParamRef *)(const void *)m)->number;

        s->u->params = n > s->u->params && n < 1000 ? n : s->u->params;
    }
}

static void walk(struct seek *s, const ProtobufCMessage *m);

static void walk_field(struct seek *s, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *base = (const char *)m;
    const ProtobufCMessage *const *items;

    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        items = *(const ProtobufCMessage *const *const *)(const void *)(base + f->offset);
        for (size_t i = 0; i < *(const size_t *)(const void *)(base + f->quantifier_offset); i++)
            walk(s, items[i]);
    } else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
               *(const int *)(const void *)(base + f->quantifier_offset) == (int)f->id) {
        walk(s, *(const ProtobufCMessage *const *)(const void *)(base + f->offset));
    }
}

static void walk(struct seek *s, const ProtobufCMessage *m)
{
    if (!m || s->depth > DEPTH)
        return;
    s->depth++;
    see(s, m);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        walk_field(s, m, &m->descriptor->fields[i]);
    s->depth--;
}

int km_pg_uses_find(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                    struct km_pg_uses *ret, struct km_err *err)
{
    PgQuery__ParseResult *tree;
    struct seek s = { .u = ret };
    size_t at;

    *ret = (struct km_pg_uses){ 0 };
    if (km_pg_parse(parser, arena, sql, &tree, &at, err) < 0)
        return KM_E_INVALID;
    if (tree->n_stmts != 1 || !tree->stmts[0]->stmt)
        return km_fail(err, KM_E_INVALID, "one statement at a time");
    ret->reads = tree->stmts[0]->stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT;
    walk(&s, &tree->stmts[0]->base);
    return 0;
}
