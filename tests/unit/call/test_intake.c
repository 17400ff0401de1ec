/* SPDX-License-Identifier: Apache-2.0 */
/* test_intake.c - calls whose request goes through a unit, in the world of fake_call.h.
 *
 * However its client gives the body, whatever the unit does with whichever piece, and whatever
 * happens to the call while it waits: the kind reads what has passed and nothing else, what is
 * refused costs nothing, the client gets one end, and nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "call/ask.h"
#include "fake_call.h"
#include "torture.h"

enum shape { AT_ONCE, LATER, IN_PIECES, SHAPES };
enum doing {
    PASSES,
    HOLDS_UNTIL_THE_END,
    REWRITES,
    MAKES_IT_LONG,
    WAITS_FOR_IT,
    WAITS_IN_VAIN,
    WAITS_AND_ENDS,
    REFUSES,
    ENDS_IT,
    SWALLOWS, /* which no unit does with an end */
    DOINGS,
};
enum blow { NOTHING, CANCEL, DEADLINE, GOES_AWAY, DRAIN, REVOKE, BLOWS };

#define BODY "abc" /* given byte by byte, where it comes in pieces */
#define MOST 1000

static struct {
    enum shape shape;
    enum doing doing;
    enum km_piece_what what; /* it does it with the first of these */
    bool breaks; /* the client does, in the middle of its body */
    bool slow; /* the kind stops after each piece */
    /* the unit */
    bool keeps;
    bool did, joined;
    unsigned dones;
    struct km_link *waits;
    char held[64];
    size_t nheld;
    /* the port */
    bool asked, paused, told;
    /* the kind */
    char got[2 * MOST];
    const char *body; /* where it lies */
    size_t ngot, longest;
    unsigned lasts, errors;
    bool begun, stopped;
} t;

static char long_text[2 * MOST];

/* --- the unit --- */

static int do_wait(struct km_link *link)
{
    t.waits = link;
    return KM_UNIT_WAIT;
}

static int flush_held(struct km_link *link, const struct km_piece *piece, struct km_err *err)
{
    struct km_piece all = { .what = KM_PIECE_BYTES, .bytes = { t.held, t.nheld } };

    if (piece->what == KM_PIECE_BYTES) {
        memcpy(t.held + t.nheld, piece->bytes.p, piece->bytes.n);
        t.nheld += piece->bytes.n;
        return KM_UNIT_HOLD;
    }
    return km_link_emit(link, &all, err) < 0 ? err->code : KM_UNIT_PASS;
}

static int take_piece(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    if (t.doing == HOLDS_UNTIL_THE_END)
        return flush_held(link, piece, err);
    if (piece->what != t.what || t.did)
        return KM_UNIT_PASS;
    t.did = true;
    switch (t.doing) {
    case REWRITES:
    case MAKES_IT_LONG:
        piece->bytes = t.doing == REWRITES ? KM_STR("another") : km_str(long_text, MOST + 1);
        return KM_UNIT_PASS;
    case REFUSES:
        return km_fail(err, KM_E_FORBIDDEN, "The unit does not let this pass.");
    case ENDS_IT:
        return KM_UNIT_END;
    case SWALLOWS:
        return KM_UNIT_HOLD;
    case WAITS_FOR_IT:
    case WAITS_IN_VAIN:
    case WAITS_AND_ENDS:
        return do_wait(link);
    default:
        return KM_UNIT_PASS;
    }
}

static void done(struct km_link *link)
{
    (void)link;
    t.waits = NULL; /* what it waited for is called off */
    t.dones++;
}

static const struct km_unit unit = { .name = "unit", .take = take_piece, .done = done };

static int join(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    struct km_link *link = km_chain_put(chain, &unit, call);

    if (!link)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    link->keeps_length = t.keeps;
    t.joined = true;
    return 0;
}

static const struct km_call_unit row = { "unit", 0, join };
static const struct km_call_unit *const rows[] = { &row, NULL };
static const struct km_call_hooks with_unit = { .units = { [KM_UNITS_REQUEST] = rows } };
static const struct km_call_hooks without;

static void go_on(void)
{
    const struct km_err why = { .code = KM_E_FORBIDDEN, .text = "The unit does not let it pass." };
    struct km_link *link = t.waits;

    t.waits = NULL;
    km_link_go_on(link, t.doing == WAITS_AND_ENDS ? KM_UNIT_END : KM_UNIT_PASS,
                  t.doing == WAITS_IN_VAIN ? &why : NULL);
}

