/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_reach.c - can what is configured be reached?  Each upstream's name is looked up and its
 * connection opened, through the proxy and up to the end of the TLS handshake, and closed: nothing
 * is asked of it, so nothing is paid for.
 *
 * All at the same time, each bounded by its own time-out, on a loop of this command's own.
 */
#include <stdlib.h>

#include "app/doctor.h"
#include "gateway/pass.h"
#include "http/client.h"
#include "llm/model.h"

#define MOST 256 /* different addresses */
#define WAIT_MS 5000

struct reach {
    struct all *all;
    struct km_origin *origin;
    struct km_str who; /* the first that uses it */
    size_t users;
    struct km_dial *dial;
    struct km_err err;
};

struct all {
    struct km_loop *loop;
    struct reach v[MOST];
    size_t n, left, over;
};

static void add(struct all *all, struct km_origin *origin, struct km_str who)
{
    if (!origin)
        return;
    for (size_t i = 0; i < all->n; i++)
        if (km_str_eq(all->v[i].origin->key, origin->key)) {
            all->v[i].users++;
            return;
        }
    if (all->n == MOST) {
        all->over++;
        return;
    }
    all->v[all->n++] = (struct reach){ .all = all, .origin = origin, .who = who, .users = 1 };
}

static void gather(struct all *all, const struct km_snapshot *snap)
{
    const struct km_passes *passes = km_passes_of(snap);

    for (size_t i = 0; i < km_models_all(snap->models); i++) {
        const struct km_deployment *m = km_models_at(snap->models, i);

        if (!m->unavailable.n && !m->mock_response.n)
            add(all, m->origin, m->group);
    }
    for (size_t i = 0; i < snap->mcp->n; i++)
        if (snap->mcp->v[i]->entry->enabled)
            add(all, snap->mcp->v[i]->origin, snap->mcp->v[i]->name);
    for (size_t i = 0; i < passes->n; i++)
        add(all, passes->v[i].origin, passes->v[i].path);
}

static void on_dialled(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct reach *r = ctx;

    r->dial = NULL;
    if (err)
        r->err = *err;
    km_stream_free(stream);
    if (--r->all->left == 0)
        km_loop_stop(r->all->loop);
}

static void dial_all(struct all *all, struct km_dialer *dialer)
{
    for (size_t i = 0; i < all->n; i++) {
        struct reach *r = &all->v[i];

        r->dial = km_dial(dialer, r->origin, WAIT_MS, on_dialled, r);
        if (r->dial)
            all->left++;
        else
            km_fail(&r->err, KM_E_NOMEM, "out of memory");
    }
    if (all->left)
        km_loop_run(all->loop);
}

static void say(struct km_doctor *d, const struct all *all)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct reach *r = &all->v[i];
        char more[40] = "";

        if (r->users > 1)
            snprintf(more, sizeof more, " and %zu more", r->users - 1);
        km_doctor_say(d, r->err.code ? KM_DOCTOR_BAD : KM_DOCTOR_OK, NULL, "%.*s (%.*s%s)%s%s",
                      KM_STR_ARG(r->origin->host_header), KM_STR_ARG(r->who), more,
                      r->err.code ? ": " : " can be reached", r->err.code ? r->err.text : "");
    }
    if (all->over)
        km_doctor_say(d, KM_DOCTOR_SKIPPED, NULL, "%zu addresses more", all->over);
}

void km_doctor_reach(struct km_doctor *d)
{
    struct all *all = calloc(1, sizeof *all);
    struct km_err err = { 0 };
    struct km_dns *dns = NULL;
    struct km_dialer *dialer = NULL;

    if (all && !km_cli_flag(d->cli, "no-network")) {
        gather(all, d->snap);
        all->loop = km_loop_new(&err);
        dns = all->loop ? km_dns_new(all->loop, &err) : NULL;
        dialer = dns ? km_dialer_new(all->loop, dns, km_connect_tunnel) : NULL;
        if (dialer)
            dial_all(all, dialer);
        say(d, all);
    }
    km_dialer_free(dialer);
    km_dns_free(dns);
    km_loop_free(all ? all->loop : NULL);
    free(all);
}
