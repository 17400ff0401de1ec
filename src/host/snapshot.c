/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - see snapshot.h.
 *
 * Everything a request would otherwise look up by name is resolved here once: the settings'
 * structs, the master key's digest, the routes.  What fails here fails the load, never a call.
 */
#include "host/snapshot.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/veil.h"
#include "host/module.h"
#include "mcp/oauth/settings.h"
#include "policy/caller_settings.h"
#include "policy/execution.h"
#include "policy/runs.h"
#include "policy/gate_settings.h"
#include "store/store.h"

#define ROUTES_BYTES ((size_t)16 * 1024 * 1024)

struct km_snapshot *km_snapshot_ref(struct km_snapshot *s)
{
    s->refs++;
    return s;
}

struct km_snapshot *km_snapshot_unref(struct km_snapshot *s)
{
    if (!s || --s->refs > 0)
        return NULL;
    km_modules_snapshot_free(s);
    km_models_free(s->models);
    km_mcp_set_unref(s->mcp);
    km_router_free(s->router);
    km_prices_free(s->prices);
    km_tls_client_unref(s->tls);
    km_tls_client_unref(s->tls_insecure);
    km_arena_done(&s->arena);
    km_config_unref(s->config);
    free(s);
    return NULL;
}

static void take_settings(struct km_snapshot *s)
{
    const struct km_litellm_logging *logging = km_config_get(s->config, &km_litellm_logging_table);

    s->gateway = km_config_get(s->config, &km_gateway_settings_table);
    s->oauth = km_config_get(s->config, &km_oauth_settings_table);
    s->general = km_config_get(s->config, &km_general_settings_table);
    s->http = km_config_get(s->config, &km_http_settings_table);
    s->pool = km_config_get(s->config, &km_pool_settings_table);
    s->keys = km_config_get(s->config, &km_key_settings_table);
    s->mcp_search = km_config_get(s->config, &km_mcp_search_table);
    s->llm = km_config_get(s->config, &km_llm_defaults_table);
    s->routing = km_config_get(s->config, &km_router_settings_table);
    s->breaker = km_config_get(s->config, &km_breaker_settings_table);
    s->execution = km_config_get(s->config, &km_execution_settings_table);
    s->callers = km_config_get(s->config, &km_caller_settings_table);
    s->caller_tags = km_config_get(s->config, &km_caller_tag_settings_table);
    s->waiting = km_config_get(s->config, &km_gate_settings_table);
    s->runs = km_config_get(s->config, &km_runs_settings_table);
    s->has_master = s->general->master_key.n > 0;
    if (s->has_master)
        km_sha256(s->general->master_key, s->master_hash);
    s->auth_off = s->gateway->auth == KM_AUTH_MODE_NONE || !s->has_master;
    s->metrics_open = s->gateway->metrics_public || !logging->metrics_auth;
}

static void each_price(void *ctx, const struct km_price_row *row)
{
    struct km_err ignored;

    /* A row that is not understood (any more) is passed over: its model counts as unpriced,
     * which is what the books will say. */
    if (km_prices_add_json(ctx, row->model, row->json, &ignored) < 0)
        return;
}

static void read_proxies(const struct km_snapshot *s, struct km_proxy_env *ret)
{
    (void)(km_config_getenv(s->config, "http_proxy", &ret->http) ||
           km_config_getenv(s->config, "HTTP_PROXY", &ret->http));
    (void)(km_config_getenv(s->config, "https_proxy", &ret->https) ||
           km_config_getenv(s->config, "HTTPS_PROXY", &ret->https));
    (void)(km_config_getenv(s->config, "no_proxy", &ret->none) ||
           km_config_getenv(s->config, "NO_PROXY", &ret->none));
}

static int build_models(struct km_snapshot *s, const struct km_snapshot_args *snapshot,
                        struct km_diags *diags, struct km_err *err)
{
    struct km_tls_client_args plain = { 0 }, insecure = { .insecure = true };
    struct km_models_args args = { .config = s->config,
                                   .proxies = &s->proxies,
                                   .paces = snapshot->paces,
                                   .gates = snapshot->gates,
                                   .waiting = s->waiting };
    int r;

    args.unverified = !km_llm_verifies(s->llm, &s->arena, &plain.ca_file);
    r = km_tls_client_new(&plain, &s->tls, err);
    if (r == 0)
        r = km_tls_client_new(&insecure, &s->tls_insecure, err);
    s->prices = km_prices_new();
    if (r == 0 && !s->prices)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0 && snapshot->store)
        r = km_store_prices(snapshot->store, each_price, s->prices, err);
    if (r < 0)
        return r;
    read_proxies(s, &s->proxies);
    args.prices = s->prices;
    args.offline = !snapshot->store;
    args.breaker = s->breaker;
    args.hedge = km_config_get(s->config, &km_hedge_settings_table);
    args.tls = s->tls;
    args.tls_insecure = s->tls_insecure;
    return km_models_new(&args, diags, &s->models, err);
}

static int build_mcp(struct km_snapshot *s, const struct km_snapshot_args *snapshot,
                     struct km_diags *diags, struct km_err *err)
{
    const struct km_snapshot *before = snapshot->before;
    struct km_proxy_env proxies = { 0 };
    const struct km_mcp_set_args args = { .config = s->config,
                                          .tls = s->tls,
                                          .proxies = &proxies,
                                          .builtins = snapshot->builtins,
                                          .key_header = s->general->key_header,
                                          .before = before ? before->mcp : NULL };

    read_proxies(s, &proxies);
    return km_mcp_set_new(&args, diags, &s->mcp, err);
}

static int build_routes(struct km_snapshot *s, const struct km_route_rows *const *routes,
                        struct km_err *err)
{
    int r = 0;

    s->router = km_router_new();
    if (!s->router)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (; r == 0 && *routes; routes++)
        r = km_router_add(s->router, (*routes)->rows, (*routes)->n, err);
    return r;
}

int km_snapshot_new(const struct km_snapshot_args *args, struct km_diags *diags,
                    struct km_snapshot **ret_snapshot, struct km_err *err)
{
    struct km_snapshot *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s->refs = 1;
    s->version = args->version;
    s->config = km_config_ref(args->config);
    km_arena_init(&s->arena, ROUTES_BYTES, NULL);
    take_settings(s);
    r = build_models(s, args, diags, err);
    if (r == 0)
        r = build_mcp(s, args, diags, err);
    if (r == 0)
        r = build_routes(s, args->routes, err);
    if (r == 0)
        r = km_modules_snapshot_init(s, args, diags, err);
    if (r < 0) {
        km_snapshot_unref(s);
        return r;
    }
    *ret_snapshot = s;
    return 0;
}

void km_snapshot_veil(const struct km_snapshot *s, struct km_veil *veil)
{
    km_config_veil(s->config, veil);
    for (size_t i = 0; i < km_models_all(s->models); i++)
        km_veil_add_head(veil, km_models_at(s->models, i)->head, false);
}
