/* SPDX-License-Identifier: Apache-2.0 */
/* key_settings.c - what the configuration file may say about keys and their budgets.
 *
 * The rows stand in kanmon_settings.
 * budget_mode `reserve` is ours and the default; `litellm` is what LiteLLM does, where calls
 * that run at once may together spend far more than the budget.
 */
#include "policy/key.h"

static const char *const modes[] = { "reserve", "litellm", NULL };

static const struct km_setting rows[] = {
    { .name = "max_keys",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_key_settings, max_keys),
      .def = "100000",
      .min = 1,
      .max = 10000000,
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "Most virtual keys held in memory; making one more is refused." },
    { .name = "max_accounts",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_key_settings, max_accounts),
      .def = "100000",
      .min = 1,
      .max = 10000000,
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "Most organisations, teams, users, members, end users, tags and budgets held in "
              "memory, together; making one more is refused." },
    { .name = "budget_mode",
      .type = KM_SET_ENUM,
      .offset = offsetof(struct km_key_settings, budget_mode),
      .def = "reserve",
      .choices = modes,
      .flags = KM_SET_SAFETY,
      .help = "`reserve` takes what a call may cost from the budget before it starts, and of a "
              "stream more while it comes, so that calls at once cannot spend the same money; "
              "`litellm` only asks whether spend is below max_budget." },
    { .name = "unknown_max_output_tokens",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_key_settings, unknown_max_output),
      .def = "131072",
      .min = 16,
      .max = 10000000,
      .help = "Output tokens that a call of a key with a budget reserves where neither the caller "
              "nor the model's data bound them. They are not sent as a bound while what is left of "
              "the budget covers them." },
    { .name = "allow_unpriced",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_key_settings, allow_unpriced),
      .def = "false",
      .help = "Whether a key with a budget may use a model whose price is not known; such calls "
              "are recorded as unpriced and cost nothing." },
    { .name = "apply_user_budget_to_team_keys",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_key_settings, user_of_team_key_pays),
      .def = "false",
      .flags = KM_SET_SAFETY,
      .help = "Whether a user's own budget refuses calls of keys that belong to a team; such calls "
              "are added to what the user spent in any case." },
    { .name = "default_max_parallel_requests",
      .type = KM_SET_INT,
      .offset = offsetof(struct km_key_settings, default_max_parallel),
      .def = "-1",
      .min = -1,
      .max = 1000000,
      .flags = KM_SET_SAFETY,
      .help = "Calls at once of a key that names no max_parallel_requests; -1 or 0: no limit." },
    { 0 },
};

const struct km_settings_table km_key_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_key_settings),
    .extra = SIZE_MAX,
};
