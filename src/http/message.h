/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - heads of HTTP messages: header fields as views, and building them safely.
 *
 * Views point into the message's own copy of the head and live as long as it does.
 */
#ifndef KM_HTTP_MESSAGE_H
#define KM_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/setting.h"

struct km_buf;

struct km_header {
    struct km_str name, value;
};

struct km_headers {
    const struct km_header *v;
    size_t n;
    struct km_str
        text; /* the head as it came, within which all of them stand; empty: they do not */
};

/* The same in arena, in one piece; none of them when it has no room, which it remembers. */
struct km_headers km_headers_copy(struct km_arena *arena, const struct km_headers *h);
/* The first field of that name (ASCII case-insensitive); empty view when there is none. */
struct km_str km_header_get(const struct km_headers *h, struct km_str name);
size_t km_header_count(const struct km_headers *h, struct km_str name);
/* Does a comma list field ("Connection") hold the token?  All fields of the name are read. */
bool km_header_has_token(const struct km_headers *h, struct km_str name, struct km_str token);

struct km_request {
    struct km_str method; /* "GET": upper case as sent */
    struct km_str target; /* as sent: "/v1/models?x=1" */
    struct km_str path; /* without query; not decoded; no dot segments, no %00, no backslash */
    struct km_str query; /* without '?' */
    struct km_headers headers;
    struct km_str host; /* validated Host (or :authority of absolute-form); may be empty in 1.0 */
    int minor; /* HTTP/1.minor */
    bool has_body; /* a body follows (Content-Length > 0 or chunked) */
    uint64_t content_length; /* UINT64_MAX: chunked */
};

struct km_response {
    int status;
    struct km_headers headers;
    int minor;
    uint64_t content_length; /* UINT64_MAX: chunked or until close */
};

/* Appends "Name: value\r\n".  Refuses (KM_E_INVALID) a name that is no token or a value with
 * CR, LF, NUL or another control byte: the one place where header injection ends. */
int km_header_put(struct km_buf *b, struct km_str name, struct km_str value,
                  struct km_err *err) KM_MUST_USE;

/* The next of lines made by km_header_put(), in *lines what is left; false: there is none. */
bool km_header_next(struct km_str *lines, struct km_str *ret_name, struct km_str *ret_value);

const char *km_http_reason(int status); /* "OK"; "Unknown" for others */

/* Percent-decodes into the arena; KM_E_INVALID on a bad escape or %00. plus: '+' is a space. */
int km_url_decode(struct km_arena *a, struct km_str s, bool plus, struct km_str *ret,
                  struct km_err *err) KM_MUST_USE;
/* RFC 3986 unreserved bytes stay, all else is escaped. */
void km_url_encode(struct km_buf *b, struct km_str s);
/* May a request target, path and query, be sent to an upstream?  KM_E_INVALID where part of its
 * path could be read as another path, by the rules that paths of requests are judged by. */
int km_target_check(struct km_str target, struct km_err *err) KM_MUST_USE;
/* The same of a path made of a template and escaped values, which may hold a backslash. */
int km_target_check_filled(struct km_str path, struct km_err *err) KM_MUST_USE;
/* The decoded value of a query parameter; false when absent (or badly escaped). */
bool km_query_get(struct km_arena *a, struct km_str query, struct km_str name,
                  struct km_str *ret_value);

/* Which of the names, 32 at most, the query has more than once; NULL: none. */
const struct km_str *km_query_twice(struct km_arena *a, struct km_str query,
                                    const struct km_str *names, size_t n);

struct km_url {
    bool https;
    struct km_str host; /* without brackets */
    uint16_t port;
    struct km_str path; /* "" or begins with '/'; with query */
    struct km_str userinfo; /* empty: none */
};
bool km_url_is_http(struct km_str s); /* does it begin as one of http or https? */
/* http and https only; views into s. */
int km_url_parse(struct km_str s, struct km_url *ret_url, struct km_err *err) KM_MUST_USE;
/* Does the list name the host of the URL, or its host:port? */
bool km_url_host_listed(struct km_str url, const struct km_str_list *hosts);

#endif
