/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c - how connections come to a worker: its listening sockets, their TLS, its neighbours.
 *
 *     socket ── acceptor ── on_accept ──> served here, or by the least loaded worker
 *     another worker, the process before this one ── message ──> served here
 *
 * What serves a connection is told by the entry of `listen` whose socket it came by: TLS contexts
 * stand by entry, and a reload puts new ones in their place.
 */
#include "host/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNEVEN 32 /* connections more than another worker before it gets the next one */

/* --- TLS of the listeners --- */

static int load_tls(const struct km_listen_entry *e, struct km_tls_server **ret, struct km_err *err)
{
    char cert[1024], key[1024], ca[1024];
    struct km_tls_server_args args = { cert, key, e->tls.client_ca.n ? ca : NULL };

    snprintf(cert, sizeof cert, "%.*s", KM_STR_ARG(e->tls.cert));
    snprintf(key, sizeof key, "%.*s", KM_STR_ARG(e->tls.key));
    snprintf(ca, sizeof ca, "%.*s", KM_STR_ARG(e->tls.client_ca));
    return km_tls_server_new(&args, ret, err);
}

/* Fresh contexts for a snapshot; on failure nothing changes. */
static int make_tls(const struct km_snapshot *snap, struct km_tls_server ***ret, size_t *ret_n,
                    struct km_err *err)
{
    const struct km_table_list *list = &snap->gateway->listen;
    const struct km_listen_entry *entries = list->v;
    struct km_tls_server **v = calloc(list->n + 1, sizeof(void *));
    int r = v ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");

    for (size_t i = 0; r == 0 && i < list->n; i++)
        if (entries[i].tls.cert.n)
            r = load_tls(&entries[i], &v[i], err);
    if (r < 0) {
        for (size_t i = 0; v && i < list->n; i++)
            km_tls_server_unref(v[i]);
        free(v);
        return r;
    }
    *ret = v;
    *ret_n = list->n;
    return 0;
}

int km_worker_check_tls(const struct km_snapshot *snap, struct km_err *err)
{
    struct km_tls_server **v;
    size_t n;
    int r = make_tls(snap, &v, &n, err);

    for (size_t i = 0; r == 0 && i < n; i++)
        km_tls_server_unref(v[i]);
    if (r == 0)
        free(v);
    return r;
}

/* The contexts of `fresh`, made of a newer configuration, in the order of the entries this process
 * listens for.  What listens somewhere the newer one does not name keeps its own until a restart:
 * it must not become a plain socket. */
static struct km_tls_server **by_place(const struct km_worker *w, const struct km_config *newer,
                                       struct km_tls_server **fresh, size_t nfresh, size_t *ret_n)
{
    const struct km_gateway_args *args = w->gw->args;
    struct km_listening *now = calloc(2, sizeof *now), *then = now ? now + 1 : NULL;
    struct km_tls_server **v = NULL;
    struct km_err ignored;

    if (now && km_listening_of(args->config, &args->listen, now, NULL, &ignored) == 0 &&
        km_listening_of(newer, &args->listen, then, NULL, &ignored) == 0)
        v = calloc(now->n, sizeof(void *));
    for (size_t i = 0; v && i < now->n; i++) {
        const size_t at = km_listening_find(then, &now->v[i].addr);
        struct km_tls_server *tls = at < nfresh      ? fresh[at]
                                    : at != SIZE_MAX ? NULL
                                    : i < w->ntls    ? w->tls[i]
                                                     : NULL;

        v[i] = tls ? km_tls_server_ref(tls) : NULL;
    }
    if (v)
        *ret_n = now->n;
    free(now);
    return v;
}

void km_worker_tls_done(struct km_worker *w)
{
    for (size_t i = 0; i < w->ntls; i++)
        km_tls_server_unref(w->tls[i]);
    free(w->tls);
    w->tls = NULL;
    w->ntls = 0;
}

int km_worker_tls_init(struct km_worker *w, const struct km_snapshot *snap, struct km_err *err)
{
    return make_tls(snap, &w->tls, &w->ntls, err);
}

void km_worker_tls_swap(struct km_worker *w, const struct km_snapshot *snap)
{
    struct km_tls_server **fresh, **tls;
    struct km_err err = { 0 };
    size_t nfresh, n = 0;

    if (make_tls(snap, &fresh, &nfresh, &err) < 0) {
        km_log_msg(w->gw->log, KM_LOG_ERROR, "tls.reload", "the old certificates stay: %s",
                   err.text);
        return;
    }
    tls = by_place(w, snap->config, fresh, nfresh, &n);
    for (size_t i = 0; i < nfresh; i++)
        km_tls_server_unref(fresh[i]);
    free(fresh);
    if (!tls)
        return; /* out of memory: the old ones stay */
    km_worker_tls_done(w);
    w->tls = tls;
    w->ntls = n;
}

