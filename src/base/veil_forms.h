/* SPDX-License-Identifier: Apache-2.0 */
/* veil_forms.h - what a credential looks like: "Bearer ...", "sk-...", AWS's, GitHub's, Slack's and
 * Google's keys, JWTs, private keys, the password of a URL.  A part of the veil (veil.h).
 */
#ifndef KM_BASE_VEIL_FORMS_H
#define KM_BASE_VEIL_FORMS_H

#include "base/str.h"

static inline bool km_veil_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool km_veil_has_digit(struct km_str s);

/* Bytes of s from `at` on that look like a credential, of which the first *ret_keep may stay; 0:
 * nothing that looks so begins there.  *ret_keep is set only where it is not 0.  Pure. */
size_t km_veil_form(struct km_str s, size_t at, size_t *ret_keep);

#endif
