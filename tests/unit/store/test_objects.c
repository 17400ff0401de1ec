/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/objects.h"
#include "support.h"

static const uint8_t mine[32] = { 1 }, other[32] = { 2 };

static int put(struct place *p, const char *id, const char *kind, const uint8_t owner[32],
               const char *json)
{
    struct km_object o = { .id = km_str_c(id),
                           .kind = km_str_c(kind),
                           .deployment = KM_STR("d"),
                           .model = KM_STR("m"),
                           .json = km_str_c(json) };

    memcpy(o.owner, owner, 32);
    km_store_object_put(p->store, p->reply, &o, on_done, p);
    return answer(p);
}

static int get(struct place *p, const char *id, const char *kind, const uint8_t owner[32])
{
    km_store_object_get(p->store, p->reply, km_str_c(kind), km_str_c(id), owner, on_json, p);
    return answer(p);
}

static int claim(struct place *p, const char *id, const uint8_t owner[32], uint8_t call)
{
    struct km_uuid uuid = { { call } };

    km_store_object_claim(p->store, p->reply, km_str_c(id), owner, &uuid, on_done, p);
    return answer(p);
}

static int drop(struct place *p, const char *id, const uint8_t owner[32])
{
    km_store_object_delete(p->store, p->reply, km_str_c(id), owner, on_done, p);
    return answer(p);
}

static void run_sql(struct place *p, const char *sql)
{
    sqlite3 *db;

    db = sqlite_open(p->db);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void an_object_is_its_owners_alone(void **state)
{
    struct km_object o;
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(get(&p, "f", "file", mine), KM_E_NOT_FOUND);
    assert_int_equal(put(&p, "f", "file", mine, "{\"x\":1}"), 0);
    assert_int_equal(get(&p, "f", "file", other), KM_E_NOT_FOUND);
    assert_int_equal(get(&p, "f", "batch", mine), KM_E_NOT_FOUND);
    assert_int_equal(get(&p, "f", "file", mine), 0);
    assert_int_equal(km_object_read(km_buf_view(&p.json), &o, NULL), 0);
    assert_true(km_str_eq(o.deployment, KM_STR("d")) && km_str_eq(o.model, KM_STR("m")));
    assert_true(km_str_eq(o.json, KM_STR("{\"x\":1}")) && !o.charged);
    assert_int_equal(put(&p, "f", "file", mine, "{}"), 0); /* newer */
    assert_int_equal(get(&p, "f", "file", mine), 0);
    assert_int_equal(km_object_read(km_buf_view(&p.json), &o, NULL), 0);
    assert_true(km_str_eq(o.json, KM_STR("{}")));
    assert_int_equal(drop(&p, "f", other), 0);
    assert_int_equal(get(&p, "f", "file", mine), 0);
    assert_int_equal(drop(&p, "f", mine), 0);
    assert_int_equal(get(&p, "f", "file", mine), KM_E_NOT_FOUND);
    assert_int_equal(km_object_read(KM_STR("file\nd"), &o, NULL), KM_E_STORE);
    place_done(&p);
}

static void a_batch_is_claimed_once_and_again_when_its_claim_died(void **state)
{
    struct km_object o;
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, "b", "batch", mine, "{}"), 0);
    assert_int_equal(claim(&p, "b", other, 1), KM_E_EXISTS);
    assert_int_equal(claim(&p, "b", mine, 1), 0);
    assert_int_equal(claim(&p, "b", mine, 2), KM_E_EXISTS);
    assert_int_equal(get(&p, "b", "batch", mine), 0);
    assert_int_equal(km_object_read(km_buf_view(&p.json), &o, NULL), 0);
    assert_true(o.charged);
    /* What a start makes of an intent that was never settled. */
    run_sql(&p, "INSERT INTO spend (id, key, route, start_us, prompt_tokens, completion_tokens,"
                " cached_tokens, cost, status, flags) VALUES"
                " (x'01000000000000000000000000000000', 1, 1, 1, 0, 0, 0, 0, 0, 8)");
    assert_int_equal(get(&p, "b", "batch", mine), 0);
    assert_int_equal(km_object_read(km_buf_view(&p.json), &o, NULL), 0);
    assert_false(o.charged);
    assert_int_equal(claim(&p, "b", mine, 3), 0);
    assert_int_equal(claim(&p, "b", mine, 4), KM_E_EXISTS);
    place_done(&p);
}

