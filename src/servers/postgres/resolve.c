/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - see resolve.h.
 *
 * The guard saw names; the server will see objects.  One query tells of every name that stands, or
 * might stand, for something that is neither PostgreSQL's own nor a known extension's:
 *
 *     function   `similarity` is on the list as pg_trgm's: is all of that name pg_trgm's?
 *     operator   any operator of the name on the path counts, whatever its arguments
 *     type       what a cast to it would run: domains, user types
 *     attribute  a.b calls b(a) where a has no column b
 *     cast       a cast function of somebody, from or to a type that is at hand
 *     relation   foreign tables; and views, with what they use
 *
 * A view is looked through: the catalogue knows which functions, operators and relations of users
 * its rule depends on, and its text goes through the guard for the built-in ones, which the
 * catalogue does not record.
 *
 * The query runs in the transaction of the statement, with pg_catalog first on the path, so that
 * its own names are what they seem.  A name that stands for nothing is the server's to refuse.
 */
#include "servers/postgres/resolve.h"

#include "http/json_out.h"
#include "servers/postgres/functions.h"

#define REFS_BYTES ((size_t)1024 * 1024)
#define VIEWS 200 /* of one statement, those inside views counted */

const char km_pg_anchor[] =
    "SELECT pg_catalog.set_config('statement_timeout', $1, true), "
    "pg_catalog.set_config('lock_timeout', $2, true), "
    "pg_catalog.set_config('search_path', pg_catalog.concat('pg_catalog, ', "
    "pg_catalog.current_setting('search_path'), ', pg_temp'), true)";

/* The same, and what is otherwise pinned when a session begins. */
const char km_pg_anchor_pooled[] =
    "SELECT pg_catalog.set_config('statement_timeout', $1, true), "
    "pg_catalog.set_config('lock_timeout', $2, true), "
    "pg_catalog.set_config('standard_conforming_strings', 'on', true), "
    "pg_catalog.set_config('row_security', 'on', true), "
    "pg_catalog.set_config('DateStyle', 'ISO', true), "
    "pg_catalog.set_config('IntervalStyle', 'postgres', true), "
    "pg_catalog.set_config('extra_float_digits', '1', true), "
    "pg_catalog.set_config('bytea_output', 'hex', true), "
    "pg_catalog.set_config('search_path', pg_catalog.concat('pg_catalog, ', "
    "pg_catalog.current_setting('search_path'), ', pg_temp'), true)";

const char km_pg_plan_once[] =
    "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)";
const char km_pg_plan_as_ever[] = "SELECT pg_catalog.set_config('plan_cache_mode', 'auto', true)";

const char km_pg_changed[] =
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::pg_catalog.int8 "
    "FROM pg_catalog.pg_stat_xact_user_tables";

/* `known` is what an object must be: pg_catalog's, information_schema's, or a member of an
 * extension on the list. */
#define KNOWN(class, oid, nsp)                                                                     \
    "(" nsp " IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) OR EXISTS ("     \
    "SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "                         \
    "WHERE d.classid = '" class "'::regclass AND d.objid = " oid                                   \
    " AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' "                            \
    "AND e.extname = ANY (string_to_array($2, ','))))"

