/* SPDX-License-Identifier: Apache-2.0 */
/* advise_reading.c - what an UPDATE or DELETE reads, as a statement that only reads.
 *
 *     UPDATE t AS x SET a = $1 FROM u WHERE x.id = $2 RETURNING a
 *            ──┬───            ─┬─  ────────┬───────
 *     SELECT * FROM t AS x , u WHERE x.id = $1
 *
 * An index serves the rows it looks for, and a role that only reads may ask for those.  The parts
 * are cut at the words of PostgreSQL's own scanner that stand in no parentheses.  Where one is cut
 * wrong, what comes of it does not parse or is another SELECT: as any statement it goes through the
 * guard, and nothing is written.
 */
#include "servers/postgres/advise.h"

#include <pg_query/pg_query.pb-c.h>
#include <stdlib.h>

#include "base/buf.h"

#define NUMBERS 100 /* different $n */

struct cut {
    const PgQuery__ScanResult *words;
    struct km_str sql;
    size_t relation, relation_ends, more, where, ends; /* bytes; 0: not there */
    unsigned numbers[NUMBERS], nnumbers; /* what $1, $2, ... were */
    struct km_buf b;
};

static size_t at(int32_t place)
{
    return place > 0 ? (size_t)place : 0;
}

static void see_word(struct cut *c, const PgQuery__ScanToken *w, PgQuery__Token before, bool update)
{
    switch (w->token) {
    case PG_QUERY__TOKEN__SET:
        if (update && !c->relation_ends)
            c->relation_ends = at(w->start);
        break;
    case PG_QUERY__TOKEN__FROM: /* IS DISTINCT FROM is no list of tables */
        if (update && c->relation_ends && !c->more && !c->where &&
            before != PG_QUERY__TOKEN__DISTINCT)
            c->more = at(w->end);
        break;
    case PG_QUERY__TOKEN__USING:
        if (!update && !c->relation_ends) {
            c->relation_ends = at(w->start);
            c->more = at(w->end);
        }
        break;
    case PG_QUERY__TOKEN__WHERE:
        c->relation_ends = c->relation_ends ? c->relation_ends : at(w->start);
        c->where = at(w->start);
        break;
    default:
        c->ends = at(w->start); /* RETURNING or a semicolon */
        break;
    }
}

static bool divides(PgQuery__Token t)
{
    return t == PG_QUERY__TOKEN__SET || t == PG_QUERY__TOKEN__FROM || t == PG_QUERY__TOKEN__USING ||
           t == PG_QUERY__TOKEN__WHERE || t == PG_QUERY__TOKEN__RETURNING ||
           t == PG_QUERY__TOKEN__ASCII_59;
}

/* false: it is neither of the two, or looks at all rows. */
static bool find_parts(struct cut *c)
{
    PgQuery__Token before = PG_QUERY__TOKEN__NUL;
    bool update = false;
    int depth = 0;

    c->ends = 0;
    for (size_t i = 0; i < c->words->n_tokens && !c->ends; i++) {
        const PgQuery__ScanToken *w = c->words->tokens[i];
        PgQuery__Token t = w->token;

        if (t == PG_QUERY__TOKEN__SQL_COMMENT || t == PG_QUERY__TOKEN__C_COMMENT)
            continue;
        depth += (t == PG_QUERY__TOKEN__ASCII_40) - (t == PG_QUERY__TOKEN__ASCII_41);
        if (before == PG_QUERY__TOKEN__NUL) {
            update = t == PG_QUERY__TOKEN__UPDATE;
            if (!update && t != PG_QUERY__TOKEN__DELETE_P)
                return false;
            c->relation = at(w->end);
        } else if (before == PG_QUERY__TOKEN__DELETE_P && t == PG_QUERY__TOKEN__FROM) {
            c->relation = at(w->end);
        } else if (depth == 0 && divides(t)) {
            see_word(c, w, before, update);
        }
        before = t;
    }
    c->ends = c->ends ? c->ends : c->sql.n;
    return c->where && c->relation_ends > c->relation && c->where >= c->relation_ends;
}

/* The place of $n among those that are left; 0: there are too many. */
static unsigned renumber(struct cut *c, unsigned n)
{
    for (unsigned i = 0; i < c->nnumbers; i++)
        if (c->numbers[i] == n)
            return i + 1;
    if (c->nnumbers == NUMBERS)
        return 0;
    c->numbers[c->nnumbers++] = n;
    return c->nnumbers;
}

static void copy(struct cut *c, size_t from, size_t to)
{
    for (size_t i = 0; i < c->words->n_tokens; i++) {
        const PgQuery__ScanToken *w = c->words->tokens[i];

        if (w->token != PG_QUERY__TOKEN__PARAM || at(w->start) < from || at(w->end) > to)
            continue;
        km_buf_str(&c->b, km_str_sub(c->sql, from, at(w->start) - from));
        km_buf_printf(&c->b, "$%u",
                      renumber(c, (unsigned)strtoul(c->sql.p + w->start + 1, NULL, 10)));
        from = at(w->end);
    }
    km_buf_str(&c->b, km_str_sub(c->sql, from, to - from));
}

struct km_str km_pg_reading(const struct km_pg_parser *parser, struct km_arena *arena,
                            struct km_str sql)
{
    const char *text = km_arena_cstr(arena, sql);
    struct cut c = { .b = KM_BUF(KM_PG_SQL_BYTES) };
    struct km_str reading = KM_STR_NONE;
    PgQuery__ScanResult *words;
    struct km_err err;

    if (!text || sql.n > KM_PG_SQL_BYTES || km_pg_scan(parser, arena, sql, &words, &err) < 0)
        return reading;
    c.sql = km_str_c(text); /* as the scanner saw it */
    c.words = words;
    if (find_parts(&c)) {
        km_buf_str(&c.b, KM_STR("SELECT * FROM"));
        copy(&c, c.relation, c.relation_ends);
        if (c.more) {
            km_buf_str(&c.b, KM_STR(", "));
            copy(&c, c.more, c.where);
        }
        copy(&c, c.where, c.ends);
        if (!km_buf_failed(&c.b))
            reading = km_arena_str(arena, km_str_trim(km_buf_view(&c.b)));
    }
    km_buf_done(&c.b);
    return reading;
}
