/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - one thread: a loop that accepts (accept.c), serves and calls upstreams on its own.
 *
 * Nothing of a worker is touched from outside once its thread runs; others send messages.  A
 * message that swaps the snapshot makes a new view: calls that began under the old one keep it
 * until they end, without an atomic operation on the way of each call.
 */
#include "host/worker.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "host/module.h"
#include "host/soft.h"

#define SCRATCH_BYTES ((size_t)64 * 1024 * 1024)
#define SCRATCH_KEEP ((size_t)256 * 1024)
#define TICK_MS 1000
#define QUIET_MS 10

static struct km_view *view_new(struct km_snapshot *snap)
{
    struct km_view *v = calloc(1, sizeof *v);

    if (v) {
        v->snap = snap;
        v->refs = 1;
    }
    return v;
}

/* --- making --- */

static const struct km_metric_row upstreams = { .name = "kanmon_upstream_connections",
                                                .type = KM_GAUGE,
                                                .help = "Open connections to upstreams.",
                                                .labels = { "state" } };

static void count_pool(struct km_worker *w)
{
    struct km_str kept = KM_STR("idle"), lent = KM_STR("lent");
    size_t idle = km_pool_idle(w->pool);

    if (!w->upstreams_idle)
        w->upstreams_idle = km_metric_series(w->gw->metrics, &upstreams, &kept);
    if (!w->upstreams_lent)
        w->upstreams_lent = km_metric_series(w->gw->metrics, &upstreams, &lent);
    km_metric_set(w->upstreams_idle, w->index, (int64_t)idle);
    km_metric_set(w->upstreams_lent, w->index, (int64_t)(km_pool_open(w->pool) - idle));
}

static void on_tick(void *ctx)
{
    struct km_worker *w = ctx;

    w->load = km_http_server_connections(w->server);
    count_pool(w);
    if (w->scratch.cap > SCRATCH_KEEP)
        km_buf_done(&w->scratch); /* one huge answer must not stay for ever */
    km_timer_start(&w->tick, TICK_MS);
}

static void on_revoke(void *ctx)
{
    struct km_worker *w = ctx;

    km_revoke_look(w);
    km_soft_look(w);
    km_timer_start(&w->revoke_tick, KM_REVOKE_MS);
}

static void on_desk_closed(void *ctx)
{
    struct km_worker *w = ctx;

    if (--w->gw->workers_busy == 0)
        km_mailbox_post(w->gw->main_mailbox, &w->gw->ended);
}

/* Killed: a call whose client went may still wait for its books, a request for another worker.
 * When nothing does, nothing begins here any more, but the loop goes on: a worker that is not there
 * yet may still cancel what it asked of a server at home here, which that server is to hear. */
static void on_quiet(void *ctx)
{
    struct km_worker *w = ctx;

    if (km_modules_worker_quiet(w))
        km_mcp_desk_close(w->desk, on_desk_closed, w);
    else
        km_timer_start(&w->quiet, QUIET_MS);
}

static struct km_http_server *make_server(struct km_worker *w,
                                          void (*on_request)(void *ctx, struct km_exchange *x),
                                          struct km_err *err)
{
    struct km_http_server_args args = { .loop = w->loop,
                                        .settings = w->view->snap->http,
                                        .bodies = &w->gw->bodies,
                                        .connections = &w->gw->connections,
                                        .on_request = on_request,
                                        .on_error = w->gw->args->door->on_error,
                                        .veil = w->gw->veil,
                                        .ctx = w };

    return km_http_server_new(&args, err);
}

static int make_net(struct km_worker *w, struct km_err *err)
{
    w->dns = km_dns_new(w->loop, err);
    if (!w->dns)
        return KM_E_SYSTEM;
    w->dialer = km_dialer_new(w->loop, w->dns, km_connect_tunnel);
    w->pool = w->dialer ? km_pool_new(w->loop, w->dialer, w->view->snap->pool) : NULL;
    w->client = w->pool ? km_http_client_new(w->loop, w->pool) : NULL;
    if (!w->client)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_http_client_set_veil(w->client, w->gw->veil);
    w->server = make_server(w, w->gw->args->door->on_request, err);
    if (w->server && w->index == 0)
        w->control = make_server(w, w->gw->args->door->on_local, err);
    return w->server && (w->index > 0 || w->control) ? 0 : KM_E_NOMEM;
}

