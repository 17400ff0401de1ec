/* SPDX-License-Identifier: Apache-2.0 */
/* rescue.h - a copy of a store whose file lost its name, while a connection still holds it. */
#ifndef KM_STORE_SQLITE_RESCUE_H
#define KM_STORE_SQLITE_RESCUE_H

#include "store/place.h"

struct sqlite3;

/* All that was committed, in `<path>.rescued-<seconds since 1970>`, checked and 0600; ret_file
 * (KM_PLACE_PATH bytes) is its name.  Blocking, as long as the store is large. */
int km_rescue(struct sqlite3 *db, const struct km_place *place, char *ret_file,
              struct km_err *err) KM_MUST_USE;

#endif
