/* SPDX-License-Identifier: Apache-2.0 */
/* advise.c - see advise.h.
 *
 *     a.x = 5          EQUAL  a.x         x > $1, BETWEEN     RANGE    x, with $1
 *     a.x = b.y        EQUAL  both        ORDER BY x DESC     ORDER    x, down
 *     x IN (...)       EQUAL  x           GROUP BY x          ORDER    x
 *     x @> '{}'        HOLDS  x           x LIKE '%a%'        PATTERN  x
 *     x LIKE 'abc%'    PREFIX x           x LIKE $1           PATTERN  x, which may be a prefix
 *     to_tsvector('english', x) @@ ...    HOLDS x, as a document
 *     any column       READ   it          WHERE x = 5 AND ... fixed    x, "= 5"
 *
 * The tree is walked as a whole (tree.h), so that no place is forgotten: subqueries and joins are
 * seen as well.  What is no plain column beside a plain operator serves no plain index and is
 * only read.  Constants are fixed where WHERE joins them by AND: an OR may take other rows too.
 */
#include "servers/postgres/advise.h"

#include "base/buf.h"
#include "servers/postgres/tree.h"

#define ANDS 32 /* depth of AND in AND, and of NOT */

struct seek {
    struct km_pg_uses *u;
    struct km_arena *arena;
};

static bool column(const PgQuery__Node *node, struct km_str *ret_table, struct km_str *ret_column)
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
    *ret_column = km_str_c(ref->fields[n - 1]->string->sval);
    *ret_table = n > 1 ? km_str_c(ref->fields[n - 2]->string->sval) : KM_STR_NONE;
    return true;
}

static const PgQuery__Node *uncast(const PgQuery__Node *node)
{
    while (node && node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        node = node->type_cast->arg;
    return node;
}

static unsigned param_of(const PgQuery__Node *node)
{
    node = uncast(node);
    return node && node->node_case == PG_QUERY__NODE__NODE_PARAM_REF
               ? (unsigned)node->param_ref->number
               : 0;
}

static struct km_pg_use *add(struct seek *s, const PgQuery__Node *node, const PgQuery__Node *with,
                             enum km_pg_use_kind kind)
{
    struct km_pg_use use = { .kind = kind }, *kept = &s->u->v[s->u->n];

    if (!column(node, &use.table, &use.column))
        return NULL;
    for (size_t i = 0; kind == KM_PG_USE_READ && i < s->u->n; i++)
        if (km_str_eq(s->u->v[i].column, use.column) && km_str_eq(s->u->v[i].table, use.table))
            return NULL;
    if (s->u->n == KM_PG_USES) {
        s->u->whole = true;
        return NULL;
    }
    use.param = param_of(with);
    *kept = use;
    s->u->n++;
    return kept;
}

/* --- conditions --- */

/* What a pattern begins with: the first part of `a || b || c`. */
static const PgQuery__Node *beginning(const PgQuery__Node *pattern)
{
    const PgQuery__Node *node = uncast(pattern);

    while (node && node->node_case == PG_QUERY__NODE__NODE_A_EXPR && node->a_expr->n_name == 1 &&
           node->a_expr->name[0]->node_case == PG_QUERY__NODE__NODE_STRING &&
           strcmp(node->a_expr->name[0]->string->sval, "||") == 0)
        node = uncast(node->a_expr->lexpr);
    return node;
}

/* It begins with a wildcard, or is not known: a btree finds no place to begin. */
static bool floats(const PgQuery__Node *first)
{
    const char *text = first && first->node_case == PG_QUERY__NODE__NODE_A_CONST &&
                               first->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL
                           ? first->a_const->sval->sval
                           : "%";

    return text[0] == '%' || text[0] == '_';
}

/* The parameter it begins with, as all do in pg_stat_statements, may be either: without regard to
 * case only trigrams serve. */
static void see_pattern(struct seek *s, const PgQuery__AExpr *e, bool any_case)
{
    const PgQuery__Node *first = beginning(e->rexpr);
    bool prefix = !any_case && !floats(first);
    struct km_pg_use *use = add(s, e->lexpr, first, prefix ? KM_PG_USE_PREFIX : KM_PG_USE_PATTERN);

    if (use)
        use->may_begin = !any_case && use->param;
}

/* A name that needs no quotes: it will stand in the text of an index. */
static bool word(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
              s.p[i] == '_' || s.p[i] == '.'))
            return false;
    return s.n;
}