static void a_new_secret_keeps_what_the_old_one_made(void **state)
{
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, "b", "batch", mine, "{}"), 0);
    assert_int_equal(claim(&p, "b", mine, 1), 0);
    run_sql(&p, "INSERT INTO key_heirs SELECT owner, x'02"
                "00000000000000000000000000000000000000000000000000000000000000' FROM objects");
    assert_int_equal(get(&p, "b", "batch", other), 0);
    assert_int_equal(put(&p, "b", "batch", other, "{\"new\":1}"), 0);
    assert_int_equal(claim(&p, "b", other, 2), KM_E_EXISTS); /* it is the same one */
    place_done(&p);
}

static void what_answers_were_made_of_is_forgotten_after_a_month(void **state)
{
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, "msg_1", "item", mine, "{}"), 0);
    assert_int_equal(put(&p, "file-1", "file", mine, "{}"), 0);
    assert_int_equal(get(&p, "msg_1", "item", mine), 0);
    assert_int_equal(get(&p, "msg_1", "item", other), KM_E_NOT_FOUND);
    assert_int_equal(get(&p, "msg_1", "file", mine), KM_E_NOT_FOUND);
    run_sql(&p, "UPDATE objects SET created_us = created_us - 31 * 86400000000");
    assert_int_equal(put(&p, "audio_1", "audio", mine, "{}"), 0);
    assert_int_equal(get(&p, "msg_1", "item", mine), KM_E_NOT_FOUND);
    assert_int_equal(get(&p, "audio_1", "audio", mine), 0);
    assert_int_equal(get(&p, "file-1", "file", mine), 0);
    place_done(&p);
}

static void list(struct place *p, const char *after, const char *purpose, int64_t limit)
{
    km_store_object_list(p->store, p->reply, KM_STR("file"), km_str_c(after), km_str_c(purpose),
                         limit, mine, on_json, p);
    assert_int_equal(answer(p), 0);
}

static void a_list_has_pages_and_purposes(void **state)
{
    struct place p;

    (void)state;
    place_begin(&p);
    list(&p, "", "", 10);
    assert_string_equal(km_buf_cstr(&p.json), "{\"object\":\"list\",\"data\":[],\"first_id\":null,"
                                              "\"last_id\":null,\"has_more\":false}");
    assert_int_equal(put(&p, "f1", "file", mine, "{\"id\":1,\"purpose\":\"batch\"}"), 0);
    assert_int_equal(put(&p, "f2", "file", mine, "{\"id\":2,\"purpose\":\"vision\"}"), 0);
    assert_int_equal(put(&p, "f3", "file", other, "{\"id\":3}"), 0);
    assert_int_equal(put(&p, "b", "batch", mine, "{\"id\":4}"), 0);
    run_sql(&p, "UPDATE objects SET created_us = CASE id WHEN 'f1' THEN 1 ELSE 2 END");
    list(&p, "", "", 1);
    assert_string_equal(km_buf_cstr(&p.json),
                        "{\"object\":\"list\",\"data\":[{\"id\":2,\"purpose\":\"vision\"}],"
                        "\"first_id\":\"f2\",\"last_id\":\"f2\",\"has_more\":true}");
    list(&p, "f2", "", 1);
    assert_string_equal(km_buf_cstr(&p.json),
                        "{\"object\":\"list\",\"data\":[{\"id\":1,\"purpose\":\"batch\"}],"
                        "\"first_id\":\"f1\",\"last_id\":\"f1\",\"has_more\":false}");
    list(&p, "", "batch", 10);
    assert_string_equal(km_buf_cstr(&p.json),
                        "{\"object\":\"list\",\"data\":[{\"id\":1,\"purpose\":\"batch\"}],"
                        "\"first_id\":\"f1\",\"last_id\":\"f1\",\"has_more\":false}");
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_its_owners_alone),
        cmocka_unit_test(a_batch_is_claimed_once_and_again_when_its_claim_died),
        cmocka_unit_test(a_new_secret_keeps_what_the_old_one_made),
        cmocka_unit_test(what_answers_were_made_of_is_forgotten_after_a_month),
        cmocka_unit_test(a_list_has_pages_and_purposes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
