/* SPDX-License-Identifier: Apache-2.0 */
/* together.c - see together.h: requests for embeddings that meet go to their upstream as one.
 *
 *     a lane: the same key, deployment and request, but for its inputs
 *
 *     nothing is out ──> it goes at once, alone
 *     one is out     ──> waits ── five are there, a second is over, or nothing is out any more
 *                                   └──> the first leads: its request has the inputs of all
 *                                        └── it is out: the others join its flight (call/flight.h)
 *
 * So one that is alone is never held up, and the busier an upstream is the fewer requests it gets.
 * Each call keeps what is its own: reservation, row, permit, end.  Whoever leaves before the
 * request is made is not in it; after that its vectors are for nobody.  The parts of an answer are
 * cut by llm/embed_merge.h, and each says its share of what was used.
 *
 * A request that was refused for what it asks (400, 422) says nothing of whose fault that is: each
 * call goes once more, alone (call/recover.c).  Any other failure is one failure, and who tries
 * again may meet the others again.
 *
 * A call that waits is held by its lane and its batch by pointer, and leaves both by let_go(),
 * whatever ends it.  A batch lives until its flight is over, a lane while anything is in it.
 */
#include "kept/together.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "call/call.h"
#include "call/flight.h"
#include "llm/embed_merge.h"
#include "policy/execution.h"

struct together {
    struct km_list lanes;
    size_t nlanes;
};

struct lane {
    struct km_list link;
    struct together *of;
    uint8_t digest[KM_SHA256_LEN];
    unsigned out; /* requests that are with the upstream, or about to be */
    struct km_list waiting; /* struct note */
    size_t nwaiting;
    struct km_timer timer; /* of the first that waits */
    struct km_deferred turn;
    bool late; /* it waits long enough */
};

enum state {
    IS_NEW,
    WAITS, /* in its lane */
    IS_IN, /* of a batch whose request is not out yet */
    LEADS, /* likewise: it makes the request */
    GOES, /* alone, whatever is out */
};

/* With each call that comes by. */
struct note {
    struct km_list link; /* of its lane */
    struct km_call *call;
    struct lane *lane; /* WAITS */
    struct batch *batch; /* IS_IN, LEADS */
    struct one *one; /* it goes alone, and is not out yet */
    enum state state;
    bool heeded; /* let_go() runs when the call is over */
    struct km_embed_inputs inputs;
    int64_t weight;
    size_t place; /* in its batch */
};

/* A request that goes alone: from when that is decided until it is over. */
struct one {
    struct lane *lane;
    struct note *note; /* NULL: it is out */
};

struct batch {
    struct lane *lane;
    struct note *members[KM_EMBED_MERGED_MOST]; /* the first leads; NULL: it left, or has joined */
    size_t n;
    struct km_embed_share shares[KM_EMBED_MERGED_MOST]; /* of the request: by place */
    size_t nshares;
    unsigned joined[KM_EMBED_MERGED_MOST], njoined; /* places, in the order of the takers */
    struct km_flight_split split;
    struct km_flight_args args;
    struct km_flight *flight; /* it can be joined */
    struct km_deferred turn;
    bool walks, over;
};

static const char tag;

/* --- lanes --- */

static void lane_free(struct lane *l)
{
    if (l->out || l->nwaiting)
        return;
    km_timer_stop(&l->timer);
    km_deferred_cancel(&l->turn);
    km_list_remove(&l->link);
    l->of->nlanes--;
    free(l);
}

static void leave_lane(struct note *n)
{
    km_list_remove(&n->link);
    n->lane->nwaiting--;
    n->state = IS_NEW;
    if (!n->lane->nwaiting) {
        km_timer_stop(&n->lane->timer);
        n->lane->late = false;
    }
}

static void enter_lane(struct lane *l, struct note *n, bool first)
{
    n->lane = l;
    n->batch = NULL;
    n->state = WAITS;
    if (first)
        km_list_push_front(&l->waiting, &n->link);
    else
        km_list_push(&l->waiting, &n->link);
    l->nwaiting++;
    if (!km_timer_running(&l->timer))
        km_timer_start(&l->timer, KM_TOGETHER_WAIT_MS);
    if (l->nwaiting >= KM_EMBED_MERGED_MOST || !l->out)
        km_deferred_queue(&l->turn);
}

