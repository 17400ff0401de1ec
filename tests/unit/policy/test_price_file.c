/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "policy/price.h"
#include "policy/price_text.h"

static struct km_str read_file(const char *name, struct km_buf *b)
{
    char path[512];
    FILE *f;

    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", KM_TEST_PRICES, name) < sizeof path);
    f = fopen(path, "rb");
    assert_non_null(f);
    b->n = fread(km_buf_reserve(b, 65536), 1, 65536, f);
    (void)fclose(f);
    assert_in_range(b->n, 100, 65535);
    return km_buf_view(b);
}

static int add(void *ctx, struct km_str model, struct km_str json, struct km_err *err)
{
    return km_prices_add_json(ctx, model, json, err);
}

static struct km_prices *load(const char *name, size_t *ret_n)
{
    struct km_prices *p = km_prices_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_err err = { 0 };

    if (km_prices_parse_file(read_file(name, &b), add, p, ret_n, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    return p;
}

static struct km_price found(const struct km_prices *p, const char *provider, const char *model)
{
    struct km_price price;

    if (!km_prices_find(p, km_str_c(provider), km_str_c(model), &price))
        fail_msg("no price of %s/%s", provider, model);
    return price;
}

/* The plain price of longer prompts. */
static const struct km_price_step *tier_of(const struct km_price *p)
{
    for (unsigned i = 0; i < p->nsteps; i++)
        if (p->steps[i].above > 0 && p->steps[i].service == KM_SERVICE_STANDARD)
            return &p->steps[i];
    fail_msg("it has no tier");
    return NULL;
}

static void litellms_file_is_read(void **state)
{
    size_t n = 0;
    struct km_prices *p = load("litellm.json", &n);
    struct km_price price;

    (void)state;
    assert_int_equal(n, 6); /* without sample_spec */
    price = found(p, "openai", "gpt-4o");
    assert_int_equal(price.input, 2500000);
    assert_int_equal(price.output, 10000000);
    assert_int_equal(price.cache_read, 1250000);
    assert_int_equal(price.max_output_tokens, 16384);
    price = found(p, "gemini", "gemini-2.5-pro");
    assert_int_equal(tier_of(&price)->above, 200000);
    assert_int_equal(tier_of(&price)->rates.output, 15000000);
    assert_int_equal(found(p, "bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0").input,
                     3000000);
    km_prices_free(p);
}

static void check_genai(const char *name)
{
    size_t n = 0;
    struct km_prices *p = load(name, &n);
    struct km_price price;

    assert_int_equal(n, 23);
    price = found(p, "openai", "gpt-4o-2024-11-20");
    assert_int_equal(price.input, 2500000);
    assert_int_equal(price.max_input_tokens, 128000);
    price = found(p, "anthropic", "claude-sonnet-4-5-20250929");
    assert_int_equal(price.input, 3000000);
    assert_int_equal(price.cache_write, 3750000);
    assert_int_equal(tier_of(&price)->above, 200000);
    assert_int_equal(tier_of(&price)->rates.output, 22500000);
    assert_int_equal(found(p, "bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0").cache_read,
                     80000);
    /* Prices by the hour: the dearest. */
    assert_int_equal(found(p, "deepseek", "deepseek-chat").input, 270000);
    km_prices_free(p);
}

static void the_data_of_genai_prices_is_read(void **state)
{
    (void)state;
    check_genai("genai.json");
}

static void the_package_of_genai_prices_is_read_as_it_is(void **state)
{
    (void)state;
    check_genai("genai.cjs");
}

static int count(void *ctx, struct km_str model, struct km_str json, struct km_err *err)
{
    (void)model;
    (void)json;
    (void)err;
    ++*(size_t *)ctx;
    return 0;
}

/* A file cut anywhere is an error, or (in the code after the data) the whole; never a crash and
 * never fewer entries told as success. */
static void a_file_cut_anywhere_is_no_price_file(void **state)
{
    static const char *const names[] = { "litellm.json", "genai.json", "genai.cjs" };
    static const size_t whole[] = { 6, 23, 23 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        struct km_str text = read_file(names[i], &b);

        for (size_t cut = 0; cut < text.n; cut += 11) {
            size_t seen = 0, n = 0;

            if (km_prices_parse_file(km_str_sub(text, 0, cut), count, &seen, &n, NULL) == 0)
                assert_int_equal(n, whole[i]);
        }
    }
}

static void what_is_no_price_file_is_said(void **state)
{
    static const char *const texts[] = { "",
                                         "hello",
                                         "{}",
                                         "[]",
                                         "{\"a\":1}",
                                         "[1,2]",
                                         "{]",
                                         "[{id:1}",
                                         "[[[[[",
                                         "{\"a\":{\"b\":[}}",
                                         "[{id:\"x\",models:[3]}]" };
    struct km_err err;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t seen = 0, n = 0;

        assert_true(km_prices_parse_file(km_str_c(texts[i]), count, &seen, &n, &err) < 0);
        assert_int_equal(strncmp(err.text, "price file", 10), 0);
    }
}

static void nesting_is_bounded(void **state)
{
    char deep[300];
    struct km_price_text t = { .s = { deep, sizeof deep } };
    struct km_str value;

    (void)state;
    memset(deep, '[', sizeof deep);
    assert_int_equal(km_price_text_value(&t, &value, NULL), KM_E_LIMIT);
}

static void literals_of_javascript_are_understood(void **state)
{
    struct km_price_text t = {
        .s = KM_STR("/* a */ { a: !0, 'b': .5, `c`: [1, 2e5,], // x\n \"d\": 'it\\'s', }")
    };
    struct km_str name, value;
    static const char *const want[][2] = {
        { "a", "!0" }, { "b", ".5" }, { "c", "[1, 2e5,]" }, { "d", "it\\'s" }
    };
    bool more;

    (void)state;
    assert_true(km_price_text_open(&t, '{'));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(km_price_text_member(&t, &name, &more, NULL), 0);
        assert_true(more);
        assert_int_equal(km_price_text_value(&t, &value, NULL), 0);
        assert_true(km_str_eq(name, km_str_c(want[i][0])));
        assert_true(km_str_eq(value, km_str_c(want[i][1])));
    }
    assert_int_equal(km_price_text_member(&t, &name, &more, NULL), 0);
    assert_false(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(litellms_file_is_read),
        cmocka_unit_test(the_data_of_genai_prices_is_read),
        cmocka_unit_test(the_package_of_genai_prices_is_read_as_it_is),
        cmocka_unit_test(a_file_cut_anywhere_is_no_price_file),
        cmocka_unit_test(what_is_no_price_file_is_said),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(literals_of_javascript_are_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
