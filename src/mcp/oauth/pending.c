/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - log-ins that a browser is away for (oauth.h).
 *
 *     state (its SHA-256) ──> verifier, issuer, client, whose it is, which browser
 *
 * All workers share the list, so it does not matter which of them the browser comes back to.  Each
 * is in the store as well (keep.c), sealed, so that a restart or a reload in those ten minutes does
 * not send people away once more.  A state is good once: it goes from both when it is used.
 */
#include <stdlib.h>

#include "base/time.h"
#include "mcp/oauth/inside.h"

void km_mcp_pending_free(struct km_mcp_pending *p)
{
    struct km_secret *const all[] = { &p->verifier,      &p->redirect, &p->token_url, &p->client_id,
                                      &p->client_secret, &p->resource, &p->issuer, &p->scope };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        km_secret_done(all[i]);
    free(p);
}

void km_mcp_pending_free_all(struct km_mcp_oauth *o)
{
    struct km_list *node;

    while ((node = km_list_pop(&o->logins)) != NULL)
        km_mcp_pending_free(KM_CONTAINER(node, struct km_mcp_pending, link));
}

/* Under the lock. */
static void drop(struct km_mcp_oauth *o, struct km_mcp_pending *p)
{
    km_list_remove(&p->link);
    o->nlogins--;
    km_mcp_pending_save(o, p, true);
    km_mcp_pending_free(p);
}

/* Under the lock.  Whoever begins many pushes out their own first, not those of others. */
static void make_room(struct km_mcp_oauth *o, const struct km_mcp_holder *h)
{
    size_t own = 0;

    KM_LIST_EACH(it, &o->logins)
    {
        own += KM_CONTAINER(it, struct km_mcp_pending, link)->h == h;
    }
    KM_LIST_EACH(it, &o->logins)
    {
        struct km_mcp_pending *old = KM_CONTAINER(it, struct km_mcp_pending, link);
        bool much = old->h == h && own >= KM_MCP_OAUTH_LOGINS_OWN;

        own -= much;
        if (much || old->until_us <= km_wall_us())
            drop(o, old);
    }
    if (o->nlogins >= KM_MCP_OAUTH_LOGINS)
        drop(o, KM_CONTAINER(o->logins.next, struct km_mcp_pending, link));
}

void km_mcp_pending_add(struct km_mcp_oauth *o, struct km_mcp_pending *p)
{
    pthread_mutex_lock(&o->lock);
    make_room(o, p->h);
    km_list_push(&o->logins, &p->link);
    o->nlogins++;
    pthread_mutex_unlock(&o->lock);
}

/* Under the lock. */
static struct km_mcp_pending *find(const struct km_mcp_oauth *o, const uint8_t state[KM_SHA256_LEN])
{
    KM_LIST_EACH(it, &o->logins)
    {
        struct km_mcp_pending *p = KM_CONTAINER(it, struct km_mcp_pending, link);

        if (km_secret_eq(p->state, state, KM_SHA256_LEN))
            return p;
    }
    return NULL;
}

bool km_mcp_pending_has(struct km_mcp_oauth *o, const uint8_t state[KM_SHA256_LEN])
{
    bool has;

    pthread_mutex_lock(&o->lock);
    has = find(o, state) != NULL;
    pthread_mutex_unlock(&o->lock);
    return has;
}

struct km_mcp_pending *km_mcp_pending_take(struct km_mcp_oauth *o, struct km_str state)
{
    struct km_mcp_pending *found;
    uint8_t hash[KM_SHA256_LEN];

    km_sha256(state, hash);
    pthread_mutex_lock(&o->lock);
    found = find(o, hash);
    if (found) {
        km_list_remove(&found->link);
        o->nlogins--;
    }
    pthread_mutex_unlock(&o->lock);
    if (found)
        km_mcp_pending_save(o, found, true);
    if (found && found->until_us <= km_wall_us()) {
        km_mcp_pending_free(found);
        found = NULL;
    }
    return found;
}

void km_mcp_pending_move(struct km_mcp_oauth *from, struct km_mcp_oauth *to)
{
    struct km_list *node, moved;

    km_list_init(&moved);
    pthread_mutex_lock(&from->lock);
    while ((node = km_list_pop(&from->logins)) != NULL)
        km_list_push(&moved, node);
    from->nlogins = 0;
    pthread_mutex_unlock(&from->lock);
    while ((node = km_list_pop(&moved)) != NULL) {
        struct km_mcp_pending *p = KM_CONTAINER(node, struct km_mcp_pending, link);

        p->h = km_mcp_oauth_holder(to, km_secret_view(&p->h->principal));
        if (p->h)
            km_mcp_pending_add(to, p);
        else
            km_mcp_pending_free(p);
    }
}
