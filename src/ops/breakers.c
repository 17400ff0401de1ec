/* SPDX-License-Identifier: Apache-2.0 */
/* breakers.c - see breakers.h for the contract.
 *
 * Asked when somebody looks, and not kept: the breakers themselves are the state.  LiteLLM's gauge
 * knows three states of a deployment; a partial outage is one whose load is coming back.
 */
#include "ops/breakers.h"

const char *km_breaker_state_name(enum km_breaker_state state)
{
    return state == KM_BREAKER_CLOSED ? "closed" : state == KM_BREAKER_OPEN ? "open" : "half-open";
}

/* --- metrics --- */

void km_label_write(const char *name, struct km_str value, struct km_buf *out)
{
    km_buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            km_buf_byte(out, '\\');
        if (value.p[i] == '\n')
            km_buf_str(out, KM_STR("\\n"));
        else
            km_buf_byte(out, value.p[i]);
    }
    km_buf_byte(out, '"');
}

/* 0: well, 1: partly, 2: not at all. */
static int outage_of(const struct km_breaker *b, uint64_t now_ms)
{
    const enum km_breaker_state state = km_breaker_state(b, now_ms);

    if (state == KM_BREAKER_OPEN)
        return 2;
    return state == KM_BREAKER_HALF_OPEN || km_breaker_share(b, now_ms) < 100;
}

static void litellm_state(const struct km_deployment *d, uint64_t now_ms, struct km_buf *out)
{
    km_buf_str(out, KM_STR("litellm_deployment_state{"));
    km_label_write("litellm_model_name", d->model, out);
    km_label_write(",model_id", d->id, out);
    km_label_write(",api_base", d->api_base, out);
    km_label_write(",api_provider", d->provider_name, out);
    km_buf_printf(out, "} %d\n", outage_of(&d->breaker, now_ms));
}

static void breaker_state(const char *kind, struct km_str name, const struct km_breaker *b,
                          uint64_t now_ms, struct km_buf *out)
{
    km_buf_printf(out, "kanmon_breaker_state{kind=\"%s\",", kind);
    km_label_write("name", name, out);
    km_buf_printf(out, "} %d\n", (int)km_breaker_state(b, now_ms));
}

void km_breakers_metrics(const struct km_models *models, uint64_t now_ms, struct km_buf *out)
{
    const struct km_cooldown_groups *groups = km_models_cooldown_groups(models);

    km_buf_str(out, KM_STR("# HELP litellm_deployment_state 0 works, 1 works in part, 2 is left "
                           "alone.\n# TYPE litellm_deployment_state gauge\n"));
    for (size_t i = 0; i < km_models_count(models); i++)
        litellm_state(km_models_at(models, i), now_ms, out);
    km_buf_str(out, KM_STR("# HELP kanmon_breaker_state 0 closed, 1 open, 2 half-open.\n"
                           "# TYPE kanmon_breaker_state gauge\n"));
    for (size_t i = 0; i < km_models_count(models); i++)
        breaker_state("deployment", km_models_at(models, i)->id, &km_models_at(models, i)->breaker,
                      now_ms, out);
    for (size_t i = 0; i < groups->n; i++)
        if (groups->v[i].n > 1)
            breaker_state("provider", groups->v[i].label, &groups->v[i].breakers.breaker, now_ms,
                          out);
}

/* --- as JSON --- */

static bool put(const char *kind, struct km_str name, struct km_str model,
                const struct km_breaker *b, uint64_t now_ms, struct km_json_out *o)
{
    const enum km_breaker_state state = km_breaker_state(b, now_ms);
    const unsigned share = km_breaker_share(b, now_ms);
    const bool rests = km_breaker_rests(b, now_ms);

    if (state == KM_BREAKER_CLOSED && share == 100 && !rests)
        return false;
    km_out_open(o, '{');
    km_out_member(o, "kind", km_str_c(kind));
    km_out_member(o, "name", name);
    if (model.n)
        km_out_member(o, "model", model);
    km_out_member(o, "state",
                  km_str_c(state != KM_BREAKER_CLOSED ? km_breaker_state_name(state)
                           : rests                    ? "rests"
                                                      : "ramps"));
    km_out_member_i64(o, "share_percent", state == KM_BREAKER_CLOSED ? (int64_t)share : 0);
    km_out_member_i64(o, "left_ms", (int64_t)km_breaker_left_ms(b, now_ms));
    km_out_close(o, '}');
    return true;
}

void km_breakers_json(const struct km_models *models, uint64_t now_ms, struct km_json_out *o)
{
    const struct km_cooldown_groups *groups = km_models_cooldown_groups(models);
    size_t shown = 0;

    km_out_open(o, '[');
    for (size_t i = 0; i < groups->n && shown < KM_BREAKERS_SHOWN; i++)
        if (groups->v[i].n > 1)
            shown += put("provider", groups->v[i].label, KM_STR_NONE,
                         &groups->v[i].breakers.breaker, now_ms, o);
    for (size_t i = 0; i < km_models_count(models) && shown < KM_BREAKERS_SHOWN; i++) {
        const struct km_deployment *d = km_models_at(models, i);

        shown += put("deployment", d->id, d->group, &d->breaker, now_ms, o);
    }
    km_out_close(o, ']');
}
