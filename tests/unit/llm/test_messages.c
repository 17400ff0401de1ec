/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/api/messages.h"

struct fixture {
    struct km_arena arena, scratch;
    struct km_llm_request r;
    struct km_llm_stream s;
    struct km_deployment d;
    struct km_buf out;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    km_arena_init(&f->scratch, 16 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    f->d = (struct km_deployment){ .upstream_model = KM_STR("claude-opus-4-6") };
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

static int parse(struct fixture *f, const char *body)
{
    return km_llm_request_parse(&f->r, &km_api_messages, &f->arena, km_str_c(body), KM_STR_NONE,
                                &f->err);
}

static const char *sent(struct fixture *f, const char *body, int64_t max_tokens)
{
    struct km_llm_body_args args = { .deployment = &f->d, .max_tokens = max_tokens };
    struct km_str *parts;
    size_t n;

    assert_int_equal(parse(f, body), 0);
    assert_int_equal(km_api_messages.body(&f->r, &args, &f->arena, &parts, &n, &f->err), 0);
    return km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n));
}

static void a_body_differs_by_its_model_only(void **state)
{
    static const char body[] =
        "{ \"max_tokens\" : 5e0,\"messages\":[{\"role\":\"user\",\"content\":\"\\u0041\"}],"
        "\"metadata\":{\"user_id\":\"{\\\"device_id\\\":\\\"d\\\"}\"} ,\"new\":1.10,\"model\": "
        "\"fast\",\"thinking\":{\"type\":\"adaptive\"} }";
    struct fixture *f = *state;
    const char *got = sent(f, "{ \"model\":\"fast\", \"messages\" :[] ,\"x\": 1.10}", -1);

    assert_string_equal(got, "{ \"model\":\"claude-opus-4-6\", \"messages\" :[] ,\"x\": 1.10}");
    assert_int_equal(parse(f, body), KM_E_INVALID); /* no integer as clients write them */
    assert_string_equal(f->err.param, "max_tokens");
}

static void what_is_anthropics_stays_and_what_is_the_gateways_goes(void **state)
{
    struct fixture *f = *state;
    const char *got = sent(f,
                           "{\"model\":\"fast\",\"messages\":[],\"max_tokens\":7,\"metadata\":{"
                           "\"user_id\":\"u1\"},\"litellm_metadata\":{\"tags\":[\"a\"]},"
                           "\"num_retries\":2,\"context_management\":{\"edits\":[]}}",
                           -1);

    assert_string_equal(got, "{\"model\":\"claude-opus-4-6\",\"messages\":[],\"max_tokens\":7,"
                             "\"metadata\":{\"user_id\":\"u1\"},\"context_management\":{\"edits\":["
                             "]}}");
    assert_true(km_str_eq(f->r.user, KM_STR("u1")));
    assert_true(km_str_eq(f->r.metadata, KM_STR("{\"tags\":[\"a\"]}")));
    assert_int_equal(f->r.num_retries, 2);
    assert_int_equal(f->r.max_tokens, 7);
}

static void a_budget_bounds_the_output(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        sent(f, "{\"model\":\"claude-opus-4-6\",\"messages\":[],\"max_tokens\":9}", 3),
        "{\"model\":\"claude-opus-4-6\",\"messages\":[],\"max_tokens\":3}");
    assert_string_equal(sent(f, "{\"model\":\"claude-opus-4-6\",\"messages\":[]}", 3),
                        "{\"model\":\"claude-opus-4-6\",\"messages\":[],\"max_tokens\":3}");
}

static void what_is_missing_or_wrong_is_named(void **state)
{
    static const struct {
        const char *body, *param;
    } cases[] = {
        { "{\"messages\":[]}", "model" },
        { "{\"model\":1,\"messages\":[]}", "model" },
        { "{\"model\":\"\",\"messages\":[]}", "model" },
        { "{\"model\":\"m\"}", "messages" },
        { "{\"model\":\"m\",\"messages\":\"x\"}", "messages" },
        { "{\"model\":\"m\",\"messages\":[],\"stream\":\"yes\"}", "stream" },
        { "{\"model\":\"m\",\"messages\":[],\"max_tokens\":-1}", "max_tokens" },
        { "{\"model\":\"m\",\"messages\":[],\"api_base\":\"x\"}", "api_base" },
        { "[]", "request_body" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(f, cases[i].body), KM_E_INVALID);
        assert_string_equal(f->err.param, cases[i].param);
    }
}

static void a_whole_answer_gets_its_model_back_and_tells_its_usage(void **state)
{
    struct fixture *f = *state;
    struct km_usage u = { 0 };
    struct km_str *parts;
    size_t n;

    assert_int_equal(parse(f, "{\"model\":\"fast\",\"messages\":[]}"), 0);
    assert_int_equal(
        km_api_messages.answer(&f->r, &f->arena,
                               KM_STR("{ \"model\":\"claude-opus-4-6\" ,\"content\":[],\"usage\":{"
                                      "\"input_tokens\":10,\"cache_creation_input_tokens\":3,"
                                      "\"cache_read_input_tokens\":4,\"output_tokens\":5,"
                                      "\"output_tokens_details\":{\"thinking_tokens\":2}}}"),
                               &parts, &n, &u, &f->err),
        0);
    assert_true(km_str_starts(km_arena_cat(&f->arena, parts, n),
                              KM_STR("{ \"model\":\"fast\" ,\"content\":[],\"usage\":{\"input")));
    assert_true(u.known && u.prompt_tokens == 17 && u.completion_tokens == 5);
    assert_true(u.cached_tokens == 4 && u.cache_write_tokens == 3 && u.reasoning_tokens == 2);
    assert_int_equal(
        km_api_messages.answer(&f->r, &f->arena, KM_STR("<html>"), &parts, &n, &u, &f->err),
        KM_E_UPSTREAM_PROTOCOL);
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct fixture *f = ctx;

    return km_messages_relay(&f->s, event, &f->out, NULL);
}

