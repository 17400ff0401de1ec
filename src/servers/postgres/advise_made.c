/* SPDX-License-Identifier: Apache-2.0 */
/* advise_made.c - what a statement makes of a column and compares, as the text of an index.
 *
 *     lower(email) = $1              "lower("             email  ")"
 *     attrs->>'color' = 'red'        "("                  attrs  " ->> 'color')"
 *     date_trunc('day', at) = ...    "date_trunc('day', " at     ")"
 *
 * Functions of which PostgreSQL's own take one value and are immutable.  date_trunc() is so of a
 * timestamp without time zone alone, which the catalogue knows.
 */
#include "servers/postgres/advise_inside.h"

static bool named(const PgQuery__FuncCall *f, const char *name)
{
    const PgQuery__Node *last = f->n_funcname ? f->funcname[f->n_funcname - 1] : NULL;

    return last && last->node_case == PG_QUERY__NODE__NODE_STRING &&
           strcmp(last->string->sval, name) == 0;
}

/* A constant that stands between quotes as it is; empty: it is none. */
static struct km_str text_of(const PgQuery__Node *node)
{
    struct km_str s = KM_STR_NONE;

    if (node && node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        s = km_str_c(node->a_const->sval->sval);
    return s.n > KM_PG_LITERAL || km_str_chr(s, '\'') < s.n || km_str_chr(s, '\\') < s.n
               ? KM_STR_NONE
               : s;
}

static const PgQuery__Node *made_by_call(struct km_arena *arena, const PgQuery__FuncCall *f,
                                         struct km_pg_made *ret)
{
    static const char *const names[] = { "lower", "upper", "length", "md5", "abs" };
    struct km_str unit;

    for (size_t i = 0; f->n_args == 1 && i < sizeof names / sizeof names[0]; i++)
        if (named(f, names[i])) {
            ret->before = km_arena_printf(arena, "%s(", names[i]);
            ret->after = KM_STR(")");
            return f->args[0];
        }
    unit = f->n_args == 2 && named(f, "date_trunc") ? text_of(f->args[0]) : KM_STR_NONE;
    if (!unit.n)
        return NULL;
    ret->before = km_arena_printf(arena, "date_trunc('%.*s', ", KM_STR_ARG(unit));
    ret->after = KM_STR(")");
    ret->type = "timestamp";
    return f->args[1];
}

const PgQuery__Node *km_pg_made_of(struct km_arena *arena, const PgQuery__Node *node,
                                   struct km_pg_made *ret)
{
    const PgQuery__AExpr *e;
    struct km_str key;

    *ret = (struct km_pg_made){ 0 };
    if (node && node->node_case == PG_QUERY__NODE__NODE_FUNC_CALL)
        return made_by_call(arena, node->func_call, ret);
    e = node && node->node_case == PG_QUERY__NODE__NODE_A_EXPR ? node->a_expr : NULL;
    if (!e || e->n_name != 1 || e->name[0]->node_case != PG_QUERY__NODE__NODE_STRING ||
        strcmp(e->name[0]->string->sval, "->>") != 0)
        return NULL;
    key = text_of(e->rexpr);
    if (!key.n)
        return NULL;
    ret->before = KM_STR("(");
    ret->after = km_arena_printf(arena, " ->> '%.*s')", KM_STR_ARG(key));
    return e->lexpr;
}
