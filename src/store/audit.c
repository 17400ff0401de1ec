/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - see audit.h for the contract.
 *
 *     hash(n) = SHA-256( hash(n-1) | seq | at_us | actor | action | target | detail )
 *
 * Numbers are eight bytes, big end first; a string is four bytes of length and its bytes, so no
 * two different records have the same bytes.  The first record's hash(n-1) is zero.
 */
#include "store/audit.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/time.h"
#include "store/reader.h"
#include "store/record.h"
#include "store/statements.h"

static void put_be(char *out, uint64_t v, size_t n)
{
    for (size_t i = n; i-- > 0; v >>= 8)
        out[i] = (char)(v & 0xff);
}

static void hash_of(struct km_str prev, int64_t seq, int64_t at_us, const struct km_audit *a,
                    uint8_t out[32])
{
    const struct km_str texts[] = { a->actor, a->action, a->target, a->detail };
    struct km_str parts[10];
    char numbers[16], lengths[4][4];
    size_t n = 0;

    put_be(numbers, (uint64_t)seq, 8);
    put_be(numbers + 8, (uint64_t)at_us, 8);
    parts[n++] = prev;
    parts[n++] = km_str(numbers, sizeof numbers);
    for (size_t i = 0; i < 4; i++) {
        put_be(lengths[i], texts[i].n, sizeof lengths[i]);
        parts[n++] = km_str(lengths[i], sizeof lengths[i]);
        parts[n++] = texts[i];
    }
    km_sha256_parts(parts, n, out);
}

/* --- what was gathered, as a table --- */

static const void *gathered(const void *from, size_t i)
{
    const struct km_audit_chain *c = from;

    return i < c->n ? &c->rows[i] : NULL;
}

static struct km_value value(const void *from, unsigned column)
{
    const struct km_audit_row *row = from;

    switch (column) {
    case 0:
        return km_value_i64(row->seq);
    case 1:
        return km_value_i64(row->rec->start_us);
    case 6:
        return km_value_blob(row->prev, sizeof row->prev);
    case 7:
        return km_value_blob(row->hash, sizeof row->hash);
    default: /* 2 to 5 */
        return km_value_text(km_record_text(row->rec, (enum km_record_string)(column - 2)));
    }
}

static const struct km_rowset audit_rows = {
    "audit_rows", "seq, at_us, actor, action, target, detail, prev, hash", gathered, value
};

/* --- statements --- */

/* A record as it lies there. */
struct kept {
    int64_t seq, at_us;
    struct km_audit audit;
    struct km_str prev, hash;
};

struct head {
    int64_t seq;
    struct km_str hash;
};

enum { LAST, INSERT, INSERT_ROWS, ALL };

#define KEPT(member) KM_FIELD(struct kept, member)
#define KEPT_BLOB(member) KM_FIELD_AS(struct kept, member, KM_FIELD_BLOB)
#define RECORD                                                                                     \
    KM_FIELDS(KEPT(seq), KEPT(at_us), KEPT(audit.actor), KEPT(audit.action), KEPT(audit.target),   \
              KEPT(audit.detail), KEPT_BLOB(prev), KEPT_BLOB(hash))

static const struct km_statement rows[] = {
    [LAST] = { "audit.last",
               { "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1" },
               .out = KM_FIELDS(KM_FIELD(struct head, seq),
                                KM_FIELD_AS(struct head, hash, KM_FIELD_BLOB)) },
    [INSERT] = { "audit.insert",
                 { "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" },
                 .in = RECORD },
    [INSERT_ROWS] = { .name = "audit.insert_rows",
                      .sql = { "INSERT INTO audit SELECT * FROM audit_rows" } },
    [ALL] = { "audit.all",
              { "SELECT seq, at_us, actor, action, target, detail, prev, hash FROM audit"
                " ORDER BY seq" },
              .out = RECORD },
};
const struct km_statements km_audit_statements = KM_STATEMENTS(rows);

int km_audit_chain_init(struct km_audit_chain *c, struct km_db *db, struct km_err *err)
{
    struct km_ready **const ready[] = { [LAST] = &c->last,
                                        [INSERT] = &c->insert,
                                        [INSERT_ROWS] = &c->insert_rows };
    int r;

    *c = (struct km_audit_chain){ .rows = calloc(KM_AUDIT_ROWS, sizeof *c->rows) };
    if (!c->rows)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    r = db->driver->show(db, &audit_rows, c, err);
    for (size_t i = 0; r == 0 && i < sizeof ready / sizeof ready[0]; i++)
        r = km_db_ready(db, &rows[i], ready[i], err);
    return r;
}

