/* SPDX-License-Identifier: Apache-2.0 */
/* money.h - what a call costs, attempt by attempt; what its two files share.
 *
 *     admit     call->each is reserved: the input, and what may come out to begin with
 *     send      km_call_intend()   the ledger hears that the request is about to leave   money.c
 *     relay     km_call_heard()    more is reserved half a slice ahead; the ledger
 *                                  hears how much has come                               money.c
 *     over      km_call_bill()     what it costs, by how it ended (policy/bill.h)        bill.c
 *     recover   km_call_need()     what is reserved before a further attempt: what the
 *                                  others cost or may cost, and call->each once more     bill.c
 *     account   km_call_sum()      the row: the sum of its attempts                      bill.c
 *
 * Every ending goes through km_call_bill(), once an attempt, and nothing else says what one costs:
 * so a time-out, a lost client, a hedge that was overtaken, and a crash (which finds the last
 * progress in the ledger) are charged by one rule.  All of it runs on the call's worker.
 */
#ifndef KM_CALL_MONEY_H
#define KM_CALL_MONEY_H

#include "call/call.h"
#include "policy/bill.h"

static inline const struct km_deployment *km_money_deployment(const struct km_call *call)
{
    return call->at->d;
}

static inline bool km_money_is_counted(const struct km_call *call)
{
    return call->api || call->priced;
}

/* To count tokens costs nothing, whatever they do. */
static inline bool km_money_has_price(const struct km_call *call)
{
    return km_money_is_counted(call) && !(call->api && call->api->count);
}

/* Counted, and a model writes the answer. */
static inline bool km_money_writes(const struct km_call *call)
{
    return km_money_is_counted(call) && km_call_writes(call);
}

/* What the attempt under way is paid by; room: where one is put together. */
static inline const struct km_price *km_money_price(const struct km_call *call,
                                                    struct km_price *room)
{
    return call->price ? call->price : km_call_price(call, km_money_deployment(call), room);
}

/* Nano-dollars that the other attempts cost, or may cost while they are under way. */
int64_t km_money_of_others(const struct km_call *call);
/* Tokens that go in, by estimate, at the deployment of the attempt under way. */
int64_t km_money_input(const struct km_call *call);
/* Tokens of output that its codec asks for beyond what each attempt reserves. */
int64_t km_money_output_beyond(const struct km_call *call);
/* Nano-dollars that those may cost. */
int64_t km_money_beyond(const struct km_call *call);
/* What is reserved for the attempt under way, as its bill is held against it. */
void km_money_add_reserved(const struct km_call *call, struct km_bill_facts *f);
/* Tokens that its request asks for at most, an answer; -1: it says nothing. */
int64_t km_money_bound_sent(const struct km_call *call);

#endif
