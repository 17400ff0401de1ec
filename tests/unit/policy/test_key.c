/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "policy/key.h"

#define USD 1000000000LL
#define SECOND 1000000LL

static struct km_key_row row_of(uint8_t id)
{
    struct km_key_row row = { .max_budget = -1,
                              .soft_budget = -1,
                              .rpm = -1,
                              .tpm = -1,
                              .max_parallel = -1,
                              .name = KM_STR("sk-...wxyz") };

    memset(row.hash, id, 32);
    return row;
}

static struct km_keys *keys_with(const struct km_key_row *row, struct km_key **ret_key)
{
    struct km_keys *keys = km_keys_new(4);

    assert_int_equal(km_keys_put(keys, row, NULL), 0);
    *ret_key = km_keys_find(keys, row->hash);
    assert_non_null(*ret_key);
    return keys;
}

static const struct km_permit a_dime = { .reserved = USD / 10 };
static const struct km_admission ten_cents = { .reserve = USD / 10,
                                               .now_ms = 1000,
                                               .now_us = 1000 * SECOND };

static void a_key_is_found_replaced_and_deleted(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_key *k, *again;
    struct km_keys *keys;

    (void)state;
    row.alias = KM_STR("first");
    row.spend = 5;
    keys = keys_with(&row, &k);
    assert_int_equal(km_key_spend(k), 5);
    row.alias = KM_STR("second");
    row.spend = 99; /* only the first loading brings spend */
    assert_int_equal(km_keys_put(keys, &row, NULL), 0);
    assert_true(km_str_eq(k->alias_label, KM_STR("first")));
    again = km_keys_by_alias(keys, KM_STR("second"));
    assert_non_null(again);
    assert_ptr_equal(again->live, k->live);
    assert_int_equal(km_key_spend(again), 5);
    assert_null(km_keys_by_alias(keys, KM_STR("first")));
    assert_true(km_keys_del(keys, row.hash));
    assert_false(km_keys_del(keys, row.hash));
    assert_null(km_keys_find(keys, row.hash));
    assert_int_equal(km_key_spend(again), 5); /* still ours */
    km_key_unref(again);
    km_key_unref(k);
    km_keys_free(keys);
}

static void the_table_is_bounded_and_lists_all(void **state)
{
    struct km_keys *keys = km_keys_new(4);
    struct km_key **all;
    struct km_err err;
    size_t n;

    (void)state;
    assert_null(km_keys_all(keys, &n));
    assert_int_equal(n, 0);
    for (uint8_t i = 0; i < 4; i++) {
        struct km_key_row row = row_of(i);

        assert_int_equal(km_keys_put(keys, &row, &err), 0);
        assert_int_equal(km_keys_put(keys, &row, &err), 0); /* replacing needs no room */
    }
    {
        struct km_key_row row = row_of(9);

        assert_int_equal(km_keys_put(keys, &row, &err), KM_E_LIMIT);
    }
    all = km_keys_all(keys, &n);
    assert_int_equal(n, 4);
    while (n)
        km_key_unref(all[--n]);
    free(all);
    km_keys_free(keys);
}

static void models_are_allowed_by_name_star_or_alias(void **state)
{
    static const struct km_str some[] = { { "gpt-4o", 6 }, { "openai/*", 8 } };
    static const struct km_str every[] = { { "all-proxy-models", 16 } };
    struct km_key_row row = row_of(1);
    struct km_key k = { .row = row };
    struct km_err err;

    (void)state;
    assert_int_equal(km_key_grants_model(&k, KM_STR("x"), KM_STR_NONE, NULL), KM_GRANTED);
    k.row.models = (struct km_str_list){ some, 2 };
    assert_int_equal(km_key_grants_model(&k, KM_STR("gpt-4o"), KM_STR_NONE, NULL), KM_GRANTED);
    assert_int_equal(km_key_grants_model(&k, KM_STR("openai/o3"), KM_STR_NONE, NULL), KM_GRANTED);
    assert_int_equal(km_key_grants_model(&k, KM_STR("my-alias"), KM_STR("gpt-4o"), NULL),
                     KM_GRANTED);
    assert_int_equal(km_key_grants_model(&k, KM_STR("gpt-4o-mini"), KM_STR_NONE, &err), KM_DENIED);
    assert_int_equal(err.code, KM_E_MODEL_DENIED);
    assert_string_equal(err.text, "key not allowed to access model. This key can only access "
                                  "models=['gpt-4o', 'openai/*']. Tried to access gpt-4o-mini");
    assert_string_equal(km_err_openai_type(&err), "key_model_access_denied");
    k.row.models = (struct km_str_list){ every, 1 };
    assert_int_equal(km_key_grants_model(&k, KM_STR("x"), KM_STR_NONE, NULL), KM_GRANTED);
}

