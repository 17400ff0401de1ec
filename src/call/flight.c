/* SPDX-License-Identifier: Apache-2.0 */
/* flight.c - see flight.h for the contract.
 *
 * While something is told any taker may leave, also one that has not been told: the walk asks for
 * the next that has not heard this, until there is none.  A flight that nobody takes part in any
 * more is freed when the last walk has come back.
 */
#include "call/flight.h"

#include "base/buf.h"
#include "base/list.h"
#include "sys/loop.h"

__extension__ typedef __int128 wide;

struct km_flight {
    struct km_http_call *up; /* NULL: it is over */
    struct km_arena arena; /* holds it, and the request */
    struct km_flight_args args;
    struct km_loop *loop;
    struct km_body_budget *bodies; /* of all calls: what is in line counts */
    struct km_list takers;
    unsigned joined; /* how many there ever were */
    bool spoken; /* one of them has told of it */
    uint64_t told; /* things that were */
    unsigned walks; /* under way */
    bool closed;
    bool split; /* the answer is gathered */
    struct km_buf whole;
};

struct km_taker {
    struct km_list link;
    struct km_flight *f; /* NULL: it has left, or was told the end */
    const struct km_http_events *events;
    void *ctx;
    unsigned index;
    int64_t before, weight, of; /* its part, once it is known: behind those before it; of all */
    bool speaks;
    bool has_part;
    uint64_t heard; /* which of the things that were told */
    bool paused;
    bool sent;
    struct km_buf line; /* came while it was paused */
    struct km_deferred go_on;
    bool ended; /* the end stands behind the line */
    struct km_err why; /* of the end; code 0: a good one */
};

/* --- its life --- */

static void flight_free(struct km_flight *f)
{
    struct km_arena arena = f->arena;

    if (f->args.done)
        f->args.done(f->args.ctx);
    km_buf_done(&f->whole);
    km_arena_done(&arena);
}

/* Nobody may join any more. */
static void close_flight(struct km_flight *f)
{
    if (f->closed)
        return;
    f->closed = true;
    if (f->args.closed)
        f->args.closed(f->args.ctx);
}

/* Whoever left has left; the last one ends it. */
static void settle(struct km_flight *f)
{
    if (f->walks || !km_list_empty(&f->takers))
        return;
    close_flight(f);
    if (f->up)
        km_http_cancel(f->up);
    flight_free(f);
}

static void walk_back(struct km_flight *f)
{
    f->walks--;
    settle(f);
}

/* May it be asked?  It may be gone after anything it was told. */
static bool takes_part(const struct km_flight *f, const struct km_taker *t)
{
    KM_LIST_EACH(node, &f->takers)
    {
        if (KM_CONTAINER(node, struct km_taker, link) == t)
            return true;
    }
    return false;
}

/* The same as `paused`, of one whose line has not gone: it hears things later than they come. */
static bool is_late(const struct km_taker *t)
{
    return t->paused || t->line.n;
}

/* Of all who take part, or of those that hear what is told at once. */
static int64_t weight_of(const struct km_flight *f, bool late)
{
    int64_t all = 0;

    KM_LIST_EACH(node, &f->takers)
    {
        const struct km_taker *t = KM_CONTAINER(node, struct km_taker, link);

        if (late || !is_late(t))
            all += t->weight;
    }
    return all;
}

/* Those that hear the end now pay all of it. */
static void divide(struct km_flight *f)
{
    int64_t before = 0, of = weight_of(f, false);

    KM_LIST_EACH(node, &f->takers)
    {
        struct km_taker *t = KM_CONTAINER(node, struct km_taker, link);

        if (is_late(t))
            continue;
        t->before = before;
        t->of = of;
        before += t->weight;
    }
}

static void give_line_back(struct km_taker *t, size_t n)
{
    km_body_budget_give(t->f->bodies, (int64_t)n);
}

static void empty_line(struct km_taker *t)
{
    give_line_back(t, t->line.n);
    km_buf_done(&t->line);
}

/* It is told no more. */
static void detach(struct km_taker *t)
{
    struct km_flight *f = t->f;

    if (!t->of) { /* its part of what is left, as if it were the first of them */
        t->before = 0;
        t->of = weight_of(f, true);
    }
    empty_line(t);
    if (f->up)
        t->sent = km_http_taken(f->up);
    t->f = NULL;
    km_list_remove(&t->link);
    km_deferred_cancel(&t->go_on);
}

/* The next that has not heard what is told now. */
static struct km_taker *next_to_tell(struct km_flight *f)
{
    KM_LIST_EACH(node, &f->takers)
    {
        struct km_taker *t = KM_CONTAINER(node, struct km_taker, link);

        if (t->heard != f->told) {
            t->heard = f->told;
            return t;
        }
    }
    return NULL;
}

