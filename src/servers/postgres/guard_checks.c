/* SPDX-License-Identifier: Apache-2.0 */
/* guard_checks.c - what a node means, beyond that it may stand there.
 *
 * The walk has seen that node and fields are on the list of the mode; here names are judged:
 * functions against the list of functions, relations against those that tell secrets.  What a name
 * stands for is the catalogue's to say, so each name that is not pg_catalog's own is kept as a
 * reference.
 *
 * Hints say what would pass, as far as that can be said.
 */
#include "servers/postgres/guard_inside.h"

#include "servers/postgres/functions.h"

#define CALLS 20 /* functions in FROM that are told apart; with more, any name counts as one */

bool km_pg_is_system(struct km_str schema)
{
    return km_str_eq(schema, KM_STR("pg_catalog")) ||
           km_str_eq(schema, KM_STR("information_schema"));
}

/* --- functions --- */

/* The text at `at` must be the name's own token: only then may a schema be written before it. */
static bool is_token(const struct km_pg_walk *w, int at, struct km_str name)
{
    struct km_str s;

    if (at < 0 || (size_t)at >= w->sql.n)
        return false;
    s = km_str_skip(w->sql, (size_t)at);
    return s.p[0] == '"' || km_str_istarts(s, KM_STR("u&\"")) || km_str_istarts(s, name);
}

/* A cast to text may run without being written. */
static int refer_text(struct km_pg_walk *w)
{
    return km_pg_refer(w, KM_PG_REF_TYPE, KM_STR("pg_catalog"), KM_STR("text"), NULL, -1);
}

static int qualify(struct km_pg_walk *w, int at, struct km_str name)
{
    if (!is_token(w, at, name) || !km_pg_put(w, (size_t)at, KM_STR("pg_catalog.")))
        return km_pg_refuse(w, "GUARD_FUNCTION", "FuncCall", at,
                            "write pg_catalog. before the name of the function",
                            "the call of %.*s() cannot be placed in the text", KM_STR_ARG(name));
    return 0;
}

static bool vouched(const struct km_pg_walk *w, struct km_str schema, struct km_str name)
{
    for (size_t i = 0; i < w->options->nfunctions; i++) {
        const struct km_pg_named *f = &w->options->functions[i];

        if (km_str_eq(f->name, name) && (!schema.n || km_str_eq(f->schema, schema)))
            return true;
    }
    return false;
}

/* The only argument of SHOW's function form that can be judged is one that is written down. */
static int check_setting(struct km_pg_walk *w, const PgQuery__FuncCall *f)
{
    const PgQuery__Node *arg = f->n_args ? f->args[0] : NULL;
    const PgQuery__AConst *c = NULL;

    if (w->options->of_view)
        return 0;
    if (arg && arg->node_case == PG_QUERY__NODE__NODE_A_CONST)
        c = arg->a_const;
    if (c && c->val_case == PG_QUERY__A__CONST__VAL_SVAL &&
        km_pg_setting_shown(km_str_c(c->sval->sval)))
        return 0;
    return km_pg_refuse(w, "GUARD_SETTING", "FuncCall", f->location,
                        "name a setting such as 'TimeZone' or 'work_mem' as a constant",
                        "current_setting() may tell settings of a list only");
}

static int refuse_function(struct km_pg_walk *w, int at, struct km_str schema, struct km_str name,
                           const char *why)
{
    const char *hint = why ? "leave the call out; there is no form of it that passes"
                           : "use a function of PostgreSQL's documentation, or ask the operator to "
                             "list this one under allow_functions";

    const char *instead = why || schema.n ? NULL : km_pg_function_instead(name);

    if (instead)
        return km_pg_refuse(w, "GUARD_FUNCTION", "FuncCall", at,
                            km_arena_printf(w->arena, "write %s", instead).p,
                            "%.*s() is a function of another database", KM_STR_ARG(name));
    if (why)
        return km_pg_refuse(w, "GUARD_FUNCTION", "FuncCall", at, hint,
                            "%.*s() may not be called: %s", KM_STR_ARG(name), why);
    return km_pg_refuse(w, "GUARD_FUNCTION", "FuncCall", at, hint,
                        "%.*s%s%.*s() is not on the list of functions that only compute",
                        KM_STR_ARG(schema), schema.n ? "." : "", KM_STR_ARG(name));
}

