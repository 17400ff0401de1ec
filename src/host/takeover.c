/* SPDX-License-Identifier: Apache-2.0 */
/* takeover.c - the taking side of a hand-over; see handover/handover.h for what is said.
 *
 * Until GO everything is a question and its answer, blocking, before any loop runs.  After it a
 * thread serves what the old process sends: connections go to the workers, ledger records to
 * the store's writer, and each settlement gives back what its call held of its key.
 *
 * When the old one is gone, orderly or not, nothing more of it can come: the calls that it left
 * open are charged by what was known of them, and the rest of what they had reserved is held. 
 * Memory hears of each from the store (gateway.c), and then gives back what no call answers for. 
 * Only who holds the books can close them:
 *
 *     NONE          at once; again each second while the store cannot be written
 *     FROZEN        when they are taken back; if they are not, the one after closes them, for
 *                   what it was given holds all of it
 *     GIVEN, LOST   they are the one's after
 *
 * A gateway that was replaced itself goes on here until those before it have ended: what they
 * send passes through it to the one after.
 */
#include "host/handover/handover.h"
#include "policy/payers.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/frame.h"
#include "sys/unix.h"

#define ANSWER_S 60 /* the old one commits its last records */
#define AGAIN_MS 1000
#define KEYS_BYTES ((size_t)64 * 1024 * 1024)
#define RECORD_BYTES ((size_t)64 * 1024)

struct km_takeover {
    struct km_gateway *gw;
    int sock;
    int control_fd, handover_fd; /* -1: none, or taken */
    struct km_buf keys;
    int64_t since_us; /* wall: intents before this are the old one's */
    pthread_t thread;
    bool threaded;
    bool active; /* main thread */
    struct km_msg ended; /* to the main mailbox */
    bool open; /* it is gone, and its books are not closed; main thread */
    bool closing; /* the store is at it */
    struct km_timer again;
    void (*on_end)(void *ctx);
    void *ctx;
    pthread_mutex_t send_lock;
    pthread_mutex_t hold; /* taken while one message is served */
    struct km_buf scratch;
};

/* --- before GO --- */

