/* SPDX-License-Identifier: Apache-2.0 */
/* Which row a method and a path find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/router.h"

static const struct km_route rows[] = {
    { "GET", "/", NULL, KM_AUTH_PUBLIC, "root" },
    { "GET", "/v1/models", NULL, KM_AUTH_KEY, "models" },
    { "GET", "/v1/models/{id}", NULL, KM_AUTH_KEY, "model" },
    { "POST", "/v1/models/{id}", NULL, KM_AUTH_KEY, "model-post" },
    { "GET", "/v1/models/{id:path}", NULL, KM_AUTH_KEY, "model-path" },
    { "POST", "/openai/deployments/{model}/chat/completions", NULL, KM_AUTH_KEY, "azure" },
    { "GET", "/openai/deployments/list/chat/x", NULL, KM_AUTH_KEY, "literal" },
    { "*", "/pass/{rest:path}", NULL, KM_AUTH_KEY, "pass" },
    { "PUT", "/pass/here", NULL, KM_AUTH_KEY, "pass-here" },
};

static struct km_router *made(void)
{
    struct km_router *r = km_router_new();
    struct km_err err;

    assert_non_null(r);
    assert_int_equal(km_router_add(r, rows, sizeof rows / sizeof *rows, &err), 0);
    return r;
}

static void expect(struct km_router *r, const char *method, const char *path, const char *what,
                   const char *param)
{
    struct km_route_match m;
    struct km_str allow;
    int e = km_router_find(r, km_str_c(method), km_str_c(path), &m, &allow);

    if (!what) {
        assert_int_equal(e, KM_E_NOT_FOUND);
        return;
    }
    assert_int_equal(e, 0);
    assert_string_equal(m.route->data, what);
    assert_int_equal(m.nparams, param ? 1 : 0);
    if (param)
        assert_true(km_str_eq(m.params[0], km_str_c(param)));
}

static void a_path_finds_its_most_literal_row(void **state)
{
    struct km_router *r = made();

    (void)state;
    expect(r, "GET", "/", "root", NULL);
    expect(r, "GET", "/v1/models", "models", NULL);
    expect(r, "GET", "/v1/models/gpt-4", "model", "gpt-4");
    expect(r, "GET", "/v1/models/openai/gpt-4", "model-path", "openai/gpt-4");
    expect(r, "GET", "/v1/models/a%2Fb", "model", "a%2Fb");
    expect(r, "POST", "/openai/deployments/m/chat/completions", "azure", "m");
    expect(r, "GET", "/openai/deployments/list/chat/x", "literal", NULL);
    /* The literal branch ends in nothing: the look-up steps back to the parameter. */
    expect(r, "POST", "/openai/deployments/list/chat/completions", "azure", "list");
    expect(r, "PUT", "/pass/here", "pass-here", NULL);
    expect(r, "GET", "/pass/here", "pass", "here");
    expect(r, "FROB", "/pass/a//b/", "pass", "a//b/");
    km_router_free(r);
}

static void slashes_are_neither_merged_nor_forgiven(void **state)
{
    struct km_router *r = made();

    (void)state;
    expect(r, "GET", "//v1//models", NULL, NULL);
    expect(r, "GET", "/v1/models/", NULL, NULL);
    expect(r, "GET", "/v1", NULL, NULL);
    expect(r, "GET", "", NULL, NULL);
    expect(r, "GET", "*", NULL, NULL);
    expect(r, "GET", "/V1/models", NULL, NULL);
    expect(r, "GET", "/v1/model", NULL, NULL);
    expect(r, "GET", "/pass", NULL, NULL);
    expect(r, "GET", "/pass/", NULL, NULL);
    km_router_free(r);
}

static void a_known_path_with_another_method_says_what_is_allowed(void **state)
{
    struct km_router *r = made();
    struct km_route_match m;
    struct km_str allow = KM_STR_NONE;

    (void)state;
    assert_int_equal(km_router_find(r, KM_STR("DELETE"), KM_STR("/v1/models/x"), &m, &allow),
                     KM_E_BAD_METHOD);
    assert_true(km_str_eq(allow, KM_STR("GET, POST")));
    assert_int_equal(km_router_find(r, KM_STR("get"), KM_STR("/v1/models"), &m, &allow),
                     KM_E_BAD_METHOD);
    assert_true(km_str_eq(allow, KM_STR("GET")));
    km_router_free(r);
}

static void head_finds_the_row_of_get(void **state)
{
    struct km_router *r = made();

    (void)state;
    expect(r, "HEAD", "/v1/models", "models", NULL);
    expect(r, "HEAD", "/v1/models/x", "model", "x");
    km_router_free(r);
}

static void conflicting_and_malformed_rows_are_refused(void **state)
{
    static const struct km_route same[] = { { "GET", "/v1/models/{name}", NULL, 0, NULL } };
    static const struct km_route bad[] = {
        { "GET", "v1", NULL, 0, NULL },
        { "GET", "/a/{b", NULL, 0, NULL },
        { "GET", "/a/{b:path}/c", NULL, 0, NULL },
        { "GET", "/a/x{b}", NULL, 0, NULL },
        { "GET", "/a/{}", NULL, 0, NULL },
    };
    struct km_router *r = made();
    struct km_err err;

    (void)state;
    assert_int_equal(km_router_add(r, same, 1, &err), KM_E_EXISTS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(km_router_add(r, &bad[i], 1, &err), KM_E_INVALID);
    km_router_free(r);
    assert_null(km_router_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_its_most_literal_row),
        cmocka_unit_test(slashes_are_neither_merged_nor_forgiven),
        cmocka_unit_test(a_known_path_with_another_method_says_what_is_allowed),
        cmocka_unit_test(head_finds_the_row_of_get),
        cmocka_unit_test(conflicting_and_malformed_rows_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
