/* SPDX-License-Identifier: Apache-2.0 */
/* test_auth.c - the table of authenticators, with rows of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_visit.h"
#include "door/auth.h"

static struct {
    char asked[64]; /* the rows' names, in the order they were asked */
    bool a_applies;
    int a, b, prepared; /* what they say */
    km_visit_fn *go_on;
    struct km_str text;
} said;

static void note(const char *name)
{
    strcat(said.asked, name);
}

static bool a_applies(const struct km_visit *v)
{
    (void)v;
    return said.a_applies;
}

static int a_check(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    (void)shown;
    note("a");
    if (said.a == 0)
        v->who.admin = true;
    return said.a < 0 && said.a != KM_E_AGAIN ? km_fail(err, said.a, "a says no") : said.a;
}

static int b_prepare(struct km_visit *v, struct km_str text, km_visit_fn *go_on)
{
    (void)v;
    said.text = text;
    said.go_on = go_on;
    return said.prepared;
}

static int b_check(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    (void)v;
    note("b");
    assert_true(shown->text.n > 0);
    return said.b < 0 && said.b != KM_E_AGAIN ? km_fail(err, said.b, "b says no") : said.b;
}

static bool b_challenge(const struct km_visit *v, const struct km_err *err, struct km_buf *head)
{
    (void)v;
    if (err->code != KM_E_UNAUTHENTICATED)
        return false;
    km_buf_str(head, KM_STR("WWW-Authenticate: Bearer of=\"b\"\r\n"));
    return true;
}

static const struct km_authenticator a = { .name = "a", .applies = a_applies, .check = a_check };
static const struct km_authenticator b = {
    .name = "b",
    .needs_credential = true,
    .prepare = b_prepare,
    .check = b_check,
    .challenge = b_challenge,
};
static const struct km_authenticator *const rows[] = { &a, &b, NULL };

static void begin(struct fake_visit *f, const char *credential)
{
    memset(&said, 0, sizeof said);
    said.a_applies = true;
    said.a = said.b = KM_E_AGAIN;
    fake_visit_init(f, "/v1/models");
    f->args.authenticators = rows;
    if (credential)
        fake_visit_add(f, "authorization", credential);
}

static void the_first_row_that_does_not_pass_decides(void **state)
{
    struct fake_visit f;
    struct km_err err = { 0 };

    (void)state;
    begin(&f, "Bearer x");
    said.b = 0;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, &err), 0);
    assert_string_equal(said.asked, "ab");
    assert_int_equal(f.v.standing, KM_STANDING_KNOWN);
    assert_true(f.v.had_credential);
    fake_visit_done(&f);

    begin(&f, "Bearer x");
    said.a = KM_E_FORBIDDEN;
    said.b = 0;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, &err), KM_E_FORBIDDEN);
    assert_string_equal(said.asked, "a");
    assert_string_equal(err.text, "a says no");
    assert_int_equal(f.v.standing, KM_STANDING_UNASKED);
    fake_visit_done(&f);
}

static void a_row_is_asked_only_of_what_it_can_know(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, NULL);
    said.b = 0; /* it needs a credential, and there is none */
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), KM_E_UNAUTHENTICATED);
    assert_string_equal(said.asked, "a");
    fake_visit_done(&f);

    begin(&f, "Bearer x");
    said.a_applies = false;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), KM_E_UNAUTHENTICATED);
    assert_string_equal(said.asked, "b");
    fake_visit_done(&f);
}

static void a_table_without_rows_lets_nobody_in(void **state)
{
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    fake_visit_add(&f, "authorization", "Bearer x");
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), KM_E_UNAUTHENTICATED);
    km_auth_vouch(&f.v, KM_AUTH_CALL);
    assert_int_equal(km_visit_authorise(&f.v, NULL), KM_E_UNAUTHENTICATED);
    fake_visit_done(&f);
}