/* What an inverted index can be of: a column, or to_tsvector() of one.  Without a configuration
 * that function is none that an index may have. */
static const PgQuery__Node *document(const PgQuery__Node *node, struct km_str *ret_config)
{
    const PgQuery__FuncCall *f;
    const PgQuery__Node *config, *name;

    if (!node || node->node_case != PG_QUERY__NODE__NODE_FUNC_CALL)
        return node;
    f = node->func_call;
    name = f->n_funcname == 1 ? f->funcname[0] : NULL;
    config = f->n_args == 2 ? uncast(f->args[0]) : NULL;
    if (!name || name->node_case != PG_QUERY__NODE__NODE_STRING ||
        strcmp(name->string->sval, "to_tsvector") != 0 || !config ||
        config->node_case != PG_QUERY__NODE__NODE_A_CONST ||
        config->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL)
        return NULL;
    *ret_config = km_str_c(config->a_const->sval->sval);
    return word(*ret_config) ? f->args[1] : NULL;
}

static bool holds(struct km_str op)
{
    static const char *const ops[] = { "@>", "?", "?|", "?&", "@?", "@@", "&&" };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (km_str_eq(op, km_str_c(ops[i])))
            return true;
    return false;
}

/* Is it made of a column, so that an index of the column does not serve it? */
static bool computed(const PgQuery__Node *node)
{
    struct km_str table, name;

    node = uncast(node);
    if (!node)
        return false;
    if (node->node_case == PG_QUERY__NODE__NODE_FUNC_CALL) {
        for (size_t i = 0; i < node->func_call->n_args; i++)
            if (column(node->func_call->args[i], &table, &name))
                return true;
        return false;
    }
    return node->node_case == PG_QUERY__NODE__NODE_A_EXPR &&
           column(node->a_expr->lexpr, &table, &name);
}

static void see_made(struct seek *s, const PgQuery__Node *node)
{
    struct km_pg_made made;
    const PgQuery__Node *of = km_pg_made_of(s->arena, node, &made);
    struct km_pg_use *use = of ? add(s, of, NULL, KM_PG_USE_MADE) : NULL;

    if (use)
        use->made = made;
}

static void see_expression(struct seek *s, const PgQuery__AExpr *e)
{
    const PgQuery__Node *word = e->n_name ? e->name[e->n_name - 1] : NULL;
    struct km_str op, config = KM_STR_NONE;
    struct km_pg_use *use;

    if (!word || word->node_case != PG_QUERY__NODE__NODE_STRING)
        return;
    op = km_str_c(word->string->sval);
    if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN) {
        (void)add(s, e->lexpr, NULL, KM_PG_USE_RANGE);
    } else if (km_str_eq(op, KM_STR("~~")) || km_str_eq(op, KM_STR("~~*"))) {
        see_pattern(s, e, op.n == 3);
    } else if (holds(op)) {
        use = add(s, document(e->lexpr, &config), e->rexpr, KM_PG_USE_HOLDS);
        if (use) {
            use->op = op;
            use->config = config;
        }
    } else if (km_str_eq(op, KM_STR("="))) {
        s->u->computed = s->u->computed || computed(e->lexpr) || computed(e->rexpr);
        see_made(s, e->lexpr);
        see_made(s, e->rexpr);
        (void)add(s, e->lexpr, e->rexpr, KM_PG_USE_EQUAL);
        (void)add(s, e->rexpr, e->lexpr, KM_PG_USE_EQUAL);
    } else if (op.n && (op.p[0] == '<' || op.p[0] == '>') &&
               (op.n == 1 || (op.n == 2 && op.p[1] == '='))) {
        see_made(s, e->lexpr);
        see_made(s, e->rexpr);
        (void)add(s, e->lexpr, e->rexpr, KM_PG_USE_RANGE);
        (void)add(s, e->rexpr, e->lexpr, KM_PG_USE_RANGE);
    }
}

