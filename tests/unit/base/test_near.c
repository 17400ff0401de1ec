/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/near.h"

static bool near(const char *a, const char *b)
{
    bool there = km_near_miss(km_str_c(a), km_str_c(b));

    assert_int_equal(there, km_near_miss(km_str_c(b), km_str_c(a)));
    return there;
}

static void case_and_separators_do_not_matter(void **state)
{
    (void)state;
    assert_true(near("masterkey", "master_key"));
    assert_true(near("API-KEY", "api_key"));
    assert_true(near("ApiBase", "api_base"));
    assert_true(near("RPM", "rpm"));
    assert_true(near("--r_p_m--", "rpm"));
}

static void what_nobody_sees_does_not_matter(void **state)
{
    (void)state;
    assert_true(near("\xc2\xa0 master_key", "master_key"));
    assert_true(near("master_key ", "master_key"));
    assert_true(near("rp\xe2\x80\x8bm", "rpm"));
    assert_true(near("\xef\xbb\xbfgeneral_settings", "general_settings"));
    assert_true(near("api\xc2\xad_key", "api_key"));
    assert_true(near("\xe3\x80\x80tpm", "tpm"));
    assert_false(near("\xe2\x80\x90rpm\xe2", "rpm")); /* a hyphen that is seen */
}

static void a_short_name_is_near_at_one_error(void **state)
{
    (void)state;
    assert_true(near("api_kye", "api_key")); /* swapped */
    assert_true(near("ap_key", "api_key")); /* left out */
    assert_true(near("appi_key", "api_key")); /* added */
    assert_true(near("api_kez", "api_key")); /* changed */
    assert_true(near("API_KYE", "api_key"));
    assert_true(near("rps", "rpm"));
    assert_false(near("ap_kye", "api_key"));
    assert_false(near("tps", "rpm"));
}

static void a_long_name_is_near_at_two_errors(void **state)
{
    (void)state;
    assert_true(near("api_bse", "api_base"));
    assert_true(near("aws_secret_acces_key", "aws_secret_access_key"));
    assert_true(near("aws_secert_acces_key", "aws_secret_access_key"));
    assert_true(near("general_setting", "general_settings"));
    assert_false(near("aws_secert_acess_ky", "aws_secret_access_key"));
}

static void what_is_no_miss(void **state)
{
    static char far[200];

    (void)state;
    for (size_t i = 0; i < sizeof far; i++)
        far[i] = 'x';
    assert_false(near("api_key", "api_key"));
    assert_false(near("", "r"));
    assert_false(near("temperature", "api_key"));
    assert_false(km_near_miss(km_str(far, 200), km_str(far, 199)));
    assert_true(km_near_miss(km_str(far, 128), km_str(far, 127)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_and_separators_do_not_matter),
        cmocka_unit_test(what_nobody_sees_does_not_matter),
        cmocka_unit_test(a_short_name_is_near_at_one_error),
        cmocka_unit_test(a_long_name_is_near_at_two_errors),
        cmocka_unit_test(what_is_no_miss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
