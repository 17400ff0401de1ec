/* SPDX-License-Identifier: Apache-2.0 */
/* door.c - where an HTTP request for MCP comes in: which worker owns it, and its body.
 *
 *     Mcp-Session-Id ──> owner here ───────────────────────────> taken at once
 *                    └─> another worker: copied, by its mailbox ─> taken there (pipe.h answers)
 *
 * A request without a session, or with an id that is none of ours, is taken here: whoever takes
 * it says 404.  The key was asked for by the dispatcher, here, before anything else; the owner
 * gets who it is, not the key's text.
 */
#include "gateway/mcp/http.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "door/http_port.h"
#include "gateway/mcp/turn.h"
#include "door/reply.h"

#define ARENA_BYTES (5 * KM_RPC_BYTES + (1 << 20)) /* text, tree, and what a message needs */

/* A request whose body has not come yet: in the exchange's arena. */
struct waiting {
    struct km_visit *v;
    enum km_mcp_way way;
};

static struct km_str session_of(struct km_visit *v, enum km_mcp_way way)
{
    const struct km_request *req = km_exchange_request(v->x);
    struct km_str id = KM_STR_NONE;

    if (way == KM_MCP_WAY_LEGACY_GET)
        return KM_STR_NONE;
    if (way != KM_MCP_WAY_LEGACY_POST)
        return km_header_get(&req->headers, KM_STR("mcp-session-id"));
    (void)km_query_get(km_exchange_arena(v->x), req->query, KM_STR("sessionId"), &id);
    return id;
}

/* A message of the stateless era belongs to nobody, whatever session it names. */
static bool stateless(const struct km_headers *h)
{
    return km_str_cmp(km_header_get(h, KM_STR("mcp-protocol-version")),
                      km_mcp_revision_latest(KM_MCP_STATELESS)->name) >= 0;
}

static struct km_worker *owner_of(struct km_visit *v, struct km_str session)
{
    size_t worker;

    if (stateless(&km_exchange_request(v->x)->headers) ||
        !km_mcp_session_id_owner(session, km_mcp_hub_of(v->w)->shared->replica, &worker) ||
        worker >= v->w->gw->nworkers)
        return v->w;
    return &v->w->gw->workers[worker];
}

static void reach_of(struct km_visit *v, struct km_mcp_arrival *in)
{
    struct km_reach_words {
        struct km_str name;
        struct km_str *to;
    } words[] = { { KM_STR("x-mcp-servers"), &in->reach.servers },
                  { KM_STR("x-mcp-access-groups"), &in->reach.groups } };
    struct km_err ignored;

    if (v->match.nparams &&
        km_url_decode(&in->arena, v->match.params[0], false, &in->reach.servers, &ignored) == 0 &&
        in->reach.servers.n) {
        in->reach.path = true;
        return;
    }
    for (size_t i = 0; i < 2; i++)
        *words[i].to = km_arena_str(
            &in->arena, km_header_get(&km_exchange_request(v->x)->headers, words[i].name));
}

int km_mcp_arrival_keep(struct km_mcp_arrival *in)
{
    struct km_visit *v = in->visit;

    if (!v->x)
        return 0; /* it has one of its own already */
    in->headers = km_headers_copy(&in->arena, &in->headers);
    in->visit = km_visit_copy(v, &in->arena);
    if (!in->visit || km_visit_seat(in->visit, &in->arena, v->w) < 0)
        return KM_E_NOMEM;
    in->session_id = km_arena_str(&in->arena, in->session_id);
    in->body = KM_STR_NONE;
    return km_arena_overflowed(&in->arena) ? KM_E_NOMEM : 0;
}

static void on_passed(struct km_msg *msg, void *owner)
{
    struct km_mcp_arrival *in = (struct km_mcp_arrival *)msg;
    struct km_worker *w = owner;
    struct km_arena arena;

    in->hub = km_mcp_hub_of(w);
    if (km_visit_seat(in->visit, &in->arena, w) == 0) {
        km_mcp_take(in);
        return;
    }
    km_mcp_pipe_respond(in->pipe, 503, KM_STR("Retry-After: 1\r\n"), KM_STR_NONE);
    arena = in->arena;
    km_arena_done(&arena);
}

/* To another worker: nothing of the exchange goes along but the pipe. */
static int pass(struct km_visit *v, struct km_mcp_arrival *in, struct km_worker *to)
{
    struct km_port *port;

    in->headers = km_headers_copy(&in->arena, &km_exchange_request(v->x)->headers);
    in->session_id = km_arena_str(&in->arena, in->session_id);
    in->body = km_arena_str(&in->arena, in->body);
    in->visit = km_visit_copy(v, &in->arena);
    if (!in->visit || km_arena_overflowed(&in->arena))
        return KM_E_NOMEM;
    port = km_http_port(v);
    in->pipe = port ? km_mcp_pipe_new(port, km_mcp_hub_of(v->w), km_mcp_hub_of(to)) : NULL;
    if (!in->pipe)
        return KM_E_NOMEM;
    in->msg.run = on_passed;
    km_mailbox_post(to->mailbox, &in->msg);
    return 0;
}

