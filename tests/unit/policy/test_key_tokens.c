/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens a minute of a key: what calls that run hold, and who has it after a hand-over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "policy/key.h"

#define CALLS 400

static const struct km_admission twenty = {
    .input_tokens = 5, .output_bound = 15, .now_ms = 1000, .now_us = 1
};

static struct km_key_row row_of(int64_t tpm)
{
    struct km_key_row row = { .max_budget = -1, .soft_budget = -1, .rpm = -1, .max_parallel = -1 };

    row.tpm = tpm;
    memset(row.hash, 1, sizeof row.hash);
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

struct caller {
    struct km_key *key;
    _Atomic int *passed;
    struct km_permit permit;
    pthread_t thread;
};

static void *call_once(void *arg)
{
    struct caller *c = arg;

    if (km_permit_take(c->key, &twenty, &c->permit, NULL, NULL, NULL) == 0)
        atomic_fetch_add(c->passed, 1);
    return NULL;
}

/* 20 tokens each, all at once: as many as the limit has room for. */
static void four_hundred_calls_do_not_pass_a_limit_for_fifteen(void **state)
{
    struct km_key_row row = row_of(300);
    static struct caller callers[CALLS];
    _Atomic int passed = 0;
    struct km_permit late = { 0 };
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    for (int i = 0; i < CALLS; i++) {
        callers[i] = (struct caller){ .key = k, .passed = &passed };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_once, &callers[i]), 0);
    }
    for (int i = 0; i < CALLS; i++)
        pthread_join(callers[i].thread, NULL);
    assert_int_equal(atomic_load(&passed), 15);
    for (int i = 0; i < CALLS; i++)
        km_permit_settle(&callers[i].permit, 0, 20, 1000);
    assert_int_equal(km_permit_take(k, &twenty, &late, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    km_key_unref(k);
    km_keys_free(keys);
}

static void what_is_left_is_told_without_what_runs_holds(void **state)
{
    struct km_key_row row = row_of(100);
    struct km_admission dear = twenty;
    struct km_permit a = { 0 }, b = { 0 };
    struct km_headroom room;
    struct km_err err = { 0 };
    struct km_key *k;
    struct km_keys *keys;

    (void)state;
    row.max_budget = 10;
    keys = keys_with(&row, &k);
    dear.reserve = 11;
    assert_int_equal(km_permit_take(k, &twenty, &a, &room, NULL, NULL), 0);
    assert_int_equal(room.remaining_tokens, 80);
    assert_int_equal(a.tokens, 20);
    assert_int_equal(km_permit_take(k, &dear, &b, &room, NULL, NULL), KM_E_BUDGET);
    assert_int_equal(km_permit_take(k, &twenty, &b, &room, NULL, NULL), 0);
    assert_int_equal(room.remaining_tokens, 60); /* the refused one burnt nothing */
    km_permit_settle(&a, 0, 2, 1000);
    km_permit_settle(&b, 0, 0, 1000);
    assert_int_equal(km_permit_take(k, &twenty, &a, &room, NULL, NULL), 0);
    assert_int_equal(room.remaining_tokens, 78);
    /* The window is over and what runs holds too much: it may end at any time. */
    dear = twenty;
    dear.input_tokens = 81;
    dear.now_ms = 200000;
    assert_int_equal(km_permit_take(k, &dear, &b, NULL, NULL, &err), KM_E_RATE_LIMITED);
    assert_int_equal(err.retry_after_ms, 1000);
    km_permit_settle(&a, 0, 0, 200000);
    km_key_unref(k);
    km_keys_free(keys);
}

/* An agent bounds each answer at 32,000 and gets 40. */
static void answers_teach_what_the_next_ones_need(void **state)
{
    struct km_key_row row = row_of(100000);
    struct km_admission agent = twenty;
    struct km_permit p = { 0 };
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    agent.output_bound = 32000;
    assert_int_equal(km_permit_take(k, &agent, &p, NULL, NULL, NULL), 0);
    assert_int_equal(p.tokens, 5 + KM_LIMIT_OUTPUT_UNKNOWN);
    p.output_tokens = 40;
    km_permit_settle(&p, 0, 45, 1000);
    assert_int_equal(km_permit_take(k, &agent, &p, NULL, NULL, NULL), 0);
    assert_int_equal(p.tokens, 45);
    assert_int_equal(p.output_tokens, 0);
    km_permit_settle(&p, 0, 45, 1000); /* an estimate teaches nothing */
    km_permit_charge(&(struct km_permit){ .key = k, .output_tokens = 40 }, 0, 45, 1000);
    assert_int_equal(km_permit_take(k, &agent, &p, NULL, NULL, NULL), 0);
    assert_int_equal(p.tokens, 45);
    km_permit_settle(&p, 0, 0, 1000);
    km_key_unref(k);
    km_keys_free(keys);
}

static void an_outer_call_holds_no_tokens_and_those_within_do(void **state)
{
    struct km_key_row row = row_of(30);
    struct km_admission outer = twenty, within = twenty;
    struct km_permit place = { 0 }, one = { 0 }, two = { 0 };
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    outer.part = KM_PERMIT_PLACE;
    within.part = KM_PERMIT_WITHIN;
    assert_int_equal(km_permit_take(k, &outer, &place, NULL, NULL, NULL), 0);
    assert_int_equal(place.tokens, 0);
    assert_int_equal(km_permit_take(k, &within, &one, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(k, &within, &two, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    km_permit_settle(&place, 0, 0, 1000);
    assert_int_equal(km_permit_take(k, &within, &two, NULL, NULL, NULL), KM_E_RATE_LIMITED);
    km_permit_settle(&one, 0, 1, 1000);
    assert_int_equal(km_permit_take(k, &within, &two, NULL, NULL, NULL), 0);
    km_permit_settle(&two, 0, 0, 1000);
    km_key_unref(k);
    km_keys_free(keys);
}

static void a_session_asks_again_with_the_tokens_it_holds(void **state)
{
    struct km_key_row row = row_of(30);
    struct km_permit session = { 0 };
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    assert_int_equal(km_permit_take(k, &twenty, &session, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_again(&session, k, &twenty, NULL), 0);
    km_permit_charge(&session, 0, 10, 1000);
    assert_int_equal(km_permit_again(&session, k, &twenty, NULL), 0);
    km_permit_charge(&session, 0, 10, 1000);
    assert_int_equal(km_permit_again(&session, k, &twenty, NULL), KM_E_RATE_LIMITED);
    km_permit_settle(&session, 0, 0, 1000);
    km_key_unref(k);
    km_keys_free(keys);
}

/* --- hand-over --- */

static int64_t left_of(struct km_key *k)
{
    struct km_admission look = { .now_ms = 1000, .now_us = 1 };
    struct km_permit p = { 0 };
    struct km_headroom room = { 0 };

    assert_int_equal(km_permit_take(k, &look, &p, &room, NULL, NULL), 0);
    km_permit_settle(&p, 0, 0, 1000);
    return room.remaining_tokens;
}

static void what_calls_hold_passes_to_the_next_process_and_comes_back(void **state)
{
    struct km_key_row row = row_of(1000);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_admission within = twenty;
    struct km_permit a = { 0 }, b = { 0 }, c = { 0 };
    const struct km_permit whole = { .output_tokens = 12 }, inner = { .part = KM_PERMIT_WITHIN };
    const struct km_permit place = { .part = KM_PERMIT_PLACE };
    const struct km_permit money = { .part = KM_PERMIT_WITHIN, .tokens = -1 };
    struct km_key *was, *k;
    struct km_keys *old = keys_with(&row, &was), *new = keys_with(&row, &k);

    (void)state;
    within.part = KM_PERMIT_WITHIN;
    within.input_tokens = 46;
    assert_int_equal(km_permit_take(was, &twenty, &a, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(was, &twenty, &b, NULL, NULL, NULL), 0);
    assert_int_equal(km_permit_take(was, &within, &c, NULL, NULL, NULL), 0);
    km_keys_export(old, &text);
    assert_int_equal(km_keys_import(new, km_buf_view(&text), NULL), 0);
    assert_int_equal(left_of(k), 1000 - 20 - 20 - 61);
    km_permit_settle(&a, 0, 0, 1000);
    km_permit_settle(&b, 0, 0, 1000);
    km_permit_settle(&c, 0, 0, 1000);
    /* One that is admitted here for the old one. */
    assert_int_equal(km_keys_admit_imported(new, row.hash, &twenty, NULL, NULL, NULL), 0);
    assert_int_equal(left_of(k), 1000 - 121);
    km_keys_settle_imported(new, row.hash, &place, 0, 0, 1000);
    km_keys_settle_imported(new, row.hash, &money, 0, 0, 1000);
    assert_int_equal(left_of(k), 1000 - 121);
    for (int i = 0; i < 3; i++)
        km_keys_settle_imported(new, row.hash, &whole, 0, 20, 1000);
    assert_true(left_of(k) < 1000 - 60);
    km_keys_settle_imported(new, row.hash, &inner, 0, 20, 1000);
    assert_int_equal(left_of(k), 1000 - 80);
    /* Nothing is given back that is not there. */
    km_keys_settle_imported(new, row.hash, &inner, 0, 0, 1000);
    assert_int_equal(left_of(k), 1000 - 80);
    /* What was learnt there is known. */
    within.output_bound = -1;
    within.input_tokens = 0;
    assert_int_equal(km_permit_take(k, &within, &c, NULL, NULL, NULL), 0);
    assert_int_equal(c.tokens, 12);
    km_permit_settle(&c, 0, 0, 1000);
    km_key_unref(was);
    km_key_unref(k);
    km_keys_free(old);
    km_keys_free(new);
}

static void what_a_lost_process_held_is_free_again(void **state)
{
    struct km_key_row row = row_of(1000);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_permit a = { 0 };
    struct km_key *was, *k;
    struct km_keys *old = keys_with(&row, &was), *new = keys_with(&row, &k);

    (void)state;
    assert_int_equal(km_permit_take(was, &twenty, &a, NULL, NULL, NULL), 0);
    a.output_tokens = 77;
    km_permit_settle(&a, 0, 80, 1000);
    assert_int_equal(km_permit_take(was, &twenty, &a, NULL, NULL, NULL), 0);
    km_keys_export(old, &text);
    assert_int_equal(km_keys_import(new, km_buf_view(&text), NULL), 0);
    km_permit_settle(&a, 0, 0, 1000);
    km_keys_end_import(new);
    assert_int_equal(left_of(k), 1000 - 80);
    km_key_unref(was);
    assert_int_equal(km_permit_take(k, &(struct km_admission){ .output_bound = -1, .now_ms = 1000 },
                                    &a, NULL, NULL, NULL),
                     0);
    assert_int_equal(a.tokens, 77);
    km_permit_settle(&a, 0, 0, 1000);
    km_key_unref(k);
    km_keys_free(old);
    km_keys_free(new);
}

/* A process before ours told no tokens that are held. */
static void a_line_of_before_is_read(void **state)
{
    struct km_key_row row = row_of(1000);
    const struct km_permit whole = { .part = KM_PERMIT_WHOLE };
    struct km_key *k;
    struct km_keys *keys = keys_with(&row, &k);

    (void)state;
    assert_int_equal(
        km_keys_import(keys,
                       KM_STR("0101010101010101010101010101010101010101010101010101010101010101"
                              " 1 0 0 900 6 50 2\n"),
                       NULL),
        0);
    assert_int_equal(left_of(k), 950);
    km_keys_settle_imported(keys, row.hash, &whole, 0, 20, 1000);
    assert_int_equal(left_of(k), 930);
    assert_int_equal(
        km_keys_import(keys,
                       KM_STR("0101010101010101010101010101010101010101010101010101010101010101"
                              " 1 0 0 900 6 50 2 30 -1\n"),
                       NULL),
        KM_E_INVALID);
    assert_int_equal(left_of(k), 930);
    km_key_unref(k);
    km_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_hundred_calls_do_not_pass_a_limit_for_fifteen),
        cmocka_unit_test(what_is_left_is_told_without_what_runs_holds),
        cmocka_unit_test(answers_teach_what_the_next_ones_need),
        cmocka_unit_test(an_outer_call_holds_no_tokens_and_those_within_do),
        cmocka_unit_test(a_session_asks_again_with_the_tokens_it_holds),
        cmocka_unit_test(what_calls_hold_passes_to_the_next_process_and_comes_back),
        cmocka_unit_test(what_a_lost_process_held_is_free_again),
        cmocka_unit_test(a_line_of_before_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
