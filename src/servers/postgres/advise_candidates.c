/* SPDX-License-Identifier: Apache-2.0 */
/* advise_candidates.c - indexes that could serve a statement; see advise_inside.h.
 *
 *     WHERE a = 1 AND b = 2 AND c > 3 ORDER BY d DESC
 *
 *     (b, a)       equality first, those that tell most apart before others
 *     (b, a, c)    then one range: behind it an index is not sorted any more
 *     (b, a, d)    or the order, which saves the sort
 *     (b), (a)     alone, for statements that share a column
 *     (a, t text_pattern_ops) LIKE 'abc%', where the language sorts otherwise than bytes
 *     ... INCLUDE (e)         where that makes the heap needless and is narrow
 *     ... WHERE a = 1         where few rows are such
 *     gin (e)      where an operator looks into a value, or a text is searched by its words;
 *                  trigrams where pg_trgm is installed
 *     brin (c)     where a large table lies in the order of c
 *
 * What an index of the catalogue does already is left out (advise_index.c).
 */
#include "servers/postgres/advise_inside.h"

#define DDL_BYTES 4096
#define RANGES 3 /* of a statement's table, each tried behind the equality */
#define INCLUDE_BYTES 64 /* of carried columns, above which an index is a second table */
#define FEW 0.2 /* the part of rows, above which a partial index saves little */
#define VALUES 100 /* distinct values, above which a constant is one of many */
#define NATURAL 0.95 /* correlation from which on a table lies in a column's order */
#define BRIN_BYTES (1024.0 * 1024 * 1024) /* of a table, below which a btree is small enough */
#define PAIRS 6 /* of a statement's table, for OR */
#define PAGE 8192.0

struct making {
    struct km_pg_advice *a;
    const struct km_pg_advised *s;
    size_t k; /* the statement's table */
    struct km_arena *arena;
};

static double width(const struct km_pg_candidate *c, struct km_str column)
{
    return km_pg_fact(km_pg_fact_column(c->table, column), "width", 8);
}

static void keep(struct making *m, struct km_pg_candidate *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(DDL_BYTES);
    struct km_pg_advice *a = m->a;

    if (!c->n || a->ncandidates == KM_PG_CANDIDATES || km_pg_candidate_there(c))
        return;
    km_pg_candidate_ddl(c, &b);
    c->ddl = km_arena_str(m->arena, km_buf_view(&b));
    for (size_t i = 0; i < a->ncandidates; i++)
        if (km_str_eq(a->candidates[i].ddl, c->ddl)) {
            a->candidates[i].assumes &= c->assumes; /* another statement knows */
            return;
        }
    c->bytes = km_pg_candidate_bytes(c);
    c->writes = km_pg_fact(c->table, "writes", 0);
    c->estimated = !a->hypopg.n || c->method == KM_PG_GIN; /* HypoPG knows no such index */
    if (c->ddl.n)
        a->candidates[a->ncandidates++] = *c;
}

static bool has(const struct km_pg_candidate *c, struct km_str column)
{
    for (size_t i = 0; i < c->n; i++)
        if (km_str_eq(c->columns[i], column))
            return true;
    return false;
}

static bool push(struct km_pg_candidate *c, struct km_str column, bool down)
{
    if (c->n == KM_PG_WIDTH || has(c, column) ||
        !km_pg_fact_flag(km_pg_fact_column(c->table, column), "btree"))
        return false;
    c->columns[c->n] = column;
    c->down[c->n++] = down;
    return true;
}

static bool means(const struct making *m, size_t i, enum km_pg_use_kind kind)
{
    const struct km_pg_use *use = &m->s->uses.v[i];

    return use->kind == kind && km_pg_use_of(m->s, m->k, use->table, use->column);
}

/* --- columns in their order --- */

static double distinct(const struct km_pg_candidate *c, struct km_str column)
{
    return km_pg_fact(km_pg_fact_column(c->table, column), "distinct", 1);
}

static bool only_says(const struct km_pg_candidate *c, struct km_str column)
{
    return c->only && km_str_eq(c->only->column, column);
}

/* The equality columns, those that tell most apart first. */
static void take_equal(struct making *m, struct km_pg_candidate *c)
{
    for (size_t i = 0; i < m->s->uses.n; i++) {
        struct km_str column = m->s->uses.v[i].column;

        if (!means(m, i, KM_PG_USE_EQUAL) || only_says(c, column) || !push(c, column, false))
            continue;
        for (size_t at = c->n - 1; at > 0 && distinct(c, c->columns[at - 1]) < distinct(c, column);
             at--) {
            c->columns[at] = c->columns[at - 1];
            c->columns[at - 1] = column;
        }
    }
}

