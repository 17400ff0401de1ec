/* SPDX-License-Identifier: Apache-2.0 */
/* books.c - what a session may cost and did.
 *
 * Each answer is a row of its own: an intent before it is asked for (or, of one that a voice began,
 * when it begins), each second how far it is, a settlement when it ends (what the upstream said).
 * So after a crash what has ended is exact, what was under way is charged as far as it was heard,
 * and an idle session costs nothing.  The session itself is a row too, with no cost: who connected,
 * when, how it ended.
 *
 * What may come is reserved before (room.c, permit.c): what is held grows as the client says more
 * and as an answer is written, and what it really cost moves to what is spent.  When it does not
 * fit any more the session ends, before what is left is passed.
 */
#include "gateway/realtime/realtime.h"

#include <stdlib.h>

#include "call/metrics.h"
#include "kept/other_models.h"
#include "policy/bill.h"
#include "policy/pace.h"
#include "policy/usage_limits.h"

#define META_BYTES 512

/* --- rows --- */

struct km_rt_wait {
    struct km_list link;
    struct km_rt_session *s; /* NULL: it is gone */
    struct km_rt_response *asks; /* the client's message that asks for it waits; NULL: all does */
    km_broker_fn *booked; /* then */
};

void km_rt_forget_waits(struct km_rt_session *s)
{
    struct km_list *node;

    while ((node = km_list_pop(&s->waits)) != NULL)
        KM_CONTAINER(node, struct km_rt_wait, link)->s = NULL;
    s->asking = 0; /* its call is settled: the broker says nothing any more */
}

static void on_committed(void *ctx, const struct km_err *err)
{
    struct km_rt_wait *wait = ctx;
    struct km_rt_session *s = wait->s;
    struct km_rt_response *asks = wait->asks;
    km_broker_fn *booked = wait->booked;
    struct km_err why;

    if (s)
        km_list_remove(&wait->link);
    free(wait);
    if (!s)
        return;
    if (asks) {
        asks->sent = !err && s->state == KM_RT_OPEN;
        asks->used = asks->used && !err;
        booked(s, err);
        km_rt_go_on(s); /* what its upstream said meanwhile stood in line */
        return;
    }
    km_rt_go_on(s);
    if (!err)
        return;
    why = *err;
    km_rt_end(s, KM_WS_TRY_LATER, &why, true);
}

static void row(struct km_rt_session *s, const struct km_uuid *id, const char *type, char *ip,
                struct km_ledger_entry *e)
{
    *e = (struct km_ledger_entry){ 0 };
    km_call_entry(s->call, e, ip);
    e->id = *id;
    e->call_type = km_str_c(type);
    e->status = 200;
    e->flags = KM_CALL_STREAM | KM_CALL_PART;
}

/* {"realtime_session": the call's id, "response": the upstream's} */
static struct km_str note(const struct km_rt_session *s, struct km_str id, struct km_buf *b)
{
    km_buf_printf(b, "{\"realtime_session\":\"%s\",\"response\":", s->call->visit->id_text);
    km_buf_json(b, id);
    km_buf_byte(b, '}');
    return km_buf_failed(b) ? KM_STR_NONE : km_buf_view(b);
}

/* In strict accounting nothing moves until it is committed. */
static void wait_for(struct km_rt_session *s, struct km_rt_wait *wait, bool waits)
{
    if (!waits) {
        free(wait);
        return;
    }
    wait->s = s;
    km_list_push(&s->waits, &wait->link);
    if (!wait->asks)
        km_rt_hold(s);
}

/* As it stands: what would be charged if nothing were heard of it any more. */
static void open_row(struct km_rt_session *s, const struct km_rt_response *r,
                     const struct km_usage *u, char *ip, struct km_ledger_entry *e)
{
    const struct km_bill_facts facts = {
        .usage = *u, .reserved_input = -1, .reserved_output = -1, .reserved = r->reserved
    };
    struct km_bill b;

    km_bill_so_far(&facts, &s->call->at->d->price, &b);
    row(s, &r->row, "_arealtime", ip, e);
    e->start_us = r->start_us;
    e->reserved = r->reserved;
    e->attempt = 1;
    e->cost = b.cost;
    e->flags |= b.unpriced ? KM_CALL_UNPRICED : 0;
    e->prompt_tokens = b.usage.prompt_tokens;
    e->completion_tokens = b.usage.completion_tokens;
}

