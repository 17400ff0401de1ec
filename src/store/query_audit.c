/* SPDX-License-Identifier: Apache-2.0 */
/* query_audit.c - which records of the audit chain fit a question (audit.h: km_store_audit_find).
 *
 *     oldest ................ from ===== looked at ===== to / before ...... newest
 *                              <──────────── a page ends here, or there
 *
 * The chain has no index but its number, for it is written with every call of a tool and read
 * seldom.  Numbers follow time but for the length of a call, so the ends of a range of time are
 * found by halving, with a day to spare, and what lies between is walked from its newest end.  One
 * question walks so many records and says where to go on: no question keeps a reader busy for
 * minutes, however long the chain is.
 *
 * An actor is "key:" and the first digits of a key's hash; which alias and user that is today is
 * put beside it.
 */
#include "base/encode.h"
#include "base/time.h"
#include "store/audit.h"
#include "store/inside.h"
#include "store/op.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/writer.h"

#define SLACK_US ((int64_t)86400 * 1000000)
#define WHO_DIGITS 8 /* of a hash, in an actor */

/* The query with its words in one block, so that it can be copied to the reader. */
struct asked {
    int64_t seq, before, from_us, to_us, limit;
    bool impossible; /* a word is longer than any that is kept */
    char key[KM_AUDIT_WORD + 1], user[KM_AUDIT_WORD + 1], action[KM_AUDIT_WORD + 1];
    char server[KM_AUDIT_WORD + 1], tool[KM_AUDIT_WORD + 1], outcome[KM_AUDIT_WORD + 1];
};

/* What the statement is asked by. */
struct range {
    int64_t above, before, from_us, to_us, limit;
    struct km_str key, short_key, user, action, server, tool, outcome;
};

struct found {
    int64_t seq, at_us;
    struct km_str actor, alias, user, action, target, detail, hash;
};

struct at {
    int64_t seq, at_us;
};

enum { FIND, AT_MOST };

#define RANGE(member) KM_FIELD(struct range, member)
#define FOUND(member) KM_FIELD(struct found, member)

/* ?6 to ?12 are words, '' where nothing is asked. */
static const struct km_statement statements[] = {
    [FIND] = { "audit.find",
               { "WITH named AS MATERIALIZED"
                 " (SELECT 'key:' || substr(lower(hex(hash)), 1, 8) AS who, min(alias) AS alias,"
                 " min(user_id) AS user_id FROM keys GROUP BY 1)"
                 " SELECT a.seq, a.at_us, a.actor, coalesce(n.alias, ''), coalesce(n.user_id, ''),"
                 " a.action, a.target, a.said, a.hash"
                 " FROM (SELECT *, CASE WHEN json_valid(detail) THEN detail ELSE '{}' END AS said"
                 " FROM audit) a LEFT JOIN named n ON n.who = substr(a.actor, 1, 12)"
                 " WHERE a.seq > ?1 AND a.seq < ?2 AND a.at_us >= ?3 AND a.at_us < ?4"
                 " AND (?6 = '' OR a.actor = ?6 OR n.alias = ?6 OR substr(a.actor, 1, 12) = ?7)"
                 " AND (?8 = '' OR n.user_id = ?8 OR a.said ->> '$.subject' = ?8"
                 " OR a.said ->> '$.requestedBy' = ?8)"
                 " AND (?9 = '' OR a.action = ?9"
                 " OR substr(a.action, 1, length(?9) + 1) = ?9 || '.')"
                 " AND (?10 = '' OR a.said ->> '$.server' = ?10"
                 " OR (a.target = ?10 AND substr(a.action, 1, 4) = 'mcp.'))"
                 " AND (?11 = '' OR a.said ->> '$.tool' = ?11 OR a.target = ?11)"
                 " AND (?12 = '' OR a.said ->> '$.outcome' = ?12)"
                 " ORDER BY a.seq DESC LIMIT ?5" },
               .in = KM_FIELDS(RANGE(above), RANGE(before), RANGE(from_us), RANGE(to_us),
                               RANGE(limit), RANGE(key), RANGE(short_key), RANGE(user),
                               RANGE(action), RANGE(server), RANGE(tool), RANGE(outcome)),
               .out = KM_FIELDS(FOUND(seq), FOUND(at_us), FOUND(actor), FOUND(alias), FOUND(user),
                                FOUND(action), FOUND(target), FOUND(detail),
                                KM_FIELD_AS(struct found, hash, KM_FIELD_BLOB)) },
    [AT_MOST] = { "audit.at_most",
                  { "SELECT seq, at_us FROM audit WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1" },
                  .in = KM_FIELDS(KM_FIELD(struct at, seq)),
                  .out = KM_FIELDS(KM_FIELD(struct at, seq), KM_FIELD(struct at, at_us)) },
};
const struct km_statements km_query_audit_statements = KM_STATEMENTS(statements);

