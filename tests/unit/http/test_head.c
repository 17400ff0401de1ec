/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and bodies from bytes: what passes, what is refused with which code, and that no cut
 * changes either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/body.h"

static const struct km_head_limits limits = { .bytes = 4096, .line = 1024, .fields = 20 };

/* What became of one message, as text. */
struct outcome {
    int code;
    char text[1024];
};

static void body_text(struct outcome *o, const struct km_head *h, const struct km_framing *f,
                      struct km_str rest, size_t step)
{
    char got[512];
    size_t n = 0, at = 0;
    struct km_body b;
    struct km_err err;

    km_body_init(&b, f, km_head_parser(h));
    while (at < rest.n && !b.done) {
        size_t len = rest.n - at < step ? rest.n - at : step;
        char *copy = malloc(len);
        struct km_str in = km_str(copy, len), piece;

        memcpy(copy, rest.p + at, len);
        do {
            o->code = km_body_next(&b, &in, &piece, &err);
            for (size_t i = 0; i < piece.n && n < sizeof got; i++)
                got[n++] = piece.p[i];
        } while (o->code == 0 && in.n > 0 && !b.done);
        at += len - in.n;
        free(copy);
        if (o->code < 0)
            return;
    }
    snprintf(o->text + strlen(o->text), 600, " body=%.*s%s left=%zu", (int)n, got,
             b.done ? "" : "...", rest.n - at);
}

/* Feeds a message in pieces of `step` bytes, always in a fresh exact copy. */
static struct outcome run(enum km_head_kind kind, const char *bytes, size_t n, size_t step)
{
    struct outcome o = { .code = KM_E_AGAIN };
    struct km_head *h = km_head_new(limits.fields);
    struct km_arena a;
    struct km_framing f;
    struct km_err err;
    size_t fed = 0, used = 0;
    char *copy = NULL;

    km_arena_init(&a, 1 << 20, NULL);
    km_head_begin(h, kind, &limits);
    while (o.code == KM_E_AGAIN && fed < n) {
        fed = fed + step < n ? fed + step : n;
        free(copy);
        copy = malloc(fed);
        memcpy(copy, bytes, fed);
        o.code = km_head_feed(h, copy, fed, &used, &err);
    }
    if (o.code == 0 && kind == KM_HEAD_REQUEST) {
        struct km_request r;

        o.code = km_head_request(h, copy, used, &a, &r, &f, &err);
        snprintf(o.text, 400, "%.*s %.*s ? %.*s host=%.*s 1.%d n=%zu body=%d keep=%d expect=%d",
                 KM_STR_ARG(r.method), KM_STR_ARG(r.path), KM_STR_ARG(r.query), KM_STR_ARG(r.host),
                 r.minor, r.headers.n, r.has_body, f.keep_alive, f.expect);
    } else if (o.code == 0) {
        struct km_response r;

        o.code = km_head_response(h, copy, used, &a, KM_STR("GET"), &r, &f, &err);
        if (o.code == 0)
            snprintf(o.text, 400, "%d 1.%d n=%zu kind=%d keep=%d", r.status, r.minor, r.headers.n,
                     f.kind, f.keep_alive);
    }
    if (o.code == 0)
        body_text(&o, h, &f, km_str(bytes + used, n - used), step);
    if (o.code < 0)
        o.text[0] = '\0';
    free(copy);
    km_arena_done(&a);
    km_head_free(h);
    return o;
}

static void expect(enum km_head_kind kind, const char *bytes, size_t n, int code, const char *want)
{
    for (size_t step = n; step > 0; step = step > 8 ? step / 2 : step - 1) {
        struct outcome o = run(kind, bytes, n, step);

        if (o.code != code || (want && strcmp(o.text, want) != 0))
            fail_msg("%.*s\n in pieces of %zu: %d '%s', not %d '%s'", (int)(n < 300 ? n : 300),
                     bytes, step, o.code, o.text, code, want ? want : "");
    }
}

#define GOOD(msg, want) expect(KM_HEAD_REQUEST, msg, sizeof(msg) - 1, 0, want)
#define REFUSED(msg, code) expect(KM_HEAD_REQUEST, msg, sizeof(msg) - 1, code, NULL)
#define ANSWER(msg, want) expect(KM_HEAD_RESPONSE, msg, sizeof(msg) - 1, 0, want)
#define BROKEN(msg) expect(KM_HEAD_RESPONSE, msg, sizeof(msg) - 1, KM_E_UPSTREAM_PROTOCOL, NULL)
#define H "Host: gw.test\r\n"

