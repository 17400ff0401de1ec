/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - see meter.h.
 *
 *     lease, lease ... ── tally of the call ── ended ──> series of the tool   /metrics
 *                                                   ├──> a line of the log
 *                                                   └──> members of its record: fingerprint, class,
 *                                                        rows
 *     timer ── the pool's numbers ──> gauges
 *
 * A call may take several leases; their times are added, and the last one that failed gives the
 * class.  Classes are `ok`, `guard` (refused, by the guard or the catalogue), `cap` (rolled back),
 * `request` (arguments, processors), `sql_NN` (a class of SQLSTATE) and the names of kanmon's own
 * errors: some eighty words.
 *
 * Several instances of one worker add to the same cells, so gauges are moved by differences.  What
 * was counted stays in sight when an instance ends: an idle session is no reset of a counter.
 */
#include "servers/postgres/meter.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "servers/postgres/normal.h"
#include "servers/postgres/tools.h"

#define TICK_MS 1000 /* between two looks at the pool */
#define TEXT_BYTES 2000 /* of a slow statement, in the log */
#define NOTE_BYTES 256

static const struct km_metric_row calls = { .name = "kanmon_pg_calls_total",
                                            .type = KM_COUNTER,
                                            .help = "Calls of PostgreSQL tools, by how they ended.",
                                            .labels = { "database", "tool", "class" } };
static const struct km_metric_row rows = { .name = "kanmon_pg_rows_total",
                                           .type = KM_COUNTER,
                                           .help = "Rows that callers' statements gave or changed.",
                                           .labels = { "database", "tool" } };
static const struct km_metric_row bytes = { .name = "kanmon_pg_result_bytes_total",
                                            .type = KM_COUNTER,
                                            .help = "Bytes of tools' results.",
                                            .labels = { "database", "tool" } };
static const struct km_metric_row seconds = {
    .name = "kanmon_pg_phase_seconds",
    .type = KM_HISTOGRAM,
    .help = "Time of a call in the guard, waiting for a connection, and in the database.",
    .labels = { "database", "tool", "phase" },
    .scale = 6,
    .bounds = { 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000, 300000, 1000000, 3000000,
                10000000, 30000000, 100000000 }
};
static const struct km_metric_row connections = { .name = "kanmon_pg_connections",
                                                  .type = KM_GAUGE,
                                                  .help = "Connections to the database.",
                                                  .labels = { "database", "state" } };
static const struct km_metric_row most = { .name = "kanmon_pg_connections_most",
                                           .type = KM_GAUGE,
                                           .help = "Connections there may be.",
                                           .labels = { "database" } };
static const struct km_metric_row waiting = { .name = "kanmon_pg_waiting",
                                              .type = KM_GAUGE,
                                              .help = "Statements that wait for a connection.",
                                              .labels = { "database" } };
static const struct km_metric_row turned = {
    .name = "kanmon_pg_turned_away_total",
    .type = KM_COUNTER,
    .help = "Statements that got no connection, and connections that could not be made.",
    .labels = { "database", "reason" }
};

enum phase { GUARD, POOL, DATABASE, PHASES };

static const char *const phases[PHASES] = { "guard", "pool", "database" };

/* Of a tool, in the order of the server's rows; all NULL until it is called. */
struct tool_series {
    struct km_series *ok, *rows, *bytes, *seconds[PHASES];
};

/* A number of the pool, and its series. */
struct pool_series {
    struct km_series *series;
    int64_t told;
};

enum { CONNECTING, IDLE, IN_USE, MOST, WAITING, REFUSED, OVERDUE, FAILED, POOLED };

struct km_pg_meter {
    struct km_pg_meter_args args;
    struct km_str name; /* of the entry */
    struct km_log *log;
    struct km_timer timer;
    struct tool_series tools[KM_PG_TOOLS];
    struct pool_series pool[POOLED];
};

/* Of one call, in its arena. */
struct tally {
    uint64_t ns[PHASES];
    int64_t rows;
    const char *class; /* NULL: nothing failed (yet) */
    char sql_class[8]; /* behind it */
    char fingerprint[KM_PG_FINGERPRINT]; /* of the caller's last statement */
};

/* --- the pool --- */

static const struct {
    const struct km_metric_row *row;
    const char *label; /* NULL: the database's name is the only one */
} pool_rows[POOLED] = {
    [CONNECTING] = { &connections, "connecting" }, [IDLE] = { &connections, "idle" },
    [IN_USE] = { &connections, "in_use" },         [MOST] = { &most, NULL },
    [WAITING] = { &waiting, NULL },                [REFUSED] = { &turned, "queue_full" },
    [OVERDUE] = { &turned, "queue_timeout" },      [FAILED] = { &turned, "connect_failed" },
};

static void tell(struct km_pg_meter *m, int which, int64_t now)
{
    struct pool_series *p = &m->pool[which];

    km_metric_add(p->series, m->args.worker, now - p->told);
    p->told = now;
}

