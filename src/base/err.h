/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - the one error type.
 *
 * A fallible function returns `int`: 0, or a negative KM_E_* code, and takes
 * `struct km_err *err` last.  The text is written where the knowledge is:
 *
 *     return km_fail(err, KM_E_UPSTREAM_TIMEOUT, "connect to '%s': no answer", host);
 *
 * On success *err is untouched.  err may be NULL.  No allocation happens here: an
 * error path that can fail is not an error path.
 */
#ifndef KM_BASE_ERR_H
#define KM_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define KM_MUST_USE __attribute__((warn_unused_result))
#define KM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* XX(NAME, its JSON-RPC code in MCP's handshake era, in its stateless era): what the column of that
 * name means.  0: the HTTP status is the code, for a code that is no standard one stands outside
 * -32768..-32000. */
#define KM_ERR_RPC_MAP(XX)                                                                         \
    XX(PARAMS, -32602, -32602) /* the request is wrong */                                          \
    XX(FAULT, -32603, -32603)  /* we are, or who is asked */                                       \
    XX(GONE, -32002, -32602)   /* what it names is not there */                                    \
    XX(STATUS, 0, 0)           /* later, with other rights or from somebody else it may go well */

enum km_err_rpc {
#define XX(name, handshake, stateless) KM_ERR_RPC_##name,
    KM_ERR_RPC_MAP(XX)
#undef XX
};

/* XX(NAME, HTTP status, JSON-RPC column, OpenAI type, Anthropic type, meaning): one code per
 * meaning a caller can act on. */
#define KM_ERR_MAP(XX)                                                                             \
    XX(INTERNAL, 500, FAULT, "internal_server_error", "api_error", "a fault in the gateway")       \
    XX(NOMEM, 503, STATUS, "overloaded_error", "overloaded_error", "out of memory")                \
    XX(AGAIN, 500, FAULT, "internal_server_error", "api_error", "not yet: a callback follows")     \
    XX(CLOSED, 500, FAULT, "internal_server_error", "api_error", "the other end closed")           \
    XX(CANCELED, 499, STATUS, "request_canceled", "api_error", "given up by its owner")            \
    XX(SYSTEM, 500, FAULT, "internal_server_error", "api_error", "the operating system refused")   \
    XX(INVALID, 400, PARAMS, "invalid_request_error", "invalid_request_error",                     \
       "malformed request")                                                                        \
    XX(LIMIT, 400, FAULT, "invalid_request_error", "invalid_request_error", "over a named bound")  \
    XX(UNSUPPORTED, 400, FAULT, "invalid_request_error", "invalid_request_error", "not supported") \
    XX(UNAUTHENTICATED, 401, STATUS, "auth_error", "authentication_error", "no valid key")         \
    XX(FORBIDDEN, 403, PARAMS, "auth_error", "permission_error", "the key may not do this")        \
    XX(MODEL_DENIED, 403, PARAMS, "key_model_access_denied", "permission_error",                   \
       "model not for this key")                                                                   \
    XX(NOT_FOUND, 404, GONE, "not_found_error", "not_found_error", "no such thing")                \
    XX(BAD_METHOD, 405, FAULT, "invalid_request_error", "invalid_request_error",                   \
       "method not allowed")                                                                       \
    XX(EXISTS, 409, FAULT, "invalid_request_error", "invalid_request_error", "exists already")     \
    XX(LENGTH_REQUIRED, 411, FAULT, "invalid_request_error", "invalid_request_error",              \
       "no body length")                                                                           \
    XX(BODY_TOO_LARGE, 413, FAULT, "invalid_request_error", "request_too_large",                   \
       "body over the limit")                                                                      \
    XX(URI_TOO_LONG, 414, FAULT, "invalid_request_error", "invalid_request_error",                 \
       "target too long")                                                                          \
    XX(MEDIA_TYPE, 415, FAULT, "invalid_request_error", "invalid_request_error",                   \
       "unusable content type")                                                                    \
    XX(EXPECTATION, 417, FAULT, "invalid_request_error", "invalid_request_error",                  \
       "unknown expectation")                                                                      \
    XX(HEADER_TOO_LARGE, 431, FAULT, "invalid_request_error", "invalid_request_error",             \
       "header too big")                                                                           \
    XX(REQUEST_TIMEOUT, 408, FAULT, "timeout_error", "timeout_error", "the client was too slow")   \
    XX(HTTP_VERSION, 505, FAULT, "invalid_request_error", "invalid_request_error", "HTTP version") \
    XX(NOT_IMPLEMENTED, 501, FAULT, "invalid_request_error", "invalid_request_error",              \
       "not implemented")                                                                          \
    XX(RATE_LIMITED, 429, STATUS, "throttling_error", "rate_limit_error", "slow down")             \
    XX(BUDGET, 429, STATUS, "budget_exceeded", "rate_limit_error", "no budget left")               \
    XX(UNPRICED, 400, FAULT, "invalid_request_error", "invalid_request_error",                     \
       "no price, but a budget")                                                                   \
    XX(NO_DEPLOYMENT, 429, STATUS, "throttling_error", "rate_limit_error",                         \
       "no deployment available")                                                                  \
    XX(OVERLOADED, 503, STATUS, "overloaded_error", "overloaded_error", "try again later")         \
    XX(STORE, 503, STATUS, "no_db_connection", "api_error", "the store does not answer")           \
    XX(UPSTREAM_CONNECT, 502, FAULT, "api_connection_error", "api_error",                          \
       "upstream not reachable")                                                                   \
    XX(UPSTREAM_PROTOCOL, 502, FAULT, "api_error", "api_error", "upstream broke the protocol")     \
    XX(UPSTREAM_STATUS, 502, FAULT, "api_error", "api_error", "upstream answered with an error")   \
    XX(UPSTREAM_TIMEOUT, 408, STATUS, "timeout_error", "timeout_error", "upstream deadline passed")\
    XX(CONFIG, 500, FAULT, "internal_server_error", "api_error", "invalid configuration")          \
    XX(NOT_RUNNING, 503, STATUS, "overloaded_error", "overloaded_error", "no gateway is running")

