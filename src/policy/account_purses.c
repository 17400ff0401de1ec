/* SPDX-License-Identifier: Apache-2.0 */
/* account_purses.c - see account_purses.h.
 *
 *     max_budget, rpm_limit ...                    its own purse
 *     budget_limits: [{budget_duration, ...}]      one a window
 *     model_max_budget, model_rpm_limit,
 *     model_tpm_limit                              one a model that any of them names
 *
 * Members are LiteLLM's, under both names that it has for them.  What does not read is refused when
 * the row is put: a limit that nobody understands would limit nothing.  Who writes a new row is
 * held to more (strict): no member that is unknown, no number below zero, no limit without one.
 * Stored rows may have these, and they limit nothing there as they did when they were written.
 */
#include "policy/account_purses.h"

#include "http/json.h"

struct plans {
    struct km_arena *arena;
    const struct km_account_row *row;
    struct km_purse_plan *v;
    size_t n;
    bool strict;
};

static struct km_purse_plan *add(struct plans *p, struct km_str window, struct km_str model)
{
    struct km_purse_plan *plan;

    for (size_t i = 0; i < p->n; i++)
        if (km_str_eq(p->v[i].words.window, window) && km_str_eq(p->v[i].words.model, model))
            return &p->v[i];
    if (p->n == KM_ACCOUNT_PURSES)
        return NULL;
    plan = &p->v[p->n++];
    *plan = (struct km_purse_plan){ .words = { .kind = p->row->kind,
                                               .id = p->row->id,
                                               .of = p->row->of,
                                               .window = window,
                                               .model = model },
                                    .max = -1,
                                    .soft = -1,
                                    .limits = { -1, -1, -1 } };
    return plan;
}

static int wrong(struct km_err *err, const char *member, const char *what)
{
    return km_fail_param(err, KM_E_INVALID, member, "%s: %s", member, what);
}

static int too_many(struct km_err *err, const char *member)
{
    return km_fail_param(err, KM_E_LIMIT, member,
                         "%s: an account has at most %d windows and models that are limited",
                         member, KM_ACCOUNT_PURSES - 1);
}

static int parse(const struct plans *p, struct km_str text, enum km_json_type type,
                 const char *member, const struct km_json **ret, struct km_err *err)
{
    *ret = NULL;
    if (!text.n)
        return 0;
    if (km_json_parse(p->arena, text, ret, err) < 0)
        return wrong(err, member, "is no JSON");
    if (km_json_kind(*ret) == KM_JSON_NULL)
        *ret = NULL;
    else if (km_json_kind(*ret) != type)
        return wrong(err, member,
                     type == KM_JSON_ARRAY ? "must be a list of windows"
                                           : "must be an object of models");
    return 0;
}

static const struct km_json *either(const struct km_json *v, const char *one, const char *other)
{
    const struct km_json *found = km_json_get(v, one);

    return found && km_json_kind(found) != KM_JSON_NULL ? found : km_json_get(v, other);
}

/* The name of a member that is none of these; empty: there is none. */
static struct km_str unknown_member(const struct plans *p, const struct km_json *v,
                                    const char *const *known)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str name;

    if (!p->strict || km_json_kind(v) != KM_JSON_OBJECT)
        return KM_STR_NONE;
    for (km_json_iter(v, &it); km_json_next(&it, &name, &item);) {
        size_t i = 0;

        while (known[i] && !km_str_eq(km_str_c(known[i]), name))
            i++;
        if (!known[i])
            return name;
    }
    return KM_STR_NONE;
}

static int refuse_unknown(struct km_err *err, const char *member, struct km_str name)
{
    return km_fail_param(err, KM_E_INVALID, member,
                         "%s: '%.*s' is no member of a limit, and would limit nothing", member,
                         KM_STR_ARG(km_str_sub(name, 0, 80)));
}

static int read_money(const struct km_json *v, int64_t *ret)
{
    struct km_str text;

    if (!v || km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (!(km_json_number(v, &text) || km_json_string(v, &text)) || km_str_decimal(text, 9, ret) < 0)
        return KM_E_INVALID;
    if (*ret < 0)
        *ret = -1;
    return 0;
}

static int read_count(const struct plans *p, const struct km_json *v, int64_t *ret)
{
    if (!v || km_json_kind(v) == KM_JSON_NULL)
        return 0;
    return km_json_i64(v, ret) && *ret >= (p->strict ? 0 : -1) ? 0 : KM_E_INVALID;
}

/* A window of that length, which follows from the account's beginning. */
static int read_length(const struct plans *p, struct km_str text, struct km_purse_plan *plan)
{
    if (km_time_parse_duration(text, &plan->length_s) < 0 || plan->length_s <= 0)
        return KM_E_INVALID;
    plan->end_us = km_time_budget_reset(p->row->created_us, plan->length_s);
    return 0;
}

/* reset_at is LiteLLM's own: callers send back what they were shown. */
static const char *const window_members[] = { "budget_duration", "time_period", "max_budget",
                                              "budget_limit", "reset_at", NULL };
static const char *const model_members[] = { "max_budget", "budget_limit", "budget_duration",
                                             "time_period", "rpm_limit", "tpm_limit", NULL };

static int add_windows(struct plans *p, struct km_err *err)
{
    static const char member[] = "budget_limits";
    const struct km_json *list, *item;
    struct km_json_iter it;
    struct km_str key, length;
    int r = parse(p, p->row->budget_limits, KM_JSON_ARRAY, member, &list, err);

    if (r < 0 || !list)
        return r;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);) {
        const struct km_str unknown = unknown_member(p, item, window_members);
        struct km_purse_plan *plan;

        if (unknown.n)
            return refuse_unknown(err, member, unknown);
        if (!km_json_string(either(item, "budget_duration", "time_period"), &length))
            return wrong(err, member, "each needs a budget_duration, as \"24h\" or \"30d\"");
        if (length.n > KM_ACCOUNT_ID_BYTES || !(plan = add(p, length, KM_STR_NONE)))
            return too_many(err, member);
        if (read_length(p, length, plan) < 0)
            return wrong(err, member, "a budget_duration is a length of time, as \"24h\"");
        if (read_money(either(item, "max_budget", "budget_limit"), &plan->max) < 0)
            return wrong(err, member, "a max_budget is a number of USD");
        if (p->strict && plan->max < 0)
            return wrong(err, member, "each needs a max_budget in USD");
    }
    return 0;
}

