/* SPDX-License-Identifier: Apache-2.0 */
/* dump_kept.h - the part of test_dump.c that asks for what is kept for callers and MCP servers. */
#ifndef KM_TEST_STORE_DUMP_KEPT_H
#define KM_TEST_STORE_DUMP_KEPT_H

#include "store/accounts.h"
#include "store/answers.h"
#include "store/catalogues.h"
#include "store/daily.h"
#include "store/due.h"
#include "store/grants.h"
#include "store/mcp_servers.h"
#include "store/mcp_tokens.h"
#include "store/models.h"
#include "store/payers.h"
#include "store/pins.h"
#include "dump_ledger.h"

/* --- answers, objects and what is due --- */

static const uint8_t mine[32] = { 1 };

static void answers(struct dump *d)
{
    struct km_answer_row row = { .id = KM_STR("resp_1"),
                                 .owner = { 1 },
                                 .record = KM_STR("{\"said\":\"this\"}"),
                                 .expires_us = DUMP_START_US + HOUR };

    BEGIN(d, km_store_answer_put, "an answer");
    km_store_answer_put(d->p.store, d->p.reply, &row, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_answer_get, "by its owner");
    km_store_answer_get(d->p.store, d->p.reply, row.id, mine, on_json, &d->p);
    dump_answer(d, true);
    row.id = KM_STR("resp_2");
    row.expires_us = DUMP_START_US; /* it is over, and forgotten at once */
    BEGIN(d, km_store_answer_put, "one whose time is over");
    km_store_answer_put(d->p.store, d->p.reply, &row, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_answer_delete, "of nobody");
    km_store_answer_delete(d->p.store, d->p.reply, row.id, mine, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_answer_delete, "by its owner");
    km_store_answer_delete(d->p.store, d->p.reply, KM_STR("resp_1"), mine, on_done, &d->p);
    dump_answer(d, false);
}

static void put_an_object(struct dump *d, const struct km_object *o, const char *what)
{
    BEGIN(d, km_store_object_put, what);
    km_store_object_put(d->p.store, d->p.reply, o, on_done, &d->p);
    dump_answer(d, false);
}

static void claim(struct dump *d, uint8_t call, const char *what)
{
    const struct km_uuid uuid = { { call } };

    BEGIN(d, km_store_object_claim, what);
    km_store_object_claim(d->p.store, d->p.reply, KM_STR("batch_1"), mine, &uuid, on_done, &d->p);
    dump_answer(d, false);
}

static void list_objects(struct dump *d, const char *after, const char *purpose, const char *what)
{
    BEGIN(d, km_store_object_list, what);
    km_store_object_list(d->p.store, d->p.reply, KM_STR("file"), km_str_c(after), km_str_c(purpose),
                         2, mine, on_json, &d->p);
    dump_answer(d, true);
}

static void due_next(struct dump *d, int64_t now_us, const char *what)
{
    BEGIN(d, km_store_due_next, what);
    km_store_due_next(d->p.store, d->p.reply, now_us, on_json, &d->p);
    dump_answer(d, true);
}

