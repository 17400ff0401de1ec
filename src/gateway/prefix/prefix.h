/* SPDX-License-Identifier: Apache-2.0 */
/* prefix.h - calls to a vendor's own API below its prefix: what its files share.
 *
 *     call.c   the kind of call: an attempt, its answer, the books
 *     read.c   what is asked for, by which key, and who carries it
 *     send.c   head, target and body of an attempt
 */
#ifndef KM_GATEWAY_PREFIX_H
#define KM_GATEWAY_PREFIX_H

#include "call/call.h"
#include "llm/vendor.h"

struct km_prefix_call {
    const struct km_vendor *vendor;
    const struct km_vendor_rule *rule; /* NULL: the path has none */
    struct km_vendor_path path;
    struct km_str segment; /* the model in the path, encoded; empty: it stands in the body */
    struct km_vendor_match to;
    struct km_meter meter; /* of METERED */
    struct km_str coding; /* the answer is compressed: it cannot be read */
};

extern const struct km_call_kind km_kind_prefix;
extern const char km_prefix_work[]; /* kind->work_name */

static inline struct km_prefix_call *km_prefix_of(const struct km_call *call)
{
    return km_call_work(call, km_prefix_work);
}

/* As the kind's prepare.  May find that the call is the gateway's own API's and make it one. */
int km_prefix_read(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* As the kind's attempt. */
int km_prefix_attempt(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* The model's name at the deployment's vendor. */
struct km_str km_prefix_model(const struct km_call *call);

extern const struct km_route_rows km_prefix_routes;

#endif
