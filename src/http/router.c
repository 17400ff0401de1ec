/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - see router.h for the contract.
 *
 * A tree of segments.  Each node has its literal children sorted by length and bytes (binary
 * search), at most one `{name}` child and at most one `{name:path}` child; rows hang where a
 * pattern ends, one a method.
 *
 *     /v1 ── models ──● GET
 *       │       └── {id} ──● GET
 *       └─── {rest:path} ──● *
 *
 * A look-up tries literal, then `{name}`, then `{name:path}` and steps back when a branch ends
 * in nothing, so that /v1/models/x/y still finds the last row.  Depth is bounded by the longest
 * pattern; what is tried is bounded by 2^depth of the patterns, never by the path alone.
 */
#include "http/router.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define KM_ROUTE_DEPTH 12

struct node {
    struct km_str name; /* literal segment; a view into the row's pattern */
    struct node **literal; /* sorted */
    size_t nliteral;
    struct node *param; /* {name} */
    struct node *rest; /* {name:path} */
    const struct km_route **rows;
    size_t nrows;
    struct km_str allow; /* "GET, POST"; owned */
};

struct km_router {
    struct node *root;
};

static struct node *node_free(struct node *n)
{
    if (!n)
        return NULL;
    for (size_t i = 0; i < n->nliteral; i++)
        node_free(n->literal[i]);
    node_free(n->param);
    node_free(n->rest);
    free(n->literal);
    free(n->rows);
    free((char *)(uintptr_t)n->allow.p);
    free(n);
    return NULL;
}

struct km_router *km_router_new(void)
{
    struct km_router *r = calloc(1, sizeof *r);

    if (r)
        r->root = calloc(1, sizeof *r->root);
    return r && !r->root ? km_router_free(r) : r;
}

struct km_router *km_router_free(struct km_router *r)
{
    if (r)
        node_free(r->root);
    free(r);
    return NULL;
}

