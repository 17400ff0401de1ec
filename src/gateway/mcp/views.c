/* SPDX-License-Identifier: Apache-2.0 */
/* views.c - which servers a request is about, which of them its caller may use, and the view
 * made of both, kept for the next request that asks the same.
 *
 *     reach (path, headers) x rights (key) x what the client declares ──> members ──> view
 *
 * A view is kept under the words it was made from.  It holds until the configuration or a
 * catalogue changes (hub->generation); when the catalogues turn out to be the same ones, it goes
 * on.  Who may not use a server does not learn that it is there: naming it in the path is the
 * same as naming nobody.
 */
#include <stdlib.h>

#include "gateway/mcp/access.h"
#include "gateway/mcp/turn.h"
#include "mcp/builtin.h"
#include "mcp/oauth/oauth.h"

#define KEY_BYTES ((size_t)64 * 1024)

struct kept {
    struct km_mcp_view *view;
    struct km_mcp_set *set; /* referenced: the configuration it was made from */
    uint64_t generation;
    uint64_t pins; /* km_pins_generation(): what was withheld then */
};

static void kept_free(void *p)
{
    struct kept *k = p;

    km_mcp_view_unref(k->view);
    km_mcp_set_unref(k->set);
    free(k);
}

void km_mcp_views_drop(struct km_mcp_hub *hub)
{
    struct km_str key;
    void *k;

    for (size_t it = 0; km_map_next(hub->views, &it, &key, &k);)
        kept_free(k);
    hub->views = km_map_free(hub->views, NULL);
    hub->views = km_map_new(KM_MCP_VIEWS_MOST);
}

/* --- members --- */

struct gather {
    struct km_mcp_arrival *in;
    const struct km_mcp_rights *rights;
    const struct km_mcp_asker *asker;
    struct km_mcp_member v[KM_MCP_VIEW_MEMBERS];
    size_t n;
    size_t named; /* names of the path that meant one server */
    bool inside; /* it comes from a private network */
    struct km_mcp_filter filter;
};

static bool has(const struct km_str_list *list, struct km_str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_eq(list->v[i], name))
            return true;
    return false;
}

/* Is it one of the comma list?  *ret_exact: by a name of its own, not by a group. */
static bool wanted(const struct km_mcp_upstream *u, struct km_str list, bool *ret_exact)
{
    struct km_str part;

    while (km_str_split(&list, ',', &part)) {
        part = km_str_trim(part);
        if (km_str_eq(part, u->name) || km_str_eq(part, u->alias) || km_str_eq(part, u->id)) {
            *ret_exact = true;
            return true;
        }
        if (has(&u->entry->access_groups, part))
            return true;
    }
    return false;
}

static bool in_list(struct km_str list, struct km_str name)
{
    struct km_str part;

    while (km_str_split(&list, ',', &part))
        if (km_str_eq(km_str_trim(part), name))
            return true;
    return false;
}

static bool shares(const struct km_str_list *groups, struct km_str list)
{
    for (size_t i = 0; i < groups->n; i++)
        if (in_list(list, groups->v[i]))
            return true;
    return false;
}

static bool login_needed(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker)
{
    if (!u->oauth || !u->personal)
        return false;
    if (km_mcp_oauth_exchanges(u->oauth))
        return !asker->subject ||
               km_mcp_exchange_failed(u->oauth, asker->principal, asker->subject, NULL);
    return km_mcp_oauth_state(u->oauth, asker->principal) == KM_MCP_LOGIN_NEEDED;
}

/* Who is not logged in is shown what the server said when it was; else how to log in.  Where it has
 * come with a token that was not taken, that is tried again. */
static struct km_mcp_catalogue *catalogue_of(const struct gather *g, struct km_mcp_upstream *u)
{
    const bool needed = login_needed(u, g->asker);
    const bool tries = !needed || (km_mcp_oauth_exchanges(u->oauth) && g->asker->subject);
    struct km_mcp_catalogue *c = km_mcp_catalogue(tries ? g->in->hub->w->desk : NULL, u, g->asker);

    if (!needed)
        return c;
    if (c->known)
        return c;
    km_mcp_catalogue_unref(c);
    return km_mcp_catalogue_ref(km_mcp_oauth_offer(u->oauth));
}

/* For whoever asks from there, as far as it goes by the server and not by the key. */
static bool there(const struct gather *g, const struct km_mcp_upstream *u)
{
    return u->entry->enabled && g->n < KM_MCP_VIEW_MEMBERS &&
           km_mcp_grants_place(u, g->inside) == KM_GRANTED;
}

