/* SPDX-License-Identifier: Apache-2.0 */
/* execution_settings.c - ceilings of what a request may say of how it is carried out. */
#include "policy/execution.h"

#include "policy/retry.h"

#define TEXT_OF(n) #n
#define TEXT(n) TEXT_OF(n)

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
    { 0 },
};

const struct km_settings_table km_execution_settings_table = {
    .section = "kanmon_settings.performance",
    .rows = rows,
    .size = sizeof(struct km_execution_settings),
    .extra = SIZE_MAX,
};
