/* SPDX-License-Identifier: Apache-2.0 */
/* guard_size.c - how large a value gets that a call makes, as far as constants show it.
 *
 *     repeat(repeat('ab', 1000), 1e6::int)     2 * 1000 * 1000000 characters
 *     array_fill(0, '{100000,1000}')           100000 * 1000 elements
 *     format('%*s', 900000000, x)              the widest of its numbers
 *
 * What is read from a row or a parameter is not known: the role's settings and the time limit bound
 * that (docs/postgres.md).
 */
#include <math.h>
#include <stdlib.h>

#include "servers/postgres/guard_inside.h"

#define LARGEST 1e7 /* characters or elements of one value that is made of a constant */
#define INSIDE 12 /* calls in calls that are looked at */

static double number_of(const PgQuery__Node *n, int depth);

/* "900000000", and of "{100000,1000}" the product; 0: it has no number. */
static double number_in(const char *text)
{
    double product = 1;
    bool any = false;

    for (const char *p = text; *p;) {
        char *end = NULL;

        if (*p < '0' || *p > '9') {
            p++;
            continue;
        }
        product *= strtod(p, &end);
        any = true;
        p = end > p ? end : p + 1;
    }
    return any ? product : 0;
}

static double number_of_call(const PgQuery__AExpr *e, int depth)
{
    const char *op = e->n_name == 1 && e->name[0]->node_case == PG_QUERY__NODE__NODE_STRING
                         ? e->name[0]->string->sval
                         : "";
    double left = number_of(e->lexpr, depth + 1), right = number_of(e->rexpr, depth + 1);

    if (strcmp(op, "*") == 0)
        return left * right;
    if (strcmp(op, "^") == 0)
        return pow(left, right);
    if (strcmp(op, "+") == 0)
        return left + right;
    if (strcmp(op, "-") == 0)
        return left - right;
    return 0;
}

/* A number that is written there, with its sign; of an array the product.  0: none is. */
static double number_of(const PgQuery__Node *n, int depth)
{
    double product = 1;

    if (!n || depth > INSIDE)
        return 0;
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        for (size_t i = 0; i < n->a_array_expr->n_elements; i++)
            product *= number_of(n->a_array_expr->elements[i], depth + 1);
        return product;
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return number_of(n->type_cast->arg, depth + 1);
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
        return number_of(n->named_arg_expr->arg, depth + 1);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return number_of_call(n->a_expr, depth);
    case PG_QUERY__NODE__NODE_A_CONST:
        if (n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL)
            return n->a_const->ival->ival;
        if (n->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
            return number_in(n->a_const->sval->sval);
        return n->a_const->val_case == PG_QUERY__A__CONST__VAL_FVAL
                   ? strtod(n->a_const->fval->fval, NULL)
                   : 0;
    default:
        return 0;
    }
}

static struct km_str name_of(const PgQuery__FuncCall *f)
{
    struct km_str schema, name = KM_STR_NONE;

    (void)km_pg_names(f->funcname, f->n_funcname, &schema, &name);
    return name;
}

static double made_by(const PgQuery__FuncCall *f, struct km_str name, int depth);

/* Characters of a text, at least, as far as it is written there; not less than 1. */
static double length_of(const PgQuery__Node *n, int depth)
{
    double length = 1;

    while (n && n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        n = n->type_cast->arg;
    if (!n || depth > INSIDE)
        return 1;
    if (n->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        n->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        length = (double)strlen(n->a_const->sval->sval);
    else if (n->node_case == PG_QUERY__NODE__NODE_FUNC_CALL)
        length = made_by(n->func_call, name_of(n->func_call), depth + 1);
    return fmax(length, 1);
}

/* %999999s of format(), and numbers it takes as widths (%*s). */
static double widest(const PgQuery__FuncCall *f)
{
    const PgQuery__Node *first = f->n_args ? f->args[0] : NULL;
    double most = 0, number = 0;
    const char *text = "";

    while (first && first->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        first = first->type_cast->arg;
    if (first && first->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        first->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        text = first->a_const->sval->sval;
    for (const char *p = text; *p; p++) {
        number = *p >= '0' && *p <= '9' ? number * 10 + (*p - '0') : 0;
        most = fmax(most, number);
    }
    for (size_t i = 1; strchr(text, '*') && i < f->n_args; i++)
        most = fmax(most, fabs(number_of(f->args[i], 0)));
    return most;
}

/* 0: it is no such call. */
static double made_by(const PgQuery__FuncCall *f, struct km_str name, int depth)
{
    if (km_str_eq(name, KM_STR("format")))
        return widest(f);
    if (f->n_args < 2)
        return 0;
    if (km_str_eq(name, KM_STR("repeat")))
        return number_of(f->args[1], 0) * length_of(f->args[0], depth);
    if (km_str_eq(name, KM_STR("lpad")) || km_str_eq(name, KM_STR("rpad")) ||
        km_str_eq(name, KM_STR("array_fill")))
        return number_of(f->args[1], 0);
    if (km_str_eq(name, KM_STR("string_to_array")) || km_str_eq(name, KM_STR("translate")))
        return length_of(f->args[0], depth);
    return 0;
}

bool km_pg_too_large(const PgQuery__FuncCall *f, struct km_str name)
{
    return made_by(f, name, 0) > LARGEST;
}