/* --- between which numbers --- */

/* The last record with a number of at most this; seq 0: there is none. */
static int at_most(struct km_ready *s, int64_t seq, struct at *ret, struct km_err *err)
{
    const struct at asked = { seq, 0 };
    enum km_row got = KM_ROW_END;
    int r;

    *ret = (struct at){ 0 };
    km_ready_ask(s, &asked);
    r = km_ready_next(s, ret, &got, err);
    km_ready_rest(s);
    if (r == 0 && !got)
        *ret = (struct at){ 0 };
    return r;
}

/* The largest number whose record is older than us; 0: none is. */
static int older_than(struct km_ready *s, int64_t us, int64_t last, int64_t *ret,
                      struct km_err *err)
{
    int64_t low = 0, high = last;
    int r = 0;

    while (r == 0 && low < high) {
        struct at at;
        int64_t middle = low + (high - low + 1) / 2;

        r = at_most(s, middle, &at, err);
        if (at.seq && at.at_us >= us)
            high = at.seq - 1;
        else
            low = middle;
    }
    *ret = low;
    return r;
}

static int ends_of(struct km_db *db, const struct asked *a, struct range *range, struct km_err *err)
{
    struct km_ready *s KM_CLEANUP(km_ready_done) = NULL;
    struct at last = { 0 };
    int64_t below = 0;
    int r = km_db_ready(db, &statements[AT_MOST], &s, err);

    if (r == 0)
        r = at_most(s, INT64_MAX, &last, err);
    range->before = last.seq + 1;
    if (a->before && a->before < range->before)
        range->before = a->before;
    if (r == 0 && a->from_us)
        r = older_than(s, a->from_us - SLACK_US, last.seq, &range->above, err);
    if (r == 0 && a->to_us) {
        r = older_than(s, a->to_us < INT64_MAX - SLACK_US ? a->to_us + SLACK_US : INT64_MAX,
                       last.seq, &below, err);
        if (below + 1 < range->before)
            range->before = below + 1;
    }
    if (a->seq) {
        range->above = a->seq - 1;
        range->before = a->seq + 1;
    }
    return r;
}

/* --- the answer --- */

static void add_text(struct km_buf *out, const char *name, struct km_str v)
{
    km_buf_printf(out, ",\"%s\":", name);
    km_buf_json(out, v);
}

static void add_record(const struct found *f, struct km_buf *out)
{
    char at[KM_TIME_ISO_LEN + 1], hex[65] = "";

    km_time_iso(f->at_us, at);
    if (f->hash.n == 32)
        km_hex(hex, f->hash.p, 32);
    km_buf_printf(out, "{\"seq\":%lld,\"at\":\"%s\"", (long long)f->seq, at);
    add_text(out, "actor", f->actor);
    add_text(out, "key_alias", f->alias);
    add_text(out, "user_id", f->user);
    add_text(out, "action", f->action);
    add_text(out, "target", f->target);
    km_buf_str(out, KM_STR(",\"detail\":"));
    km_buf_str(out, f->detail.n ? f->detail : KM_STR("{}"));
    km_buf_printf(out, ",\"hash\":\"%s\"}", hex);
}

/* Records of one stretch of numbers; *ret_next: below which there may be more, 0: nowhere. */
static int walk(struct km_db *db, const struct range *range, struct km_buf *out, int64_t *ret_next,
                struct km_err *err)
{
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct found found = { .seq = 0 };
    enum km_row got = KM_ROW_END;
    int64_t n = 0;
    int r = km_db_ask(db, &statements[FIND], range, &list, err);