static void blocked_and_expired_keys_say_so_in_litellms_words(void **state)
{
    struct km_key k = { .row = row_of(1) };
    struct km_err err;

    (void)state;
    assert_int_equal(km_key_grants_use(&k, 5 * SECOND, NULL), KM_GRANTED);
    k.row.expires_us = 5 * SECOND;
    assert_int_equal(km_key_grants_use(&k, 5 * SECOND - 1, NULL), KM_GRANTED);
    assert_int_equal(km_right_code(km_key_grants_use(&k, 6 * SECOND, &err), &err),
                     KM_E_UNAUTHENTICATED);
    assert_string_equal(err.text, "Authentication Error - Expired Key. Key Expiry time "
                                  "1970-01-01T00:00:05.000000Z and current time "
                                  "1970-01-01T00:00:06.000000Z");
    assert_string_equal(km_err_openai_type(&err), "expired_key");
    k.row.blocked = true;
    assert_int_equal(km_right_code(km_key_grants_use(&k, 0, &err), &err), KM_E_UNAUTHENTICATED);
    assert_string_equal(err.text, "Authentication Error, Key is blocked. Update via `/key/unblock` "
                                  "if you're an admin.");
    assert_string_equal(km_err_openai_type(&err), "auth_error");
}

static void a_permit_is_given_back_exactly_once(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_permit permit = { 0 };
    struct km_headroom room;
    struct km_key *k;
    struct km_keys *keys;
    bool rolled = true;

    (void)state;
    row.max_budget = USD;
    row.rpm = 10;
    row.max_parallel = 1;
    keys = keys_with(&row, &k);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, &room, &rolled, NULL), 0);
    assert_false(rolled);
    assert_int_equal(room.limit_requests, 10);
    assert_int_equal(room.remaining_requests, 9);
    assert_int_equal(room.remaining_tokens, -1);
    assert_int_equal(room.reset_ms, 60000);
    assert_int_equal(km_key_reserved(k), USD / 10);
    assert_int_equal(km_key_left(k), USD - USD / 10);
    km_permit_settle(&permit, USD / 20, 7, 1001);
    km_permit_settle(&permit, USD / 20, 7, 1001);
    assert_int_equal(km_key_reserved(k), 0);
    assert_int_equal(km_key_spend(k), USD / 20);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, NULL), 0);
    km_permit_settle(&permit, 0, 0, 1001);
    km_key_unref(k);
    km_keys_free(keys);
}

static void a_refusal_takes_nothing_at_all(void **state)
{
    struct km_key_row row = row_of(0xab);
    struct km_permit held = { 0 }, permit = { 0 };
    struct km_admission all = ten_cents;
    struct km_headroom room;
    struct km_err err;
    struct km_key *k;
    struct km_keys *keys;

    (void)state;
    row.max_budget = USD;
    row.rpm = 3;
    row.max_parallel = 1;
    keys = keys_with(&row, &k);
    all.reserve = USD + 1;
    for (int i = 0; i < 10; i++)
        assert_int_equal(km_permit_take(k, &all, &permit, NULL, NULL, &err), KM_E_BUDGET);
    assert_int_equal(km_permit_take(k, &ten_cents, &held, &room, NULL, NULL), 0);
    assert_int_equal(room.remaining_requests, 2);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, &err), KM_E_RATE_LIMITED);
    assert_string_equal(err.text,
                        "Rate limit exceeded for api_key: "
                        "abababababababababababababababababababababababababababababababab. "
                        "Limit type: max_parallel_requests. Current limit: 1, Remaining: 0. "
                        "Limit resets at: 1970-01-01 00:16:41 UTC");
    assert_string_equal(km_err_openai_type(&err), "throttling_error");
    assert_int_equal(err.retry_after_ms, 1000);
    km_permit_settle(&held, 0, 0, 1000);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, NULL), 0);
        km_permit_settle(&permit, 0, 0, 1000);
    }
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, &err), KM_E_RATE_LIMITED);
    assert_int_equal(err.retry_after_ms, 60000);
    assert_non_null(strstr(err.text, "Limit type: requests. Current limit: 3"));
    assert_null(permit.key);
    km_key_unref(k);
    km_keys_free(keys);
}

