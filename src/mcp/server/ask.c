/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - what a tool says and asks while it runs (server.h).
 *
 * A question is answered in the same way in both eras: the function runs again, from its beginning,
 * and finds the answer under its key.
 *
 *     handshake   run ── ask ──> a request to the client ── its response ── run again
 *     stateless   run ── ask ──> result "input_required": the call is over
 *                 the client calls again with inputResponses ── run, with what it brought
 *
 * Between the rounds of a stateless client nothing is kept here: answers of earlier rounds travel
 * with it in requestState, sealed and bound to the call (request_state.h).  An answer that does not
 * fit its question is none, and the question is asked again; in the handshake era four times.
 */
#include "mcp/server/server.h"

#include <stdio.h>

#include "base/time.h"
#include "mcp/request_state.h"
#include "mcp/schema.h"
#include "mcp/server/part.h"

#define ROUNDS 4
#define STATE_MS ((uint64_t)10 * 60 * 1000)
#define MESSAGE_BYTES ((size_t)1024 * 1024)

/* --- while it runs --- */

static void send_notice(struct km_mcp_call *call, const char *method, const struct km_buf *params)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(MESSAGE_BYTES);

    km_buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s\",\"params\":", method);
    km_buf_str(&b, km_buf_view(params));
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b) && !km_buf_failed(params))
        call->host->send(call, km_buf_view(&b));
}

void km_mcp_call_progress(struct km_mcp_call *call, int64_t done, int64_t total)
{
    const struct km_json *token =
        km_json_get(km_json_get(call->msg.params, "_meta"), "progressToken");
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    if (!token || !call->host->send)
        return;
    km_buf_str(&b, KM_STR("{\"progressToken\":"));
    km_json_write(token, &b);
    km_buf_str(&b, KM_STR(",\"progress\":"));
    km_buf_i64(&b, done);
    if (total) {
        km_buf_str(&b, KM_STR(",\"total\":"));
        km_buf_i64(&b, total);
    }
    km_buf_byte(&b, '}');
    send_notice(call, "progress", &b);
}

void km_mcp_call_log(struct km_mcp_call *call, const char *level, struct km_str text)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(MESSAGE_BYTES);

    if (!call->host->send || !call->log_level || km_mcp_level(km_str_c(level)) < call->log_level)
        return;
    km_buf_printf(&b, "{\"level\":\"%s\",\"data\":", level);
    km_buf_json(&b, text);
    km_buf_byte(&b, '}');
    send_notice(call, "message", &b);
}

bool km_mcp_call_can(const struct km_mcp_call *call, const char *capability)
{
    return km_json_get(call->capabilities, capability) != NULL;
}

/* --- answers --- */

static struct km_mcp_asked *find(const struct km_mcp_call *call, struct km_str key)
{
    for (size_t i = 0; i < call->nasked; i++)
        if (km_str_eq(call->asked[i].key, key))
            return (struct km_mcp_asked *)&call->asked[i];
    return NULL;
}

static struct km_mcp_asked *find_or_add(struct km_mcp_call *call, struct km_str key)
{
    struct km_mcp_asked *a = find(call, key);

    if (!a && call->nasked < KM_MCP_CALL_QUESTIONS) {
        a = &call->asked[call->nasked++];
        *a = (struct km_mcp_asked){ .key = key };
    }
    return a;
}

const struct km_json *km_mcp_call_answer(const struct km_mcp_call *call, struct km_str key)
{
    const struct km_mcp_asked *a = find(call, key);

    return a ? a->answer : NULL;
}

static bool fits_form(const struct km_mcp_call *call, const struct km_mcp_call_question *q,
                      const struct km_json *answer)
{
    const struct km_json *params, *content = km_json_get(answer, "content");
    struct km_str action = KM_STR_NONE;

    (void)km_json_string(km_json_get(answer, "action"), &action);
    if (km_str_eq(action, KM_STR("decline")) || km_str_eq(action, KM_STR("cancel")))
        return true;
    if (!km_str_eq(action, KM_STR("accept")) ||
        km_json_parse(call->arena, q->params, &params, NULL) < 0)
        return false;
    if (!content && km_json_parse(call->arena, KM_STR("{}"), &content, NULL) < 0)
        return false;
    return km_schema_check(km_json_get(params, "requestedSchema"), content, NULL) == 0;
}

static bool fits(const struct km_mcp_call *call, const struct km_mcp_call_question *q,
                 const struct km_json *answer)
{
    if (km_json_kind(answer) != KM_JSON_OBJECT)
        return false;
    if (km_str_eq(q->method, KM_STR("roots/list")))
        return km_json_kind(km_json_get(answer, "roots")) == KM_JSON_ARRAY;
    if (km_str_eq(q->method, KM_STR("sampling/createMessage")))
        return km_json_get(answer, "content") != NULL;
    return fits_form(call, q, answer);
}

