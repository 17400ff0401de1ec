/* SPDX-License-Identifier: Apache-2.0 */
/* jsonrpc.c - see jsonrpc.h for the contract.
 *
 * A message is read twice: once by the JSON parser, for the tree of its parameters, and once by
 * the span walker, for the very bytes of its id and for what a tree hides: nesting over the bound.
 * A member that occurs twice is refused, in the message and at any depth of the parameters: they
 * are judged here and passed on as they came, and a server could read another name of a tool, or
 * another argument, than the one that was judged.  So could one that reads names without their
 * case, as Go's encoding/json does: "Name" beside "name" is refused, too.
 *
 * An id is a string or an integer, never null and never a fraction (MCP is stricter than
 * JSON-RPC here).  An error about a message whose id could not be read has none.
 */
#include "mcp/jsonrpc.h"

static const struct {
    int code[2];
    int http[2];
} faults[] = {
#define XX(name, code1, http1, code2, http2) { { (code1), (code2) }, { (http1), (http2) } },
    KM_RPC_FAULTS(XX)
#undef XX
};

int km_rpc_code(enum km_rpc_fault fault, enum km_mcp_era era)
{
    return faults[fault].code[era];
}

int km_rpc_http(enum km_rpc_fault fault, enum km_mcp_era era)
{
    return faults[fault].http[era];
}

enum member { JSONRPC, ID, METHOD, PARAMS, RESULT, ERROR, MEMBERS };

static const struct km_str names[MEMBERS] = {
    { "jsonrpc", 7 }, { "id", 2 },     { "method", 6 },
    { "params", 6 },  { "result", 6 }, { "error", 5 },
};

