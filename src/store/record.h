/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - a ledger entry as bytes: what lies in a worker's batch, waits for the writer, and
 * passes from one process to the next.
 *
 * Native byte order and layout: it never leaves the machine.  A record that comes from another
 * process is checked whole before it is believed.  Those of the versions before, which older
 * programs left in the spill file, are read too, and become ones of this version.
 */
#ifndef KM_STORE_RECORD_H
#define KM_STORE_RECORD_H

#include "store/ledger.h"

#define KM_RECORD_VERSION 3
#define KM_RECORD_NAME_BYTES 256 /* each string but metadata is cut here */
#define KM_RECORD_METADATA_BYTES 4096
#define KM_RECORD_ATTEMPTS_BYTES 4096
/* Who makes it bounds it, it is never cut: a text, and what each of it pays. */
#define KM_RECORD_PAYERS_BYTES (4096 + 2048)

#define KM_RECORD_AUDIT_BYTES (16 * 1024) /* of an audit record, all of it */

enum km_record_kind {
    KM_RECORD_VOID,
    KM_RECORD_INTENT,
    KM_RECORD_SETTLED,
    KM_RECORD_AUDIT,
    KM_RECORD_PROGRESS, /* a later state of what an intent says */
};

/* The strings in the order of their bytes; those of the route first. */
enum km_record_string {
    KM_RECORD_CALL_TYPE,
    KM_RECORD_MODEL_GROUP,
    KM_RECORD_MODEL,
    KM_RECORD_DEPLOYMENT,
    KM_RECORD_PROVIDER,
    KM_RECORD_API_BASE,
    KM_RECORD_ROUTE_STRINGS,
    KM_RECORD_USER = KM_RECORD_ROUTE_STRINGS,
    KM_RECORD_METADATA,
    KM_RECORD_CLIENT_IP,
    KM_RECORD_ATTEMPTS,
    KM_RECORD_PAYERS,
    KM_RECORD_STRINGS,
    /* An audit record's, in place of them; of the numbers it has start_us alone. */
    KM_RECORD_ACTOR = 0,
    KM_RECORD_ACTION,
    KM_RECORD_TARGET,
    KM_RECORD_DETAIL,
};

struct km_record {
    uint32_t size; /* of all, a multiple of 8 */
    uint16_t version;
    uint8_t kind; /* enum km_record_kind */
    uint8_t alone; /* SETTLED whose intent was never handed to the writer; INTENT in the index */
    uint16_t len[KM_RECORD_STRINGS];
    uint16_t status;
    uint16_t attempt;
    uint32_t flags;
    struct km_uuid id;
    uint8_t key_hash[32];
    int64_t start_us, first_us, end_us;
    int64_t prompt_tokens, completion_tokens, cached_tokens;
    int64_t reserved, cost, deadline_us;
    km_store_done_fn *done; /* NULL: nobody waits.  Never crosses processes */
    void *ctx;
    char text[];
};

/* Bytes a record of this entry takes. */
size_t km_record_size(const struct km_ledger_entry *e);
/* Writes size bytes (of km_record_size) to an 8-aligned place. */
void km_record_write(struct km_record *r, size_t size, const struct km_ledger_entry *e,
                     enum km_record_kind kind);
/* Another state of the call of a record: all but who called what, and its attempts. */
void km_record_renumber(struct km_record *r, const struct km_ledger_entry *e,
                        enum km_record_kind kind);
/* The same of an audit record; the size may be over KM_RECORD_AUDIT_BYTES, and then it is none. */
size_t km_record_audit_size(const struct km_audit *a);
void km_record_audit_write(struct km_record *r, size_t size, const struct km_audit *a,
                           int64_t at_us);
struct km_audit km_record_audit(const struct km_record *r); /* points into it */
/* Is it one whole, well-formed record of this version?  bytes need not be aligned. */
bool km_record_valid(struct km_str bytes);
/* The whole record that the bytes begin with, of this version or one before: appended to out
 * (8-aligned, as all before it) as one of this version.  *ret_n: how many bytes it was; 0: there is
 * none, or no memory (km_buf_failed()). */
void km_record_read(struct km_str bytes, struct km_buf *out, size_t *ret_n);

/* Bytes of all strings before the given one: its place in text. */
size_t km_record_offset(const struct km_record *r, enum km_record_string s);
static inline struct km_str km_record_text(const struct km_record *r, enum km_record_string s)
{
    return km_str(r->text + km_record_offset(r, s), r->len[s]);
}

/* The entry back; its strings point into the record. */
void km_record_entry(const struct km_record *r, struct km_ledger_entry *ret_entry);

#endif
