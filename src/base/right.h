/* SPDX-License-Identifier: Apache-2.0 */
/* right.h - may it be done?  The answer of every check of a right.
 *
 * Zero is no: a variable nobody set, a row of a table nobody filled and a check that could not read
 * what it decides by all deny.  So a check begins as KM_DENIED, says KM_GRANTED in one place and
 * returns nothing else; where it denies it fills err with what the caller is told.
 */
#ifndef KM_BASE_RIGHT_H
#define KM_BASE_RIGHT_H

#include "base/err.h"

enum km_right { KM_DENIED, KM_GRANTED };

static inline enum km_right km_right_if(bool granted)
{
    return granted ? KM_GRANTED : KM_DENIED;
}

/* As the code of a fallible function: 0, or that of err; KM_E_FORBIDDEN where the check was given
 * no err, or did not say why. */
static inline KM_MUST_USE int km_right_code(enum km_right right, struct km_err *err)
{
    if (right == KM_GRANTED)
        return 0;
    return err && err->code < 0 ? err->code
                                : km_fail(err, KM_E_FORBIDDEN, "This key may not do that.");
}

#endif
