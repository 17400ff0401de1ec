/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "admin/model_entry.h"

#define NOW INT64_C(1795000000000000)

struct fixture {
    struct km_arena arena;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    km_arena_init(&f->arena, 4 << 20, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static struct km_str write_over(struct fixture *f, const char *text, struct km_str before)
{
    const struct km_model_stamp stamp = { KM_STR("id-1"), KM_STR("master"), NOW };
    const struct km_json *body;
    struct km_model_said said;
    struct km_str entry = KM_STR_NONE;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(text), &body, NULL), 0);
    assert_int_equal(km_model_said_read(body, &said, &f->err), 0);
    assert_int_equal(km_model_entry_write(&f->arena, body, &said, before, &stamp, &entry, &f->err),
                     0);
    return entry;
}

static void assert_has(struct km_str text, const char *part)
{
    if (km_str_find(text, km_str_c(part)) == text.n)
        fail_msg("no %s in %.*s", part, KM_STR_ARG(text));
}

static void assert_lacks(struct km_str text, const char *part)
{
    if (km_str_find(text, km_str_c(part)) < text.n)
        fail_msg("%s in %.*s", part, KM_STR_ARG(text));
}

static void what_is_said_takes_the_place_and_the_rest_stays(void **state)
{
    struct fixture *f = *state;
    struct km_str first = write_over(f,
                                     "{\"model_name\":\"a\",\"litellm_params\":{\"model\":\"o/x\","
                                     "\"api_key\":\"k\",\"input_cost_per_token\":1},"
                                     "\"model_info\":{\"note\":1,\"db_model\":false}}",
                                     KM_STR_NONE);
    struct km_str then = write_over(f,
                                    "{\"litellm_params\":{\"model\":\"o/y\",\"api_key\":null,"
                                    "\"input_cost_per_token\":null},\"model_info\":{\"id\":\"z\"}}",
                                    first);

    assert_has(first, "\"db_model\":true");
    assert_has(then,
               "{\"model_name\":\"a\",\"litellm_params\":{\"api_key\":\"k\",\"model\":\"o/y\"}");
    assert_has(then, "\"note\":1,\"id\":\"id-1\"");
    assert_lacks(then, "o/x");
    assert_lacks(then, "cost");
}

static void numbers_are_written_so_that_yaml_has_them_too(void **state)
{
    struct km_str entry = write_over(
        *state, "{\"litellm_params\":{\"a\":1e-5,\"b\":[2E3],\"c\":1.5e+2,\"d\":-0.25,\"e\":7}}",
        KM_STR_NONE);

    assert_has(entry, "\"a\":1.0e-5,\"b\":[2.0e+3],\"c\":1.5e+2,\"d\":-0.25,\"e\":7");
}

static void assert_outside(struct fixture *f, const char *params, int r, const char *said)
{
    struct km_str entry = km_arena_printf(&f->arena, "{\"litellm_params\":%s}", params);

    f->err = (struct km_err){ 0 };
    assert_int_equal(km_model_entry_outside(&f->arena, entry, &f->err), r);
    if (said && !strstr(f->err.text, said))
        fail_msg("no %s in %s", said, f->err.text);
}

static void what_lies_on_the_machine_is_not_named_from_outside(void **state)
{
    struct fixture *f = *state;

    assert_outside(f, "{\"api_key\":\"sk-1\"}", 0, NULL);
    assert_outside(f, "{\"vertex_credentials\":\"{}\"}", 0, NULL);
    assert_outside(f, "{\"aws_web_identity_token\":\"eyJ.a.b\"}", 0, NULL);
    assert_outside(f, "{\"extra_body\":{\"x\":[\"os.environ/A\"]}}", KM_E_FORBIDDEN, "os.environ");
    assert_outside(f, "{\"api_key\":\"enc:A\"}", KM_E_FORBIDDEN, "enc:");
    assert_outside(f, "{\"vertex_credentials\":\" /a\"}", KM_E_FORBIDDEN, "vertex_credentials");
    assert_outside(f, "{\"vertex_credentials\":\" \"}", KM_E_FORBIDDEN, "vertex_credentials");
    assert_outside(f, "{\"aws_profile_name\":\"a\"}", KM_E_FORBIDDEN, "aws_profile_name");
    assert_outside(f, "{\"aws_web_identity_token\":\"/a\"}", KM_E_FORBIDDEN, "web_identity");
    assert_outside(f, "{\"litellm_credential_name\":\"a\"}", KM_E_FORBIDDEN, "credential_name");
}

static void no_text_that_may_be_a_credential_or_an_address_is_shown(void **state)
{
    struct fixture *f = *state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    km_model_entry_show(
        &f->arena,
        KM_STR("{\"model_name\":\"a\",\"litellm_params\":{\"model\":\"o/x\",\"api_key\":\"k1\","
               "\"api_base\":\"http://k2\",\"anything\":\"k3\",\"extra_headers\":{\"a\":\"k4\"},"
               "\"rpm\":5,\"drop_params\":true},"
               "\"model_info\":{\"id\":\"i\",\"note\":\"n\",\"api_key\":\"k5\"}}"),
        &out);
    assert_has(km_buf_view(&out),
               "\"litellm_params\":{\"model\":\"o/x\",\"rpm\":5,\"drop_params\":true}");
    assert_has(km_buf_view(&out), "\"model_info\":{\"id\":\"i\",\"note\":\"n\"}");
    for (char c = '1'; c <= '5'; c++)
        assert_lacks(km_buf_view(&out), (char[]){ 'k', c, 0 });
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_said_takes_the_place_and_the_rest_stays),
        TEST(numbers_are_written_so_that_yaml_has_them_too),
        TEST(what_lies_on_the_machine_is_not_named_from_outside),
        TEST(no_text_that_may_be_a_credential_or_an_address_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