/* An index is read from either end: only a direction that changes has to be said. */
static void take_order(struct making *m, struct km_pg_candidate *c)
{
    bool first = true, down = false;

    for (size_t i = 0; i < m->s->uses.n; i++) {
        if (!means(m, i, KM_PG_USE_ORDER) || only_says(c, m->s->uses.v[i].column))
            continue;
        down = first ? m->s->uses.v[i].down : down;
        first = false;
        (void)push(c, m->s->uses.v[i].column, m->s->uses.v[i].down != down);
    }
}

/* As it is, and carrying what else is read of the table, so that the heap is not. */
static void keep_covering(struct making *m, const struct km_pg_candidate *plain)
{
    struct km_pg_candidate c = *plain;
    double carried = 0;

    keep(m, &c);
    if (m->s->uses.whole || !plain->n)
        return;
    c = *plain;
    for (size_t i = 0; i < m->s->uses.n; i++) {
        struct km_str column = m->s->uses.v[i].column;
        bool there = has(&c, column);

        for (size_t k = 0; k < c.nincludes; k++)
            there |= km_str_eq(c.includes[k], column);
        if (there || !km_pg_use_of(m->s, m->k, m->s->uses.v[i].table, column))
            continue;
        carried += width(&c, column);
        if (c.nincludes == KM_PG_INCLUDES || carried > INCLUDE_BYTES)
            return;
        c.includes[c.nincludes++] = column;
    }
    if (c.nincludes)
        keep(m, &c);
}

/* As a range: what begins with the same bytes lies together, if bytes are what is sorted by. */
static bool push_prefix(struct km_pg_candidate *c, struct km_str column)
{
    struct km_str by = km_pg_fact_text(km_pg_fact_column(c->table, column), "like");

    if (!by.n || !push(c, column, false))
        return false;
    c->opclass = km_str_eq(by, KM_STR("plain")) ? KM_STR_NONE : KM_STR("text_pattern_ops");
    return true;
}

/* Of a pattern that is a parameter it is only assumed, and where trigrams can be had, which serve
 * it whatever it is, not even that. */
static bool take_prefix(const struct making *m, size_t i, struct km_pg_candidate *c)
{
    const struct km_pg_use *use = &m->s->uses.v[i];

    if (!means(m, i, use->kind) || !km_pg_use_begins(use) || (use->may_begin && m->a->trgm.n))
        return false;
    c->assumes |= use->kind == KM_PG_USE_PATTERN;
    return push_prefix(c, use->column);
}

/* Equality, then a range or the order; `begin` may be partial.  false: there was no column. */
static bool take_btree(struct making *m, const struct km_pg_candidate *begin)
{
    struct km_pg_candidate equal = *begin, c;
    unsigned ranges = 0;
    bool any;

    take_equal(m, &equal);
    keep_covering(m, &equal);
    for (size_t i = 0; i < m->s->uses.n && ranges < RANGES; i++) {
        c = equal;
        if ((means(m, i, KM_PG_USE_RANGE) && push(&c, m->s->uses.v[i].column, false)) ||
            take_prefix(m, i, &c)) {
            keep_covering(m, &c);
            ranges++;
        }
    }
    c = equal;
    take_order(m, &c);
    keep_covering(m, &c);
    any = c.n || ranges;
    for (size_t i = 0; i < equal.n; i++) {
        c = *begin;
        (void)push(&c, equal.columns[i], false);
        keep(m, &c);
    }
    return any;
}

/* --- other kinds --- */

/* The part of the table's rows that the condition keeps, as the statistics say; 1: not known. */
static double share_of(const struct km_json *table, const struct km_pg_fixed *f)
{
    const struct km_json *column = km_pg_fact_column(table, f->column), *common, *part;
    double nulls = km_pg_fact(column, "nulls", 2),
           distinct_values = km_pg_fact(column, "distinct", 0);
    struct km_str value = f->value, unused;
    struct km_json_iter it;

    if (nulls > 1)
        return 1;
    if (!value.n && f->after.n)
        return km_str_eq(f->after, KM_STR(" IS NULL")) ? nulls : 1 - nulls;
    if (!value.n)
        value = f->not ? KM_STR("f") : KM_STR("t");
    if (distinct_values < 1 || distinct_values > VALUES)
        return 1;
    common = km_json_get(column, "common");
    for (km_json_iter(common, &it); km_json_next(&it, &unused, &part);)
        if (km_str_eq(unused, value) && distinct_values >= 2) {
            struct km_str text;
            int64_t millionths;

            if (km_json_number(part, &text) && km_str_decimal(text, 6, &millionths) == 0)
                return (double)millionths / 1e6;
        }
    return 1;
}

