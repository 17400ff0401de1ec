/* SPDX-License-Identifier: Apache-2.0 */
/* spend.c - GET /spend/logs: LiteLLM's rows, or a summary by day.
 *
 * What this process still holds is handed to the writer first, so that a call whose answer was
 * read is in the list that is asked for next.
 */
#include "admin/spend.h"

#include "admin/admin.h"

#define DAY_US (INT64_C(86400) * 1000000)

static void on_rows(void *ctx, struct km_str json, const struct km_err *err)
{
    if (err)
        km_admin_error(ctx, err);
    else
        km_admin_json(ctx, 200, json);
}

static int read_day(struct km_admin *a, const char *name, int64_t add, int64_t *ret,
                    struct km_err *err)
{
    struct km_str text;

    if (!km_admin_query(a, name, &text) || !text.n)
        return 0;
    if (km_time_parse_iso(text, ret) < 0)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be a date like 2026-01-31.", name);
    *ret += add;
    return 0;
}

static void read_number(struct km_admin *a, const char *name, size_t *ret)
{
    struct km_str text;
    uint64_t n;

    if (km_admin_query(a, name, &text) && km_str_u64(text, &n) == 0)
        *ret = (size_t)n;
}

static int logs(struct km_admin *a, struct km_err *err)
{
    struct km_spend_query q = { 0 };
    struct km_str text;
    int r = read_day(a, "start_date", 0, &q.from_us, err);

    if (r == 0)
        r = read_day(a, "end_date", DAY_US, &q.to_us, err);
    if (r == 0 && km_admin_query(a, "api_key", &text) && text.n) {
        r = km_admin_key_hash(text, q.key_hash, err);
        q.by_key = true;
    }
    if (r < 0)
        return r;
    if (km_admin_query(a, "request_id", &text))
        q.request_id = text;
    if (km_admin_query(a, "user_id", &text))
        q.user_id = text;
    q.summarize = (q.from_us || q.to_us) &&
                  !(km_admin_query(a, "summarize", &text) && km_str_ieq(text, KM_STR("false")));
    read_number(a, "limit", &q.limit);
    read_number(a, "offset", &q.offset);
    km_ledger_flush(a->v->w->ledger);
    km_store_spend_logs(a->v->w->gw->store, a->v->w->mailbox, &q, on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_logs, 1024, logs)

static int stats(struct km_admin *a, struct km_err *err)
{
    (void)err;
    km_store_stats(a->v->w->gw->store, a->v->w->mailbox, on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_stats, 1024, stats)

static const struct km_route rows[] = {
    { "GET", "/spend/logs", on_logs, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/db/stats", on_stats, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_spend_routes = { rows, sizeof rows / sizeof rows[0] };
