/* SPDX-License-Identifier: Apache-2.0 */
/* pass_call.c - general_settings.pass_through_endpoints: any other route, passed to a server of
 * the configuration's choosing, authenticated, limited and written to the books.
 *
 *     - path: /echo                 exactly this path; with include_subpath also below it
 *       target: https://host/x      where to
 *       headers: {...}              added (os.environ/ resolved by the configuration)
 *       forward_headers: true       the client's own fields go along, its credentials never
 *       auth: false                 nobody is asked for a key
 *       cost_per_request: 0.01      USD
 *
 * Bodies are relayed as they come in both directions' sizes; the request's is held whole so that
 * its bound is known before the target sees a byte.
 */
#include "base/veil.h"
#include "gateway/call.h"
#include "gateway/forward.h"
#include "gateway/veil.h"

#include <stdio.h>

#define PASSES_MAX 256
#define HEAD_MAX (32 * 1024)

static bool boundary_missing(struct km_str type)
{
    return km_str_istarts(type, KM_STR("multipart/")) &&
           km_str_find(type, KM_STR("boundary=")) == type.n;
}

static int prepare(struct km_call *call, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(call->x);

    if (boundary_missing(km_header_get(&req->headers, KM_STR("content-type"))))
        return km_fail(err, KM_E_INVALID, "multipart content needs its boundary parameter.");
    call->reserve = call->pass->cost;
    return 0;
}

static int build_head(struct km_call *call, struct km_str *ret, struct km_err *err)
{
    const struct km_headers *h = &km_exchange_request(call->x)->headers;
    struct km_str type = km_header_get(h, KM_STR("content-type"));
    struct km_str accept = km_header_get(h, KM_STR("accept"));
    struct km_buf *b = &call->w->scratch;
    int r = 0;

    km_buf_reset(b);
    km_buf_str(b, call->pass->head);
    if (type.n)
        r = km_header_put(b, KM_STR("Content-Type"), type, err);
    if (r == 0 && accept.n)
        r = km_header_put(b, KM_STR("Accept"), accept, err);
    for (size_t i = 0; r == 0 && call->pass->forward_headers && i < h->n; i++)
        if (km_may_forward(call->visit, h, call->pass->head, h->v[i].name))
            r = km_header_put(b, h->v[i].name, h->v[i].value, err);
    *ret = km_arena_str(&call->arena, km_buf_view(b));
    return r;
}

static struct km_str target_of(struct km_call *call)
{
    const struct km_request *req = km_exchange_request(call->x);
    const struct km_route_match *match = &call->visit->match;
    struct km_str rest = match->nparams ? match->params[0] : KM_STR_NONE;
    struct km_str base = call->pass->target;
    bool joined = km_str_ends(base, KM_STR("/")) || !rest.n;
    struct km_str parts[] = { base, joined ? KM_STR_NONE : KM_STR("/"), rest,
                              req->query.n ? KM_STR("?") : KM_STR_NONE, req->query };

    return km_arena_cat(&call->arena, parts, 5);
}

static int attempt(struct km_call *call, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(call->x);
    struct km_str *body = km_arena_alloc(&call->arena, sizeof *body);
    struct km_str head;
    int r = build_head(call, &head, err);

    if (r < 0)
        return r;
    if (!body)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *body = call->body;
    call->out =
        (struct km_http_request){ .origin = call->pass->origin,
                                  .method = req->method,
                                  .target = target_of(call),
                                  .head = head,
                                  .body = body,
                                  .nbody = 1,
                                  .has_body = req->has_body,
                                  .between_ms =
                                      (uint64_t)call->visit->view->snap->gateway->stream_idle_ms };
    return 0;
}

/* The value of a field; of a refusal, without what looks like a credential. */
static struct km_str value_of(struct km_call *call, const struct km_response *response,
                              struct km_str value)
{
    return response->status < 400 ? km_veil_field(call->w->gw->veil, &call->arena, value)
                                  : km_veil_str(call->w->gw->veil, &call->arena, value);
}

/* A refusal whose words cannot be read is not passed on: they may be anything. */
static bool is_coded(const struct km_response *response)
{
    struct km_str coding =
        km_str_trim(km_header_get(&response->headers, KM_STR("content-encoding")));

    return response->status >= 400 && coding.n && !km_str_ieq(coding, KM_STR("identity"));
}

/* Its events can be told apart; what one of them says of a failure is cut. */
static bool is_event_stream(const struct km_response *response)
{
    struct km_str coding = km_header_get(&response->headers, KM_STR("content-encoding"));

    return km_str_istarts(km_header_get(&response->headers, KM_STR("content-type")),
                          KM_STR("text/event-stream")) &&
           (!coding.n || km_str_ieq(km_str_trim(coding), KM_STR("identity")));
}

static void on_head(struct km_call *call, const struct km_response *response)
{
    struct km_buf *b = &call->w->scratch;
    struct km_err ignored;

    if (is_coded(response)) {
        km_call_abandon(call);
        km_fail(&ignored, KM_E_UPSTREAM_PROTOCOL,
                "The target answered %d and compressed its answer, which is not passed on.",
                response->status);
        km_call_fail(call, &ignored);
        return;
    }
    if (response->status >= 400)
        km_veil_add_head(call->w->gw->veil, call->out.head, true);
    km_buf_reset(b);
    for (size_t i = 0; i < response->headers.n; i++) {
        const struct km_header *h = &response->headers.v[i];

        if (km_never_forwarded(&response->headers, h->name) &&
            !km_str_ieq(h->name, KM_STR("content-type")))
            continue;
        if (km_str_ieq(h->name, KM_STR("date")) || km_veil_in_name(call->w->gw->veil, h->name) ||
            km_header_put(b, h->name, value_of(call, response, h->value), &ignored) < 0)
            continue;
    }
    km_buf_printf(b, "x-litellm-call-id: %s\r\nx-request-id: %s\r\n", call->visit->id_text,
                  call->visit->id_text);
    call->relaying = call->streaming = true;
    if (response->status < 400 && is_event_stream(response) &&
        !km_header_get(&response->headers, KM_STR("content-encoding")).n)
        call->gate = km_veil_gate_new(&call->arena);
    km_exchange_start(call->x, response->status, km_buf_view(b),
                      call->gate ? UINT64_MAX : response->content_length);
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    struct km_str part = km_str(bytes, n);

    (void)err;
    if (call->gate)
        part = km_veil_gate_feed(call->gate, call->w->gw->veil, part, false);
    if (part.n && !km_exchange_write(call->x, &part, 1) && call->up)
        km_http_pause(call->up);
    return 0;
}

