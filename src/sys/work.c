/* SPDX-License-Identifier: Apache-2.0 */
/* work.c - see work.h for the contract.
 *
 * libuv queues the work, hands it back through the loop's own wake-up, and so orders what the two
 * threads write.  What it does not do is wait: a loop that ends while work runs cannot be closed,
 * so km_loop_free waits for it, which is why work is a matter of a second and no more.
 *
 * The pool serves nobody else here (names are c-ares's, files of requests go elsewhere), so its
 * threads may let others go first.
 */
#include "sys/work.h"

#include <stdlib.h>
#include <uv.h>

#include "sys/background.h"

struct km_work {
    uv_work_t req;
    struct km_loop *loop;
    km_work_fn *run;
    km_work_done_fn *done;
    void *ctx;
    bool ran;
};

static void on_run(uv_work_t *req)
{
    struct km_work *w = req->data;

    km_thread_to_background();
    w->run(w->ctx);
    w->ran = true;
}

static void on_done(uv_work_t *req, int status)
{
    struct km_work *w = req->data;

    (void)status; /* UV_ECANCELED: it did not run */
    km_loop_expect(w->loop, -1);
    w->done(w->ctx, w->ran);
    free(w);
}

struct km_work *km_work_start(struct km_loop *loop, km_work_fn *run, km_work_done_fn *done,
                              void *ctx)
{
    struct km_work *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    *w = (struct km_work){ .loop = loop, .run = run, .done = done, .ctx = ctx };
    w->req.data = w;
    if (uv_queue_work(km_loop_uv(loop), &w->req, on_run, on_done) < 0) {
        free(w);
        return NULL;
    }
    km_loop_expect(loop, 1);
    return w;
}

void km_work_cancel(struct km_work *work)
{
    (void)uv_cancel((uv_req_t *)&work->req); /* UV_EBUSY: it runs, or has run */
}
