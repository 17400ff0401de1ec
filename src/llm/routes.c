/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - the rows of kanmon_settings.routes, and whether they can be followed.
 *
 *     routes:
 *       - name: long                    - name: canary
 *         models: [chat]                  models: [chat]
 *         tokens_at_least: 30000          split: [{to: chat-new, percent: 5}]
 *         to: chat-long                   sticky: session
 *
 * A rule that leads nowhere, or gives away more than there is, does not load: it would send calls
 * where its author did not want them.  A condition that is misspelled does not either, for without
 * it the rule would hold for everybody.
 */
#include "llm/routes.h"

#include "config/tree.h"
#include "llm/model.h"

#define AT(member) offsetof(struct km_route_part, member)

static const struct km_setting part_rows[] = {
    { .name = "to", .type = KM_SET_STR, .offset = AT(to), .flags = KM_SET_REQUIRED,
      .help = "A model group, an alias of one or a deployment's id." },
    { .name = "percent", .type = KM_SET_INT, .offset = AT(percent), .flags = KM_SET_REQUIRED,
      .min = 0, .max = 100, .help = "How many of a hundred calls go there." },
    { 0 },
};

static const struct km_settings_table part_table = {
    .rows = part_rows, .size = sizeof(struct km_route_part), .extra = SIZE_MAX
};

#undef AT
#define AT(member) offsetof(struct km_route_rule, member)

static const char *const sticky[] = { "none", "key", "session", NULL };

static const struct km_setting rule_rows[] = {
    { .name = "name", .type = KM_SET_STR, .offset = AT(name), .flags = KM_SET_REQUIRED,
      .help = "How it is called in the answer's x-kanmon-route and in the log." },
    { .name = "models", .type = KM_SET_STR_LIST, .offset = AT(models),
      .help = "Calls for one of these models; `*` stands for any characters." },
    { .name = "keys", .type = KM_SET_STR_LIST, .offset = AT(keys),
      .help = "Calls of a key with one of these aliases." },
    { .name = "teams", .type = KM_SET_STR_LIST, .offset = AT(teams),
      .help = "Calls of a key of one of these teams, by id." },
    { .name = "headers", .type = KM_SET_STR_MAP, .offset = AT(headers),
      .help = "Calls that have all of these header fields; values may have `*`." },
    { .name = "metadata", .type = KM_SET_STR_MAP, .offset = AT(metadata),
      .help = "Calls whose `metadata` has all of these members." },
    { .name = "tokens_at_least", .type = KM_SET_INT, .offset = AT(tokens_from), .def = "-1",
      .min = -1, .max = KM_LLM_TOKENS_MOST,
      .help = "Calls whose prompt has so many tokens, by estimate." },
    { .name = "tokens_at_most", .type = KM_SET_INT, .offset = AT(tokens_to), .def = "-1",
      .min = -1, .max = KM_LLM_TOKENS_MOST, .help = "Calls whose prompt has no more tokens." },
    { .name = "to", .type = KM_SET_STR, .offset = AT(to),
      .help = "The model group that all of them go to, an alias of one or a deployment's id." },
    { .name = "split", .type = KM_SET_TABLE_LIST, .offset = AT(split), .table = &part_table,
      .help = "Instead, parts of them: `[{to, percent}]`. The rest stays with the model that was "
              "asked for." },
    { .name = "substitutes", .type = KM_SET_STR_LIST, .offset = AT(substitutes),
      .help = "Under cost_optimization.prefer_cost_efficient_models: models that may serve these "
              "calls as well, where they are cheaper and good enough." },
    { .name = "sticky", .type = KM_SET_ENUM, .offset = AT(sticky), .choices = sticky,
      .def = "none", .help = "Who always has the same part of a split: a key, or a session." },
    { 0 },
};

#undef AT

static const struct km_settings_table rule_table = {
    .rows = rule_rows,
    .size = sizeof(struct km_route_rule),
    .extra = offsetof(struct km_route_rule, node),
};

