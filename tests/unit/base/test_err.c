/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void fail_returns_the_code_and_writes_the_text(void **state)
{
    struct km_err err = { .http = 418, .retry_after_ms = 7, .type = "old", .param = "old" };

    (void)state;
    assert_int_equal(km_fail(&err, KM_E_LIMIT, "over %d bytes", 12), KM_E_LIMIT);
    assert_int_equal(err.code, KM_E_LIMIT);
    assert_string_equal(err.text, "over 12 bytes");
    assert_int_equal(err.http, 0);
    assert_int_equal(err.retry_after_ms, 0);
    assert_null(err.type);
    assert_null(err.param);
}

static void an_error_has_a_code_of_json_rpc(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    km_fail(&err, KM_E_INVALID, "x");
    assert_int_equal(km_err_rpc(&err, false), -32602);
    assert_int_equal(km_err_rpc(&err, true), -32602);
    km_fail(&err, KM_E_UPSTREAM_CONNECT, "x");
    assert_int_equal(km_err_rpc(&err, false), -32603);
    assert_int_equal(km_err_rpc(&err, true), -32603);
    km_fail(&err, KM_E_NOT_FOUND, "x"); /* the eras differ */
    assert_int_equal(km_err_rpc(&err, false), -32002);
    assert_int_equal(km_err_rpc(&err, true), -32602);
    km_fail(&err, KM_E_RATE_LIMITED, "x"); /* the status, outside what JSON-RPC reserves */
    assert_int_equal(km_err_rpc(&err, false), 429);
    assert_int_equal(km_err_rpc(&err, true), 429);
    km_fail(&err, KM_E_UNAUTHENTICATED, "x");
    err.http = 403;
    assert_int_equal(km_err_rpc(&err, false), 403);
    err.code = 4711; /* of no row */
    assert_int_equal(km_err_rpc(&err, true), -32603);
}

static void a_null_error_only_returns_the_code(void **state)
{
    (void)state;
    assert_int_equal(km_fail(NULL, KM_E_INVALID, "x"), KM_E_INVALID);
    assert_int_equal(km_fail_param(NULL, KM_E_BUDGET, "p", "x"), KM_E_BUDGET);
    assert_int_equal(km_fail_errno(NULL, ENOENT, "x"), KM_E_SYSTEM);
}

static void a_long_text_ends_in_three_dots(void **state)
{
    struct km_err err;
    char longer[2000];

    (void)state;
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    km_fail(&err, KM_E_INVALID, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + sizeof err.text - 5, "a...");
}

static void a_cut_text_keeps_its_utf8_whole(void **state)
{
    struct km_err err;
    char longer[2000];

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        size_t n;

        memset(longer, 'a', shift);
        for (n = shift; n + 3 < sizeof longer; n += 3)
            memcpy(longer + n, "\xe3\x81\x82", 3);
        longer[n] = '\0';
        km_fail(&err, KM_E_INVALID, "%s", longer);
        n = strlen(err.text);
        assert_string_equal(err.text + n - 3, "...");
        assert_int_equal((n - 3 - shift) % 3, 0);
        assert_in_range(n, sizeof err.text - 4, sizeof err.text - 1);
    }
}

static void a_text_may_be_wrapped_into_its_own_error(void **state)
{
    struct km_err err;

    (void)state;
    km_fail(&err, KM_E_INVALID, "no comma");
    km_fail(&err, KM_E_CONFIG, "line %d: %s", 3, err.text);
    assert_string_equal(err.text, "line 3: no comma");
}

static void errno_text_follows_the_message(void **state)
{
    struct km_err err;

    (void)state;
    assert_int_equal(km_fail_errno(&err, ENOENT, "open '%s'", "a"), KM_E_SYSTEM);
    assert_string_equal(err.text, "open 'a': No such file or directory");
}

static void the_param_names_the_field(void **state)
{
    struct km_err err;

    (void)state;
    km_fail_param(&err, KM_E_INVALID, "messages", "is empty");
    assert_string_equal(err.param, "messages");
}

static void columns_come_from_the_table(void **state)
{
    struct km_err err;

    (void)state;
    km_fail(&err, KM_E_RATE_LIMITED, "slow down");
    assert_int_equal(km_err_http(&err), 429);
    assert_string_equal(km_err_name(err.code), "RATE_LIMITED");
    assert_string_equal(km_err_openai_type(&err), "throttling_error");
    assert_string_equal(km_err_anthropic_type(&err), "rate_limit_error");
    err.http = 503;
    err.type = "own";
    assert_int_equal(km_err_http(&err), 503);
    assert_string_equal(km_err_openai_type(&err), "own");
}

static void an_unknown_code_answers_as_internal(void **state)
{
    (void)state;
    assert_string_equal(km_err_name(1), "INTERNAL");
    assert_string_equal(km_err_name(-10000), "INTERNAL");
    assert_string_equal(km_err_name(KM_E_NOT_RUNNING), "NOT_RUNNING");
    assert_string_equal(km_err_name(KM_E_NOT_RUNNING - 1), "INTERNAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_returns_the_code_and_writes_the_text),
        cmocka_unit_test(an_error_has_a_code_of_json_rpc),
        cmocka_unit_test(a_null_error_only_returns_the_code),
        cmocka_unit_test(a_long_text_ends_in_three_dots),
        cmocka_unit_test(a_cut_text_keeps_its_utf8_whole),
        cmocka_unit_test(a_text_may_be_wrapped_into_its_own_error),
        cmocka_unit_test(errno_text_follows_the_message),
        cmocka_unit_test(the_param_names_the_field),
        cmocka_unit_test(columns_come_from_the_table),
        cmocka_unit_test(an_unknown_code_answers_as_internal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