/* What makes JSON of a value takes a cast to json, if the value's type has one; these are written
 * in SQL, and cast to text. */
static int refer_casts(struct km_pg_walk *w, struct km_str name)
{
    static const char *const to_text[] = { "quote_literal", "quote_nullable", "anytextcat",
                                           "textanycat" };

    if (km_str_find(name, KM_STR("json")) < name.n)
        return km_pg_refer(w, KM_PG_REF_TYPE, KM_STR("pg_catalog"), KM_STR("json"), NULL, -1);
    for (size_t i = 0; i < sizeof to_text / sizeof to_text[0]; i++)
        if (km_str_eq(name, km_str_c(to_text[i])))
            return refer_text(w);
    return 0;
}

int km_pg_check_function(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__FuncCall *f = KM_PG_MESSAGE(PgQuery__FuncCall, message);
    enum km_pg_mode mode = w->options->mode;
    struct km_str schema, name;
    enum km_pg_function kind;
    const char *more;
    bool builtin;

    if (!km_pg_names(f->funcname, f->n_funcname, &schema, &name))
        return km_pg_refuse(w, "GUARD_FUNCTION", "FuncCall", f->location, NULL,
                            "a function without a name");
    if (km_pg_check_slow(w, f, name) < 0)
        return KM_E_FORBIDDEN;
    if (refer_casts(w, name) < 0)
        return w->v->code ? KM_E_FORBIDDEN : KM_E_NOMEM;
    if (vouched(w, schema, name)) {
        w->v->pure = false;
        return km_pg_refer(w, KM_PG_REF_FUNCTION, schema, name, NULL, f->location);
    }
    kind = km_pg_function_find(name, &more);
    if (f->n_args == 3 && !f->func_variadic && km_str_eq(name, KM_STR("ts_rewrite")))
        kind = KM_PG_FUNCTION_BUILTIN; /* the form that takes no SQL */
    builtin = kind == KM_PG_FUNCTION_BUILTIN ||
              (kind == KM_PG_FUNCTION_WRITES && mode >= KM_PG_DML) ||
              (kind == KM_PG_FUNCTION_ADMIN && mode >= KM_PG_ADMIN);
    if (kind == KM_PG_FUNCTION_EXTENSION && !km_str_eq(schema, KM_STR("pg_catalog"))) {
        w->v->pure = false;
        return km_pg_refer(w, KM_PG_REF_FUNCTION, schema, name, more, f->location);
    }
    if (kind == KM_PG_FUNCTION_BUILTIN && !km_str_eq(schema, KM_STR("pg_catalog")) &&
        km_pg_extension_overloads(name))
        return km_pg_refer(w, KM_PG_REF_FUNCTION, schema, name, "*", f->location);
    if (!builtin || (schema.n && !km_str_eq(schema, KM_STR("pg_catalog"))))
        return refuse_function(w, f->location, schema, name,
                               kind == KM_PG_FUNCTION_DANGEROUS ? more : NULL);
    if (kind != KM_PG_FUNCTION_BUILTIN) {
        w->v->writes = true;
        w->v->pure = false;
    }
    if (km_str_eq(name, KM_STR("current_setting")) && check_setting(w, f) < 0)
        return KM_E_FORBIDDEN;
    /* FROM unnest(a, b) is a syntax, known by the bare name; whose it is, the catalogue says. */
    if (!schema.n && f->n_args > 1 && km_str_eq(name, KM_STR("unnest")))
        return km_pg_refer(w, KM_PG_REF_FUNCTION, schema, name, "@pg_catalog", f->location);
    /* A few calls get their schema from the grammar alone: another grammar might not give it. */
    if (schema.n && f->funcformat == PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL &&
        is_token(w, f->location, name) && !km_str_starts(name, schema))
        return qualify(w, f->location, name);
    return schema.n ? 0 : qualify(w, f->location, name);
}

/* --- columns --- */