static void objects(struct dump *d)
{
    struct km_object file = { .id = KM_STR("file_1"),
                              .kind = KM_STR("file"),
                              .deployment = KM_STR("d1"),
                              .model = KM_STR("m1"),
                              .json = KM_STR("{\"id\":\"file_1\",\"purpose\":\"batch\"}"),
                              .owner = { 1 } };
    struct km_object batch = file, item = file;

    put_an_object(d, &file, "a file");
    file.json = KM_STR("{\"id\":\"file_1\",\"purpose\":\"other\"}");
    put_an_object(d, &file, "news of it");
    for (int i = 2; i < 5; i++) {
        char id[] = "file_?";

        id[5] = (char)('0' + i);
        file.id = km_str_c(id);
        put_an_object(d, &file, "one more");
    }
    item.id = KM_STR("item_1");
    item.kind = KM_STR("item");
    put_an_object(d, &item, "what passes");
    dump_clock_us += 31 * DAY;
    item.id = KM_STR("item_2");
    put_an_object(d, &item, "another, when the first has passed");
    dump_clock_us -= 31 * DAY;
    BEGIN(d, km_store_object_get, "by its owner");
    km_store_object_get(d->p.store, d->p.reply, file.kind, KM_STR("file_1"), mine, on_json, &d->p);
    dump_answer(d, true);
    list_objects(d, "", "", "the newest");
    list_objects(d, "file_3", "other", "behind one, of a purpose");
    BEGIN(d, km_store_object_delete, "a file");
    km_store_object_delete(d->p.store, d->p.reply, KM_STR("file_2"), mine, on_done, &d->p);
    dump_answer(d, false);
    batch.id = KM_STR("batch_1");
    batch.kind = KM_STR("batch");
    put_an_object(d, &batch, "a batch");
    due_next(d, dump_clock_us, "it is due");
    claim(d, 1, "by a call");
    claim(d, 2, "by another");
    BEGIN(d, km_store_due_set, "later");
    km_store_due_set(d->p.store, d->p.reply, &batch, DUMP_START_US + DAY, on_done, &d->p);
    dump_answer(d, false);
    due_next(d, dump_clock_us, "nothing is");
    due_next(d, DUMP_START_US + DAY, "it is again, and claimed");
}

/* --- grants --- */

static void on_grant(void *ctx, const struct km_grant *g)
{
    struct dump *d = ctx;
    const char *const texts[] = { g->client_name, g->resource, g->scope, g->challenge };

    km_buf_printf(&d->text, "-> %02x%02x %02x %02x %02x", g->id[0], g->id[15], g->key_hash[31],
                  g->client[31], g->redirect[31]);
    for (size_t i = 0; i < 4; i++)
        dump_field(d, km_str_c(texts[i]));
    km_buf_printf(&d->text, " %02x %02x %02x %02x %02x %lld %d %lld %lld %lld %lld %lld\n",
                  g->code[31], g->access[0][31], g->access[1][31], g->refresh[0][31],
                  g->refresh[1][31], (long long)g->code_expires_us, g->code_used,
                  (long long)g->access_expires_us[0], (long long)g->access_expires_us[1],
                  (long long)g->rotated_us, (long long)g->created_us, (long long)g->expires_us);
}

static void put_a_grant(struct dump *d, const struct km_grant *g, const struct km_audit *audited,
                        const char *what)
{
    BEGIN(d, km_store_grant_put, what);
    km_store_grant_put(d->p.store, d->p.reply, g, audited, on_done, &d->p);
    dump_answer(d, false);
}

static void grants(struct dump *d)
{
    struct km_grant g = { .client_name = "a client",
                          .resource = "https://gw.example.com/mcp",
                          .scope = "mcp",
                          .challenge = "0123456789012345678901234567890123456789012",
                          .code_expires_us = DUMP_START_US + 1,
                          .code_used = true,
                          .access_expires_us = { DUMP_START_US + 2, DUMP_START_US + 3 },
                          .rotated_us = 4,
                          .created_us = 5,
                          .expires_us = DUMP_START_US + DAY };

    memset(g.id, 0x11, sizeof g.id);
    memset(g.key_hash, 0x12, sizeof g.key_hash);
    memset(g.client, 0x13, sizeof g.client);
    memset(g.redirect, 0x14, sizeof g.redirect);
    memset(g.code, 0x15, sizeof g.code);
    memset(g.access[0], 0x16, sizeof g.access[0]);
    memset(g.access[1], 0x17, sizeof g.access[1]);
    memset(g.refresh[0], 0x18, sizeof g.refresh[0]);
    memset(g.refresh[1], 0x19, sizeof g.refresh[1]);
    put_a_grant(d, &g, &by_admin, "a log-in");
    g.code_used = false;
    put_a_grant(d, &g, NULL, "changed");
    memset(g.id, 0x21, sizeof g.id);
    g.expires_us = DUMP_START_US;
    put_a_grant(d, &g, NULL, "one that is over");
    memset(g.id, 0x31, sizeof g.id);
    g.expires_us = DUMP_START_US + DAY;
    put_a_grant(d, &g, NULL, "a second");
    BEGIN(d, km_store_grant_delete, "the second");
    km_store_grant_delete(d->p.store, d->p.reply, g.id, &by_admin, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_grants, "all that is not over");
    assert_int_equal(km_store_grants(d->p.store, on_grant, d, NULL), 0);
}