/* A call that is made of several has one place and no request; what it asks for has the rest. */
static void parts_of_a_permit_make_a_whole(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_admission outer = ten_cents, inner = ten_cents;
    struct km_permit place = { 0 }, within[2] = { { 0 }, { 0 } }, other = { 0 };
    struct km_headroom room;
    struct km_err err;
    struct km_key *k;
    struct km_keys *keys;

    (void)state;
    row.rpm = 2;
    row.tpm = 10;
    row.max_parallel = 1;
    row.max_budget = USD;
    keys = keys_with(&row, &k);
    outer.part = KM_PERMIT_PLACE;
    outer.reserve = 0;
    inner.part = KM_PERMIT_WITHIN;
    assert_int_equal(km_permit_take(k, &outer, &place, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(k, &outer, &other, NULL, NULL, &err), KM_E_RATE_LIMITED);
    assert_non_null(strstr(err.text, "max_parallel_requests"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(km_permit_take(k, &inner, &within[i], &room, NULL, NULL), 0);
    assert_int_equal(room.remaining_requests, 0);
    assert_int_equal(km_key_reserved(k), 2 * (USD / 10));
    assert_int_equal(km_permit_take(k, &inner, &other, NULL, NULL, &err), KM_E_RATE_LIMITED);
    assert_non_null(strstr(err.text, "Limit type: requests"));
    km_permit_settle(&within[0], USD / 20, 6, 1000);
    km_permit_settle(&within[1], USD / 20, 6, 1000);
    assert_int_equal(km_key_spend(k), USD / 10);
    /* The place is still taken, and the tokens of what was within count. */
    assert_int_equal(km_permit_take(k, &outer, &other, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    inner.now_ms += 61000;
    assert_int_equal(km_permit_take(k, &inner, &other, NULL, NULL, NULL), 0);
    km_permit_settle(&other, 0, 10, inner.now_ms);
    assert_int_equal(km_permit_take(k, &inner, &other, NULL, NULL, &err), KM_E_RATE_LIMITED);
    assert_non_null(strstr(err.text, "Limit type: tokens"));
    km_permit_settle(&place, 0, 0, inner.now_ms);
    assert_int_equal(km_permit_take(k, &outer, &place, NULL, NULL, NULL), 0);
    km_permit_settle(&place, 0, 0, inner.now_ms);
    km_key_unref(k);
    km_keys_free(keys);
}

/* What was handed over comes back part by part: a place never for what had none. */
static void parts_that_were_handed_over_come_back_as_they_went(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_admission outer = ten_cents, inner = ten_cents;
    struct km_permit held = { .part = KM_PERMIT_WITHIN, .reserved = USD / 10 }, own = { 0 };
    struct km_key *k;
    struct km_keys *keys;

    (void)state;
    row.max_parallel = 1;
    row.max_budget = USD;
    keys = keys_with(&row, &k);
    outer.part = KM_PERMIT_PLACE;
    outer.reserve = 0;
    inner.part = KM_PERMIT_WITHIN;
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &outer, NULL, NULL, NULL), 0);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &inner, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(k, &ten_cents, &own, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    km_keys_settle_imported(keys, row.hash, &held, USD / 20, 1, 1000);
    assert_int_equal(km_key_reserved(k), 0);
    assert_int_equal(km_permit_take(k, &ten_cents, &own, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    held = (struct km_permit){ .part = KM_PERMIT_PLACE };
    km_keys_settle_imported(keys, row.hash, &held, 0, 0, 1000);
    assert_int_equal(km_permit_take(k, &ten_cents, &own, NULL, NULL, NULL), 0);
    km_permit_settle(&own, 0, 0, 1000);
    assert_int_equal(km_key_spend(k), USD / 20);
    km_key_unref(k);
    km_keys_free(keys);
}

static void a_key_that_names_no_parallelism_has_the_default(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_admission a = ten_cents;
    struct km_permit first = { 0 }, second = { 0 };
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    a.default_max_parallel = 1;
    assert_int_equal(km_permit_take(k, &a, &first, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(k, &a, &second, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    a.default_max_parallel = -1;
    assert_int_equal(km_permit_take(k, &a, &second, NULL, NULL, NULL), 0);
    km_permit_settle(&first, 0, 0, 1000);
    km_permit_settle(&second, 0, 0, 1000);
    km_key_unref(k);
    km_keys_free(keys);
}

static void an_update_with_an_old_window_does_not_turn_it_again(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_admission a = ten_cents;
    struct km_permit permit = { 0 };
    struct km_key *k;
    struct km_keys *keys;
    bool rolled;

    (void)state;
    row.max_budget = USD;
    row.budget_duration_s = 100;
    row.budget_reset_us = 500 * SECOND;
    row.spend = USD;
    keys = keys_with(&row, &k);
    assert_int_equal(km_permit_take(k, &a, &permit, NULL, &rolled, NULL), 0);
    assert_true(rolled);
    km_permit_settle(&permit, USD / 2, 0, 1);
    row.alias = KM_STR("renamed");
    assert_int_equal(km_keys_put(keys, &row, NULL), 0); /* still with reset at 500 s */
    assert_int_equal(km_permit_take(k, &a, &permit, NULL, &rolled, NULL), 0);
    assert_false(rolled);
    assert_int_equal(km_key_reserved(k), USD / 10);
    km_permit_settle(&permit, 0, 0, 1);
    km_key_unref(k);
    km_keys_free(keys);
}

static void the_live_part_survives_a_hand_over(void **state)
{
    struct km_key_row row = row_of(1), other = row_of(2);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_permit permit = { 0 }, second = { 0 };
    struct km_keys *old, *new;
    struct km_key *was, *k;

    (void)state;
    row.max_budget = USD;
    row.max_parallel = 2;
    row.rpm = 3;
    old = keys_with(&row, &was);
    assert_int_equal(km_keys_put(old, &other, NULL), 0);
    assert_int_equal(km_permit_take(was, &ten_cents, &permit, NULL, NULL, NULL), 0);
    km_permit_settle(&permit, USD / 10, 5, 1000);
    assert_int_equal(km_permit_take(was, &ten_cents, &permit, NULL, NULL, NULL), 0);
    km_keys_export(old, &text);
    assert_int_equal(km_str_chr(km_buf_view(&text), '\n'), text.n - 1); /* one key has a life */

    new = keys_with(&row, &k);
    assert_int_equal(km_keys_import(new, km_buf_view(&text), NULL), 0);
    assert_int_equal(km_key_spend(k), USD / 10);
    assert_int_equal(km_key_reserved(k), USD / 10);
    assert_int_equal(km_permit_take(k, &ten_cents, &second, NULL, NULL, NULL), 0);
    km_permit_settle(&second, USD / 10, 0, 1000);
    assert_int_equal(km_permit_take(k, &ten_cents, &second, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    /* The old process's call ends: once; a second record of it gives nothing back. */
    km_keys_settle_imported(new, row.hash, &a_dime, USD / 20, 1, 1000);
    assert_int_equal(km_key_reserved(k), 0);
    assert_int_equal(km_key_spend(k), 2 * (USD / 10) + USD / 20);
    km_keys_end_import(new);
    assert_int_equal(km_key_spend(k), 2 * (USD / 10) + USD / 20);
    km_permit_settle(&permit, 0, 0, 1000);
    km_key_unref(was);
    km_key_unref(k);
    km_keys_free(old);
    km_keys_free(new);
}

/* In the budget it counts as what is reserved does, of the key whatever its secret is. */
static void a_hold_is_kept_back_until_it_is_released(void **state)
{
    struct km_key_row row = row_of(1), next = row_of(2);
    struct km_spend_hold hold = { .id = { { 1 } },
                                  .amount = USD - USD / 20,
                                  .made_us = km_wall_us(),
                                  .until_us = km_wall_us() + 3600000000 };
    struct km_permit permit = { 0 };
    struct km_err err = { 0 };
    struct km_keys *keys;
    struct km_key *k;

    (void)state;
    row.max_budget = next.max_budget = USD;
    memcpy(hold.payer.hash, row.hash, 32);
    memcpy(hold.payer.heir, row.hash, 32);
    keys = keys_with(&row, &k);
    km_keys_hold(keys, &hold);
    km_keys_hold(keys, &hold); /* once a call */
    assert_int_equal(km_key_held(k), USD - USD / 20);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, &err), KM_E_BUDGET);
    assert_non_null(strstr(err.text, "0.95 is held"));
    assert_int_equal(km_keys_succeed(keys, &next, row.hash, NULL), 0);
    memcpy(hold.payer.heir, next.hash, 32);
    km_keys_release(keys, &hold);
    assert_int_equal(km_key_held(k), 0);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, NULL), 0);
    km_permit_settle(&permit, 0, 0, 1);
    hold.payer.hash[0] = hold.payer.heir[0] = 99;
    km_keys_hold(keys, &hold); /* of no key */
    km_keys_release(keys, &hold);
    km_key_unref(k);
    km_keys_free(keys);
}

/* Its end was told by a clock that has been set since: no longer than it was made for. */
static void a_hold_lasts_no_longer_than_it_was_made_for(void **state)
{
    const int64_t tomorrow_us = km_wall_us() + 86400000000;
    struct km_key_row row = row_of(1);
    struct km_spend_hold hold = {
        .id = { { 1 } }, .amount = USD, .made_us = tomorrow_us, .until_us = tomorrow_us
    };
    struct km_keys *keys;
    struct km_key *k;

    (void)state;
    row.max_budget = USD;
    memcpy(hold.payer.heir, row.hash, 32);
    keys = keys_with(&row, &k);
    km_keys_hold(keys, &hold);
    assert_int_equal(km_key_held(k), 0);
    assert_int_equal(km_key_left(k), USD);
    km_key_unref(k);
    km_keys_free(keys);
}

static void a_correction_counts_in_the_window_the_call_was_paid_in(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_correction c = { .more = -(USD / 4), .at_us = 500 };
    struct km_keys *keys;
    struct km_key *k;

    (void)state;
    row.max_budget = USD;
    row.spend = USD / 2;
    memcpy(c.payer.heir, row.hash, 32);
    keys = keys_with(&row, &k);
    km_keys_correct(keys, &c);
    assert_int_equal(km_key_spend(k), USD / 4);
    c.more = USD / 8;
    km_keys_correct(keys, &c);
    assert_int_equal(km_key_spend(k), USD / 4 + USD / 8);
    c.more = -USD;
    km_keys_correct(keys, &c); /* was reset meanwhile: nothing is owed back */
    assert_int_equal(km_key_spend(k), 0);
    km_key_unref(k);
    km_keys_free(keys);
}

static void what_a_lost_process_sent_is_charged_and_held_and_the_rest_given_back(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_permit permit = { 0 }, unsent = { 0 };
    struct km_open_charge sent = { .reserved = USD / 10, .cost = USD / 50, .tokens = 7 };
    struct km_keys *old, *new;
    struct km_key *was, *k;

    (void)state;
    row.max_parallel = 2;
    row.max_budget = USD;
    memcpy(sent.payer.hash, row.hash, 32);
    memcpy(sent.payer.heir, row.hash, 32);
    sent.hold = (struct km_spend_hold){ .id = { { 1 } },
                                        .payer = sent.payer,
                                        .amount = USD / 10 - USD / 50,
                                        .made_us = km_wall_us(),
                                        .until_us = km_wall_us() + 3600000000 };
    old = keys_with(&row, &was);
    assert_int_equal(km_permit_take(was, &ten_cents, &permit, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(was, &ten_cents, &unsent, NULL, NULL, NULL), 0);
    km_keys_export(old, &text);
    new = keys_with(&row, &k);
    assert_int_equal(km_keys_import(new, km_buf_view(&text), NULL), 0);
    assert_int_equal(km_key_reserved(k), 2 * (USD / 10));
    km_keys_charge_open(new, &sent);
    assert_int_equal(km_key_spend(k), USD / 50);
    assert_int_equal(km_key_reserved(k), USD / 10);
    assert_int_equal(km_key_held(k), USD / 10 - USD / 50);
    km_keys_end_import(new);
    assert_int_equal(km_key_spend(k), USD / 50); /* the other was never sent */
    assert_int_equal(km_key_reserved(k), 0);
    assert_int_equal(km_key_left(k), USD - USD / 10);
    km_permit_settle(&permit, 0, 0, 1000);
    km_permit_settle(&unsent, 0, 0, 1000);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(k, &ten_cents, &unsent, NULL, NULL, NULL), 0);
    km_permit_settle(&permit, 0, 0, 1000);
    km_permit_settle(&unsent, 0, 0, 1000);
    km_key_unref(was);
    km_key_unref(k);
    km_keys_free(old);
    km_keys_free(new);
}

static void a_call_of_the_old_process_admitted_here_counts_here(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_permit own = { 0 };
    struct km_key *k;
    struct km_keys *keys;
    const uint8_t unknown[32] = { 9 };

    (void)state;
    row.max_budget = USD / 5;
    row.max_parallel = 2;
    keys = keys_with(&row, &k);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &ten_cents, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(k, &ten_cents, &own, NULL, NULL, NULL), 0);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &ten_cents, NULL, NULL, NULL),
                     KM_E_RATE_LIMITED);
    assert_int_equal(km_key_reserved(k), USD / 5);
    assert_int_equal(km_keys_admit_imported(keys, unknown, &ten_cents, NULL, NULL, NULL),
                     KM_E_UNAUTHENTICATED);
    km_keys_settle_imported(keys, row.hash, &a_dime, 1, 1, 1000);
    assert_int_equal(km_key_reserved(k), USD / 10);
    km_permit_settle(&own, 1, 1, 1000);
    assert_int_equal(km_key_spend(k), 2);
    km_key_unref(k);
    km_keys_free(keys);
}

/* What it has grows there, and all of it is given back by its one record. */
static void a_call_of_the_old_process_gets_more_here(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_admission more = ten_cents, again = ten_cents, later = ten_cents;
    const struct km_permit all = { .reserved = USD / 5 };
    struct km_permit own = { 0 };
    struct km_key *k;
    struct km_keys *keys;
    bool rolled = true;

    (void)state;
    row.max_budget = USD / 4;
    row.max_parallel = 1;
    row.rpm = 3;
    keys = keys_with(&row, &k);
    more.part = KM_PERMIT_MORE;
    again.part = KM_PERMIT_AGAIN;
    later.part = (enum km_permit_part)99;
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &ten_cents, NULL, NULL, NULL), 0);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &more, NULL, &rolled, NULL), 0);
    assert_false(rolled);
    assert_int_equal(km_key_reserved(k), USD / 5);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &more, NULL, NULL, NULL), KM_E_BUDGET);
    more.reserve = -USD; /* nobody's else is given back */
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &more, NULL, NULL, NULL), 0);
    assert_int_equal(km_key_reserved(k), USD / 5);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &again, NULL, NULL, NULL), 0);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &again, NULL, NULL, NULL), 0);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &again, NULL, NULL, NULL),
                     KM_E_RATE_LIMITED);
    assert_int_equal(km_keys_admit_imported(keys, row.hash, &later, NULL, NULL, NULL),
                     KM_E_UNSUPPORTED);
    assert_int_equal(km_key_reserved(k), USD / 5);
    km_keys_settle_imported(keys, row.hash, &all, USD / 10, 0, 1000);
    assert_int_equal(km_key_reserved(k), 0);
    assert_int_equal(km_key_spend(k), USD / 10);
    again.now_ms += 60001; /* its place is free, in the next minute */
    again.part = KM_PERMIT_WHOLE;
    assert_int_equal(km_permit_take(k, &again, &own, NULL, NULL, NULL), 0);
    km_permit_settle(&own, 0, 0, again.now_ms);
    km_key_unref(k);
    km_keys_free(keys);
}

