/* SPDX-License-Identifier: Apache-2.0 */
/* payers_inside.h - what payers.c and payers_move.c share; nobody else includes it. */
#ifndef KM_POLICY_PAYERS_INSIDE_H
#define KM_POLICY_PAYERS_INSIDE_H

#include "policy/payers.h"

/* These, whose references become its own, with their text.  KM_E_INVALID: the text is too long. */
int km_payers_of(const struct km_share *v, size_t n, struct km_payers **ret,
                 struct km_err *err) KM_MUST_USE;

#endif
