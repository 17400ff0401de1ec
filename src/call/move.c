/* SPDX-License-Identifier: Apache-2.0 */
/* move.c - who pays moves with the call (policy/payers_move.c): the budgets of where it goes now
 * come, those of where it does not go any more leave.
 *
 *     route     a deployment was picked ──> its budgets are asked ──> refused: the next one
 *     recover   another group is asked  ──> the accounts' budgets for its model are asked
 *     account   what each of them pays in the end
 *
 * A target pays for the attempts that were made there and nothing else: it has reserved what those
 * cost, and for the one under way what an attempt begins with.  One that nothing was spent with has
 * all of it back as soon as the call goes elsewhere.
 *
 * Where no deployment of a gateway has a budget it is one comparison an attempt.
 */
#include "call/call.h"

/* --- what a target pays for --- */

static bool pays_for(const struct km_purse *p, const struct km_attempt *at)
{
    for (size_t i = 0; i < KM_PAYERS_TARGETS; i++)
        if (at->pays[i] == p)
            return true;
    return false;
}

/* What an attempt costs, or may. */
static int64_t amount_of(const struct km_call *call, const struct km_attempt *at)
{
    if (at->money.billed)
        return at->money.bill.cost;
    if (at->money.number)
        return at->money.reserved;
    return at == call->at ? call->each : 0;
}

static int64_t amount_at(const struct km_call *call, const struct km_purse *p)
{
    int64_t sum = 0;

    for (const struct km_attempt *at = call->newest; at; at = at->before)
        sum += pays_for(p, at) ? amount_of(call, at) : 0;
    return sum;
}

/* Is there anything that it pays, or may have to? */
static bool is_needed(const struct km_call *call, const struct km_purse *p)
{
    for (const struct km_attempt *at = call->newest; at; at = at->before)
        if (pays_for(p, at) && (at == call->at || !at->money.billed || at->money.bill.cost > 0))
            return true;
    return false;
}

/* --- to a deployment --- */

/* What each target is to have reserved now; those that nothing was spent with leave. */
static void settle_targets(const struct km_call *call, struct km_payers_draft *d)
{
    for (size_t i = 0; i < d->n;) {
        struct km_share *s = &d->v[i];

        if (s->of == KM_SHARE_TARGET && !is_needed(call, s->purse)) {
            km_payers_drop(d, i);
            continue;
        }
        if (s->of == KM_SHARE_TARGET) {
            s->on = pays_for(s->purse, call->at);
            s->reserved = km_call_reserves(call) ? amount_at(call, s->purse) : 0;
        }
        i++;
    }
}

static int add_targets(const struct km_call *call, struct km_payers_draft *d, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < KM_PAYERS_TARGETS; i++) {
        struct km_purse *p = call->at->pays[i];
        const struct km_share fresh = { .purse = p,
                                        .of = KM_SHARE_TARGET,
                                        .on = true,
                                        .reserved = km_call_reserves(call) ? amount_at(call, p) : 0,
                                        .paid = -1 };

        if (p && !km_payers_share(d, p))
            r = km_payers_add(d, &fresh, err);
    }
    return r;
}

/* Is it the set that pays already? */
static bool is_same(const struct km_payers_draft *d, const struct km_payers *p)
{
    if (d->n != (p ? p->n : 0))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].purse != p->v[i].purse || d->v[i].reserved != p->v[i].reserved)
            return false;
    return true;
}

static void free_payers(void *data)
{
    km_payers_free(data);
}

/* The draft becomes the set, if its purses say yes. */
static int move_to(struct km_call *call, const struct km_payers_draft *d, km_broker_fn *done,
                   void *ctx, struct km_err *err)
{
    struct km_payers *to;
    int r = km_payers_drawn(d, &to, err);

    if (r == 0)
        r = km_arena_defer(&call->arena, free_payers, to);
    if (r < 0)
        return r == KM_E_NOMEM ? km_fail(err, r, "out of memory") : r;
    return km_broker_move(call, to, done, ctx, err);
}

static int move_there(struct km_call *call, km_broker_fn *done, struct km_err *err)
{
    struct km_attempt *at = call->at;
    struct km_payers_draft draft;
    const size_t n = km_call_targets(call, at->d, at->pays);
    int r;

    for (size_t i = n; i < KM_PAYERS_TARGETS; i++)
        at->pays[i] = NULL;
    km_payers_draft(&draft, call->hold.payers);
    settle_targets(call, &draft);
    r = add_targets(call, &draft, err);
    if (r == 0 && is_same(&draft, call->hold.payers))
        km_call_targets_of(call, at);
    else if (r == 0)
        r = move_to(call, &draft, done, at, err);
    for (size_t i = 0; i < n; i++) /* the set has references of its own, as long as the call */
        km_purse_unref(at->pays[i]);
    return r;
}

