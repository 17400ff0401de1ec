/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_dns.h"

#include "base/time.h"
#include "net/pool.h"

struct world {
    struct fixture *f;
    struct km_dialer *dialer;
    struct km_pool *pool;
    struct km_origin *origin;
    struct km_pool_get *get;
    int listener;
};

static const struct km_pool_settings usual = {
    .max_per_origin = 8, .max_idle = 8, .idle_ms = 60000, .max_waiting = 8, .connect_ms = 5000
};

static struct world world(struct fixture *f, const struct km_pool_settings *set)
{
    struct world w = { .f = f, .listener = listen_loopback() };

    w.dialer = km_dialer_new(f->loop, NULL, NULL);
    w.pool = km_pool_new(f->loop, w.dialer, set);
    assert_int_equal(km_origin_new(false, KM_STR("127.0.0.1"), port_of(w.listener), NULL, NULL,
                                   false, &w.origin, NULL),
                     0);
    return w;
}

static void world_done(struct world *w)
{
    km_pool_free(w->pool);
    km_dialer_free(w->dialer);
    km_origin_unref(w->origin);
    if (w->listener >= 0)
        close(w->listener);
}

struct result {
    struct km_stream *stream;
    int *clock; /* counts answers over several results */
    int calls, order;
    struct km_err err;
};

static void on_get(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct result *r = ctx;

    r->calls++;
    r->stream = stream;
    assert_true(!stream == !!err);
    if (err)
        r->err = *err;
    if (r->clock)
        r->order = ++*r->clock;
}

static bool has_result(void *ctx)
{
    return ((struct result *)ctx)->calls > 0;
}

/* A connection dialled by the pool, and its other end. */
static struct km_stream *get(struct world *w, int *ret_peer)
{
    struct result r = { 0 };

    assert_non_null(km_pool_get(w->pool, w->origin, on_get, &r));
    assert_int_equal(r.calls, 0);
    run_until(w->f, has_result, &r);
    assert_non_null(r.stream);
    if (ret_peer)
        *ret_peer = accept(w->listener, NULL, NULL);
    return r.stream;
}

static bool none_open(void *ctx)
{
    return km_pool_open(((struct world *)ctx)->pool) == 0;
}

static void a_stream_given_back_is_lent_again(void **state)
{
    struct world w = world(*state, &usual);
    struct km_stream *s;
    struct owner o;
    int peer;

    assert_null(km_pool_take(w.pool, w.origin));
    s = get(&w, &peer);
    assert_int_equal(km_pool_open(w.pool), 1);
    assert_int_equal(km_pool_idle(w.pool), 0);
    km_pool_put(w.pool, w.origin, s);
    assert_int_equal(km_pool_idle(w.pool), 1);
    run_for(w.f, 20);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), s);
    assert_null(km_pool_take(w.pool, w.origin));
    owner_take(&o, s); /* and it works */
    stream_write_text(s, "hi");
    peer_expect(peer, "hi");
    peer_write(peer, "ho");
    expect_text(w.f, &o, "ho");
    km_pool_drop(w.pool, w.origin, s);
    o.stream = NULL;
    owner_done(&o);
    assert_int_equal(km_pool_open(w.pool), 0);
    close(peer);
    world_done(&w);
}

static void a_paused_stream_reads_again_when_it_is_given_back(void **state)
{
    struct world w = world(*state, &usual);
    int peer;
    struct km_stream *s = get(&w, &peer);

    km_stream_pause(s);
    km_pool_put(w.pool, w.origin, s);
    shutdown(peer, SHUT_WR);
    run_until(w.f, none_open, &w);
    close(peer);
    world_done(&w);
}

static void an_idle_connection_that_the_peer_ends_is_removed_at_once(void **state)
{
    struct world w = world(*state, &usual);

    for (int kind = 0; kind < 3; kind++) {
        int peer;

        km_pool_put(w.pool, w.origin, get(&w, &peer));
        assert_int_equal(km_pool_idle(w.pool), 1);
        if (kind == 0)
            shutdown(peer, SHUT_WR);
        else if (kind == 1)
            peer_reset(peer);
        else
            peer_write(peer, "?"); /* a byte nobody asked for */
        run_until(w.f, none_open, &w);
        assert_int_equal(km_pool_idle(w.pool), 0);
        if (kind != 1)
            close(peer);
    }
    world_done(&w);
}