enum km_err_index {
    KM_ERR_OK_INDEX,
#define XX(name, http, rpc, openai, anthropic, meaning) KM_ERR_##name##_INDEX,
    KM_ERR_MAP(XX)
#undef XX
};

/* Codes are negative: KM_E_INVALID == -KM_ERR_INVALID_INDEX. */
enum km_err_code {
#define XX(name, http, rpc, openai, anthropic, meaning) KM_E_##name = -(int)KM_ERR_##name##_INDEX,
    KM_ERR_MAP(XX)
#undef XX
};

/* Numbers of a refusal, in tokens; 0: not said. */
struct km_err_tokens {
    long long input, output, most;
};

struct km_err {
    int code;
    int http;           /* status, when it is not the code's own; 0: the code's */
    int retry_after_ms; /* 0: none */
    const char *type;   /* overrides the code's own; static storage */
    const char *param;  /* the offending field; static or arena storage */
    const char *reason; /* a word for machines ("context_length_exceeded"); static; NULL: none */
    bool final;         /* asking again makes no sense, whatever the status says */
    unsigned char
        kind; /* what was refused, for who says it in a vendor's words; 0: nothing of it */
    struct km_err_tokens tokens; /* of that kind: stands only beside one */
    char text[512];     /* ends in "..." when cut */
};

/* Declares an error that says nothing yet.  As `= { 0 }`, but for the bytes of a text that nobody
 * reads: they are most of it, and what is declared for each read of a connection costs them. */
#define KM_ERR_NONE(name)                                                                          \
    struct km_err name;                                                                            \
    km_err_clear(&name)

static inline void km_err_clear(struct km_err *err)
{
    err->code = err->http = err->retry_after_ms = 0;
    err->type = err->param = err->reason = NULL;
    err->final = false;
    err->kind = 0;
    err->text[0] = '\0';
}

/* Writes code and text into *err (NULL is fine), resets the other fields, returns code. */
int km_fail(struct km_err *err, int code, const char *fmt, ...) KM_PRINTF(3, 4);

/* As km_fail, and names the offending field (static or arena storage). */
int km_fail_param(struct km_err *err, int code, const char *param, const char *fmt, ...)
    KM_PRINTF(4, 5);

/* KM_E_SYSTEM with the text of errno number `error` appended after ": ". */
int km_fail_errno(struct km_err *err, int error, const char *fmt, ...) KM_PRINTF(3, 4);

/* The static analyzer sees no further than this header: the answer is the code, and a code
 * is negative, so what a callee would have written on success is not looked at. */
#ifdef __clang_analyzer__
#define km_fail(err, code, ...) ((void)km_fail(err, code, __VA_ARGS__), (code))
#define km_fail_param(err, code, ...) ((void)km_fail_param(err, code, __VA_ARGS__), (code))
#define km_fail_errno(err, error, ...) ((void)km_fail_errno(err, error, __VA_ARGS__), KM_E_SYSTEM)
#endif

/* Columns of the table; unknown codes answer as INTERNAL does.  Static storage. */
const char *km_err_name(int code); /* "RATE_LIMITED" */
const char *km_err_meaning(int code);
const char *km_err_openai_type(const struct km_err *err);
const char *km_err_anthropic_type(const struct km_err *err);
int km_err_http(const struct km_err *err); /* err->http or the code's own status */
int km_err_rpc(const struct km_err *err, bool stateless); /* stateless: MCP from 2026-07-28 on */

/* A bug, not an input: prints what and where and aborts, in every build. */
#define km_assert(cond) ((cond) ? (void)0 : km_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void km_assert_failed(const char *what, const char *file, int line);

/* Straight-line code frees by scope: struct km_buf b KM_CLEANUP(km_buf_done) = ...; */
#define KM_CLEANUP(fn) __attribute__((cleanup(fn)))

#endif
