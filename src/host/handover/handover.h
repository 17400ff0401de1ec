/* SPDX-License-Identifier: Apache-2.0 */
/* handover.h - a running gateway gives everything to the one that replaces it, over a Unix
 * socket, and no connection notices.
 *
 *     old                                        new
 *                                                built as far as it can be without the store
 *     <------------------------------- HELLO
 *     workers stand still: nothing is accepted or admitted; the ledger is written,
 *     the store and the state folder let go
 *     RELEASED keys' counters, sockets ------>
 *     workers go on                              opens the store, makes its workers
 *     <---------------------------------- GO     accepts
 *     drains: idle connections -------------->   serves them
 *     ledger records ------------------------>   writes them, gives back what the calls held
 *     ASK for what it still admits ---------->   admits
 *     ends                                       charges what never settled
 *
 * Until GO the old one can take everything back: a new one that fails changes nothing.
 */
#ifndef KM_HOST_HANDOVER_H
#define KM_HOST_HANDOVER_H

#include "host/gateway.h"

/* --- the giving side: one a gateway, for its whole life --- */

struct km_handover;
struct km_call;

enum km_handover_state {
    KM_HANDOVER_NONE, /* the gateway is its own */
    KM_HANDOVER_FROZEN, /* between HELLO and GO */
    KM_HANDOVER_GIVEN, /* the new one serves; this one drains */
    KM_HANDOVER_LOST, /* given, and the new one is gone */
};

struct km_handover_args {
    struct km_gateway *gw;
    int fd; /* listening socket, the caller's */
    int control_fd; /* passed on */
    int (*lock)(void *ctx, struct km_err *err); /* takes the state folder back */
    void (*unlock)(void *ctx); /* both on the hand-over's thread */
    void (*on_change)(void *ctx, enum km_handover_state state); /* main thread */
    void (*on_stopped)(void *ctx); /* main thread: given, and every call has ended */
    void *ctx;
};

/* Main thread, before the workers run.  gw->handover is set: the gateway frees it. */
int km_handover_new(const struct km_handover_args *args, struct km_err *err) KM_MUST_USE;
/* Main thread; no successor comes any more.  What was promised to one goes on. */
void km_handover_close(struct km_handover *h);
/* The end, main thread, in this order; NULL is fine.  While workers live: a hand-over under way
 * that has not been given comes to nothing. */
void km_handover_cancel(struct km_handover *h);
/* When the store is closed (its last records go this way): the new one sees the end. */
void km_handover_stop(struct km_handover *h);
struct km_handover *km_handover_free(struct km_handover *h);
enum km_handover_state km_handover_state(struct km_handover *h); /* any thread */

/* What a call asks the gateway that holds the counters now. */
struct km_ask {
    struct km_msg msg;
    struct km_list link;
    struct km_mailbox *reply; /* the asker's */
    void (*done)(struct km_ask *ask); /* there; owns it */
    void *ctx;
    uint64_t id;
    uint8_t hash[32];
    struct km_admission admission; /* payers: not looked at */
    size_t payers_n;
    char payers[KM_PAYERS_BYTES]; /* who pays beside the key: store/payers.h */
    /* the answer */
    bool here; /* nothing was handed over after all: admit it here */
    struct km_headroom room;
    struct km_err err; /* code 0: granted */
};
/* Any thread; answered exactly once, never synchronous.  KM_E_OVERLOADED: the other process is
 * gone.  KM_E_UNSUPPORTED: it knows of no KM_PERMIT_MORE and KM_PERMIT_AGAIN. */
void km_handover_ask(struct km_handover *h, struct km_ask *ask);
/* A permit that was granted there, or came there with the counters, and of which no record will
 * tell: it is not used, or was of a call that has none.  Of `granted` the part and what is reserved
 * count, and whether it has tokens (input_tokens not below 0). */
void km_handover_give_back(struct km_handover *h, const uint8_t hash[32], struct km_str payers,
                           const struct km_admission *granted);

/* --- the taking side: only in a gateway that replaced one --- */

struct km_takeover;

/* KM_E_NOT_RUNNING when there is nobody to take over from. */
int km_takeover_new(const char *path, struct km_takeover **ret, struct km_err *err) KM_MUST_USE;
/* HELLO; returns when store and state folder are free.  Blocking. */
int km_takeover_ask(struct km_takeover *t, struct km_err *err) KM_MUST_USE;
struct km_str km_takeover_keys(const struct km_takeover *t);
/* The sockets that came along, the caller's from now on. */
void km_takeover_sockets(struct km_takeover *t, int *ret_control, int *ret_handover);
/* GO; from here what the old one sends is served.  gw runs; gw->takeover is set. on_end: main
 * thread, the old one is gone. */
int km_takeover_go(struct km_takeover *t, struct km_gateway *gw, void (*on_end)(void *ctx),
                   void *ctx, struct km_err *err) KM_MUST_USE;
bool km_takeover_active(const struct km_takeover *t); /* NULL: no */
/* For the giving side: nothing of the old one is taken between the two. */
void km_takeover_hold(struct km_takeover *t);
void km_takeover_let(struct km_takeover *t);
/* Main thread: the gateway holds its books again.  What the old one left open while it did not
 * is charged now; NULL, or nothing left, is fine. */
void km_takeover_close_books(struct km_takeover *t);
/* Main thread: cuts what still comes.  Then, when the main mailbox is gone, free. */
void km_takeover_stop(struct km_takeover *t);
struct km_takeover *km_takeover_free(struct km_takeover *t);

/* --- what both say --- */

enum km_handover_frame {
    KM_HF_HELLO = 1, /* version */
    KM_HF_RELEASED, /* km_keys_export(); descriptors: control, hand-over */
    KM_HF_REFUSED, /* why */
    KM_HF_GO, /* what the new one understands beside the version's: KM_HANDOVER_MORE, or nothing */
    KM_HF_CONN, /* a connection: one descriptor */
    KM_HF_RECORD, /* of the ledger */
    KM_HF_SYNC, /* tell when all before is committed */
    KM_HF_SYNCED,
    KM_HF_ASK, /* struct km_handover_ask */
    KM_HF_ANSWER, /* struct km_handover_answer */
    KM_HF_GIVE_BACK, /* struct km_handover_ask */
};

/* Both say the same, or nothing is handed over: it changes with every layout below. */
#define KM_HANDOVER_VERSION "kanmon hand-over 4"
/* ASK may be for KM_PERMIT_MORE and KM_PERMIT_AGAIN.  A gateway that does not say so would read
 * them as calls of their own: it is not asked, and the answer is KM_E_UNSUPPORTED. */
#define KM_HANDOVER_MORE "more"

struct km_handover_ask {
    uint64_t id;
    uint8_t hash[32];
    struct km_admission admission; /* payers is nothing on the other side */
    size_t payers_n;
    char payers[KM_PAYERS_BYTES];
};

struct km_handover_answer {
    uint64_t id;
    struct km_headroom room;
    struct km_err err; /* its pointers mean nothing on the other side */
};
/* Another layout of what is in it, an error for one, is another version. */
_Static_assert(sizeof(struct km_handover_answer) == 632, "KM_HANDOVER_VERSION has to change");

#endif
