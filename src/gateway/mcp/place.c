/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - a call's place at its server (max_concurrency), or in line for one (call/place.h).
 *
 * It is taken when the server is about to be asked, and given back when that has said its word:
 * whoever is asked something himself, or logs in, holds nobody up meanwhile.
 */
#include "call/place.h"

#include "call/priority.h"
#include "gateway/mcp/call.h"
#include "policy/gate_settings.h"

static void on_place(struct km_attempt *at)
{
    km_mcp_flow_resume(&km_mcp_work_of(at->call)->flow, KM_MCP_FLOW_ask, KM_MCP_FLOW_ask, NULL);
}

bool km_mcp_has_line(const struct km_mcp_work *w)
{
    return w->member->upstream && w->member->upstream->entry->max_concurrency > 0;
}

void km_mcp_hear_priority(struct km_mcp_work *w, const struct km_headers *h)
{
    enum km_priority p;

    if (km_priority_read(km_str_trim(km_header_get(h, KM_STR("x-kanmon-priority"))), &p))
        km_call_set_priority(w->call, p);
}

static struct km_gate_rules *rules_of(struct km_mcp_work *w)
{
    const struct km_gate_settings *set = w->call->visit->view->snap->waiting;
    struct km_gate_rules *r = km_arena_zalloc(&w->call->arena, sizeof *r);

    if (r)
        *r = (struct km_gate_rules){ .limit = w->member->upstream->entry->max_concurrency,
                                     .most_waiting = set->length,
                                     .wait_ms = set->wait_ms };
    return r;
}

int km_mcp_take_place(struct km_mcp_work *w, struct km_err *err)
{
    struct km_str name = km_arena_cat(
        &w->call->arena, (struct km_str[]){ KM_STR("mcp/"), w->member->upstream->name }, 2);
    struct km_gate *gate = name.n ? km_gates_of(w->hub->w->gw->gates, name) : NULL;
    const struct km_place_args args = { .gate = gate, .rules = rules_of(w), .resume = on_place };

    if (!gate || !args.rules)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return km_call_take_place(w->call, &args, err);
}
