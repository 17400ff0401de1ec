/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_call.c - a call of a tool that is an operation: its request and its response (openapi.c).
 *
 *     run ── the plan (openapi/request.c) ── head: asker.h, an API key's place, auth.h ──> sent
 *      ^                                         │ not yet: ready() comes                    │
 *      └── refused for its token: once more <────┴───────────────────────────────────────────┤
 *          and again: the gateway is told, which knows where to log in <─────────────────────┤
 *                                               the result (openapi/answer.c) <──────────────┘
 *
 * Header lines are made as for any server over HTTP, anew for every try.  The call keeps the
 * document it began with.
 */
#include "base/crypto.h"
#include "base/time.h"
#include "mcp/asker.h"
#include "mcp/link/openapi_part.h"
#include "mcp/oauth/oauth.h"

#define AUTH_TRIES 2
#define ACCEPT "Accept: application/json, */*;q=0.8\r\n"

/* One call of a tool, in its call's arena. */
struct act {
    struct km_link_openapi *of;
    struct km_mcp_call *call;
    struct km_openapi *doc;
    const struct km_openapi_op *op;
    struct km_openapi_request plan;
    struct km_buf target, head, answer;
    struct km_str part;
    struct km_http_request request;
    struct km_http_call *exchange;
    struct km_auth_wait wait;
    struct km_deferred retry;
    unsigned tries;
    bool waits, again;
    int status;
    struct km_str type, location;
};

static struct km_auth *auth_of(const struct act *a)
{
    return a->call->caller.auth;
}

/* --- one call: its end --- */

static void act_done(struct act *a)
{
    if (a->exchange)
        km_http_cancel(a->exchange);
    if (a->waits)
        auth_of(a)->ops->cancel(auth_of(a), &a->wait);
    a->exchange = NULL;
    a->waits = false;
    km_deferred_cancel(&a->retry);
    km_openapi_request_done(&a->plan);
    km_wipe(a->head.p, a->head.n);
    km_wipe(a->target.p, a->target.n); /* an API key may stand in it */
    km_buf_done(&a->head);
    km_buf_done(&a->target);
    km_buf_done(&a->answer);
    a->call->work = NULL;
}

/* The caller has to prove who they are: that is not for the model to hear, but for the gateway,
 * which knows where they can. */
static void note_unproved(struct act *a, const struct km_err *err)
{
    const struct km_mcp_upstream *u = a->of->upstream;
    struct km_err *kept;

    if (!auth_of(a) || !u->oauth || !u->personal)
        return;
    kept = km_arena_alloc(a->call->arena, sizeof *kept);
    if (kept)
        *kept = *err;
    a->call->unproved = kept;
}

static void fail(struct act *a, const struct km_err *err)
{
    struct km_mcp_call *call = a->call;

    if (err->code == KM_E_UNAUTHENTICATED)
        note_unproved(a, err);
    act_done(a);
    km_mcp_call_failed(call, err);
}

void km_link_openapi_cancel(struct km_mcp_call *call)
{
    struct km_err err;

    km_fail(&err, KM_E_CANCELED, "the call was cancelled");
    fail(call->work, &err);
}

void km_link_openapi_drop(struct km_mcp_call *call)
{
    act_done(call->work);
}

static void drop_doc(void *doc)
{
    km_openapi_unref(doc);
}

/* --- one call: its request --- */

static const struct km_origin *origin(const struct act *a)
{
    return a->doc->origin ? a->doc->origin : a->of->upstream->origin;
}

/* The line of an API key goes where the document says. */
static void place_key(struct act *a, struct km_str line)
{
    struct km_str value = km_str_trim(km_str_skip(line, km_str_chr(line, ':') + 1));

    while (value.n && value.p[value.n - 1] == '\r')
        value.n--;
    if (a->doc->key_in == KM_OPENAPI_QUERY) {
        bool first = km_str_chr(km_buf_view(&a->target), '?') == a->target.n;

        km_buf_byte(&a->target, first ? '?' : '&');
        km_url_encode(&a->target, a->doc->key_name);
        km_buf_byte(&a->target, '=');
        km_url_encode(&a->target, value);
    } else if (a->doc->key_in == KM_OPENAPI_COOKIE) {
        km_buf_str(&a->head, KM_STR("Cookie: "));
        km_url_encode(&a->head, a->doc->key_name);
        km_buf_byte(&a->head, '=');
        km_url_encode(&a->head, value);
        km_buf_str(&a->head, KM_STR("\r\n"));
    } else if (km_header_put(&a->head, a->doc->key_name, value, NULL) < 0) {
        km_buf_fail(&a->head);
    }
}

