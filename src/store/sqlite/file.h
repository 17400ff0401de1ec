/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - a file that is a store, made and recognised. */
#ifndef KM_STORE_SQLITE_FILE_H
#define KM_STORE_SQLITE_FILE_H

#include "base/err.h"

/* Makes one with all its tables, 0600, under a name that nothing has. */
int km_sqlite_build(const char *path, struct km_err *err) KM_MUST_USE;

/* KM_E_STORE: it is damaged, or another program's.  write: by a connection that could. */
int km_sqlite_look_at(const char *path, bool write, struct km_err *err) KM_MUST_USE;

#endif
