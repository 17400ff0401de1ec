/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/veil.h"
#include "call/veil.h"

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

#define SECRET "canary-0123456789"

static const struct {
    const char *event, *left; /* left NULL: as it is */
} events[] = {
    { "data: {\"choices\":[{\"delta\":{\"content\":\"" SECRET "\"}}]}\n\n", NULL },
    { "event: x\ndata: {\"delta\":{\"text\":\"" SECRET "\"}}\nid: 1\n\n", NULL },
    { "data: {\"message\":{\"content\":[\"" SECRET "\"]}}\n\n", NULL },
    { "data: {\"response\":{\"output\":\"" SECRET "\"}}\n\n", NULL },
    { ": no\ndata: {\"because\":\"sk-abcdefghijklmnop\"}\n\n", NULL }, /* by value alone */
    { "data: {\"choices\":[]}\nid: " SECRET "\n\n", "data: {\"choices\":[]}\nid: [redacted]\n\n" },
    { ": " SECRET "\n\n", ": [redacted]\n\n" },
    { "event: " SECRET "\r\ndata: 1\r\n\r\n", "event: [redacted]\r\ndata: 1\r\n\r\n" },
    { "data: {\"because\":\"" SECRET "\"}\n\n", "data: {\"because\":\"[redacted]\"}\n\n" },
    { "data: {\"message\":\"" SECRET "\"}\n\n", "data: {\"message\":\"[redacted]\"}\n\n" },
    { "data: {\"status\":401,\"text\":\"" SECRET "\"}\n\n",
      "data: {\"status\":401,\"text\":\"[redacted]\"}\n\n" },
    { "data: {\"code\":\"503\",\"data\":\"" SECRET "\"}\n\n",
      "data: {\"code\":\"503\",\"data\":\"[redacted]\"}\n\n" },
    { "data: " SECRET, "data: [redacted]" },
    { "data: {\"error\":\"sk-abcdefghijklmnop\"}\n\n", "data: {\"error\":\"[redacted]\"}\n\n" },
};

static void what_is_no_piece_of_an_answer_is_cut(void **state)
{
    struct km_veil *veil = km_veil_new();

    (void)state;
    km_veil_add(veil, KM_STR(SECRET));
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
        bool cut = km_veil_event(veil, km_str_c(events[i].event), &out);
        struct km_str left = cut ? km_buf_view(&out) : km_str_c(events[i].event);

        if (!km_str_eq(left, km_str_c(events[i].left ? events[i].left : events[i].event)))
            fail_msg("%s: %.*s", events[i].event, KM_STR_ARG(left));
        assert_true(cut || out.n == 0);
    }
    km_veil_free(veil);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_of_a_failure_is_told_from_what_a_model_made),
        cmocka_unit_test(what_is_no_piece_of_an_answer_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