    while (r == 0 && (r = km_ready_next(list, &found, &got, err)) == 0 && got) {
        km_buf_str(out, n++ ? KM_STR(",") : KM_STR_NONE);
        add_record(&found, out);
        *ret_next = found.seq;
    }
    if (n < range->limit)
        *ret_next = range->above + 1;
    return r;
}

static struct range range_of(const struct asked *a)
{
    return (struct range){ .from_us = a->from_us,
                           .to_us = a->to_us ? a->to_us : INT64_MAX,
                           .limit = a->limit,
                           .key = km_str_c(a->key),
                           .user = km_str_c(a->user),
                           .action = km_str_c(a->action),
                           .server = km_str_c(a->server),
                           .tool = km_str_c(a->tool),
                           .outcome = km_str_c(a->outcome) };
}

/* "key:1a2b3c4d" of a hash or its beginning; as it is otherwise. */
static void shorten(struct km_str key, char out[4 + WHO_DIGITS + 1])
{
    struct km_str digits = km_str_starts(key, KM_STR("key:")) ? km_str_skip(key, 4) : key;
    size_t n = 0;

    while (n < digits.n && strchr("0123456789abcdefABCDEF", digits.p[n]))
        n++;
    memcpy(out, "key:", 5);
    if (n == digits.n && n >= WHO_DIGITS)
        for (size_t i = 0; i < WHO_DIGITS; i++)
            out[4 + i] = (char)(digits.p[i] | 0x20); /* lower case; digits have the bit */
    out[4 + (n == digits.n && n >= WHO_DIGITS ? WHO_DIGITS : 0)] = 0;
}

static int find(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    struct asked a = *(const struct asked *)query;
    char short_key[4 + WHO_DIGITS + 1];
    struct range range = range_of(&a);
    int64_t lowest, next = 0;
    int r = ends_of(db, &a, &range, err);

    shorten(range.key, short_key);
    range.short_key = km_str_c(short_key);
    lowest = range.above;
    if (range.before - range.above > KM_AUDIT_LOOK)
        range.above = range.before - 1 - KM_AUDIT_LOOK;
    km_buf_str(out, KM_STR("{\"records\":["));
    if (r == 0 && !a.impossible)
        r = walk(db, &range, out, &next, err);
    if (next > lowest + 1)
        km_buf_printf(out, "],\"next\":%lld}", (long long)next);
    else
        km_buf_str(out, KM_STR("],\"next\":null}"));
    return r;
}

/* --- asking --- */

/* What was recorded before the question belongs in the answer: the question first goes through the
 * writer's queue as an operation that does nothing. */
struct question {
    struct km_op op;
    struct km_store *store;
    km_store_json_fn *fn;
    void *ctx;
    struct asked asked;
};

/* A store that cannot be written can still be read. */
static void on_written(void *ctx, const struct km_err *err)
{
    struct question *q = ctx;

    (void)err;
    km_reader_ask(q->store, q->op.reply, find, &q->asked, sizeof q->asked, q->fn, q->ctx);
}

static void keep(struct asked *a, char out[KM_AUDIT_WORD + 1], struct km_str word)
{
    if (word.n > KM_AUDIT_WORD)
        a->impossible = true;
    else if (word.n)
        memcpy(out, word.p, word.n);
}

void km_store_audit_find(struct km_store *store, struct km_mailbox *reply,
                         const struct km_audit_query *query, km_store_json_fn *fn, void *ctx)
{
    struct question *q = km_op_new(sizeof *q, 0, km_op_nothing);
    struct asked *a;

    km_assert(q != NULL); /* without it the caller could never be answered */
    km_op_tell(&q->op, reply, on_written, q);
    q->store = store;
    q->fn = fn;
    q->ctx = ctx;
    a = &q->asked;
    *a = (struct asked){ .seq = query->seq,
                         .before = query->before,
                         .from_us = query->from_us,
                         .to_us = query->to_us,
                         .limit = query->limit };
    if (a->limit <= 0 || a->limit > KM_AUDIT_PAGE)
        a->limit = KM_AUDIT_PAGE;
    keep(a, a->key, query->key);
    keep(a, a->user, query->user);
    keep(a, a->action, query->action);
    keep(a, a->server, query->server);
    keep(a, a->tool, query->tool);
    keep(a, a->outcome, query->outcome);
    km_writer_submit(store->writer, &q->op);
}
