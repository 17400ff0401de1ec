/* SPDX-License-Identifier: Apache-2.0 */
/* builtins.c - the kinds of servers that an entry of mcp_servers may name as `builtin`.
 *
 * Alone in its file: a program of the tests brings a list of its own, with one kind more.
 */
#include "app/builtins.h"

#include "app/cli.h"

const struct km_mcp_builtin *const km_app_builtins[] = { KM_BUILTINS(KM_BUILTIN_KIND) NULL };
