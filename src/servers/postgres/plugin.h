/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - a query processor as a shared object: the whole interface, for C and what speaks it.
 *
 *     cc -shared -fPIC -o no_stars.so no_stars.c        examples/postgres/no_stars.c
 *
 *     processors:
 *       - plugin: {file: /etc/kanmon/no_stars.so, config: "strict"}
 *
 * The object has one function, km_pg_plugin(), that returns its description.  Its functions are
 * called on the loop's thread: they must not wait for anything.  Texts are UTF-8 with their length
 * and are not NUL-terminated.  What a plug-in gives back is from malloc() and is freed by kanmon.
 * It runs inside the process: load none you would not link.
 */
#ifndef KM_SERVERS_POSTGRES_PLUGIN_H
#define KM_SERVERS_POSTGRES_PLUGIN_H

#include <stddef.h>

#define KM_PG_PLUGIN_ABI 1

struct km_pg_plugin {
    unsigned abi; /* KM_PG_PLUGIN_ABI */
    const char *name;
    /* NULL: it cannot work with this configuration; error says why. */
    void *(*open)(const char *config, char *error, size_t nerror);
    void (*close)(void *state);
    /* Each may be NULL.  0: go on; other: the call ends with error. */
    int (*validate)(void *state, const char *sql, size_t n, char *error, size_t nerror);
    /* *ret_sql stays NULL where nothing is to be changed. */
    int (*rewrite)(void *state, const char *sql, size_t n, char **ret_sql, char *error,
                   size_t nerror);
    /* json: the result, an object; *ret_json must be one too. */
    int (*format)(void *state, const char *json, size_t n, char **ret_json, char *error,
                  size_t nerror);
};

/* The one symbol of the object. */
const struct km_pg_plugin *km_pg_plugin(void);

#endif
