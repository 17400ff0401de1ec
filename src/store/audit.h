/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - who changed what: an append-only chain from the first record.
 *
 * Each record holds the SHA-256 of the one before it and of itself, so that a record cannot be
 * changed, taken out or put in between without every later one showing it.  What the chain
 * cannot show is a tail that was cut off: keep the head somewhere else for that.
 */
#ifndef KM_STORE_AUDIT_H
#define KM_STORE_AUDIT_H

#include "store/store.h"

struct km_db;
struct km_ready;
struct km_record;

#define KM_AUDIT_ROWS 1024

/* A record that has its place in the chain and is not inserted yet. */
struct km_audit_row {
    const struct km_record *rec;
    int64_t seq;
    uint8_t prev[32], hash[32];
};

/* The chain's end, as the writer knows it within one transaction: a call of a tool is a record, so
 * that there may be thousands a second.  Those are gathered and inserted together.  Writer's thread
 * only. */
struct km_audit_chain {
    struct km_ready *last, *insert, *insert_rows;
    struct km_audit_row *rows;
    size_t n; /* of them: gathered */
    int64_t seq; /* of the last, inserted or gathered */
    uint8_t hash[32];
    bool known; /* seq and hash are the last record's; otherwise it is asked for */
};

int km_audit_chain_init(struct km_audit_chain *chain, struct km_db *db,
                        struct km_err *err) KM_MUST_USE;
void km_audit_chain_done(struct km_audit_chain *chain); /* also one that was never begun */
/* After the end of a transaction, and when a part of it was undone. */
void km_audit_chain_forget(struct km_audit_chain *chain);

/* A call's record, which must stay until it is written: by km_audit_flush(), or forgotten. */
int km_audit_gather(struct km_audit_chain *chain, const struct km_record *rec,
                    struct km_err *err) KM_MUST_USE;
int km_audit_flush(struct km_audit_chain *chain, struct km_err *err) KM_MUST_USE;

/* Inside the transaction of what it tells about; what was gathered goes before it. */
int km_audit_append(struct km_audit_chain *chain, const struct km_audit *audit, int64_t at_us,
                    struct km_err *err) KM_MUST_USE;

/* Walks the chain on a reader thread: {"ok":true,"records":n,"head":"<hex>"}, or
 * {"ok":false,"records":n,"broken_at":seq,"head":...}. */
void km_store_audit_verify(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                           void *ctx);
/* Which records are asked for; empty and 0: any. */
struct km_audit_query {
    int64_t seq; /* this one alone */
    int64_t before; /* those below this number: where the page before ended */
    int64_t from_us, to_us; /* the latter is not included */
    struct km_str key; /* who did it: an actor, a key's alias, or 8 digits or more of its hash */
    struct km_str user; /* whose key it was, who a token said, or for whom (requestedBy) */
    struct km_str action; /* "mcp.call", or a family of them: "mcp" */
    struct km_str server, tool, outcome;
    int64_t limit; /* 0: KM_AUDIT_PAGE, which is also the most */
};
#define KM_AUDIT_PAGE 1000
#define KM_AUDIT_LOOK 200000 /* records looked at for one answer */
#define KM_AUDIT_WORD 256 /* bytes of each word that is asked for */

/* Newest first: {"records":[{"seq","at","actor","key_alias","user_id","action","target","detail",
 * "hash"}],"next":seq}.  next is where to go on with `before`; null: there are no more.  A page may
 * be short, or empty, and not be the last.  Records are looked for by their number: one that began
 * a day or more before those around it (a call of that length, a clock that was set) may be left
 * out of a range of time. */
void km_store_audit_find(struct km_store *store, struct km_mailbox *reply,
                         const struct km_audit_query *query, km_store_json_fn *fn, void *ctx);

#endif
