/* SPDX-License-Identifier: Apache-2.0 */
/* The client against an upstream that does exactly what a script says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/client.h"
#include "server_fixture.h"

struct upstream;
typedef void upstream_fn(struct upstream *u);

/* One client, one origin, one scripted upstream in a thread; calls are made one after
 * another. */
struct upstream {
    struct km_loop *loop;
    struct km_dialer *dialer;
    struct km_pool *pool;
    struct km_http_client *client;
    struct km_origin *origin;
    int listener;
    uint16_t port;
    upstream_fn *script;
    pthread_t thread;
    const char *failed;

    /* the calls, in order */
    struct km_http_request request;
    struct km_str body_parts[4];
    size_t calls, made;
    struct km_http_call *call;
    struct km_buf text; /* what happened, one line a call */
    struct km_buf body;
    size_t pause_after; /* pause once when so much of the body has come */
    size_t cancel_after;
    struct km_timer resume;
    size_t peak; /* body bytes that came while paused */
};

static void next_call(struct upstream *u);

static void on_head(void *ctx, const struct km_response *r)
{
    struct upstream *u = ctx;

    km_buf_printf(&u->text, "%d ", r->status);
}

static void on_resume(void *ctx)
{
    struct upstream *u = ctx;

    km_http_resume(u->call);
}

static void on_body(void *ctx, const char *p, size_t n)
{
    struct upstream *u = ctx;

    km_buf_bytes(&u->body, p, n);
    if (u->cancel_after && u->body.n >= u->cancel_after) {
        km_http_cancel(u->call);
        km_buf_str(&u->text, KM_STR("cancelled\n"));
        next_call(u);
    } else if (u->pause_after && u->body.n >= u->pause_after) {
        u->pause_after = 0;
        km_http_pause(u->call);
        km_timer_start(&u->resume, 60);
    } else if (km_timer_running(&u->resume)) {
        u->peak += n;
    }
}

static void on_done(void *ctx, const struct km_http_result *r)
{
    struct upstream *u = ctx;

    if (u->body.n < 100)
        km_buf_printf(&u->text, "[%.*s]", KM_STR_ARG(km_buf_view(&u->body)));
    else
        km_buf_printf(&u->text, "[%zu]", u->body.n);
    if (r->err)
        km_buf_printf(&u->text, " %s", km_err_name(r->err->code));
    km_buf_printf(&u->text, "%s%s\n", r->err && r->bytes_sent ? " sent" : "",
                  r->connect_failed ? " connect" : "");
    u->call = NULL;
    next_call(u);
}

static const struct km_http_events call_events = { .on_head = on_head,
                                                   .on_body = on_body,
                                                   .on_done = on_done };

static void next_call(struct upstream *u)
{
    km_buf_reset(&u->body);
    if (u->made == u->calls) {
        km_loop_stop(u->loop);
        return;
    }
    u->made++;
    u->call = km_http_send(u->client, &u->request, &call_events, u);
}

/* --- the upstream's side --- */

static int take(struct upstream *u)
{
    struct timeval limit = { .tv_sec = 5 };
    int fd = accept4(u->listener, NULL, NULL, SOCK_CLOEXEC);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* Reads one request, body by Content-Length included. */
static bool read_request(int fd, struct km_buf *b)
{
    size_t head, length = 0, at;

    km_buf_reset(b);
    if (!hear(fd, b, "\r\n\r\n"))
        return false;
    head = km_str_find(km_buf_view(b), KM_STR("\r\n\r\n")) + 4;
    at = km_str_find(km_buf_view(b), KM_STR("Content-Length: "));
    if (at < head)
        length = (size_t)strtoul(km_buf_cstr(b) + at + 16, NULL, 10);
    while (b->n < head + length) {
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);

        if (n <= 0)
            return false;
        km_buf_bytes(b, piece, (size_t)n);
    }
    return b->n == head + length;
}

