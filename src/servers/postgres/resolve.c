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
 *     domain, class, policy, planned: what runs with a table or a type, unwritten (resolve_sql.c)
 *
 * A view is looked through: the catalogue knows which functions, operators and relations of users
 * its rule depends on, and its text goes through the guard for the built-in ones, which the
 * catalogue does not record.  So do the CHECK of a domain and a policy.
 *
 * The query runs in the transaction of the statement, with pg_catalog alone on the path, so that
 * its own names are what they seem: the path that it asks about is a setting.  A name that stands
 * for nothing is the server's to refuse.
 */
#include "servers/postgres/resolve.h"

#include "http/json_out.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/unchanged.h"

#define REFS_BYTES ((size_t)1024 * 1024)
#define VIEWS 200 /* of one statement, those inside views counted */

/* The session's own path, with nobody's temporary tables before it.  pg_catalog is searched before
 * a path that does not name it, and things are made in the first schema that is named: so it stands
 * first only where the path names it, or no schema that there is, lest things be made as temporary
 * ones and lost. */
#define OWN_PATH "pg_catalog.current_setting('search_path')"
#define PATH                                                                                       \
    "pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', "                             \
    "CASE WHEN pg_catalog.current_schema() IS NULL "                                               \
    "OR pg_catalog.strpos(pg_catalog.lower(" OWN_PATH "), 'pg_catalog') "                          \
    "OPERATOR(pg_catalog.>) 0 THEN 'pg_catalog' END, "                                             \
    "CASE WHEN pg_catalog.length(" OWN_PATH ") OPERATOR(pg_catalog.>) 0 THEN " OWN_PATH " END, "   \
    "'pg_temp'), true)"

/* A server that looks whether its client is still there ends what nobody waits for any more, also
 * where the client was killed.  From release 14 on, and where the system can: as a pin it would end
 * a connection to others. */
#define CHECKED                                                                                    \
    "CASE WHEN pg_catalog.current_setting('client_connection_check_interval', true) IS NOT NULL "  \
    "AND pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0 "               \
    "THEN pg_catalog.set_config('client_connection_check_interval', '1s', true) END, "

#define ANCHOR                                                                                     \
    "SELECT pg_catalog.current_setting('" KM_PG_PINNED "'), "                                      \
    "pg_catalog.set_config('statement_timeout', $1, true), "                                       \
    "pg_catalog.set_config('lock_timeout', $2, true), " CHECKED                                    \
    PATH " AS " KM_PG_STATE_PATH ", " KM_PG_STATE_SQL

const char km_pg_anchor[] = ANCHOR;

/* A number made of a text that is none is the only error that plain SQL raises with its own words;
 * set_config keeps the inner query a query of its own. */
const char km_pg_anchor_sure[] =
    "SELECT a.*, CASE WHEN pg_catalog.concat(a." KM_PG_STATE_PATH ", ' ', a." KM_PG_STATE_SERVER
    ") OPERATOR(pg_catalog.=) $3 THEN 0 ELSE CAST(pg_catalog.concat('kanmon: the catalogue may "
    "have changed, so names are looked up again: ', a." KM_PG_STATE_SERVER
    ") AS pg_catalog.int4) END FROM (" ANCHOR ") AS a";

/* The anchor, and what is otherwise pinned when a session begins. */
const char km_pg_anchor_pooled[] =
    "SELECT pg_catalog.set_config('statement_timeout', $1, true), "
    "pg_catalog.set_config('lock_timeout', $2, true), "
    "pg_catalog.set_config('standard_conforming_strings', 'on', true), "
    "pg_catalog.set_config('row_security', 'on', true), "
    "pg_catalog.set_config('DateStyle', 'ISO', true), "
    "pg_catalog.set_config('IntervalStyle', 'postgres', true), "
    "pg_catalog.set_config('extra_float_digits', '1', true), "
    "pg_catalog.set_config('bytea_output', 'hex', true), " CHECKED PATH;

/* Compiling the look-up (jit) takes a quarter of a second, three hundred times as long as it runs:
 * the planner expects that much of it from about 150 tables on. */
#define JIT_AS_IT_WAS "kanmon.jit"

/* An operator that is made for just the types beside it is taken before one of pg_catalog's that
 * they must become something for: somebody's <(oid, int4) would run in our own texts, wherever on
 * the path it is.  So they are parsed with pg_catalog alone; the path is back where they run. */
