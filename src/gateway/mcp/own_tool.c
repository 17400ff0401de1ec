/* SPDX-License-Identifier: Apache-2.0 */
/* own_tool.c - a tool of kanmon's own, in place of a server.
 *
 *     flow ── message ──> mcp/server ── audit, answer ──> over
 *
 * It is asked as any client asks, so it judges its caller by itself; its record is the server's
 * own and its answer is never withheld here: what waits for the commit is the server.
 */
#include "gateway/mcp/call.h"

static void on_own_reply(struct km_mcp_call *own, int http, struct km_str body)
{
    static const struct km_str names[] = { { "result", 6 }, { "error", 5 } };
    struct km_mcp_work *w = own->owner;
    struct km_json_span s[2];

    w->call->held = false;
    w->recorded = true;
    w->call->at->status = 200;
    w->call->at->sent = true;
    w->call->first_us = km_wall_us();
    if (km_json_spans(body, names, 2, s, NULL, NULL) < 0)
        km_mcp_work_fault(w, KM_RPC_INTERNAL, "the tool's answer could not be read");
    else if (s[1].type != KM_JSON_ABSENT)
        km_mcp_work_error(w, km_json_value(body, &s[1]));
    else
        km_mcp_work_raw(w, km_json_value(body, &s[0]));
    w->http = http;
    w->own_over(w);
}

static void on_recorded(void *own, const struct km_err *err)
{
    km_mcp_audited(own, err);
}

static void on_own_audit(struct km_mcp_call *own, const struct km_audit *record)
{
    struct km_mcp_work *w = own->owner;

    km_store_audit(w->hub->w->gw->store, w->hub->w->mailbox, record, on_recorded, own);
}

static const struct km_mcp_host own_host = { .audit = on_own_audit,
                                             .reply = on_own_reply };

int km_mcp_run_own(struct km_mcp_work *w, void (*over)(struct km_mcp_work *w), struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_visit *v = w->call->visit;
    struct km_mcp_endpoint *endpoint = km_arena_zalloc(arena, sizeof *endpoint);
    const struct km_mcp_server **server = km_arena_zalloc(arena, sizeof *server);
    struct km_mcp_call *own = km_arena_zalloc(arena, sizeof *own);
    enum km_rpc_fault fault;
    int r;

    if (!endpoint || !server || !own)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *server = w->member->builtin;
    *endpoint = (struct km_mcp_endpoint){ .name = KM_STR("kanmon"),
                                          .title = KM_STR("kanmon"),
                                          .version = KM_STR(KM_VERSION),
                                          .servers = server,
                                          .nservers = 1 };
    *own = (struct km_mcp_call){
        .arena = arena,
        .host = &own_host,
        .endpoint = endpoint,
        .caller = { .who = km_str_c(v->who.who),
                    .principal = w->principal,
                    .admin = v->who.admin,
                    .ctx = w->call->visit },
        .approvals = w->hub->shared->approvals,
        .policy = &km_approval_default,
        .revision = w->revision,
        .owner = w,
    };
    r = km_rpc_parse(arena, w->text, &own->msg, &fault, err);
    if (r < 0)
        return r;
    w->own_over = over;
    w->call->at->began_ns = km_mono_ns();
    w->call->held = true; /* it works in the call's arena, and answers in any case */
    km_mcp_handle(own);
    return 0;
}
