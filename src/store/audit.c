/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - see audit.h for the contract.
 *
 *     hash(n) = SHA-256( hash(n-1) | seq | at_us | actor | action | target | detail )
 *
 * Numbers are eight bytes, big end first; a string is four bytes of length and its bytes, so no
 * two different records have the same bytes.  The first record's hash(n-1) is zero.
 */
#include "store/audit.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "base/time.h"
#include "store/db.h"
#include "store/reader.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MOST 10000

static void add_u64(struct km_buf *b, uint64_t v)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        km_buf_byte(b, (char)(v >> shift & 0xff));
}

static void add_str(struct km_buf *b, struct km_str s)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        km_buf_byte(b, (char)(s.n >> shift & 0xff));
    km_buf_str(b, s);
}

static int hash_of(struct km_str prev, int64_t seq, int64_t at_us, const struct km_audit *a,
                   uint8_t out[32], struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16u << 20);

    km_buf_str(&b, prev);
    add_u64(&b, (uint64_t)seq);
    add_u64(&b, (uint64_t)at_us);
    add_str(&b, a->actor);
    add_str(&b, a->action);
    add_str(&b, a->target);
    add_str(&b, a->detail);
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "audit: the record is too large");
    km_sha256(km_buf_view(&b), out);
    return 0;
}

static int last(sqlite3 *db, int64_t *ret_seq, uint8_t ret_hash[32], struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_db_prepare(db, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", &s, err);

    if (r == 0)
        r = km_db_next(s, &row, err);
    if (r < 0 || !row)
        return r;
    *ret_seq = sqlite3_column_int64(s, 0);
    if (km_db_blob(s, 1).n == 32)
        memcpy(ret_hash, km_db_blob(s, 1).p, 32);
    return 0;
}

int km_audit_append(sqlite3 *db, const struct km_audit *audit, int64_t at_us, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t prev[32] = { 0 }, hash[32];
    int64_t seq = 0;
    int r = last(db, &seq, prev, err);

    if (r == 0)
        r = hash_of(km_str((const char *)prev, 32), seq + 1, at_us, audit, hash, err);
    if (r == 0)
        r = km_db_prepare(db, "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", &s, err);
    if (r < 0)
        return r;
    sqlite3_bind_int64(s, 1, seq + 1);
    sqlite3_bind_int64(s, 2, at_us);
    km_db_bind_text(s, 3, audit->actor);
    km_db_bind_text(s, 4, audit->action);
    km_db_bind_text(s, 5, audit->target);
    km_db_bind_text(s, 6, audit->detail);
    km_db_bind_blob(s, 7, prev, 32);
    km_db_bind_blob(s, 8, hash, 32);
    return km_db_run(s, err);
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

    return sqlite3_column_int64(s, 0) == seq && km_str_eq(km_db_blob(s, 6), prev) &&
           hash_of(prev, seq, sqlite3_column_int64(s, 1), &a, hash, NULL) == 0 &&
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
