/* SPDX-License-Identifier: Apache-2.0 */
/* Runs statements through the lease with one layer left out, for test_layers.py.
 *
 *     pg_layers DSN none|guard|lookup|read_only|rollback  < lines of JSON strings
 *
 * Each line is answered by a line: who ended it ("guard", "lookup", "server", "cut", "client",
 * "ran") and the code.  Only here can a layer be left out: the program has no option for it.
 */
#include <stdio.h>
#include <string.h>

#include "http/json.h"
#include "servers/postgres/lease.h"
#include "servers/postgres/parse.h"

struct run {
    struct km_loop *loop;
    int64_t rows;
};

static bool on_result(void *ctx, const struct km_pg_result *r)
{
    struct run *run = ctx;

    run->rows += (int64_t)km_pg_rows(r);
    return run->rows < 1000;
}

static void on_end(void *ctx, const struct km_pg_outcome *o)
{
    struct run *run = ctx;

    if (o->refused)
        printf("%s %s\n", o->looked_up ? "lookup" : "guard", o->refused->code);
    else if (o->sqlstate.n)
        printf("server %.*s\n", KM_STR_ARG(o->sqlstate));
    else if (o->err)
        printf("client %d\n", o->err->code);
    else
        printf("%s -\n", o->cut ? "cut" : "ran");
    fflush(stdout);
    km_loop_stop(run->loop);
}

static const struct km_pg_lease_events events = { on_result, on_end };

static void run_line(struct km_loop *loop, struct km_pg_db *db, struct km_str line)
{
    struct km_pg_request request = { .timeout_ms = 100 };
    struct run run = { .loop = loop };
    const struct km_json *value;
    struct km_arena arena;

    km_arena_init(&arena, 2 * KM_PG_TREE_BYTES, NULL);
    if (km_json_parse(&arena, line, &value, NULL) == 0 && km_json_string(value, &request.sql) &&
        km_pg_lease_new(db, &arena, &request, &events, &run))
        km_loop_run(loop);
    else
        puts("client 0");
    km_arena_done(&arena);
}

int main(int argc, char **argv)
{
    struct km_pg_db_args args = {
        .limits = { .rows = 1000, .bytes = 1 << 20, .statement_ms = 10000, .lock_ms = 1000 },
        .connections = 1,
        .queue = 4,
        .queue_ms = 30000,
        .connect_ms = 30000,
        .idle_ms = 600000,
        .lifetime_ms = 600000,
    };
    struct km_loop *loop = km_loop_new(NULL);
    struct km_pg_db *db = NULL;
    struct km_err err = { 0 };
    static char line[65536];

    if (argc != 3 || !loop)
        return 2;
    args.dsn = argv[1];
    args.without_guard = strcmp(argv[2], "guard") == 0;
    args.without_lookup = strcmp(argv[2], "lookup") == 0;
    args.without_read_only = strcmp(argv[2], "read_only") == 0;
    args.without_rollback = strcmp(argv[2], "rollback") == 0;
    if (km_pg_db_new(loop, &args, &db, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    while (fgets(line, sizeof line, stdin))
        run_line(loop, db, km_str_sub(km_str_c(line), 0, strcspn(line, "\n")));
    km_pg_db_free(db);
    km_loop_free(loop);
    return 0;
}
