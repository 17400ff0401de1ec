/* SPDX-License-Identifier: Apache-2.0 */
/* dump_ledger.h - the part of test_dump.c that asks for keys, calls, prices and the audit chain. */
#ifndef KM_TEST_STORE_DUMP_LEDGER_H
#define KM_TEST_STORE_DUMP_LEDGER_H

#include "store/audit.h"
#include "dump.h"
#include "faulty_vfs.h"

#define HOUR INT64_C(3600000000)
#define DAY (24 * HOUR)

static const struct km_audit by_admin = { .actor = { "local:0", 7 },
                                          .action = { "test.change", 11 },
                                          .target = { "a target", 8 },
                                          .detail = { "{\"n\":1}", 7 } };

/* --- opening and closing --- */

static void open_again(struct dump *d, bool handed_over, const char *what)
{
    struct km_err err = { 0 };

    BEGIN(d, km_store_open, what);
    if (place_try_open(&d->p, handed_over, &err) < 0)
        fail_msg("%s", err.text);
    BEGIN(d, km_store_loaded, what);
    km_store_loaded(d->p.store);
    d->p.ledger = km_ledger_new(d->p.store, d->p.loop, d->p.reply, 0, &err);
    assert_non_null(d->p.ledger);
    dump_changes(d);
}

static void close_it(struct dump *d, const char *what)
{
    BEGIN(d, km_store_close, what);
    place_close(&d->p);
}

/* --- keys --- */

static struct km_key_row whole_key(uint8_t id)
{
    static const struct km_str models[] = { { "gpt-4o", 6 }, { "we\"ird\\\n\x01 name", 13 } };
    struct km_key_row row = key_row(id);

    row.alias = KM_STR("team \"a\"");
    row.models = (struct km_str_list){ models, 2 };
    row.user_id = KM_STR("u1");
    row.team_id = KM_STR("t1");
    row.metadata = KM_STR("{\"a\":1}");
    row.extra = KM_STR("{\"tags\":[]}");
    row.max_budget = 5 * USD;
    row.soft_budget = 4 * USD;
    row.budget_duration_s = 3600;
    row.budget_duration = KM_STR("1h");
    row.budget_reset_us = DUMP_START_US + HOUR;
    row.rpm = 10;
    row.tpm = 20;
    row.max_parallel = 30;
    row.expires_us = DUMP_START_US + 40 * DAY;
    row.created_us = 50;
    row.updated_us = 60;
    row.created_by = KM_STR("master");
    row.updated_by = KM_STR("local:0");
    row.blocked = true;
    row.spend = 77;
    return row;
}

static void put_a_key(struct dump *d, const struct km_key_row *row, bool insert, const char *what)
{
    BEGIN(d, km_store_key_put, what);
    km_store_key_put(d->p.store, d->p.reply, row, insert, &by_admin, on_done, &d->p);
    dump_answer(d, false);
}

static void replace_a_key(struct dump *d, uint8_t old, uint8_t fresh, const char *what)
{
    struct km_key_row row = whole_key(fresh);
    uint8_t hash[32];

    memset(hash, old, sizeof hash);
    BEGIN(d, km_store_key_replace, what);
    km_store_key_replace(d->p.store, d->p.reply, hash, &row, &by_admin, on_done, &d->p);
    dump_answer(d, false);
}