static void add_upstream(struct gather *g, struct km_mcp_upstream *u)
{
    const struct km_mcp_reach *reach = &g->in->reach;
    bool exact = false;

    if (!there(g, u) || km_mcp_grants_server(g->rights, u) != KM_GRANTED)
        return;
    if (reach->servers.n && !wanted(u, reach->servers, &exact))
        return;
    if (reach->groups.n && !shares(&u->entry->access_groups, reach->groups))
        return;
    g->named += exact;
    g->v[g->n++] = (struct km_mcp_member){
        .upstream = u,
        .catalogue = catalogue_of(g, u),
        .name = u->name,
        .alias = u->alias,
    };
}

/* Each server below it is a member that is seen through it.  On /mcp it is there for a key that
 * names it, as its way to these tools; everybody else has them of the servers themselves. */
static void add_virtual(struct gather *g, struct km_mcp_virtual *v)
{
    const struct km_mcp_reach *reach = &g->in->reach;
    bool said, named = in_list(reach->servers, v->name);

    if (km_mcp_grants_virtual(g->rights, v, &said) != KM_GRANTED)
        return;
    if (reach->servers.n ? !named && !shares(&v->entry.access_groups, reach->servers)
                         : !said && !reach->groups.n)
        return;
    if (reach->groups.n && !shares(&v->entry.access_groups, reach->groups))
        return;
    g->named += named;
    for (size_t i = 0; i < v->nparts; i++) {
        struct km_mcp_upstream *u = v->parts[i].upstream;

        if (there(g, u))
            g->v[g->n++] = (struct km_mcp_member){
                .upstream = u,
                .catalogue = catalogue_of(g, u),
                .name = u->name,
                .alias = u->alias,
                .virtual = v,
                .part = &v->parts[i],
            };
    }
}

static void add_builtin(struct gather *g, const struct km_mcp_server *s)
{
    const struct km_mcp_reach *reach = &g->in->reach;
    struct km_str rest = reach->servers, part;
    bool exact = !reach->servers.n;

    while (km_str_split(&rest, ',', &part))
        exact = exact || km_str_eq(km_str_trim(part), s->name);
    if (!exact || reach->groups.n || g->n == KM_MCP_VIEW_MEMBERS)
        return;
    g->named += reach->servers.n > 0;
    g->v[g->n] = (struct km_mcp_member){
        .builtin = s,
        .catalogue = km_mcp_builtin_catalogue(s, g->in->visit->who.admin),
        .name = s->name,
        .alias = s->name,
    };
    g->n += g->v[g->n].catalogue != NULL;
}

static void gather(struct gather *g, const struct km_mcp_set *set)
{
    for (size_t i = 0; i < g->in->builtins->nservers; i++)
        add_builtin(g, g->in->builtins->servers[i]);
    for (size_t i = 0; set && i < set->n; i++)
        add_upstream(g, set->v[i]);
    for (size_t i = 0; set && i < set->nvirtuals; i++)
        add_virtual(g, set->virtuals[i]);
}

static void ungather(struct gather *g)
{
    for (size_t i = 0; i < g->n; i++)
        km_mcp_catalogue_unref(g->v[i].catalogue);
}

