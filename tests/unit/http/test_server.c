/* SPDX-License-Identifier: Apache-2.0 */
/* The server with real sockets: framing, pipelining, bodies, streams, time-outs, departures,
 * drain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_fixture.h"

#define HOST "Host: gw.test\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define BIG (3 << 20)

/* What a handler of the tests keeps for one exchange. */
struct held {
    struct server_fixture *f;
    struct km_exchange *x;
    struct km_timer timer;
    struct km_deferred later;
    size_t left;
};

static void held_free(struct held *h)
{
    km_timer_stop(&h->timer);
    km_deferred_cancel(&h->later);
    h->f->open_exchanges--;
    free(h);
}

static void end_gone(void *ctx)
{
    struct held *h = ctx;

    km_exchange_end(h->x);
    held_free(h);
}

/* Gone: the exchange is ended later, as a real handler would. */
static void on_gone(void *ctx)
{
    struct held *h = ctx;

    h->f->gone++;
    km_deferred_init(&h->later, h->f->loop, end_gone, h);
    km_deferred_queue(&h->later);
    km_timer_stop(&h->timer);
}

static void on_echo_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct held *h = ctx;
    struct km_exchange *x = h->x;

    if (err)
        km_exchange_respond(x, km_err_http(err), KM_STR_NONE, km_str_c(err->text));
    else
        km_exchange_respond(x, 200, KM_STR("X-Echo: 1\r\n"), body);
    held_free(h);
}

static void stream_more(struct held *h)
{
    static char block[16384];
    struct km_str parts[2] = { { block, 1000 }, { block, sizeof block - 1000 } };

    memset(block, 'b', sizeof block);
    while (h->left > 0) {
        h->left -= sizeof block;
        if (!km_exchange_write(h->x, parts, 2) && h->left > 0)
            return;
    }
    km_exchange_end(h->x);
    held_free(h);
}

static void on_drain(void *ctx)
{
    struct held *h = ctx;

    h->f->drains++;
    stream_more(h);
}

static const struct km_exchange_events events = { .on_body = on_echo_body,
                                                  .on_drain = on_drain,
                                                  .on_gone = on_gone };

static void answer_later(void *ctx)
{
    struct held *h = ctx;

    km_exchange_respond(h->x, 200, KM_STR_NONE, KM_STR("later"));
    held_free(h);
}

static void ask_later(void *ctx);

static struct held *hold(struct server_fixture *f, struct km_exchange *x, km_timer_fn *fn)
{
    struct held *h = calloc(1, sizeof *h);

    h->f = f;
    h->x = x;
    km_timer_init(&h->timer, f->loop, fn, h);
    km_deferred_init(&h->later, f->loop, end_gone, h);
    km_exchange_listen(x, &events, h);
    f->open_exchanges++;
    return h;
}

static void echo(struct held *h)
{
    struct km_str body;
    struct km_err err;
    int r = km_exchange_body(h->x, 2 << 20, &body, &err);

    if (r == KM_E_AGAIN)
        return;
    on_echo_body(h, body, r < 0 ? &err : NULL);
}

static void ask_later(void *ctx)
{
    echo(ctx);
}

static void stream_some(struct km_exchange *x, uint64_t length)
{
    km_exchange_start(x, 200, KM_STR("Content-Type: text/event-stream\r\n"), length);
    km_exchange_write(x, (struct km_str[]){ KM_STR("hello "), KM_STR(""), KM_STR("wo") }, 3);
    km_exchange_write(x, &KM_STR("rld!"), 1);
}

