/* SPDX-License-Identifier: Apache-2.0 */
/* methods.c - the methods, as rows: which eras have them, and what they do.
 *
 * The row's era decides before anything else: `initialize` in a stateless message is unknown, as
 * is `server/discover` after a handshake.  What needs a server behind kanmon becomes a call
 * (call.h); everything else is answered here, lists from bytes that lie ready.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/mcp/call.h"
#include "gateway/mcp/notify.h"

#define ANSWER_BYTES (3 * KM_RPC_BYTES)
#define DISCOVER_TTL_MS 3600000

/* --- answers --- */

void km_mcp_turn_result(struct km_mcp_turn *t, struct km_str json)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    km_rpc_result(&b, t->msg.id, json);
    km_mcp_stream_answer(t->stream, 200, km_buf_view(&b));
}

void km_mcp_turn_fault_data(struct km_mcp_turn *t, enum km_rpc_fault fault, const char *message,
                            struct km_str data)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);

    km_rpc_error(&b, t->revision->era, fault, t->msg.id, km_str_c(message), data);
    km_mcp_stream_answer(t->stream, km_rpc_http(fault, t->revision->era), km_buf_view(&b));
}

void km_mcp_turn_fault(struct km_mcp_turn *t, enum km_rpc_fault fault, const char *message)
{
    km_mcp_turn_fault_data(t, fault, message, KM_STR_NONE);
}

void km_mcp_turn_fail(struct km_mcp_turn *t, const struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    bool busy = err->code == KM_E_NOMEM || err->code == KM_E_OVERLOADED;
    int http = busy ? km_rpc_http(KM_RPC_OVERLOADED, t->revision->era) : 200;

    km_rpc_failure(&b, t->revision->era, t->msg.id, err);
    km_mcp_stream_answer(t->stream, km_mcp_stream_status(t->stream, err, http), km_buf_view(&b));
}

void km_mcp_turn_no_view(struct km_mcp_turn *t, int why, const char *message)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    enum km_rpc_fault fault = why == KM_E_NOT_FOUND ? KM_RPC_INVALID_REQUEST : KM_RPC_INTERNAL;

    km_rpc_error(&b, t->revision->era, fault, t->msg.id, km_str_c(message), KM_STR_NONE);
    km_mcp_stream_answer(t->stream, why == KM_E_NOT_FOUND ? 404 : 500, km_buf_view(&b));
}

struct km_mcp_view *km_mcp_turn_view(struct km_mcp_turn *t)
{
    struct km_mcp_view *view = NULL;
    KM_ERR_NONE(err);
    int r = km_mcp_view_for(t->in, t->capabilities, &view, &err);

    if (r == 0)
        return view;
    km_mcp_turn_no_view(t, r, err.text);
    return NULL;
}

/* --- the handshake --- */

static int begin_session(struct km_mcp_turn *t, struct km_str capabilities, struct km_err *err)
{
    struct km_mcp_session_args args = { .principal = t->in->principal,
                                        .capabilities = capabilities,
                                        .revision = t->revision,
                                        .now_ms = km_loop_now_ms(t->hub->w->loop) };
    struct km_mcp_session *stale, *s;
    char line[80];
    int n, r;

    km_visit_key(t->in->visit, args.key);
    if (t->session) /* legacy: its stream began it */
        return km_mcp_session_agree(t->session, t->revision, capabilities, err);
    if (t->hub->ended)
        return 0; /* drained: served without one */
    km_mcp_sessions_bound(t->hub->sessions,
                          km_config_get(t->in->visit->view->snap->config, &km_mcp_session_table));
    while ((stale = km_mcp_session_stale(t->hub->sessions, args.now_ms)) ||
           (stale = km_mcp_session_over(t->hub->sessions, t->in->principal)))
        km_mcp_hub_drop_session(t->hub, stale);
    r = km_mcp_session_new(t->hub->sessions, &args, &s, err);
    if (r < 0)
        return r;
    n = snprintf(line, sizeof line, "Mcp-Session-Id: %s\r\n", s->id);
    km_mcp_stream_head(t->stream, km_str(line, (size_t)n));
    return 0;
}

