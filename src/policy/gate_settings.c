/* SPDX-License-Identifier: Apache-2.0 */
/* gate_settings.c - what the configuration file may say about waiting in line.
 *
 * How many calls run at once is said beside what bounds them: max_parallel_requests of a
 * deployment (LiteLLM's), max_concurrency of an MCP server.
 */
#include "policy/gate_settings.h"

static const char *const priorities[] = { "low", "medium", "high", "critical", NULL };

#define AT(member) offsetof(struct km_gate_settings, member)

static const struct km_setting rows[] = {
    { .name = "queue_length",
      .type = KM_SET_INT,
      .offset = AT(length),
      .def = "1000",
      .min = 0,
      .max = 100000,
      .help = "Most calls that wait in line for one deployment or MCP server; one more has the "
              "last of the lowest priority refused, or is refused itself (429)." },
    { .name = "queue_timeout",
      .type = KM_SET_MS,
      .offset = AT(wait_ms),
      .def = "30s",
      .min = 0,
      .max = 3600000,
      .help = "How long a call waits in line at most, as far as its own time allows; then it is "
              "refused (429)." },
    { .name = "rate_limit_pacing",
      .type = KM_SET_BOOL,
      .offset = AT(paces),
      .def = "true",
      .help = "Calls wait for what a provider says of its limits (x-ratelimit-*, "
              "anthropic-ratelimit-*, 429), rather than run into them." },
    { .name = "default_priority",
      .type = KM_SET_ENUM,
      .offset = AT(default_priority),
      .def = "medium",
      .choices = priorities,
      .help = "Of calls that have none, and whose key has none." },
    { .name = "priority_ceiling",
      .type = KM_SET_ENUM,
      .offset = AT(ceiling),
      .def = "high",
      .choices = priorities,
      .help = "The highest priority that a caller can ask for, where the metadata of its key has "
              "no priority_ceiling; what is higher is lowered to it." },
    { 0 },
};

const struct km_settings_table km_gate_settings_table = {
    .section = "kanmon_settings.performance",
    .rows = rows,
    .size = sizeof(struct km_gate_settings),
    .extra = SIZE_MAX,
};
