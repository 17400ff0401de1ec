/* SPDX-License-Identifier: Apache-2.0 */
/* share.h - an attempt's part of the time that its call has left.
 *
 *     another may follow   a stream must begin within half of it, a whole answer be there within
 *                          three quarters: the rest is for those that follow
 *     none may             all of it
 *
 * What is configured for the deployment counts where it is less.  Thread: any.
 */
#ifndef KM_POLICY_SHARE_H
#define KM_POLICY_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct km_share_facts {
    uint64_t left_ms; /* of the call */
    uint64_t own_ms; /* most that such an attempt may take; 0: not said */
    bool stream; /* its answer comes as one: only its beginning is waited for */
    bool follows; /* another attempt may, elsewhere */
};

uint64_t km_share_ms(const struct km_share_facts *f); /* at least 1 */

#endif