static void look_at_pool(struct km_pg_meter *m)
{
    struct km_pg_pool_stats now = km_pg_db_pool(m->args.db);

    tell(m, CONNECTING, now.connecting);
    tell(m, IDLE, now.idle);
    tell(m, IN_USE, now.lent);
    tell(m, MOST, now.most);
    tell(m, WAITING, now.waiting);
    tell(m, REFUSED, (int64_t)now.refused);
    tell(m, OVERDUE, (int64_t)now.overdue);
    tell(m, FAILED, (int64_t)now.failed);
}

static void on_time(void *ctx)
{
    struct km_pg_meter *m = ctx;

    look_at_pool(m);
    km_timer_start(&m->timer, TICK_MS);
}

/* --- making and ending --- */

struct km_pg_meter *km_pg_meter_new(const struct km_pg_meter_args *args)
{
    const struct km_pg_db_args *db = km_pg_db_args_of(args->db);
    struct km_pg_meter *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->args = *args;
    m->name = db->name;
    m->log = db->log;
    km_timer_init(&m->timer, args->loop, on_time, m);
    if (!args->metrics)
        return m;
    for (int i = 0; i < POOLED; i++) {
        const char *label = pool_rows[i].label;
        struct km_str labels[2] = { m->name, label ? km_str_c(label) : KM_STR_NONE };

        m->pool[i].series = km_metric_series(args->metrics, pool_rows[i].row, labels);
    }
    on_time(m);
    return m;
}

struct km_pg_meter *km_pg_meter_free(struct km_pg_meter *m)
{
    if (!m)
        return NULL;
    km_timer_stop(&m->timer);
    for (int i = 0; m->args.metrics && i < POOLED; i++) {
        if (pool_rows[i].row->type == KM_GAUGE)
            tell(m, i, 0);
        km_metric_leave(m->args.metrics, m->pool[i].series);
    }
    for (size_t i = 0; i < KM_PG_TOOLS; i++) {
        struct tool_series *t = &m->tools[i];
        struct km_series *all[] = { t->ok, t->rows, t->bytes };

        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            km_metric_leave(m->args.metrics, all[k]);
        for (int k = 0; k < PHASES; k++)
            km_metric_leave(m->args.metrics, t->seconds[k]);
    }
    free(m);
    return NULL;
}

/* --- a call --- */

static struct tally *tally_of(struct km_mcp_call *call)
{
    if (!call->tally)
        call->tally = km_arena_zalloc(call->arena, sizeof(struct tally));
    return call->tally;
}

/* Classes of PostgreSQL's own errcodes; a function of somebody may raise any. */
static const char *sql_class(struct tally *t, struct km_str sqlstate)
{
    static const char known[] = "00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 20 21 22 23 24 25 26 27 28 2B "
                                "2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58 72 F0 HV P0 XX ";
    struct km_str word = km_str_sub(sqlstate, 0, 2);

    if (sqlstate.n != 5 || km_str_chr(word, ' ') < word.n ||
        km_str_find(km_str_c(known), word) >= sizeof known - 1)
        return "sql_other";
    memcpy(t->sql_class, "sql_", 4);
    memcpy(t->sql_class + 4, word.p, 2);
    return t->sql_class;
}

/* NULL: it went well. */
static const char *class_of(struct tally *t, const struct km_pg_outcome *o)
{
    if (o->refused)
        return "guard";
    if (o->over_cap)
        return "cap";
    if (o->unknown)
        return "outcome_unknown";
    if (o->err)
        return km_err_name(o->err->code);
    return o->sqlstate.n ? sql_class(t, o->sqlstate) : NULL;
}

static int64_t rows_of(const struct km_pg_task *task, const struct km_pg_outcome *o)
{
    if (task->request.own || task->request.dry)
        return 0;
    return task->table.nrows || !o->tag.n ? task->table.nrows : o->affected;
}

static void log_slow(const struct km_pg_task *task, const struct km_pg_outcome *o)
{
    const struct km_pg_meter *m = km_pg_server_of(task->call)->meter;
    const struct km_pg_db *db = km_pg_server_of(task->call)->db;
    uint64_t slow_ms = km_pg_db_args_of(db)->slow_ms;
    struct km_arena arena;
    struct km_line l;

    if (!slow_ms || task->request.own || !o->database_ns || o->elapsed_us < slow_ms * 1000 ||
        !m->log || !km_log_begin(m->log, &l, KM_LOG_WARN, "postgres.slow"))
        return;
    km_arena_init(&arena, KM_PG_TREE_BYTES, NULL);
    km_line_str(&l, "database", m->name);
    km_line_str(&l, "tool", task->call->tool ? task->call->tool->name : task->call->msg.method);
    km_line_cstr(&l, "fingerprint", o->fingerprint);
    km_line_decimal(&l, "ms", (int64_t)o->elapsed_us, 3);
    km_line_decimal(&l, "guard_ms", (int64_t)o->guard_ns, 6);
    km_line_decimal(&l, "pool_ms", (int64_t)o->pool_ns, 6);
    km_line_decimal(&l, "database_ms", (int64_t)o->database_ns, 6);
    km_line_i64(&l, "rows", rows_of(task, o));
    if (o->sqlstate.n)
        km_line_str(&l, "sqlstate", o->sqlstate);
    km_line_str(&l, "statement",
                km_pg_normal(km_pg_db_parser(db), &arena, task->request.sql, TEXT_BYTES));
    km_log_end(&l);
    km_arena_done(&arena);
}

