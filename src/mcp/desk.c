/* SPDX-License-Identifier: Apache-2.0 */
/* desk.c - a worker's remotes: which one serves an asker, and what is told of their servers.
 *
 *     km_desk_remote   the remote with the same server and key (asker.h), or a new one; while it
 *                    opens, jobs wait in it, so a server is started once however many ask
 *     upkeep.c       what is done once a second
 *
 * A stdio child that may ask its client something is not shared by two callers at a time where
 * another child can be had: its questions would not say whom they are for (questions.c), not even
 * when one of the two has given its call up.  Nor is one that is silent (remote/hold.c).  A session
 * comes back to the child it used last: what it did there, a page it opened or a file it made, is
 * there.
 */
#include "mcp/desk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/time.h"
#include "base/veil.h"
#include "mcp/asker.h"
#include "mcp/relay.h"

#define WHY_BYTES 512

static bool stdio(const struct km_mcp_upstream *u)
{
    return u->transport == KM_MCP_STDIO;
}

/* --- remotes --- */

static bool other(const struct km_job *j, const struct km_mcp_asker *asker)
{
    return !j->own && !km_job_same(j, asker->principal, asker->session);
}

/* Does it work for another client than this one, or may it still? */
static bool foreign(struct km_remote *p, const struct km_mcp_asker *asker)
{
    if (km_remote_haunted(p, asker->principal, asker->session))
        return true;
    KM_LIST_EACH(it, &p->order)
    if (other(KM_CONTAINER(it, struct km_job, order), asker))
        return true;
    KM_LIST_EACH(it, &p->waiting)
    if (other(KM_CONTAINER(it, struct km_job, link), asker))
        return true;
    return false;
}

/* Free ones first, of those the ones no session has used: another's may hold its state.  Over HTTP
 * there is more than one with a key only where a client's roots are known in one. */
static size_t load(const struct km_remote *p)
{
    return 2 * p->njobs + (p->last != 0);
}

bool km_desk_suits(const struct km_remote *p, const struct km_mcp_asker *asker)
{
    struct km_mcp_live *live = p->upstream->live;

    /* Who asks for lists alone has no session in the era that has them. */
    const bool lists = asker && asker->era == KM_MCP_HANDSHAKE && !asker->session.n;

    if (p->bound && !lists && (!asker || km_remote_others(p, asker->principal, asker->session)))
        return false;
    return p->asked == km_asker_asked(p->upstream, asker) ||
           km_mcp_live_lacks(live, KM_MCP_HANDSHAKE) || km_mcp_live_lacks(live, KM_MCP_STATELESS);
}

/* alone: no other client works there; silent: one that is silent will do. */
static struct km_remote *find(struct km_mcp_desk *d, const struct km_mcp_upstream *u,
                              const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY],
                              bool alone, bool silent)
{
    const uint64_t whose = asker ? km_job_whose(asker->principal, asker->session) : 0;
    struct km_remote *best = NULL;

    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream != u || p->state == KM_REMOTE_OVER ||
            memcmp(p->key, key, KM_MCP_KEY) != 0 || !km_desk_suits(p, asker) ||
            (alone && foreign(p, asker)) || (!silent && km_hold_avoid(p, asker)))
            continue;
        if (whose && p->last == whose)
            return p;
        if (!best || load(p) < load(best))
            best = p;
    }
    return best;
}

uint64_t km_desk_spawn_delay(struct km_mcp_upstreams *ups)
{
    const uint64_t burst = (uint64_t)KM_MCP_SPAWN_MS * KM_MCP_SPAWN_BURST;
    const uint64_t now = km_mono_ms();
    uint64_t ahead;

    pthread_mutex_lock(&ups->lock);
    if (ups->spawn_ms < now)
        ups->spawn_ms = now;
    ahead = ups->spawn_ms - now;
    ups->spawn_ms += KM_MCP_SPAWN_MS;
    pthread_mutex_unlock(&ups->lock);
    return ahead > burst ? ahead - burst : 0;
}

bool km_desk_room(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    return !stdio(u) || (u->live->children < (uint32_t)u->entry->most &&
                         d->ups->children < KM_MCP_CHILDREN_MOST);
}

/* One that nobody uses, and that could ask this asker what another one's call wants to know, makes
 * room for one that does not; rooted: or that works with another one's roots. */
static bool lay(struct km_mcp_desk *d, const struct km_mcp_upstream *u,
                const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY], bool rooted)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream != u || p->state == KM_REMOTE_OVER || !km_remote_idle(p) ||
            memcmp(p->key, key, KM_MCP_KEY) != 0 ||
            !(km_remote_haunted(p, asker->principal, asker->session) ||
              (rooted && km_remote_others(p, asker->principal, asker->session))))
            continue;
        km_remote_retire(p); /* not freed: we may be in a word of it */
        return true;
    }
    return false;
}

