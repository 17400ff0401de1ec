/* SPDX-License-Identifier: Apache-2.0 */
/* functions_inside.h - private to the lists of functions.h: how a name is looked up. */
#ifndef KM_SERVERS_POSTGRES_FUNCTIONS_INSIDE_H
#define KM_SERVERS_POSTGRES_FUNCTIONS_INSIDE_H

#include <stdlib.h>
#include <string.h>

#include "servers/postgres/functions.h"

/* A row of a list; every list's rows begin with the name, and are sorted by it. */
struct km_pg_words {
    const char *name, *why;
};

/* A name of at most 63 bytes, as the parser cuts them. */
struct km_pg_key {
    char text[64];
};

static inline bool km_pg_key_make(struct km_str name, struct km_pg_key *key)
{
    if (name.n >= sizeof key->text)
        return false;
    memcpy(key->text, name.p, name.n);
    key->text[name.n] = '\0';
    return true;
}

static inline int km_pg_key_compare(const void *key, const void *row)
{
    const char *const *name = row; /* the first member of every row */

    return strcmp(key, *name);
}

#define KM_PG_FIND(key, rows)                                                                      \
    bsearch((key)->text, rows, sizeof(rows) / sizeof(rows)[0], sizeof(rows)[0], km_pg_key_compare)

/* Which extension's function it is; NULL: none of a known extension. */
const char *km_pg_extension_of(const struct km_pg_key *key);

#endif
