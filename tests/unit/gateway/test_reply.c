/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/reply.h"

static void an_error_is_openais_shape_with_litellms_code(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail_param(&err, KM_E_RATE_LIMITED, "model", "say \"%s\"", "no\n");
    km_error_json(&err, &out);
    assert_string_equal(
        km_buf_cstr(&out),
        "{\"error\":{\"message\":\"say \\\"no\\n\\\"\",\"type\":\"throttling_error\","
        "\"param\":\"model\",\"code\":\"429\"}}");
}

static void a_status_of_its_own_and_no_parameter_are_told(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    (void)state;
    km_fail(&err, KM_E_UPSTREAM_STATUS, "teapot");
    err.http = 418;
    err.type = "invalid_request_error";
    km_error_json(&err, &out);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_openais_shape_with_litellms_code),
        cmocka_unit_test(a_status_of_its_own_and_no_parameter_are_told),
        cmocka_unit_test(the_head_says_when_to_come_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
