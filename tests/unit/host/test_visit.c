/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_visit.h"

static struct km_key *make_key(struct fake_visit *f, bool blocked)
{
    const struct km_key_row row = { .hash = { 0xab, 0xcd, 0xef, 0x01 },
                                    .alias = KM_STR("test"),
                                    .max_budget = -1,
                                    .soft_budget = -1,
                                    .rpm = -1,
                                    .tpm = -1,
                                    .max_parallel = -1,
                                    .blocked = blocked };

    f->gw.keys = km_keys_new(10);
    assert_int_equal(km_keys_put(f->gw.keys, &row, NULL), 0);
    return km_keys_find(f->gw.keys, row.hash);
}

static void end(struct fake_visit *f)
{
    fake_visit_done(f);
    km_keys_free(f->gw.keys);
}

static void nothing_is_done_for_one_that_nobody_looked_at(void **state)
{
    const struct km_err why = { .code = KM_E_FORBIDDEN, .text = "no" };
    struct km_err err = { 0 };
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    assert_int_equal(km_visit_authorise(&f.v, &err), KM_E_INTERNAL);
    f.v.standing = KM_STANDING_OPEN;
    assert_int_equal(km_visit_authorise(&f.v, &err), 0);
    f.v.standing = KM_STANDING_KNOWN;
    assert_int_equal(km_visit_authorise(&f.v, &err), 0);
    f.v.standing = KM_STANDING_REFUSED;
    f.v.refusal = &why;
    assert_int_equal(km_visit_authorise(&f.v, &err), KM_E_FORBIDDEN);
    assert_string_equal(err.text, "no");
    fake_visit_done(&f);
}

static void a_key_names_its_visitor_also_where_it_is_refused(void **state)
{
    struct fake_visit f;
    uint8_t hash[32];

    (void)state;
    fake_visit_init(&f, "/v1/models");
    assert_int_equal(km_visit_become_key(&f.v, make_key(&f, false), NULL), 0);
    assert_string_equal(f.v.who.who, "key:abcdef01");
    assert_false(f.v.who.admin);
    km_visit_hash(&f.v, hash);
    assert_int_equal(hash[0], 0xab);
    end(&f);

    fake_visit_init(&f, "/v1/models");
    assert_int_not_equal(km_visit_become_key(&f.v, make_key(&f, true), NULL), 0);
    assert_string_equal(f.v.who.who, "key:abcdef01");
    end(&f);
}

static void a_key_for_which_there_is_no_memory_is_given_back(void **state)
{
    struct km_err err = { 0 };
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    km_arena_done(&f.arena);
    km_arena_init(&f.arena, 16, NULL);
    assert_int_equal(km_visit_become_key(&f.v, make_key(&f, false), &err), KM_E_NOMEM);
    assert_int_equal(err.code, KM_E_NOMEM);
    assert_null(f.v.who.key);
    end(&f);
}

static void the_books_of_the_administrator_are_the_master_keys(void **state)
{
    struct fake_visit f;
    uint8_t hash[32];

    (void)state;
    fake_visit_init(&f, "/v1/models");
    km_visit_hash(&f.v, hash);
    assert_int_equal(hash[0], 0);
    f.snap.has_master = true;
    memset(f.snap.master_hash, 7, sizeof f.snap.master_hash);
    km_visit_hash(&f.v, hash);
    assert_int_equal(hash[0], 7);
    km_visit_key(&f.v, hash); /* which is no virtual key */
    assert_int_equal(hash[0], 0);
    fake_visit_done(&f);
}

/* With each bound of memory up to one that does: whole, or not at all, and nothing is lost. */
static void a_copy_outlives_its_exchange_or_is_none(void **state)
{
    struct fake_visit f;
    struct km_visit *copy = NULL;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    assert_int_equal(km_visit_become_key(&f.v, make_key(&f, false), NULL), 0);
    f.v.standing = KM_STANDING_KNOWN;
    f.v.who.issuer = KM_STR("https://issuer.example");
    f.v.who.subject = KM_STR("somebody");
    f.v.own = f.v.hold = &f;
    for (size_t most = 64; !copy; most += 64) {
        struct km_arena arena;

        km_arena_init(&arena, most, NULL);
        copy = km_visit_copy(&f.v, &arena);
        if (copy) {
            fake_visit_done(&f); /* the exchange ends */
            assert_null(copy->x);
            assert_null(copy->view);
            assert_null(copy->hold);
            assert_null(copy->own);
            assert_int_equal(km_visit_authorise(copy, NULL), 0);
            assert_true(km_str_eq(copy->who.subject, KM_STR("somebody")));
            assert_string_equal(copy->who.who, "key:abcdef01");
            assert_true(km_addr_loopback(&copy->peer));
            assert_int_equal(copy->who.key->row.hash[0], 0xab);
        }
        km_arena_done(&arena);
    }
    km_keys_free(f.gw.keys);
}

static void a_copy_of_one_that_was_refused_is_nobodys(void **state)
{
    const struct km_err why = { .code = KM_E_FORBIDDEN, .text = "no" };
    struct km_arena arena;
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/models");
    f.v.standing = KM_STANDING_REFUSED;
    f.v.refusal = &why;
    km_arena_init(&arena, (size_t)1 << 16, NULL);
    assert_int_equal(km_visit_authorise(km_visit_copy(&f.v, &arena), NULL), KM_E_INTERNAL);
    km_arena_done(&arena);
    fake_visit_done(&f);
}

static void its_id_goes_by_every_name_that_clients_look_for(void **state)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct fake_visit f;

    (void)state;
    fake_visit_init(&f, "/v1/messages");
    memset(f.v.id_text, 'x', KM_UUID_LEN);
    km_id_lines(&f.v, &head);
    assert_non_null(strstr(km_buf_cstr(&head), "x-litellm-call-id: xx"));
    assert_non_null(strstr(km_buf_cstr(&head), "x-request-id: xx"));
    assert_non_null(strstr(km_buf_cstr(&head), "\r\nrequest-id: xx"));
    km_buf_reset(&head);
    f.v.dialect = KM_DIALECT_OPENAI;
    km_id_lines(&f.v, &head);
    assert_null(strstr(km_buf_cstr(&head), "\r\nrequest-id: xx"));
    fake_visit_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_done_for_one_that_nobody_looked_at),
        cmocka_unit_test(a_key_names_its_visitor_also_where_it_is_refused),
        cmocka_unit_test(a_key_for_which_there_is_no_memory_is_given_back),
        cmocka_unit_test(the_books_of_the_administrator_are_the_master_keys),
        cmocka_unit_test(a_copy_outlives_its_exchange_or_is_none),
        cmocka_unit_test(a_copy_of_one_that_was_refused_is_nobodys),
        cmocka_unit_test(its_id_goes_by_every_name_that_clients_look_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