static int make_desk(struct km_worker *w, struct km_err *err)
{
    const struct km_mcp_desk_args args = { .ups = w->gw->mcp,
                                           .index = w->index,
                                           .loop = w->loop,
                                           .mailbox = w->mailbox,
                                           .client = w->client };

    w->desk = km_mcp_desk_new(&args, err);
    return w->desk ? 0 : KM_E_NOMEM;
}

int km_worker_init(struct km_worker *w, struct km_gateway *gw, size_t index, struct km_err *err)
{
    int r;

    w->gw = gw;
    w->index = index;
    km_list_init(&w->calls);
    km_buf_init(&w->scratch, SCRATCH_BYTES);
    r = km_random(&w->rng, sizeof w->rng, err);
    w->loop = r == 0 ? km_loop_new(err) : NULL;
    if (!w->loop)
        return r < 0 ? r : KM_E_SYSTEM;
    w->mailbox = km_mailbox_new(w->loop, w, err);
    w->view = view_new(km_snapshot_ref(gw->current));
    if (!w->mailbox || !w->view)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    r = km_worker_tls_init(w, gw->current, err);
    if (r == 0)
        r = make_net(w, err);
    if (r < 0)
        return r;
    w->ledger = km_ledger_new(gw->store, w->loop, w->mailbox, index, err);
    if (!w->ledger)
        return KM_E_STORE;
    r = make_desk(w, err);
    if (r < 0)
        return r;
    km_timer_init(&w->quiet, w->loop, on_quiet, w);
    r = km_modules_worker_init(w, err);
    if (r < 0)
        return r;
    km_timer_init(&w->tick, w->loop, on_tick, w);
    km_timer_start(&w->tick, TICK_MS);
    w->revoke.generation = km_keys_generation(gw->keys);
    km_timer_init(&w->revoke_tick, w->loop, on_revoke, w);
    km_timer_start(&w->revoke_tick, KM_REVOKE_MS);
    return 0;
}

static void *thread_main(void *ctx)
{
    struct km_worker *w = ctx;
    struct km_err err = { 0 };
    bool buffered = km_log_thread_init(w->gw->log, &err) == 0;

    km_loop_run(w->loop);
    if (buffered)
        km_log_thread_done(w->gw->log);
    return NULL;
}

int km_worker_start(struct km_worker *w, struct km_err *err)
{
    int r = pthread_create(&w->thread, NULL, thread_main, w);

    if (r != 0)
        return km_fail_errno(err, r, "cannot start worker thread %zu", w->index);
    w->running = true;
    return 0;
}

/* --- messages --- */

struct swap_msg {
    struct km_msg msg;
    struct km_snapshot *snap;
};

static void on_swap(struct km_msg *msg, void *owner)
{
    struct swap_msg *m = (struct swap_msg *)msg;
    struct km_worker *w = owner;
    struct km_view *view = view_new(m->snap);

    free(m);
    if (!view)
        return; /* out of memory: the old one stays */
    km_view_unref(w->view);
    w->view = view;
    km_http_server_configure(w->server, view->snap->http);
    km_pool_configure(w->pool, view->snap->pool);
    km_worker_tls_swap(w, view->snap);
}

void km_worker_swap(struct km_worker *w, struct km_snapshot *snap)
{
    struct swap_msg *m = calloc(1, sizeof *m);

    if (!m) {
        km_snapshot_unref(snap);
        return;
    }
    m->msg.run = on_swap;
    m->snap = snap;
    km_mailbox_post(w->mailbox, &m->msg);
}

/* --- hand-over --- */

