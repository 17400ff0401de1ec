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

static const char *find(struct place *p, struct km_audit_query query)
{
    km_store_audit_find(p->store, p->reply, &query, on_json, p);
    assert_int_equal(answer(p), 0);
    return km_buf_cstr(&p->json);
}

/* The numbers of what was found, "3,2,": and where to go on, "next 2". */
static const char *found(struct place *p, struct km_audit_query query)
{
    static char out[256];
    const char *at = find(p, query), *next;
    size_t n = 0;

    out[0] = 0;
    while ((at = strstr(at, "{\"seq\":")) != NULL && n < sizeof out) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%lld,", strtoll(at + 7, NULL, 10));
        at += 7;
    }
    next = strstr(km_buf_cstr(&p->json), "\"next\":");
    assert_non_null(next);
    if (strncmp(next + 7, "null", 4) != 0)
        (void)snprintf(out + n, sizeof out - n, "next %lld", strtoll(next + 7, NULL, 10));
    return out;
}

#define FOUND(p, ...) found(&(p), (struct km_audit_query){ __VA_ARGS__ })

static void records_are_found_in_pages_newest_first(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    place_open(&p);
    assert_string_equal(FOUND(p, .seq = 0), "");
    append(&p, "a \"quoted\" one", "{\"n\":1}");
    append(&p, "b", "");
    append(&p, "c", "{}");
    assert_string_equal(FOUND(p, .seq = 0), "3,2,1,");
    assert_string_equal(FOUND(p, .limit = 2), "3,2,next 2");
    assert_string_equal(FOUND(p, .limit = 2, .before = 2), "1,");
    assert_string_equal(FOUND(p, .limit = 1, .before = 2), "1,"); /* the last is the last */
    assert_string_equal(FOUND(p, .seq = 2), "2,");
    assert_string_equal(FOUND(p, .seq = 4), "");
    find(&p, (struct km_audit_query){ .seq = 1 });
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"action\":\"a \\\"quoted\\\" one\""));
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"detail\":{\"n\":1},\"hash\":\""));
    place_done(&p);
}

static void records_are_found_by_who_what_and_when(void **state)
{
    static const char calls[] =
        "INSERT INTO audit WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 12) SELECT i, i * 86400000000, CASE i % 3 WHEN 0 THEN 'key:0a1b2c3d'"
        " WHEN 1 THEN 'master' ELSE 'token:00aa' END,"
        " CASE WHEN i % 4 THEN 'mcp.call' ELSE 'mcp.stop' END,"
        " CASE WHEN i % 4 THEN 't' || i ELSE 'git' END,"
        " json_object('server', 'git', 'tool', 't' || i, 'outcome', iif(i % 2, 'ok', 'denied'),"
        " 'requestedBy', 'u' || (i % 5)), x'00', x'00' FROM n";
    const int64_t day = INT64_C(86400) * 1000000;
    struct place p;

    (void)state;
    place_init(&p);
    place_open(&p);
    change(p.db, calls);
    change(p.db, "UPDATE audit SET detail = 'no JSON' WHERE seq = 12");
    assert_string_equal(FOUND(p, .from_us = 4 * day, .to_us = 6 * day), "5,4,");
    assert_string_equal(FOUND(p, .from_us = 11 * day), "12,11,");
    assert_string_equal(FOUND(p, .to_us = 3 * day), "2,1,");
    assert_string_equal(FOUND(p, .from_us = 13 * day), "");
    assert_string_equal(FOUND(p, .key = KM_STR("master")), "10,7,4,1,");
    assert_string_equal(FOUND(p, .key = KM_STR("key:0a1b2c3d")), "12,9,6,3,");
    assert_string_equal(FOUND(p, .key = KM_STR("0A1B2C3D4e5f")), "12,9,6,3,"); /* a hash */
    assert_string_equal(FOUND(p, .key = KM_STR("0a1b2c3")), "");
    assert_string_equal(FOUND(p, .user = KM_STR("u0")), "10,5,");
    assert_string_equal(FOUND(p, .action = KM_STR("mcp.stop")), "12,8,4,");
    assert_string_equal(FOUND(p, .action = KM_STR("mcp"), .limit = 1), "12,next 12");
    assert_string_equal(FOUND(p, .action = KM_STR("mc")), "");
    assert_string_equal(FOUND(p, .server = KM_STR("git"), .tool = KM_STR("t7")), "7,");
    assert_string_equal(FOUND(p, .outcome = KM_STR("denied"), .from_us = 8 * day), "10,8,");
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
        cmocka_unit_test(records_are_found_in_pages_newest_first),
        cmocka_unit_test(records_are_found_by_who_what_and_when),
        cmocka_unit_test(records_of_calls_stand_in_the_same_chain),
        cmocka_unit_test(more_records_than_one_statement_takes_are_one_chain),
        cmocka_unit_test(a_record_too_long_for_the_ledger_is_written_all_the_same),
        cmocka_unit_test(in_strict_accounting_a_calls_record_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
