/* SPDX-License-Identifier: Apache-2.0 */
/* revoke.c - see revoke.h.
 *
 *     admin ── new version of a key, or none ──> keys, their generation + 1
 *     each worker, four times a second ── another generation? ──> walk: calls, sessions, listens
 *
 * Nothing is asked for each event of a stream; a worker whose keys did not change reads one number.
 * A call that is ended so is one that failed: its client gets an error of its dialect, a stream is
 * broken off with such an event, and what was heard is settled.  A key that was regenerated lives
 * on in its successor, and so do its calls.
 */
#include "gateway/revoke.h"

#include "gateway/call.h"
#include "gateway/mcp/hub.h"
#include "gateway/mcp/notify_part.h"
#include "gateway/mcp/stream.h"
#include "gateway/realtime/realtime.h"

#define EXPIRY_LOOKS 20 /* 5 s */

/* By the hash that its books go by, which a successor has taken over. */
static int check_hash(struct km_worker *w, const uint8_t hash[32], struct km_err *err)
{
    struct km_key *key = km_keys_find(w->gw->keys, hash);
    int r = key ? km_right_code(km_key_grants_use(key, km_wall_us(), err), err)
                : km_fail(err, KM_E_UNAUTHENTICATED,
                          "Authentication Error, the key was revoked: it was deleted.");

    km_key_unref(key);
    return r;
}

static int check_call(struct km_call *call, struct km_err *err)
{
    uint8_t hash[32];

    if (!call->visit || !call->visit->who.key)
        return 0;
    km_key_books(call->visit->who.key, hash);
    return check_hash(call->w, hash, err);
}

/* An end of one may be the end of others (a chat and the calls it makes), so the walk begins
 * again after each; those that only wait for their books stay in the list. */
static bool end_one(struct km_worker *w)
{
    KM_LIST_EACH(node, &w->calls)
    {
        struct km_call *call = KM_CONTAINER(node, struct km_call, link);
        struct km_err err = { 0 };

        if (call->revoked || check_call(call, &err) == 0)
            continue;
        call->revoked = true;
        km_call_revoke(call, &err);
        return true;
    }
    return false;
}

/* All zero: not by a key's right. */
static bool is_revoked(struct km_worker *w, const uint8_t hash[32])
{
    static const uint8_t none[32];
    struct km_err err;

    return memcmp(hash, none, sizeof none) != 0 && check_hash(w, hash, &err) < 0;
}

static void end_mcp(struct km_worker *w)
{
    struct km_mcp_hub *hub = km_mcp_hub_of(w);
    struct km_mcp_session *next;

    for (struct km_mcp_session *s = km_mcp_session_first(hub->sessions); s; s = next) {
        next = km_mcp_session_next(hub->sessions, s);
        if (is_revoked(w, s->key))
            km_mcp_hub_drop_session(hub, s);
    }
    KM_LIST_EACH(node, &hub->listens)
    {
        struct km_mcp_listen *l = KM_CONTAINER(node, struct km_mcp_listen, link);

        if (is_revoked(w, l->key))
            km_mcp_stream_end(l->job.stream);
    }
}

void km_revoke_look(struct km_worker *w)
{
    uint64_t generation = km_keys_generation(w->gw->keys);

    if (generation == w->revoke.generation && ++w->revoke.looks < EXPIRY_LOOKS)
        return;
    w->revoke = (struct km_revoke){ .generation = generation };
    while (end_one(w)) {
    }
    end_mcp(w);
}
