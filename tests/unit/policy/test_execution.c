/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/message.h"
#include "policy/execution.h"

static struct km_arena arena;
static struct km_err err;

static int setup(void **state)
{
    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    km_err_clear(&err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    km_arena_done(&arena);
    return 0;
}

static int read_text(struct km_execution *x, const char *json)
{
    *x = (struct km_execution){ 0 };
    km_err_clear(&err);
    return km_execution_read_text(x, km_str_c(json), "kanmon", &arena, &err);
}

static void every_member_is_read(void **state)
{
    struct km_execution x;

    (void)state;
    assert_int_equal(read_text(&x,
                               "{\"timeout\":1.5,\"dryRun\":true,\"enableCaching\":false,"
                               "\"enableBatching\":true,\"priority\":\"High\",\"maxRetries\":4,"
                               "\"fallbackProvider\":\"anthropic\",\"requestedBy\":\"J\xc3\xb6rg\","
                               "\"resumeStream\":true}"),
                     0);
    assert_int_equal(x.said, (1U << KM_EXECUTION_MEMBERS) - 1);
    assert_int_equal(x.timeout_ms, 1500);
    assert_true(x.dry_run && !x.caching && x.batching && x.resume);
    assert_int_equal(x.priority, KM_PRIORITY_HIGH);
    assert_int_equal(x.max_retries, 4);
    assert_true(km_str_eq(x.fallback, KM_STR("anthropic")));
    assert_true(km_str_eq(x.requested_by, KM_STR("J\xc3\xb6rg")));
}

static void a_priority_may_be_a_number(void **state)
{
    struct km_execution x;

    (void)state;
    assert_int_equal(read_text(&x, "{\"priority\":0}"), 0);
    assert_int_equal(x.priority, KM_PRIORITY_CRITICAL);
}

static void null_says_nothing(void **state)
{
    struct km_execution x;

    (void)state;
    assert_int_equal(read_text(&x, "null"), 0);
    assert_int_equal(read_text(&x, "{\"maxRetries\":null,\"priority\":null}"), 0);
    assert_int_equal(x.said, 0);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *json, *param, *says;
    } cases[] = {
        { "[]", "kanmon", "must be an object" },
        { "{\"dryrun\":true}", "kanmon.dryrun", "Did you mean 'dryRun'?" },
        { "{\"max_retries\":1}", "kanmon.max_retries", "Did you mean 'maxRetries'?" },
        { "{\"color\":1}", "kanmon.color", "It has timeout" },
        { "{\"dryRun\":\"true\"}", "kanmon.dryRun", "true or false" },
        { "{\"dryRun\":1}", "kanmon.dryRun", "true or false" },
        { "{\"timeout\":0}", "kanmon.timeout", "more than 0" },
        { "{\"timeout\":-1}", "kanmon.timeout", "more than 0" },
        { "{\"timeout\":86401}", "kanmon.timeout", "at most 86400" },
        { "{\"timeout\":\"5\"}", "kanmon.timeout", "number of seconds" },
        { "{\"maxRetries\":-1}", "kanmon.maxRetries", "0 or more" },
        { "{\"maxRetries\":1.5}", "kanmon.maxRetries", "integer" },
        { "{\"priority\":\"urgent\"}", "kanmon.priority", "low, medium, high or critical" },
        { "{\"priority\":-1}", "kanmon.priority", "from 0 (first)" },
        { "{\"fallbackProvider\":\"\"}", "kanmon.fallbackProvider", "1 to 256 bytes" },
        { "{\"requestedBy\":\"a\\nb\"}", "kanmon.requestedBy", "control characters" },
        { "{\"requestedBy\":\"a\\u009bb\"}", "kanmon.requestedBy", "control characters" },
        { "{\"requestedBy\":7}", "kanmon.requestedBy", "must be a text" },
    };
    struct km_execution x;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_text(&x, cases[i].json), KM_E_INVALID);
        assert_string_equal(err.param, cases[i].param);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].json, err.text);
    }
}

static void a_text_has_a_bound(void **state)
{
    char json[400];
    struct km_execution x;

    (void)state;
    for (int n = KM_REQUESTED_BY_BYTES; n <= KM_REQUESTED_BY_BYTES + 1; n++) {
        snprintf(json, sizeof json, "{\"requestedBy\":\"%0*d\"}", n, 0);
        assert_int_equal(read_text(&x, json), n > KM_REQUESTED_BY_BYTES ? KM_E_INVALID : 0);
    }
}

