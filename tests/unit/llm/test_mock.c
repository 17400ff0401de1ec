/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "llm/mock.h"

static const struct km_mock_args args = { { "Grüße, this is the mock speaking.", 35 }, "id1", 1 };
static const struct km_llm_request request = { .api = &km_api_chat,
                                               .model = { "m", 1 },
                                               .choices = 1 };

static void an_error_name_is_that_error(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_mock_check(KM_STR("hello"), &err), 0);
    assert_int_equal(km_mock_check(KM_STR("litellm.RateLimitError"), &err), KM_E_UPSTREAM_STATUS);
    assert_int_equal(km_err_http(&err), 429);
    assert_string_equal(km_err_openai_type(&err), "throttling_error");
    assert_int_equal(km_mock_check(KM_STR("litellm.ContextWindowExceededError"), &err),
                     KM_E_UPSTREAM_STATUS);
    assert_int_equal(km_err_http(&err), 400);
}

static void an_answer_is_json_with_the_text_and_usage(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_arena arena;
    const struct km_json *root, *usage;
    int64_t total = 0;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    km_mock_answer(&request, &args, &out);
    assert_int_equal(km_json_parse(&arena, km_buf_view(&out), &root, NULL), 0);
    usage = km_json_get(root, "usage");
    assert_true(km_json_i64(km_json_get(usage, "total_tokens"), &total));
    assert_int_equal(total, 30);
    km_arena_done(&arena);
}

struct collected {
    struct km_arena arena;
    struct km_buf text;
    size_t events;
};

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct collected *c = ctx;
    const struct km_json *root, *item = NULL;
    struct km_json_iter it;
    struct km_str key, text;

    assert_int_equal(km_json_parse(&c->arena, event->data, &root, NULL), 0);
    km_json_iter(km_json_get(root, "choices"), &it);
    assert_true(km_json_next(&it, &key, &item));
    if (km_json_string(km_json_get(km_json_get(item, "delta"), "content"), &text))
        km_buf_str(&c->text, text);
    c->events++;
    return 0;
}

static void a_stream_joins_to_the_text_without_cutting_characters(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(16384);
    struct collected c = { .text = KM_BUF(4096) };
    struct km_sse *sse;

    (void)state;
    km_arena_init(&c.arena, 1 << 20, NULL);
    km_mock_stream(&request, &args, &out);
    sse = km_sse_new(65536, on_event, &c);
    assert_int_equal(km_sse_feed(sse, out.p, out.n, NULL), 0);
    km_sse_free(sse);
    assert_true(c.events > 2);
    assert_true(km_str_eq(km_buf_view(&c.text), args.text));
    km_buf_done(&c.text);
    km_arena_done(&c.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_name_is_that_error),
        cmocka_unit_test(an_answer_is_json_with_the_text_and_usage),
        cmocka_unit_test(a_stream_joins_to_the_text_without_cutting_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