#define PATH_AS_IT_WAS "kanmon.path"
#define OURS_ALONE                                                                                 \
    "pg_catalog.set_config('" PATH_AS_IT_WAS "', " OWN_PATH ", true), "                            \
    "pg_catalog.set_config('" KM_PG_SCHEMAS "', "                                                  \
    "pg_catalog.concat(pg_catalog.current_schemas(true)), true), "                                 \
    "pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"
#define PATH_BACK                                                                                  \
    "pg_catalog.set_config('search_path', pg_catalog.current_setting('" PATH_AS_IT_WAS "'), true)"

const char km_pg_plan_once[] =
    "SELECT " OURS_ALONE ", "
    "pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true), "
    "pg_catalog.set_config('" JIT_AS_IT_WAS "', pg_catalog.current_setting('jit'), true), "
    "pg_catalog.set_config('jit', 'off', true)";
const char km_pg_plan_as_ever[] =
    "SELECT " PATH_BACK ", pg_catalog.set_config('plan_cache_mode', 'auto', true), "
    "pg_catalog.set_config('jit', pg_catalog.current_setting('" JIT_AS_IT_WAS "'), true)";
const char km_pg_session[] =
    "SELECT pg_catalog.set_config('statement_timeout', $1, false), "
    "pg_catalog.set_config('lock_timeout', $2, false), "
    "pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', CASE WHEN "
    "pg_catalog.length(" OWN_PATH ") OPERATOR(pg_catalog.>) 0 THEN " OWN_PATH " END, 'pg_temp'), "
    "false)";

const char km_pg_own_begins[] = "SELECT " OURS_ALONE ", pg_catalog.set_config('jit', 'off', true), "
                                "pg_catalog.set_config('cursor_tuple_fraction', '1', true)";
const char km_pg_own_declares[] = "DECLARE kanmon_own NO SCROLL CURSOR FOR ";
const char km_pg_own_path_back[] = "SELECT " PATH_BACK;
const char km_pg_own_runs[] = "FETCH ALL FROM kanmon_own";

const char km_pg_changed[] =
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::pg_catalog.int8 "
    "FROM pg_catalog.pg_stat_xact_user_tables";

static const char *const kinds[] = { "relation", "function",  "operator",
                                     "type",     "attribute", "scalar", "system" };

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
        if (r->left)
            km_out_member(&o, "l", km_str_c(r->left));
        if (r->right)
            km_out_member(&o, "r", km_str_c(r->right));
        km_out_close(&o, '}');
    }
    km_out_close(&o, ']');
    if (narrowed.n > 2) { /* two lists become one */
        b.n--;
        if (v->refs)
            km_buf_byte(&b, ',');
        km_buf_str(&b, km_str_skip(narrowed, 1));
    }
    return km_buf_failed(&b) ? NULL : km_arena_str(arena, km_buf_view(&b)).p;
}

/* --- the rows --- */

static const struct finding {
    const char *kind, *code, *node, *text, *hint;
    bool vouched; /* what is found is a function, which the configuration may vouch for */
} findings[] = {
    { "function", "GUARD_FUNCTION", "FuncCall", "is not the extension's function it looks like",
      "write the schema of the extension's function before its name, or pg_catalog. before the "
      "name "
      "of PostgreSQL's own",
      false },
    { "operator", "GUARD_OPERATOR", "A_Expr",
      "runs where an operator of that name is written, and nobody vouches for it",
      NULL,
      true },
    { "type", "GUARD_TYPE", "TypeName", "is a type that runs somebody's function",
      "cast to one of PostgreSQL's types", false },
    { "attribute", "GUARD_FUNCTION", "ColumnRef",
      "is a function that would be called by the name of a column", "name a column", false },
    { "builtin", "GUARD_FUNCTION", "ColumnRef",
      "is a function that would be called by the name of a column", "name a column", false },
    { "cast", "GUARD_TYPE", "TypeCast",
      "runs in a cast that the statement may take, and nobody vouches for it",
      "leave the cast, the table or the column's type out, or ask the operator to list it under "
      "allow_functions",
      true },
    { "class", "GUARD_OPERATOR", "A_Expr",
      "runs where values of a type are compared, and nobody vouches for it",
      "read other tables, or ask the operator to list it under allow_functions", true },
    { "policy", "GUARD_RELATION", "RangeVar",
      "runs in a policy of the table's rows, and nobody vouches for it",
      "read other tables, or ask the operator to list it under allow_functions", true },
    { "planned", "GUARD_RELATION", "RangeVar",
      "runs while the statement is planned, and nobody vouches for it",
      "read other tables, or ask the operator to list it under allow_functions", true },
    { "foreign", "GUARD_RELATION", "RangeVar", "is a foreign table: reading it reaches out",
      "read a table of this database", false },
    { "narrowed", "GUARD_VIEW", "RangeVar", "is narrowed, and read here under another name",
      "read the table itself", false },
    { "domain", "GUARD_TYPE", "RangeVar",
      "runs in the CHECK of a domain, and nobody vouches for it",
      "leave the type or the table out, or ask the operator to list it under allow_functions",
      true },
    { "in view", "GUARD_VIEW", "RangeVar", "runs in a view, and nobody vouches for it",
      "read the tables below the view, or ask the operator to list it under allow_functions",
      true },
};