static void put_who(const struct km_mcp_view *view, struct km_buf *b)
{
    struct km_buf words KM_CLEANUP(km_buf_done) = KM_BUF(4 * 1024 * 1024);

    km_mcp_view_instructions(view, &words);
    if (words.n) {
        km_buf_str(b, KM_STR(",\"instructions\":"));
        km_buf_str(b, km_buf_view(&words));
    }
}

static void on_initialize(struct km_mcp_turn *t)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024 * 1024);
    const struct km_json *caps = km_json_get(t->msg.params, "capabilities");
    struct km_mcp_view *view;
    struct km_err err = { 0 };
    struct km_str asked;

    if (!km_json_string(km_json_get(t->msg.params, "protocolVersion"), &asked)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "initialize needs params.protocolVersion");
        return;
    }
    t->revision = km_mcp_revision_negotiate(asked);
    if (km_json_kind(caps) == KM_JSON_OBJECT)
        t->capabilities = km_json_compact(caps, t->arena);
    view = km_mcp_turn_view(t);
    if (!view)
        return;
    if (begin_session(t, t->capabilities, &err) < 0) {
        km_mcp_view_unref(view);
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, err.text);
        return;
    }
    km_buf_str(&b, KM_STR("{\"protocolVersion\":"));
    km_buf_json(&b, t->revision->name);
    km_buf_str(&b, KM_STR(",\"capabilities\":"));
    km_mcp_view_capabilities(view, KM_MCP_HANDSHAKE, &b);
    km_buf_str(&b, KM_STR(",\"serverInfo\":"));
    km_buf_str(&b, km_mcp_identity());
    put_who(view, &b);
    km_buf_byte(&b, '}');
    km_mcp_view_unref(view);
    km_mcp_turn_result(t, km_buf_view(&b));
}

static void on_initialized(struct km_mcp_turn *t)
{
    if (t->session)
        t->session->initialized = true;
}

static void on_discover(struct km_mcp_turn *t)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024 * 1024);
    struct km_mcp_view *view = km_mcp_turn_view(t);

    if (!view)
        return;
    km_buf_str(&b, KM_STR("{\"resultType\":\"complete\",\"supportedVersions\":["));
    km_buf_json(&b, km_mcp_revision_latest(KM_MCP_STATELESS)->name);
    km_buf_str(&b, KM_STR("],\"capabilities\":"));
    km_mcp_view_capabilities(view, KM_MCP_STATELESS, &b);
    put_who(view, &b);
    km_buf_printf(
        &b, ",\"ttlMs\":%d,\"cacheScope\":\"public\",\"_meta\":{\"" KM_MCP_META_SERVER "\":%.*s}}",
        DISCOVER_TTL_MS, KM_STR_ARG(km_mcp_identity()));
    km_mcp_view_unref(view);
    km_mcp_turn_result(t, km_buf_view(&b));
}

static void on_ping(struct km_mcp_turn *t)
{
    km_mcp_turn_result(t, KM_STR("{}"));
}

/* --- lists --- */

static void give_list(struct km_mcp_turn *t, struct km_mcp_view *view, enum km_mcp_list list)
{
    struct km_str cursor = KM_STR_NONE, page = KM_STR_NONE;
    const struct km_json *c = km_json_get(t->msg.params, "cursor");
    struct km_err err = { 0 };
    int r;

    if (c && (!km_json_string(c, &cursor) || !cursor.n))
        cursor = KM_STR("?");
    r = km_mcp_view_page(view, list, t->revision->era, cursor, &page, &err);
    if (r < 0)
        km_mcp_turn_fail(t, &err);
    else
        km_mcp_turn_result(t, page);
}

static void on_list(struct km_mcp_turn *t, enum km_mcp_list list)
{
    struct km_mcp_view *view = km_mcp_turn_view(t);

    if (!view)
        return;
    if (!km_mcp_later(t, view))
        give_list(t, view, list);
    km_mcp_view_unref(view);
}

static void on_tools(struct km_mcp_turn *t)
{
    on_list(t, KM_MCP_TOOLS);
}

static void on_resources(struct km_mcp_turn *t)
{
    on_list(t, KM_MCP_RESOURCES);
}