int km_call_move_payers(struct km_call *call, km_broker_fn *done, struct km_err *err)
{
    struct km_attempt *at = call->at;
    int r;

    if (at->moved || (!call->hold.targets && !(at->d && at->d->has_budget)))
        return 0;
    if (at->unpaid) { /* it was asked elsewhere, and this is the answer */
        *err = *at->unpaid;
        at->unpaid = NULL;
        return err->code;
    }
    call->hold.targets = true;
    r = move_there(call, done, err);
    at->moved = r == 0;
    at->moves = r == KM_E_AGAIN;
    return r;
}

void km_call_targets_of(struct km_call *call, const struct km_attempt *at)
{
    struct km_payers *p = call->hold.payers;

    for (size_t i = 0; call->hold.targets && p && i < p->n; i++)
        if (p->v[i].of == KM_SHARE_TARGET)
            p->v[i].on = at && pays_for(p->v[i].purse, at);
}

/* --- to another group --- */

/* What all attempts have cost: none is under way. */
static int64_t cost_so_far(const struct km_call *call)
{
    int64_t sum = 0;

    for (const struct km_attempt *at = call->newest; at; at = at->before)
        sum += at->money.billed ? at->money.bill.cost : 0;
    return sum;
}

/* Those of the group before pay what its attempts cost; none: they leave. */
static void leave_group(const struct km_call *call, struct km_payers_draft *d,
                        const struct km_payers *now, int64_t so_far)
{
    for (size_t i = 0; i < d->n;) {
        struct km_share *s = &d->v[i];
        bool stays = s->of != KM_SHARE_GROUP || !s->on;

        for (size_t k = 0; !stays && now && k < now->n; k++)
            stays = now->v[k].purse == s->purse;
        if (!stays && so_far == s->before) {
            km_payers_drop(d, i);
            continue;
        }
        if (!stays) {
            s->on = false;
            s->paid = so_far - s->before;
            s->reserved = km_call_reserves(call) ? s->paid : 0;
        }
        i++;
    }
}

/* Each is to have what an attempt begins with; a part of that comes when all that the call needs
 * more is asked for (recover.c). */
static int enter_group(const struct km_call *call, struct km_payers_draft *d,
                       const struct km_payers *now, int64_t so_far, struct km_err *err)
{
    const int64_t need = km_call_need(call), more = need > call->reserve ? need - call->reserve : 0;
    int r = 0;

    for (size_t i = 0; r == 0 && now && i < now->n; i++) {
        struct km_share fresh = now->v[i];

        if (km_payers_share(d, fresh.purse))
            continue;
        fresh.before = so_far;
        fresh.reserved = km_call_reserves(call) && call->each > more ? call->each - more : 0;
        r = km_payers_add(d, &fresh, err);
    }
    return r;
}

int km_call_move_group(struct km_call *call, struct km_err *err)
{
    const int64_t so_far = cost_so_far(call);
    struct km_payers_draft draft;
    struct km_payers *now;
    size_t stayed;
    int r = km_call_payers_now(call, &now, err);

    if (r < 0)
        return r;
    km_payers_draft(&draft, call->hold.payers);
    leave_group(call, &draft, now, so_far);
    stayed = draft.n;
    r = enter_group(call, &draft, now, so_far, err);
    if (r < 0 || is_same(&draft, call->hold.payers))
        return r;
    if (call->hold.asks || (call->w->frozen && draft.n > stayed))
        return km_fail(err, KM_E_UNSUPPORTED, "another process has the call's permit");
    return move_to(call, &draft, NULL, NULL, err);
}

/* --- in the end --- */

void km_call_share_out(struct km_call *call)
{
    struct km_payers *p = call->hold.payers;

    for (size_t i = 0; p && p->parts && i < p->n; i++) {
        struct km_share *s = &p->v[i];

        if (s->of == KM_SHARE_TARGET)
            s->paid = amount_at(call, s->purse);
        else if (s->of == KM_SHARE_GROUP && s->on)
            s->paid = call->cost > s->before ? call->cost - s->before : 0;
    }
}

struct km_str km_call_payers_books(struct km_call *call)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_PAYERS_BYTES);

    if (!call->hold.payers || !call->hold.payers->parts)
        return km_call_payers_text(call);
    km_payers_write(call->hold.payers, call->cost, km_broker_reserved(call), &text);
    if (text.n == call->hold.payers->text.n || km_buf_failed(&text))
        return km_call_payers_text(call);
    return km_arena_str(&call->arena, km_buf_view(&text));
}
