/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and bodies of HTTP/1, requests and responses.
 *
 * One byte gives the kind and the size of the pieces, the rest is the connection's bytes.
 * Whole and in pieces must give the same verdict, the same fields and the same body; what
 * passes keeps the promises of message.h: one Host, a path without dot segments, no body
 * with two readings.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "http/body.h"
#include "http/syntax.h"

#define MAX_INPUT ((size_t)1 << 16)

static const struct km_head_limits limits = { .bytes = 4096, .line = 1024, .fields = 20 };

static void note(struct km_buf *out, struct km_str s)
{
    km_buf_printf(out, "%zu:", s.n);
    km_buf_str(out, s);
}

static void note_headers(struct km_buf *out, const struct km_headers *h)
{
    must(h->n <= limits.fields);
    for (size_t i = 0; i < h->n; i++) {
        must(km_is_token(h->v[i].name) && km_is_field_value(h->v[i].value));
        note(out, h->v[i].name);
        note(out, h->v[i].value);
    }
}

static int read_request(struct km_head *h, const char *base, size_t used, struct km_arena *a,
                        struct km_framing *f, struct km_buf *out)
{
    struct km_request r;
    struct km_str host;
    const char *why;
    uint16_t port;
    int e = km_head_request(h, base, used, a, &r, f, NULL);

    if (e < 0)
        return e;
    must(r.minor == 0 || r.host.n > 0);
    must(r.host.n == 0 || km_host_port(r.host, &host, &port));
    must(km_str_eq(r.path, KM_STR("*")) || (r.path.n > 0 && r.path.p[0] == '/'));
    must(km_path_ok(r.path, &why) && km_query_ok(r.query, &why));
    must(km_header_count(&r.headers, KM_STR("Host")) <= 1);
    must(km_header_count(&r.headers, KM_STR("Content-Length")) +
             km_header_count(&r.headers, KM_STR("Transfer-Encoding")) <=
         1);
    must(r.has_body == (f->kind != KM_BODY_NONE));
    note(out, r.method);
    note(out, r.path);
    note(out, r.query);
    note(out, r.host);
    note_headers(out, &r.headers);
    return 0;
}

static int read_response(struct km_head *h, const char *base, size_t used, struct km_arena *a,
                         struct km_framing *f, struct km_buf *out)
{
    struct km_response r;
    int e = km_head_response(h, base, used, a, KM_STR("GET"), &r, f, NULL);

    if (e < 0)
        return e;
    must(r.status >= 100 && r.status <= 599);
    km_buf_printf(out, "%d.%d", r.status, r.minor);
    note_headers(out, &r.headers);
    return 0;
}

static int read_body(struct km_head *h, const struct km_framing *f, struct km_str rest, size_t step,
                     struct km_buf *out)
{
    struct km_body b;
    size_t at = 0;
    int e = 0;

    km_body_init(&b, f, km_head_parser(h));
    while (e == 0 && at < rest.n && !b.done) {
        size_t len = rest.n - at < step ? rest.n - at : step;
        char *copy = malloc(len);
        struct km_str in = km_str(copy, len), piece;

        memcpy(copy, rest.p + at, len);
        do {
            e = km_body_next(&b, &in, &piece, NULL);
            km_buf_str(out, piece);
        } while (e == 0 && in.n > 0 && !b.done);
        at += len - in.n;
        free(copy);
    }
    must(e < 0 || b.got <= rest.n);
    /* After a failure how far it came depends on the pieces; the verdict does not. */
    if (e < 0)
        km_buf_reset(out);
    else
        km_buf_printf(out, "%d,%zu", b.done, at);
    return e;
}

static int run(enum km_head_kind kind, const char *bytes, size_t n, size_t step, struct km_buf *out)
{
    struct km_head *h = km_head_new(limits.fields);
    struct km_framing f = { 0 };
    struct km_arena a;
    size_t fed = 0, used = 0;
    char *copy = NULL;
    int e = KM_E_AGAIN;

    km_arena_init(&a, 1 << 16, NULL);
    km_head_begin(h, kind, &limits);
    while (e == KM_E_AGAIN && fed < n) {
        fed = n - fed < step ? n : fed + step;
        free(copy);
        copy = malloc(fed);
        memcpy(copy, bytes, fed);
        e = km_head_feed(h, copy, fed, &used, NULL);
    }
    if (e == 0)
        e = kind == KM_HEAD_REQUEST ? read_request(h, copy, used, &a, &f, out)
                                    : read_response(h, copy, used, &a, &f, out);
    if (e == 0)
        e = read_body(h, &f, km_str(bytes + used, n - used), step, out);
    free(copy);
    km_arena_done(&a);
    km_head_free(h);
    return e;
}

/* Over a limit and malformed at once: which is seen first depends on the pieces. */
static bool refusal(int code)
{
    return code < 0 && code != KM_E_AGAIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_buf whole = KM_BUF(16 * MAX_INPUT), cut = KM_BUF(16 * MAX_INPUT);
    enum km_head_kind kind;
    int a, b;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    kind = data[0] & 1 ? KM_HEAD_RESPONSE : KM_HEAD_REQUEST;
    a = run(kind, (const char *)data + 1, size - 1, size, &whole);
    b = run(kind, (const char *)data + 1, size - 1, (size_t)(data[0] >> 1) % 32 + 1, &cut);
    must(a == b || (refusal(a) && refusal(b)));
    must(a < 0 || km_str_eq(km_buf_view(&whole), km_buf_view(&cut)));
    km_buf_done(&whole);
    km_buf_done(&cut);
    return 0;
}
