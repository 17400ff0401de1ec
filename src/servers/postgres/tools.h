/* SPDX-License-Identifier: Apache-2.0 */
/* tools.h - private to the server: its rows of tools, and how they run statements and answer. */
#ifndef KM_SERVERS_POSTGRES_TOOLS_H
#define KM_SERVERS_POSTGRES_TOOLS_H

#include "servers/postgres/relation.h"
#include "servers/postgres/server.h"
#include "servers/postgres/table.h"

/* --- rows --- */

enum km_pg_does {
    KM_PG_LOOKS,
    KM_PG_RUNS, /* whatever the mode allows */
    KM_PG_ADDS, /* changes, and takes nothing away */
    KM_PG_DESTROYS,
};

struct km_pg_row {
    struct km_mcp_tool tool; /* hints and risk come from `does` */
    enum km_pg_does does;
    enum km_pg_mode mode; /* the least one that has it */
};

/* Hints and risk as they follow from what it does in this mode. */
void km_pg_set_hints(struct km_mcp_tool *t, enum km_pg_does does, enum km_pg_mode mode);

struct km_pg_rows {
    const struct km_pg_row *rows;
    size_t n;
};

/* One list a file of tools; in this order they are listed. */
extern const struct km_pg_rows km_pg_tools_sql, km_pg_tools_explain, km_pg_tools_schema,
    km_pg_tools_describe, km_pg_tools_data, km_pg_tools_change, km_pg_tools_activity,
    km_pg_tools_health, km_pg_tools_advise, km_pg_tools_overview;

/* Besides tools: resources, prompts, completion. */
extern const struct km_mcp_method km_pg_methods[];
extern const size_t km_pg_nmethods;
extern const struct km_mcp_resource km_pg_table_resource;

/* What describe_table asks: $1 schema (null: found by the path), $2 name, $3 KM_PG_NARROWED. */
extern const char *const km_pg_describe_sql[];

/* For rows: a text, and JSON as it is written. */
#define KM_PG_TEXT(s)                                                                              \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }
#define KM_PG_JSON(...) #__VA_ARGS__

/* What the server said beside a result. */
#define KM_PG_NOTICES_SCHEMA                                                                       \
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"severity\","               \
    "\"message\"],\"properties\":{\"severity\":{\"type\":\"string\"},"                             \
    "\"message\":{\"type\":\"string\"},\"hint\":{\"type\":\"string\"}}}}"

/* Of a result with rows. */
#define KM_PG_ROWS_SCHEMA                                                                          \
    "{\"type\":\"object\",\"required\":[\"columns\",\"rows\",\"row_count\",\"truncated\"]"         \
    ",\"properties\":{\"columns\":{\"type\":\"array\",\"items\":{\"type\":\"object\","             \
    "\"required\":[\"name\",\"type\"],\"properties\":{\"name\":{\"type\":\"string\"},"             \
    "\"type\":{\"type\":\"string\"},\"oid\":{\"type\":\"integer\"}}}},\"rows\":{\"type\":"         \
    "\"array\",\"items\":{\"type\":\"array\"}},\"row_count\":{\"type\":\"integer\"},"              \
    "\"truncated\":{\"type\":\"boolean\"},\"next_cursor\":{\"type\":\"string\"},\"hint\":"         \
    "{\"type\":\"string\"},\"command\":{\"type\":\"string\"},\"elapsed_ms\":{\"type\":"            \
    "\"number\"},\"notices\":" KM_PG_NOTICES_SCHEMA "}}"

/* --- tasks --- */

struct km_pg_task;
/* Answers, or starts the next statement; negative: the answer is an error with err's text. */
typedef int km_pg_answer_fn(struct km_pg_task *task, const struct km_pg_outcome *o,
                            struct km_err *err);

/* A call on its way to the database; in the call's arena. */
struct km_pg_task {
    struct km_mcp_call *call;
    struct km_pg_request request;
    struct km_pg_table table;
    size_t prefix; /* characters put before the caller's text */
    struct km_pg_lease *lease; /* NULL: it waits for a digest (digest.c), */
    struct km_list waits; /* among others */
    void *data; /* the tool's own */
    bool cancelled; /* nobody wants the answer: no further statement */
    bool rewritten; /* by a processor: places in the text are not the caller's */
    bool built; /* the text is ours: nor are these */
    struct km_pg_request names; /* of types, or near ones, are asked for, and */
    struct km_pg_outcome ended; /* this is told afterwards */
    struct km_str near; /* names that one which does not exist may have meant; empty: none */
    bool method; /* no tool: its errors are the protocol's */
    bool tolerant; /* answer takes failures as well: it looks at the outcome itself */
    km_pg_answer_fn *answer;
};

