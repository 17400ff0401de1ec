/* SPDX-License-Identifier: Apache-2.0 */
/* fake_models.c - see fake_models.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_models.h"

#include "call/metrics.h"

struct fake_models t;

/* --- what counts by deployment is not of this test --- */

void __wrap_km_count_call(struct km_call *call);
void __wrap_km_count_attempt_failed(struct km_call *call);

void __wrap_km_count_call(struct km_call *call)
{
    (void)call;
}

void __wrap_km_count_attempt_failed(struct km_call *call)
{
    (void)call;
}

/* --- a kind that asks deployments --- */

static int prepare(struct km_call *call, struct km_err *err)
{
    (void)err;
    static const struct km_llm_api no_text = { .wire = KM_WIRE_EMBEDDING };

    /* Nobody writes: however slow the machine is, its time stands for no tokens. */
    call->req = (struct km_llm_request){
        .api = &no_text, .max_tokens = -1, .choices = 1, .num_retries = 2
    };
    call->match.v = t.candidates;
    call->match.n = t.deployments;
    call->priced = true;
    return 0;
}

static int reserve(struct km_call *call, struct km_err *err)
{
    (void)err;
    call->reserve = t.each;
    call->reserve_input = INPUT;
    call->reserve_output = OUTPUT;
    return 0;
}

static void opened(void *ctx, struct km_flight *flight)
{
    (void)ctx;
    t.flight = flight;
}

static void closed(void *ctx)
{
    (void)ctx;
    t.flight = NULL;
}

static void done(void *ctx)
{
    (void)ctx;
    t.flights_done++;
}

static int attempt(struct km_call *call, struct km_err *err)
{
    static struct km_flight_args args;

    if (t.waits && call->beside) {
        t.waits = false;
        t.waiting = true;
        return KM_E_AGAIN;
    }
    call->at->out = (struct km_http_request){ .method = KM_STR("POST"), .target = KM_STR("/v1") };
    if (!t.shares)
        return 0;
    if (t.flight)
        return km_attempt_join(call, t.flight, t.weight, err);
    args = (struct km_flight_args){
        .weight = t.weight, .opened = opened, .closed = closed, .done = done
    };
    call->at->opens = &args;
    return 0;
}

static void on_head(struct km_call *call, const struct km_response *response)
{
    (void)call;
    (void)response;
}

static void abandon(struct km_call *call)
{
    if (call->step == KM_STEP_route)
        t.waiting = false;
}

static int complete(struct km_call *call, struct km_err *err)
{
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (!call->parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->parts[0] = km_buf_view(&call->at->answer);
    call->nparts = 1;
    t.served++;
    return 0;
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    bool whole = call->nparts > 0 && call->at->answer.n > 0;

    *ret = (struct km_usage){ .prompt_tokens = INPUT,
                              .completion_tokens = whole ? OUTPUT : 0,
                              .known = whole };
}

static const struct km_call_hooks no_hooks;

static struct km_call_kind *kind_of_models(void)
{
    static struct km_call_kind kind;

    kind = (struct km_call_kind){ .name = "fake",
                                  .call_type = "fake",
                                  .repeats = true,
                                  .prepare = prepare,
                                  .reserve = reserve,
                                  .attempt = attempt,
                                  .on_head = on_head,
                                  .complete = complete,
                                  .usage = usage,
                                  .abandon = abandon };
    return &kind;
}

bool begin_world(void)
{
    static const struct km_price price = KM_PRICE_NONE;

    if (!make_world())
        return false;
    memset(&t, 0, sizeof t);
    t.weight = 1;
    t.deployments = DEPLOYMENTS;
    t.each = EACH;
    http_forget();
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct km_deployment *d = &t.d[i];

        d->id = d->group = d->provider_name = KM_STR("a deployment");
        d->num_retries = -1;
        d->price = price;
        d->price.input = d->price.output = 1000;
        t.candidates[i] = (struct km_candidate){
            .weight = 1, .order = (int64_t)i, .breaker = &d->breaker, .deployment = d
        };
    }
    f.args.hooks = &no_hooks;
    f.visit.came_us = 1;
    f.place = PLACES;
    return true;
}

struct km_call *begin_call(struct km_port *port)
{
    struct km_call *call = km_call_new(&f.w, kind_of_models(), ARENA_BYTES);

    if (!call)
        return NULL;
    km_call_take_port(call, &f.visit, port);
    f.call = call;
    km_call_start(call);
    return call;
}
