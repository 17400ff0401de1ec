/* SPDX-License-Identifier: Apache-2.0 */
/* wal.h - whether the write-ahead log still has what SQLite wrote there. */
#ifndef KM_STORE_SQLITE_WAL_H
#define KM_STORE_SQLITE_WAL_H

#include "store/sqlite/db.h"

/* What was seen of the log.  Zeroed: nothing yet. */
struct km_wal {
    bool known;
    uint32_t frames; /* that were found whole */
    uint8_t salt[8]; /* of the log's life they belong to */
};

/* db: any connection to the store that has read something.  path: the log's.
 * true: what was committed is not in it any more.  Costs what came since the last look. */
bool km_wal_is_broken(struct km_wal *w, sqlite3 *db, const char *path);

#endif