/* --- MCP: catalogues, pins, tokens, servers --- */

static void on_catalogue(void *ctx, struct km_str server, struct km_str shape, struct km_str json)
{
    on_price(ctx, &(struct km_price_row){ .source = server, .model = shape, .json = json });
}

static void on_pin(void *ctx, const struct km_pin_row *row)
{
    struct dump *d = ctx;

    km_buf_str(&d->text, KM_STR("->"));
    dump_field(d, row->server);
    dump_field(d, row->tool);
    km_buf_printf(&d->text, " %02x%02x %d %u %lld\n", row->hash[0], row->hash[31],
                  (int)row->accepted, row->flags, (long long)row->first_us);
}

static void on_token(void *ctx, struct km_str record)
{
    struct dump *d = ctx;

    km_buf_str(&d->text, KM_STR("->"));
    dump_field(d, record);
    km_buf_byte(&d->text, '\n');
}

static int on_server(void *ctx, const struct km_mcp_server_row *row, struct km_err *err)
{
    (void)err;
    on_price(ctx,
             &(struct km_price_row){ .source = row->name, .model = row->id, .json = row->json });
    return 0;
}

static void seen_of_servers(struct dump *d)
{
    struct km_pin_row pin = { .server = KM_STR("srv"),
                              .tool = KM_STR("search"),
                              .accepted = KM_PIN_FIRST_SIGHT,
                              .flags = UINT32_MAX,
                              .first_us = 6 };

    BEGIN(d, km_store_catalogue_put, "what a server offers");
    km_store_catalogue_put(d->p.store, d->p.reply, KM_STR("srv"), KM_STR("shape"),
                           KM_STR("{\"tools\":[]}"), on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_catalogues, "all");
    assert_int_equal(km_store_catalogues(d->p.store, on_catalogue, d, NULL), 0);
    memset(pin.hash, 0x41, sizeof pin.hash);
    BEGIN(d, km_store_pin_put, "a definition");
    pin.definition = KM_STR("{\"description\":\"says\"}");
    km_store_pin_put(d->p.store, &pin);
    dump_sync(d);
    pin.accepted = KM_PIN_BY_PERSON;
    pin.tool = KM_STR("fetch");
    pin.first_us = 5;
    BEGIN(d, km_store_pin_put, "an older one");
    km_store_pin_put(d->p.store, &pin);
    dump_sync(d);
    pin.definition = KM_STR_NONE;
    BEGIN(d, km_store_pin_put, "again: what it said stays");
    km_store_pin_put(d->p.store, &pin);
    dump_sync(d);
    BEGIN(d, km_store_pin_texts, "of one server");
    km_store_pin_texts(d->p.store, d->p.reply, KM_STR("srv"), on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_pins, "all");
    assert_int_equal(km_store_pins(d->p.store, on_pin, d, NULL), 0);
    BEGIN(d, km_store_pin_drop, "the older one");
    km_store_pin_drop(d->p.store, &pin);
    dump_sync(d);
}

static void put_a_server(struct dump *d, const char *name, const char *json, const char *what)
{
    const struct km_mcp_server_row row = { .name = km_str_c(name),
                                           .json = km_str_c(json),
                                           .id = KM_STR("srv-id") };

    BEGIN(d, km_store_mcp_server_put, what);
    km_store_mcp_server_put(d->p.store, d->p.reply, &row, &by_admin, on_done, &d->p);
    dump_answer(d, false);
}

