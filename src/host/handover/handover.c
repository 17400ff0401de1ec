/* SPDX-License-Identifier: Apache-2.0 */
/* handover.c - the giving side of a hand-over; see handover.h for what is said.
 *
 *     NONE --HELLO--> FROZEN --GO--> GIVEN --the new one dies--> LOST
 *       ^---it fails-----'
 *
 * One thread does the talking, blocking; it lives from a successor's connection to its end.
 * The moment that matters is freeze(): all workers stand still inside a message while the keys'
 * counters are copied and the last ledger records are committed.  So every settlement is either
 * in both the counters and the store, or in neither and told later: nothing counts twice.
 *
 * What this process still admits after that is asked of the new one: ask.c.
 */
#include "host/handover/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/worker.h"
#include "sys/frame.h"
#include "sys/peer.h"
#include "sys/blocking.h"

#define HELLO_S 10 /* a successor that says nothing */
#define GO_S 120 /* one that opens a store */
#define SYNC_S 10
#define LOCK_TRIES 500 /* 10 ms each: a dying successor's lock */
#define KEYS_BYTES ((size_t)48 * 1024 * 1024)

static enum km_handover_state state_of(struct km_handover *h)
{
    enum km_handover_state state;

    pthread_mutex_lock(&h->lock);
    state = h->state;
    pthread_mutex_unlock(&h->lock);
    return state;
}

enum km_handover_state km_handover_state(struct km_handover *h)
{
    return h ? state_of(h) : KM_HANDOVER_NONE;
}

int km_handover_send(struct km_handover *h, enum km_handover_frame type, struct km_str body,
                     const int *fds, size_t nfds, struct km_err *err)
{
    int r;

    pthread_mutex_lock(&h->send_lock);
    r = h->sock < 0 ? km_fail(err, KM_E_CLOSED, "the new process is gone")
                    : km_frame_send(h->sock, type, body, fds, nfds, err);
    pthread_mutex_unlock(&h->send_lock);
    return r;
}

/* --- what flows to the new process --- */

static void pass_on(void *ctx, int fd)
{
    struct km_handover *h = ctx;

    (void)km_handover_send(h, KM_HF_CONN, KM_STR_NONE, &fd, 1, NULL);
    close(fd);
}