/* booked NULL: nothing of the upstream's moves before it is committed. */
static int write_intent(struct km_rt_session *s, struct km_rt_response *r, km_broker_fn *booked,
                        struct km_err *err)
{
    struct km_rt_wait *wait = calloc(1, sizeof *wait);
    struct km_usage u = km_rt_heard(s);
    struct km_ledger_entry e;
    char ip[KM_ADDR_TEXT];
    bool waits = false;
    int code;

    if (!wait)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_list_init(&wait->link);
    wait->asks = booked ? r : NULL;
    wait->booked = booked;
    open_row(s, r, &u, ip, &e);
    code = km_ledger_intent(s->call->w->ledger, &e, on_committed, wait, &waits, err);
    wait_for(s, wait, code == 0 && waits);
    return code == 0 && waits && booked ? KM_E_AGAIN : code;
}

void km_rt_tell_books(struct km_rt_session *s)
{
    struct km_usage u = km_rt_heard(s);

    for (size_t i = 0; i < KM_RT_RESPONSES; i++) {
        const struct km_rt_response *r = &s->responses[i];
        struct km_ledger_entry e;
        char ip[KM_ADDR_TEXT];
        bool ignored = false;

        if (!r->used)
            continue;
        open_row(s, r, &u, ip, &e);
        km_ledger_progress(s->call->w->ledger, &e, NULL, NULL, &ignored);
        if (!r->asked) /* the first stands for all that are under way */
            u.completion_tokens = u.audio_completion_tokens = 0;
    }
}

/* What it costs, by how it ended (policy/bill.h): a live ending, by the time it had, too. */
static void bill(const struct km_rt_session *s, struct km_ledger_entry *e,
                 const struct km_price *price, const struct km_usage *u, enum km_bill_end end)
{
    const struct km_bill_facts facts = {
        .end = end,
        .usage = *u,
        .writes = true,
        .streamed = true,
        .upstream_ms = e->end_us > e->start_us ? (uint64_t)(e->end_us - e->start_us) / 1000 : 0,
        .rate = km_pace_rate(s->call->at->d->pace),
        .reserved_input = -1,
        .reserved_output = -1,
        .reserved = e->reserved > 0 ? e->reserved : -1,
    };
    struct km_bill b;

    km_bill_make(&facts, price, &b);
    e->flags |= (b.estimated ? KM_CALL_ESTIMATED : 0) | (b.unpriced ? KM_CALL_UNPRICED : 0) |
                (b.over_reserved ? KM_CALL_OVER_RESERVED : 0);
    e->cost = b.cost;
    e->prompt_tokens = b.usage.prompt_tokens;
    e->completion_tokens = b.usage.completion_tokens;
    e->cached_tokens = b.usage.cached_tokens;
}

/* What was used is a row, is spent, is counted. */
static void settle(struct km_rt_session *s, struct km_ledger_entry *e, const struct km_price *price,
                   const struct km_usage *u, enum km_bill_end end)
{
    struct km_rt_wait *wait = calloc(1, sizeof *wait);
    bool waits = false;

    e->end_us = km_wall_us();
    bill(s, e, price, u, end);
    if (wait)
        km_list_init(&wait->link);
    km_ledger_settle(s->call->w->ledger, e, wait ? on_committed : NULL, wait, &waits);
    wait_for(s, wait, wait && waits);
    km_broker_charge(s->call, e->cost, e->prompt_tokens + e->completion_tokens);
    km_count_part(s->call, u, e->cost);
}

/* --- answers --- */

static struct km_rt_response *find(struct km_rt_session *s, struct km_str id)
{
    for (size_t i = 0; i < KM_RT_RESPONSES; i++)
        if (s->responses[i].used && !s->responses[i].asked &&
            km_str_eq(km_str(s->responses[i].id, s->responses[i].id_n), id))
            return &s->responses[i];
    return NULL;
}

static void set_id(struct km_rt_response *r, struct km_str id)
{
    r->id_n = id.n < KM_RT_ID ? id.n : KM_RT_ID;
    if (r->id_n)
        memcpy(r->id, id.p, r->id_n);
}

static struct km_rt_response *place(struct km_rt_session *s, struct km_str id)
{
    for (size_t i = 0; i < KM_RT_RESPONSES; i++) {
        struct km_rt_response *r = &s->responses[i];

        if (r->used)
            continue;
        *r = (struct km_rt_response){ .used = true, .sent = true, .start_us = km_wall_us() };
        r->row = km_uuid7_at(km_loop_ids(s->call->w->loop), r->start_us);
        r->bound = km_rt_bound(s, KM_RT_OUTPUT_NONE);
        set_id(r, id);
        return r;
    }
    return NULL;
}