/* What the client gets of a stream that arrives cut in two. */
static const char *relay(struct fixture *f, const char *text, size_t at)
{
    struct km_sse *sse = km_sse_new(1 << 20, on_event, f);
    size_t n = strlen(text);

    km_buf_reset(&f->out);
    km_llm_stream_init(&f->s, &f->r, &f->arena, &f->scratch);
    assert_int_equal(km_sse_feed(sse, text, at, NULL), 0);
    assert_int_equal(km_sse_feed(sse, text + at, n - at, NULL), 0);
    km_sse_free(sse);
    return km_buf_cstr(&f->out);
}

#define STREAM(model)                                                                              \
    ": hi\n\nevent: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\","  \
    "\"model\": \"" model "\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":4,"       \
    "\"output_tokens\":1}} }\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"                       \
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"  \
    "\"type\":\"text_delta\",\"text\":\"abcdefgh\"}}\n\n"

#define ENDING                                                                                     \
    "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"        \
    "\"end_turn\"},\"usage\":{\"output_tokens\":15}}\r\n\r\n"                                      \
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

static void a_stream_changes_its_model_only_however_it_is_cut(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, "{\"model\":\"fast\",\"messages\":[],\"stream\":true}"), 0);
    for (size_t at = 0; at < strlen(STREAM("x") ENDING); at++) {
        assert_string_equal(relay(f, STREAM("x") ENDING, at), STREAM("fast") ENDING);
        assert_true(f->s.done && f->s.usage.known && !f->s.error);
        assert_true(f->s.usage.prompt_tokens == 14 && f->s.usage.completion_tokens == 15 &&
                    f->s.usage.cached_tokens == 4);
    }
}

static void a_stream_left_early_knows_what_went_in(void **state)
{
    struct fixture *f = *state;
    struct km_usage u;

    assert_int_equal(parse(f, "{\"model\":\"fast\",\"messages\":[],\"stream\":true}"), 0);
    (void)relay(f, STREAM("x"), 3);
    assert_false(f->s.done || f->s.finished);
    u = km_llm_stream_usage(&f->s);
    assert_true(!u.known && u.prompt_tokens == 14 && u.completion_tokens == 1);
}

static void an_error_event_is_passed_on_and_noted(void **state)
{
    static const char error[] = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                                "\"overloaded_error\",\"message\":\"O\"}}\n\n";
    struct fixture *f = *state;

    assert_int_equal(parse(f, "{\"model\":\"fast\",\"messages\":[],\"stream\":true}"), 0);
    assert_string_equal(relay(f, error, 9), error);
    assert_true(f->s.error && !f->s.done);
}

static void counting_is_free_and_near(void **state)
{
    static const char body[] =
        "{\"model\":\"fast\",\"system\":\"0123456789abcdef\",\"messages\":[{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"0123456789abcdef0123456789abcdef\"},{\"type\":"
        "\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/"
        "png\",\"data\":\"AQID\"}}]"
        "}],\"tools\":[{\"name\":\"look\",\"input_schema\":{\"type\":\"object\"}}]}";
    struct fixture *f = *state;
    struct km_usage u = { 0 };
    struct km_str *parts;
    size_t n;

    assert_int_equal(km_llm_request_parse(&f->r, &km_api_count_messages, &f->arena, km_str_c(body),
                                          KM_STR_NONE, &f->err),
                     0);
    km_api_count_messages.count(&f->r, 5, &f->out);
    assert_string_equal(km_buf_cstr(&f->out), "{\"input_tokens\":1630}");
    km_buf_reset(&f->out);
    f->r.body = KM_STR("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"odd\"}]}]}");
    km_api_count_messages.count(&f->r, 5, &f->out);
    assert_string_equal(km_buf_cstr(&f->out), "{\"input_tokens\":5}");
    assert_int_equal(km_api_count_messages.answer(&f->r, &f->arena, KM_STR("{\"input_tokens\":9}"),
                                                  &parts, &n, &u, &f->err),
                     0);
    assert_true(u.known && u.prompt_tokens == 0 && u.completion_tokens == 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_body_differs_by_its_model_only),
        CASE(what_is_anthropics_stays_and_what_is_the_gateways_goes),
        CASE(a_budget_bounds_the_output),
        CASE(what_is_missing_or_wrong_is_named),
        CASE(a_whole_answer_gets_its_model_back_and_tells_its_usage),
        CASE(a_stream_changes_its_model_only_however_it_is_cut),
        CASE(a_stream_left_early_knows_what_went_in),
        CASE(an_error_event_is_passed_on_and_noted),
        CASE(counting_is_free_and_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
