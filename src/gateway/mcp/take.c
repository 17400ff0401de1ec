/* SPDX-License-Identifier: Apache-2.0 */
/* take.c - a POST on its owner's loop: media types, era, session, batch; then a turn for each
 * message.
 *
 * A message of the handshake era that names no session is served without one: kanmon's own tools
 * and plain calls need none, and scripts send one message and go.  Such a client is asked nothing
 * and gets no more than the answer.  One that names a session which is not there is told so with
 * 404, on which it begins anew.
 *
 * An array is a batch in revision 2025-03-26 (and before, where JSON-RPC alone counts): at most
 * 100 messages, and initialize alone.
 */
#include "gateway/mcp/call.h"

#include "base/hash.h"
#include "mcp/header_check.h"

#define BATCH_MOST 100

void km_mcp_refuse(struct km_mcp_arrival *in, enum km_mcp_era era, int http, int code,
                   const char *message)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_mcp_pipe *pipe = in->pipe;

    in->pipe = NULL;
    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\""));
    if (era == KM_MCP_HANDSHAKE)
        km_buf_str(&b, KM_STR(",\"id\":null"));
    km_buf_printf(&b, ",\"error\":{\"code\":%d,\"message\":", code);
    km_buf_json(&b, km_str_c(message));
    km_buf_str(&b, KM_STR("}}"));
    km_mcp_pipe_respond(pipe, http,
                        http == 405 ? KM_STR("Content-Type: application/json\r\nAllow: GET, POST, "
                                             "DELETE\r\n")
                                    : KM_STR("Content-Type: application/json\r\n"),
                        km_buf_view(&b));
}

struct km_mcp_session *km_mcp_in_session(struct km_mcp_arrival *in)
{
    return km_mcp_session_find(in->hub->sessions, in->session_id, in->principal,
                               km_loop_now_ms(in->hub->w->loop));
}

/* What the message of a fault is answered with, before there is a turn for it. */
static void fault(struct km_mcp_arrival *in, const struct km_mcp_revision *revision,
                  const struct km_rpc_message *msg, enum km_rpc_fault what, const char *message)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_buf data KM_CLEANUP(km_buf_done) = KM_BUF(32 * 1024);
    struct km_mcp_pipe *pipe = in->pipe;

    in->pipe = NULL;
    if (what == KM_RPC_UNSUPPORTED_VERSION && revision->era == KM_MCP_STATELESS)
        km_mcp_put_versions(msg, km_header_get(&in->headers, KM_STR("mcp-protocol-version")),
                            &data);
    km_rpc_error(&b, revision->era, what, msg->id, km_str_c(message), km_buf_view(&data));
    km_mcp_pipe_respond(pipe, km_rpc_http(what, revision->era),
                        KM_STR("Content-Type: application/json\r\n"), km_buf_view(&b));
}

static bool same_kind(const struct km_mcp_arrival *in)
{
    return km_http_is_json(km_header_get(&in->headers, KM_STR("content-type")));
}

/* Which revision a handshake message is in: its session's, whatever its header says, as long as
 * that is one we speak. */
static bool in_session(struct km_mcp_turn *t)
{
    struct km_mcp_arrival *in = t->in;

    if (in->way == KM_MCP_WAY_POST &&
        (!in->session_id.n || km_str_eq(t->msg.method, KM_STR("initialize"))))
        return true;
    t->session = km_mcp_in_session(in);
    if (!t->session) {
        km_mcp_refuse(in, KM_MCP_HANDSHAKE, 404, -32001,
                      "Session not found: it ended or never was. Begin a new one with initialize.");
        return false;
    }
    t->revision = t->session->revision;
    t->capabilities = t->session->capabilities;
    return true;
}

static struct km_mcp_stream *stream_for(struct km_mcp_turn *t, unsigned pending, bool batch)
{
    struct km_mcp_stream_args args = { .session = t->session,
                                       .pipe = t->in->pipe,
                                       .revision = t->revision,
                                       .pending = pending,
                                       .batch = batch,
                                       .plain = t->in->plain };

