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
#include "store/batch.h"
#include "store/reader.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MOST 10000

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

static void column(sqlite3_context *c, const void *from, int number)
{
    const struct km_audit_row *row = from;
    struct km_str text;

    switch (number) {
    case 0:
        sqlite3_result_int64(c, row->seq);
        break;
    case 1:
        sqlite3_result_int64(c, row->rec->start_us);
        break;
    case 6:
        sqlite3_result_blob(c, row->prev, sizeof row->prev, SQLITE_STATIC);
        break;
    case 7:
        sqlite3_result_blob(c, row->hash, sizeof row->hash, SQLITE_STATIC);
        break;
    default: /* 2 to 5 */
        text = km_record_text(row->rec, (enum km_record_string)(number - 2));
        sqlite3_result_text64(c, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
        break;
    }
}

int km_audit_chain_init(struct km_audit_chain *c, sqlite3 *db, struct km_err *err)
{
    const struct km_batch_source source = {
        c, gathered, column,
        "CREATE TABLE x (seq, at_us, actor, action, target, detail, prev, hash)"
    };
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        { &c->last, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1" },
        { &c->insert, "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" },
        { &c->insert_rows, "INSERT INTO audit SELECT * FROM audit_rows" },
    };
    int r;

    *c = (struct km_audit_chain){ .rows = calloc(KM_AUDIT_ROWS, sizeof *c->rows) };
    if (!c->rows)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    r = km_batch_table(db, "audit_rows", &source, err);
    for (size_t i = 0; r == 0 && i < sizeof all / sizeof all[0]; i++)
        r = km_db_prepare(db, all[i].sql, all[i].statement, err);
    return r;
}

void km_audit_chain_done(struct km_audit_chain *c)
{
    km_db_finalize(&c->last);
    km_db_finalize(&c->insert);
    km_db_finalize(&c->insert_rows);
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
    bool row = false;
    int r = km_db_next(c->last, &row, err);

    c->seq = 0;
    memset(c->hash, 0, sizeof c->hash);
    if (r == 0 && row) {
        c->seq = sqlite3_column_int64(c->last, 0);
        if (km_db_blob(c->last, 1).n == sizeof c->hash)
            memcpy(c->hash, km_db_blob(c->last, 1).p, sizeof c->hash);
    }
    sqlite3_reset(c->last);
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
    int r = c->n ? km_db_run(c->insert_rows, err) : 0;

    c->n = 0;
    return r;
}

int km_audit_append(struct km_audit_chain *c, const struct km_audit *audit, int64_t at_us,
                    struct km_err *err)
{
    sqlite3_stmt *s = c->insert;
    uint8_t hash[32];
    int r = km_audit_flush(c, err);

    if (r == 0 && !c->known)
        r = know(c, err);
    if (r < 0)
        return r;
    hash_of(km_str((const char *)c->hash, 32), c->seq + 1, at_us, audit, hash);
    sqlite3_bind_int64(s, 1, c->seq + 1);
    sqlite3_bind_int64(s, 2, at_us);
    km_db_bind_text(s, 3, audit->actor);
    km_db_bind_text(s, 4, audit->action);
    km_db_bind_text(s, 5, audit->target);
    km_db_bind_text(s, 6, audit->detail);
    km_db_bind_blob(s, 7, c->hash, 32);
    km_db_bind_blob(s, 8, hash, 32);
    r = km_db_run(s, err);
    c->known = r == 0;
    if (r < 0)
        return r;
    c->seq++;
    memcpy(c->hash, hash, sizeof hash);
    return 0;
}

/* The row's own words; valid until the next step. */
static struct km_audit audit_of(sqlite3_stmt *s)
{
    return (struct km_audit){ .actor = km_db_text(s, 2),
                              .action = km_db_text(s, 3),
                              .target = km_db_text(s, 4),
                              .detail = km_db_text(s, 5) };
}

static const char columns[] =
    "SELECT seq, at_us, actor, action, target, detail, prev, hash FROM audit"
    " WHERE seq > ?1 ORDER BY seq LIMIT ?2";

static bool link_holds(sqlite3_stmt *s, int64_t seq, struct km_str prev)
{
    const struct km_audit a = audit_of(s);
    uint8_t hash[32];

    hash_of(prev, seq, sqlite3_column_int64(s, 1), &a, hash);
    return sqlite3_column_int64(s, 0) == seq && km_str_eq(km_db_blob(s, 6), prev) &&
           km_str_eq(km_db_blob(s, 7), km_str((const char *)hash, 32));
}

static int verify(sqlite3 *db, const void *query, struct km_buf *out, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t head[32] = { 0 };
    char hex[65];
    int64_t n = 0;
    bool row = false, ok = true;
    int r = km_db_prepare(db, columns, &s, err);

    (void)query;
    if (r < 0)
        return r;
    sqlite3_bind_int64(s, 1, 0);
    sqlite3_bind_int64(s, 2, -1);
    while (ok && (r = km_db_next(s, &row, err)) == 0 && row) {
        ok = link_holds(s, n + 1, km_str((const char *)head, 32));
        if (!ok)
            break;
        memcpy(head, km_db_blob(s, 7).p, 32);
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

struct page {
    int64_t after;
    size_t limit;
};

static void add_record(sqlite3_stmt *s, struct km_buf *out)
{
    const struct km_audit a = audit_of(s);
    char at[KM_TIME_ISO_LEN + 1], hex[65] = "";

    km_time_iso(sqlite3_column_int64(s, 1), at);
    if (km_db_blob(s, 7).n == 32)
        km_hex(hex, km_db_blob(s, 7).p, 32);
    km_buf_printf(
        out, "{\"seq\":%lld,\"at\":\"%s\",\"actor\":", (long long)sqlite3_column_int64(s, 0), at);
    km_buf_json(out, a.actor);
    km_buf_str(out, KM_STR(",\"action\":"));
    km_buf_json(out, a.action);
    km_buf_str(out, KM_STR(",\"target\":"));
    km_buf_json(out, a.target);
    km_buf_str(out, KM_STR(",\"detail\":"));
    km_buf_str(out, a.detail.n ? a.detail : KM_STR("{}"));
    km_buf_printf(out, ",\"hash\":\"%s\"}", hex);
}

static int list(sqlite3 *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct page *page = query;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false, first = true;
    int r = km_db_prepare(db, columns, &s, err);

    if (r < 0)
        return r;
    sqlite3_bind_int64(s, 1, page->after);
    sqlite3_bind_int64(s, 2, (int64_t)page->limit);
    km_buf_byte(out, '[');
    while ((r = km_db_next(s, &row, err)) == 0 && row) {
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        add_record(s, out);
    }
    km_buf_byte(out, ']');
    return r;
}

void km_store_audit_verify(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                           void *ctx)
{
    km_reader_ask(store, reply, verify, NULL, 0, fn, ctx);
}

void km_store_audit_list(struct km_store *store, struct km_mailbox *reply, int64_t after,
                         size_t limit, km_store_json_fn *fn, void *ctx)
{
    struct page page = { .after = after, .limit = limit ? limit : LIMIT_DEFAULT };

    if (page.limit > LIMIT_MOST)
        page.limit = LIMIT_MOST;
    km_reader_ask(store, reply, list, &page, sizeof page, fn, ctx);
}
