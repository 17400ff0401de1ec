/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "support.h"

#define DAY_US (86400 * (int64_t)1000000)
#define DAY0 (20000 * DAY_US) /* 2024-10-04 */

static struct km_uuid id_at(int64_t us, uint8_t n)
{
    struct km_uuid id = { { 0 } };

    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)((uint64_t)(us / 1000) >> (40 - 8 * i) & 0xff);
    id.b[6] = 0x70;
    id.b[8] = 0x80;
    id.b[15] = n;
    return id;
}

static void spend_at(struct place *p, int64_t start_us, uint8_t key, const char *model,
                     int64_t cost)
{
    static uint8_t n;
    struct km_ledger_entry e = entry(p, key, cost);

    e.id = id_at(start_us, ++n);
    e.model = km_str_c(model);
    e.start_us = start_us;
    e.first_us = start_us + 500000;
    e.end_us = start_us + 1250000;
    settle(p, &e);
}

static const char *ask(struct place *p, const struct km_spend_query *q)
{
    km_store_spend_logs(p->store, p->reply, q, on_json, p);
    assert_int_equal(answer(p), 0);
    return km_buf_cstr(&p->json);
}

static size_t rows_in(const char *json)
{
    size_t n = 0;

    for (const char *at = json; (at = strstr(at, "\"request_id\":")) != NULL; at++)
        n++;
    return n;
}

static void has(const char *json, const char *part)
{
    if (!strstr(json, part))
        fail_msg("'%s' is not in %s", part, json);
}

static void start(struct place *p)
{
    struct km_key_row row = key_row(1);

    place_init(p);
    place_open(p);
    row.user_id = KM_STR("ann");
    row.team_id = KM_STR("team-a");
    row.alias = KM_STR("key-a");
    put_key(p, &row, true);
    assert_int_equal(answer(p), 0);
}

static void a_row_has_litellms_shape(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    struct km_spend_query q = { 0 };
    const char *json;

    (void)state;
    start(&p);
    e = entry(&p, 1, 1234567);
    e.id = id_at(DAY0, 1);
    e.start_us = DAY0;
    e.first_us = DAY0 + 250000;
    e.end_us = DAY0 + 1500000;
    e.user = KM_STR("customer-7");
    e.metadata = KM_STR("{\"tags\":[\"x\",\"y\"],\"a\":1}");
    e.cached_tokens = 3;
    e.flags = KM_CALL_STREAM;
    settle(&p, &e);
    json = ask(&p, &q);
    has(json, "\"request_id\":\"0192");
    has(json, "\"api_key\":\"0101010101010101010101010101010101010101010101010101010101010101\"");
    has(json, "\"spend\":0.001234567,");
    has(json, "\"total_tokens\":15,\"prompt_tokens\":10,\"completion_tokens\":5,");
    has(json, "\"startTime\":\"2024-10-04T00:00:00.000000Z\"");
    has(json, "\"endTime\":\"2024-10-04T00:00:01.500000Z\"");
    has(json, "\"completionStartTime\":\"2024-10-04T00:00:00.250000Z\"");
    has(json, "\"request_duration_ms\":1500,");
    has(json, "\"call_type\":\"acompletion\"");
    has(json, "\"model\":\"openai/gpt-4o\",\"model_id\":\"d1\",\"model_group\":\"gpt\"");
    has(json, "\"custom_llm_provider\":\"openai\"");
    has(json, "\"api_base\":\"https://api.example.com/v1\"");
    has(json, "\"user\":\"ann\",\"team_id\":\"team-a\",\"end_user\":\"customer-7\"");
    has(json, "\"requester_ip_address\":\"192.0.2.1\"");
    has(json, "\"metadata\":{\"tags\":[\"x\",\"y\"],\"a\":1}");
    has(json, "\"request_tags\":[\"x\",\"y\"]");
    has(json, "\"cache_hit\":\"False\"");
    has(json, "\"stream\":true");
    has(json, "\"status\":\"success\"");
    place_done(&p);
}

