/* SPDX-License-Identifier: Apache-2.0 */
/* build.h - a document while tools are made of it; private to openapi/. */
#ifndef KM_MCP_OPENAPI_BUILD_H
#define KM_MCP_OPENAPI_BUILD_H

#include "mcp/openapi/openapi.h"
#include "mcp/openapi/schema.h"

struct km_openapi_build {
    const struct km_openapi_args *args;
    struct km_openapi_refs refs;
    bool swagger; /* 2.0 */
    struct km_openapi *doc; /* being made */
    struct km_arena *scratch; /* the tree, and what is not kept */
    struct km_buf notes;
    size_t wasted; /* bytes of schemas that came out too large */
};

/* One operation while it is looked at. */
struct km_openapi_draft {
    struct km_openapi_build *b;
    struct km_str path, method; /* as they are written: "/pets/{id}", "get" */
    const struct km_json *item, *operation;
    struct km_openapi_param params[KM_OPENAPI_PARAMS];
    const struct km_json *declared[KM_OPENAPI_PARAMS]; /* of each; NULL: nothing but its name */
    size_t nparams;
    const struct km_json *body; /* its schema, or NULL */
    struct km_str body_description;
    bool body_required;
    struct km_openapi_op op;
};

/* An operation was left out. */
void km_openapi_note(struct km_openapi_build *b, struct km_str method, struct km_str path,
                     const char *why);
struct km_str km_openapi_text(const struct km_json *v, const char *name); /* empty: there is none */

/* document.c: fills base, key_in and key_name, title and version. */
void km_openapi_head(struct km_openapi_build *b);
/* tools.c: fills tools and ops. */
int km_openapi_tools(struct km_openapi_build *b, struct km_err *err) KM_MUST_USE;
/* params.c: parameters and the body; NULL, or why there can be no tool. */
const char *km_openapi_params(struct km_openapi_draft *d);
/* input.c: its inputSchema; empty: it is too large. */
struct km_str km_openapi_input(struct km_openapi_draft *d);

#endif