static void on_request(void *ctx, struct km_exchange *x)
{
    struct server_fixture *f = ctx;
    struct km_str path = km_exchange_request(x)->path;

    f->requests++;
    if (km_str_eq(path, KM_STR("/sync"))) {
        km_exchange_respond(x, 200, KM_STR("Content-Type: text/plain\r\n"), KM_STR("ok"));
    } else if (km_str_eq(path, KM_STR("/none"))) {
        km_exchange_respond(x, 204, KM_STR_NONE, KM_STR_NONE);
    } else if (km_str_eq(path, KM_STR("/echo"))) {
        echo(hold(f, x, answer_later));
    } else if (km_str_eq(path, KM_STR("/echo-later"))) {
        km_timer_start(&hold(f, x, ask_later)->timer, 10);
    } else if (km_str_eq(path, KM_STR("/later"))) {
        km_timer_start(&hold(f, x, answer_later)->timer, 10);
    } else if (km_str_eq(path, KM_STR("/hold"))) {
        hold(f, x, answer_later);
    } else if (km_str_eq(path, KM_STR("/stream"))) {
        stream_some(x, UINT64_MAX);
        km_exchange_end(x);
    } else if (km_str_eq(path, KM_STR("/stream-length"))) {
        stream_some(x, 12);
        km_exchange_end(x);
    } else if (km_str_eq(path, KM_STR("/short"))) {
        stream_some(x, 20);
        km_exchange_end(x);
    } else if (km_str_eq(path, KM_STR("/abort"))) {
        stream_some(x, UINT64_MAX);
        km_exchange_abort(x);
    } else if (km_str_eq(path, KM_STR("/big"))) {
        struct held *h = hold(f, x, answer_later);

        h->left = BIG;
        km_exchange_start(x, 200, KM_STR_NONE, UINT64_MAX);
        stream_more(h);
    } else {
        km_exchange_respond(x, 404, KM_STR_NONE, KM_STR("no"));
    }
}

static struct server_fixture fixture;

static void run(script_fn *script, size_t connections, void (*tune)(struct server_fixture *))
{
    struct server_fixture *f = &fixture;

    fixture_init(f, on_request);
    if (tune) {
        tune(f);
        km_http_server_configure(f->server, &f->settings);
    }
    fixture_connect(f, connections, 0);
    fixture_run(f, script);
    if (f->failed)
        fail_msg("%s", f->failed);
}

/* Sends, reads until `until`, and checks what came. */
static void ask(struct server_fixture *f, int fd, const char *request, const char *until,
                const char *const *want)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 << 20);

    say(fd, request);
    CHECK(f, hear(fd, &b, until));
    for (; *want; want++)
        if (times(&b, *want) == 0) {
            CHECK(f, !"the answer holds what it should");
            fprintf(stderr, "  want '%s' in:\n%s\n", *want, km_buf_cstr(&b));
        }
}

#define ASK(f, fd, request, until, ...)                                                            \
    ask(f, fd, request, until, (const char *const[]){ __VA_ARGS__, NULL })

