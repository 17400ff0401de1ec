/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - when the file is read anew: see gateway.h for how to ask.
 *
 * A reload holds the main thread for as long as it takes to read and build, and meanwhile more
 * may be asked for, by signals and by the control socket.  One that begins after the last of
 * them answers them all, so they gather until the loop has taken everything that waits:
 *
 *     asked ... asked ... asked --end of the iteration--> one reload --> all are answered
 */
#include "host/gateway.h"

#include "base/crypto.h"
#include "host/added.h"

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

/* Compared with what this process was started with, not with the file before: what waits still
 * waits at the tenth reload. */
void km_gateway_waits(const struct km_gateway *gw, const struct km_config *config,
                      struct km_buf *out_names)
{
    km_listening_changed(gw->args->config, config, &gw->args->listen, out_names);
    km_config_needs_restart(gw->args->config, config, out_names);
}

/* --- beside the file --- */

static const struct km_diag *first_error(const struct km_diags *diags, const char *place)
{
    for (size_t i = 0;
         i < km_diags_count(diags, KM_DIAG_WARNING) + km_diags_count(diags, KM_DIAG_ERROR); i++) {
        const struct km_diag *d = km_diags_at(diags, i);

        if (d && d->level == KM_DIAG_ERROR && (!place || km_str_eq(d->file, km_str_c(place))))
            return d;
    }
    return NULL;
}

/* The first thing that is wrong with it, in its own words; else what is wrong elsewhere, with its
 * place: the file may have been changed meanwhile. */
static void say_why(const struct km_diags *diags, const struct km_added_sort *sort,
                    struct km_err *err)
{
    const struct km_diag *d = first_error(diags, sort->place);

    if (d) {
        km_fail(err, KM_E_INVALID, "%.*s", KM_STR_ARG(d->message));
        return;
    }
    d = first_error(diags, NULL);
    if (d && d->file.n)
        km_fail(err, KM_E_INVALID, "%.*s:%u: %.*s", KM_STR_ARG(d->file), d->line,
                KM_STR_ARG(d->message));
    else if (d)
        km_fail(err, KM_E_INVALID, "%.*s", KM_STR_ARG(d->message));
}

int km_gateway_change_added(struct km_gateway *gw, struct km_added *list, struct km_str name,
                            struct km_str json, struct km_err *err)
{
    const struct km_added_sort *sort = km_added_sort_of(list);
    struct km_buf before KM_CLEANUP(km_buf_done) = KM_BUF(sort->bytes);
    struct km_diags *diags = km_diags_new();
    struct km_err ignored = { 0 };
    int r;

    km_buf_str(&before, km_added_get(list, name));
    if (!diags || km_buf_failed(&before))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    else
        r = km_added_set(list, name, json, err);
    if (r == 0 && (r = km_gateway_reload(gw, diags, err)) < 0) {
        say_why(diags, sort, err);
        (void)!km_added_set(list, name, km_buf_view(&before), &ignored);
    }
    if (before.n)
        km_wipe(before.p, before.n);
    km_diags_free(diags);
    return r;
}
