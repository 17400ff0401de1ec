/* SPDX-License-Identifier: Apache-2.0 */
/* gate_settings.h - waiting in line, as the configuration has it. */
#ifndef KM_POLICY_GATE_SETTINGS_H
#define KM_POLICY_GATE_SETTINGS_H

#include "base/setting.h"

struct km_gate_settings { /* kanmon_settings.performance */
    int64_t length; /* calls in line, of each resource */
    int64_t wait_ms;
    bool paces;
    int64_t default_priority, ceiling; /* index of its name: one less than enum km_priority */
};
extern const struct km_settings_table km_gate_settings_table;

#endif
