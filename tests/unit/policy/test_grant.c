/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "policy/grant.h"
#include "policy/throttle.h"

#define NOW (INT64_C(1800000000) * 1000000)
#define VERIFIER "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

static void set_hash(uint8_t out[32], unsigned n)
{
    km_sha256(km_str((const char *)&n, sizeof n), out);
}

/* Its code is number n; it is not redeemed yet. */
static struct km_grant grant_of(unsigned n)
{
    struct km_grant g = { .created_us = NOW,
                          .code_expires_us = NOW + KM_GRANT_CODE_US,
                          .expires_us = NOW + KM_GRANT_CODE_US,
                          .resource = "https://host/mcp" };
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t hash[32];

    memcpy(g.id, &n, sizeof n);
    set_hash(g.code, n);
    set_hash(g.client, 1);
    set_hash(g.redirect, 2);
    km_sha256(KM_STR(VERIFIER), hash);
    km_buf_base64url(&text, km_str((const char *)hash, sizeof hash));
    memcpy(g.challenge, text.p, KM_GRANT_CHALLENGE_LEN);
    return g;
}

/* Shows secret n; the fresh pair is fresh and fresh + 1. */
static struct km_grant_ask ask_of(unsigned n, unsigned fresh, int64_t now_us)
{
    struct km_grant_ask a = { .verifier = KM_STR(VERIFIER), .now_us = now_us };

    set_hash(a.secret, n);
    set_hash(a.client, 1);
    set_hash(a.redirect, 2);
    set_hash(a.access, fresh);
    set_hash(a.refresh, fresh + 1);
    return a;
}

static bool is_good(struct km_grants *g, unsigned n, int64_t now_us)
{
    struct km_grant found;
    int64_t expires;
    uint8_t hash[32];

    set_hash(hash, n);
    return km_grants_access(g, hash, now_us, &found, &expires);
}

static void a_code_becomes_tokens_once(void **state)
{
    struct km_grants *g = km_grants_new(10);
    struct km_grant grant = grant_of(100), got;
    struct km_grant_ask ask = ask_of(100, 200, NOW + 1);
    struct km_err err;
    bool revoked;

    (void)state;
    assert_int_equal(km_grants_add(g, &grant, NOW, &err), 0);
    assert_int_equal(km_grants_redeem(g, &ask, &got, &revoked, &err), 0);
    assert_true(is_good(g, 200, NOW + 2));
    assert_false(is_good(g, 201, NOW + 2)); /* a refresh token is no access token */
    assert_false(is_good(g, 100, NOW + 2));
    assert_false(is_good(g, 200, NOW + 1 + KM_GRANT_ACCESS_US));
    assert_int_equal(km_grants_redeem(g, &ask, &got, &revoked, &err), KM_E_FORBIDDEN);
    assert_true(revoked);
    assert_string_equal(err.reason, "invalid_grant");
    assert_false(is_good(g, 200, NOW + 2));
    assert_int_equal(km_grants_count(g), 0);
    km_grants_free(g);
}

static void a_code_that_does_not_fit_stays(void **state)
{
    struct km_grants *g = km_grants_new(10);
    struct km_grant grant = grant_of(100), got;
    struct km_grant_ask good = ask_of(100, 200, NOW + 1), bad;
    struct km_err err;
    bool revoked;

    (void)state;
    assert_int_equal(km_grants_add(g, &grant, NOW, &err), 0);
    bad = good;
    bad.client[0] ^= 1;
    assert_int_equal(km_grants_redeem(g, &bad, &got, &revoked, &err), KM_E_FORBIDDEN);
    bad = good;
    bad.redirect[0] ^= 1;
    assert_int_equal(km_grants_redeem(g, &bad, &got, &revoked, &err), KM_E_FORBIDDEN);
    bad = good;
    bad.verifier = KM_STR("0123456789abcdefghijklmnopqrstuvwxyzABCDEFX");
    assert_int_equal(km_grants_redeem(g, &bad, &got, &revoked, &err), KM_E_FORBIDDEN);
    bad = good;
    bad.resource = KM_STR("https://host/mcp/other");
    assert_int_equal(km_grants_redeem(g, &bad, &got, &revoked, &err), KM_E_FORBIDDEN);
    assert_string_equal(err.reason, "invalid_target");
    bad = good;
    bad.now_us = NOW + KM_GRANT_CODE_US;
    assert_int_equal(km_grants_redeem(g, &bad, &got, &revoked, &err), KM_E_FORBIDDEN);
    assert_false(revoked);
    assert_int_equal(km_grants_redeem(g, &good, &got, &revoked, &err), 0);
    km_grants_free(g);
}

