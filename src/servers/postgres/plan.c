/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - see plan.h.
 *
 * A plan is a tree of nodes; each says what it costs with all below it.  What a node costs by
 * itself is the rest: its own, less its children's.  After ANALYZE that is milliseconds, times the
 * loops it was run in; without it the planner's cost units.
 *
 *     hot_node      the node that takes most by itself
 *     misestimate   rows found against rows expected, at worst, by ten times or more
 *     missing_index a table read from end to end of which little was kept
 *     spill         a sort or hash that went to disk
 *     filtered_after_index   an index found rows that a filter then threw away
 *     hypothetical_index     an index that does not exist would be used
 *
 * One pass collects the candidates; the depth is bounded by the parser's.
 */
#include "servers/postgres/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/json_out.h"

#define MISESTIMATE 10.0 /* times, before it is worth a word */
#define ROWS_WORTH 1000.0 /* rows read, below which no index helps */
#define KEPT 0.1 /* the part of rows kept, above which no index helps */
#define SHAPE_DEPTH 20
#define SHAPE_BYTES ((size_t)600)
#define LISTED 8 /* findings of one kind */

struct scan {
    const struct km_json *root;
    bool analyzed;
    const struct km_json *hot;
    double hot_self, total;
    const struct km_json *missed; /* worst estimate */
    double missed_ratio;
    struct km_json_out *o;
    unsigned listed[4];
};

static double number(const struct km_json *node, const char *name, double otherwise)
{
    char text[64];
    struct km_str s;

    if (!km_json_number(km_json_get(node, name), &s) || s.n >= sizeof text)
        return otherwise;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return strtod(text, NULL);
}

static struct km_str word(const struct km_json *node, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(node, name), &s);
    return s;
}

/* With all below it, in milliseconds or cost units. */
static double takes(const struct scan *s, const struct km_json *node)
{
    return s->analyzed ? number(node, "Actual Total Time", 0) * number(node, "Actual Loops", 1)
                       : number(node, "Total Cost", 0);
}

static double takes_itself(const struct scan *s, const struct km_json *node)
{
    double self = takes(s, node);
    const struct km_json *child;
    struct km_json_iter it;
    struct km_str unused;

    for (km_json_iter(km_json_get(node, "Plans"), &it); km_json_next(&it, &unused, &child);)
        self -= takes(s, child);
    return self > 0 ? self : 0;
}

/* "Seq Scan on t_ord" */
static void put_name(struct km_buf *b, const struct km_json *node)
{
    struct km_str on = word(node, "Relation Name"), index = word(node, "Index Name");

    km_buf_str(b, word(node, "Node Type"));
    if (index.n) {
        km_buf_str(b, KM_STR(" using "));
        /* HypoPG calls its own "<13579>btree_orders_status" */
        km_buf_str(b, index.p[0] == '<' ? KM_STR("the supposed ") : KM_STR(""));
        km_buf_str(b, index.p[0] == '<' ? km_str_skip(index, km_str_chr(index, '>') + 1) : index);
    }
    if (on.n) {
        km_buf_str(b, KM_STR(" on "));
        km_buf_str(b, on);
    }
}

/* One child after ">", several between brackets. */
static void put_shape(struct km_buf *b, const struct km_json *node, unsigned depth)
{
    const struct km_json *plans = km_json_get(node, "Plans"), *child;
    bool many = km_json_count(plans) > 1, first = true;
    struct km_json_iter it;
    struct km_str unused;

    put_name(b, node);
    if (depth == SHAPE_DEPTH || b->n > SHAPE_BYTES) {
        km_buf_str(b, km_json_count(plans) ? KM_STR(" > ...") : KM_STR(""));
        return;
    }
    for (km_json_iter(plans, &it); km_json_next(&it, &unused, &child); first = false) {
        km_buf_str(b, !first ? KM_STR(", ") : many ? KM_STR(" (") : KM_STR(" > "));
        put_shape(b, child, depth + 1);
    }
    km_buf_str(b, many ? KM_STR(")") : KM_STR(""));
}