static void script_forms(struct server_fixture *f)
{
    int fd = f->fds[0];

    ASK(f, fd, GET("/sync"), "\r\n\r\nok", "HTTP/1.1 200 OK\r\nDate: ",
        " GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");
    ASK(f, fd, "HEAD /sync HTTP/1.1\r\n" HOST "\r\n", "Content-Length: 2\r\n\r\n", "200 OK");
    ASK(f, fd, GET("/none"), "\r\n\r\n", "204 No Content\r\n");
    ASK(f, fd, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n", "Transfer-Encoding: chunked\r\n\r\n",
        "200");
    ASK(f, fd, GET("/stream"), "0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n8\r\nhello wo\r\n4\r\nrld!\r\n0\r\n\r\n");
    ASK(f, fd, GET("/stream-length"), "hello world!", "Content-Length: 12\r\n\r\nhello world!");
    ASK(f, fd, "\r\n\r\n" GET("/later"), "later", "Content-Length: 5\r\n\r\nlater");
    ASK(f, fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "hello",
        "X-Echo: 1");
    ASK(f, fd,
        "POST /echo HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "hello", "Content-Length: 5");
    ASK(f, fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "\r\n\r\n",
        "Content-Length: 0");
    ASK(f, fd, "POST /echo HTTP/1.1\r\n" HOST "\r\n", "chunks", "411 Length Required");
    ASK(f, fd, "GET /sync HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "\r\n\r\nok",
        "Connection: keep-alive\r\n");
    ASK(f, fd, "GET /sync HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET("/sync"), NULL,
        "Connection: close\r\n");
    ASK(f, f->fds[1], "GET /sync HTTP/1.0\r\n\r\n", NULL, "Connection: close\r\n", "ok");
    ASK(f, f->fds[2], "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", NULL,
        "Connection: close\r\n\r\nhello world!");
}

static void every_form_of_answer_leaves_as_it_should(void **state)
{
    (void)state;
    run(script_forms, 3, NULL);
    assert_int_equal(fixture.requests, 15);
}

static void script_broken_ends(struct server_fixture *f)
{
    char piece[4096];
    ssize_t n;

    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    say(f->fds[0], GET("/abort"));
    CHECK(f, hear(f->fds[0], &b, NULL));
    CHECK(f, times(&b, "8\r\nhello wo\r\n4\r\nrld!\r\n") == 1);
    CHECK(f, times(&b, "0\r\n\r\n") == 0);
    km_buf_reset(&b);
    say(f->fds[1], GET("/short"));
    CHECK(f, hear(f->fds[1], &b, NULL));
    CHECK(f, times(&b, "hello world!") == 1);
    /* Without length and chunks only a reset can say that something is missing. */
    say(f->fds[2], "GET /abort HTTP/1.0\r\n\r\n");
    while ((n = recv(f->fds[2], piece, sizeof piece, 0)) > 0)
        ;
    CHECK(f, n < 0 && errno == ECONNRESET);
}

static void an_aborted_or_short_answer_ends_broken(void **state)
{
    (void)state;
    run(script_broken_ends, 3, NULL);
}

static void script_pipeline(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    for (int i = 0; i < 100; i++)
        km_buf_str(&out, i % 2 ? KM_STR(GET("/later")) : KM_STR(GET("/sync")));
    km_buf_str(&out, KM_STR("GET /sync HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    say_bytes(f->fds[0], out.p, out.n);
    CHECK(f, hear(f->fds[0], &b, NULL));
    CHECK(f, times(&b, "\r\n\r\nok") == 51 && times(&b, "\r\n\r\nlater") == 50);
    CHECK(f, times(&b, "HTTP/1.1 200 OK") == 101);
    /* In order: an even answer is never followed by an even one. */
    CHECK(f, times(&b, "okHTTP/1.1 200 OK\r\nDate: ") == 50);
    CHECK(f, times(&b, "laterHTTP/1.1 200 OK\r\nDate: ") == 50);
    km_buf_reset(&b);
    say(f->fds[1], GET("/later") "BAD\r\n\r\n");
    CHECK(f, hear(f->fds[1], &b, NULL));
    CHECK(f, times(&b, "200 OK") == 1 && times(&b, "400 Bad Request") == 1);
    CHECK(f, f->counted == 400);
}

static void pipelined_requests_are_answered_in_order_and_before_a_bad_one(void **state)
{
    (void)state;
    run(script_pipeline, 2, NULL);
}

/* Reads one answer with a Content-Length and compares its body. */
static void expect_echo(struct server_fixture *f, int fd, struct km_str body)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 << 20);
    size_t head;
    char piece[65536];

    CHECK(f, hear(fd, &b, "\r\n\r\n"));
    head = km_str_find(km_buf_view(&b), KM_STR("\r\n\r\n")) + 4;
    while (b.n < head + body.n) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);

        if (n <= 0)
            break;
        km_buf_bytes(&b, piece, (size_t)n);
    }
    CHECK(f, km_str_eq(km_str_skip(km_buf_view(&b), head), body));
}

