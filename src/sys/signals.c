/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - see signals.h for the contract.
 *
 * libuv's handler writes the signal's number into a pipe and the loop reads it, so a
 * callback is ordinary code.  Two signals are ignored instead of handled: SIGPIPE, because a
 * client that went away is an error code of write(2), and SIGXFSZ, because a full quota
 * is one too.
 */
#include "sys/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct km_signal {
    uv_signal_t uv;
    km_signal_fn *fn;
    void *ctx;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_signal(uv_signal_t *uv, int signum)
{
    const struct km_signal *s = uv->data;

    s->fn(s->ctx, signum);
}

struct km_signal *km_signal_new(struct km_loop *loop, int signum, km_signal_fn *fn, void *ctx,
                                struct km_err *err)
{
    struct km_signal *s = malloc(sizeof *s);
    int r;

    if (!s) {
        km_fail(err, KM_E_NOMEM, "no memory for a signal");
        return NULL;
    }
    *s = (struct km_signal){ .fn = fn, .ctx = ctx };
    r = uv_signal_init(km_loop_uv(loop), &s->uv);
    if (r < 0) {
        km_fail_errno(err, -r, "no signals on this loop");
        free(s);
        return NULL;
    }
    s->uv.data = s;
    r = uv_signal_start(&s->uv, on_signal, signum);
    if (r < 0) {
        km_fail_errno(err, -r, "signal %d", signum);
        return km_signal_free(s);
    }
    return s;
}

struct km_signal *km_signal_free(struct km_signal *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->uv, on_closed);
    return NULL;
}

void km_signals_restore(void)
{
    const struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;

    sigaction(SIGCHLD, &plain, NULL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void km_signals_ignore(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
}

void km_signals_block(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}
