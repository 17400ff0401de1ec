/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "mcp/parks.h"

#define WORKERS 2

/* All the parked calls a test may have, at two workers. */
struct lot {
    struct km_mcp_park_shares *shares;
    struct km_mcp_parks at[WORKERS];
    struct km_mcp_parked v[WORKERS][KM_MCP_PARKED_MOST + 1];
};

static int open_lot(void **state)
{
    struct lot *lot = calloc(1, sizeof *lot);

    lot->shares = km_mcp_park_shares_new(WORKERS);
    for (size_t i = 0; i < WORKERS; i++)
        km_mcp_parks_init(&lot->at[i], lot->shares);
    *state = lot;
    return 0;
}

static int close_lot(void **state)
{
    struct lot *lot = *state;

    for (size_t w = 0; w < WORKERS; w++) {
        for (size_t i = 0; i <= KM_MCP_PARKED_MOST; i++)
            km_mcp_parks_drop(&lot->at[w], &lot->v[w][i]);
        assert_int_equal(lot->at[w].n, 0);
    }
    km_mcp_park_shares_free(lot->shares);
    free(lot);
    return 0;
}

static int put(struct lot *lot, size_t worker, size_t i, const char *who, uint64_t now_ms)
{
    struct km_err err = { 0 };

    return km_mcp_parks_put(&lot->at[worker], &lot->v[worker][i], km_str_c(who), now_ms, &err);
}

static void a_principal_has_sixteen_wherever_they_are(void **state)
{
    struct lot *lot = *state;

    for (size_t i = 0; i < KM_MCP_PARKED_PER_PRINCIPAL; i++)
        assert_int_equal(put(lot, i % WORKERS, i, "key:a", 0), 0);
    assert_int_equal(KM_MCP_PARKED_PER_PRINCIPAL, 16);
    assert_int_equal(put(lot, 0, 20, "key:a", 0), KM_E_LIMIT);
    assert_int_equal(put(lot, 1, 20, "key:a", 0), KM_E_LIMIT);
    assert_int_equal(put(lot, 0, 21, "key:b", 0), 0); /* another one's share is its own */
    assert_int_equal(put(lot, 1, 1, "key:a", 0), 0); /* parked again: it has its place */
    km_mcp_parks_drop(&lot->at[1], &lot->v[1][1]);
    km_mcp_parks_drop(&lot->at[1], &lot->v[1][1]);
    assert_int_equal(put(lot, 0, 20, "key:a", 0), 0);
    assert_int_equal(put(lot, 1, 20, "key:a", 0), KM_E_LIMIT);
}

static void a_worker_has_a_thousand(void **state)
{
    static char who[KM_MCP_PARKED_MOST + 1][16]; /* as long as they are parked */
    struct lot *lot = *state;

    for (size_t i = 0; i <= KM_MCP_PARKED_MOST; i++)
        snprintf(who[i], sizeof who[i], "key:%zu", i / 10);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(put(lot, 0, i, who[i], 0), 0);
    assert_int_equal(put(lot, 0, 1000, who[1000], 0), KM_E_LIMIT);
    assert_int_equal(put(lot, 1, 1000, who[1000], 0), 0); /* the other worker has room */
    km_mcp_parks_drop(&lot->at[0], &lot->v[0][500]);
    assert_int_equal(put(lot, 0, 1000, who[500], 0), 0);
}

static void a_call_is_parked_for_two_minutes(void **state)
{
    const uint64_t at = 5000000;
    struct lot *lot = *state;
    struct km_mcp_parked *p = &lot->v[0][0];
    struct km_mcp_parks *parks = &lot->at[0];

    assert_int_equal(put(lot, 0, 0, "key:a", at), 0);
    assert_ptr_equal(km_mcp_parks_find(parks, p->id, at), p);
    assert_int_equal(km_mcp_parked_left_ms(p, at), 120000);
    assert_int_equal(km_mcp_parked_left_ms(p, at + 119999), 1);
    assert_ptr_equal(km_mcp_parks_find(parks, p->id, at + 119999), p);
    assert_int_equal(km_mcp_parked_left_ms(p, at + 120000), 0);
    assert_null(km_mcp_parks_find(parks, p->id, at + 120000));
    assert_null(km_mcp_parks_find(parks, p->id + 2, at));
    /* Another round of questions is another two minutes. */
    assert_int_equal(put(lot, 0, 0, "key:a", at + 100000), 0);
    assert_ptr_equal(km_mcp_parks_find(parks, p->id, at + 219999), p);
    assert_null(km_mcp_parks_find(parks, p->id, at + 220000));
}

static void a_call_keeps_its_number_and_shares_it_with_none(void **state)
{
    struct lot *lot = *state;
    uint64_t id;

    assert_int_equal(put(lot, 0, 0, "key:a", 0), 0);
    assert_int_equal(put(lot, 0, 1, "key:a", 0), 0);
    id = lot->v[0][0].id;
    assert_true(id != 0 && id != lot->v[0][1].id);
    km_mcp_parks_drop(&lot->at[0], &lot->v[0][0]);
    assert_null(km_mcp_parks_find(&lot->at[0], id, 0));
    assert_int_equal(put(lot, 0, 0, "key:a", 0), 0);
    assert_true(lot->v[0][0].id == id);
    assert_null(km_mcp_parks_find(&lot->at[1], id, 0)); /* it is the first worker's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_principal_has_sixteen_wherever_they_are, open_lot,
                                        close_lot),
        cmocka_unit_test_setup_teardown(a_worker_has_a_thousand, open_lot, close_lot),
        cmocka_unit_test_setup_teardown(a_call_is_parked_for_two_minutes, open_lot, close_lot),
        cmocka_unit_test_setup_teardown(a_call_keeps_its_number_and_shares_it_with_none, open_lot,
                                        close_lot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
