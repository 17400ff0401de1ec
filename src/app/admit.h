/* SPDX-License-Identifier: Apache-2.0 */
/* admit.h - may other machines reach the servers that are part of kanmon? */
#ifndef KM_APP_ADMIT_H
#define KM_APP_ADMIT_H

#include "base/err.h"

struct km_mcp_set;

/* Asks each that is switched on, one after the other; blocks.  KM_E_FORBIDDEN: one must not be
 * served there, and why. */
int km_admit(const struct km_mcp_set *set, struct km_err *err) KM_MUST_USE;

#endif
