/* SPDX-License-Identifier: Apache-2.0 */
/* pass.h - the pass-through endpoints of a configuration: a module of the snapshot. */
#ifndef KM_GATEWAY_PASS_H
#define KM_GATEWAY_PASS_H

#include "host/module.h"
#include "host/snapshot.h"

/* An item of general_settings.pass_through_endpoints. */
struct km_pass {
    struct km_str path; /* "/echo" */
    struct km_origin *origin;
    struct km_str target; /* path at the target, with query */
    struct km_str head; /* header lines from the configuration */
    bool subpath; /* include_subpath: the rest is appended */
    bool forward_headers;
    bool set_cookie; /* the target's cookies reach the client */
    bool open; /* auth: false */
    int64_t cost; /* nano-USD a request */
    struct km_str api_base;
};

struct km_passes {
    size_t n;
    struct km_pass v[]; /* their texts are in the snapshot's arena */
};

extern const struct km_module km_pass_module;

static inline const struct km_passes *km_passes_of(const struct km_snapshot *snap)
{
    return km_module_state(snap->slots, &km_pass_module);
}

#endif
