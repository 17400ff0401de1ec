/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "door/jwt/verdict.h"

#define END_US INT64_C(1000)

struct fixture {
    struct km_arena arena;
    struct km_jwt_verdicts *t;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    km_arena_init(&f->arena, (size_t)1 << 20, NULL);
    f->t = km_jwt_verdicts_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_jwt_verdicts_free(f->t);
    km_arena_done(&f->arena);
    free(f);
    return 0;
}

/* The n-th token; all of them meet in one set of the table. */
static void token(unsigned n, uint8_t out[KM_SHA256_LEN])
{
    memset(out, 0, KM_SHA256_LEN);
    memcpy(out + KM_SHA256_LEN - sizeof n, &n, sizeof n);
}

static void keep(struct fixture *f, unsigned n, const char *subject, int64_t until_us)
{
    struct km_jwt_verdict v = { .until_us = until_us,
                                .generation = n,
                                .iss = KM_STR("https://issuer.example"),
                                .subject = km_str_c(subject) };
    uint8_t digest[KM_SHA256_LEN];

    token(n, digest);
    km_jwt_verdict_keep(f->t, digest, 0, &v);
}

static bool find(struct fixture *f, unsigned n, int64_t now_us, struct km_jwt_verdict *ret)
{
    uint8_t digest[KM_SHA256_LEN];

    token(n, digest);
    return km_jwt_verdict_find(f->t, digest, now_us, &f->arena, ret);
}

static void a_verdict_is_found_until_its_end(void **state)
{
    struct fixture *f = *state;
    struct km_jwt_verdict v;

    assert_false(find(f, 1, 0, &v));
    keep(f, 1, "ann", END_US);
    assert_true(find(f, 1, END_US - 1, &v));
    assert_string_equal(km_arena_cstr(&f->arena, v.subject), "ann");
    assert_string_equal(km_arena_cstr(&f->arena, v.iss), "https://issuer.example");
    assert_int_equal(v.generation, 1);
    assert_false(find(f, 1, END_US, &v));
    assert_false(find(f, 2, 0, &v)); /* a token of the same set */
}

static void the_same_token_has_one_verdict(void **state)
{
    struct fixture *f = *state;
    struct km_jwt_verdict v;

    for (unsigned i = 1; i <= 4; i++)
        keep(f, i, "other", END_US);
    keep(f, 1, "first", END_US);
    keep(f, 1, "second", END_US);
    for (unsigned i = 1; i <= 4; i++)
        assert_true(find(f, i, 0, &v)); /* nobody was pushed out for it */
    assert_true(find(f, 1, 0, &v));
    assert_string_equal(km_arena_cstr(&f->arena, v.subject), "second");
}

static void what_is_over_goes_first(void **state)
{
    struct fixture *f = *state;
    struct km_jwt_verdict v;
    uint8_t digest[KM_SHA256_LEN];

    for (unsigned i = 1; i <= 4; i++)
        keep(f, i, "x", i == 3 ? 10 : END_US);
    for (unsigned i = 1; i <= 4; i++)
        assert_true(find(f, i, 0, &v));
    token(5, digest);
    km_jwt_verdict_keep(f->t, digest, 10, &(struct km_jwt_verdict){ .until_us = END_US });
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(find(f, i, 0, &v), i != 3);
}

static void what_was_not_used_goes_next(void **state)
{
    struct fixture *f = *state;
    struct km_jwt_verdict v;

    for (unsigned i = 1; i <= 4; i++)
        keep(f, i, "x", END_US);
    assert_true(find(f, 1, 0, &v));
    assert_true(find(f, 2, 0, &v));
    keep(f, 5, "x", END_US);
    keep(f, 6, "x", END_US);
    for (unsigned i = 1; i <= 6; i++)
        assert_int_equal(find(f, i, 0, &v), i != 3 && i != 4);
}

static void names_too_long_to_keep_are_not_kept(void **state)
{
    struct fixture *f = *state;
    char long_name[KM_JWT_VERDICT_TEXT + 1];
    struct km_jwt_verdict v;

    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    keep(f, 1, long_name, END_US);
    assert_false(find(f, 1, 0, &v));
}

/* Without a name it would be somebody else. */
static void without_room_for_the_name_nothing_is_found(void **state)
{
    struct fixture *f = *state;
    struct km_jwt_verdict v;
    struct km_arena small;
    uint8_t digest[KM_SHA256_LEN];

    keep(f, 1, "ann", END_US);
    token(1, digest);
    km_arena_init(&small, 1, NULL);
    assert_false(km_jwt_verdict_find(f->t, digest, 0, &small, &v));
    km_arena_done(&small);
    assert_true(find(f, 1, 0, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_verdict_is_found_until_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_token_has_one_verdict, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_over_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_used_goes_next, setup, teardown),
        cmocka_unit_test_setup_teardown(names_too_long_to_keep_are_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(without_room_for_the_name_nothing_is_found, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
