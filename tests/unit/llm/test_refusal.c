/* SPDX-License-Identifier: Apache-2.0 */
/* What upstreams say of a prompt that is too long, read from samples of their users, and what each
 * dialect makes of a kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm/codec.h"
#include "llm/dialect.h"
#include "llm/refusal.h"

static void check_sample(char *line, size_t *named, size_t *others)
{
    struct km_err_tokens t = { 0 };
    char *field[5], *rest = line;

    for (int i = 0; i < 5; i++)
        field[i] = strsep(&rest, "\t\n");
    assert_non_null(field[4]);
    if (field[0][0] == '-') {
        assert_false(km_refusal_is_context(km_str_c(field[4]), &t));
        ++*others;
        return;
    }
    if (!km_refusal_is_context(km_str_c(field[4]), &t))
        fail_msg("not recognised: %s", field[4]);
    if (t.input != atoll(field[0]) || t.output != atoll(field[1]) || t.most != atoll(field[2]))
        fail_msg("%lld %lld %lld: %s", t.input, t.output, t.most, field[4]);
    ++*named;
}

static void a_word_in_an_answer_has_the_status_it_would_have_had(void **state)
{
    (void)state;
    assert_int_equal(km_refusal_status(KM_STR("overloaded_error")), 529);
    assert_int_equal(km_refusal_status(KM_STR("rate_limit_exceeded")), 429);
    assert_int_equal(km_refusal_status(KM_STR("rate_limit_error")), 429);
    assert_int_equal(km_refusal_status(KM_STR("request_too_large")), 413);
    assert_int_equal(km_refusal_status(KM_STR("authentication_error")), 0); /* the gateway's own */
    assert_int_equal(km_refusal_status(KM_STR("api_error")), 0);
    assert_int_equal(km_refusal_status(KM_STR_NONE), 0);
}

static void every_sample_is_read_with_its_numbers(void **state)
{
    char line[4096];
    size_t named = 0, others = 0;
    FILE *f = fopen(KM_TEST_REFUSALS "/contexts.tsv", "r");

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        check_sample(line, &named, &others);
    fclose(f);
    assert_true(named > 40 && others > 5);
}

static void llama_cpp_says_it_by_a_type_with_the_numbers_beside(void **state)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    const struct km_headers none = { 0 };
    struct km_refusal r;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    km_refusal_openai(&arena, 400, &none,
                      KM_STR("{\"error\":{\"code\":400,\"message\":\"no\",\"type\":"
                             "\"exceed_context_size_error\",\"n_prompt_tokens\":17993,\"n_ctx\":"
                             "16384}}"),
                      &r);
    assert_int_equal(r.kind, KM_REFUSED_CONTEXT);
    assert_int_equal(r.tokens.input, 17993);
    assert_int_equal(r.tokens.most, 16384);
}

/* Limits of a minute are told in words much alike. */
static void only_a_refusal_of_the_request_is_too_long(void **state)
{
    static const struct {
        int status;
        enum km_refusal_kind kind;
    } rows[] = { { 400, KM_REFUSED_CONTEXT },     { 413, KM_REFUSED_CONTEXT },
                 { 422, KM_REFUSED_CONTEXT },     { 500, KM_REFUSED_CONTEXT },
                 { 429, KM_REFUSED_RATE },        { 503, KM_REFUSED_PLAIN },
                 { 401, KM_REFUSED_CREDENTIALS }, { 404, KM_REFUSED_PLAIN } };
    struct km_arena arena KM_CLEANUP(km_arena_done);
    const struct km_headers none = { 0 };

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_refusal r;

        km_refusal_openai(&arena, rows[i].status, &none,
                          KM_STR("{\"error\":\"the input length exceeds the context length\"}"),
                          &r);
        assert_int_equal(r.kind, rows[i].kind);
    }
}

static const char *said(enum km_dialect dialect, struct km_err err, struct km_buf *out)
{
    km_buf_reset(out);
    km_error_face(dialect, &err);
    km_error_face(dialect, &err); /* once more changes nothing */
    km_error_head(&err, out);
    km_buf_printf(out, "%d ", km_err_http(&err));
    km_error_json(dialect, &err, KM_STR_NONE, out);
    return km_buf_cstr(out);
}

#define MESSAGE(text) "\"message\":\"" text "\""

