/* SPDX-License-Identifier: Apache-2.0 */
/* builtins.h - kinds of servers of our own: XX(prefix) of km_..._builtin, km_..._own_table. */
#ifndef KM_APP_BUILTINS_H
#define KM_APP_BUILTINS_H

#include "servers/postgres/builtin.h"

#define KM_BUILTINS(XX) XX(km_pg)

#define KM_BUILTIN_KIND(prefix) &prefix##_builtin,

#endif
