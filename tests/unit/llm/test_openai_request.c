/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>

#include "llm/api/openai.h"

static const struct km_provider option = { .name = "openai",
                                           .usage = KM_USAGE_OPTION,
                                           .max_tokens = "max_completion_tokens" };

struct fixture {
    struct km_arena arena;
    struct km_deployment d;
    struct km_llm_request r;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    km_arena_init(&f->arena, 64 << 20, NULL);
    f->d.provider = &option;
    f->d.upstream_model = KM_STR("gpt-4o");
    *state = f;
    return f ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static int parse(struct fixture *f, const char *body)
{
    f->err = (struct km_err){ 0 };
    return km_llm_request_parse(&f->r, &km_api_chat, &f->arena, km_str_c(body), KM_STR_NONE,
                                &f->err);
}

/* What goes upstream for a client's body. */
static void expect_body(struct fixture *f, const char *body, const char *upstream)
{
    struct km_llm_body_args args = { .deployment = &f->d, .with_usage = true, .max_tokens = -1 };
    struct km_str *parts, all;
    size_t n;

    assert_int_equal(parse(f, body), 0);
    assert_int_equal(f->r.api->body(&f->r, &args, &f->arena, &parts, &n, &f->err), 0);
    all = km_arena_cat(&f->arena, parts, n);
    assert_string_equal(km_arena_cstr(&f->arena, all), upstream);
}

static void expect_refused(struct fixture *f, const char *body, const char *param)
{
    assert_int_equal(parse(f, body), KM_E_INVALID);
    assert_non_null(f->err.param);
    assert_string_equal(f->err.param, param);
}

static void what_needs_no_change_goes_out_as_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct km_llm_body_args args = { .deployment = &f->d, .max_tokens = -1 };
    struct km_str body = KM_STR("{ \"messages\" :[],\n \"model\": \"gpt-4o\", \"x\":1.0e+2 }"),
                  *parts;
    size_t n;

    assert_int_equal(
        km_llm_request_parse(&f->r, &km_api_chat, &f->arena, body, KM_STR_NONE, &f->err), 0);
    assert_int_equal(f->r.api->body(&f->r, &args, &f->arena, &parts, &n, &f->err), 0);
    assert_int_equal(n, 1);
    assert_ptr_equal(parts[0].p, body.p);
    assert_int_equal(parts[0].n, body.n);
}

static void only_the_value_of_model_changes(void **state)
{
    expect_body(*state,
                "{\"a\":\"\\u0041\", \"model\" : \"fast\" ,\"messages\":[{\"model\":\"fast\"}]}",
                "{\"a\":\"\\u0041\", \"model\" : \"gpt-4o\" ,\"messages\":[{\"model\":\"fast\"}]}");
}

static void the_gateways_own_members_are_cut_with_one_comma_each(void **state)
{
    struct fixture *f = *state;

    expect_body(f,
                "{\"metadata\":{\"a\":1},\"model\":\"gpt-4o\",\"tags\":[\"t\"],\"messages\":[],"
                "\"cache\":{\"ttl\":1}}",
                "{\"model\":\"gpt-4o\",\"messages\":[]}");
    expect_body(
        f, "{\"model\":\"gpt-4o\",\"messages\":[], \"mock_response\" : \"x\", \"num_retries\":2}",
        "{\"model\":\"gpt-4o\",\"messages\":[] }");
    assert_int_equal(f->r.num_retries, 2);
}

