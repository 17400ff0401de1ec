/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - what kinds of call share that ask a model: see model.h for the contract.
 *
 *     path, head, body ──> which model ──> who may serve it ──> request to a deployment
 *                                                      answer's head <──┘
 *
 * Where client and upstream speak the same protocol the body is the caller's own, edited by span;
 * kinds that translate begin after the request is found, and fill in the rest themselves.
 */
#include "call/model.h"

#include "call/conditional.h"
#include "call/execution.h"
#include "call/own_routes.h"
#include "call/place.h"
#include "call/veil.h"
#include "http/fields.h"
#include "http/json_drop.h"
#include "llm/api/priced.h"
#include "llm/codec.h"

#define UP_HEAD_BYTES (64 * 1024)

/* The model named by /openai/deployments/{model}/... and /engines/{model}/... */
int km_call_path_model(struct km_call *call, struct km_str *ret, struct km_err *err)
{
    struct km_str found = call->visit->path_model;

    *ret = KM_STR_NONE;
    if (!found.n && call->visit->match.nparams)
        found = call->visit->match.params[0];
    return found.n ? km_url_decode(&call->arena, found, false, ret, err) : 0;
}

int km_call_check_type(const struct km_call *call, struct km_err *err)
{
    struct km_str type = km_header_get(&call->request->headers, KM_STR("content-type"));

    if (!type.n || km_str_istarts(type, KM_STR("application/json")) ||
        km_str_istarts(type, KM_STR("text/plain")))
        return 0;
    return km_fail(err, KM_E_MEDIA_TYPE, "This route takes Content-Type: application/json.");
}

/* What LiteLLM's clients may say in the head; the body's word is the later one and stays. */
void km_call_read_head(struct km_call *call)
{
    const struct km_headers *h = &call->request->headers;
    struct km_str timeout = km_header_get(h, KM_STR("x-litellm-timeout"));
    struct km_str first = km_header_get(h, KM_STR("x-litellm-stream-timeout"));
    struct km_str retries = km_header_get(h, KM_STR("x-litellm-num-retries"));
    int64_t v;

    if (call->req.timeout_ms == 0 && timeout.n && km_str_decimal(timeout, 3, &v) == 0 && v > 0)
        call->req.timeout_ms = v;
    if (call->req.stream_timeout_ms == 0 && first.n && km_str_decimal(first, 3, &v) == 0 && v > 0)
        call->req.stream_timeout_ms = v;
    if (call->req.num_retries < 0 && km_retries_read(retries, &v))
        call->req.num_retries = v;
}

/* The model of that name, or the one that its key means by it. */
static int find_meant(struct km_call *call, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;
    int r = km_models_find(call->visit->view->snap->models, call->req.model, &call->match, err);
    int own = key && key->routes ? km_call_own_alias(call, err) : 0;

    if (own < 0)
        return own;
    return key && key->routes && call->match.n ? 0 : r;
}

/* The model, and whether this key may use it.  A key with a list learns nothing of what else
 * there is: an unknown name is one more that is not for it. */
int km_call_find_model(struct km_call *call, struct km_err *err)
{
    struct km_key *key = call->visit->who.key;
    struct km_err unknown;
    int r;

    if (km_call_read_execution(call, err) < 0)
        return err->code;
    r = find_meant(call, &unknown);
    if (r == KM_E_MODEL_DENIED)
        *err = unknown;
    if (r == KM_E_MODEL_DENIED)
        return r;
    if (key && km_key_grants_model(key, call->req.model,
                                   r == 0 ? call->match.alias_of : KM_STR_NONE, err) != KM_GRANTED)
        return KM_E_MODEL_DENIED;
    if (r == 0 && km_models_rules(call->visit->view->snap->models)->n)
        km_call_take_rule(call);
    if (r == 0 && km_call_read_fallbacks(call, err) < 0)
        return err->code;
    if (key && km_hosted_tools_grant(key->row.extra, &call->req.priced, err) != KM_GRANTED)
        return KM_E_FORBIDDEN;
    if (r < 0)
        *err = unknown;
    return r;
}

void km_call_one_part(struct km_call *call, struct km_str body)
{
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (call->parts)
        call->parts[0] = body;
    call->nparts = call->parts ? 1 : 0;
}

int64_t km_call_bound(const struct km_call *call)
{
    int64_t own = call->at->d->default_output;

    return call->bound_tokens >= 0 && own >= 0 && own < call->bound_tokens ? own
                                                                           : call->bound_tokens;
}

void km_call_request(struct km_call *call, const struct km_str *parts, size_t n)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    const struct km_deployment *d = call->at->d;

    call->at->out =
        (struct km_http_request){ .origin = d->origin,
                                  .method = KM_STR("POST"),
                                  .head = d->head,
                                  .body = parts,
                                  .nbody = n,
                                  .has_body = true,
                                  .between_ms = (uint64_t)snap->gateway->stream_idle_ms };
    km_call_take_share(call, &call->at->out);
}

/* Where the upstream has what the caller asks for. */
struct km_str km_call_target(struct km_call *call)
{
    const struct km_codec *codec = call->at->d->codec;
    struct km_target_args args = { .d = call->at->d,
                                   .path = km_str_c(call->api->path),
                                   .wire = call->api->wire,
                                   .stream = call->req.stream };

    if (!codec || !codec->target)
        return km_str_c(call->api->path);
    args.model = km_llm_upstream_model(call->at->d, call->match.star, &call->arena);
    return codec->target(&args, &call->arena);
}

