/* SPDX-License-Identifier: Apache-2.0 */
/* refresh_work.c - see refresh_work.h.
 *
 * The arena holds the work that holds the arena: both ends take a copy of it first.  An error is
 * copied as well, for its caller may have written it into the arena.
 */
#include "llm/refresh_work.h"

void *km_refresh_work_new(struct km_refresh_run *run, size_t bytes, size_t size)
{
    struct km_refresh_work *w;
    struct km_arena arena;
    struct km_err err = { 0 };

    km_arena_init(&arena, bytes, km_loop_arenas(run->loop));
    w = km_arena_zalloc(&arena, size);
    if (!w) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_refresh_done(run, NULL, &err);
        return NULL;
    }
    w->arena = arena;
    w->run = run;
    run->state = w;
    return w;
}

void km_refresh_work_end(struct km_refresh_work *work, struct km_refreshed *value,
                         const struct km_err *err)
{
    struct km_refresh_run *run = work->run;
    struct km_arena arena = work->arena;
    struct km_err why = { 0 };

    if (err)
        why = *err;
    km_arena_done(&arena);
    run->state = NULL;
    km_refresh_done(run, value, value ? NULL : &why);
}

void km_refresh_work_abandon(struct km_refresh_run *run)
{
    struct km_refresh_work *w = run->state;
    struct km_arena arena;

    if (!w)
        return;
    km_fetch_abandon(w->fetch);
    arena = w->arena;
    km_arena_done(&arena);
    run->state = NULL;
}
