/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite/sqlite.h - SQLite as a driver of the store (store/driver.h), in a file and in memory. */
#ifndef KM_STORE_SQLITE_SQLITE_H
#define KM_STORE_SQLITE_SQLITE_H

#include "store/driver.h"

extern const struct km_driver km_sqlite_driver; /* "sqlite:<path>" */
/* "memory:<name>": one store a name in this process, gone with its last connection.  For tests, and
 * for trying things out. */
extern const struct km_driver km_sqlite_memory_driver;

#endif
