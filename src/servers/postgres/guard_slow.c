/* SPDX-License-Identifier: Apache-2.0 */
/* guard_slow.c - calls that nothing can interrupt: neither statement_timeout nor a cancel request
 * reaches the server until they are done, and cutting the connection does not stop them either.
 *
 *     normalize, IS NORMALIZED, translate      quadratic in the length of their texts
 *     pg_trgm's similarity and its kin         sort all of a text without a look around
 *     XPath                                    libxml2: a power of the document's size
 *     paths and polygons                       each side of one with each of the other
 *     strpos, replace, LIKE, trim, && ...      each place of one with each of the other
 *
 * They are harmless on the values of a table and a danger on values that a statement makes itself.
 * So they may not stand beside what makes texts long: repeat(), lpad(), aggregates, WITH RECURSIVE,
 * many ||, parameters, or a statement that is long.  The last kind is what statements are made of:
 * it counts only where what is looked for is no short constant, and only beside what makes much of
 * nothing: repeat(), lpad(), array_fill(), aggregates of generate_series(), or where all is given
 * by parameters.  XPath has a form besides:
 *
 *     constant, one "//", no axis but child, attribute and self, no union; predicates, not within
 *     each other, that look at the node's own children: //item[@id = 'x']/name
 */
#include "servers/postgres/guard_inside.h"

#include <stdlib.h>

#define LONG_SQL 32768 /* bytes of a statement whose constants may be long texts */
#define CHAINED 8 /* || in one statement */
#define XPATH_BYTES 1000
#define PREDICATES 8
#define SHORT 200 /* bytes of a constant that may be looked for in any text */
#define SMALL 1000 /* to what repeat() and lpad() may go anywhere */

/* Sorted.  What makes more text, or more rows into one value, than it is given. */
static const char *const swelling[] = {
    "array_agg",       "array_cat",      "array_to_json",    "array_to_string", "concat",
    "concat_ws",       "convert_from",   "encode",           "format",          "json_agg",
    "json_object_agg", "jsonb_agg",      "jsonb_object_agg", "jsonb_pretty",    "quote_ident",
    "quote_literal",   "quote_nullable", "regexp_replace",   "replace",         "row_to_json",
    "string_agg",      "to_json",        "to_jsonb",         "ts_headline",     "xmlagg",
};

/* What makes much of nothing, by its second argument. */
static const char *const growing[] = { "array_fill", "lpad", "repeat", "rpad" };

/* What looks for its second argument in its first, from each place on. */
static const char *const searching[] = {
    "btrim",   "like",     "ltrim",      "notlike",         "position",
    "replace", "rtrim",    "split_part", "string_to_array", "string_to_table",
    "strpos",  "textlike", "textnlike",
};

static const char *const slow[] = {
    "is_normalized",          "normalize",       "show_trgm", "similarity",
    "strict_word_similarity", "word_similarity",
};

static bool listed(struct km_str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (km_str_eq(km_str_c(list[i]), name))
            return true;
    return false;
}

#define LISTED(name, list) listed(name, list, sizeof(list) / sizeof(list)[0])

