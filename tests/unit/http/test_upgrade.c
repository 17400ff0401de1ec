/* SPDX-License-Identifier: Apache-2.0 */
/* 101 on both sides: bytes both ways, what came early, back-pressure, departures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_fixture.h"

#define ASK "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
#define YES "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
#define MUCH ((size_t)2 << 20)

/* --- the server: what comes is sent back; "." ends it --- */

struct echo {
    struct server_fixture *f;
    struct km_exchange *x;
    struct km_deferred end;
};

static void end_echo(void *ctx)
{
    struct echo *e = ctx;

    km_exchange_end(e->x);
    e->f->open_exchanges--;
    free(e);
}

static void on_bytes(void *ctx, const char *bytes, size_t n)
{
    struct echo *e = ctx;
    struct km_str part = { bytes, n };

    if (!km_exchange_write(e->x, &part, 1)) {
        e->f->pauses++;
        km_exchange_pause(e->x);
    }
    if (bytes[n - 1] == '.')
        km_deferred_queue(&e->end);
}

static void on_echo_drain(void *ctx)
{
    struct echo *e = ctx;

    e->f->drains++;
    km_exchange_resume(e->x);
}

static void on_echo_gone(void *ctx)
{
    struct echo *e = ctx;

    e->f->gone++;
    km_deferred_queue(&e->end);
}

static const struct km_exchange_events echo_events = { .on_bytes = on_bytes,
                                                       .on_drain = on_echo_drain,
                                                       .on_gone = on_echo_gone };

static void on_upgrade(void *ctx, struct km_exchange *x)
{
    struct server_fixture *f = ctx;
    struct echo *e = calloc(1, sizeof *e);

    e->f = f;
    e->x = x;
    f->requests++;
    f->open_exchanges++;
    km_deferred_init(&e->end, f->loop, end_echo, e);
    km_exchange_listen(x, &echo_events, e);
    km_exchange_upgrade(x, KM_STR("Upgrade: x\r\nConnection: Upgrade\r\n"));
}

static void early_bytes_come_too(struct server_fixture *f)
{
    struct km_buf b = KM_BUF(1 << 16);

    say(f->fds[0], ASK "early");
    CHECK(f, hear(f->fds[0], &b, "early"));
    say(f->fds[0], " and GET /late HTTP/1.1\r\n\r\n.");
    CHECK(f, hear(f->fds[0], &b, NULL)); /* a clean end */
    CHECK(f, km_str_eq(km_buf_view(&b), KM_STR(YES "early and GET /late HTTP/1.1\r\n\r\n.")));
    km_buf_done(&b);
}

/* How much an echo that nobody hears takes until it stops reading.  All of it may be on its way
 * before the echo has run at all: then it is waited for. */
static size_t said_until_paused(struct server_fixture *f, const char *block)
{
    struct pollfd p = { .fd = f->fds[0], .events = POLLOUT };
    size_t said = 0;

    for (int idle = 0; !f->pauses && idle < 1000; idle++) {
        ssize_t n = 0;

        p.events = said < MUCH ? POLLOUT : 0;
        if (poll(&p, 1, 10) > 0 && said < MUCH)
            n = send(p.fd, block + said, MUCH - said, MSG_NOSIGNAL | MSG_DONTWAIT);
        said += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle;
    }
    return said;
}

/* Says much before it hears: the echo must stop reading, and go on. */
static void much_is_paused(struct server_fixture *f)
{
    struct km_buf b = KM_BUF(2 * MUCH);
    char *block = malloc(MUCH);
    size_t said;

    memset(block, 'm', MUCH);
    block[MUCH - 1] = '.';
    say(f->fds[0], ASK);
    CHECK(f, hear(f->fds[0], &b, "\r\n\r\n"));
    km_buf_reset(&b);
    said = said_until_paused(f, block);
    while (said < MUCH || b.n < MUCH) {
        char piece[65536];
        struct pollfd p = { .fd = f->fds[0], .events = (short)(said < MUCH ? POLLOUT : POLLIN) };
        ssize_t n;

        if (poll(&p, 1, said < MUCH ? 50 : 10000) <= 0)
            p.revents = POLLIN; /* it takes no more: now we hear */
        if (p.revents & POLLOUT) {
            n = send(f->fds[0], block + said, MUCH - said, MSG_NOSIGNAL | MSG_DONTWAIT);
            said += n > 0 ? (size_t)n : 0;
            continue;
        }
        n = recv(f->fds[0], piece, sizeof piece, 0);
        if (n <= 0)
            break;
        km_buf_bytes(&b, piece, (size_t)n);
    }
    CHECK(f, b.n == MUCH && memcmp(b.p, block, MUCH) == 0);
    CHECK(f, hear(f->fds[0], &b, NULL));
    CHECK(f, f->drains > 0);
    free(block);
    km_buf_done(&b);
}

static void departs(struct server_fixture *f)
{
    struct km_buf b = KM_BUF(1 << 16);

    say(f->fds[0], ASK);
    CHECK(f, hear(f->fds[0], &b, "\r\n\r\n"));
    close(f->fds[0]);
    f->fds[0] = -1;
    km_buf_done(&b);
}

static void serve(script_fn *script, size_t *gone)
{
    struct server_fixture f;

    fixture_init(&f, on_upgrade);
    fixture_connect(&f, 1, 131072); /* small buffers: the kernel takes little */
    fixture_run(&f, script);
    if (f.fds[0] >= 0)
        close(f.fds[0]);
    assert_null(f.failed);
    *gone = f.gone;
}