/* --- the stateless era --- */

/* Members of an object, by key. */
static void take_answers(struct km_mcp_call *call, const struct km_json *answers)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(answers) != KM_JSON_OBJECT)
        return;
    for (km_json_iter(answers, &it); km_json_next(&it, &key, &item);) {
        struct km_mcp_asked *a = find_or_add(call, key);

        if (a)
            a->answer = item;
    }
}

static int place_of(const struct km_mcp_call *call, uint8_t digest[32],
                    struct km_mcp_state_place *ret, struct km_err *err)
{
    *ret = (struct km_mcp_state_place){ .key = call->server->state_key,
                                        .principal = call->caller.principal,
                                        .method = call->msg.method,
                                        .digest = digest };
    return km_mcp_state_digest(call->msg.params, digest, err);
}

/* What it brings of the rounds before.  KM_E_INVALID: it is not what was given to it. */
static int take_rounds(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *given = km_json_get(call->msg.params, "requestState"), *root = NULL;
    struct km_mcp_state_place place;
    struct km_mcp_sealed sealed;
    struct km_str text;
    uint8_t digest[32];
    int r = 0;

    if (given) {
        if (!call->server->state_key || !km_json_string(given, &text))
            return km_fail(err, KM_E_INVALID, "Invalid or expired requestState");
        r = place_of(call, digest, &place, err);
        if (r == 0)
            r = km_mcp_state_open(&place, text, km_mono_ms(), call->arena, &sealed, err);
        if (r == 0)
            r = km_json_parse(call->arena, sealed.inner, &root, err);
        if (r < 0)
            return r;
        take_answers(call, root);
    }
    take_answers(call, km_json_get(call->msg.params, "inputResponses"));
    return 0;
}

static int put_state(const struct km_mcp_call *call, struct km_buf *out, struct km_err *err)
{
    struct km_buf inner KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_STATE_BYTES);
    struct km_mcp_sealed sealed = { .ends_ms = km_mono_ms() + STATE_MS };
    struct km_mcp_state_place place;
    uint8_t digest[32];
    bool first = true;
    int r = place_of(call, digest, &place, err);

    km_buf_byte(&inner, '{');
    for (size_t i = 0; i < call->nasked; i++) {
        if (!call->asked[i].answer)
            continue;
        if (!first)
            km_buf_byte(&inner, ',');
        first = false;
        km_buf_json(&inner, call->asked[i].key);
        km_buf_byte(&inner, ':');
        km_json_write(call->asked[i].answer, &inner);
    }
    km_buf_byte(&inner, '}');
    sealed.inner = km_buf_view(&inner);
    if (r == 0 && km_buf_failed(&inner))
        r = km_fail(err, KM_E_LIMIT, "the answers are too large");
    if (r < 0)
        return r;
    km_buf_str(out, KM_STR(",\"requestState\":\""));
    r = km_mcp_state_seal(&place, &sealed, out, err);
    km_buf_byte(out, '"');
    return r;
}

static void put_question(const struct km_mcp_call_question *q, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"method\":"));
    km_buf_json(out, q->method);
    km_buf_str(out, KM_STR(",\"params\":"));
    km_buf_str(out, q->params);
    km_buf_byte(out, '}');
}

static void require_input(struct km_mcp_call *call, const struct km_mcp_call_question *questions,
                          size_t n)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(MESSAGE_BYTES);
    struct km_err err = { 0 };
    bool first = true;

    km_buf_str(&b, KM_STR("{\"resultType\":\"input_required\",\"inputRequests\":{"));
    for (size_t i = 0; i < n; i++) {
        if (fits(call, &questions[i], km_mcp_call_answer(call, questions[i].key)))
            continue;
        if (!first)
            km_buf_byte(&b, ',');
        first = false;
        km_buf_json(&b, questions[i].key);
        km_buf_byte(&b, ':');
        put_question(&questions[i], &b);
    }
    km_buf_byte(&b, '}');
    if (call->server->state_key && put_state(call, &b, &err) < 0) {
        km_mcp_run_failed(call, &err);
        return;
    }
    km_mcp_put_meta(call, &b);
    km_buf_byte(&b, '}');
    if (km_buf_failed(&b))
        km_mcp_end_fault(call, KM_RPC_INTERNAL, "error", "the question is too large", KM_STR_NONE);
    else
        km_mcp_end_raw(call, "input_required", km_buf_view(&b));
}

/* --- the handshake era --- */

/* A stateless client behind a gateway is to answer under this name: a request has no other place
 * for it. */
