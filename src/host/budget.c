/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - see budget.h.
 *
 * The ledger is asked once, at the start: from then on every call's end adds to what it said
 * (policy/gateway_budget.h).  Alerts go to the log and to the events, under names that stay:
 *
 *     budget.alert      a window is spent up to the threshold
 *     budget.spent      a window is spent up to its limit
 */
#include "host/budget.h"

#include <stdio.h>

#include "base/money.h"
#include "host/gateway.h"
#include "policy/gateway_budget.h"

#define ALERT_BYTES 192

static void on_alert(void *ctx, const struct km_gateway_window_facts *w, bool limit)
{
    struct km_gateway *gw = ctx;
    const char *event = limit ? "budget.spent" : "budget.alert";
    const enum km_log_level level = limit ? KM_LOG_ERROR : KM_LOG_WARN;
    char spent[KM_MONEY_LEN], max[KM_MONEY_LEN], end[KM_TIME_ISO_LEN + 1] = "never";
    char text[ALERT_BYTES];

    km_money_text(w->spent, spent);
    km_money_text(w->max, max);
    if (w->end_us)
        km_time_iso(w->end_us, end);
    end[19] = '\0'; /* to the second */
    (void)snprintf(text, sizeof text, "%s: %s of %s USD are spent, %u %%; the window ends %s%s",
                   w->name, spent, max, w->percent, end, w->end_us ? "Z" : "");
    km_log_msg(gw->log, level, event, "%s", text);
    km_event_add(gw->events, level, event, "%s", text);
}

static int load_window(struct km_gateway *gw, const struct km_gateway_window_facts *w,
                       struct km_err *err)
{
    int64_t spent;
    int r = km_store_spent(gw->store, w->end_us ? w->begin_us : INT64_MIN, &spent, err);

    if (r == 0)
        km_gateway_budget_load(gw->budget, w->kind, spent);
    return r;
}

int km_gateway_open_budget(struct km_gateway *gw, const struct km_config *config,
                           struct km_err *err)
{
    struct km_gateway_window_facts v[KM_GATEWAY_WINDOWS];
    int r = km_gateway_budget_new(km_config_get(config, &km_gateway_budget_settings_table),
                                  km_config_get(config, &km_proxy_budget_settings_table),
                                  km_wall_us(), &gw->budget, err);

    if (r < 0 || !gw->budget)
        return r;
    km_gateway_budget_look(gw->budget, km_wall_us(), v);
    for (size_t i = 0; r == 0 && i < KM_GATEWAY_WINDOWS; i++)
        if (v[i].kept)
            r = load_window(gw, &v[i], err);
    km_gateway_budget_tell(gw->budget, on_alert, gw);
    km_keys_use_gateway_budget(gw->keys, gw->budget);
    return r;
}
