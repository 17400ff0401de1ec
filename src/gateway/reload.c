/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - when the file is read anew: see gateway.h for how to ask.
 *
 * A reload holds the main thread for as long as it takes to read and build, and meanwhile more
 * may be asked for, by signals and by the control socket.  One that begins after the last of
 * them answers them all, so they gather until the loop has taken everything that waits:
 *
 *     asked ... asked ... asked --end of the iteration--> one reload --> all are answered
 */
#include "gateway/gateway.h"

static void answer(struct km_gateway *gw, struct km_list *asked, int result,
                   const struct km_diags *diags, const struct km_err *err)
{
    struct km_list *node;

    while ((node = km_list_pop(asked))) {
        struct km_reload *r = KM_CONTAINER(node, struct km_reload, link);

        r->done(r, result, gw->current ? gw->current->version : 0, diags, err);
    }
}

static void reload(void *ctx)
{
    struct km_gateway *gw = ctx;
    struct km_diags *diags = gw->ending ? NULL : km_diags_new();
    struct km_err err = { 0 };
    int r;

    if (gw->ending)
        r = km_fail(&err, KM_E_CANCELED, "the gateway is ending");
    else if (!diags)
        r = km_fail(&err, KM_E_NOMEM, "out of memory");
    else
        r = km_gateway_reload(gw, diags, &err);
    if (r < 0)
        km_log_flush(gw->log); /* why it was rejected is in the log, and is looked for there */
    answer(gw, &gw->reloads, r, diags, &err);
    km_diags_free(diags);
}

void km_gateway_reload_init(struct km_gateway *gw)
{
    km_list_init(&gw->reloads);
    km_deferred_init(&gw->reload_work, gw->main, reload, gw);
}

void km_gateway_reload_done(struct km_gateway *gw)
{
    km_deferred_cancel(&gw->reload_work);
}

void km_gateway_reload_soon(struct km_gateway *gw, struct km_reload *r)
{
    if (r)
        km_list_push(&gw->reloads, &r->link);
    km_deferred_queue(&gw->reload_work);
}
