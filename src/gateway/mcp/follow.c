/* SPDX-License-Identifier: Apache-2.0 */
/* follow.c - a server failed, and one that its `fallback` names is asked in its place.
 *
 *     begin     who follows?  each as this caller sees it: rights, place, pins, what is withheld
 *     failed    the next one: may this caller give it these arguments?
 *                 -> the call is its own: judged, approved, reserved and recorded as if it had been
 *                    asked first
 *
 * A server that this caller may not use, or that has no such tool, is not there, nor is one of
 * which nothing was ever heard.  Whether the call may be repeated at all is again.c's to say.
 */
#include "gateway/mcp/access.h"
#include "gateway/mcp/call.h"

static void drop_view(void *view)
{
    km_mcp_view_unref(view);
}

static const struct km_mcp_entry_of *entry_of(const struct km_mcp_view *view,
                                              const struct km_mcp_upstream *u, struct km_str tool)
{
    const struct km_mcp_entry_of *v;
    const size_t n = km_mcp_view_entries(view, KM_MCP_TOOLS, &v);

    for (size_t i = 0; i < n; i++)
        if (v[i].member->upstream == u && km_str_eq(v[i].item->name, tool) &&
            !km_mcp_member_offers_login(v[i].member))
            return &v[i];
    return NULL;
}

/* As if this caller had asked that server by its own address. */
static int add(struct km_mcp_work *w, struct km_mcp_turn *t, const struct km_mcp_upstream *u)
{
    struct km_mcp_arrival *in = t->in;
    const struct km_mcp_reach reach = in->reach;
    struct km_mcp_follower *f = &w->followers[w->nfollowers];
    const struct km_mcp_entry_of *e;
    struct km_err err = { 0 };
    int r;

    in->reach = (struct km_mcp_reach){ .servers = u->name, .path = true };
    r = km_mcp_view_for(in, t->capabilities, &f->view, &err);
    in->reach = reach;
    if (r < 0)
        return 0;
    e = entry_of(f->view, u, w->item->name);
    if (!e) {
        km_mcp_view_unref(f->view);
        return 0;
    }
    f->member = e->member;
    f->item = e->item;
    w->nfollowers++;
    return km_arena_defer(&w->call->arena, drop_view, f->view);
}

int km_mcp_follow_find(struct km_mcp_work *w, struct km_mcp_turn *t)
{
    const struct km_mcp_upstream *u = w->member->upstream;
    struct km_mcp_upstream *v[KM_MCP_FOLLOWERS];
    int r = 0;
    size_t n;

    if (!w->tool || !w->item || !u || !u->entry->fallback.n)
        return 0;
    n = km_mcp_followers(t->in->visit->view->snap->mcp, u, v);
    w->followers = km_arena_zalloc(&w->call->arena, n * sizeof *w->followers);
    for (size_t i = 0; i < n && r == 0; i++)
        r = w->followers ? add(w, t, v[i]) : KM_E_NOMEM;
    return r;
}

/* May this caller give it these arguments?  They are read anew: the request is long gone. */
static bool may_take(struct km_mcp_work *w, const struct km_mcp_follower *f)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_json *root, *args;
    struct km_err err = { 0 };

    if (km_json_parse(arena, w->params, &root, &err) < 0)
        return false;
    args = km_json_get(root, "arguments");
    return km_mcp_grants_args(km_mcp_rights_of(w->call->visit, arena), f->member, f->item->name,
                              args, arena, &err) == KM_GRANTED &&
           km_mcp_args_once(args, arena, &err) == 0;
}

bool km_mcp_follow(struct km_mcp_work *w)
{
    while (w->following < w->nfollowers) {
        const struct km_mcp_follower *f = &w->followers[w->following++];

        if (!may_take(w, f))
            continue;
        km_call_bill(w->call); /* at the price of the one before */
        if (!w->instead_of.n)
            w->instead_of = w->member->name;
        w->view = f->view;
        w->member = f->member;
        w->item = f->item;
        w->repeats = 0;
        w->approved = w->asks = false;
        w->approved_by = KM_STR_NONE;
        w->cost = km_mcp_configured_cost(f->member->upstream, f->item->name);
        w->call->each = w->cost;
        return true;
    }
    return false;
}
