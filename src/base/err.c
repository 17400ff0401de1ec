/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - see err.h for the contract.
 *
 * The table of err.h becomes one array, indexed by the negated code; index 0 is success.
 * A code that is not in the table (a positive number, somebody's errno) is a bug of its
 * maker, but an error path is the worst place to abort in: it answers as INTERNAL does.
 *
 * Text is formatted into a buffer of our own first: callers wrap an error with
 * km_fail(err, code, "...: %s", err->text), so source and destination may be one.  A text
 * that does not fit ends in "...", and never in half a UTF-8 sequence, since it travels
 * on into JSON.
 */
#include "base/err.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Defined here, whatever the header tells an analyzer. */
#undef km_fail
#undef km_fail_param
#undef km_fail_errno

struct row {
    const char *name;
    const char *openai;
    const char *anthropic;
    const char *meaning;
    int http;
    enum km_err_rpc rpc;
};

static const struct row rows[] = {
    [KM_ERR_OK_INDEX] = { "OK", "internal_server_error", "api_error", "no error", 200,
                          KM_ERR_RPC_FAULT },
#define XX(name_, http_, rpc_, openai_, anthropic_, meaning_)                                      \
    [KM_ERR_##name_##_INDEX] = {                                                                   \
        #name_, openai_, anthropic_, meaning_, http_, KM_ERR_RPC_##rpc_,                           \
    },
    KM_ERR_MAP(XX)
#undef XX
};

static const struct {
    int code[2]; /* by era: handshake, stateless */
} rpc_rows[] = {
#define XX(name, handshake, stateless) [KM_ERR_RPC_##name] = { { (handshake), (stateless) } },
    KM_ERR_RPC_MAP(XX)
#undef XX
};

static const struct row *row_of(int code)
{
    const int count = (int)(sizeof rows / sizeof rows[0]);

    if (code > 0 || code <= -count)
        return &rows[KM_ERR_INTERNAL_INDEX];
    return &rows[-code];
}

/* Writes "..." over the end of a full buffer, before any UTF-8 sequence it would halve. */
static void cut(char *text, size_t size)
{
    size_t at = size - 4;

    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    memcpy(text + at, "...", 4);
}

static void KM_PRINTF(3, 0) format(char *text, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(text, size, fmt, ap);

    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= size)
        cut(text, size);
}

static int fill(struct km_err *err, int code, const char *param, const char *text)
{
    *err = (struct km_err){ .code = code, .param = param };
    memcpy(err->text, text, strlen(text) + 1);
    return code;
}

int km_fail(struct km_err *err, int code, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    return fill(err, code, NULL, text);
}

int km_fail_param(struct km_err *err, int code, const char *param, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    return fill(err, code, param, text);
}

int km_fail_errno(struct km_err *err, int error, const char *fmt, ...)
{
    char text[sizeof err->text];
    char reason[128];
    size_t n;
    va_list ap;

    if (!err)
        return KM_E_SYSTEM;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    n = strlen(text);
    if ((size_t)snprintf(text + n, sizeof text - n, ": %s",
                         strerror_r(error, reason, sizeof reason)) >= sizeof text - n)
        cut(text, sizeof text);
    return fill(err, KM_E_SYSTEM, NULL, text);
}

const char *km_err_name(int code)
{
    return row_of(code)->name;
}

const char *km_err_meaning(int code)
{
    return row_of(code)->meaning;
}

const char *km_err_openai_type(const struct km_err *err)
{
    return err->type ? err->type : row_of(err->code)->openai;
}

const char *km_err_anthropic_type(const struct km_err *err)
{
    return err->type ? err->type : row_of(err->code)->anthropic;
}

int km_err_http(const struct km_err *err)
{
    return err->http ? err->http : row_of(err->code)->http;
}

int km_err_rpc(const struct km_err *err, bool stateless)
{
    int code = rpc_rows[row_of(err->code)->rpc].code[stateless];

    return code ? code : km_err_http(err);
}

void km_assert_failed(const char *what, const char *file, int line)
{
    struct pollfd reader = { .fd = STDERR_FILENO, .events = POLLOUT };
    char text[PIPE_BUF / 4];
    const int n =
        snprintf(text, sizeof text, "kanmon: bug: '%s' does not hold at %s:%d\n", what, file, line);

    /* Past the log and its thread, which may be what is broken; and a reader that stalls must not
     * keep a broken program from its end. */
    if (n > 0 && poll(&reader, 1, 0) == 1)
        (void)!write(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    abort();
}