static void reset_close(int fd)
{
    struct linger reset = { .l_onoff = 1 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static void *upstream_thread(void *ctx)
{
    struct upstream *u = ctx;

    u->script(u);
    return NULL;
}

static struct km_pool_settings pool_settings(void)
{
    return (struct km_pool_settings){
        .max_per_origin = 4, .max_idle = 4, .idle_ms = 60000, .max_waiting = 4, .connect_ms = 3000
    };
}

static void upstream_init(struct upstream *u)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    struct km_pool_settings set = pool_settings();

    *u = (struct upstream){ .calls = 1 };
    u->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(u->listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(u->listener, 8), 0);
    getsockname(u->listener, (struct sockaddr *)&addr, &len);
    u->port = ntohs(addr.sin_port);
    u->loop = km_loop_new(NULL);
    u->dialer = km_dialer_new(u->loop, NULL, km_connect_tunnel);
    u->pool = km_pool_new(u->loop, u->dialer, &set);
    u->client = km_http_client_new(u->loop, u->pool);
    assert_int_equal(
        km_origin_new(false, KM_STR("127.0.0.1"), u->port, NULL, NULL, false, &u->origin, NULL), 0);
    km_timer_init(&u->resume, u->loop, on_resume, u);
    km_buf_init(&u->text, 1 << 20);
    km_buf_init(&u->body, 16 << 20);
    u->request = (struct km_http_request){ .origin = u->origin,
                                           .method = KM_STR("GET"),
                                           .target = KM_STR("/x?y=1"),
                                           .head = KM_STR("X-A: 1\r\n"),
                                           .first_byte_ms = 3000,
                                           .between_ms = 3000 };
}

static void upstream_run(struct upstream *u, upstream_fn *script)
{
    u->script = script;
    if (script)
        pthread_create(&u->thread, NULL, upstream_thread, u);
    next_call(u);
    km_loop_run(u->loop);
    km_timer_stop(&u->resume);
    u->client = km_http_client_free(u->client);
    u->pool = km_pool_free(u->pool);
    u->dialer = km_dialer_free(u->dialer);
    km_origin_unref(u->origin);
    km_loop_free(u->loop);
    close(u->listener);
    if (script)
        pthread_join(u->thread, NULL);
    if (u->failed)
        fail_msg("%s", u->failed);
}

static void upstream_done(struct upstream *u)
{
    km_buf_done(&u->text);
    km_buf_done(&u->body);
}

/* --- what one answer becomes, in every kind of pieces --- */

struct answer {
    const char *bytes;
    size_t n;
    const char *want; /* one call */
    size_t step; /* bytes a write; 0: whole */
    bool reset;
};

static struct answer answer;

static void script_answer(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);
    size_t step = answer.step ? answer.step : answer.n;

    CHECK(u, read_request(fd, &b));
    for (size_t at = 0; at < answer.n; at += step)
        say_bytes(fd, answer.bytes + at, answer.n - at < step ? answer.n - at : step);
    if (answer.reset)
        reset_close(fd);
    else
        close(fd);
}

static void expect_answer(const char *method, const char *bytes, size_t n, const char *want)
{
    for (size_t step = 0; step < 2; step++) {
        struct upstream u;
        int on = 1;

        upstream_init(&u);
        (void)on;
        u.request.method = km_str_c(method);
        answer = (struct answer){ .bytes = bytes, .n = n, .want = want, .step = step };
        upstream_run(&u, script_answer);
        if (strcmp(km_buf_cstr(&u.text), want) != 0)
            fail_msg("%s gave %s, not %s", bytes, km_buf_cstr(&u.text), want);
        upstream_done(&u);
    }
}

#define ANSWER(method, bytes, want) expect_answer(method, bytes, sizeof(bytes) - 1, want "\n")