/* In pieces: no compiler has to take a string of more than 4,095 bytes. */
static const char *const pieces[] = {
    "WITH RECURSIVE refs AS MATERIALIZED ("
    "SELECT * FROM json_to_recordset($1::json) AS r(k text, a int, s name, n name, o text)), "
    "path AS MATERIALIZED (SELECT n.oid, n.nspname, p.i "
    "FROM unnest(current_schemas(true)) WITH ORDINALITY AS p(nspname, i) "
    "JOIN pg_namespace n ON n.nspname = p.nspname), "
    /* what relations and types stand for: the first on the path */
    "rels AS MATERIALIZED (SELECT r.a, c.oid, c.relkind, c.relnamespace, c.reltype, c.relname "
    "FROM refs r CROSS JOIN LATERAL (SELECT c.* FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace LEFT JOIN path p ON p.oid = n.oid WHERE c.relname = r.n "
    "AND CASE WHEN r.s = '' THEN p.i IS NOT NULL ELSE n.nspname = r.s END "
    "ORDER BY p.i LIMIT 1) c WHERE r.k = 'relation'), "
    "types AS MATERIALIZED (SELECT r.a, t.oid, t.typtype, t.typnamespace, t.typrelid, t.typname, "
    "t.typbasetype FROM refs r CROSS JOIN LATERAL (SELECT t.* FROM pg_type t JOIN pg_namespace n "
    "ON n.oid = t.typnamespace LEFT JOIN path p ON p.oid = n.oid WHERE t.typname = r.n "
    "AND CASE WHEN r.s = '' THEN p.i IS NOT NULL ELSE n.nspname = r.s END "
    "ORDER BY p.i LIMIT 1) t WHERE r.k = 'type'), "
    /* views, and what is inside them */
    "seen(a, oid) AS (SELECT a, oid FROM rels UNION SELECT v.a, d.refobjid FROM seen v "
    "JOIN pg_rewrite w ON w.ev_class = v.oid AND w.ev_type = '1' "
    "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid "
    "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid), "
    "views AS MATERIALIZED (SELECT s.a, c.oid, c.relname, w.oid AS rule FROM seen s "
    "JOIN pg_class c ON c.oid = s.oid AND c.relkind = 'v' "
    "JOIN pg_rewrite w ON w.ev_class = c.oid AND w.ev_type = '1' "
    "WHERE NOT " KNOWN("pg_class", "c.oid", "c.relnamespace") ") "
    ,
    /* --- what is narrowed, its parents and its parts; what stands instead may read it --- */
    ", narrow AS MATERIALIZED (SELECT c.oid FROM refs r JOIN pg_namespace n ON n.nspname = r.s "
    "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.n WHERE r.k = 'narrow'), "
    "kin(oid, up) AS (SELECT oid, u FROM narrow, (VALUES (true), (false)) AS v(u) "
    "UNION SELECT CASE WHEN k.up THEN i.inhparent ELSE i.inhrelid END, k.up FROM kin k "
    "JOIN pg_inherits i ON CASE WHEN k.up THEN i.inhrelid ELSE i.inhparent END = k.oid), "
    "shown AS (SELECT l.a FROM rels l JOIN pg_namespace n ON n.oid = l.relnamespace "
    "JOIN refs r ON r.k = 'shown' AND r.s = n.nspname AND r.n = l.relname) "
    ,
    /* --- types of columns and of what is in them: a constant becomes one without a cast --- */
    ", inside(oid) AS (SELECT b.atttypid FROM rels l JOIN pg_attribute b ON b.attrelid = l.oid "
    "AND b.attnum > 0 AND NOT b.attisdropped AND b.atttypid >= 16384 UNION SELECT x.oid "
    "FROM inside i CROSS JOIN LATERAL (SELECT d.refobjid FROM pg_depend d WHERE d.classid = "
    "'pg_type'::regclass AND d.objid = i.oid AND d.refclassid = 'pg_type'::regclass UNION ALL "
    "SELECT b.atttypid FROM pg_type t JOIN pg_attribute b ON b.attrelid = t.typrelid "
    "AND b.attnum > 0 AND NOT b.attisdropped WHERE t.oid = i.oid AND t.typrelid <> 0) x(oid) "
    "WHERE x.oid >= 16384) "
    ,
    /* --- findings --- */
    "SELECT 'function' AS kind, r.a AS at, p.oid::regprocedure::text AS what FROM refs r "
    "JOIN pg_proc p ON p.proname = r.n JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE r.k = 'function' "
    "AND (r.s = n.nspname OR (r.s = '' AND n.oid IN (SELECT oid FROM path))) "
    "AND CASE WHEN r.o LIKE '@%' THEN n.nspname <> substr(r.o, 2) "
    "ELSE NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "
    "WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid "
    "AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = r.o) END "
    "UNION ALL SELECT 'operator', r.a, o.oid::regoperator::text FROM refs r "
    "JOIN pg_operator o ON o.oprname = r.n JOIN pg_namespace n ON n.oid = o.oprnamespace "
    "WHERE r.k = 'operator' "
    "AND (r.s = n.nspname OR (r.s = '' AND n.oid IN (SELECT oid FROM path))) "
    "AND NOT " KNOWN("pg_operator", "o.oid", "o.oprnamespace") " "
    "UNION ALL SELECT 'type', t.a, t.oid::regtype::text FROM types t "
    "WHERE NOT " KNOWN("pg_type", "t.oid", "t.typnamespace") " AND CASE t.typtype "
    "WHEN 'e' THEN false "
    "WHEN 'd' THEN EXISTS (SELECT 1 FROM pg_constraint c WHERE c.contypid = t.oid) "
    "OR t.typbasetype >= 16384 "
    "WHEN 'c' THEN EXISTS (SELECT 1 FROM pg_attribute b JOIN pg_type bt ON bt.oid = b.atttypid "
    "WHERE b.attrelid = t.typrelid AND b.attnum > 0 AND NOT b.attisdropped "
    "AND bt.typtype IN ('d', 'c', 'r', 'm') AND bt.oid >= 16384) ELSE true END "
    ,
    "UNION ALL SELECT CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN 'builtin' "
    "ELSE 'attribute' END, r.a, p.proname FROM refs r JOIN pg_proc p ON p.proname = r.n "
    "JOIN pg_type t ON t.oid = p.proargtypes[0] "
    "WHERE r.k IN ('attribute', 'scalar') AND p.pronargs >= 1 "
    "AND p.pronargs - p.pronargdefaults <= 1 AND (t.typtype = 'p' OR t.typtype = 'd' "
    "OR (r.k = 'scalar' AND t.typtype <> 'c' AND p.pronamespace IN (SELECT oid FROM path) "
    "AND NOT EXISTS (SELECT 1 FROM pg_cast k WHERE k.castfunc = p.oid AND k.oid < 16384)) "
    "OR (t.typtype = 'c' AND NOT EXISTS ("
    "SELECT 1 FROM pg_attribute b WHERE b.attrelid = t.typrelid AND b.attname = r.n "
    "AND NOT b.attisdropped))) "
    "UNION ALL SELECT 'cast', -1, c.castsource::regtype::text || ' AS ' || "
    "c.casttarget::regtype::text FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc "
    "WHERE c.oid >= 16384 AND NOT " KNOWN("pg_proc", "p.oid", "p.pronamespace") " "
    "AND (c.casttarget IN (SELECT oid FROM types) OR c.castsource IN (SELECT oid FROM types "
    "UNION ALL SELECT reltype FROM rels UNION ALL SELECT b.atttypid FROM pg_attribute b "
    "WHERE b.attrelid IN (SELECT oid FROM rels) AND b.attnum > 0 AND NOT b.attisdropped)) "
    "UNION ALL SELECT 'foreign', s.a, c.oid::regclass::text FROM seen s "
    "JOIN pg_class c ON c.oid = s.oid WHERE c.relkind = 'f' OR (c.relhassubclass AND EXISTS ("
    "WITH RECURSIVE d(oid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM d JOIN pg_inherits i "
    "ON i.inhparent = d.oid) SELECT 1 FROM d JOIN pg_class k ON k.oid = d.oid "
    "WHERE k.relkind = 'f')) "
    ,
    "UNION ALL SELECT 'narrowed', s.a, s.oid::regclass::text FROM seen s "
    "WHERE s.oid IN (SELECT oid FROM kin) AND s.a NOT IN (SELECT a FROM shown) "
    "AND NOT EXISTS (SELECT 1 FROM rels l WHERE l.a = s.a AND l.oid = s.oid "
    "AND l.oid IN (SELECT oid FROM narrow)) "
    "UNION ALL SELECT 'in view', v.a, CASE d.refclassid WHEN 'pg_proc'::regclass "
    "THEN d.refobjid::regprocedure::text ELSE d.refobjid::regoperator::text END "
    "FROM views v JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = v.rule "
    "LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid "
    "LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid "
    "WHERE (p.oid IS NOT NULL AND NOT " KNOWN("pg_proc", "p.oid", "p.pronamespace") ") "
    "OR (o.oid IS NOT NULL AND NOT " KNOWN("pg_operator", "o.oid", "o.oprnamespace") ") "
    "UNION ALL SELECT 'view', v.a, pg_get_viewdef(v.oid) FROM views v "
    "UNION ALL SELECT 'domain', -1, CASE d.refclassid WHEN 'pg_proc'::regclass "
    "THEN d.refobjid::regprocedure::text ELSE d.refobjid::regoperator::text END "
    "FROM inside i JOIN pg_constraint c ON c.contypid = i.oid "
    "JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid "
    "LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid "
    "LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid "
    "WHERE (p.oid IS NOT NULL AND NOT " KNOWN("pg_proc", "p.oid", "p.pronamespace") ") "
    "OR (o.oid IS NOT NULL AND NOT " KNOWN("pg_operator", "o.oid", "o.oprnamespace") ")",
};

