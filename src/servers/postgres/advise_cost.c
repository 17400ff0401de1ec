/* SPDX-License-Identifier: Apache-2.0 */
/* advise_cost.c - what an index takes off and what it costs to keep; see advise_inside.h.
 *
 *     total = sum over statements of weight * cost with the index  +  upkeep
 *     upkeep = rows written while the calls were counted * what one costs in such an index
 *
 * Costs are the planner's units: a page read in its turn is 1, one read anywhere is 4.  Where
 * HypoPG supposes the index the planner costs the statement; here is the estimate for where it
 * cannot: of the plan without new indexes, the scan of the table is taken out and a scan by the
 * index put in its place.  How many rows the scan gives is the planner's own expectation.
 *
 * In a round the cheapest total wins, unless a smaller index does nearly as well.
 */
#include "servers/postgres/advise_inside.h"

#include <math.h>

#define GAIN 0.1 /* of the whole, below which no index is worth it */
#define NEARLY 1.1 /* times the best total, which a smaller index may cost */
#define TINY 0.1 /* of the best one's bytes: such an index may cost TINY_COST times as much */
#define TINY_COST 2
#define DEPTH 64 /* of a plan */

/* One row written, in the index: a descent to a page that is mostly cached and becomes dirty; for
 * an inverted index several of them; for a BRIN, a look at its summary. */
static const double per_write[] = { [KM_PG_BTREE] = 0.5, [KM_PG_GIN] = 2, [KM_PG_BRIN] = 0.02 };

/* --- the plan without new indexes --- */

static double number(const struct km_json *node, const char *name)
{
    return km_pg_fact(node, name, 0);
}

static void see_scan(struct km_pg_advised *s, const struct km_json *node)
{
    struct km_str name = km_pg_fact_text(node, "Relation Name");
    struct km_str alias = km_pg_fact_text(node, "Alias");

    for (size_t k = 0; name.n && k < s->uses.ntables; k++)
        if (km_str_eq(s->uses.tables[k].name, name) && km_str_eq(s->uses.tables[k].alias, alias) &&
            s->scans[k].cost < 0) {
            s->scans[k].rows = number(node, "Plan Rows");
            s->scans[k].cost = number(node, "Total Cost");
        }
}

/* The inner side of a nested loop runs for each row of the outer: where those are many, its cost is
 * not once in the whole. */
static void see_node(struct km_pg_advised *s, const struct km_json *node, bool repeated,
                     unsigned depth)
{
    bool loop = km_str_eq(km_pg_fact_text(node, "Node Type"), KM_STR("Nested Loop"));
    const struct km_json *child;
    struct km_json_iter it;
    struct km_str unused;
    double outer = 1; /* rows; the outer side comes first */

    if (depth == DEPTH)
        return;
    if (!repeated)
        see_scan(s, node);
    for (km_json_iter(km_json_get(node, "Plans"), &it); km_json_next(&it, &unused, &child);) {
        struct km_str side = km_pg_fact_text(child, "Parent Relationship");

        see_node(s, child, repeated || (loop && outer > 1 && km_str_eq(side, KM_STR("Inner"))),
                 depth + 1);
        if (km_str_eq(side, KM_STR("Outer")))
            outer = number(child, "Plan Rows");
    }
}

void km_pg_advice_scans(struct km_pg_advised *s, const struct km_json *plan)
{
    const struct km_json *first = NULL, *root;
    struct km_json_iter it;
    struct km_str unused;

    km_json_iter(plan, &it);
    if (!km_json_next(&it, &unused, &first))
        return;
    root = km_json_get(first, "Plan");
    if (km_str_eq(km_pg_fact_text(root, "Node Type"), KM_STR("Limit")))
        s->limit = number(root, "Plan Rows");
    see_node(s, root, false, 0);
}

/* --- the estimate --- */

static bool in_index(const struct km_pg_candidate *c, struct km_str column)
{
    for (size_t i = 0; i < c->n; i++)
        if (km_str_eq(c->columns[i], column))
            return true;
    return c->only && km_str_eq(c->only->column, column);
}

static bool used_for(const struct km_pg_advised *s, size_t k, struct km_str column,
                     enum km_pg_use_kind kind)
{
    for (size_t i = 0; i < s->uses.n; i++)
        if (s->uses.v[i].kind == kind && km_str_eq(s->uses.v[i].column, column) &&
            km_pg_use_of(s, k, s->uses.v[i].table, column))
            return true;
    return false;
}