static void responses_end_well_or_are_errors(void **state)
{
    (void)state;
    ANSWER("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 [hello]");
    ANSWER("GET",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: "
           "1\r\n\r\n",
           "200 [hello]");
    ANSWER("GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 [until the end]");
    ANSWER("GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end", "200 [until the end]");
    ANSWER("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 []");
    ANSWER("GET", "HTTP/1.1 204 No\r\n\r\n", "204 []");
    ANSWER("GET", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", "304 []");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", "200 [hello]");
    ANSWER("GET",
           "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nLink: x\r\n\r\nHTTP/1.1 200 "
           "OK\r\nContent-Length: 2\r\n\r\nok",
           "200 [ok]");
    ANSWER("GET", "HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\n\r\n", "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
           "200 [hello] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
           "200 [hello] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
           "200 [hello] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           "200 [] UPSTREAM_PROTOCOL sent");
    ANSWER("GET",
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
           "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "HTTP/1.1 200 OK\r\nContent-Le", "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "<html>an error page</html>", "[] UPSTREAM_PROTOCOL sent");
    ANSWER("GET", "", "[] UPSTREAM_CONNECT sent");
    ANSWER("GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "200 [ok]");
}

static void heads_and_interim_responses_are_bounded(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 << 20);

    (void)state;
    for (int i = 0; i < 17; i++)
        km_buf_str(&b, KM_STR("HTTP/1.1 102 Wait\r\n\r\n"));
    expect_answer("GET", b.p, b.n, "[] UPSTREAM_PROTOCOL sent\n");
    km_buf_reset(&b);
    km_buf_str(&b, KM_STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 3000; i++)
        km_buf_str(&b, KM_STR("X: y\r\n"));
    expect_answer("GET", b.p, b.n, "[] UPSTREAM_PROTOCOL sent\n");
    km_buf_reset(&b);
    km_buf_str(&b, KM_STR("HTTP/1.1 200 OK\r\nX: "));
    while (b.n < 70000)
        km_buf_byte(&b, 'y');
    expect_answer("GET", b.p, b.n, "[] UPSTREAM_PROTOCOL sent\n");
}

/* --- connections --- */

static void script_keep(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    for (int i = 0; i < 3; i++) {
        CHECK(u, read_request(fd, &b));
        CHECK(u, times(&b, "POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:") == 1);
        CHECK(u, times(&b, "\r\nX-A: 1\r\nContent-Length: 11\r\n\r\nhello world") == 1);
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    close(fd);
}

static void a_connection_serves_one_request_after_another(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    u.calls = 3;
    u.request.method = KM_STR("POST");
    u.body_parts[0] = KM_STR("hello");
    u.body_parts[1] = KM_STR(" ");
    u.body_parts[2] = KM_STR("world");
    u.request.body = u.body_parts;
    u.request.nbody = 3;
    u.request.has_body = true;
    upstream_run(&u, script_keep);
    assert_string_equal(km_buf_cstr(&u.text), "200 [ok]\n200 [ok]\n200 [ok]\n");
    upstream_done(&u);
}

static void script_close(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    static const char *const ends[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: "
        "6\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    };

    for (size_t i = 0; i < 4; i++) {
        int fd = take(u);

        CHECK(u, read_request(fd, &b));
        say(fd, ends[i]);
        km_buf_reset(&b);
        if (i < 3)
            CHECK(u, !hear(fd, &b, "GET")); /* never used again */
        close(fd);
    }
}

static void a_connection_that_is_not_clean_is_not_used_again(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    u.calls = 4;
    upstream_run(&u, script_close);
    assert_string_equal(km_buf_cstr(&u.text), "200 [ok]\n200 [ok]\n200 [ok]\n200 [ok]\n");
    upstream_done(&u);
}

/* The second request is read and then the connection is reset. */
static void script_dies_after_reading(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    CHECK(u, read_request(fd, &b));
    reset_close(fd);
    if (km_str_starts(km_buf_view(&b), KM_STR("POST")))
        return;
    fd = take(u);
    CHECK(u, read_request(fd, &b));
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain");
    close(fd);
}

static void an_idempotent_request_on_a_reused_connection_is_sent_once_more(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    u.calls = 2;
    upstream_run(&u, script_dies_after_reading);
    assert_string_equal(km_buf_cstr(&u.text), "200 [ok]\n200 [again]\n");
    upstream_done(&u);
}

static void a_post_that_was_read_is_not_sent_again(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    u.calls = 2;
    u.request.method = KM_STR("POST");
    u.request.has_body = true;
    upstream_run(&u, script_dies_after_reading);
    assert_string_equal(km_buf_cstr(&u.text), "200 [ok]\n[] UPSTREAM_CONNECT sent\n");
    upstream_done(&u);
}

static void script_fresh_dies(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    reset_close(fd);
}

static void a_request_on_a_fresh_connection_is_never_sent_again(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    upstream_run(&u, script_fresh_dies);
    assert_string_equal(km_buf_cstr(&u.text), "[] UPSTREAM_CONNECT sent\n");
    upstream_done(&u);
}

static void nobody_listening_is_a_connect_failure(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    close(u.listener);
    u.listener = -1;
    upstream_run(&u, NULL);
    assert_string_equal(km_buf_cstr(&u.text), "[] UPSTREAM_CONNECT connect\n");
    upstream_done(&u);
}

/* One connection at most, one request may wait: the third is refused, and not at once. */
struct third {
    struct upstream *u;
    size_t done;
    char text[256];
};

static void third_head(void *ctx, const struct km_response *r)
{
    (void)ctx;
    (void)r;
}

static void third_body(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
}

static void third_done(void *ctx, const struct km_http_result *r)
{
    struct third *t = ctx;
    size_t n = strlen(t->text);

    snprintf(t->text + n, sizeof t->text - n, "%s%s ", r->err ? km_err_name(r->err->code) : "ok",
             r->connect_failed ? "/connect" : "");
    if (++t->done == 3)
        km_loop_stop(t->u->loop);
}

static const struct km_http_events third_events = { third_head, third_body, third_done };

static void start_three(void *ctx)
{
    struct third *t = ctx;

    for (int i = 0; i < 3; i++)
        assert_non_null(km_http_send(t->u->client, &t->u->request, &third_events, t));
    assert_int_equal(t->done, 0);
}

static void script_two(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    for (int i = 0; i < 2; i++) {
        CHECK(u, read_request(fd, &b));
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    close(fd);
}

static void requests_over_the_queue_are_refused_and_the_others_wait(void **state)
{
    struct km_pool_settings set = pool_settings();
    struct km_deferred start;
    struct upstream u;
    struct third t = { .u = &u };

    (void)state;
    upstream_init(&u);
    set.max_per_origin = 1;
    set.max_waiting = 2;
    km_pool_configure(u.pool, &set);
    km_deferred_init(&start, u.loop, start_three, &t);
    km_deferred_queue(&start);
    u.script = script_two;
    pthread_create(&u.thread, NULL, upstream_thread, &u);
    km_loop_run(u.loop);
    pthread_join(u.thread, NULL);
    assert_string_equal(t.text, "OVERLOADED/connect ok ok ");
    u.calls = 0; /* only takes everything down */
    upstream_run(&u, NULL);
    upstream_done(&u);
}

/* --- time --- */

static void script_silent(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    km_buf_reset(&b);
    hear(fd, &b, NULL); /* until the client gives up */
    close(fd);
    fd = take(u);
    CHECK(u, read_request(fd, &b));
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
    km_buf_reset(&b);
    hear(fd, &b, NULL);
    close(fd);
}

static void silence_before_and_inside_a_response_is_timed_out(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    u.calls = 2;
    u.request.first_byte_ms = u.request.between_ms = 100;
    upstream_run(&u, script_silent);
    assert_string_equal(km_buf_cstr(&u.text),
                        "[] UPSTREAM_TIMEOUT sent\n200 [hel] UPSTREAM_TIMEOUT sent\n");
    upstream_done(&u);
}

/* --- flow --- */

#define LARGE (4 << 20)

static void script_large(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    static char block[65536];
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    CHECK(u, b.n > LARGE);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(block, 'a', sizeof block);
    for (int i = 0; i < LARGE; i += (int)sizeof block) {
        say(fd, "10000\r\n");
        say_bytes(fd, block, sizeof block);
        say(fd, "\r\n");
    }
    say(fd, "0\r\n\r\n");
    km_buf_reset(&b);
    hear(fd, &b, NULL);
    close(fd);
}

static void large_bodies_pass_both_ways_and_a_pause_holds_them(void **state)
{
    struct upstream u;
    char *body = malloc(LARGE);

    (void)state;
    memset(body, 'r', LARGE);
    upstream_init(&u);
    u.request.method = KM_STR("POST");
    u.request.has_body = true;
    u.body_parts[0] = km_str(body, 1000);
    u.body_parts[1] = km_str(body, LARGE - 1000);
    u.request.body = u.body_parts;
    u.request.nbody = 2;
    u.pause_after = 100000;
    upstream_run(&u, script_large);
    assert_string_equal(km_buf_cstr(&u.text), "200 [4194304]\n");
    assert_int_equal(u.peak, 0);
    free(body);
    upstream_done(&u);
}

static void script_stream_until_gone(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    km_buf_reset(&b);
    hear(fd, &b, NULL);
    CHECK(u, b.n == 0);
    close(fd);
}

static void a_cancelled_call_closes_its_connection_and_says_nothing(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    u.cancel_after = 5;
    upstream_run(&u, script_stream_until_gone);
    assert_string_equal(km_buf_cstr(&u.text), "200 cancelled\n");
    upstream_done(&u);
}

static void script_early(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    int fd = take(u);

    CHECK(u, hear(fd, &b, "\r\n\r\n"));
    say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    shutdown(fd, SHUT_WR);
    km_buf_reset(&b);
    hear(fd, &b, NULL);
    close(fd);
}

static void an_answer_before_the_body_was_sent_is_an_answer(void **state)
{
    struct upstream u;
    char *body = calloc(1, 8 << 20);

    (void)state;
    upstream_init(&u);
    u.request.method = KM_STR("POST");
    u.request.has_body = true;
    u.body_parts[0] = km_str(body, 8 << 20);
    u.request.body = u.body_parts;
    u.request.nbody = 1;
    upstream_run(&u, script_early);
    assert_string_equal(km_buf_cstr(&u.text), "413 [no]\n");
    free(body);
    upstream_done(&u);
}

/* A reset behind a whole response that waits for the end of a pause. */
static void script_reset_behind(struct upstream *u)
{
    answer.reset = true;
    script_answer(u);
}

static void bytes_held_in_a_pause_come_before_the_news_of_the_end(void **state)
{
    struct upstream u;
    static const char bytes[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";

    (void)state;
    upstream_init(&u);
    u.pause_after = 2;
    answer = (struct answer){ .bytes = bytes, .n = sizeof bytes - 1 };
    upstream_run(&u, script_reset_behind);
    assert_string_equal(km_buf_cstr(&u.text), "200 [hello]\n");
    upstream_done(&u);
}

/* --- proxies --- */

static void use_proxy(struct upstream *u, bool https, struct km_tls_client *tls)
{
    char text[64];
    struct km_proxy_env env = { 0 };

    snprintf(text, sizeof text, "http://user:pass@127.0.0.1:%u", u->port);
    env.http = env.https = km_str_c(text);
    km_origin_unref(u->origin);
    assert_int_equal(
        km_origin_new(https, KM_STR("192.0.2.1"), 8443, tls, &env, false, &u->origin, NULL), 0);
    u->request.origin = u->origin;
}

static void script_proxy(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    CHECK(u,
          times(&b, "GET http://192.0.2.1:8443/x?y=1 HTTP/1.1\r\nHost: 192.0.2.1:8443\r\n") == 1);
    CHECK(u, times(&b, "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n") == 1);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    close(fd);
}

static void a_plain_origin_behind_a_proxy_is_asked_for_in_absolute_form(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    use_proxy(&u, false, NULL);
    upstream_run(&u, script_proxy);
    assert_string_equal(km_buf_cstr(&u.text), "200 [ok]\n");
    upstream_done(&u);
}

static void script_tunnel(struct upstream *u)
{
    static const char *const answers[] = {
        "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nsurprise",
        "garbage",
        "",
        "HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 Connected\r\n\r\n",
    };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    for (size_t i = 0; i < 5; i++) {
        int fd = take(u);

        CHECK(u, read_request(fd, &b));
        CHECK(u, times(&b, "CONNECT 192.0.2.1:8443 HTTP/1.1\r\nHost: 192.0.2.1:8443\r\n"
                           "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n") == 1);
        say(fd, answers[i]);
        km_buf_reset(&b);
        if (i == 4) { /* the tunnel stands: TLS begins */
            CHECK(u, hear(fd, &b, "\x16\x03"));
            say(fd, "not TLS at all");
        }
        close(fd);
    }
}

static void a_tunnel_is_asked_for_and_its_refusals_are_connect_failures(void **state)
{
    struct km_tls_client_args args = { .insecure = true };
    struct km_tls_client *tls;
    struct upstream u;

    (void)state;
    assert_int_equal(km_tls_client_new(&args, &tls, NULL), 0);
    upstream_init(&u);
    use_proxy(&u, true, tls);
    u.calls = 5;
    upstream_run(&u, script_tunnel);
    km_tls_client_unref(tls);
    assert_string_equal(km_buf_cstr(&u.text),
                        "[] UPSTREAM_CONNECT connect\n[] UPSTREAM_CONNECT connect\n"
                        "[] UPSTREAM_CONNECT connect\n[] UPSTREAM_CONNECT connect\n"
                        "[] UPSTREAM_CONNECT connect\n");
    upstream_done(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_end_well_or_are_errors),
        cmocka_unit_test(heads_and_interim_responses_are_bounded),
        cmocka_unit_test(a_connection_serves_one_request_after_another),
        cmocka_unit_test(a_connection_that_is_not_clean_is_not_used_again),
        cmocka_unit_test(an_idempotent_request_on_a_reused_connection_is_sent_once_more),
        cmocka_unit_test(a_post_that_was_read_is_not_sent_again),
        cmocka_unit_test(a_request_on_a_fresh_connection_is_never_sent_again),
        cmocka_unit_test(nobody_listening_is_a_connect_failure),
        cmocka_unit_test(requests_over_the_queue_are_refused_and_the_others_wait),
        cmocka_unit_test(silence_before_and_inside_a_response_is_timed_out),
        cmocka_unit_test(large_bodies_pass_both_ways_and_a_pause_holds_them),
        cmocka_unit_test(a_cancelled_call_closes_its_connection_and_says_nothing),
        cmocka_unit_test(an_answer_before_the_body_was_sent_is_an_answer),
        cmocka_unit_test(bytes_held_in_a_pause_come_before_the_news_of_the_end),
        cmocka_unit_test(a_plain_origin_behind_a_proxy_is_asked_for_in_absolute_form),
        cmocka_unit_test(a_tunnel_is_asked_for_and_its_refusals_are_connect_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
