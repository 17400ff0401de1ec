/* SPDX-License-Identifier: Apache-2.0 */
/* spend.c - what calls cost, and what of it is in doubt.
 *
 *     GET  /spend/logs                   LiteLLM's rows, or a summary by day
 *     GET  /kanmon/spend/holds           what is held of calls whose end nobody knows
 *     POST /kanmon/spend/holds/release   {"request_id": ...}, {"key": ...}, {"key_alias": ...} or
 *                                        {"all": true}
 *     POST /kanmon/spend/correct         {"request_id": ..., "cost": USD, "reason": ...}
 *
 * What this process still holds is handed to the writer first, so that a call whose answer was
 * read is in the list that is asked for next.  A release says whose holds it means, for `all` is
 * not what an empty body should mean; a correction says a sum and no difference, so that it can be
 * sent twice.
 */
#include "admin/spend.h"

#include "admin/admin.h"
#include "base/encode.h"
#include "store/holds.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define BODY_BYTES 4096
#define REASON_BYTES 1024
#define MOST_COST ((int64_t)1 << 53) /* of one call, as the ledger has it */

static void on_rows(void *ctx, struct km_str json, const struct km_err *err)
{
    if (err)
        km_admin_error(ctx, err);
    else
        km_admin_json(ctx, 200, json);
}

static int read_day(struct km_admin *a, const char *name, int64_t add, int64_t *ret,
                    struct km_err *err)
{
    struct km_str text;

    if (!km_admin_query(a, name, &text) || !text.n)
        return 0;
    if (km_time_parse_iso(text, ret) < 0)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be a date like 2026-01-31.", name);
    *ret += add;
    return 0;
}

static void read_number(struct km_admin *a, const char *name, size_t *ret)
{
    struct km_str text;
    uint64_t n;

    if (km_admin_query(a, name, &text) && km_str_u64(text, &n) == 0)
        *ret = (size_t)n;
}

static int logs(struct km_admin *a, struct km_err *err)
{
    struct km_spend_query q = { 0 };
    struct km_str text;
    int r = read_day(a, "start_date", 0, &q.from_us, err);

    if (r == 0)
        r = read_day(a, "end_date", DAY_US, &q.to_us, err);
    if (r == 0 && km_admin_query(a, "api_key", &text) && text.n) {
        r = km_admin_key_hash(text, q.key_hash, err);
        q.by_key = true;
    }
    if (r < 0)
        return r;
    if (km_admin_query(a, "request_id", &text))
        q.request_id = text;
    if (km_admin_query(a, "user_id", &text))
        q.user_id = text;
    q.summarize = (q.from_us || q.to_us) &&
                  !(km_admin_query(a, "summarize", &text) && km_str_ieq(text, KM_STR("false")));
    read_number(a, "limit", &q.limit);
    read_number(a, "offset", &q.offset);
    km_ledger_flush(a->v->w->ledger);
    km_store_spend_logs(a->v->w->gw->store, a->v->w->mailbox, &q, on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_logs, 1024, logs)

static int stats(struct km_admin *a, struct km_err *err)
{
    (void)err;
    km_store_stats(a->v->w->gw->store, a->v->w->mailbox, on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_stats, 1024, stats)

/* --- what is held --- */

static int list_holds(struct km_admin *a, struct km_err *err)
{
    (void)err;
    km_store_holds_list(a->v->w->gw->store, a->v->w->mailbox, on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_holds, 1024, list_holds)

static int read_id(struct km_admin *a, struct km_uuid *ret, struct km_str *ret_text,
                   struct km_err *err)
{
    if (!km_json_string(km_json_get(a->body, "request_id"), ret_text))
        return km_fail_param(err, KM_E_INVALID, "request_id", "'request_id' must be a call's id.");
    /* What cannot be an id is no call's, as any other that there is not. */
    return km_uuid_parse(*ret_text, ret) < 0
               ? km_fail(err, KM_E_NOT_FOUND, "There is no call with this id.")
               : 0;
}

/* Of a key that is there; its alias, or as every route takes one. */
static int read_key(struct km_admin *a, uint8_t hash[32], struct km_err *err)
{
    struct km_keys *keys = a->v->w->gw->keys;
    struct km_str text;
    struct km_key *key;

    if (km_json_string(km_json_get(a->body, "key_alias"), &text)) {
        key = km_keys_by_alias(keys, text);
    } else {
        if (!km_json_string(km_json_get(a->body, "key"), &text) ||
            km_admin_key_hash(text, hash, err) < 0)
            return km_fail_param(err, KM_E_INVALID, "key", "'key' must be a key or its hash.");
        key = km_keys_find(keys, hash);
    }
    if (!key)
        return km_fail(err, KM_E_NOT_FOUND, "There is no such key.");
    km_key_books(key, hash);
    km_key_unref(key);
    return 0;
}

static int release_hold(struct km_admin *a, struct km_err *err)
{
    struct km_spend_hold_which which = { .by_id = km_json_get(a->body, "request_id") != NULL,
                                         .by_key = km_json_get(a->body, "key") ||
                                                   km_json_get(a->body, "key_alias") };
    struct km_str target = KM_STR("all");
    bool all = false;
    char hash[65];
    int r = 0;

    (void)km_json_bool(km_json_get(a->body, "all"), &all);
    if (which.by_id + which.by_key + all != 1)
        return km_fail(err, KM_E_INVALID,
                       "Say what is to be released: 'request_id', 'key', 'key_alias' or "
                       "'all': true, and one of them.");
    if (which.by_id)
        r = read_id(a, &which.id, &target, err);
    else if (which.by_key)
        r = read_key(a, which.key_hash, err);
    if (r < 0)
        return r;
    if (which.by_key) {
        km_hex(hash, which.key_hash, 32);
        target = km_str_c(hash);
    }
    km_store_holds_release(a->v->w->gw->store, a->v->w->mailbox, &which, km_admin_actor(a), target,
                           on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_release, BODY_BYTES, release_hold)

/* --- what is not as it is booked --- */

static int correct_cost(struct km_admin *a, struct km_err *err)
{
    const struct km_json *cost = km_json_get(a->body, "cost");
    struct km_str text, reason = KM_STR_NONE;
    struct km_uuid id;
    int64_t nanousd;
    int r = read_id(a, &id, &text, err);

    if (r < 0)
        return r;
    if ((!km_json_number(cost, &text) && !km_json_string(cost, &text)) ||
        km_str_decimal(text, 9, &nanousd) < 0 || nanousd > MOST_COST)
        return km_fail_param(err, KM_E_INVALID, "cost",
                             "'cost' must be what the call cost, in USD: 0 or more.");
    (void)km_json_string(km_json_get(a->body, "reason"), &reason);
    if (reason.n > REASON_BYTES)
        return km_fail_param(err, KM_E_INVALID, "reason", "'reason' has more than %d bytes.",
                             REASON_BYTES);
    km_ledger_flush(a->v->w->ledger);
    km_store_spend_correct(a->v->w->gw->store, a->v->w->mailbox, &id, nanousd, reason,
                           km_admin_actor(a), on_rows, a);
    return 0;
}

KM_ADMIN_HANDLER(on_correct, BODY_BYTES, correct_cost)

static const struct km_route rows[] = {
    { "GET", "/spend/logs", on_logs, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/spend/holds", on_holds, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/spend/holds/release", on_release, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/spend/correct", on_correct, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/db/stats", on_stats, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_spend_routes = { rows, sizeof rows / sizeof rows[0] };
