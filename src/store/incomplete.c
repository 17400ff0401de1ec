/* SPDX-License-Identifier: Apache-2.0 */
/* incomplete.c - see incomplete.h.
 *
 *     open_calls  reserved |------ cost ------|------- rest -------|   deadline
 *                               |                     |                  |
 *     spend       cost, estimated and incomplete      |                  |
 *     holds                                        amount   until the earlier of that and hold_us
 *
 * What a call would cost if nothing more were heard of it was said before it was sent, and again
 * while it ran.  It is not charged more than was agreed for it.  What it may have cost beyond stays
 * out of its key's reach for a while, and where people see it; then it is the key's again, so that
 * no key dies of a doubt.
 *
 * `intents` has what a program left that knew of nothing but the reservation: charged as reserved.
 * A call whose row is there already, from a commit that was tried twice, is charged nothing more.
 */
#include "store/incomplete.h"

#include <stdlib.h>

#include "base/time.h"
#include "store/open_state.h"
#include "store/payers.h"
#include "store/statements.h"
#include "store/windows.h"

#define PAGE 1000

enum { FIND_OPEN, FIND_OLDER, HOLD, EXPIRE };

/* A row, with all it names. */
struct open {
    struct km_uuid id;
    struct km_payer payer;
    int64_t key, route, start_us, reserved;
    struct km_str packed, texts; /* of an older program's: none, and those of its columns */
    struct km_open_state state; /* unpacked */
    struct km_str call_type, model_group, model, deployment, provider, api_base;
    bool known, charged; /* there is such a key; such a row of `spend` */
};

struct hold {
    struct km_uuid id;
    int64_t key, route, amount, made_us, until_us;
};

#define OPEN(member) KM_FIELD(struct open, member)
#define NEW(member) KM_FIELD(struct hold, member)

#define FIND(columns, table)                                                                       \
    {                                                                                              \
        "SELECT o.id, i.hash, " KM_KEY_HEIR("i.hash") ", coalesce(p.text, ''), o.key, o.route,"    \
        " o.start_us, o.reserved,"                                                                 \
        " " columns ", call_type, model_group, model, deployment, provider, api_base,"             \
        " EXISTS (SELECT 1 FROM keys WHERE hash = " KM_KEY_HEIR("i.hash") "),"                     \
        " EXISTS (SELECT 1 FROM spend s WHERE s.id = o.id)"                                        \
        " FROM " table " o" KM_PAYER_JOIN("o.key") " JOIN routes r ON r.id = o.route"              \
        " WHERE ?1 = 0 OR o.start_us < ?1 LIMIT 1000" /* PAGE */                                   \
    }
#define FOUND                                                                                      \
    KM_FIELDS(OPEN(id.b), OPEN(payer.hash), OPEN(payer.heir), OPEN(payer.text), OPEN(key),         \
              OPEN(route),                                                                         \
              OPEN(start_us), OPEN(reserved), KM_FIELD_AS(struct open, packed, KM_FIELD_BLOB),     \
              KM_FIELD_AS(struct open, texts, KM_FIELD_BLOB), OPEN(state.flags),                   \
              OPEN(state.user_n), OPEN(state.metadata_n), OPEN(state.client_ip_n),                 \
              OPEN(call_type), OPEN(model_group), OPEN(model), OPEN(deployment), OPEN(provider),   \
              OPEN(api_base), OPEN(known), OPEN(charged))

