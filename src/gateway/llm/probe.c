/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - see probe.h for the contract.
 *
 *     timer ──> the next deployment ──> a call of the gateway's own, by the deployment's id
 *       ^                                  └ ended: its state, and with health_check_routing
 *       └── interval / deployments             its breaker, say how it is
 *
 * The first worker asks for all.  A check is a call like any other (call/ask.h): its row, its
 * price, its breaker; only that no key pays for it, and that nothing is tried again.  What calls
 * nobody, or would cost more than a few tokens (images, audio), is not asked.
 */
#include "gateway/llm/probe.h"

#include <stdlib.h>

#include "call/ask.h"
#include "gateway/llm/kind.h"
#include "gateway/llm/own.h"
#include "llm/cooldown.h"

#define PROBE_BYTES ((size_t)64 * 1024)
#define IDLE_MS 1000 /* until it is looked whether there is something to ask for now */

struct prober {
    struct km_worker *w;
    struct km_timer timer;
    struct km_list open; /* of struct probe */
    int64_t nopen;
    size_t at; /* whose turn it is */
    bool ending;
};

struct probe {
    struct km_list link;
    struct prober *p;
    struct km_arena arena; /* holds it, its visit and what that refers to */
    struct km_visit *visit;
    struct km_asker asker;
    struct km_question *question;
    struct km_deployment *d;
    int status;
};

/* --- who is asked --- */

struct turn {
    const struct km_models *models;
    const struct km_probe_settings *settings;
};

static bool is_listed(const struct km_str_list *groups, struct km_str name)
{
    for (size_t i = 0; i < groups->n; i++)
        if (km_str_eq(groups->v[i], name))
            return true;
    return groups->n == 0;
}

static bool is_vectors(const struct km_deployment *d)
{
    return km_str_eq(d->check.mode, KM_STR("embedding"));
}

static bool may_be_asked(const void *ctx, size_t i)
{
    const struct turn *t = ctx;
    const struct km_deployment *d = km_models_at(t->models, i);

    if (d->check.off || d->unavailable.n || d->mock_response.n || !d->origin ||
        !is_listed(&t->settings->groups, d->group))
        return false;
    if (km_deployment_has_star(d) && !d->check.model.n)
        return false;
    return !d->check.mode.n || is_vectors(d) || km_str_eq(d->check.mode, KM_STR("chat"));
}

static size_t count_asked(const struct turn *t)
{
    size_t n = 0;

    for (size_t i = 0; i < km_models_count(t->models); i++)
        n += may_be_asked(t, i);
    return n;
}

/* --- what is asked --- */

static void put_body(const struct km_deployment *d, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"model\":"));
    km_buf_json(out, km_deployment_has_star(d) ? d->check.model : d->id);
    if (is_vectors(d))
        km_buf_str(out, KM_STR(",\"input\":[\"hi\"]"));
    else
        km_buf_printf(out,
                      ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":%lld",
                      (long long)d->check.max_tokens);
    km_buf_printf(out, ",\"num_retries\":0,\"disable_fallbacks\":true,\"timeout\":%lld.%03lld}",
                  (long long)d->check.timeout_ms / 1000, (long long)d->check.timeout_ms % 1000);
}

/* --- what came of it --- */

static void on_head(void *ctx, int status, struct km_str lines)
{
    struct probe *probe = ctx;

    (void)lines;
    probe->status = status;
}

/* One that is ill gets no calls until a check goes well, which is asked for all the same. */
static void let_rest(const struct probe *probe, uint64_t now_ms)
{
    const struct km_config *config = probe->visit->view->snap->config;
    const struct km_probe_settings *s = km_config_get(config, &km_probe_settings_table);
    const struct km_probe_routing *r = km_config_get(config, &km_probe_routing_table);
    const struct km_breaker_settings at_once = { .failures = 1,
                                                 .open_ms = 2 * s->interval_ms,
                                                 .never = probe->d->breaking->never };

    if ((s->routes || r->routes) && km_probing_judge(probe->status) == KM_PROBE_ILL)
        (void)km_breaker_fail(&probe->d->breaker, &at_once, KM_FAILURE_OTHER, now_ms);
}

