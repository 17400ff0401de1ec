/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - an attempt at a vendor's own API: the caller's request with other credentials.
 *
 * Target, header fields and body are the caller's, but for
 *
 *     who it is         the deployment's header lines and signature in place of the caller's key
 *     the model         where it was asked for by a name of model_list
 *     usage             asked for where a stream says it only then (meter.h)
 *     the output bound  where a budget bounds it and the caller did not
 */
#include "call/forward.h"
#include "call/model.h"
#include "gateway/prefix/prefix.h"
#include "llm/bounds.h"
#include "llm/spellings.h"

#define HEAD_MAX ((size_t)64 * 1024)

struct km_str km_prefix_model(const struct km_call *call)
{
    struct km_call *c = (struct km_call *)call; /* a star is filled in the call's own arena */

    return km_prefix_of(call)->to.known
               ? km_llm_upstream_model(call->at->d, call->match.star, &c->arena)
               : call->req.model;
}

/* --- target --- */

/* The query without the caller's key. */
static struct km_str query_of(struct km_call *call)
{
    struct km_str query = call->request->query, pair, name, kept = KM_STR_NONE;

    if (km_str_find(query, KM_STR("key")) == query.n && km_str_chr(query, '%') == query.n)
        return query;
    while (km_str_split(&query, '&', &pair)) {
        name = km_str_sub(pair, 0, km_str_chr(pair, '='));
        if (km_url_decode(&call->arena, name, true, &name, NULL) == 0 &&
            km_str_eq(name, KM_STR("key")))
            continue;
        kept = km_arena_cat(&call->arena,
                            (struct km_str[]){ kept, kept.n ? KM_STR("&") : KM_STR_NONE, pair }, 3);
    }
    return kept;
}

/* The path with the model's name at the vendor in place of the one it was asked for by. */
static struct km_vendor_path path_of(struct km_call *call)
{
    const struct km_prefix_call *p = km_prefix_of(call);
    struct km_str model = km_prefix_model(call);
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_vendor_path path = p->path;
    size_t in_core, in_rest;

    if (!p->segment.n || km_str_eq(model, call->req.model))
        return path;
    km_url_encode(&name, model);
    in_core = (size_t)(p->segment.p - path.core.p);
    in_rest = (size_t)(p->segment.p - path.rest.p);
    path.core =
        km_arena_cat(&call->arena,
                     (struct km_str[]){ km_str_sub(path.core, 0, in_core), km_buf_view(&name),
                                        km_str_skip(path.core, in_core + p->segment.n) },
                     3);
    path.rest =
        km_arena_cat(&call->arena,
                     (struct km_str[]){ km_str_sub(path.rest, 0, in_rest), km_buf_view(&name),
                                        km_str_skip(path.rest, in_rest + p->segment.n) },
                     3);
    return path;
}

static struct km_str target_of(struct km_call *call)
{
    struct km_vendor_path path = path_of(call);
    struct km_str query = query_of(call);
    struct km_str parts[] = { km_prefix_of(call)->vendor->target(call->at->d, &path, &call->arena),
                              query.n ? KM_STR("?") : KM_STR_NONE, query };

    return km_arena_cat(&call->arena, parts, 3);
}

/* --- head --- */

/* The deployment's lines; its Content-Type only where the caller has none of his own, or where
 * it is signed. */
static struct km_str own_lines(const struct km_call *call, struct km_str type)
{
    static const struct km_str json = { "Content-Type: application/json\r\n", 32 };
    struct km_str head = call->at->d->head;

    return km_str_starts(head, json) && type.n &&
                   km_prefix_of(call)->vendor->dialect != KM_DIALECT_AWS
               ? km_str_skip(head, json.n)
               : head;
}

static int build_head(struct km_call *call, struct km_str *ret, struct km_err *err)
{
    const struct km_headers *h = &call->request->headers;
    struct km_str type = km_header_get(h, KM_STR("content-type"));
    struct km_str accept = km_header_get(h, KM_STR("accept"));
    struct km_str own = own_lines(call, type);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_MAX);
    int r = 0;

    km_buf_str(&b, own);
    if (type.n && own.p != call->at->d->head.p)
        r = km_header_put(&b, KM_STR("Content-Type"), type, err);
    if (r == 0 && accept.n)
        r = km_header_put(&b, KM_STR("Accept"), accept, err);
    for (size_t i = 0; r == 0 && i < h->n; i++)
        if (km_may_forward(call->visit, h, own, h->v[i].name, KM_WAY_VENDOR))
            r = km_header_put(&b, h->v[i].name, h->v[i].value, err);
    *ret = km_arena_str(&call->arena, km_buf_view(&b));
    return r == 0 && (km_buf_failed(&b) || !ret->n)
               ? km_fail(err, KM_E_HEADER_TOO_LARGE, "the request's header lines are too long")
               : r;
}