static void on_freeze(struct km_msg *msg, void *owner)
{
    struct km_worker *w = owner;
    struct km_gate *gate = &w->gw->gate;

    (void)msg;
    w->frozen = true;
    km_worker_pause(w);
    pthread_mutex_lock(&gate->lock);
    gate->arrived++;
    pthread_cond_broadcast(&gate->turned);
    while (!gate->open)
        pthread_cond_wait(&gate->turned, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

void km_worker_freeze(struct km_worker *w)
{
    w->freeze.run = on_freeze;
    km_mailbox_post(w->mailbox, &w->freeze);
}

static void on_thaw(struct km_msg *msg, void *owner)
{
    struct km_worker *w = owner;

    (void)msg;
    w->frozen = false;
    km_worker_resume(w);
}

void km_worker_thaw(struct km_worker *w)
{
    w->thaw.run = on_thaw;
    km_mailbox_post(w->mailbox, &w->thaw);
}

struct drain_msg {
    struct km_msg msg;
    void (*pass_on)(void *ctx, int fd);
    void *ctx;
};

static void on_stop(struct km_msg *msg, void *owner)
{
    struct km_worker *w = owner;

    (void)msg;
    km_ledger_flush(w->ledger);
    km_loop_stop(w->loop);
}

void km_worker_stop(struct km_worker *w)
{
    w->stop.run = on_stop;
    km_mailbox_post(w->mailbox, &w->stop);
}

static void on_drained(void *ctx)
{
    struct km_worker *w = ctx;

    if (--w->gw->workers_left == 0)
        km_mailbox_post(w->gw->main_mailbox, &w->gw->stopped);
}

static void pass(void *ctx, int fd)
{
    struct km_worker *w = ctx;

    w->pass_on(w->pass_ctx, fd);
}

static void on_drain(struct km_msg *msg, void *owner)
{
    struct drain_msg *m = (struct drain_msg *)msg;
    struct km_worker *w = owner;

    w->draining = true;
    km_worker_close(w);
    w->pass_on = m->pass_on;
    w->pass_ctx = m->ctx;
    if (m->pass_on) /* the control socket goes along; otherwise it answers to the end */
        w->control_acceptor = km_acceptor_free(w->control_acceptor);
    if (--w->gw->accepting == 0)
        km_mailbox_post(w->gw->main_mailbox, &w->gw->quiet);
    km_modules_worker_drain(w);
    km_http_server_drain(w->server, m->pass_on ? pass : NULL, on_drained, w);
    free(m);
}

/* When m cannot be had the worker is not drained but killed later, by the drain time-out. */
void km_worker_drain(struct km_worker *w, void (*pass_on)(void *ctx, int fd), void *ctx)
{
    struct drain_msg *m = calloc(1, sizeof *m);

    if (!m)
        return;
    m->msg.run = on_drain;
    m->pass_on = pass_on;
    m->ctx = ctx;
    km_mailbox_post(w->mailbox, &m->msg);
}

/* Its clients are gone, but a call may wait for the store to have its settlement, or a handler
 * for another thread: both come back here, so the loop runs until the last has ended. */
static void on_ended(void *ctx)
{
    struct km_worker *w = ctx;

    if (--w->servers_left > 0)
        return;
    km_modules_worker_end(w);
    on_quiet(w);
}

static void end_server(struct km_worker *w, struct km_http_server *server)
{
    if (!server)
        return;
    w->servers_left++;
    km_http_server_drain(server, NULL, on_ended, w);
    km_http_server_close(server);
}

static void on_kill(struct km_msg *msg, void *owner)
{
    struct km_worker *w = owner;

    free(msg);
    km_worker_close(w);
    w->control_acceptor = km_acceptor_free(w->control_acceptor);
    end_server(w, w->server);
    end_server(w, w->control);
}

void km_worker_kill(struct km_worker *w)
{
    struct km_msg *m = calloc(1, sizeof *m);

    if (!m)
        abort(); /* the end cannot be reached without these bytes */
    m->run = on_kill;
    km_mailbox_post(w->mailbox, m);
}

void km_worker_done(struct km_worker *w)
{
    if (w->running)
        pthread_join(w->thread, NULL);
    if (!w->loop)
        return;
    km_timer_stop(&w->tick);
    km_timer_stop(&w->revoke_tick);
    km_worker_close(w);
    km_acceptor_free(w->control_acceptor);
    km_timer_stop(&w->quiet);
    km_modules_worker_free(w);
    km_http_server_free(w->control);
    km_http_server_free(w->server);
    km_mcp_desk_free(w->desk);
    km_http_client_free(w->client);
    km_pool_free(w->pool);
    km_dialer_free(w->dialer);
    km_dns_free(w->dns);
    km_ledger_free(w->ledger);
    km_view_unref(w->view);
    km_worker_tls_done(w);
    km_mailbox_free(w->mailbox);
    km_buf_done(&w->scratch);
    w->loop = km_loop_free(w->loop);
}
