/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what is set of the paths below a provider's prefix. */
#ifndef KM_GATEWAY_PREFIX_SETTINGS_H
#define KM_GATEWAY_PREFIX_SETTINGS_H

#include "base/setting.h"

enum km_prefix_models { KM_PREFIX_ANY, KM_PREFIX_LISTED };

struct km_prefix_settings { /* kanmon_settings */
    int64_t models; /* enum km_prefix_models */
    bool unlisted_paths; /* virtual keys may use paths nobody described */
};

extern const struct km_settings_table km_prefix_settings_table;

#endif