struct km_mcp_arrival *km_mcp_arrival_copy(const struct km_mcp_arrival *in)
{
    struct km_mcp_arrival *copy;
    struct km_arena arena;

    km_arena_init(&arena, ARENA_BYTES, NULL);
    copy = km_arena_zalloc(&arena, sizeof *copy);
    if (!copy) {
        km_arena_done(&arena);
        return NULL;
    }
    *copy = *in;
    copy->arena = arena;
    copy->pipe = NULL;
    copy->principal = km_arena_str(&copy->arena, in->principal);
    copy->reach.servers = km_arena_str(&copy->arena, in->reach.servers);
    copy->reach.groups = km_arena_str(&copy->arena, in->reach.groups);
    copy->session_id = km_arena_str(&copy->arena, in->session_id);
    copy->body = KM_STR_NONE;
    copy->visit = km_visit_copy(in->visit, &copy->arena);
    copy->headers = km_headers_copy(&copy->arena, &in->headers);
    if (copy->visit && !km_arena_overflowed(&copy->arena))
        return copy;
    arena = copy->arena;
    km_arena_done(&arena);
    return NULL;
}

bool km_mcp_arrival_pass(struct km_mcp_arrival *in, struct km_worker *to)
{
    struct km_mcp_arrival *copy = km_mcp_arrival_copy(in);
    struct km_arena arena;

    if (!copy)
        return false;
    copy->body = km_arena_str(&copy->arena, in->body);
    if (km_arena_overflowed(&copy->arena) || !km_mcp_pipe_move(in->pipe, km_mcp_hub_of(to))) {
        arena = copy->arena;
        km_arena_done(&arena);
        return false;
    }
    copy->pipe = in->pipe;
    in->pipe = NULL;
    copy->msg.run = on_passed;
    km_mailbox_post(to->mailbox, &copy->msg);
    return true;
}

static void arrive(struct km_visit *v, enum km_mcp_way way, struct km_str body)
{
    struct km_str session = session_of(v, way);
    struct km_worker *owner = owner_of(v, session);
    KM_ERR_NONE(err);
    struct km_mcp_arrival *in;
    struct km_arena arena;
    int r = KM_E_NOMEM;

    km_arena_init(&arena, ARENA_BYTES, owner == v->w ? km_loop_arenas(v->w->loop) : NULL);
    in = km_arena_zalloc(&arena, sizeof *in);
    if (in) {
        in->arena = arena;
        in->way = way;
        in->session_id = session;
        in->body = body;
        in->builtins = v->match.route->data;
        in->principal = km_mcp_principal(v, &in->arena);
        reach_of(v, in);
        in->headers = km_exchange_request(v->x)->headers;
        in->secure = km_exchange_secure(v->x);
        in->visit = v;
        in->hub = km_mcp_hub_of(v->w);
        if (owner != v->w) {
            r = pass(v, in, owner);
        } else {
            struct km_port *port = km_http_port(v);

            in->pipe = port ? km_mcp_pipe_new(port, in->hub, in->hub) : NULL;
            r = in->pipe && !km_arena_overflowed(&in->arena) ? 0 : KM_E_NOMEM;
        }
    }
    if (r == 0 && owner == v->w)
        km_mcp_take(in);
    if (r == 0)
        return;
    if (in)
        arena = in->arena;
    km_arena_done(&arena);
    km_fail(&err, KM_E_OVERLOADED, "too much is going on here; try again shortly");
    err.retry_after_ms = 1000;
    km_reply_error(v, &err);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct waiting *wait = ctx;

    if (err)
        km_reply_error(wait->v, err);
    else
        arrive(wait->v, wait->way, body);
}

static void on_gone(void *ctx)
{
    struct waiting *wait = ctx;

    km_exchange_abort(wait->v->x);
}

static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };

static void post(struct km_visit *v, struct km_exchange *x, enum km_mcp_way way)
{
    struct waiting *wait = km_arena_zalloc(km_exchange_arena(x), sizeof *wait);
    int64_t most = v->view->snap->http->body_bytes;
    struct km_str body = KM_STR_NONE;
    KM_ERR_NONE(err);
    int r = 0;

    if (!wait) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_reply_error(v, &err);
        return;
    }
    *wait = (struct waiting){ v, way };
    km_exchange_listen(x, &events, wait);
    if (most > (int64_t)KM_RPC_BYTES)
        most = (int64_t)KM_RPC_BYTES;
    if (km_exchange_request(x)->has_body)
        r = km_exchange_body(x, most, &body, &err);
    if (r == KM_E_AGAIN)
        return;
    if (r < 0)
        km_reply_error(v, &err);
    else
        arrive(v, way, body);
}

void km_mcp_post(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)match;
    post(visit, x, KM_MCP_WAY_POST);
}

void km_mcp_messages(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)match;
    post(visit, x, KM_MCP_WAY_LEGACY_POST);
}

void km_mcp_get(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    arrive(visit, KM_MCP_WAY_GET, KM_STR_NONE);
}

void km_mcp_delete(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    arrive(visit, KM_MCP_WAY_DELETE, KM_STR_NONE);
}

void km_mcp_sse(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    arrive(visit, KM_MCP_WAY_LEGACY_GET, KM_STR_NONE);
}
