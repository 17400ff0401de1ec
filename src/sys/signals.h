/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h - Unix signals as loop callbacks.  SIGPIPE is ignored by km_signals_ignore(). */
#ifndef KM_SYS_SIGNALS_H
#define KM_SYS_SIGNALS_H

#include "sys/loop.h"

typedef void km_signal_fn(void *ctx, int signum);
struct km_signal;

struct km_signal *km_signal_new(struct km_loop *loop, int signum, km_signal_fn *fn, void *ctx,
                                struct km_err *err);
struct km_signal *km_signal_free(struct km_signal *s);

/* At the very start, whatever the program is: what a parent ignored or blocked is inherited, and
 * where SIGCHLD is ignored (a shell's `trap '' CHLD`, some supervisors) no child can be waited for,
 * where TERM is blocked nobody can stop us.  SIGHUP stays ignored for nohup. */
void km_signals_restore(void);

/* Before the first thread: ignore SIGPIPE and SIGXFSZ for the process. */
void km_signals_ignore(void);

/* The last thread of a process that ends: TERM, INT and HUP do not cut it short any more.  Before
 * km_signal_free(), which gives a signal back the power to kill. */
void km_signals_block(void);

#endif