/* LIKE 'abc%' on the index's i-th column, where the index compares bytes. */
static bool prefixed(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k,
                     size_t i)
{
    const struct km_json *column = km_pg_fact_column(c->table, c->columns[i]);
    bool by_bytes = c->opclass.n || km_str_eq(km_pg_fact_text(column, "like"), KM_STR("plain"));

    for (size_t u = 0; by_bytes && i + 1 == c->n && u < s->uses.n; u++)
        if (km_pg_use_begins(&s->uses.v[u]) && km_str_eq(s->uses.v[u].column, c->columns[i]) &&
            km_pg_use_of(s, k, s->uses.v[u].table, s->uses.v[u].column))
            return true;
    return false;
}

/* Is every condition on the table one of the index's columns? */
static bool answers_all(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k)
{
    for (size_t i = 0; i < s->uses.n; i++)
        if (s->uses.v[i].kind != KM_PG_USE_READ && s->uses.v[i].kind != KM_PG_USE_ORDER &&
            km_pg_use_of(s, k, s->uses.v[i].table, s->uses.v[i].column) &&
            !in_index(c, s->uses.v[i].column))
            return false;
    return true;
}

/* Rows the index gives; *ret_serves: it narrows anything at all. */
static double rows_found(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k,
                         bool *ret_serves)
{
    double found = km_pg_fact(c->table, "rows", 0) * c->share;
    size_t i = 0;

    *ret_serves = c->only != NULL;
    for (; i < c->n && used_for(s, k, c->columns[i], KM_PG_USE_EQUAL); i++) {
        const struct km_json *column = km_pg_fact_column(c->table, c->columns[i]);

        found /= fmax(1, km_pg_fact(column, "distinct", 1));
        *ret_serves = true;
    }
    if (i < c->n && (used_for(s, k, c->columns[i], KM_PG_USE_RANGE) || prefixed(c, s, k, i) ||
                     c->method == KM_PG_GIN)) {
        found /= 3;
        *ret_serves = true;
    }
    return *ret_serves && answers_all(c, s, k) ? fmax(fmin(found, s->scans[k].rows), 1)
                                               : fmax(found, s->scans[k].rows);
}

/* The order the rows come in is the one that is wanted, and only the first of them are. */
static bool ends_early(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k)
{
    size_t i = 0;

    while (i < c->n && used_for(s, k, c->columns[i], KM_PG_USE_EQUAL))
        i++;
    if (s->limit < 1 || c->method != KM_PG_BTREE || c->opclass.n || i == c->n ||
        !answers_all(c, s, k))
        return false;
    for (; i < c->n; i++)
        if (!used_for(s, k, c->columns[i], KM_PG_USE_ORDER))
            return false;
    return true;
}

static bool same_only(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k)
{
    for (size_t i = 0; c->only && i < s->uses.nfixed; i++) {
        const struct km_pg_fixed *f = &s->uses.fixed[i];

        if (km_str_eq(f->column, c->only->column) && km_str_eq(f->after, c->only->after) &&
            f->not == c->only->not &&km_pg_use_of(s, k, f->table, f->column))
            return true;
    }
    return !c->only;
}

/* A scan by the index; negative: it does not serve. */
static double scan_cost(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k)
{
    double rows = fmax(km_pg_fact(c->table, "rows", 0), 1);
    double pages = fmax(km_pg_fact(c->table, "pages", 0), 1);
    double in_turn = km_pg_fact(km_pg_fact_column(c->table, c->columns[0]), "correlation", 0);
    double heap, found;
    bool serves, early = ends_early(c, s, k);

    if (!same_only(c, s, k))
        return -1;
    found = rows_found(c, s, k, &serves);
    if (!serves && !early)
        return -1;
    if (early)
        found = fmin(found, s->limit);
    if (c->method == KM_PG_BRIN)
        return fmax(128, found / rows * pages / fmax(in_turn, 0.5)) + 0.0125 * found;
    in_turn *= in_turn;
    heap = in_turn * found / rows * pages + (1 - in_turn) * 4 * fmin(found, pages);
    if (c->nincludes) /* pages of which all rows are seen by all need no visit */
        heap *= 1 - fmin(km_pg_fact(c->table, "visible", 0) / pages, 1);
    return heap + 0.02 * found + 4 + log2(rows);
}

static double saves_of(const struct km_pg_candidate *c, const struct km_pg_advised *s, size_t k)
{
    double cost;

    if (s->before < 0 || s->scans[k].facts != c->table || s->scans[k].cost < 0)
        return 0;
    cost = scan_cost(c, s, k);
    if (cost < 0)
        return 0;
    return ends_early(c, s, k) ? fmax(0, s->now - cost) : fmax(0, s->scans[k].cost - cost);
}