/* Nothing has changed but the generation. */
static bool same_members(const struct km_mcp_view *view, const struct gather *g)
{
    const struct km_mcp_member *m;
    size_t n = km_mcp_view_members(view, &m);

    if (n != g->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (m[i].upstream != g->v[i].upstream || m[i].builtin != g->v[i].builtin ||
            m[i].part != g->v[i].part || (m[i].upstream && m[i].catalogue != g->v[i].catalogue))
            return false;
    return true;
}

bool km_mcp_member_offers_login(const struct km_mcp_member *m)
{
    return m->upstream && m->upstream->oauth &&
           m->catalogue == km_mcp_oauth_offer(m->upstream->oauth);
}

bool km_mcp_no_token(const struct km_mcp_arrival *in, const struct km_mcp_member *m,
                     struct km_err *ret)
{
    if (!km_mcp_member_offers_login(m))
        return false;
    if (km_mcp_oauth_by_key(m->upstream->oauth))
        return km_mcp_byok_told(m->upstream->oauth, ret) < 0;
    if (!km_mcp_oauth_exchanges(m->upstream->oauth))
        return false;
    if (!in->visit->who.token ||
        !km_mcp_exchange_failed(m->upstream->oauth, in->principal, in->visit->who.token, ret))
        km_mcp_exchange_told(m->upstream->oauth, ret);
    return true;
}

static bool shows(void *ctx, const struct km_mcp_member *m, enum km_mcp_list list,
                  const struct km_mcp_item *item)
{
    const struct gather *g = ctx;

    if (km_mcp_member_offers_login(m))
        return true;
    if (m->part && !km_mcp_part_pick(m->part, list, item->name))
        return false;
    return list != KM_MCP_TOOLS || !m->upstream ||
           km_mcp_grants_tool(g->rights, m, item->name) == KM_GRANTED;
}

static bool withholds(void *ctx, const struct km_mcp_member *m, enum km_mcp_list list,
                      const struct km_mcp_item *item)
{
    const struct gather *g = ctx;
    const struct km_pin_tool tool = { item->name, item->pin, item->flags };

    return list == KM_MCP_TOOLS && m->upstream && km_mcp_rules(m->upstream).pin == KM_PIN_STRICT &&
           km_pins_state(km_mcp_upstreams_pins(g->in->hub->w->gw->mcp), m->upstream->name, &tool) !=
               KM_PIN_OK;
}

static void dress(void *ctx, const struct km_mcp_member *m, enum km_mcp_list list,
                  const struct km_mcp_item *item, struct km_mcp_dress *ret)
{
    const struct km_mcp_pick *pick = m->part ? km_mcp_part_pick(m->part, list, item->name) : NULL;

    (void)ctx;
    if (list == KM_MCP_TOOLS && m->upstream)
        km_mcp_configured_dress(m->upstream, item->name, &ret->name, &ret->description);
    if (!pick)
        return;
    if (pick->dress.name.n)
        ret->name = pick->dress.name;
    ret->title = pick->dress.title;
    if (pick->dress.description.n)
        ret->description = pick->dress.description;
}

/* The virtual server that is all that was asked for, by its name. */
static const struct km_mcp_virtual *sole(const struct gather *g)
{
    const struct km_mcp_virtual *one = g->n && g->named == 1 ? g->v[0].virtual : NULL;

    for (size_t i = 1; i < g->n; i++)
        if (g->v[i].virtual != one)
            one = NULL;
    return one;
}

/* One server alone in the path has bare names; a virtual server alone what it says. */
static bool prefixed(const struct gather *g)
{
    const struct km_mcp_virtual *one = sole(g);

    if (one)
        return one->entry.prefix;
    return !(g->in->reach.path && g->named == 1 && g->n == 1);
}

/* Are its tools searched instead of listed?  *ret_visible: which are listed all the same. */
static bool searched(const struct gather *g, const struct km_str_list **ret_visible)
{
    const struct km_mcp_reach *reach = &g->in->reach;
    const struct km_mcp_search_settings *s = g->in->visit->view->snap->mcp_search;
    const struct km_mcp_virtual *one = sole(g);

    if (one) {
        *ret_visible = &one->entry.visible;
        return one->entry.tool_search;
    }
    if (g->named == 1 && g->n == 1) {
        const struct km_mcp_upstream *u = g->v[0].upstream;

        *ret_visible = u ? &u->entry->visible : NULL;
        return u && u->entry->tool_search;
    }
    *ret_visible = &s->visible;
    return s->whole || shares(&s->groups, reach->servers) || shares(&s->groups, reach->groups);
}

static int make(struct gather *g, struct km_mcp_view **ret, struct km_err *err)
{
    const struct km_mcp_reach *reach = &g->in->reach;
    struct km_mcp_view_args args = {
        .members = g->v, .n = g->n, .prefixed = prefixed(g), .filter = &g->filter
    };

    args.searched = searched(g, &args.visible);
    g->filter = (struct km_mcp_filter){ shows, dress, withholds, g };
    if (reach->path && g->n == 0)
        return km_fail(err, KM_E_NOT_FOUND,
                       "There is no MCP server or access group '%.*s' here for this key.",
                       KM_STR_ARG(km_str_sub(reach->servers, 0, 100)));
    return km_mcp_view_new(&args, ret, err);
}

/* --- what is kept --- */

/* What of the asker's headers reaches a server tells it from others as its name does: another value
 * may be another account there. */
static void put_asker(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                      struct km_buf *key)
{
    uint8_t digest[32] = { 0 };

    if (!u->personal && !u->entry->extra_headers.n)
        return;
    if (km_mcp_asker_digest(u, asker, digest, NULL) < 0)
        key->failed = true; /* then nothing is kept */
    km_buf_bytes(key, digest, sizeof digest);
}

/* Does it matter from where a request comes? */
static bool any_inner(const struct km_mcp_set *set)
{
    for (size_t i = 0; set && i < set->n; i++)
        if (!set->v[i]->entry->public_internet)
            return true;
    return false;
}

static void put_key(struct gather *g, const struct km_mcp_set *set, struct km_buf *key)
{
    const struct km_mcp_arrival *in = g->in;
    const struct km_mcp_asker *asker = g->asker;
    bool personal = false;

    for (size_t i = 0; set && i < set->n && !personal; i++)
        personal = set->v[i]->personal;
    km_buf_str(key, in->reach.servers);
    km_buf_str(key, in->reach.path ? KM_STR("\n/\n") : KM_STR("\n-\n"));
    km_buf_str(key, in->reach.groups);
    km_buf_str(key, in->visit->who.admin ? KM_STR("\nadmin\n") : KM_STR("\n\n"));
    km_buf_str(key, in->builtins->nservers ? KM_STR("own\n") : KM_STR("\n")); /* a chat has none */
    km_buf_str(key, km_mcp_rights_text(g->rights));
    km_buf_str(key, g->inside ? KM_STR("\n") : KM_STR("\nout\n"));
    km_buf_str(key, asker->capabilities);
    for (size_t i = 0; set && i < set->n; i++)
        put_asker(set->v[i], asker, key);
    if (!personal)
        return;
    km_buf_byte(key, '\n');
    km_buf_str(key, in->principal);
    km_buf_byte(key, '\n');
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i]->oauth)
            km_buf_byte(key, login_needed(set->v[i], asker) ? '-' : '+');
}