/* what: "f(integer,text) of the operator public.+(integer,text)". */
static struct km_str operator_hint(struct km_arena *arena, struct km_str what)
{
    const struct km_str words = KM_STR(" of the operator ");
    size_t at = km_str_find(what, words);
    struct km_str op = at < what.n ? km_str_skip(what, at + words.n) : KM_STR("+"), name;
    size_t end = km_str_chr(op, '(');

    name = km_str_sub(op, 0, end);
    while (km_str_chr(name, '.') < name.n) /* of the schema before it */
        name = km_str_skip(name, km_str_chr(name, '.') + 1);
    return km_arena_printf(arena,
                           "write OPERATOR(pg_catalog.%.*s) where PostgreSQL's own is meant, or "
                           "cast both sides to one "
                           "type; or who runs this server lists %.*s under allow_functions",
                           KM_STR_ARG(name),
                           KM_STR_ARG(km_str_sub(what, 0, km_str_chr(what, '('))));
}

static int refuse(struct km_pg_verdict *v, struct km_arena *arena, const struct finding *f, int at,
                  struct km_str what)
{
    v->allowed = false;
    v->code = f->code;
    v->node = f->node;
    v->at = at;
    v->message = km_arena_printf(arena, "%.*s %s", KM_STR_ARG(what), f->text);
    v->hint = km_str_c(f->hint);
    if (strcmp(f->kind, "operator") == 0)
        v->hint = operator_hint(arena, what);
    return 0;
}

/* A view's definition, the CHECK of a domain or a policy goes through the guard as a statement
 * would, with its owner's settings. */
static int take_text(const struct km_pg_guard *guard, const struct km_pg_guard_options *options,
                     struct km_arena *arena, int at, bool of_view, struct km_str text,
                     struct km_pg_verdict *v, struct km_err *err)
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
    v->code = of_view ? "GUARD_VIEW" : "GUARD_RELATION";
    v->node = "RangeVar";
    v->at = at;
    v->message = km_arena_printf(arena, "%s is refused itself: %.*s",
                                 of_view ? "a view the statement reads"
                                         : "a domain's CHECK or a policy the statement runs",
                                 KM_STR_ARG(view.message));
    v->hint = of_view ? KM_STR("read the tables below the view") : KM_STR("read other tables");
    return 0;
}

/* Skips a name and what stands behind it, where the text begins so; the name may be quoted. */
static bool skip_name(struct km_str *text, struct km_str name, char behind)
{
    size_t quote = text->n && text->p[0] == '"', n = name.n + 2 * quote;

    if (text->n <= n || !km_str_starts(km_str_skip(*text, quote), name) ||
        (quote && text->p[n - 1] != '"') || text->p[n] != behind)
        return false;
    *text = km_str_skip(*text, n + 1);
    return true;
}

static bool vouched(const struct km_pg_guard_options *options, struct km_str what)
{
    for (size_t i = 0; i < options->nfunctions; i++) {
        struct km_str rest = what;

        (void)skip_name(&rest, options->functions[i].schema, '.');
        if (skip_name(&rest, options->functions[i].name, '('))
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
    return (domain && v->writes) || (f->vouched && vouched(options, what));
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
        if (km_str_eq(kind, KM_STR("view")) || km_str_eq(kind, KM_STR("rule"))) {
            if (++nviews > VIEWS)
                return km_fail(err, KM_E_LIMIT, "the statement reads more than %d views", VIEWS);
            r = take_text(guard, options, arena, (int)at, km_str_eq(kind, KM_STR("view")), what, v,
                          err);
            continue;
        }
        for (size_t k = 0; k < sizeof findings / sizeof findings[0]; k++)
            if (km_str_eq(kind, km_str_c(findings[k].kind)) &&
                !passes(&findings[k], options, v, what))
                r = refuse(v, arena, &findings[k], (int)at, what);
            else if (km_str_eq(kind, km_str_c(findings[k].kind)) && findings[k].vouched)
                v->pure = false; /* what somebody vouches for may leave something behind */
    }
    return r;
}
