/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - see process.h.
 *
 * Descriptors: a call holds two, and the soft limit of most shells (1,024) is no bound anybody
 * chose.
 *
 * Memory: glibc takes large blocks straight from the system, but each one that is freed raises
 * the size from which it does so, up to 32 MiB.  After the first large body the next ones lie
 * in the heaps of the threads, which give nothing back but a long free end; whenever a few more
 * come together than ever before, resident memory takes a step up and stays there.  With fixed
 * bounds a body's memory goes when the body goes.  The price is page faults: half of what passing
 * on 10 MB costs, which is why a server keeps one block from one large body to the next
 * (http/server.c); what fits a block of an arena never comes near.
 */
#include "app/process.h"

#include <sys/resource.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LARGE (64 * 1024) /* from here on: pages of their own */
#define KEPT (128 * 1024) /* of a heap's free end */

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)!setrlimit(RLIMIT_NOFILE, &limit);
}

static void bound_heaps(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
}

void km_process_prepare(void)
{
    raise_descriptors();
    bound_heaps();
}
