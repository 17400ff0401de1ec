/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - the door: origin, route, key, handler, in that order for every request.
 *
 * A route unknown here is 404 before any key is asked, as LiteLLM does; everything a handler may
 * learn of the caller is in the visit.  Every route is asked here, so none can forget it; what is
 * refused to a call (LLM, pass-through) the call tells itself, for it is counted and logged as one.
 */
#include "door/dispatch.h"

#include "door/auth.h"
#include "door/cors.h"
#include "door/origin.h"
#include "door/reply.h"

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

/* What clients' libraries have calls for and is not here: what does it instead. */
static const struct {
    struct km_str path;
    const char *instead;
} absent[] = {
    { { "/v1/messages/batches", 20 },
      "Batches are OpenAI's here: /v1/batches. Anthropic's own are at "
      "/anthropic/v1/messages/batches, for the administrator's key." },
    { { "/v1/conversations", 17 },
      "A conversation goes on by previous_response_id of /v1/responses, or by all of its items in "
      "input." },
    { { "/v1/complete", 12 }, "Claude is asked at /v1/messages." },
    { { "/v1beta/cachedContents", 22 },
      "What Google keeps is at /gemini/v1beta/cachedContents, for the administrator's key." },
};

static const char *instead_of(struct km_str path)
{
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        struct km_str rest = km_str_skip(path, absent[i].path.n);

        if (km_str_starts(path, absent[i].path) && (!rest.n || rest.p[0] == '/'))
            return absent[i].instead;
    }
    return "GET /routes lists them.";
}

static int not_routed(struct km_visit *v, int r, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(v->x);

    if (r == KM_E_BAD_METHOD)
        return km_fail(err, r, "%.*s is not a method of %.*s; it takes %.*s.",
                       KM_STR_ARG(req->method), KM_STR_ARG(km_str_sub(req->path, 0, 200)),
                       KM_STR_ARG(v->allow));
    return km_fail(err, KM_E_NOT_FOUND, "There is no route %.*s here. %s",
                   KM_STR_ARG(km_str_sub(req->path, 0, 200)), instead_of(req->path));
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

/* Does the query belong to the upstream alone? */
static bool is_passed_on(enum km_auth_level level)
{
    return level == KM_AUTH_PASS || level == KM_AUTH_OPEN;
}

/* Does its handler begin a call, which tells a refusal itself? */
static bool is_call(enum km_auth_level level)
{
    return level == KM_AUTH_CALL || is_passed_on(level);
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
    level = r == 0 ? v->match.route->auth : KM_AUTH_PUBLIC;
    if (r == 0 && !is_passed_on(level) && check_query(v, err) < 0)
        return KM_E_INVALID;
    if (level != KM_AUTH_WEB) {
        int refused = km_check_origin(v, err);

        if (refused < 0)
            return refused;
    }
    km_cors_allow(v);
    if (r < 0)
        return not_routed(v, r, err);
    if (!is_call(level))
        return km_authenticate(v, level, err);
    km_auth_vouch(v, level);
    return 0;
}

static void go_on(struct km_visit *v)
{
    KM_ERR_NONE(err);

    if (enter(v, &err) < 0)
        km_reply_error(v, &err);
    else
        v->match.route->handler(v, v->x, &v->match);
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
    if (!km_cors_preflight(v) && !km_auth_waits(v, go_on))
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
