/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_budget_settings.c - what all calls together may cost, by the configuration file.
 *
 *     kanmon_settings:
 *       cost_budget_usd_per_hour: 2.9
 *       cost_budget_action: throttle
 *
 * LiteLLM's max_budget is the same for one window that it chooses itself, and always refuses.
 */
#include <stddef.h>

#include "policy/gateway_budget.h"

#define AT(member) offsetof(struct km_gateway_budget_settings, member)

static const char *const actions[] = { "alert", "throttle", "cheaper", "block", NULL };

#define PER(word, kind, what)                                                                      \
    { .name = "cost_budget_usd_per_" word,                                                         \
      .type = KM_SET_MONEY,                                                                        \
      .offset = AT(max) + sizeof(int64_t) * (kind),                                                \
      .def = "-1",                                                                                 \
      .flags = KM_SET_RESTART | KM_SET_SAFETY,                                                     \
      .help = what }

static const struct km_setting rows[] = {
    PER("hour", KM_GATEWAY_HOUR,
        "USD that all calls together may cost in an hour of the clock, 2.9 for example; "
        "cost_budget_action says what happens near it. Unset: no such budget."),
    PER("day", KM_GATEWAY_DAY, "The same for a day, from midnight UTC on."),
    PER("month", KM_GATEWAY_MONTH, "The same for a month of the calendar, in UTC."),
    { .name = "cost_budget_action",
      .type = KM_SET_ENUM,
      .offset = AT(action),
      .def = "alert",
      .choices = actions,
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "What else happens when a gateway budget is spent up to cost_budget_alert_percent, "
              "beside the alert: `alert` nothing; `throttle` holds calls back so that what is left "
              "lasts until the window ends, those of low priority first, and refuses none; "
              "`cheaper` lets the cheapest deployment that can serve a call serve it; `block` "
              "refuses calls that the budget does not cover." },
    { .name = "cost_budget_alert_percent",
      .type = KM_SET_INT,
      .offset = AT(alert_percent),
      .def = "80",
      .min = 1,
      .max = 100,
      .flags = KM_SET_RESTART,
      .help = "Per cent of a gateway budget from which on it alerts, throttles, or prefers what is "
              "cheaper." },
    { .name = "cost_budget_throttle_wait",
      .type = KM_SET_MS,
      .offset = AT(throttle_wait_ms),
      .def = "10s",
      .min = 0,
      .max = 600000,
      .flags = KM_SET_RESTART,
      .help = "How long `cost_budget_action: throttle` holds a call back at most." },
    { 0 },
};

const struct km_settings_table km_gateway_budget_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_gateway_budget_settings),
    .extra = SIZE_MAX,
};

bool km_gateway_budget_makes_cheaper(const struct km_gateway_budget_settings *s)
{
    bool any = false;

    for (int kind = 0; kind < KM_GATEWAY_PROXY; kind++)
        any = any || s->max[kind] >= 0;
    return any && s->action == KM_GATEWAY_CHEAPER;
}

static const struct km_setting proxy_rows[] = {
    { .name = "max_budget",
      .type = KM_SET_MONEY,
      .offset = offsetof(struct km_proxy_budget_settings, max_budget),
      .def = "-1",
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "USD that all calls together may cost in budget_duration; calls it does not cover "
              "are refused. 0: no such budget." },
    { .name = "budget_duration",
      .type = KM_SET_SECONDS,
      .offset = offsetof(struct km_proxy_budget_settings, budget_duration_s),
      .def = "0",
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "The period of max_budget: days, weeks and months begin with the calendar's, in UTC. "
              "Unset: it never resets." },
    { 0 },
};

const struct km_settings_table km_proxy_budget_settings_table = {
    .section = "litellm_settings",
    .rows = proxy_rows,
    .size = sizeof(struct km_proxy_budget_settings),
    .extra = SIZE_MAX,
};
