/* SPDX-License-Identifier: Apache-2.0 */
/* pool_settings.c - kanmon_settings.upstream: how connections to upstreams are kept.
 *
 * The limits are a worker's, because its connections are: with four workers an upstream may
 * see four times max_per_origin.
 */
#include "net/pool.h"

#define FIELD(name) #name, .offset = offsetof(struct km_pool_settings, name)

static const struct km_setting rows[] = {
    { FIELD(max_per_origin), .type = KM_SET_INT, .def = "16384", .min = 1, .max = 65535,
      .flags = KM_SET_SAFETY,
      .help = "Connections that one worker opens to one upstream at most; further requests wait." },
    { FIELD(max_idle), .type = KM_SET_INT, .def = "256", .min = 0, .max = 65535,
      .help = "Of these, how many are kept open between requests." },
    { FIELD(idle_ms), .type = KM_SET_MS, .def = "55s", .min = 10, .max = 86400000,
      .help = "An idle connection is closed after this time; keep it below the upstream's own." },
    { FIELD(max_waiting), .type = KM_SET_INT, .def = "4096", .min = 0, .max = 1048576,
      .flags = KM_SET_SAFETY,
      .help = "Requests that wait for a connection to one upstream; one more is refused as "
              "overloaded." },
    { FIELD(connect_ms), .type = KM_SET_MS, .def = "10s", .min = 1, .max = 600000,
      .help = "Name resolution, connect, proxy and TLS handshake together." },
    { .name = NULL },
};

const struct km_settings_table km_pool_settings_table = {
    .section = "kanmon_settings.upstream",
    .rows = rows,
    .size = sizeof(struct km_pool_settings),
    .extra = SIZE_MAX,
    .flags = KM_SET_WARY,
};