/* One of its requests is over. */
static void lane_hears(struct lane *l)
{
    l->out--;
    if (l->nwaiting && !l->out)
        km_deferred_queue(&l->turn);
    lane_free(l);
}

/* --- batches --- */

/* Whoever did not get into the request waits again, before the others. */
static void give_back(struct batch *b)
{
    for (size_t i = b->n; i-- > 0;)
        if (b->members[i])
            enter_lane(b->lane, b->members[i], true);
    b->n = 0;
}

static void batch_end(struct batch *b)
{
    b->over = true;
    if (b->walks)
        return;
    km_deferred_cancel(&b->turn);
    free(b);
}

static void on_done(void *ctx)
{
    struct batch *b = ctx;
    struct lane *l = b->lane;

    give_back(b);
    batch_end(b);
    lane_hears(l);
}

static void on_opened(void *ctx, struct km_flight *flight)
{
    struct batch *b = ctx;

    b->flight = flight;
    b->members[0]->batch = NULL;
    b->members[0]->state = IS_NEW;
    b->members[0] = NULL;
    b->njoined = 1; /* who leads is the first taker, and has the first place */
    km_deferred_queue(&b->turn);
}

static void on_closed(void *ctx)
{
    struct batch *b = ctx;

    b->flight = NULL;
}

static int cut_part(void *ctx, unsigned index, struct km_str whole, struct km_buf *out,
                    struct km_err *err)
{
    const struct batch *b = ctx;

    return km_embed_part(whole, b->shares, b->nshares, b->joined[index], out, err);
}

/* The request is out: the others join it. */
static void on_batch_turn(void *ctx)
{
    struct batch *b = ctx;

    b->walks = true;
    for (size_t i = 1; !b->over && i < b->n; i++)
        if (b->members[i])
            km_call_resume(b->members[i]->call, 0);
    b->walks = false;
    if (b->over)
        batch_end(b);
}

static struct batch *batch_new(struct lane *l, struct km_loop *loop, size_t answer_bytes)
{
    struct batch *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->lane = l;
    l->out++;
    b->split = (struct km_flight_split){ .most = answer_bytes, .part = cut_part };
    b->args = (struct km_flight_args){
        .split = &b->split, .opened = on_opened, .closed = on_closed, .done = on_done, .ctx = b
    };
    km_deferred_init(&b->turn, loop, on_batch_turn, b);
    return b;
}

static struct note *first_waiting(const struct lane *l)
{
    return km_list_empty(&l->waiting) ? NULL : KM_CONTAINER(l->waiting.next, struct note, link);
}

/* As many as one request takes. */
static void fill_batch(struct lane *l, struct batch *b)
{
    size_t inputs = 0, bytes = 0;
    int64_t tokens = 0;
    struct note *n;

    while (b->n < KM_EMBED_MERGED_MOST && (n = first_waiting(l)) != NULL) {
        inputs += n->inputs.n;
        bytes += n->inputs.items.n;
        tokens += n->weight;
        if (b->n && (inputs > KM_EMBED_INPUTS_MOST || bytes > KM_TOGETHER_BYTES ||
                     tokens > KM_TOGETHER_TOKENS))
            return;
        leave_lane(n);
        n->state = b->n ? IS_IN : LEADS;
        n->batch = b;
        b->members[b->n++] = n;
    }
}

/* What waits first goes, with those that fit. */
static void send_some(struct lane *l)
{
    struct km_call *first = first_waiting(l)->call;
    struct note *n = first_waiting(l);
    struct batch *b = NULL;

    if (l->nwaiting > 1)
        b = batch_new(l, first->w->loop, (size_t)first->visit->view->snap->gateway->response_bytes);
    if (b)
        fill_batch(l, b);
    else
        leave_lane(n);
    if (b && b->n == 1) {
        n->batch = NULL;
        l->out--;
        batch_end(b);
        b = NULL;
    }
    if (!b)
        n->state = GOES;
    km_call_resume(first, 0);
}

static void on_lane_turn(void *ctx)
{
    struct lane *l = ctx;
    bool one = l->late || !l->out;

    l->out++; /* it stays while calls of it come and go */
    l->late = false;
    while (l->nwaiting >= KM_EMBED_MERGED_MOST || (one && l->nwaiting)) {
        one = false;
        send_some(l);
    }
    lane_hears(l);
}

static void on_late(void *ctx)
{
    struct lane *l = ctx;

    l->late = true;
    km_deferred_queue(&l->turn);
}

