/* SPDX-License-Identifier: Apache-2.0 */
/* hypo.c - see hypo.h.
 *
 *     hypopg_reset() | hypopg_create_index($1) ... | the statement | ROLLBACK | the connection goes
 *
 * HypoPG reads the text of a CREATE INDEX.  That text is made here and in advise_index.c, of names
 * and constants that are quoted and of a method from a short list; nothing of a caller's stands in
 * it as SQL, so there is nothing for the guard to judge.
 */
#include "servers/postgres/hypo.h"

#include "servers/postgres/page.h"

#define COLUMNS 32 /* of an index, PostgreSQL's own bound */

const char *const km_pg_hypo_sql[] = {
    "SELECT to_json((SELECT quote_ident(n.nspname) FROM pg_extension e "
    "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'))",
    NULL,
};

static bool known_method(struct km_str method)
{
    return km_str_eq(method, KM_STR("btree")) || km_str_eq(method, KM_STR("hash")) ||
           km_str_eq(method, KM_STR("brin"));
}

int km_pg_hypo_ddl(const struct km_json *index, struct km_buf *out, struct km_err *err)
{
    const struct km_json *columns = km_json_get(index, "columns"), *item;
    struct km_str schema, table, name, unused, method = KM_STR("btree");
    struct km_json_iter it;
    size_t n = 0;

    if (!km_json_string(km_json_get(index, "table"), &table) || !table.n ||
        !km_json_count(columns) || km_json_count(columns) > COLUMNS)
        return km_fail(err, KM_E_INVALID,
                       "hypothetical_indexes: each needs a table and its columns, 32 at most");
    (void)km_json_string(km_json_get(index, "using"), &method);
    if (!known_method(method))
        return km_fail(err, KM_E_INVALID, "hypothetical_indexes: using is btree, hash or brin");
    km_buf_str(out, KM_STR("CREATE INDEX ON "));
    if (km_json_string(km_json_get(index, "schema"), &schema)) {
        km_pg_quote(out, schema);
        km_buf_byte(out, '.');
    }
    km_pg_quote(out, table);
    km_buf_printf(out, " USING %.*s (", KM_STR_ARG(method));
    for (km_json_iter(columns, &it); km_json_next(&it, &unused, &item);) {
        if (!km_json_string(item, &name) || !name.n)
            return km_fail(err, KM_E_INVALID, "hypothetical_indexes: columns are names");
        if (n++)
            km_buf_str(out, KM_STR(", "));
        km_pg_quote(out, name);
    }
    km_buf_byte(out, ')');
    if (km_str_chr(km_buf_view(out), '\0') < out->n || km_buf_failed(out))
        return km_fail(err, KM_E_INVALID, "hypothetical_indexes: no such names");
    return 0;
}

int km_pg_hypo_before(struct km_pg_request *request, struct km_arena *arena, struct km_str schema,
                      const struct km_str *ddl, size_t n, struct km_err *err)
{
    struct km_pg_step *steps = km_arena_zalloc(arena, (n + 1) * sizeof *steps);
    const char **values = km_arena_zalloc(arena, (n + 1) * sizeof *values);
    struct km_str create =
        km_arena_printf(arena, "SELECT 1 FROM %.*s.hypopg_create_index($1)", KM_STR_ARG(schema));

    if (n > KM_PG_HYPO_MOST)
        return km_fail(err, KM_E_LIMIT, "hypothetical_indexes: at most %d", KM_PG_HYPO_MOST);
    if (!steps || !values || !create.p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    steps[0].sql = km_arena_printf(arena, "SELECT %.*s.hypopg_reset()", KM_STR_ARG(schema)).p;
    for (size_t i = 0; i < n; i++) {
        values[i] = km_arena_cstr(arena, ddl[i]);
        steps[i + 1] = (struct km_pg_step){ .sql = create.p, .nparams = 1, .values = &values[i] };
    }
    steps[n].sync = true;
    request->before = steps;
    request->nbefore = (unsigned)n + 1;
    request->alone = true;
    return steps[0].sql ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}