static void a_route_says_who_may(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, NULL);
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_PUBLIC, NULL), 0);
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_WEB, NULL), 0);
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_METRICS, NULL), KM_E_UNAUTHENTICATED);
    f.snap.metrics_open = true;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_METRICS, NULL), 0);
    /* who is not asked is not known by it */
    assert_int_equal(km_visit_authorise(&f.v, NULL), KM_E_INTERNAL);
    fake_visit_done(&f);

    begin(&f, "Bearer x");
    said.b = 0; /* somebody, but no administrator */
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_ADMIN, NULL), KM_E_FORBIDDEN);
    said.a = 0;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_ADMIN, NULL), 0);
    fake_visit_done(&f);
}

static void a_call_finds_in_its_visit_why_it_is_refused(void **state)
{
    struct km_err err = { 0 };
    struct fake_visit f;

    (void)state;
    begin(&f, "Bearer x");
    said.b = KM_E_FORBIDDEN;
    km_auth_vouch(&f.v, KM_AUTH_CALL);
    assert_int_equal(km_visit_authorise(&f.v, &err), KM_E_FORBIDDEN);
    assert_string_equal(err.text, "b says no");
    fake_visit_done(&f);

    begin(&f, "Bearer x");
    said.b = 0;
    km_auth_vouch(&f.v, KM_AUTH_PASS);
    assert_int_equal(km_visit_authorise(&f.v, &err), 0);
    fake_visit_done(&f);

    begin(&f, "Bearer x"); /* whose key it may be is not looked at */
    km_auth_vouch(&f.v, KM_AUTH_OPEN);
    assert_int_equal(km_visit_authorise(&f.v, &err), 0);
    assert_string_equal(said.asked, "");
    fake_visit_done(&f);
}

static void a_refusal_for_which_there_is_no_memory_stays_one(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "Bearer x");
    said.b = KM_E_FORBIDDEN;
    km_arena_done(&f.arena);
    km_arena_init(&f.arena, 16, NULL);
    km_auth_vouch(&f.v, KM_AUTH_CALL);
    assert_int_equal(km_visit_authorise(&f.v, NULL), KM_E_NOMEM);
    fake_visit_done(&f);
}

static void go_on(struct km_visit *v)
{
    (void)v;
    note("!");
}

static void it_waits_for_the_row_that_must(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "Bearer x");
    assert_false(km_auth_waits(&f.v, go_on));
    assert_true(km_str_eq(said.text, KM_STR("x")));
    said.prepared = KM_E_AGAIN;
    assert_true(km_auth_waits(&f.v, go_on));
    said.go_on(&f.v);
    assert_string_equal(said.asked, "!");
    f.v.local = true; /* the kernel said who it is */
    assert_false(km_auth_waits(&f.v, go_on));
    fake_visit_done(&f);

    begin(&f, NULL);
    said.prepared = KM_E_AGAIN;
    assert_false(km_auth_waits(&f.v, go_on));
    fake_visit_done(&f);

    begin(&f, "Basic x"); /* refused without being judged */
    said.prepared = KM_E_AGAIN;
    assert_false(km_auth_waits(&f.v, go_on));
    fake_visit_done(&f);
}

static void a_challenge_is_the_first_that_a_row_has(void **state)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(256);
    struct km_err err = { .code = KM_E_UNAUTHENTICATED };
    struct fake_visit f;

    (void)state;
    begin(&f, NULL);
    km_auth_challenge(&f.v, &err, &head);
    assert_string_equal(km_buf_cstr(&head), "WWW-Authenticate: Bearer of=\"b\"\r\n");
    km_buf_reset(&head);
    err.code = KM_E_FORBIDDEN;
    km_auth_challenge(&f.v, &err, &head);
    assert_string_equal(km_buf_cstr(&head), "WWW-Authenticate: Bearer\r\n");
    fake_visit_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_row_that_does_not_pass_decides),
        cmocka_unit_test(a_row_is_asked_only_of_what_it_can_know),
        cmocka_unit_test(a_table_without_rows_lets_nobody_in),
        cmocka_unit_test(a_route_says_who_may),
        cmocka_unit_test(a_call_finds_in_its_visit_why_it_is_refused),
        cmocka_unit_test(a_refusal_for_which_there_is_no_memory_stays_one),
        cmocka_unit_test(it_waits_for_the_row_that_must),
        cmocka_unit_test(a_challenge_is_the_first_that_a_row_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