/* --- body --- */

/* A member at the top, or in an object there. */
static int set(struct km_call *call, struct km_json_edits *e, const char *in, const char *name,
               struct km_str value, struct km_err *err)
{
    struct km_str top = km_str_c(in ? in : name);
    struct km_json_span span;
    int r = km_json_spans(call->body, &top, 1, &span, NULL, err);

    if (r == 0 && in)
        return km_llm_set_inner(e, &call->arena, &span, top, km_str_c(name), value, err);
    if (r == 0 && span.type == KM_JSON_ABSENT)
        km_json_add(e, &call->arena, top, value);
    else if (r == 0)
        km_json_replace(e, &span, value);
    return r;
}

static int set_model(struct km_call *call, struct km_json_edits *e, struct km_err *err)
{
    struct km_str model = km_prefix_model(call);

    if (km_prefix_of(call)->segment.n || km_str_eq(model, call->req.model))
        return 0;
    return set(call, e, NULL, "model", km_llm_json_string(&call->arena, model), err);
}

static int ask_usage(struct km_call *call, struct km_json_edits *e, struct km_err *err)
{
    if (!km_prefix_of(call)->meter.kind->asks_usage || !call->req.stream || call->req.usage_asked ||
        km_call_no_stream_options(call))
        return 0;
    return set(call, e, "stream_options", "include_usage", KM_STR("true"), err);
}

static int bound_output(struct km_call *call, struct km_json_edits *e, struct km_err *err)
{
    const struct km_meter_kind *kind = km_prefix_of(call)->meter.kind;
    int r;

    if (call->bound_tokens < 0)
        return 0;
    if (kind->bounds)
        return km_bounds_lower(kind->bounds, &call->req, km_prefix_model(call), call->bound_tokens,
                               e, &call->arena, err);
    if (!kind->bound)
        return 0;
    r = set(call, e, kind->bound_in, kind->bound, km_arena_i64(&call->arena, call->bound_tokens),
            err);
    return r == 0 && !kind->bound_in ? km_spellings_bound_but(call->body, km_str_c(kind->bound), e,
                                                              &call->arena, call->bound_tokens, err)
                                     : r;
}

static int build_body(struct km_call *call, struct km_str **ret_parts, size_t *ret_n,
                      struct km_err *err)
{
    const struct km_prefix_call *p = km_prefix_of(call);
    struct km_json_edits e;
    struct km_json_object object;
    int r;

    if (!p->rule || !call->req.model.n || !call->body.n ||
        (p->rule->cost != KM_VENDOR_METERED && p->segment.n)) {
        *ret_parts = km_arena_alloc(&call->arena, sizeof **ret_parts);
        *ret_n = call->body.n > 0;
        if (!*ret_parts)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        **ret_parts = call->body;
        return 0;
    }
    r = km_json_spans(call->body, NULL, 0, NULL, &object, err);
    if (r < 0)
        return r;
    km_json_edits_init(&e, call->body, &object);
    r = set_model(call, &e, err);
    if (r == 0 && p->rule->cost == KM_VENDOR_METERED)
        r = ask_usage(call, &e, err);
    if (r == 0 && p->rule->cost == KM_VENDOR_METERED)
        r = bound_output(call, &e, err);
    return r == 0 ? km_json_parts(&e, &call->arena, ret_parts, ret_n, err) : r;
}

int km_prefix_attempt(struct km_call *call, struct km_err *err)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    const struct km_request *req = call->request;
    struct km_http_request out = { .origin = call->at->d->origin,
                                   .method = req->method,
                                   .has_body = req->has_body,
                                   .between_ms = (uint64_t)snap->gateway->stream_idle_ms };
    struct km_str *parts = NULL;
    int r = build_head(call, &out.head, err);

    if (r == 0)
        r = build_body(call, &parts, &out.nbody, err);
    if (r < 0)
        return r;
    out.body = parts;
    out.target = target_of(call);
    call->at->out = out;
    return km_arena_overflowed(&call->arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}
