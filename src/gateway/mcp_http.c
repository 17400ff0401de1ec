/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_http.c - see mcp_http.h.
 *
 * What is HTTP about MCP ends here: media types, the version header, and in the stateless era the
 * headers that repeat the message (they are compared and never believed: the body decides).  The
 * answer is always one JSON body; a server may choose that over a stream, and our tools have
 * nothing to say in between.  No session is begun: none is needed, and a Mcp-Session-Id that
 * comes is ignored.
 *
 * A post lives in its own arena, which holds the parsed message, and is freed after its answer.
 * A client that goes away changes nothing: the call is recorded and its answer goes nowhere.
 */
#include "gateway/mcp_http.h"

#include "base/encode.h"
#include "gateway/reply.h"

#define ARENA_BYTES (3 * KM_RPC_BYTES + (1 << 20)) /* text, tree, and what a tool needs */

struct post {
    struct km_arena arena; /* holds this struct too */
    struct km_visit *v;
    struct km_mcp_call call;
    bool reading; /* the body has not come yet */
};

static struct post *post_of(struct km_mcp_call *call)
{
    return KM_CONTAINER(call, struct post, call);
}

static void on_reply(struct km_mcp_call *call, int http, struct km_str body)
{
    struct post *p = post_of(call);
    struct km_arena arena = p->arena;

    km_exchange_respond(p->v->x, http,
                        body.n ? KM_STR("Content-Type: application/json\r\n") : KM_STR_NONE, body);
    km_arena_done(&arena);
}

static void on_recorded(void *call, const struct km_err *err)
{
    km_mcp_audited(call, err);
}

static void on_audit(struct km_mcp_call *call, const struct km_audit *record)
{
    struct km_worker *w = post_of(call)->v->w;

    km_store_audit(w->gw->store, w->mailbox, record, on_recorded, call);
}

static const struct km_mcp_host host = { on_audit, on_reply };

static void fail(struct post *p, const struct km_err *err)
{
    struct km_arena arena = p->arena;

    km_reply_error(p->v, err);
    km_arena_done(&arena);
}

/* Does one of the listed media types cover application/json? */
static bool accepts_json(const struct km_headers *headers)
{
    struct km_str part, rest;
    bool any = false;

    for (size_t i = 0; i < headers->n; i++) {
        if (!km_str_ieq(headers->v[i].name, KM_STR("accept")))
            continue;
        any = true;
        for (rest = headers->v[i].value; km_str_split(&rest, ',', &part);) {
            part = km_str_trim(km_str_sub(part, 0, km_str_chr(part, ';')));
            if (km_str_ieq(part, KM_STR("application/json")) ||
                km_str_eq(part, KM_STR("application/*")) || km_str_eq(part, KM_STR("*/*")))
                return true;
        }
    }
    return !any;
}

static bool is_json(struct km_str type)
{
    return km_str_ieq(km_str_trim(km_str_sub(type, 0, km_str_chr(type, ';'))),
                      KM_STR("application/json"));
}

/* "=?base64?...?=" stands for what a header cannot hold; */
static bool same_value(struct km_str header, struct km_str value)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_str open = KM_STR("=?base64?"), close = KM_STR("?=");

    if (header.n < open.n + close.n || !km_str_starts(header, open) || !km_str_ends(header, close))
        return km_str_eq(header, value);
    header = km_str_sub(header, open.n, header.n - open.n - close.n);
    return km_buf_unbase64(&b, header) == 0 && km_str_eq(km_buf_view(&b), value);
}

/* The headers of the stateless era say what the body says, or the request is refused. */
static const char *mismatch(const struct km_headers *headers, const struct km_rpc_message *msg)
{
    struct km_str name = KM_STR_NONE;

    if (km_header_count(headers, KM_STR("mcp-method")) != 1 ||
        !km_str_eq(km_header_get(headers, KM_STR("mcp-method")), msg->method))
        return "Mcp-Method is missing or differs from the body's method";
    if (!km_str_eq(msg->method, KM_STR("tools/call")) ||
        !km_json_string(km_json_get(msg->params, "name"), &name))
        return NULL;
    if (km_header_count(headers, KM_STR("mcp-name")) != 1 ||
        !same_value(km_header_get(headers, KM_STR("mcp-name")), name))
        return "Mcp-Name is missing or differs from the body's params.name";
    return NULL;
}