void km_pg_resolve_sql(struct km_buf *out)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        km_buf_str(out, km_str_c(pieces[i]));
}

static const char *const kinds[] = { "relation", "function",  "operator",
                                     "type",     "attribute", "scalar" };

/* A function the configuration vouches for has a schema; all of that name must be in it. */
static struct km_str owner_of(const struct km_pg_ref *r, struct km_arena *arena,
                              const struct km_pg_guard_options *options)
{
    if (r->more)
        return km_str_c(r->more);
    for (size_t i = 0; i < options->nfunctions; i++)
        if (km_str_eq(options->functions[i].name, r->name) &&
            (!r->schema.n || km_str_eq(options->functions[i].schema, r->schema)))
            return km_arena_printf(arena, "@%.*s", KM_STR_ARG(options->functions[i].schema));
    return KM_STR_NONE;
}

const char *km_pg_resolve_refs(const struct km_pg_verdict *v, struct km_arena *arena,
                               const struct km_pg_guard_options *options, struct km_str narrowed)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(REFS_BYTES);
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '[');
    for (const struct km_pg_ref *r = v->refs; r; r = r->next) {
        km_out_open(&o, '{');
        km_out_member(&o, "k", km_str_c(kinds[r->kind]));
        km_out_member_i64(&o, "a", r->at);
        km_out_member(&o, "s", r->schema);
        km_out_member(&o, "n", r->name);
        if (r->kind == KM_PG_REF_FUNCTION)
            km_out_member(&o, "o", owner_of(r, arena, options));
        km_out_close(&o, '}');
    }
    km_out_close(&o, ']');
    if (narrowed.n > 2) { /* two lists become one; the first is never empty */
        b.p[b.n - 1] = ',';
        km_buf_str(&b, km_str_skip(narrowed, 1));
    }
    return km_buf_failed(&b) ? NULL : km_arena_str(arena, km_buf_view(&b)).p;
}

