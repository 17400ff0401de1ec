/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "llm/api/media.h"

static int64_t cost_of(const struct km_media_api *m, const struct km_media_ask *ask,
                       const struct km_price *price, const char *answer, bool *ret_known)
{
    struct km_media_said said = { 0 };
    struct km_usage u;
    int64_t nano = -1;

    km_media_answer(m, km_str_c(answer), &said);
    u = km_media_usage(m, ask, price, &said);
    *ret_known = u.known;
    return km_price_cost(price, &u, &nano) ? nano : -1;
}

static void what_an_answer_says_is_what_is_billed(void **state)
{
    struct km_media_ask ask = {
        .n = 2, .characters = 100, .bytes = 160000, .files = 1, .size = KM_STR("10x20")
    };
    struct km_price tokens = KM_PRICE_NONE, seconds = KM_PRICE_NONE, pixels = KM_PRICE_NONE;
    bool known;

    (void)state;
    tokens.input = 1000;
    tokens.output = 2000;
    tokens.audio_input = 5000;
    tokens.image_output = 7000;
    seconds.second = seconds.media.output_second = 3000000;
    pixels.media.input_pixel = 1000;
    assert_int_equal(cost_of(&km_media_transcriptions, &ask, &tokens,
                             "{\"text\":\"x\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":10,"
                             "\"input_token_details\":{\"audio_tokens\":4},\"output_tokens\":3}}",
                             &known),
                     6 + 20 + 6);
    assert_true(known);
    assert_int_equal(cost_of(&km_media_transcriptions, &ask, &seconds,
                             "{\"text\":\"x\",\"usage\":{\"type\":\"duration\",\"seconds\":9}}",
                             &known),
                     27000);
    assert_true(known);
    assert_int_equal(
        cost_of(&km_media_transcriptions, &ask, &seconds, "{\"duration\":\"1.5\"}", &known), 4500);
    assert_true(known);
    assert_int_equal(cost_of(&km_media_transcriptions, &ask, &seconds, "{\"text\":\"\"}", &known),
                     30000); /* 160 kB at 128 kbit/s */
    assert_false(known);
    assert_int_equal(cost_of(&km_media_transcriptions, &ask, &seconds,
                             "{\"usage\":{\"type\":\"duration\",\"seconds\":3260}}", &known),
                     9780000); /* of 160 kB no codec makes more */
    assert_true(known);
    assert_int_equal(
        cost_of(&km_media_transcriptions, &ask, &seconds, "{\"duration\":864000}", &known), 30000);
    assert_false(known);
    assert_int_equal(cost_of(&km_media_generations, &ask, &tokens,
                             "{\"data\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":10}}",
                             &known),
                     5 + 70);
    assert_int_equal(cost_of(&km_media_generations, &ask, &pixels, "{\"data\":[]}", &known), 400);
    assert_true(known);
    assert_int_equal(cost_of(&km_media_generations, &ask, &seconds, "{\"data\":[]}", &known), -1);
}

/* Whatever an upstream may answer, it was reserved. */
static void the_worst_is_no_less_than_any_bill(void **state)
{
    static const struct km_media_api *const apis[] = { &km_media_generations, &km_media_speech,
                                                       &km_media_transcriptions };
    static const char *const answers[] = {
        "{}", "{\"usage\":{\"input_tokens\":50,\"output_tokens\":6240}}",
        "{\"usage\":{\"seconds\":60}}",
    };
    struct km_media_ask ask = { .n = 1, .characters = 4000, .bytes = 400000, .files = 0 };
    bool known;

    (void)state;
    for (size_t field = 0; field < sizeof(struct km_media_price) / sizeof(int64_t); field++) {
        struct km_price p = KM_PRICE_NONE;
        int64_t one = 1000000;

        memcpy((char *)&p.media + field * sizeof one, &one, sizeof one);
        for (size_t a = 0; a < sizeof apis / sizeof apis[0]; a++) {
            int64_t worst = 0;

            if (!km_media_worst(apis[a], &ask, &p, &worst))
                continue;
            for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
                assert_true(cost_of(apis[a], &ask, &p, answers[i], &known) <= worst);
        }
    }
}

static void an_image_is_also_priced_by_quality_and_size(void **state)
{
    struct km_prices *prices = km_prices_new();
    struct km_deployment d = { .provider_name = KM_STR("openai"),
                               .upstream_model = KM_STR("dall-e-3"),
                               .price = KM_PRICE_NONE };
    struct km_media_ask ask = { .n = 1, .size = KM_STR("1024x1024"), .quality = KM_STR("hd") };
    struct km_price p;

    (void)state;
    assert_int_equal(km_prices_add_json(prices, KM_STR("hd/1024-x-1024/dall-e-3"),
                                        KM_STR("{\"litellm_provider\":\"openai\","
                                               "\"output_cost_per_image\":0.08}"),
                                        NULL),
                     0);
    p = km_media_price(&km_media_generations, &ask, &d, d.price, KM_STR_NONE, prices);
    assert_int_equal(p.media.output_image, INT64_C(80000000000));
    ask.quality = KM_STR("standard");
    p = km_media_price(&km_media_generations, &ask, &d, d.price, KM_STR_NONE, prices);
    assert_int_equal(p.media.output_image, -1);
    d.price.media.output_image = 5; /* what the configuration says wins */
    ask.quality = KM_STR("hd");
    p = km_media_price(&km_media_generations, &ask, &d, d.price, KM_STR_NONE, prices);
    assert_int_equal(p.media.output_image, 5);
    km_prices_free(prices);
}

static void a_moderation_costs_what_it_is_said_to(void **state)
{
    struct km_deployment d = { .price = KM_PRICE_NONE };
    struct km_media_ask ask = { .bytes = 400 };
    struct km_price p = km_media_price(&km_media_moderations, &ask, &d, d.price, KM_STR_NONE, NULL);
    bool known;

    (void)state;
    assert_int_equal(cost_of(&km_media_moderations, &ask, &p, "{}", &known), 0);
    assert_true(known);
    d.price.input = 1000;
    p = km_media_price(&km_media_moderations, &ask, &d, d.price, KM_STR_NONE, NULL);
    assert_int_equal(cost_of(&km_media_moderations, &ask, &p, "{}", &known), 100);
    assert_false(known);
}

static void characters_are_code_points(void **state)
{
    struct km_media_ask ask = { 0 };

    (void)state;
    assert_int_equal(km_media_set(&ask, KM_STR("input"), KM_STR("a\xc3\xa9\xf0\x9f\x98\x80"), NULL),
                     0);
    assert_int_equal(ask.characters, 3);
    assert_int_equal(km_media_set(&ask, KM_STR("n"), KM_STR("0"), NULL), KM_E_INVALID);
    assert_int_equal(km_media_set(&ask, KM_STR("n"), KM_STR("129"), NULL), KM_E_INVALID);
    assert_int_equal(km_media_set(&ask, KM_STR("voice"), KM_STR("x"), NULL), KM_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_answer_says_is_what_is_billed),
        cmocka_unit_test(the_worst_is_no_less_than_any_bill),
        cmocka_unit_test(an_image_is_also_priced_by_quality_and_size),
        cmocka_unit_test(a_moderation_costs_what_it_is_said_to),
        cmocka_unit_test(characters_are_code_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
