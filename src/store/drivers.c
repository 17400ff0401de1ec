/* SPDX-License-Identifier: Apache-2.0 */
/* drivers.c - the drivers there are, by the scheme of kanmon_settings.store (driver.h).
 *
 *     sqlite:<path>      a file
 *     memory:<name>      SQLite without one
 *
 * This file alone sees a driver's folder.
 */
#include "store/sqlite/sqlite.h"

static const struct km_driver *const drivers[] = { &km_sqlite_driver, &km_sqlite_memory_driver };

const struct km_driver *km_driver_find(struct km_str setting, struct km_str *ret_where)
{
    size_t colon = km_str_chr(setting, ':');

    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (colon < setting.n &&
            km_str_eq(km_str_sub(setting, 0, colon), km_str_c(drivers[i]->scheme))) {
            *ret_where = km_str_skip(setting, colon + 1);
            return drivers[i];
        }
    return NULL;
}
