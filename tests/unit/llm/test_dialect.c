/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "llm/dialect.h"

static void an_error_is_openais_shape_with_litellms_code(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail_param(&err, KM_E_RATE_LIMITED, "model", "say \"%s\"", "no\n");
    km_error_json(KM_DIALECT_OPENAI, &err, KM_STR_NONE, &out);
    assert_string_equal(
        km_buf_cstr(&out),
        "{\"error\":{\"message\":\"say \\\"no\\n\\\"\",\"type\":\"throttling_error\","
        "\"param\":\"model\",\"code\":\"rate_limit_exceeded\"}}");
}

static void a_status_of_its_own_and_no_parameter_are_told(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail(&err, KM_E_UPSTREAM_STATUS, "teapot");
    err.http = 418;
    err.type = "invalid_request_error";
    km_error_json(KM_DIALECT_OPENAI, &err, KM_STR_NONE, &out);
    assert_string_equal(km_buf_cstr(&out),
                        "{\"error\":{\"message\":\"teapot\",\"type\":\"invalid_request_error\","
                        "\"param\":null,\"code\":\"418\"}}");
}

static void the_head_says_when_to_come_again(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail(&err, KM_E_RATE_LIMITED, "slow down");
    err.retry_after_ms = 1500;
    km_error_head(&err, &out);
    assert_true(km_str_find(km_buf_view(&out), KM_STR("Retry-After: 2\r\n")) < out.n);
}

static void every_dialect_has_its_own_shape(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail(&err, KM_E_UPSTREAM_STATUS, "too long");
    err.http = 400;
    err.reason = "context_length_exceeded";
    km_error_json(KM_DIALECT_OPENAI, &err, KM_STR_NONE, &out);
    assert_non_null(strstr(km_buf_cstr(&out), "\"code\":\"context_length_exceeded\""));
    km_buf_reset(&out);
    km_error_event(KM_DIALECT_ANTHROPIC, &err, KM_STR("r1"), &out);
    assert_string_equal(km_buf_cstr(&out),
                        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                        "\"invalid_request_error\",\"message\":\"too long\"},"
                        "\"request_id\":\"r1\"}\n\n");
    km_buf_reset(&out);
    km_error_json(KM_DIALECT_GOOGLE, &err, KM_STR_NONE, &out);
    assert_string_equal(km_buf_cstr(&out), "{\"error\":{\"code\":400,\"message\":\"too long\","
                                           "\"status\":\"INVALID_ARGUMENT\"}}");
    km_buf_reset(&out);
    km_error_json(KM_DIALECT_AWS, &err, KM_STR_NONE, &out);
    assert_string_equal(km_buf_cstr(&out),
                        "{\"__type\":\"ValidationException\",\"message\":\"too long\","
                        "\"reason\":\"context_length_exceeded\"}");
}

static void a_vendors_word_follows_the_status_or_the_code(void **state)
{
    static const struct {
        int code, http;
        const char *anthropic, *google;
    } rows[] = {
        { KM_E_UNAUTHENTICATED, 0, "authentication_error", "UNAUTHENTICATED" },
        { KM_E_BODY_TOO_LARGE, 0, "request_too_large", "INVALID_ARGUMENT" },
        { KM_E_BUDGET, 0, "rate_limit_error", "RESOURCE_EXHAUSTED" },
        { KM_E_UPSTREAM_STATUS, 529, "overloaded_error", "UNAVAILABLE" },
        { KM_E_UPSTREAM_STATUS, 422, "invalid_request_error", "INVALID_ARGUMENT" },
        { KM_E_UPSTREAM_STATUS, 502, "api_error", "INTERNAL" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
        struct km_err err = { 0 };

        km_fail(&err, rows[i].code, "no");
        err.http = rows[i].http;
        err.type = "somebody_elses_type";
        km_error_json(KM_DIALECT_ANTHROPIC, &err, KM_STR_NONE, &out);
        assert_non_null(strstr(km_buf_cstr(&out), rows[i].anthropic));
        km_buf_reset(&out);
        km_error_json(KM_DIALECT_GOOGLE, &err, KM_STR_NONE, &out);
        assert_non_null(strstr(km_buf_cstr(&out), rows[i].google));
    }
}

static void a_path_says_whose_errors_are_understood(void **state)
{
    (void)state;
    assert_int_equal(km_dialect_of(KM_STR("/v1/chat/completions")), KM_DIALECT_OPENAI);
    assert_int_equal(km_dialect_of(KM_STR("/v1/messages/count_tokens")), KM_DIALECT_ANTHROPIC);
    assert_int_equal(km_dialect_of(KM_STR("/v1beta/models/x:generateContent")), KM_DIALECT_GOOGLE);
    assert_int_equal(km_dialect_of(KM_STR("/v1/models/x:generateContent")), KM_DIALECT_GOOGLE);
    assert_int_equal(km_dialect_of(KM_STR("/v1/models/x:other")), KM_DIALECT_OPENAI);
    assert_int_equal(km_dialect_of(KM_STR("/anthropic/v1/messages")), KM_DIALECT_ANTHROPIC);
    assert_int_equal(km_dialect_of(KM_STR("/anthropics/x")), KM_DIALECT_OPENAI);
    assert_int_equal(km_dialect_of(KM_STR("/gemini/v1beta/models")), KM_DIALECT_GOOGLE);
    assert_int_equal(km_dialect_of(KM_STR("/vertex-ai/v1/x")), KM_DIALECT_GOOGLE);
    assert_int_equal(km_dialect_of(KM_STR("/bedrock/model/x/invoke")), KM_DIALECT_AWS);
    assert_int_equal(km_dialect_of(KM_STR("/azure/openai/x")), KM_DIALECT_OPENAI);
}

static void what_will_not_get_better_is_not_asked_again(void **state)
{
    static const char line[] = "x-should-retry: false\r\n";
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail(&err, KM_E_RATE_LIMITED, "slow down");
    err.retry_after_ms = 5000;
    km_error_head(&err, &out);
    assert_null(strstr(km_buf_cstr(&out), line));
    err.retry_after_ms = 61000; /* longer than a client library waits */
    km_error_head(&err, &out);
    assert_non_null(strstr(km_buf_cstr(&out), line));
    km_buf_reset(&out);
    km_fail(&err, KM_E_BUDGET, "spent");
    km_error_head(&err, &out);
    assert_non_null(strstr(km_buf_cstr(&out), line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_openais_shape_with_litellms_code),
        cmocka_unit_test(a_status_of_its_own_and_no_parameter_are_told),
        cmocka_unit_test(the_head_says_when_to_come_again),
        cmocka_unit_test(every_dialect_has_its_own_shape),
        cmocka_unit_test(a_vendors_word_follows_the_status_or_the_code),
        cmocka_unit_test(a_path_says_whose_errors_are_understood),
        cmocka_unit_test(what_will_not_get_better_is_not_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