static int complete(struct km_call *call, struct km_err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    (void)call;
    *ret = (struct km_usage){ .known = true };
}

const struct km_call_kind km_kind_pass = {
    .name = "pass-through",
    .needs_body = true,
    .prepare = prepare,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .usage = usage,
};

static void on_route(void *ctx, struct km_exchange *x, const struct km_route_match *match)
{
    const struct km_passthrough *pass = match->route->data;

    (void)x;
    km_call_begin(ctx, &km_kind_pass, NULL, pass);
}

bool km_pass_is_route(const struct km_route *route)
{
    return route->handler == on_route;
}

static bool truthy(const struct km_node *node, const char *key, bool otherwise)
{
    const struct km_node *v = km_node_get(node, km_str_c(key));

    return v && v->type == KM_NODE_BOOL ? v->b : otherwise;
}

static int read_head(struct km_snapshot *s, const struct km_node *node, struct km_str *ret,
                     struct km_err *err)
{
    const struct km_node *headers = km_node_get(node, KM_STR("headers"));
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MAX);
    int r = 0;

    for (size_t i = 0; r == 0 && headers && headers->type == KM_NODE_MAP && i < headers->n; i++)
        if (!km_str_ieq(headers->k[i]->text, KM_STR("content-type")) &&
            !km_str_ieq(headers->k[i]->text, KM_STR("accept")))
            r = km_header_put(&b, headers->k[i]->text, headers->v[i]->text, err);
    *ret = km_arena_str(&s->arena, km_buf_view(&b));
    return r;
}

/* Fills a row; a negative return is what is wrong with it. */
static int read_pass(struct km_snapshot *s, const struct km_node *node, struct km_passthrough *p,
                     struct km_err *err)
{
    const struct km_node *path = km_node_get(node, KM_STR("path"));
    const struct km_node *target = km_node_get(node, KM_STR("target"));
    const struct km_node *cost = km_node_get(node, KM_STR("cost_per_request"));
    struct km_url url;
    int r;

    if (!path || !km_str_starts(path->text, KM_STR("/")) || !target)
        return km_fail(err, KM_E_CONFIG, "needs `path`, beginning with '/', and `target`, a URL");
    r = km_url_parse(target->text, &url, err);
    if (r == 0)
        r = read_head(s, node, &p->head, err);
    if (r == 0)
        r = km_origin_new(url.https, url.host, url.port, s->tls, NULL, KM_GUARD_NONE, &p->origin,
                          err);
    if (r < 0)
        return r;
    p->path = km_arena_str(&s->arena, path->text);
    p->target = km_arena_str(&s->arena, url.path.n ? url.path : KM_STR("/"));
    p->api_base = km_arena_printf(&s->arena, "%.*s", KM_STR_ARG(target->text));
    p->subpath = truthy(node, "include_subpath", false);
    p->forward_headers = truthy(node, "forward_headers", false);
    p->open = !truthy(node, "auth", true);
    if (cost && km_str_decimal(cost->text, 9, &p->cost) < 0)
        return km_fail(err, KM_E_CONFIG, "cost_per_request must be a number of USD");
    return 0;
}

static int add_routes(struct km_snapshot *s, const struct km_passthrough *p, struct km_err *err)
{
    struct km_route *rows = km_arena_zalloc(&s->arena, 2 * sizeof *rows);

    if (!rows)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    rows[0] =
        (struct km_route){ "*", km_arena_cstr(&s->arena, p->path), on_route, KM_AUTH_CALL, p };
    rows[1] = rows[0];
    rows[1].pattern = km_arena_printf(&s->arena, "%.*s/{rest:path}", KM_STR_ARG(p->path)).p;
    return km_router_add(s->router, rows, p->subpath ? 2 : 1, err);
}

int km_passthrough_routes(struct km_snapshot *s, struct km_diags *diags, struct km_err *err)
{
    const struct km_node *list = s->general->pass_through;

    if (!list || list->type != KM_NODE_SEQ)
        return 0;
    if (list->n > PASSES_MAX)
        return km_fail(err, KM_E_CONFIG, "over %d pass_through_endpoints", PASSES_MAX);
    s->passes = km_arena_zalloc(&s->arena, (list->n + 1) * sizeof *s->passes);
    if (!s->passes)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < list->n; i++) {
        struct km_passthrough *p = &s->passes[s->npasses++];
        struct km_err why = { 0 };

        if (read_pass(s, list->v[i], p, &why) == 0 && add_routes(s, p, &why) == 0)
            continue;
        km_diag_add(diags, KM_DIAG_ERROR, "E0302", list->v[i], NULL, "pass-through endpoint: %s",
                    why.text);
        return km_fail(err, KM_E_CONFIG, "pass_through_endpoints: %s", why.text);
    }
    return 0;
}
