/* SPDX-License-Identifier: Apache-2.0 */
/* price_inside.h - what the sources of prices share, and nobody else sees. */
#ifndef KM_POLICY_PRICE_INSIDE_H
#define KM_POLICY_PRICE_INSIDE_H

#include "policy/price_columns.h"

/* The prices of tokens for a prompt of that length: p's own, or made in *room. */
const struct km_rates *km_price_rates(const struct km_price *p, enum km_service service,
                                      int64_t prompt, struct km_rates *room);

/* The step of n in order, or a new one in its place; NULL: KM_PRICE_STEPS_MOST are there. */
struct km_price_step *km_price_step_at(struct km_price_step *v, unsigned *n, int64_t above,
                                       enum km_service service);

/* pico-USD that hosted tools and pages cost. */
__extension__ typedef __int128 km_wide;
km_wide km_price_beside(const struct km_price *p, const struct km_usage *u);
/* What it costs to ask at all, pico-USD. */
km_wide km_price_requests(const struct km_price *p, const struct km_usage *u);
/* pico-USD as nano-USD, rounded half up; saturates.  Of nearly all by a division of 64 bits, which
 * costs a tenth of one of 128. */
static inline int64_t km_price_rounded(km_wide pico)
{
    pico += 500;
    if (pico >= 0 && pico <= INT64_MAX)
        return (int64_t)pico / 1000;
    pico /= 1000;
    return pico > INT64_MAX ? INT64_MAX : (int64_t)pico;
}

/* By thousandths; no more than anybody can pay. */
km_wide km_price_scaled(km_wide pico, int64_t thousandths);

/* One entry of LiteLLM's file into a fresh draft, which is finished then.  *ret_provider: by its
 * litellm_provider, or what stands before the name's slash, or empty. */
int km_price_read_entry(struct km_price_draft *d, struct km_str model, struct km_str json,
                        struct km_str *ret_provider, struct km_err *err) KM_MUST_USE;

#endif