static void place_lines(struct act *a, struct km_str rest)
{
    const struct km_link_openapi *l = a->of;
    struct km_str line;

    while (km_str_split(&rest, '\n', &line)) {
        if (!line.n)
            continue;
        if (a->doc->key_name.n && l->upstream->entry->auth == KM_MCP_AUTH_API_KEY &&
            km_str_istarts(line, KM_STR("x-api-key:"))) {
            place_key(a, line);
            continue;
        }
        km_buf_str(&a->head, line);
        km_buf_byte(&a->head, '\n');
    }
}

static void put_lines(struct act *a)
{
    const struct km_link_openapi *l = a->of;
    struct km_buf lines KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);

    /* A host that a document alone names is sent nothing of a caller's. */
    km_asker_lines(l->upstream,
                   origin(a)->guard == KM_GUARD_PUBLIC ? KM_STR_NONE : km_buf_view(&l->own_head),
                   &lines);
    place_lines(a, km_buf_view(&lines));
    if (km_buf_failed(&lines))
        km_buf_fail(&a->head);
    if (lines.p)
        km_wipe(lines.p, lines.n);
}

static int put_auth(struct act *a, struct km_err *err)
{
    struct km_link_openapi *l = a->of;
    struct km_buf lines KM_CLEANUP(km_buf_done) = KM_BUF(KM_OPENAPI_HEAD_BYTES);
    struct km_auth_args args = { .loop = l->loop,
                                 .client = l->client,
                                 .mailbox = l->mailbox,
                                 .method = a->op->method,
                                 .host = origin(a)->host_header,
                                 .target = km_buf_view(&a->target),
                                 .body = &a->part,
                                 .nbody = a->plan.has_body ? 1 : 0,
                                 .now_us = km_wall_us() };

    int r = auth_of(a)->ops->head(auth_of(a), &args, &a->wait, &lines, err);

    if (r == 0)
        place_lines(a, km_buf_view(&lines));
    a->head.failed = a->head.failed || km_buf_failed(&lines);
    if (lines.p)
        km_wipe(lines.p, lines.n);
    return r;
}

static const struct km_http_events act_events;