/* table: what stands before it, or empty. */
static int keep_column(struct km_pg_walk *w, struct km_str table, struct km_str name, int at)
{
    struct km_pg_ref *c = km_arena_zalloc(w->arena, sizeof *c);

    if (!c)
        return KM_E_NOMEM;
    *c = (struct km_pg_ref){ .schema = table, .name = name, .at = at, .next = w->columns };
    w->columns = c;
    return 0;
}

int km_pg_check_column(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__ColumnRef *c = KM_PG_MESSAGE(PgQuery__ColumnRef, message);
    struct km_str table = KM_STR_NONE;
    int r = 0;

    for (size_t i = 0; r == 0 && i < c->n_fields; i++) {
        bool star = c->fields[i]->node_case == PG_QUERY__NODE__NODE_A_STAR;
        struct km_str name = KM_STR("*");

        if (!star && c->fields[i]->node_case != PG_QUERY__NODE__NODE_STRING)
            return km_pg_refuse(w, "GUARD_NODE", "ColumnRef", c->location, NULL,
                                "a column with an unknown name");
        if (!star)
            name = km_str_c(c->fields[i]->string->sval);
        if (i > 0 && !star)
            r = km_pg_refer(w, KM_PG_REF_ATTRIBUTE, KM_STR_NONE, name, NULL, c->location);
        if (r == 0 && (star || i + 1 == c->n_fields))
            r = keep_column(w, table, name, c->location);
        table = name;
    }
    return r;
}

int km_pg_check_indirection(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__AIndirection *a = KM_PG_MESSAGE(PgQuery__AIndirection, message);
    int r = 0;

    for (size_t i = 0; r == 0 && i < a->n_indirection; i++) {
        const PgQuery__Node *n = a->indirection[i];

        if (n->node_case == PG_QUERY__NODE__NODE_STRING)
            r = km_pg_refer(w, KM_PG_REF_SCALAR, KM_STR_NONE, km_str_c(n->string->sval), NULL,
                            w->at);
        if (r == 0 && n->node_case == PG_QUERY__NODE__NODE_STRING)
            r = keep_column(w, KM_STR_NONE, km_str_c(n->string->sval), w->at);
    }
    return r;
}

/* --- operators and types --- */

/* x || 'text' casts x to text. */
static int note_operator(struct km_pg_walk *w, struct km_str name, const PgQuery__Node *left,
                         const PgQuery__Node *right, int at)
{
    km_pg_note_operator(w, name, left, right, at);
    return km_str_eq(name, KM_STR("||")) ? refer_text(w) : 0;
}

/* CASE x WHEN y compares without writing it. */
int km_pg_check_case(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__CaseExpr *c = KM_PG_MESSAGE(PgQuery__CaseExpr, message);
    int r = 0;

    for (size_t i = 0; r == 0 && c->arg && i < c->n_args; i++)
        r = km_pg_pair_case(w, c->location, c->arg,
                            c->args[i]->node_case == PG_QUERY__NODE__NODE_CASE_WHEN
                                ? c->args[i]->case_when->expr
                                : NULL);
    return r;
}

int km_pg_refer_operator(struct km_pg_walk *w, PgQuery__Node *const *nodes, size_t n, int at,
                         const PgQuery__Node *left, const PgQuery__Node *right)
{
    struct km_str schema, name;
    int r;

    if (!km_pg_names(nodes, n, &schema, &name))
        return km_pg_refuse(w, "GUARD_NODE", "A_Expr", at, NULL, "an operator without a name");
    r = note_operator(w, name, left, right, at);
    if (r < 0 || km_str_eq(schema, KM_STR("pg_catalog")))
        return r;
    return right && !left ? km_pg_pair_before(w, schema, name, at, right)
                          : km_pg_pair(w, schema, name, at, left, right);
}

/* What x [NOT] BETWEEN y AND z calls, whose own name is "BETWEEN"; the symmetric form calls it for
 * both orders. */
static int check_between(struct km_pg_walk *w, const PgQuery__AExpr *e)
{
    bool not_between = e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN ||
                       e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    const PgQuery__Node *list = e->rexpr;
    size_t n = list && list->node_case == PG_QUERY__NODE__NODE_LIST ? list->list->n_items : 0;
    int r = n ? 0 : km_pg_refuse(w, "GUARD_NODE", "A_Expr", e->location, NULL, "BETWEEN what?");

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = km_pg_pair_again(w, not_between ? KM_STR("<") : KM_STR("<="), e->location, e->lexpr,
                             list->list->items[i]);
        if (r == 0)
            r = km_pg_pair_again(w, not_between ? KM_STR(">") : KM_STR(">="), e->location, e->lexpr,
                                 list->list->items[i]);
    }
    return r;
}

