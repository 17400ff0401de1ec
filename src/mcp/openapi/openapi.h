/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.h - tools of a REST interface, made of its OpenAPI document (`spec_path`).
 *
 *     text ── document.c ──> tree, base URL, where an API key goes
 *               └── tools.c ── an operation ──> a tool (schema.c: its schemas) and how it is asked
 *     arguments ── request.c ──> method, target, header lines, body
 *     response  ── answer.c  ──> content of a tool's result
 *
 * OpenAPI 3.0 and 3.1 and Swagger 2.0, as JSON or YAML.  Names of tools and of their arguments are
 * LiteLLM's (an operationId in lower case; a body is `body`), so that lists of allowed tools go on
 * working.  An operation that cannot be a tool is left out and named; the others stay.
 *
 * A document is another's word: every size, depth and count below is bounded, and what its tools
 * send stays below the base URL.  Thread: a document is immutable and counted, read by any.
 */
#ifndef KM_MCP_OPENAPI_H
#define KM_MCP_OPENAPI_H

#include "http/client.h"
#include "http/json.h"
#include "mcp/server/server.h"

#define KM_OPENAPI_BYTES ((size_t)16 * 1024 * 1024) /* of a document */
#define KM_OPENAPI_TOOLS 2000 /* operations of a document */
#define KM_OPENAPI_PARAMS 200 /* of an operation */
#define KM_OPENAPI_SCHEMA_BYTES ((size_t)64 * 1024) /* of a tool's inputSchema */
#define KM_OPENAPI_LIST_BYTES ((size_t)6 * 1024 * 1024) /* of all tools together */
#define KM_OPENAPI_TARGET_BYTES ((size_t)16 * 1024) /* path and query of a request */
#define KM_OPENAPI_HEAD_BYTES ((size_t)64 * 1024)
#define KM_OPENAPI_BODY_BYTES ((size_t)16 * 1024 * 1024) /* of a request */

enum km_openapi_in {
    KM_OPENAPI_PATH,
    KM_OPENAPI_QUERY,
    KM_OPENAPI_HEADER,
    KM_OPENAPI_COOKIE,
    KM_OPENAPI_FIELD, /* of a form, where each field is an argument (Swagger 2.0) */
};

enum km_openapi_style {
    KM_OPENAPI_COMMA, /* simple, form, csv */
    KM_OPENAPI_SPACE,
    KM_OPENAPI_PIPE,
    KM_OPENAPI_TAB,
    KM_OPENAPI_DEEP, /* name[key]=value */
    KM_OPENAPI_LABEL, /* .value */
    KM_OPENAPI_MATRIX, /* ;name=value */
};

struct km_openapi_param {
    struct km_str name; /* as it is sent */
    struct km_str arg; /* of the tool: its name, unless another has it */
    enum km_openapi_in in;
    enum km_openapi_style style;
    bool explode, required;
    bool json; /* sent as JSON text */
};

enum km_openapi_body {
    KM_OPENAPI_NO_BODY,
    KM_OPENAPI_JSON,
    KM_OPENAPI_FORM,
    KM_OPENAPI_MULTIPART,
    KM_OPENAPI_TEXT, /* or bytes, as a data: URL */
};

struct km_openapi_op {
    struct km_str method; /* "GET" */
    struct km_str path; /* a template: "/pets/{id}" */
    const struct km_openapi_param *params;
    size_t nparams;
    enum km_openapi_body body;
    struct km_str body_arg; /* empty: the body is made of fields */
    struct km_str media; /* of the body */
};

struct km_openapi {
    _Atomic unsigned refs;
    struct km_arena arena;
    const struct km_mcp_tool *tools;
    const struct km_openapi_op *ops; /* of each tool */
    size_t n;
    struct km_str title, version; /* of the interface; version is never empty */
    struct km_str base; /* its URL by the document; empty: it names none */
    enum km_openapi_in key_in; /* where an API key goes */
    struct km_str key_name; /* empty: it does not say */
    struct km_str notes; /* what was left out and why, for people; empty: nothing */
    size_t left_out;
    uint8_t digest[32]; /* of the text */
    struct km_origin *origin; /* of base, once it is to be asked (source.h); or NULL */
    struct km_str target; /* the path of base */
};

struct km_openapi_args {
    struct km_str text;
    struct km_str name; /* of the document, for messages: its path or address */
    struct km_str url; /* it was fetched from here; empty: it was not */
    bool placed; /* where requests go is configured: whatever servers it names */
    const struct km_str_map *headers; /* that are configured: no arguments; NULL: none */
    const struct km_str_list *passed; /* names of those a client's own are sent of: the same */
    km_mcp_tool_fn *run; /* of each tool */
};

/* KM_E_INVALID, KM_E_LIMIT with a text for people; *ret_doc has one reference. */
int km_openapi_new(const struct km_openapi_args *args, struct km_openapi **ret_doc,
                   struct km_err *err) KM_MUST_USE;
struct km_openapi *km_openapi_ref(struct km_openapi *d); /* any thread */
struct km_openapi *km_openapi_unref(struct km_openapi *d); /* NULL */

/* --- one call --- */

struct km_openapi_request {
    struct km_buf target, head, body;
    bool has_body;
};

void km_openapi_request_init(struct km_openapi_request *r);
void km_openapi_request_done(struct km_openapi_request *r);

/* base: path of the base URL, maybe with a query.  args: an object that fits the tool's schema;
 * NULL: none.  KM_E_INVALID with a text that names the argument; KM_E_LIMIT. */
int km_openapi_request(const struct km_openapi_op *op, struct km_str base,
                       const struct km_json *args, struct km_openapi_request *ret,
                       struct km_err *err) KM_MUST_USE;

struct km_openapi_answer {
    int status;
    struct km_str type; /* Content-Type; empty: not said */
    struct km_str location; /* of a redirect that is not followed */
    struct km_str body;
    struct km_str uri; /* that was asked, without its query */
};

/* Ends the call. */
void km_openapi_answer(struct km_mcp_call *call, const struct km_openapi_answer *answer);

#endif
