/* SPDX-License-Identifier: Apache-2.0 */
/* dry.h - a call that is only tried (`dryRun`): what would happen to it is its answer. */
#ifndef KM_CALL_DRY_H
#define KM_CALL_DRY_H

#include "base/buf.h"
#include "base/err.h"

struct km_call;
struct km_json_out;

/* The row `explain` of kinds that ask a model. */
int km_call_explain(struct km_call *call, struct km_err *why, struct km_buf *out,
                    struct km_err *err) KM_MUST_USE;

/* --- members that every kind's answer has --- */

void km_dry_put_head(struct km_json_out *o, struct km_call *call); /* object, id, key, call_type */
void km_dry_put_verdict(struct km_json_out *o, const struct km_err *why); /* code 0: it may */
/* worst: nano-USD; -1: not known. */
void km_dry_put_budget(struct km_json_out *o, const struct km_call *call, int64_t worst);
void km_dry_put_standing(struct km_json_out *o, struct km_call *call); /* cache, queue, adjusted */

#endif