static struct lane *lane_new(struct together *t, const uint8_t digest[KM_SHA256_LEN],
                             struct km_loop *loop)
{
    struct lane *l = t->nlanes < KM_TOGETHER_LANES ? calloc(1, sizeof *l) : NULL;

    if (!l)
        return NULL;
    l->of = t;
    memcpy(l->digest, digest, sizeof l->digest);
    km_list_init(&l->waiting);
    km_timer_init(&l->timer, loop, on_late, l);
    km_deferred_init(&l->turn, loop, on_lane_turn, l);
    km_list_push(&t->lanes, &l->link);
    t->nlanes++;
    return l;
}

static struct lane *find_lane(struct together *t, const uint8_t digest[KM_SHA256_LEN])
{
    KM_LIST_EACH(node, &t->lanes)
    {
        struct lane *l = KM_CONTAINER(node, struct lane, link);

        if (memcmp(l->digest, digest, sizeof l->digest) == 0)
            return l;
    }
    return NULL;
}

/* --- a call --- */

/* Its request will not be out. */
static void drop_one(struct note *n)
{
    struct lane *l = n->one->lane;

    free(n->one);
    n->one = NULL;
    lane_hears(l);
}

/* It is over, however it came there. */
static void let_go(void *data)
{
    struct note *n = data;
    struct batch *b = n->batch;
    struct lane *l = n->lane;

    if (n->one)
        drop_one(n);
    if (n->state == WAITS) {
        leave_lane(n);
        lane_free(l);
        return;
    }
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        if (b->members[i] == n)
            b->members[i] = NULL;
    if (n->state != LEADS)
        return;
    l = b->lane; /* its request was never out */
    give_back(b);
    batch_end(b);
    lane_hears(l);
}

static bool wants_it(const struct km_call *call)
{
    const struct km_execution *x = call->execution;

    if (km_execution_says(x, KM_EXECUTION_BATCHING))
        return x->batching;
    return call->visit->view->snap->execution->batching;
}

static struct km_str whole_body(struct km_call *call)
{
    const struct km_http_request *out = &call->at->out;

    return out->nbody == 1 ? out->body[0] : km_arena_cat(&call->arena, out->body, out->nbody);
}

/* Whose it is: nobody's requests meet another's. */
static struct km_str owner_of(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    if (!key)
        return KM_STR_NONE;
    if (call->visit->view->snap->execution->batching_by == KM_BATCHING_BY_TEAM &&
        key->row.team_id.n)
        return key->row.team_id;
    return km_str((const char *)key->row.hash, sizeof key->row.hash);
}

static void digest_of(const struct km_call *call, const struct km_embed_inputs *in,
                      uint8_t ret[KM_SHA256_LEN])
{
    const struct km_http_request *out = &call->at->out;
    const struct km_str owner = owner_of(call);
    const size_t lengths[] = { owner.n, out->target.n, out->head.n, in->before.n };
    const struct km_str parts[] = { km_str((const char *)&call->at->d, sizeof call->at->d),
                                    km_str((const char *)lengths, sizeof lengths),
                                    owner,
                                    out->target,
                                    out->head,
                                    in->before,
                                    in->behind };

    km_sha256_parts(parts, sizeof parts / sizeof parts[0], ret);
}

static void on_one_opened(void *ctx, struct km_flight *flight)
{
    struct one *one = ctx;

    (void)flight;
    one->note->one = NULL;
    one->note = NULL;
}

static void on_one_done(void *ctx)
{
    struct one *one = ctx;
    struct lane *l = one->lane;

    free(one);
    lane_hears(l);
}

/* It goes as it is, and its lane hears of its end. */
static int go(struct note *n, struct km_err *err)
{
    struct km_flight_args *args = km_arena_alloc(&n->call->arena, sizeof *args);

    n->one = args ? calloc(1, sizeof *n->one) : NULL;
    if (!n->one)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *n->one = (struct one){ .lane = n->lane, .note = n };
    n->lane->out++;
    *args = (struct km_flight_args){
        .weight = n->weight, .opened = on_one_opened, .done = on_one_done, .ctx = n->one
    };
    n->call->at->opens = args;
    return KM_HOOK_PASS;
}