static int segment_cmp(struct km_str a, struct km_str b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

/* Where `name` is, or where it would go. */
static size_t literal_at(const struct node *n, struct km_str name, bool *ret_found)
{
    size_t lo = 0, hi = n->nliteral;

    *ret_found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = segment_cmp(n->literal[mid]->name, name);

        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct node *add_literal(struct node *n, struct km_str name)
{
    bool found;
    size_t at = literal_at(n, name, &found);
    struct node **grown;
    struct node *child;

    if (found)
        return n->literal[at];
    child = calloc(1, sizeof *child);
    grown = child ? realloc(n->literal, (n->nliteral + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(child);
        return NULL;
    }
    child->name = name;
    memmove(grown + at + 1, grown + at, (n->nliteral - at) * sizeof *grown);
    grown[at] = child;
    n->literal = grown;
    n->nliteral++;
    return child;
}

static struct node *add_slot(struct node **slot)
{
    if (!*slot)
        *slot = calloc(1, sizeof **slot);
    return *slot;
}

/* The child that one segment of a pattern names; KM_E_INVALID for a malformed one. */
static int add_segment(struct node *n, struct km_str segment, bool last, struct node **ret_child,
                       struct km_err *err)
{
    bool open = km_str_starts(segment, KM_STR("{")), close = km_str_ends(segment, KM_STR("}"));
    bool rest = km_str_ends(segment, KM_STR(":path}"));

    if (!open && km_str_chr(segment, '{') == segment.n && km_str_chr(segment, '}') == segment.n)
        *ret_child = add_literal(n, segment);
    else if (!open || !close || segment.n < 3 || (rest && !last))
        return km_fail(err, KM_E_INVALID, "'%.*s' is no segment of a route", KM_STR_ARG(segment));
    else
        *ret_child = add_slot(rest ? &n->rest : &n->param);
    return *ret_child ? 0 : km_fail(err, KM_E_NOMEM, "no memory for a route");
}

/* Keeps the text of the Allow field ready, so that finding never allocates. */
static int note_allow(struct node *n, const char *method)
{
    size_t have = n->allow.n, more = strlen(method);
    char *text = realloc((char *)(uintptr_t)n->allow.p, have + more + 3);

    if (!text)
        return KM_E_NOMEM;
    if (have > 0) {
        memcpy(text + have, ", ", 2);
        have += 2;
    }
    memcpy(text + have, method, more + 1);
    n->allow = km_str(text, have + more);
    return 0;
}

static int add_row(struct node *n, const struct km_route *row, struct km_err *err)
{
    const struct km_route **grown;

    for (size_t i = 0; i < n->nrows; i++)
        if (strcmp(n->rows[i]->method, row->method) == 0)
            return km_fail(err, KM_E_EXISTS, "route %s %s conflicts with %s", row->method,
                           row->pattern, n->rows[i]->pattern);
    grown = realloc(n->rows, (n->nrows + 1) * sizeof *grown);
    if (!grown)
        return km_fail(err, KM_E_NOMEM, "no memory for a route");
    n->rows = grown;
    if (note_allow(n, row->method) < 0)
        return km_fail(err, KM_E_NOMEM, "no memory for a route");
    n->rows[n->nrows++] = row;
    return 0;
}

static int add_one(struct km_router *r, const struct km_route *row, struct km_err *err)
{
    struct km_str rest = km_str_c(row->pattern);
    struct node *at = r->root;
    size_t depth = 0, params = 0;

    if (rest.n == 0 || rest.p[0] != '/')
        return km_fail(err, KM_E_INVALID, "route '%s' does not begin with '/'", row->pattern);
    while (rest.n > 0) {
        size_t n;
        struct km_str segment;
        int e;

        rest = km_str_skip(rest, 1);
        n = km_str_chr(rest, '/');
        segment = km_str(rest.p, n);
        rest = km_str_skip(rest, n);
        params += segment.n > 0 && segment.p[0] == '{';
        if (++depth > KM_ROUTE_DEPTH || params > KM_ROUTE_PARAMS)
            return km_fail(err, KM_E_LIMIT, "route '%s' is too deep", row->pattern);
        e = add_segment(at, segment, rest.n == 0, &at, err);
        if (e < 0)
            return e;
    }
    return add_row(at, row, err);
}

int km_router_add(struct km_router *r, const struct km_route *rows, size_t n, struct km_err *err)
{
    for (size_t i = 0; i < n; i++) {
        int e = add_one(r, &rows[i], err);

        if (e < 0)
            return e;
    }
    return 0;
}

static const struct km_route *row_for(const struct node *n, struct km_str method)
{
    const struct km_route *any = NULL;

    for (size_t i = 0; i < n->nrows; i++) {
        const char *m = n->rows[i]->method;

        if (m[0] == '*')
            any = n->rows[i];
        else if (km_str_eq(km_str_c(m), method))
            return n->rows[i];
    }
    return any;
}

struct lookup {
    struct km_str method;
    struct km_route_match *match;
    const struct node *refused; /* the first place whose path fits and whose methods do not */
};

static bool settle(struct lookup *l, const struct node *n)
{
    const struct km_route *row = n->nrows > 0 ? row_for(n, l->method) : NULL;

    if (!row && n->nrows > 0 && km_str_eq(l->method, KM_STR("HEAD")))
        row = row_for(n, KM_STR("GET"));
    if (!row && n->nrows > 0 && !l->refused)
        l->refused = n;
    l->match->route = row;
    return row != NULL;
}

/* `rest` is empty or begins with '/'.  Recursion is as deep as the patterns are. */
static bool descend(struct lookup *l, const struct node *n, struct km_str rest, size_t nparams)
{
    struct km_str segment;
    size_t len, at;
    bool found;

    if (rest.n == 0) {
        l->match->nparams = nparams;
        return settle(l, n);
    }
    rest = km_str_skip(rest, 1);
    len = km_str_chr(rest, '/');
    segment = km_str(rest.p, len);
    at = literal_at(n, segment, &found);
    if (found && descend(l, n->literal[at], km_str_skip(rest, len), nparams))
        return true;
    if (n->param && len > 0) {
        l->match->params[nparams] = segment;
        if (descend(l, n->param, km_str_skip(rest, len), nparams + 1))
            return true;
    }
    if (!n->rest || rest.n == 0)
        return false;
    l->match->params[nparams] = rest;
    l->match->nparams = nparams + 1;
    return settle(l, n->rest);
}

int km_router_find(const struct km_router *r, struct km_str method, struct km_str path,
                   struct km_route_match *ret_match, struct km_str *ret_allow)
{
    struct km_route_match match = { 0 };
    struct lookup l = { .method = method, .match = &match };

    if (path.n == 0 || path.p[0] != '/')
        return KM_E_NOT_FOUND;
    if (descend(&l, r->root, path, 0)) {
        *ret_match = match;
        return 0;
    }
    if (!l.refused)
        return KM_E_NOT_FOUND;
    *ret_allow = l.refused->allow;
    return KM_E_BAD_METHOD;
}
