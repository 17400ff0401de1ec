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

/* --- records of calls, which come with the ledger's --- */

static void a_call_of_a_tool(struct place *p, const char *target, const char *detail)
{
    const struct km_audit a = { .actor = KM_STR("key:1"),
                                .action = KM_STR("mcp.call"),
                                .target = km_str_c(target),
                                .detail = km_str_c(detail) };
    bool waits;

    km_ledger_audit(p->ledger, &a, false, NULL, NULL, &waits);
    assert_false(waits);
}

static void records_of_calls_stand_in_the_same_chain(void **state)
{
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    place_begin(&p);
    append(&p, "first", "{}");
    a_call_of_a_tool(&p, "a", "{\"n\":1}");
    e = entry(&p, 1, 5);
    settle(&p, &e);
    a_call_of_a_tool(&p, "b", "{\"n\":2}");
    sync_store(&p);
    append(&p, "last", "{}");
    assert_non_null(strstr(verify(&p), "{\"ok\":true,\"records\":5,"));
    assert_int_equal(number(p.db, "SELECT a.seq < b.seq FROM audit a, audit b WHERE a.target = 'a'"
                                  " AND b.target = 'b' AND a.actor = 'key:1'"
                                  " AND b.detail = '{\"n\":2}' AND b.at_us >= a.at_us"),
                     1);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    place_done(&p);
}

static void more_records_than_one_statement_takes_are_one_chain(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    p.settings.queue_bytes = 8 << 20;
    place_open(&p);
    for (int i = 0; i < 2 * KM_AUDIT_ROWS + 10; i++)
        a_call_of_a_tool(&p, "x", "{}");
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit WHERE target = 'x'"),
                     2 * KM_AUDIT_ROWS + 10);
    assert_non_null(strstr(verify(&p), "{\"ok\":true,"));
    place_done(&p);
}

static void a_record_too_long_for_the_ledger_is_written_all_the_same(void **state)
{
    static char text[40000];
    struct place p;

    (void)state;
    memset(text, ' ', sizeof text - 1);
    text[0] = '{';
    text[sizeof text - 2] = '}';
    place_begin(&p);
    a_call_of_a_tool(&p, "x", text);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT length(detail) FROM audit WHERE target = 'x'"),
                     sizeof text - 1);
    place_done(&p);
}

static void in_strict_accounting_a_calls_record_is_told(void **state)
{
    const struct km_audit a = { .actor = KM_STR("key:1"), .action = KM_STR("mcp.call") };
    bool waits = false;
    struct place p;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    km_ledger_audit(p.ledger, &a, false, on_done, &p, &waits);
    assert_true(waits);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit"), 1);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_holds_from_the_first_record_over_restarts),
        cmocka_unit_test(any_change_shows_where_it_was_made),
        cmocka_unit_test(records_are_listed_in_pages),
        cmocka_unit_test(records_of_calls_stand_in_the_same_chain),
        cmocka_unit_test(more_records_than_one_statement_takes_are_one_chain),
        cmocka_unit_test(a_record_too_long_for_the_ledger_is_written_all_the_same),
        cmocka_unit_test(in_strict_accounting_a_calls_record_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
