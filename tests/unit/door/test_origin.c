/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_visit.h"
#include "door/origin.h"

static int host_is(struct fake_visit *f, const char *host)
{
    f->request.host = km_str_c(host);
    return km_check_host(&f->v, NULL);
}

static void without_a_master_key_only_names_of_this_machine_are_served(void **state)
{
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    assert_int_equal(host_is(&f, ""), 0);
    assert_int_equal(host_is(&f, "LOCALHOST"), 0);
    assert_int_equal(host_is(&f, "127.0.0.9:1"), 0);
    assert_int_equal(host_is(&f, "[::1]:4000"), 0);
    assert_int_equal(host_is(&f, "127.evil.example"), KM_E_FORBIDDEN);
    assert_int_equal(host_is(&f, "localhost.evil.example:4000"), KM_E_FORBIDDEN);
    f.snap.has_master = true; /* who has the key was not led here by a name */
    assert_int_equal(host_is(&f, "evil.example"), 0);
    fake_visit_done(&f);
}

static void listed_hosts_are_the_only_ones_and_the_control_socket_has_none(void **state)
{
    struct km_str names[] = { { "ai.example", 10 } };
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    f.settings.allowed_hosts = (struct km_str_list){ names, 1 };
    f.snap.has_master = true;
    assert_int_equal(host_is(&f, "AI.example:443"), 0);
    assert_int_equal(host_is(&f, "localhost"), KM_E_FORBIDDEN);
    f.v.local = true;
    assert_int_equal(host_is(&f, "localhost"), 0);
    fake_visit_done(&f);
}

static int page_of(const char *origin, const struct km_str_list *allowed)
{
    struct fake_visit f;
    int r;

    fake_visit_init(&f, "/v1/models");
    f.settings.allowed_origins = *allowed;
    if (origin)
        fake_visit_add(&f, "origin", origin);
    r = km_check_origin(&f.v, NULL);
    assert_int_equal(km_origin_listed(&f.v), r == 0 && allowed->n && origin);
    fake_visit_done(&f);
    return r;
}

static void a_page_may_call_its_own_host_or_is_listed(void **state)
{
    struct km_str names[] = { { "https://ui.example", 18 } };
    const struct km_str_list none = { 0 }, listed = { names, 1 };

    (void)state;
    assert_int_equal(page_of(NULL, &none), 0); /* no page */
    assert_int_equal(page_of("http://localhost:4000", &none), 0);
    assert_int_equal(page_of("http://localhost:4001", &none), KM_E_FORBIDDEN);
    assert_int_equal(page_of("null", &none), KM_E_FORBIDDEN);
    assert_int_equal(page_of("https://ui.example", &none), KM_E_FORBIDDEN);
    assert_int_equal(page_of("https://ui.example", &listed), 0);
    assert_int_equal(page_of("https://ui.example.evil", &listed), KM_E_FORBIDDEN);
}

static void what_a_proxy_passed_on_is_not_of_this_machine(void **state)
{
    static const char *const names[] = { "Forwarded",     "Via",        "X-Real-IP",
                                         "X-Forwarded-For", "x-forwarded-anything",
                                         "CF-Connecting-IP" };
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    assert_true(km_visit_is_local(&f.v));
    assert_int_equal(km_addr_parse(KM_STR("192.0.2.1"), 1, &f.peer), 0);
    assert_false(km_visit_is_local(&f.v));
    fake_visit_done(&f);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fake_visit_init(&f, "/v1/models");
        fake_visit_add(&f, names[i], "1");
        assert_false(km_visit_is_local(&f.v));
        assert_true(km_str_eq(km_forwarded_by(&f.request.headers), km_str_c(names[i])));
        fake_visit_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_master_key_only_names_of_this_machine_are_served),
        cmocka_unit_test(listed_hosts_are_the_only_ones_and_the_control_socket_has_none),
        cmocka_unit_test(a_page_may_call_its_own_host_or_is_listed),
        cmocka_unit_test(what_a_proxy_passed_on_is_not_of_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