static void probe_free(struct probe *probe)
{
    struct km_arena arena = probe->arena;

    km_list_remove(&probe->link);
    probe->p->nopen--;
    km_arena_done(&arena);
}

static void on_done(void *ctx, const struct km_err *err)
{
    struct probe *probe = ctx;
    const uint64_t now_ms = km_loop_now_ms(probe->p->w->loop);

    if (err)
        probe->status = 0;
    if (!probe->p->ending) {
        km_probing_tell(&probe->d->checked, probe->status, now_ms);
        let_rest(probe, now_ms);
    }
    probe_free(probe);
}

static const struct km_answer_events events = { .on_head = on_head, .on_done = on_done };

/* --- a round --- */

static void ask(struct prober *p, struct km_deployment *d)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(PROBE_BYTES);
    struct km_arena arena;
    struct probe *probe;
    struct km_err err;

    km_arena_init(&arena, PROBE_BYTES, NULL);
    probe = km_arena_zalloc(&arena, sizeof *probe);
    if (!probe) {
        km_arena_done(&arena);
        return;
    }
    probe->p = p;
    probe->d = d;
    probe->arena = arena;
    km_list_init(&probe->link);
    km_list_push(&p->open, &probe->link);
    p->nopen++;
    probe->visit = km_own_visit(p->w, &probe->arena);
    probe->asker.visit = probe->visit;
    put_body(d, &body);
    if (!probe->visit || km_buf_failed(&body) ||
        km_ask_call(&probe->asker, &km_kind_own, is_vectors(d) ? &km_api_embedding : &km_api_chat,
                    &(struct km_question_args){ .path = is_vectors(d)
                                                            ? KM_STR("/v1/embeddings")
                                                            : KM_STR("/v1/chat/completions"),
                                                .body = km_buf_view(&body) },
                    &events, probe, &probe->question, &err) < 0)
        probe_free(probe);
}

/* While another process holds the counters what this one spends would be nobody's. */
static bool may_ask(const struct prober *p, const struct km_probe_settings *s)
{
    return s->on && !p->w->draining && !p->w->frozen && p->nopen < s->concurrency;
}

static void on_timer(void *ctx)
{
    struct prober *p = ctx;
    const struct km_snapshot *snap = p->w->view->snap;
    const struct turn turn = { .models = snap->models,
                               .settings = km_config_get(snap->config, &km_probe_settings_table) };
    const size_t n = turn.settings->on ? km_models_count(turn.models) : 0;
    const size_t asked = n ? count_asked(&turn) : 0;

    if (asked && may_ask(p, turn.settings)) {
        p->at = km_probing_next(p->at, n, may_be_asked, &turn);
        ask(p, km_models_at(turn.models, p->at));
        p->at++;
    }
    km_timer_start(&p->timer, asked ? km_probing_gap_ms((uint64_t)turn.settings->interval_ms, asked)
                                    : IDLE_MS);
}

/* --- life --- */

static int prober_init(struct km_worker *w, void **ret_state, struct km_err *err)
{
    struct prober *p;

    if (w->index > 0)
        return 0;
    p = calloc(1, sizeof *p);
    if (!p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    p->w = w;
    km_list_init(&p->open);
    km_timer_init(&p->timer, w->loop, on_timer, p);
    km_timer_start(&p->timer, KM_PROBE_LEAST_MS);
    *ret_state = p;
    return 0;
}

static void prober_end(struct km_worker *w, void *state)
{
    struct prober *p = state;

    (void)w;
    if (!p)
        return;
    p->ending = true;
    km_timer_stop(&p->timer);
    KM_LIST_EACH(node, &p->open)
    {
        struct probe *probe = KM_CONTAINER(node, struct probe, link);

        km_question_cancel(probe->question);
        probe_free(probe);
    }
}

static void prober_free(void *state)
{
    struct prober *p = state;

    if (!p)
        return;
    km_timer_stop(&p->timer);
    free(p);
}

static const char place KM_MODULE_PLACE;

const struct km_module km_probe_module = {
    .name = "health checks",
    .place = &place,
    .worker_init = prober_init,
    .worker_end = prober_end,
    .worker_free = prober_free,
};
