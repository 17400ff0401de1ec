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

/* Only what comes on top is told: over there nobody knows which call has what. */
static int ask_handed_over(struct km_broker_ask *ask, struct km_err *err)
{
    const struct km_call *call = ask->call;
    struct km_str payers;
    struct away *away;

    if (ask->what == KM_BROKER_TOP_UP && ask->admission.reserve <= call->reserve) {
        ask->admission.reserve = call->reserve;
        return 0;
    }
    away = km_broker_keep(ask, sizeof *away);
    if (!away)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(away->ask.hash, call->visit->who.key->row.hash, sizeof away->ask.hash);
    away->ask.admission = ask->admission;
    payers = km_call_payers_text(call);
    away->ask.payers_n = payers.n;
    if (payers.n)
        memcpy(away->ask.payers, payers.p, payers.n);
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
    if (ask->what == KM_BROKER_TOP_UP) {
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
    if (!call->visit->who.key || !(call->kind->outer || (call->hold.away && call->unbooked)))
        return;
    a = km_broker_admission(call);
    km_handover_give_back(call->w->gw->handover, call->visit->who.key->row.hash,
                          km_call_payers_text(call), &a);
}

const struct km_permit_source km_source_handed_over = { .ask = ask_handed_over,
                                                        .give_back = give_back_away,
                                                        .settle = settle_away };