static const struct km_statement rows[] = {
    [FIND_OPEN] = { "incomplete.open",
                    FIND("o.state, coalesce(o.texts, x''), 0, 0, 0, 0", "open_calls"),
                    .in = KM_NUMBER,
                    .out = FOUND },
    [FIND_OLDER] = { "incomplete.older",
                     FIND("x'', CAST(coalesce(o.user, '') || coalesce(o.metadata, '')"
                          " || coalesce(o.client_ip, '') AS BLOB), o.flags,"
                          " coalesce(length(CAST(o.user AS BLOB)), 0),"
                          " coalesce(length(CAST(o.metadata AS BLOB)), 0),"
                          " coalesce(length(CAST(o.client_ip AS BLOB)), 0)",
                          "intents"),
                     .in = KM_NUMBER,
                     .out = FOUND },
    [HOLD] = { "incomplete.hold",
               { "INSERT INTO holds (id, key, route, amount, made_us, until_us)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING" },
               .in = KM_FIELDS(NEW(id.b), NEW(key), NEW(route), NEW(amount), NEW(made_us),
                               NEW(until_us)) },
    [EXPIRE] = { "incomplete.expire",
                 { "DELETE FROM holds WHERE until_us <= ?1" },
                 .in = KM_NUMBER },
};
const struct km_statements km_incomplete_statements = KM_STATEMENTS(rows);

static void forget_charges(struct km_incomplete *ret)
{
    for (size_t i = 0; i < ret->nv; i++)
        free((char *)(uintptr_t)ret->v[i].payer.text.p);
    ret->nv = 0;
}

void km_incomplete_done(struct km_incomplete *ret)
{
    forget_charges(ret);
    free(ret->v);
    *ret = (struct km_incomplete){ 0 };
}

/* An older program said no more than what was reserved; and that is all that is known where a later
 * one said what is not understood here. */
static void unpack(struct open *o)
{
    struct km_open_state *s = &o->state;

    if (o->packed.n && km_open_state_read(o->packed, o->start_us, s))
        return;
    s->cost = o->reserved;
    s->deadline_us = s->attempt = s->prompt_tokens = s->completion_tokens = 0;
}

/* Under litellm's budgets nothing is reserved: then the estimate is all that is known. */
static int64_t cost_of(const struct open *o)
{
    return o->reserved > 0 && o->state.cost > o->reserved ? o->reserved : o->state.cost;
}

static struct km_ledger_entry entry_of(const struct open *o)
{
    const size_t user_n = (size_t)o->state.user_n, metadata_n = (size_t)o->state.metadata_n;
    struct km_ledger_entry e = {
        .id = o->id,
        .start_us = o->start_us,
        .prompt_tokens = o->state.prompt_tokens,
        .completion_tokens = o->state.completion_tokens,
        .cost = cost_of(o),
        .reserved = o->reserved,
        .flags = (unsigned)o->state.flags | KM_CALL_INCOMPLETE | KM_CALL_ESTIMATED,
        .user = km_str_sub(o->texts, 0, user_n),
        .metadata = km_str_sub(o->texts, user_n, metadata_n),
        .client_ip = km_str_skip(o->texts, user_n + metadata_n),
        .payers = o->payer.text,
        .call_type = o->call_type,
        .model_group = o->model_group,
        .model = o->model,
        .deployment = o->deployment,
        .provider = o->provider,
        .api_base = o->api_base,
    };

    memcpy(e.key_hash, o->payer.hash, sizeof e.key_hash);
    return e;
}

static int add_charge(struct km_incomplete *ret, const struct open *o,
                      const struct km_ledger_entry *e, struct km_err *err)
{
    struct km_payer payer = o->payer;

    if (ret->nv == ret->cap) {
        size_t cap = ret->cap ? 2 * ret->cap : 64;
        struct km_open_charge *grown = realloc(ret->v, cap * sizeof *grown);

        if (!grown)
            return km_fail(err, KM_E_NOMEM, "store: out of memory");
        ret->v = grown;
        ret->cap = cap;
    }
    if (payer.text.n) {
        char *text = malloc(payer.text.n);

        if (!text)
            return km_fail(err, KM_E_NOMEM, "store: out of memory");
        memcpy(text, payer.text.p, payer.text.n);
        payer.text.p = text;
    } else {
        payer.text.p = NULL;
    }
    ret->v[ret->nv++] = (struct km_open_charge){
        .payer = payer,
        .reserved = o->reserved,
        .cost = e->cost,
        .tokens = e->prompt_tokens + e->completion_tokens,
        .flags = e->flags,
    };
    ret->n++;
    ret->charged += e->cost;
    return 0;
}