struct km_str km_pg_plan_shape(struct km_arena *arena, const struct km_json *plan)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 * SHAPE_BYTES);
    const struct km_json *first;
    struct km_json_iter it;
    struct km_str unused;

    km_json_iter(plan, &it);
    if (!km_json_next(&it, &unused, &first))
        return KM_STR_NONE;
    put_shape(&b, km_json_get(first, "Plan"), 0);
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&b));
}

static void put_finding(struct scan *s, const char *kind, const struct km_json *node,
                        const char *fmt, ...) KM_PRINTF(4, 5);
static void put_finding(struct scan *s, const char *kind, const struct km_json *node,
                        const char *fmt, ...)
{
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    va_list ap;

    put_name(&name, node);
    va_start(ap, fmt);
    km_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    km_out_open(s->o, '{');
    km_out_member(s->o, "kind", km_str_c(kind));
    km_out_member(s->o, "node", km_buf_view(&name));
    km_out_member(s->o, "text", km_buf_view(&text));
    km_out_close(s->o, '}');
}

static void see_scan(struct scan *s, const struct km_json *node)
{
    struct km_str type = word(node, "Node Type"), filter = word(node, "Filter");
    double loops = number(node, "Actual Loops", 1);
    double removed = number(node, "Rows Removed by Filter", 0) * loops;
    double kept = number(node, "Actual Rows", 0) * loops;
    bool whole = km_str_eq(type, KM_STR("Seq Scan"));
    bool index = km_str_starts(type, KM_STR("Index")) || km_str_starts(type, KM_STR("Bitmap Heap"));
    double share = s->total > 0 ? takes_itself(s, node) / s->total : 0;
    struct km_str table = word(node, "Relation Name");

    if (!filter.n)
        return;
    if (whole && s->analyzed && removed + kept >= ROWS_WORTH && kept < KEPT * (removed + kept) &&
        s->listed[0]++ < LISTED)
        put_finding(s, "missing_index", node,
                    "read all of %.*s and kept %.0f of %.0f rows by the filter %.*s; an index on "
                    "the columns of that filter would find them (advise_indexes can tell which)",
                    KM_STR_ARG(table), kept, kept + removed, KM_STR_ARG(filter));
    else if (whole && !s->analyzed && share > 0.3 && s->total > 100 && s->listed[0]++ < LISTED)
        put_finding(s, "missing_index", node,
                    "would read all of %.*s for the filter %.*s, %.0f %% of the plan's cost, and "
                    "expects %.0f rows; an index on the columns of that filter may help "
                    "(advise_indexes can tell)",
                    KM_STR_ARG(table), KM_STR_ARG(filter), 100 * share,
                    number(node, "Plan Rows", 0));
    else if (index && removed >= ROWS_WORTH && kept < KEPT * (removed + kept) &&
             s->listed[1]++ < LISTED)
        put_finding(s, "filtered_after_index", node,
                    "the index found %.0f rows, of which the filter %.*s kept %.0f; an index that "
                    "has the filter's columns too would find less",
                    kept + removed, KM_STR_ARG(filter), kept);
}

static void see_spill(struct scan *s, const struct km_json *node)
{
    struct km_str space = word(node, "Sort Space Type");
    double batches = number(node, "Hash Batches", 1);

    if (km_str_eq(space, KM_STR("Disk")) && s->listed[2]++ < LISTED)
        put_finding(s, "spill", node, "sorted on disk, %.0f KiB; work_mem was too small for it",
                    number(node, "Sort Space Used", 0));
    else if (batches > 1 && s->listed[2]++ < LISTED)
        put_finding(s, "spill", node, "hashed in %.0f batches on disk; work_mem was too small",
                    batches);
}

/* HypoPG's names begin with the oid in angle brackets: "<13543>btree_t_ord_qty". */
static void see_hypothetical(struct scan *s, const struct km_json *node)
{
    struct km_str index = word(node, "Index Name");

    if (km_str_starts(index, KM_STR("<")) && s->listed[3]++ < LISTED)
        put_finding(s, "hypothetical_index", node, "would use the index that was supposed: %.*s",
                    KM_STR_ARG(index));
}

