/* SPDX-License-Identifier: Apache-2.0 */
/* tools_health.c - analyze_health: the checks of health.c one after the other, as one report.
 *
 *     who is asking? ── check ── check ── ... ── sizes ── report
 *                         │ fails: the report says so, and the next one runs
 *
 * A check that finds nothing is told as "ok" only where it saw all of its objects; what the role
 * cannot see all of is "unknown", limited by privilege, with what would show it; so is one that
 * failed, with its reason: nothing is silently zero.  Sizes are kept from one
 * run to the next, so that growth shows.
 */
#include "servers/postgres/tools.h"

#include "base/time.h"
#include "http/json_out.h"
#include "servers/postgres/health.h"

#define REPORT_BYTES ((size_t)2 * 1024 * 1024)
#define FINDINGS "20" /* of one check */

enum { UNKNOWN = 4 }; /* of words */

struct report {
    struct km_buf b;
    struct km_json_out o;
    size_t at; /* the check that runs */
    int version;
    bool sees_all; /* pg_monitor or more */
    unsigned counts[UNKNOWN + 1]; /* of words */
    struct km_str groups; /* only this one; empty: all */
};

static const char *const words[] = { "ok", "info", "warning", "critical", "unknown" };

static const char *const who_sql[] = {
    "SELECT json_build_object('user', current_user, 'version', "
    "current_setting('server_version_num')::int, 'superuser', "
    "current_setting('is_superuser') = 'on', 'sees_all', current_setting('is_superuser') = 'on' OR "
    "pg_has_role('pg_read_all_stats', 'USAGE'), 'in_recovery', pg_is_in_recovery())",
    NULL,
};
static const char *const sizes_sql[] = {
    "SELECT json_object_agg(o, b) FROM (SELECT c.oid::text AS o, pg_total_relation_size(c.oid) AS "
    "b "
    "FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 "
    "ORDER BY c.relpages DESC LIMIT 200) q",
    NULL,
};

static void drop_report(void *report)
{
    km_buf_done(&((struct report *)report)->b);
}

static unsigned severity_of(const struct km_json *findings)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, word = KM_STR_NONE;
    unsigned worst = 0;

    for (km_json_iter(findings, &it); km_json_next(&it, &unused, &item);) {
        (void)km_json_string(km_json_get(item, "severity"), &word);
        for (unsigned i = worst + 1; i < UNKNOWN; i++)
            if (km_str_eq(word, km_str_c(words[i])))
                worst = i;
    }
    return worst;
}

struct coverage {
    int64_t seen, total, hidden; /* total < 0: they are not counted */
};

/* What of the objects of a check was not seen, in words for the owner; NULL: nothing. */
static const char *not_seen(const struct report *r, const struct km_pg_check *c,
                            const struct coverage *seen)
{
    if (c->covers == &km_pg_covers_stats)
        return r->sees_all ? NULL : c->covers->grant;
    return seen->seen < seen->total ? c->covers->grant : NULL;
}

static void put_coverage(struct report *r, const struct coverage *seen, const char *missed)
{
    if (seen->total >= 0) {
        km_out_member_i64(&r->o, "seen", seen->seen);
        km_out_member_i64(&r->o, "total", seen->total);
    }
    if (missed)
        km_out_member(&r->o, "not_seen", km_str_c(missed));
}

