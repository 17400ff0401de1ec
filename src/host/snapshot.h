/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - one configuration made ready to serve: models, routes, keys of the door.
 *
 * Immutable and reference-counted; all workers share it.  A reload builds a new one and swaps;
 * the old one goes when its last call ends.
 */
#ifndef KM_HOST_SNAPSHOT_H
#define KM_HOST_SNAPSHOT_H

#include "config/config.h"
#include "host/settings.h"
#include "http/router.h"
#include "http/server.h"
#include "llm/model.h"
#include "mcp/view/search.h"
#include "mcp/upstream/upstream.h"
#include "net/pool.h"
#include "policy/key.h"

struct km_caller_settings;
struct km_caller_tag_settings;
struct km_execution_settings;
struct km_module;
struct km_runs_settings;
struct km_slots;
struct km_veil;
struct km_oauth_settings;

struct km_snapshot {
    _Atomic int refs;
    uint64_t version; /* counts loads, from 1 */
    struct km_config *config;
    struct km_models *models;
    struct km_prices *prices;
    struct km_mcp_set *mcp; /* the servers behind the gateway */
    const struct km_mcp_search_settings *mcp_search;
    struct km_router *router;
    struct km_arena arena; /* what modules make of the configuration: routes, texts */
    struct km_tls_client *tls, *tls_insecure;
    const struct km_gateway_settings *gateway;
    const struct km_general_settings *general;
    const struct km_oauth_settings *oauth;
    struct km_proxy_env proxies;
    const struct km_http_settings *http;
    const struct km_pool_settings *pool;
    const struct km_key_settings *keys;
    const struct km_llm_defaults *llm;
    const struct km_router_settings *routing;
    const struct km_breaker_settings *breaker;
    const struct km_execution_settings *execution;
    const struct km_gate_settings *waiting;
    const struct km_runs_settings *runs;
    const struct km_caller_settings *callers;
    const struct km_caller_tag_settings *caller_tags;
    bool has_master;
    uint8_t master_hash[32];
    bool auth_off; /* nobody is asked for a key */
    bool metrics_open;
    struct km_slots *slots; /* what modules keep of it: host/module.h */
};

/* Route rows of the program, from every layer: app/ hands them in. */
struct km_route_rows {
    const struct km_route *rows;
    size_t n;
};

struct km_snapshot_args {
    struct km_config *config; /* a reference is taken */
    const struct km_route_rows *const *routes; /* NULL ends */
    const struct km_mcp_builtin *const *builtins; /* kinds of servers of our own; NULL ends */
    const struct km_module *const *modules; /* host/module.h; NULL ends */
    struct km_store *store; /* imported prices; NULL: built-in ones only */
    struct km_metrics *metrics; /* NULL: nothing is counted */
    struct km_paces *paces; /* NULL: nothing is learnt of deployments */
    struct km_gates *gates; /* NULL: no call waits in line */
    const struct km_snapshot *before; /* in force until now; NULL: there is none */
    uint64_t version;
};

/* Problems of models go to diags as warnings. */
int km_snapshot_new(const struct km_snapshot_args *args, struct km_diags *diags,
                    struct km_snapshot **ret_snapshot, struct km_err *err) KM_MUST_USE;
struct km_snapshot *km_snapshot_ref(struct km_snapshot *s); /* any thread */
struct km_snapshot *km_snapshot_unref(struct km_snapshot *s);
/* Tells what hides credentials those of the configuration, and of what was made of it. */
void km_snapshot_veil(const struct km_snapshot *s, struct km_veil *veil);

#endif
