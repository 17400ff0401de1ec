/* SPDX-License-Identifier: Apache-2.0 */
/* relay_ask.c - the near end of a relay: what an asker does (relay.h).
 *
 *     km_relay_ask, _subscribe, _tell ── relay_new: all it takes is copied once ── a message
 *     answer, note, cancel, forget, unsubscribe ────────────────────────────────── a message
 *
 * Nobody waits for a message to arrive: what comes back comes as an event (relay.c).
 */
#include <stdlib.h>

#include "base/hash.h"
#include "mcp/asker.h"
#include "mcp/relay_part.h"

#define ARENA_BYTES (2 * KM_MCP_MESSAGE_BYTES)

static size_t home_of(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    return km_crc32(0, u->name.p, u->name.n) % d->ups->ndesks;
}

bool km_relay_needed(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    return u->transport == KM_MCP_STDIO && home_of(d, u) != d->index;
}

static struct km_relay *relay_new(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                                  const struct km_mcp_asker *asker, struct km_str method,
                                  struct km_str params)
{
    struct km_relay *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->refs = 1;
    r->ups = d->ups;
    r->near = d->index;
    r->far = home_of(d, u);
    r->run = d->relayed;
    r->upstream = km_mcp_upstream_ref(u);
    km_list_init(&r->link);
    km_arena_init(&r->arena, ARENA_BYTES, NULL);
    r->nobody = !asker;
    (void)!km_asker_copy(asker, &r->arena, &r->asker);
    if (asker)
        r->asker.log_level = km_arena_str(&r->arena, asker->log_level);
    r->method = km_arena_str(&r->arena, method);
    r->params = km_arena_str(&r->arena, params);
    if (!km_arena_overflowed(&r->arena))
        return r;
    km_relay_unref(r);
    return NULL;
}

struct km_relay *km_relay_ask(struct km_mcp_desk *d, const struct km_mcp_ask_args *args, bool own)
{
    struct km_relay *r = relay_new(d, args->upstream, args->asker, args->method, args->params);

    if (!r)
        return NULL;
    r->own = own;
    r->can_ask = args->events->on_question != NULL;
    r->timeout_ms = args->timeout_ms;
    r->times = args->times;
    r->events = args->events;
    r->ctx = args->ctx;
    km_list_push(&d->relays, &r->link);
    if (km_relay_send(r, KM_RELAY_START, KM_STR_NONE, KM_STR_NONE))
        return r;
    km_relay_leave(r);
    return NULL;
}

void km_relay_answer(struct km_relay *r, uint64_t question, bool is_error, struct km_str json)
{
    struct km_relay_message *m = km_relay_message(r, KM_RELAY_ANSWER, json, KM_STR_NONE);

    m->number = question;
    m->flag = is_error;
    (void)km_relay_post(m);
}

void km_relay_note(struct km_relay *r, struct km_str method, struct km_str params)
{
    (void)km_relay_send(r, KM_RELAY_NOTE, method, params);
}

void km_relay_cancel(struct km_relay *r, struct km_str reason)
{
    (void)km_relay_send(r, KM_RELAY_CANCEL, reason, KM_STR_NONE);
    km_relay_leave(r);
}

void km_relay_forget(struct km_relay *r)
{
    (void)km_relay_send(r, KM_RELAY_FORGET, KM_STR_NONE, KM_STR_NONE);
    km_relay_leave(r);
}

struct km_relay *km_relay_subscribe(struct km_mcp_desk *d, const struct km_mcp_subscribe_args *args)
{
    struct km_relay *r = relay_new(d, args->upstream, args->asker, KM_STR_NONE, KM_STR_NONE);

    if (!r)
        return NULL;
    r->uri = km_arena_str(&r->arena, args->uri);
    r->updated = args->updated;
    r->subscribed = args->subscribed;
    r->ctx = args->ctx;
    if (km_relay_send(r, KM_RELAY_SUBSCRIBE, KM_STR_NONE, KM_STR_NONE))
        return r;
    km_relay_leave(r);
    return NULL;
}

void km_relay_unsubscribe(struct km_relay *r)
{
    (void)km_relay_send(r, KM_RELAY_UNSUBSCRIBE, KM_STR_NONE, KM_STR_NONE);
    km_relay_leave(r);
}

void km_relay_tell(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                   const struct km_mcp_asker *asker, struct km_str method, struct km_str params)
{
    struct km_relay *r = relay_new(d, u, asker, method, params);

    if (!r)
        return;
    (void)km_relay_send(r, KM_RELAY_TELL, KM_STR_NONE, KM_STR_NONE);
    km_relay_unref(r);
}

void km_relay_end_all(struct km_mcp_desk *d)
{
    struct km_list *node;
    struct km_err err;

    km_fail(&err, KM_E_CANCELED, "the gateway is ending");
    while ((node = km_list_pop(&d->relays)) != NULL) {
        struct km_relay *r = KM_CONTAINER(node, struct km_relay, link);
        const struct km_mcp_ask_events *events = r->events;
        void *ctx = r->ctx;

        km_relay_leave(r);
        events->on_done(ctx, &(struct km_mcp_answer){ .kind = KM_MCP_FAILED, .err = &err });
    }
}
