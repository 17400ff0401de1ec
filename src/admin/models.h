/* SPDX-License-Identifier: Apache-2.0 */
/* models.h - LiteLLM's management of models: /model/new and its like. */
#ifndef KM_ADMIN_MODELS_H
#define KM_ADMIN_MODELS_H

struct km_route_rows;
struct km_settings_table;

extern const struct km_route_rows km_model_routes;
extern const struct km_settings_table km_model_admin_table; /* general_settings */

#endif
