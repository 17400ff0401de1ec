/* SPDX-License-Identifier: Apache-2.0 */
/* breaker_settings.c - what the configuration file may say about circuit breakers.
 *
 * The rows stand in kanmon_settings.performance beside the other switches of the optimisation
 * layer kanmon replaces, so that a file taken over from it keeps one section.  The defaults are
 * its own: five failures in a row, thirty seconds.
 */
#include "policy/breaker.h"

static const struct km_setting rows[] = {
    { .name = "circuit_breaker_failures",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_breaker_settings, failures),
      .def = "5",
      .min = 1,
      .max = 1000000,
      .help = "Failures in a row after which an upstream is left alone for a while." },
    { .name = "circuit_breaker_open_time",
      .type = KM_SET_MS,
      .offset = offsetof(struct km_breaker_settings, open_ms),
      .def = "30s",
      .min = 1,
      .max = 86400000,
      .help = "How long an upstream is left alone before one call probes whether it works again." },
    { .name = "circuit_breaker_failure_rate",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_breaker_settings, rate_percent),
      .def = "0",
      .min = 0,
      .max = 100,
      .help = "Per cent of the outcomes of the last 10 seconds that, when they are failures, have "
              "an upstream left alone too; 0: no rate does." },
    { .name = "circuit_breaker_minimum_requests",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_breaker_settings, rate_least),
      .def = "20",
      .min = 1,
      .max = 1000000,
      .help = "Outcomes in 10 seconds before circuit_breaker_failure_rate counts." },
    { .name = "circuit_breaker_deployments",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_breaker_settings, deployments),
      .def = "2",
      .min = 0,
      .max = 64,
      .help = "Deployments of one provider that have to be left alone, while none of it answers "
              "well, for all of them to be; 0: each by itself." },
    { .name = "circuit_breaker_ramp",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_breaker_settings, ramps),
      .def = "true",
      .help = "An upstream that works again gets 10, 25 and 50 per cent of its share, ten seconds "
              "each, while others of its group can take the rest." },
    { 0 },
};

const struct km_settings_table km_breaker_settings_table = {
    .section = "kanmon_settings.performance",
    .rows = rows,
    .size = sizeof(struct km_breaker_settings),
    .extra = SIZE_MAX,
};