/* 0, or why there is no request. */
static int begin(struct act *a, struct km_err *err)
{
    const struct km_link_openapi *l = a->of;
    bool sends = a->plan.has_body || km_str_starts(a->op->method, KM_STR("P"));
    int r;

    km_buf_reset(&a->target);
    km_buf_reset(&a->head);
    km_buf_reset(&a->answer);
    a->again = false;
    km_buf_str(&a->target, km_buf_view(&a->plan.target));
    km_buf_str(&a->head, KM_STR(ACCEPT));
    km_buf_str(&a->head, km_buf_view(&a->plan.head));
    put_lines(a);
    a->part = km_buf_view(&a->plan.body);
    r = auth_of(a) ? put_auth(a, err) : 0;
    a->waits = r == KM_E_AGAIN;
    if (a->waits)
        return 0;
    if (r == 0 && (km_buf_failed(&a->head) || km_buf_failed(&a->target)))
        r = km_fail(err, KM_E_LIMIT, "the request's head is too large");
    if (r < 0)
        return r;
    a->request =
        (struct km_http_request){ .origin = (struct km_origin *)(uintptr_t)origin(a),
                                  .method = a->op->method,
                                  .target = km_buf_view(&a->target),
                                  .head = km_buf_view(&a->head),
                                  .body = &a->part,
                                  .nbody = sends ? 1 : 0,
                                  .has_body = sends,
                                  .first_byte_ms = (uint64_t)l->upstream->entry->timeout_ms,
                                  .between_ms = (uint64_t)l->upstream->entry->timeout_ms };
    a->exchange = km_http_send(l->client, &a->request, &act_events, a);
    return a->exchange ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static void on_retry(void *ctx)
{
    struct act *a = ctx;
    struct km_err err = { 0 };

    if (begin(a, &err) < 0)
        fail(a, &err);
}

static void on_auth_ready(void *ctx, const struct km_err *err)
{
    struct act *a = ctx;

    a->waits = false;
    if (err)
        fail(a, err);
    else
        on_retry(a);
}

/* --- one call: its response --- */

static void on_head(void *ctx, const struct km_response *response)
{
    struct act *a = ctx;
    struct km_auth *auth = auth_of(a);

    a->status = response->status;
    a->type =
        km_arena_str(a->call->arena, km_header_get(&response->headers, KM_STR("Content-Type")));
    a->location =
        km_arena_str(a->call->arena, km_header_get(&response->headers, KM_STR("Location")));
    if ((a->status == 401 || a->status == 403) && auth && ++a->tries < AUTH_TRIES)
        a->again = auth->ops->refused(auth, &a->wait, a->status, &response->headers, KM_STR_NONE);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct act *a = ctx;
    struct km_err err;

    km_buf_bytes(&a->answer, bytes, n);
    if (!km_buf_failed(&a->answer))
        return;
    km_fail(&err, KM_E_LIMIT, "HTTP %d: the answer is over %zu bytes", a->status,
            KM_MCP_RESULT_BYTES);
    fail(a, &err);
}

static void answered(struct act *a)
{
    struct km_mcp_call *call = a->call;
    const struct km_origin *o = origin(a);
    struct km_str path = km_buf_view(&a->plan.target);
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    struct km_openapi_answer answer = {
        .status = a->status,
        .type = a->type,
        .location = a->status / 100 == 3 ? a->location : KM_STR_NONE,
        .uri = km_arena_printf(call->arena, "%s://%.*s%.*s", o->tls ? "https" : "http",
                               KM_STR_ARG(o->host_header),
                               KM_STR_ARG(km_str_sub(path, 0, km_str_chr(path, '?')))),
    };

    km_buf_move(&body, &a->answer);
    answer.body = km_buf_view(&body);
    act_done(a);
    km_openapi_answer(call, &answer);
}

/* As link/http_answer.c has it: would another log-in, or another credential, help? */
static bool wants_login(const struct act *a)
{
    struct km_mcp_oauth *o = a->of->upstream->oauth;

    if ((a->status != 401 && a->status != 403) || !auth_of(a) || !o || !a->of->upstream->personal)
        return false;
    if (km_mcp_oauth_exchanges(o))
        return a->status == 401;
    return km_mcp_oauth_state(o, a->call->caller.principal) != KM_MCP_LOGIN_DONE;
}

static void refused(struct act *a)
{
    struct km_err err;

    km_fail(&err, a->status == 401 ? KM_E_UNAUTHENTICATED : KM_E_UPSTREAM_STATUS,
            "'%.*s' answered with HTTP %d", KM_STR_ARG(a->of->upstream->name), a->status);
    err.http = a->status;
    note_unproved(a, &err);
    fail(a, &err);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct act *a = ctx;

    a->exchange = NULL;
    if (result->err)
        fail(a, result->err);
    else if (a->again)
        km_deferred_queue(&a->retry);
    else if (wants_login(a))
        refused(a);
    else
        answered(a);
}

static const struct km_http_events act_events = {
    .on_head = on_head, .on_body = on_body, .on_done = on_done
};

int km_link_openapi_run(struct km_mcp_call *call, struct km_err *err)
{
    struct km_link_openapi *l = call->server->data;
    struct act *a = km_arena_zalloc(call->arena, sizeof *a);
    int r;

    if (!a || km_arena_defer(call->arena, drop_doc, km_openapi_ref(l->doc)) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    a->of = l;
    a->call = call;
    a->doc = l->doc;
    a->op = &l->doc->ops[call->tool - l->doc->tools];
    a->wait.ready = on_auth_ready;
    a->wait.ctx = a;
    km_openapi_request_init(&a->plan);
    km_buf_init(&a->target, 2 * KM_OPENAPI_TARGET_BYTES);
    km_buf_init(&a->head, KM_OPENAPI_HEAD_BYTES);
    km_buf_init(&a->answer, KM_MCP_RESULT_BYTES);
    km_deferred_init(&a->retry, l->loop, on_retry, a);
    call->work = a;
    r = km_openapi_request(a->op, l->doc->origin ? l->doc->target : l->upstream->target, call->args,
                           &a->plan, err);
    if (r == 0)
        r = begin(a, err);
    if (r == KM_E_UNAUTHENTICATED)
        note_unproved(a, err);
    if (r < 0)
        act_done(a);
    return r;
}