struct km_pg_server *km_pg_server_of(const struct km_mcp_call *call);

struct km_pg_task *km_pg_task_new(struct km_mcp_call *call, struct km_err *err);
/* Runs task->request; its errors are answered by itself, otherwise task->answer does. */
int km_pg_task_start(struct km_pg_task *task, struct km_err *err) KM_MUST_USE;
/* From inside answer: another statement, whose end comes to task->answer again. */
int km_pg_task_again(struct km_pg_task *task, const struct km_pg_request *request,
                     struct km_err *err) KM_MUST_USE;

/* The arguments max_rows, max_bytes and timeout_ms, where they are below the server's. */
void km_pg_task_limits(struct km_pg_task *task);

/* Of the server: see mcp/server/server.h.  call->work is the task while its lease runs, or it
 * waits. */
void km_pg_task_cancel(struct km_mcp_call *call);
void km_pg_task_drop(struct km_mcp_call *call);

/* Runs task->request as a statement with pages: the arguments max_rows, max_bytes, timeout_ms and
 * cursor count, and its rows are the answer. */
int km_pg_task_paged(struct km_pg_task *task, struct km_err *err) KM_MUST_USE;

/* A value as PostgreSQL's text, in the arena; *ret is NULL for null. */
int km_pg_task_text(struct km_mcp_call *call, const struct km_json *value, const char **ret,
                    struct km_err *err) KM_MUST_USE;
/* The argument `params` as texts and types. */
int km_pg_task_params(struct km_pg_task *task, const struct km_json *params,
                      struct km_err *err) KM_MUST_USE;

/* Looks up the table that the arguments `schema` and `table` name, then calls `then`, which goes on
 * with km_pg_task_again() or km_pg_task_paged(). */
typedef int km_pg_table_fn(struct km_pg_task *task, const struct km_pg_relation *rel,
                           struct km_err *err);
int km_pg_task_with_table(struct km_mcp_call *call, km_pg_table_fn *then,
                          struct km_err *err) KM_MUST_USE;
/* What was built as a request; its bytes are the builder's. */
int km_pg_build_request(struct km_pg_build *b, struct km_pg_request *ret,
                        struct km_err *err) KM_MUST_USE;
/* A list of names among the arguments as "a", "b"; none: all columns. */
int km_pg_build_columns(struct km_pg_build *b, const struct km_json *names,
                        struct km_err *err) KM_MUST_USE;

/* The one value of the result as JSON; empty: null, no row, or truncated. */
struct km_str km_pg_task_value(const struct km_pg_task *task);

/* A statement of our own, pieces up to NULL; $1, $2, ... are the arguments of those names, or
 * KM_PG_NARROWED: what is narrowed for callers, as narrow.h says. */
#define KM_PG_NARROWED "@narrowed"
int km_pg_request_own(struct km_mcp_call *call, const char *const *pieces, const char *const *names,
                      size_t n, struct km_pg_request *ret, struct km_err *err) KM_MUST_USE;
/* The text with the schema, which is quoted already, wherever it says @schema@; "" on overflow. */
const char *km_pg_with_schema(struct km_arena *arena, const char *text, struct km_str schema);
/* Runs it, and answer ends the call: with its one JSON value, km_pg_answer_value(). */
int km_pg_ask(struct km_mcp_call *call, const char *const *pieces, const char *const *names,
              size_t n, km_pg_answer_fn *answer, struct km_err *err) KM_MUST_USE;

/* --- answers --- */

/* The member of what the server said beside the result, with a comma in front. */
void km_pg_put_notices(const struct km_pg_outcome *o, struct km_buf *out);
/* Ends the call with an object that holds what the database said, fenced. */
int km_pg_answer(struct km_mcp_call *call, struct km_str json, struct km_err *err) KM_MUST_USE;
km_pg_answer_fn km_pg_answer_value;

#endif
