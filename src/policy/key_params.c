/* SPDX-License-Identifier: Apache-2.0 */
/* key_params.c - see key_params.h.
 *
 * Two sections with LiteLLM's members, each a struct km_key_params; admin/key_bounds.c heeds them.
 * A member that is none of these is told as any unknown one.  What LiteLLM would take from a
 * section and no row here has ends the start where it limits (km_key_params_check()): a limit that
 * nobody keeps is worse than none that is told.
 */
#include "policy/key_params.h"

#include "base/time.h"
#include "config/config.h"
#include "config/tree.h"

#define AT(member) offsetof(struct km_key_params, member)
#define COUNT(word, member, what)                                                                  \
    { .name = word,                                                                                \
      .type = KM_SET_INT,                                                                          \
      .offset = AT(member),                                                                        \
      .def = "-1",                                                                                 \
      .min = -1,                                                                                   \
      .max = INT64_MAX,                                                                            \
      .flags = KM_SET_SAFETY,                                                                      \
      .help = what }
#define OTHER(word, kind, member, what)                                                            \
    { .name = word, .type = kind, .offset = AT(member), .flags = KM_SET_SAFETY, .help = what }

static const struct km_setting defaults[] = {
    OTHER("max_budget", KM_SET_MONEY, max_budget, "USD of a new key that says none."),
    COUNT("rpm_limit", rpm, "Requests a minute of a new key that says none; -1: no limit."),
    COUNT("tpm_limit", tpm, "Tokens a minute of a new key that says none; -1: no limit."),
    COUNT("max_parallel_requests", max_parallel,
          "Calls at once of a new key that says none; -1: no limit."),
    OTHER("budget_duration", KM_SET_STR, budget_duration,
          "How long its budget's windows are where it does not say, such as 30d."),
    OTHER("duration", KM_SET_STR, duration, "How long a new key lives that does not say."),
    OTHER("user_id", KM_SET_STR, user_id, "Whose a new key is that does not say."),
    OTHER("team_id", KM_SET_STR, team_id, "Of which team a new key is that does not say."),
    OTHER("models", KM_SET_STR_LIST, models, "What a new key may use that lists no models."),
    { 0 },
};

static const struct km_setting bounds[] = {
    OTHER("max_budget", KM_SET_MONEY, max_budget,
          "Most USD that a key may be given; one that says none gets so many."),
    COUNT("rpm_limit", rpm,
          "Most requests a minute that a key may be given; one that says none gets so many."),
    COUNT("tpm_limit", tpm,
          "Most tokens a minute that a key may be given; one that says none gets so many."),
    COUNT("max_parallel_requests", max_parallel,
          "Most calls at once that a key may be given; one that says none gets so many."),
    OTHER("budget_duration", KM_SET_STR, budget_duration,
          "Longest windows that a key's budget may have; one that says none gets these."),
    OTHER("duration", KM_SET_STR, duration,
          "Longest life that a key may be given; one that says none gets it."),
    { 0 },
};

const struct km_settings_table km_key_default_table = {
    .section = "litellm_settings.default_key_generate_params",
    .rows = defaults,
    .size = sizeof(struct km_key_params),
    .extra = SIZE_MAX,
};

const struct km_settings_table km_key_most_table = {
    .section = "litellm_settings.upperbound_key_generate_params",
    .rows = bounds,
    .size = sizeof(struct km_key_params),
    .extra = SIZE_MAX,
};

/* --- what is no limit of a key, and would be one of a team --- */

struct teams {
    const struct km_node *settings;
};

static const struct km_setting teams[] = {
    { .name = "default_team_settings",
      .type = KM_SET_NODE,
      .offset = offsetof(struct teams, settings),
      .help = "Callbacks by team; kanmon runs no callbacks. A max_budget in its first entry, which "
              "LiteLLM gives to new teams, ends the start." },
    { 0 },
};

const struct km_settings_table km_team_default_table = {
    .section = "litellm_settings",
    .rows = teams,
    .size = sizeof(struct teams),
    .extra = SIZE_MAX,
};

static int check_length(struct km_str text, const char *name, struct km_err *err)
{
    int64_t seconds;

    if (!text.n || km_time_parse_duration(text, &seconds) == 0)
        return 0;
    return km_fail(err, KM_E_CONFIG,
                   "litellm_settings: '%.*s' is no %s of a key: it is a length of time, like 30d",
                   KM_STR_ARG(km_str_sub(text, 0, 80)), name);
}

static int check_params(const struct km_key_params *p, struct km_err *err)
{
    int r = check_length(p->budget_duration, "budget_duration", err);

    return r < 0 ? r : check_length(p->duration, "duration", err);
}

static int check_teams(const struct teams *t, struct km_err *err)
{
    const struct km_node *list = t->settings,
                         *first = list && list->type == KM_NODE_SEQ && list->n ? list->v[0] : NULL;

    for (size_t i = 0; first && first->type == KM_NODE_MAP && i < first->n; i++)
        if (km_str_eq(first->k[i]->text, KM_STR("max_budget")) && first->v[i]->type != KM_NODE_NULL)
            return km_fail(err, KM_E_CONFIG,
                           "litellm_settings.default_team_settings: LiteLLM gives the max_budget "
                           "of the first entry to new teams, and kanmon does not: say it in "
                           "/team/new, and take it out here");
    return 0;
}

int km_key_params_check(const struct km_config *config, struct km_err *err)
{
    int r = check_params(km_config_get(config, &km_key_default_table), err);

    if (r == 0)
        r = check_params(km_config_get(config, &km_key_most_table), err);
    return r < 0 ? r : check_teams(km_config_get(config, &km_team_default_table), err);
}
