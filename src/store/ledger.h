/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - accounting that never lies: intents, progress and settlements.
 *
 * A call that is about to be sent writes an intent immediately before its first upstream byte, and
 * later exactly one settlement; in between, when another attempt begins or more output has come,
 * what it would cost if nothing more were ever heard of it.  Where all fall into one commit only
 * the settled row is written.  A call that no upstream was asked for has a settlement alone.  What
 * a crash leaves open is charged by what was said last; the rest of what it had reserved stays held
 * (holds.h).
 *
 *   strict    intent, or a further attempt, committed (synchronous=FULL) -> callback -> upstream;
 *             settlement committed -> callback -> last client byte
 *   eventual  no callback is waited for; both are committed within commit_ms
 *
 * Entries of a worker are appended to its own batch without an allocation each; the writer comes
 * to take the batch, at once or after a few milliseconds.  A settlement whose intent still lies in
 * the batch takes its place.
 *
 * The hot table has the call's id (UUIDv7) as its only key, no secondary index; names (models,
 * deployments, providers) are numbers from a dictionary; daily roll-ups are made by the writer.
 */
#ifndef KM_STORE_LEDGER_H
#define KM_STORE_LEDGER_H

#include "base/id.h"
#include "store/store.h"

enum km_call_flag {
    KM_CALL_STREAM = 1,
    KM_CALL_ESTIMATED = 2, /* usage was missing, or could not be, and is an estimate */
    KM_CALL_UNPRICED = 4, /* no price known; cost 0 */
    KM_CALL_INCOMPLETE = 8, /* never settled; charged by what was known last */
    KM_CALL_CLIENT_GONE = 16,
    KM_CALL_CACHE_HIT = 32,
    KM_CALL_FAILED = 64,
    KM_CALL_PART = 128, /* of a session, which holds the permit and has a row of its own */
    KM_CALL_WITHIN = 256, /* of a call that holds the place among those that run at once */
    KM_CALL_OVER_RESERVED =
        512, /* its upstream reported more than was reserved: booked all the same */
    KM_CALL_BUDGET_CUT = 1024, /* its stream was ended because its key has no more */
    KM_CALL_CORRECTED = 2048, /* an administrator set its cost (kanmon spend correct) */
    KM_CALL_BOUND_CUT = 4096, /* its stream was ended because it was past what was asked for */
};

/* Strings are copied before return; each is cut at 256 bytes; metadata over 4 KiB is left out
 * (cut JSON is none). */
struct km_ledger_entry {
    struct km_uuid id; /* the call's id */
    uint8_t key_hash[32]; /* all zero: no key (auth off) */
    struct km_str call_type; /* "acompletion", "aembedding", "pass_through_endpoint", ... */
    struct km_str model_group; /* as requested */
    struct km_str model; /* "openai/gpt-4o" */
    struct km_str deployment; /* model_info.id */
    struct km_str provider;
    struct km_str api_base;
    struct km_str user; /* end user */
    struct km_str metadata; /* JSON object: tags, spend_logs_metadata; empty: none */
    struct km_str client_ip;
    struct km_str payers; /* who pays beside the key: payers.h; empty: nobody.  Not cut */
    int64_t start_us, first_us, end_us; /* wall; 0: never */
    int64_t prompt_tokens, completion_tokens, cached_tokens;
    int64_t reserved; /* nano-USD */
    /* nano-USD; of an intent and of progress: by estimate, if nothing more is ever heard.  More
     * than what is reserved is not charged then, where anything is. */
    int64_t cost;
    int status; /* HTTP status the client got */
    unsigned flags;
    unsigned attempt; /* of an intent and of progress: the one under way, from 1 */
    int64_t deadline_us; /* an intent's: wall, when the call is over at the latest; 0: not known */
    /* JSON array of the attempts that were sent, of a settlement of more than one; empty: of one */
    struct km_str attempts;
    /* Not kept: */
    bool budgeted; /* an intent's: its key has a budget */
    bool audited; /* an intent's: km_ledger_audit() follows its settlement */
    bool unasked; /* a settlement's: its intent was refused, or never was */
    size_t payers_kept; /* likewise: bytes of payers in its intent, for which room was kept */
};

struct km_ledger; /* one a worker */

struct km_ledger *km_ledger_new(struct km_store *store, struct km_loop *loop,
                                struct km_mailbox *reply, size_t worker, struct km_err *err);
struct km_ledger *km_ledger_free(struct km_ledger *l); /* flushes */

/* done (may be NULL) is called after the commit in strict mode, never in eventual.
 * KM_E_STORE when kanmon_settings.store_unavailable says so, KM_E_OVERLOADED when queue_bytes are
 * waiting (the writer cannot keep up, or the disk fails) or the spill file has no room for the call
 * (room.h): refuse the call.
 * *ret_wait: a callback follows; wait for it. */
int km_ledger_intent(struct km_ledger *l, const struct km_ledger_entry *e, km_store_done_fn *done,
                     void *ctx, bool *ret_wait, struct km_err *err) KM_MUST_USE;
/* A later state of the same open call, whole: another attempt begins (the caller may wait for it in
 * strict mode, as above), or there is more output (done NULL: nobody waits, in strict mode
 * neither). Of a call that is settled, or was never intended, it changes nothing.  Dropped where it
 * finds no room and nobody waits: it is only better knowledge. */
void km_ledger_progress(struct km_ledger *l, const struct km_ledger_entry *e,
                        km_store_done_fn *done, void *ctx, bool *ret_wait);
/* Always accepted (room was kept by the intent).  *ret_wait as above. */
void km_ledger_settle(struct km_ledger *l, const struct km_ledger_entry *e, km_store_done_fn *done,
                      void *ctx, bool *ret_wait);
/* The same where the call's intent, or its progress, still lies in the batch and nobody waits for a
 * commit: its numbers are written over, and its names stay as they are there, so e needs none but
 * its payers.
 * false: nothing was done, and km_ledger_settle() has to. */
bool km_ledger_settle_in_place(struct km_ledger *l, const struct km_ledger_entry *e);
/* The audit record of a call, copied: committed as what else is appended now.  kept: its call's
 * intent was `audited` and accepted.  *ret_wait as above; done NULL: nobody waits, in strict mode
 * neither. */
void km_ledger_audit(struct km_ledger *l, const struct km_audit *audit, bool kept,
                     km_store_done_fn *done, void *ctx, bool *ret_wait);
/* Makes sure that the writer knows of the batch; it takes it at once (strict) or within commit_ms
 * (eventual).  Needed by nobody, cheap when nothing waits. */
void km_ledger_flush(struct km_ledger *l);

/* After km_store_release_writer(): settlements go out through this instead, as opaque records
 * that the new writer takes with km_store_import_record(). Called on the writer thread.  In
 * strict accounting an empty record follows a batch: what came before must be committed by the
 * new writer when that call returns. */
typedef void km_ledger_forward_fn(void *ctx, struct km_str record);
void km_store_forward(struct km_store *store, km_ledger_forward_fn *fn, void *ctx);
int km_store_import_record(struct km_store *store, struct km_str record,
                           struct km_err *err) KM_MUST_USE; /* any thread */

/* What such a record says (strings live in scratch, which needs 64 KiB at most), so that the
 * receiver can also settle the call's permit; *ret_settled false: it is an intent, or progress. */
int km_store_record_read(struct km_str record, struct km_buf *scratch,
                         struct km_ledger_entry *ret_entry, bool *ret_settled,
                         struct km_err *err) KM_MUST_USE;

#endif