static void put_check(struct km_pg_task *task, const struct km_pg_outcome *o)
{
    struct report *r = task->data;
    const struct km_pg_check *c = &km_pg_checks[r->at];
    struct km_str value = km_pg_task_value(task);
    const struct km_json *answer = NULL, *findings = NULL, *part;
    struct coverage seen = { 0, -1, 0 };
    const char *missed;
    unsigned worst = UNKNOWN;

    if (value.n && km_json_parse(task->call->arena, value, &answer, NULL) == 0)
        findings = km_json_get(answer, "findings");
    part = km_json_get(answer, "coverage");
    (void)km_json_i64(km_json_get(part, "seen"), &seen.seen);
    (void)km_json_i64(km_json_get(part, "total"), &seen.total);
    (void)km_json_i64(km_json_get(part, "hidden"), &seen.hidden);
    missed = not_seen(r, c, &seen);
    if (findings)
        worst = severity_of(findings);
    if (!worst && missed)
        worst = UNKNOWN;
    km_out_open(&r->o, '{');
    km_out_member(&r->o, "check", km_str_c(c->name));
    km_out_member(&r->o, "group", km_str_c(c->group));
    km_out_member(&r->o, "severity", km_str_c(words[worst]));
    km_out_member(&r->o, "window", km_str_c(c->window));
    km_out_key(&r->o, "limited_by_privilege");
    km_out_bool(&r->o, (missed && (seen.total < 0 || seen.hidden > 0)) ||
                           km_str_eq(o->sqlstate, KM_STR("42501")));
    put_coverage(r, &seen, missed);
    km_out_key(&r->o, "findings");
    if (findings)
        km_out_value(&r->o, findings);
    else
        km_out_raw(&r->o, KM_STR("[]"));
    if (!findings)
        km_out_member(&r->o, "error",
                      o->sqlstate.n ? o->message
                      : o->err      ? km_str_c(o->err->text)
                                    : KM_STR("no answer"));
    km_out_close(&r->o, '}');
    r->counts[worst]++;
}

static int finish(struct km_pg_task *task, struct km_err *err)
{
    struct report *r = task->data;

    km_out_close(&r->o, ']');
    km_out_key(&r->o, "summary");
    km_out_open(&r->o, '{');
    for (unsigned i = 0; i <= UNKNOWN; i++)
        km_out_member_i64(&r->o, words[i], r->counts[i]);
    km_out_close(&r->o, '}');
    km_out_close(&r->o, '}');
    if (km_buf_failed(&r->b))
        return km_fail(err, KM_E_LIMIT, "the report is too large: ask for one group");
    return km_pg_answer(task->call, km_buf_view(&r->b), err);
}

/* What grew since the last run; then this run's sizes take the place of the last one's. */
static void put_growth(struct km_pg_task *task)
{
    struct km_pg_server *s = km_pg_server_of(task->call);
    struct km_str now = km_pg_task_value(task), key;
    const struct km_json *before = NULL, *sizes = NULL, *item;
    struct report *r = task->data;
    struct km_json_iter it;

    if (now.n && now.n < sizeof s->sizes &&
        km_json_parse(task->call->arena, now, &sizes, NULL) == 0) {
        if (s->sizes[0] && km_json_parse(task->call->arena, km_str_c(s->sizes), &before, NULL) < 0)
            before = NULL;
        memcpy(s->sizes, now.p, now.n);
        s->sizes[now.n] = '\0';
    }
    km_out_key(&r->o, "growth");
    km_out_open(&r->o, '[');
    for (km_json_iter(sizes, &it); km_json_next(&it, &key, &item);) {
        int64_t was = -1, is = 0;

        (void)km_json_i64(km_json_get(before, km_arena_cstr(task->call->arena, key)), &was);
        (void)km_json_i64(item, &is);
        if (was < 0 || is <= was)
            continue;
        km_out_open(&r->o, '{');
        km_out_member(&r->o, "table_oid", key);
        km_out_member_i64(&r->o, "bytes", is);
        km_out_member_i64(&r->o, "grown_bytes", is - was);
        km_out_member_i64(&r->o, "seconds", (int64_t)((km_mono_ms() - s->sizes_ms) / 1000));
        km_out_close(&r->o, '}');
    }
    km_out_close(&r->o, ']');
    if (sizes)
        s->sizes_ms = km_mono_ms();
    km_out_key(&r->o, "checks");
    km_out_open(&r->o, '[');
}

static bool wanted(const struct report *r, const struct km_pg_check *c)
{
    return (!r->groups.n || km_str_eq(r->groups, km_str_c(c->group))) &&
           (!c->from || r->version >= c->from) && (!c->before || r->version < c->before);
}

