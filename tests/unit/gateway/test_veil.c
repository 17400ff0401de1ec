/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/veil.h"
#include "gateway/veil.h"

static const char *const failures[] = {
    "data: {\"error\":{\"message\":\"no\"}}\n\n",
    "data: {\"error\": \"no\"}\r\n\r\n",
    "event: error\ndata: {\"type\":\"overloaded\"}\n\n",
    "event: response.failed\ndata: {}\n\n",
    "data: {\"type\":\"error\",\"message\":\"no\"}\n\n",
    "data: {\"object\":\"error\",\"message\":\"no\"}\n\n",
    "id: 1\nevent: x\ndata: {\"type\":\"response.failed\","
    "\"response\":{\"error\":{\"code\":\"x\"}}}\n\n",
    "data: {\"choices\":[{\"error\":{\"message\":\"no\"},\"finish_reason\":\"error\"}]}\n\n",
    "data: {\"item\":{\"type\":\"mcp_call\",\"arguments\":\"{}\",\"error\":\"no\"}}\n\n",
    "data: {\"candidates\":[{\"error\":1}],\"error\":{\"message\":\"no\"}}\n\n",
    "data: {\"candidates\":[],\"detail\":{\"error\":\"no\"}}\n\n",
    "data: [{\"error\":{\"message\":\"no\"}}]\n\n",
    "data: {\"error\":{\"message\":\"cut\n\n",
    "data: {\"error\":null,\"error\":\"no\"}\n\n",
    "data: {\"a\":1}\n\ndata: {\"error\":\"no\"}\n\n",
    "data: {\"response\":{\"tools\":[{\"error\":1}],\"error\":\"no\"}}\n\n",
    "{\"error\":\"no\"}",
};

static const char *const made[] = {
    "data: {\"choices\":[{\"delta\":{\"content\":"
    "\"\\\"error\\\": Bearer abc\"}}],\"error\":null}\n\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":"
    "{\"error\":\"Bearer abcdef0123456789\"}}}]}}]}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":"
    "{\"input\":{\"error\":\"x\"}}}\n\n",
    "data: {\"response\":{\"error\":null,\"tools\":[{\"parameters\":{\"properties\":{\"error\":"
    "{\"type\":\"string\"}}}}],\"metadata\":{\"kind\":\"error\"}}}\n\n",
    "data: {\"item\":{\"type\":\"x_call\",\"action\":{\"error\":\"x\"},\"error\":null}}\n\n",
    "data: [DONE]\n\n",
    ": error\n\n",
};

static void an_event_of_a_failure_is_told_from_what_a_model_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (!km_veil_tells_failure(km_str_c(failures[i])))
            fail_msg("no failure: %s", failures[i]);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (km_veil_tells_failure(km_str_c(made[i])))
            fail_msg("a failure: %s", made[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_of_a_failure_is_told_from_what_a_model_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