static void a_row_says_how_its_cost_came_about(void **state)
{
    static const struct {
        unsigned flag;
        const char *name;
    } marks[] = {
        { KM_CALL_ESTIMATED, "estimated" },         { KM_CALL_UNPRICED, "unpriced" },
        { KM_CALL_INCOMPLETE, "incomplete" },       { KM_CALL_CLIENT_GONE, "client_gone" },
        { KM_CALL_OVER_RESERVED, "over_reserved" }, { KM_CALL_BUDGET_CUT, "budget_cut" },
        { KM_CALL_BOUND_CUT, "bound_cut" },         { KM_CALL_CORRECTED, "corrected" }
    };
    const size_t n = sizeof marks / sizeof marks[0];
    struct place p;

    (void)state;
    start(&p);
    for (size_t i = 0; i < n; i++) {
        struct km_ledger_entry e = entry(&p, 1, USD);
        struct km_spend_query q = { 0 };
        char id[KM_UUID_LEN + 1], mark[48];
        const char *json;

        e.flags = marks[i].flag;
        settle(&p, &e);
        sync_store(&p);
        km_uuid_text(&e.id, id);
        q.request_id = km_str_c(id);
        json = ask(&p, &q);
        for (size_t j = 0; j < n; j++) { /* its own, and no other */
            (void)snprintf(mark, sizeof mark, "\"%s\":%s,", marks[j].name,
                           i == j ? "true" : "false");
            has(json, mark);
        }
    }
    place_done(&p);
}

static void spend_is_exact_to_the_nano(void **state)
{
    static const struct {
        int64_t nano;
        const char *text;
    } rows[] = { { 0, "\"spend\":0," },
                 { 1, "\"spend\":0.000000001," },
                 { 10 * USD, "\"spend\":10," },
                 { 3 * USD + 500000000, "\"spend\":3.5," },
                 { 100, "\"spend\":0.0000001," } };
    struct place p;

    (void)state;
    start(&p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_ledger_entry e = entry(&p, 1, rows[i].nano);
        struct km_spend_query q = { 0 };
        char id[KM_UUID_LEN + 1];

        settle(&p, &e);
        sync_store(&p);
        km_uuid_text(&e.id, id);
        q.request_id = km_str_c(id);
        has(ask(&p, &q), rows[i].text);
        assert_int_equal(rows_in(km_buf_cstr(&p.json)), 1);
    }
    place_done(&p);
}

static void rows_are_found_by_key_user_time_and_page(void **state)
{
    struct place p;
    struct km_spend_query q = { 0 };

    (void)state;
    start(&p);
    for (int i = 0; i < 10; i++)
        spend_at(&p, DAY0 + i * DAY_US, i % 2 ? 1 : 2, "m", i);
    sync_store(&p);
    assert_int_equal(rows_in(ask(&p, &q)), 10);
    q.by_key = true;
    memset(q.key_hash, 1, 32);
    assert_int_equal(rows_in(ask(&p, &q)), 5);
    memset(q.key_hash, 9, 32);
    assert_int_equal(rows_in(ask(&p, &q)), 0);
    assert_string_equal(km_buf_cstr(&p.json), "[]");
    q = (struct km_spend_query){ .user_id = KM_STR("ann") };
    assert_int_equal(rows_in(ask(&p, &q)), 5);
    q.user_id = KM_STR("bob");
    assert_int_equal(rows_in(ask(&p, &q)), 0);
    q = (struct km_spend_query){ .from_us = DAY0 + 2 * DAY_US, .to_us = DAY0 + 5 * DAY_US };
    assert_int_equal(rows_in(ask(&p, &q)), 3); /* the end is not part of it */
    q = (struct km_spend_query){ .limit = 3, .offset = 8 };
    assert_int_equal(rows_in(ask(&p, &q)), 2);
    q = (struct km_spend_query){ .limit = 1 };
    has(ask(&p, &q), "\"startTime\":\"2024-10-13T00:00:00.000000Z\""); /* newest first */
    q = (struct km_spend_query){ .request_id = KM_STR("chatcmpl-123") };
    assert_int_equal(rows_in(ask(&p, &q)), 0);
    place_done(&p);
}

