/* SPDX-License-Identifier: Apache-2.0 */
/* upstream.c - what the desks of a gateway share (upstream.h): the set in force, and the word that
 * something has changed.
 *
 * A change is found out on one desk and concerns all: it goes to each as a message, and there the
 * watches are called and the waits look again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "mcp/oauth/oauth.h"
#include "mcp/asker.h"
#include "mcp/desk.h"
#include "mcp/server/log.h"

#define LOG_END_MS 1000 /* for a disk that does not answer */

struct km_mcp_upstreams *km_mcp_upstreams_new(const struct km_mcp_upstreams_args *args,
                                              struct km_err *err)
{
    struct km_mcp_upstreams *ups = calloc(1, sizeof *ups);

    if (!ups) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    ups->store = args->store;
    ups->log = args->log;
    ups->events = args->events;
    ups->network = args->network;
    ups->metrics = args->metrics;
    ups->pins = km_pins_new();
    ups->log_writer = km_log_writer_new(KM_SERVER_LOG_QUEUE, KM_SERVER_LOG_BLOCK);
    if (!ups->pins || !ups->log_writer) {
        km_pins_free(ups->pins);
        km_log_writer_free(ups->log_writer, 0);
        free(ups);
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    ups->ndesks = args->desks;
    km_assert(args->desks > 0 && args->desks <= KM_DESKS_MOST);
    snprintf(ups->state_dir, sizeof ups->state_dir, "%s", args->state_dir);
    snprintf(ups->cgroup, sizeof ups->cgroup, "%s", args->cgroup ? args->cgroup : "");
    pthread_mutex_init(&ups->lock, NULL);
    return ups;
}

struct km_mcp_upstreams *km_mcp_upstreams_free(struct km_mcp_upstreams *ups)
{
    if (!ups)
        return NULL;
    km_mcp_set_unref(ups->set);
    km_pins_free(ups->pins);
    km_log_writer_free(ups->log_writer, LOG_END_MS);
    pthread_mutex_destroy(&ups->lock);
    free(ups);
    return NULL;
}

void km_mcp_upstreams_reopen_logs(struct km_mcp_upstreams *ups)
{
    km_log_writer_reopen(ups->log_writer);
}

struct km_pins *km_mcp_upstreams_pins(struct km_mcp_upstreams *ups)
{
    return ups->pins;
}

struct km_mcp_set *km_mcp_upstreams_set(struct km_mcp_upstreams *ups)
{
    struct km_mcp_set *set;

    pthread_mutex_lock(&ups->lock);
    set = ups->set ? km_mcp_set_ref(ups->set) : NULL;
    pthread_mutex_unlock(&ups->lock);
    return set;
}

/* --- messages to every desk --- */

struct desk_msg {
    struct km_msg msg;
    struct km_mcp_upstreams *ups;
    size_t desk;
    struct km_mcp_set *set; /* a new one; or */
    struct km_mcp_upstream *upstream; /* changed: */
    unsigned lists;
    bool state;
    bool end; /* its sessions and processes are to end */
    bool again; /* its base lists something else: own sessions are asked again */
    struct km_str login; /* of this principal: its sessions take no more, being somebody else's */
    struct km_str who; /* see km_mcp_watch_fn */
    char bytes[]; /* of both */
};

static void tell_watches(struct km_mcp_desk *d, const struct desk_msg *m)
{
    for (int i = 0; i < KM_MCP_LISTS; i++)
        if (m->lists & (1u << i))
            km_desk_tell(d, m->upstream, (enum km_mcp_list)i, m->who);
    if (m->state)
        km_desk_tell(d, m->upstream, KM_MCP_LISTS, m->who);
}

static void end_remotes(struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);
        struct km_err err;

        if (p->upstream != u)
            continue;
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "'%.*s' was stopped", KM_STR_ARG(u->name));
        km_remote_over(p, &err);
    }
}