/* It is kept for the next; failing to is no failure. */
static void keep(struct km_mcp_hub *hub, struct km_str key, struct km_mcp_view *view,
                 struct km_mcp_set *set, uint64_t pins)
{
    struct kept *k = calloc(1, sizeof *k);
    void *old = NULL;

    if (!k)
        return;
    if (km_map_count(hub->views) >= KM_MCP_VIEWS_MOST)
        km_mcp_views_drop(hub);
    *k = (struct kept){ km_mcp_view_ref(view), set ? km_mcp_set_ref(set) : NULL, hub->generation,
                        pins };
    if (!hub->views || km_map_set(hub->views, key, k, &old) < 0)
        kept_free(k);
    else if (old)
        kept_free(old);
}

int km_mcp_view_for(struct km_mcp_arrival *in, struct km_str capabilities, struct km_mcp_view **ret,
                    struct km_err *err)
{
    struct km_mcp_hub *hub = in->hub;
    struct km_mcp_set *set = in->visit->view->snap->mcp;
    struct km_mcp_asker asker = km_mcp_arrival_asker(in, capabilities);
    struct km_buf *words = &hub->w->scratch;
    struct km_str key = KM_STR_NONE; /* empty: too long to be kept */
    uint64_t pins = km_pins_generation(km_mcp_upstreams_pins(hub->w->gw->mcp));
    struct gather g;
    struct kept *k;
    int r;

    g.in = in;
    g.n = g.named = 0;
    g.asker = &asker;
    g.rights = km_mcp_rights_of(in->visit, &in->arena);
    asker.rights = km_mcp_rights_text(g.rights);
    km_buf_reset(words);
    g.inside = !any_inner(set) || km_mcp_inside(in->visit, &in->headers);
    put_key(&g, set, words);
    if (!km_buf_failed(words) && words->n <= KEY_BYTES)
        key = km_buf_view(words);
    k = hub->views && key.n ? km_map_get(hub->views, key) : NULL;
    if (k && (k->pins != pins || k->set != set))
        k = NULL; /* something else is withheld, or configured */
    if (k && k->generation == hub->generation) {
        *ret = km_mcp_view_ref(k->view);
        return 0;
    }
    key = km_arena_str(&in->arena, key); /* the scratch is everybody's */
    gather(&g, set);
    if (k && same_members(k->view, &g)) {
        k->generation = hub->generation;
        *ret = km_mcp_view_ref(k->view);
        ungather(&g);
        return 0;
    }
    r = make(&g, ret, err);
    ungather(&g);
    if (r == 0 && key.n)
        keep(hub, key, *ret, set, pins);
    return r;
}