static void good_requests_are_read_the_same_however_they_are_cut(void **state)
{
    (void)state;
    GOOD("GET /v1/models?x=1 HTTP/1.1\r\n" H "\r\nGET",
         "GET /v1/models ? x=1 host=gw.test 1.1 n=1 body=0 keep=1 expect=0 body= left=3");
    GOOD("GET / HTTP/1.0\r\n\r\n", "GET / ?  host= 1.0 n=0 body=0 keep=0 expect=0 body= left=0");
    GOOD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "GET / ?  host= 1.0 n=1 body=0 keep=1 expect=0 body= left=0");
    GOOD("POST /e HTTP/1.1\r\n" H "Content-Length: 005\r\nExpect: 100-Continue\r\n\r\nhelloX",
         "POST /e ?  host=gw.test 1.1 n=3 body=1 keep=1 expect=1 body=hello left=1");
    GOOD("POST /e HTTP/1.1\r\n" H "Content-Length: 0\r\nConnection: x , close\r\n\r\n",
         "POST /e ?  host=gw.test 1.1 n=3 body=0 keep=0 expect=0 body= left=0");
    GOOD("POST /e HTTP/1.1\r\n" H "transfer-encoding:\tChunked \r\n\r\n"
         "5;a=b\r\nhello\r\n00001\r\n!\r\n0\r\nX-T: 1\r\n\r\nGET",
         "POST /e ?  host=gw.test 1.1 n=2 body=1 keep=1 expect=0 body=hello! left=3");
    GOOD("POST /e HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: h2c\r\n"
         "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
         "POST /e ?  host=gw.test 1.1 n=4 body=1 keep=1 expect=0 body=a left=0");
    GOOD("GET http://gw.test/a?b HTTP/1.1\r\n" H "\r\n",
         "GET /a ? b host=gw.test 1.1 n=1 body=0 keep=1 expect=0 body= left=0");
    GOOD("OPTIONS * HTTP/1.1\r\n" H "\r\n",
         "OPTIONS * ?  host=gw.test 1.1 n=1 body=0 keep=1 expect=0 body= left=0");
    GOOD("GET / HTTP/1.1\r\nHost: [::1]:80\r\nX-E:\r\nX-S: \t a b \t \r\nX-U: caf\xc3\xa9\r\n\r\n",
         "GET / ?  host=[::1]:80 1.1 n=4 body=0 keep=1 expect=0 body= left=0");
}