static const struct {
    enum km_refusal_kind kind;
    int http;
    struct km_err_tokens tokens;
    enum km_dialect dialect;
    const char *has[4];
} faces[] = {
    { KM_REFUSED_CONTEXT,
      422,
      { 9, 0, 8 },
      KM_DIALECT_ANTHROPIC,
      { "400 ", "\"invalid_request_error\"",
        MESSAGE("prompt is too long: 9 tokens > 8 maximum"), "x-should-retry: false" } },
    { KM_REFUSED_CONTEXT,
      400,
      { 6, 4, 8 },
      KM_DIALECT_ANTHROPIC,
      { MESSAGE("input length and `max_tokens` exceed context limit: 6 + 4 > 8, decrease input "
                "length or `max_tokens` and try again") } },
    { KM_REFUSED_CONTEXT,
      500,
      { 0, 0, 8 },
      KM_DIALECT_ANTHROPIC,
      { MESSAGE("prompt is too long: the upstream's") } },
    { KM_REFUSED_CONTEXT,
      500,
      { 9, 0, 8 },
      KM_DIALECT_OPENAI,
      { "400 ", "\"code\":\"context_length_exceeded\"", "maximum context length is 8 tokens",
        "\"invalid_request_error\"" } },
    { KM_REFUSED_CONTEXT,
      400,
      { 9, 0, 8 },
      KM_DIALECT_GOOGLE,
      { MESSAGE("The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        "INVALID_ARGUMENT" } },
    { KM_REFUSED_CONTEXT,
      400,
      { 0, 0, 0 },
      KM_DIALECT_AWS,
      { "ValidationException",
        MESSAGE("Input is too long for requested model: the upstream's") } },
    { KM_REFUSED_RATE,
      429,
      { 0 },
      KM_DIALECT_OPENAI,
      { "429 ", "\"throttling_error\"", "\"code\":\"rate_limit_exceeded\"" } },
    { KM_REFUSED_RATE, 429, { 0 }, KM_DIALECT_ANTHROPIC, { "429 ", "\"rate_limit_error\"" } },
    { KM_REFUSED_QUOTA,
      429,
      { 0 },
      KM_DIALECT_OPENAI,
      { "\"type\":\"insufficient_quota\"", "\"code\":\"insufficient_quota\"" } },
    { KM_REFUSED_OVERLOADED,
      529,
      { 0 },
      KM_DIALECT_ANTHROPIC,
      { "529 ", "\"overloaded_error\"" } },
    { KM_REFUSED_OVERLOADED,
      529,
      { 0 },
      KM_DIALECT_OPENAI,
      { "529 ", "\"overloaded_error\"" } },
    { KM_REFUSED_MODEL, 0, { 0 }, KM_DIALECT_ANTHROPIC, { "404 ", "\"not_found_error\"" } },
    { KM_REFUSED_MODEL, 0, { 0 }, KM_DIALECT_GOOGLE, { "404 ", "\"NOT_FOUND\"" } },
    { KM_REFUSED_MODEL, 0, { 0 }, KM_DIALECT_AWS, { "404 ", "ResourceNotFoundException" } },
    { KM_REFUSED_MODEL, 0, { 0 }, KM_DIALECT_OPENAI, { "400 ", "\"code\":\"400\"" } },
};

static void a_kind_has_one_face_a_dialect(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        struct km_err err;
        const char *text;

        km_fail(&err, faces[i].http ? KM_E_UPSTREAM_STATUS : KM_E_INVALID, "the upstream's");
        err.http = faces[i].http;
        err.kind = (unsigned char)faces[i].kind;
        err.tokens = faces[i].tokens;
        text = said(faces[i].dialect, err, &out);
        for (size_t k = 0; k < 4 && faces[i].has[k]; k++)
            if (!strstr(text, faces[i].has[k]))
                fail_msg("row %zu: '%s' is not in %s", i, faces[i].has[k], text);
    }
}

static void a_spent_budget_is_no_rate_limit(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err;
    const char *text;

    (void)state;
    km_fail(&err, KM_E_BUDGET, "Budget has been exceeded!");
    text = said(KM_DIALECT_OPENAI, err, &out);
    assert_non_null(strstr(text, "\"type\":\"budget_exceeded\""));
    assert_non_null(strstr(text, "\"code\":\"insufficient_quota\""));
    assert_non_null(strstr(text, "x-should-retry: false"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_read_with_its_numbers),
        cmocka_unit_test(a_word_in_an_answer_has_the_status_it_would_have_had),
        cmocka_unit_test(llama_cpp_says_it_by_a_type_with_the_numbers_beside),
        cmocka_unit_test(only_a_refusal_of_the_request_is_too_long),
        cmocka_unit_test(a_kind_has_one_face_a_dialect),
        cmocka_unit_test(a_spent_budget_is_no_rate_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