/* The text of a constant, through casts; p is NULL: it is none. */
static struct km_str constant(const PgQuery__Node *n)
{
    while (n && n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        n = n->type_cast->arg;
    if (!n || n->node_case != PG_QUERY__NODE__NODE_A_CONST ||
        n->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL)
        return KM_STR_NONE;
    return km_str_c(n->a_const->sval->sval);
}

/* alone: its texts need not be made long by the statement, those it is given are enough. */
static void note_slow(struct km_pg_walk *w, const char *what, bool alone, int at)
{
    w->quadratic = w->quadratic || alone;
    w->slow = what;
    w->slow_at = at;
}

/* --- XPath --- */

struct path {
    struct km_str s;
    size_t at;
    unsigned depth, predicates, searches;
    bool up; /* ".." was seen */
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool name_part(char c)
{
    unsigned char u = (unsigned char)c;

    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' ||
           u == '-' || u >= 0x80;
}

static char before(const struct path *p)
{
    size_t i = p->at;

    while (i > 0 && blank(p->s.p[i - 1]))
        i--;
    return i ? p->s.p[i - 1] : '\0';
}

static char after(const struct path *p, size_t more)
{
    size_t i = p->at + more;

    while (i < p->s.n && blank(p->s.p[i]))
        i++;
    return i < p->s.n ? p->s.p[i] : '\0';
}

static bool ends_axis(const struct path *p)
{
    struct km_str head = km_str_sub(p->s, 0, p->at);

    while (head.n && blank(head.p[head.n - 1]))
        head.n--;
    return km_str_ends(head, KM_STR("child")) || km_str_ends(head, KM_STR("attribute")) ||
           (km_str_ends(head, KM_STR("self")) && !km_str_ends(head, KM_STR("-self")));
}

static const char *take_slash(struct path *p)
{
    char c = before(p);

    if (p->at + 1 < p->s.n && p->s.p[p->at + 1] == '/') {
        p->at++;
        p->searches++;
        return p->depth ? "// within a predicate" : p->up ? "// after .." : NULL;
    }
    if (p->depth && !name_part(c) && !strchr(")*.]", c))
        return "a path from the root within a predicate";
    return NULL;
}

/* What compares two sets of nodes compares each with each. */
static const char *take_comparison(struct path *p)
{
    char left = before(p), right;
    size_t n = p->at + 1 < p->s.n && p->s.p[p->at + 1] == '=' ? 2 : 1;

    right = after(p, n);
    p->at += n - 1;
    if (left == '\'' || left == '"' || left == '!' || right == '\'' || right == '"' ||
        (right >= '0' && right <= '9'))
        return NULL;
    return "a comparison with what is not a constant";
}

static const char *take_byte(struct path *p)
{
    char c = p->s.p[p->at];

    switch (c) {
    case '\'':
    case '"':
        p->at += 1 + km_str_chr(km_str_skip(p->s, p->at + 1), c);
        return NULL;
    case '[':
        if (p->depth++)
            return "a predicate within a predicate";
        return ++p->predicates > PREDICATES ? "too many predicates" : NULL;
    case ']':
        p->depth -= p->depth > 0;
        return NULL;
    case '/':
        return take_slash(p);
    case '.':
        if (p->at + 1 == p->s.n || p->s.p[p->at + 1] != '.')
            return NULL;
        p->at++;
        p->up = true;
        return p->depth ? ".. within a predicate" : NULL;
    case ':':
        if (p->at + 1 == p->s.n || p->s.p[p->at + 1] != ':')
            return NULL;
        if (!ends_axis(p))
            return "an axis other than child, attribute and self";
        p->at++;
        return NULL;
    case '=':
    case '<':
    case '>':
        return take_comparison(p);
    case '|':
        return "a union";
    default:
        return NULL;
    }
}

/* NULL, or what of it may take forever. */
static const char *path_wrong(struct km_pg_walk *w, struct km_str s, int at)
{
    struct path p = { .s = s };
    const char *wrong = s.n > XPATH_BYTES ? "its length" : NULL;

    for (; !wrong && p.at < s.n; p.at++)
        wrong = take_byte(&p);
    if (p.searches > 2)
        wrong = "// more than twice";
    if (p.searches == 2 || p.predicates)
        note_slow(w, "XPath with // twice or with predicates", true, at);
    return wrong;
}

static int check_path(struct km_pg_walk *w, const PgQuery__Node *n, const char *node, int at)
{
    static const char hint[] = "write a constant path of names, such as //item[@id = 'x']/name/"
                               "text(), and choose further in SQL";
    struct km_str s = constant(n);
    const char *wrong;

    if (!s.p)
        return km_pg_refuse(w, "GUARD_FUNCTION", node, at, hint,
                            "an XPath that is not a constant may not be asked: nothing can "
                            "interrupt it");
    wrong = path_wrong(w, s, at);
    return wrong ? km_pg_refuse(w, "GUARD_FUNCTION", node, at, hint,
                                "this XPath may not be asked, nothing could interrupt it: it has "
                                "%s",
                                wrong)
                 : 0;
}

int km_pg_check_xml_table(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeTableFunc *t = KM_PG_MESSAGE(PgQuery__RangeTableFunc, message);

    return check_path(w, t->rowexpr, "RangeTableFunc", t->location);
}

int km_pg_check_xml_column(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeTableFuncCol *c = KM_PG_MESSAGE(PgQuery__RangeTableFuncCol, message);

    w->opaque = true; /* it names a column, of any type */
    return c->colexpr ? check_path(w, c->colexpr, "RangeTableFuncCol", c->location) : 0;
}

/* --- what is looked for --- */

static bool is_escape(const PgQuery__FuncCall *f)
{
    struct km_str schema, name;

    return km_pg_names(f->funcname, f->n_funcname, &schema, &name) && f->n_args == 2 &&
           km_str_eq(name, KM_STR("like_escape"));
}

static bool is_short(const PgQuery__Node *n)
{
    while (n && n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        n = n->type_cast->arg;
    if (!n)
        return true;
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST:
        return !constant(n).p || constant(n).n <= SHORT;
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        for (size_t i = 0; i < n->a_array_expr->n_elements; i++)
            if (n->a_array_expr->n_elements > SMALL || !is_short(n->a_array_expr->elements[i]))
                return false;
        return true;
    case PG_QUERY__NODE__NODE_FUNC_CALL: /* LIKE ... ESCAPE */
        return is_escape(n->func_call) && is_short(n->func_call->args[0]);
    default:
        return false;
    }
}

/* Is it made of parameters? */
static bool is_given(const PgQuery__Node *n)
{
    while (n && n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        n = n->type_cast->arg;
    if (n && n->node_case == PG_QUERY__NODE__NODE_A_EXPR)
        return is_given(n->a_expr->lexpr) || is_given(n->a_expr->rexpr);
    return n && n->node_case == PG_QUERY__NODE__NODE_PARAM_REF;
}

static void note_search(struct km_pg_walk *w, const PgQuery__Node *in, const PgQuery__Node *what,
                        int at)
{
    if (is_short(what))
        return;
    w->searches = true;
    w->searches_at = at;
    if (is_given(in) && is_given(what))
        note_slow(w, "a search for one parameter in another", true, at);
}

void km_pg_note_operator(struct km_pg_walk *w, struct km_str name, const PgQuery__Node *left,
                         const PgQuery__Node *right, int at)
{
    if (km_str_eq(name, KM_STR("||")) && ++w->chained > CHAINED)
        w->swells = true;
    else if (km_str_eq(name, KM_STR("~~")) || km_str_eq(name, KM_STR("!~~")) ||
             km_str_eq(name, KM_STR("~~*")) || km_str_eq(name, KM_STR("!~~*")))
        note_search(w, left, right, at);
    else if ((km_str_eq(name, KM_STR("&&")) || km_str_eq(name, KM_STR("@>")) ||
              km_str_eq(name, KM_STR("<@"))) &&
             !is_short(left))
        note_search(w, left, right, at);
}

/* --- calls --- */

static bool is_small(const PgQuery__Node *n)
{
    if (n && n->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR && n->a_array_expr->n_elements == 1)
        n = n->a_array_expr->elements[0];
    return n && n->node_case == PG_QUERY__NODE__NODE_A_CONST &&
           ((n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL &&
             n->a_const->ival->ival <= SMALL) ||
            n->a_const->isnull);
}

/* One value so large takes the memory of the server, and many callers take all of it. */
static int check_size(struct km_pg_walk *w, const PgQuery__FuncCall *f, struct km_str name)
{
    if (!km_pg_too_large(f, name))
        return 0;
    return km_pg_refuse(w, "GUARD_LIMIT", "FuncCall", f->location,
                        "ask for at most 10 million characters or elements",
                        "%.*s() would make a value that takes the memory of the server",
                        KM_STR_ARG(name));
}

static void note_growing(struct km_pg_walk *w, const PgQuery__FuncCall *f, struct km_str name)
{
    if (LISTED(name, growing) && (f->n_args < 2 || !is_small(f->args[1])))
        w->swells = w->grows = true;
    else if (LISTED(name, swelling))
        w->swells = true;
    else if (km_str_eq(name, KM_STR("overlay")) && ++w->chained > CHAINED)
        w->swells = true;
    w->gathers = w->gathers || km_str_ends(name, KM_STR("agg"));
    w->counts = w->counts || km_str_eq(name, KM_STR("generate_series"));
}

int km_pg_check_slow(struct km_pg_walk *w, const PgQuery__FuncCall *f, struct km_str name)
{
    note_growing(w, f, name);
    if (check_size(w, f, name) < 0)
        return KM_E_FORBIDDEN;
    if (LISTED(name, searching) && f->n_args >= 2)
        note_search(w, f->args[0], f->args[1], f->location);
    else if (LISTED(name, slow))
        note_slow(w, km_str_find(name, KM_STR("normal")) < name.n ? "normalize()" : "similarity()",
                  km_str_find(name, KM_STR("normal")) < name.n, f->location);
    else if (km_str_eq(name, KM_STR("translate")) && f->n_args == 3 &&
             (!constant(f->args[1]).p || constant(f->args[1]).n > SHORT))
        note_slow(w, "translate() of characters that are not a short constant", true, f->location);
    else if (km_str_eq(name, KM_STR("polygon")) && f->n_args == 2 && !is_small(f->args[0]))
        return km_pg_refuse(w, "GUARD_LIMIT", "FuncCall", f->location,
                            "write the number of points, at most 1000, as a constant",
                            "nothing can interrupt what is done to a polygon of many points");
    else if (f->n_args &&
             (km_str_eq(name, KM_STR("xpath")) || km_str_eq(name, KM_STR("xpath_exists")) ||
              km_str_eq(name, KM_STR("xmlexists"))))
        return check_path(w, f->args[0], "FuncCall", f->location);
    return 0;
}

void km_pg_note_type(struct km_pg_walk *w, struct km_str name, int at)
{
    if (km_str_eq(name, KM_STR("path")) || km_str_eq(name, KM_STR("polygon")))
        note_slow(w, "what is done to paths and polygons", false, at);
}

int km_pg_check_with(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    bool recursive = KM_PG_MESSAGE(PgQuery__WithClause, message)->recursive;

    w->swells = w->swells || recursive;
    w->counts = w->counts || recursive;
    return 0;
}

int km_pg_check_slow_end(struct km_pg_walk *w)
{
    bool given = w->quadratic && (w->v->params || w->sql.n > LONG_SQL);

    if (w->searches && (w->grows || (w->gathers && w->counts)))
        return km_pg_refuse(w, "GUARD_LIMIT", NULL, w->searches_at,
                            "ask without repeat(), lpad(), rpad(), array_fill() and aggregates of "
                            "generate_series(), or look for a short constant",
                            "nothing can interrupt a search for what may be long: it may not stand "
                            "beside what makes texts and arrays of any length");
    if (!w->slow || (!w->swells && !given))
        return 0;
    return km_pg_refuse(w, "GUARD_LIMIT", NULL, w->slow_at,
                        "ask without repeat(), lpad(), replace(), format(), aggregates of text, "
                        "WITH RECURSIVE, parameters and long constants",
                        "nothing can interrupt %s: it may not stand beside what makes texts long",
                        w->slow);
}