static int lead(struct note *n, struct km_err *err)
{
    struct km_embed_inputs all[KM_EMBED_MERGED_MOST];
    struct km_call *call = n->call;
    struct batch *b = n->batch;
    struct km_str *body = km_arena_alloc(&call->arena, sizeof *body);
    size_t from = 0;

    b->nshares = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct note *m = b->members[i];

        if (!m)
            continue;
        m->place = b->nshares;
        all[b->nshares] = m->inputs;
        b->shares[b->nshares++] =
            (struct km_embed_share){ .from = from, .n = m->inputs.n, .weight = m->weight };
        from += m->inputs.n;
    }
    if (body)
        *body = km_embed_merge(all, b->nshares, &call->arena);
    if (!body || !body->n)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->at->out.body = body;
    call->at->out.nbody = 1;
    b->args.weight = n->weight;
    call->at->opens = &b->args;
    call->at->merged = b->nshares > 1;
    return KM_HOOK_PASS;
}

static int join(struct note *n, struct km_err *err)
{
    struct batch *b = n->batch;
    int r;

    for (size_t i = 0; i < b->n; i++)
        if (b->members[i] == n)
            b->members[i] = NULL;
    n->batch = NULL;
    n->state = IS_NEW;
    if (!b->flight) { /* it was answered, or broke, before anybody could join */
        n->lane = b->lane;
        return go(n, err);
    }
    r = km_attempt_join(n->call, b->flight, n->weight, err);
    if (r == KM_HOOK_JOINED) {
        b->joined[b->njoined++] = (unsigned)n->place;
        n->call->at->merged = true;
    }
    return r;
}

/* Is it one that may meet others, and does anybody want it to? */
static bool may_meet(struct km_call *call, struct note *n)
{
    const struct km_attempt *at = call->at;
    const struct km_codec *codec = at->d ? at->d->codec : NULL;

    if (!at->d || !call->api || call->api->wire != KM_WIRE_EMBEDDING || call->answered ||
        call->beside || at->convert || (codec && !(codec->native & KM_WIRE_EMBEDDING)) ||
        call->alone || !wants_it(call))
        return false;
    n->weight = call->input_tokens > 0 ? call->input_tokens : 1;
    return km_embed_inputs(whole_body(call), &n->inputs);
}

static int arrive(struct note *n, struct km_err *err)
{
    struct km_call *call = n->call;
    struct together *t = km_module_state(call->w->slots, &km_together_module);
    uint8_t digest[KM_SHA256_LEN];

    if (!may_meet(call, n))
        return KM_HOOK_PASS;
    digest_of(call, &n->inputs, digest);
    n->lane = find_lane(t, digest);
    if (!n->lane)
        n->lane = lane_new(t, digest, call->w->loop);
    if (!n->lane)
        return KM_HOOK_PASS;
    if (!n->heeded && km_call_when_over(call, let_go, n, err) < 0)
        return err->code;
    n->heeded = true;
    if (!n->lane->out && !n->lane->nwaiting)
        return go(n, err);
    enter_lane(n->lane, n, false);
    return KM_E_AGAIN;
}

static int run(struct km_call *call, struct km_err *err)
{
    struct note *n = km_call_make_note(call, &tag, sizeof *n);

    if (!n)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    n->call = call;
    if (n->one) /* of an attempt before, which was not sent */
        drop_one(n);
    switch (n->state) {
    case LEADS:
        return lead(n, err);
    case IS_IN:
        return join(n, err);
    case GOES:
        n->state = IS_NEW;
        return go(n, err);
    case IS_NEW:
    case WAITS:
        break;
    }
    return arrive(n, err);
}

const struct km_call_hook km_together_hook = {
    .name = "together", .names = KM_NAMES_VECTORS, .run = run
};

/* --- the module --- */

static const char place KM_MODULE_PLACE;

static int worker_init(struct km_worker *w, void **ret_state, struct km_err *err)
{
    struct together *t = calloc(1, sizeof *t);

    (void)w;
    if (!t)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_list_init(&t->lanes);
    *ret_state = t;
    return 0;
}

static void worker_free(void *state)
{
    struct together *t = state;

    while (!km_list_empty(&t->lanes)) {
        struct lane *l = KM_CONTAINER(km_list_pop(&t->lanes), struct lane, link);

        km_timer_stop(&l->timer);
        km_deferred_cancel(&l->turn);
        free(l);
    }
    free(t);
}

const struct km_module km_together_module = {
    .name = "requests that are sent together",
    .place = &place,
    .worker_init = worker_init,
    .worker_free = worker_free,
};
