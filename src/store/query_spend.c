/* SPDX-License-Identifier: Apache-2.0 */
/* query_spend.c - what /spend/logs answers (store.h: km_store_spend_logs).
 *
 * Rows have LiteLLM's shape; the summary a day has its shape too.  There is no secondary index
 * on the hot table, and none is needed: its key is a UUIDv7, which begins with the time of the
 * call in milliseconds, so a range of time is a range of keys.  A call's id is made when it
 * arrives and its start is measured then too; a minute of slack covers clocks that were set.
 *
 * Money is written as a decimal number with all nine places of nano-USD that are not zero: a
 * reader that adds these numbers as decimals gets exactly what the budgets hold.
 */
#include <stdio.h>
#include "base/encode.h"
#include "base/time.h"
#include "store/db.h"
#include "store/inside.h"
#include "store/reader.h"
#include "store/writer.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MOST 10000
#define SLACK_MS 60000
#define DAY_US (86400 * (int64_t)1000000)
#define DAYS_MOST 3660

/* The query with its strings in one block, so that it can be copied to the reader. */
struct asked {
    bool by_key, by_id, impossible;
    uint8_t key_hash[32];
    struct km_uuid id;
    int64_t from_us, to_us;
    size_t limit, offset;
    size_t user_n;
    char user[256];
};

static void add_money(struct km_buf *out, int64_t nano)
{
    char text[40];
    size_t n;

    km_buf_printf(out, "%s%lld", nano < 0 ? "-" : "",
                  (long long)(nano < 0 ? -(nano / 1000000000) : nano / 1000000000));
    nano %= 1000000000;
    if (nano == 0)
        return;
    n = (size_t)snprintf(text, sizeof text, ".%09lld", (long long)(nano < 0 ? -nano : nano));
    while (text[n - 1] == '0')
        n--;
    km_buf_bytes(out, text, n);
}

static void add_text(struct km_buf *out, const char *name, struct km_str v)
{
    km_buf_printf(out, "\"%s\":", name);
    km_buf_json(out, v);
    km_buf_byte(out, ',');
}

static void add_time(struct km_buf *out, const char *name, bool set, int64_t us)
{
    char text[KM_TIME_ISO_LEN + 1];

    if (!set) {
        km_buf_printf(out, "\"%s\":null,", name);
        return;
    }
    km_time_iso(us, text);
    km_buf_printf(out, "\"%s\":\"%s\",", name, text);
}

/* JSON that was stored as text, or what stands for none. */
static void add_json(struct km_buf *out, const char *name, struct km_str v, const char *none)
{
    km_buf_printf(out, "\"%s\":", name);
    km_buf_str(out, v.n ? v : km_str_c(none));
    km_buf_byte(out, ',');
}

enum {
    ID,
    HASH,
    COST,
    PROMPT,
    COMPLETION,
    CACHED,
    START,
    FIRST,
    DURATION,
    CALL_TYPE,
    MODEL,
    GROUP,
    DEPLOYMENT,
    PROVIDER,
    API_BASE,
    STATUS,
    FLAGS,
    END_USER,
    METADATA,
    TAGS,
    CLIENT_IP,
    USER_ID,
    TEAM_ID,
    ALIAS
};

static const char rows_sql[] =
    "SELECT s.id, i.hash, s.cost, s.prompt_tokens, s.completion_tokens, s.cached_tokens,"
    " s.start_us, s.first_us, s.duration_us, r.call_type, r.model, r.model_group, r.deployment,"
    " r.provider, r.api_base, s.status, s.flags, coalesce(s.user, ''), "
    " CASE WHEN json_valid(s.metadata) THEN s.metadata ELSE '' END,"
    " CASE WHEN json_valid(s.metadata) THEN coalesce(s.metadata -> '$.tags', '') ELSE '' END,"
    " coalesce(s.client_ip, ''), coalesce(k.user_id, ''), coalesce(k.team_id, ''),"
    " coalesce(k.alias, '')"
    " FROM spend s JOIN key_ids i ON i.id = s.key JOIN routes r ON r.id = s.route"
    " LEFT JOIN keys k ON k.hash = i.hash"
    " WHERE s.id >= ?1 AND s.id <= ?2 AND s.start_us >= ?3 AND s.start_us < ?4"
    " AND (?5 IS NULL OR i.hash = ?5) AND (?6 IS NULL OR k.user_id = ?6)"
    " ORDER BY s.id DESC LIMIT ?7 OFFSET ?8";