/* --- the port --- */

static const char given[] = BODY;

static int port_body(struct km_port *port, int64_t most, struct km_str *ret, struct km_err *err)
{
    (void)port;
    (void)err;
    assert_false(t.asked);
    assert_int_equal(most, MOST);
    t.asked = true;
    if (t.shape == LATER)
        return KM_E_AGAIN;
    *ret = km_str(given, sizeof given - 1);
    return 0;
}

static int port_pieces(struct km_port *port, int64_t most, struct km_err *err)
{
    (void)port;
    (void)err;
    assert_false(t.asked);
    assert_int_equal(most, MOST);
    t.asked = true;
    return 0;
}

static void port_pause(struct km_port *port)
{
    (void)port;
    t.paused = true;
}

static void port_resume(struct km_port *port)
{
    (void)port;
    t.paused = false;
}

/* --- the kind --- */

static void get(struct km_str bytes)
{
    assert_true(bytes.n <= sizeof t.got - t.ngot);
    if (bytes.n)
        memcpy(t.got + t.ngot, bytes.p, bytes.n);
    t.ngot += bytes.n;
    t.longest = bytes.n > t.longest ? bytes.n : t.longest;
}

static int take(struct km_call *call, struct km_err *err)
{
    int r;

    f.call = call; /* also one that was asked for within */
    if (t.shape != IN_PIECES)
        return km_call_take_body(call);
    if (t.begun)
        return t.lasts ? 0 : KM_E_AGAIN;
    t.begun = true;
    r = km_call_take_pieces(call, MOST, err);
    return r < 0 ? r : KM_E_AGAIN;
}

static void on_piece(struct km_call *call, struct km_str bytes, bool last, const struct km_err *err)
{
    assert_int_equal(t.lasts + t.errors, 0);
    assert_false(t.stopped);
    if (err) {
        t.errors++;
        km_call_fail(call, err);
        return;
    }
    get(bytes);
    t.lasts += last;
    if (last) {
        km_call_resume(call, 0);
    } else if (t.slow) {
        t.stopped = true;
        km_call_stop_pieces(call);
    }
}

static int prepare(struct km_call *call, struct km_err *err)
{
    assert_int_equal(f.intents, 0);
    if (t.shape != IN_PIECES) {
        t.body = call->body.p;
        get(call->body);
    }
    return fake_kind.prepare(call, err);
}

/* --- one call --- */

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
    }
}

static void blow_and_go_on(enum blow blow)
{
    if (is_over() || !t.waits)
        return;
    assert_true(t.shape != IN_PIECES || t.paused);
    strike(blow);
    if (t.waits)
        go_on();
}

static void on_stop(void *ctx)
{
    km_loop_stop(ctx);
}

/* What is deferred comes; no timer does. */
static void run_deferred(void)
{
    struct km_deferred stop;

    km_deferred_init(&stop, f.loop, on_stop, f.loop);
    km_deferred_queue(&stop);
    km_loop_run(f.loop);
}

/* The kind takes more, until it has had all that came. */
static void let_take(void)
{
    for (int i = 0; i < (t.slow ? 3 : 1) && !is_over(); i++) {
        run_deferred();
        if (!is_over() && t.stopped) {
            assert_true(t.paused);
            t.stopped = false;
            km_call_more_pieces(f.call);
        }
    }
}

static void give_pieces(enum blow blow)
{
    struct km_err err = { 0 };

    for (size_t i = 0; i < sizeof given - 1 && !is_over() && !t.paused; i++) {
        if (t.breaks && i == 2) {
            km_fail(&err, KM_E_INVALID, "The request ended early.");
            f.port.events->on_piece(f.port.ctx, KM_STR_NONE, false, &err);
        } else {
            f.port.events->on_piece(f.port.ctx, km_str(given + i, 1), i == sizeof given - 2, NULL);
        }
        blow_and_go_on(blow);
        let_take();
        if (err.code)
            return;
    }
}

static struct km_call *begin_call(void)
{
    static const struct km_request request = { .content_length = sizeof given - 1 };
    static struct km_call_kind kind;
    static struct km_port_ops ops;