static void put_params(const struct km_mcp_call_question *q, struct km_buf *out)
{
    struct km_str inside = km_str_sub(q->params, 1, q->params.n - 2);

    km_buf_str(out, KM_STR("{\"_meta\":{\"kanmon/inputKey\":"));
    km_buf_json(out, q->key);
    km_buf_str(out, inside.n ? KM_STR("},") : KM_STR("}"));
    km_buf_str(out, inside);
    km_buf_byte(out, '}');
}

static bool send_question(struct km_mcp_call *call, const struct km_mcp_call_question *q)
{
    struct km_mcp_asked *a = find_or_add(call, q->key);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(MESSAGE_BYTES);

    if (!a || !call->host->send || a->rounds == ROUNDS)
        return false;
    a->open = true;
    a->rounds++;
    km_buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":\"q%llu.%zu.%u\",\"method\":",
                  (unsigned long long)call->number, (size_t)(a - call->asked), a->rounds);
    km_buf_json(&b, q->method);
    km_buf_str(&b, KM_STR(",\"params\":"));
    put_params(q, &b);
    km_buf_byte(&b, '}');
    if (km_buf_failed(&b))
        return false;
    call->host->send(call, km_buf_view(&b));
    return true;
}

bool km_mcp_call_answered(struct km_mcp_call *call, const struct km_rpc_message *response,
                          bool *ret_ready)
{
    struct km_mcp_asked *a = NULL;
    struct km_str text;
    char id[64];

    *ret_ready = true;
    for (size_t i = 0; i < call->nasked; i++) {
        snprintf(id, sizeof id, "\"q%llu.%zu.%u\"", (unsigned long long)call->number, i,
                 call->asked[i].rounds);
        if (call->asked[i].open && km_str_eq(response->id, km_str_c(id)))
            a = &call->asked[i];
    }
    if (!a)
        return false;
    a->open = false;
    a->answer = NULL;
    text = response->result ? km_json_compact(response->result, call->arena) : KM_STR_NONE;
    if (text.n && km_json_parse(call->arena, text, &a->answer, NULL) < 0)
        a->answer = NULL;
    if (!response->result)
        a->rounds = ROUNDS; /* it was refused: not to be asked again */
    for (size_t i = 0; i < call->nasked; i++)
        *ret_ready = *ret_ready && !call->asked[i].open;
    return true;
}

bool km_mcp_call_asking(const struct km_mcp_call *call)
{
    for (size_t i = 0; i < call->nasked; i++)
        if (call->asked[i].open)
            return true;
    return false;
}

/* --- both --- */

/* "sampling/createMessage" needs "sampling". */
static bool declared(struct km_mcp_call *call, const struct km_mcp_call_question *q)
{
    struct km_str name = km_str_sub(q->method, 0, km_str_chr(q->method, '/'));
    const char *capability = km_arena_cstr(call->arena, name);

    if (km_mcp_call_can(call, capability))
        return true;
    km_mcp_end_fault(
        call, KM_RPC_MISSING_CAPABILITY, "missing_capability", "The client lacks a capability",
        km_arena_printf(call->arena, "{\"requiredCapabilities\":{\"%s\":{}}}", capability));
    return false;
}

bool km_mcp_call_ask(struct km_mcp_call *call, const struct km_mcp_call_question *questions,
                     size_t n)
{
    struct km_err err;
    size_t open = 0;

    for (size_t i = 0; i < n; i++) {
        if (fits(call, &questions[i], km_mcp_call_answer(call, questions[i].key)))
            continue;
        if (!declared(call, &questions[i]))
            return true;
        open++;
    }
    if (!open)
        return false;
    if (call->revision->era == KM_MCP_STATELESS) {
        require_input(call, questions, n);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (fits(call, &questions[i], km_mcp_call_answer(call, questions[i].key)) ||
            send_question(call, &questions[i]))
            continue;
        for (size_t k = 0; k < call->nasked; k++)
            call->asked[k].open = false;
        km_fail(&err, KM_E_INVALID, "the client gave no answer that fits '%.*s'",
                KM_STR_ARG(questions[i].key));
        km_mcp_run_failed(call, &err);
        break;
    }
    return true;
}

void km_mcp_call_again(struct km_mcp_call *call)
{
    struct km_err err = { 0 };

    if (call->again(call, &err) < 0)
        km_mcp_run_failed(call, &err);
}

void km_mcp_run(struct km_mcp_call *call, km_mcp_tool_fn *fn)
{
    struct km_err err = { 0 };

    call->again = fn;
    if (call->revision->era == KM_MCP_STATELESS && take_rounds(call, &err) < 0)
        km_mcp_end_fault(call, KM_RPC_INVALID_PARAMS, "error", err.text, KM_STR_NONE);
    else
        km_mcp_call_again(call);
}
