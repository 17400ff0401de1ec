/* SPDX-License-Identifier: Apache-2.0 */
/* era.h - which era is spoken with a server: what is asked, and which answers count.
 *
 * What is known and what happens go in, what to do comes out; nothing is read or written here, and
 * nothing is called.  open.c carries it out.  Thread: any, one at a time.
 */
#ifndef KM_MCP_REMOTE_ERA_H
#define KM_MCP_REMOTE_ERA_H

#include <stdbool.h>

/* ANY: nothing is known. */
enum km_era_of { KM_ERA_ANY, KM_ERA_OF_HANDSHAKE, KM_ERA_OF_STATELESS };

struct km_era_facts {
    bool held; /* to a handshake: by spec_version, HTTP with SSE, a server of kanmon's own */
    enum km_era_of known; /* what it spoke last */
    bool asked; /* its askers can be asked by a request of the server, which needs a handshake */
};

#define KM_ERA_EVENTS(XX)                                                                          \
    XX(UP) /* it can be asked */                                                                   \
    XX(DISCOVER_YES) /* it speaks our stateless revision */                                        \
    XX(DISCOVER_AGAIN) /* it refused, and names our revision as one it takes */                    \
    XX(DISCOVER_NO) /* it refused, or speaks others */                                             \
    XX(DISCOVER_ODD) /* it refused as a server of HTTP with SSE does */                            \
    XX(INITIALIZE_YES) /* it agreed on a revision we speak */                                      \
    XX(INITIALIZE_NEWER) /* it refused, and names our stateless revision */                        \
    XX(INITIALIZE_NO)                                                                              \
    XX(INITIALIZE_ODD)                                                                             \
    XX(QUIET) /* it has read what it was asked, and said nothing for a while */                    \
    XX(LATE) /* all its time is over */

enum km_era_event {
#define XX(NAME) KM_ERA_##NAME,
    KM_ERA_EVENTS(XX)
#undef XX
        KM_ERA_EVENTS_N
};

#define KM_ERA_VERDICTS(XX)                                                                        \
    XX(WAIT) /* it does not count, or another answer is to come */                                 \
    XX(SETTLE) /* the same, but not for long: QUIET decides */                                     \
    XX(ASK_DISCOVER)                                                                               \
    XX(ASK_INITIALIZE)                                                                             \
    XX(USE_STATELESS)                                                                              \
    XX(USE_HANDSHAKE)                                                                              \
    XX(TRY_SSE) /* on another link, which is begun anew */                                         \
    XX(REFUSED) /* it speaks nothing that may be spoken with it */                                 \
    XX(TOO_LATE)

enum km_era_verdict {
#define XX(NAME) KM_ERA_##NAME,
    KM_ERA_VERDICTS(XX)
#undef XX
        KM_ERA_VERDICTS_N
};

#define KM_ERA_STATES(XX)                                                                          \
    XX(START)                                                                                      \
    XX(DISCOVER) /* discover was asked; initialize may follow */                                   \
    XX(INITIALIZE) /* initialize was asked; discover may follow */                                 \
    XX(BOTH) /* discover was asked, then initialize, and none is answered */                       \
    XX(DISCOVERED) /* both were; discover was answered with yes: what has initialize done? */      \
    XX(LAST_DISCOVER) /* discover alone is awaited, and the last */                                \
    XX(LAST_INITIALIZE)                                                                            \
    XX(ONLY_INITIALIZE) /* it is held to that */                                                   \
    XX(OVER)

enum km_era_state {
#define XX(NAME) KM_ERA_IN_##NAME,
    KM_ERA_STATES(XX)
#undef XX
        KM_ERA_STATES_N
};

struct km_era {
    struct km_era_facts facts;
    enum km_era_state state;
    bool again; /* discover was asked once more after DISCOVER_AGAIN */
    enum km_era_of lacks; /* what it refused while it was free to agree; ANY: nothing */
};

void km_era_init(struct km_era *e, const struct km_era_facts *facts);
/* Something has happened: what to do now. */
enum km_era_verdict km_era_step(struct km_era *e, enum km_era_event event);

/* "DISCOVERED", for messages of tests and logs. */
const char *km_era_state_name(enum km_era_state state);

#endif
