/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h.
 *
 * libuv's poll handle is closed in the next turn of the loop, after its owner forgot it, so it has
 * memory of its own.
 */
#include "sys/watch.h"

#include <stdlib.h>
#include <uv.h>

struct km_watch {
    uv_poll_t poll; /* first: the handle is the watch */
    km_watch_fn *fn; /* NULL: freed */
    void *ctx;
    int wanted;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct km_watch *w = (struct km_watch *)(void *)poll;

    if (w->fn)
        w->fn(w->ctx, status < 0 || (events & UV_READABLE), status < 0 || (events & UV_WRITABLE));
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

struct km_watch *km_watch_new(struct km_loop *loop, int fd, km_watch_fn *fn, void *ctx,
                              struct km_err *err)
{
    struct km_watch *w = calloc(1, sizeof *w);
    int r;

    if (!w) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    r = uv_poll_init(km_loop_uv(loop), &w->poll, fd);
    if (r < 0) {
        free(w);
        km_fail(err, KM_E_SYSTEM, "cannot watch descriptor %d: %s", fd, uv_strerror(r));
        return NULL;
    }
    w->fn = fn;
    w->ctx = ctx;
    return w;
}

void km_watch_want(struct km_watch *w, bool read, bool write)
{
    int wanted = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);

    if (wanted == w->wanted)
        return;
    w->wanted = wanted;
    if (wanted)
        (void)uv_poll_start(&w->poll, wanted, on_ready);
    else
        (void)uv_poll_stop(&w->poll);
}

struct km_watch *km_watch_free(struct km_watch *w)
{
    if (!w)
        return NULL;
    w->fn = NULL;
    (void)uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_closed);
    return NULL;
}