    kind = fake_kind;
    kind.needs_body = true;
    kind.take = take;
    kind.on_piece = on_piece;
    kind.prepare = prepare;
    ops = *f.port.ops;
    ops.body = port_body;
    ops.pieces = port_pieces;
    ops.pause = port_pause;
    ops.resume = port_resume;
    f.port.ops = &ops;
    f.http.body_bytes = MOST;
    f.place = PLACES;
    f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
    if (!f.call)
        return NULL;
    f.call->request = &request;
    km_call_take_port(f.call, &f.visit, &f.port);
    return f.call;
}

static void run_call(enum blow blow)
{
    if (!begin_call())
        return;
    km_call_start(f.call);
    if (!is_over() && t.shape == LATER)
        f.port.events->on_body(f.port.ctx, km_str(given, sizeof given - 1), NULL);
    blow_and_go_on(blow); /* with the first piece */
    blow_and_go_on(blow);
    if (!is_over() && t.shape == IN_PIECES)
        give_pieces(blow);
}

static void reset(enum shape shape, enum doing doing, enum km_piece_what what)
{
    memset(&t, 0, sizeof t);
    t.shape = shape;
    t.doing = doing;
    t.what = what;
}

/* --- what must hold --- */

static void name_it(char *name, size_t size, enum blow blow)
{
    snprintf(name, size, "shape %d, doing %d, piece %d, blow %d, %s, %s", (int)t.shape,
             (int)t.doing, (int)t.what, (int)blow, t.breaks ? "breaks" : "whole",
             t.slow ? "slow" : "quick");
}

/* What is to come of it: a text, or NULL where the call fails. */
static const char *expected(enum blow blow)
{
    const bool first = t.what == KM_PIECE_BYTES;

    if (t.breaks || (t.did && (t.doing == REFUSES || t.doing == WAITS_IN_VAIN)))
        return NULL;
    if (t.doing >= WAITS_FOR_IT && t.doing <= WAITS_AND_ENDS && blow != NOTHING && blow != DRAIN)
        return NULL;
    if (t.doing == MAKES_IT_LONG || (t.doing == SWALLOWS && !first))
        return NULL;
    if (t.doing == REWRITES)
        return first ? "another" : BODY "another";
    if (first && (t.doing == ENDS_IT || t.doing == WAITS_AND_ENDS))
        return "";
    return BODY;
}

static void check_got(enum blow blow, const char *name)
{
    const char *want = expected(blow);

    if (!want) {
        if (f.intents || f.responds + f.aborts != 1 || f.status == 200)
            fail_msg("%s: %u intents, status %d", name, f.intents, f.status);
        return;
    }
    if (f.status != 200 || f.responds + f.ends != 1)
        fail_msg("%s: the client got %d", name, f.status);
    if (t.shape == IN_PIECES && t.what == KM_PIECE_BYTES && t.doing == REWRITES)
        want = "anotherbc"; /* for its first byte */
    if (t.shape == IN_PIECES && t.what == KM_PIECE_BYTES && t.doing == SWALLOWS)
        want = "bc";
    else if (t.doing == SWALLOWS)
        want = "";
    if (t.ngot != strlen(want) || memcmp(t.got, want, t.ngot) != 0)
        fail_msg("%s: the kind read '%.*s'", name, (int)t.ngot, t.got);
}

static void check_all(enum blow blow)
{
    char name[120];

    name_it(name, sizeof name, blow);
    if (!is_over())
        fail_msg("%s: the call is not over", name);
    if (f.of_intents != f.intents || f.settlements > 1)
        fail_msg("%s: %u intents, %u settlements", name, f.intents, f.settlements);
    if (f.responds + f.ends + f.aborts != 1)
        fail_msg("%s: %u responses, %u ends, %u aborts", name, f.responds, f.ends, f.aborts);
    if (t.dones != t.joined)
        fail_msg("%s: %u dones", name, t.dones);
    check_got(blow, name);
    assert_null(t.waits);
    assert_int_equal(f.gw.bodies.used, 0);
    assert_int_equal(km_key_reserved(f.key), 0);
}

static void run_one(enum blow blow, bool breaks, bool slow)
{
    const enum km_piece_what what = t.what;

    reset(t.shape, t.doing, what);
    t.breaks = breaks;
    t.slow = slow;
    assert_true(make_world());
    f.args.hooks = &with_unit;
    run_call(blow);
    check_all(blow);
    unmake_world();
}

