/* SPDX-License-Identifier: Apache-2.0 */
/* test_units.c - calls whose answer goes through a unit, in the world of fake_call.h.
 *
 * Wherever the unit stands, whatever it does with whichever piece, and whatever happens to the call
 * while it waits: the call is settled once, its client gets one end, nothing is left; and what the
 * unit let pass is what the client has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_call.h"
#include "torture.h"

enum doing { PASSES, HOLDS, WAITS_FOR_IT, WAITS_IN_VAIN, WAITS_AND_ENDS, REFUSES, ENDS_IT, DOINGS };
enum blow { NOTHING, CANCEL, DEADLINE, GOES_AWAY, DRAIN, REVOKE, BREAKS, BLOWS };

static struct {
    enum km_unit_place where;
    enum km_piece_what what; /* it does it with the first of these */
    enum doing doing;
    bool whole; /* the answer */
    bool did, joined;
    struct km_link *waits;
    unsigned dones;
} u;

static int take(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    if (piece->what != u.what || u.did)
        return KM_UNIT_PASS;
    u.did = true;
    switch (u.doing) {
    case HOLDS:
        return KM_UNIT_HOLD;
    case REFUSES:
        return km_fail(err, KM_E_FORBIDDEN, "The unit does not let this pass.");
    case ENDS_IT:
        return KM_UNIT_END;
    case WAITS_FOR_IT:
    case WAITS_IN_VAIN:
    case WAITS_AND_ENDS:
        u.waits = link;
        return KM_UNIT_WAIT;
    default:
        return KM_UNIT_PASS;
    }
}

static void done(struct km_link *link)
{
    (void)link;
    u.waits = NULL; /* what it waited for is called off */
    u.dones++;
}

static const struct km_unit unit = { .name = "unit", .take = take, .done = done };