static void script_large(struct server_fixture *f)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(4 << 20);
    int fd = f->fds[0];

    for (int i = 0; i < 1500000; i++)
        km_buf_byte(&body, (char)('a' + i % 23));
    for (int form = 0; form < 4; form++) {
        say(fd, form & 1 ? "POST /echo-later" : "POST /echo");
        if (form & 2) {
            say(fd, " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
            for (size_t at = 0; at < body.n; at += 30000) {
                char line[32];
                size_t n = body.n - at < 30000 ? body.n - at : 30000;

                snprintf(line, sizeof line, "%zx\r\n", n);
                say(fd, line);
                say_bytes(fd, body.p + at, n);
                say(fd, "\r\n");
            }
            say(fd, "0\r\n\r\n");
        } else {
            say(fd, " HTTP/1.1\r\n" HOST "Content-Length: 1500000\r\n\r\n");
            say_bytes(fd, body.p, body.n);
        }
        expect_echo(f, fd, km_buf_view(&body));
    }
    ASK(f, fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2100000\r\n\r\n", NULL,
        "413 Content Too Large", "Connection: close");
    ASK(f, f->fds[1], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n",
        NULL, "413 Content Too Large");
    ASK(f, f->fds[3],
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        NULL, "413 Content Too Large");
    say(f->fds[2], "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 80; i++) {
        say(f->fds[2], "7530\r\n");
        say_bytes(f->fds[2], body.p, 30000);
        say(f->fds[2], "\r\n");
    }
    ASK(f, f->fds[2], "", NULL, "413 Content Too Large");
}

static void large_bodies_arrive_whole_and_larger_ones_are_refused(void **state)
{
    (void)state;
    run(script_large, 4, NULL);
}

