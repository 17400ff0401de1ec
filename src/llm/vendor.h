/* SPDX-License-Identifier: Apache-2.0 */
/* vendor.h - vendors whose own APIs are reached below a prefix: "/anthropic/v1/messages".
 *
 * What a caller sends there goes to the vendor as it is.  To judge it all the same, the gateway
 * must know of each path what it costs, where the model stands, and whether it touches things
 * that belong to the account and not to a key: a row a path.  A path without a row is nobody's
 * to use but the administrator's.
 */
#ifndef KM_LLM_VENDOR_H
#define KM_LLM_VENDOR_H

#include "llm/api.h"
#include "llm/meter.h"

enum km_vendor_cost {
    KM_VENDOR_UNLISTED, /* no row: it may cost, and may touch what belongs to others */
    KM_VENDOR_FREE,
    KM_VENDOR_METERED, /* its answer says what was used */
    KM_VENDOR_UNPRICED, /* it costs, and no answer says how much */
};

struct km_vendor_rule {
    const char *method;
    /* Below the version and what says whose: "deployments/{model}/embeddings".  A segment is
     * literal, "*", "{model}", or "{model}:action".  A POST without {model} has its model in the
     * body. */
    const char *path;
    const struct km_meter_kind *meter; /* of METERED */
    const struct km_llm_api *api; /* the gateway's own API for it, where it is not meter->api */
    enum km_vendor_cost cost;
    bool ours; /* a name of model_list is served by that API, whoever has it */
};

/* A path below a prefix, taken apart.  Views. */
struct km_vendor_path {
    struct km_str rest; /* all of it */
    struct km_str version; /* "v1beta1"; empty: none */
    struct km_str core; /* what rules look at */
};

struct km_vendor {
    struct km_str prefix; /* "/vertex_ai" */
    const char *provider; /* its row: "vertex_ai" */
    enum km_dialect dialect;
    const struct km_vendor_rule *rules;
    size_t nrules;
    /* Members of a body that name what another key may own, at any depth; NULL: none. */
    const char *const *foreign;
    const char *const *opaque; /* members whose inside is a tool's own affair; NULL: none */
    void (*split)(struct km_vendor_path *path);
    /* Where that path is at a deployment's upstream, without a query. */
    struct km_str (*target)(const struct km_deployment *d, const struct km_vendor_path *path,
                            struct km_arena *arena);
};

#define KM_VENDORS 6
extern const struct km_vendor km_vendors[KM_VENDORS];

/* The rule for a path, or NULL.  *ret_model: the model's segment, still encoded, a view into
 * path->core; empty when the path names none. */
const struct km_vendor_rule *km_vendor_match(const struct km_vendor *v, struct km_str method,
                                             const struct km_vendor_path *path,
                                             struct km_str *ret_model);

/* Who may carry a call to this vendor. */
struct km_vendor_match {
    struct km_model_match match; /* of km_models_find(), its deployments of this vendor only */
    struct km_str group; /* the group that the deployments' own names belong to; empty: several */
    bool known; /* model_list has this name, as a name of its own */
    bool lent; /* the deployment lends its credentials: it is not of this model */
};

/* In this order: deployments of the vendor in the group of that name; those whose model at the
 * vendor it is; those that say use_in_pass_through; the vendor's variables in the environment.
 * `model` empty: whoever has credentials.  KM_E_NOT_FOUND says what to configure. */
int km_models_vendor(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_arena *arena, struct km_vendor_match *ret,
                     struct km_err *err) KM_MUST_USE;

#endif
