/* SPDX-License-Identifier: Apache-2.0 */
/* aside.h - files that are kept under another name. */
#ifndef KM_STORE_ASIDE_H
#define KM_STORE_ASIDE_H

#include "store/place.h"

/* Renames `from` to "<base>.<kind>-<seconds>", with a number behind it when there is such a file
 * already: none is ever replaced.  ret_name: the name it has got. */
int km_aside(const char *from, const char *base, const char *kind, char ret_name[KM_PLACE_PATH],
             struct km_err *err) KM_MUST_USE;

#endif
