/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - the inside of a snapshot, for the files that build and print it. */
#ifndef KM_CONFIG_SNAPSHOT_H
#define KM_CONFIG_SNAPSHOT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "config/config.h"
#include "config/fill.h"

struct km_config {
    atomic_uint refs;
    struct km_arena arena; /* holds everything below */
    struct km_env env;
    struct km_str file;
    const struct km_node *root;
    const struct km_settings_table *const *tables;
    void **structs; /* one a table, in their order */
    const struct km_effective *settings;
    size_t nsettings;
};

#endif
