/* SPDX-License-Identifier: Apache-2.0 */
/* key_bounds.c - what a key gets that says nothing of it, and what it may get at most.
 *
 *     LiteLLM's default_key_generate_params       a new key's limits where it says none
 *     LiteLLM's upperbound_key_generate_params    more is refused; a new key that says none, and
 *                                                 one that would lose its limit, gets so much
 *
 * What the budget says that the key names (budget_id) is the key's, and held to the same: a default
 * would take its place otherwise.
 */
#include "admin/key_inside.h"
#include "config/config.h"
#include "policy/account.h"
#include "policy/budget.h"
#include "policy/key_params.h"

struct bounds {
    struct km_admin *a;
    const struct km_key_params *with, *most;
    struct km_account *budget; /* NULL: none */
    int64_t now_us;
    bool fresh;
    struct km_err *err;
};

/* Is it asked about? */
static bool is_said(const struct bounds *b, const char *name)
{
    return b->fresh || km_json_get(b->a->body, name);
}

static int too_much(const struct bounds *b, const char *name)
{
    return km_fail_param(b->err, KM_E_INVALID, name,
                         "%s is over max limit set in config: see "
                         "litellm_settings.upperbound_key_generate_params.",
                         name);
}

static int bound_number(const struct bounds *b, const char *name, int64_t with, int64_t most,
                        int64_t budgets, int64_t *own)
{
    const int64_t counts = *own >= 0 ? *own : budgets;

    if (b->fresh && counts < 0 && with >= 0)
        *own = with;
    if (most < 0 || !is_said(b, name))
        return 0;
    if (*own < 0 && counts < 0)
        *own = most;
    return *own > most || counts > most ? too_much(b, name) : 0;
}

static int read_length(const struct bounds *b, const char *name, struct km_str text, int64_t *ret)
{
    *ret = 0;
    if (!text.n || km_time_parse_duration(text, ret) == 0)
        return 0;
    return km_fail_param(b->err, KM_E_CONFIG, name,
                         "litellm_settings has a %s of a key that is no length of time, like 30d.",
                         name);
}

static void set_window(const struct bounds *b, struct km_key_row *row, struct km_str text,
                       int64_t seconds)
{
    row->budget_duration = text;
    row->budget_duration_s = seconds;
    row->budget_reset_us = km_time_budget_reset(b->now_us, seconds);
}

static int bound_window(const struct bounds *b, struct km_key_row *row)
{
    static const char name[] = "budget_duration";
    int64_t with, most;

    if (read_length(b, name, b->with->budget_duration, &with) < 0 ||
        read_length(b, name, b->most->budget_duration, &most) < 0)
        return KM_E_CONFIG;
    /* null is a choice: one window for ever. */
    if (b->fresh && with && !row->budget_duration_s && !km_json_get(b->a->body, name))
        set_window(b, row, b->with->budget_duration, with);
    if (!most || !is_said(b, name))
        return 0;
    if (!row->budget_duration_s)
        set_window(b, row, b->most->budget_duration, most);
    return row->budget_duration_s > most ? too_much(b, name) : 0;
}

static int bound_life(const struct bounds *b, struct km_key_row *row)
{
    static const char name[] = "duration";
    int64_t with, most;

    if (read_length(b, name, b->with->duration, &with) < 0 ||
        read_length(b, name, b->most->duration, &most) < 0)
        return KM_E_CONFIG;
    if (b->fresh && with && !row->expires_us)
        row->expires_us = b->now_us + with * 1000000;
    if (!most || !is_said(b, name))
        return 0;
    if (!row->expires_us)
        row->expires_us = b->now_us + most * 1000000;
    return row->expires_us > b->now_us + most * 1000000 ? too_much(b, name) : 0;
}

static int bound_all(const struct bounds *b, struct km_key_row *row)
{
    static const struct km_account_row none = {
        .max_budget = -1, .rpm = -1, .tpm = -1, .max_parallel = -1
    };
    const struct km_account_row *budget = b->budget ? &b->budget->row : &none;
    const struct km_key_params *w = b->with, *m = b->most;
    int r = bound_number(b, "max_budget", w->max_budget, m->max_budget, budget->max_budget,
                         &row->max_budget);

    if (r == 0)
        r = bound_number(b, "rpm_limit", w->rpm, m->rpm, budget->rpm, &row->rpm);
    if (r == 0)
        r = bound_number(b, "tpm_limit", w->tpm, m->tpm, budget->tpm, &row->tpm);
    if (r == 0)
        r = bound_number(b, "max_parallel_requests", w->max_parallel, m->max_parallel,
                         budget->max_parallel, &row->max_parallel);
    if (r == 0)
        r = bound_window(b, row);
    return r < 0 ? r : bound_life(b, row);
}

int km_key_bound(struct km_admin *a, int64_t now_us, bool fresh, struct km_key_row *row,
                 struct km_err *err)
{
    const struct km_config *config = a->v->view->snap->config;
    struct bounds b = { .a = a,
                        .with = km_config_get(config, &km_key_default_table),
                        .most = km_config_get(config, &km_key_most_table),
                        .now_us = now_us,
                        .fresh = fresh,
                        .err = err };
    int r;

    if (fresh && !row->user_id.n)
        row->user_id = km_arena_str(&a->arena, b.with->user_id);
    if (fresh && !row->team_id.n)
        row->team_id = km_arena_str(&a->arena, b.with->team_id);
    if (fresh && !row->models.n)
        row->models = b.with->models;
    if (row->budget_id.n)
        b.budget =
            km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_BUDGET, row->budget_id, KM_STR_NONE);
    r = bound_all(&b, row);
    km_account_unref(b.budget);
    return r;
}