static void take_partial(struct making *m, const struct km_json *table)
{
    for (size_t i = 0; i < m->s->uses.nfixed; i++) {
        const struct km_pg_fixed *f = &m->s->uses.fixed[i];
        struct km_pg_candidate c = { .table = table, .only = f }, alone;

        if (!km_pg_use_of(m->s, m->k, f->table, f->column))
            continue;
        c.share = share_of(table, f);
        if (c.share > FEW || c.share <= 0)
            continue;
        if (take_btree(m, &c))
            continue;
        alone = c; /* nothing else is asked, nor an order: the rows themselves */
        if (push(&alone, f->column, false))
            keep(m, &alone);
    }
}

/* Operators that the type's inverted index knows, and its class of operators. */
static bool found_by_gin(const struct making *m, const struct km_pg_use *use,
                         const struct km_json *column, struct km_pg_candidate *c)
{
    bool json = km_str_eq(km_pg_fact_text(column, "type"), KM_STR("jsonb"));

    if (use->config.n) {
        c->config = use->config;
        return km_str_eq(use->op, KM_STR("@@")) && km_pg_fact_flag(column, "text");
    }
    if (use->kind == KM_PG_USE_PATTERN) {
        c->opclass = km_arena_printf(m->arena, "%.*s.gin_trgm_ops", KM_STR_ARG(m->a->trgm));
        return m->a->trgm.n && km_pg_fact_flag(column, "text");
    }
    if (km_pg_fact_flag(column, "array"))
        return km_str_eq(use->op, KM_STR("@>")) || km_str_eq(use->op, KM_STR("&&"));
    if (km_str_eq(km_pg_fact_text(column, "type"), KM_STR("tsvector")))
        return km_str_eq(use->op, KM_STR("@@"));
    if (json && use->op.p[0] == '@') /* smaller, and enough for these */
        c->opclass = KM_STR("jsonb_path_ops");
    return km_pg_fact_flag(column, "gin") && !km_str_eq(use->op, KM_STR("&&"));
}

static void put_hint(struct making *m, const struct km_json *table, struct km_str column,
                     const char *what)
{
    struct km_pg_advice *a = m->a;
    struct km_str schema = km_pg_fact_text(table, "schema"), name = km_pg_fact_text(table, "name");
    struct km_str hint = km_arena_printf(m->arena, "%.*s.%.*s, column %.*s: %s", KM_STR_ARG(schema),
                                         KM_STR_ARG(name), KM_STR_ARG(column), what);

    for (size_t i = 0; i < a->nhints; i++)
        if (km_str_eq(a->hints[i], hint))
            return;
    if (a->nhints < KM_PG_HINTS)
        a->hints[a->nhints++] = hint;
}

/* What nothing but an extension that is not there would serve; and where it is there, what would do
 * for a parameter that always begins with letters, which we cannot know. */
static void hint_pattern(struct making *m, const struct km_json *table, const struct km_pg_use *use)
{
    struct km_pg_candidate c = { .table = table, .share = 1 };

    if (!m->a->trgm.n)
        put_hint(m, table, use->column,
                 "LIKE with a wildcard in front, and ILIKE, would be served by a GIN index of "
                 "trigrams, for which pg_trgm is not installed here (CREATE EXTENSION pg_trgm)");
    else if (use->may_begin && push_prefix(&c, use->column) && !km_pg_candidate_there(&c))
        put_hint(m, table, use->column,
                 c.opclass.n ? "if every pattern of LIKE $n begins with letters, a btree of it "
                               "with text_pattern_ops does, smaller and cheaper to keep than one "
                               "of trigrams"
                             : "if every pattern of LIKE $n begins with letters, a btree of it "
                               "does, smaller and cheaper to keep than one of trigrams");
}

static void take_special(struct making *m, const struct km_json *table)
{
    for (size_t i = 0; i < m->s->uses.n; i++) {
        const struct km_pg_use *use = &m->s->uses.v[i];
        const struct km_json *column = km_pg_fact_column(table, use->column);
        struct km_pg_candidate c = { .table = table, .share = 1, .n = 1 };

        c.columns[0] = use->column;
        if (means(m, i, KM_PG_USE_HOLDS) || means(m, i, KM_PG_USE_PATTERN)) {
            c.method = KM_PG_GIN;
            if (found_by_gin(m, use, column, &c))
                keep(m, &c);
            if (use->kind == KM_PG_USE_PATTERN && km_pg_fact_flag(column, "text"))
                hint_pattern(m, table, use);
        } else if (means(m, i, KM_PG_USE_RANGE) && km_pg_fact_flag(column, "brin") &&
                   km_pg_fact(column, "correlation", 0) > NATURAL &&
                   km_pg_fact(table, "pages", 0) * PAGE >= BRIN_BYTES) {
            c.method = KM_PG_BRIN;
            keep(m, &c);
        }
    }
}

