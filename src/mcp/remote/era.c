/* SPDX-License-Identifier: Apache-2.0 */
/* era.c - see era.h for the contract.
 *
 * What is asked first is what is likelier to be understood:
 *
 *     nothing known              discover; initialize if that is refused, or after a silence, for
 *                                some servers of the handshake era say nothing to what they do not
 *                                know
 *     of the handshake era       initialize; discover if that is refused
 *     of the stateless era       nothing, unless its askers can be asked by a request: then
 *                                initialize, since a server of both eras sends none without
 *     held to a handshake        initialize, and no other
 *
 * A process counts as of the era of the first message it took, in many servers.  So one question is
 * asked at a time, but for the silent server; and where both were asked, both answers are waited
 * for, in whichever order they come: discover's yes says that it could, initialize's answer says
 * what this process has become.  It is never begun anew to find out.
 */
#include "mcp/remote/era.h"

#include <stddef.h>

struct row {
    enum km_era_verdict verdict;
    enum km_era_state next;
};

/* What is not listed does not count in that state: WAIT, and nothing changes. */
#define AND(verdict, state)                                                                        \
    {                                                                                              \
        KM_ERA_##verdict, KM_ERA_IN_##state                                                        \
    }
#define ENDS(verdict) AND(verdict, OVER)

/* The states as rows of what may happen in them; UP is decided by what is known. */
static const struct row rows[KM_ERA_STATES_N][KM_ERA_EVENTS_N] = {
    [KM_ERA_IN_DISCOVER] = { [KM_ERA_DISCOVER_YES] = ENDS(USE_STATELESS),
                             [KM_ERA_DISCOVER_AGAIN] = AND(ASK_DISCOVER, DISCOVER),
                             [KM_ERA_DISCOVER_NO] = AND(ASK_INITIALIZE, LAST_INITIALIZE),
                             [KM_ERA_DISCOVER_ODD] = AND(ASK_INITIALIZE, LAST_INITIALIZE),
                             [KM_ERA_QUIET] = AND(ASK_INITIALIZE, BOTH),
                             [KM_ERA_LATE] = ENDS(TOO_LATE) },
    [KM_ERA_IN_INITIALIZE] = { [KM_ERA_INITIALIZE_YES] = ENDS(USE_HANDSHAKE),
                               [KM_ERA_INITIALIZE_NEWER] = AND(ASK_DISCOVER, LAST_DISCOVER),
                               [KM_ERA_INITIALIZE_NO] = AND(ASK_DISCOVER, LAST_DISCOVER),
                               [KM_ERA_INITIALIZE_ODD] = AND(ASK_DISCOVER, LAST_DISCOVER),
                               [KM_ERA_LATE] = ENDS(TOO_LATE) },
    [KM_ERA_IN_BOTH] = { [KM_ERA_DISCOVER_YES] = AND(SETTLE, DISCOVERED),
                         [KM_ERA_DISCOVER_AGAIN] = AND(WAIT, LAST_INITIALIZE),
                         [KM_ERA_DISCOVER_NO] = AND(WAIT, LAST_INITIALIZE),
                         [KM_ERA_DISCOVER_ODD] = AND(WAIT, LAST_INITIALIZE),
                         [KM_ERA_INITIALIZE_YES] = ENDS(USE_HANDSHAKE),
                         [KM_ERA_INITIALIZE_NEWER] = AND(WAIT, LAST_DISCOVER),
                         [KM_ERA_INITIALIZE_NO] = AND(WAIT, LAST_DISCOVER),
                         [KM_ERA_INITIALIZE_ODD] = AND(WAIT, LAST_DISCOVER),
                         [KM_ERA_LATE] = ENDS(TOO_LATE) },
    [KM_ERA_IN_DISCOVERED] = { [KM_ERA_INITIALIZE_YES] = ENDS(USE_HANDSHAKE),
                               [KM_ERA_INITIALIZE_NEWER] = ENDS(USE_STATELESS),
                               [KM_ERA_INITIALIZE_NO] = ENDS(USE_STATELESS),
                               [KM_ERA_INITIALIZE_ODD] = ENDS(USE_STATELESS),
                               [KM_ERA_QUIET] = ENDS(USE_STATELESS),
                               [KM_ERA_LATE] = ENDS(USE_STATELESS) },
    [KM_ERA_IN_LAST_DISCOVER] = { [KM_ERA_DISCOVER_YES] = ENDS(USE_STATELESS),
                                  [KM_ERA_DISCOVER_AGAIN] = AND(ASK_DISCOVER, LAST_DISCOVER),
                                  [KM_ERA_DISCOVER_NO] = ENDS(REFUSED),
                                  [KM_ERA_DISCOVER_ODD] = ENDS(TRY_SSE),
                                  [KM_ERA_LATE] = ENDS(TOO_LATE) },
    [KM_ERA_IN_LAST_INITIALIZE] = { [KM_ERA_INITIALIZE_YES] = ENDS(USE_HANDSHAKE),
                                    [KM_ERA_INITIALIZE_NEWER] = AND(ASK_DISCOVER, LAST_DISCOVER),
                                    [KM_ERA_INITIALIZE_NO] = ENDS(REFUSED),
                                    [KM_ERA_INITIALIZE_ODD] = ENDS(TRY_SSE),
                                    [KM_ERA_LATE] = ENDS(TOO_LATE) },
    [KM_ERA_IN_ONLY_INITIALIZE] = { [KM_ERA_INITIALIZE_YES] = ENDS(USE_HANDSHAKE),
                                    [KM_ERA_INITIALIZE_NEWER] = ENDS(REFUSED),
                                    [KM_ERA_INITIALIZE_NO] = ENDS(REFUSED),
                                    [KM_ERA_INITIALIZE_ODD] = ENDS(TRY_SSE),
                                    [KM_ERA_LATE] = ENDS(TOO_LATE) },
};