static void retire_of(struct km_mcp_desk *d, const struct desk_msg *m)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == m->upstream && km_str_eq(p->asker.principal, m->login))
            km_remote_retire(p);
    }
}

static void on_desk_msg(struct km_msg *msg, void *owner)
{
    struct desk_msg *m = (struct desk_msg *)(void *)msg;
    struct km_mcp_desk *d;

    (void)owner;
    pthread_mutex_lock(&m->ups->lock);
    d = m->ups->desks[m->desk]; /* on its own loop: nobody frees it meanwhile */
    pthread_mutex_unlock(&m->ups->lock);
    if (d && m->set) {
        km_desk_use(d, km_mcp_set_ref(m->set));
    } else if (d) {
        if (m->end)
            end_remotes(d, m->upstream);
        if (m->login.n)
            retire_of(d, m);
        tell_watches(d, m);
        km_waits_look(d);
        if (m->again)
            km_refresh_own_all(d, m->upstream);
    }
    km_mcp_set_unref(m->set);
    km_mcp_upstream_unref(m->upstream);
    free(m);
}

static struct km_str copy(char *to, struct km_str from)
{
    if (from.n)
        memcpy(to, from.p, from.n);
    return km_str(to, from.n);
}

static void post_all(struct km_mcp_upstreams *ups, const struct desk_msg *like)
{
    const size_t bytes = sizeof *like + like->login.n + like->who.n;

    pthread_mutex_lock(&ups->lock);
    for (size_t i = 0; i < ups->ndesks; i++) {
        struct desk_msg *m = ups->desks[i] ? malloc(bytes) : NULL;

        if (!m)
            continue;
        *m = *like;
        m->login = copy(m->bytes, like->login);
        m->who = copy(m->bytes + like->login.n, like->who);
        m->msg = (struct km_msg){ .run = on_desk_msg };
        m->ups = ups;
        m->desk = i;
        if (m->set)
            km_mcp_set_ref(m->set);
        if (m->upstream)
            km_mcp_upstream_ref(m->upstream);
        km_mailbox_post(ups->desks[i]->mailbox, &m->msg);
    }
    pthread_mutex_unlock(&ups->lock);
}

void km_desks_changed(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u, unsigned lists,
                      bool state, struct km_str who)
{
    post_all(ups, &(struct desk_msg){ .upstream = u, .lists = lists, .state = state, .who = who });
}

void km_desks_own_again(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u)
{
    post_all(ups, &(struct desk_msg){ .upstream = u, .again = true });
}

void km_mcp_upstream_tools_changed(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u)
{
    km_desks_changed(ups, u, 1U << KM_MCP_TOOLS, false, KM_STR_NONE);
}

/* From whoever had them before, for that may know more than the store does by now; else from the
 * store. */
static void take_log_ins(struct km_mcp_upstreams *ups, const struct km_mcp_set *set)
{
    for (size_t i = 0; ups->store && i < set->n; i++) {
        struct km_mcp_upstream *u = set->v[i], *old;

        if (!u->oauth)
            continue;
        old = ups->set ? km_mcp_set_find(ups->set, u->id) : NULL;
        if (old && old->oauth && old->oauth != u->oauth && km_str_eq(old->id, u->id))
            km_mcp_oauth_follow(u->oauth, old->oauth);
        km_mcp_oauth_attach(u->oauth, ups->store, u->id);
    }
}

/* Puts the set's rules in force; true: other tools may be withheld now. */
static bool use_rules(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u,
                      struct km_mcp_rules rules)
{
    static const uint8_t plain[KM_MCP_KEY];
    const enum km_pin_mode before = km_mcp_rules(u).pin;
    struct km_mcp_catalogue *c;

    km_mcp_rules_set(u, rules);
    if (before == KM_PIN_OFF && rules.pin != KM_PIN_OFF) { /* nobody has looked at its tools */
        c = km_mcp_live_catalogue(u->live, plain, NULL);
        if (c->known)
            km_catalogue_look(ups, u, c, SIZE_MAX, plain, KM_STR_NONE);
        km_mcp_catalogue_unref(c);
    }
    return before != rules.pin && (before == KM_PIN_STRICT || rules.pin == KM_PIN_STRICT);
}

