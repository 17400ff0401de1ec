/* SPDX-License-Identifier: Apache-2.0 */
/* The hostile requests of tests/e2e/http against the server itself, whole and in pieces of one
 * byte.  What needs a gateway (routes, keys, JSON) is played by a small handler; cases that
 * are about nothing else are left to the end-to-end run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FIXTURE_FDS 256
#include "base/encode.h"
#include "http/json.h"
#include "server_fixture.h"

struct hostile {
    char name[64];
    char expect[64];
    char *raw;
    size_t n;
    bool close, skip;
    int64_t forward;
};

static struct hostile cases[FIXTURE_FDS];
static size_t ncases;
static bool bytewise;
static struct server_fixture fixture;
static size_t failures;

static void load(void)
{
    static char line[256 * 1024];
    FILE *in = fopen(HOSTILE_CASES, "r");
    struct km_arena a;

    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        struct hostile *h = &cases[ncases++];
        const struct km_json *root;
        struct km_str s;
        struct km_buf raw = KM_BUF(256 * 1024);

        km_arena_init(&a, 1 << 20, NULL);
        assert_int_equal(km_json_parse(&a, km_str_c(line), &root, NULL), 0);
        assert_true(km_json_string(km_json_get(root, "name"), &s));
        snprintf(h->name, sizeof h->name, "%.*s", KM_STR_ARG(s));
        assert_true(km_json_string(km_json_get(root, "expect"), &s));
        snprintf(h->expect, sizeof h->expect, "%.*s", KM_STR_ARG(s));
        assert_true(km_json_string(km_json_get(root, "raw_base64"), &s));
        assert_int_equal(km_buf_unbase64(&raw, s), 0);
        h->raw = raw.p;
        h->n = raw.n;
        assert_true(km_json_bool(km_json_get(root, "close"), &h->close));
        assert_true(km_json_i64(km_json_get(root, "forward"), &h->forward));
        assert_true(km_json_string(km_json_get(root, "group"), &s));
        h->skip = km_str_eq(s, KM_STR("body")) || strcmp(h->name, "ct-multipart-nobound") == 0;
        km_arena_done(&a);
    }
    fclose(in);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    km_exchange_respond(ctx, err ? km_err_http(err) : 200, KM_STR_NONE, body);
}

static const struct km_exchange_events events = { .on_body = on_body };

static void on_request(void *ctx, struct km_exchange *x)
{
    const struct km_request *r = km_exchange_request(x);
    const struct km_headers *h = &r->headers;
    struct km_str body;
    struct km_err err;
    int e;

    (void)ctx;
    if (km_header_count(h, KM_STR("Authorization")) != 1 ||
        km_header_count(h, KM_STR("X-Api-Key")) > 0 ||
        !km_str_eq(km_header_get(h, KM_STR("Authorization")), KM_STR("Bearer KEY"))) {
        km_exchange_respond(x, 401, KM_STR_NONE, KM_STR("no"));
    } else if (km_str_eq(r->path, KM_STR("/v1/models"))) {
        km_exchange_respond(x, 200, KM_STR_NONE, KM_STR("[]"));
    } else if (km_str_eq(r->path, KM_STR("/echo"))) {
        km_exchange_listen(x, &events, x);
        e = km_exchange_body(x, 1 << 20, &body, &err);
        if (e != KM_E_AGAIN)
            on_body(x, e < 0 ? KM_STR_NONE : body, e < 0 ? &err : NULL);
    } else {
        km_exchange_respond(x, 404, KM_STR_NONE, KM_STR_NONE);
    }
}

static bool wanted(const char *expect, const char *status)
{
    struct km_str rest = km_str_c(expect), part;

    while (km_str_split(&rest, '|', &part)) {
        if (km_str_eq(part, km_str_c(status)))
            return true;
        if (part.n == 3 && part.p[1] == 'x' && part.p[0] == status[0])
            return true;
    }
    return false;
}

/* Reads until the server closes, or has been quiet after an answer. */
static bool listen_to(int fd, struct km_buf *b)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char piece[65536];
        ssize_t n;

        if (poll(&p, 1, times(b, "HTTP/1.1 ") > 0 ? 150 : 3000) <= 0)
            return false;
        n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return true;
        km_buf_bytes(b, piece, (size_t)n);
    }
}

static void judge(const struct hostile *h, const struct km_buf *b, bool closed)
{
    char status[8] = "none";
    size_t answers = times(b, "\r\nDate: "); /* interim ones have none */
    bool pipelined = strncmp(h->name, "pipeline", 8) == 0 || strncmp(h->name, "cl0", 3) == 0;
    bool ok;

    if (answers > 0 && b->n > 12)
        snprintf(status, sizeof status, "%.3s",
                 b->p + km_str_find(km_buf_view(b), KM_STR("HTTP/1.1 ")) + 9);
    else if (closed)
        snprintf(status, sizeof status, "close");
    ok = wanted(h->expect, status) && (!h->close || closed);
    if (!pipelined && answers > (size_t)(h->forward > 1 ? h->forward : 1))
        ok = false;
    if (ok)
        return;
    failures++;
    fprintf(stderr, "%s: %s %s, not %s %s\n", h->name, status, closed ? "closed" : "open",
            h->expect, h->close ? "closed" : "");
}

static void script(struct server_fixture *f)
{
    for (size_t i = 0; i < ncases; i++) {
        struct hostile *h = &cases[i];
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

        if (h->skip)
            continue;
        for (size_t at = 0; bytewise && at < h->n; at++)
            say_bytes(f->fds[i], h->raw + at, 1);
        if (!bytewise)
            say_bytes(f->fds[i], h->raw, h->n);
        judge(h, &b, listen_to(f->fds[i], &b));
    }
}

static void run(bool one_byte)
{
    bytewise = one_byte;
    failures = 0;
    fixture_init(&fixture, on_request);
    fixture_connect(&fixture, ncases, 0);
    for (size_t i = 0; i < fixture.nfds; i++) {
        int on = 1;

        setsockopt(fixture.fds[i], IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    }
    fixture_run(&fixture, script);
    if (fixture.failed)
        fail_msg("%s", fixture.failed);
    assert_int_equal(failures, 0);
}

static void hostile_requests_get_what_they_deserve(void **state)
{
    (void)state;
    run(false);
}

static void hostile_requests_in_single_bytes_get_the_same(void **state)
{
    (void)state;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_requests_get_what_they_deserve),
        cmocka_unit_test(hostile_requests_in_single_bytes_get_the_same),
    };
    int failed;

    load();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < ncases; i++)
        free(cases[i].raw);
    return failed;
}
