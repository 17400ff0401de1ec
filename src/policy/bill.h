/* SPDX-License-Identifier: Apache-2.0 */
/* bill.h - what an attempt at an upstream costs, however it ended.  Pure: facts in, a bill out.
 *
 *     how it ended                                        what is booked
 *     -------------------------------------------------   -----------------------------------------
 *     no upstream has the request                         nothing
 *     it said no before any output: 4xx but 408 and 499,  nothing
 *       503, 529
 *     its codec came to the end of a report that can be   what was reported, also above what was
 *                                                           reserved (over_reserved)
 *     answered whole, and nobody counted                  an estimate of what went in and came out
 *     anything else: the client left, time ran out, it    the same, or what it may have written in
 *       was cut or cancelled, the connection was lost,      the time it had, whichever is more
 *       another status than these
 *
 * Reported usage that cannot be is no report (usage_limits.h).  An estimate never exceeds what was
 * reserved, in tokens and in money.  Of a request for work that has a price the sum is never 0 once
 * it was sent, whatever was reported: it is a nano-USD at least.
 */
#ifndef KM_POLICY_BILL_H
#define KM_POLICY_BILL_H

#include "policy/price.h"

enum km_bill_end {
    KM_BILL_UNSENT,
    KM_BILL_REFUSED,
    KM_BILL_ANSWERED, /* all of the answer came */
    KM_BILL_LIVE, /* it was broken off, whoever did it */
};

/* Of a request that was sent: what its status, or 0, makes of it.  output: something was heard.
 * whole: all of a good answer came. */
enum km_bill_end km_bill_end_of(int status, bool output, bool whole);

struct km_bill_facts {
    enum km_bill_end end;
    /* known: what was reported, and it can be.  Else what was heard: the prompt by estimate, the
     * output so far, neither less than what was reported of it. */
    struct km_usage usage;
    bool works; /* a model was asked for what has a price, if it has one */
    bool writes; /* a model writes its answer: time may stand for tokens */
    bool streamed; /* what it wrote was heard as it came */
    uint64_t upstream_ms; /* since its request began to leave */
    int64_t rate; /* milli-tokens a second that it mostly writes (pace.h) */
    int64_t median_output; /* tokens; 0: not known */
    /* Reserved for this attempt; -1: nothing was, or not counted so. */
    int64_t reserved_input, reserved_output; /* tokens */
    int64_t reserved; /* nano-USD */
};

struct km_bill {
    struct km_usage usage; /* as booked */
    int64_t cost; /* nano-USD */
    bool estimated, unpriced, over_reserved;
};

/* p: the deployment's prices. */
void km_bill_make(const struct km_bill_facts *facts, const struct km_price *p, struct km_bill *ret);

/* What would be booked of it if nothing more were ever heard: of an open call, for its intent and
 * its progress.  Of the facts it asks for the usage and what is reserved. */
void km_bill_so_far(const struct km_bill_facts *facts, const struct km_price *p,
                    struct km_bill *ret);

#endif