void km_mcp_upstreams_use(struct km_mcp_upstreams *ups, struct km_mcp_set *set)
{
    struct km_mcp_set *old;

    take_log_ins(ups, set);
    for (size_t i = 0; i < set->n; i++)
        if (use_rules(ups, set->v[i], set->rules[i]))
            km_mcp_upstream_tools_changed(ups, set->v[i]);
    pthread_mutex_lock(&ups->lock);
    old = ups->set;
    ups->set = km_mcp_set_ref(set);
    pthread_mutex_unlock(&ups->lock);
    for (size_t i = 0; old && i < old->n; i++) {
        if (km_mcp_set_find(set, old->v[i]->name) != old->v[i])
            old->v[i]->live->gone = true;
        if (old->v[i]->oauth && km_mcp_oauth_by_key(old->v[i]->oauth) &&
            !km_mcp_set_find(set, old->v[i]->id))
            km_mcp_oauth_forget_all(old->v[i]->oauth); /* callers' own: they gave them to it */
    }
    km_mcp_set_unref(old);
    post_all(ups, &(struct desk_msg){ .set = set });
}

/* --- by hand --- */

static void hold(struct km_mcp_upstream *u, bool held)
{
    struct km_mcp_live *live = u->live;

    pthread_mutex_lock(&live->lock);
    live->held = held;
    km_breaker_reset(&live->breaker);
    live->variants[0].stale = !held;
    for (size_t i = 0; i < live->nvariants; i++)
        live->variants[i].waited_ms = 0;
    pthread_mutex_unlock(&live->lock);
}

void km_mcp_upstream_start(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u)
{
    struct km_mcp_status now;

    hold(u, false);
    km_mcp_status(u, &now);
    if (now.state == KM_MCP_STOPPED && u->entry->enabled && !u->personal)
        km_mcp_live_state(u->live, KM_MCP_STARTING, "started by hand");
    km_desks_changed(ups, u, 0, true, KM_STR_NONE);
}

void km_mcp_upstream_stop(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u)
{
    hold(u, true);
    km_mcp_live_state(u->live, KM_MCP_STOPPED, "stopped by hand");
    post_all(ups, &(struct desk_msg){ .upstream = u, .state = true, .end = true });
}

void km_mcp_upstream_restart(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u)
{
    hold(u, false);
    if (u->entry->enabled && !u->personal)
        km_mcp_live_state(u->live, KM_MCP_STARTING, "restarted by hand");
    post_all(ups, &(struct desk_msg){ .upstream = u,
                                      .lists = km_mcp_live_forget_own(u->live),
                                      .state = true,
                                      .end = true });
}

void km_mcp_upstream_logged_in(struct km_mcp_upstreams *ups, struct km_mcp_upstream *u,
                               struct km_str principal)
{
    const struct desk_msg m = { .upstream = u,
                                .lists = (1u << KM_MCP_LISTS) - 1,
                                .state = true,
                                .login = principal,
                                .who = km_asker_by_login(u->entry) ? principal : KM_STR_NONE };

    if (!u->live->held && !u->personal)
        hold(u, false);
    km_mcp_live_all_stale(u->live);
    post_all(ups, &m);
}

bool km_mcp_upstream_log(const struct km_mcp_upstreams *ups, const struct km_mcp_upstream *u,
                         char *out, size_t cap)
{
    char name[128];
    size_t n = 0;

    if (u->transport != KM_MCP_STDIO)
        return false;
    for (size_t i = 0; i < u->name.n && n + 1 < sizeof name; i++) {
        char c = u->name.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || (c == '.' && i > 0);

        name[n++] = fine ? c : '_';
    }
    name[n] = '\0';
    return (size_t)snprintf(out, cap, "%s/mcp/%s.log", ups->state_dir, name) < cap;
}
