/* SPDX-License-Identifier: Apache-2.0 */
/* head.c - see head.h for the contract.
 *
 * llhttp walks the bytes, strictly (no lenient flag, ever), and tells us where things are; we
 * keep places (offsets from the head's first byte), never pointers, so that the bytes may move
 * while a head comes in pieces.  A head that comes whole, as nearly all do, is parsed in the
 * loop's read buffer and copied once:
 *
 *     read buffer:  POST /v1/chat/completions HTTP/1.1\r\nHost: ...\r\n\r\n{"model"...
 *                   method target             version   field[0]       used
 *
 * llhttp is stopped at the end of each head (HPE_PAUSED).  It is not asked about bodies with a
 * length, keep-alive or what follows a last request: each message begins a fresh parser, so
 * that its opinion on bytes after "Connection: close" cannot destroy an answer.
 *
 * Limits are checked where a head could grow past them: the number of fields in the callback,
 * the rest after each feed (a feed is at most one read).
 */
#include "http/head.h"

#include <stdlib.h>

#include "http/head_fields.h"

static void extend(struct km_head *h, struct km_head_span *s, const char *at, size_t n)
{
    if (s->n == 0)
        s->at = (uint32_t)(at - h->base);
    s->n += (uint32_t)n;
}

static int on_method(llhttp_t *p, const char *at, size_t n)
{
    struct km_head *h = p->data;

    extend(h, &h->method, at, n);
    return 0;
}

static int on_target(llhttp_t *p, const char *at, size_t n)
{
    struct km_head *h = p->data;

    extend(h, &h->target, at, n);
    return 0;
}

static int on_version(llhttp_t *p, const char *at, size_t n)
{
    struct km_head *h = p->data;

    extend(h, &h->version, at, n);
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct km_head *h = p->data;

    if (h->in_value || h->n == 0) {
        if (h->n >= h->limits->fields || h->n >= h->cap) {
            h->failed = KM_E_HEADER_TOO_LARGE;
            return -1;
        }
        h->field[h->n++] = (struct km_head_field){ 0 };
        h->in_value = false;
    }
    extend(h, &h->field[h->n - 1].name, at, n);
    return 0;
}

static int on_field_complete(llhttp_t *p)
{
    struct km_head *h = p->data;

    h->in_value = true;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct km_head *h = p->data;

    extend(h, &h->field[h->n - 1].value, at, n);
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    (void)p;
    return HPE_PAUSED;
}

