/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - see calls.h.
 *
 * The rest after a failure to connect (live.h) is another matter: that is of whoever opens a
 * session, and these are of the calls in it.  A call that meets such a rest asked nobody, so it
 * says nothing here.
 */
#include "mcp/upstream/calls.h"

#include "mcp/upstream/live.h"

/* What comes back by steps needs somebody to take the rest. */
static struct km_breaker_settings settings_of(const struct km_mcp_calls_rule *rule)
{
    struct km_breaker_settings s = *rule->breaker;

    s.ramps = s.ramps && rule->others;
    return s;
}

static int refuse(const struct km_mcp_upstream *u, uint64_t now_ms, struct km_err *err)
{
    const uint64_t left = km_breaker_left_ms(&u->live->fuse, now_ms);

    km_fail(
        err, KM_E_OVERLOADED,
        "MCP server '%.*s' is left alone after calls of it failed in a row; it is tried again %s",
        KM_STR_ARG(u->name), left ? "in a while" : "by another call now");
    err->retry_after_ms = left ? (int)left : 1000;
    return KM_E_OVERLOADED;
}

int km_mcp_calls_enter(struct km_mcp_upstream *u, const struct km_mcp_calls_rule *rule,
                       uint64_t now_ms, uint64_t luck, struct km_err *err)
{
    struct km_breaker *fuse = &u->live->fuse;

    if (!km_breaker_allow(fuse, rule->breaker, now_ms))
        return refuse(u, now_ms, err);
    if (rule->others && luck % 100 >= km_breaker_share(fuse, now_ms))
        return refuse(u, now_ms, err);
    km_retry_budget_count(&u->live->retries, now_ms);
    return 0;
}

bool km_mcp_calls_report(struct km_mcp_upstream *u, const struct km_mcp_calls_rule *rule,
                         enum km_mcp_call_end end, enum km_failure failure, uint64_t now_ms)
{
    struct km_breaker *fuse = &u->live->fuse;
    const struct km_breaker_settings s = settings_of(rule);
    const bool open = km_breaker_state(fuse, now_ms) != KM_BREAKER_CLOSED;

    if (end == KM_MCP_CALL_SAYS_NOTHING)
        km_breaker_release(fuse);
    else if (end == KM_MCP_CALL_WELL)
        km_breaker_report(fuse, &s, true, now_ms);
    else
        (void)km_breaker_fail(fuse, &s, failure, now_ms);
    return open != (km_breaker_state(fuse, now_ms) != KM_BREAKER_CLOSED);
}

enum km_breaker_state km_mcp_calls_state(const struct km_mcp_upstream *u, uint64_t now_ms)
{
    return km_breaker_state(&u->live->fuse, now_ms);
}

int64_t km_mcp_calls_wait(const struct km_mcp_upstream *u, uint64_t most_ms, uint64_t now_ms)
{
    const uint64_t left = km_breaker_left_ms(&u->live->breaker, now_ms);
    struct km_mcp_status now;

    km_mcp_status(u, &now);
    return u->transport == KM_MCP_STDIO || !now.last_ok_us || u->live->held || left > most_ms
               ? -1
               : (int64_t)left + (left > 0);
}

bool km_mcp_calls_may_repeat(struct km_mcp_upstream *u, uint64_t now_ms)
{
    return km_retry_budget_take(&u->live->retries, now_ms);
}
