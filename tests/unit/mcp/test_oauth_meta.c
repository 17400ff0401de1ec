/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mcp/oauth/meta.h"

static struct km_arena arena;

static int setup(void **state)
{
    (void)state;
    km_arena_init(&arena, 4 << 20, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    km_arena_done(&arena);
    return 0;
}

static void expect(struct km_str got, const char *want)
{
    assert_true(km_str_eq(got, km_str_c(want)));
}

static void challenges(void **state)
{
    static const struct {
        const char *field;
        bool bearer;
        const char *metadata, *scope, *error;
    } rows[] = {
        { "Bearer", true, "", "", "" },
        { "", false, "", "", "" },
        { "Basic realm=\"x\"", false, "", "", "" },
        { "bearer resource_metadata=\"https://h/m\", scope=\"a b\"", true, "https://h/m", "a b",
          "" },
        { "Bearer error=insufficient_scope,scope=\"x\\\"y\"", true, "", "x\"y",
          "insufficient_scope" },
        { "Basic realm=\"a, Bearer scope=no\", Bearer scope=\"yes\"", true, "", "yes", "" },
        { "Bearer scope=\"one\", Digest scope=\"two\"", true, "", "one", "" },
        { "Bearer scope=\"open", true, "", "", "" },
        { "Bearer =,,, scope", true, "", "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_oauth_challenge_parts c;

        assert_int_equal(km_oauth_challenge_read(&arena, km_str_c(rows[i].field), &c),
                         rows[i].bearer);
        expect(c.resource_metadata, rows[i].metadata);
        expect(c.scope, rows[i].scope);
        expect(c.error, rows[i].error);
    }
}

static int resource(const char *json, const char *url)
{
    struct km_oauth_resource r;

    return km_oauth_resource_read(&arena, km_str_c(json), km_str_c(url), &r, NULL);
}

static void a_document_is_about_the_server_that_was_asked(void **state)
{
    static const char good[] = "{\"resource\":\"https://h/mcp\",\"authorization_servers\":"
                               "[\"https://as/x\",\"https://other\"],\"scopes_supported\":[\"a\",7,"
                               "\"b\"]}";
    struct km_oauth_resource r;

    (void)state;
    assert_int_equal(
        km_oauth_resource_read(&arena, km_str_c(good), KM_STR("https://h/mcp"), &r, NULL), 0);
    expect(r.issuer, "https://as/x");
    expect(r.scopes, "a b");
    assert_int_equal(resource(good, "https://h/mcp/one"), 0);
    assert_int_not_equal(resource(good, "https://h/mcp2"), 0);
    assert_int_not_equal(resource(good, "https://h/"), 0);
    assert_int_not_equal(resource(good, "https://h.evil/mcp"), 0);
    assert_int_not_equal(resource(good, "http://h/mcp"), 0);
    assert_int_not_equal(resource("{\"resource\":\"https://h/mcp\"}", "https://h/mcp"), 0);
    assert_int_not_equal(resource("[]", "https://h/mcp"), 0);
    assert_int_not_equal(
        resource("{\"resource\":\"https://h/mcp\",\"authorization_servers\":[\"x\"]}",
                 "https://h/mcp"),
        0);
}

static int server(const char *json, const char *issuer, struct km_oauth_server *ret)
{
    return km_oauth_server_read(&arena, km_str_c(json), km_str_c(issuer), ret, NULL);
}

static void metadata_name_the_issuer_exactly(void **state)
{
    static const char good[] =
        "{\"issuer\":\"https://as/x\",\"token_endpoint\":\"https://as/t\","
        "\"authorization_endpoint\":\"https://as/a\",\"code_challenge_methods_supported\":"
        "[\"plain\",\"S256\"],\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}";
    struct km_oauth_server s;

    (void)state;
    assert_int_equal(server(good, "https://as/x", &s), 0);
    expect(s.token, "https://as/t");
    assert_true(s.s256);
    assert_true(s.secret_post);
    assert_false(s.documents);
    assert_int_not_equal(server(good, "https://as/x/", &s), 0);
    assert_int_not_equal(server(good, "https://as", &s), 0);
    assert_int_not_equal(server("{}", "https://as", &s), 0);
    /* A secret is posted there: never in the clear, and to no user:password. */
    assert_int_not_equal(
        server("{\"issuer\":\"https://as\",\"token_endpoint\":\"http://as/t\"}", "https://as", &s),
        0);
    assert_int_not_equal(server("{\"issuer\":\"https://as\",\"token_endpoint\":"
                                "\"https://u:p@as/t\"}",
                                "https://as", &s),
                         0);
    assert_int_equal(
        server("{\"issuer\":\"http://as\",\"token_endpoint\":\"http://as/t\"}", "http://as", &s),
        0);
}

static void places_in_their_order(void **state)
{
    struct km_str urls[KM_OAUTH_URLS];

    (void)state;
    assert_int_equal(km_oauth_resource_urls(&arena, KM_STR("https://h:8/a/mcp?x=1"), urls), 2);
    expect(urls[0], "https://h:8/.well-known/oauth-protected-resource/a/mcp");
    expect(urls[1], "https://h:8/.well-known/oauth-protected-resource");
    assert_int_equal(km_oauth_resource_urls(&arena, KM_STR("https://h/"), urls), 1);
    assert_int_equal(km_oauth_server_urls(&arena, KM_STR("https://as/t/"), urls), 3);
    expect(urls[0], "https://as/.well-known/oauth-authorization-server/t");
    expect(urls[1], "https://as/.well-known/openid-configuration/t");
    expect(urls[2], "https://as/t/.well-known/openid-configuration");
    assert_int_equal(km_oauth_server_urls(&arena, KM_STR("https://as"), urls), 2);
    expect(urls[1], "https://as/.well-known/openid-configuration");
}

static void answers_of_a_token_endpoint(void **state)
{
    static const struct {
        int status;
        const char *json;
        bool good;
        int64_t lifetime_s;
    } rows[] = {
        { 200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":60}", true, 60 },
        { 200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", true, 300 },
        { 200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":-1}", true, 300 },
        { 200, "{\"access_token\":\"a\",\"token_type\":\"DPoP\"}", false, 300 },
        { 200, "{\"token_type\":\"Bearer\"}", false, 300 },
        { 400, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", false, 300 },
        { 400, "{\"error\":\"invalid_grant\"}", false, 300 },
        { 502, "<html>", false, 300 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_oauth_tokens t;

        assert_int_equal(
            km_oauth_tokens_read(&arena, rows[i].status, km_str_c(rows[i].json), &t, NULL) == 0,
            rows[i].good);
        assert_int_equal(t.lifetime_s, rows[i].lifetime_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(challenges, setup, teardown),
        cmocka_unit_test_setup_teardown(a_document_is_about_the_server_that_was_asked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(metadata_name_the_issuer_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(places_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_of_a_token_endpoint, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
