/* SPDX-License-Identifier: Apache-2.0 */
/* kanmon.c - three read-only tools, and the example of how a built-in server is written.
 *
 *     list_models     the models this key may use
 *     key_info        the caller's own key: limits, and what was spent
 *     gateway_status  how the gateway does (administrator only)
 *
 * A tool is a row: names, what it takes and gives as JSON Schema, what it may do, and a function
 * that answers with JSON.  Its arguments have been checked against the row before it runs.  No
 * tool tells a secret, or anything about another key.
 */
#include "servers/kanmon.h"

#include "host/visit.h"
#include "store/key_columns.h"

#define MODELS_MOST 1000

static const struct km_visit *visit_of(const struct km_mcp_call *call)
{
    return call->caller.ctx;
}

static int answer(struct km_mcp_call *call, struct km_buf *out, struct km_err *err)
{
    if (km_buf_failed(out))
        return km_fail(err, KM_E_LIMIT, "the answer is too large");
    km_mcp_call_result(call, km_buf_view(out));
    return 0;
}

/* --- list_models --- */

static int list_models(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    const struct km_visit *v = visit_of(call);
    struct km_str part = KM_STR_NONE;
    const struct km_str *names;
    size_t n = km_models_names(v->view->snap->models, &names), shown = 0;
    int64_t limit = MODELS_MOST;
    bool more = false;

    (void)km_json_string(km_json_get(call->args, "contains"), &part);
    (void)km_json_i64(km_json_get(call->args, "limit"), &limit);
    km_buf_str(&out, KM_STR("{\"models\":["));
    for (size_t i = 0; i < n && !more; i++) {
        if (v->who.key &&
            km_key_grants_model(v->who.key, names[i], KM_STR_NONE, NULL) != KM_GRANTED)
            continue;
        if (part.n && km_str_find(names[i], part) == names[i].n)
            continue;
        more = (int64_t)shown == limit;
        if (more)
            continue;
        if (shown++)
            km_buf_byte(&out, ',');
        km_buf_json(&out, names[i]);
    }
    km_buf_printf(&out, "],\"more\":%s}", more ? "true" : "false");
    return answer(call, &out, err);
}

/* --- key_info --- */

static void put_usd(struct km_buf *out, const char *name, int64_t nanousd, bool none)
{
    km_buf_printf(out, ",\"%s\":", name);
    if (none)
        km_buf_str(out, KM_STR("null"));
    else
        km_buf_decimal(out, nanousd, 9);
}

static void put_limit(struct km_buf *out, const char *name, int64_t limit)
{
    km_buf_printf(out, ",\"%s\":", name);
    if (limit < 0)
        km_buf_str(out, KM_STR("null"));
    else
        km_buf_i64(out, limit);
}

static void put_time(struct km_buf *out, const char *name, int64_t at_us)
{
    char text[KM_TIME_ISO_LEN + 1];

    km_buf_printf(out, ",\"%s\":", name);
    if (!at_us) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_time_iso(at_us, text);
    km_buf_json(out, km_str_c(text));
}

static void put_list(struct km_buf *out, const char *name, struct km_str_list list)
{
    km_buf_printf(out, ",\"%s\":", name);
    km_buf_json_list(out, list.v, list.n);
}

static void put_column(struct km_buf *out, const struct km_key_row *row,
                       const struct km_key_column *c)
{
    switch (c->kind) {
    case KM_KEY_LIST:
        put_list(out, c->own, km_key_list(row, c));
        break;
    case KM_KEY_MONEY:
        put_usd(out, c->own, km_key_number(row, c), km_key_number(row, c) < 0);
        break;
    case KM_KEY_TIME:
        put_time(out, c->own, km_key_number(row, c));
        break;
    case KM_KEY_COUNT:
        put_limit(out, c->own, km_key_number(row, c));
        break;
    default:
        km_buf_printf(out, ",\"%s\":", c->own);
        km_buf_json(out, km_key_text(row, c));
        break;
    }
}

static void put_key(struct km_key *key, struct km_buf *out)
{
    bool unlimited = key->row.max_budget < 0;

    km_buf_str(out, KM_STR("{\"spend_usd\":"));
    km_buf_decimal(out, km_key_spend(key), 9);
    put_usd(out, "budget_left_usd", unlimited ? 0 : km_key_left(key), unlimited);
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_columns[i].own)
            put_column(out, &key->row, &km_key_columns[i]);
    km_buf_byte(out, '}');
}

static int key_info(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    const struct km_visit *v = visit_of(call);

    km_buf_str(&out, KM_STR("{\"caller\":"));
    km_buf_json(&out, call->caller.who);
    km_buf_printf(&out, ",\"admin\":%s,\"key\":", call->caller.admin ? "true" : "false");
    if (v->who.key)
        put_key(v->who.key, &out);
    else
        km_buf_str(&out, KM_STR("null"));
    km_buf_byte(&out, '}');
    return answer(call, &out, err);
}

/* --- gateway_status --- */