static const llhttp_settings_t head_settings = {
    .on_method = on_method,
    .on_url = on_target,
    .on_version = on_version,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

struct km_head *km_head_new(size_t fields)
{
    struct km_head *h = malloc(sizeof *h + fields * sizeof h->field[0]);

    if (h) {
        memset(h, 0, sizeof *h);
        h->cap = fields;
    }
    return h;
}

struct km_head *km_head_free(struct km_head *h)
{
    free(h);
    return NULL;
}

bool km_head_fits(const struct km_head *h, size_t fields)
{
    return h->cap >= fields;
}

void km_head_begin(struct km_head *h, enum km_head_kind kind, const struct km_head_limits *limits)
{
    llhttp_init(&h->parser, kind == KM_HEAD_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &head_settings);
    h->limits = limits;
    h->kind = kind;
    h->seen = h->n = 0;
    h->failed = 0;
    h->in_value = false;
    h->method = h->target = h->version = (struct km_head_span){ 0 };
}

const llhttp_t *km_head_parser(const struct km_head *h)
{
    return &h->parser;
}

static int limit_error(const struct km_head *h, int code, struct km_err *err)
{
    if (h->kind == KM_HEAD_RESPONSE)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the head of the response is too large");
    if (code == KM_E_URI_TOO_LONG)
        return km_fail(err, code, "the request line is over %zu bytes", h->limits->line);
    return km_fail(err, code,
                   "the request header is over its limits: %zu bytes, %zu fields, %zu bytes a line",
                   h->limits->bytes, h->limits->fields, h->limits->line);
}

/* "HTTP/1.1" followed by something else is no question of versions; "HTTP/1.10" is. */
static bool version_unknown(const struct km_head *h, size_t n)
{
    size_t after = (size_t)h->target.at + h->target.n + sizeof " HTTP/1.1" - 1;
    bool digit = after < n && h->base[after] >= '0' && h->base[after] <= '9';

    return h->parser.http_major != 1 || h->parser.http_minor > 1 || digit;
}

static int parse_error(struct km_head *h, size_t n, enum llhttp_errno e, struct km_err *err)
{
    const char *why = llhttp_get_error_reason(&h->parser);

    if (h->failed)
        return limit_error(h, h->failed, err);
    if (h->kind == KM_HEAD_RESPONSE)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the response is not valid HTTP/1.1: %s",
                       why ? why : llhttp_errno_name(e));
    if ((e == HPE_INVALID_VERSION && version_unknown(h, n)) || e == HPE_PAUSED_H2_UPGRADE)
        return km_fail(err, KM_E_HTTP_VERSION, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return km_fail(err, KM_E_INVALID, "the request is not valid HTTP/1.1: %s",
                   why ? why : llhttp_errno_name(e));
}

/* What of the head is there may not be over a limit, complete or not. */
static int check_limits(const struct km_head *h, size_t bytes, struct km_err *err)
{
    size_t line = h->limits->line;

    if (h->kind == KM_HEAD_REQUEST) {
        size_t first = h->version.n ? h->version.at + h->version.n : bytes;

        if (first > line)
            return limit_error(h, KM_E_URI_TOO_LONG, err);
    }
    if (bytes > h->limits->bytes)
        return limit_error(h, KM_E_HEADER_TOO_LARGE, err);
    for (size_t i = 0; i < h->n && bytes > line; i++)
        if ((size_t)h->field[i].name.n + h->field[i].value.n > line)
            return limit_error(h, KM_E_HEADER_TOO_LARGE, err);
    return 0;
}

/* "GET /" and nothing more: llhttp would wait for the header fields of HTTP/0.9. */
static bool line_has_no_version(const struct km_head *h, size_t n)
{
    size_t after = (size_t)h->target.at + h->target.n;

    return h->kind == KM_HEAD_REQUEST && h->target.n > 0 && after < n &&
           (h->base[after] == '\r' || h->base[after] == '\n');
}

int km_head_feed(struct km_head *h, const char *base, size_t n, size_t *ret_used,
                 struct km_err *err)
{
    enum llhttp_errno e;
    size_t used = n;
    int r;

    h->base = base;
    h->parser.data = h;
    e = llhttp_execute(&h->parser, base + h->seen, n - h->seen);
    if (e == HPE_PAUSED)
        used = (size_t)(llhttp_get_error_pos(&h->parser) - base);
    else if (e != HPE_OK)
        return parse_error(h, n, e, err);
    h->seen = used;
    if (line_has_no_version(h, used))
        return parse_error(h, n, HPE_INVALID_VERSION, err);
    r = check_limits(h, used, err);
    if (r < 0)
        return r;
    if (e == HPE_OK)
        return KM_E_AGAIN;
    *ret_used = used;
    return 0;
}

static void note_connection(struct km_head_special *s, struct km_str value)
{
    struct km_str part;

    while (km_str_split(&value, ',', &part)) {
        part = km_str_trim(part);
        s->close = s->close || km_str_ieq(part, KM_STR("close"));
        s->keep_alive = s->keep_alive || km_str_ieq(part, KM_STR("keep-alive"));
    }
}

/* Names that matter for framing have five different lengths. */
static void note_special(struct km_head_special *s, struct km_str name, struct km_str value)
{
    if (name.n == 4 && km_str_ieq(name, KM_STR("host"))) {
        s->hosts++;
        s->host = value;
    } else if (name.n == 6 && km_str_ieq(name, KM_STR("expect"))) {
        s->expects++;
        s->expect = value;
    } else if (name.n == 10 && km_str_ieq(name, KM_STR("connection"))) {
        note_connection(s, value);
    } else if (name.n == 14 && km_str_ieq(name, KM_STR("content-length"))) {
        s->lengths++;
        s->length = value;
    } else if (name.n == 17 && km_str_ieq(name, KM_STR("transfer-encoding"))) {
        s->codings++;
        s->coding = value;
    }
}

int km_head_copy(const struct km_head *h, const char *base, size_t used, struct km_arena *a,
                 const char **ret_copy, struct km_headers *ret_headers,
                 struct km_head_special *ret_special, struct km_err *err)
{
    size_t table = h->n * sizeof(struct km_header);
    struct km_header *v = km_arena_alloc(a, table + used);
    struct km_head_special special = { 0 };
    char *copy;

    if (!v)
        return km_fail(err, KM_E_NOMEM, "no memory for a message head of %zu bytes", used);
    copy = (char *)v + table;
    memcpy(copy, base, used);
    for (size_t i = 0; i < h->n; i++) {
        v[i].name = km_head_view(copy, h->field[i].name);
        v[i].value = km_str_trim(km_head_view(copy, h->field[i].value));
        note_special(&special, v[i].name, v[i].value);
    }
    *ret_copy = copy;
    *ret_headers = (struct km_headers){ .v = v, .n = h->n, .text = km_str(copy, used) };
    *ret_special = special;
    return 0;
}
