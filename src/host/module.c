/* SPDX-License-Identifier: Apache-2.0 */
/* module.c - see module.h.
 *
 *     rows   hub    poll                 in the order of app/tables.c
 *     slots  v[2]   v[1]                 by place, whose order is the linker's
 *
 * Each thing that modules keep states for owns such a table; `begun` counts the rows whose init
 * went well, so that a half-made one and a whole one are freed by the same walk.
 */
#include "host/module.h"

#include <stdlib.h>

#include "host/gateway.h"

/* Nobody's: a program without modules has the section too. */
static const char none KM_MODULE_PLACE;
extern const char places_end[] __asm__("__stop_km_module_places");

typedef int init_fn(const struct km_module *m, void *owner, void **ret_state, struct km_err *err);
typedef void free_fn(const struct km_module *m, void *state);

static void **state_of(struct km_slots *s, const struct km_module *m)
{
    return &s->v[m->place - km_module_places].state;
}

static struct km_slots *slots_new(const struct km_module *const *rows)
{
    static const struct km_module *const no_rows[] = { NULL };
    struct km_slots *s =
        calloc(1, sizeof *s + (size_t)(places_end - km_module_places) * sizeof s->v[0]);

    if (!s)
        return NULL;
    s->rows = rows ? rows : no_rows;
    for (size_t i = 0; s->rows[i]; i++) {
        const struct km_module **at = &s->v[s->rows[i]->place - km_module_places].module;

        km_assert(!*at); /* each row has a place of its own, and is listed once */
        *at = s->rows[i];
    }
    return s;
}

static void slots_free(struct km_slots **slots, free_fn *fn)
{
    struct km_slots *s = *slots;

    while (s && s->begun > 0) {
        const struct km_module *m = s->rows[--s->begun];

        fn(m, *state_of(s, m));
        *state_of(s, m) = NULL;
    }
    free(s);
    *slots = NULL;
}

/* *slots is set from the first init on: one may look for what those before it have made. */
static int slots_init(struct km_slots **slots, const struct km_module *const *rows, init_fn *init,
                      free_fn *undo, void *owner, struct km_err *err)
{
    struct km_slots *s = *slots = slots_new(rows);
    int r = s ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");

    while (r == 0 && s->rows[s->begun]) {
        const struct km_module *m = s->rows[s->begun];

        r = init(m, owner, state_of(s, m), err);
        s->begun += r == 0;
    }
    if (r < 0)
        slots_free(slots, undo);
    return r;
}

/* --- the gateway's --- */

static int gateway_init(const struct km_module *m, void *gw, void **ret_state, struct km_err *err)
{
    return m->gateway_init ? m->gateway_init(gw, ret_state, err) : 0;
}

static void gateway_free(const struct km_module *m, void *state)
{
    if (m->gateway_free)
        m->gateway_free(state);
}

int km_modules_gateway_init(struct km_gateway *gw, struct km_err *err)
{
    return slots_init(&gw->slots, gw->args->modules, gateway_init, gateway_free, gw, err);
}

void km_modules_gateway_free(struct km_gateway *gw)
{
    slots_free(&gw->slots, gateway_free);
}

/* --- a snapshot's --- */

struct build {
    struct km_snapshot *s;
    const struct km_snapshot_args *args;
    struct km_diags *diags;
};

static int snapshot_init(const struct km_module *m, void *owner, void **ret_state,
                         struct km_err *err)
{
    const struct build *b = owner;

    return m->snapshot_init ? m->snapshot_init(b->s, b->args, b->diags, ret_state, err) : 0;
}

static void snapshot_free(const struct km_module *m, void *state)
{
    if (m->snapshot_free)
        m->snapshot_free(state);
}

int km_modules_snapshot_init(struct km_snapshot *s, const struct km_snapshot_args *args,
                             struct km_diags *diags, struct km_err *err)
{
    struct build b = { .s = s, .args = args, .diags = diags };

    return slots_init(&s->slots, args->modules, snapshot_init, snapshot_free, &b, err);
}

void km_modules_snapshot_free(struct km_snapshot *s)
{
    slots_free(&s->slots, snapshot_free);
}

/* --- a worker's --- */

static int worker_init(const struct km_module *m, void *owner, void **ret_state, struct km_err *err)
{
    return m->worker_init ? m->worker_init(owner, ret_state, err) : 0;
}

static void worker_free(const struct km_module *m, void *state)
{
    if (m->worker_free)
        m->worker_free(state);
}

int km_modules_worker_init(struct km_worker *w, struct km_err *err)
{
    return slots_init(&w->slots, w->gw->args->modules, worker_init, worker_free, w, err);
}

void km_modules_worker_free(struct km_worker *w)
{
    slots_free(&w->slots, worker_free);
}

void km_modules_worker_revoke(struct km_worker *w)
{
    for (size_t i = w->slots->begun; i-- > 0;) {
        const struct km_module *m = w->slots->rows[i];

        if (m->worker_revoke)
            m->worker_revoke(w, *state_of(w->slots, m));
    }
}

void km_modules_worker_drain(struct km_worker *w)
{
    for (size_t i = w->slots->begun; i-- > 0;) {
        const struct km_module *m = w->slots->rows[i];

        if (m->worker_drain)
            m->worker_drain(w, *state_of(w->slots, m));
    }
}

void km_modules_worker_end(struct km_worker *w)
{
    for (size_t i = w->slots->begun; i-- > 0;) {
        const struct km_module *m = w->slots->rows[i];

        if (m->worker_end)
            m->worker_end(w, *state_of(w->slots, m));
    }
}

bool km_modules_worker_quiet(struct km_worker *w)
{
    for (size_t i = w->slots->begun; i-- > 0;) {
        const struct km_module *m = w->slots->rows[i];

        if (m->worker_quiet && !m->worker_quiet(w, *state_of(w->slots, m)))
            return false;
    }
    return true;
}
