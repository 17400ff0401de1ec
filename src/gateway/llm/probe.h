/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - health checks in the background: each deployment is asked something small now and then.
 *
 * Off unless general_settings.background_health_checks says so, for each costs what its tokens do:
 * it is a call of the gateway's own, with a row in the ledger (call type "health_check").
 */
#ifndef KM_GATEWAY_LLM_PROBE_H
#define KM_GATEWAY_LLM_PROBE_H

#include "base/setting.h"
#include "host/module.h"

struct km_probe_settings { /* general_settings */
    bool on;
    int64_t interval_ms;
    int64_t concurrency;
    bool details;
    struct km_str_list groups; /* none: all */
    bool routes; /* one that failed gets no calls until one went well */
};
struct km_probe_routing { /* router_settings */
    bool routes;
};

extern const struct km_settings_table km_probe_settings_table;
extern const struct km_settings_table km_probe_routing_table;
extern const struct km_module km_probe_module;

#endif