/* A child nobody uses now makes room for another. */
static bool make_room(struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    struct km_remote *oldest = NULL;

    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (!stdio(p->upstream) || !km_remote_idle(p) || p->state == KM_REMOTE_OVER ||
            (u->live->children >= (uint32_t)u->entry->most && p->upstream != u))
            continue;
        if (!oldest || p->idle_since_ms < oldest->idle_since_ms)
            oldest = p;
    }
    if (oldest)
        km_remote_retire(oldest); /* as above; it ends in this round of the loop */
    return oldest != NULL;
}

bool km_desk_is_askers(const struct km_err *err)
{
    return err->code == KM_E_LIMIT || err->code == KM_E_UNAUTHENTICATED;
}

int km_desk_remote(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                   const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY],
                   struct km_remote **ret_remote, struct km_err *err)
{
    struct km_remote_args args = { .desk = d, .upstream = u, .asker = asker, .key = key };
    bool asked = km_asker_declares(u, asker);
    bool alone = stdio(u) && asked;
    struct km_remote *p = find(d, u, asker, key, alone, !asker);
    int r;

    if (asked && p && !stdio(u) && lay(d, u, asker, key, false))
        p = NULL; /* there was but that one */
    if (!p) {
        r = km_mcp_live_may(u->live, u, km_loop_now_ms(d->loop), err);
        if (r < 0 && !(p = find(d, u, asker, key, alone, true)))
            return r;
        if (!p && !km_desk_room(d, u) && !(asked && lay(d, u, asker, key, true)) &&
            !(p = find(d, u, asker, key, false, true)) && !make_room(d, u))
            return km_fail(err, KM_E_OVERLOADED,
                           "'%.*s' has %lld processes already, all of them busy; see "
                           "max_processes",
                           KM_STR_ARG(u->name), (long long)u->entry->most);
    }
    if (!p)
        p = km_remote_new(&args, err);
    if (!p) {
        if (!km_desk_is_askers(err))
            km_desk_failed(d, u, err->text);
        return err->code;
    }
    *ret_remote = p;
    return 0;
}

struct km_remote *km_desk_standing(struct km_mcp_desk *d, const struct km_mcp_upstream *u,
                                   const uint8_t key[KM_MCP_KEY])
{
    static const struct km_mcp_asker nobody = { 0 };

    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == u && p->state != KM_REMOTE_OVER &&
            memcmp(p->key, key, KM_MCP_KEY) == 0 && !km_hold_avoid(p, &nobody))
            return p;
    }
    return NULL;
}

/* --- states --- */

static void announce(struct km_mcp_desk *d, struct km_mcp_upstream *u, enum km_mcp_state state,
                     const char *why)
{
    bool bad = state == KM_MCP_DOWN || state == KM_MCP_DEGRADED;
    enum km_log_level level = bad ? KM_LOG_WARN : KM_LOG_INFO;
    struct km_mcp_status now;

    km_mcp_status(u, &now);
    if (now.restarts > 1 && state != KM_MCP_READY)
        level = KM_LOG_DEBUG; /* it was said when it went down */
    km_log_msg(d->ups->log, level, "mcp.state", "%.*s is %s%s%s", KM_STR_ARG(u->name),
               km_mcp_state_name(state), why && *why ? ": " : "", why ? why : "");
    if (d->ups->events && level != KM_LOG_DEBUG)
        km_event_add(d->ups->events, level, "mcp.state", "%.*s is %s%s%s", KM_STR_ARG(u->name),
                     km_mcp_state_name(state), why && *why ? ": " : "", why ? why : "");
    km_desks_changed(d->ups, u, 0, true, KM_STR_NONE);
}

/* What a server said is shown in states, events and errors. */
static const char *veiled(const struct km_mcp_desk *d, const char *why, char text[WHY_BYTES])
{
    if (!why)
        return NULL;
    snprintf(text, WHY_BYTES, "%s", why);
    km_veil_text(km_log_veil(d->ups->log), text, WHY_BYTES);
    return text;
}

void km_desk_state(struct km_mcp_desk *d, struct km_mcp_upstream *u, enum km_mcp_state state,
                   const char *why)
{
    char text[WHY_BYTES];

    why = veiled(d, why, text);
    if (km_mcp_live_state(u->live, state, why))
        announce(d, u, state, why);
}

void km_desk_failed(struct km_mcp_desk *d, struct km_mcp_upstream *u, const char *why)
{
    struct km_mcp_status before, now;
    char text[WHY_BYTES];

    km_mcp_status(u, &before);
    km_mcp_live_failed(u->live, km_loop_now_ms(d->loop), veiled(d, why, text));
    km_mcp_status(u, &now);
    if (before.state != now.state)
        announce(d, u, now.state, now.why);
}

static void be_ok(struct km_mcp_desk *d, struct km_mcp_upstream *u, bool served)
{
    if (km_mcp_live_ok(u->live, served || u->personal))
        announce(d, u, KM_MCP_READY, "");
}

void km_desk_ok(struct km_mcp_desk *d, struct km_mcp_upstream *u)
{
    be_ok(d, u, false);
}