static void a_stream_asks_for_usage_whatever_the_client_put_there(void **state)
{
    struct fixture *f = *state;

    expect_body(f, "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true}",
                "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,"
                "\"stream_options\":{\"include_usage\":true}}");
    assert_false(f->r.usage_asked);
    expect_body(
        f, "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,\"stream_options\":{\"x\":1}}",
        "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,"
        "\"stream_options\":{\"x\":1,\"include_usage\":true}}");
    expect_body(f,
                "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,"
                "\"stream_options\":{\"include_usage\":false}}",
                "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,"
                "\"stream_options\":{\"include_usage\":true}}");
    assert_false(f->r.usage_asked);
    expect_body(f,
                "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,"
                "\"stream_options\":{ \"include_usage\" : true }}",
                "{\"model\":\"gpt-4o\",\"messages\":[],\"stream\":true,"
                "\"stream_options\":{ \"include_usage\" : true }}");
    assert_true(f->r.usage_asked);
}

static void stream_options_go_when_there_is_no_stream(void **state)
{
    expect_body(
        *state,
        "{\"model\":\"gpt-4o\",\"stream_options\":{\"include_usage\":true},\"messages\":[]}",
        "{\"model\":\"gpt-4o\",\"messages\":[]}");
}

static void defaults_of_the_deployment_fill_what_is_absent(void **state)
{
    struct fixture *f = *state;
    static const struct km_default_param defaults[] = {
        { .name = { "temperature", 11 }, .json = { "0.3", 3 } },
        { .name = { "seed", 4 }, .json = { "7", 1 } },
    };

    f->d.defaults = defaults;
    f->d.ndefaults = 2;
    expect_body(f, "{\"model\":\"gpt-4o\",\"messages\":[],\"seed\":1}",
                "{\"model\":\"gpt-4o\",\"messages\":[],\"seed\":1,\"temperature\":0.3}");
}

static void a_budgets_bound_is_set_under_the_name_in_use(void **state)
{
    struct fixture *f = *state;
    struct km_llm_body_args args = { .deployment = &f->d, .max_tokens = 99 };
    struct km_str *parts;
    size_t n;

    assert_int_equal(parse(f, "{\"model\":\"gpt-4o\",\"messages\":[]}"), 0);
    assert_int_equal(f->r.api->body(&f->r, &args, &f->arena, &parts, &n, &f->err), 0);
    assert_string_equal(km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n)),
                        "{\"model\":\"gpt-4o\",\"messages\":[],\"max_completion_tokens\":99}");
}

/* With a bound of 99 from a budget. */
static void expect_bounded(struct fixture *f, const char *from, const char *to)
{
    struct km_llm_body_args args = { .deployment = &f->d, .max_tokens = 99 };
    struct km_str *parts;
    size_t n;

    assert_int_equal(parse(f, from), 0);
    assert_int_equal(f->r.api->body(&f->r, &args, &f->arena, &parts, &n, &f->err), 0);
    assert_string_equal(km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n)), to);
}

static void a_budgets_bound_stands_where_a_null_stood_and_instead_of_defaults(void **state)
{
    struct fixture *f = *state;
    static const struct km_default_param defaults[] = {
        { .name = { "max_tokens", 10 }, .json = { "5000", 4 } },
    };

    expect_bounded(f, "{\"model\":\"gpt-4o\",\"max_tokens\":null,\"messages\":[]}",
                   "{\"model\":\"gpt-4o\",\"max_tokens\":99,\"messages\":[]}");
    f->d.defaults = defaults;
    f->d.ndefaults = 1;
    expect_bounded(f, "{\"model\":\"gpt-4o\",\"messages\":[]}",
                   "{\"model\":\"gpt-4o\",\"messages\":[],\"max_completion_tokens\":99}");
}

static void of_two_bounds_the_larger_counts(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":5000,"
                              "\"max_completion_tokens\":1}"),
                     0);
    assert_int_equal(f->r.max_tokens, 5000);
}