static void each_shape_each_doing_each_piece_each_blow(void **state)
{
    static const enum km_piece_what whats[] = { KM_PIECE_BYTES, KM_PIECE_END, KM_PIECE_ERROR };

    (void)state;
    for (unsigned n = 0; n < SHAPES * DOINGS * 3 * BLOWS; n++) {
        unsigned at = n;
        enum blow blow;

        reset(AT_ONCE, PASSES, KM_PIECE_BYTES);
        t.shape = (enum shape)(at % SHAPES);
        at /= SHAPES;
        t.doing = (enum doing)(at % DOINGS);
        at /= DOINGS;
        t.what = whats[at % 3];
        blow = (enum blow)(at / 3);
        if (blow != NOTHING && (t.doing < WAITS_FOR_IT || t.doing > WAITS_AND_ENDS))
            continue;
        if (t.what != KM_PIECE_ERROR)
            run_one(blow, false, false);
        if (t.shape == IN_PIECES && t.what != KM_PIECE_ERROR)
            run_one(blow, false, true);
        if (t.shape == IN_PIECES && t.what != KM_PIECE_END && t.doing != SWALLOWS &&
            t.doing != ENDS_IT && t.doing != WAITS_AND_ENDS)
            run_one(blow, true, t.doing == HOLDS_UNTIL_THE_END);
    }
}

/* --- how long it is --- */

static void a_length_that_is_to_stay_is_held_to(void **state)
{
    static const enum doing doings[] = { PASSES, REWRITES, ENDS_IT };

    (void)state;
    for (unsigned i = 0; i < 2 * 3; i++) {
        reset(IN_PIECES, doings[i / 2], KM_PIECE_BYTES);
        assert_true(make_world());
        f.args.hooks = &with_unit;
        t.keeps = i % 2;
        assert_non_null(begin_call());
        km_call_start(f.call);
        assert_true(km_call_body_length(f.call) == (i % 2 ? sizeof given - 1 : UINT64_MAX));
        give_pieces(NOTHING);
        check_settled();
        assert_int_equal(f.status, i % 2 && t.doing != PASSES ? 500 : 200);
        unmake_world();
    }
}

/* --- what it costs, and what it does not --- */

static void what_passes_whole_is_not_copied(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        reset(AT_ONCE, PASSES, KM_PIECE_BYTES);
        assert_true(make_world());
        f.args.hooks = with ? &with_unit : &without;
        run_call(NOTHING);
        check_all(NOTHING);
        assert_int_equal(t.joined, with);
        assert_ptr_equal(t.body, given);
        unmake_world();
    }
}

static void without_a_unit_pieces_come_as_they_are(void **state)
{
    (void)state;
    reset(IN_PIECES, PASSES, KM_PIECE_BYTES);
    assert_true(make_world());
    f.args.hooks = &without;
    run_call(NOTHING);
    check_all(NOTHING);
    unmake_world();
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    for (enum shape shape = AT_ONCE; shape < SHAPES; shape++) {
        reset(shape, MAKES_IT_LONG, KM_PIECE_BYTES);
        assert_true(make_world());
        f.args.hooks = &with_unit;
        run_call(NOTHING);
        check_all(NOTHING);
        assert_int_equal(f.status, 413);
        unmake_world();
    }
}

/* Nobody else looks at the clock before the call is routed. */
static void a_unit_that_waits_has_the_time_of_a_call(void **state)
{
    (void)state;
    for (enum shape shape = AT_ONCE; shape < SHAPES; shape++) {
        reset(shape, WAITS_FOR_IT, KM_PIECE_BYTES);
        assert_true(make_world());
        f.args.hooks = &with_unit;
        f.llm.request_timeout_ms = 5;
        assert_non_null(begin_call());
        km_call_start(f.call);
        if (shape == LATER)
            f.port.events->on_body(f.port.ctx, km_str(given, sizeof given - 1), NULL);
        else if (shape == IN_PIECES)
            f.port.events->on_piece(f.port.ctx, km_str(given, 1), false, NULL);
        assert_non_null(t.waits);
        for (int i = 0; i < 100 && !is_over(); i++)
            turn();
        check_settled();
        assert_int_equal(f.intents, 0);
        assert_int_equal(f.responds, 1);
        assert_int_equal(t.dones, 1);
        unmake_world();
    }
}

/* --- in whose words --- */

static unsigned answers;