static void script_unread(struct server_fixture *f)
{
    struct km_buf zeros KM_CLEANUP(km_buf_done) = KM_BUF(4 << 20);

    while (zeros.n < 3000000)
        km_buf_str(&zeros, KM_STR("0000000000"));
    /* A little that nobody wants is read and dropped, and is no request. */
    ASK(f, f->fds[0],
        "POST /sync HTTP/1.1\r\n" HOST
        "Content-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" GET("/later"),
        "later", "ok");
    say(f->fds[0], "POST /sync HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
    say_bytes(f->fds[0], zeros.p, 60000);
    ASK(f, f->fds[0], GET("/later"), "later", "\r\n\r\nok");
    ASK(f, f->fds[0],
        "POST /sync HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n\r\n" GET("/later"),
        "later", "ok");
    /* A lot closes the connection, and the answer still arrives. */
    say(f->fds[1], "POST /sync HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    say_bytes(f->fds[1], zeros.p, zeros.n);
    ASK(f, f->fds[1], "", NULL, "Connection: close\r\n\r\nok");
    ASK(f, f->fds[2], "POST /sync HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe",
        NULL, "Connection: close\r\n\r\nok");
}

static void an_unread_body_is_dropped_or_ends_the_connection(void **state)
{
    (void)state;
    run(script_unread, 3, NULL);
    assert_int_equal(fixture.requests, 8);
}

static void script_continue(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = f->fds[0];

    say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    CHECK(f, hear(fd, &b, "HTTP/1.1 100 Continue\r\n\r\n"));
    CHECK(f, b.n == 25);
    ASK(f, fd, "hello", "\r\n\r\nhello", "200 OK");
    ASK(f, fd,
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
        "\r\n\r\nhello", "200 OK");
    /* Nobody asked for the body: no 100, and the connection ends. */
    km_buf_reset(&b);
    say(fd, "POST /sync HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    CHECK(f, hear(fd, &b, NULL));
    CHECK(f, times(&b, "100 Continue") == 0 && times(&b, "Connection: close") == 1);
    ASK(f, f->fds[1], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: x\r\n\r\nhello",
        NULL, "417 Expectation Failed");
}

static void continue_is_said_only_when_the_body_is_asked_for(void **state)
{
    (void)state;
    run(script_continue, 2, NULL);
}

static void tune_fast(struct server_fixture *f)
{
    f->settings.header_ms = 150;
    f->settings.idle_ms = 400;
    f->settings.write_ms = 300;
    f->settings.body_min_rate = 100000;
}

static void script_time_outs(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    say(f->fds[0], "GET /sync HTTP/1.1\r\nHost");
    say(f->fds[1], "\r\n");
    say(f->fds[3], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nhel");
    say(f->fds[4], "POST /sync HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nhel");
    ASK(f, f->fds[0], "", NULL, "408 Request Timeout", "Connection: close");
    CHECK(f, hear(f->fds[1], &b, NULL) && b.n == 0);
    CHECK(f, hear(f->fds[2], &b, NULL) && b.n == 0);
    ASK(f, f->fds[3], "", NULL, "408 Request Timeout");
    ASK(f, f->fds[4], "", NULL, "200 OK");
    CHECK(f, f->counted == 408);
}

static void slow_clients_are_timed_out(void **state)
{
    (void)state;
    run(script_time_outs, 5, tune_fast);
}

static void script_slow_reader(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 << 20);

    say(f->fds[0], GET("/big"));
    say(f->fds[1], GET("/big"));
    /* The second is read at leisure, the first not at all. */
    CHECK(f, hear(f->fds[1], &b, "0\r\n\r\n"));
    CHECK(f, b.n > BIG && b.n < BIG + 10000);
    CHECK(f, hear(f->fds[2], &b, NULL)); /* its idle time-out has come: so has the other's */
}

static void a_reader_that_stops_pauses_its_source_and_is_cut_off(void **state)
{
    struct server_fixture *f = &fixture;

    (void)state;
    fixture_init(f, on_request);
    tune_fast(f);
    f->settings.idle_ms = 900;
    km_http_server_configure(f->server, &f->settings);
    fixture_connect(f, 3, 8192);
    fixture_run(f, script_slow_reader);
    if (f->failed)
        fail_msg("%s", f->failed);
    assert_true(f->drains > 0);
    assert_int_equal(f->gone, 1);
}

static void script_last_answer(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 << 20);

    say(f->fds[0], "GET /big HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    say(f->fds[1], GET("/big")); /* pauses at once, then is idle for the server's taste */
    CHECK(f, hear(f->fds[2], &b, NULL)); /* its idle time-out is longer than any lingering */
    CHECK(f, hear(f->fds[0], &b, NULL));
    CHECK(f, b.n > BIG && times(&b, "\r\n0\r\n\r\n") == 1);
    km_buf_reset(&b);
    CHECK(f, hear(f->fds[1], &b, "\r\n0\r\n\r\n"));
    CHECK(f, b.n > BIG);
    ASK(f, f->fds[1], GET("/sync"), "\r\n\r\nok", "200 OK");
}

static void a_last_answer_is_delivered_to_a_slow_reader(void **state)
{
    struct server_fixture *f = &fixture;

    (void)state;
    fixture_init(f, on_request);
    f->settings.idle_ms = 2300;
    f->settings.stream_high_water = 64 << 20; /* all of it waits in the server */
    km_http_server_configure(f->server, &f->settings);
    fixture_connect(f, 3, 8192);
    fixture_run(f, script_last_answer);
    if (f->failed)
        fail_msg("%s", f->failed);
}

static void script_departure(struct server_fixture *f)
{
    struct linger reset = { .l_onoff = 1 };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    say(f->fds[0], GET("/hold"));
    shutdown(f->fds[0], SHUT_WR);
    CHECK(f, hear(f->fds[0], &b, NULL) && b.n == 0);
    say(f->fds[1], GET("/hold") GET("/hold"));
    setsockopt(f->fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(f->fds[1]);
    f->fds[1] = -1;
    /* In the middle of a body or a head the client is told. */
    say(f->fds[2], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
    shutdown(f->fds[2], SHUT_WR);
    ASK(f, f->fds[2], "", NULL, "400 Bad Request");
    say(f->fds[3], "GET / HTTP/1.1\r\nHo");
    shutdown(f->fds[3], SHUT_WR);
    ASK(f, f->fds[3], "", NULL, "400 Bad Request");
    /* Answered at once: an end after the request does no harm. */
    say(f->fds[4], GET("/sync"));
    shutdown(f->fds[4], SHUT_WR);
    ASK(f, f->fds[4], "", NULL, "200 OK");
}

static void a_departure_is_seen_while_the_answer_is_awaited(void **state)
{
    (void)state;
    run(script_departure, 5, NULL);
    assert_int_equal(fixture.gone, 2);
}

static void script_look_ahead(struct server_fixture *f)
{
    struct km_buf junk KM_CLEANUP(km_buf_done) = KM_BUF(64 << 20);
    int fd = f->fds[0], flags = fcntl(fd, F_GETFL);
    struct pollfd room = { .fd = fd, .events = POLLOUT };
    size_t taken = 0;

    while (junk.n < 32 << 20)
        km_buf_str(&junk, KM_STR(GET("/sync")));
    say(fd, GET("/hold"));
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    /* The server stops reading: only what the kernels hold is taken. */
    while (taken < junk.n && poll(&room, 1, 300) == 1) {
        ssize_t n = send(fd, junk.p + taken, junk.n - taken, MSG_NOSIGNAL);

        taken += n > 0 ? (size_t)n : 0;
    }
    CHECK(f, taken < junk.n);
    CHECK(f, f->requests == 1);
}

static void the_look_ahead_is_bounded(void **state)
{
    (void)state;
    run(script_look_ahead, 1, NULL);
}

static void tune_small(struct server_fixture *f)
{
    f->settings.connections = 2;
    f->bodies.limit = 1000;
}

static void script_overload(struct server_fixture *f)
{
    ASK(f, f->fds[2], "", NULL, "503 Service Unavailable", "Retry-After: 1\r\n",
        "Connection: close");
    ASK(f, f->fds[0], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n",
        "again shortly", "503 Service Unavailable");
    ASK(f, f->fds[1], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "hello",
        "200 OK");
    ASK(f, f->fds[1], "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        NULL, "503 Service Unavailable");
}

static void overload_is_answered_not_queued(void **state)
{
    (void)state;
    run(script_overload, 3, tune_small);
}

static void script_limits(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    km_buf_str(&b, KM_STR("GET /"));
    while (b.n < 9000)
        km_buf_byte(&b, 'a');
    say_bytes(f->fds[0], b.p, b.n);
    ASK(f, f->fds[0], "", NULL, "414 URI Too Long");
    km_buf_reset(&b);
    km_buf_str(&b, KM_STR("GET / HTTP/1.1\r\n" HOST));
    for (int i = 0; i < 100; i++)
        km_buf_str(&b, KM_STR("X: 1\r\n"));
    say_bytes(f->fds[1], b.p, b.n);
    ASK(f, f->fds[1], "", NULL, "431 Request Header Fields Too Large");
    km_buf_reset(&b);
    km_buf_str(&b, KM_STR("GET / HTTP/1.1\r\n" HOST));
    while (b.n < 40000)
        km_buf_str(&b, KM_STR("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                              "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX: 1\r\n"));
    say_bytes(f->fds[2], b.p, b.n);
    ASK(f, f->fds[2], "", NULL, "431 Request Header Fields Too Large");
    ASK(f, f->fds[3], "\r\n\r\n\r\n\r\n\r\n\r\n", NULL, "400 Bad Request");
    ASK(f, f->fds[4], "\n" GET("/sync"), NULL, "400 Bad Request");
}

static void heads_over_a_limit_get_the_status_that_names_it(void **state)
{
    (void)state;
    run(script_limits, 5, NULL);
}

/* --- drain --- */

struct drain_test {
    struct server_fixture *f;
    int passed[FIXTURE_FDS];
    size_t npassed;
    bool done;
    bool pass;
    struct km_timer start;
};

static struct drain_test drain_state;

static void on_passed(void *ctx, int fd)
{
    struct drain_test *d = ctx;

    d->passed[d->npassed++] = fd;
}

static void on_drained(void *ctx)
{
    struct drain_test *d = ctx;

    d->done = true;
}

static void start_drain(void *ctx)
{
    struct drain_test *d = ctx;

    if (d->f->requests < 3) { /* all three requests are here first */
        km_timer_start(&d->start, 5);
        return;
    }
    km_http_server_drain(d->f->server, d->pass ? on_passed : NULL, on_drained, d);
}

static void script_drain(struct server_fixture *f)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    /* 0: never used, 1: used and idle, 2: busy, 3: in the middle of a body */
    ASK(f, f->fds[1], GET("/sync"), "ok", "200 OK");
    say(f->fds[3], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
    say(f->fds[2], GET("/later-than-drain"));
    if (drain_state.pass) {
        /* It arrives at the passed connection; nobody reads it here. */
        say(f->fds[3], "lo");
        CHECK(f, hear(f->fds[3], &b, "\r\n\r\nhello"));
        CHECK(f, times(&b, "Connection: close") == 0);
    } else {
        CHECK(f, hear(f->fds[0], &b, NULL) && b.n == 0);
        CHECK(f, hear(f->fds[1], &b, NULL) && b.n == 0);
        say(f->fds[3], "lo");
        CHECK(f, hear(f->fds[3], &b, NULL));
        CHECK(f, times(&b, "Connection: close") == 1 && times(&b, "hello") == 1);
    }
    km_buf_reset(&b);
    CHECK(f, hear(f->fds[2], &b, drain_state.pass ? "later" : NULL));
    CHECK(f, times(&b, "Connection: close") == (drain_state.pass ? 0 : 1));
}

static void on_drain_request(void *ctx, struct km_exchange *x)
{
    struct server_fixture *f = ctx;

    if (!km_str_eq(km_exchange_request(x)->path, KM_STR("/later-than-drain"))) {
        on_request(ctx, x);
        return;
    }
    f->requests++;
    km_timer_start(&hold(f, x, answer_later)->timer, 100);
}

static void drain(bool pass)
{
    struct server_fixture *f = &fixture;
    struct drain_test *d = &drain_state;

    *d = (struct drain_test){ .f = f, .pass = pass };
    fixture_init(f, on_drain_request);
    fixture_connect(f, 4, 0);
    km_timer_init(&d->start, f->loop, start_drain, d);
    km_timer_start(&d->start, 5);
    fixture_run(f, script_drain);
    if (f->failed)
        fail_msg("%s", f->failed);
    assert_true(d->done);
    assert_int_equal(d->npassed, pass ? 4 : 0);
    for (size_t i = 0; i < d->npassed; i++)
        close(d->passed[i]);
}

static void a_drain_passes_idle_connections_on_and_busy_ones_after_their_answer(void **state)
{
    (void)state;
    drain(true);
}

static void a_drain_without_a_taker_closes_after_the_answer(void **state)
{
    (void)state;
    drain(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_answer_leaves_as_it_should),
        cmocka_unit_test(an_aborted_or_short_answer_ends_broken),
        cmocka_unit_test(pipelined_requests_are_answered_in_order_and_before_a_bad_one),
        cmocka_unit_test(large_bodies_arrive_whole_and_larger_ones_are_refused),
        cmocka_unit_test(an_unread_body_is_dropped_or_ends_the_connection),
        cmocka_unit_test(continue_is_said_only_when_the_body_is_asked_for),
        cmocka_unit_test(slow_clients_are_timed_out),
        cmocka_unit_test(a_reader_that_stops_pauses_its_source_and_is_cut_off),
        cmocka_unit_test(a_last_answer_is_delivered_to_a_slow_reader),
        cmocka_unit_test(a_departure_is_seen_while_the_answer_is_awaited),
        cmocka_unit_test(the_look_ahead_is_bounded),
        cmocka_unit_test(overload_is_answered_not_queued),
        cmocka_unit_test(heads_over_a_limit_get_the_status_that_names_it),
        cmocka_unit_test(a_drain_passes_idle_connections_on_and_busy_ones_after_their_answer),
        cmocka_unit_test(a_drain_without_a_taker_closes_after_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
