/* SPDX-License-Identifier: Apache-2.0 */
/* guard_types.c - between what an operator stands, as far as the text tells.
 *
 *     WHERE o.id = 1 AND lower(email) = $1      =  q:id      t:int4
 *                                               =  f:lower   p
 *
 * Somebody's operator runs only where its operands can become what it takes.  Which types they are,
 * the catalogue knows of what is named here (resolve_sql.c):
 *
 *     t:int4, t:int4[]   a type of PostgreSQL's
 *     l, p               a literal or a parameter without a type: it becomes what the other side is
 *     c:id, q:id         a column of a relation of the statement, q: with a table before it
 *     d:tags, r:tags     the elements of such a column
 *     f:lower            what a function of PostgreSQL's gives
 *     o:+                what an operator of that name gives
 *     -                  nothing: the operator stands before its operand
 *
 * Anything else is unknown, and so is a column whose name the statement gives to something (AS,
 * WITH, a function in FROM): that may be of any type.  Where it cannot be said which names a
 * subselect gives, no column is known.  Which names there are is seen at the end of the walk; pairs
 * wait for it.
 */
#include <stdlib.h>

#include "servers/postgres/functions.h"
#include "servers/postgres/guard_inside.h"

#define MADE 200 /* names that a statement gives; with more, no column is known */
#define INSIDE 8 /* subselects in subselects whose type is asked for */

bool km_pg_names(PgQuery__Node *const *nodes, size_t n, struct km_str *ret_schema,
                 struct km_str *ret_name)
{
    if (n < 1 || n > 3)
        return false;
    for (size_t i = 0; i < n; i++)
        if (nodes[i]->node_case != PG_QUERY__NODE__NODE_STRING)
            return false;
    *ret_name = km_str_c(nodes[n - 1]->string->sval);
    *ret_schema = n > 1 ? km_str_c(nodes[n - 2]->string->sval) : KM_STR_NONE;
    return true;
}

/* --- what stands there --- */

static const char *tell(struct km_pg_walk *w, const char *kind, struct km_str name,
                        const char *after)
{
    return km_arena_printf(w->arena, "%s%.*s%s", kind, KM_STR_ARG(name), after).p;
}

static const char *number(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (!text[digits])
        return digits <= 18 ? "t:int8" : NULL;
    return text[strspn(text, "0123456789.eE+-")] ? NULL : "t:numeric";
}

static const char *constant(const PgQuery__AConst *c)
{
    if (c->isnull)
        return "l";
    switch (c->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        return "t:int4";
    case PG_QUERY__A__CONST__VAL_SVAL:
        return "l";
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        return "t:bool";
    case PG_QUERY__A__CONST__VAL_FVAL:
        return number(c->fval->fval);
    default:
        return NULL;
    }
}

/* A name without a schema is PostgreSQL's where it has one: pg_catalog is first on the path. */
static bool ours(struct km_str schema)
{
    return !schema.n || km_str_eq(schema, KM_STR("pg_catalog"));
}

static const char *type(struct km_pg_walk *w, const PgQuery__TypeName *t)
{
    struct km_str schema, name;

    if (!t || t->setof || t->pct_type || !km_pg_names(t->names, t->n_names, &schema, &name) ||
        !ours(schema) || km_str_chr(name, '[') < name.n) /* or a name would look like an array */
        return NULL;
    return tell(w, "t:", name, t->n_array_bounds ? "[]" : "");
}

/* Is it sent as pg_catalog's? */
static bool builtin(const struct km_pg_walk *w, const PgQuery__FuncCall *f, struct km_str *ret_name)
{
    struct km_str schema;
    const char *more;

    if (!km_pg_names(f->funcname, f->n_funcname, &schema, ret_name) || !ours(schema) ||
        km_pg_function_find(*ret_name, &more) != KM_PG_FUNCTION_BUILTIN ||
        km_pg_extension_overloads(*ret_name))
        return false;
    for (size_t i = 0; i < w->options->nfunctions; i++)
        if (km_str_eq(w->options->functions[i].name, *ret_name))
            return false;
    return true;
}

static const char *column(struct km_pg_walk *w, const PgQuery__ColumnRef *c)
{
    const PgQuery__Node *last = c->n_fields ? c->fields[c->n_fields - 1] : NULL;

    if (!last || last->node_case != PG_QUERY__NODE__NODE_STRING)
        return NULL;
    return tell(w, c->n_fields > 1 ? "q:" : "c:", km_str_c(last->string->sval), "");
}

static const char *expression(struct km_pg_walk *w, const PgQuery__AExpr *e)
{
    struct km_str schema, name;

    switch (e->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
        return km_pg_names(e->name, e->n_name, &schema, &name) ? tell(w, "o:", name, "") : NULL;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        return NULL;
    default:
        return "t:bool";
    }
}