void km_era_init(struct km_era *e, const struct km_era_facts *facts)
{
    *e = (struct km_era){ .facts = *facts, .state = KM_ERA_IN_START };
}

const char *km_era_state_name(enum km_era_state state)
{
    static const char *const names[] = {
#define XX(NAME) [KM_ERA_IN_##NAME] = #NAME,
        KM_ERA_STATES(XX)
#undef XX
    };

    return names[state];
}

static struct row first(const struct km_era_facts *f)
{
    if (f->held)
        return (struct row)AND(ASK_INITIALIZE, ONLY_INITIALIZE);
    if (f->known == KM_ERA_OF_STATELESS && !f->asked)
        return (struct row)ENDS(USE_STATELESS);
    if (f->known == KM_ERA_OF_HANDSHAKE || f->asked)
        return (struct row)AND(ASK_INITIALIZE, INITIALIZE);
    return (struct row)AND(ASK_DISCOVER, DISCOVER);
}

/* A process that took another question first may refuse for that reason alone. */
static enum km_era_of lacking(const struct km_era *e, enum km_era_event event)
{
    if ((e->state == KM_ERA_IN_DISCOVER || e->state == KM_ERA_IN_BOTH) &&
        (event == KM_ERA_DISCOVER_NO || event == KM_ERA_DISCOVER_ODD))
        return KM_ERA_OF_STATELESS;
    if (e->state == KM_ERA_IN_INITIALIZE &&
        (event == KM_ERA_INITIALIZE_NEWER || event == KM_ERA_INITIALIZE_NO ||
         event == KM_ERA_INITIALIZE_ODD))
        return KM_ERA_OF_HANDSHAKE;
    return e->lacks;
}

enum km_era_verdict km_era_step(struct km_era *e, enum km_era_event event)
{
    struct row row;

    if (event == KM_ERA_DISCOVER_AGAIN && e->again)
        event = KM_ERA_DISCOVER_NO; /* what it refused was no passing state */
    if (e->state == KM_ERA_IN_START)
        row = event == KM_ERA_UP ? first(&e->facts) : (struct row)AND(WAIT, START);
    else
        row = rows[e->state][event];
    if (row.verdict == KM_ERA_WAIT && row.next == KM_ERA_IN_START)
        return KM_ERA_WAIT;
    e->again = e->again || event == KM_ERA_DISCOVER_AGAIN;
    e->lacks = lacking(e, event);
    e->state = row.next;
    return row.verdict;
}
