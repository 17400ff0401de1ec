/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/secret.h"

static const uint8_t key[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const char key_hex[] = "0102030405060708000000000000000000000000000000000000000000000000";
static const struct km_str path = { "general_settings.master_key", 27 };

/* ctx: the value of KANMON_SECRET_KEY, or NULL; NAME is set as well. */
static bool variables(void *ctx, const char *name, struct km_str *ret_value)
{
    if (strcmp(name, "NAME") == 0) {
        *ret_value = KM_STR("from-env");
        return true;
    }
    if (strcmp(name, "KANMON_SECRET_KEY") == 0 && ctx) {
        *ret_value = km_str_c(ctx);
        return true;
    }
    return false;
}

struct resolved {
    struct km_arena arena;
    struct km_str value;
    struct km_err err;
    bool found;
    int r;
};

static void resolve(struct resolved *s, struct km_str text, struct km_str at,
                    const char *secret_key)
{
    km_arena_init(&s->arena, 1 << 20, NULL);
    s->err = (struct km_err){ 0 };
    s->r = km_secret_resolve(&s->arena, text, at, variables, (void *)(uintptr_t)secret_key,
                             &s->value, &s->found, &s->err);
}

static void plain_text_is_itself_and_variables_are_looked_up(void **state)
{
    struct resolved s;

    (void)state;
    resolve(&s, KM_STR("sk-1"), path, NULL);
    assert_true(s.found && km_str_eq(s.value, KM_STR("sk-1")));
    km_arena_done(&s.arena);
    resolve(&s, KM_STR("os.environ/NAME"), path, NULL);
    assert_true(s.found && km_str_eq(s.value, KM_STR("from-env")));
    km_arena_done(&s.arena);
    resolve(&s, KM_STR("os.environ/OTHER"), path, NULL);
    assert_int_equal(s.r, 0);
    assert_false(s.found);
    km_arena_done(&s.arena);
}

static void a_sealed_value_opens_with_its_key_at_its_path_only(void **state)
{
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct resolved s;

    (void)state;
    assert_int_equal(km_secret_seal(key, KM_STR("sk-hush"), path, &sealed, NULL), 0);
    assert_true(km_str_starts(km_buf_view(&sealed), KM_STR("enc:")));
    resolve(&s, km_buf_view(&sealed), path, key_hex);
    assert_int_equal(s.r, 0);
    assert_true(km_str_eq(s.value, KM_STR("sk-hush")));
    km_arena_done(&s.arena);
    resolve(&s, km_buf_view(&sealed), KM_STR("kanmon_settings.state_dir"), key_hex);
    assert_int_equal(s.r, KM_E_CONFIG);
    km_arena_done(&s.arena);
    resolve(&s, km_buf_view(&sealed), path,
            "ff02030405060708000000000000000000000000000000000000000000000000");
    assert_int_equal(s.r, KM_E_CONFIG);
    km_arena_done(&s.arena);
    resolve(&s, km_buf_view(&sealed), path, NULL);
    assert_int_equal(s.r, KM_E_CONFIG);
    assert_non_null(strstr(s.err.text, "KANMON_SECRET_KEY is not set"));
    km_arena_done(&s.arena);
}

static void the_key_may_be_base64_and_nothing_else(void **state)
{
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct resolved s;

    (void)state;
    assert_int_equal(km_secret_seal(key, KM_STR("x"), path, &sealed, NULL), 0);
    resolve(&s, km_buf_view(&sealed), path, "AQIDBAUGBwgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_int_equal(s.r, 0);
    km_arena_done(&s.arena);
    resolve(&s, km_buf_view(&sealed), path, "short");
    assert_int_equal(s.r, KM_E_CONFIG);
    assert_null(strstr(s.err.text, "short"));
    km_arena_done(&s.arena);
}

static void a_sealed_value_cut_or_changed_anywhere_does_not_open(void **state)
{
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct resolved s;

    (void)state;
    assert_int_equal(km_secret_seal(key, KM_STR("value"), path, &sealed, NULL), 0);
    for (size_t n = 4; n < sealed.n; n++) {
        char kept = sealed.p[n];

        resolve(&s, km_str_sub(km_buf_view(&sealed), 0, n), path, key_hex);
        assert_int_equal(s.r, KM_E_CONFIG);
        km_arena_done(&s.arena);
        if (n + 1 == sealed.n)
            break; /* the last character may hold bits that mean nothing */
        sealed.p[n] = kept == 'A' ? 'B' : 'A';
        resolve(&s, km_buf_view(&sealed), path, key_hex);
        assert_int_equal(s.r, KM_E_CONFIG);
        km_arena_done(&s.arena);
        sealed.p[n] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_itself_and_variables_are_looked_up),
        cmocka_unit_test(a_sealed_value_opens_with_its_key_at_its_path_only),
        cmocka_unit_test(the_key_may_be_base64_and_nothing_else),
        cmocka_unit_test(a_sealed_value_cut_or_changed_anywhere_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