static bool is_one(struct km_str type, const char *const *types)
{
    for (; *types; types++)
        if (km_str_eq(type, km_str_c(*types)))
            return true;
    return false;
}

/* Reads all below it before it gives its first row. */
static bool gathers(const struct km_json *node)
{
    static const char *const types[] = { "Sort", "Hash", "Bitmap Heap Scan", NULL };
    struct km_str type = word(node, "Node Type");

    return is_one(type, types) || (km_str_eq(type, KM_STR("Aggregate")) &&
                                   !km_str_eq(word(node, "Strategy"), KM_STR("Sorted")));
}

/* May the child be left before its last row?  Then it says nothing that it gave fewer than it
 * could: below a LIMIT, in EXISTS, in a join that has seen enough. */
static bool is_left(const struct km_json *node, const struct km_json *child, bool left)
{
    static const char *const stops[] = { "Limit", "Merge Join", NULL };
    struct km_str relation = word(child, "Parent Relationship"), join = word(node, "Join Type");
    bool one = km_str_eq(join, KM_STR("Semi")) || km_str_eq(join, KM_STR("Anti")), unique = false;

    (void)km_json_bool(km_json_get(node, "Inner Unique"), &unique);
    return is_one(word(node, "Node Type"), stops) || km_str_eq(relation, KM_STR("InitPlan")) ||
           km_str_eq(relation, KM_STR("SubPlan")) ||
           ((one || unique) && km_str_eq(relation, KM_STR("Inner"))) || (left && !gathers(node));
}

static void see(struct scan *s, const struct km_json *node, bool left)
{
    double self = takes_itself(s, node), expected = number(node, "Plan Rows", 0);
    double found = number(node, "Actual Rows", 0);
    double more = found > expected ? found : expected, less = found > expected ? expected : found;
    const struct km_json *child;
    struct km_json_iter it;
    struct km_str unused;

    if (!s->hot || self > s->hot_self) {
        s->hot = node;
        s->hot_self = self;
    }
    if (s->analyzed && number(node, "Actual Loops", 0) > 0 && (!left || found > expected) &&
        more / (less < 1 ? 1 : less) > s->missed_ratio) {
        s->missed = node;
        s->missed_ratio = more / (less < 1 ? 1 : less);
    }
    see_scan(s, node);
    see_spill(s, node);
    see_hypothetical(s, node);
    for (km_json_iter(km_json_get(node, "Plans"), &it); km_json_next(&it, &unused, &child);)
        see(s, child, is_left(node, child, left));
}

static const struct km_json *root_of(const struct km_json *plan)
{
    const struct km_json *first = NULL;
    struct km_json_iter it;
    struct km_str unused;

    km_json_iter(plan, &it);
    return km_json_next(&it, &unused, &first) ? km_json_get(first, "Plan") : NULL;
}

double km_pg_plan_cost(const struct km_json *plan)
{
    return number(root_of(plan), "Total Cost", -1);
}

void km_pg_plan_findings(const struct km_json *plan, struct km_buf *out)
{
    struct km_json_out o;
    struct scan s = { .root = root_of(plan), .o = &o };

    km_json_out_init(&o, out);
    km_out_open(&o, '[');
    if (s.root) {
        s.analyzed = km_json_get(s.root, "Actual Total Time") != NULL;
        s.total = takes(&s, s.root);
        see(&s, s.root, false);
    }
    if (s.hot && s.total > 0)
        put_finding(&s, "hot_node", s.hot, "takes most by itself: %.*g %s, %.0f %% of the whole", 4,
                    s.hot_self, s.analyzed ? "ms" : "cost units", 100 * s.hot_self / s.total);
    if (s.missed && s.missed_ratio >= MISESTIMATE)
        put_finding(&s, "misestimate", s.missed,
                    "expected %.0f rows and found %.0f, %.0f times off; ANALYZE the table, or give "
                    "it extended statistics where columns depend on each other",
                    number(s.missed, "Plan Rows", 0), number(s.missed, "Actual Rows", 0),
                    s.missed_ratio);
    km_out_close(&o, ']');
}