/* Every spelling that some engine reads; max_tokens beside it says 1. */
static void the_largest_spelling_of_a_bound_counts(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *member;
        int64_t tokens, choices;
    } rows[] = {
        { "\"max_completion_tokens\":8000", 8000, 1 },
        { "\"max_output_tokens\":8000", 8000, 1 },
        { "\"max_new_tokens\":8000", 8000, 1 },
        { "\"max_length\":8000", 8000, 1 },
        { "\"n_predict\":8000", 8000, 1 },
        { "\"n_\\u0070redict\":8000", 8000, 1 },
        { "\"num_predict\":8000", 8000, 1 },
        { "\"min_tokens\":8000", 8000, 1 },
        { "\"min_completion_tokens\":8000", 8000, 1 },
        { "\"min_length\":8000", 8000, 1 },
        { "\"options\":{\"num_predict\":8000}", 8000, 1 },
        { "\"options\":{\"num_ctx\":8000}", 1, 1 },
        { "\"options\":[8000]", 1, 1 },
        { "\"n_predict\":null", 1, 1 },
        { "\"n_predict\":-1", -1, 1 },
        { "\"num_predict\":-2,\"n_predict\":5", -1, 1 },
        { "\"options\":{\"num_predict\":-1}", -1, 1 },
        { "\"x\":{\"n_predict\":8000}", 1, 1 },
        { "\"n\":3", 1, 3 },
        { "\"best_of\":3,\"n\":2", 1, 3 },
    };
    char text[200];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":1,%s}",
                 rows[i].member);
        assert_int_equal(parse(f, text), 0);
        assert_int_equal(f->r.max_tokens, rows[i].tokens);
        assert_int_equal(f->r.choices, rows[i].choices);
    }
}

static void a_spelling_that_cannot_be_read_is_refused(void **state)
{
    static const char *const members[] = { "\"n_predict\":\"8000\"", "\"n_predict\":-3",
                                           "\"max_length\":1.5", "\"best_of\":0",
                                           "\"max_length\":-1",
                                           "\"options\":{\"num_predict\":-3}" };
    struct fixture *f = *state;
    char text[200];

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        snprintf(text, sizeof text, "{\"model\":\"m\",\"messages\":[],%s}", members[i]);
        assert_int_equal(parse(f, text), KM_E_INVALID);
    }
}

static void a_budget_bounds_every_spelling(void **state)
{
    expect_bounded(*state,
                   "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":5,"
                   "\"n_predict\":100,\"min_tokens\":7,\"n\":100,"
                   "\"options\":{\"num_ctx\":5000,\"num_predict\":500}}",
                   "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":99,"
                   "\"n_predict\":99,\"min_tokens\":7,\"n\":100,"
                   "\"options\":{\"num_ctx\":5000,\"num_predict\":99}}");
}

static void a_budget_bounds_what_asks_for_no_end(void **state)
{
    expect_bounded(*state,
                   "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":5,\"n_predict\":-1,"
                   "\"options\":{\"num_predict\":-2}}",
                   "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":99,\"n_predict\":99,"
                   "\"options\":{\"num_predict\":99}}");
}

static void a_default_is_no_second_bound(void **state)
{
    static const struct km_default_param defaults[] = {
        { .name = { "n_predict", 9 }, .json = { "500", 3 } }
    };
    struct fixture *f = *state;

    f->d.defaults = defaults;
    f->d.ndefaults = 1;
    expect_body(f, "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":5}",
                "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":5}");
    expect_body(f, "{\"model\":\"gpt-4o\",\"messages\":[]}",
                "{\"model\":\"gpt-4o\",\"messages\":[],\"n_predict\":500}");
}

static void a_wildcard_gives_the_upstream_its_part(void **state)
{
    struct fixture *f = *state;

    f->d.upstream_model = KM_STR("org/*-it");
    assert_string_equal(
        km_arena_cstr(&f->arena, km_llm_upstream_model(&f->d, KM_STR("gemma"), &f->arena)),
        "org/gemma-it");
}

static void a_member_that_occurs_twice_is_refused_even_escaped(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, "{\"model\":\"cheap\",\"messages\":[],\"\\u006dodel\":\"dear\"}"),
                     KM_E_INVALID);
    assert_int_equal(
        parse(f, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":1,\"max_tokens\":9}"),
        KM_E_INVALID);
}

