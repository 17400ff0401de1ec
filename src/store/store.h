/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - what kanmon remembers: keys, the ledger of spend, prices, the audit chain.
 *
 * Operations are rows of statements that a driver runs (driver.h): SQLite in a file, and in memory
 * for tests.
 * A writer thread owns the only writing connection and commits in groups: whenever it is idle
 * it takes all that queued meanwhile, in one transaction.  Readers have threads of their own.
 * Loops never block here: every call after opening queues an operation and gets its answer by
 * mailbox on the loop that asked, after the commit.
 *
 * A store that fails to write (disk full, I/O error) turns unhealthy: operations end with
 * KM_E_STORE, what the ledger holds waits bounded in memory and lies in a second file (spill.h),
 * and is written when it works again, or at the next start.  A store whose file is deleted,
 * replaced, cut or damaged is never healthy again in this process.
 */
#ifndef KM_STORE_STORE_H
#define KM_STORE_STORE_H

#include "base/event.h"
#include "base/metric.h"
#include "base/setting.h"
#include "sys/mailbox.h"

struct km_store;

enum km_store_unavailable {
    KM_STORE_UNAVAILABLE_AUTO, /* refuse in strict accounting; see outage.c */
    KM_STORE_UNAVAILABLE_REFUSE,
    KM_STORE_UNAVAILABLE_SERVE,
};

enum km_accounting { KM_ACCOUNTING_EVENTUAL, KM_ACCOUNTING_STRICT };

struct km_store_settings {
    struct km_str store; /* "sqlite:<path>"; empty: sqlite under state_dir */
    int64_t accounting; /* enum km_accounting */
    int64_t commit_ms; /* eventual: most time from an entry to its commit (20) */
    int64_t queue_bytes; /* ledger entries waiting for the writer (64 MiB) */
    int64_t unavailable; /* enum km_store_unavailable */
    struct km_str spill; /* path; empty: store.spill in state_dir */
    int64_t spill_bytes; /* most of it (256 MiB) */
    int64_t check_ms; /* between two checks of the whole store (1 h) */
    int64_t crash_hold_ms; /* most time the rest of a lost call's reservation is held (10 min) */
};
extern const struct km_settings_table km_store_settings_table; /* kanmon_settings */

struct km_store_args {
    const struct km_store_settings *settings;
    const char *state_dir; /* created 0700 when missing */
    struct km_log *log; /* may be NULL */
    struct km_events *events; /* may be NULL */
    bool handed_over; /* another process still settles its calls: open intents are not charged */
};

/* Opens, migrates (refusing a store whose min_reader is newer than this program), charges and
 * marks `incomplete` every call left open by a crash, and holds the rest of what it had reserved
 * (holds.h).  Blocking; before any loop runs.
 * A damaged or foreign file is an error that names it; it is never replaced.  A full disk is none:
 * the store begins in an outage, and what the process before left stays where it is meanwhile. */
int km_store_open(const struct km_store_args *args, struct km_store **ret_store,
                  struct km_err *err) KM_MUST_USE;
/* Keys and their windows are loaded.  Until then those loaders see also what a store that cannot be
 * written now still has to take from the spill file; and it takes nothing. */
void km_store_loaded(struct km_store *store);
/* Writes everything queued, commits, joins the threads. */
struct km_store *km_store_close(struct km_store *store);

/* Hand-over: everything queued is committed and the write connection closed; operations that
 * come later wait in `forward` order for km_ledger_forward (see ledger.h).  Blocking. */
int km_store_release_writer(struct km_store *store, struct km_err *err) KM_MUST_USE;

/* The hand-over did not come about: the writer is ours again.  Blocking.  KM_E_EXISTS while the
 * other process still holds the store. */
int km_store_take_back(struct km_store *store, struct km_err *err) KM_MUST_USE;

/* err NULL on success.  Exactly once, never synchronous. */
typedef void km_store_done_fn(void *ctx, const struct km_err *err);

/* Charges, marks and holds what the process before left open, calls that began before before_us:
 * when it is gone, or its drain is over.  Who has the books in memory hears of each (holds.h). */
void km_store_charge_open(struct km_store *store, struct km_mailbox *reply, int64_t before_us,
                          km_store_done_fn *done, void *ctx);

/* done when everything that was appended or imported before this call is committed. */
void km_store_sync(struct km_store *store, struct km_mailbox *reply, km_store_done_fn *done,
                   void *ctx);

bool km_store_healthy(const struct km_store *store); /* any thread */

#define KM_STORE_REASON 160
#define KM_STORE_TEXT 1024 /* it names several files */

struct km_store_health {
    bool healthy;
    bool refusing, refusing_budgeted; /* new calls, of any key and of those with a budget */
    bool unspilled; /* the spill file cannot be written either */
    /* "healthy", "unspillable", "unwritable", "lost", "damaged"; "spill_damaged": it is healthy,
     * and there is something to say */
    const char *name;
    int64_t since_us; /* wall; 0: nothing is wrong */
    uint64_t refused; /* calls so far */
    uint64_t spilled_bytes; /* acknowledged, not in the store */
    char reason[KM_STORE_REASON]; /* for anybody: without a path */
    char text[KM_STORE_TEXT]; /* for an operator: what happened, where, what to do */
};
void km_store_health(struct km_store *store, struct km_store_health *ret); /* any thread */
uint64_t km_store_size_bytes(struct km_store *store);
size_t km_store_queued(const struct km_store *store);

/* --- keys --- */