static void request_lines_are_taken_literally(void **state)
{
    (void)state;
    REFUSED("GET  / HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET /  HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1 \r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET\t/\tHTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED(" GET / HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r" H "\r\n", KM_E_INVALID);
    REFUSED("GET / x HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET /\r\n", KM_E_HTTP_VERSION);
    REFUSED("GET / HTTP/0.9\r\n" H "\r\n", KM_E_HTTP_VERSION);
    REFUSED("GET / HTTP/1.2\r\n" H "\r\n", KM_E_HTTP_VERSION);
    REFUSED("GET / HTTP/2.0\r\n" H "\r\n", KM_E_HTTP_VERSION);
    REFUSED("GET / HTTP/3.0\r\n" H "\r\n", KM_E_HTTP_VERSION);
    REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", KM_E_HTTP_VERSION);
    expect(KM_HEAD_REQUEST, "GET / HTTP/1.10\r\n" H "\r\n", 34, KM_E_HTTP_VERSION, NULL);
    REFUSED("GET / http/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("get / HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("FROB / HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("TRACE / HTTP/1.1\r\n" H "\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED("CONNECT a:22 HTTP/1.1\r\nHost: a:22\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED("PROPFIND / HTTP/1.1\r\n" H "\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED("GET * HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET a HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET /a#b HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET /../a HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET /a?b=%zz HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET http://evil.test/ HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET http://gw.test:80/ HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET http://u@gw.test/ HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET http:///a HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
    REFUSED("GET ftp://gw.test/ HTTP/1.1\r\n" H "\r\n", KM_E_INVALID);
}

static void fields_are_taken_literally(void **state)
{
    (void)state;
    REFUSED("GET / HTTP/1.1\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H H "\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.0\r\n" H "host: gw.test\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\nHost:\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n " H "\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H " folded\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X:\r\n\tfolded\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H ": a\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X\x01: a\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X: a\nY: b\r\n\r\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X: a\r\n\n", KM_E_INVALID);
    REFUSED("GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", KM_E_INVALID);
    REFUSED("POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: y 100-continue\r\n\r\na",
            KM_E_EXPECTATION);
    REFUSED("POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 200-ok\r\n\r\na",
            KM_E_EXPECTATION);
    REFUSED("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
            KM_E_EXPECTATION);
}

static void framing_has_one_reading_or_none(void **state)
{
    (void)state;
#define P "POST / HTTP/1.1\r\n" H
    REFUSED(P "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: 5, 5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: +5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: 5e0\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: 0x5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: -5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: \r\n\r\n", KM_E_INVALID);
    REFUSED(P "Content-Length: 5 5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: 18446744073709551616\r\n\r\n", KM_E_INVALID);
    REFUSED(P "Content-Length: \v5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length : 5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(P "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(P "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello", KM_E_INVALID);
    REFUSED(P "Transfer-Encoding:\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED(P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            KM_E_INVALID);
    REFUSED(P "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED(P "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED(P "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED(P "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(P "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED(P "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", KM_E_NOT_IMPLEMENTED);
    REFUSED("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", KM_E_INVALID);
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
#define C P "Transfer-Encoding: chunked\r\n\r\n"
    REFUSED(C "+5\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "-5\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "0x5\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C " 5\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5 \r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\rhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5;a\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5;a\rb\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhello0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhelloX\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhello\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhello\r\n0\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhello\r\n0\r\nX Y: 1\r\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhello\r\n0\r\nX: 1\n\r\n", KM_E_INVALID);
    REFUSED(C "5\r\nhello\r\n0\r\n folded\r\n\r\n", KM_E_INVALID);
    REFUSED(C "11111111111111111\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "g\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    REFUSED(C "0\r\nContent-Length: 5\r\n\r\n", KM_E_INVALID);
}

/* head + n times unit + tail must be refused with one of two codes, in whatever pieces. */
static void repeated(const char *head, const char *unit, size_t n, const char *tail, int code)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    km_buf_str(&b, km_str_c(head));
    for (size_t i = 0; i < n; i++)
        km_buf_str(&b, km_str_c(unit));
    km_buf_str(&b, km_str_c(tail));
    for (size_t step = b.n; step > 300; step /= 3) {
        struct outcome o = run(KM_HEAD_REQUEST, b.p, b.n, step);

        if (o.code != code)
            fail_msg("%.60s... in pieces of %zu: %d, not %d", head, step, o.code, code);
    }
}

static void every_part_is_bounded(void **state)
{
    (void)state;
    repeated("GET /", "a", 1100, " HTTP/1.1\r\n" H "\r\n", KM_E_URI_TOO_LONG);
    repeated("GET /", "a", 5000, "", KM_E_URI_TOO_LONG);
    repeated("GET / HTTP/1.1\r\n" H, "X: 1\r\n", 20, "\r\n", KM_E_HEADER_TOO_LARGE);
    repeated("GET / HTTP/1.1\r\n" H, "X: 1\r\n", 19, "\r\n", 0);
    repeated("GET / HTTP/1.1\r\n" H "X: ", "a", 1100, "\r\n\r\n", KM_E_HEADER_TOO_LARGE);
    repeated("GET / HTTP/1.1\r\n" H, "a", 1100, ": 1\r\n\r\n", KM_E_HEADER_TOO_LARGE);
    repeated(
        "GET / HTTP/1.1\r\n" H,
        "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
        19, "\r\n", KM_E_HEADER_TOO_LARGE);
    repeated(C "5;", "a", 16000, "\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    repeated(C, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n", 2000,
             "0\r\n\r\n", KM_E_INVALID);
    repeated(C, "0", 4096, "5\r\nhello\r\n0\r\n\r\n", KM_E_INVALID);
    repeated(C, "1\r\na\r\n", 2000, "0\r\n\r\n", 0);
    repeated(C "0\r\n", "X: 12345\r\n", 70, "\r\n", KM_E_INVALID);
    repeated(C "0\r\nX: ", "a", 65536, "\r\n\r\n", KM_E_INVALID);
}

static void responses_end_where_they_say_or_are_not_believed(void **state)
{
    (void)state;
    ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX",
           "200 1.1 n=1 kind=1 keep=1 body=ok left=1");
    ANSWER("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nX",
           "200 1.1 n=1 kind=2 keep=1 body=ok left=1");
    ANSWER("HTTP/1.1 200 OK\r\n\r\nall of it",
           "200 1.1 n=0 kind=3 keep=1 body=all of it... left=0");
    ANSWER("HTTP/1.0 200 OK\r\n\r\nall", "200 1.0 n=0 kind=3 keep=0 body=all... left=0");
    ANSWER("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok",
           "204 1.1 n=1 kind=0 keep=1 body= left=2");
    ANSWER("HTTP/1.1 304 No\r\n\r\nok", "304 1.1 n=0 kind=0 keep=1 body= left=2");
    ANSWER("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n", "103 1.1 n=1 kind=0 keep=1 body= left=0");
    BROKEN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok");
    BROKEN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    BROKEN("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
    BROKEN("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n");
    BROKEN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    BROKEN("HTTP/2.0 200 OK\r\n\r\n");
    BROKEN("HTTP/0.9 200 OK\r\n\r\n");
    BROKEN("HTTP/1.1 999 Odd\r\n\r\n");
    BROKEN("HTTP/1.1 099 Odd\r\n\r\n");
    BROKEN("HTTP/1.1 20 OK\r\n\r\n");
    BROKEN("HTTP/1.1 200 OK\nContent-Length: 0\n\n");
    BROKEN("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n");
    BROKEN("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n");
    BROKEN("ICY 200 OK\r\n\r\n");
    BROKEN("<html>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests_are_read_the_same_however_they_are_cut),
        cmocka_unit_test(request_lines_are_taken_literally),
        cmocka_unit_test(fields_are_taken_literally),
        cmocka_unit_test(framing_has_one_reading_or_none),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(every_part_is_bounded),
        cmocka_unit_test(responses_end_where_they_say_or_are_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