/* "-12" but not "1.5", "1e3" or "-". */
static bool is_integer(struct km_str s)
{
    size_t i = s.n && s.p[0] == '-' ? 1 : 0;

    if (i == s.n)
        return false;
    for (; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static int read_id(struct km_str text, const struct km_json_span *span, struct km_str *ret,
                   struct km_err *err)
{
    struct km_str id = km_json_value(text, span);

    if (span->type == KM_JSON_ABSENT)
        return 0;
    if (span->type != KM_JSON_STRING && !(span->type == KM_JSON_NUMBER && is_integer(id)))
        return km_fail(err, KM_E_INVALID, "Invalid Request: an id is a string or an integer");
    *ret = id;
    return 0;
}

/* Which of the three it is, by the members that are there. */
static int classify(const struct km_json_span *s, struct km_rpc_message *m, struct km_err *err)
{
    bool answer = s[RESULT].type != KM_JSON_ABSENT || s[ERROR].type != KM_JSON_ABSENT;

    if (s[METHOD].type == KM_JSON_ABSENT && !answer)
        return km_fail(err, KM_E_INVALID, "Invalid Request: it has neither method nor result");
    if (s[METHOD].type != KM_JSON_ABSENT && answer)
        return km_fail(err, KM_E_INVALID, "Invalid Request: it has a method and a result");
    if (answer) {
        if (s[RESULT].type != KM_JSON_ABSENT && s[ERROR].type != KM_JSON_ABSENT)
            return km_fail(err, KM_E_INVALID, "Invalid Request: it has a result and an error");
        if (!m->id.n && s[ERROR].type == KM_JSON_ABSENT)
            return km_fail(err, KM_E_INVALID, "Invalid Request: a result needs an id");
        m->kind = KM_RPC_RESPONSE;
        return 0;
    }
    if (s[METHOD].type != KM_JSON_STRING)
        return km_fail(err, KM_E_INVALID, "Invalid Request: method must be a string");
    if (s[PARAMS].type != KM_JSON_ABSENT && s[PARAMS].type != KM_JSON_OBJECT)
        return km_fail(err, KM_E_INVALID, "Invalid Request: params must be an object");
    m->kind = m->id.n ? KM_RPC_REQUEST : KM_RPC_NOTIFICATION;
    return 0;
}

/* Members of the parameters that say what is done, each in its one spelling. */
static int spelled(const struct km_json *params, struct km_err *err)
{
    static const struct km_str judged[] = {
        { "name", 4 }, { "arguments", 9 }, { "uri", 3 },     { "ref", 3 },
        { "task", 4 }, { "argument", 8 },  { "taskId", 6 },  { "_meta", 5 },
    };
    struct km_str member;
    const struct km_str *meant =
        km_json_other_case(params, judged, sizeof judged / sizeof judged[0], &member);

    return meant ? km_fail(err, KM_E_INVALID, "member '%.*s' is to be spelled '%.*s'",
                           KM_STR_ARG(member), KM_STR_ARG(*meant))
                 : 0;
}

static int read_object(struct km_arena *arena, struct km_str text, const struct km_json *root,
                       struct km_rpc_message *m, struct km_err *err)
{
    struct km_json_span s[MEMBERS];
    struct km_str version = KM_STR_NONE;
    int r = km_json_spans(text, names, MEMBERS, s, NULL, err);

    if (r == 0)
        r = read_id(text, &s[ID], &m->id, err);
    if (r < 0)
        return r;
    if (!km_json_string(km_json_get(root, "jsonrpc"), &version) ||
        !km_str_eq(version, KM_STR("2.0")))
        return km_fail(err, KM_E_INVALID, "Invalid Request: jsonrpc must be \"2.0\"");
    r = classify(s, m, err);
    if (r == 0)
        r = km_json_unique(km_json_get(root, "params"), arena, err);
    if (r == 0)
        r = spelled(km_json_get(root, "params"), err);
    if (r < 0)
        return r;
    m->method = km_json_text(arena, text, &s[METHOD]);
    m->params_text = km_json_value(text, &s[PARAMS]);
    m->params = km_json_get(root, "params");
    m->result = km_json_get(root, "result");
    m->error = km_json_get(root, "error");
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_NOMEM, "the message is too large") : 0;
}

int km_rpc_parse(struct km_arena *arena, struct km_str text, struct km_rpc_message *ret,
                 enum km_rpc_fault *ret_fault, struct km_err *err)
{
    const struct km_json *root;
    int r;

    *ret = (struct km_rpc_message){ 0 };
    *ret_fault = KM_RPC_TOO_LARGE;
    if (text.n > KM_RPC_BYTES)
        return km_fail(err, KM_E_LIMIT, "a message may have %zu bytes", KM_RPC_BYTES);
    /* Results are a server's answers, and pass; parameters are judged in read_object(). */
    r = km_json_parse_answer(arena, text, &root, err);
    if (r < 0) {
        *ret_fault = r == KM_E_NOMEM ? KM_RPC_TOO_LARGE : KM_RPC_PARSE;
        return r;
    }
    *ret_fault = KM_RPC_INVALID_REQUEST;
    if (km_json_kind(root) == KM_JSON_ARRAY)
        return km_fail(err, KM_E_INVALID,
                       "Invalid Request: batches are not taken here, send one message at a time");
    if (km_json_kind(root) != KM_JSON_OBJECT)
        return km_fail(err, KM_E_INVALID, "Invalid Request: a message is a JSON object");
    return read_object(arena, text, root, ret, err);
}

void km_rpc_request(struct km_buf *out, struct km_str id, struct km_str method,
                    struct km_str params)
{
    km_buf_str(out, KM_STR("{\"jsonrpc\":\"2.0\","));
    if (id.n) {
        km_buf_str(out, KM_STR("\"id\":"));
        km_buf_str(out, id);
        km_buf_byte(out, ',');
    }
    km_buf_str(out, KM_STR("\"method\":"));
    km_buf_json(out, method);
    if (params.n) {
        km_buf_str(out, KM_STR(",\"params\":"));
        km_buf_str(out, params);
    }
    km_buf_byte(out, '}');
}

void km_rpc_result(struct km_buf *out, struct km_str id, struct km_str result)
{
    (void)!km_buf_reserve(out, id.n + result.n + 64); /* at once: a list may be long */
    km_buf_str(out, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    km_buf_str(out, id);
    km_buf_str(out, KM_STR(",\"result\":"));
    km_buf_str(out, result);
    km_buf_byte(out, '}');
}

void km_rpc_error(struct km_buf *out, enum km_mcp_era era, enum km_rpc_fault fault,
                  struct km_str id, struct km_str message, struct km_str data)
{
    km_buf_str(out, KM_STR("{\"jsonrpc\":\"2.0\""));
    if (id.n || era == KM_MCP_HANDSHAKE) {
        km_buf_str(out, KM_STR(",\"id\":"));
        km_buf_str(out, id.n ? id : KM_STR("null"));
    }
    km_buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", km_rpc_code(fault, era));
    km_buf_json(out, message);
    if (data.n) {
        km_buf_str(out, KM_STR(",\"data\":"));
        km_buf_str(out, data);
    }
    km_buf_str(out, KM_STR("}}"));
}

void km_rpc_failure(struct km_buf *out, enum km_mcp_era era, struct km_str id,
                    const struct km_err *err)
{
    km_buf_str(out, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    km_buf_str(out, id);
    km_buf_printf(out,
                  ",\"error\":{\"code\":%d,\"message\":", km_err_rpc(err, era == KM_MCP_STATELESS));
    km_buf_json(out, km_str_c(err->text));
    km_buf_printf(out, ",\"data\":{\"type\":\"%s\"", km_err_openai_type(err));
    if (err->retry_after_ms > 0)
        km_buf_printf(out, ",\"retry_after_ms\":%d", err->retry_after_ms);
    km_buf_str(out, KM_STR("}}}"));
}
