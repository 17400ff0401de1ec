/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "jwt_vectors.h"
#include "policy/jwt.h"

#define NOW_US (INT64_C(1800000000) * 1000000)
#define END_US (INT64_C(4102444800) * 1000000)
#define BEGIN_US (INT64_C(1700000000) * 1000000)

struct fixture {
    struct km_arena arena;
    struct km_jwks *keys;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    km_arena_init(&f->arena, KM_JWT_ARENA, NULL);
    assert_int_equal(km_jwks_new(km_str_c(jwt_keys), &f->keys, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_jwks_free(f->keys);
    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static const struct km_str audience[] = { { "kanmon", 6 } };
static const struct km_str_list audiences = { audience, 1 };

static struct km_jwt_rules rules_at(int64_t now_us)
{
    return (struct km_jwt_rules){ .issuer = KM_STR("https://issuer.example"),
                                  .audiences = &audiences,
                                  .now_us = now_us,
                                  .skew_us = 60000000 };
}

static int verify(struct fixture *f, struct km_str text, const struct km_jwt_rules *rules)
{
    struct km_jwt t;
    int r = km_jwt_parse(&f->arena, text, &t, &f->err);

    return r == 0 ? km_jwt_verify(&t, f->keys, rules, &f->err) : r;
}

static void good_tokens_of_three_kinds(void **state)
{
    static const char *const good[] = { jwt_rs256, jwt_es256, jwt_eddsa };
    struct km_jwt_rules rules = rules_at(NOW_US);

    assert_int_equal(km_jwks_count(((struct fixture *)*state)->keys), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(verify(*state, km_str_c(good[i]), &rules), 0);
}

static void every_changed_byte_is_seen(void **state)
{
    struct km_jwt_rules rules = rules_at(NOW_US);
    char text[sizeof jwt_es256];

    for (size_t i = 0; i + 1 < sizeof jwt_es256; i++) {
        /* The last letter of a part may hold bits that stand for nothing. */
        if (jwt_es256[i + 1] == '.' || jwt_es256[i + 1] == '\0')
            continue;
        memcpy(text, jwt_es256, sizeof text);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(*state, km_str(text, sizeof text - 1), &rules), 0);
    }
}

static void every_cut_is_seen(void **state)
{
    struct km_jwt_rules rules = rules_at(NOW_US);

    for (size_t n = 0; n + 1 < sizeof jwt_eddsa; n++)
        assert_int_not_equal(verify(*state, km_str(jwt_eddsa, n), &rules), 0);
}

static void times_have_an_allowance(void **state)
{
    static const struct {
        int64_t now_us;
        int good;
    } rows[] = {
        { END_US + 59000000, 1 },
        { END_US + 60000000, 0 },
        { BEGIN_US - 60000000, 1 },
        { BEGIN_US - 61000000, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_jwt_rules rules = rules_at(rows[i].now_us);

        assert_int_equal(verify(*state, km_str_c(jwt_es256), &rules) == 0, rows[i].good);
    }
}

static void issuer_audience_and_algorithm_are_asked(void **state)
{
    static const struct km_str other[] = { { "other", 5 } }, rs[] = { { "RS256", 5 } };
    static const struct km_str_list others = { other, 1 }, only_rs = { rs, 1 };
    struct fixture *f = *state;
    struct km_jwt_rules rules = rules_at(NOW_US);

    rules.issuer = KM_STR("https://issuer.example/");
    assert_int_equal(verify(f, km_str_c(jwt_es256), &rules), KM_E_UNAUTHENTICATED);
    rules = rules_at(NOW_US);
    rules.audiences = &others;
    assert_int_equal(verify(f, km_str_c(jwt_es256), &rules), KM_E_UNAUTHENTICATED);
    assert_string_equal(f->err.text, "the token is for another audience");
    rules = rules_at(NOW_US);
    rules.algorithms = &only_rs;
    assert_int_equal(verify(f, km_str_c(jwt_es256), &rules), KM_E_UNAUTHENTICATED);
    assert_int_equal(verify(f, km_str_c(jwt_rs256), &rules), 0);
}

static void claims_by_name_and_by_path(void **state)
{
    struct fixture *f = *state;
    struct km_str text;
    struct km_jwt t;

    assert_int_equal(km_jwt_parse(&f->arena, km_str_c(jwt_es256), &t, &f->err), 0);
    assert_true(km_jwt_claim_text(km_jwt_claim(&t, KM_STR("sub")), 0, &text));
    assert_true(km_str_eq(text, KM_STR("alice")));
    assert_true(km_jwt_claim_text(km_jwt_claim(&t, KM_STR("a.b")), 0, &text));
    assert_true(km_str_eq(text, KM_STR("dotted")));
    assert_true(km_jwt_claim_text(km_jwt_claim(&t, KM_STR("realm_access.roles")), 1, &text));
    assert_true(km_str_eq(text, KM_STR("engineers")));
    assert_false(km_jwt_claim_text(km_jwt_claim(&t, KM_STR("realm_access.roles")), 2, &text));
    assert_false(km_jwt_claim_text(km_jwt_claim(&t, KM_STR("realm_access")), 0, &text));
    assert_null(km_jwt_claim(&t, KM_STR("sub.more")));
    assert_true(km_jwt_has_scope(&t, KM_STR("admin")));
    assert_false(km_jwt_has_scope(&t, KM_STR("adm")));
    assert_false(km_jwt_has_scope(&t, KM_STR("")));
}

static void sets_of_keys_that_are_none(void **state)
{
    static const char *const none[] = { "", "{}", "[]", "{\"keys\":{}}", "{\"keys\":", "null" };
    static const char *const empty[] = {
        "{\"keys\":[]}", "{\"keys\":[{},7,null,{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", /* 24 bits */
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
    };
    struct km_jwks *set;

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(km_jwks_new(km_str_c(none[i]), &set, NULL), KM_E_INVALID);
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        assert_int_equal(km_jwks_new(km_str_c(empty[i]), &set, NULL), 0);
        assert_int_equal(km_jwks_count(set), 0);
        km_jwks_free(set);
    }
}

static void what_looks_like_a_token(void **state)
{
    (void)state;
    assert_true(km_jwt_looks_like(KM_STR("eyJh.eyJi.x")));
    assert_true(km_jwt_looks_like(KM_STR("ey..")));
    assert_false(km_jwt_looks_like(KM_STR("eyJh.eyJi")));
    assert_false(km_jwt_looks_like(KM_STR("eyJh.eyJi.x.y.z")));
    assert_false(km_jwt_looks_like(KM_STR("sk-a.b.c")));
    assert_false(km_jwt_looks_like(KM_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_tokens_of_three_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(every_cut_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(times_have_an_allowance, setup, teardown),
        cmocka_unit_test_setup_teardown(issuer_audience_and_algorithm_are_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(claims_by_name_and_by_path, setup, teardown),
        cmocka_unit_test(sets_of_keys_that_are_none),
        cmocka_unit_test(what_looks_like_a_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