static void a_broken_hand_over_is_an_error(void **state)
{
    static const char *const texts[] = {
        "x",
        "00 1 2 3 4 5 6 7",
        "\n ",
        "0101010101010101010101010101010101010101010101010101010101010101 1 2 3 4 5 6",
        "0101010101010101010101010101010101010101010101010101010101010101 1 2 3 4 5 6 -7",
    };
    struct km_key_row row = row_of(1);
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(km_keys_import(keys, km_str_c(texts[i]), NULL), KM_E_INVALID);
    assert_int_equal(km_keys_import(keys, KM_STR_NONE, NULL), 0);
    assert_int_equal(km_key_spend(k), 0);
    km_key_unref(k);
    km_keys_free(keys);
}

static void books_follow_a_key_that_is_regenerated(void **state)
{
    struct km_key_row row = row_of(1), next = row_of(2);
    uint8_t hash[32];
    struct km_key *old, *now;
    struct km_keys *keys = keys_with(&row, &old);

    (void)state;
    km_key_books(old, hash);
    assert_memory_equal(hash, row.hash, 32);
    for (uint8_t id = 2; id <= 3; id++) {
        const struct km_key_row before = id == 2 ? row : next;

        next = row_of(id);
        assert_int_equal(km_keys_succeed(keys, &next, before.hash, NULL), 0);
        assert_null(km_keys_find(keys, before.hash));
        km_key_books(old, hash);
        assert_memory_equal(hash, next.hash, 32);
        now = km_keys_find(keys, next.hash);
        km_key_books(now, hash);
        assert_memory_equal(hash, next.hash, 32);
        km_key_unref(now);
    }
    km_key_unref(old);
    km_keys_free(keys);
}

