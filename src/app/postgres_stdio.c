/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_stdio.c - see postgres_stdio.h: one instance of the server, for one client. */
#include "app/postgres_stdio.h"

#include "app/server_stdio.h"

static struct km_mcp_server *open_one(void *ctx, const struct km_mcp_builtin_args *args,
                                      struct km_err *err)
{
    const struct km_pg_settings *settings = ctx;
    const struct km_pg_instance_args inner = {
        .loop = args->loop,
        .settings = settings,
        .mode = (enum km_pg_mode)settings->mode,
        .workers = args->workers,
        .tell = args->tell,
        .ctx = args->ctx,
        .log = args->log,
        .name = KM_STR("postgres"),
    };
    struct km_pg_instance *i = km_pg_instance_new(&inner, err);

    return i ? km_pg_instance_server(i) : NULL;
}

int km_postgres_stdio(const struct km_pg_settings *settings, struct km_err *err)
{
    const struct km_server_stdio_args args = {
        .open = open_one,
        .close = km_pg_builtin.close,
        .ctx = (void *)settings,
    };

    return km_server_stdio(&args, err);
}