static const struct km_setting rows[] = {
    { .name = "routes", .type = KM_SET_TABLE_LIST, .table = &rule_table,
      .offset = offsetof(struct km_route_settings, rules), .flags = KM_SET_SAFETY,
      .help = "Calls that go to another model group than the one they ask for, by what they come "
              "with. The first rule whose conditions all hold decides." },
    { 0 },
};

const struct km_settings_table km_route_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_route_settings),
    .extra = SIZE_MAX,
};

struct km_route_rules km_routes_read(const struct km_config *config)
{
    const struct km_route_settings *s = km_config_get(config, &km_route_settings_table);
    struct km_route_rules rules = { .v = s->rules.v, .n = s->rules.n };

    for (size_t i = 0; i < rules.n; i++)
        rules.counts = rules.counts || rules.v[i].tokens_from >= 0 || rules.v[i].tokens_to >= 0;
    return rules;
}

/* --- can they be followed? --- */

/* The value where the rule has it, else the rule. */
static const struct km_node *place_of(const struct km_route_rule *r, const char *member)
{
    const struct km_node *at = km_node_get(r->node, km_str_c(member));

    return at ? at : r->node;
}

static void check_target(const struct km_route_rule *r, struct km_str to, const struct km_node *at,
                         const struct km_models *models, struct km_diags *diags)
{
    struct km_model_match ignored;

    if (km_models_find(models, to, &ignored, NULL) < 0)
        km_diag_add(diags, KM_DIAG_ERROR, "E0308", at, "name a model_name of model_list",
                    "route '%.*s' leads to model '%.*s', and there is no such model",
                    KM_STR_ARG(r->name), KM_STR_ARG(to));
}

static void check_split(const struct km_route_rule *r, const struct km_models *models,
                        struct km_diags *diags)
{
    const struct km_node *at = place_of(r, "split");
    const struct km_route_part *parts = r->split.v;
    int64_t sum = 0;

    for (size_t i = 0; i < r->split.n; i++) {
        check_target(r, parts[i].to, i < at->n && at->type == KM_NODE_SEQ ? at->v[i] : at, models,
                     diags);
        sum += parts[i].percent;
    }
    if (sum > 100)
        km_diag_add(diags, KM_DIAG_ERROR, "E0308", at, "let the parts sum to at most 100",
                    "route '%.*s' gives away %lld per cent", KM_STR_ARG(r->name), (long long)sum);
}

static void check_rule(const struct km_route_rule *r, const struct km_models *models,
                       struct km_diags *diags)
{
    if ((r->to.n && r->split.n) || (!r->to.n && !r->split.n && !r->substitutes.n))
        km_diag_add(diags, KM_DIAG_ERROR, "E0308", r->node,
                    "write `to: model`, or `split: [{to, "
                    "percent}]`",
                    "route '%.*s' must have either `to` or `split`", KM_STR_ARG(r->name));
    if (r->tokens_from >= 0 && r->tokens_to >= 0 && r->tokens_from > r->tokens_to)
        km_diag_add(diags, KM_DIAG_ERROR, "E0308", place_of(r, "tokens_at_most"),
                    "let tokens_at_most be the larger one",
                    "route '%.*s' holds for no call: tokens_at_least is above tokens_at_most",
                    KM_STR_ARG(r->name));
    if (r->to.n)
        check_target(r, r->to, place_of(r, "to"), models, diags);
    check_split(r, models, diags);
    for (size_t i = 0; i < r->substitutes.n; i++)
        check_target(r, r->substitutes.v[i], place_of(r, "substitutes"), models, diags);
}

void km_routes_check(const struct km_route_rules *rules, const struct km_models *models,
                     struct km_diags *diags)
{
    for (size_t i = 0; i < rules->n; i++)
        check_rule(&rules->v[i], models, diags);
}
