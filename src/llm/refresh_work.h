/* SPDX-License-Identifier: Apache-2.0 */
/* refresh_work.h - what the runs of a refresh (refresh.h) have in common: memory of their own, one
 * request at a time, and an end.
 *
 *     start()   struct run *r = km_refresh_work_new(run, BYTES, sizeof *r);
 *     ...       r->work.fetch = km_fetch_start(...)        NULL again in its callback
 *     end       km_refresh_work_end(&r->work, value, err)
 *
 * Thread: the loop of the run.
 */
#ifndef KM_LLM_REFRESH_WORK_H
#define KM_LLM_REFRESH_WORK_H

#include "llm/fetch.h"
#include "llm/refresh.h"

struct km_refresh_work { /* first member of what a run keeps */
    struct km_arena arena; /* holds it */
    struct km_refresh_run *run;
    struct km_fetch *fetch; /* under way, or NULL */
};

/* size zeroed bytes that begin with a km_refresh_work, in an arena of at most `bytes`; it is
 * run->state.  NULL: out of memory, and the run has ended with that. */
void *km_refresh_work_new(struct km_refresh_run *run, size_t bytes, size_t size);
/* Ends the run as km_refresh_done() does; the work and its arena are gone. */
void km_refresh_work_end(struct km_refresh_work *work, struct km_refreshed *value,
                         const struct km_err *err);
/* For km_refresh_ops.abandon, where the fetch is all that is under way. */
void km_refresh_work_abandon(struct km_refresh_run *run);

#endif