/* The upstream is read while anybody takes what comes. */
static void let_flow(struct km_flight *f)
{
    if (!f->up)
        return;
    KM_LIST_EACH(node, &f->takers)
    {
        if (!KM_CONTAINER(node, struct km_taker, link)->paused) {
            km_http_resume(f->up);
            return;
        }
    }
    km_http_pause(f->up);
}

/* --- what is told --- */

static void tell_end(struct km_taker *t, const struct km_err *why)
{
    struct km_http_result result = { .err = why, .bytes_sent = t->sent, .request_sent = t->sent };

    t->speaks = !t->f->spoken;
    t->f->spoken = true;
    detach(t);
    t->events->on_done(t->ctx, &result);
}

static void end_taker(struct km_taker *t, const struct km_err *why)
{
    if (!is_late(t)) {
        tell_end(t, why);
        return;
    }
    t->ended = true;
    if (why)
        t->why = *why;
}

static bool stand_in_line(struct km_taker *t, struct km_str bytes)
{
    if (!km_body_budget_take(t->f->bodies, (int64_t)bytes.n))
        return false;
    km_buf_str(&t->line, bytes);
    if (km_buf_failed(&t->line))
        give_line_back(t, bytes.n);
    return !km_buf_failed(&t->line);
}

static void give(struct km_taker *t, struct km_str bytes)
{
    struct km_err err = { 0 };

    if (!is_late(t)) {
        t->events->on_body(t->ctx, bytes.p, bytes.n);
        return;
    }
    if (stand_in_line(t, bytes))
        return;
    km_fail(&err, KM_E_OVERLOADED, "The answer is read too slowly, and others take it, too.");
    tell_end(t, &err);
}

static void end_late(struct km_taker *t)
{
    struct km_err why = t->why;

    tell_end(t, why.code ? &why : NULL);
}

static void on_turn(void *ctx)
{
    struct km_taker *t = ctx;
    struct km_flight *f = t->f;
    struct km_buf line = t->line;

    if (t->paused)
        return;
    f->walks++;
    give_line_back(t, line.n);
    km_buf_init(&t->line, KM_TAKER_LINE_BYTES);
    if (line.n)
        t->events->on_body(t->ctx, line.p, line.n);
    km_buf_done(&line);
    if (takes_part(f, t) && t->ended && !t->paused)
        end_late(t);
    walk_back(f);
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_flight *f = ctx;
    struct km_taker *t;

    f->walks++;
    close_flight(f);
    f->split = f->args.split && response->status >= 200 && response->status < 300;
    f->told++;
    while ((t = next_to_tell(f)) != NULL)
        t->events->on_head(t->ctx, response);
    walk_back(f);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct km_flight *f = ctx;
    struct km_taker *t;

    km_http_begun(f->up);
    if (f->split) {
        km_buf_bytes(&f->whole, bytes, n);
        return;
    }
    f->walks++;
    f->told++;
    while ((t = next_to_tell(f)) != NULL)
        give(t, km_str(bytes, n));
    if (!km_list_empty(&f->takers))
        let_flow(f);
    walk_back(f);
}

static void give_part(struct km_flight *f, struct km_taker *t)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(f->args.split->most);
    struct km_err err = { 0 };
    int r = km_buf_failed(&f->whole)
                ? km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
                          "The upstream's answer for several calls is over %zu bytes.",
                          f->args.split->most)
                : f->args.split->part(f->args.ctx, t->index, km_buf_view(&f->whole), &out, &err);

    if (r == 0 && km_buf_failed(&out))
        r = km_fail(&err, KM_E_NOMEM, "out of memory");
    t->has_part = r == 0;
    if (r == 0)
        give(t, km_buf_view(&out));
    if (takes_part(f, t))
        end_taker(t, r < 0 ? &err : NULL);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct km_flight *f = ctx;
    struct km_taker *t;

    f->walks++;
    KM_LIST_EACH(node, &f->takers)
    {
        KM_CONTAINER(node, struct km_taker, link)->sent = result->request_sent;
    }
    f->up = NULL;
    close_flight(f);
    divide(f);
    f->told++;
    while ((t = next_to_tell(f)) != NULL) {
        if (f->split && !result->err)
            give_part(f, t);
        else
            end_taker(t, result->err);
    }
    walk_back(f);
}

static const struct km_http_events events = { .on_head = on_head,
                                              .on_body = on_body,
                                              .on_done = on_done };

/* --- who takes part --- */

