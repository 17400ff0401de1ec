/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "sys/ares.h"
#include "sys/dns.h"

/* A name server on the same loop: answers A for names below "known.", with a TTL that the
 * first label gives ("ttl30.known."), NXDOMAIN for "missing.", and never for "silent.". */
struct server {
    uv_poll_t poll;
    int fd;
    int asked_a; /* questions of type A */
};

#define TYPE_A 1

static size_t put_answer(uint8_t *p, uint32_t ttl)
{
    static const uint8_t record[] = { 0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 7 };

    memcpy(p, record, sizeof record);
    for (int i = 0; i < 4; i++)
        p[6 + i] = (uint8_t)(ttl >> (24 - 8 * i));
    return sizeof record;
}

static bool ends(const char *name, const char *suffix)
{
    return km_str_ends(km_str_c(name), km_str_c(suffix));
}

/* "\3foo\5known\0" to "foo.known."; returns the bytes it took. */
static size_t read_name(const uint8_t *p, char *out)
{
    size_t at = 0;

    while (p[at]) {
        memcpy(out, p + at + 1, p[at]);
        out += p[at];
        *out++ = '.';
        at += 1u + p[at];
    }
    *out = '\0';
    return at + 1;
}

static void on_question(uv_poll_t *poll, int status, int events)
{
    struct server *s = poll->data;
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    uint8_t p[1024];
    char name[300];
    size_t n, type;
    unsigned ttl = 60;

    (void)status;
    (void)events;
    assert_true(recvfrom(s->fd, p, 512, 0, (struct sockaddr *)&from, &len) > 12);
    n = 12 + read_name(p + 12, name);
    type = p[n + 1];
    n += 4;
    s->asked_a += type == TYPE_A;
    if (ends(name, "silent."))
        return;
    p[2] = 0x81;
    p[3] = ends(name, "missing.") ? 0x83 : 0x80;
    memset(p + 6, 0, 6);
    if (ends(name, "known.") && type == TYPE_A) {
        p[7] = 1;
        sscanf(name, "ttl%u", &ttl);
        n += put_answer(p + n, ttl);
    }
    assert_int_equal(sendto(s->fd, p, n, 0, (struct sockaddr *)&from, len), (ssize_t)n);
}

struct fixture {
    struct km_loop *loop;
    struct km_dns *dns;
    struct server server;
    int answers, wanted;
    int code;       /* of the last answer */
    char text[512]; /* address or error */
    size_t n;
    struct km_dns_query *victim;
    char address[64];      /* of the server */
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;

    f->loop = km_loop_new(NULL);
    f->dns = km_dns_new(f->loop, NULL);
    f->server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->server.poll.data = &f->server;
    if (bind(f->server.fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(f->server.fd, (struct sockaddr *)&a, &len) < 0)
        return -1;
    uv_poll_init(km_loop_uv(f->loop), &f->server.poll, f->server.fd);
    uv_poll_start(&f->server.poll, UV_READABLE, on_question);
    snprintf(f->address, sizeof f->address, "127.0.0.1:%u", ntohs(a.sin_port));
    *state = f;
    return km_dns_servers(f->dns, f->address, NULL);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    km_dns_free(f->dns);
    uv_poll_stop(&f->server.poll);
    uv_close((uv_handle_t *)&f->server.poll, NULL);
    km_loop_free(f->loop);
    close(f->server.fd);
    test_free(f);
    return 0;
}

static void on_answer(void *ctx, const union km_addr *addrs, size_t n, const struct km_err *err)
{
    struct fixture *f = ctx;

    f->code = err ? err->code : 0;
    f->n = n;
    if (err)
        memcpy(f->text, err->text, sizeof f->text);
    else
        km_addr_text(&addrs[0], f->text);
    if (++f->answers == f->wanted)
        km_loop_stop(f->loop);
}

static struct km_dns_query *ask(struct fixture *f, const char *host, uint64_t timeout_ms)
{
    return km_dns_resolve(f->dns, km_str_c(host), 443, timeout_ms, on_answer, f);
}

static void wait_for(struct fixture *f, int answers)
{
    f->wanted = f->answers + answers;
    km_loop_run(f->loop);
    assert_int_equal(f->answers, f->wanted);
}

static void a_name_becomes_addresses_with_the_port(void **state)
{
    struct fixture *f = *state;

    assert_non_null(ask(f, "api.known.", 5000));
    assert_int_equal(f->answers, 0);
    wait_for(f, 1);
    assert_int_equal(f->code, 0);
    assert_int_equal(f->n, 1);
    assert_string_equal(f->text, "192.0.2.7:443");
}

static void literals_and_hosts_are_answered_without_asking_and_later(void **state)
{
    struct fixture *f = *state;

    ask(f, "192.0.2.99", 5000);
    assert_int_equal(f->answers, 0);
    wait_for(f, 1);
    assert_string_equal(f->text, "192.0.2.99:443");
    ask(f, "::1", 5000);
    wait_for(f, 1);
    assert_string_equal(f->text, "[::1]:443");
    ask(f, "localhost", 5000);
    assert_int_equal(f->answers, 2);
    wait_for(f, 1);
    assert_int_equal(f->code, 0);
    assert_int_equal(f->server.asked_a, 0);
}

static void queries_in_flight_are_joined_and_answers_kept(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10; i++)
        ask(f, i % 2 ? "JOIN.known." : "join.known.", 5000);
    wait_for(f, 10);
    assert_int_equal(f->server.asked_a, 1);
    ask(f, "join.known.", 5000);
    assert_int_equal(f->answers, 10);
    wait_for(f, 1);
    assert_string_equal(f->text, "192.0.2.7:443");
    assert_int_equal(f->server.asked_a, 1);
}

