/* SPDX-License-Identifier: Apache-2.0 */
/* near.h - whether one name was probably meant as another: one rule for every name of a file. */
#ifndef KM_BASE_NEAR_H
#define KM_BASE_NEAR_H

#include "base/str.h"

/* How many bytes at the beginning are of a character nobody sees in a name; 0: it can be seen. */
size_t km_unseen(struct km_str s);

/* Two different names that are equal without case, '_', '-' and what nobody sees (blanks, U+00A0,
 * zero width), or that are then at most one typing error apart (a character added, left out,
 * changed, or two swapped), two where the longer name has eight characters or more.  A name is no
 * near miss of itself. */
bool km_near_miss(struct km_str a, struct km_str b);

#endif
