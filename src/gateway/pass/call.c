/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - general_settings.pass_through_endpoints: any other route, passed to a server of
 * the configuration's choosing, authenticated, limited and written to the books.
 *
 *     - path: /echo                 exactly this path; with include_subpath also below it
 *       target: https://host/x      where to
 *       headers: {...}              added (os.environ/ resolved by the configuration)
 *       forward_headers: true       the client's own fields go along, its credentials never
 *       set_cookie: true            the target's cookies reach the client; else none does
 *       auth: false                 nobody is asked for a key
 *       methods: [GET]              no others; said nothing: all
 *       cost_per_request: 0.01      USD
 *
 * Bodies are relayed as they come in both directions' sizes; the request's is held whole so that
 * its bound is known before the target sees a byte.
 */
#include "base/veil.h"
#include "call/call.h"
#include "call/execution.h"
#include "door/http_port.h"
#include "call/forward.h"
#include "gateway/pass/pass.h"
#include "gateway/pass/settings.h"
#include "call/veil.h"

#include <stdlib.h>

#define PASSES_MAX 256
#define HEAD_MAX (32 * 1024)
#define METHODS 8

static const char *const methods[METHODS] = { "GET",   "HEAD",    "POST", "PUT",
                                              "PATCH", "OPTIONS", "DELETE" };

static bool boundary_missing(struct km_str type)
{
    return km_str_istarts(type, KM_STR("multipart/")) &&
           km_str_find(type, KM_STR("boundary=")) == type.n;
}

static const struct km_pass *pass_of(const struct km_call *call)
{
    return call->visit->match.route->data;
}

static int prepare(struct km_call *call, struct km_err *err)
{
    const struct km_request *req = call->request;

    if (boundary_missing(km_header_get(&req->headers, KM_STR("content-type"))))
        return km_fail(err, KM_E_INVALID, "multipart content needs its boundary parameter.");
    call->reserve = pass_of(call)->cost;
    return km_call_cut_execution(call, err) < 0 ? err->code : km_call_read_execution(call, err);
}

static int build_head(struct km_call *call, struct km_str *ret, struct km_err *err)
{
    const struct km_headers *h = &call->request->headers;
    struct km_str type = km_header_get(h, KM_STR("content-type"));
    struct km_str accept = km_header_get(h, KM_STR("accept"));
    struct km_buf *b = &call->w->scratch;
    int r = 0;

    km_buf_reset(b);
    km_buf_str(b, pass_of(call)->head);
    if (type.n)
        r = km_header_put(b, KM_STR("Content-Type"), type, err);
    if (r == 0 && accept.n)
        r = km_header_put(b, KM_STR("Accept"), accept, err);
    for (size_t i = 0; r == 0 && pass_of(call)->forward_headers && i < h->n; i++)
        if (km_may_forward(call->visit, h, pass_of(call)->head, h->v[i].name, KM_WAY_TARGET))
            r = km_header_put(b, h->v[i].name, h->v[i].value, err);
    *ret = km_arena_str(&call->arena, km_buf_view(b));
    return r;
}

static struct km_str target_of(struct km_call *call)
{
    const struct km_request *req = call->request;
    const struct km_route_match *match = &call->visit->match;
    struct km_str rest = match->nparams ? match->params[0] : KM_STR_NONE;
    struct km_str base = pass_of(call)->target;
    bool joined = km_str_ends(base, KM_STR("/")) || !rest.n;
    struct km_str parts[] = { base, joined ? KM_STR_NONE : KM_STR("/"), rest,
                              req->query.n ? KM_STR("?") : KM_STR_NONE, req->query };

    return km_arena_cat(&call->arena, parts, 5);
}

