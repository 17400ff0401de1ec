/* SPDX-License-Identifier: Apache-2.0 */
/* test_authenticators.c - the door's own rows, in the order of the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "door/auth.h"
#include "fake_visit.h"

static const struct km_authenticator *const rows[] = { &km_auth_local, &km_auth_open,
                                                       &km_auth_master, &km_auth_key, NULL };

static void begin(struct fake_visit *f, const char *key)
{
    const char prefix[] = "Bearer ";
    static char field[128];

    fake_visit_init(f, "/v1/models");
    f->args.authenticators = rows;
    f->gw.keys = km_keys_new(10);
    f->snap.has_master = true;
    km_sha256(KM_STR("sk-master"), f->snap.master_hash);
    if (!key)
        return;
    memcpy(field, prefix, sizeof prefix);
    strncat(field, key, sizeof field - sizeof prefix);
    fake_visit_add(f, "authorization", field);
}

static void add_key(struct fake_visit *f, struct km_str secret, bool blocked)
{
    struct km_key_row row = { .alias = KM_STR("test"),
                              .max_budget = -1,
                              .soft_budget = -1,
                              .rpm = -1,
                              .tpm = -1,
                              .max_parallel = -1,
                              .blocked = blocked };

    km_sha256(secret, row.hash);
    assert_int_equal(km_keys_put(f->gw.keys, &row, NULL), 0);
}

static void end(struct fake_visit *f)
{
    fake_visit_done(f);
    km_keys_free(f->gw.keys);
}

static void the_kernels_word_counts_before_any_credential(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "sk-nonsense");
    f.v.local = true;
    f.v.uid = 1000;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_ADMIN, NULL), 0);
    assert_string_equal(f.v.who.who, "local:1000");
    end(&f);
}

static void the_master_key_is_the_administrator(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, "sk-master");
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_ADMIN, NULL), 0);
    assert_string_equal(f.v.who.who, "master");
    assert_null(f.v.who.key);
    end(&f);

    begin(&f, "sk-master");
    f.snap.has_master = false; /* its digest is nobody's then */
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), KM_E_UNAUTHENTICATED);
    end(&f);
}

static void a_virtual_key_is_found_by_its_digest_and_is_no_administrator(void **state)
{
    struct km_err err = { 0 };
    struct fake_visit f;

    (void)state;
    begin(&f, "sk-known");
    add_key(&f, KM_STR("sk-known"), false);
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), 0);
    assert_non_null(f.v.who.key);
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_ADMIN, &err), KM_E_FORBIDDEN);
    end(&f);

    begin(&f, "sk-unknown");
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, &err), KM_E_UNAUTHENTICATED);
    assert_string_equal(err.type, "token_not_found_in_db");
    end(&f);

    begin(&f, "sk-blocked");
    add_key(&f, KM_STR("sk-blocked"), true);
    assert_true(km_authenticate(&f.v, KM_AUTH_KEY, &err) < 0);
    assert_int_equal(f.v.standing, KM_STANDING_UNASKED);
    end(&f);
}

static void what_is_no_key_is_shown_in_part_only(void **state)
{
    struct km_err err = { 0 };
    struct fake_visit f;

    (void)state;
    begin(&f, "secret-of-somebody");
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, &err), KM_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.text, "Received=secr****body"));
    end(&f);
    begin(&f, "12345678");
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, &err), KM_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.text, "Received=****,"));
    end(&f);
}

static void where_nobody_is_asked_it_is_for_this_machine_unless_the_file_says_all(void **state)
{
    struct fake_visit f;

    (void)state;
    begin(&f, NULL);
    f.snap.auth_off = true;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_ADMIN, NULL), 0);
    assert_string_equal(f.v.who.who, "anonymous");
    end(&f);

    begin(&f, NULL);
    f.snap.auth_off = true;
    fake_visit_add(&f, "x-forwarded-for", "192.0.2.1");
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), KM_E_FORBIDDEN);
    f.settings.auth = KM_AUTH_MODE_NONE;
    assert_int_equal(km_authenticate(&f.v, KM_AUTH_KEY, NULL), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_word_counts_before_any_credential),
        cmocka_unit_test(the_master_key_is_the_administrator),
        cmocka_unit_test(a_virtual_key_is_found_by_its_digest_and_is_no_administrator),
        cmocka_unit_test(what_is_no_key_is_shown_in_part_only),
        cmocka_unit_test(where_nobody_is_asked_it_is_for_this_machine_unless_the_file_says_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