static int next_check(struct km_pg_task *task, struct km_err *err)
{
    struct report *r = task->data;
    struct km_pg_request request;
    const char *pieces[] = {
        "SELECT json_build_object('findings', (SELECT coalesce(json_agg(x), '[]') FROM (SELECT * "
        "FROM (", NULL,
        ") f LIMIT " FINDINGS ") x), 'coverage', (SELECT row_to_json(y) FROM (", "SELECT 1 WHERE "
        "false", ") y))", NULL,
    };

    while (r->at < km_pg_nchecks && !wanted(r, &km_pg_checks[r->at]))
        r->at++;
    if (r->at == km_pg_nchecks)
        return finish(task, err);
    pieces[1] = km_pg_checks[r->at].sql;
    if (km_pg_checks[r->at].covers->sql)
        pieces[3] = km_pg_checks[r->at].covers->sql;
    if (km_pg_request_own(task->call, pieces, NULL, 0, &request, err) < 0)
        return KM_E_NOMEM;
    return km_pg_task_again(task, &request, err);
}

static int on_check(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct report *r = task->data;

    put_check(task, o);
    r->at++;
    return next_check(task, err);
}

static int after_sizes(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    (void)o; /* without sizes there is no growth to tell */
    put_growth(task);
    task->answer = on_check;
    return next_check(task, err);
}

static int on_who(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str who = km_pg_task_value(task);
    struct report *r = task->data;
    struct km_pg_request request;
    const struct km_json *facts;
    int64_t version = 0;

    (void)o;
    if (!who.n || km_json_parse(task->call->arena, who, &facts, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL did not say who is asking");
    (void)km_json_i64(km_json_get(facts, "version"), &version);
    (void)km_json_bool(km_json_get(facts, "sees_all"), &r->sees_all);
    r->version = (int)version;
    km_json_out_init(&r->o, &r->b);
    km_out_open(&r->o, '{');
    km_out_member_raw(&r->o, "role", who);
    if (!r->sees_all)
        km_out_member(
            &r->o, "not_seen",
            KM_STR("other roles' sessions and statements: GRANT pg_monitor to this role"));
    if (km_pg_request_own(task->call, sizes_sql, NULL, 0, &request, err) < 0)
        return KM_E_NOMEM;
    task->tolerant = true;
    task->answer = after_sizes;
    return km_pg_task_again(task, &request, err);
}

static int analyze_health(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);
    struct report *r = km_arena_zalloc(call->arena, sizeof *r);

    if (!task || !r)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_buf_init(&r->b, REPORT_BYTES);
    if (km_arena_defer(call->arena, drop_report, r) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    (void)km_json_string(km_json_get(call->args, "group"), &r->groups);
    task->data = r;
    task->answer = on_who;
    if (km_pg_request_own(call, who_sql, NULL, 0, &task->request, err) < 0)
        return KM_E_NOMEM;
    return km_pg_task_start(task, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("analyze_health"),
        .title = KM_PG_TEXT("Check the database's health"),
        .description = KM_PG_TEXT(
            "Checks connections, transactions, vacuum and wraparound, bloat, indexes, memory, "
            "checkpoints, sequences, replication, constraints, security, settings and locks. Each "
            "finding has a severity, evidence and SQL that would put it right. A check that could "
            "not see all is unknown and says what it lacks, never ok."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {"group": {"type": "string", "enum": ["connection", "transaction",
                "vacuum", "bloat", "index", "memory", "write", "sequence", "replication", "schema",
                "security", "settings", "lock"]}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["checks", "summary"],
            "properties": {
                "role": {"type": "object"}, "growth": {"type": "array"},
                "checks": {"type": "array", "items": {"type": "object",
                    "required": ["check", "severity", "limited_by_privilege", "findings"],
                    "properties": {"check": {"type": "string"}, "severity": {"type": "string",
                            "enum": ["ok", "info", "warning", "critical", "unknown"]},
                        "seen": {"type": "integer"}, "total": {"type": "integer"},
                        "not_seen": {"type": "string"},
                        "limited_by_privilege": {"type": "boolean"},
                        "findings": {"type": "array"}}}},
                "summary": {"type": "object"}}})),
        .run = analyze_health } },
};

const struct km_pg_rows km_pg_tools_health = { rows, sizeof rows / sizeof rows[0] };