static void added_servers(struct dump *d)
{
    struct km_mcp_token_row token = { .server = KM_STR("srv-id"),
                                      .principal = KM_STR("key:1"),
                                      .issuer = KM_STR("https://as.example.com"),
                                      .record = KM_STR("{\"access\":\"t\"}") };
    size_t lost = 1;

    put_a_server(d, "srv", "{\"url\":\"https://mcp.example.com\"}", "a server");
    put_a_server(d, "another", "{}", "one more");
    BEGIN(d, km_store_mcp_token_put, "a log-in there");
    km_store_mcp_token_put(d->p.store, &token);
    dump_sync(d);
    token.principal = KM_STR("key:2");
    BEGIN(d, km_store_mcp_token_put, "somebody else's");
    km_store_mcp_token_put(d->p.store, &token);
    dump_sync(d);
    BEGIN(d, km_store_mcp_tokens, "all of the server");
    assert_int_equal(km_store_mcp_tokens(d->p.store, token.server, on_token, d, NULL), 0);
    token.record = KM_STR_NONE;
    BEGIN(d, km_store_mcp_token_put, "which goes");
    km_store_mcp_token_put(d->p.store, &token);
    dump_sync(d);
    BEGIN(d, km_store_mcp_servers, "all");
    assert_int_equal(km_store_mcp_servers(d->p.store, on_server, d, &lost, NULL), 0);
    assert_int_equal(lost, 0);
    put_a_server(d, "srv", "", "it goes, and its log-ins with it");
}

/* --- models --- */

static int on_model(void *ctx, const struct km_model_row *row, struct km_err *err)
{
    (void)err;
    on_price(ctx, &(struct km_price_row){ .source = row->id, .json = row->json });
    return 0;
}

static void put_a_model(struct dump *d, const char *id, const char *json, const char *what)
{
    const struct km_model_row row = { .id = km_str_c(id), .json = km_str_c(json) };

    BEGIN(d, km_store_model_put, what);
    km_store_model_put(d->p.store, d->p.reply, &row, &by_admin, on_done, &d->p);
    dump_answer(d, false);
}

static void stored_models(struct dump *d)
{
    size_t lost = 1;

    put_a_model(d, "model-2", "{\"model_name\":\"chat\"}", "a model");
    put_a_model(d, "model-1", "{\"model_name\":\"later\"}", "one more, made later");
    put_a_model(d, "model-2", "{\"model_name\":\"other\"}", "the first again: it keeps its place");
    BEGIN(d, km_store_models, "all");
    assert_int_equal(km_store_models(d->p.store, on_model, d, &lost, NULL), 0);
    assert_int_equal(lost, 0);
    put_a_model(d, "model-1", "", "it goes");
}

/* --- accounts --- */

static void on_purse(void *ctx, const struct km_paying *purse, int64_t end_us, int64_t spend)
{
    struct dump *d = ctx;

    km_buf_str(&d->text, KM_STR("-> "));
    km_buf_json(&d->text, purse->name);
    km_buf_printf(&d->text, " %lld %lld %lld\n", (long long)purse->length_s, (long long)end_us,
                  (long long)spend);
}

static void put_an_account(struct dump *d, enum km_account_kind kind, const char *id,
                           const char *of, bool insert, const char *what)
{
    struct km_account_row row = km_account_row_none(kind, km_str_c(id), km_str_c(of));

    row.max_budget = insert ? 5 * USD : 6 * USD;
    row.metadata = KM_STR("{}");
    BEGIN(d, km_store_account_put, what);
    km_store_account_put(d->p.store, d->p.reply, &row, insert, &by_admin, on_done, &d->p);
    dump_answer(d, false);
}

static void delete_an_account(struct dump *d, enum km_account_kind kind, const char *id,
                              const char *what)
{
    BEGIN(d, km_store_account_delete, what);
    km_store_account_delete(d->p.store, d->p.reply, kind, km_str_c(id), KM_STR_NONE, &by_admin,
                            on_done, &d->p);
    dump_answer(d, false);
}

static void on_account(void *ctx, const struct km_account_row *row)
{
    struct dump *d = ctx;

    km_buf_printf(&d->text, "-> %s %.*s %.*s %lld\n", km_account_words[row->kind].kind,
                  KM_STR_ARG(row->id), KM_STR_ARG(row->of), (long long)row->max_budget);
}