static void on_done(void *ctx, const struct km_err *err)
{
    (void)ctx;
    (void)err;
    answers++;
}

static void what_is_asked_within_goes_through_it(void **state)
{
    static const struct km_answer_events events = { .on_done = on_done };
    static struct km_call_kind kind;
    struct km_asker asker = { .visit = &f.visit };
    struct km_question_args args = { .path = KM_STR("/v1/fake"), .body = KM_STR("{}") };
    struct km_question *question;

    (void)state;
    answers = 0;
    for (enum doing doing = PASSES; doing < DOINGS; doing++) {
        if (doing != PASSES && doing != REWRITES && doing != REFUSES)
            continue;
        reset(AT_ONCE, doing, KM_PIECE_BYTES);
        assert_true(make_world());
        f.args.hooks = &with_unit;
        f.gateway.inner_calls = 1;
        f.http.body_bytes = MOST;
        f.place = PLACES;
        kind = fake_kind;
        kind.needs_body = true;
        kind.take = take;
        kind.prepare = prepare;
        assert_int_equal(km_ask_call(&asker, &kind, NULL, &args, &events, NULL, &question, NULL),
                         0);
        f.call = NULL;
        turn();
        turn();
        assert_true(is_over());
        assert_int_equal(t.dones, 1);
        assert_int_equal(t.ngot, doing == PASSES ? 2 : doing == REWRITES ? 7 : 0);
        unmake_world();
    }
    assert_int_equal(answers, 3);
}

static void an_outer_call_has_none_of_its_own(void **state)
{
    static struct km_call_kind outer;

    (void)state;
    reset(AT_ONCE, REFUSES, KM_PIECE_BYTES);
    assert_true(make_world());
    f.args.hooks = &with_unit;
    assert_non_null(begin_call());
    outer = *f.call->kind;
    outer.outer = true;
    f.call->kind = &outer;
    km_call_start(f.call);
    assert_true(is_over());
    assert_false(t.joined);
    assert_int_equal(f.status, 200);
    unmake_world();
}

static struct km_str given_again;

static int look(struct km_call *call, struct km_err *err)
{
    (void)err;
    given_again = km_call_given(call);
    return KM_HOOK_PASS;
}

/* Also where nobody knew that it would be one. */
static void what_was_given_can_be_had(void **state)
{
    static const struct km_call_hook looks = { .name = "looks", .run = look };
    static const struct km_call_hook *const look_rows[] = { &looks, NULL };
    static struct km_call_hooks hooks;

    (void)state;
    hooks = with_unit;
    hooks.at[KM_HOOK_PREPARED] = look_rows;
    reset(AT_ONCE, REWRITES, KM_PIECE_BYTES);
    assert_true(make_world());
    f.args.hooks = &hooks;
    run_call(NOTHING);
    check_all(NOTHING);
    assert_true(km_str_eq(given_again, KM_STR(BODY)));
    unmake_world();
}

/* --- every allocation fails --- */

static void life(void)
{
    const bool slow = t.slow;

    reset(t.shape, t.doing, t.what);
    t.slow = slow;
    if (make_world()) {
        f.args.hooks = &with_unit;
        run_call(NOTHING);
        check_settled();
        assert_int_equal(t.dones, t.joined);
        assert_int_equal(f.gw.bodies.used, 0);
    }
    unmake_world();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    for (enum shape shape = AT_ONCE; shape < SHAPES; shape++) {
        reset(shape, REWRITES, KM_PIECE_END);
        assert_true(km_torture(life) > 5);
        reset(shape, WAITS_FOR_IT, KM_PIECE_BYTES);
        t.slow = true;
        assert_true(km_torture(life) > 5);
        reset(shape, HOLDS_UNTIL_THE_END, KM_PIECE_BYTES);
        assert_true(km_torture(life) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_shape_each_doing_each_piece_each_blow),
        cmocka_unit_test(a_length_that_is_to_stay_is_held_to),
        cmocka_unit_test(what_passes_whole_is_not_copied),
        cmocka_unit_test(without_a_unit_pieces_come_as_they_are),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(a_unit_that_waits_has_the_time_of_a_call),
        cmocka_unit_test(what_is_asked_within_goes_through_it),
        cmocka_unit_test(an_outer_call_has_none_of_its_own),
        cmocka_unit_test(what_was_given_can_be_had),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
