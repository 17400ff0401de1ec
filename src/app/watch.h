/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - commands that go on until somebody ends them, over restarts of the gateway.
 *
 * They ask it again and again, for it has no event for what they show.  SIGINT, SIGTERM and a
 * reader that went away end them with exit code 0.
 */
#ifndef KM_APP_WATCH_H
#define KM_APP_WATCH_H

#include "app/client.h"

#define KM_WATCH_MS 1000 /* between two questions */

struct km_watch {
    struct km_cli *cli;
    bool met, away; /* the gateway: it answered once; it is gone, as far as was said */
};

/* From now on signals end it.  One a process. */
void km_watch_begin(struct km_watch *w, struct km_cli *cli);
/* Flushes what was printed and waits KM_WATCH_MS; false: it is over. */
bool km_watch_wait(const struct km_watch *w);
/* GET.  0: *ret is the answer.  KM_E_AGAIN: the gateway is away, which is said once, as is its
 * return.  Anything else is an error of the question. */
int km_watch_ask(struct km_watch *w, const char *target, struct km_answer *ret,
                 struct km_err *err) KM_MUST_USE;

#endif
