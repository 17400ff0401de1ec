/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - what the program is made of, listed once: settings, routes, modules; its hooks are in
 * hooks.c.
 *
 * A module owns its rows; a line here is all it takes for them to be parsed, checked, printed in
 * the schema and the reference, or served.
 */
#include "app/builtins.h"
#include "app/cli.h"

#include "admin/accounts.h"
#include "admin/admin.h"
#include "admin/approvals.h"
#include "admin/control.h"
#include "admin/daily.h"
#include "admin/keys.h"
#include "admin/mcp.h"
#include "admin/mcp_pins.h"
#include "admin/mcp_servers.h"
#include "admin/models.h"
#include "admin/audit.h"
#include "admin/budgets.h"
#include "admin/spend.h"
#include "config/config.h"
#include "config/litellm.h"
#include "gateway/llm/kind.h"
#include "gateway/llm/mirror.h"
#include "gateway/llm/probe.h"
#include "kept/answers.h"
#include "door/auth.h"
#include "call/call.h"
#include "door/jwt/auth.h"
#include "gateway/llm/routes.h"
#include "gateway/media/media.h"
#include "gateway/realtime/realtime.h"
#include "gateway/mcp/chat.h"
#include "gateway/mcp/hub.h"
#include "gateway/mcp/manage.h"
#include "gateway/mcp/oauth.h"
#include "call/metrics.h"
#include "call/place.h"
#include "call/run.h"
#include "policy/gate_settings.h"
#include "kept/file_refs.h"
#include "kept/together.h"
#include "policy/execution.h"
#include "kept/made.h"
#include "gateway/objects/objects.h"
#include "gateway/objects/poll.h"
#include "kept/other_models.h"
#include "kept/things.h"
#include "door/oauth/oauth.h"
#include "gateway/llm/translate.h"
#include "gateway/mcp/chat_settings.h"
#include "gateway/pass/pass.h"
#include "gateway/pass/settings.h"
#include "gateway/prefix/prefix.h"
#include "gateway/prefix/settings.h"
#include "host/settings.h"
#include "http/server.h"
#include "llm/model_settings.h"
#include "llm/routes.h"
#include "mcp/view/search.h"
#include "mcp/session/session.h"
#include "mcp/upstream/upstream.h"
#include "mcp/view/virtual.h"
#include "net/pool.h"
#include "ops/health.h"
#include "policy/account_settings.h"
#include "policy/caller_settings.h"
#include "policy/economy.h"
#include "policy/gateway_budget.h"
#include "policy/key.h"
#include "policy/key_params.h"
#include "servers/mcp_routes.h"
#include "store/store.h"

#define TABLE(prefix) &prefix##_own_table,

const struct km_settings_table *const km_app_tables[] = {
    &km_model_settings_table, &km_llm_defaults_table, &km_router_settings_table,
    &km_general_settings_table, &km_pass_settings_table, &km_mcp_general_table,
    &km_litellm_logging_table,
    &km_litellm_router_logging_table, &km_gateway_settings_table, &km_things_settings_table,
    &km_mirror_settings_table, &km_probe_settings_table, &km_probe_routing_table,
    &km_batch_poll_settings_table, &km_mcp_chat_settings_table, &km_mcp_server_settings_table,
    &km_model_admin_table,
    &km_prefix_settings_table, &km_media_settings_table, &km_http_settings_table,
    &km_pool_settings_table, &km_store_settings_table, &km_oauth_settings_table,
    &km_jwt_settings_table, &km_jwt_litellm_table, &km_key_settings_table,
    &km_key_default_table, &km_key_most_table, &km_team_default_table,
    &km_account_settings_table, &km_breaker_settings_table, &km_hedge_settings_table,
    &km_gate_settings_table, &km_execution_settings_table, &km_route_settings_table,
    &km_economy_settings_table, &km_gateway_budget_settings_table,
    &km_proxy_budget_settings_table, &km_runs_settings_table,
    &km_economy_settings_table, &km_caller_settings_table, &km_caller_tag_settings_table,
    &km_config_top_table, &km_config_own_table, &km_litellm_top_table,
    &km_litellm_settings_table, &km_litellm_general_table, &km_litellm_newer_table,
    &km_litellm_module_table, &km_litellm_router_table, &km_mcp_settings_table, &km_mcp_own_table,
    &km_mcp_virtual_table, &km_mcp_search_table, &km_mcp_safety_table, &km_mcp_session_table,
    &km_mcp_alias_table,
    KM_BUILTINS(TABLE) NULL,
};

const struct km_route_rows *const km_app_routes[] = {
    &km_llm_routes,
    &km_media_routes,
    &km_object_routes,
    &km_prefix_routes,
    &km_health_routes,
    &km_control_routes,
    &km_account_routes,
    &km_key_routes,
    &km_audit_routes,
    &km_budget_routes, &km_spend_routes,
    &km_daily_routes,
    &km_mcp_routes,
    &km_approval_routes,
    &km_oauth_routes,
    &km_mcp_admin_routes,
    &km_mcp_log_routes,
    &km_mcp_name_routes,
    &km_realtime_routes,
    &km_mcp_oauth_routes,
    &km_mcp_byok_routes,
    &km_mcp_pin_routes,
    &km_mcp_manage_routes,
    &km_mcp_server_routes,
    &km_model_routes,
    NULL,
};

/* Who may know whose a request is; the first that does decides: door/auth.h. */
const struct km_authenticator *const km_app_authenticators[] = {
    &km_auth_local,         &km_auth_open,
    &km_auth_master,        &km_oauth_authenticator,
    &km_jwt_authenticator,  &km_auth_key, /* refuses what nobody knew */
    NULL,
};

/* In the order in which they begin; they end in the reverse of it: host/module.h. */
const struct km_module *const km_app_modules[] = {
    &km_oauth_module,
    &km_jwt_module,
    &km_pass_module,
    &km_call_metrics_module,
    &km_mcp_hub_module,
    &km_calls_module,
    &km_together_module,
    &km_places_module,
    &km_runs_module,
    &km_batch_poll_module,
    &km_probe_module,
    &km_mirror_module,
    &km_admin_module,
    NULL,
};
