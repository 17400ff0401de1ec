/* SPDX-License-Identifier: Apache-2.0 */
/* dump_doubt.h - of the dump: what is held of calls whose end nobody knows, and what is corrected.
 * */
#ifndef KM_TEST_STORE_DUMP_DOUBT_H
#define KM_TEST_STORE_DUMP_DOUBT_H

#include "dump_ledger.h"
#include "store/holds.h"

static void on_hold(void *ctx, const struct km_spend_hold *hold)
{
    struct dump *d = ctx;

    km_buf_printf(&d->text, "-> %02x %02x %lld %lld %lld\n", hold->id.b[15], hold->payer.heir[0],
                  (long long)hold->amount, (long long)hold->made_us, (long long)hold->until_us);
}

static void on_books_charge(void *ctx, const struct km_open_charge *c)
{
    struct dump *d = ctx;

    km_buf_printf(&d->text, "-> books: charged %lld of %lld, held %lld\n", (long long)c->cost,
                  (long long)c->reserved, (long long)c->hold.amount);
}

static void on_books_release(void *ctx, const struct km_spend_hold *hold)
{
    struct dump *d = ctx;

    km_buf_printf(&d->text, "-> books: released %lld\n", (long long)hold->amount);
}

static void on_books_correction(void *ctx, const struct km_correction *c)
{
    struct dump *d = ctx;

    km_buf_printf(&d->text, "-> books: %lld more\n", (long long)c->more);
}

static void doubts(struct dump *d)
{
    const struct km_store_books books = { d, on_books_charge, on_books_release,
                                          on_books_correction };
    struct km_spend_hold_which which = { .by_id = true, .id = a_call(10, 2, 8000).id };
    struct km_ledger_entry open = a_call(10, 2, 8000);

    BEGIN(d, km_store_use_books, "who hears of it");
    km_store_use_books(d->p.store, &books);
    intend_it(d, &open, "of another that never ends");
    dump_sync(d);
    BEGIN(d, km_store_charge_open, "which its process left open");
    km_store_charge_open(d->p.store, d->p.reply, DUMP_START_US + HOUR, on_done, &d->p);
    dump_answer(d, false);
    BEGIN(d, km_store_holds, "all of them");
    assert_int_equal(km_store_holds(d->p.store, on_hold, d, NULL), 0);
    BEGIN(d, km_store_holds_list, "as they are shown");
    km_store_holds_list(d->p.store, d->p.reply, on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_holds_release, "of one call");
    km_store_holds_release(d->p.store, d->p.reply, &which, KM_STR("local:0"), KM_STR("a call"),
                           on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_holds_release, "of one that holds nothing");
    km_store_holds_release(d->p.store, d->p.reply, &which, KM_STR("local:0"), KM_STR("a call"),
                           on_json, &d->p);
    dump_answer(d, true);
    which.id = a_call(6, 4, 5000).id;
    BEGIN(d, km_store_spend_correct, "of a call that is held");
    km_store_spend_correct(d->p.store, d->p.reply, &which.id, 1500, KM_STR("the bill"),
                           KM_STR("local:0"), on_json, &d->p);
    dump_answer(d, true);
    which.id = a_call(4, 4, -10 * HOUR).id;
    BEGIN(d, km_store_spend_correct, "in a window that is over");
    km_store_spend_correct(d->p.store, d->p.reply, &which.id, 500, KM_STR_NONE, KM_STR("local:0"),
                           on_json, &d->p);
    dump_answer(d, true);
    which.id = a_call(10, 2, 8000).id;
    BEGIN(d, km_store_spend_correct, "of a key without windows");
    km_store_spend_correct(d->p.store, d->p.reply, &which.id, 0, KM_STR("it was a gift"),
                           KM_STR("local:0"), on_json, &d->p);
    dump_answer(d, true);
    BEGIN(d, km_store_use_books, "nobody");
    km_store_use_books(d->p.store, NULL);
}

#endif