/* What is left of its reservation; made_us is the moment of all this. */
static int hold_rest(struct km_db *db, const struct open *o, int64_t made_us, int64_t hold_us,
                     struct km_incomplete *ret, struct km_err *err)
{
    struct km_open_charge *c = &ret->v[ret->nv - 1];
    struct hold hold = { .id = o->id,
                         .key = o->key,
                         .route = o->route,
                         .amount = o->reserved - c->cost,
                         .made_us = made_us,
                         .until_us = made_us + hold_us };
    int r;

    if (o->state.deadline_us && o->state.deadline_us < hold.until_us)
        hold.until_us = o->state.deadline_us;
    if (!o->known || hold.amount <= 0 || hold.until_us <= made_us)
        return 0;
    r = km_db_run(db, &rows[HOLD], &hold, NULL, err);
    if (r < 0)
        return r;
    c->hold = (struct km_spend_hold){ .id = hold.id,
                                      .payer = c->payer,
                                      .amount = hold.amount,
                                      .made_us = made_us,
                                      .until_us = hold.until_us };
    ret->held += hold.amount;
    if (hold.until_us > ret->until_us)
        ret->until_us = hold.until_us;
    return 0;
}

struct page {
    int find;
    int64_t before_us, made_us, hold_us;
    struct km_buf records;
    size_t n;
};

static int read_one(struct km_db *db, struct open *o, struct page *page, struct km_incomplete *ret,
                    struct km_err *err)
{
    struct km_ledger_entry e;
    size_t size;
    char *at;
    int r;

    unpack(o);
    e = entry_of(o);
    size = km_record_size(&e);
    at = km_buf_reserve(&page->records, size);
    if (!at)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    km_record_write((struct km_record *)(void *)at, size, &e, KM_RECORD_SETTLED);
    page->records.n += size;
    page->n++;
    if (o->charged)
        return 0;
    r = add_charge(ret, o, &e, err);
    return r == 0 ? hold_rest(db, o, page->made_us, page->hold_us, ret, err) : r;
}

/* One page of them: the statement may not run on while its table is written. */
static int charge_some(struct km_db *db, struct km_apply *a, struct page *page,
                       struct km_incomplete *ret, struct km_err *err)
{
    struct km_ready *find KM_CLEANUP(km_ready_done) = NULL;
    struct open o = { .reserved = 0 };
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[page->find], &page->before_us, &find, err);

    km_buf_reset(&page->records);
    page->n = 0;
    if (!ret->keep)
        forget_charges(ret);
    while (r == 0 && (r = km_ready_next(find, &o, &got, err)) == 0 && got)
        r = read_one(db, &o, page, ret, err);
    if (find)
        km_ready_rest(find);
    for (size_t at = 0; r == 0 && at < page->records.n;) {
        const struct km_record *rec =
            (const struct km_record *)(const void *)(page->records.p + at);

        r = km_apply_record(a, rec, err);
        at += rec->size;
    }
    return r == 0 ? km_apply_flush(a, err) : r;
}

int km_incomplete_charge(struct km_db *db, struct km_apply *a, int64_t before_us, int64_t hold_us,
                         struct km_incomplete *ret, struct km_err *err)
{
    struct page page = { .before_us = before_us,
                         .made_us = km_wall_us(),
                         .hold_us = hold_us,
                         .records = KM_BUF(64u << 20) };
    int r = 0;

    for (page.find = FIND_OPEN; r == 0 && page.find <= FIND_OLDER; page.find++)
        do
            r = charge_some(db, a, &page, ret, err);
        while (r == 0 && page.n >= PAGE);
    km_buf_done(&page.records);
    return r;
}

int km_incomplete_expire(struct km_db *db, struct km_err *err)
{
    const int64_t now_us = km_wall_us();

    return km_db_run(db, &rows[EXPIRE], &now_us, NULL, err);
}