struct km_taker *km_flight_join(struct km_flight *f, int64_t weight, struct km_arena *arena,
                                const struct km_http_events *told, void *ctx)
{
    struct km_taker *t = km_arena_zalloc(arena, sizeof *t);

    km_assert(!f->closed && weight > 0);
    if (!t)
        return NULL;
    *t = (struct km_taker){ .f = f,
                            .events = told,
                            .ctx = ctx,
                            .index = f->joined++,
                            .weight = weight,
                            .heard = f->told,
                            .line = KM_BUF(KM_TAKER_LINE_BYTES) };
    km_list_init(&t->link);
    km_list_push(&f->takers, &t->link);
    km_deferred_init(&t->go_on, f->loop, on_turn, t);
    let_flow(f);
    return t;
}

/* It never began: nobody is told. */
static void give_up(struct km_flight *f, struct km_taker *t)
{
    struct km_arena arena = f->arena;

    if (t)
        detach(t);
    km_arena_done(&arena);
}

/* A copy of what is sent. */
static int copy_request(struct km_arena *arena, const struct km_http_request *from,
                        struct km_http_request *to)
{
    struct km_str *body = km_arena_alloc(arena, sizeof *body);

    *to = *from;
    to->method = km_arena_str(arena, from->method);
    to->target = km_arena_str(arena, from->target);
    to->head = km_arena_str(arena, from->head);
    if (body && from->nbody) {
        *body = km_arena_cat(arena, from->body, from->nbody);
        to->body = body;
        to->nbody = 1;
    }
    return km_arena_overflowed(arena) ? KM_E_NOMEM : 0;
}

static size_t bytes_of(const struct km_http_request *r)
{
    size_t n = sizeof(struct km_flight) + r->target.n + r->head.n + 4 * (size_t)KM_ARENA_BLOCK;

    for (size_t i = 0; i < r->nbody; i++)
        n += r->body[i].n;
    return n;
}

static struct km_flight *flight_new(struct km_loop *loop, const struct km_http_request *request,
                                    const struct km_flight_args *args,
                                    struct km_http_request *ret_copy)
{
    struct km_arena arena;
    struct km_flight *f;

    km_arena_init(&arena, bytes_of(request), km_loop_arenas(loop));
    f = km_arena_zalloc(&arena, sizeof *f);
    if (!f || copy_request(&arena, request, ret_copy) < 0) {
        km_arena_done(&arena);
        return NULL;
    }
    f->arena = arena;
    f->args = *args;
    f->loop = loop;
    km_list_init(&f->takers);
    km_buf_init(&f->whole, args->split ? args->split->most : 0);
    return f;
}

struct km_taker *km_flight_send(struct km_http_client *client, struct km_loop *loop,
                                struct km_body_budget *bodies,
                                const struct km_http_request *request,
                                const struct km_flight_args *args, struct km_arena *arena,
                                const struct km_http_events *told, void *ctx)
{
    struct km_http_request copy;
    struct km_flight *f = flight_new(loop, request, args, &copy);
    struct km_taker *t;

    if (f)
        f->bodies = bodies;
    t = f ? km_flight_join(f, args->weight, arena, told, ctx) : NULL;
    if (t)
        f->up = km_http_send(client, &copy, &events, f);
    if (!t || !f->up) {
        if (f)
            give_up(f, t);
        return NULL;
    }
    if (args->opened)
        args->opened(args->ctx, f);
    return t;
}

bool km_taker_is_out(const struct km_taker *t)
{
    return t->f != NULL;
}

bool km_taker_has_part(const struct km_taker *t)
{
    return t->has_part;
}

bool km_taker_sent(const struct km_taker *t)
{
    return t->f && t->f->up ? km_http_taken(t->f->up) : t->sent;
}

void km_taker_pause(struct km_taker *t)
{
    if (!t->f || t->paused)
        return;
    t->paused = true;
    let_flow(t->f);
}

void km_taker_resume(struct km_taker *t)
{
    if (!t->f || !t->paused)
        return;
    t->paused = false;
    if (t->line.n || t->ended)
        km_deferred_queue(&t->go_on);
    let_flow(t->f);
}

void km_taker_leave(struct km_taker *t)
{
    struct km_flight *f = t->f;

    if (!f)
        return;
    detach(t);
    if (!km_list_empty(&f->takers))
        let_flow(f);
    settle(f);
}

bool km_taker_speaks(const struct km_taker *t)
{
    return t->speaks;
}

/* Where its weight begins and ends on the line of all, each rounded the same way: neighbours meet,
 * and nothing is lost between them. */
int64_t km_taker_share(const struct km_taker *t, int64_t sum)
{
    int64_t from = (int64_t)((wide)sum * t->before / t->of);
    int64_t to = (int64_t)((wide)sum * (t->before + t->weight) / t->of);

    km_assert(!t->f); /* it is known when it was told the end, or has left */

    return to - from;
}