static void add_flags(struct km_buf *out, int64_t flags)
{
    km_buf_printf(out, "\"cache_hit\":\"%s\",", flags & KM_CALL_CACHE_HIT ? "True" : "False");
    km_buf_printf(
        out, "\"stream\":%s,\"estimated\":%s,\"unpriced\":%s,\"incomplete\":%s,",
        flags & KM_CALL_STREAM ? "true" : "false", flags & KM_CALL_ESTIMATED ? "true" : "false",
        flags & KM_CALL_UNPRICED ? "true" : "false", flags & KM_CALL_INCOMPLETE ? "true" : "false");
    km_buf_printf(out, "\"client_gone\":%s,\"status\":\"%s\",",
                  flags & KM_CALL_CLIENT_GONE ? "true" : "false",
                  flags & (KM_CALL_FAILED | KM_CALL_INCOMPLETE) ? "failure" : "success");
}

static void add_numbers(sqlite3_stmt *s, struct km_buf *out)
{
    int64_t prompt = sqlite3_column_int64(s, PROMPT);
    int64_t completion = sqlite3_column_int64(s, COMPLETION);
    int64_t total = prompt + completion;
    int64_t start = sqlite3_column_int64(s, START);
    bool first = sqlite3_column_type(s, FIRST) != SQLITE_NULL;
    bool ended = sqlite3_column_type(s, DURATION) != SQLITE_NULL;
    int64_t duration = sqlite3_column_int64(s, DURATION);

    km_buf_str(out, KM_STR("\"spend\":"));
    add_money(out, sqlite3_column_int64(s, COST));
    km_buf_printf(out,
                  ",\"total_tokens\":%lld,\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                  "\"cached_tokens\":%lld,\"http_status\":%d,",
                  (long long)total, (long long)prompt, (long long)completion,
                  (long long)sqlite3_column_int64(s, CACHED), sqlite3_column_int(s, STATUS));
    add_time(out, "startTime", true, start);
    add_time(out, "endTime", true, start + duration);
    add_time(out, "completionStartTime", first, start + sqlite3_column_int64(s, FIRST));
    if (ended)
        km_buf_printf(out, "\"request_duration_ms\":%lld,", (long long)(duration / 1000));
    else
        km_buf_str(out, KM_STR("\"request_duration_ms\":null,"));
}

static void add_row(sqlite3_stmt *s, struct km_buf *out)
{
    struct km_str id = km_db_blob(s, ID), hash = km_db_blob(s, HASH);
    struct km_uuid uuid = { { 0 } };
    char text[KM_UUID_LEN + 1], hex[65] = "";

    if (id.n == sizeof uuid.b)
        memcpy(uuid.b, id.p, id.n);
    if (hash.n == 32)
        km_hex(hex, hash.p, 32);
    km_uuid_text(&uuid, text);
    km_buf_printf(out, "{\"request_id\":\"%s\",\"api_key\":\"%s\",", text, hex);
    add_numbers(s, out);
    add_text(out, "call_type", km_db_text(s, CALL_TYPE));
    add_text(out, "model", km_db_text(s, MODEL));
    add_text(out, "model_id", km_db_text(s, DEPLOYMENT));
    add_text(out, "model_group", km_db_text(s, GROUP));
    add_text(out, "custom_llm_provider", km_db_text(s, PROVIDER));
    add_text(out, "api_base", km_db_text(s, API_BASE));
    add_text(out, "user", km_db_text(s, USER_ID));
    add_text(out, "team_id", km_db_text(s, TEAM_ID));
    add_text(out, "end_user", km_db_text(s, END_USER));
    add_text(out, "key_alias", km_db_text(s, ALIAS));
    add_text(out, "requester_ip_address", km_db_text(s, CLIENT_IP));
    add_json(out, "metadata", km_db_text(s, METADATA), "{}");
    add_json(out, "request_tags", km_db_text(s, TAGS), "[]");
    add_flags(out, sqlite3_column_int64(s, FLAGS));
    km_buf_str(out, KM_STR("\"cache_key\":null,\"organization_id\":null,\"session_id\":null,"
                           "\"agent_id\":null,\"mcp_namespaced_tool_name\":null,"
                           "\"messages\":{},\"response\":{},\"proxy_server_request\":{}}"));
}

