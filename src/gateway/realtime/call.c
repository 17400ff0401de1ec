/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - how a Realtime session begins.
 *
 *     client   GET /v1/realtime?model=group       Upgrade: websocket
 *     auth, admit, route as for every call
 *     upstream GET {base}/realtime?model=name     Upgrade: websocket
 *     101 from there, then 101 to the client
 *
 * The client's handshake is answered last.  So what goes wrong before is an HTTP answer with the
 * status and the words any other call would get, and another deployment may be tried.
 *
 * Ephemeral keys are refused: one made at the upstream would let its bearer spend the account's
 * money past the budget of the key it was made with.
 */
#include "door/http_port.h"

#include "call/gateway_budget.h"
#include "call/model.h"
#include "gateway/realtime/realtime.h"
#include "door/reply.h"

#define HANDSHAKE_MS 30000 /* where the deployment says nothing */
#define HEAD_BYTES ((size_t)64 * 1024)
#define FIRST_TOKENS 1024 /* of the instructions a session begins with */

/* --- admission --- */

/* "?model=", or Azure's "?deployment=". */
static int read_model(struct km_call *call, struct km_err *err)
{
    struct km_str query = call->request->query, model, other = KM_STR_NONE;

    if (!km_query_get(&call->arena, query, KM_STR("model"), &model) || !model.n)
        model = KM_STR_NONE;
    if (!km_query_get(&call->arena, query, KM_STR("deployment"), &other) || !other.n)
        other = model;
    if (!model.n)
        model = other;
    if (!model.n)
        return km_fail_param(err, KM_E_INVALID, "model",
                             "Name the model in the address: /v1/realtime?model=NAME.");
    if (!km_str_eq(model, other))
        return km_fail_param(err, KM_E_INVALID, "model",
                             "`model` and `deployment` name two models. Send one.");
    call->req = (struct km_llm_request){ .api = call->api,
                                         .model = model,
                                         .model_from_path = true,
                                         .max_tokens = -1,
                                         .choices = 1,
                                         .num_retries = -1 };
    return 0;
}

static int prepare(struct km_call *call, struct km_err *err)
{
    struct km_rt_session *s = km_arena_zalloc(&call->arena, sizeof *s);
    struct km_str intent;
    int r = read_model(call, err);

    if (r == 0)
        r = km_call_find_model(call, err);
    if (r < 0)
        return r;
    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s->call = call;
    s->context = FIRST_TOKENS;
    s->max_output = KM_RT_OUTPUT_INF;
    s->judged.max_output = KM_RT_OUTPUT_NONE;
    km_rt_init(s);
    if (km_arena_defer(&call->arena, km_rt_done, s) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_query_get(&call->arena, call->request->query, KM_STR("intent"), &intent) &&
        km_str_eq(intent, KM_STR("transcription")))
        s->query = KM_STR("&intent=transcription");
    km_call_set_work(call, s);
    return 0;
}

struct km_price km_rt_worst(const struct km_price *p)
{
    static const struct km_usage any = { .audio_tokens = 1,
                                         .image_tokens = 1,
                                         .audio_completion_tokens = 1 };
    const struct km_price_worst w = km_price_worst(p, &any);
    struct km_price worst = KM_PRICE_NONE;

    worst.input = w.input;
    worst.output = w.output;
    worst.request = w.request;
    worst.max_input_tokens = p->max_input_tokens;
    worst.max_output_tokens = p->max_output_tokens;
    return worst;
}

/* A session costs nothing until something is said (books.c). */
static int reserve(struct km_call *call, struct km_err *err)
{
    const bool budget = km_call_has_budget(call);

    call->reserve = 0;
    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;
        const struct km_price *p = &d->price;

        if (budget && p->input < 0 && p->output < 0 && p->request < 0 &&
            !call->visit->view->snap->keys->allow_unpriced)
            return km_fail_param(
                err, KM_E_UNPRICED, "model",
                "No price is known for model '%.*s', and this key has a budget. Set "
                "input_cost_per_token and its like, run `kanmon prices import`, or set "
                "kanmon_settings.allow_unpriced.",
                KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    }
    return 0;
}

/* --- the upstream's handshake --- */

static int build_head(struct km_call *call, struct km_str *ret, struct km_err *err)
{
    const struct km_headers *h = &call->request->headers;
    struct km_str beta = km_header_get(h, KM_STR("openai-beta"));
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    int r = km_ws_key(km_rt_of(call)->key, err);

    if (!beta.n &&
        km_header_has_token(h, KM_STR("sec-websocket-protocol"), KM_STR("openai-beta.realtime-v1")))
        beta = KM_STR("realtime=v1");
    km_buf_str(&b, call->at->d->head);
    km_buf_printf(&b,
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: %s\r\n",
                  km_rt_of(call)->key);
    if (r == 0 && beta.n)
        r = km_header_put(&b, KM_STR("OpenAI-Beta"), beta, err);
    *ret = km_arena_str(&call->arena, km_buf_view(&b));
    if (r == 0 && (km_buf_failed(&b) || !ret->n))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    return r;
}