static const char *stands(struct km_pg_walk *w, const PgQuery__Node *n, int depth);

/* The only column of a subselect; a literal without a type is a text there. */
static const char *selected(struct km_pg_walk *w, const PgQuery__Node *n, int depth)
{
    const PgQuery__SelectStmt *s =
        n && n->node_case == PG_QUERY__NODE__NODE_SELECT_STMT ? n->select_stmt : NULL;
    const char *told;

    if (!s || s->op != PG_QUERY__SET_OPERATION__SETOP_NONE || s->n_target_list != 1 ||
        s->target_list[0]->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
        return NULL;
    told = stands(w, s->target_list[0]->res_target->val, depth + 1);
    if (told && *told == 'p')
        return NULL;
    return told && *told == 'l' ? "t:text" : told;
}

static const char *sublink(struct km_pg_walk *w, const PgQuery__SubLink *s, int depth)
{
    switch (s->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
        return "t:bool";
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
        return selected(w, s->subselect, depth);
    default:
        return NULL;
    }
}

static const char *value(const PgQuery__SQLValueFunction *f)
{
    return f->op == PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP ? "t:timestamptz"
           : f->op == PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE    ? "t:date"
                                                                            : NULL;
}

/* NULL: unknown. */
static const char *stands(struct km_pg_walk *w, const PgQuery__Node *n, int depth)
{
    struct km_str name;

    if (!n || depth > INSIDE)
        return NULL;
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST:
        return constant(n->a_const);
    case PG_QUERY__NODE__NODE_PARAM_REF:
        return km_arena_printf(w->arena, "p:%d", n->param_ref->number).p;
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return value(n->sqlvalue_function);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return builtin(w, n->func_call, &name) ? tell(w, "f:", name, "") : NULL;
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return type(w, n->type_cast->type_name);
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return column(w, n->column_ref);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return expression(w, n->a_expr);
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return sublink(w, n->sub_link, depth);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
    case PG_QUERY__NODE__NODE_NULL_TEST:
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return "t:bool";
    default:
        return NULL;
    }
}

/* --- pairs --- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool bare(const char *told)
{
    return !told || *told == 'l' || *told == 'p';
}

static int keep(struct km_pg_walk *w, struct km_str schema, struct km_str name, const char *left,
                const char *right, int at)
{
    struct km_pg_ref *p = w->pairs;

    if (p && same(p->left, left) && same(p->right, right) && km_str_eq(p->name, name) &&
        km_str_eq(p->schema, schema))
        return 0;
    p = km_arena_zalloc(w->arena, sizeof *p);
    if (!p)
        return KM_E_NOMEM;
    *p = (struct km_pg_ref){
        .schema = schema, .name = name, .at = at, .left = left, .right = right, .next = w->pairs
    };
    w->pairs = p;
    return 0;
}

int km_pg_pair(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
               const PgQuery__Node *left, const PgQuery__Node *right)
{
    return keep(w, schema, name, stands(w, left, 0), stands(w, right, 0), at);
}

/* CASE x WHEN y: a literal x becomes a text before. */
int km_pg_pair_case(struct km_pg_walk *w, int at, const PgQuery__Node *left,
                    const PgQuery__Node *right)
{
    const char *l = stands(w, left, 0);

    return keep(w, KM_STR_NONE, KM_STR("="), bare(l) && l ? "t:text" : l, stands(w, right, 0), at);
}

/* One that is written once and runs more often: of a parameter the first time tells the type. */
static const char *again(const char *told)
{
    return told && *told == 'p' ? NULL : told;
}

int km_pg_pair_again(struct km_pg_walk *w, struct km_str name, int at, const PgQuery__Node *left,
                     const PgQuery__Node *right)
{
    return keep(w, KM_STR_NONE, name, again(stands(w, left, 0)), again(stands(w, right, 0)), at);
}

int km_pg_pair_before(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                      const PgQuery__Node *operand)
{
    return keep(w, schema, name, "-", stands(w, operand, 0), at);
}

int km_pg_pair_selected(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                        const PgQuery__Node *left, const PgQuery__Node *subselect)
{
    return keep(w, schema, name, stands(w, left, 0), selected(w, subselect, 0), at);
}

/* JOIN ... USING (name): the columns of that name on either side. */
int km_pg_pair_columns(struct km_pg_walk *w, struct km_str name, int at)
{
    const char *c = tell(w, "c:", name, "");

    return keep(w, KM_STR_NONE, KM_STR("="), c, c, at);
}