/* --- constants --- */

/* The constant as SQL behind " = ", and as pg_stats writes it.  A text with a backslash is none:
 * no reading of quotes may matter. */
static bool literal(struct seek *s, const PgQuery__AConst *c, struct km_pg_fixed *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_PG_LITERAL);

    km_buf_str(&b, KM_STR(" = "));
    if (c->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
        f->value = km_arena_printf(s->arena, "%d", c->ival->ival);
        km_buf_str(&b, f->value);
    } else if (c->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL) {
        f->value = c->boolval->boolval ? KM_STR("t") : KM_STR("f");
        km_buf_str(&b, c->boolval->boolval ? KM_STR("true") : KM_STR("false"));
    } else if (c->val_case == PG_QUERY__A__CONST__VAL_SVAL) {
        f->value = km_str_c(c->sval->sval);
        if (!f->value.n || f->value.n > KM_PG_LITERAL || km_str_chr(f->value, '\\') < f->value.n)
            return false;
        km_buf_byte(&b, '\'');
        for (size_t i = 0; i < f->value.n; i++) {
            if (f->value.p[i] == '\'')
                km_buf_byte(&b, '\'');
            km_buf_byte(&b, f->value.p[i]);
        }
        km_buf_byte(&b, '\'');
    } else {
        return false;
    }
    f->after = km_arena_str(s->arena, km_buf_view(&b));
    return f->after.n;
}

static bool fix_equal(struct seek *s, const PgQuery__AExpr *e, struct km_pg_fixed *f)
{
    const PgQuery__Node *value = uncast(e->rexpr);

    return e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && e->n_name == 1 &&
           e->name[0]->node_case == PG_QUERY__NODE__NODE_STRING &&
           strcmp(e->name[0]->string->sval, "=") == 0 && value &&
           value->node_case == PG_QUERY__NODE__NODE_A_CONST && !value->a_const->isnull &&
           column(e->lexpr, &f->table, &f->column) && literal(s, value->a_const, f);
}

/* One condition of WHERE, and those that AND joins. */
static void fix(struct seek *s, const PgQuery__Node *node, unsigned depth)
{
    struct km_pg_fixed *f = &s->u->fixed[s->u->nfixed];
    bool found = false;

    if (!node || s->u->nfixed == KM_PG_FIXED || depth == ANDS)
        return;
    *f = (struct km_pg_fixed){ 0 };
    if (node->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR) {
        const PgQuery__BoolExpr *e = node->bool_expr;

        if (e->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)
            for (size_t i = 0; i < e->n_args; i++)
                fix(s, e->args[i], depth + 1);
        else if (e->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR && e->n_args == 1)
            found = f->not = column(e->args[0], &f->table, &f->column);
    } else if (node->node_case == PG_QUERY__NODE__NODE_NULL_TEST) {
        found = column(node->null_test->arg, &f->table, &f->column);
        f->after = node->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL
                       ? KM_STR(" IS NULL")
                       : KM_STR(" IS NOT NULL");
    } else if (node->node_case == PG_QUERY__NODE__NODE_A_EXPR) {
        found = fix_equal(s, node->a_expr, f);
    } else {
        found = column(node, &f->table, &f->column);
    }
    s->u->nfixed += found;
}

/* --- the walk --- */

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

static void see_order(struct seek *s, const PgQuery__SortBy *by)
{
    struct km_pg_use *use = add(s, by->node, NULL, KM_PG_USE_ORDER);

    if (use)
        use->down = by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
}

