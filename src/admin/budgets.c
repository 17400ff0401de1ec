/* SPDX-License-Identifier: Apache-2.0 */
/* budgets.c - what budgets of targets have left.
 *
 *     GET /provider/budgets    router_settings.provider_budget_config, with LiteLLM's members
 *
 * LiteLLM answers an error where none is configured; nobody means one who asks, so here it is an
 * empty object.
 */
#include "admin/budgets.h"

#include <stdlib.h>

#include "admin/admin.h"
#include "http/json_out.h"
#include "policy/account.h"

#define ANSWER_BYTES ((size_t)1 << 20)

static void put_money(struct km_json_out *o, const char *name, int64_t nanousd)
{
    char text[KM_MONEY_LEN];

    km_out_key(o, name);
    km_money_text(nanousd, text);
    km_out_raw(o, km_str_c(text));
}

static void put_one(struct km_json_out *o, struct km_account *acc)
{
    const int64_t end_us = km_account_window_end(acc);
    char at[KM_TIME_ISO_LEN + 1];

    km_out_key_str(o, acc->row.id);
    km_out_open(o, '{');
    put_money(o, "budget_limit", acc->row.max_budget);
    km_out_key(o, "time_period");
    if (acc->row.budget_duration.n)
        km_out_str(o, acc->row.budget_duration);
    else
        km_out_null(o);
    put_money(o, "spend", km_account_spend(acc));
    km_out_key(o, "budget_reset_at");
    if (end_us) {
        km_time_iso(end_us, at);
        km_out_cstr(o, at);
    } else {
        km_out_null(o);
    }
    km_out_close(o, '}');
}

static int show_providers(struct km_admin *a, struct km_err *err)
{
    const struct km_accounts_which which = { .kind = KM_ACCOUNT_PROVIDER };
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_json_out o;
    size_t n;
    struct km_account **all = km_accounts_all(a->v->w->gw->accounts, &which, &n);

    km_json_out_init(&o, &text);
    km_out_open(&o, '{');
    km_out_key(&o, "providers");
    km_out_open(&o, '{');
    for (size_t i = 0; i < n; i++) {
        put_one(&o, all[i]);
        km_account_unref(all[i]);
    }
    free(all);
    km_out_close(&o, '}');
    km_out_close(&o, '}');
    if (km_buf_failed(&text))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_admin_json(a, 200, km_buf_view(&text));
    return 0;
}

KM_ADMIN_HANDLER(on_providers, 1024, show_providers)

static const struct km_route rows[] = {
    { "GET", "/provider/budgets", on_providers, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_budget_routes = { rows, sizeof rows / sizeof rows[0] };