static int attempt(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    struct km_target_args args = { .d = d, .wire = KM_WIRE_REALTIME, .stream = true };
    struct km_str head;
    int r;

    if (d->mock_response.n || !d->codec || !(d->codec->native & KM_WIRE_REALTIME))
        return km_fail(err, KM_E_UNSUPPORTED,
                       "Model '%.*s' has no Realtime API at provider '%.*s'; openai and azure do.",
                       KM_STR_ARG(km_str_sub(call->req.model, 0, 100)),
                       KM_STR_ARG(d->provider_name));
    km_deferred_cancel(&km_rt_of(call)->finish); /* of an attempt before */
    km_rt_of(call)->handshake_failed = false;
    km_rt_of(call)->why = (struct km_err){ 0 };
    r = build_head(call, &head, err);
    if (r < 0)
        return r;
    args.model = km_llm_upstream_model(d, call->match.star, &call->arena);
    call->at->out = (struct km_http_request){
        .origin = d->origin,
        .method = KM_STR("GET"),
        .target =
            km_arena_cat(&call->arena,
                         (struct km_str[]){ d->base_path, d->codec->target(&args, &call->arena),
                                            km_rt_of(call)->query },
                         3),
        .head = head,
        .upgrade = true,
        .first_byte_ms = d->timeout_ms > 0 ? (uint64_t)d->timeout_ms : HANDSHAKE_MS,
    };
    return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static bool has_budget(const struct km_call *call)
{
    return km_call_is_budgeted(call) &&
           call->visit->view->snap->keys->budget_mode == KM_BUDGET_RESERVE;
}

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_rt_session *s = km_rt_of(call);
    int r = km_ws_response_check(response, km_str(s->key, KM_WS_KEY_LEN), KM_STR_NONE, &s->why);

    s->worst = km_rt_worst(&call->at->d->price);
    s->slices = has_budget(call);
    if (r == 0)
        r = km_rt_start(s, &s->why);
    if (r == 0)
        return;
    s->handshake_failed = true;
    km_deferred_queue(&s->finish);
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    (void)err;
    return km_rt_from_upstream(km_rt_of(call), bytes, n);
}

/* --- the end --- */

static int complete(struct km_call *call, struct km_err *err)
{
    struct km_rt_session *s = km_rt_of(call);

    if (s->state < KM_RT_CLOSING && !s->up_closed)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream closed the session without a word.");
    if (s->why.code) { /* it was ended for a reason, which is not the upstream's fault */
        call->failed = true;
        *err = s->why;
    }
    return 0;
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    if (km_rt_of(call)) {
        km_rt_close_books(km_rt_of(call));
        km_rt_of(call)->state = KM_RT_OVER; /* nothing moves while the last row is written */
    }
    *ret = (struct km_usage){ .known = true }; /* each answer has a row of its own */
}

static void drained(struct km_call *call)
{
    km_rt_upstream_drained(km_rt_of(call));
}

static void leave(struct km_call *call)
{
    if (km_rt_of(call) && km_rt_of(call)->started)
        km_rt_leave(km_rt_of(call));
}

const char km_rt_work[] = "realtime";

static const struct km_call_kind kind = {
    .name = "realtime",
    .work_name = km_rt_work,
    .session = true,
    .prepare = prepare,
    .reserve = reserve,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .on_drain = drained,
    .complete = complete,
    .usage = usage,
    .reply = km_rt_reply,
    .leave = leave,
    .on_revoked = km_rt_revoked,
};

/* --- routes --- */

static void begin(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    const struct km_request *request = km_exchange_request(x);
    struct km_err err = { 0 };
    struct km_str key;

    (void)match;
    if (!km_ws_asked(request)) {
        km_fail(&err, KM_E_INVALID,
                "This is a WebSocket: connect to it with wss:// (ws://) and `?model=NAME`.");
        err.http = 426;
        km_reply_error(visit, &err);
    } else if (km_ws_request_check(request, &key, &err) < 0) {
        km_reply_error(visit, &err);
    } else {
        km_call_begin(visit, km_http_port(visit), &kind, &km_api_realtime);
    }
}

static void refuse(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_err err = { 0 };

    (void)x;
    (void)match;
    km_fail(&err, KM_E_NOT_IMPLEMENTED,
            "No ephemeral keys are made here: they would spend past the budget of the key that "
            "made them. Connect to /v1/realtime by WebSocket with a key of this gateway "
            "(browsers: the subprotocol openai-insecure-api-key.KEY); POST /key/generate makes "
            "one with `duration`, `max_budget` and `models`.");
    err.final = true;
    km_reply_error(visit, &err);
}

static const struct km_route rows[] = {
    { "GET", "/v1/realtime", begin, KM_AUTH_CALL, NULL },
    { "GET", "/realtime", begin, KM_AUTH_CALL, NULL },
    { "GET", "/openai/realtime", begin, KM_AUTH_CALL, NULL },
    { "GET", "/openai/v1/realtime", begin, KM_AUTH_CALL, NULL },
    { "POST", "/v1/realtime/client_secrets", refuse, KM_AUTH_KEY, NULL },
    { "POST", "/realtime/client_secrets", refuse, KM_AUTH_KEY, NULL },
    { "POST", "/openai/v1/realtime/client_secrets", refuse, KM_AUTH_KEY, NULL },
    { "POST", "/v1/realtime/sessions", refuse, KM_AUTH_KEY, NULL },
    { "POST", "/v1/realtime/transcription_sessions", refuse, KM_AUTH_KEY, NULL },
    { "POST", "/openai/realtimeapi/sessions", refuse, KM_AUTH_KEY, NULL },
    { "POST", "/v1/realtime/calls", refuse, KM_AUTH_KEY, NULL },
};

const struct km_route_rows km_realtime_routes = { rows, sizeof rows / sizeof rows[0] };