    args.no_events = !km_http_accepts(&t->in->headers, KM_STR("text/event-stream"));
    if (t->session && t->session->legacy) {
        km_mcp_pipe_respond(t->in->pipe, 202, KM_STR("Content-Type: text/plain\r\n"),
                            KM_STR("Accepted"));
        args.pipe = NULL;
        args.no_events = false;
    }
    t->in->pipe = NULL;
    return km_mcp_stream_new(t->hub, &args);
}

static void accepted(struct km_mcp_arrival *in)
{
    struct km_mcp_pipe *pipe = in->pipe;

    in->pipe = NULL;
    km_mcp_pipe_respond(pipe, 202, KM_STR_NONE, KM_STR_NONE);
}

static void one(struct km_mcp_turn *t)
{
    t->in->era = t->revision->era;
    if (t->msg.kind == KM_RPC_REQUEST) {
        t->stream = stream_for(t, 1, false);
        if (t->stream)
            km_mcp_dispatch(t);
        return;
    }
    if (t->msg.kind == KM_RPC_RESPONSE && t->revision->era == KM_MCP_STATELESS) {
        fault(t->in, t->revision, &t->msg, KM_RPC_INVALID_REQUEST,
              "Invalid Request: a client sends no responses");
        return;
    }
    km_mcp_dispatch(t); /* before the exchange ends: the message is in it */
    accepted(t->in);
}

/* --- the stateless era --- */

/* A client that is one process says which, by a word of its own (kanmon mcp stdio does).  All it
 * asks then meets at one worker, in the same sessions with the servers, so that it finds what its
 * earlier calls made.  true: it is another worker's. */
static bool client_elsewhere(struct km_mcp_turn *t)
{
    struct km_gateway *gw = t->hub->w->gw;
    size_t owner = km_crc32(0, t->client.p, t->client.n) % gw->nworkers;

    return t->client.n && t->in->visit->x && owner != t->hub->w->index &&
           km_mcp_arrival_pass(t->in, &gw->workers[owner]);
}

static void stateless(struct km_mcp_turn *t)
{
    const char *why =
        t->msg.kind == KM_RPC_REQUEST ? km_mcp_header_mismatch(&t->in->headers, &t->msg) : NULL;
    const struct km_json *caps =
        km_json_get(km_json_get(t->msg.params, "_meta"), KM_MCP_META_CAPABILITIES);

    if (why) {
        fault(t->in, t->revision, &t->msg, KM_RPC_HEADER_MISMATCH, why);
        return;
    }
    t->client = km_str_sub(km_header_get(&t->in->headers, KM_STR(KM_MCP_CLIENT_HEADER)), 0,
                           KM_MCP_CLIENT_BYTES);
    if (km_mcp_park_elsewhere(t) || client_elsewhere(t))
        return;
    t->capabilities = caps ? km_json_compact(caps, t->arena) : KM_STR("{}");
    one(t);
}

/* --- batches --- */

static bool item(struct km_mcp_turn *t, const struct km_json *v, struct km_mcp_turn *ret)
{
    enum km_rpc_fault what = KM_RPC_INTERNAL;
    KM_ERR_NONE(err);

    *ret = *t;
    ret->text = km_json_compact(v, t->arena);
    return km_rpc_parse(t->arena, ret->text, &ret->msg, &what, &err) == 0;
}

