/* SPDX-License-Identifier: Apache-2.0 */
/* request_part.h - what request.c and request_body.c have in common; private to them. */
#ifndef KM_MCP_OPENAPI_REQUEST_PART_H
#define KM_MCP_OPENAPI_REQUEST_PART_H

#include "mcp/openapi/openapi.h"

/* A value as text: a string as it is, null as nothing, what is made of others as JSON. */
void km_openapi_put_plain(struct km_buf *out, const struct km_json *v, bool escaped);
/* name=value, once for each item of a list. */
void km_openapi_put_fields(struct km_buf *out, struct km_str name, const struct km_json *v);

/* Sets body and has_body, and the Content-Type. */
int km_openapi_put_body(const struct km_openapi_op *op, const struct km_json *args,
                        struct km_openapi_request *r, struct km_err *err) KM_MUST_USE;

#endif