/* max() and min() want the first of an order, where nothing else is to be sorted. */
static void see_call(struct seek *s, const PgQuery__FuncCall *f)
{
    const PgQuery__Node *name = f->n_funcname ? f->funcname[f->n_funcname - 1] : NULL;
    struct km_pg_use *use;

    if (!name || name->node_case != PG_QUERY__NODE__NODE_STRING || f->n_args != 1 || f->over ||
        (strcmp(name->string->sval, "max") != 0 && strcmp(name->string->sval, "min") != 0))
        return;
    for (size_t i = 0; i < s->u->n; i++)
        if (s->u->v[i].kind == KM_PG_USE_ORDER)
            return;
    use = add(s, f->args[0], NULL, KM_PG_USE_ORDER);
    if (use)
        use->first = true;
}

/* Beside a range the first of an order may be far behind rows that are not in the range: what the
 * planner hopes for there is no advice. */
static void drop_firsts(struct km_pg_uses *u)
{
    bool ranges = false;

    for (size_t i = 0; i < u->n; i++)
        ranges = ranges || u->v[i].kind == KM_PG_USE_RANGE || u->v[i].kind == KM_PG_USE_PATTERN ||
                 u->v[i].kind == KM_PG_USE_PREFIX || u->v[i].kind == KM_PG_USE_HOLDS;
    for (size_t i = 0; ranges && i < u->n; i++)
        if (u->v[i].first)
            u->v[i].kind = KM_PG_USE_READ;
}

static void see_select(struct seek *s, const PgQuery__SelectStmt *q)
{
    for (size_t i = 0; i < q->n_group_clause; i++)
        (void)add(s, q->group_clause[i], NULL, KM_PG_USE_ORDER);
    fix(s, q->where_clause, 0);
}

static bool is(const struct km_pg_type *t, const char *name)
{
    return strcmp(t->name, name) == 0;
}

static void see(void *ctx, const struct km_pg_type *t, const ProtobufCMessage *message)
{
    const void *m = message;
    struct seek *s = ctx;

    if (is(t, "A_Expr")) {
        see_expression(s, m);
    } else if (is(t, "RangeVar")) {
        see_table(s, m);
    } else if (is(t, "FuncCall")) {
        see_call(s, m);
    } else if (is(t, "BoolExpr")) {
        s->u->either = s->u->either ||
                       ((const PgQuery__BoolExpr *)m)->boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR;
    } else if (is(t, "SortBy")) {
        see_order(s, m);
    } else if (is(t, "SelectStmt")) {
        see_select(s, m);
    } else if (is(t, "UpdateStmt")) {
        fix(s, ((const PgQuery__UpdateStmt *)m)->where_clause, 0);
    } else if (is(t, "DeleteStmt")) {
        fix(s, ((const PgQuery__DeleteStmt *)m)->where_clause, 0);
    } else if (is(t, "A_Star")) {
        s->u->whole = true;
    } else if (is(t, "ColumnRef")) {
        PgQuery__ColumnRef ref = *(const PgQuery__ColumnRef *)m;
        PgQuery__Node node = { .node_case = PG_QUERY__NODE__NODE_COLUMN_REF, .column_ref = &ref };

        (void)add(s, &node, NULL, KM_PG_USE_READ);
    } else if (is(t, "ParamRef")) {
        unsigned n = (unsigned)((const PgQuery__ParamRef *)m)->number;

        s->u->params = n > s->u->params && n < 1000 ? n : s->u->params;
    }
}

int km_pg_uses_find(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                    struct km_pg_uses *ret, struct km_err *err)
{
    PgQuery__ParseResult *tree;
    struct seek s = { .u = ret, .arena = arena };
    size_t at;

    *ret = (struct km_pg_uses){ 0 };
    if (km_pg_parse(parser, arena, sql, &tree, &at, err) < 0)
        return KM_E_INVALID;
    if (tree->n_stmts != 1 || !tree->stmts[0]->stmt)
        return km_fail(err, KM_E_INVALID, "one statement at a time");
    km_pg_tree_walk(km_pg_parser_types(parser), &tree->stmts[0]->base, see, &s);
    drop_firsts(ret);
    return 0;
}