/* x IN (a, b): beside each, and beside what x itself is, since all become of one type. */
int km_pg_pair_list(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                    const PgQuery__Node *left, const PgQuery__Node *list)
{
    const char *l = again(stands(w, left, 0));
    int r = keep(w, schema, name, l, l, at);

    if (!list || list->node_case != PG_QUERY__NODE__NODE_LIST)
        return keep(w, schema, name, NULL, NULL, at);
    for (size_t i = 0; r == 0 && i < list->list->n_items; i++)
        r = keep(w, schema, name, l, stands(w, list->list->items[i], 0), at);
    return r;
}

/* One of ARRAY[a, b], as what it is; NULL where it may be an array whose elements are meant. */
static const char *element(const char *told)
{
    static const char *const plain[] = { "l",      "t:text", "t:int4",    "t:int8", "t:numeric",
                                         "t:bool", "t:date", "t:varchar", "t:uuid" };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (told && strcmp(told, plain[i]) == 0)
            return told;
    return NULL;
}

/* x = ANY (array): beside its elements. */
int km_pg_pair_any(struct km_pg_walk *w, struct km_str schema, struct km_str name, int at,
                   const PgQuery__Node *left, const PgQuery__Node *array)
{
    const char *l = stands(w, left, 0), *told;
    size_t n;
    int r = 0;

    if (array && array->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR) {
        for (size_t i = 0; r == 0 && i < array->a_array_expr->n_elements; i++) {
            told = stands(w, array->a_array_expr->elements[i], 0);
            if (told && (*told == 'l' || *told == 'p')) /* of literals alone it is one of texts */
                r = keep(w, schema, name, l, "t:text", at);
            if (r == 0)
                r = keep(w, schema, name, l, element(told), at);
        }
        return r;
    }
    told = stands(w, array, 0);
    n = told ? strlen(told) : 0;
    if (told && *told == 't' && n > 4 && strcmp(told + n - 2, "[]") == 0)
        told = tell(w, "", km_str(told, n - 2), "");
    else if (told && strchr("cq", *told))
        told = tell(w, *told == 'c' ? "d:" : "r:", km_str_c(told + 2), "");
    else if (told && !bare(told))
        told = NULL;
    return keep(w, schema, name, l, told, at);
}

/* --- names that the statement gives --- */

static bool made(const struct km_pg_walk *w, struct km_str name)
{
    for (const struct km_pg_ref *m = w->made; m; m = m->next)
        if (km_str_eq(m->name, name))
            return true;
    return false;
}

void km_pg_make(struct km_pg_walk *w, struct km_str name)
{
    struct km_pg_ref *m;

    if (made(w, name))
        return;
    m = w->nmade < MADE ? km_arena_zalloc(w->arena, sizeof *m) : NULL;

    w->opaque = w->opaque || !m;
    if (!m)
        return;
    w->nmade++;
    m->name = name;
    m->next = w->made;
    w->made = m;
}

static void make_all(struct km_pg_walk *w, PgQuery__Node *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (names[i]->node_case == PG_QUERY__NODE__NODE_STRING)
            km_pg_make(w, km_str_c(names[i]->string->sval));
        else
            w->opaque = true;
}

int km_pg_check_alias(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__Alias *a = KM_PG_MESSAGE(PgQuery__Alias, message);

    km_pg_make(w, km_str_c(a->aliasname)); /* a name for whole rows, or for what a function gives */
    make_all(w, a->colnames, a->n_colnames);
    return 0;
}

int km_pg_check_made(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__ColumnDef *c = KM_PG_MESSAGE(PgQuery__ColumnDef, message);

    km_pg_make(w, km_str_c(c->colname));
    return 0;
}

int km_pg_check_opaque(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    (void)message;
    w->opaque = true;
    return 0;
}

void km_pg_see_relation(struct km_pg_walk *w, const PgQuery__RangeVar *v)
{
    if (!v->alias)
        km_pg_make(w, km_str_c(v->relname));
}

/* What PostgreSQL calls a column that has no name: of what it is the name of is told here. */
static void see_unnamed(struct km_pg_walk *w, const PgQuery__Node *n)
{
    struct km_str schema, name;

    switch (n ? n->node_case : PG_QUERY__NODE__NODE__NOT_SET) {
    case PG_QUERY__NODE__NODE_COLUMN_REF: /* it keeps name and type */
        return;
    case PG_QUERY__NODE__NODE_A_CONST:
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
    case PG_QUERY__NODE__NODE_NULL_TEST:
    case PG_QUERY__NODE__NODE_A_EXPR:
        km_pg_make(w, KM_STR("?column?")); /* a table may have one: CREATE TABLE t AS SELECT 1 */
        km_pg_make(w, KM_STR("bool")); /* true and false, up to release 14 */
        km_pg_make(w, KM_STR("nullif"));
        return;
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        km_pg_make(w, KM_STR("coalesce"));
        return;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        if (km_pg_names(n->func_call->funcname, n->func_call->n_funcname, &schema, &name))
            km_pg_make(w, name);
        return;
    default:
        w->opaque = true;
    }
}