int km_takeover_new(const char *path, struct km_takeover **ret, struct km_err *err)
{
    struct km_takeover *t;
    int sock, r = km_unix_connect(path, &sock, err);

    if (r < 0)
        return r;
    t = calloc(1, sizeof *t);
    if (!t) {
        close(sock);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    t->sock = sock;
    t->control_fd = t->handover_fd = -1;
    km_buf_init(&t->keys, KEYS_BYTES);
    km_buf_init(&t->scratch, RECORD_BYTES);
    pthread_mutex_init(&t->send_lock, NULL);
    pthread_mutex_init(&t->hold, NULL);
    *ret = t;
    return 0;
}

static void close_all(const struct km_frame *f)
{
    for (size_t i = 0; i < f->nfds; i++)
        close(f->fds[i]);
}

int km_takeover_ask(struct km_takeover *t, struct km_err *err)
{
    const struct timeval tv = { .tv_sec = ANSWER_S }, never = { 0 };
    struct km_frame f = { 0 };
    int r;

    (void)setsockopt(t->sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    r = km_frame_send(t->sock, KM_HF_HELLO, KM_STR(KM_HANDOVER_VERSION), NULL, 0, err);
    if (r == 0)
        r = km_frame_recv(t->sock, &t->keys, &f, err);
    if (r < 0)
        return r;
    if (f.type != KM_HF_RELEASED || f.nfds != 2) {
        close_all(&f);
        return f.type == KM_HF_REFUSED
                   ? km_fail(err, KM_E_STORE, "the running gateway did not hand over: %.*s",
                             KM_STR_ARG(km_str_sub(f.body, 0, 300)))
                   : km_fail(err, KM_E_INVALID, "the running gateway sent what is not understood");
    }
    if (f.body.n == 0)
        km_buf_reset(&t->keys);
    t->control_fd = f.fds[0];
    t->handover_fd = f.fds[1];
    t->since_us = km_wall_us();
    (void)setsockopt(t->sock, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
    return 0;
}

struct km_str km_takeover_keys(const struct km_takeover *t)
{
    return km_buf_view(&t->keys);
}

void km_takeover_sockets(struct km_takeover *t, int *ret_control, int *ret_handover)
{
    *ret_control = t->control_fd;
    *ret_handover = t->handover_fd;
    t->control_fd = t->handover_fd = -1;
}

/* --- serving the old one --- */

static void send_back(struct km_takeover *t, enum km_handover_frame type, struct km_str body)
{
    struct km_err ignored; /* the reader finds out by itself that nobody is there */

    pthread_mutex_lock(&t->send_lock);
    (void)!km_frame_send(t->sock, type, body, NULL, 0, &ignored);
    pthread_mutex_unlock(&t->send_lock);
}

static void adopt(struct km_takeover *t, const struct km_frame *f)
{
    union km_addr peer;
    socklen_t n = sizeof peer;

    if (f->nfds != 1 || getpeername(f->fds[0], &peer.sa, &n) < 0) {
        close_all(f); /* it went away on the way */
        return;
    }
    km_gateway_adopt(t->gw, f->fds[0], &peer);
}

static void settle_imported(struct km_takeover *t, const struct km_ledger_entry *e)
{
    struct km_payers *payers = km_payers_of_text(t->gw->accounts, e->payers);
    const struct km_permit held = {
        .payers = payers,
        .part = e->flags & KM_CALL_WITHIN ? KM_PERMIT_WITHIN : KM_PERMIT_WHOLE,
        .reserved = e->reserved,
        .output_tokens = e->flags & KM_CALL_ESTIMATED ? 0 : e->completion_tokens,
    };

    km_keys_settle_imported(t->gw->keys, e->key_hash, &held, e->cost,
                            e->prompt_tokens + e->completion_tokens, km_mono_ms());
    km_payers_free(payers);
}

static void charge_imported(struct km_takeover *t, const struct km_ledger_entry *e)
{
    struct km_payers *payers = km_payers_of_text(t->gw->accounts, e->payers);

    km_keys_charge_imported(t->gw->keys, e->key_hash, payers, e->cost,
                            e->prompt_tokens + e->completion_tokens, km_mono_ms());
    km_payers_free(payers);
}

static void take_record(struct km_takeover *t, struct km_str record)
{
    struct km_ledger_entry e;
    struct km_err err = { 0 };
    bool settled;
    int r = km_store_record_read(record, &t->scratch, &e, &settled, &err);

    if (r == 0)
        r = km_store_import_record(t->gw->store, record, &err);
    if (r < 0) {
        km_log_msg(t->gw->log, KM_LOG_ERROR, "handover.record", "%s", err.text);
        return;
    }
    if (settled && e.flags & KM_CALL_PART)
        charge_imported(t, &e);
    else if (settled)
        settle_imported(t, &e);
}

static void on_synced(void *ctx, const struct km_err *err)
{
    (void)err; /* what cannot be written now waits in memory, as our own records do */
    send_back(ctx, KM_HF_SYNCED, KM_STR_NONE);
}

static void send_answer(struct km_takeover *t, uint64_t id, const struct km_headroom *room,
                        const struct km_err *err)
{
    struct km_handover_answer a;

    memset(&a, 0, sizeof a);
    a.id = id;
    a.room = *room;
    a.err = *err;
    send_back(t, KM_HF_ANSWER, km_str((const char *)&a, sizeof a));
}

static struct km_str payers_said(const struct km_handover_ask *q)
{
    return km_str(q->payers, q->payers_n <= sizeof q->payers ? q->payers_n : 0);
}

static void admit(struct km_takeover *t, const struct km_handover_ask *q)
{
    struct km_headroom room = { -1, -1, -1, -1, 0 };
    struct km_admission asked = q->admission;
    struct km_err err = { 0 };
    bool rolled = false;
    struct km_key *key;

    asked.payers = km_payers_of_text(t->gw->accounts, payers_said(q));
    if (km_keys_admit_imported(t->gw->keys, q->hash, &asked, &room, &rolled, &err) == 0)
        err.code = 0;
    km_payers_free(asked.payers);
    key = rolled ? km_keys_find(t->gw->keys, q->hash) : NULL;
    if (key)
        km_store_key_reset(t->gw->store, NULL, q->hash, km_key_window_end(key), NULL, NULL);
    km_key_unref(key);
    send_answer(t, q->id, &room, &err);
}

/* A question passed on to the gateway after this one. */
struct relayed {
    struct km_ask ask;
    struct km_takeover *t;
    struct km_handover_ask q;
};

static void on_relayed(struct km_ask *ask)
{
    struct relayed *r = KM_CONTAINER(ask, struct relayed, ask);

    if (ask->here)
        admit(r->t, &r->q);
    else
        send_answer(r->t, r->q.id, &ask->room, &ask->err);
    free(r);
}

static void on_ask(struct km_takeover *t, struct km_str body)
{
    struct km_handover_ask q;
    struct relayed *r;

    if (body.n != sizeof q)
        return;
    memcpy(&q, body.p, sizeof q);
    if (km_handover_state(t->gw->handover) == KM_HANDOVER_NONE) {
        admit(t, &q);
        return;
    }
    r = calloc(1, sizeof *r);
    if (!r) {
        struct km_headroom none = { -1, -1, -1, -1, 0 };
        struct km_err err;

        km_fail(&err, KM_E_NOMEM, "out of memory");
        send_answer(t, q.id, &none, &err);
        return;
    }
    r->t = t;
    r->q = q;
    r->ask.reply = t->gw->main_mailbox;
    r->ask.done = on_relayed;
    memcpy(r->ask.hash, q.hash, sizeof q.hash);
    r->ask.admission = q.admission;
    r->ask.payers_n = payers_said(&q).n;
    memcpy(r->ask.payers, q.payers, r->ask.payers_n);
    km_handover_ask(t->gw->handover, &r->ask);
}

static void on_give_back(struct km_takeover *t, struct km_str body)
{
    struct km_handover_ask q;
    struct km_payers *payers;
    struct km_permit held;

    if (body.n != sizeof q)
        return;
    memcpy(&q, body.p, sizeof q);
    payers = km_payers_of_text(t->gw->accounts, payers_said(&q));
    held = (struct km_permit){ .payers = payers,
                               .part = q.admission.part,
                               .reserved = q.admission.reserve,
                               .tokens = q.admission.input_tokens };
    km_keys_settle_imported(t->gw->keys, q.hash, &held, 0, 0, km_mono_ms());
    km_payers_free(payers);
    if (km_handover_state(t->gw->handover) == KM_HANDOVER_GIVEN)
        km_handover_give_back(t->gw->handover, q.hash, payers_said(&q), &q.admission);
}

static void serve(struct km_takeover *t, const struct km_frame *f)
{
    switch (f->type) {
    case KM_HF_CONN:
        adopt(t, f);
        return;
    case KM_HF_RECORD:
        take_record(t, f->body);
        break;
    case KM_HF_SYNC:
        km_store_sync(t->gw->store, t->gw->main_mailbox, on_synced, t);
        break;
    case KM_HF_ASK:
        on_ask(t, f->body);
        break;
    case KM_HF_GIVE_BACK:
        on_give_back(t, f->body);
        break;
    default:
        break;
    }
    close_all(f);
}

static void *thread_main(void *ctx)
{
    struct km_takeover *t = ctx;
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(KM_FRAME_BYTES);
    struct km_frame f;

    while (km_frame_recv(t->sock, &buf, &f, NULL) == 0) {
        pthread_mutex_lock(&t->hold);
        serve(t, &f);
        pthread_mutex_unlock(&t->hold);
    }
    km_mailbox_post(t->gw->main_mailbox, &t->ended);
    return NULL;
}

static void try_later(struct km_takeover *t)
{
    t->closing = false;
    if (!t->gw->ending)
        km_timer_start(&t->again, AGAIN_MS);
}

static void on_charged(void *ctx, const struct km_err *err)
{
    struct km_takeover *t = ctx;

    if (err) {
        try_later(t);
        return;
    }
    t->open = t->closing = false;
    km_keys_end_import(t->gw->keys);
    km_log_msg(t->gw->log, KM_LOG_INFO, "handover.closed",
               "what the process before this one left open is charged");
}

/* An operation may overtake records of the same commit, so those come first. */
static void on_all_written(void *ctx, const struct km_err *err)
{
    struct km_takeover *t = ctx;
    struct km_gateway *gw = t->gw;

    if (err || gw->ending)
        try_later(t);
    else
        km_store_charge_open(gw->store, gw->main_mailbox, t->since_us, on_charged, t);
}

/* A hand-over that begins meanwhile makes the store refuse; the next time tells what came of it. */
void km_takeover_close_books(struct km_takeover *t)
{
    struct km_gateway *gw = t ? t->gw : NULL;

    if (!t || !t->open || t->closing || gw->ending ||
        km_handover_state(gw->handover) != KM_HANDOVER_NONE)
        return;
    t->closing = true;
    km_timer_stop(&t->again);
    km_store_sync(gw->store, gw->main_mailbox, on_all_written, t);
}

static void on_again(void *ctx)
{
    km_takeover_close_books(ctx);
}

/* Main thread. */
static void on_ended(struct km_msg *msg, void *owner)
{
    struct km_takeover *t = KM_CONTAINER(msg, struct km_takeover, ended);
    struct km_gateway *gw = owner;

    t->active = false;
    if (gw->ending)
        return;
    t->open = true;
    km_takeover_close_books(t);
    km_log_msg(gw->log, KM_LOG_INFO, "handover.ended", "the process before this one is gone");
    if (t->on_end)
        t->on_end(t->ctx);
}

int km_takeover_go(struct km_takeover *t, struct km_gateway *gw, void (*on_end)(void *ctx),
                   void *ctx, struct km_err *err)
{
    int r;

    t->gw = gw;
    t->on_end = on_end;
    t->ctx = ctx;
    t->ended.run = on_ended;
    km_timer_init(&t->again, gw->main, on_again, t);
    gw->takeover = t;
    t->active = true;
    /* If the old one died meanwhile, the thread sees the end of what it sent: nothing. */
    (void)!km_frame_send(t->sock, KM_HF_GO, KM_STR(KM_HANDOVER_MORE), NULL, 0, NULL);
    r = pthread_create(&t->thread, NULL, thread_main, t);
    t->threaded = r == 0;
    return r == 0 ? 0 : km_fail_errno(err, r, "cannot start a thread for the hand-over");
}

bool km_takeover_active(const struct km_takeover *t)
{
    return t && t->active;
}

void km_takeover_hold(struct km_takeover *t)
{
    if (t)
        pthread_mutex_lock(&t->hold);
}

void km_takeover_let(struct km_takeover *t)
{
    if (t)
        pthread_mutex_unlock(&t->hold);
}

void km_takeover_stop(struct km_takeover *t)
{
    if (!t)
        return;
    shutdown(t->sock, SHUT_RDWR);
    if (t->gw)
        km_timer_stop(&t->again);
    if (t->threaded)
        pthread_join(t->thread, NULL);
    t->threaded = false;
}

struct km_takeover *km_takeover_free(struct km_takeover *t)
{
    if (!t)
        return NULL;
    km_takeover_stop(t);
    close(t->sock);
    if (t->control_fd >= 0)
        close(t->control_fd);
    if (t->handover_fd >= 0)
        close(t->handover_fd);
    km_buf_done(&t->keys);
    km_buf_done(&t->scratch);
    pthread_mutex_destroy(&t->send_lock);
    pthread_mutex_destroy(&t->hold);
    free(t);
    return NULL;
}