/* A server that reads names without their case would run another model than the one judged. */
static void a_member_in_another_case_is_refused(void **state)
{
    static const char *const odd[] = { "Model", "MODEL", "\\u004dodel", "mode\\u004c" };
    /* With surrogates it is the parser that judges. */
    static const char *const also[] = { "",
                                        ",\"x\":\"\\ud83d\\ude00\"", ",\"y\":{\"a\":1,\"a\":2}" };
    struct fixture *f = *state;
    char body[256];

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        for (size_t k = 0; k < sizeof also / sizeof also[0]; k++) {
            snprintf(body, sizeof body, "{\"model\":\"cheap\",\"messages\":[],\"%s\":\"dear\"%s}",
                     odd[i], also[k]);
            expect_refused(f, body, "request_body");
        }
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"\xc5\xbftream\":true}", "request_body");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"to\xe2\x84\xaa\":1,\"Top_k\":1,\"N\":9}",
                   "request_body");
    assert_int_equal(parse(f, "{\"model\":\"m\",\"messages\":[],\"Modell\":1,\"odel\":2,\"\":3}"),
                     0);
    assert_int_equal(parse(f, "{\"model\":\"m\",\"messages\":[{\"Model\":1}],\"x\":{\"N\":2}}"), 0);
}

static void wrong_types_and_bounds_name_the_member(void **state)
{
    struct fixture *f = *state;

    expect_refused(f, "", "request_body");
    expect_refused(f, "{\"model\":", "request_body");
    expect_refused(f, "[]", "request_body");
    expect_refused(f, "{\"messages\":[]}", "model");
    expect_refused(f, "{\"model\":[\"m\"],\"messages\":[]}", "model");
    expect_refused(f, "{\"model\":\"\",\"messages\":[]}", "model");
    expect_refused(f, "{\"model\":\"m\"}", "messages");
    expect_refused(f, "{\"model\":\"m\",\"messages\":{\"0\":1}}", "messages");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"stream\":\"true\"}", "stream");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":-1}", "max_tokens");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":9223372036854775807}",
                   "max_tokens");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":1.5}", "max_tokens");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"n\":1000000}", "n");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"n\":0}", "n");
    expect_refused(f, "{\"model\":\"m\",\"messages\":[],\"api_base\":\"http://evil.test\"}",
                   "api_base");
}

static void the_path_names_the_model_before_the_body(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(km_llm_request_parse(&f->r, &km_api_chat, &f->arena,
                                          KM_STR("{\"model\":\"b\",\"messages\":[]}"), KM_STR("a"),
                                          &f->err),
                     0);
    assert_true(km_str_eq(f->r.model, KM_STR("a")));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_needs_no_change_goes_out_as_the_same_bytes),
        T(only_the_value_of_model_changes),
        T(the_gateways_own_members_are_cut_with_one_comma_each),
        T(a_stream_asks_for_usage_whatever_the_client_put_there),
        T(stream_options_go_when_there_is_no_stream),
        T(defaults_of_the_deployment_fill_what_is_absent),
        T(a_budgets_bound_is_set_under_the_name_in_use),
        T(a_budgets_bound_stands_where_a_null_stood_and_instead_of_defaults),
        T(of_two_bounds_the_larger_counts),
        T(the_largest_spelling_of_a_bound_counts),
        T(a_spelling_that_cannot_be_read_is_refused),
        T(a_budget_bounds_every_spelling),
        T(a_budget_bounds_what_asks_for_no_end),
        T(a_default_is_no_second_bound),
        T(a_wildcard_gives_the_upstream_its_part),
        T(a_member_that_occurs_twice_is_refused_even_escaped),
        T(a_member_in_another_case_is_refused),
        T(wrong_types_and_bounds_name_the_member),
        T(the_path_names_the_model_before_the_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
