/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - see message.h for the contract.
 *
 * Fields are an array in the order they came; a head has a handful of them, so looking one up
 * is a walk that compares lengths first and almost never looks at a byte.  No index is built:
 * it would cost every request more than the three or four look-ups it serves.
 *
 * Header lines leave through km_header_put() only.  It refuses what could end a line early,
 * wherever the value came from; nobody else needs to remember to.
 */
#include "http/message.h"

#include "base/buf.h"
#include "http/syntax.h"

static bool name_is(const struct km_header *f, struct km_str name)
{
    return f->name.n == name.n && ((f->name.p[0] ^ name.p[0]) & 0xdf) == 0 &&
           km_str_ieq(f->name, name);
}

static struct km_str append(char **at, struct km_str text)
{
    char *p = *at;

    if (text.n)
        memcpy(p, text.p, text.n);
    *at += text.n;
    return km_str(p, text.n);
}

struct km_headers km_headers_copy(struct km_arena *arena, const struct km_headers *h)
{
    size_t table = h->n * sizeof(struct km_header), n = 0;
    struct km_header *v;
    char *text, *at;

    for (size_t i = 0; i < h->n; i++)
        n += h->v[i].name.n + h->v[i].value.n;
    v = h->n ? km_arena_alloc(arena, table + n) : NULL;
    if (!v)
        return (struct km_headers){ 0 };
    text = at = (char *)v + table;
    for (size_t i = 0; i < h->n; i++) {
        v[i].name = append(&at, h->v[i].name);
        v[i].value = append(&at, h->v[i].value);
    }
    return (struct km_headers){ .v = v, .n = h->n, .text = km_str(text, n) };
}

struct km_str km_header_get(const struct km_headers *h, struct km_str name)
{
    const struct km_header *f = h->v;

    if (name.n == 0)
        return KM_STR_NONE;
    for (size_t n = h->n; n > 0; f++, n--)
        if (name_is(f, name))
            return f->value;
    return KM_STR_NONE;
}

size_t km_header_count(const struct km_headers *h, struct km_str name)
{
    size_t count = 0;

    for (size_t i = 0; i < h->n && name.n > 0; i++)
        count += name_is(&h->v[i], name);
    return count;
}

bool km_header_has_token(const struct km_headers *h, struct km_str name, struct km_str token)
{
    for (size_t i = 0; i < h->n && name.n > 0; i++) {
        struct km_str rest = h->v[i].value, part;

        if (!name_is(&h->v[i], name))
            continue;
        while (km_str_split(&rest, ',', &part))
            if (km_str_ieq(km_str_trim(part), token))
                return true;
    }
    return false;
}

int km_header_put(struct km_buf *b, struct km_str name, struct km_str value, struct km_err *err)
{
    if (!km_is_token(name))
        return km_fail(err, KM_E_INVALID, "'%.*s' is no header field name",
                       KM_STR_ARG(km_is_field_value(name) ? name : KM_STR("?")));
    if (!km_is_field_value(value))
        return km_fail(err, KM_E_INVALID, "the value of header field %.*s holds a control byte",
                       KM_STR_ARG(name));
    km_buf_str(b, name);
    km_buf_bytes(b, ": ", 2);
    km_buf_str(b, value);
    km_buf_bytes(b, "\r\n", 2);
    return km_buf_failed(b) ? km_fail(err, KM_E_LIMIT, "the header is over %zu bytes", b->max) : 0;
}

bool km_header_next(struct km_str *lines, struct km_str *ret_name, struct km_str *ret_value)
{
    struct km_str line;
    size_t colon;

    while (km_str_split(lines, '\n', &line)) {
        colon = km_str_chr(line, ':');
        if (colon == line.n)
            continue;
        *ret_name = km_str_sub(line, 0, colon);
        line = km_str_skip(line, colon + 1);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        *ret_value = km_str_trim(line);
        return true;
    }
    return false;
}

#define STATUSES(XX)                                                                               \
    XX(100, "Continue")                                                                            \
    XX(101, "Switching Protocols")                                                                 \
    XX(102, "Processing")                                                                          \
    XX(103, "Early Hints")                                                                         \
    XX(200, "OK")                                                                                  \
    XX(201, "Created")                                                                             \
    XX(202, "Accepted")                                                                            \
    XX(203, "Non-Authoritative Information")                                                       \
    XX(204, "No Content")                                                                          \
    XX(205, "Reset Content")                                                                       \
    XX(206, "Partial Content")                                                                     \
    XX(207, "Multi-Status")                                                                        \
    XX(300, "Multiple Choices")                                                                    \
    XX(301, "Moved Permanently")                                                                   \
    XX(302, "Found")                                                                               \
    XX(303, "See Other")                                                                           \
    XX(304, "Not Modified")                                                                        \
    XX(307, "Temporary Redirect")                                                                  \
    XX(308, "Permanent Redirect")                                                                  \
    XX(400, "Bad Request")                                                                         \
    XX(401, "Unauthorized")                                                                        \
    XX(402, "Payment Required")                                                                    \
    XX(403, "Forbidden")                                                                           \
    XX(404, "Not Found")                                                                           \
    XX(405, "Method Not Allowed")                                                                  \
    XX(406, "Not Acceptable")                                                                      \
    XX(407, "Proxy Authentication Required")                                                       \
    XX(408, "Request Timeout")                                                                     \
    XX(409, "Conflict")                                                                            \
    XX(410, "Gone")                                                                                \
    XX(411, "Length Required")                                                                     \
    XX(412, "Precondition Failed")                                                                 \
    XX(413, "Content Too Large")                                                                   \
    XX(414, "URI Too Long")                                                                        \
    XX(415, "Unsupported Media Type")                                                              \
    XX(416, "Range Not Satisfiable")                                                               \
    XX(417, "Expectation Failed")                                                                  \
    XX(418, "I'm a teapot")                                                                        \
    XX(421, "Misdirected Request")                                                                 \
    XX(422, "Unprocessable Content")                                                               \
    XX(423, "Locked")                                                                              \
    XX(424, "Failed Dependency")                                                                   \
    XX(425, "Too Early")                                                                           \
    XX(426, "Upgrade Required")                                                                    \
    XX(428, "Precondition Required")                                                               \
    XX(429, "Too Many Requests")                                                                   \
    XX(431, "Request Header Fields Too Large")                                                     \
    XX(451, "Unavailable For Legal Reasons")                                                       \
    XX(499, "Client Closed Request")                                                               \
    XX(500, "Internal Server Error")                                                               \
    XX(501, "Not Implemented")                                                                     \
    XX(502, "Bad Gateway")                                                                         \
    XX(503, "Service Unavailable")                                                                 \
    XX(504, "Gateway Timeout")                                                                     \
    XX(505, "HTTP Version Not Supported")                                                          \
    XX(507, "Insufficient Storage")                                                                \
    XX(508, "Loop Detected")                                                                       \
    XX(511, "Network Authentication Required")                                                     \
    XX(529, "Overloaded")

const char *km_http_reason(int status)
{
    switch (status) {
#define XX(code, text)                                                                             \
    case code:                                                                                     \
        return text;
        STATUSES(XX)
#undef XX
    default:
        return "Unknown";
    }
}
