/* SPDX-License-Identifier: Apache-2.0 */
/* process_plugin.c - a plug-in for test_process.c that does what its configuration says.
 *
 *     ""            it cannot be opened
 *     "refuse"      validate refuses every statement
 *     "break"       rewrite fails
 *     "+word"       rewrite puts the word behind the statement
 *     "={...}"      format gives this text, whatever it is
 *     "fail"        format fails
 *
 * Built a second time with another PROCESS_PLUGIN_ABI.
 */
#include "servers/postgres/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PROCESS_PLUGIN_ABI
#define PROCESS_PLUGIN_ABI KM_PG_PLUGIN_ABI
#endif

extern int process_plugin_open;
int process_plugin_open; /* states that are open */

static void *open_it(const char *config, char *error, size_t nerror)
{
    if (!*config) {
        snprintf(error, nerror, "say what to do");
        return NULL;
    }
    process_plugin_open++;
    return strdup(config);
}

static void close_it(void *state)
{
    process_plugin_open--;
    free(state);
}

static int validate(void *state, const char *sql, size_t n, char *error, size_t nerror)
{
    if (strcmp(state, "refuse") != 0)
        return 0;
    snprintf(error, nerror, "not '%.*s'", (int)n, sql);
    return 1;
}

static int rewrite(void *state, const char *sql, size_t n, char **ret_sql, char *error,
                   size_t nerror)
{
    const char *word = state;

    if (strcmp(word, "break") == 0) {
        snprintf(error, nerror, "broken");
        return 1;
    }
    return *word == '+' && asprintf(ret_sql, "%.*s %s", (int)n, sql, word + 1) < 0;
}

static int format(void *state, const char *json, size_t n, char **ret_json, char *error,
                  size_t nerror)
{
    const char *word = state;

    (void)json;
    (void)n;
    if (strcmp(word, "fail") == 0) {
        snprintf(error, nerror, "no result for you");
        return 1;
    }
    if (*word == '=')
        *ret_json = strdup(word + 1);
    return 0;
}

const struct km_pg_plugin *km_pg_plugin(void)
{
    static const struct km_pg_plugin plugin = {
        .abi = PROCESS_PLUGIN_ABI,
        .name = "tried",
        .open = open_it,
        .close = close_it,
        .validate = validate,
        .rewrite = rewrite,
        .format = format,
    };

    return &plugin;
}
