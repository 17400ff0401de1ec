/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/api/openai.h"

struct fixture {
    struct km_arena arena, scratch;
    struct km_llm_request r;
    struct km_llm_stream s;
    struct km_buf out;
};

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct fixture *f = ctx;

    return km_openai_event(&f->s, event, &f->out, NULL);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    km_arena_init(&f->scratch, 16 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    f->r = (struct km_llm_request){ .api = &km_api_chat, .model = KM_STR("fast"), .stream = true };
    km_llm_stream_init(&f->s, &f->r, &f->arena, &f->scratch);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_buf_done(&f->out);
    km_arena_done(&f->scratch);
    km_arena_done(&f->arena);
    free(f);
    return 0;
}

/* What the client gets of a stream that arrives in pieces of `step` bytes. */
static void relay(struct fixture *f, const char *text, size_t step)
{
    struct km_sse *sse = km_sse_new(1 << 20, on_event, f);
    size_t n = strlen(text);

    for (size_t at = 0; at < n; at += step)
        assert_int_equal(km_sse_feed(sse, text + at, n - at < step ? n - at : step, NULL), 0);
    km_sse_free(sse);
}

#define CHUNK(model, rest) "data: {\"id\":\"c1\",\"model\":\"" model "\"," rest "}\n\n"

static void the_model_is_set_back_in_every_chunk_however_it_is_cut(void **state)
{
    struct fixture *f = *state;
    static const char in[] = ": hi\n\n" CHUNK(
        "gpt-4o-2024",
        "\"choices\":[{\"delta\":{\"content\":"
        "\"H\"}}]") "event: x\r\n" CHUNK("gpt-4o-2024", "\"choices\":[{\"delta\":{},\"finish_"
                                                        "reason\":\"stop\"}]") "data: [DONE]\n\n";
    static const char out[] = ": hi\n\n" CHUNK(
        "fast",
        "\"choices\":[{\"delta\":{\"content\":\"H\"}"
        "}]") "event: x\r\n" CHUNK("fast",
                                   "\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]");

    for (size_t step = 1; step < sizeof in; step++) {
        km_buf_reset(&f->out);
        km_llm_stream_init(&f->s, &f->r, &f->arena, &f->scratch);
        relay(f, in, step);
        assert_string_equal(km_buf_cstr(&f->out), out);
        assert_true(f->s.done);
        assert_true(f->s.finished);
        assert_int_equal(f->s.events, 2);
    }
}

static void usage_nobody_asked_for_is_dropped_or_cut(void **state)
{
    struct fixture *f = *state;

    relay(
        f,
        CHUNK("fast", "\"choices\":[{\"delta\":{\"content\":\"H\"}}],\"usage\":null") CHUNK(
            "fast",
            "\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}")
            CHUNK("fast", "\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6,"
                          "\"prompt_tokens_details\":{\"cached_tokens\":2}}"),
        4096);
    assert_string_equal(km_buf_cstr(&f->out),
                        CHUNK("fast", "\"choices\":[{\"delta\":{\"content\":\"H\"}}]")
                            CHUNK("fast", "\"choices\":[{\"delta\":{}}]"));
    assert_true(f->s.usage.known);
    assert_int_equal(f->s.usage.prompt_tokens, 5);
    assert_int_equal(f->s.usage.completion_tokens, 6);
    assert_int_equal(f->s.usage.cached_tokens, 2);
}

static void usage_that_was_asked_for_stays(void **state)
{
    struct fixture *f = *state;
    static const char in[] = CHUNK("fast", "\"choices\":[],\"usage\":{\"prompt_tokens\":5}");

    f->r.usage_asked = true;
    relay(f, in, 7);
    assert_string_equal(km_buf_cstr(&f->out), in);
}

static void what_is_not_json_passes_and_errors_are_seen(void **state)
{
    struct fixture *f = *state;
    static const char in[] = "data: hello\n\ndata: {\"error\":{\"message\":\"no\"}}\n\n";

    relay(f, in, 5);
    assert_string_equal(km_buf_cstr(&f->out), in);
    assert_true(f->s.error);
    assert_false(f->s.finished);
}

static void missing_usage_is_estimated_from_what_was_produced(void **state)
{
    struct fixture *f = *state;
    struct km_usage u;

    f->r.body = KM_STR("{\"messages\":[]}");
    relay(f,
          CHUNK("fast", "\"choices\":[{\"delta\":{\"content\":\"a\"}}]")
              CHUNK("fast", "\"choices\":[{\"delta\":{\"content\":\"b\\\"c\"}}]")
                  CHUNK("fast", "\"choices\":[{\"delta\":{\"content\":\"d\"}}]"),
          4096);
    u = km_llm_stream_usage(&f->s);
    assert_false(u.known);
    assert_int_equal(u.completion_tokens, 3);
}