static void a_summary_has_every_day_and_adds_up(void **state)
{
    struct place p;
    struct km_spend_query q = { .summarize = true, .from_us = DAY0, .to_us = DAY0 + 3 * DAY_US };

    (void)state;
    start(&p);
    spend_at(&p, DAY0 + 1, 1, "a", USD / 2);
    spend_at(&p, DAY0 + 2, 1, "b", USD / 4);
    spend_at(&p, DAY0 + 3, 2, "a", USD / 8);
    spend_at(&p, DAY0 + 2 * DAY_US, 2, "a", 1);
    sync_store(&p);
    assert_string_equal(
        ask(&p, &q),
        "[{\"startTime\":\"2024-10-04\",\"spend\":0.875,"
        "\"0101010101010101010101010101010101010101010101010101010101010101\":0.75,"
        "\"0202020202020202020202020202020202020202020202020202020202020202\":0.125,"
        "\"users\":{\"\":0.125,\"ann\":0.75},\"models\":{\"a\":0.625,\"b\":0.25}},"
        "{\"startTime\":\"2024-10-05\",\"spend\":0,\"users\":{},\"models\":{}},"
        "{\"startTime\":\"2024-10-06\",\"spend\":0.000000001,"
        "\"0202020202020202020202020202020202020202020202020202020202020202\":0.000000001,"
        "\"users\":{\"\":0.000000001},\"models\":{\"a\":0.000000001}}]");
    q.user_id = KM_STR("ann");
    q.to_us = DAY0 + DAY_US;
    has(ask(&p, &q), "[{\"startTime\":\"2024-10-04\",\"spend\":0.75,");
    q = (struct km_spend_query){ .summarize = true,
                                 .from_us = DAY0,
                                 .to_us = DAY0 + 9999 * DAY_US };
    km_store_spend_logs(p.store, p.reply, &q, on_json, &p);
    assert_int_equal(answer(&p), KM_E_LIMIT);
    place_done(&p);
}

static void hostile_text_stays_json(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    struct km_spend_query q = { 0 };
    const char *json;

    (void)state;
    start(&p);
    e = entry(&p, 1, 1);
    e.model_group = KM_STR("a\"b\\c\n\xff\x01");
    e.metadata = KM_STR("not json");
    settle(&p, &e);
    json = ask(&p, &q);
    has(json, "\"model_group\":\"a\\\"b\\\\c\\n\xef\xbf\xbd\\u0001\"");
    has(json, "\"metadata\":{},");
    has(json, "\"request_tags\":[]");
    place_done(&p);
}

static void the_statistics_know_tables_rows_and_bytes(void **state)
{
    struct place p;
    const char *json;

    (void)state;
    start(&p);
    for (int i = 0; i < 5; i++)
        spend_at(&p, DAY0, 1, "m", 1);
    sync_store(&p);
    km_store_stats(p.store, p.reply, on_json, &p);
    assert_int_equal(answer(&p), 0);
    json = km_buf_cstr(&p.json);
    has(json, "{\"name\":\"spend\",\"rows\":5,\"bytes\":4096}");
    has(json, "{\"name\":\"keys\",\"rows\":1,");
    has(json, "\"min_reader\":1,");
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_litellms_shape),
        cmocka_unit_test(a_row_says_how_its_cost_came_about),
        cmocka_unit_test(spend_is_exact_to_the_nano),
        cmocka_unit_test(rows_are_found_by_key_user_time_and_page),
        cmocka_unit_test(a_summary_has_every_day_and_adds_up),
        cmocka_unit_test(hostile_text_stays_json),
        cmocka_unit_test(the_statistics_know_tables_rows_and_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
