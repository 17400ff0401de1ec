/* SPDX-License-Identifier: Apache-2.0 */
/* builtin.h - `builtin: postgres` of mcp_servers, and what is configured as what a database needs.
 *
 * The same settings (settings.h) serve the gateway and `kanmon mcp postgres`.
 */
#ifndef KM_SERVERS_POSTGRES_BUILTIN_H
#define KM_SERVERS_POSTGRES_BUILTIN_H

#include "mcp/builtin.h"
#include "servers/postgres/server.h"
#include "servers/postgres/settings.h"

extern const struct km_mcp_builtin km_pg_builtin;

/* A database and its server on one loop. */
struct km_pg_instance;

struct km_pg_instance_args {
    struct km_loop *loop;
    const struct km_pg_settings *settings; /* outlive it */
    enum km_pg_mode mode;
    size_t workers; /* that share the connections */
    /* Says a notification to the client; NULL: nobody listens. */
    void (*tell)(void *ctx, struct km_str method, struct km_str params);
    void *ctx;
    bool network; /* it is reached from other machines */
    struct km_log *log; /* NULL: nothing is said */
    struct km_metrics *metrics; /* NULL: nothing is counted */
    size_t worker; /* whose cell of them is this loop's */
    struct km_str name; /* for the log and as a label */
};

/* Opens libraries, but no connection.  NULL with err. */
struct km_pg_instance *km_pg_instance_new(const struct km_pg_instance_args *args,
                                          struct km_err *err);
/* No call is under way; NULL is fine.  Returns NULL. */
struct km_pg_instance *km_pg_instance_free(struct km_pg_instance *instance);
struct km_mcp_server *km_pg_instance_server(struct km_pg_instance *instance);

/* 0, or what is wrong with them that no row can say. */
int km_pg_settings_check(const struct km_pg_settings *settings, struct km_err *err) KM_MUST_USE;

#endif
