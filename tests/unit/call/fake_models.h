/* SPDX-License-Identifier: Apache-2.0 */
/* fake_models.h - a kind that asks deployments, in the world of fake_call.h; what they answer is
 * played by fake_http.h.  Linked with --wrap for km_count_call and km_count_attempt_failed: what
 * counts by deployment is not of these tests. */
#ifndef TESTS_CALL_FAKE_MODELS_H
#define TESTS_CALL_FAKE_MODELS_H

#include "fake_call.h"
#include "fake_http.h"
#include "call/flight.h"

#define DEPLOYMENTS 3
#define EACH (BUDGET / 10) /* reserved for one attempt */
#define INPUT 100 /* tokens, a nano-dollar each */
#define OUTPUT 50

struct fake_models {
    struct km_deployment d[DEPLOYMENTS];
    struct km_candidate candidates[DEPLOYMENTS];
    size_t deployments;
    int64_t each; /* reserved for one attempt */
    unsigned served; /* answers that were read to their end */
    unsigned left_behind; /* requests that broke */
    bool waits; /* what makes an attempt waits, once */
    bool waiting;
    struct km_flight *flight; /* open: others may join */
    bool shares; /* requests are sent so that they may */
    unsigned flights_done;
    int64_t weight;
};

extern struct fake_models t;

bool begin_world(void); /* make_world() with the deployments; false: there was no memory for it */
/* NULL: there was no memory for it. */
struct km_call *begin_call(struct km_port *port);

#endif