static int attempt(struct km_call *call, struct km_err *err)
{
    const struct km_request *req = call->request;
    struct km_str *body = km_arena_alloc(&call->arena, sizeof *body);
    struct km_str head;
    int r = build_head(call, &head, err);

    if (r < 0)
        return r;
    if (!body)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *body = call->body;
    call->at->out =
        (struct km_http_request){ .origin = pass_of(call)->origin,
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
    if (response->status >= 300)
        km_veil_add_head(call->w->gw->veil, call->at->out.head, true);
    km_buf_reset(b);
    for (size_t i = 0; i < response->headers.n; i++) {
        const struct km_header *h = &response->headers.v[i];
        struct km_str value;

        if (!km_may_answer(&response->headers, h->name) &&
            !(pass_of(call)->set_cookie && km_str_ieq(h->name, KM_STR("set-cookie"))))
            continue;
        if (!km_veil_field(call->w->gw->veil, &call->arena, h, response->status >= 400, &value) ||
            km_header_put(b, h->name, value, &ignored) < 0)
            continue;
    }
    km_buf_printf(b, "x-litellm-call-id: %s\r\nx-request-id: %s\r\n", call->visit->id_text,
                  call->visit->id_text);
    km_call_execution_line(call, b);
    call->at->relaying = call->streaming = true;
    if (response->status < 400 && is_event_stream(response) &&
        !km_header_get(&response->headers, KM_STR("content-encoding")).n)
        km_veil_stream(call);
    km_call_start_answer(call, response->status, km_buf_view(b), response->content_length);
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    (void)err;
    km_call_write_one(call, km_str(bytes, n));
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

static bool cost(const struct km_call *call, bool sent, int64_t *ret_cost)
{
    *ret_cost = sent ? pass_of(call)->cost : 0;
    return true;
}

static struct km_str label(const struct km_call *call)
{
    return pass_of(call)->path;
}

static struct km_str base(const struct km_call *call)
{
    return pass_of(call)->api_base;
}

static const struct km_call_kind pass_kind = {
    .name = "pass-through",
    .call_type = "pass_through_endpoint",
    .needs_body = true,
    .placed = true,
    .verbatim = true,
    .any_status = true,
    .cost = cost,
    .label = label,
    .base = base,
    .prepare = prepare,
    .attempt = attempt,
    .on_head = on_head,
    .on_body = on_body,
    .complete = complete,
    .usage = usage,
};

static void on_route(void *ctx, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_call_begin(ctx, km_http_port(ctx), &pass_kind, NULL);
}

bool km_pass_is_route(const struct km_route *route)
{
    return route->handler == on_route;
}

static int read_head(struct km_snapshot *s, const struct km_str_map *headers, struct km_str *ret,
                     struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MAX);
    int r = 0;

    for (size_t i = 0; r == 0 && i < headers->n; i++)
        if (!km_str_ieq(headers->v[i].name, KM_STR("content-type")) &&
            !km_str_ieq(headers->v[i].name, KM_STR("accept")))
            r = km_header_put(&b, headers->v[i].name, headers->v[i].value, err);
    *ret = km_arena_str(&s->arena, km_buf_view(&b));
    return r;
}

/* Fills a row; a negative return is what is wrong with it. */
static int read_pass(struct km_snapshot *s, const struct km_pass_entry *entry, struct km_pass *p,
                     struct km_err *err)
{
    struct km_url url;
    int r;

    if (!km_str_starts(entry->path, KM_STR("/")))
        return km_fail(err, KM_E_CONFIG, "its `path` must begin with '/'");
    r = km_url_parse(entry->target, &url, err);
    if (r == 0)
        r = read_head(s, &entry->headers, &p->head, err);
    if (r == 0)
        r = km_origin_new(url.https, url.host, url.port, s->tls, NULL, KM_GUARD_NONE, &p->origin,
                          err);
    if (r < 0)
        return r;
    p->path = entry->path;
    p->target = url.path.n ? url.path : KM_STR("/");
    p->api_base = entry->target;
    p->subpath = entry->include_subpath;
    p->forward_headers = entry->forward_headers;
    p->set_cookie = entry->set_cookie;
    p->open = !entry->auth;
    p->cost = entry->cost_per_request > 0 ? entry->cost_per_request : 0;
    return 0;
}

/* The name of a method as the router has it, or NULL: there is none like this. */
static const char *method_of(struct km_str name)
{
    for (size_t i = 0; methods[i]; i++)
        if (km_str_ieq(km_str_trim(name), km_str_c(methods[i])))
            return methods[i];
    return NULL;
}

/* The methods an entry names, each once; "*" where it names none. */
static int read_methods(const struct km_pass_entry *entry, const char *ret[METHODS], size_t *ret_n,
                        struct km_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < entry->methods.n; i++) {
        const char *method = method_of(entry->methods.v[i]);
        size_t at = 0;

        if (!method)
            return km_fail(err, KM_E_CONFIG, "`methods`: '%.*s' is no method that is passed",
                           KM_STR_ARG(entry->methods.v[i]));
        while (at < n && ret[at] != method)
            at++;
        if (at == n)
            ret[n++] = method;
    }
    if (n == 0)
        ret[n++] = "*";
    *ret_n = n;
    return 0;
}

