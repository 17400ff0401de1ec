/* SPDX-License-Identifier: Apache-2.0 */
/* routes.h - conditional routes as they are configured (policy/route_rule.h). */
#ifndef KM_LLM_ROUTES_H
#define KM_LLM_ROUTES_H

#include "config/config.h"
#include "policy/route_rule.h"

struct km_models;

struct km_route_settings { /* kanmon_settings.routes */
    struct km_table_list rules; /* of struct km_route_rule */
};
extern const struct km_settings_table km_route_settings_table;

/* They live as long as the configuration. */
struct km_route_rules km_routes_read(const struct km_config *config);
/* Says what is wrong with them, each where it stands: errors. */
void km_routes_check(const struct km_route_rules *rules, const struct km_models *models,
                     struct km_diags *diags);

#endif