static void wait_synced(struct km_handover *h)
{
    struct timespec until;
    uint64_t mine;

    pthread_mutex_lock(&h->lock);
    mine = ++h->syncs;
    pthread_mutex_unlock(&h->lock);
    if (km_handover_send(h, KM_HF_SYNC, KM_STR_NONE, NULL, 0, NULL) < 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SYNC_S;
    pthread_mutex_lock(&h->lock);
    while (h->state == KM_HANDOVER_GIVEN && h->syncs_done < mine)
        if (pthread_cond_timedwait(&h->synced, &h->lock, &until) != 0)
            break;
    pthread_mutex_unlock(&h->lock);
}

/* The store's writer thread. */
static void forward(void *ctx, struct km_str record)
{
    struct km_handover *h = ctx;

    if (!record.p) {
        wait_synced(h);
        return;
    }
    if (km_handover_send(h, KM_HF_RECORD, record, NULL, 0, NULL) == 0 || h->refused_once)
        return;
    h->refused_once = true;
    km_log_msg(
        h->args.gw->log, KM_LOG_ERROR, "handover.lost",
        "the new process is gone: calls that end here are charged by what was known of them");
}

/* --- the main thread hears of it --- */

static void on_stopped(void *ctx)
{
    struct km_handover *h = ctx;

    h->args.on_stopped(h->args.ctx);
}

static void on_changed(struct km_msg *msg, void *owner)
{
    struct km_handover *h = KM_CONTAINER(msg, struct km_handover, changed);
    enum km_handover_state state;

    (void)owner;
    pthread_mutex_lock(&h->lock);
    h->changed_posted = false;
    state = h->state;
    pthread_mutex_unlock(&h->lock);
    if (state == KM_HANDOVER_NONE && h->threaded) {
        pthread_join(h->thread, NULL);
        h->threaded = false;
    }
    if (h->args.gw->ending)
        return;
    km_handover_ask_waiting(h);
    if (state == KM_HANDOVER_NONE)
        km_takeover_close_books(h->args.gw->takeover);
    if (!h->draining && (state == KM_HANDOVER_GIVEN || state == KM_HANDOVER_LOST)) {
        h->draining = true;
        h->acceptor = km_acceptor_free(h->acceptor);
        km_gateway_stop(h->args.gw, pass_on, on_stopped, h);
    }
    h->args.on_change(h->args.ctx, state);
}

static void change_state(struct km_handover *h, enum km_handover_state state)
{
    pthread_mutex_lock(&h->lock);
    h->state = state;
    pthread_cond_broadcast(&h->synced);
    pthread_mutex_unlock(&h->lock);
}

static void tell_main(struct km_handover *h)
{
    bool post;

    pthread_mutex_lock(&h->lock);
    post = !h->changed_posted;
    h->changed_posted = true;
    pthread_mutex_unlock(&h->lock);
    if (post)
        km_mailbox_post(h->args.gw->main_mailbox, &h->changed);
}

static void set_state(struct km_handover *h, enum km_handover_state state)
{
    change_state(h, state);
    tell_main(h);
}

/* --- the thread --- */

static int let_go(struct km_handover *h, struct km_buf *keys, struct km_err *err)
{
    struct km_gateway *gw = h->args.gw;
    int r = km_store_release_writer(gw->store, err);

    if (r < 0)
        return r;
    /* Behind the last commit: what it told the keys of is in their counters. */
    km_keys_export(gw->keys, keys);
    if (km_buf_failed(keys))
        return km_fail(err, KM_E_NOMEM, "too many keys to hand over");
    h->args.unlock(h->args.ctx);
    return 0;
}

/* Workers stand still from freeze to thaw or go. */
static int freeze(struct km_handover *h, struct km_buf *keys, struct km_err *err)
{
    struct km_gateway *gw = h->args.gw;
    int r;

    change_state(h, KM_HANDOVER_FROZEN);
    km_gateway_freeze(gw);
    km_takeover_hold(gw->takeover);
    r = let_go(h, keys, err);
    km_takeover_let(gw->takeover);
    km_gateway_go_on(gw);
    return r;
}

static void take_back(struct km_handover *h)
{
    struct km_gateway *gw = h->args.gw;
    struct km_err err = { 0 };
    int r = KM_E_EXISTS;

    for (int i = 0; r == KM_E_EXISTS && i < LOCK_TRIES; i++) {
        if (i > 0)
            km_wait_ms(10);
        r = h->args.lock(h->args.ctx, &err);
        if (r == 0)
            r = km_store_take_back(gw->store, &err);
    }
    if (r < 0) {
        km_log_msg(gw->log, KM_LOG_ERROR, "handover.failed", "%s: nothing can be served here",
                   err.text);
        km_loop_stop(gw->main);
        return;
    }
    set_state(h, KM_HANDOVER_NONE);
    km_handover_answer_all(h, true);
    km_gateway_thaw(gw);
}

static void set_wait(int sock, time_t seconds)
{
    const struct timeval tv = { .tv_sec = seconds };

    (void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

static int expect(int sock, time_t seconds, enum km_handover_frame type, struct km_buf *buf,
                  struct km_str *ret_body, struct km_err *err)
{
    struct km_frame f;
    int r;

    set_wait(sock, seconds);
    r = km_frame_recv(sock, buf, &f, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < f.nfds; i++)
        close(f.fds[i]);
    *ret_body = f.body;
    return f.type == (uint32_t)type ? 0 : km_fail(err, KM_E_INVALID, "an unexpected message");
}

/* The main thread hears of it last: from then on everything may end, and the records that
 * gathered must know their way. */
static void given(struct km_handover *h, struct km_str said)
{
    struct km_gateway *gw = h->args.gw;

    pthread_mutex_lock(&h->lock);
    h->more = km_str_eq(said, KM_STR(KM_HANDOVER_MORE));
    pthread_mutex_unlock(&h->lock);
    km_log_msg(gw->log, KM_LOG_INFO, "handover.given", "a new process serves; calls end here");
    change_state(h, KM_HANDOVER_GIVEN);
    km_store_forward(gw->store, forward, h);
    tell_main(h);
}

static void listen_to(struct km_handover *h, struct km_buf *buf)
{
    struct km_frame f;

    set_wait(h->sock, 0);
    while (km_frame_recv(h->sock, buf, &f, NULL) == 0) {
        for (size_t i = 0; i < f.nfds; i++)
            close(f.fds[i]);
        if (f.type == KM_HF_ANSWER)
            km_handover_answered(h, f.body);
        pthread_mutex_lock(&h->lock);
        if (f.type == KM_HF_SYNCED)
            h->syncs_done++;
        pthread_cond_broadcast(&h->synced);
        pthread_mutex_unlock(&h->lock);
    }
    set_state(h, KM_HANDOVER_LOST);
    km_handover_answer_all(h, false);
}

static void close_link(struct km_handover *h)
{
    pthread_mutex_lock(&h->send_lock);
    if (h->sock >= 0)
        close(h->sock);
    h->sock = -1;
    pthread_mutex_unlock(&h->send_lock);
}

static void refuse(struct km_handover *h, const struct km_err *err)
{
    (void)km_handover_send(h, KM_HF_REFUSED, km_str_c(err->text), NULL, 0, NULL);
    km_log_msg(h->args.gw->log, KM_LOG_ERROR, "handover.refused", "%s", err->text);
}

static void *thread_main(void *ctx)
{
    struct km_handover *h = ctx;
    struct km_buf keys KM_CLEANUP(km_buf_done) = KM_BUF(KEYS_BYTES);
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    const int fds[2] = { h->args.control_fd, h->args.fd };
    struct km_err err = { 0 };
    struct km_str said;
    int r = expect(h->sock, HELLO_S, KM_HF_HELLO, &buf, &said, &err);

    if (r == 0 && !km_str_eq(said, KM_STR(KM_HANDOVER_VERSION)))
        r = km_fail(
            &err, KM_E_UNSUPPORTED,
            "the running gateway is of another version: `kanmon stop`, then `kanmon start`");
    if (r < 0) {
        refuse(h, &err);
        close_link(h);
        set_state(h, KM_HANDOVER_NONE);
        return NULL;
    }
    r = freeze(h, &keys, &err);
    if (r < 0)
        refuse(h, &err);
    else
        r = km_handover_send(h, KM_HF_RELEASED, km_buf_view(&keys), fds, 2, &err);
    if (r == 0)
        r = expect(h->sock, GO_S, KM_HF_GO, &buf, &said, &err);
    if (r < 0) {
        km_log_msg(h->args.gw->log, KM_LOG_WARN, "handover.taken_back", "%s", err.text);
        close_link(h);
        take_back(h);
        return NULL;
    }
    given(h, said);
    listen_to(h, &buf);
    return NULL;
}

static void on_successor(void *ctx, int fd, const union km_addr *peer)
{
    struct km_handover *h = ctx;
    struct km_peer who;
    int flags = fcntl(fd, F_GETFL);

    (void)peer;
    if (h->threaded || km_peer_of(fd, &who, NULL) < 0 || (who.uid != geteuid() && who.uid != 0) ||
        flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) {
        close(fd);
        return;
    }
    h->sock = fd;
    h->threaded = pthread_create(&h->thread, NULL, thread_main, h) == 0;
    if (!h->threaded)
        close_link(h);
}

/* --- life --- */

int km_handover_new(const struct km_handover_args *args, struct km_err *err)
{
    struct km_handover *h = calloc(1, sizeof *h);
    pthread_condattr_t attr;

    if (!h)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    h->args = *args;
    h->sock = -1;
    h->changed.run = on_changed;
    km_list_init(&h->waiting);
    km_list_init(&h->asked);
    pthread_mutex_init(&h->send_lock, NULL);
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->synced, &attr);
    pthread_condattr_destroy(&attr);
    args->gw->handover = h;
    h->acceptor = km_acceptor_new(args->gw->main, args->fd, on_successor, NULL, h, err);
    return h->acceptor ? 0 : KM_E_SYSTEM;
}

void km_handover_close(struct km_handover *h)
{
    if (h)
        h->acceptor = km_acceptor_free(h->acceptor);
}

void km_handover_stop(struct km_handover *h)
{
    if (!h)
        return;
    km_handover_close(h);
    pthread_mutex_lock(&h->send_lock);
    if (h->sock >= 0)
        shutdown(h->sock, SHUT_RDWR); /* what was sent is read there before the end */
    pthread_mutex_unlock(&h->send_lock);
    if (h->threaded)
        pthread_join(h->thread, NULL);
    h->threaded = false;
}

void km_handover_cancel(struct km_handover *h)
{
    enum km_handover_state state = km_handover_state(h);

    if (state == KM_HANDOVER_NONE || state == KM_HANDOVER_FROZEN)
        km_handover_stop(h);
}

struct km_handover *km_handover_free(struct km_handover *h)
{
    if (!h)
        return NULL;
    km_handover_stop(h);
    close_link(h);
    pthread_cond_destroy(&h->synced);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->send_lock);
    free(h);
    return NULL;
}
