/* SPDX-License-Identifier: Apache-2.0 */
/* probe_settings.c - health checks in the background: what the configuration says of them.
 *
 * The names are LiteLLM's, and so is their place among general_settings.  Whether routing heeds
 * them may stand among router_settings as well, where LiteLLM's router reads it: two tables, and
 * one of the two is enough.  What single deployments say of theirs are rows of model_info.
 */
#include "gateway/llm/probe.h"

#define AT(member) offsetof(struct km_probe_settings, member)
#define ROUTES                                                                                     \
    "A deployment whose last health check failed gets no calls, until one went well, as long as "  \
    "another of its group can take them."

static const struct km_setting rows[] = {
    { .name = "background_health_checks",
      .type = KM_SET_BOOL,
      .offset = AT(on),
      .help = "Asks each deployment something small now and then. Each costs a few tokens and has "
              "a row in the ledger." },
    { .name = "health_check_interval",
      .type = KM_SET_MS,
      .offset = AT(interval_ms),
      .def = "300s",
      .min = 10,
      .max = 86400000,
      .help = "Seconds in which each deployment is asked once; they are asked one after the other, "
              "evenly." },
    { .name = "health_check_concurrency",
      .type = KM_SET_INT,
      .offset = AT(concurrency),
      .def = "4",
      .min = 1,
      .max = 64,
      .help = "How many health checks run at once." },
    { .name = "health_check_details",
      .type = KM_SET_BOOL,
      .offset = AT(details),
      .def = "true",
      .help = "false: /health names the model of each deployment and nothing else." },
    { .name = "background_health_check_model_groups",
      .type = KM_SET_STR_LIST,
      .offset = AT(groups),
      .help = "Only the deployments of these model groups are asked." },
    { .name = "enable_health_check_routing",
      .type = KM_SET_BOOL,
      .offset = AT(routes),
      .help = ROUTES },
    { 0 },
};

const struct km_settings_table km_probe_settings_table = {
    .section = "general_settings",
    .rows = rows,
    .size = sizeof(struct km_probe_settings),
    .extra = SIZE_MAX,
};

static const struct km_setting router_rows[] = {
    { .name = "enable_health_check_routing",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_probe_routing, routes),
      .help = ROUTES },
    { 0 },
};

const struct km_settings_table km_probe_routing_table = {
    .section = "router_settings",
    .rows = router_rows,
    .size = sizeof(struct km_probe_routing),
    .extra = SIZE_MAX,
};
