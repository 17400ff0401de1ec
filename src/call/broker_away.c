/* SPDX-License-Identifier: Apache-2.0 */
/* broker_away.c - permits while another process holds the counters (host/handover/handover.h).
 *
 * While counters are handed over the amounts stay exact so: what a call took before the hand-over
 * is part of the counters that went over; what it took or topped up afterwards was counted over
 * there as handed over, too; call->reserve is the sum, and goes over with the settlement's record,
 * which gives it back (km_keys_settle_imported).  What was granted when the call had settled
 * already is in no record, and is given back by itself.
 */
#include "call/broker.h"
#include "call/call.h"
#include "host/handover/handover.h"

struct away {
    struct km_broker_ask head;
    struct km_ask ask;
};

static void on_asked(struct km_ask *ask);
static void move_here_too(const struct km_broker_ask *ask);
static void share_more(const struct km_broker_ask *ask);

static void ask_away(struct away *away)
{
    away->ask.reply = away->head.w->mailbox;
    away->ask.done = on_asked;
    km_handover_ask(away->head.w->gw->handover, &away->ask);
}

static void on_asked(struct km_ask *ask)
{
    struct away *away = KM_CONTAINER(ask, struct away, ask);
    struct km_call *call = away->head.call;
    bool granted = !ask->here && ask->err.code == 0;

    /* Nothing was handed over; but if the next hand-over has begun, our counters may be copied. */
    if (call && ask->here && km_handover_state(call->w->gw->handover) != KM_HANDOVER_NONE) {
        ask_away(away);
        return;
    }
    if (call && granted && away->head.what == KM_BROKER_MOVE)
        move_here_too(&away->head);
    if (call && granted && away->head.what == KM_BROKER_TOP_UP)
        share_more(&away->head);
    if (call && granted && away->head.what == KM_BROKER_TAKE) {
        call->hold.away = true;
        call->hold.room = ask->room;
    }
    km_broker_answer(&away->head,
                     granted     ? KM_BROKER_GRANTED
                     : ask->here ? KM_BROKER_NOT_HERE
                                 : KM_BROKER_REFUSED,
                     &ask->err);
}

static void put_payers(struct km_ask *ask, struct km_str payers)
{
    ask->payers_n = payers.n;
    if (payers.n)
        memcpy(ask->payers, payers.p, payers.n);
}

/* --- who pays moves --- */

static bool is_fresh(const struct km_broker_ask *ask, const struct km_share *s)
{
    const struct km_payers *before = ask->call->hold.payers;

    for (size_t i = 0; before && i < before->n; i++)
        if (before->v[i].purse == s->purse)
            return false;
    return true;
}

static bool has_fresh(const struct km_broker_ask *ask)
{
    for (size_t i = 0; i < ask->to->n; i++)
        if (is_fresh(ask, &ask->to->v[i]))
            return true;
    return false;
}

/* Those that did not pay before are asked alone, in nobody's name: the others have what they had.
 * The settlement's record says what of it is given back. */
static void ask_for_fresh(const struct km_broker_ask *ask, struct km_ask *ret)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_PAYERS_BYTES);

    memcpy(ret->hash, km_keys_nobody(ask->w->gw->keys)->row.hash, sizeof ret->hash);
    ret->admission.part = KM_PERMIT_MORE;
    ret->admission.reserve = 0;
    for (size_t i = 0; i < ask->to->n; i++) {
        const struct km_share *s = &ask->to->v[i];
        struct km_paying paying;

        if (!is_fresh(ask, s) || s->unwritten)
            continue;
        paying = km_purse_paying(s->purse);
        km_paying_write(&paying, &text);
        if (s->reserved > ret->admission.reserve)
            ret->admission.reserve = s->reserved;
    }
    put_payers(ret, km_buf_view(&text));
}