/* A dry run asks like a call, and whoever comes after it finds all as it was. */
static void a_look_takes_nothing(void **state)
{
    struct km_key_row row = row_of(1);
    struct km_permit permit = { 0 }, none = { 0 };
    struct km_admission look = ten_cents;
    struct km_headroom room;
    struct km_err err;
    struct km_key *k;
    struct km_keys *keys;

    (void)state;
    row.max_budget = USD;
    row.rpm = 1;
    row.max_parallel = 1;
    keys = keys_with(&row, &k);
    look.look = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(km_permit_take(k, &look, &none, &room, NULL, &err), 0);
    assert_null(none.key);
    assert_int_equal(room.remaining_requests, 1);
    assert_int_equal(km_key_reserved(k), 0);
    look.reserve = USD + 1;
    assert_int_equal(km_permit_take(k, &look, &none, NULL, NULL, &err), KM_E_BUDGET);
    assert_int_equal(km_permit_take(k, &ten_cents, &permit, NULL, NULL, &err), 0);
    look.reserve = 0;
    assert_int_equal(km_permit_take(k, &look, &none, NULL, NULL, &err), KM_E_RATE_LIMITED);
    km_permit_settle(&permit, 0, 0, 1000);
    assert_int_equal(km_permit_take(k, &look, &none, NULL, NULL, &err), KM_E_RATE_LIMITED);
    km_key_unref(k);
    km_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_replaced_and_deleted),
        cmocka_unit_test(a_look_takes_nothing),
        cmocka_unit_test(books_follow_a_key_that_is_regenerated),
        cmocka_unit_test(the_table_is_bounded_and_lists_all),
        cmocka_unit_test(models_are_allowed_by_name_star_or_alias),
        cmocka_unit_test(blocked_and_expired_keys_say_so_in_litellms_words),
        cmocka_unit_test(a_permit_is_given_back_exactly_once),
        cmocka_unit_test(a_refusal_takes_nothing_at_all),
        cmocka_unit_test(parts_of_a_permit_make_a_whole),
        cmocka_unit_test(parts_that_were_handed_over_come_back_as_they_went),
        cmocka_unit_test(a_key_that_names_no_parallelism_has_the_default),
        cmocka_unit_test(an_update_with_an_old_window_does_not_turn_it_again),
        cmocka_unit_test(the_live_part_survives_a_hand_over),
        cmocka_unit_test(a_hold_is_kept_back_until_it_is_released),
        cmocka_unit_test(a_hold_lasts_no_longer_than_it_was_made_for),
        cmocka_unit_test(a_correction_counts_in_the_window_the_call_was_paid_in),
        cmocka_unit_test(what_a_lost_process_sent_is_charged_and_held_and_the_rest_given_back),
        cmocka_unit_test(a_call_of_the_old_process_admitted_here_counts_here),
        cmocka_unit_test(a_call_of_the_old_process_gets_more_here),
        cmocka_unit_test(a_broken_hand_over_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
