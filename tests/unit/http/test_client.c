/* SPDX-License-Identifier: Apache-2.0 */
/* The client against an upstream that does exactly what a script says. */
#include "client_fixture.h"

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

static const struct km_http_events third_events = { .on_head = third_head,
                                                    .on_body = third_body,
                                                    .on_done = third_done };

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

/* Its head and a comment are no beginning, and a whole answer has no silence of its own. */
static void each_time_is_told_by_its_name(void **state)
{
    static const struct {
        enum km_http_until until;
        bool begins;
        uint64_t first_ms, between_ms;
        const char *text;
    } cases[] = {
        { KM_HTTP_UNTIL_HEAD, false, 60, 60,
          "[] UPSTREAM_TIMEOUT answer_timeout sent\n"
          "200 [hel] UPSTREAM_TIMEOUT stream_idle_timeout sent\n" },
        { KM_HTTP_UNTIL_BEGUN, false, 60, 60000,
          "[] UPSTREAM_TIMEOUT first_event_timeout sent\n"
          "200 [hel] UPSTREAM_TIMEOUT first_event_timeout sent\n" },
        { KM_HTTP_UNTIL_BEGUN, true, 60, 60,
          "[] UPSTREAM_TIMEOUT first_event_timeout sent\n"
          "200 [hel] UPSTREAM_TIMEOUT stream_idle_timeout sent\n" },
        { KM_HTTP_UNTIL_END, false, 60, 1,
          "[] UPSTREAM_TIMEOUT answer_timeout sent\n"
          "200 [hel] UPSTREAM_TIMEOUT answer_timeout sent\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct upstream u;

        upstream_init(&u);
        u.calls = 2;
        u.tells_reason = true;
        u.begins = cases[i].begins;
        u.request.until = cases[i].until;
        u.request.first_byte_ms = cases[i].first_ms;
        u.request.between_ms = cases[i].between_ms;
        upstream_run(&u, script_silent);
        assert_string_equal(km_buf_cstr(&u.text), cases[i].text);
        upstream_done(&u);
    }
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
        cmocka_unit_test(each_time_is_told_by_its_name),
        cmocka_unit_test(large_bodies_pass_both_ways_and_a_pause_holds_them),
        cmocka_unit_test(a_cancelled_call_closes_its_connection_and_says_nothing),
        cmocka_unit_test(an_answer_before_the_body_was_sent_is_an_answer),
        cmocka_unit_test(bytes_held_in_a_pause_come_before_the_news_of_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
