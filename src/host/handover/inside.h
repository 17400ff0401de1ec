/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the giving side of a hand-over as its own files see it. */
#ifndef KM_HOST_HANDOVER_INSIDE_H
#define KM_HOST_HANDOVER_INSIDE_H

#include "host/handover/handover.h"

struct km_handover {
    struct km_handover_args args;
    struct km_acceptor *acceptor;
    pthread_t thread;
    bool threaded; /* main thread: to be joined */
    struct km_msg changed; /* to the main mailbox */
    bool changed_posted;
    bool draining; /* main thread */
    pthread_mutex_t send_lock; /* one frame at a time */
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t synced;
    enum km_handover_state state;
    int sock; /* -1: none */
    bool more; /* the new one said KM_HANDOVER_MORE */
    struct km_list waiting; /* questions that wait for GO */
    struct km_list asked; /* sent, without an answer yet */
    uint64_t ids, syncs, syncs_done;
    bool refused_once; /* a lost record was logged */
};

/* handover.c: one frame to the new process; any thread.  A failure need not be
 * handled: the thread that reads finds the end too.  The socket is closed only when no thread
 * sends any more. */
int km_handover_send(struct km_handover *h, enum km_handover_frame type, struct km_str body,
                     const int *fds, size_t nfds, struct km_err *err);

/* --- ask.c --- */

/* Main thread, after GO: the hand-over's own thread reads the answers meanwhile. */
void km_handover_ask_waiting(struct km_handover *h);
/* here: they are admitted here after all; else the new process is gone. */
void km_handover_answer_all(struct km_handover *h, bool here);
/* A frame of the new process: KM_HF_ANSWER. */
void km_handover_answered(struct km_handover *h, struct km_str body);

#endif
