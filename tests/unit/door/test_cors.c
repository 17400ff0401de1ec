/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "door/cors.h"
#include "fake_visit.h"

/* What was answered, or added to the answer to come. */
static struct {
    int status;
    char head[1024];
} said;

void __wrap_km_exchange_respond(struct km_exchange *x, int status, struct km_str head,
                                struct km_str body);
void __wrap_km_exchange_add_head(struct km_exchange *x, struct km_str lines);

static void keep(struct km_str head)
{
    assert_true(head.n < sizeof said.head);
    memcpy(said.head, head.p, head.n);
    said.head[head.n] = '\0';
}

void __wrap_km_exchange_respond(struct km_exchange *x, int status, struct km_str head,
                                struct km_str body)
{
    (void)x;
    assert_int_equal(body.n, 0);
    said.status = status;
    keep(head);
}

void __wrap_km_exchange_add_head(struct km_exchange *x, struct km_str lines)
{
    (void)x;
    keep(lines);
}

static void handler(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)visit;
    (void)x;
    (void)match;
}

static const struct km_route rows[] = {
    { "POST", "/oauth/token", handler, KM_AUTH_WEB, NULL },
    { "POST", "/v1/chat/completions", handler, KM_AUTH_CALL, NULL },
};

static struct km_str origins[] = { { "https://ui.example", 18 } };

static void begin(struct fake_visit *f, const char *path, const char *origin)
{
    struct km_str allow;

    memset(&said, 0, sizeof said);
    fake_visit_init(f, path);
    f->request.method = KM_STR("OPTIONS");
    f->settings.allowed_origins = (struct km_str_list){ origins, 1 };
    f->snap.router = km_router_new();
    assert_int_equal(km_router_add(f->snap.router, rows, 2, NULL), 0);
    assert_int_equal(
        km_router_find(f->snap.router, KM_STR("POST"), f->request.path, &f->v.match, &allow), 0);
    if (origin)
        fake_visit_add(f, "origin", origin);
}

static void end(struct fake_visit *f)
{
    km_router_free(f->snap.router);
    fake_visit_done(f);
}

static void a_listed_page_may_ask_before_it_calls_anything(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "/v1/chat/completions", "https://ui.example");
    fake_visit_add(&f, "access-control-request-method", "POST");
    fake_visit_add(&f, "access-control-request-headers", "authorization");
    assert_true(km_cors_preflight(&f.v));
    assert_int_equal(said.status, 204);
    assert_string_equal(said.head, "Access-Control-Allow-Origin: https://ui.example\r\n"
                                   "Vary: Origin\r\n"
                                   "Access-Control-Allow-Methods: POST\r\n"
                                   "Access-Control-Allow-Headers: authorization\r\n"
                                   "Access-Control-Max-Age: 600\r\n");
    end(&f);
}

static void any_page_may_use_what_programs_log_in_by(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "/oauth/token", "https://evil.example");
    fake_visit_add(&f, "access-control-request-method", "POST");
    assert_true(km_cors_preflight(&f.v));
    assert_non_null(strstr(said.head, "Access-Control-Allow-Origin: *\r\n"));
    said.head[0] = '\0';
    km_cors_allow(&f.v);
    assert_non_null(strstr(said.head, "Access-Control-Allow-Origin: *\r\n"));
    assert_null(strstr(said.head, "Allow-Credentials"));
    end(&f);
}

static void nobody_else_is_answered(void **state)
{
    static const struct {
        const char *origin, *method;
        bool local;
    } asks[] = {
        { "https://evil.example", "POST", false },
        { "https://ui.example", NULL, false }, /* no preflight */
        { NULL, "POST", false },
        { "https://ui.example", "POST", true },
        { "https://ui.example", "A-METHOD-THAT-IS-LONGER-THAN-ANY-IS", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        struct fake_visit f;

        begin(&f, "/v1/chat/completions", asks[i].origin);
        f.v.local = asks[i].local;
        if (asks[i].method)
            fake_visit_add(&f, "access-control-request-method", asks[i].method);
        assert_false(km_cors_preflight(&f.v));
        assert_int_equal(said.status, 0);
        end(&f);
    }
}

static void an_answer_says_that_a_listed_page_may_read_it(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "/v1/chat/completions", "https://ui.example");
    km_cors_allow(&f.v);
    assert_non_null(strstr(said.head, "Access-Control-Allow-Origin: https://ui.example\r\n"));
    assert_non_null(strstr(said.head, "Access-Control-Expose-Headers: WWW-Authenticate"));
    end(&f);
    begin(&f, "/v1/chat/completions", "https://evil.example");
    km_cors_allow(&f.v);
    assert_string_equal(said.head, "");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_page_may_ask_before_it_calls_anything),
        cmocka_unit_test(any_page_may_use_what_programs_log_in_by),
        cmocka_unit_test(nobody_else_is_answered),
        cmocka_unit_test(an_answer_says_that_a_listed_page_may_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