static void a_replaced_refresh_token_ends_it_after_a_while(void **state)
{
    struct km_grants *g = km_grants_new(10);
    struct km_grant grant = grant_of(100), got;
    struct km_grant_ask ask = ask_of(100, 200, NOW);
    struct km_err err;
    bool revoked;

    (void)state;
    assert_int_equal(km_grants_add(g, &grant, NOW, &err), 0);
    assert_int_equal(km_grants_redeem(g, &ask, &got, &revoked, &err), 0);
    ask = ask_of(201, 300, NOW + 10);
    assert_int_equal(km_grants_refresh(g, &ask, &got, &revoked, &err), 0);
    assert_true(is_good(g, 200, NOW + 20)); /* the one before goes on */
    assert_true(is_good(g, 300, NOW + 20));
    ask = ask_of(201, 400, NOW + 9 + KM_GRANT_GRACE_US);
    assert_int_equal(km_grants_refresh(g, &ask, &got, &revoked, &err), 0);
    assert_false(is_good(g, 200, NOW + 20));
    ask = ask_of(301, 500, NOW + 9 + 2 * KM_GRANT_GRACE_US);
    assert_int_equal(km_grants_refresh(g, &ask, &got, &revoked, &err), KM_E_FORBIDDEN);
    assert_true(revoked);
    assert_false(is_good(g, 400, NOW + 20));
    assert_int_equal(km_grants_count(g), 0);
    km_grants_free(g);
}

static void there_are_so_many_and_no_more(void **state)
{
    struct km_grants *g = km_grants_new(4);
    struct km_grant grant;
    struct km_err err;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        grant = grant_of(100 + i);
        assert_int_equal(km_grants_add(g, &grant, NOW, &err), 0);
    }
    grant = grant_of(200);
    assert_int_equal(km_grants_add(g, &grant, NOW, &err), KM_E_LIMIT);
    /* What is over makes room. */
    assert_int_equal(km_grants_add(g, &grant, NOW + KM_GRANT_CODE_US, &err), 0);
    assert_int_equal(km_grants_count(g), 1);
    assert_true(km_grants_remove(g, grant.id));
    assert_false(km_grants_remove(g, grant.id));
    km_grants_free(g);
}

static void a_resource_covers_what_lies_below(void **state)
{
    static const struct {
        const char *resource, *path;
        bool covers;
    } rows[] = {
        { "https://host/mcp", "/mcp", true },
        { "https://host/mcp", "/mcp/x", true },
        { "https://host/mcp/", "/mcp", true },
        { "https://host/mcp", "/mcp2", false },
        { "https://host/mcp", "/v1/models", false },
        { "https://host/mcp", "/", false },
        { "https://host/mcp/x", "/mcp", false },
        { "https://host/mcp/x", "/mcp/xy", false },
        { "https://host", "/v1/models", true },
        { "https://host/", "/", true },
        { "", "/anything", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(km_grant_covers(km_str_c(rows[i].resource), km_str_c(rows[i].path)),
                         rows[i].covers);
}

static void a_throttle_counts_each_by_itself(void **state)
{
    struct km_throttle *t = km_throttle_new(4096, 2);
    struct km_err err;

    (void)state;
    assert_int_equal(km_throttle_take(t, KM_STR("a"), 1000, &err), 0);
    assert_int_equal(km_throttle_look(t, KM_STR("a"), 1000, &err), 0);
    assert_int_equal(km_throttle_take(t, KM_STR("a"), 2000, &err), 0);
    assert_int_equal(km_throttle_look(t, KM_STR("a"), 2000, &err), KM_E_RATE_LIMITED);
    assert_int_equal(km_throttle_take(t, KM_STR("a"), 31000, &err), KM_E_RATE_LIMITED);
    assert_int_equal(err.retry_after_ms, 30000);
    assert_int_equal(km_throttle_take(t, KM_STR("a"), 61000, &err), 0);
    km_throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_becomes_tokens_once),
        cmocka_unit_test(a_code_that_does_not_fit_stays),
        cmocka_unit_test(a_replaced_refresh_token_ends_it_after_a_while),
        cmocka_unit_test(there_are_so_many_and_no_more),
        cmocka_unit_test(a_resource_covers_what_lies_below),
        cmocka_unit_test(a_throttle_counts_each_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