/* Who pays for another attempt alone reserves no more. */
static void ask_of_growing(const struct km_broker_ask *ask, struct km_ask *ret)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_PAYERS_BYTES);
    const struct km_payers *payers = ask->call->hold.payers;

    for (size_t i = 0; i < payers->n; i++)
        if (!payers->v[i].unwritten && (payers->v[i].of == KM_SHARE_CALL || payers->v[i].on)) {
            const struct km_paying paying = km_purse_paying(payers->v[i].purse);

            km_paying_write(&paying, &text);
        }
    put_payers(ret, km_buf_view(&text));
}

static void share_more(const struct km_broker_ask *ask)
{
    struct km_payers *payers = ask->call->hold.payers;

    for (size_t i = 0; payers && i < payers->n; i++)
        if (payers->v[i].of != KM_SHARE_CALL && payers->v[i].on)
            payers->v[i].reserved += ask->admission.reserve - ask->call->reserve;
}

/* Our own counters may count again, if the hand-over comes to nothing. */
static void move_here_too(const struct km_broker_ask *ask)
{
    struct km_err ignored = { 0 };

    (void)!km_permit_move(&ask->call->hold.permit, &ask->admission, &ignored);
}

/* Only what comes on top is told: over there nobody knows which call has what. */
static int ask_handed_over(struct km_broker_ask *ask, struct km_err *err)
{
    const struct km_call *call = ask->call;
    struct away *away;

    if (ask->what == KM_BROKER_TOP_UP && ask->admission.reserve <= call->reserve) {
        ask->admission.reserve = call->reserve;
        return 0;
    }
    if (ask->what == KM_BROKER_MOVE && !has_fresh(ask)) {
        move_here_too(ask);
        return 0;
    }
    away = km_broker_keep(ask, sizeof *away);
    if (!away)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    away->ask.admission = ask->admission;
    if (ask->what == KM_BROKER_MOVE) {
        ask_for_fresh(ask, &away->ask);
        ask_away(away);
        return KM_E_AGAIN;
    }
    memcpy(away->ask.hash, km_broker_key(call)->row.hash, sizeof away->ask.hash);
    if (ask->what == KM_BROKER_TOP_UP && call->hold.payers && call->hold.payers->parts)
        ask_of_growing(ask, &away->ask);
    else
        put_payers(&away->ask, km_call_payers_text(call));
    if (ask->what == KM_BROKER_TOP_UP) {
        away->ask.admission.part = KM_PERMIT_MORE;
        away->ask.admission.reserve -= call->reserve;
    } else if (ask->what == KM_BROKER_AGAIN) {
        away->ask.admission.part = KM_PERMIT_AGAIN;
    }
    ask_away(away);
    return KM_E_AGAIN;
}

/* A request that was counted stays so, as that of a call which is cancelled does. */
static void give_back_away(const struct km_broker_ask *ask)
{
    const struct away *away = KM_CONTAINER(ask, struct away, head);
    struct km_admission granted = away->ask.admission;

    if (ask->what == KM_BROKER_AGAIN)
        return;
    if (ask->what == KM_BROKER_TOP_UP || ask->what == KM_BROKER_MOVE) {
        granted.part = KM_PERMIT_WITHIN; /* money, and no place: what every version understands */
        granted.input_tokens = -1;
    }
    km_handover_give_back(ask->w->gw->handover, away->ask.hash,
                          km_str(away->ask.payers, away->ask.payers_n), &granted);
}

/* Told by the settlement's record; but an outer call has none, nor has one whose intent could not
 * be written. */
static void settle_away(struct km_call *call, int64_t cost, int64_t tokens)
{
    struct km_admission a;

    (void)cost;
    (void)tokens;
    if (!(call->visit->who.key || call->hold.payers) ||
        !(call->kind->outer || (call->hold.away && call->unbooked)))
        return;
    a = km_broker_admission(call);
    km_handover_give_back(call->w->gw->handover, km_broker_key(call)->row.hash,
                          km_call_payers_text(call), &a);
}

const struct km_permit_source km_source_handed_over = { .ask = ask_handed_over,
                                                        .give_back = give_back_away,
                                                        .settle = settle_away };