/* Of those that are asked for the one that waits longest; NULL: none is. */
static struct km_rt_response *next_asked(struct km_rt_session *s)
{
    struct km_rt_response *found = NULL;

    for (size_t i = 0; i < KM_RT_RESPONSES; i++) {
        struct km_rt_response *r = &s->responses[i];

        if (r->used && r->asked && r->sent && (!found || r->start_us < found->start_us))
            found = r;
    }
    return found;
}

int km_rt_ask(struct km_rt_session *s, km_broker_fn *booked, struct km_err *err)
{
    struct km_rt_response *r = place(s, KM_STR_NONE);
    int code;

    if (!r)
        return km_fail(err, KM_E_LIMIT, "Over %d answers at once.", KM_RT_RESPONSES);
    r->asked = true;
    r->bound = km_rt_bound(s, s->judged.max_output);
    km_rt_reserved(s);
    code = write_intent(s, r, booked, err);
    r->sent = code == 0;
    r->used = code == 0 || code == KM_E_AGAIN;
    return code;
}

/* It is the one that was asked for, or one more.  NULL: of those there are too many. */
static struct km_rt_response *begin(struct km_rt_session *s, struct km_str id, bool *ret_asked)
{
    struct km_rt_response *r = next_asked(s);

    *ret_asked = r != NULL;
    if (r) {
        s->asked--;
        r->asked = false;
        set_id(r, id);
    } else {
        r = place(s, id);
    }
    s->active += r != NULL;
    return r;
}

int km_rt_begin(struct km_rt_session *s, const struct km_rt_event *e, struct km_err *err)
{
    struct km_rt_response *r = NULL;
    bool asked = false;
    int code = 0;

    if (e->id.n <= KM_RT_ID && !find(s, e->id))
        r = begin(s, e->id, &asked);
    if (!r)
        return km_fail(err, KM_E_LIMIT, "The upstream begins more answers than can be counted.");
    if (e->max_output != KM_RT_OUTPUT_NONE)
        r->bound = km_rt_bound(s, e->max_output);
    km_rt_reserved(s);
    if (!asked) {
        km_rt_unasked(s, r);
        code = write_intent(s, r, NULL, err);
    }
    return code < 0 ? code : km_rt_make_room(s, err);
}

/* What an answer came to that nobody counted; the first stands for all that are under way. */
static struct km_usage estimate(struct km_rt_session *s)
{
    struct km_usage u = km_rt_heard(s);

    km_rt_all_ended(s);
    return u;
}

/* No more goes in than is in the session, and no more comes out than a model writes. */
static bool can_be(const struct km_rt_session *s, const struct km_rt_response *r,
                   const struct km_usage *u)
{
    const struct km_usage_limits limits = {
        .bound_sent = r->bound,
        .known_max = s->worst.max_output_tokens,
        .answers = 1,
        .bytes_sent = s->context + s->added,
        .window = s->worst.max_input_tokens,
    };

    return !u->known || km_usage_is_possible(u, &limits);
}

int km_rt_ended(struct km_rt_session *s, const struct km_rt_event *e, struct km_err *err)
{
    struct km_rt_response *r = find(s, e->id);
    struct km_buf meta KM_CLEANUP(km_buf_done) = KM_BUF(META_BYTES);
    struct km_usage u = e->usage;
    struct km_ledger_entry entry;
    char ip[KM_ADDR_TEXT];
    bool intended = true;

    if (!r) { /* it never said that it began: still it was one */
        r = begin(s, e->id, &intended);
        if (!r)
            return km_fail(err, KM_E_LIMIT, "The upstream ends answers that never began.");
    }
    row(s, &r->row, "_arealtime", ip, &entry);
    entry.unasked = !intended;
    entry.start_us = entry.first_us = r->start_us;
    entry.reserved = r->reserved;
    entry.metadata = note(s, km_str(r->id, r->id_n), &meta);
    if (e->usage_bad || !can_be(s, r, &u) || (!u.known && km_rt_heard(s).completion_tokens > 0))
        u = estimate(s);
    else
        u.known = true; /* one that failed, or was stopped before a word, used nothing */
    settle(s, &entry, &s->call->at->d->price, &u, KM_BILL_ANSWERED);
    r->used = false;
    s->active--;
    if (u.known && u.prompt_tokens > 0) {
        s->context = u.prompt_tokens + u.completion_tokens;
        s->added = 0;
    }
    if (s->active == 0)
        km_rt_all_ended(s);
    if (s->state != KM_RT_OPEN)
        return 0;
    return km_rt_hold_need(s, err);
}

