/* SPDX-License-Identifier: Apache-2.0 */
/* breakers.c - a breaker opened, is tested or closed: who hears of it.
 *
 *     opened    a warning in the log, an event for alerts, a count
 *     tested    a line of the log
 *     closed    a line of the log, an event
 *
 * Once a change and not once a call: what opens a breaker is one failure of many.
 */
#include "call/call.h"

#include "call/metrics.h"

#define NAME_MOST 120 /* bytes of a name in a line */

/* "deployment 'gpt-1' of model 'chat'", or "provider openai at api.openai.com". */
static struct km_str name_of(const struct km_call *call, bool provider)
{
    const struct km_deployment *d = call->at->d;
    struct km_arena *arena = (struct km_arena *)&call->arena;

    if (provider)
        return km_arena_printf(arena, "provider %.*s at %.*s", KM_STR_ARG(d->provider_name),
                               KM_STR_ARG(km_str_sub(d->origin->host_header, 0, NAME_MOST)));
    return km_arena_printf(arena, "deployment '%.*s' of model '%.*s'",
                           KM_STR_ARG(km_str_sub(d->id, 0, NAME_MOST)),
                           KM_STR_ARG(km_str_sub(d->group, 0, NAME_MOST)));
}

static void say(const struct km_call *call, enum km_log_level level, const char *event,
                bool provider, const char *what)
{
    const struct km_gateway *gw = call->w->gw;
    const struct km_str name = name_of(call, provider);

    km_log_msg(gw->log, level, event, "%.*s %s", KM_STR_ARG(name), what);
    if (level >= KM_LOG_INFO && gw->events)
        km_event_add(gw->events, level, event, "%.*s %s", KM_STR_ARG(name), what);
}

void km_call_tell_breakers(struct km_call *call, unsigned changes)
{
    if (!call->at->d)
        return;
    if (changes & KM_ROUTE_OPENED) {
        km_count_cooled_down(call);
        say(call, KM_LOG_WARN, "breaker.opened", false,
            "fails and is left alone for a while; its calls go elsewhere");
    }
    if (changes & KM_ROUTE_GROUP_OPENED)
        say(call, KM_LOG_WARN, "breaker.opened", true,
            "fails with several deployments; all of them are left alone for a while");
    if (changes & KM_ROUTE_CLOSED)
        say(call, KM_LOG_INFO, "breaker.closed", false, "works again");
    if (changes & KM_ROUTE_GROUP_CLOSED)
        say(call, KM_LOG_INFO, "breaker.closed", true, "works again");
}

void km_call_tell_probe(struct km_call *call)
{
    km_log_msg(call->w->gw->log, KM_LOG_INFO, "breaker.half_open",
               "a call tests whether deployment '%.*s' of model '%.*s' works again",
               KM_STR_ARG(km_str_sub(call->at->d->id, 0, NAME_MOST)),
               KM_STR_ARG(km_str_sub(call->at->d->group, 0, NAME_MOST)));
}