/* Whom approvals are bound to: a key by its whole hash, also when its secret was changed. */
static struct km_str principal(struct post *p)
{
    uint8_t hash[32];
    char hex[65];

    if (!p->v->who.key)
        return km_str_c(p->v->who.who);
    km_visit_hash(p->v, hash);
    km_hex(hex, hash, 32);
    return km_arena_printf(&p->arena, "key:%s", hex);
}

static void take(struct post *p, struct km_str body)
{
    const struct km_headers *headers = &km_exchange_request(p->v->x)->headers;
    struct km_str version = km_header_get(headers, KM_STR("mcp-protocol-version"));
    struct km_mcp_call *call = &p->call;
    enum km_rpc_fault fault = KM_RPC_INTERNAL;
    struct km_err err = { 0 };
    const char *why;

    /* Until the message is read the header says how errors look. */
    call->revision = km_mcp_revision_latest(
        km_str_cmp(version, km_mcp_revision_latest(KM_MCP_STATELESS)->name) >= 0
            ? KM_MCP_STATELESS
            : KM_MCP_HANDSHAKE);
    call->caller.principal = principal(p);
    if (km_arena_overflowed(call->arena)) {
        km_mcp_fault(call, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    if (!is_json(km_header_get(headers, KM_STR("content-type")))) {
        km_mcp_fault(call, KM_RPC_MEDIA_TYPE, "Content-Type must be application/json");
        return;
    }
    if (!accepts_json(headers)) {
        km_mcp_fault(call, KM_RPC_NOT_ACCEPTABLE,
                     "Accept must list application/json and text/event-stream");
        return;
    }
    if (km_rpc_parse(call->arena, body, &call->msg, &fault, &err) < 0 ||
        km_mcp_revision_select(&call->msg, true, version, &call->revision, &fault, &err) < 0) {
        km_mcp_fault(call, fault, err.text);
        return;
    }
    why = call->revision->era == KM_MCP_STATELESS && call->msg.kind == KM_RPC_REQUEST
              ? mismatch(headers, &call->msg)
              : NULL;
    if (why)
        km_mcp_fault(call, KM_RPC_HEADER_MISMATCH, why);
    else
        km_mcp_handle(call);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct post *p = ctx;

    p->reading = false;
    if (err)
        fail(p, err);
    else
        take(p, body);
}

/* No body will come any more.  A message that was taken is answered all the same. */
static void on_gone(void *ctx)
{
    struct post *p = ctx;
    struct km_err err = { 0 };

    if (!p->reading)
        return;
    p->reading = false;
    km_fail(&err, KM_E_CANCELED, "The client went away.");
    fail(p, &err);
}

static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };

static struct post *post_new(struct km_visit *v, const struct km_mcp_endpoint *endpoint)
{
    struct km_arena arena;
    struct post *p;

    km_arena_init(&arena, ARENA_BYTES, km_loop_arenas(v->w->loop));
    p = km_arena_zalloc(&arena, sizeof *p);
    if (!p) {
        km_arena_done(&arena);
        return NULL;
    }
    p->arena = arena;
    p->v = v;
    p->call = (struct km_mcp_call){
        .arena = &p->arena,
        .host = &host,
        .endpoint = endpoint,
        .caller = { .who = km_str_c(v->who.who), .admin = v->who.admin, .ctx = v },
        .approvals = v->w->gw->approvals,
        .policy = &km_approval_default,
    };
    return p;
}

void km_mcp_post(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct post *p = post_new(v, match->route->data);
    int64_t most = v->view->snap->http->body_bytes;
    struct km_str body = KM_STR_NONE;
    struct km_err err = { 0 };
    int r = 0;

    if (!p) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_reply_error(v, &err);
        return;
    }
    km_exchange_listen(x, &events, p);
    if (most > (int64_t)KM_RPC_BYTES)
        most = (int64_t)KM_RPC_BYTES;
    if (km_exchange_request(x)->has_body)
        r = km_exchange_body(x, most, &body, &err);
    p->reading = r == KM_E_AGAIN;
    if (p->reading)
        return;
    if (r < 0)
        fail(p, &err);
    else
        take(p, body);
}