/* It ended before the upstream could say what it used, or was never sent (`end`). */
static void close_one(struct km_rt_session *s, struct km_rt_response *r, enum km_bill_end end)
{
    struct km_buf meta KM_CLEANUP(km_buf_done) = KM_BUF(META_BYTES);
    struct km_usage u = { 0 };
    struct km_ledger_entry entry;
    char ip[KM_ADDR_TEXT];

    if (!r->asked)
        u = estimate(s);
    else if (end == KM_BILL_LIVE)
        u.prompt_tokens = km_rt_heard(s).prompt_tokens;
    row(s, &r->row, "_arealtime", ip, &entry);
    entry.start_us = entry.first_us = r->start_us;
    entry.reserved = r->reserved;
    entry.flags |= KM_CALL_FAILED;
    entry.metadata = note(s, km_str(r->id, r->id_n), &meta);
    settle(s, &entry, &s->call->at->d->price, &u, end);
    r->used = false;
    *(r->asked ? &s->asked : &s->active) -= 1;
}

void km_rt_refused(struct km_rt_session *s)
{
    struct km_rt_response *r = next_asked(s);

    if (r)
        close_one(s, r, KM_BILL_REFUSED);
}

/* Of an answer that was asked for, and of which no word came, the upstream has the question. */
void km_rt_close_books(struct km_rt_session *s)
{
    for (size_t i = 0; i < KM_RT_RESPONSES; i++)
        if (s->responses[i].used)
            close_one(s, &s->responses[i], s->responses[i].sent ? KM_BILL_LIVE : KM_BILL_UNSENT);
}

/* --- what is heard --- */

int km_rt_transcriber(struct km_rt_session *s, struct km_str model, struct km_err *err)
{
    const struct km_key *key = s->call->visit->who.key;
    struct km_price price;
    int r = km_other_models_heard(s->call, "session.audio.input.transcription.model", model, err);

    if (r < 0)
        return r;
    if (!key || key->row.max_budget < 0 || s->call->visit->view->snap->keys->allow_unpriced ||
        km_rt_price(s, model, &price))
        return 0;
    return km_fail_param(err, KM_E_UNPRICED, "session.audio.input.transcription.model",
                         "No price is known for '%.*s', and this key has a budget. Run `kanmon "
                         "prices import`, or set kanmon_settings.allow_unpriced.",
                         KM_STR_ARG(km_str_sub(model, 0, 100)));
}

void km_rt_transcribed(struct km_rt_session *s, const struct km_rt_event *e)
{
    struct km_buf meta KM_CLEANUP(km_buf_done) = KM_BUF(META_BYTES);
    struct km_str model = km_str_c(s->transcriber);
    int64_t now = km_wall_us();
    struct km_uuid id = km_uuid7_at(km_loop_ids(s->call->w->loop), now);
    struct km_ledger_entry entry;
    struct km_price price;
    char ip[KM_ADDR_TEXT];
    struct km_usage u = e->usage;
    bool ignored = false;

    if (!u.known && !e->usage_bad)
        return;
    if (e->usage_bad) /* a transcript has fewer tokens than its audio; one of these is 100 ms */
        u = (struct km_usage){ .prompt_tokens = s->heard,
                               .completion_tokens = s->heard,
                               .audio_ms = s->heard * 100 };
    row(s, &id, "_arealtime_transcription", ip, &entry);
    entry.start_us = entry.first_us = now;
    if (km_ledger_intent(s->call->w->ledger, &entry, NULL, NULL, &ignored, NULL) < 0)
        s->leaving = entry.unasked = true; /* it ends when it can, and this one is written */
    if (model.n)
        entry.model = model;
    entry.metadata = note(s, e->id, &meta);
    (void)km_rt_price(s, model, &price);
    settle(s, &entry, &price, &u, KM_BILL_ANSWERED);
    s->heard = s->heard_new; /* what was heard before the last one is surely in this one */
    s->heard_new = 0;
    if (s->state == KM_RT_OPEN)
        km_rt_hold_what_fits(s);
}
