/* SPDX-License-Identifier: Apache-2.0 */
/* The costs that LiteLLM's own calculator comes to (tests/differential/costs.py writes them), from
 * the same entries and usages.  But for one thing: LiteLLM charges what Perplexity says that a call
 * cost, and where it says nothing forgets the fee of the search that each call has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/price_columns.h"
#include "policy/price_text.h"

#define FILE_BYTES ((size_t)4 * 1024 * 1024)

static struct km_str read_costs(char *room)
{
    FILE *f = fopen(KM_TEST_PRICES "/costs.json", "rb");
    size_t n;

    assert_non_null(f);
    n = fread(room, 1, FILE_BYTES, f);
    fclose(f);
    assert_true(n > 0 && n < FILE_BYTES);
    return km_str(room, n);
}

/* The value of a member of an object. */
static struct km_str member(struct km_str json, const char *wanted)
{
    struct km_price_text t = { .s = json };
    struct km_str name, value;
    bool more = km_price_text_open(&t, '{');

    while (more && km_price_text_member(&t, &name, &more, NULL) == 0 && more &&
           km_price_text_value(&t, &value, NULL) == 0)
        if (km_str_eq(name, km_str_c(wanted)))
            return value;
    return KM_STR_NONE;
}

static int64_t count(struct km_str usage, const char *name)
{
    struct km_str v = member(usage, name);
    int64_t n = 0;

    assert_true(!v.n || km_str_i64(v, &n) == 0);
    return n;
}

static struct km_usage usage_of(struct km_str json)
{
    struct km_usage u = {
        .prompt_tokens = count(json, "prompt_tokens"),
        .completion_tokens = count(json, "completion_tokens"),
        .cached_tokens = count(json, "cached_tokens"),
        .cache_write_tokens = count(json, "cache_write_tokens"),
        .cache_write_1h_tokens = count(json, "cache_write_1h_tokens"),
        .reasoning_tokens = count(json, "reasoning_tokens"),
        .audio_tokens = count(json, "audio_tokens"),
        .audio_completion_tokens = count(json, "audio_completion_tokens"),
        .fast = count(json, "fast") > 0,
        .in_us = count(json, "in_us") > 0,
    };
    struct km_str service = member(json, "service");

    u.hosted[KM_HOSTED_WEB_SEARCH] = count(json, "web_searches");
    if (service.n)
        assert_true(km_service_find(service, &u.service));
    return u;
}

static struct km_prices *load(struct km_str entries)
{
    struct km_prices *prices = km_prices_new();
    struct km_price_text t = { .s = entries };
    struct km_str name, value;
    struct km_err err;
    bool more = true;

    assert_true(km_price_text_open(&t, '{'));
    while (km_price_text_member(&t, &name, &more, &err) == 0 && more) {
        assert_int_equal(km_price_text_value(&t, &value, &err), 0);
        if (km_prices_add_json(prices, name, value, &err) < 0)
            fail_msg("%s", err.text);
    }
    return prices;
}

static int64_t forgotten_fee(struct km_str entry, const struct km_price *price)
{
    return km_str_starts(entry, KM_STR("perplexity/")) && price->search_always > 0
               ? price->search[KM_SEARCH_MEDIUM] / 1000
               : 0;
}

static void costs_are_those_of_litellms_calculator(void **state)
{
    char *room = malloc(FILE_BYTES);
    struct km_str json = read_costs(room);
    struct km_prices *prices = load(member(json, "entries"));
    struct km_price_text t = { .s = member(json, "cases") };
    struct km_str one;
    bool more = true;
    int n = 0, wrong = 0;

    (void)state;
    assert_true(km_price_text_open(&t, '['));
    while (km_price_text_item(&t, &more, NULL) == 0 && more) {
        struct km_usage u;
        struct km_price price;
        int64_t ours = -1, theirs;
        struct km_str entry;

        assert_int_equal(km_price_text_value(&t, &one, NULL), 0);
        entry = member(one, "entry");
        u = usage_of(member(one, "usage"));
        theirs = count(one, "nanousd");
        assert_true(km_prices_find(prices, KM_STR_NONE, entry, &price));
        assert_true(km_price_cost(&price, &u, &ours));
        if (!u.hosted[KM_HOSTED_WEB_SEARCH])
            theirs += forgotten_fee(entry, &price);
        n++;
        if (ours - theirs > 1 || theirs - ours > 1) { /* theirs is a sum of doubles */
            print_error("%.*s: %lld\n", KM_STR_ARG(one), (long long)ours);
            wrong++;
        }
    }
    assert_true(n > 700);
    assert_int_equal(wrong, 0);
    km_prices_free(prices);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_those_of_litellms_calculator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
