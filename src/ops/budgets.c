/* SPDX-License-Identifier: Apache-2.0 */
/* budgets.c - see budgets.h.
 *
 *     /kanmon/status   "budget": {"action", "windows": [...], "projected_month", ...}
 *     /metrics         kanmon_budget_spent_usd{window}, kanmon_budget_limit_usd{window} ...
 *
 * Asked when somebody looks, and not kept: the budget itself is the state.  Amounts are USD.  The
 * month is counted for its projection also where nothing limits it; then it is no window here.
 */
#include "ops/budgets.h"

#include "base/money.h"
#include "base/time.h"
#include "policy/gateway_budget.h"

static const char *const actions[] = { "alert", "throttle", "cheaper", "block" };

static void put_money(struct km_json_out *o, const char *name, int64_t nanousd)
{
    char text[KM_MONEY_LEN];

    km_money_text(nanousd, text);
    km_out_member_raw(o, name, km_str_c(text));
}

static void put_time(struct km_json_out *o, const char *name, int64_t us)
{
    char text[KM_TIME_ISO_LEN + 1];

    km_out_key(o, name);
    if (us == 0) {
        km_out_null(o);
        return;
    }
    km_time_iso(us, text);
    km_out_cstr(o, text);
}

static void put_window(const struct km_gateway_window_facts *w, struct km_json_out *o)
{
    km_out_open(o, '{');
    km_out_member(o, "window", km_str_c(w->name));
    km_out_member(o, "setting", km_str_c(w->setting));
    put_money(o, "limit", w->max);
    put_money(o, "spent", w->spent);
    km_out_member_i64(o, "percent", w->percent);
    put_money(o, "reserved", w->reserved);
    put_money(o, "held", w->held);
    put_time(o, "begins_at", w->begin_us);
    put_time(o, "ends_at", w->end_us);
    km_out_key(o, "past_threshold");
    km_out_bool(o, w->past);
    km_out_key(o, "blocks");
    km_out_bool(o, w->blocks);
    km_out_close(o, '}');
}

void km_budgets_json(struct km_gateway_budget *b, int64_t now_us, struct km_json_out *o)
{
    struct km_gateway_window_facts v[KM_GATEWAY_WINDOWS];

    if (!b) {
        km_out_null(o);
        return;
    }
    km_gateway_budget_look(b, now_us, v);
    km_out_open(o, '{');
    km_out_member(o, "action", km_str_c(actions[km_gateway_budget_action(b)]));
    km_out_key(o, "windows");
    km_out_open(o, '[');
    for (size_t i = 0; i < KM_GATEWAY_WINDOWS; i++)
        if (v[i].kept && v[i].max >= 0)
            put_window(&v[i], o);
    km_out_close(o, ']');
    put_money(o, "spent_month", v[KM_GATEWAY_MONTH].spent);
    put_money(o, "projected_month", km_gateway_budget_projected(&v[KM_GATEWAY_MONTH], now_us));
    km_out_member_i64(o, "throttled_calls", (int64_t)km_gateway_budget_throttled(b));
    km_out_close(o, '}');
}

static void gauge(const char *name, const char *help, const struct km_gateway_window_facts *v,
                  size_t offset, struct km_buf *out)
{
    char text[KM_MONEY_LEN];

    km_buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
    for (size_t i = 0; i < KM_GATEWAY_WINDOWS; i++) {
        if (!v[i].kept || v[i].max < 0)
            continue;
        km_money_text(*(const int64_t *)(const void *)((const char *)&v[i] + offset), text);
        km_buf_printf(out, "%s{window=\"%s\"} %s\n", name, v[i].name, text);
    }
}

void km_budgets_metrics(struct km_gateway_budget *b, int64_t now_us, struct km_buf *out)
{
    struct km_gateway_window_facts v[KM_GATEWAY_WINDOWS];
    char projected[KM_MONEY_LEN];

    if (!b)
        return;
    km_gateway_budget_look(b, now_us, v);
    gauge("kanmon_budget_spent_usd", "What all calls cost in the window of a gateway budget.", v,
          offsetof(struct km_gateway_window_facts, spent), out);
    gauge("kanmon_budget_limit_usd", "What they may cost in it.", v,
          offsetof(struct km_gateway_window_facts, max), out);
    km_money_text(km_gateway_budget_projected(&v[KM_GATEWAY_MONTH], now_us), projected);
    km_buf_printf(out,
                  "# HELP kanmon_budget_projected_month_usd What this month will have cost if it "
                  "goes on as it went so far.\n"
                  "# TYPE kanmon_budget_projected_month_usd gauge\n"
                  "kanmon_budget_projected_month_usd %s\n"
                  "# HELP kanmon_budget_throttled_total Calls held back by cost_budget_action.\n"
                  "# TYPE kanmon_budget_throttled_total counter\n"
                  "kanmon_budget_throttled_total %llu\n",
                  projected, (unsigned long long)km_gateway_budget_throttled(b));
}