static void on_timer(void *ctx)
{
    km_loop_stop(ctx);
}

static void pass(struct fixture *f, uint64_t ms)
{
    struct km_timer timer;

    km_timer_init(&timer, f->loop, on_timer, f->loop);
    km_timer_start(&timer, ms);
    km_loop_run(f->loop);
}

/* A TTL of 0 counts as one second; a failure is kept for one second. */
static void answers_and_failures_are_asked_anew_when_their_time_is_over(void **state)
{
    struct fixture *f = *state;

    ask(f, "ttl0.known.", 5000);
    ask(f, "x.missing.", 5000);
    wait_for(f, 2);
    ask(f, "ttl0.known.", 5000);
    ask(f, "x.missing.", 5000);
    wait_for(f, 2);
    assert_int_equal(f->server.asked_a, 2);
    pass(f, 1050);
    ask(f, "ttl0.known.", 5000);
    ask(f, "x.missing.", 5000);
    wait_for(f, 2);
    assert_int_equal(f->server.asked_a, 4);
}

static void a_missing_name_says_so(void **state)
{
    struct fixture *f = *state;

    ask(f, "no.missing.", 5000);
    wait_for(f, 1);
    assert_int_equal(f->code, KM_E_UPSTREAM_CONNECT);
    assert_string_equal(f->text, "cannot resolve 'no.missing.': there is no such name");
    ask(f, "other.", 5000); /* no error and no address either */
    wait_for(f, 1);
    assert_string_equal(f->text, "cannot resolve 'other.': the name has no address");
}

static void what_is_not_a_name_is_refused(void **state)
{
    struct fixture *f = *state;
    char longer[300];

    ask(f, "", 5000);
    ask(f, "a b", 5000);
    ask(f, "a\nb", 5000);
    memset(longer, 'a', 299);
    longer[299] = '\0';
    ask(f, longer, 5000);
    wait_for(f, 4);
    assert_int_equal(f->code, KM_E_INVALID);
    assert_int_equal(f->server.asked_a, 0);
}

static void a_deadline_ends_the_query_but_not_the_question(void **state)
{
    struct fixture *f = *state;

    ask(f, "a.silent.", 30);
    wait_for(f, 1);
    assert_int_equal(f->code, KM_E_UPSTREAM_TIMEOUT);
    assert_string_equal(f->text, "cannot resolve 'a.silent.': no answer in 30 ms");
    ask(f, "a.silent.", 30);
    wait_for(f, 1);
    assert_int_equal(f->server.asked_a, 1);
}

static void a_cancelled_query_is_silent_and_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    struct km_dns_query *q = ask(f, "c.known.", 5000);

    ask(f, "c.known.", 5000);
    km_dns_cancel(q);
    km_dns_cancel(ask(f, "192.0.2.1", 5000));
    km_dns_cancel(ask(f, "only.known.", 5000));
    wait_for(f, 1);
    pass(f, 30);
    assert_int_equal(f->answers, 1);
}

static void cancel_the_other(void *ctx, const union km_addr *addrs, size_t n,
                             const struct km_err *err)
{
    struct fixture *f = ctx;

    km_dns_cancel(f->victim);
    on_answer(ctx, addrs, n, err);
}

