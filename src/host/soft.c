/* SPDX-License-Identifier: Apache-2.0 */
/* soft.c - see soft.h.
 *
 * Any worker may be the one that tells, and each crossing is told by one.  The metric's label is
 * the kind alone: callers are no labels.
 */
#include "policy/soft.h"

#include "base/money.h"
#include "host/gateway.h"
#include "host/soft.h"
#include "host/worker.h"

static const struct km_metric_row passed_total = {
    .name = "kanmon_soft_budget_passed_total",
    .type = KM_COUNTER,
    .help = "Times a key or an account passed its soft_budget, by what it is.",
    .labels = { "kind" }
};

static void tell(void *ctx, const struct km_soft_passed *passed)
{
    struct km_worker *w = ctx;
    const struct km_str kind = km_str_c(passed->kind);
    char spent[KM_MONEY_LEN], soft[KM_MONEY_LEN];

    km_money_text(passed->spent, spent);
    km_money_text(passed->soft, soft);
    km_log_msg(w->gw->log, KM_LOG_WARN, "budget.soft",
               "%s '%.*s'%s%.*s has spent %s USD, its soft budget is %s", passed->kind,
               KM_STR_ARG(passed->name), passed->of.n ? " of " : "", KM_STR_ARG(passed->of), spent,
               soft);
    km_event_add(w->gw->events, KM_LOG_WARN, "budget.soft",
                 "%s '%.*s'%s%.*s has spent %s USD, its soft budget is %s", passed->kind,
                 KM_STR_ARG(km_str_sub(passed->name, 0, 60)), passed->of.n ? " of " : "",
                 KM_STR_ARG(km_str_sub(passed->of, 0, 40)), spent, soft);
    km_metric_count(w->gw->metrics, &passed_total, &kind, w->index, 1);
}

void km_soft_look(struct km_worker *w)
{
    km_keys_tell_soft(w->gw->keys, tell, w);
}
