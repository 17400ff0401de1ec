/* SPDX-License-Identifier: Apache-2.0 */
/* guard_columns.c - relations of the server of which a statement reads less than there is.
 *
 *     FROM pg_roles AS r
 *     FROM (SELECT x.* FROM pg_roles AS s CROSS JOIN LATERAL
 *           jsonb_populate_record(s, '{"rolconfig": null}') AS x) AS r
 *
 * A few views that anybody reads for good reasons have a column that tells secrets.  Refusing the
 * view would refuse what it is read for, so a row is put in its place whose column says less:
 * jsonb_populate_record() keeps all columns but those it is told, whatever columns this release
 * has.  The text around the relation's name is put into the statement that is sent.  Where it
 * cannot be put for sure the statement is refused.
 *
 * What is large or read by an index (pg_attribute), and what is too changeable (pg_stat_activity),
 * stays as it is: the statement is refused where it names the column, or takes the whole row under
 * any name.  So is the definition of a view, which is sent by nobody.
 *
 * Which column of the catalogue tells what is judged in tests/data/postgres/columns.tsv.
 */
#include "base/buf.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/guard_inside.h"

#define LIST_BYTES ((size_t)64 * 1024)

struct km_pg_hidden {
    const char *relation;
    const char *columns; /* words */
    const char *instead; /* jsonb, in terms of `s`, the row; NULL: it is refused */
    const char *why, *hint;
    bool extension; /* it may be in any schema */
    bool settings; /* only the rows of the list of SHOW */
};

/* Of what PostgreSQL plans it keeps the text with its constants taken out; of everything else, such
 * as ALTER ROLE ... PASSWORD, as it came. */
#define PLANNED                                                                                    \
    "^[[:space:](]*(select|insert|update|delete|merge|with|values|table|<insufficient)\\M"
#define STATEMENT                                                                                  \
    "pg_catalog.jsonb_build_object('query', CASE WHEN s.query OPERATOR(pg_catalog.~*) '" PLANNED   \
    "' AND NOT (s.query OPERATOR(pg_catalog.~*) '^[[:space:](]*(select|with|values|table)\\M' "  \
    "AND s.query OPERATOR(pg_catalog.~*) '\\minto\\M') THEN s.query ELSE '(not shown: its "   \
    "constants may be secrets)' END)"

static const struct km_pg_hidden hidden[] = {
    { "pg_attribute", "attfdwoptions attmissingval", NULL,
      "pg_attribute shows options of foreign tables and values of columns",
      "name the columns you need, without attfdwoptions and attmissingval: attname, atttypid, "
      "attnum, attnotnull, ...",
      false, false },
    { "pg_roles", "rolconfig", "'{\"rolconfig\": null}'::pg_catalog.jsonb",
      "pg_roles shows the settings of roles, which may be secrets",
      "name the columns you need, without rolconfig", false, false },
    { "pg_settings", "", "'{\"sourcefile\": null, \"sourceline\": null}'::pg_catalog.jsonb",
      "pg_settings shows files of the server", "name the columns you need", false, true },
    { "pg_stat_activity", "query", NULL,
      "pg_stat_activity shows the statements of other sessions in its column query",
      "name the columns you need, without query: pid, usename, state, wait_event, query_start, ...",
      false, false },
    { "pg_stat_statements", "query", STATEMENT,
      "pg_stat_statements shows statements with their constants",
      "name the columns you need, without query; the tool top_queries shows statements", true,
      false },
    { "pg_user", "useconfig", "'{\"useconfig\": null}'::pg_catalog.jsonb",
      "pg_user shows the settings of roles, which may be secrets",
      "name the columns you need, without useconfig", false, false },
};

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