int km_pg_check_operator(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__AExpr *e = KM_PG_MESSAGE(PgQuery__AExpr, message);
    struct km_str schema, name;
    int r;

    if (e->kind >= PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN)
        return check_between(w, e);
    if (e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_IN &&
        e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY &&
        e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL)
        return km_pg_refer_operator(w, e->name, e->n_name, e->location, e->lexpr, e->rexpr);
    if (!km_pg_names(e->name, e->n_name, &schema, &name))
        return km_pg_refuse(w, "GUARD_NODE", "A_Expr", e->location, NULL,
                            "an operator without a name");
    r = note_operator(w, name, e->lexpr, e->rexpr, e->location);
    if (r < 0 || km_str_eq(schema, KM_STR("pg_catalog")))
        return r;
    return e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN
               ? km_pg_pair_list(w, schema, name, e->location, e->lexpr, e->rexpr)
               : km_pg_pair_any(w, schema, name, e->location, e->lexpr, e->rexpr);
}

int km_pg_check_sublink(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__SubLink *s = KM_PG_MESSAGE(PgQuery__SubLink, message);
    struct km_str schema = KM_STR_NONE, name = KM_STR("="); /* x IN (SELECT ...) */
    int r = 0;

    w->gathers = w->gathers || s->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK;
    if (s->n_oper_name && !km_pg_names(s->oper_name, s->n_oper_name, &schema, &name))
        return km_pg_refuse(w, "GUARD_NODE", "SubLink", s->location, NULL,
                            "an operator without a name");
    if (s->n_oper_name)
        r = note_operator(w, name, NULL, NULL, s->location);
    if (r < 0 || !s->testexpr || km_str_eq(schema, KM_STR("pg_catalog")))
        return r;
    return km_pg_pair_selected(w, schema, name, s->location, s->testexpr, s->subselect);
}

int km_pg_check_sort(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__SortBy *s = KM_PG_MESSAGE(PgQuery__SortBy, message);

    return s->n_use_op ? km_pg_refer_operator(w, s->use_op, s->n_use_op, s->location, NULL, NULL)
                       : 0;
}

int km_pg_check_type(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__TypeName *t = KM_PG_MESSAGE(PgQuery__TypeName, message);
    struct km_str schema, name;

    if (!t->n_names)
        return 0;
    if (!km_pg_names(t->names, t->n_names, &schema, &name))
        return km_pg_refuse(w, "GUARD_NODE", "TypeName", t->location, NULL,
                            "a type without a name");
    km_pg_note_type(w, name, t->location);
    /* of pg_catalog too: a cast to it may be somebody's */
    return km_pg_refer(w, KM_PG_REF_TYPE, schema, name, NULL, t->location);
}

/* --- relations --- */

int km_pg_check_relation(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeVar *v = KM_PG_MESSAGE(PgQuery__RangeVar, message);
    struct km_str schema = km_str_c(v->schemaname), name = km_str_c(v->relname);
    const char *why = km_pg_relation_denied(schema, name);
    int r;

    if (why)
        return km_pg_refuse(w, "GUARD_RELATION", "RangeVar", v->location,
                            "leave it out: what is not secret is in information_schema and in "
                            "the other views of pg_catalog",
                            "%.*s may not be read: %s", KM_STR_ARG(name), why);
    r = km_pg_check_hidden(w, v);
    if (r < 0)
        return r;
    km_pg_see_relation(w, v);
    return km_pg_refer(w, km_pg_is_system(schema) ? KM_PG_REF_SYSTEM : KM_PG_REF_RELATION, schema,
                       name, NULL, v->location);
}