static int join(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    u.joined = true;
    return km_chain_put(chain, &unit, call) ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static const struct km_call_unit row = { "unit", 0, join };
static const struct km_call_unit *const rows[] = { &row, NULL };

/* --- a kind that streams --- */

static enum km_next send_it(struct km_call *call)
{
    call->at->status = 200;
    call->first_us = 1;
    km_call_go(call, KM_STEP_relay);
    km_call_fetch_begin(call);
    if (!u.whole) {
        call->at->relaying = true;
        km_call_start_answer(call, 200, KM_STR("x: y\r\n"), UINT64_MAX);
    }
    return KM_WAIT;
}

static int on_body(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    (void)err;
    km_call_write_one(call, km_str(bytes, n));
    return 0;
}

static int complete(struct km_call *call, struct km_err *err)
{
    if (!u.whole)
        return 0;
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (!call->parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->parts[0] = km_buf_view(&call->at->answer);
    call->nparts = 1;
    return 0;
}

static bool last(struct km_call *call, struct km_buf *out)
{
    km_buf_str(out, call->cut ? KM_STR("!") : KM_STR("$"));
    return false;
}

/* What the client gets of a delta. */
static int encode(struct km_call *call, const struct km_chat_event *delta, struct km_buf *out,
                  struct km_err *err)
{
    (void)call;
    (void)delta;
    (void)out;
    return km_fail(err, KM_E_INTERNAL, "there are none");
}

static void give(const char *text)
{
    struct km_err err;
    struct km_call *call = f.call;

    if (is_over() || u.waits) /* the upstream is paused */
        return;
    if (km_call_fetch_bytes(call, km_str_c(text), &err) < 0) {
        km_call_abandon(call);
        km_call_fail(call, &err);
    } else {
        km_call_heed(call);
    }
}

static void strike(enum blow blow)
{
    struct km_err why = { 0 };

    if (blow == CANCEL) {
        km_call_cancel(f.call, "It is not wanted any more.");
    } else if (blow == DEADLINE) {
        km_timer_start(&f.call->deadline, 0);
        turn();
    } else if (blow == GOES_AWAY) {
        f.port.events->on_gone(f.port.ctx);
    } else if (blow == DRAIN) {
        km_calls_leave(&f.w);
    } else if (blow == REVOKE) {
        km_fail(&why, KM_E_UNAUTHENTICATED, "The key was revoked.");
        km_call_revoke(f.call, &why);
    } else if (blow == BREAKS && f.call->step == KM_STEP_relay) {
        km_fail(&why, KM_E_UPSTREAM_PROTOCOL, "It broke.");
        km_call_fail(f.call, &why);
    }
}

static void go_on(void)
{
    const struct km_err why = { .code = KM_E_FORBIDDEN, .text = "The unit does not let it pass." };
    struct km_link *link = u.waits;

    u.waits = NULL;
    km_link_go_on(link, u.doing == WAITS_AND_ENDS ? KM_UNIT_END : KM_UNIT_PASS,
                  u.doing == WAITS_IN_VAIN ? &why : NULL);
}

static void blow_and_go_on(enum blow blow)
{
    if (is_over() || !u.waits)
        return;
    strike(blow);
    if (u.waits)
        go_on();
}

static void begin_call(void)
{
    static struct km_call_kind kind;
    static struct km_call_hooks hooks;

    kind = fake_kind;
    kind.send = send_it;
    kind.on_body = on_body;
    kind.complete = complete;
    kind.last = last;
    kind.encode = encode;
    hooks = (struct km_call_hooks){ 0 };
    hooks.units[u.where] = rows;
    f.args.hooks = &hooks;
    f.place = PLACES;
    f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
    if (!f.call)
        return;
    km_call_take_port(f.call, &f.visit, &f.port);
    km_call_start(f.call);
}

static void run_call(enum blow blow)
{
    begin_call();
    if (!f.call)
        return;
    blow_and_go_on(blow);
    give("a");
    blow_and_go_on(blow);
    give("b");
    if (!is_over() && f.call->step == KM_STEP_relay)
        km_call_resume(f.call, 0); /* the upstream is done */
    blow_and_go_on(blow);
}

/* --- what must hold --- */

static void check_said(enum blow blow, const char *name)
{
    const bool alone = blow == NOTHING || blow == DRAIN;
    const char *said = u.whole ? "ab" : "ab$";

    if (!alone || !u.joined || u.doing == REFUSES || u.doing == WAITS_IN_VAIN)
        return;
    if (u.did && (u.doing == HOLDS || u.doing == ENDS_IT || u.doing == WAITS_AND_ENDS))
        return;
    if (strcmp(f.said, said) != 0)
        fail_msg("%s: the client has '%s'", name, f.said);
}

static void check_all(enum blow blow)
{
    char name[100];

    snprintf(name, sizeof name, "unit %d, piece %d, doing %d, blow %d, %s", (int)u.where,
             (int)u.what, (int)u.doing, (int)blow, u.whole ? "whole" : "stream");
    if (!is_over())
        fail_msg("%s: the call is not over", name);
    if (f.of_intents != f.intents || f.settlements != 1)
        fail_msg("%s: %u intents, %u settlements", name, f.intents, f.settlements);
    if (f.responds + f.ends + f.aborts != 1 || f.starts > 1 || (f.starts && f.responds) ||
        (!f.starts && f.ends))
        fail_msg("%s: %u responses, %u starts, %u ends, %u aborts", name, f.responds, f.starts,
                 f.ends, f.aborts);
    if (u.did && (u.doing == REFUSES || u.doing == WAITS_IN_VAIN) && f.ends)
        fail_msg("%s: what was refused ends as if it were whole", name);
    if (u.whole && u.did && u.doing == REFUSES && u.where >= KM_UNITS_DELIVER && !f.responds)
        fail_msg("%s: what was refused is no answer of its own", name);
    if (strchr(f.said, '$') && f.aborts)
        fail_msg("%s: a complete answer is broken off: '%s'", name, f.said);
    check_said(blow, name);
    assert_int_equal(u.dones, u.joined);
    assert_int_equal(f.gw.bodies.used, 0);
    assert_int_equal(km_key_reserved(f.key), 0);
}

static void each_unit_each_piece_each_doing_each_blow(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2 * KM_UNIT_PLACES * 5 * DOINGS * BLOWS; n++) {
        unsigned at = n;
        enum blow blow;

        memset(&u, 0, sizeof u);
        u.whole = at % 2;
        at /= 2;
        u.where = (enum km_unit_place)(at % KM_UNIT_PLACES);
        at /= KM_UNIT_PLACES;
        u.what = (enum km_piece_what)(at % 5);
        at /= 5;
        u.doing = (enum doing)(at % DOINGS);
        blow = (enum blow)(at / DOINGS);
        if (u.where == KM_UNITS_REQUEST)
            continue; /* test_intake.c */
        if (u.doing == HOLDS && u.what != KM_PIECE_BYTES)
            continue; /* no unit holds a head or an end for ever */
        if (blow != NOTHING && (u.doing < WAITS_FOR_IT || u.doing > WAITS_AND_ENDS))
            continue;
        assert_true(make_world());
        run_call(blow);
        check_all(blow);
        unmake_world();
    }
}

/* A client that takes no more and a unit that waits each hold the upstream up. */
static void a_client_that_is_full_is_no_unit_that_waits(void **state)
{
    (void)state;
    memset(&u, 0, sizeof u);
    u.where = KM_UNITS_DELIVER;
    assert_true(make_world());
    f.full = true;
    run_call(NOTHING);
    check_all(NOTHING);
    unmake_world();
}

static void life(void)
{
    memset(&u, 0, sizeof u);
    u.where = KM_UNITS_SHOWN;
    u.what = KM_PIECE_BYTES;
    u.doing = WAITS_FOR_IT;
    if (make_world()) {
        run_call(NOTHING);
        check_settled();
    }
    unmake_world();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 5);
}

/* What was settled already and waits for a unit that never says: whatever would have ended it
 * before ends it now, and so does its time. */
static void nobody_waits_for_ever(void **state)
{
    static const enum blow blows[] = { CANCEL, DEADLINE, GOES_AWAY, REVOKE };

    (void)state;
    for (size_t b = 0; b < sizeof blows / sizeof *blows; b++)
        for (enum km_unit_place where = KM_UNITS_DELIVER; where <= KM_UNITS_SHOWN; where++)
            for (enum km_piece_what what = KM_PIECE_HEAD; what <= KM_PIECE_END; what++) {
                if (what == KM_PIECE_EVENT)
                    continue;
                memset(&u, 0, sizeof u);
                u.where = where;
                u.what = what;
                u.doing = WAITS_FOR_IT;
                u.whole = true;
                assert_true(make_world());
                begin_call();
                give("an answer");
                km_call_resume(f.call, 0);
                assert_non_null(u.waits);
                assert_int_equal(f.call->step, KM_STEP_finish);
                assert_true(km_timer_running(&f.call->deadline));
                strike(blows[b]);
                assert_true(is_over());
                assert_null(u.waits);
                assert_int_equal(u.dones, 1);
                check_settled();
                unmake_world();
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_unit_each_piece_each_doing_each_blow),
        cmocka_unit_test(a_client_that_is_full_is_no_unit_that_waits),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
