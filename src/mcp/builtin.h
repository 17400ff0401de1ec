/* SPDX-License-Identifier: Apache-2.0 */
/* builtin.h - servers that are part of kanmon: as a catalogue, and as kinds that mcp_servers names.
 *
 * `builtin: postgres` in an entry of mcp_servers makes the entry an upstream without an address:
 * its link (link/builtin.c) hands each message to a server of this kind on the worker's own loop.
 * So all that holds for other upstreams holds for it: keys, lists, approvals, audit, commands.
 *
 *     kind ── open: one server a worker and session ── km_mcp_handle ── its tools
 *
 * Kinds are made by the layers above and handed down with the configuration; each brings the rows
 * of its settings, which stand in a section of its own and below its name in an entry:
 *
 *     builtin: postgres                      of one file: km_x_builtin, km_x_own_table;
 *     postgres: {dsn: ..., mode: dml}        and one row of the list in app/builtins.h
 *
 * The endpoint's own tools (servers/kanmon.c) are no such kind: they answer from the visit that
 * asks (its key, its snapshot), without an entry in the file, and a link is shared by callers and
 * knows none of them.  km_mcp_run_own() runs them, within the call.  What has settings, sessions
 * or state of its own is a kind.
 */
#ifndef KM_MCP_BUILTIN_H
#define KM_MCP_BUILTIN_H

#include "mcp/ask.h"
#include "mcp/server/server.h"

struct km_mcp_builtin_args {
    struct km_loop *loop;
    struct km_mcp_upstream *upstream; /* referenced while it is open */
    bool network; /* clients on other machines can reach it */
    struct km_log *log;
    struct km_metrics *metrics; /* NULL: nothing is counted */
    size_t worker; /* whose cell of them is this loop's */
    struct km_str grant; /* what the keys it serves may do there (`mcp_modes`); empty: as is
                            configured.  Dies with the call */
    size_t workers; /* that may each open one: what is bounded is divided by them */
    /* Says a notification (list_changed, resources/updated) to whoever listens to the session.
     * Not from inside a call of a tool. */
    void (*tell)(void *ctx, struct km_str method, struct km_str params);
    void *ctx;
};

struct km_mcp_builtin {
    struct km_str name; /* as `builtin` has it, and its settings in the entry */
    bool asks; /* its tools ask their client: clients that can answer other things do not share */
    /* Its section: what an entry without settings of its own is served by.  The table's part has
     * the same struct.  NULL: nothing is to be set. */
    const struct km_settings_table *settings;
    /* Its settings (u->settings) make sense; before anything is served. */
    int (*check)(const struct km_mcp_upstream *u, struct km_err *err);
    /* May machines elsewhere reach it?  Asked before it serves those; it may wait, for some seconds
     * at most.  KM_E_FORBIDDEN: no.  NULL: they may. */
    int (*admit)(const struct km_mcp_upstream *u, struct km_err *err);
    /* One is open on each worker before anybody asks: it keeps something ready.  NULL: none. */
    bool (*ready)(const struct km_mcp_upstream *u);
    /* On the loop, without waiting for anything.  NULL with err. */
    struct km_mcp_server *(*open)(const struct km_mcp_builtin_args *args, struct km_err *err);
    /* No call of it is under way. */
    void (*close)(struct km_mcp_server *server);
};

/* A reference; NULL: no memory.  admin: with the tools that are the administrator's. */
struct km_mcp_catalogue *km_mcp_builtin_catalogue(const struct km_mcp_server *server, bool admin);

#endif
