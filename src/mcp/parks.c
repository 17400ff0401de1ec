/* SPDX-License-Identifier: Apache-2.0 */
/* parks.c - see parks.h.
 *
 *     put ── room at this worker? ── a place of the principal's, on whatever worker ── the list
 *     drop ── off the list ── the place back; who has none left is forgotten
 *
 * The calls of a principal come to any worker, so its places are counted in one table for all.  To
 * park is rare (a person is asked something), so a lock costs nothing there.
 */
#include "mcp/parks.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/map.h"

struct share {
    unsigned n;
};

struct km_mcp_park_shares {
    pthread_mutex_t lock;
    struct km_map *of; /* principal: struct share */
};

struct km_mcp_park_shares *km_mcp_park_shares_new(size_t workers)
{
    struct km_mcp_park_shares *shares = calloc(1, sizeof *shares);

    if (!shares)
        return NULL;
    pthread_mutex_init(&shares->lock, NULL);
    shares->of = km_map_new(workers * KM_MCP_PARKED_MOST);
    return shares->of ? shares : km_mcp_park_shares_free(shares);
}

struct km_mcp_park_shares *km_mcp_park_shares_free(struct km_mcp_park_shares *shares)
{
    if (!shares)
        return NULL;
    km_map_free(shares->of, free);
    pthread_mutex_destroy(&shares->lock);
    free(shares);
    return NULL;
}

static struct share *share_of(struct km_mcp_park_shares *shares, struct km_str principal)
{
    struct share *share = km_map_get(shares->of, principal);

    if (share)
        return share;
    share = calloc(1, sizeof *share);
    if (share && km_map_set(shares->of, principal, share, NULL) == 0)
        return share;
    free(share);
    return NULL;
}

static bool take(struct km_mcp_park_shares *shares, struct km_str principal)
{
    struct share *share;
    bool ok;

    pthread_mutex_lock(&shares->lock);
    share = share_of(shares, principal);
    ok = share && share->n < KM_MCP_PARKED_PER_PRINCIPAL;
    if (ok)
        share->n++;
    pthread_mutex_unlock(&shares->lock);
    return ok;
}

static void give_back(struct km_mcp_park_shares *shares, struct km_str principal)
{
    struct share *share;

    pthread_mutex_lock(&shares->lock);
    share = km_map_get(shares->of, principal);
    km_assert(share && share->n > 0);
    if (--share->n == 0)
        free(km_map_del(shares->of, principal));
    pthread_mutex_unlock(&shares->lock);
}

void km_mcp_parks_init(struct km_mcp_parks *parks, struct km_mcp_park_shares *shares)
{
    *parks = (struct km_mcp_parks){ .wait_ms = KM_MCP_PARK_MS, .shares = shares };
    km_list_init(&parks->list);
}

/* A number nobody can guess, and never 0. */
static int number(struct km_mcp_parked *p, struct km_err *err)
{
    int r = p->id ? 0 : km_random(&p->id, sizeof p->id, err);

    if (r == 0)
        p->id |= 1;
    return r;
}

int km_mcp_parks_put(struct km_mcp_parks *parks, struct km_mcp_parked *p, struct km_str principal,
                     uint64_t now_ms, struct km_err *err)
{
    int r = number(p, err);

    if (r < 0)
        return r;
    if (!p->on && parks->n >= KM_MCP_PARKED_MOST)
        return km_fail(err, KM_E_LIMIT, "too many calls wait for answers");
    if (!p->on && !take(parks->shares, principal))
        return km_fail(err, KM_E_LIMIT, "too many calls wait for answers of this caller");
    if (!p->on) {
        p->on = true;
        p->principal = principal;
        parks->n++;
        km_list_push(&parks->list, &p->link);
    }
    p->ends_ms = now_ms + parks->wait_ms;
    return 0;
}

void km_mcp_parks_drop(struct km_mcp_parks *parks, struct km_mcp_parked *p)
{
    if (!p->on)
        return;
    p->on = false;
    km_list_remove(&p->link);
    parks->n--;
    give_back(parks->shares, p->principal);
}

uint64_t km_mcp_parked_left_ms(const struct km_mcp_parked *p, uint64_t now_ms)
{
    return p->ends_ms > now_ms ? p->ends_ms - now_ms : 0;
}

struct km_mcp_parked *km_mcp_parks_find(const struct km_mcp_parks *parks, uint64_t id,
                                        uint64_t now_ms)
{
    for (struct km_list *it = parks->list.next; it != &parks->list; it = it->next) {
        struct km_mcp_parked *p = KM_CONTAINER(it, struct km_mcp_parked, link);

        if (p->id == id)
            return km_mcp_parked_left_ms(p, now_ms) ? p : NULL;
    }
    return NULL;
}