/* A name for a join, or for what it merges, is one for columns of guard_columns.c. */
int km_pg_check_join(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__JoinExpr *j = KM_PG_MESSAGE(PgQuery__JoinExpr, message);
    int r = 0;

    if (j->is_natural) /* which compares without writing it, as USING does */
        r = km_pg_pair(w, KM_STR_NONE, KM_STR("="), w->at, NULL, NULL);
    if (r == 0 && (j->is_natural || j->alias || j->join_using_alias))
        r = keep_column(w, KM_STR_NONE, KM_STR("*"), w->at);
    for (size_t i = 0; r == 0 && i < j->n_using_clause; i++)
        if (j->using_clause[i]->node_case == PG_QUERY__NODE__NODE_STRING) {
            struct km_str name = km_str_c(j->using_clause[i]->string->sval);

            r = km_pg_pair_columns(w, name, w->at);
            if (r == 0)
                r = keep_column(w, KM_STR_NONE, name, w->at);
        }
    return r;
}

/* FROM f() AS a: the whole row of a may be a number or a text, of which a.b calls b. */
int km_pg_check_call(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeFunction *f = KM_PG_MESSAGE(PgQuery__RangeFunction, message);
    const PgQuery__Node *first = f->n_functions ? f->functions[0] : NULL;
    struct km_str schema, name = KM_STR("*");
    struct km_pg_ref *call;

    km_pg_see_call(w, f);
    if (first && first->node_case == PG_QUERY__NODE__NODE_LIST && first->list->n_items)
        first = first->list->items[0];
    if (f->alias)
        name = km_str_c(f->alias->aliasname);
    else if (first && first->node_case == PG_QUERY__NODE__NODE_FUNC_CALL &&
             !km_pg_names(first->func_call->funcname, first->func_call->n_funcname, &schema, &name))
        name = KM_STR("*");
    if (w->ncalls++ >= CALLS)
        name = KM_STR("*");
    if (w->ncalls > CALLS + 1)
        return 0;
    call = km_arena_zalloc(w->arena, sizeof *call);
    if (!call)
        return KM_E_NOMEM;
    *call = (struct km_pg_ref){ .name = name, .next = w->calls };
    w->calls = call;
    return 0;
}

static int refer_calls(struct km_pg_walk *w)
{
    int r = 0;

    for (const struct km_pg_ref *f = w->calls; r == 0 && f; f = f->next)
        for (const struct km_pg_ref *c = w->columns; r == 0 && c; c = c->next)
            if (c->schema.n && !km_str_eq(c->name, KM_STR("*")) &&
                (km_str_eq(f->name, KM_STR("*")) || km_str_eq(f->name, c->schema))) {
                km_pg_make(w, c->name); /* g.text may be a cast of g, whatever columns there are */
                r = km_pg_refer(w, KM_PG_REF_SCALAR, KM_STR_NONE, c->name, NULL, c->at);
            }
    return r;
}

int km_pg_check_sample(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeTableSample *s = KM_PG_MESSAGE(PgQuery__RangeTableSample, message);
    struct km_str schema = KM_STR_NONE, name = KM_STR_NONE;
    const char *more;

    if (km_pg_names(s->method, s->n_method, &schema, &name) &&
        (!schema.n || km_str_eq(schema, KM_STR("pg_catalog"))) &&
        (km_str_eq(name, KM_STR("bernoulli")) || km_str_eq(name, KM_STR("system"))))
        return 0;
    if (km_str_starts(name, KM_STR("system_")) &&
        km_pg_function_find(name, &more) == KM_PG_FUNCTION_EXTENSION) {
        w->v->pure = false;
        return km_pg_refer(w, KM_PG_REF_FUNCTION, schema, name, more, s->location);
    }
    return km_pg_refuse(w, "GUARD_FUNCTION", "RangeTableSample", s->location,
                        "use TABLESAMPLE BERNOULLI (n) or SYSTEM (n)",
                        "this sampling method is not PostgreSQL's own");
}

int km_pg_check_end(struct km_pg_walk *w)
{
    int r = km_pg_check_hidden_end(w);

    if (r == 0)
        r = refer_calls(w);
    km_pg_pairs_end(w);
    for (const struct km_pg_ref *p = w->pairs; r == 0 && p; p = p->next)
        r = km_pg_refer_pair(w, p->schema, p->name, p->left, p->right, p->at);
    return r == 0 ? km_pg_check_slow_end(w) : r;
}