void km_desk_answered(struct km_remote *p)
{
    be_ok(p->desk, p->upstream, !km_mcp_plain(p->base));
}

/* --- making and ending --- */

/* The same servers, configured as before: nothing was put in their place. */
static bool same_servers(const struct km_mcp_set *a, const struct km_mcp_set *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i] != b->v[i])
            return false;
    return true;
}

static bool same_list(const struct km_str_list *a, const struct km_str_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!km_str_eq(a->v[i], b->v[i]))
            return false;
    return true;
}

/* May the same callers use both?  A key names a server by its name, alias, id or groups. */
static bool same_users(const struct km_mcp_upstream *a, const struct km_mcp_upstream *b)
{
    return km_str_eq(a->name, b->name) && km_str_eq(a->alias, b->alias) &&
           km_str_eq(a->id, b->id) && a->entry->allow_all_keys == b->entry->allow_all_keys &&
           a->entry->public_internet == b->entry->public_internet &&
           same_list(&a->entry->access_groups, &b->entry->access_groups);
}

struct km_mcp_upstream *km_desk_now(const struct km_mcp_desk *d, struct km_mcp_upstream *u)
{
    struct km_mcp_upstream *now = u->live->gone && d->set ? km_mcp_set_find(d->set, u->name) : u;

    return now == u || (now && same_users(u, now)) ? now : NULL;
}

void km_desk_tell(struct km_mcp_desk *d, struct km_mcp_upstream *u, enum km_mcp_list list,
                  struct km_str who)
{
    KM_LIST_EACH(it, &d->watches)
    {
        struct km_mcp_watch *w = KM_CONTAINER(it, struct km_mcp_watch, link);

        w->fn(w->ctx, u, list, who);
    }
}

/* The set in force is another: remotes of what is gone take no more, and whoever wants to hear of
 * it hears of what took its place.  The first one is no change: what is found out of its servers
 * is told by itself. */
void km_desk_use(struct km_mcp_desk *d, struct km_mcp_set *set)
{
    struct km_mcp_set *old = d->set;
    bool same;

    d->set = set;
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (km_mcp_set_find(set, p->upstream->name) != p->upstream)
            km_remote_retire(p);
    }
    km_subscriptions_follow(d);
    km_hearings_follow(d);
    same = !old || same_servers(old, set);
    km_mcp_set_unref(old);
    for (int i = same ? KM_MCP_LISTS : 0; i < (same ? KM_MCP_LISTS + 1 : KM_MCP_LISTS); i++)
        km_desk_tell(d, NULL, (enum km_mcp_list)i, KM_STR_NONE);
    km_timer_start(&d->tick, 0);
}

struct km_mcp_desk *km_mcp_desk_new(const struct km_mcp_desk_args *args, struct km_err *err)
{
    struct km_mcp_desk *d = calloc(1, sizeof *d);

    if (!d) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    d->ups = args->ups;
    d->index = args->index;
    d->loop = args->loop;
    d->mailbox = args->mailbox;
    d->client = args->client;
    km_list_init(&d->remotes);
    km_list_init(&d->watches);
    km_list_init(&d->waits);
    km_list_init(&d->resting);
    km_list_init(&d->refreshes);
    km_list_init(&d->subscriptions);
    km_list_init(&d->hearings);
    km_list_init(&d->relays);
    km_timer_init(&d->tick, d->loop, km_desk_tick, d);
    km_timer_init(&d->closing, d->loop, NULL, d); /* close.c's */
    d->relayed = km_relay_message_in;
    d->set = km_mcp_upstreams_set(d->ups);
    if (d->set)
        km_timer_start(&d->tick, 0);
    pthread_mutex_lock(&d->ups->lock);
    d->ups->desks[d->index] = d;
    pthread_mutex_unlock(&d->ups->lock);
    return d;
}

struct km_mcp_desk *km_mcp_desk_free(struct km_mcp_desk *d)
{
    struct km_list *node;

    if (!d)
        return NULL;
    pthread_mutex_lock(&d->ups->lock);
    d->ups->desks[d->index] = NULL;
    pthread_mutex_unlock(&d->ups->lock);
    d->ending = true;
    km_timer_stop(&d->tick);
    km_timer_stop(&d->closing);
    km_waits_end_all(d);
    km_refresh_end_all(d);
    km_relay_end_all(d);
    km_hold_end_all(d);
    while ((node = km_list_pop(&d->remotes)) != NULL)
        km_remote_free(KM_CONTAINER(node, struct km_remote, link));
    km_subscriptions_end_all(d);
    km_mcp_set_unref(d->set);
    free(d);
    return NULL;
}

void km_mcp_watch(struct km_mcp_desk *desk, struct km_mcp_watch *watch)
{
    km_list_push(&desk->watches, &watch->link);
}

void km_mcp_unwatch(struct km_mcp_watch *watch)
{
    if (watch->link.next)
        km_list_remove(&watch->link);
}
