/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "llm/embed_merge.h"

static void inputs_are_texts_or_none(void **state)
{
    static const char *const none[] = { "{}", "{\"input\":[]}", "{\"input\":[1,2]}",
                                        "{\"input\":[\"a\",[1]]}", "{\"input\":null}",
                                        "{\"input\":{}}" };
    struct km_embed_inputs in;

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(km_embed_inputs(km_str_c(none[i]), &in));
    assert_true(
        km_embed_inputs(KM_STR("{\"model\":\"m\", \"input\" : \"a,]\",\"user\":\"u\"}"), &in));
    assert_int_equal(in.n, 1);
    assert_true(km_str_eq(in.items, KM_STR("\"a,]\"")));
    assert_true(km_str_eq(in.behind, KM_STR(",\"user\":\"u\"}")));
    assert_true(km_embed_inputs(KM_STR("{\"input\":[\"a\", \"b\"]}"), &in));
    assert_int_equal(in.n, 2);
}

static void several_become_one(void **state)
{
    struct km_embed_inputs v[3];
    struct km_arena arena;
    struct km_str body;

    (void)state;
    km_arena_init(&arena, 1 << 16, NULL);
    assert_true(km_embed_inputs(KM_STR("{\"input\":\"a\",\"model\":\"m\"}"), &v[0]));
    assert_true(km_embed_inputs(KM_STR("{\"input\":[\"b\",\"c\"],\"model\":\"m\"}"), &v[1]));
    assert_true(km_embed_inputs(KM_STR("{\"input\":[ \"d\" ],\"model\":\"m\"}"), &v[2]));
    body = km_embed_merge(v, 3, &arena);
    assert_true(km_str_eq(body, KM_STR("{\"input\":[\"a\",\"b\",\"c\", \"d\" ],\"model\":\"m\"}")));
    km_arena_done(&arena);
}

/* For every sum and weights: nothing is lost, and none is off by one or more. */
static void a_sum_is_divided_without_loss(void **state)
{
    struct km_embed_share v[KM_EMBED_MERGED_MOST] = { 0 };
    int64_t part[KM_EMBED_MERGED_MOST];
    uint32_t rng = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t n = 1 + (rng >> 8) % KM_EMBED_MERGED_MOST;
        int64_t all = 0, of = 0, sum;

        for (size_t i = 0; i < n; i++) {
            rng = rng * 1664525U + 1013904223U;
            of += v[i].weight = 1 + (rng >> 16) % 1000;
        }
        rng = rng * 1664525U + 1013904223U;
        sum = (rng >> 10) % 100000;
        km_embed_divide(sum, v, n, part);
        for (size_t i = 0; i < n; i++) {
            all += part[i];
            assert_true(part[i] * of > sum * v[i].weight - of);
            assert_true(part[i] * of < sum * v[i].weight + of);
        }
        assert_int_equal(all, sum);
    }
    v[0].weight = v[1].weight = 1, v[2].weight = 2; /* the largest remainder first */
    km_embed_divide(5, v, 3, part);
    assert_int_equal(part[0], 1);
    assert_int_equal(part[1], 1);
    assert_int_equal(part[2], 3);
    km_embed_divide(INT64_MAX, v, 3, part);
    assert_int_equal(part[0] + part[1] + part[2], INT64_MAX);
}

static const struct km_embed_share two[] = { { 0, 1, 1 }, { 1, 2, 3 } };

static const char *part_of(const char *whole, size_t which, struct km_buf *out)
{
    struct km_err err = { 0 };

    km_buf_reset(out);
    if (km_embed_part(km_str_c(whole), two, 2, which, out, &err) < 0) {
        assert_int_equal(err.code, KM_E_UPSTREAM_PROTOCOL);
        return NULL;
    }
    km_buf_byte(out, '\0');
    return out->p;
}

static void each_gets_its_part(void **state)
{
    static const char whole[] =
        "{\"object\":\"list\",\"data\":[{\"embedding\":[3],\"index\":2},{\"index\":0,\"embedding\":"
        "[1]},"
        "{\"index\":1,\"embedding\":\"AQ==\"}],\"model\":\"m\",\"usage\":{\"prompt_tokens\":10,"
        "\"total_tokens\":10,\"more\":{\"x\":1}}}";
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    assert_string_equal(part_of(whole, 0, &out),
                        "{\"object\":\"list\",\"data\":[{\"index\":0,\"embedding\":[1]}],\"model\":"
                        "\"m\",\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}}");
    assert_string_equal(
        part_of(whole, 1, &out),
        "{\"object\":\"list\",\"data\":[{\"embedding\":[3],\"index\":1},{\"index\":0,"
        "\"embedding\":\"AQ==\"}],\"model\":\"m\",\"usage\":{\"prompt_tokens\":7,"
        "\"total_tokens\":7}}");
    assert_string_equal(
        part_of("{\"usage\":{},\"data\":[{\"index\":0},{\"index\":1},{\"index\":2}]}", 0, &out),
        "{\"usage\":{},\"data\":[{\"index\":0}]}");
}

static void an_answer_that_is_not_whole_is_nobodys(void **state)
{
    static const char *const broken[] = {
        "",
        "[]",
        "{}",
        "{\"data\":{}}",
        "{\"data\":[]}",
        "{\"data\":[{\"index\":0},{\"index\":1}]}",
        "{\"data\":[{\"index\":0},{\"index\":1},{\"index\":3}]}",
        "{\"data\":[{\"index\":0},{\"index\":1},{\"index\":-1}]}",
        "{\"data\":[{\"index\":0},{\"index\":1},{\"index\":2},{\"index\":2}]}",
        "{\"data\":[{\"index\":0},{\"index\":1},{}]}", "{\"data\":[1,2,3]}",
        "{\"data\":[{\"index\":0},{\"index\":1},{\"index\":\"2\"}]}",
    };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_null(part_of(broken[i], 1, &out));
    assert_null(part_of("{\"data\":[{\"index\":1},{\"index\":1},{\"index\":0}]}", 1, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_are_texts_or_none),
        cmocka_unit_test(several_become_one),
        cmocka_unit_test(a_sum_is_divided_without_loss),
        cmocka_unit_test(each_gets_its_part),
        cmocka_unit_test(an_answer_that_is_not_whole_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