/* Can an index be made of what this use makes? */
static bool immutable(const struct km_json *table, const struct km_pg_use *use)
{
    const struct km_json *column = km_pg_fact_column(table, use->column);

    return !use->made.type || km_str_eq(km_pg_fact_text(column, "type"), km_str_c(use->made.type));
}

/* Only the planner can say what they are worth: nothing is known of values that are made. */
static void take_made(struct making *m, const struct km_json *table)
{
    for (size_t i = 0; m->a->hypopg.n && i < m->s->uses.n; i++) {
        const struct km_pg_use *use = &m->s->uses.v[i];
        struct km_pg_candidate c = { .table = table, .share = 1, .n = 1, .made = &use->made };

        c.columns[0] = use->column;
        if (means(m, i, KM_PG_USE_MADE) && immutable(table, use))
            keep(m, &c);
    }
}

static bool single(const struct km_pg_candidate *c, const struct km_json *table)
{
    return c->table == table && c->n == 1 && !c->nincludes && !c->only && !c->also &&
           c->method == KM_PG_BTREE && !c->estimated;
}

/* OR over two columns is served by an index of each at once: neither alone takes anything off. */
static void take_pairs(struct making *m, const struct km_json *table)
{
    struct km_pg_advice *a = m->a;
    struct km_pg_candidate c = { .table = table, .share = 1 };
    size_t n;

    for (size_t i = 0; i < m->s->uses.n; i++) { /* a range alone too, beside an equality */
        c.n = 0;
        if (means(m, i, KM_PG_USE_RANGE) && push(&c, m->s->uses.v[i].column, false))
            keep(m, &c);
    }
    n = a->ncandidates;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n && a->ncandidates < KM_PG_CANDIDATES; k++)
            if (single(&a->candidates[i], table) && single(&a->candidates[k], table) &&
                a->ncandidates < n + PAIRS) {
                a->candidates[a->ncandidates] = a->candidates[i];
                a->candidates[a->ncandidates].bytes += a->candidates[k].bytes;
                a->candidates[a->ncandidates++].also = k + 1;
            }
}

static void hint_statement(struct km_pg_advice *a, struct km_str hint)
{
    for (size_t i = 0; i < a->nhints; i++)
        if (km_str_eq(a->hints[i], hint))
            return;
    if (a->nhints < KM_PG_HINTS)
        a->hints[a->nhints++] = hint;
}

/* Is something made of a column by a function of which there can (or cannot) be an index? */
static bool makes(struct km_pg_advice *a, struct km_pg_advised *s, bool indexed)
{
    for (size_t k = 0; k < s->uses.ntables; k++)
        for (size_t i = 0; s->scans[k].facts && i < s->uses.n; i++)
            if (means(&(struct making){ .a = a, .s = s, .k = k }, i, KM_PG_USE_MADE) &&
                immutable(s->scans[k].facts, &s->uses.v[i]) == indexed)
                return true;
    return false;
}

/* What is not tried here, and would serve. */
static void hint_others(struct km_pg_advice *a, struct km_pg_advised *s)
{
    if (makes(a, s, false))
        hint_statement(a, KM_STR("date_trunc() of a date or a timestamp with time zone follows the "
                                 "session's TimeZone, so no index can be made of it: compare the "
                                 "column itself with a range, at >= date AND at < date + interval "
                                 "'1 day', which an index of the column serves"));
    else if (s->uses.computed && !(a->hypopg.n && makes(a, s, true)))
        hint_statement(a, KM_STR("a condition on what is made of a column is served by an index on "
                                 "that expression, such as CREATE INDEX ON t (lower(email)) or "
                                 "((doc->>'k')); one on a day or a month by a range as well: at >= "
                                 "date AND at < date + interval '1 day'.  explain_query tries an "
                                 "index by hypothetical_indexes"));
    if (s->uses.either && !a->hypopg.n)
        hint_statement(a, KM_STR("OR over several columns needs an index of each, or a UNION of "
                                 "statements with one each: one index alone does not help it"));
}

void km_pg_advice_candidates(struct km_pg_advice *a, struct km_arena *arena)
{
    for (size_t i = 0; i < a->nstatements; i++)
        for (size_t k = 0; k < a->statements[i].uses.ntables; k++) {
            const struct km_json *table = a->statements[i].scans[k].facts;
            struct making m = { .a = a, .s = &a->statements[i], .k = k, .arena = arena };

            if (!table)
                continue;
            take_special(&m, table);
            (void)take_btree(&m, &(struct km_pg_candidate){ .table = table, .share = 1 });
            take_partial(&m, table);
            take_made(&m, table);
            if (m.s->uses.either)
                take_pairs(&m, table);
        }
    for (size_t i = 0; i < a->nstatements; i++)
        hint_others(a, &a->statements[i]);
}
