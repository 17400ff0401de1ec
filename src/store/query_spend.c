/* SPDX-License-Identifier: Apache-2.0 */
/* query_spend.c - what /spend/logs answers (store.h: km_store_spend_logs).
 *
 * Rows have LiteLLM's shape; the summary a day has its shape too.  There is no secondary index
 * on the hot table, and none is needed: its key is a UUIDv7, which begins with the time of the
 * call in milliseconds, so a range of time is a range of keys.  A call's id is made when it
 * arrives and its start is measured then too; a minute of slack covers clocks that were set.
 *
 * `attempts` lists what was sent for a call that took more than one; its cost is their sum.
 */
#include "base/encode.h"
#include "base/money.h"
#include "base/time.h"
#include "store/inside.h"
#include "store/payers.h"
#include "store/reader.h"
#include "store/statements.h"
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

static void add_money(struct km_buf *out, int64_t nanousd)
{
    char text[KM_MONEY_LEN];

    km_money_text(nanousd, text);
    km_buf_str(out, km_str_c(text));
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

/* What rows are asked by. */
struct range {
    uint8_t low[16], high[16];
    int64_t from_us, to_us;
    struct km_str key, user; /* empty: any */
    int64_t limit, offset;
    int64_t day;
};

/* A row of the ledger, with the names of its numbers. */
struct call {
    struct km_uuid id;
    struct km_str hash;
    int64_t cost, prompt, completion, cached, start_us;
    int64_t first_us, duration_us; /* or KM_FIELD_NO_NUMBER */
    struct km_str call_type, model, group, deployment, provider, api_base;
    int64_t status, flags;
    struct km_str end_user, metadata, tags, client_ip, user_id, team_id, alias, attempts;
};

struct part {
    struct km_str name;
    int64_t cost;
};

enum { ROWS, BY_KEY, BY_USER, BY_MODEL, FIRST_DAY, LAST_DAY, GROUPS = 3 };

#define RANGE(member) KM_FIELD(struct range, member)
#define RANGE_OR_ANY KM_FIELD_AS(struct range, key, KM_FIELD_BLOB_NULL),                           \
                     KM_FIELD_AS(struct range, user, KM_FIELD_TEXT_NULL)
#define CALL(member) KM_FIELD(struct call, member)
#define CALL_AS(member, as) KM_FIELD_AS(struct call, member, as)
#define PART KM_FIELDS(KM_FIELD(struct part, name), KM_FIELD(struct part, cost))
#define DAY KM_FIELDS(RANGE(day), RANGE_OR_ANY)

static const struct km_statement statements[] = {
    [ROWS] = { "spend.rows",
               { "SELECT s.id, i.hash, s.cost, s.prompt_tokens, s.completion_tokens,"
                 " s.cached_tokens, s.start_us, s.first_us, s.duration_us, r.call_type, r.model,"
                 " r.model_group, r.deployment, r.provider, r.api_base, s.status, s.flags,"
                 " coalesce(s.user, ''),"
                 " CASE WHEN json_valid(s.metadata) THEN s.metadata ELSE '' END,"
                 " CASE WHEN json_valid(s.metadata) THEN coalesce(s.metadata -> '$.tags', '')"
                 " ELSE '' END,"
                 " coalesce(s.client_ip, ''), coalesce(k.user_id, ''), coalesce(k.team_id, ''),"
                 " coalesce(k.alias, ''),"
                 " CASE WHEN json_valid(t.attempts) THEN t.attempts ELSE '' END"
                 " FROM spend s" KM_PAYER_JOIN("s.key") " JOIN routes r ON r.id = s.route"
                 " LEFT JOIN keys k ON k.hash = i.hash"
                 " LEFT JOIN spend_attempts t ON t.id = s.id"
                 " WHERE s.id >= ?1 AND s.id <= ?2 AND s.start_us >= ?3 AND s.start_us < ?4"
                 " AND (?5 IS NULL OR i.hash = ?5) AND (?6 IS NULL OR k.user_id = ?6)"
                 " ORDER BY s.id DESC LIMIT ?7 OFFSET ?8" },
               .in = KM_FIELDS(RANGE(low), RANGE(high), RANGE(from_us), RANGE(to_us), RANGE_OR_ANY,
                               RANGE(limit), RANGE(offset)),
               .out = KM_FIELDS(CALL(id.b), CALL_AS(hash, KM_FIELD_BLOB), CALL(cost), CALL(prompt),
                                CALL(completion), CALL(cached), CALL(start_us),
                                CALL_AS(first_us, KM_FIELD_I64_NULL),
                                CALL_AS(duration_us, KM_FIELD_I64_NULL), CALL(call_type),
                                CALL(model), CALL(group), CALL(deployment), CALL(provider),
                                CALL(api_base), CALL(status), CALL(flags), CALL(end_user),
                                CALL(metadata), CALL(tags), CALL(client_ip), CALL(user_id),
                                CALL(team_id), CALL(alias), CALL(attempts)) },
    /* One statement a grouping; each gives name and spend of one day. */
    [BY_KEY] = { "spend.by_key",
                 { "SELECT lower(hex(i.hash)), sum(d.cost) FROM daily d"
                   KM_PAYER_JOIN("d.key") " LEFT JOIN keys k ON k.hash = i.hash"
                   " WHERE d.day = ?1 AND (?2 IS NULL OR i.hash = ?2)"
                   " AND (?3 IS NULL OR k.user_id = ?3) GROUP BY 1 ORDER BY 1" },
                 .in = DAY,
                 .out = PART },
    [BY_USER] = { "spend.by_user",
                  { "SELECT coalesce(k.user_id, ''), sum(d.cost) FROM daily d"
                    KM_PAYER_JOIN("d.key") " LEFT JOIN keys k ON k.hash = i.hash"
                    " WHERE d.day = ?1 AND (?2 IS NULL OR i.hash = ?2)"
                    " AND (?3 IS NULL OR k.user_id = ?3) GROUP BY 1 ORDER BY 1" },
                  .in = DAY,
                  .out = PART },
    [BY_MODEL] = { "spend.by_model",
                   { "SELECT r.model, sum(d.cost) FROM daily d" KM_PAYER_JOIN("d.key")
                     " JOIN routes r ON r.id = d.route LEFT JOIN keys k ON k.hash = i.hash"
                     " WHERE d.day = ?1 AND (?2 IS NULL OR i.hash = ?2)"
                     " AND (?3 IS NULL OR k.user_id = ?3) GROUP BY 1 ORDER BY 1" },
                   .in = DAY,
                   .out = PART },
    [FIRST_DAY] = { "spend.first_day", { "SELECT min(day) FROM daily" }, .out = KM_NUMBER },
    [LAST_DAY] = { "spend.last_day",
                   { "SELECT coalesce(max(day), -1) FROM daily" },
                   .out = KM_NUMBER },
};
const struct km_statements km_query_spend_statements = KM_STATEMENTS(statements);

static void add_flags(struct km_buf *out, int64_t flags)
{
    static const struct {
        const char *name;
        int64_t flag;
    } shown[] = {
        { "stream", KM_CALL_STREAM },           { "estimated", KM_CALL_ESTIMATED },
        { "unpriced", KM_CALL_UNPRICED },       { "incomplete", KM_CALL_INCOMPLETE },
        { "client_gone", KM_CALL_CLIENT_GONE }, { "over_reserved", KM_CALL_OVER_RESERVED },
        { "budget_cut", KM_CALL_BUDGET_CUT },   { "bound_cut", KM_CALL_BOUND_CUT },
        { "corrected", KM_CALL_CORRECTED },
    };

    km_buf_printf(out, "\"cache_hit\":\"%s\",", flags & KM_CALL_CACHE_HIT ? "True" : "False");
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        km_buf_printf(out, "\"%s\":%s,", shown[i].name, flags & shown[i].flag ? "true" : "false");
    km_buf_printf(out, "\"status\":\"%s\",",
                  flags & (KM_CALL_FAILED | KM_CALL_INCOMPLETE) ? "failure" : "success");
}

static void add_numbers(const struct call *c, struct km_buf *out)
{
    bool first = c->first_us != KM_FIELD_NO_NUMBER, ended = c->duration_us != KM_FIELD_NO_NUMBER;
    int64_t duration_us = ended ? c->duration_us : 0;

    km_buf_str(out, KM_STR("\"spend\":"));
    if (!c->cost && (c->flags & KM_CALL_UNPRICED)) /* nobody knows: LiteLLM's type has null too */
        km_buf_str(out, KM_STR("null"));
    else
        add_money(out, c->cost);
    km_buf_printf(out,
                  ",\"total_tokens\":%lld,\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                  "\"cached_tokens\":%lld,\"http_status\":%lld,",
                  (long long)(c->prompt + c->completion), (long long)c->prompt,
                  (long long)c->completion, (long long)c->cached, (long long)c->status);
    add_time(out, "startTime", true, c->start_us);
    add_time(out, "endTime", true, c->start_us + duration_us);
    add_time(out, "completionStartTime", first, first ? c->start_us + c->first_us : 0);
    if (ended)
        km_buf_printf(out, "\"request_duration_ms\":%lld,", (long long)(duration_us / 1000));
    else
        km_buf_str(out, KM_STR("\"request_duration_ms\":null,"));
}

/* "server/tool" of the tool's call, as LiteLLM names it; null of any other call. */
static void add_tool(const struct call *c, struct km_buf *out)
{
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    km_buf_str(out, KM_STR("\"mcp_namespaced_tool_name\":"));
    if (!km_str_eq(c->call_type, KM_STR("call_mcp_tool")) ||
        !km_str_starts(c->model, KM_STR("MCP: "))) {
        km_buf_str(out, KM_STR("null,"));
        return;
    }
    km_buf_str(&name, c->deployment);
    km_buf_byte(&name, '/');
    km_buf_str(&name, km_str_skip(c->model, 5));
    km_buf_json(out, km_buf_view(&name));
    km_buf_byte(out, ',');
}

static void add_row(const struct call *c, struct km_buf *out)
{
    char text[KM_UUID_LEN + 1], hex[65] = "";

    if (c->hash.n == 32)
        km_hex(hex, c->hash.p, 32);
    km_uuid_text(&c->id, text);
    km_buf_printf(out, "{\"request_id\":\"%s\",\"api_key\":\"%s\",", text, hex);
    add_numbers(c, out);
    add_text(out, "call_type", c->call_type);
    add_text(out, "model", c->model);
    add_text(out, "model_id", c->deployment);
    add_text(out, "model_group", c->group);
    add_text(out, "custom_llm_provider", c->provider);
    add_text(out, "api_base", c->api_base);
    add_text(out, "user", c->user_id);
    add_text(out, "team_id", c->team_id);
    add_text(out, "end_user", c->end_user);
    add_text(out, "key_alias", c->alias);
    add_text(out, "requester_ip_address", c->client_ip);
    add_json(out, "metadata", c->metadata, "{}");
    add_json(out, "request_tags", c->tags, "[]");
    add_json(out, "attempts", c->attempts, "[]");
    add_flags(out, c->flags);
    km_buf_str(out, KM_STR("\"cache_key\":null,\"organization_id\":null,\"session_id\":null,"
                           "\"agent_id\":null,"));
    add_tool(c, out);
    km_buf_str(out, KM_STR("\"messages\":{},\"response\":{},\"proxy_server_request\":{}}"));
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

static struct range range_of(const struct asked *a)
{
    struct range range = { .from_us = a->from_us,
                           .to_us = a->to_us ? a->to_us : INT64_MAX,
                           .key = km_str((const char *)a->key_hash, a->by_key ? 32 : 0),
                           .user = km_str(a->user, a->user_n),
                           .limit = a->impossible ? 0 : (int64_t)a->limit,
                           .offset = (int64_t)a->offset };

    bound(a->from_us, false, range.low);
    bound(a->to_us, true, range.high);
    if (a->by_id) {
        memcpy(range.low, a->id.b, sizeof range.low);
        memcpy(range.high, a->id.b, sizeof range.high);
    }
    return range;
}

static int rows(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct range range = range_of(query);
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct call call = { .status = 0 };
    enum km_row got = KM_ROW_END;
    bool first = true;
    int r = km_db_ask(db, &statements[ROWS], &range, &list, err);

    if (r < 0)
        return r;
    km_buf_byte(out, '[');
    while ((r = km_ready_next(list, &call, &got, err)) == 0 && got) {
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        add_row(&call, out);
    }
    km_buf_byte(out, ']');
    return r;
}

/* --- a day at a time --- */

/* "name":spend,... of one day; *total gets the sum. */
static int add_group(struct km_ready *group, const struct range *range, struct km_buf *out,
                     int64_t *total, struct km_err *err)
{
    struct part part;
    enum km_row got = KM_ROW_END;
    int r;

    *total = 0;
    km_ready_ask(group, range);
    while ((r = km_ready_next(group, &part, &got, err)) == 0 && got) {
        if (*total || out->p[out->n - 1] != '{')
            km_buf_byte(out, ',');
        km_buf_json(out, part.name);
        km_buf_byte(out, ':');
        add_money(out, part.cost);
        *total += part.cost;
    }
    km_ready_rest(group);
    return r;
}

static int add_day(struct km_ready *s[GROUPS], const struct range *range, struct km_buf *out,
                   struct km_err *err)
{
    struct km_buf keys KM_CLEANUP(km_buf_done) = KM_BUF(KM_READER_JSON);
    char date[KM_TIME_ISO_LEN + 1];
    int64_t total = 0, ignored = 0;
    int r;

    km_time_iso(range->day * DAY_US, date);
    km_buf_byte(&keys, '{');
    r = add_group(s[0], range, &keys, &total, err);
    km_buf_printf(out, "{\"startTime\":\"%.10s\",\"spend\":", date);
    add_money(out, total);
    if (keys.n > 1) {
        km_buf_byte(out, ',');
        km_buf_bytes(out, keys.p + 1, keys.n - 1);
    }
    km_buf_str(out, KM_STR(",\"users\":{"));
    if (r == 0)
        r = add_group(s[1], range, out, &ignored, err);
    km_buf_str(out, KM_STR("},\"models\":{"));
    if (r == 0)
        r = add_group(s[2], range, out, &ignored, err);
    km_buf_str(out, KM_STR("}}"));
    return r;
}

/* Open ends become the first and the last day there is. */
static int days_of(struct km_db *db, const struct asked *a, int64_t *from, int64_t *to,
                   struct km_err *err)
{
    int r = 0;

    *from = a->from_us / DAY_US;
    *to = (a->to_us - 1) / DAY_US;
    if (a->from_us == 0)
        r = km_db_number(db, &statements[FIRST_DAY], from, err);
    if (r == 0 && a->to_us == 0)
        r = km_db_number(db, &statements[LAST_DAY], to, err);
    if (r == 0 && *to - *from >= DAYS_MOST)
        r = km_fail(err, KM_E_LIMIT, "a summary has at most %d days", DAYS_MOST);
    return r;
}

static int summary(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct asked *a = query;
    struct range range = range_of(a);
    struct km_ready *s[GROUPS] = { NULL };
    int64_t from = 0, to = -1;
    int r = days_of(db, a, &from, &to, err);

    for (size_t i = 0; r == 0 && i < GROUPS; i++)
        r = km_db_ready(db, &statements[BY_KEY + i], &s[i], err);
    km_buf_byte(out, '[');
    for (range.day = from; r == 0 && !a->impossible && range.day <= to; range.day++) {
        if (range.day != from)
            km_buf_byte(out, ',');
        r = add_day(s, &range, out, err);
    }
    km_buf_byte(out, ']');
    for (size_t i = 0; i < GROUPS; i++)
        km_ready_done(&s[i]);
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
