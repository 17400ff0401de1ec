/* SPDX-License-Identifier: Apache-2.0 */
/* tools.h - private to the server: how its tools run a statement and answer. */
#ifndef KM_SERVERS_POSTGRES_TOOLS_H
#define KM_SERVERS_POSTGRES_TOOLS_H

#include "servers/postgres/server.h"
#include "servers/postgres/table.h"

/* A call on its way to the database; in the call's arena. */
struct km_pg_task {
    struct km_mcp_call *call;
    struct km_pg_request request;
    struct km_pg_table table;
    size_t prefix; /* characters put before the caller's text */
    struct km_pg_lease *lease;
    /* Answers; err: the answer is an error with its text. */
    int (*answer)(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err);
};

/* Runs task->request; the outcome's errors are answered by itself, else task->answer is. */
int km_pg_task_start(struct km_pg_task *task, struct km_err *err) KM_MUST_USE;
struct km_pg_task *km_pg_task_new(struct km_mcp_call *call, struct km_err *err);

/* Of the server: see mcp/server.h.  call->work is the task while its lease runs. */
void km_pg_task_cancel(struct km_mcp_call *call);
void km_pg_task_drop(struct km_mcp_call *call);

/* The argument `params` as texts and types. */
int km_pg_task_params(struct km_pg_task *task, const struct km_json *params,
                      struct km_err *err) KM_MUST_USE;

km_mcp_tool_fn km_pg_execute_sql, km_pg_explain_query, km_pg_list_schemas, km_pg_list_objects,
    km_pg_describe_table, km_pg_search_objects;

#endif