static void on_templates(struct km_mcp_turn *t)
{
    on_list(t, KM_MCP_TEMPLATES);
}

static void on_prompts(struct km_mcp_turn *t)
{
    on_list(t, KM_MCP_PROMPTS);
}

/* --- what a client says in between --- */

static void on_cancelled(struct km_mcp_turn *t)
{
    static const struct km_str names[] = { { "params", 6 } }, inner[] = { { "requestId", 9 } };
    struct km_json_span params, id;
    struct km_str text, reason = KM_STR_NONE;

    if (!t->session || km_json_spans(t->text, names, 1, &params, NULL, NULL) < 0 ||
        params.type != KM_JSON_OBJECT)
        return;
    text = km_json_value(t->text, &params);
    if (km_json_spans(text, inner, 1, &id, NULL, NULL) < 0 || id.type == KM_JSON_ABSENT)
        return;
    (void)km_json_string(km_json_get(t->msg.params, "reason"), &reason);
    (void)km_mcp_job_cancel_id(t->session, km_json_value(text, &id), reason);
}

/* --- the rows --- */

enum { NOTE = 1, HAND = 2, LESS = 4 };

static const struct {
    struct km_str name;
    unsigned kinds;
    void (*run)(struct km_mcp_turn *t);
} methods[] = {
    { { "tools/call", 10 }, HAND | LESS, km_mcp_on_tools_call },
    { { "tools/list", 10 }, HAND | LESS, on_tools },
    { { "initialize", 10 }, HAND, on_initialize },
    { { "ping", 4 }, HAND, on_ping },
    { { "server/discover", 15 }, LESS, on_discover },
    { { "resources/list", 14 }, HAND | LESS, on_resources },
    { { "resources/templates/list", 24 }, HAND | LESS, on_templates },
    { { "resources/read", 14 }, HAND | LESS, km_mcp_on_resources_read },
    { { "resources/subscribe", 19 }, HAND, km_mcp_on_subscribe },
    { { "resources/unsubscribe", 21 }, HAND, km_mcp_on_unsubscribe },
    { { "prompts/list", 12 }, HAND | LESS, on_prompts },
    { { "prompts/get", 11 }, HAND | LESS, km_mcp_on_prompts_get },
    { { "completion/complete", 19 }, HAND | LESS, km_mcp_on_complete },
    { { "logging/setLevel", 16 }, HAND, km_mcp_on_set_level },
    { { "subscriptions/listen", 20 }, LESS, km_mcp_on_listen },
    { { "tasks/get", 9 }, HAND | LESS, km_mcp_on_task },
    { { "tasks/list", 10 }, HAND, km_mcp_on_tasks_list },
    { { "tasks/result", 12 }, HAND, km_mcp_on_task },
    { { "tasks/cancel", 12 }, HAND | LESS, km_mcp_on_task },
    { { "tasks/update", 12 }, LESS, km_mcp_on_task },
    { { "notifications/initialized", 25 }, NOTE, on_initialized },
    { { "notifications/cancelled", 23 }, NOTE, on_cancelled },
    { { "notifications/progress", 22 }, NOTE, km_mcp_on_progress },
    { { "notifications/roots/list_changed", 32 }, NOTE, km_mcp_on_roots_changed },
};

void km_mcp_dispatch(struct km_mcp_turn *t)
{
    unsigned kind = t->msg.kind == KM_RPC_NOTIFICATION     ? NOTE
                    : t->revision->era == KM_MCP_STATELESS ? LESS
                                                           : HAND;
    char text[160];

    if (t->msg.kind == KM_RPC_RESPONSE) {
        km_mcp_call_response(t);
        return;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if ((methods[i].kinds & kind) && km_str_eq(methods[i].name, t->msg.method)) {
            methods[i].run(t);
            return;
        }
    if (kind == NOTE)
        return; /* nobody waits to hear that we do not know it */
    snprintf(text, sizeof text, "Method not found: %.*s",
             KM_STR_ARG(km_str_sub(t->msg.method, 0, 100)));
    km_mcp_turn_fault(t, KM_RPC_METHOD_NOT_FOUND, text);
}