/* The smallest or largest UUIDv7 of a moment. */
static void bound(int64_t us, bool upper, uint8_t out[16])
{
    int64_t ms = us / 1000 + (upper ? SLACK_MS : -SLACK_MS);

    memset(out, upper ? 0xff : 0, 16);
    if (us == 0)
        return;
    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)((uint64_t)(ms > 0 ? ms : 0) >> (40 - 8 * i) & 0xff);
}

static void bind_who(sqlite3_stmt *s, int key_at, int user_at, const struct asked *a)
{
    if (a->by_key)
        km_db_bind_blob(s, key_at, a->key_hash, sizeof a->key_hash);
    if (a->user_n)
        km_db_bind_text(s, user_at, km_str(a->user, a->user_n));
}

static int rows(sqlite3 *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct asked *a = query;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t low[16], high[16];
    bool row = false, first = true;
    int r = km_db_prepare(db, rows_sql, &s, err);

    if (r < 0)
        return r;
    bound(a->from_us, false, low);
    bound(a->to_us, true, high);
    km_db_bind_blob(s, 1, a->by_id ? a->id.b : low, 16);
    km_db_bind_blob(s, 2, a->by_id ? a->id.b : high, 16);
    sqlite3_bind_int64(s, 3, a->from_us);
    sqlite3_bind_int64(s, 4, a->to_us ? a->to_us : INT64_MAX);
    bind_who(s, 5, 6, a);
    sqlite3_bind_int64(s, 7, a->impossible ? 0 : (int64_t)a->limit);
    sqlite3_bind_int64(s, 8, (int64_t)a->offset);
    km_buf_byte(out, '[');
    while ((r = km_db_next(s, &row, err)) == 0 && row) {
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        add_row(s, out);
    }
    km_buf_byte(out, ']');
    return r;
}

/* --- a day at a time --- */

/* One statement a grouping; each gives name and spend of one day. */
static const char by_key_sql[] =
    "SELECT lower(hex(i.hash)), sum(d.cost) FROM daily d JOIN key_ids i ON i.id = d.key"
    " LEFT JOIN keys k ON k.hash = i.hash WHERE d.day = ?1"
    " AND (?2 IS NULL OR i.hash = ?2) AND (?3 IS NULL OR k.user_id = ?3) GROUP BY 1 ORDER BY 1";
static const char by_user_sql[] =
    "SELECT coalesce(k.user_id, ''), sum(d.cost) FROM daily d JOIN key_ids i ON i.id = d.key"
    " LEFT JOIN keys k ON k.hash = i.hash WHERE d.day = ?1"
    " AND (?2 IS NULL OR i.hash = ?2) AND (?3 IS NULL OR k.user_id = ?3) GROUP BY 1 ORDER BY 1";
static const char by_model_sql[] =
    "SELECT r.model, sum(d.cost) FROM daily d JOIN key_ids i ON i.id = d.key"
    " JOIN routes r ON r.id = d.route LEFT JOIN keys k ON k.hash = i.hash WHERE d.day = ?1"
    " AND (?2 IS NULL OR i.hash = ?2) AND (?3 IS NULL OR k.user_id = ?3) GROUP BY 1 ORDER BY 1";

/* "name":spend,... of one day; *total gets the sum. */
static int add_group(sqlite3_stmt *s, int64_t day, struct km_buf *out, int64_t *total,
                     struct km_err *err)
{
    bool row = false;
    int r;

    *total = 0;
    sqlite3_bind_int64(s, 1, day);
    while ((r = km_db_next(s, &row, err)) == 0 && row) {
        if (*total || out->p[out->n - 1] != '{')
            km_buf_byte(out, ',');
        km_buf_json(out, km_db_text(s, 0));
        km_buf_byte(out, ':');
        add_money(out, sqlite3_column_int64(s, 1));
        *total += sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return r;
}

static int add_day(sqlite3_stmt *s[3], int64_t day, struct km_buf *out, struct km_err *err)
{
    struct km_buf keys KM_CLEANUP(km_buf_done) = KM_BUF(KM_READER_JSON);
    char date[KM_TIME_ISO_LEN + 1];
    int64_t total = 0, ignored = 0;
    int r;

    km_time_iso(day * DAY_US, date);
    km_buf_byte(&keys, '{');
    r = add_group(s[0], day, &keys, &total, err);
    km_buf_printf(out, "{\"startTime\":\"%.10s\",\"spend\":", date);
    add_money(out, total);
    if (keys.n > 1) {
        km_buf_byte(out, ',');
        km_buf_bytes(out, keys.p + 1, keys.n - 1);
    }
    km_buf_str(out, KM_STR(",\"users\":{"));
    if (r == 0)
        r = add_group(s[1], day, out, &ignored, err);
    km_buf_str(out, KM_STR("},\"models\":{"));
    if (r == 0)
        r = add_group(s[2], day, out, &ignored, err);
    km_buf_str(out, KM_STR("}}"));
    return r;
}

/* Open ends become the first and the last day there is. */
static int days_of(sqlite3 *db, const struct asked *a, int64_t *from, int64_t *to,
                   struct km_err *err)
{
    int r = 0;