static void a_connection_is_looked_at_before_it_is_lent(void **state)
{
    struct world w = world(*state, &usual);

    for (int kind = 0; kind < 3; kind++) {
        int peer, good;
        struct km_stream *dead = get(&w, &peer), *alive = get(&w, &good);

        km_pool_put(w.pool, w.origin, alive);
        km_pool_put(w.pool, w.origin, dead);
        if (kind == 0)
            shutdown(peer, SHUT_WR);
        else if (kind == 1)
            peer_reset(peer);
        else
            peer_write(peer, "?");
        /* The loop has not run: only a look can know. */
        assert_ptr_equal(km_pool_take(w.pool, w.origin), alive);
        assert_int_equal(km_pool_open(w.pool), 1);
        km_pool_drop(w.pool, w.origin, alive);
        if (kind != 1)
            close(peer);
        close(good);
    }
    world_done(&w);
}

static void a_stream_that_ended_or_has_bytes_queued_is_not_kept(void **state)
{
    struct world w = world(*state, &usual);
    static const char zeros[8 << 20];
    struct km_str part = { zeros, sizeof zeros };
    struct km_stream *s;
    struct owner o;
    int peer;

    owner_take(&o, get(&w, &peer));
    shutdown(peer, SHUT_WR);
    run_until(w.f, saw_eof, &o);
    km_pool_put(w.pool, w.origin, o.stream);
    assert_int_equal(km_pool_open(w.pool), 0);
    close(peer);

    s = get(&w, &peer);
    km_stream_write(s, &part, 1, NULL);
    assert_true(km_stream_queued(s) > 0);
    km_pool_put(w.pool, w.origin, s);
    assert_int_equal(km_pool_open(w.pool), 0);
    close(peer);
    world_done(&w);
}

static void the_most_recently_used_is_lent_first(void **state)
{
    struct world w = world(*state, &usual);
    struct km_stream *a = get(&w, NULL), *b = get(&w, NULL), *c = get(&w, NULL);

    km_pool_put(w.pool, w.origin, b);
    km_pool_put(w.pool, w.origin, c);
    km_pool_put(w.pool, w.origin, a);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), a);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), c);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), b);
    km_pool_drop(w.pool, w.origin, a);
    km_pool_drop(w.pool, w.origin, b);
    km_pool_drop(w.pool, w.origin, c);
    world_done(&w);
}

static void idle_connections_over_the_limit_are_closed_the_oldest_first(void **state)
{
    struct km_pool_settings set = usual;
    set.max_idle = 2;
    struct world w = world(*state, &set);
    struct km_stream *a = get(&w, NULL), *b = get(&w, NULL), *c = get(&w, NULL);

    km_pool_put(w.pool, w.origin, a);
    km_pool_put(w.pool, w.origin, b);
    km_pool_put(w.pool, w.origin, c);
    assert_int_equal(km_pool_idle(w.pool), 2);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), c);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), b);
    km_pool_put(w.pool, w.origin, b);
    set.max_idle = 0;
    km_pool_configure(w.pool, &set);
    assert_int_equal(km_pool_idle(w.pool), 0);
    km_pool_put(w.pool, w.origin, c);
    assert_int_equal(km_pool_open(w.pool), 0);
    world_done(&w);
}

static void an_idle_connection_is_closed_after_its_time(void **state)
{
    struct km_pool_settings set = usual;
    set.idle_ms = 600;
    struct world w = world(*state, &set);
    int peer;
    char byte;
    struct km_stream *s = get(&w, &peer);
    uint64_t put;

    km_pool_put(w.pool, w.origin, s);
    run_for(w.f, 300);
    assert_ptr_equal(km_pool_take(w.pool, w.origin), s); /* using it begins the time anew */
    km_pool_put(w.pool, w.origin, s);
    put = km_mono_ms();
    run_for(w.f, 400);
    /* On a machine too busy to come back in time there is nothing to see here. */
    if (km_mono_ms() - put < 500)
        assert_int_equal(km_pool_idle(w.pool), 1);
    run_until(w.f, none_open, &w);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    close(peer);
    world_done(&w);
}

