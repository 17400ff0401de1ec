/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - the door: origin, route, key, handler, in that order for every request.
 *
 * A route unknown here is 404 before any key is asked, as LiteLLM does; everything a handler may
 * learn of the caller is in the visit.  Calls (LLM, pass-through) ask for the key themselves, as
 * the first step of their table; every other route is asked here, so none can forget it.
 */
#include "gateway/dispatch.h"

#include "gateway/call.h"
#include "gateway/cors.h"
#include "gateway/jwt/auth.h"
#include "gateway/reply.h"

static void drop_view(void *view)
{
    km_view_unref(view);
}

static struct km_visit *visit_new(struct km_worker *w, struct km_exchange *x)
{
    struct km_visit *v = km_arena_zalloc(km_exchange_arena(x), sizeof *v);

    if (!v)
        return NULL;
    v->w = w;
    v->x = x;
    v->view = km_view_ref(w->view);
    if (km_arena_defer(km_exchange_arena(x), drop_view, v->view) < 0)
        return NULL; /* defer ran it */
    v->came_us = km_wall_us();
    v->id = km_uuid7_at(km_loop_ids(w->loop), v->came_us);
    km_uuid_text(&v->id, v->id_text);
    return v;
}

static int not_routed(struct km_visit *v, int r, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(v->x);

    if (r == KM_E_BAD_METHOD)
        return km_fail(err, r, "%.*s is not a method of %.*s; it takes %.*s.",
                       KM_STR_ARG(req->method), KM_STR_ARG(km_str_sub(req->path, 0, 200)),
                       KM_STR_ARG(v->allow));
    return km_fail(err, KM_E_NOT_FOUND, "There is no route %.*s here. GET /routes lists them.",
                   KM_STR_ARG(km_str_sub(req->path, 0, 200)));
}

/* What is read of a query here, each once. */
static int check_query(struct km_visit *v, struct km_err *err)
{
    static const struct km_str read[] = {
        { "model", 5 },     { "deployment", 10 }, { "alt", 3 },       { "key", 3 },
        { "api-key", 7 },   { "api_key", 7 },     { "intent", 6 },    { "server_id", 9 },
        { "sessionId", 9 }, { "after", 5 },       { "limit", 5 },     { "purpose", 7 },
        { "user_id", 7 },   { "request_id", 10 }, { "summarize", 9 }, { "return_full_object", 18 },
    };
    struct km_str query = km_exchange_request(v->x)->query;
    const struct km_str *name =
        query.n ? km_query_twice(km_exchange_arena(v->x), query, read, sizeof read / sizeof read[0])
                : NULL;

    return name ? km_fail_param(err, KM_E_INVALID, name->p,
                                "'%s' is in the query more than once. Send it once.", name->p)
                : 0;
}

/* Which route it is, known before the origin is judged: some are for pages of any. */
static int enter(struct km_visit *v, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(v->x);
    enum km_auth_level level;
    int r = km_check_host(v, err);

    if (r < 0)
        return r;
    r = km_router_find(v->view->snap->router, req->method, req->path, &v->match, &v->allow);
    if (r == 0 && !km_pass_is_route(v->match.route) && check_query(v, err) < 0)
        return KM_E_INVALID;
    level = r == 0 ? v->match.route->auth : KM_AUTH_PUBLIC;
    if (level != KM_AUTH_WEB) {
        int refused = km_check_origin(v, err);

        if (refused < 0)
            return refused;
    }
    km_cors_allow(v);
    if (r < 0)
        return not_routed(v, r, err);
    return level == KM_AUTH_CALL ? 0 : km_authenticate(v, level, err);
}

static void go_on(struct km_visit *v)
{
    struct km_err err = { 0 };

    if (enter(v, &err) < 0)
        km_reply_error(v, &err);
    else
        v->match.route->handler(v, v->x, &v->match);
}

/* A token of another issuer may have to wait for that issuer's keys; nothing else waits. */
static bool must_wait(struct km_visit *v)
{
    struct km_str token;

    return km_jwt_auth_of(v->view->snap) && !v->local && km_credential(v, &token, NULL) == 0 &&
           km_jwt_prepare(v, token, go_on) == KM_E_AGAIN;
}

static void dispatch(struct km_worker *w, struct km_exchange *x, bool local)
{
    struct km_visit *v = visit_new(w, x);

    if (!v) {
        km_exchange_respond(x, 503, KM_STR("Retry-After: 1\r\n"), KM_STR_NONE);
        return;
    }
    v->local = local && !km_forwarded_by(&km_exchange_request(x)->headers).n;
    v->dialect = km_dialect_of(km_exchange_request(x)->path);
    v->uid = v->local ? km_exchange_peer(x)->in.sin_addr.s_addr : 0;
    if (!km_cors_preflight(v) && !must_wait(v))
        go_on(v);
}

static void on_request(void *worker, struct km_exchange *x)
{
    dispatch(worker, x, false);
}

static void on_local(void *worker, struct km_exchange *x)
{
    dispatch(worker, x, true);
}

static void on_error(void *worker, const struct km_err *err, struct km_str path, struct km_buf *out)
{
    (void)worker;
    km_error_json(km_dialect_of(path), err, KM_STR_NONE, out);
}

const struct km_door km_http_door = {
    .on_request = on_request,
    .on_local = on_local,
    .on_error = on_error,
};
