/* SPDX-License-Identifier: Apache-2.0 */
/* no_stars.c - an example of a query processor as a plug-in; see servers/postgres/plugin.h.
 *
 *     cc -shared -fPIC -I src -o no_stars.so examples/postgres/no_stars.c
 *
 * It refuses statements with a star, puts its configuration where a statement says CURRENT_TENANT,
 * and writes its name into each result.  A text is looked at as it is, which is enough for an
 * example: what a plug-in gives goes through the guard, so it can be clumsy but not dangerous.
 */
#define _GNU_SOURCE
#include "servers/postgres/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *open_it(const char *config, char *error, size_t nerror)
{
    if (!*config || strpbrk(config, "'\\"))
        snprintf(error, nerror, "no_stars: config must be a plain word");
    return *config && !strpbrk(config, "'\\") ? strdup(config) : NULL;
}

static int validate(void *state, const char *sql, size_t n, char *error, size_t nerror)
{
    (void)state;
    if (!memchr(sql, '*', n))
        return 0;
    snprintf(error, nerror, "name the columns you want instead of a star");
    return 1;
}

static int rewrite(void *state, const char *sql, size_t n, char **ret_sql, char *error,
                   size_t nerror)
{
    static const char word[] = "CURRENT_TENANT";
    const char *at = memmem(sql, n, word, sizeof word - 1), *tenant = state;

    (void)error;
    (void)nerror;
    if (at && asprintf(ret_sql, "%.*s'%s'%.*s", (int)(at - sql), sql, tenant,
                       (int)(sql + n - at - (sizeof word - 1)), at + sizeof word - 1) < 0)
        return 1;
    return 0;
}

static int format(void *state, const char *json, size_t n, char **ret_json, char *error,
                  size_t nerror)
{
    (void)state;
    (void)error;
    (void)nerror;
    return asprintf(ret_json, "%.*s,\"checked_by\":\"no_stars\"}", (int)(n - 1), json) < 0;
}

const struct km_pg_plugin *km_pg_plugin(void)
{
    static const struct km_pg_plugin plugin = {
        .abi = KM_PG_PLUGIN_ABI,
        .name = "no_stars",
        .open = open_it,
        .close = free,
        .validate = validate,
        .rewrite = rewrite,
        .format = format,
    };

    return &plugin;
}
