/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what is set of routes that are passed on. */
#ifndef KM_GATEWAY_PASS_SETTINGS_H
#define KM_GATEWAY_PASS_SETTINGS_H

#include "base/setting.h"

struct km_pass_entry { /* an item of general_settings.pass_through_endpoints */
    struct km_str path, target;
    struct km_str_map headers;
    struct km_str_list methods; /* empty: all */
    bool include_subpath, forward_headers, set_cookie, auth;
    int64_t cost_per_request; /* nano-USD; -1: nothing was said */
    const struct km_node *node;
};

struct km_pass_settings { /* general_settings */
    struct km_table_list entries; /* pass_through_endpoints: of struct km_pass_entry */
};

extern const struct km_settings_table km_pass_settings_table;

#endif
