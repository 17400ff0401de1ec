/* SPDX-License-Identifier: Apache-2.0 */
/* advise.c - see advise.h.
 *
 *     a.x = 5          EQUAL  a.x         x > $1, BETWEEN     RANGE  x, with $1
 *     a.x = b.y        EQUAL  both        ORDER BY x          ORDER  x
 *     x IN (...)       EQUAL  x           GROUP BY x          ORDER  x
 *
 * The tree is walked as a whole (tree.h), so that no place is forgotten: subqueries and joins are
 * seen as well.  What is no plain column beside a plain operator serves no plain index and is
 * passed over.
 */
#include "servers/postgres/advise.h"

#include "servers/postgres/tree.h"

struct seek {
    struct km_pg_uses *u;
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

static bool is(const struct km_pg_type *t, const char *name)
{
    return strcmp(t->name, name) == 0;
}

static void see(void *ctx, const struct km_pg_type *t, const ProtobufCMessage *m)
{
    struct seek *s = ctx;

    if (is(t, "A_Expr")) {
        see_expression(s, (const PgQuery__AExpr *)(const void *)m);
    } else if (is(t, "RangeVar")) {
        see_table(s, (const PgQuery__RangeVar *)(const void *)m);
    } else if (is(t, "SortBy")) {
        add(s, ((const PgQuery__SortBy *)(const void *)m)->node, NULL, KM_PG_USE_ORDER);
    } else if (is(t, "SelectStmt")) {
        const PgQuery__SelectStmt *q = (const PgQuery__SelectStmt *)(const void *)m;

        for (size_t i = 0; i < q->n_group_clause; i++)
            add(s, q->group_clause[i], NULL, KM_PG_USE_ORDER);
    } else if (is(t, "ParamRef")) {
        unsigned n = (unsigned)((const PgQuery__ParamRef *)(const void *)m)->number;

        s->u->params = n > s->u->params && n < 1000 ? n : s->u->params;
    }
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
    km_pg_tree_walk(km_pg_parser_types(parser), &tree->stmts[0]->base, see, &s);
    return 0;
}
