/* SPDX-License-Identifier: Apache-2.0 */
/* module.h - what the program carries beside its calls: rows of a table of moments.
 *
 *     gateway    init                                                      free
 *     snapshot         init (each load of the configuration) ... free
 *     worker           init ... revoke ... drain ... end, quiet? ... free
 *
 * The host knows none of them by name.  app/tables.c lists the rows: their order is that of every
 * init, the reverse of it that of everything at the end.  An init that fails leaves nothing: those
 * before it are freed, in reverse, and the start or the load fails.
 *
 * A module finds what it keeps by its row.  Each row has a place, a byte of a section of the
 * program that the linker fills: so places are numbers, known without a registry that changes, and
 * finding a state is a load by index.
 */
#ifndef KM_HOST_MODULE_H
#define KM_HOST_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct km_diags;
struct km_gateway;
struct km_snapshot;
struct km_snapshot_args;
struct km_worker;

/* static const char place KM_MODULE_PLACE; once a row, beside it. */
#define KM_MODULE_PLACE __attribute__((section("km_module_places"), used))

/* Any moment may be NULL.  state: what init made, NULL without one. */
struct km_module {
    const char *name; /* in words, for an error */
    const char *place;
    /* Main thread: the store and the keys are there, a configuration not yet. */
    int (*gateway_init)(struct km_gateway *gw, void **ret_state, struct km_err *err);
    /* Main thread: the store is closed, the last snapshot is gone. */
    void (*gateway_free)(void *state);
    /* A part of a configuration made ready to serve, when all else of it is; also where it is only
     * checked: there is no gateway then.  Problems with a place in the file go to diags. */
    int (*snapshot_init)(struct km_snapshot *s, const struct km_snapshot_args *args,
                         struct km_diags *diags, void **ret_state, struct km_err *err);
    void (*snapshot_free)(void *state); /* any thread */
    /* Main thread, before the worker's own runs; the loop, the store and the servers behind are
     * there. */
    int (*worker_init)(struct km_worker *w, void **ret_state, struct km_err *err);
    /* Keys have changed, or time has gone by: end what runs by one that may not be used now. */
    void (*worker_revoke)(struct km_worker *w, void *state);
    /* The worker accepts nothing any more: what would last long ends, what is short may finish. */
    void (*worker_drain)(struct km_worker *w, void *state);
    /* Its clients are gone: begin nothing, end what is under way. */
    void (*worker_end)(struct km_worker *w, void *state);
    /* After the end, again and again: is nothing under way, here or on its way to another worker?
     * The loops stop when nothing of anybody is. */
    bool (*worker_quiet)(struct km_worker *w, void *state);
    /* Main thread, when the worker's own has ended, or never ran. */
    void (*worker_free)(void *state);
};

/* The states of all modules for one of what they are kept for. */
struct km_slots {
    const struct km_module *const *rows; /* NULL ends */
    size_t begun; /* so many of them */
    struct {
        const struct km_module *module; /* NULL: not of this program's rows */
        void *state;
    } v[]; /* by place */
};

/* Where the section begins. */
extern const char km_module_places[] __asm__("__start_km_module_places");

static inline void *km_module_state(const struct km_slots *slots, const struct km_module *m)
{
    const size_t at = (size_t)(m->place - km_module_places);

    km_assert(slots->v[at].module == m);
    return slots->v[at].state;
}

/* --- for the host --- */

int km_modules_gateway_init(struct km_gateway *gw, struct km_err *err) KM_MUST_USE;
void km_modules_gateway_free(struct km_gateway *gw);

int km_modules_snapshot_init(struct km_snapshot *s, const struct km_snapshot_args *args,
                             struct km_diags *diags, struct km_err *err) KM_MUST_USE;
void km_modules_snapshot_free(struct km_snapshot *s);

int km_modules_worker_init(struct km_worker *w, struct km_err *err) KM_MUST_USE;
/* Its thread. */
void km_modules_worker_revoke(struct km_worker *w);
void km_modules_worker_drain(struct km_worker *w);
void km_modules_worker_end(struct km_worker *w);
bool km_modules_worker_quiet(struct km_worker *w);
/* Main thread. */
void km_modules_worker_free(struct km_worker *w);

#endif
