/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_visit.h"
#include "door/credential.h"

/* One request: its path, up to two fields, what is found of it; NULL: it is refused. */
struct row {
    const char *path;
    const char *fields[2][2];
    const char *found;
};

static void check(const struct row *row)
{
    struct fake_visit f;
    struct km_str found = KM_STR("untouched");
    struct km_err err = { 0 };
    int r;

    fake_visit_init(&f, row->path);
    f.general.key_header = KM_STR("x-own");
    for (size_t i = 0; i < 2 && row->fields[i][0]; i++)
        fake_visit_add(&f, row->fields[i][0], row->fields[i][1]);
    r = km_credential(&f.v, &found, &err);
    if (row->found) {
        assert_int_equal(r, 0);
        assert_true(km_str_eq(found, km_str_c(row->found)));
    } else {
        assert_int_equal(r, KM_E_UNAUTHENTICATED);
        assert_true(km_str_eq(found, KM_STR("untouched")));
        assert_string_equal(err.param, "None");
    }
    fake_visit_done(&f);
}

static void it_is_found_in_every_field_that_clients_use(void **state)
{
    static const struct row rows[] = {
        { "/v1/models", { { 0 } }, "" },
        { "/v1/models", { { "Authorization", "Bearer sk-1" } }, "sk-1" },
        { "/v1/models", { { "authorization", "bearer  sk-1 " } }, "sk-1" },
        { "/v1/models", { { "x-api-key", "sk-1" } }, "sk-1" },
        { "/v1/models", { { "x-api-key", "Bearer sk-1" } }, "sk-1" },
        { "/v1/models", { { "API-Key", " sk-1 " } }, "sk-1" },
        { "/v1/models", { { "x-goog-api-key", "sk-1" } }, "sk-1" },
        { "/v1/models", { { "X-Own", "sk-1" } }, "sk-1" },
        { "/v1/models", { { "x-other", "sk-1" } }, "" },
        { "/v1/models", { { "authorization", "Basic sk-1" } }, NULL },
        { "/v1/models", { { "authorization", "sk-1" } }, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(&rows[i]);
}

static void two_different_ones_are_refused_and_one_twice_is_not(void **state)
{
    static const struct row rows[] = {
        { "/v1/models", { { "authorization", "Bearer sk-1" }, { "x-api-key", "sk-1" } }, "sk-1" },
        { "/v1/models", { { "authorization", "Bearer sk-1" }, { "x-api-key", "sk-2" } }, NULL },
        { "/gemini/x?key=sk-2", { { "x-goog-api-key", "sk-1" } }, NULL },
        { "/gemini/x?key=sk-1", { { "x-goog-api-key", "sk-1" } }, "sk-1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(&rows[i]);
}

static void a_query_holds_one_only_where_google_clients_put_it(void **state)
{
    static const struct row rows[] = {
        { "/v1beta/models/x:generateContent?key=sk-1", { { 0 } }, "sk-1" },
        { "/v1beta/models?alt=sse&key=sk%2D1", { { 0 } }, "sk-1" },
        { "/v1/models?key=sk-1", { { 0 } }, "" },
        { "/v1/models?api-key=sk-1", { { 0 } }, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(&rows[i]);
}

static void of_a_request_aws_signed_it_is_the_id_of_the_access_key(void **state)
{
    static const char signature[] = "AWS4-HMAC-SHA256 Credential=sk-a/b/20261120/us-east-1/bedrock/"
                                    "aws4_request, SignedHeaders=host, Signature=00";
    const struct row bedrock = { "/bedrock/model/x/invoke",
                                 { { "authorization", signature } },
                                 "sk-a/b" };
    const struct row elsewhere = { "/v1/models", { { "authorization", signature } }, NULL };
    const struct row nameless = { "/bedrock/model/x/invoke",
                                  { { "authorization", "AWS4-HMAC-SHA256 Signature=00" } },
                                  NULL };

    (void)state;
    check(&bedrock);
    check(&elsewhere);
    check(&nameless);
}

static void a_websocket_names_it_in_a_subprotocol_or_the_query(void **state)
{
    static const struct {
        const char *path, *protocol, *found;
    } rows[] = {
        { "/v1/realtime", "realtime, openai-insecure-api-key.sk-1", "sk-1" },
        { "/v1/realtime?api-key=sk-1", "realtime", "sk-1" },
        { "/v1/realtime?api-key=sk-1", "openai-insecure-api-key.sk-1", "sk-1" },
        { "/v1/realtime?api-key=sk-2", "openai-insecure-api-key.sk-1", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake_visit f;
        struct km_str found;
        int r;

        fake_visit_init(&f, rows[i].path);
        fake_visit_add(&f, "connection", "upgrade");
        fake_visit_add(&f, "upgrade", "websocket");
        fake_visit_add(&f, "sec-websocket-version", "13");
        fake_visit_add(&f, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        fake_visit_add(&f, "sec-websocket-protocol", rows[i].protocol);
        r = km_credential(&f.v, &found, NULL);
        assert_int_equal(r, rows[i].found ? 0 : KM_E_UNAUTHENTICATED);
        if (rows[i].found)
            assert_true(km_str_eq(found, km_str_c(rows[i].found)));
        fake_visit_done(&f);
    }
}

static void a_cookie_is_found_among_others_and_by_its_whole_name(void **state)
{
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/oauth/authorize");
    assert_int_equal(km_cookie(&f.v, KM_STR("a")).n, 0);
    fake_visit_add(&f, "cookie", "aa=1; a=2");
    fake_visit_add(&f, "Cookie", "b=3=4;c");
    assert_true(km_str_eq(km_cookie(&f.v, KM_STR("a")), KM_STR("2")));
    assert_true(km_str_eq(km_cookie(&f.v, KM_STR("b")), KM_STR("3=4")));
    assert_int_equal(km_cookie(&f.v, KM_STR("c")).n, 0);
    fake_visit_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_in_every_field_that_clients_use),
        cmocka_unit_test(two_different_ones_are_refused_and_one_twice_is_not),
        cmocka_unit_test(a_query_holds_one_only_where_google_clients_put_it),
        cmocka_unit_test(of_a_request_aws_signed_it_is_the_id_of_the_access_key),
        cmocka_unit_test(a_websocket_names_it_in_a_subprotocol_or_the_query),
        cmocka_unit_test(a_cookie_is_found_among_others_and_by_its_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
