/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h for the contract.
 *
 * Two figures guard each other.  core_busy, from /proc/stat, says whether the core had
 * anything left; a figure per request taken on a half idle core counts wake-ups that a
 * busy server does not have.  server_share says how much of the window the watched
 * processes themselves ran: where it is far below core_busy, someone else was on the
 * core, and the caches were not the server's own.
 */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

int watch_init(struct watch *w, const char *pids, int core)
{
    *w = (struct watch){ .core = core };
    while (pids && *pids) {
        char *end;
        long pid = strtol(pids, &end, 10);

        if (end == pids || pid <= 0 || w->pid_count == WATCH_PIDS_MAX)
            return -1;
        w->pids[w->pid_count++] = (pid_t)pid;
        pids = *end == ',' ? end + 1 : end;
        if (*end && *end != ',')
            return -1;
    }
    return 0;
}

static uint64_t cpu_ns(const struct watch *w)
{
    uint64_t sum = 0;

    for (int i = 0; i < w->pid_count; i++) {
        clockid_t id;
        struct timespec ts;

        if (clock_getcpuclockid(w->pids[i], &id) == 0 && clock_gettime(id, &ts) == 0)
            sum += (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    }
    return sum;
}

/* user nice system idle iowait irq softirq steal, in ticks. */
static void core_ticks(int core, uint64_t *ret_busy, uint64_t *ret_all, uint64_t *ret_steal)
{
    char line[512], name[16];
    unsigned long long v[8] = { 0 };
    FILE *f = core >= 0 ? fopen("/proc/stat", "r") : NULL;

    *ret_busy = *ret_all = *ret_steal = 0;
    snprintf(name, sizeof name, "cpu%d ", core);
    while (f && fgets(line, sizeof line, f)) {
        char *p = line + strlen(name);

        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        for (int i = 0; i < 8; i++) {
            v[i] = strtoull(p, &p, 10);
            *ret_all += v[i];
        }
        *ret_busy = *ret_all - v[3] - v[4];
        *ret_steal = v[7];
    }
    if (f)
        fclose(f);
}

void watch_begin(struct watch *w)
{
    core_ticks(w->core, &w->busy_ticks, &w->all_ticks, &w->steal_ticks);
    w->cpu_ns = cpu_ns(w);
    w->wall_ns = clock_ns();
}

void watch_end(struct watch *w)
{
    uint64_t busy, all, steal;

    w->wall_ns = clock_ns() - w->wall_ns;
    w->cpu_ns = cpu_ns(w) - w->cpu_ns;
    core_ticks(w->core, &busy, &all, &steal);
    w->busy_ticks = busy - w->busy_ticks;
    w->all_ticks = all - w->all_ticks;
    w->steal_ticks = steal - w->steal_ticks;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0.0;
}

void watch_print_json(const struct watch *w, FILE *out)
{
    fprintf(out,
            "{\"seconds\":%.6f,\"server_cpu_us\":%.1f,\"server_share\":%.4f,\"core_busy\":%.4f,"
            "\"core_steal\":%.4f}",
            (double)w->wall_ns / 1e9, (double)w->cpu_ns / 1e3, share(w->cpu_ns, w->wall_ns),
            share(w->busy_ticks, w->all_ticks), share(w->steal_ticks, w->all_ticks));
}