static bool keeps_name(const PgQuery__ResTarget *t)
{
    const PgQuery__ColumnRef *c =
        t->val && t->val->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? t->val->column_ref : NULL;
    const PgQuery__Node *last = c && c->n_fields ? c->fields[c->n_fields - 1] : NULL;

    return last && last->node_case == PG_QUERY__NODE__NODE_STRING &&
           strcmp(last->string->sval, t->name) == 0;
}

static void see_rows(struct km_pg_walk *w, const PgQuery__Node *n, bool named)
{
    const PgQuery__SelectStmt *s =
        n && n->node_case == PG_QUERY__NODE__NODE_SELECT_STMT ? n->select_stmt : NULL;

    if (!s || s->op != PG_QUERY__SET_OPERATION__SETOP_NONE || (s->n_values_lists && !named)) {
        w->opaque = true;
        return;
    }
    for (size_t i = 0; i < s->n_target_list; i++) {
        const PgQuery__Node *t = s->target_list[i];

        if (t->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
            w->opaque = true;
        else if (!t->res_target->name || !*t->res_target->name)
            see_unnamed(w, t->res_target->val);
        else if (!keeps_name(t->res_target))
            km_pg_make(w, km_str_c(t->res_target->name));
    }
}

int km_pg_check_subselect(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeSubselect *s = KM_PG_MESSAGE(PgQuery__RangeSubselect, message);

    see_rows(w, s->subquery, false);
    return 0;
}

int km_pg_check_cte(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__CommonTableExpr *c = KM_PG_MESSAGE(PgQuery__CommonTableExpr, message);

    make_all(w, c->aliascolnames, c->n_aliascolnames);
    see_rows(w, c->ctequery, false);
    return 0;
}

/* Functions in FROM whose columns are named by what calls them, or by these words. */
void km_pg_see_call(struct km_pg_walk *w, const PgQuery__RangeFunction *f)
{
    static const char *const scalar[] = { "generate_series",           "generate_subscripts",
                                          "json_array_elements",       "json_array_elements_text",
                                          "jsonb_array_elements",      "jsonb_each",
                                          "jsonb_array_elements_text", "jsonb_each_text",
                                          "jsonb_object_keys",         "json_each",
                                          "regexp_split_to_table",     "string_to_table" };
    const PgQuery__Node *list = f->n_functions == 1 ? f->functions[0] : NULL;
    const PgQuery__Node *call =
        list && list->node_case == PG_QUERY__NODE__NODE_LIST && list->list->n_items
            ? list->list->items[0]
            : NULL;
    struct km_str name;

    km_pg_make(w, KM_STR("key"));
    km_pg_make(w, KM_STR("value"));
    km_pg_make(w, KM_STR("ordinality"));
    if (call && call->node_case == PG_QUERY__NODE__NODE_FUNC_CALL &&
        builtin(w, call->func_call, &name)) {
        km_pg_make(w, name);
        if (f->n_coldeflist) /* they are all there is */
            return;
        for (size_t i = 0; i < sizeof scalar / sizeof scalar[0]; i++)
            if (km_str_eq(name, km_str_c(scalar[i])))
                return;
    }
    w->opaque = true;
}

void km_pg_see_param(struct km_pg_walk *w, unsigned number)
{
    uint64_t bit = (uint64_t)1 << (number % 64), *once = &w->once[number / 64];

    if (*once & bit)
        w->twice[number / 64] |= bit;
    *once |= bit;
}

/* --- the end --- */

/* A statement that makes or changes tables may change the types it speaks of. */
static bool reads_or_writes_rows(const char *root)
{
    return root && (strcmp(root, "SelectStmt") == 0 || strcmp(root, "InsertStmt") == 0 ||
                    strcmp(root, "UpdateStmt") == 0 || strcmp(root, "DeleteStmt") == 0 ||
                    strcmp(root, "MergeStmt") == 0 || strcmp(root, "ExplainStmt") == 0);
}

static const char *settle(const struct km_pg_walk *w, const char *told)
{
    unsigned n;

    if (!told)
        return NULL;
    if (strchr("cdqr", *told))
        return w->opaque || made(w, km_str_c(told + 2)) ? NULL : told;
    if (*told != 'p')
        return told;
    n = (unsigned)strtoul(told + 2, NULL, 10);
    if (n >= 1024 ||
        (w->twice[n / 64] >> (n % 64)) & 1) /* its other place may have told its type */
        return NULL;
    return "p";
}

void km_pg_pairs_end(struct km_pg_walk *w)
{
    w->opaque = w->opaque || !reads_or_writes_rows(w->v->root);
    for (struct km_pg_ref *p = w->pairs; p; p = p->next) {
        p->left = settle(w, p->left);
        p->right = settle(w, p->right);
    }
}
