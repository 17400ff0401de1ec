/* SPDX-License-Identifier: Apache-2.0 */
/* guard_settings.c - pg_settings, of which a statement reads what SHOW would tell it.
 *
 *     FROM pg_settings AS s
 *     FROM (SELECT * FROM pg_settings WHERE lower(name) = ANY ('{allow_...}')) AS s
 *
 * PostgreSQL shows every setting there, to a superuser how it connects to another server and where
 * its files are, to anybody what an application keeps in settings of its own.  Refusing the view
 * would refuse what it is read for.  So the rows of the list of SHOW (secrets.c) stand in its
 * place: the text around its name is put into the statement that is sent, as pg_catalog. is.
 *
 * Where it cannot be put for sure the statement is refused.
 */
#include "base/buf.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/guard_inside.h"

#define LIST_BYTES ((size_t)64 * 1024)

static bool name_part(char c)
{
    unsigned char u = (unsigned char)c;

    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' ||
           u == '$' || u == '"' || u == '&' || u >= 0x80;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Takes a name from the front, plain or in quotes. */
static bool take(struct km_str *s, struct km_str name)
{
    bool quoted = s->n && s->p[0] == '"';

    if (quoted)
        *s = km_str_skip(*s, 1);
    if (quoted ? !km_str_starts(*s, name) : !km_str_istarts(*s, name))
        return false;
    *s = km_str_skip(*s, name.n);
    if (quoted && (!s->n || s->p[0] != '"'))
        return false;
    if (quoted)
        *s = km_str_skip(*s, 1);
    return true;
}

/* How long the name of the view is in the text; 0: not for sure. */
static size_t name_length(struct km_str s, bool schema)
{
    struct km_str rest = s, after;

    if (schema && !take(&rest, KM_STR("pg_catalog")))
        return 0;
    if (schema && (!rest.n || rest.p[0] != '.'))
        return 0;
    rest = km_str_skip(rest, schema);
    if (!take(&rest, KM_STR("pg_settings")) || (rest.n && name_part(rest.p[0])))
        return 0;
    for (after = rest; after.n && blank(after.p[0]);)
        after = km_str_skip(after, 1);
    return after.n && after.p[0] == '*' ? 0 : s.n - rest.n;
}

/* Is it what TABLE reads, which takes no subselect? */
static bool after_table(struct km_str before)
{
    while (before.n && blank(before.p[before.n - 1]))
        before.n--;
    return before.n >= 5 && km_str_istarts(km_str_skip(before, before.n - 5), KM_STR("table"));
}

static struct km_str text_after(struct km_arena *arena, bool named)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);

    km_buf_str(&b, KM_STR(" WHERE pg_catalog.lower(name) OPERATOR(pg_catalog.=) ANY ('{"));
    km_pg_settings_list(&b);
    km_buf_str(&b, named ? KM_STR("}'::pg_catalog.text[]))")
                         : KM_STR("}'::pg_catalog.text[])) AS pg_settings"));
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&b));
}

int km_pg_check_settings(struct km_pg_walk *w, const PgQuery__RangeVar *v)
{
    size_t at = v->location > 0 ? (size_t)v->location : 0, n;
    struct km_str after;

    if (w->options->of_view)
        return 0;
    n = v->location > 0 ? name_length(km_str_skip(w->sql, at), v->schemaname && *v->schemaname) : 0;
    if (!n || !v->inh || (v->catalogname && *v->catalogname) ||
        after_table(km_str_sub(w->sql, 0, at)))
        return km_pg_refuse(w, "GUARD_RELATION", "RangeVar", v->location,
                            "write FROM pg_settings, without TABLE, ONLY or a comment beside it",
                            "the rows of pg_settings that may be read cannot be put in its place");
    after = text_after(w->arena, v->alias != NULL);
    if (!after.p)
        return KM_E_NOMEM;
    return km_pg_put(w, at, KM_STR("(SELECT * FROM ")) && km_pg_put(w, at + n, after)
               ? 0
               : km_pg_refuse(w, "GUARD_LIMIT", "RangeVar", v->location, "split the statement",
                              "the statement names too many things");
}