static void an_upgraded_connection_is_bytes(void **state)
{
    size_t gone;

    (void)state;
    serve(early_bytes_come_too, &gone);
    assert_int_equal(gone, 0);
}

static void a_client_that_does_not_read_is_not_read(void **state)
{
    size_t gone;

    (void)state;
    serve(much_is_paused, &gone);
}

static void a_client_that_leaves_is_noticed(void **state)
{
    size_t gone;

    (void)state;
    serve(departs, &gone);
    assert_int_equal(gone, 1);
}

/* --- the client --- */

static void up_head(void *ctx, const struct km_response *r)
{
    struct upstream *u = ctx;
    const struct km_str hello[] = { KM_STR("hel"), KM_STR("lo") };

    km_buf_printf(&u->text, "%d ", r->status);
    if (r->status == 101)
        km_buf_printf(&u->text, "%d ", km_http_write(u->call, hello, 2));
}

static void up_drain(void *ctx)
{
    struct upstream *u = ctx;

    km_buf_str(&u->text, KM_STR("drained "));
    (void)km_http_write(u->call, &KM_STR("END"), 1);
}

static void up_body(void *ctx, const char *p, size_t n)
{
    struct upstream *u = ctx;

    km_buf_bytes(&u->body, p, n);
    if (u->pause_after && u->body.n >= u->pause_after) {
        static char block[1 << 20];
        struct km_str part = { block, sizeof block };
        bool more = true;

        for (size_t i = 0; more && i < 64; i++)
            more = km_http_write(u->call, &part, 1);
        km_buf_str(&u->text, more ? KM_STR("room ") : KM_STR("full "));
        u->pause_after = 0;
    }
}

static void up_done(void *ctx, const struct km_http_result *r)
{
    struct upstream *u = ctx;

    km_buf_printf(&u->text, "[%.*s] %s", KM_STR_ARG(km_buf_view(&u->body)),
                  r->err ? km_err_name(r->err->code) : "ended");
    km_loop_stop(u->loop);
}

static const struct km_http_events up_events = {
    .on_head = up_head, .on_body = up_body, .on_drain = up_drain, .on_done = up_done
};

static void say_yes(struct upstream *u)
{
    struct km_buf b = KM_BUF(1 << 16);
    int fd = take(u);

    if (!hear(fd, &b, "\r\n\r\n"))
        u->failed = "no request";
    say(fd, YES "at once,");
    if (!hear(fd, &b, "hello"))
        u->failed = "no bytes";
    say(fd, "later");
    close(fd);
    km_buf_done(&b);
}

static void say_yes_and_wait(struct upstream *u)
{
    struct km_buf b = KM_BUF((size_t)80 << 20);
    int fd = take(u);

    if (!hear(fd, &b, "\r\n\r\n"))
        u->failed = "no request";
    say(fd, YES "x");
    if (!hear(fd, &b, "hello"))
        u->failed = "no bytes";
    say(fd, "y");
    while (b.n < 3 || memcmp(b.p + b.n - 3, "END", 3) != 0) {
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);

        if (n <= 0) {
            u->failed = "no end";
            break;
        }
        km_buf_bytes(&b, piece, (size_t)n);
    }
    close(fd);
    km_buf_done(&b);
}

static void say_no(struct upstream *u)
{
    struct km_buf b = KM_BUF(1 << 16);
    int fd = take(u);

    if (!hear(fd, &b, "\r\n\r\n"))
        u->failed = "no request";
    say(fd, "HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwhy");
    close(fd);
    km_buf_done(&b);
}

static void ask(upstream_fn *script, bool upgrade, size_t pause_after, const char *want)
{
    struct upstream u;

    upstream_init(&u);
    u.calls = 0;
    u.pause_after = pause_after;
    u.request.upgrade = upgrade;
    u.request.head = KM_STR("Connection: Upgrade\r\nUpgrade: x\r\n");
    u.script = script;
    pthread_create(&u.thread, NULL, upstream_thread, &u);
    u.call = km_http_send(u.client, &u.request, &up_events, &u);
    km_loop_run(u.loop);
    u.client = km_http_client_free(u.client);
    u.pool = km_pool_free(u.pool);
    u.dialer = km_dialer_free(u.dialer);
    km_origin_unref(u.origin);
    km_loop_free(u.loop);
    close(u.listener);
    pthread_join(u.thread, NULL);
    assert_null(u.failed);
    assert_string_equal(km_buf_cstr(&u.text), want);
    upstream_done(&u);
}

static void an_upstream_may_say_yes(void **state)
{
    (void)state;
    ask(say_yes, true, 0, "101 1 [at once,later] ended");
}

static void an_upstream_may_say_no(void **state)
{
    (void)state;
    ask(say_no, true, 0, "401 [why] ended");
}

static void an_upstream_that_is_slow_says_so(void **state)
{
    (void)state;
    ask(say_yes_and_wait, true, 2, "101 1 full drained [xy] ended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upgraded_connection_is_bytes),
        cmocka_unit_test(a_client_that_does_not_read_is_not_read),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(an_upstream_may_say_yes),
        cmocka_unit_test(an_upstream_may_say_no),
        cmocka_unit_test(an_upstream_that_is_slow_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
