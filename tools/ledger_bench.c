/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_bench.c - what the ledger costs: CPU of all threads a call, at a fixed rate.
 *
 *     cmake --preset release && ninja -C build/release ledger_bench
 *     build/release/src/store/ledger_bench [calls a second] [seconds] [apart]
 *
 * One worker thread writes an intent and a settlement a call, in bursts each millisecond, into
 * a store in a new folder under TMPDIR; `apart` lets a hundred milliseconds of calls lie between
 * a call's intent and its settlement, so that they never share a commit.  The same loop without
 * a ledger is measured first and subtracted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "store/ledger.h"

#define MODELS 20

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void fill(struct km_ledger_entry *e, const struct km_uuid *id, size_t i)
{
    static const char *const models[MODELS] = { "openai/gpt-4o", "openai/gpt-4o-mini",
                                                "anthropic/claude-sonnet-4-5" };
    const char *model = models[i % 3];

    *e = (struct km_ledger_entry){
        .id = *id,
        .call_type = KM_STR("acompletion"),
        .model_group = km_str_c(model + 7),
        .model = km_str_c(model),
        .deployment = KM_STR("b9f7b1b2-7d0b-4f0e-9c43-0a2c4a0b77aa"),
        .provider = KM_STR("openai"),
        .api_base = KM_STR("https://api.example.com/v1"),
        .client_ip = KM_STR("192.0.2.17"),
        .start_us = km_wall_us(),
        .reserved = 1000000,
        .status = 200,
    };
    e->key_hash[0] = (uint8_t)(i % 50);
}

struct run {
    struct km_ledger *ledger;
    struct km_idgen ids;
    size_t rate, seconds, apart;
    struct km_uuid *open; /* a ring of calls whose settlement is due */
};

static void one(struct run *r, size_t i)
{
    size_t slot = i % (r->apart + 1);
    struct km_ledger_entry e;
    struct km_uuid id = km_uuid7(&r->ids), ended;
    struct km_err err = { 0 };
    bool wait;

    fill(&e, &id, i);
    if (r->ledger && km_ledger_intent(r->ledger, &e, NULL, NULL, &wait, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    ended = r->apart ? r->open[slot] : id;
    r->open[slot] = id;
    if (i < r->apart)
        return;
    e.id = ended;
    e.end_us = e.start_us + 1500;
    e.first_us = e.start_us + 700;
    e.prompt_tokens = 100;
    e.completion_tokens = 50;
    e.cost = 123456;
    if (r->ledger)
        km_ledger_settle(r->ledger, &e, NULL, NULL, &wait);
}

static double measure(struct run *r)
{
    double before = cpu_seconds();
    size_t done = 0, all = r->rate * r->seconds;
    uint64_t start = km_mono_ns();

    while (done < all) {
        uint64_t due = (km_mono_ns() - start) * r->rate / 1000000000u;
        const struct timespec ms = { .tv_nsec = 1000000 };

        while (done < due && done < all)
            one(r, done++);
        nanosleep(&ms, NULL);
    }
    return (cpu_seconds() - before) * 1e6 / (double)all;
}

int main(int argc, char **argv)
{
    const struct km_store_settings settings = { .commit_ms = 20,
                                                .queue_bytes = 64 << 20,
                                                .spill_bytes = 256 << 20,
                                                .check_ms = 3600000 };
    static const char *const beside[] = { "kanmon.db", "kanmon.db.lock", "store.id", "store.spill" };
    char dir[] = "/tmp/kanmon-ledger-XXXXXX", path[128];
    const struct km_store_args args = { .settings = &settings, .state_dir = dir };
    struct km_loop *loop = km_loop_new(NULL);
    struct km_mailbox *reply = km_mailbox_new(loop, NULL, NULL);
    struct km_store *store = NULL;
    struct run r = { .rate = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000,
                     .seconds = argc > 2 ? strtoul(argv[2], NULL, 10) : 10 };
    struct km_err err = { 0 };
    struct rusage usage;
    double idle, busy;

    r.apart = argc > 3 ? r.rate / 10 : 0;
    r.open = calloc(r.apart + 1, sizeof *r.open);
    km_idgen_init(&r.ids);
    if (!r.open || !mkdtemp(dir) || km_store_open(&args, &store, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    idle = measure(&r);
    r.ledger = km_ledger_new(store, loop, reply, 0, &err);
    busy = measure(&r);
    (void)printf("%zu calls/s for %zu s%s: %.2f us CPU a call for the ledger (%.2f with the "
                 "loop that makes the calls, %.2f without a ledger), store %llu bytes\n",
                 r.rate, r.seconds, r.apart ? ", intents apart" : "", busy - idle, busy, idle,
                 (unsigned long long)km_store_size_bytes(store));
    getrusage(RUSAGE_SELF, &usage);
    (void)printf("largest resident size %ld KiB\n", usage.ru_maxrss);
    km_ledger_free(r.ledger);
    km_store_close(store);
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, beside[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return 0;
}
