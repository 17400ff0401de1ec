/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"

static void siphash_has_the_known_answers(void **state)
{
    static const struct {
        size_t n;
        uint64_t hash;
    } known[] = {
        { 0, UINT64_C(0xabac0158050fc4dc) },  { 1, UINT64_C(0xc9f49bf37d57ca93) },
        { 7, UINT64_C(0xd3927d989bb11140) },  { 8, UINT64_C(0x369095118d299a8e) },
        { 15, UINT64_C(0xd320d86d2a519956) }, { 63, UINT64_C(0x9d199062b7bbb3a8) },
    };
    const struct km_hash_seed seed = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    char in[64];

    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)i;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(km_hash(&seed, km_str(in, known[i].n)) == known[i].hash);
    assert_true(km_hash(&seed, KM_STR_NONE) == known[0].hash);
}

static void another_seed_gives_another_hash(void **state)
{
    struct km_hash_seed a, b;

    (void)state;
    km_hash_seed_random(&a);
    km_hash_seed_random(&b);
    assert_true(km_hash(&a, KM_STR("gpt-4o")) != km_hash(&b, KM_STR("gpt-4o")));
    assert_true(km_hash(&a, KM_STR("gpt-4o")) == km_hash(&a, KM_STR("gpt-4o")));
}

static void crc32_has_the_check_value_and_goes_on_in_parts(void **state)
{
    const char text[] = "123456789";

    (void)state;
    assert_int_equal(km_crc32(0, text, 9), 0xcbf43926);
    assert_int_equal(km_crc32(0, text, 0), 0);
    for (size_t cut = 0; cut <= 9; cut++)
        assert_int_equal(km_crc32(km_crc32(0, text, cut), text + cut, 9 - cut), 0xcbf43926);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_has_the_known_answers),
        cmocka_unit_test(another_seed_gives_another_hash),
        cmocka_unit_test(crc32_has_the_check_value_and_goes_on_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