static void on_key(void *ctx, const struct km_key_row *row)
{
    struct dump *d = ctx;
    const struct km_str texts[] = { row->name,    row->alias,    row->user_id,
                                    row->team_id, row->metadata, row->extra,
                                    row->budget_duration, row->created_by, row->updated_by };

    km_buf_printf(&d->text, "-> %02x%02x", row->hash[0], row->hash[31]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        dump_field(d, texts[i]);
    km_buf_str(&d->text, KM_STR(" ["));
    for (size_t i = 0; i < row->models.n; i++)
        dump_field(d, row->models.v[i]);
    km_buf_printf(&d->text, "] %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %d %lld\n",
                  (long long)row->max_budget, (long long)row->soft_budget,
                  (long long)row->budget_duration_s, (long long)row->budget_reset_us,
                  (long long)row->rpm, (long long)row->tpm, (long long)row->max_parallel,
                  (long long)row->expires_us, (long long)row->created_us,
                  (long long)row->updated_us, row->blocked, (long long)row->spend);
}

static void on_window(void *ctx, const uint8_t hash[32], int64_t end_us, int64_t spend)
{
    struct dump *d = ctx;

    km_buf_printf(&d->text, "-> %02x%02x %lld %lld\n", hash[0], hash[31], (long long)end_us,
                  (long long)spend);
}

static void keys(struct dump *d)
{
    struct km_key_row row = whole_key(1), plain = key_row(2);
    uint8_t hash[32];

    put_a_key(d, &row, true, "a key with all it can have");
    put_a_key(d, &plain, true, "one with nothing");
    put_a_key(d, &plain, true, "which exists already");
    row.alias = KM_STR("another");
    row.spend = 12345; /* not written */
    row.blocked = false;
    put_a_key(d, &row, false, "changed");
    row.budget_duration_s = 7200;
    row.budget_duration = KM_STR("2h");
    put_a_key(d, &row, false, "windows of another length");
    replace_a_key(d, 1, 3, "a new secret");
    replace_a_key(d, 1, 4, "of a key that is gone");
    replace_a_key(d, 3, 4, "a second new secret");
    row = key_row(9);
    put_a_key(d, &row, false, "a change of one that is not there");
    put_a_key(d, &row, true, "one more");
    memset(hash, 9, sizeof hash);
    BEGIN(d, km_store_key_delete, "it goes");
    km_store_key_delete(d->p.store, d->p.reply, hash, &by_admin, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_key_delete, "and is gone");
    km_store_key_delete(d->p.store, d->p.reply, hash, &by_admin, on_done, &d->p);
    dump_answer(d, false);
}

static void turn_a_window(struct dump *d, uint8_t key, int64_t end_us, const char *what)
{
    uint8_t hash[32];

    memset(hash, key, sizeof hash);
    BEGIN(d, km_store_key_reset, what);
    km_store_key_reset(d->p.store, d->p.reply, hash, end_us, on_done, &d->p);
    dump_answer(d, false);
}

static void read_keys(struct dump *d)
{
    BEGIN(d, km_store_keys, "all of them");
    assert_int_equal(km_store_keys(d->p.store, on_key, d, NULL), 0);
    BEGIN(d, km_store_windows, "what was spent in others than the current ones");
    assert_int_equal(km_store_windows(d->p.store, on_window, d, NULL), 0);
}

/* --- the ledger --- */

/* The times of a call lie so many microseconds after the start of the dump. */
static struct km_ledger_entry a_call(uint8_t id, uint8_t key, int64_t at_us)
{
    struct km_ledger_entry e = { .call_type = KM_STR("acompletion"),
                                 .model_group = KM_STR("gpt"),
                                 .model = KM_STR("openai/gpt-4o"),
                                 .deployment = KM_STR("d1"),
                                 .provider = KM_STR("openai"),
                                 .api_base = KM_STR("https://api.example.com/v1"),
                                 .user = KM_STR("end user"),
                                 .metadata = KM_STR("{\"tags\":[\"a\",\"b\"]}"),
                                 .client_ip = KM_STR("192.0.2.1"),
                                 .start_us = DUMP_START_US + at_us,
                                 .first_us = DUMP_START_US + at_us + 300,
                                 .end_us = DUMP_START_US + at_us + 1000,
                                 .prompt_tokens = 10,
                                 .completion_tokens = 5,
                                 .cached_tokens = 2,
                                 .reserved = 2000,
                                 .cost = 1000,
                                 .status = 200,
                                 .flags = KM_CALL_STREAM };
    uint64_t ms = (uint64_t)e.start_us / 1000;

    memset(e.key_hash, key, sizeof e.key_hash);
    for (int i = 0; i < 6; i++)
        e.id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    e.id.b[6] = 0x70;
    e.id.b[8] = 0x80;
    e.id.b[15] = id;
    return e;
}

static void intend_it(struct dump *d, const struct km_ledger_entry *e, const char *what)
{
    BEGIN(d, km_ledger_intent, what);
    intend(&d->p, e);
}

static void settle_it(struct dump *d, const struct km_ledger_entry *e, const char *what)
{
    BEGIN(d, km_ledger_settle, what);
    settle(&d->p, e);
}

/* Names are there. */
static void settle_in_place(struct dump *d, const struct km_ledger_entry *e, const char *what)
{
    struct km_ledger_entry numbers = *e;

    numbers.call_type = numbers.model_group = numbers.model = numbers.deployment =
        numbers.provider = numbers.api_base = numbers.user = numbers.metadata = numbers.client_ip =
            KM_STR_NONE;
    BEGIN(d, km_ledger_settle_in_place, what);
    assert_true(km_ledger_settle_in_place(d->p.ledger, &numbers));
}

static void ledger(struct dump *d)
{
    struct km_ledger_entry e = a_call(1, 4, 1000), open;
    struct km_audit tool = by_admin;
    bool wait;

    intend_it(d, &e, "a call's");
    dump_sync(d);
    settle_it(d, &e, "and what came of it");
    dump_sync(d);
    settle_it(d, &e, "which comes once more, with another's");
    e = a_call(2, 2, 2000);
    e.model = KM_STR("anthropic/claude");
    e.user = e.metadata = e.client_ip = KM_STR_NONE;
    e.first_us = 0;
    e.flags = KM_CALL_FAILED | KM_CALL_ESTIMATED;
    e.cost = INT64_MAX; /* more than there is */
    e.prompt_tokens = -5;
    settle_it(d, &e, "one that says nonsense");
    dump_sync(d);
    e = a_call(3, 1, 3000);
    settle_it(d, &e, "under a secret that is gone");
    e = a_call(4, 4, -10 * HOUR);
    settle_it(d, &e, "in a window that is over");
    e = a_call(5, 8, 4000);
    intend_it(d, &e, "by nobody's key, settled at once");
    settle_in_place(d, &e, "in the same commit");
    dump_sync(d);
    open = a_call(6, 4, 5000);
    intend_it(d, &open, "of one that never ends");
    dump_sync(d);
    open.attempt = 2;
    open.deployment = KM_STR("d2");
    open.deadline_us = DUMP_START_US + HOUR;
    open.cost = 1200;
    BEGIN(d, km_ledger_progress, "its second attempt");
    km_ledger_progress(d->p.ledger, &open, NULL, NULL, &wait);
    dump_sync(d);
    e = a_call(9, 4, 5500);
    e.attempts = KM_STR("[{\"deployment\":\"d1\"},{\"deployment\":\"d2\"}]");
    settle_it(d, &e, "of two attempts");
    tool.action = KM_STR("mcp.call");
    BEGIN(d, km_ledger_audit, "two of calls of tools");
    km_ledger_audit(d->p.ledger, &tool, false, NULL, NULL, &wait);
    km_ledger_audit(d->p.ledger, &tool, false, NULL, NULL, &wait);
    dump_sync(d);
    turn_a_window(d, 4, DUMP_START_US + 3 * HOUR, "the next window");
    turn_a_window(d, 4, DUMP_START_US + 5 * HOUR, "the one after it");
    turn_a_window(d, 4, DUMP_START_US + 3 * HOUR, "back again");
    turn_a_window(d, 99, DUMP_START_US, "of no key");
}

/* On the loop, when the writer has forwarded something. */
static void on_forwarded(struct km_msg *msg, void *place)
{
    (void)msg;
    on_done(place, NULL);
}

/* On the writer's thread. */
static void on_forward(void *ctx, struct km_str record)
{
    struct dump *d = ctx;
    struct km_buf scratch = KM_BUF(1 << 16);
    struct km_ledger_entry e;
    bool settled;

    names_add(&d->used, "km_store_record_read", strlen("km_store_record_read"));
    assert_int_equal(km_store_record_read(record, &scratch, &e, &settled, NULL), 0);
    km_buf_done(&scratch);
    if (km_buf_view(&d->p.json).n > 0)
        return;
    km_buf_str(&d->p.json, record);
    d->forwarded.run = on_forwarded;
    km_mailbox_post(d->p.reply, &d->forwarded);
}

/* The writer is let go of, what comes then is forwarded; it comes back and takes that in. */
static void hand_over(struct dump *d)
{
    struct km_ledger_entry late = a_call(7, 2, 6000);

    BEGIN(d, km_store_release_writer, "to another process");
    assert_int_equal(km_store_release_writer(d->p.store, NULL), 0);
    BEGIN(d, km_store_forward, "a call that ended meanwhile");
    km_buf_reset(&d->p.json);
    settle(&d->p, &late);
    km_store_forward(d->p.store, on_forward, d);
    km_ledger_flush(d->p.ledger);
    assert_int_equal(answer(&d->p), 0);
    BEGIN(d, km_store_take_back, "from it");
    assert_int_equal(km_store_take_back(d->p.store, NULL), 0);
    BEGIN(d, km_store_import_record, "that call");
    assert_int_equal(km_store_import_record(d->p.store, km_buf_view(&d->p.json), NULL), 0);
    dump_sync(d);
}

/* The disk is full and the process ends so: the next one brings it all to the store. */
static void spill(struct dump *d)
{
    struct km_ledger_entry e = a_call(8, 4, 7000);

    faulty_fail(1, 0, SQLITE_FULL);
    settle_it(d, &e, "while the disk is full");
    km_store_sync(d->p.store, d->p.reply, on_done, &d->p);
    assert_int_equal(answer(&d->p), KM_E_STORE);
    close_it(d, "still full");
    faulty_heal();
    change(d->p.db, "INSERT INTO intents SELECT x'018bcfe5680670008000000000000077', key, route,"
                    " start_us, 300, flags, NULL, NULL, NULL FROM spend LIMIT 1");
    open_again(d, true, "what was spilled is taken in, and an older program left an intent");
    BEGIN(d, km_store_charge_open, "what another process left open");
    km_store_charge_open(d->p.store, d->p.reply, DUMP_START_US + HOUR, on_done, &d->p);
    dump_answer(d, false);
}

static void ask_spend(struct dump *d, const struct km_spend_query *q, const char *what)
{
    BEGIN(d, km_store_spend_logs, what);
    km_store_spend_logs(d->p.store, d->p.reply, q, on_json, &d->p);
    dump_answer(d, true);
}

static void read_spend(struct dump *d)
{
    struct km_spend_query q = { 0 };

    ask_spend(d, &q, "every row");
    q.summarize = true;
    ask_spend(d, &q, "every day");
    q.by_key = true;
    memset(q.key_hash, 4, sizeof q.key_hash);
    q.from_us = DUMP_START_US - DAY;
    q.to_us = DUMP_START_US + DAY;
    ask_spend(d, &q, "a key's days");
    q.summarize = false;
    q.limit = 2;
    q.offset = 1;
    ask_spend(d, &q, "a page of a key's rows");
    q = (struct km_spend_query){ .user_id = KM_STR("u1") };
    ask_spend(d, &q, "a user's rows");
    q = (struct km_spend_query){ .request_id = KM_STR("no id") };
    ask_spend(d, &q, "a row that cannot be");
}

/* --- prices, audit, statistics --- */

static void on_price(void *ctx, const struct km_price_row *row)
{
    struct dump *d = ctx;

    km_buf_str(&d->text, KM_STR("->"));
    dump_field(d, row->source);
    dump_field(d, row->model);
    dump_field(d, row->json);
    km_buf_byte(&d->text, '\n');
}

static void prices(struct dump *d)
{
    const struct km_price_row first[] = { { KM_STR("z/*"), KM_STR("a"), KM_STR("{}") },
                                          { KM_STR("b"), KM_STR("a"), KM_STR("{\"x\":1}") } };
    const struct km_price_row other[] = { { KM_STR("x"), KM_STR("file2"), KM_STR("{}") } };

    BEGIN(d, km_store_prices_put, "of a source");
    km_store_prices_put(d->p.store, d->p.reply, first, 2, &by_admin, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_prices_put, "of another");
    km_store_prices_put(d->p.store, d->p.reply, other, 1, NULL, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_prices_put, "the first source anew");
    km_store_prices_put(d->p.store, d->p.reply, first + 1, 1, NULL, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_prices, "all of them");
    assert_int_equal(km_store_prices(d->p.store, on_price, d, NULL), 0);
}

static void audit(struct dump *d)
{
    BEGIN(d, km_store_audit, "a record");
    km_store_audit(d->p.store, d->p.reply, &by_admin, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_audit_verify, "the whole chain");
    km_store_audit_verify(d->p.store, d->p.reply, on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_audit_find, "a page");
    km_store_audit_find(d->p.store, d->p.reply, &(struct km_audit_query){ .before = 6, .limit = 3 },
                        on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_audit_find, "by words, of a time");
    km_store_audit_find(
        d->p.store, d->p.reply,
        &(struct km_audit_query){
            .from_us = 1, .to_us = INT64_MAX - 1, .action = KM_STR("mcp"), .tool = KM_STR("a") },
        on_json, &d->p);
    dump_answer(d, true);
}

/* Bytes are pages and what lies in the log: they are no part of what a store says. */
static void stats(struct dump *d)
{
    struct km_buf *json = &d->p.json;
    size_t to = 0;

    BEGIN(d, km_store_stats, "rows of tables");
    km_store_stats(d->p.store, d->p.reply, on_json, &d->p);
    assert_int_equal(answer(&d->p), 0);
    for (size_t from = 0; from < json->n;) {
        bool bytes = from >= 8 && memcmp(json->p + from - 8, "\"bytes\":", 8) == 0;

        for (; bytes && json->p[from] >= '0' && json->p[from] <= '9'; from++)
            ;
        json->p[to++] = json->p[from++];
    }
    json->n = to;
    km_buf_printf(&d->text, "-> %s\n", km_buf_cstr(json));
}

static void spent_since(struct dump *d, int64_t begin_us, const char *what)
{
    int64_t spent = -1;

    BEGIN(d, km_store_spent, what);
    assert_int_equal(km_store_spent(d->p.store, begin_us, &spent, NULL), 0);
    km_buf_printf(&d->text, "-> %lld\n", (long long)spent);
}

static void spent(struct dump *d)
{
    spent_since(d, INT64_MIN, "what all calls cost");
    spent_since(d, DUMP_START_US, "since the dump began");
}

#endif
