/* SPDX-License-Identifier: Apache-2.0 */
/* normal.c - see normal.h.
 *
 *     text ── PostgreSQL's own scanner ── words: literal ── ?
 *                                                comment ── a blank
 *                                                other   ── as it is
 *
 * It works on words and not on the tree, unlike libpg_query's pg_query_normalize(): that knows the
 * places of the grammar where constants stand, and forgets some (the text of COMMENT, a body of a
 * function, the connection of a subscription), and it keeps comments.  Whatever the grammar makes
 * of it, a value is a literal word or nothing.  Names stay: they are the schema's.
 */
#include "servers/postgres/normal.h"

#include <pg_query/pg_query.pb-c.h>

#include "base/buf.h"

#define MORE "..."

static bool is_comment(const PgQuery__ScanToken *t)
{
    return t->token == PG_QUERY__TOKEN__SQL_COMMENT || t->token == PG_QUERY__TOKEN__C_COMMENT;
}

static bool is_value(const PgQuery__ScanToken *t)
{
    return t->token == PG_QUERY__TOKEN__SCONST || t->token == PG_QUERY__TOKEN__USCONST ||
           t->token == PG_QUERY__TOKEN__BCONST || t->token == PG_QUERY__TOKEN__XCONST ||
           t->token == PG_QUERY__TOKEN__ICONST || t->token == PG_QUERY__TOKEN__FCONST;
}

/* Words are in the order of the text and do not overlap; one that does would be a mistake of the
 * scanner's and could show what belongs to another.  (It ends U&'...' too early, which is none.) */
static bool in_place(const PgQuery__ScanToken *t, size_t from, size_t n)
{
    return t->start >= 0 && t->end >= t->start && (size_t)t->start >= from && (size_t)t->end <= n;
}

/* A blank or a comment comes before it. */
static bool apart(struct km_str sql, const PgQuery__ScanToken *t, bool after_comment)
{
    return t->start > 0 && (after_comment || strchr(" \t\n\r\f\v", sql.p[t->start - 1]));
}

struct km_str km_pg_normal(const struct km_pg_parser *parser, struct km_arena *arena,
                           struct km_str sql, size_t max)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(max + sizeof MORE);
    PgQuery__ScanResult *words = NULL;
    struct km_err err;
    bool comment = false;
    size_t from = 0;

    if (km_pg_scan(parser, arena, sql, &words, &err) < 0)
        return KM_STR_NONE;
    for (size_t i = 0; i < words->n_tokens; i++) {
        const PgQuery__ScanToken *t = words->tokens[i];
        struct km_str word;

        if (!in_place(t, from, sql.n))
            return KM_STR_NONE;
        from = (size_t)t->end;
        if (is_comment(t)) {
            comment = true;
            continue;
        }
        word = is_value(t) ? KM_STR("?")
                           : km_str_sub(sql, (size_t)t->start, (size_t)(t->end - t->start));
        if (b.n + 1 + word.n > max) {
            km_buf_str(&b, KM_STR(MORE));
            break;
        }
        if (b.n && apart(sql, t, comment))
            km_buf_byte(&b, ' ');
        km_buf_str(&b, word);
        comment = false;
    }
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&b));
}