    *from = a->from_us / DAY_US;
    *to = (a->to_us - 1) / DAY_US;
    if (a->from_us == 0)
        r = km_db_int(db, "SELECT min(day) FROM daily", from, err);
    if (r == 0 && a->to_us == 0)
        r = km_db_int(db, "SELECT coalesce(max(day), -1) FROM daily", to, err);
    if (r == 0 && *to - *from >= DAYS_MOST)
        r = km_fail(err, KM_E_LIMIT, "a summary has at most %d days", DAYS_MOST);
    return r;
}

static int summary(sqlite3 *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct asked *a = query;
    static const char *const texts[] = { by_key_sql, by_user_sql, by_model_sql };
    sqlite3_stmt *s[3] = { NULL, NULL, NULL };
    int64_t from = 0, to = -1;
    int r = days_of(db, a, &from, &to, err);

    for (size_t i = 0; r == 0 && i < 3; i++) {
        r = km_db_prepare(db, texts[i], &s[i], err);
        if (r == 0)
            bind_who(s[i], 2, 3, a);
    }
    km_buf_byte(out, '[');
    for (int64_t day = from; r == 0 && !a->impossible && day <= to; day++) {
        if (day != from)
            km_buf_byte(out, ',');
        r = add_day(s, day, out, err);
    }
    km_buf_byte(out, ']');
    for (size_t i = 0; i < 3; i++)
        sqlite3_finalize(s[i]);
    return r;
}

/* --- asking --- */

/* What was settled before the question belongs in the answer, so the question first goes through
 * the writer's queue as an operation that does nothing: when it is answered, all that was
 * appended before it is committed. */
struct question {
    struct km_op op;
    struct km_store *store;
    km_reader_fn *run;
    km_store_json_fn *fn;
    void *ctx;
    struct asked asked;
};

/* A store that cannot be written can still be read. */
static void on_written(void *ctx, const struct km_err *err)
{
    struct question *q = ctx;

    (void)err;
    km_reader_ask(q->store, q->op.reply, q->run, &q->asked, sizeof q->asked, q->fn, q->ctx);
}

static void read_query(const struct km_spend_query *query, struct asked *a)
{
    *a = (struct asked){ .by_key = query->by_key,
                         .from_us = query->from_us,
                         .to_us = query->to_us,
                         .limit = query->limit ? query->limit : LIMIT_DEFAULT,
                         .offset = query->offset };
    if (a->limit > LIMIT_MOST)
        a->limit = LIMIT_MOST;
    memcpy(a->key_hash, query->key_hash, sizeof a->key_hash);
    /* What cannot be a row's id or a key's owner matches no row, as any other unknown one. */
    if (query->request_id.n) {
        a->by_id = true;
        a->impossible = km_uuid_parse(query->request_id, &a->id) < 0;
    }
    if (query->user_id.n > sizeof a->user) {
        a->impossible = true;
    } else if (query->user_id.n) {
        memcpy(a->user, query->user_id.p, query->user_id.n);
        a->user_n = query->user_id.n;
    }
}

void km_store_spend_logs(struct km_store *store, struct km_mailbox *reply,
                         const struct km_spend_query *query, km_store_json_fn *fn, void *ctx)
{
    struct question *q = km_op_new(sizeof *q, 0, km_op_nothing);

    km_assert(q != NULL); /* without it the caller could never be answered */
    km_op_tell(&q->op, reply, on_written, q);
    q->store = store;
    q->run = query->summarize ? summary : rows;
    q->fn = fn;
    q->ctx = ctx;
    read_query(query, &q->asked);
    km_writer_submit(store->writer, &q->op);
}
