/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_postgres.c - the PostgreSQL server by itself.
 *
 *     kanmon mcp postgres --dsn postgresql://...       serves MCP on standard input and output
 *     kanmon mcp postgres --listen 127.0.0.1:4010      serves it over HTTP
 *     kanmon mcp postgres --check-sql "SELECT ..."     what would the guard say?
 *
 * How it is served is postgres_serve.c's.
 *
 * --check-sql asks no server: it judges the text as a session of --mode would, and says why, where
 * and what would pass.  "-" reads the statement from standard input.  What only a catalogue can
 * tell (whose operator is this?) is listed as what would be looked up.
 */
#include "app/cmd_postgres.h"

#include "app/cli.h"
#include "app/postgres_serve.h"
#include "http/json_out.h"
#include "servers/postgres/guard.h"
#include "servers/postgres/parse.h"

#define OUTPUT_BYTES ((size_t)4 * 1024 * 1024)

static const char *const kinds[] = { "relation", "function", "operator", "type", "attribute" };

static int read_statement(const char *given, struct km_buf *out)
{
    char chunk[65536];
    size_t n;

    if (strcmp(given, "-") != 0) {
        km_buf_str(out, km_str_c(given));
        return 0;
    }
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        km_buf_bytes(out, chunk, n);
    if (out->n && out->p[out->n - 1] == '\n')
        out->n--; /* the line's end, not the statement's */
    return ferror(stdin) ? -1 : 0;
}

static void put_refs(const struct km_pg_verdict *v, struct km_json_out *o)
{
    km_out_key(o, "lookups");
    km_out_open(o, '[');
    for (const struct km_pg_ref *r = v->refs; r; r = r->next) {
        km_out_open(o, '{');
        km_out_member(o, "kind", km_str_c(kinds[r->kind]));
        if (r->schema.n)
            km_out_member(o, "schema", r->schema);
        km_out_member(o, "name", r->name);
        if (r->more)
            km_out_member(o, "extension", km_str_c(r->more));
        km_out_close(o, '}');
    }
    km_out_close(o, ']');
}

static void print_json(const struct km_pg_verdict *v)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_key(&o, "allowed");
    km_out_bool(&o, v->allowed);
    if (v->allowed) {
        km_out_member(&o, "sql", v->sql);
        km_out_member_i64(&o, "parameters", v->params);
        km_out_key(&o, "writes");
        km_out_bool(&o, v->writes);
        km_out_key(&o, "pure");
        km_out_bool(&o, v->pure);
        put_refs(v, &o);
    } else {
        km_out_member(&o, "code", km_str_c(v->code));
        if (v->node)
            km_out_member(&o, "node", km_str_c(v->node));
        km_out_member_i64(&o, "byte", v->at);
        km_out_member(&o, "message", v->message);
        if (v->hint.n)
            km_out_member(&o, "hint", v->hint);
    }
    km_out_close(&o, '}');
    printf("%.*s\n", KM_STR_ARG(km_buf_view(&b)));
}

static void print_text(const struct km_pg_verdict *v)
{
    if (v->allowed) {
        printf("allowed: %.*s\n", KM_STR_ARG(v->sql));
        return;
    }
    printf("refused: %s%s%s at byte %d: %.*s\n", v->code, v->node ? " " : "",
           v->node ? v->node : "", v->at, KM_STR_ARG(v->message));
    if (v->hint.n)
        printf("hint: %.*s\n", KM_STR_ARG(v->hint));
}

static int read_mode(struct km_cli *cli, enum km_pg_mode *ret_mode)
{
    const char *mode = km_cli_option(cli, "mode");

    *ret_mode = KM_PG_READ_ONLY;
    if (!mode || km_pg_mode_parse(km_str_c(mode), ret_mode))
        return 0;
    return km_cli_usage(cli, "--mode: read-only, dml, ddl or admin, not '%s'", mode);
}

static int check_sql(struct km_cli *cli, const char *given)
{
    struct km_buf sql KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_PG_SQL_BYTES);
    struct km_pg_guard_options options = { .mode = KM_PG_READ_ONLY };
    struct km_pg_guard *guard = NULL;
    struct km_pg_verdict v = { 0 };
    struct km_arena arena;
    struct km_err err = { 0 };
    int r = read_mode(cli, &options.mode);

    if (r != 0)
        return r;
    if (read_statement(given, &sql) < 0 || km_buf_failed(&sql))
        return km_cli_usage(cli, "--check-sql: the statement cannot be read, or is too long");
    r = km_pg_guard_new(&guard, &err);
    if (r < 0)
        return km_cli_fail(cli, &err);
    km_arena_init(&arena, KM_PG_TREE_BYTES + OUTPUT_BYTES, NULL);
    r = km_pg_guard_judge(guard, &arena, km_buf_view(&sql), &options, &v, &err);
    if (r < 0) {
        r = km_cli_fail(cli, &err);
    } else {
        if (km_cli_flag(cli, "json"))
            print_json(&v);
        else
            print_text(&v);
        r = v.allowed ? KM_EXIT_OK : KM_EXIT_FOUND;
    }
    km_arena_done(&arena);
    km_pg_guard_free(guard);
    return r;
}

int km_cmd_mcp_postgres(struct km_cli *cli)
{
    const char *sql = km_cli_option(cli, "check-sql");

    return sql ? check_sql(cli, sql) : km_postgres_serve(cli);
}