/* Header lines of this request's own; a protocol may have some. */
static int native_head(struct km_call *call, struct km_err *err)
{
    const struct km_codec *codec = call->at->d->codec;
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(UP_HEAD_BYTES);
    struct km_encode_args args = { .d = call->at->d,
                                   .arena = &call->arena,
                                   .stream = call->req.stream,
                                   .max_tokens = -1,
                                   .caller = &call->request->headers };
    struct km_capability can;
    int r;

    if (!codec || !codec->head)
        return 0;
    args.model = km_llm_upstream_model(call->at->d, call->match.star, &call->arena);
    km_deployment_can(call->at->d, args.model, &can);
    args.can = &can;
    r = codec->head(&args, NULL, &head, err);
    if (r == 0)
        call->at->out.head = km_arena_cat(
            &call->arena, (struct km_str[]){ call->at->d->head, km_buf_view(&head) }, 2);
    return r == 0 && km_buf_failed(&head)
               ? km_fail(err, KM_E_HEADER_TOO_LARGE, "the request's header lines are too long")
               : r;
}

/* Betas are of Anthropic's own API: where another place has its protocol, what comes with one it
 * does not know must be read and written anew. */
bool km_call_betas(struct km_call *call, struct km_str *ret_json)
{
    const struct km_codec *codec = call->at->d->codec;
    struct km_str header = km_header_get(&call->request->headers, KM_STR("anthropic-beta"));

    *ret_json = KM_STR_NONE;
    if (!header.n || !codec || !codec->messages_version || call->api->wire != KM_WIRE_MESSAGES)
        return true;
    return codec->betas && codec->betas(header, &call->arena, ret_json);
}

/* *req: the call's, or it without what additional_drop_params names, where that is there. */
static int drop_params(struct km_call *call, const struct km_llm_request **req, struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    struct km_str body = call->req.body;
    struct km_llm_request *less;
    int r = d->nalso_drop
                ? km_json_drop(&call->arena, body, d->also_drop, d->nalso_drop, &body, err)
                : 0;

    if (r < 0 || body.p == call->req.body.p)
        return r;
    *req = less = km_arena_zalloc(&call->arena, sizeof *less);
    return less ? km_llm_request_parse(less, call->api, &call->arena, body,
                                       call->req.model_from_path ? call->req.model : KM_STR_NONE,
                                       err)
                : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* The upstream speaks what the caller speaks: the bytes are passed on. */
int km_call_pass_on(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    const struct km_llm_request *req = &call->req;
    struct km_llm_body_args args = { .deployment = call->at->d,
                                     .star = call->match.star,
                                     .max_tokens = km_call_bound(call) };
    struct km_str *parts;
    size_t n;
    int r = drop_params(call, &req, err);

    if (r < 0)
        return r;
    /* Whoever asks for usage hears the upstream's own answer to that. */
    args.with_usage = d->provider->usage == KM_USAGE_OPTION &&
                      (!km_call_no_stream_options(call) || req->usage_asked);
    (void)km_call_betas(call, &args.betas);
    r = call->api->body(req, &args, &call->arena, &parts, &n, err);
    if (r < 0)
        return r;
    km_call_request(call, parts, n);
    call->at->out.target =
        km_arena_cat(&call->arena, (struct km_str[]){ d->base_path, km_call_target(call) }, 2);
    r = native_head(call, err);
    if (r < 0)
        return r;
    return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static struct km_str coding_of(struct km_call *call, const struct km_response *response)
{
    struct km_str coding =
        km_str_trim(km_header_get(&response->headers, KM_STR("content-encoding")));

    return km_str_ieq(coding, KM_STR("identity"))
               ? KM_STR_NONE
               : km_arena_str(&call->arena, km_str_sub(coding, 0, 40));
}

/* Each upstream field as llm_provider-<name>; its rate limits also under their own names when
 * the key has none of its own. */
void km_call_answer_head(struct km_call *call, const struct km_response *response)
{
    struct km_buf *b = &call->w->scratch;
    bool own_limits = call->hold.room.limit_requests >= 0 || call->hold.room.limit_tokens >= 0;
    bool clear = km_veil_is_clear(call->w->gw->veil, &response->headers), tells = false;

    km_buf_reset(b);
    for (size_t i = 0; i < response->headers.n && b->n < UP_HEAD_BYTES; i++) {
        const struct km_header *h = &response->headers.v[i];
        struct km_str value = h->value;

        if (!km_field_goes(h->name, KM_WAY_RENAMED) ||
            (!clear && !km_veil_field(call->w->gw->veil, &call->arena, h, false, &value)))
            continue;
        km_buf_str(b, KM_STR("llm_provider-"));
        km_buf_str(b, h->name);
        km_buf_str(b, KM_STR(": "));
        km_buf_str(b, value);
        km_buf_str(b, KM_STR("\r\n"));
        if (!km_quota_is_field(h->name))
            continue;
        tells = true;
        if (own_limits)
            continue;
        km_buf_str(b, h->name);
        km_buf_str(b, KM_STR(": "));
        km_buf_str(b, value);
        km_buf_str(b, KM_STR("\r\n"));
    }
    call->at->head = km_arena_str(&call->arena, km_buf_view(b));
    call->at->coding = coding_of(call, response);
    if (tells)
        km_call_hear_quota(call, &response->headers);
}

int km_call_compressed(const struct km_call *call, struct km_err *err)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The upstream compressed its answer (Content-Encoding: %.*s), which it was not "
                   "asked to do.",
                   KM_STR_ARG(call->at->coding));
}
