/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - rows of kanmon_settings for what goes below a provider's prefix. */
#include "gateway/prefix/settings.h"

#define AT(member) offsetof(struct km_prefix_settings, member)

static const char *const prefix_models[] = { "any", "listed", NULL };

static const struct km_setting prefix_rows[] = {
    { .name = "prefix_models",
      .type = KM_SET_ENUM,
      .offset = AT(models),
      .def = "any",
      .choices = prefix_models,
      .flags = KM_SET_SAFETY,
      .help = "Below a provider's prefix (/openai, /anthropic, ...): `any` of the provider's "
              "models that the key's own list allows, or only those `listed` in model_list." },
    { .name = "prefix_unlisted_paths",
      .type = KM_SET_BOOL,
      .offset = AT(unlisted_paths),
      .help = "Virtual keys may use any path below a provider's prefix: files, batches and stored "
              "answers of the whole account too, uncounted." },
    { 0 },
};

const struct km_settings_table km_prefix_settings_table = {
    .section = "kanmon_settings",
    .rows = prefix_rows,
    .size = sizeof(struct km_prefix_settings),
    .extra = SIZE_MAX,
};
