/* SPDX-License-Identifier: Apache-2.0 */
/* store_settings.c - what the configuration file may say about the store and the ledger.
 *
 * The rows stand in kanmon_settings.  All need a restart: the writer, its connection and the
 * promises it gave (what was committed before which byte went out) belong to one life of the
 * process.
 */
#include "store/store.h"

static const char *const modes[] = { "eventual", "strict", NULL };

static const char *const unavailable[] = { "auto", "refuse", "serve", NULL };

static const struct km_setting rows[] = {
    { .name = "store",
      .type = KM_SET_STR,
      .offset = offsetof(struct km_store_settings, store),
      .flags = KM_SET_RESTART,
      .help = "Where keys, spend, prices and the audit chain are kept: `sqlite:<path>`. Unset: "
              "`kanmon.db` in the state folder." },
    { .name = "accounting",
      .type = KM_SET_ENUM,
      .offset = offsetof(struct km_store_settings, accounting),
      .def = "eventual",
      .choices = modes,
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "`strict` commits a call's intent before its first upstream byte and its settlement "
              "before its last byte to the client; `eventual` commits both within commit_time." },
    { .name = "commit_time",
      .type = KM_SET_MS,
      .offset = offsetof(struct km_store_settings, commit_ms),
      .def = "20ms",
      .min = 1,
      .max = 10000,
      .flags = KM_SET_RESTART,
      .help = "Eventual accounting: the most time from an entry of the ledger to its commit." },
    { .name = "ledger_queue",
      .type = KM_SET_BYTES,
      .offset = offsetof(struct km_store_settings, queue_bytes),
      .def = "64MiB",
      .min = 1 << 20,
      .max = (int64_t)1 << 36,
      .flags = KM_SET_RESTART,
      .help = "Ledger entries that may wait for the store; past it calls are refused with 503." },
    { .name = "store_unavailable",
      .type = KM_SET_ENUM,
      .offset = offsetof(struct km_store_settings, unavailable),
      .def = "auto",
      .choices = unavailable,
      .flags = KM_SET_RESTART | KM_SET_SAFETY,
      .help = "What follows when the store cannot be written, or its file is deleted, replaced or "
              "damaged. `refuse`: calls get 503; while only commits fail, as on a full disk, "
              "eventual accounting refuses keys with a budget after 1 s and all others after 1,000 "
              "unwritten calls. `serve`: calls go on until ledger_queue is full. `auto`: `refuse` "
              "in strict accounting; in eventual accounting the two bounds hold for a lost file "
              "too." },
    { .name = "store_spill",
      .type = KM_SET_STR,
      .offset = offsetof(struct km_store_settings, spill),
      .flags = KM_SET_RESTART,
      .help = "The file that takes what was acknowledged and cannot be committed; the next start "
              "reads it. Best on another disk than the store. Unset: `store.spill` in the state "
              "folder, with room reserved for some thousand calls." },
    { .name = "store_spill_size",
      .type = KM_SET_BYTES,
      .offset = offsetof(struct km_store_settings, spill_bytes),
      .def = "256MiB",
      .min = 1 << 16,
      .max = (int64_t)1 << 40,
      .flags = KM_SET_RESTART,
      .help = "Most bytes of the spill file. When it is full, or cannot be written either, new "
              "calls are refused." },
    { .name = "store_check_time",
      .type = KM_SET_MS,
      .offset = offsetof(struct km_store_settings, check_ms),
      .def = "1h",
      .min = 1000,
      .max = (int64_t)365 * 86400 * 1000,
      .flags = KM_SET_RESTART,
      .help = "Time between two checks of the whole store for damage, in small steps by a thread "
              "of low priority." },
    { .name = "crash_hold_time",
      .type = KM_SET_MS,
      .offset = offsetof(struct km_store_settings, crash_hold_ms),
      .def = "10m",
      .min = 0,
      .max = (int64_t)86400 * 1000,
      .flags = KM_SET_RESTART,
      .help = "A call that a crash ended is charged by what was known of it; how long, at most, "
              "the rest of what it had reserved is held in its key's budget. It ends earlier with "
              "the time the call had. `0`: nothing is held." },
    { 0 },
};

const struct km_settings_table km_store_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_store_settings),
    .extra = SIZE_MAX,
};
