/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_settings.c - what shadows of calls may cost. */
#include "gateway/llm/mirror.h"

#define AT(member) offsetof(struct km_mirror_settings, member)

static const struct km_setting rows[] = {
    { .name = "budget",
      .type = KM_SET_MONEY,
      .offset = AT(budget),
      .help = "USD that the shadows of calls (litellm_params.silent_model) may cost. Without it no "
              "silent_model loads." },
    { .name = "budget_duration",
      .type = KM_SET_SECONDS,
      .offset = AT(duration_s),
      .def = "0",
      .min = 0,
      .max = 315360000,
      .help = "How often the budget starts again: `1d`, `30d`; 0: never." },
    { .name = "concurrency",
      .type = KM_SET_INT,
      .offset = AT(concurrency),
      .def = "8",
      .min = 1,
      .max = 1000,
      .help = "How many shadows a worker asks for at once; one more is dropped." },
    { 0 },
};

const struct km_settings_table km_mirror_settings_table = {
    .section = "kanmon_settings.mirror",
    .rows = rows,
    .size = sizeof(struct km_mirror_settings),
    .extra = SIZE_MAX,
};