static int gateway_status(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    const struct km_visit *v = visit_of(call);
    const struct km_gateway *gw = v->w->gw;
    char started[KM_TIME_ISO_LEN + 1];

    km_time_iso(gw->started_us, started);
    km_buf_printf(
        &out,
        "{\"version\":\"%s\",\"started_at\":\"%s\",\"uptime_s\":%lld,\"workers\":%zu,"
        "\"connections\":%lld,\"config_version\":%llu,\"deployments\":%zu,"
        "\"store\":\"%s\",\"auth\":\"%s\"}",
        KM_VERSION, started, (long long)((km_wall_us() - gw->started_us) / 1000000), gw->nworkers,
        (long long)gw->connections, (unsigned long long)v->view->snap->version,
        km_models_count(v->view->snap->models), km_store_healthy(gw->store) ? "healthy" : "failing",
        v->view->snap->auth_off ? "off" : "on");
    return answer(call, &out, err);
}

/* --- the rows --- */

#define TEXT(s)                                                                                    \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }
#define NOTHING "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
#define MAYBE(type) "{\"type\":[\"" type "\",\"null\"]}"

/* All of them look and change nothing, twice as well as once, and only here. */
#define LOOKS                                                                                      \
    {                                                                                              \
        .read_only = 1, .destructive = -1, .idempotent = 1, .open_world = -1                       \
    }

static const struct km_mcp_tool tools[] = {
    { .name = TEXT("list_models"),
      .title = TEXT("List models"),
      .description = TEXT("Lists the models that the caller's key may use with this gateway."),
      .input = TEXT("{\"type\":\"object\",\"properties\":{"
                    "\"contains\":{\"type\":\"string\",\"description\":\"Only names with this "
                    "text in them.\"},"
                    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,"
                    "\"description\":\"At most this many names (default 1000).\"}},"
                    "\"additionalProperties\":false}"),
      .output = TEXT("{\"type\":\"object\",\"properties\":{"
                     "\"models\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                     "\"more\":{\"type\":\"boolean\"}},\"required\":[\"models\",\"more\"]}"),
      .hints = LOOKS,
      .risk = KM_RISK_READ_ONLY,
      .run = list_models },
    { .name = TEXT("key_info"),
      .title = TEXT("Own key"),
      .description = TEXT("Shows the caller's own key: models, limits, budget, and what was "
                          "spent. `key` is null for the administrator."),
      .input = TEXT(NOTHING),
      .output = TEXT("{\"type\":\"object\",\"properties\":{\"caller\":{\"type\":\"string\"},"
                     "\"admin\":{\"type\":\"boolean\"},\"key\":{\"type\":[\"object\",\"null\"],"
                     "\"properties\":{\"alias\":{\"type\":\"string\"},\"name\":{\"type\":"
                     "\"string\"},\"models\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                     "\"spend_usd\":{\"type\":\"number\"},\"max_budget_usd\":" MAYBE("number") ","
                     "\"budget_left_usd\":" MAYBE("number") ",\"budget_resets_at\":" MAYBE("string")
                     ",\"rpm_limit\":" MAYBE("integer") ",\"tpm_limit\":" MAYBE("integer")
                     ",\"max_parallel_requests\":" MAYBE("integer") ",\"expires_at\":"
                     MAYBE("string") "}}},\"required\":[\"caller\",\"admin\",\"key\"]}"),
      .hints = LOOKS,
      .risk = KM_RISK_READ_ONLY,
      .run = key_info },
    { .name = TEXT("gateway_status"),
      .title = TEXT("Gateway status"),
      .description = TEXT("Says how the gateway does: version, uptime, workers, connections, "
                          "store. For the administrator only."),
      .input = TEXT(NOTHING),
      .output = TEXT("{\"type\":\"object\",\"properties\":{\"version\":{\"type\":\"string\"},"
                     "\"started_at\":{\"type\":\"string\"},\"uptime_s\":{\"type\":\"integer\"},"
                     "\"workers\":{\"type\":\"integer\"},\"connections\":{\"type\":\"integer\"},"
                     "\"config_version\":{\"type\":\"integer\"},\"deployments\":{\"type\":"
                     "\"integer\"},\"store\":{\"type\":\"string\",\"enum\":[\"healthy\","
                     "\"failing\"]},\"auth\":{\"type\":\"string\",\"enum\":[\"on\",\"off\"]}},"
                     "\"required\":[\"version\",\"uptime_s\",\"workers\",\"store\"]}"),
      .hints = LOOKS,
      .risk = KM_RISK_READ_ONLY,
      .admin = true,
      .run = gateway_status },
};

const struct km_mcp_server km_mcp_server_kanmon = {
    .name = TEXT("kanmon"),
    .title = TEXT("kanmon"),
    .version = TEXT(KM_VERSION),
    .instructions = TEXT("Tools about the LLM gateway itself: which models the caller may use, "
                         "what its key allows and has spent. They change nothing."),
    .tools = tools,
    .ntools = sizeof tools / sizeof tools[0],
};
