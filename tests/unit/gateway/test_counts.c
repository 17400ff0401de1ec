/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/mcp/counts.h"

static size_t times(struct km_metrics *m, const char *line)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(16 << 20);
    struct km_str text;
    size_t n = 0, at;

    km_metrics_text(m, &out);
    assert_false(km_buf_failed(&out));
    text = km_buf_view(&out);
    while ((at = km_str_find(text, km_str_c(line))) < text.n) {
        n++;
        text = km_str_skip(text, at + 1);
    }
    return n;
}

static void call(struct km_mcp_counts *c, const char *tool, const char *outcome, int64_t us)
{
    km_mcp_count_call(c, &(struct km_mcp_count){ .server = KM_STR("one"),
                                                 .tool = km_str_c(tool),
                                                 .outcome = outcome,
                                                 .us = us,
                                                 .cost = 250000000 });
}

static void a_call_is_counted_by_server_tool_and_outcome(void **state)
{
    struct km_metrics *m = km_metrics_new(2, 1000);
    struct km_mcp_counts *a = km_mcp_counts_new(m, 0), *b = km_mcp_counts_new(m, 1);

    (void)state;
    call(a, "t", "ok", 2000);
    call(b, "t", "ok", 2000);
    call(b, "t", "denied", 10);
    call(b, "t", "RATE_LIMITED", -1); /* it took no time and cost nothing */
    assert_int_equal(times(m, "calls_total{server=\"one\",tool=\"t\",outcome=\"ok\"} 2\n"), 1);
    assert_int_equal(times(m, "calls_total{server=\"one\",tool=\"t\",outcome=\"denied\"} 1\n"), 1);
    assert_int_equal(times(m, "tool=\"t\",outcome=\"RATE_LIMITED\"} 1\n"), 1);
    assert_int_equal(times(m, "call_seconds_count{server=\"one\",tool=\"t\"} 3\n"), 1);
    assert_int_equal(times(m, "cost_usd_total{server=\"one\",tool=\"t\"} 0.75\n"), 1);
    assert_null(km_mcp_counts_free(a));
    assert_null(km_mcp_counts_free(b));
    assert_null(km_mcp_counts_free(NULL));
    assert_int_equal(times(m, "calls_total{server=\"one\",tool=\"t\",outcome=\"ok\"} 2\n"), 1);
    km_metrics_free(m);
}

/* However many workers count them. */
static void past_the_bound_a_tool_is_other(void **state)
{
    struct km_metrics *m = km_metrics_new(2, 20000);
    struct km_mcp_counts *c[] = { km_mcp_counts_new(m, 0), km_mcp_counts_new(m, 1) };
    char name[32];

    (void)state;
    for (int i = 0; i < KM_MCP_COUNTED_TOOLS + 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        call(c[i % 2], name, "ok", 1);
        call(c[i % 2], name, "denied", 1);
    }
    assert_int_equal(times(m, "call_seconds_count{server=\"one\""), KM_MCP_COUNTED_TOOLS);
    assert_int_equal(times(m, "outcome=\"ok\""), KM_MCP_COUNTED_TOOLS + 1);
    assert_int_equal(times(m, "{server=\"other\",tool=\"other\",outcome=\"ok\"} 100\n"), 1);
    assert_int_equal(times(m, "{server=\"other\",tool=\"other\",outcome=\"denied\"} 100\n"), 1);
    km_mcp_counts_free(c[0]);
    km_mcp_counts_free(c[1]);
    km_metrics_free(m);
}

/* A name that has no room in a key shares what begins like it. */
static void a_long_name_is_no_overflow(void **state)
{
    struct km_metrics *m = km_metrics_new(1, 1000);
    struct km_mcp_counts *c = km_mcp_counts_new(m, 0);
    char name[2000];

    (void)state;
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = 'n';
    for (size_t n = 200; n < sizeof name; n += 100)
        km_mcp_count_call(c, &(struct km_mcp_count){ .server = km_str(name, n),
                                                     .tool = km_str(name, n),
                                                     .outcome = "ok" });
    assert_true(times(m, "outcome=\"ok\"") >= 1);
    km_mcp_counts_free(c);
    km_metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_counted_by_server_tool_and_outcome),
        cmocka_unit_test(past_the_bound_a_tool_is_other),
        cmocka_unit_test(a_long_name_is_no_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
