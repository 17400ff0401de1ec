/* SPDX-License-Identifier: Apache-2.0 */
/* test_revoke.c - when modules are told that keys have changed, and what a key may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/gateway.h"
#include "host/module.h"
#include "host/revoke.h"

#define EXPIRY_LOOKS 20 /* as revoke.c has them */

static struct fixture {
    struct km_gateway gw;
    struct km_gateway_args args;
    struct km_worker w;
    unsigned told;
} f;

static void told(struct km_worker *w, void *state)
{
    assert_ptr_equal(w, &f.w);
    assert_null(state);
    f.told++;
}

static const char place KM_MODULE_PLACE;
static const struct km_module listener = { .name = "fake", .place = &place, .worker_revoke = told };
static const struct km_module *const rows[] = { &listener, NULL };

static int begin(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    memset(&f, 0, sizeof f);
    f.args.modules = rows;
    f.gw.args = &f.args;
    f.gw.keys = km_keys_new(10);
    f.gw.accounts = km_accounts_new(10);
    if (f.gw.keys)
        km_keys_use_accounts(f.gw.keys, f.gw.accounts);
    f.w.gw = &f.gw;
    f.w.revoke.generation = f.gw.keys ? km_keys_generation(f.gw.keys) : 0;
    return f.gw.keys && f.gw.accounts ? km_modules_worker_init(&f.w, &err) : -1;
}

static int end(void **state)
{
    (void)state;
    km_modules_worker_free(&f.w);
    km_keys_free(f.gw.keys);
    km_accounts_free(f.gw.accounts);
    return 0;
}

static struct km_key_row row(void)
{
    struct km_key_row r;

    memset(&r, 0, sizeof r);
    memset(r.hash, 7, sizeof r.hash);
    return r;
}

static void put(const struct km_key_row *r)
{
    struct km_err err = { 0 };

    assert_int_equal(km_keys_put(f.gw.keys, r, &err), 0);
}

static void nobody_is_told_while_nothing_changes(void **state)
{
    (void)state;
    for (int i = 1; i < EXPIRY_LOOKS; i++)
        km_revoke_look(&f.w);
    assert_int_equal(f.told, 0);
    km_revoke_look(&f.w); /* some may have expired by now */
    assert_int_equal(f.told, 1);
    km_revoke_look(&f.w);
    assert_int_equal(f.told, 1);
}

static void all_are_told_once_of_a_change(void **state)
{
    const struct km_key_row r = row();

    (void)state;
    put(&r);
    km_revoke_look(&f.w);
    assert_int_equal(f.told, 1);
    km_revoke_look(&f.w);
    assert_int_equal(f.told, 1);
}

static void a_key_may_go_on_until_it_is_blocked_or_gone(void **state)
{
    struct km_key_row r = row();
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_revoke_check(&f.w, r.hash, &err), KM_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.text, "it was deleted"));
    put(&r);
    assert_int_equal(km_revoke_check(&f.w, r.hash, &err), 0);
    r.blocked = true;
    put(&r);
    assert_true(km_revoke_check(&f.w, r.hash, &err) < 0);
    assert_non_null(strstr(err.text, "blocked"));
}

static void a_key_of_a_team_may_go_on_until_that_is_blocked(void **state)
{
    struct km_account_row team = km_account_row_none(KM_ACCOUNT_TEAM, KM_STR("t1"), KM_STR_NONE);
    struct km_key_row r = row();
    struct km_err err = { 0 };

    (void)state;
    r.team_id = team.id;
    put(&r);
    assert_int_equal(km_accounts_put(f.gw.accounts, &team, &err), 0);
    km_revoke_look(&f.w);
    assert_int_equal(km_revoke_check(&f.w, r.hash, &err), 0);
    f.told = 0;
    team.blocked = true;
    assert_int_equal(km_accounts_put(f.gw.accounts, &team, &err), 0);
    km_revoke_look(&f.w);
    assert_int_equal(f.told, 1);
    assert_int_equal(km_revoke_check(&f.w, r.hash, &err), KM_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.text, "Team=t1 is blocked"));
    /* Gone, or not blocked any more: nobody is looked for. */
    team.blocked = false;
    assert_int_equal(km_accounts_put(f.gw.accounts, &team, &err), 0);
    assert_int_equal(km_revoke_check(&f.w, r.hash, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_told_while_nothing_changes, begin, end),
        cmocka_unit_test_setup_teardown(all_are_told_once_of_a_change, begin, end),
        cmocka_unit_test_setup_teardown(a_key_may_go_on_until_it_is_blocked_or_gone, begin, end),
        cmocka_unit_test_setup_teardown(a_key_of_a_team_may_go_on_until_that_is_blocked, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
