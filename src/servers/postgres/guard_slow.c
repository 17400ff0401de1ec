/* SPDX-License-Identifier: Apache-2.0 */
/* guard_slow.c - calls that nothing can interrupt: neither statement_timeout nor a cancel request
 * reaches the server until they are done, and cutting the connection does not stop them either.
 *
 *     normalize, IS NORMALIZED, translate      quadratic in the length of their texts
 *     pg_trgm's similarity and its kin         sort all of a text without a look around
 *     XPath                                    libxml2: a power of the document's size
 *
 * They are harmless on the texts of a table and a danger on texts that a statement makes itself.
 * So they may not stand beside what makes texts long: repeat(), lpad(), aggregates, WITH RECURSIVE,
 * many ||, parameters, or a statement that is long.  XPath has a form besides:
 *
 *     constant, one "//", no axis but child, attribute and self, no union; predicates, not within
 *     each other, that look at the node's own children: //item[@id = 'x']/name
 */
#include "servers/postgres/guard_inside.h"

#define MESSAGE(type, m) ((const type *)(const void *)(m))
#define LONG_SQL 32768 /* bytes of a statement whose constants may be long texts */
#define CHAINED 8 /* || in one statement */
#define XPATH_BYTES 1000
#define PREDICATES 8
#define TRANSLATED 200 /* bytes that translate() may look for */

/* Sorted.  What makes more text, or more rows into one value, than it is given. */
static const char *const swelling[] = {
    "array_agg",      "array_cat",       "array_fill",   "array_to_json",    "array_to_string",
    "concat",         "concat_ws",       "convert_from", "encode",           "format",
    "json_agg",       "json_object_agg", "jsonb_agg",    "jsonb_object_agg", "jsonb_pretty",
    "lpad",           "overlay",         "quote_ident",  "quote_literal",    "quote_nullable",
    "regexp_replace", "repeat",          "replace",      "row_to_json",      "rpad",
    "string_agg",     "to_json",         "to_jsonb",     "ts_headline",      "xmlagg",
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

static void note_slow(struct km_pg_walk *w, const char *what, int at)
{
    w->quadratic = w->quadratic || !strstr(what, "similarity");
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
        note_slow(w, "XPath with // twice or with predicates", at);
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
    const PgQuery__RangeTableFunc *t = MESSAGE(PgQuery__RangeTableFunc, message);

    return check_path(w, t->rowexpr, "RangeTableFunc", t->location);
}

int km_pg_check_xml_column(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeTableFuncCol *c = MESSAGE(PgQuery__RangeTableFuncCol, message);

    return c->colexpr ? check_path(w, c->colexpr, "RangeTableFuncCol", c->location) : 0;
}

/* --- calls --- */

int km_pg_check_slow(struct km_pg_walk *w, const PgQuery__FuncCall *f, struct km_str name)
{
    if (LISTED(name, swelling))
        w->swells = true;
    else if (LISTED(name, slow))
        note_slow(w, km_str_find(name, KM_STR("normal")) < name.n ? "normalize()" : "similarity()",
                  f->location);
    else if (km_str_eq(name, KM_STR("translate")) && f->n_args == 3 &&
             (!constant(f->args[1]).p || constant(f->args[1]).n > TRANSLATED))
        note_slow(w, "translate() of characters that are not a short constant", f->location);
    else if (f->n_args &&
             (km_str_eq(name, KM_STR("xpath")) || km_str_eq(name, KM_STR("xpath_exists")) ||
              km_str_eq(name, KM_STR("xmlexists"))))
        return check_path(w, f->args[0], "FuncCall", f->location);
    return 0;
}

void km_pg_note_operator(struct km_pg_walk *w, struct km_str name)
{
    if (km_str_eq(name, KM_STR("||")) && ++w->chained > CHAINED)
        w->swells = true;
}

int km_pg_check_with(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    w->swells = w->swells || MESSAGE(PgQuery__WithClause, message)->recursive;
    return 0;
}

int km_pg_check_slow_end(struct km_pg_walk *w)
{
    bool given = w->quadratic && (w->v->params || w->sql.n > LONG_SQL);

    if (!w->slow || (!w->swells && !given))
        return 0;
    return km_pg_refuse(w, "GUARD_LIMIT", NULL, w->slow_at,
                        "ask without repeat(), lpad(), replace(), format(), aggregates of text, "
                        "WITH RECURSIVE, parameters and long constants",
                        "nothing can interrupt %s: it may not stand beside what makes texts long",
                        w->slow);
}
