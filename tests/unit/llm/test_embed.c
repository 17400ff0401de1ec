/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "llm/embed.h"
#include "llm/model.h"

struct fixture {
    struct km_arena arena;
    struct km_embed embed;
    struct km_err err;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){ 0 };
    km_arena_init(&f.arena, 1 << 20, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    return 0;
}

static int read_with(struct fixture *f, const struct km_deployment *d, const char *body)
{
    const struct km_json *root;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(body), &root, NULL), 0);
    return km_embed_read(d, root, &f->arena, &f->embed, &f->err);
}

static int read(struct fixture *f, const char *body)
{
    static const struct km_deployment plain = { 0 };

    return read_with(f, &plain, body);
}

static int put(struct fixture *f, size_t i, const char *json)
{
    const struct km_json *array;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(json), &array, NULL), 0);
    return km_embed_put(&f->embed, &f->arena, i, array, &f->err);
}

static void a_text_a_list_and_tokens_are_inputs(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read(f, "{\"input\":\"one\"}"), 0);
    assert_int_equal(f->embed.n, 1);
    assert_true(km_str_eq(f->embed.inputs[0].text, KM_STR("one")));
    assert_int_equal(read(f, "{\"input\":[\"one\",\"two\"],\"dimensions\":256}"), 0);
    assert_int_equal(f->embed.n, 2);
    assert_int_equal(f->embed.dimensions, 256);
    assert_int_equal(read(f, "{\"input\":[1,2,3]}"), 0);
    assert_int_equal(f->embed.n, 1);
    assert_true(km_str_eq(f->embed.inputs[0].tokens_json, KM_STR("[1,2,3]")));
    assert_int_equal(read(f, "{\"input\":[[1],[2,3]]}"), 0);
    assert_int_equal(f->embed.n, 2);
    assert_int_equal(km_embed_texts_only(&f->embed, "Titan", &f->err), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "input");
}

static void what_is_no_input_is_named_with_its_place(void **state)
{
    static const struct {
        const char *body, *param;
    } rows[] = {
        { "{\"input\":\"\"}", "input" },
        { "{\"input\":[]}", "input" },
        { "{\"input\":{}}", "input" },
        { "{\"input\":[\"a\",\"\"]}", "input[1]" },
        { "{\"input\":[\"a\",[1,\"x\"]]}", "input[1][1]" },
        { "{\"input\":[1,-1]}", "input[1]" },
        { "{\"input\":\"a\",\"encoding_format\":\"hex\"}", "encoding_format" },
        { "{\"input\":\"a\",\"dimensions\":0}", "dimensions" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read(f, rows[i].body), KM_E_INVALID);
        assert_string_equal(f->err.param, rows[i].param);
    }
}

static void a_deployments_own_parameters_stand_behind_the_callers(void **state)
{
    static const struct km_default_param own[] = {
        { .name = { "input_type", 10 }, .json = { "\"search_document\"", 17 } },
        { .name = { "dimensions", 10 }, .json = { "512", 3 } },
    };
    static const struct km_deployment d = { .defaults = own, .ndefaults = 2 };
    struct fixture *f = *state;

    assert_int_equal(read_with(f, &d, "{\"input\":\"a\",\"model\":\"m\"}"), 0);
    assert_true(km_str_eq(km_embed_extra(&f->embed, "input_type"), KM_STR("\"search_document\"")));
    assert_int_equal(f->embed.dimensions, 512);
    assert_false(km_embed_extra(&f->embed, "model").n);
    assert_int_equal(read_with(f, &d, "{\"input\":\"a\",\"input_type\":\"x\",\"dimensions\":1}"),
                     0);
    assert_true(km_str_eq(km_embed_extra(&f->embed, "input_type"), KM_STR("\"x\"")));
    assert_int_equal(f->embed.dimensions, 1);
}

static void numbers_reach_the_caller_digit_by_digit(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct fixture *f = *state;

    assert_int_equal(read(f, "{\"input\":[\"a\",\"b\"]}"), 0);
    assert_int_equal(put(f, 0, "[0.1000000001,-2e-05]"), 0);
    assert_int_equal(km_embed_write(&f->embed, KM_STR("m"), &f->embed.usage, &out, &f->err),
                     KM_E_UPSTREAM_PROTOCOL); /* the second is missing */
    km_buf_reset(&out);
    assert_int_equal(put(f, 1, "[3]"), 0);
    km_embed_used(&f->embed, 4, false);
    assert_true(f->embed.usage.known);
    assert_int_equal(km_embed_write(&f->embed, KM_STR("m"), &f->embed.usage, &out, &f->err), 0);
    assert_string_equal(
        km_buf_cstr(&out),
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":"
        "[0.1000000001,-2e-05]},{\"object\":\"embedding\",\"index\":1,\"embedding\":[3]}],"
        "\"model\":\"m\",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}");
    assert_int_equal(put(f, 2, "[3]"), KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(put(f, 1, "[]"), KM_E_UPSTREAM_PROTOCOL);
}

static void base64_holds_little_endian_floats(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct fixture *f = *state;

    assert_int_equal(read(f, "{\"input\":\"a\",\"encoding_format\":\"base64\"}"), 0);
    assert_int_equal(put(f, 0, "[1,-2.5]"), 0);
    assert_int_equal(km_embed_write(&f->embed, KM_STR("m"), &f->embed.usage, &out, &f->err), 0);
    assert_non_null(strstr(km_buf_cstr(&out), "\"embedding\":\"AACAPwAAIMA=\""));
    km_buf_reset(&out);
    assert_int_equal(put(f, 0, "[1,\"x\"]"), 0);
    assert_int_equal(km_embed_write(&f->embed, KM_STR("m"), &f->embed.usage, &out, &f->err),
                     KM_E_UPSTREAM_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_a_list_and_tokens_are_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_input_is_named_with_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deployments_own_parameters_stand_behind_the_callers,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_reach_the_caller_digit_by_digit, setup, teardown),
        cmocka_unit_test_setup_teardown(base64_holds_little_endian_floats, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