static int add_routes(struct km_snapshot *s, const struct km_pass_entry *entry,
                      const struct km_pass *p, struct km_err *err)
{
    const char *names[METHODS], *path = km_arena_cstr(&s->arena, p->path);
    const char *below = km_arena_printf(&s->arena, "%.*s/{rest:path}", KM_STR_ARG(p->path)).p;
    struct km_route *rows;
    enum km_auth_level level = p->open ? KM_AUTH_OPEN : KM_AUTH_PASS;
    size_t n, at = 0;
    int r = read_methods(entry, names, &n, err);

    if (r < 0)
        return r;
    rows = km_arena_zalloc(&s->arena, 2 * n * sizeof *rows);
    if (!rows || !path || !below)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        rows[at++] = (struct km_route){ names[i], path, on_route, level, p };
        if (p->subpath)
            rows[at++] = (struct km_route){ names[i], below, on_route, level, p };
    }
    return km_router_add(s->router, rows, at, err);
}

/* kanmon's own routes come first, so an entry at the place of one is never asked for it. */
static void warn_hidden(const struct km_snapshot *s, const struct km_pass_entry *entry,
                        struct km_diags *diags)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(128);

    for (size_t i = 0; methods[i]; i++) {
        struct km_route_match match;
        struct km_str allow;

        if (km_router_find(s->router, km_str_c(methods[i]), entry->path, &match, &allow) == 0 &&
            !km_pass_is_route(match.route))
            km_buf_printf(&names, "%s%s", names.n ? ", " : "", methods[i]);
    }
    if (names.n)
        km_diag_add(diags, KM_DIAG_WARNING, "W0309", entry->node, "choose another path",
                    "pass-through endpoint: kanmon itself answers %.*s of '%.*s', which is not "
                    "passed",
                    KM_STR_ARG(km_buf_view(&names)), KM_STR_ARG(entry->path));
}

static void passes_free(void *state)
{
    struct km_passes *passes = state;

    for (size_t i = 0; i < passes->n; i++)
        km_origin_unref(passes->v[i].origin);
    free(passes);
}

/* Reads the entries and adds their routes. */
static int passes_init(struct km_snapshot *s, const struct km_snapshot_args *args,
                       struct km_diags *diags, void **ret_state, struct km_err *err)
{
    const struct km_pass_settings *set = km_config_get(s->config, &km_pass_settings_table);
    const struct km_pass_entry *entries = set->entries.v;
    const size_t n = set->entries.n;
    struct km_passes *passes;

    (void)args;
    if (n > PASSES_MAX)
        return km_fail(err, KM_E_CONFIG, "over %d pass_through_endpoints", PASSES_MAX);
    passes = calloc(1, sizeof *passes + n * sizeof passes->v[0]);
    if (!passes)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct km_pass *p = &passes->v[passes->n++];
        struct km_err why = { 0 };

        if (read_pass(s, &entries[i], p, &why) == 0 && add_routes(s, &entries[i], p, &why) == 0) {
            warn_hidden(s, &entries[i], diags);
            continue;
        }
        passes_free(passes);
        km_diag_add(diags, KM_DIAG_ERROR, "E0302", entries[i].node, NULL,
                    "pass-through endpoint: %s", why.text);
        return km_fail(err, KM_E_CONFIG, "pass_through_endpoints: %s", why.text);
    }
    *ret_state = passes;
    return 0;
}

static const char place KM_MODULE_PLACE;

const struct km_module km_pass_module = {
    .name = "pass-through endpoints",
    .place = &place,
    .snapshot_init = passes_init,
    .snapshot_free = passes_free,
};