static void ask_again(void *ctx, const union km_addr *addrs, size_t n, const struct km_err *err)
{
    struct fixture *f = ctx;

    ask(f, "again.known.", 5000);
    on_answer(ctx, addrs, n, err);
}

static void callbacks_may_cancel_and_ask(void **state)
{
    struct fixture *f = *state;

    km_dns_resolve(f->dns, KM_STR("again.known."), 1, 5000, cancel_the_other, f);
    f->victim = ask(f, "again.known.", 5000);
    km_dns_resolve(f->dns, KM_STR("again.known."), 1, 5000, ask_again, f);
    wait_for(f, 3);
    pass(f, 30);
    assert_int_equal(f->answers, 3);
    assert_int_equal(f->server.asked_a, 1);
}

static void a_closing_resolver_cancels_what_waits(void **state)
{
    struct fixture *f = *state;

    ask(f, "b.silent.", 5000);
    ask(f, "192.0.2.1", 5000);
    ask(f, "d.silent.", 5000);
    f->dns = km_dns_free(f->dns);
    assert_int_equal(f->answers, 3);
    assert_int_equal(f->code, KM_E_CANCELED);
}

/* More names than the cache holds: the oldest makes room, and all are answered. */
static void the_cache_is_bounded(void **state)
{
    struct fixture *f = *state;
    char name[32];

    for (int i = 0; i < 1030; i += 10) {
        for (int j = i; j < i + 10; j++) {
            snprintf(name, sizeof name, "n%d.known.", j);
            ask(f, name, 5000);
        }
        wait_for(f, 10);
        assert_int_equal(f->code, 0);
    }
    assert_int_equal(f->server.asked_a, 1030);
    ask(f, "n1029.known.", 5000);
    wait_for(f, 1);
    assert_int_equal(f->server.asked_a, 1030);
    ask(f, "n0.known.", 5000);
    wait_for(f, 1);
    assert_int_equal(f->server.asked_a, 1031);
}

static void more_names_at_once_than_fit_are_refused_not_queued(void **state)
{
    struct fixture *f = *state;
    char name[32];

    for (int i = 0; i < 1025; i++) {
        snprintf(name, sizeof name, "n%d.silent.", i);
        ask(f, name, 60000);
    }
    wait_for(f, 1);
    assert_int_equal(f->code, KM_E_OVERLOADED);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void on_ares_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct fixture *f = arg;

    (void)timeouts;
    f->code = status;
    ares_freeaddrinfo(info);
    km_loop_stop(f->loop);
}

static void a_changed_resolv_conf_is_read_anew(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/kanmon.resolv.XXXXXX";
    struct km_ares *a;

    close(mkstemp(path));
    write_file(path, "search known.\n");
    a = km_ares_new(f->loop, path, NULL);
    assert_non_null(a);
    assert_int_equal(km_ares_servers(a, f->address, NULL), 0);
    km_ares_ask(a, "short", on_ares_answer, f);
    km_loop_run(f->loop);
    assert_int_equal(f->code, ARES_SUCCESS);
    write_file(path, "search elsewhere.missing.\n");
    km_ares_ask(a, "short", on_ares_answer, f);
    km_loop_run(f->loop);
    assert_int_not_equal(f->code, ARES_SUCCESS);
    write_file(path, "search known.\n"); /* the servers set by hand stay */
    km_ares_ask(a, "short", on_ares_answer, f);
    km_loop_run(f->loop);
    assert_int_equal(f->code, ARES_SUCCESS);
    assert_null(km_ares_free(a));
    unlink(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_name_becomes_addresses_with_the_port),
        CASE(literals_and_hosts_are_answered_without_asking_and_later),
        CASE(queries_in_flight_are_joined_and_answers_kept),
        CASE(answers_and_failures_are_asked_anew_when_their_time_is_over),
        CASE(a_missing_name_says_so),
        CASE(what_is_not_a_name_is_refused),
        CASE(a_deadline_ends_the_query_but_not_the_question),
        CASE(a_cancelled_query_is_silent_and_leaves_the_others),
        CASE(callbacks_may_cancel_and_ask),
        CASE(a_closing_resolver_cancels_what_waits),
        CASE(a_changed_resolv_conf_is_read_anew),
        CASE(the_cache_is_bounded),
        CASE(more_names_at_once_than_fit_are_refused_not_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