/* --- accepting --- */

struct adopt_msg {
    struct km_msg msg;
    int fd;
    union km_addr peer;
    size_t entry; /* of listen; past the end: plain */
};

static void on_adopt(struct km_msg *msg, void *owner);

static void adopt(struct km_worker *w, int fd, const union km_addr *peer, size_t entry)
{
    struct adopt_msg *m = calloc(1, sizeof *m);

    if (!m) {
        close(fd);
        return;
    }
    m->msg.run = on_adopt;
    m->fd = fd;
    m->peer = *peer;
    m->entry = entry;
    km_mailbox_post(w->mailbox, &m->msg);
}

void km_worker_adopt(struct km_worker *w, int fd, const union km_addr *peer)
{
    adopt(w, fd, peer, SIZE_MAX);
}

static void serve(struct km_worker *w, int fd, const union km_addr *peer, size_t entry)
{
    km_http_server_accept(w->server, fd, peer, entry < w->ntls ? w->tls[entry] : NULL);
    w->load = km_http_server_connections(w->server);
}

static void on_adopt(struct km_msg *msg, void *owner)
{
    struct adopt_msg *m = (struct adopt_msg *)msg;
    struct km_worker *w = owner;

    if (w->draining && w->pass_on && (m->entry >= w->ntls || !w->tls[m->entry]))
        w->pass_on(w->pass_ctx, m->fd); /* it came too late for us */
    else
        serve(w, m->fd, &m->peer, m->entry);
    free(m);
}

/* The kernel spreads new connections, not old ones: long-lived ones pile up on a worker.  One
 * that is well ahead of the least loaded hands the newcomer over. */
static struct km_worker *least_loaded(struct km_worker *w)
{
    struct km_worker *best = w;
    size_t least = w->load;

    for (size_t i = 0; i < w->gw->nworkers; i++)
        if (w->gw->workers[i].load + UNEVEN < least) {
            best = &w->gw->workers[i];
            least = best->load + UNEVEN;
        }
    return best;
}

static void on_accept(void *ctx, int fd, const union km_addr *peer)
{
    struct km_listener *l = ctx;
    struct km_worker *w = l->worker, *to;

    w->load = km_http_server_connections(w->server);
    to = least_loaded(w);
    if (to == w)
        serve(w, fd, peer, l->entry);
    else
        adopt(to, fd, peer, l->entry);
}

static void on_full(void *ctx)
{
    struct km_listener *l = ctx;

    km_log_msg(l->worker->gw->log, KM_LOG_WARN, "accept.full",
               "out of file descriptors: a connection was closed; raise LimitNOFILE or ulimit -n");
}

int km_worker_listen(struct km_worker *w, int fd, size_t entry, struct km_err *err)
{
    struct km_listener *l;

    if (w->nlisteners == KM_LISTEN_MAX)
        return km_fail(err, KM_E_LIMIT, "over %d listening sockets in one worker", KM_LISTEN_MAX);
    l = &w->listeners[w->nlisteners];
    *l = (struct km_listener){ .worker = w, .entry = entry, .fd = fd };
    l->acceptor = km_acceptor_new(w->loop, fd, on_accept, on_full, l, err);
    if (!l->acceptor)
        return KM_E_SYSTEM;
    w->nlisteners++;
    return 0;
}

void km_worker_pause(struct km_worker *w)
{
    for (size_t i = 0; i < w->nlisteners; i++)
        km_acceptor_pause(w->listeners[i].acceptor);
    if (w->control_acceptor)
        km_acceptor_pause(w->control_acceptor);
}

void km_worker_resume(struct km_worker *w)
{
    for (size_t i = 0; i < w->nlisteners; i++)
        km_acceptor_resume(w->listeners[i].acceptor);
    if (w->control_acceptor)
        km_acceptor_resume(w->control_acceptor);
}

void km_worker_close(struct km_worker *w)
{
    for (size_t i = 0; i < w->nlisteners; i++)
        w->listeners[i].acceptor = km_acceptor_free(w->listeners[i].acceptor);
    w->nlisteners = 0;
}