static void a_new_idle_time_counts_for_what_is_idle_already(void **state)
{
    struct km_pool_settings set = usual;
    struct world w = world(*state, &set);

    km_pool_put(w.pool, w.origin, get(&w, NULL));
    set.idle_ms = 20;
    km_pool_configure(w.pool, &set);
    run_until(w.f, none_open, &w);
    world_done(&w);
}

/* --- limits and waiting --- */

static void requests_over_the_limit_wait_in_order(void **state)
{
    struct km_pool_settings set = usual;
    set.max_per_origin = 2;
    struct world w = world(*state, &set);
    struct km_stream *a = get(&w, NULL), *b = get(&w, NULL);
    int clock = 0;
    struct result r[3] = { { .clock = &clock }, { .clock = &clock }, { .clock = &clock } };

    for (int i = 0; i < 3; i++)
        assert_non_null(km_pool_get(w.pool, w.origin, on_get, &r[i]));
    run_for(w.f, 30);
    assert_int_equal(clock, 0);
    km_pool_put(w.pool, w.origin, a);
    assert_int_equal(clock, 0); /* never from inside put() */
    assert_null(km_pool_take(w.pool, w.origin)); /* who waits comes first */
    run_until(w.f, has_result, &r[0]);
    assert_ptr_equal(r[0].stream, a);
    km_pool_drop(w.pool, w.origin, b); /* makes room for a new one */
    run_until(w.f, has_result, &r[1]);
    assert_non_null(r[1].stream);
    km_pool_put(w.pool, w.origin, a);
    run_until(w.f, has_result, &r[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(r[i].order, i + 1);
    assert_int_equal(km_pool_open(w.pool), 2);
    km_pool_drop(w.pool, w.origin, r[1].stream);
    km_pool_drop(w.pool, w.origin, r[2].stream);
    world_done(&w);
}

static void more_waiting_than_the_limit_is_refused(void **state)
{
    struct km_pool_settings set = usual;
    set.max_per_origin = 1;
    set.max_waiting = 2;
    struct world w = world(*state, &set);
    struct km_stream *a = get(&w, NULL);
    struct result r[3] = { 0 };
    struct km_pool_get *waiting[2];

    for (int i = 0; i < 2; i++) {
        waiting[i] = km_pool_get(w.pool, w.origin, on_get, &r[i]);
        assert_non_null(waiting[i]);
    }
    assert_null(km_pool_get(w.pool, w.origin, on_get, &r[2]));
    km_pool_cancel(waiting[0]);
    waiting[0] = km_pool_get(w.pool, w.origin, on_get, &r[2]);
    assert_non_null(waiting[0]);
    km_pool_cancel(waiting[0]);
    km_pool_cancel(waiting[1]);
    run_for(w.f, 20);
    km_pool_drop(w.pool, w.origin, a);
    run_for(w.f, 20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(r[i].calls, 0);
    world_done(&w);
}

/* Runs before the loop sleeps: the dial has been started and nothing can have come of it. */
static bool cancel_while_dialling(void *ctx)
{
    km_pool_cancel(ctx);
    return true;
}

static bool one_idle(void *ctx)
{
    return km_pool_idle(((struct world *)ctx)->pool) == 1;
}

static void the_connection_of_a_cancelled_request_serves_the_next(void **state)
{
    struct world w = world(*state, &usual);
    struct result r = { 0 }, second = { 0 };
    struct km_pool_get *g;
    int peer;

    g = km_pool_get(w.pool, w.origin, on_get, &r);
    run_until(w.f, cancel_while_dialling, g);
    run_until(w.f, one_idle, &w);
    assert_int_equal(r.calls, 0);
    peer = accept(w.listener, NULL, NULL);
    assert_non_null(km_pool_get(w.pool, w.origin, on_get, &second));
    run_until(w.f, has_result, &second);
    assert_int_equal(km_pool_open(w.pool), 1); /* no second connection */
    km_pool_drop(w.pool, w.origin, second.stream);
    close(peer);
    world_done(&w);
}

static void a_failed_dial_answers_every_request_with_its_reason(void **state)
{
    struct km_pool_settings set = usual;
    set.max_per_origin = 2;
    struct world w = world(*state, &set);
    struct result r[4] = { 0 };

    close(w.listener);
    w.listener = -1;
    for (int i = 0; i < 4; i++)
        assert_non_null(km_pool_get(w.pool, w.origin, on_get, &r[i]));
    for (int i = 0; i < 4; i++) {
        run_until(w.f, has_result, &r[i]);
        assert_int_equal(r[i].err.code, KM_E_UPSTREAM_CONNECT);
    }
    run_for(w.f, 20);
    for (int i = 0; i < 4; i++)
        assert_int_equal(r[i].calls, 1);
    world_done(&w);
}

static void origins_do_not_share_connections(void **state)
{
    struct world w = world(*state, &usual);
    struct km_origin *named, *guarded;
    uint16_t port = port_of(w.listener);

    km_pool_put(w.pool, w.origin, get(&w, NULL));
    assert_int_equal(
        km_origin_new(false, KM_STR("localhost"), port, NULL, NULL, false, &named, NULL), 0);
    assert_int_equal(
        km_origin_new(false, KM_STR("127.0.0.1"), port, NULL, NULL, true, &guarded, NULL), 0);
    assert_null(km_pool_take(w.pool, named));
    assert_null(km_pool_take(w.pool, guarded));
    km_origin_unref(named);
    km_origin_unref(guarded);
    world_done(&w);
}

static void a_pool_freed_while_a_stream_is_lent_goes_with_its_return(void **state)
{
    struct world w = world(*state, &usual);
    struct km_stream *a = get(&w, NULL), *b = get(&w, NULL), *idle = get(&w, NULL);
    struct result r = { 0 };

    km_pool_put(w.pool, w.origin, idle);
    km_pool_free(w.pool);
    km_pool_put(w.pool, w.origin, a);
    km_pool_drop(w.pool, w.origin, b);
    run_for(w.f, 10);
    assert_int_equal(r.calls, 0);
    w.pool = NULL;
    world_done(&w);
}

static bool free_while_dialling(void *ctx)
{
    struct world *w = ctx;

    km_pool_cancel(w->get);
    world_done(w);
    return true;
}

static void a_pool_freed_while_it_dials_stops(void **state)
{
    struct world w = world(*state, &usual);
    struct result r = { 0 };

    w.get = km_pool_get(w.pool, w.origin, on_get, &r);
    run_until(w.f, free_while_dialling, &w);
    run_for(*state, 20);
    assert_int_equal(r.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_stream_given_back_is_lent_again),
        NET_TEST(a_paused_stream_reads_again_when_it_is_given_back),
        NET_TEST(an_idle_connection_that_the_peer_ends_is_removed_at_once),
        NET_TEST(a_connection_is_looked_at_before_it_is_lent),
        NET_TEST(a_stream_that_ended_or_has_bytes_queued_is_not_kept),
        NET_TEST(the_most_recently_used_is_lent_first),
        NET_TEST(idle_connections_over_the_limit_are_closed_the_oldest_first),
        NET_TEST(an_idle_connection_is_closed_after_its_time),
        NET_TEST(a_new_idle_time_counts_for_what_is_idle_already),
        NET_TEST(requests_over_the_limit_wait_in_order),
        NET_TEST(more_waiting_than_the_limit_is_refused),
        NET_TEST(the_connection_of_a_cancelled_request_serves_the_next),
        NET_TEST(a_failed_dial_answers_every_request_with_its_reason),
        NET_TEST(origins_do_not_share_connections),
        NET_TEST(a_pool_freed_while_a_stream_is_lent_goes_with_its_return),
        NET_TEST(a_pool_freed_while_it_dials_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