/* A call that a team and a tag pay for, its correction, and other windows of the tag. */
static void payers(struct dump *d)
{
    static const char text[] = "4\x1ft1\x1f\x1f\x1f\x1e"
                               "0\x1e"
                               "0\x1d"
                               "8\x1fred\x1f\x1f\x1f\x1e"
                               "86400\x1e"
                               "86400000000\x1d";
    struct km_paying tag = { .name = KM_STR("8\x1fred\x1f\x1f\x1f") };
    struct km_ledger_entry e = entry(&d->p, 9, 50);

    e.id = (struct km_uuid){ { 0x77 } };
    e.payers = km_str_c(text);
    e.start_us = DUMP_START_US;
    e.end_us = DUMP_START_US + 1000;
    BEGIN(d, km_ledger_settle, "which its team and a tag pay for");
    settle(&d->p, &e);
    dump_sync(d);
    BEGIN(d, km_store_spend_correct, "of all who pay");
    km_store_spend_correct(d->p.store, d->p.reply, &e.id, 20, KM_STR("bill"), KM_STR("local:0"),
                           on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_purses_define, "a window that is longer");
    tag.length_s = 7 * 86400;
    tag.end_us = km_time_budget_reset(DUMP_START_US, tag.length_s);
    km_store_purses_define(d->p.store, &tag, 1);
    dump_sync(d);
    BEGIN(d, km_store_purses, "all");
    assert_int_equal(km_store_purses(d->p.store, on_purse, d, NULL), 0);
}

static void accounts(struct dump *d)
{
    put_an_account(d, KM_ACCOUNT_TEAM, "t1", "", true, "a team");
    put_an_account(d, KM_ACCOUNT_TEAM, "t1", "", true, "it is there");
    put_an_account(d, KM_ACCOUNT_MEMBER, "u1", "t1", true, "its member");
    put_an_account(d, KM_ACCOUNT_USER, "u1", "", true, "who is a user");
    put_an_account(d, KM_ACCOUNT_ORG_MEMBER, "u1", "o1", true, "of an organisation too");
    put_an_account(d, KM_ACCOUNT_TEAM, "t1", "", false, "more for the team");
    BEGIN(d, km_store_accounts, "all");
    assert_int_equal(km_store_accounts(d->p.store, on_account, d, NULL), 0);
    delete_an_account(d, KM_ACCOUNT_USER, "u1", "the user goes, and is no member any more");
    put_an_account(d, KM_ACCOUNT_MEMBER, "u2", "t1", true, "another member");
    delete_an_account(d, KM_ACCOUNT_TEAM, "t1", "the team goes, and its members with it");
    delete_an_account(d, KM_ACCOUNT_TEAM, "t1", "it is gone");
}

/* --- the roll-up --- */

static int on_daily_row(void *ctx, const struct km_daily_row *row, struct km_buf *out,
                        struct km_err *err)
{
    const struct km_str texts[] = { row->hash,       row->call_type, row->model,
                                    row->group,      row->deployment, row->provider,
                                    row->payers,     row->key_alias, row->key_user,
                                    row->key_team };

    (void)ctx;
    (void)err;
    km_buf_printf(out, "\n%lld", (long long)row->day);
    for (size_t i = 1; i < sizeof texts / sizeof texts[0]; i++) {
        km_buf_byte(out, ' ');
        km_buf_json(out, texts[i]);
    }
    km_buf_printf(out, " %02x %lld %lld %lld %lld %lld %lld %lld",
                  row->hash.n ? (unsigned char)row->hash.p[0] : 0, (long long)row->key_exists,
                  (long long)row->calls, (long long)row->failed, (long long)row->prompt,
                  (long long)row->completion, (long long)row->cached, (long long)row->cost);
    return 0;
}

static int on_daily_end(void *ctx, struct km_buf *out, struct km_err *err)
{
    (void)ctx;
    (void)err;
    km_buf_str(out, KM_STR("\nthat is all"));
    return 0;
}

static void daily(struct dump *d)
{
    struct km_daily_ask ask = {
        .from_day = 0, .to_day = 100000, .each = on_daily_row, .end = on_daily_end
    };

    BEGIN(d, km_store_daily, "every day");
    km_store_daily(d->p.store, d->p.reply, &ask, on_json, &d->p);
    dump_answer(d, true);
    ask.by_key = true;
    memset(ask.key_hash, 4, sizeof ask.key_hash);
    ask.to_day = DUMP_START_US / DAY;
    BEGIN(d, km_store_daily, "a key's, until then");
    km_store_daily(d->p.store, d->p.reply, &ask, on_json, &d->p);
    dump_answer(d, true);
}

#endif
