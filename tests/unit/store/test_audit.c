/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/audit.h"
#include "support.h"

static void append(struct place *p, const char *action, const char *detail)
{
    const struct km_audit a = { .actor = KM_STR("local:0"),
                                .action = km_str_c(action),
                                .target = KM_STR("x"),
                                .detail = km_str_c(detail) };

    km_store_audit(p->store, p->reply, &a, on_done, p);
    assert_int_equal(answer(p), 0);
}

static const char *verify(struct place *p)
{
    km_store_audit_verify(p->store, p->reply, on_json, p);
    assert_int_equal(answer(p), 0);
    return km_buf_cstr(&p->json);
}

static void the_chain_holds_from_the_first_record_over_restarts(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    place_open(&p);
    assert_non_null(strstr(verify(&p), "{\"ok\":true,\"records\":0,"));
    append(&p, "first", "{}");
    assert_int_equal(number(p.db, "SELECT prev = zeroblob(32) FROM audit WHERE seq = 1"), 1);
    append(&p, "second", "{\"a\":1}");
    place_close(&p);
    place_open(&p);
    append(&p, "third", "");
    assert_non_null(strstr(verify(&p), "{\"ok\":true,\"records\":3,"));
    place_done(&p);
}

static void any_change_shows_where_it_was_made(void **state)
{
    static const char *const changes[] = {
        "UPDATE audit SET actor = 'nobody' WHERE seq = 2",
        "UPDATE audit SET at_us = at_us + 1 WHERE seq = 2",
        "UPDATE audit SET action = 'secon', target = 'dx' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "UPDATE audit SET hash = randomblob(32) WHERE seq = 2",
        "UPDATE audit SET prev = randomblob(32) WHERE seq = 2",
        "UPDATE audit SET seq = seq + 10 WHERE seq > 1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct place p;

        place_init(&p);
        place_open(&p);
        append(&p, "first", "{}");
        append(&p, "second", "{}");
        append(&p, "third", "{}");
        change(p.db, changes[i]);
        if (!strstr(verify(&p), "{\"ok\":false,\"records\":1,\"broken_at\":2,"))
            fail_msg("%s went unseen: %s", changes[i], km_buf_cstr(&p.json));
        place_done(&p);
    }
}

static void records_are_listed_in_pages(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    place_open(&p);
    append(&p, "a \"quoted\" one", "{\"n\":1}");
    append(&p, "b", "");
    append(&p, "c", "{}");
    km_store_audit_list(p.store, p.reply, 0, 2, on_json, &p);
    assert_int_equal(answer(&p), 0);
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"action\":\"a \\\"quoted\\\" one\""));
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"detail\":{\"n\":1},\"hash\":\""));
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"seq\":2,"));
    assert_null(strstr(km_buf_cstr(&p.json), "\"seq\":3,"));
    km_store_audit_list(p.store, p.reply, 2, 0, on_json, &p);
    assert_int_equal(answer(&p), 0);
    assert_null(strstr(km_buf_cstr(&p.json), "\"seq\":2,"));
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"seq\":3,"));
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_holds_from_the_first_record_over_restarts),
        cmocka_unit_test(any_change_shows_where_it_was_made),
        cmocka_unit_test(records_are_listed_in_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