static int read_head(struct km_execution *x, const struct km_header *v, size_t n)
{
    const struct km_headers h = { .v = v, .n = n };

    *x = (struct km_execution){ 0 };
    km_err_clear(&err);
    assert_true(km_execution_in_head(&h));
    return km_execution_read_head(x, &h, &arena, &err);
}

static void headers_say_the_same_and_a_body_has_the_last_word(void **state)
{
    static const struct km_header v[] = {
        { { "X-Kanmon-Timeout", 16 }, { "2", 1 } },
        { { "x-kanmon-dry-run", 16 }, { " TRUE", 5 } },
        { { "x-kanmon-enable-caching", 23 }, { "0", 1 } },
        { { "x-kanmon-priority", 17 }, { "critical", 8 } },
        { { "x-kanmon-max-retries", 20 }, { "3", 1 } },
        { { "x-kanmon-requested-by", 21 }, { "ann", 3 } },
        { { "x-kanmon-client", 15 }, { "another's", 9 } },
        { { "x-stainless-retry-count", 23 }, { "0", 1 } },
    };
    struct km_execution x;

    (void)state;
    assert_int_equal(read_head(&x, v, sizeof v / sizeof v[0]), 0);
    assert_int_equal(x.timeout_ms, 2000);
    assert_true(x.dry_run);
    assert_int_equal(x.priority, KM_PRIORITY_CRITICAL);
    assert_int_equal(km_execution_read_text(&x, KM_STR("{\"dryRun\":false,\"priority\":5}"),
                                            "kanmon", &arena, &err),
                     0);
    assert_false(x.dry_run);
    assert_int_equal(x.priority, KM_PRIORITY_LOW);
    assert_int_equal(x.max_retries, 3);
}

static void a_header_that_is_nearly_one_is_refused(void **state)
{
    static const struct km_header v[] = { { { "x-kanmon-dryrun", 15 }, { "true", 4 } } },
                                  twice[] = { { { "x-kanmon-timeout", 16 }, { "2", 1 } },
                                              { { "x-kanmon-timeout", 16 }, { "3", 1 } } };
    struct km_execution x;

    (void)state;
    assert_int_equal(read_head(&x, v, 1), KM_E_INVALID);
    assert_non_null(strstr(err.text, "Did you mean 'x-kanmon-dry-run'?"));
    assert_int_equal(read_head(&x, twice, 2), KM_E_INVALID);
    assert_string_equal(err.param, "x-kanmon-timeout");
}

static void clients_of_old_are_cut_and_cleaned(void **state)
{
    struct km_execution x = { 0 };
    char text[200];

    (void)state;
    memset(text, 'a', sizeof text);
    text[1] = '\n';
    memcpy(text + 2, "\xc2\x9b", 2);
    assert_int_equal(km_execution_read_by(&x, km_str(text, sizeof text), &arena, &err), 0);
    assert_int_equal(x.requested_by.n, KM_REQUESTED_BY_BYTES);
    assert_memory_equal(x.requested_by.p, "a   a", 5);
}

static void what_differs_is_told(void **state)
{
    const struct km_execution_settings most = { .max_retries = 3 };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_execution x;

    (void)state;
    assert_int_equal(read_text(&x, "{\"maxRetries\":9,\"enableCaching\":true}"), 0);
    km_execution_bound(&x, &most);
    assert_int_equal(x.max_retries, 3);
    x.inactive |= KM_EXECUTION_BIT(CACHING);
    assert_true(km_execution_differs(&x));
    km_execution_put(&x, false, &b);
    assert_true(km_str_eq(km_buf_view(&b), KM_STR("enableCaching=not active, maxRetries=3")));
    km_buf_reset(&b);
    km_execution_put(&x, true, &b);
    assert_true(
        km_str_eq(km_buf_view(&b), KM_STR("\"enableCaching\":\"not active\",\"maxRetries\":3")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_member_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_priority_may_be_a_number, setup, teardown),
        cmocka_unit_test_setup_teardown(null_says_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_has_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_say_the_same_and_a_body_has_the_last_word, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_header_that_is_nearly_one_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_of_old_are_cut_and_cleaned, setup, teardown),
        cmocka_unit_test_setup_teardown(what_differs_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