/* Not by its bytes: digits are a token each, nearly, and letters of a long word are not. */
static void what_nobody_counted_is_estimated_by_what_its_text_is_made_of(void **state)
{
    struct fixture *f = *state;
    struct km_usage u;

    relay(f,
          CHUNK("fast", "\"choices\":[{\"delta\":{\"content\":\""
                        "01234567890123456789012345678901234567890123456789"
                        "01234567890123456789012345678901234567890123456789\"}}]"),
          4096);
    u = km_llm_stream_usage(&f->s);
    assert_false(u.known);
    assert_int_equal(u.completion_tokens, 86);
}

static void output_is_counted_in_every_choice_and_in_nothing_else(void **state)
{
    struct fixture *f = *state;

    relay(f,
          CHUNK("fast",
                "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\" : "
                "\"1234\"},\"finish_reason\":null},{\"index\":1,\"delta\":{\"content\":null,"
                "\"reasoning_content\":\"56\",\"tool_calls\":[{\"id\":\"call_1\",\"function\":"
                "{\"name\":\"content\",\"arguments\":\"{\\\"text\\\":\\\"7\\\\\"}}]}}]"),
          4096);
    assert_int_equal(f->s.heard.bytes, 4 + 2 + 15); /* escapes as they are */
    assert_false(f->s.finished);
    relay(f,
          CHUNK("fast",
                "\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}}]"),
          4096);
    assert_false(f->s.finished);
    relay(f, CHUNK("fast", "\"choices\":[{\"delta\":{},\"finish_reason\" :\t\"stop\"}]"), 4096);
    assert_true(f->s.finished);
}

static void a_whole_answer_gets_its_model_back_and_tells_its_usage(void **state)
{
    struct fixture *f = *state;
    struct km_usage u = { 0 };
    struct km_str *parts;
    size_t n;

    assert_int_equal(
        km_openai_answer(&f->r, &f->arena,
                         KM_STR("{\"model\":\"gpt-4o-2024\",\"usage\":{\"prompt_tokens\":7,"
                                "\"completion_tokens\":8},\"z\":1.50}"),
                         &parts, &n, &u, NULL),
        0);
    assert_string_equal(
        km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n)),
        "{\"model\":\"fast\",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8},"
        "\"z\":1.50}");
    assert_int_equal(u.prompt_tokens, 7);
    assert_int_equal(u.completion_tokens, 8);
}

static void an_answer_that_is_no_object_is_the_upstreams_fault(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = { "", "[]", "{", "<html>", "{\"a\":1", "nul" };
    struct km_usage u = { 0 };
    struct km_str *parts;
    size_t n;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_openai_answer(&f->r, &f->arena, km_str_c(bad[i]), &parts, &n, &u, NULL),
                         KM_E_UPSTREAM_PROTOCOL);
}

static void error_texts_are_found_where_providers_put_them(void **state)
{
    struct fixture *f = *state;
    struct {
        const char *body, *text;
    } cases[] = {
        { "{\"error\":{\"message\":\"slow down\"}}", "slow down" },
        { "{\"error\":\"plain\"}", "plain" },
        { "{\"message\":\"m\"}", "m" },
        { "{\"detail\":\"d\"}", "d" },
        { "  oops  ", "oops" },
        { "", "(no message)" },
        { "\xff\xfe", "(no message)" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(
            km_arena_cstr(&f->arena, km_llm_error_text(&f->arena, km_str_c(cases[i].body))),
            cases[i].text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_model_is_set_back_in_every_chunk_however_it_is_cut),
        T(usage_nobody_asked_for_is_dropped_or_cut),
        T(usage_that_was_asked_for_stays),
        T(what_is_not_json_passes_and_errors_are_seen),
        T(missing_usage_is_estimated_from_what_was_produced),
        T(what_nobody_counted_is_estimated_by_what_its_text_is_made_of),
        T(output_is_counted_in_every_choice_and_in_nothing_else),
        T(a_whole_answer_gets_its_model_back_and_tells_its_usage),
        T(an_answer_that_is_no_object_is_the_upstreams_fault),
        T(error_texts_are_found_where_providers_put_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
