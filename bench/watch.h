/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - the CPU time some processes, and one core, spent in a window.
 *
 * Taken by the load generator itself at the very edges of its window, so that work and
 * time cover the same requests.  The time of a process is that of all its threads, also
 * those that ended: the kernel's own sum, the one /proc/<pid>/stat shows in ticks, read
 * in nanoseconds through the process's CPU clock.
 *
 * Thread: one.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { WATCH_PIDS_MAX = 256 };

struct watch {
    pid_t pids[WATCH_PIDS_MAX];
    int pid_count;
    int core; /* -1: none */
    /* At the beginning, then the difference. */
    uint64_t wall_ns, cpu_ns, busy_ticks, all_ticks, steal_ticks;
};

/* pids: "12,34" or NULL.  Returns 0, or -1 when it is not such a list. */
int watch_init(struct watch *w, const char *pids, int core);

void watch_begin(struct watch *w);
void watch_end(struct watch *w);

/* {"seconds":..,"server_cpu_us":..,"server_share":..,"core_busy":..,"core_steal":..} */
void watch_print_json(const struct watch *w, FILE *out);

#endif