/* --- the rows --- */

static const struct finding {
    const char *kind, *code, *node, *text, *hint;
} findings[] = {
    { "function", "GUARD_FUNCTION", "FuncCall", "is not the extension's function it looks like",
      "write the schema of the extension's function before its name" },
    { "operator", "GUARD_OPERATOR", "A_Expr", "is an operator that runs somebody's function",
      "write OPERATOR(pg_catalog.+) to mean PostgreSQL's own" },
    { "type", "GUARD_TYPE", "TypeName", "is a type whose conversion runs somebody's function",
      "cast to one of PostgreSQL's types" },
    { "attribute", "GUARD_FUNCTION", "ColumnRef",
      "is a function that would be called by the name of a column", "name a column" },
    { "builtin", "GUARD_FUNCTION", "ColumnRef",
      "is a function that would be called by the name of a column", "name a column" },
    { "cast", "GUARD_TYPE", "TypeCast", "is a cast that runs somebody's function",
      "leave the cast, the table or the column's type out" },
    { "foreign", "GUARD_RELATION", "RangeVar", "is a foreign table: reading it reaches out",
      "read a table of this database" },
    { "narrowed", "GUARD_VIEW", "RangeVar", "is narrowed, and read here under another name",
      "read the table itself" },
    { "domain", "GUARD_TYPE", "RangeVar",
      "runs in the CHECK of a column's domain, and nobody vouches for it",
      "read other tables, or ask the operator to list it under allow_functions" },
    { "in view", "GUARD_VIEW", "RangeVar", "runs in a view, and nobody vouches for it",
      "read the tables below the view, or ask the operator to list it under allow_functions" },
};