static void batch(struct km_mcp_turn *t, const struct km_json *root)
{
    size_t n = km_json_count(root), requests = 0;
    struct km_mcp_turn *turns;
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    if (!in_session(t))
        return;
    if (km_str_cmp(t->revision->name, KM_STR("2025-03-26")) > 0 || n == 0 || n > BATCH_MOST) {
        km_mcp_refuse(t->in, KM_MCP_HANDSHAKE, 400, -32600,
                      n > BATCH_MOST ? "Invalid Request: a batch has at most 100 messages"
                      : n == 0       ? "Invalid Request: an empty batch"
                                     : "Invalid Request: batches are not taken here, send one "
                                       "message at a time");
        return;
    }
    turns = km_arena_zalloc(t->arena, n * sizeof *turns);
    n = 0;
    for (km_json_iter(root, &it); turns && km_json_next(&it, &key, &v); n++) {
        if (!item(t, v, &turns[n]) || km_str_eq(turns[n].msg.method, KM_STR("initialize"))) {
            km_mcp_refuse(t->in, KM_MCP_HANDSHAKE, 400, -32600,
                          "Invalid Request: one of the batch is no message, or initialize, which "
                          "is sent alone");
            return;
        }
        requests += turns[n].msg.kind == KM_RPC_REQUEST;
    }
    if (km_mcp_arrival_keep(t->in) < 0) { /* the exchange may end before the last of them */
        fault(t->in, t->revision, &t->msg, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    if (requests)
        t->stream = stream_for(t, (unsigned)requests, true);
    for (size_t i = 0; i < n && (t->stream || !requests); i++) {
        turns[i].stream = turns[i].msg.kind == KM_RPC_REQUEST ? t->stream : NULL;
        km_mcp_dispatch(&turns[i]);
    }
    if (!requests)
        accepted(t->in);
}

/* --- a body --- */

static void post(struct km_mcp_arrival *in)
{
    bool legacy = in->way == KM_MCP_WAY_LEGACY_POST;
    struct km_str version = km_header_get(&in->headers, KM_STR("mcp-protocol-version"));
    struct km_mcp_turn t = { .hub = in->hub, .in = in, .arena = &in->arena, .text = in->body };
    enum km_rpc_fault what = KM_RPC_INTERNAL;
    const struct km_json *root;
    KM_ERR_NONE(err);

    /* Until the message is read the header says how errors look. */
    t.revision = km_mcp_revision_latest(
        km_str_cmp(version, km_mcp_revision_latest(KM_MCP_STATELESS)->name) >= 0
            ? KM_MCP_STATELESS
            : KM_MCP_HANDSHAKE);
    t.capabilities = KM_STR("{}");
    if (legacy) { /* it is answered with 202 before it is dealt with */
        t.text = km_arena_str(&in->arena, in->body);
        if (km_mcp_arrival_keep(in) < 0) {
            fault(in, t.revision, &t.msg, KM_RPC_OVERLOADED, "out of memory");
            return;
        }
        in->body = t.text;
    }
    if (!same_kind(in)) {
        fault(in, t.revision, &t.msg, KM_RPC_MEDIA_TYPE, "Content-Type must be application/json");
        return;
    }
    if (!legacy && !km_http_accepts(&in->headers, KM_STR("application/json"))) {
        fault(in, t.revision, &t.msg, KM_RPC_NOT_ACCEPTABLE,
              "Accept must list application/json and text/event-stream");
        return;
    }
    if (km_str_trim(in->body).n && km_str_trim(in->body).p[0] == '[' &&
        t.revision->era == KM_MCP_HANDSHAKE && km_json_parse(t.arena, in->body, &root, NULL) == 0) {
        if (version.n && km_mcp_revision_find(version))
            t.revision = km_mcp_revision_find(version);
        else
            t.revision = km_mcp_revision_find(KM_STR("2025-03-26"));
        batch(&t, root);
        return;
    }
    if (km_rpc_parse(t.arena, in->body, &t.msg, &what, &err) < 0 ||
        km_mcp_revision_select(&t.msg, true, version, &t.revision, &what, &err) < 0) {
        fault(in, t.revision, &t.msg, what, err.text);
        return;
    }
    if (t.revision->era == KM_MCP_STATELESS)
        stateless(&t);
    else if (in_session(&t))
        one(&t);
}

void km_mcp_take(struct km_mcp_arrival *in)
{
    struct km_arena arena;

    switch (in->way) {
    case KM_MCP_WAY_POST:
    case KM_MCP_WAY_LEGACY_POST:
        post(in);
        break;
    case KM_MCP_WAY_GET:
        km_mcp_take_get(in);
        break;
    case KM_MCP_WAY_DELETE:
        km_mcp_take_delete(in);
        break;
    case KM_MCP_WAY_LEGACY_GET:
        km_mcp_take_legacy_get(in);
        break;
    }
    km_assert(!in->pipe);
    if (in->kept)
        return;
    arena = in->arena;
    km_arena_done(&arena);
}