void km_audit_chain_done(struct km_audit_chain *c)
{
    km_ready_done(&c->last);
    km_ready_done(&c->insert);
    km_ready_done(&c->insert_rows);
    free(c->rows);
    c->rows = NULL;
}

/* --- the end of the chain --- */

void km_audit_chain_forget(struct km_audit_chain *c)
{
    c->known = false;
    c->n = 0;
}

static int know(struct km_audit_chain *c, struct km_err *err)
{
    struct head head;
    enum km_row got = KM_ROW_END;
    int r;

    km_ready_ask(c->last, NULL);
    r = km_ready_next(c->last, &head, &got, err);
    c->seq = 0;
    memset(c->hash, 0, sizeof c->hash);
    if (r == 0 && got) {
        c->seq = head.seq;
        if (head.hash.n == sizeof c->hash)
            memcpy(c->hash, head.hash.p, sizeof c->hash);
    }
    km_ready_rest(c->last);
    c->known = r == 0;
    return r;
}

int km_audit_gather(struct km_audit_chain *c, const struct km_record *rec, struct km_err *err)
{
    const struct km_audit audit = km_record_audit(rec);
    struct km_audit_row *row;
    int r = c->known ? 0 : know(c, err);

    if (r == 0 && c->n == KM_AUDIT_ROWS)
        r = km_audit_flush(c, err);
    if (r < 0)
        return r;
    row = &c->rows[c->n++];
    row->rec = rec;
    row->seq = ++c->seq;
    memcpy(row->prev, c->hash, sizeof row->prev);
    hash_of(km_str((const char *)row->prev, sizeof row->prev), row->seq, rec->start_us, &audit,
            row->hash);
    memcpy(c->hash, row->hash, sizeof c->hash);
    return 0;
}

int km_audit_flush(struct km_audit_chain *c, struct km_err *err)
{
    int r = c->n ? km_ready_run(c->insert_rows, NULL, NULL, err) : 0;

    c->n = 0;
    return r;
}

int km_audit_append(struct km_audit_chain *c, const struct km_audit *audit, int64_t at_us,
                    struct km_err *err)
{
    struct kept row = { .at_us = at_us, .audit = *audit };
    uint8_t hash[32];
    int r = km_audit_flush(c, err);

    if (r == 0 && !c->known)
        r = know(c, err);
    if (r < 0)
        return r;
    row.seq = c->seq + 1;
    row.prev = km_str((const char *)c->hash, sizeof c->hash);
    row.hash = km_str((const char *)hash, sizeof hash);
    hash_of(row.prev, row.seq, at_us, audit, hash);
    r = km_ready_run(c->insert, &row, NULL, err);
    c->known = r == 0;
    if (r < 0)
        return r;
    c->seq++;
    memcpy(c->hash, hash, sizeof hash);
    return 0;
}

static bool link_holds(const struct kept *row, int64_t seq, struct km_str prev)
{
    uint8_t hash[32];

    hash_of(prev, seq, row->at_us, &row->audit, hash);
    return row->seq == seq && km_str_eq(row->prev, prev) &&
           km_str_eq(row->hash, km_str((const char *)hash, 32));
}

static int verify(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct kept row;
    uint8_t head[32] = { 0 };
    char hex[65];
    int64_t n = 0;
    bool ok = true;
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[ALL], NULL, &list, err);

    (void)query;
    while (ok && r == 0 && (r = km_ready_next(list, &row, &got, err)) == 0 && got) {
        ok = link_holds(&row, n + 1, km_str((const char *)head, 32));
        if (!ok)
            break;
        memcpy(head, row.hash.p, 32);
        n++;
    }
    if (r < 0)
        return r;
    km_hex(hex, head, 32);
    km_buf_printf(out, "{\"ok\":%s,\"records\":%lld,", ok ? "true" : "false", (long long)n);
    if (!ok)
        km_buf_printf(out, "\"broken_at\":%lld,", (long long)n + 1);
    km_buf_printf(out, "\"head\":\"%s\"}", hex);
    return 0;
}

void km_store_audit_verify(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                           void *ctx)
{
    km_reader_ask(store, reply, verify, NULL, 0, fn, ctx);
}
