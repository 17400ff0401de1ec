/* SPDX-License-Identifier: Apache-2.0 */
/* fake_call.h - a world for the steps of a call: a fake kind and a fake port on a real loop, with
 * real keys and permits; the ledger is counted instead of written. */
#ifndef TESTS_GATEWAY_FAKE_CALL_H
#define TESTS_GATEWAY_FAKE_CALL_H

#include "call/call.h"
#include "policy/caller_settings.h"
#include "policy/execution.h"
#include "policy/runs.h"
#include "call/hooks.h"
#include "host/settings.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define BUDGET 1000000000

/* Where something is made to happen, in the order of a call's life. */
enum place {
    AT_TAKE,
    AT_PREPARE,
    AT_PREPARED,
    AT_RESERVE,
    AT_PERMIT,
    AT_GUARDED,
    AT_ATTEMPT,
    AT_ROUTED,
    AT_INTENT,
    AT_SEND,
    AT_COMPLETE,
    AT_SETTLE,
    AT_RECORD,
    AT_SETTLED,
    PLACES,
};

enum event {
    GOES_WELL,
    WAITS,
    FAILS,
    WAITS_AND_FAILS,
    IS_CANCELLED,
    RUNS_OUT_OF_TIME,
    CLIENT_GOES,
    WORKER_DRAINS,
    KEY_IS_REVOKED,
    IS_ANSWERED, /* by a hook */
    EVENTS,
};

struct fake_world {
    struct km_loop *loop;
    struct km_gateway gw;
    struct km_worker w;
    struct km_view view;
    struct km_snapshot snap;
    struct km_visit visit;
    struct km_key *key;
    struct km_gateway_args args;
    struct km_gateway_settings gateway;
    struct km_http_settings http;
    struct km_key_settings keys;
    struct km_llm_defaults llm;
    struct km_router_settings routing;
    struct km_execution_settings execution;
    struct km_runs_settings runs;
    struct km_general_settings general;
    struct km_caller_settings callers;
    struct km_caller_tag_settings caller_tags;
    struct km_timer stop;
    struct km_port port;
    struct km_call *call; /* NULL: it is over */

    /* what is to happen */
    enum place place;
    enum event event;
    bool waiting, waited[PLACES];
    km_store_done_fn *written; /* of the ledger */
    void *written_ctx;

    /* what happened */
    unsigned intents, progress, settlements, of_intents, starts, ends, aborts, responds, records,
        abandons;
    unsigned visits[PLACES];
    unsigned let_gos; /* of hooks that waited */
    bool left;
    struct km_ledger_entry last;
    int64_t costs; /* of all that were settled */
    int status;
    char said[256]; /* what was written, without heads */
    size_t nsaid;
    bool full; /* the port: enough for now */
};

extern struct fake_world f; /* the one of the test that runs */
extern const char *const place_names[PLACES], *const event_names[EVENTS];
extern const struct km_call_kind fake_kind;

bool make_world(void); /* false: there was no memory for it */
void unmake_world(void);
/* Lets what is due now come: the loop's timers fire in their order. */
void turn(void);
bool is_over(void); /* no call is left */
/* However it ended: settled if it was begun, told once at most, and nothing is reserved. */
void check_settled(void);
bool may_wait(enum place p);
bool may_fail(enum place p);
bool is_hook(enum place p);
bool is_the_books(enum place p); /* they are being written: nothing may move the call before */
/* What waits at the place goes on; why: it came to nothing. */
void resume(enum place p, const struct km_err *why);

#endif
