/* SPDX-License-Identifier: Apache-2.0 */
/* test_exchange.c - the table of exchanged tokens (mcp/oauth/exchange.c): who shares an entry, and
 * that callers with ever new tokens do not fill it.
 *
 *     principal, token ──> the same entry, or another; one that is held stays
 *
 * What goes over the wire is tests/mcp/test_exchange.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "mcp/oauth/oauth.h"

static struct km_mcp_oauth *make(void)
{
    static const struct km_tls_client_args plain;
    struct km_tls_client *tls = NULL;
    struct km_mcp_oauth *o;
    static const struct km_mcp_oauth_settings settings = { .client_id = { "i", 1 },
                                                           .client_secret = { "s", 1 },
                                                           .exchange_url = { "http://i/t", 10 } };
    static const struct km_str_list none;
    struct km_mcp_oauth_args args = { .name = KM_STR("a"),
                                      .server_url = KM_STR("http://h/"),
                                      .settings = &settings,
                                      .trusted_hosts = &none,
                                      .exchange = true };

    assert_int_equal(km_tls_client_new(&plain, &tls, NULL), 0);
    args.tls = tls;
    o = km_mcp_oauth_new(&args, NULL);
    km_tls_client_unref(tls);
    assert_non_null(o);
    return o;
}

static struct km_auth *get(struct km_mcp_oauth *o, const char *principal, const char *token)
{
    struct km_mcp_subject *s = km_mcp_subject_new(km_str_c(token));
    struct km_auth *auth = km_mcp_oauth_auth(o, km_str_c(principal), s, NULL);

    km_mcp_subject_unref(s);
    return auth;
}

static void an_entry_is_one_principals_for_one_token(void **state)
{
    struct km_mcp_oauth *o = make();
    struct km_auth *ada = get(o, "ada", "t1"), *again = get(o, "ada", "t1");
    struct km_auth *newer = get(o, "ada", "t2"), *bob = get(o, "bob", "t1");
    struct km_err err = { 0 };

    (void)state;
    assert_ptr_equal(ada, again);
    assert_ptr_not_equal(ada, newer);
    assert_ptr_not_equal(ada, bob);
    assert_true(km_str_eq(km_secret_view(&km_mcp_auth_subject(newer)->token), KM_STR("t2")));
    assert_null(km_mcp_oauth_auth(o, KM_STR("ada"), NULL, &err));
    assert_int_equal(err.code, KM_E_UNAUTHENTICATED);
    assert_null(km_mcp_subject_new(KM_STR_NONE));
    km_mcp_oauth_close(o); /* what is held outlives it */
    assert_true(km_str_eq(km_secret_view(&km_mcp_auth_subject(ada)->token), KM_STR("t1")));
    km_mcp_auth_unref(ada);
    km_mcp_auth_unref(again);
    km_mcp_auth_unref(newer);
    km_mcp_auth_unref(bob);
}

static void a_full_table_gives_up_what_nobody_holds(void **state)
{
    struct km_mcp_oauth *o = make();
    struct km_auth *held = get(o, "ada", "held"), *one;
    char token[32];

    (void)state;
    for (int i = 0; i < KM_MCP_OAUTH_PRINCIPALS + 100; i++) {
        snprintf(token, sizeof token, "t%d", i);
        one = get(o, "eve", token);
        assert_non_null(one);
        km_mcp_auth_unref(one);
    }
    one = get(o, "ada", "held");
    assert_ptr_equal(one, held);
    km_mcp_auth_unref(one);
    km_mcp_auth_unref(held);
    km_mcp_oauth_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_one_principals_for_one_token),
        cmocka_unit_test(a_full_table_gives_up_what_nobody_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
