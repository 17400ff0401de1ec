/* SPDX-License-Identifier: Apache-2.0 */
/* jsonrpc.h - JSON-RPC 2.0 messages as MCP uses them: one message in, a result or an error out.
 *
 * An id is kept as the bytes that came ("\u0041" stays so, 7 stays 7): whoever waits for the
 * answer compares what it sent.
 */
#ifndef KM_MCP_JSONRPC_H
#define KM_MCP_JSONRPC_H

#include "http/json.h"

#define KM_RPC_BYTES ((size_t)16 * 1024 * 1024) /* of one message */

/* The two families of protocol revisions; see revision.h. */
enum km_mcp_era {
    KM_MCP_HANDSHAKE, /* 2024-11-05 to 2025-11-25: initialize first */
    KM_MCP_STATELESS, /* 2026-07-28: every request says all about itself */
};

/* What can be wrong with a message.  XX(NAME, code and HTTP status in the handshake era, code
 * and HTTP status in the stateless era). */
#define KM_RPC_FAULTS(XX)                                                                          \
    XX(PARSE, -32700, 400, -32700, 400)                                                            \
    XX(INVALID_REQUEST, -32600, 400, -32600, 400)                                                  \
    XX(TOO_LARGE, -32600, 413, -32600, 413)                                                        \
    XX(METHOD_NOT_FOUND, -32601, 200, -32601, 404)                                                 \
    XX(INVALID_PARAMS, -32602, 200, -32602, 200)                                                   \
    XX(MISSING_META, -32602, 400, -32602, 400)                                                     \
    XX(RESOURCE_NOT_FOUND, -32002, 200, -32602, 200)                                               \
    XX(INTERNAL, -32603, 200, -32603, 200)                                                         \
    XX(OVERLOADED, -32603, 503, -32603, 503)                                                       \
    XX(NOT_ACCEPTABLE, -32000, 406, -32600, 406)                                                   \
    XX(MEDIA_TYPE, -32000, 415, -32600, 415)                                                       \
    XX(HEADER_MISMATCH, -32000, 400, -32020, 400)                                                  \
    XX(MISSING_CAPABILITY, -32021, 200, -32021, 400)                                               \
    XX(UNSUPPORTED_VERSION, -32000, 400, -32022, 400)

enum km_rpc_fault {
#define XX(name, code1, http1, code2, http2) KM_RPC_##name,
    KM_RPC_FAULTS(XX)
#undef XX
};

int km_rpc_code(enum km_rpc_fault fault, enum km_mcp_era era);
int km_rpc_http(enum km_rpc_fault fault, enum km_mcp_era era);

enum km_rpc_kind {
    KM_RPC_REQUEST,
    KM_RPC_NOTIFICATION,
    KM_RPC_RESPONSE, /* a result or an error */
};

/* Views live as long as the arena and the text. */
struct km_rpc_message {
    enum km_rpc_kind kind;
    struct km_str id; /* its JSON as it came; empty: none, or it could not be read */
    struct km_str method;
    struct km_str params_text; /* their JSON as it came, of the text that was read; empty: none */
    const struct km_json *params; /* an object; NULL: absent */
    const struct km_json *result, *error; /* of a response */
};

/* Reads one message.  KM_E_INVALID, KM_E_LIMIT (16 MiB, depth 64) or KM_E_NOMEM; then *ret_fault
 * says how to answer, and ret->id is set where it could be read.  A batch is refused. */
int km_rpc_parse(struct km_arena *arena, struct km_str text, struct km_rpc_message *ret,
                 enum km_rpc_fault *ret_fault, struct km_err *err) KM_MUST_USE;

/* {"jsonrpc","id","method","params"}; id and params are ready-made JSON.  Without an id it is a
 * notification; params empty: none. */
void km_rpc_request(struct km_buf *out, struct km_str id, struct km_str method,
                    struct km_str params);
/* {"jsonrpc","id","result"}; result is ready-made JSON. */
void km_rpc_result(struct km_buf *out, struct km_str id, struct km_str result);
/* {"jsonrpc","id","error":{"code","message","data"}}.  Without an id: null in the handshake era,
 * left out in the stateless one.  data empty: none. */
void km_rpc_error(struct km_buf *out, enum km_mcp_era era, enum km_rpc_fault fault,
                  struct km_str id, struct km_str message, struct km_str data);
/* The same of an error: its column of the one table (base/err.h), its text, and as data its type
 * and when to try again. */
void km_rpc_failure(struct km_buf *out, enum km_mcp_era era, struct km_str id,
                    const struct km_err *err);

#endif
