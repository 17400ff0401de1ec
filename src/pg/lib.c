/* SPDX-License-Identifier: Apache-2.0 */
/* lib.c - libpq, opened when something configured needs it; and its results.
 *
 * Only what lib.h lists is found in it.  The functions of the simple protocol, which would run
 * several statements in one text, are not among them, so nothing here can call them; the lint
 * `protocol` looks at the sources besides.
 */
#include "pg/lib.h"

#include <dlfcn.h>
#include <stdlib.h>

static bool find(void *handle, const char *name, void *ret_function)
{
    void *symbol = dlsym(handle, name);

    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

int km_pg_lib_open(struct km_pg_lib **ret_lib, struct km_err *err)
{
    struct km_pg_lib *lib = calloc(1, sizeof *lib);
    bool found = true;

    if (!lib)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    lib->handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!lib->handle) {
        free(lib);
        return km_fail(err, KM_E_UNSUPPORTED,
                       "PostgreSQL needs libpq.so.5, which is not there: install the package "
                       "libpq5 (%s)",
                       dlerror());
    }
#define XX(name) found = find(lib->handle, #name, &lib->name) && found;
    KM_PQ_FUNCTIONS(XX)
#undef XX
    if (!found) {
        km_pg_lib_close(lib);
        return km_fail(err, KM_E_UNSUPPORTED,
                       "libpq.so.5 has no pipeline mode: install libpq5 14 or newer");
    }
    *ret_lib = lib;
    return 0;
}

struct km_pg_lib *km_pg_lib_close(struct km_pg_lib *lib)
{
    if (lib)
        dlclose(lib->handle);
    free(lib);
    return NULL;
}

/* --- results --- */

size_t km_pg_rows(const struct km_pg_result *r)
{
    return (size_t)r->lib->PQntuples(r->res);
}

size_t km_pg_columns(const struct km_pg_result *r)
{
    return (size_t)r->lib->PQnfields(r->res);
}

const char *km_pg_column_name(const struct km_pg_result *r, size_t column)
{
    return r->lib->PQfname(r->res, (int)column);
}

unsigned km_pg_column_type(const struct km_pg_result *r, size_t column)
{
    return r->lib->PQftype(r->res, (int)column);
}

bool km_pg_is_null(const struct km_pg_result *r, size_t row, size_t column)
{
    return r->lib->PQgetisnull(r->res, (int)row, (int)column) != 0;
}

struct km_str km_pg_value(const struct km_pg_result *r, size_t row, size_t column)
{
    return km_str(r->lib->PQgetvalue(r->res, (int)row, (int)column),
                  (size_t)r->lib->PQgetlength(r->res, (int)row, (int)column));
}

struct km_str km_pg_tag(const struct km_pg_result *r)
{
    return km_str_c(r->lib->PQcmdStatus(r->res));
}

int64_t km_pg_affected(const struct km_pg_result *r)
{
    int64_t n = 0;

    return km_str_i64(km_str_c(r->lib->PQcmdTuples(r->res)), &n) == 0 ? n : 0;
}

struct km_str km_pg_error_field(const struct km_pg_result *r, char field)
{
    return km_str_c(r->lib->PQresultErrorField(r->res, field));
}
