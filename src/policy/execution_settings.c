/* SPDX-License-Identifier: Apache-2.0 */
/* execution_settings.c - ceilings of what a request may say of how it is carried out. */
#include "policy/execution.h"

#include "policy/retry.h"

#define TEXT_OF(n) #n
#define TEXT(n) TEXT_OF(n)

static const char *const owners[] = { "key", "team", NULL };

static const struct km_setting rows[] = {
    { .name = "max_retries",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_execution_settings, max_retries),
      .def = TEXT(KM_RETRIES_MOST),
      .min = 0,
      .max = KM_RETRIES_MOST,
      .help = "The most retries that a request may ask for (`maxRetries`, `num_retries`, "
              "`x-litellm-num-retries`). One that asks for more gets these, and "
              "`x-kanmon-adjusted` says so." },
    { .name = "batching",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_execution_settings, batching),
      .def = "false",
      .help = "Requests for embeddings that come while one like them is with the upstream are sent "
              "together: up to five, or as many as came in a second, or since it was answered. "
              "`enableBatching` says otherwise for one request." },
    { .name = "batching_by",
      .type = KM_SET_ENUM,
      .offset = offsetof(struct km_execution_settings, batching_by),
      .def = "key",
      .choices = owners,
      .help = "Whose requests may be sent together: those of one `key`, or of one `team`." },
    { 0 },
};

const struct km_settings_table km_execution_settings_table = {
    .section = "kanmon_settings.performance",
    .rows = rows,
    .size = sizeof(struct km_execution_settings),
    .extra = SIZE_MAX,
};