static int read_model(const struct plans *p, const struct km_json *v, struct km_purse_plan *plan)
{
    struct km_str length;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return read_money(v, &plan->max);
    if (read_money(either(v, "max_budget", "budget_limit"), &plan->max) < 0 ||
        read_count(p, km_json_get(v, "rpm_limit"), &plan->limits.rpm) < 0 ||
        read_count(p, km_json_get(v, "tpm_limit"), &plan->limits.tpm) < 0)
        return KM_E_INVALID;
    if (p->strict && plan->max < 0 && plan->limits.rpm < 0 && plan->limits.tpm < 0)
        return KM_E_INVALID;
    if (km_json_string(either(v, "budget_duration", "time_period"), &length))
        return read_length(p, length, plan);
    return 0;
}

static int read_model_rpm(const struct plans *p, const struct km_json *v,
                          struct km_purse_plan *plan)
{
    return read_count(p, v, &plan->limits.rpm);
}

static int read_model_tpm(const struct plans *p, const struct km_json *v,
                          struct km_purse_plan *plan)
{
    return read_count(p, v, &plan->limits.tpm);
}

typedef int limit_fn(const struct plans *p, const struct km_json *v, struct km_purse_plan *plan);

static int add_models(struct plans *p, struct km_str text, const char *member, limit_fn *take,
                      struct km_err *err)
{
    const struct km_json *object, *v;
    struct km_json_iter it;
    struct km_str model;
    int r = parse(p, text, KM_JSON_OBJECT, member, &object, err);

    if (r < 0 || !object)
        return r;
    for (km_json_iter(object, &it); r == 0 && km_json_next(&it, &model, &v);) {
        const struct km_str unknown = unknown_member(p, v, model_members);
        struct km_purse_plan *plan;

        if (unknown.n)
            return refuse_unknown(err, member, unknown);
        if (!km_account_id_is_good(model))
            return wrong(err, member, "a model's name is too long, or none");
        if (!(plan = add(p, KM_STR_NONE, model)))
            return too_many(err, member);
        r = take(p, v, plan);
        if (r < 0)
            wrong(err, member,
                  "a limit of a model is a number that is not negative; one of money may be an "
                  "object with max_budget and budget_duration");
    }
    return r;
}

static void add_own(struct plans *p)
{
    const struct km_account_row *row = p->row;
    struct km_purse_plan *plan = add(p, KM_STR_NONE, KM_STR_NONE);

    plan->max = row->max_budget;
    plan->soft = row->soft_budget;
    if (row->max_budget >= 0 && row->temp_budget_increase > 0) {
        plan->raised = row->temp_budget_increase;
        plan->raised_until_us = row->temp_budget_expiry_us;
    }
    plan->length_s = row->budget_duration_s;
    if (plan->length_s > 0)
        plan->end_us = row->budget_reset_us > 0
                           ? row->budget_reset_us
                           : km_time_budget_reset(row->created_us, plan->length_s);
    plan->limits = (struct km_limits){ row->rpm, row->tpm, row->max_parallel };
}

int km_account_plans(const struct km_account_row *row, bool strict, struct km_arena *arena,
                     struct km_purse_plan plans[KM_ACCOUNT_PURSES], size_t *ret_n,
                     struct km_err *err)
{
    struct plans p = { .arena = arena, .row = row, .v = plans, .strict = strict };
    int r;

    add_own(&p);
    r = add_windows(&p, err);
    if (r == 0)
        r = add_models(&p, row->model_max_budget, "model_max_budget", read_model, err);
    if (r == 0)
        r = add_models(&p, row->model_rpm_limit, "model_rpm_limit", read_model_rpm, err);
    if (r == 0)
        r = add_models(&p, row->model_tpm_limit, "model_tpm_limit", read_model_tpm, err);
    *ret_n = p.n;
    return r;
}

void km_purse_allow(struct km_purse *p, const struct km_purse_plan *plan)
{
    const bool raised = plan->max >= 0 && plan->raised > 0 && km_wall_us() < plan->raised_until_us;

    p->budget.max = plan->max;
    p->raised = raised ? plan->raised : 0;
    p->raised_until_us = raised ? plan->raised_until_us : 0;
    if (raised && __builtin_add_overflow(plan->max, plan->raised, &p->budget.max)) {
        p->budget.max = INT64_MAX;
        p->raised = INT64_MAX - plan->max;
    }
    if (p->soft != plan->soft)
        p->soft_told = false;
    p->soft = plan->soft;
}

void km_purse_follow(struct km_purse *p, const struct km_purse_plan *plan)
{
    pthread_mutex_lock(&p->lock);
    km_purse_allow(p, plan);
    p->limits = plan->limits;
    (void)km_budget_roll(&p->budget,
                         km_wall_us()); /* what goes along is of the window that is now */
    km_budget_set_length(&p->budget, plan->length_s, plan->end_us);
    pthread_mutex_unlock(&p->lock);
}