/* What the record of the call says besides, now and at its end. */
static void note(struct km_mcp_call *call, const struct tally *t, const char *class)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NOTE_BYTES);

    if (t->fingerprint[0]) {
        km_buf_str(&b, KM_STR("\"fingerprint\":\""));
        km_buf_str(&b, km_str_c(t->fingerprint));
        km_buf_str(&b, class ? KM_STR("\",") : KM_STR("\""));
    }
    if (class) {
        km_buf_str(&b, KM_STR("\"class\":\""));
        km_buf_str(&b, km_str_c(class));
        km_buf_str(&b, KM_STR("\",\"rows\":"));
        km_buf_i64(&b, t->rows);
    }
    if (b.n && !km_buf_failed(&b))
        km_mcp_call_note(call, km_arena_str(call->arena, km_buf_view(&b)));
}

void km_pg_meter_begun(struct km_pg_task *task)
{
    const char *fingerprint = km_pg_lease_fingerprint(task->lease);
    struct tally *t = tally_of(task->call);

    if (!t || !fingerprint[0] || !task->call->tool)
        return;
    memcpy(t->fingerprint, fingerprint, sizeof t->fingerprint);
    note(task->call, t, NULL);
}

void km_pg_meter_lease(struct km_pg_task *task, const struct km_pg_outcome *o)
{
    struct tally *t = tally_of(task->call);

    log_slow(task, o);
    if (!t)
        return;
    t->ns[GUARD] += o->guard_ns;
    t->ns[POOL] += o->pool_ns;
    t->ns[DATABASE] += o->database_ns;
    t->class = class_of(t, o);
    if (task->cancelled && t->class)
        t->class = km_err_name(KM_E_CANCELED);
    if (!t->class)
        t->rows += rows_of(task, o);
}

void km_pg_meter_failed(struct km_pg_task *task, const struct km_err *err)
{
    struct tally *t = tally_of(task->call);

    if (t && !t->class)
        t->class = km_err_name(err->code);
}

/* --- its end --- */

static void know_tool(struct km_pg_meter *m, struct tool_series *s, struct km_str tool)
{
    struct km_metrics *all = m->args.metrics;
    struct km_str labels[3] = { m->name, tool, KM_STR("ok") };

    s->ok = km_metric_series(all, &calls, labels);
    s->rows = km_metric_series(all, &rows, labels);
    s->bytes = km_metric_series(all, &bytes, labels);
    for (int i = 0; i < PHASES; i++) {
        labels[2] = km_str_c(phases[i]);
        s->seconds[i] = km_metric_series(all, &seconds, labels);
    }
}

static void count(struct km_pg_meter *m, const struct km_mcp_call *call, const struct tally *t,
                  const char *class)
{
    struct tool_series *s = &m->tools[call->tool - call->server->tools];
    const struct km_str labels[3] = { m->name, call->tool->name, km_str_c(class) };
    size_t w = m->args.worker;

    if (!s->ok)
        know_tool(m, s, call->tool->name);
    if (strcmp(class, "ok") == 0)
        km_metric_add(s->ok, w, 1);
    else
        km_metric_count(m->args.metrics, &calls, labels, w, 1);
    km_metric_add(s->rows, w, t->rows);
    km_metric_add(s->bytes, w, (int64_t)call->out.n);
    for (int i = 0; i < PHASES; i++)
        if (t->ns[i])
            km_metric_observe(s->seconds[i], w, (int64_t)(t->ns[i] / 1000));
}

static void log_call(const struct km_pg_meter *m, const struct km_mcp_call *call,
                     const struct tally *t, const char *class)
{
    enum km_log_level level = m->args.metrics ? KM_LOG_DEBUG : KM_LOG_INFO;
    struct km_line l;

    if (!m->log || !km_log_begin(m->log, &l, level, "postgres.call"))
        return;
    km_line_str(&l, "database", m->name);
    km_line_str(&l, "tool", call->tool->name);
    km_line_cstr(&l, "class", class);
    if (t->fingerprint[0])
        km_line_cstr(&l, "fingerprint", t->fingerprint);
    km_line_i64(&l, "rows", t->rows);
    km_line_u64(&l, "bytes", call->out.n);
    for (int i = 0; i < PHASES; i++) {
        char name[24];

        snprintf(name, sizeof name, "%s_ms", phases[i]);
        km_line_decimal(&l, name, (int64_t)t->ns[i], 6);
    }
    km_log_end(&l);
}

void km_pg_meter_ended(struct km_mcp_call *call, const char *outcome)
{
    struct km_pg_server *s = call->server->data;
    const struct tally *t = tally_of(call);
    const char *class = "ok";

    if (!t || !s->meter)
        return;
    if (strcmp(outcome, "ok") != 0)
        class = t->class ? t->class : "request";
    note(call, t, class);
    if (s->meter->args.metrics)
        count(s->meter, call, t, class);
    log_call(s->meter, call, t, class);
}
