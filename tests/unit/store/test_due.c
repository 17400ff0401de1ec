/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/due.h"
#include "support.h"

static const struct km_object batch = { .id = { "b", 1 },
                                        .kind = { "batch", 5 },
                                        .deployment = { "d", 1 },
                                        .model = { "m", 1 },
                                        .json = { "{}", 2 },
                                        .owner = { 1 } };

static void put(struct place *p, const struct km_object *o)
{
    km_store_object_put(p->store, p->reply, o, on_done, p);
    assert_int_equal(answer(p), 0);
}

static int claim(struct place *p, uint8_t call)
{
    struct km_uuid uuid = { { call } };

    km_store_object_claim(p->store, p->reply, batch.id, batch.owner, &uuid, on_done, p);
    return answer(p);
}

static int next(struct place *p, int64_t now_us, struct km_due *ret)
{
    int r;

    km_store_due_next(p->store, p->reply, now_us, on_json, p);
    r = answer(p);
    if (r == 0)
        assert_int_equal(km_due_read(km_buf_view(&p->json), ret, NULL), 0);
    return r;
}

static void again(struct place *p, int64_t due_us)
{
    km_store_due_set(p->store, p->reply, &batch, due_us, on_done, p);
    assert_int_equal(answer(p), 0);
}

static void run_sql(struct place *p, const char *sql)
{
    change(p->db, sql);
}

static void a_batch_is_due_until_it_is_settled(void **state)
{
    struct km_object file = batch;
    struct km_due due;
    struct place p;

    (void)state;
    place_begin(&p);
    file.id = file.kind = KM_STR("file");
    put(&p, &file);
    assert_int_equal(next(&p, INT64_MAX, &due), KM_E_NOT_FOUND); /* a file never is */
    put(&p, &batch);
    assert_int_equal(next(&p, 1, &due), KM_E_NOT_FOUND);
    assert_int_equal(next(&p, km_wall_us(), &due), 0);
    assert_true(km_str_eq(due.object.id, batch.id) && due.looks == 0 && !due.settled);
    assert_memory_equal(due.object.owner, batch.owner, 32);
    assert_true(due.created_us > 0 && due.created_us <= km_wall_us());
    again(&p, 500);
    assert_int_equal(next(&p, 499, &due), KM_E_NOT_FOUND);
    assert_int_equal(next(&p, 500, &due), 0);
    assert_int_equal(due.looks, 1);
    put(&p, &batch); /* news of it do not make it due again */
    assert_int_equal(next(&p, 499, &due), KM_E_NOT_FOUND);
    assert_int_equal(claim(&p, 1), 0);
    assert_int_equal(next(&p, 500, &due), 0);
    assert_true(due.object.charged && !due.settled); /* the call runs */
    run_sql(&p, "INSERT INTO spend (id, key, route, start_us, prompt_tokens, completion_tokens,"
                " cached_tokens, cost, status, flags) VALUES"
                " (x'01000000000000000000000000000000', 1, 1, 1, 0, 0, 0, 0, 200, 0)");
    assert_int_equal(next(&p, 500, &due), 0);
    assert_true(due.object.charged && due.settled);
    again(&p, 0);
    assert_int_equal(next(&p, INT64_MAX, &due), KM_E_NOT_FOUND);
    place_done(&p);
}

static void a_claim_whose_call_left_nothing_goes_at_the_next_start(void **state)
{
    struct km_due due;
    struct place p;

    (void)state;
    place_begin(&p);
    put(&p, &batch);
    assert_int_equal(claim(&p, 1), 0);
    place_close(&p);
    assert_int_equal(place_try_open(&p, true, NULL), 0); /* its process still runs */
    assert_int_equal(next(&p, km_wall_us(), &due), 0);
    assert_true(due.object.charged);
    km_store_charge_open(p.store, p.reply, 1, on_done, &p); /* but began later */
    assert_int_equal(answer(&p), 0);
    assert_int_equal(claim(&p, 2), KM_E_EXISTS);
    km_store_charge_open(p.store, p.reply, INT64_MAX / 2, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(next(&p, km_wall_us(), &due), 0);
    assert_true(!due.object.charged && !due.settled);
    assert_int_equal(claim(&p, 2), 0);
    place_close(&p);
    place_open(&p);
    assert_int_equal(claim(&p, 3), 0);
    place_done(&p);
}

static void the_heir_of_a_key_pays(void **state)
{
    static const uint8_t heir[32] = { 2 };
    struct km_due due;
    struct place p;

    (void)state;
    place_begin(&p);
    put(&p, &batch);
    run_sql(&p, "INSERT INTO key_heirs SELECT owner, x'02"
                "00000000000000000000000000000000000000000000000000000000000000' FROM objects");
    assert_int_equal(next(&p, km_wall_us(), &due), 0);
    assert_memory_equal(due.object.owner, heir, 32);
    km_store_due_set(p.store, p.reply, &due.object, 0, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(next(&p, INT64_MAX, &due), KM_E_NOT_FOUND);
    place_done(&p);
}

static void a_record_that_is_none_is_refused(void **state)
{
    struct km_due due;

    (void)state;
    assert_int_equal(km_due_read(KM_STR(""), &due, NULL), KM_E_STORE);
    assert_int_equal(km_due_read(KM_STR("zz\nb\n1\n1\n0\nbatch\nd\nm\n0\n{}\n"), &due, NULL),
                     KM_E_STORE);
    assert_int_equal(km_due_read(KM_STR("00\nb\nx\n1\n0\nbatch\nd\nm\n0\n{}\n"), &due, NULL),
                     KM_E_STORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_due_until_it_is_settled),
        cmocka_unit_test(a_claim_whose_call_left_nothing_goes_at_the_next_start),
        cmocka_unit_test(the_heir_of_a_key_pays),
        cmocka_unit_test(a_record_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