/* A virtual key as stored; strings are the caller's. Times are wall microseconds, 0: never. */
struct km_key_row {
    uint8_t hash[32]; /* SHA-256 of "sk-..." */
    struct km_str name; /* "sk-...wxyz" for display */
    struct km_str alias;
    struct km_str_list models; /* empty: all */
    struct km_str user_id, team_id;
    struct km_str metadata; /* JSON object */
    struct km_str extra; /* JSON object: accepted fields that have no column */
    int64_t max_budget; /* nano-USD; -1 none */
    int64_t soft_budget; /* nano-USD; -1 none */
    int64_t budget_duration_s; /* 0 none */
    struct km_str budget_duration; /* as given: "30d" */
    int64_t budget_reset_us;
    int64_t rpm, tpm, max_parallel; /* -1 none */
    /* As of an account (accounts.h), which a key with any of these has: policy/key_limits.h. */
    struct km_str budget_limits, model_max_budget, model_rpm_limit, model_tpm_limit;
    int64_t temp_budget_increase; /* nano-USD; -1 none */
    int64_t temp_budget_expiry_us;
    struct km_str budget_id, organization_id;
    struct km_str limits_id; /* of that account: the same for every secret the key ever has */
    struct km_str retired; /* former secrets that still open it: policy/key_retired.h */
    int64_t expires_us, created_us, updated_us;
    struct km_str created_by, updated_by;
    bool blocked;
    int64_t spend; /* nano-USD in the current budget window */
};

typedef void km_key_row_fn(void *ctx, const struct km_key_row *row);
/* Every key; blocking, before loops run (and at hand-over). */
int km_store_keys(struct km_store *store, km_key_row_fn *each, void *ctx,
                  struct km_err *err) KM_MUST_USE;

/* What was spent in windows that are not their key's current one; blocking, as above. */
typedef void km_window_fn(void *ctx, const uint8_t hash[32], int64_t end_us, int64_t spend);
int km_store_windows(struct km_store *store, km_window_fn *each, void *ctx,
                     struct km_err *err) KM_MUST_USE;
/* What all calls together cost that ended at begin_us or later (INT64_MIN: all there are);
 * blocking, as above. */
int km_store_spent(struct km_store *store, int64_t begin_us, int64_t *ret_spent,
                   struct km_err *err) KM_MUST_USE;

/* --- operations: queued, answered on the asking loop; the mailbox must live until then --- */

/* Every change of management state carries its audit record, committed with it. */
struct km_audit {
    struct km_str actor; /* "local:0", "key:<hash8>", "master" */
    struct km_str action; /* "key.generate" */
    struct km_str target; /* hash or name; never a secret */
    struct km_str detail; /* JSON object of what changed; never a secret */
};

/* Inserts or replaces everything but spend (spend is written only when insert). The row is
 * copied before return. */
void km_store_key_put(struct km_store *store, struct km_mailbox *reply,
                      const struct km_key_row *row, bool insert, const struct km_audit *audit,
                      km_store_done_fn *done, void *ctx);
/* A new secret for the key `old`: the row keeps its spend, gets row->hash and all else of the row,
 * and the old one is gone, in one transaction.  Calls under the old one pay into the new.
 * KM_E_NOT_FOUND when there is no old one, or the new one exists already. */
void km_store_key_replace(struct km_store *store, struct km_mailbox *reply, const uint8_t old[32],
                          const struct km_key_row *row, const struct km_audit *audit,
                          km_store_done_fn *done, void *ctx);
void km_store_key_delete(struct km_store *store, struct km_mailbox *reply, const uint8_t hash[32],
                         const struct km_audit *audit, km_store_done_fn *done, void *ctx);
/* The budget window with this end is the current one: spend is what was spent in it before, if
 * anything, and what was spent in the one that was current is kept. */
void km_store_key_reset(struct km_store *store, struct km_mailbox *reply, const uint8_t hash[32],
                        int64_t budget_reset_us, km_store_done_fn *done, void *ctx);
/* kanmon_settings.accounting is strict: answers wait for what was written. */
bool km_store_is_strict(const struct km_store *store);
void km_store_audit(struct km_store *store, struct km_mailbox *reply, const struct km_audit *audit,
                    km_store_done_fn *done, void *ctx);

/* Imported prices: model name to JSON of LiteLLM's shape. Replaces all of `source`. */
struct km_price_row {
    struct km_str model, source, json;
};
void km_store_prices_put(struct km_store *store, struct km_mailbox *reply,
                         const struct km_price_row *rows, size_t n, const struct km_audit *audit,
                         km_store_done_fn *done, void *ctx);
typedef void km_price_row_fn(void *ctx, const struct km_price_row *row);
int km_store_prices(struct km_store *store, km_price_row_fn *each, void *ctx,
                    struct km_err *err) KM_MUST_USE; /* blocking, before loops run and on reload */

/* --- queries: run on a reader thread; the answer is one buffer of JSON made there --- */

struct km_spend_query {
    bool by_key;
    uint8_t key_hash[32];
    struct km_str request_id; /* exact */
    struct km_str user_id;
    int64_t from_us, to_us; /* start time; 0: open */
    bool summarize; /* per day, as LiteLLM's ?summarize=true */
    size_t limit, offset; /* rows; limit 0 is 1,000; at most 10,000 */
};
/* Everything settled before it is asked is in the answer (it waits for that commit).
 * json: LiteLLM's SpendLogs rows (array) or daily summary; valid inside the callback. */
typedef void km_store_json_fn(void *ctx, struct km_str json, const struct km_err *err);
void km_store_spend_logs(struct km_store *store, struct km_mailbox *reply,
                         const struct km_spend_query *query, km_store_json_fn *fn, void *ctx);
/* {"tables":[{"name","rows","bytes"}],"bytes":..,"schema":..} */
void km_store_stats(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                    void *ctx);

#endif