double km_pg_advice_saves(const struct km_pg_candidate *c, const struct km_pg_advised *s)
{
    double sum = 0;

    for (size_t k = 0; k < s->uses.ntables; k++)
        sum += saves_of(c, s, k);
    return fmin(sum, fmax(s->now, 0));
}

bool km_pg_advice_concerns(const struct km_pg_candidate *c, const struct km_pg_advised *s)
{
    for (size_t k = 0; k < s->uses.ntables; k++)
        if (s->scans[k].facts == c->table)
            return s->before >= 0;
    return false;
}

/* --- the best of a round --- */

double km_pg_candidate_write(const struct km_pg_candidate *c)
{
    return c->share * per_write[c->method];
}

double km_pg_advice_upkeep(const struct km_pg_advice *a, const struct km_pg_candidate *c)
{
    return a->workload ? a->window * c->writes * km_pg_candidate_write(c) : 0;
}

void km_pg_advice_estimate(const struct km_pg_advice *a, struct km_pg_candidate *c)
{
    c->total = km_pg_advice_upkeep(a, c);
    for (size_t i = 0; i < a->nstatements; i++)
        if (a->statements[i].before >= 0)
            c->total += a->statements[i].weight *
                        (a->statements[i].now - km_pg_advice_saves(c, &a->statements[i]));
}

static double whole(const struct km_pg_advice *a)
{
    double sum = 0;

    for (size_t i = 0; i < a->nstatements; i++)
        if (a->statements[i].before >= 0)
            sum += a->statements[i].weight * a->statements[i].now;
    return sum;
}

static bool smaller(const struct km_pg_candidate *c, const struct km_pg_candidate *best)
{
    return c->bytes < best->bytes || (c->bytes <= best->bytes && c->n < best->n);
}

/* What an estimate says of a chosen index is taken off by hand: no plan will show it. */
static void apply(struct km_pg_advice *a, const struct km_pg_candidate *c)
{
    for (size_t i = 0; c->estimated && i < a->nstatements; i++) {
        struct km_pg_advised *s = &a->statements[i];
        double saved = km_pg_advice_saves(c, s);

        for (size_t k = 0; k < s->uses.ntables; k++)
            s->scans[k].cost -= saves_of(c, s, k);
        if (s->before >= 0) {
            s->saved += saved;
            s->now -= saved;
        }
    }
}

/* Nothing fits any more: would something help? */
static void hint_size(struct km_pg_advice *a, double most)
{
    for (size_t i = 0; a->most_bytes > 0 && a->nhints < KM_PG_HINTS && i < a->ncandidates; i++) {
        const struct km_pg_candidate *c = &a->candidates[i];

        if (c->chosen || c->total < 0 || c->total >= most ||
            a->nchosen + 1 + (c->also > 0) > a->most)
            continue;
        a->hints[a->nhints++] = KM_STR("there is an index that would help and does not fit within "
                                       "max_index_size_mb: ask without it, or with more");
        return;
    }
}

/* Within the number and the size of indexes that are wanted. */
static bool fits(const struct km_pg_advice *a, const struct km_pg_candidate *c)
{
    double bytes = c->bytes;

    if (a->nchosen + 1 + (c->also > 0) > a->most)
        return false;
    for (size_t i = 0; i < a->nchosen; i++)
        bytes += a->candidates[a->chosen[i]].bytes;
    return a->most_bytes <= 0 || bytes <= a->most_bytes;
}

bool km_pg_advice_choose(struct km_pg_advice *a)
{
    struct km_pg_candidate *best = NULL, *chosen;
    double most = whole(a) * (1 - GAIN);

    for (size_t i = 0; i < a->ncandidates; i++) {
        struct km_pg_candidate *c = &a->candidates[i];

        if (!c->chosen && fits(a, c) && c->total >= 0 && c->total < most &&
            (!best || c->total < best->total))
            best = c;
    }
    chosen = best;
    for (size_t i = 0; best && i < a->ncandidates; i++) {
        struct km_pg_candidate *c = &a->candidates[i];
        double bound = c->bytes <= TINY * best->bytes ? TINY_COST : NEARLY;

        if (!c->chosen && fits(a, c) && c->total >= 0 && c->total < most &&
            c->total <= bound * best->total && smaller(c, chosen))
            chosen = c;
    }
    if (!chosen) {
        hint_size(a, most);
        return false;
    }
    chosen->chosen = true;
    a->chosen[a->nchosen++] = (size_t)(chosen - a->candidates);
    if (chosen->also && !a->candidates[chosen->also - 1].chosen) {
        a->candidates[chosen->also - 1].chosen = true;
        a->chosen[a->nchosen++] = chosen->also - 1;
        chosen->bytes -= a->candidates[chosen->also - 1].bytes;
    }
    apply(a, chosen);
    return true;
}