static int refuse(struct km_pg_verdict *v, struct km_arena *arena, const struct finding *f, int at,
                  struct km_str what)
{
    v->allowed = false;
    v->code = f->code;
    v->node = f->node;
    v->at = at;
    v->message = km_arena_printf(arena, "%.*s %s", KM_STR_ARG(what), f->text);
    v->hint = km_str_c(f->hint);
    return 0;
}

/* A definition goes through the guard as a statement would, with its owner's settings. */
static int take_view(const struct km_pg_guard *guard, const struct km_pg_guard_options *options,
                     struct km_arena *arena, int at, struct km_str text, struct km_pg_verdict *v,
                     struct km_err *err)
{
    struct km_pg_guard_options inside = *options;
    struct km_pg_verdict view;
    int r;

    inside.mode = KM_PG_READ_ONLY;
    inside.of_view = true;
    text = km_arena_str(arena, text);
    r = km_pg_guard_judge(guard, arena, text, &inside, &view, err);
    if (r < 0 || view.allowed) {
        v->pure = v->pure && view.pure;
        return r;
    }
    v->allowed = false;
    v->code = "GUARD_VIEW";
    v->node = "RangeVar";
    v->at = at;
    v->message = km_arena_printf(arena, "a view the statement reads is refused itself: %.*s",
                                 KM_STR_ARG(view.message));
    v->hint = KM_STR("read the tables below the view");
    return 0;
}

static bool vouched(const struct km_pg_guard_options *options, struct km_str what)
{
    for (size_t i = 0; i < options->nfunctions; i++) {
        struct km_str rest = what;
        const struct km_pg_named *f = &options->functions[i];

        if (km_str_starts(rest, f->schema) && rest.n > f->schema.n && rest.p[f->schema.n] == '.')
            rest = km_str_skip(rest, f->schema.n + 1);
        if (km_str_starts(rest, f->name) && rest.n > f->name.n && rest.p[f->name.n] == '(')
            return true;
    }
    return false;
}

static bool passes(const struct finding *f, const struct km_pg_guard_options *options,
                   const struct km_pg_verdict *v, struct km_str what)
{
    const char *more;
    bool domain = strcmp(f->kind, "domain") == 0; /* where a statement writes: as a trigger does */

    if (strcmp(f->kind, "builtin") == 0)
        return km_pg_function_find(what, &more) == KM_PG_FUNCTION_BUILTIN;
    return (domain && v->writes) ||
           ((domain || strcmp(f->kind, "in view") == 0) && vouched(options, what));
}

int km_pg_resolve_take(const struct km_pg_guard *guard, const struct km_pg_guard_options *options,
                       struct km_arena *arena, const struct km_pg_result *rows,
                       struct km_pg_verdict *v, struct km_err *err)
{
    size_t n = km_pg_rows(rows), nviews = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && v->allowed && i < n; i++) {
        struct km_str kind = km_pg_value(rows, i, 0), what = km_pg_value(rows, i, 2);
        int64_t at = -1;

        if (km_str_i64(km_pg_value(rows, i, 1), &at) < 0)
            at = -1;
        if (km_str_eq(kind, KM_STR("view"))) {
            if (++nviews > VIEWS)
                return km_fail(err, KM_E_LIMIT, "the statement reads more than %d views", VIEWS);
            r = take_view(guard, options, arena, (int)at, what, v, err);
            continue;
        }
        for (size_t k = 0; k < sizeof findings / sizeof findings[0]; k++)
            if (km_str_eq(kind, km_str_c(findings[k].kind)) &&
                !passes(&findings[k], options, v, what))
                r = refuse(v, arena, &findings[k], (int)at, what);
    }
    return r;
}