/* How long the relation's name is in the text; 0: not for sure. */
static size_t name_length(struct km_str s, struct km_str schema, struct km_str name)
{
    struct km_str rest = s, after;

    if (schema.n && (!take(&rest, schema) || !rest.n || rest.p[0] != '.'))
        return 0;
    rest = km_str_skip(rest, schema.n > 0);
    if (!take(&rest, name) || (rest.n && name_part(rest.p[0])))
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

/* What follows the name. */
static struct km_str text_after(struct km_arena *arena, const struct km_pg_hidden *h, bool named)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);

    km_buf_printf(&b, " AS s CROSS JOIN LATERAL pg_catalog.jsonb_populate_record(s, %s) AS x",
                  h->instead);
    if (h->settings) {
        km_buf_str(&b, KM_STR(" WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) ANY ('{"));
        km_pg_settings_list(&b);
        km_buf_str(&b, KM_STR("}'::pg_catalog.text[])"));
    }
    km_buf_byte(&b, ')');
    if (!named)
        km_buf_printf(&b, " AS %s", h->relation);
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&b));
}

static int put_less(struct km_pg_walk *w, const PgQuery__RangeVar *v, const struct km_pg_hidden *h)
{
    size_t at = v->location > 0 ? (size_t)v->location : 0, n = 0;
    struct km_str after;

    if (v->location > 0)
        n = name_length(km_str_skip(w->sql, at), km_str_c(v->schemaname), km_str_c(v->relname));
    if (!n || !v->inh || (v->catalogname && *v->catalogname) ||
        after_table(km_str_sub(w->sql, 0, at)))
        return km_pg_refuse(w, "GUARD_RELATION", "RangeVar", v->location,
                            "write FROM and its name plainly, without TABLE, ONLY, U& or a comment "
                            "beside it",
                            "what may be read of %s cannot be put in its place", h->relation);
    after = text_after(w->arena, h, v->alias != NULL);
    if (!after.p)
        return KM_E_NOMEM;
    return km_pg_put(w, at, KM_STR("(SELECT x.* FROM ")) && km_pg_put(w, at + n, after)
               ? 0
               : km_pg_refuse(w, "GUARD_LIMIT", "RangeVar", v->location, "split the statement",
                              "the statement names too many things");
}

static int keep(struct km_pg_walk *w, const PgQuery__RangeVar *v, const struct km_pg_hidden *h)
{
    struct km_pg_lesser *l = km_arena_zalloc(w->arena, sizeof *l);

    if (!l)
        return KM_E_NOMEM;
    *l = (struct km_pg_lesser){ .hidden = h,
                                .name = km_str_c(v->alias ? v->alias->aliasname : v->relname),
                                .renamed = v->alias && v->alias->n_colnames,
                                .at = v->location,
                                .next = w->lesser };
    w->lesser = l;
    return 0;
}

int km_pg_check_hidden(struct km_pg_walk *w, const PgQuery__RangeVar *v)
{
    struct km_str schema = km_str_c(v->schemaname), name = km_str_c(v->relname);

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        const struct km_pg_hidden *h = &hidden[i];

        if (!km_str_eq(name, km_str_c(h->relation)) ||
            (schema.n && !h->extension && !km_pg_is_system(schema)))
            continue;
        if (!h->instead || w->options->of_view)
            return *h->columns ? keep(w, v, h) : 0; /* what a view SHOWs is its owner's business */
        return put_less(w, v, h);
    }
    return 0;
}

/* --- those that stay as they are --- */

/* Does a column of the statement, by one name or "*", tell what is hidden of it? */
static bool tells(const struct km_pg_lesser *l, const struct km_pg_ref *column)
{
    struct km_str words = km_str_c(l->hidden->columns), word;

    if (km_str_eq(column->name, KM_STR("*")))
        return !column->schema.n || km_str_eq(column->schema, l->name);
    if (km_str_eq(column->name, l->name))
        return true;
    while (km_str_split(&words, ' ', &word))
        if (km_str_eq(column->name, word))
            return true;
    return false;
}

int km_pg_check_hidden_end(struct km_pg_walk *w)
{
    for (const struct km_pg_lesser *l = w->lesser; l; l = l->next) {
        const struct km_pg_ref *c = w->columns;

        while (c && !l->renamed && !tells(l, c))
            c = c->next;
        if (l->renamed || c)
            return km_pg_refuse(w, "GUARD_RELATION", "RangeVar", c ? c->at : l->at, l->hidden->hint,
                                "%s", l->hidden->why);
    }
    return 0;
}
