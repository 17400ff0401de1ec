/* SPDX-License-Identifier: Apache-2.0 */
/* test_chain.c - units in a row: order, waits, ends; whatever waits where, what comes out is what
 * went in, and every allocation fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "call/chain.h"
#include "llm/answer.h"
#include "torture.h"

#define ROUNDS 2000
#define UNITS 4
#define PIECES 12

static struct {
    struct km_arena arena;
    struct km_chain chain;
    struct km_buf out; /* "[text]" an event, "h", "$", "!" */
    unsigned mores, dones;
    int failed;
} t;

/* --- units --- */

struct keeping {
    struct km_buf held;
    unsigned seen, every; /* each so manieth piece is what it does something about */
};

static void keeping_done(struct km_link *link)
{
    km_buf_done(&((struct keeping *)link->state)->held);
    t.dones++;
}

static int pass(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    (void)link;
    (void)piece;
    (void)err;
    return KM_UNIT_PASS;
}

/* All in one piece, at the end. */
static int gather(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct keeping *k = link->state;
    struct km_piece all = { .what = KM_PIECE_BYTES };
    int r;

    if (piece->what == KM_PIECE_HEAD)
        return KM_UNIT_PASS;
    if (!k->held.max)
        km_buf_init(&k->held, 1 << 20);
    if (piece->what == KM_PIECE_EVENT || piece->what == KM_PIECE_BYTES) {
        km_buf_str(&k->held, piece->bytes);
        return km_buf_failed(&k->held) ? km_fail(err, KM_E_NOMEM, "out of memory") : KM_UNIT_HOLD;
    }
    all.bytes = km_buf_view(&k->held);
    r = all.bytes.n ? km_link_emit(link, &all, err) : 0;
    return r < 0 ? r : KM_UNIT_PASS;
}

static int wait(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct keeping *k = link->state;

    (void)piece;
    (void)err;
    return ++k->seen % k->every == 0 ? KM_UNIT_WAIT : KM_UNIT_PASS;
}

static int end(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct keeping *k = link->state;
    struct km_piece said = { .what = KM_PIECE_EVENT, .bytes = KM_STR("over") };
    int r;

    if (piece->what != KM_PIECE_EVENT || ++k->seen < k->every)
        return KM_UNIT_PASS;
    r = km_link_emit(link, &said, err);
    return r < 0 ? r : KM_UNIT_END;
}

static int refuse(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    (void)link;
    return piece->what == KM_PIECE_EVENT ? km_fail(err, KM_E_INVALID, "not this") : KM_UNIT_PASS;
}

static const struct km_unit passes = { "passes", sizeof(struct keeping), pass, keeping_done };
static const struct km_unit gathers = { "gathers", sizeof(struct keeping), gather, keeping_done };
static const struct km_unit waits = { "waits", sizeof(struct keeping), wait, keeping_done };
static const struct km_unit ends = { "ends", sizeof(struct keeping), end, keeping_done };
static const struct km_unit refuses = { "refuses", sizeof(struct keeping), refuse, keeping_done };

/* --- a chain --- */

static int sink(void *ctx, struct km_piece *piece, struct km_err *err)
{
    assert_ptr_equal(ctx, &t);
    switch (piece->what) {
    case KM_PIECE_HEAD:
        km_buf_str(&t.out, KM_STR("h"));
        break;
    case KM_PIECE_END:
        km_buf_str(&t.out, KM_STR("$"));
        break;
    case KM_PIECE_ERROR:
        km_buf_str(&t.out, km_str_c(piece->err->text));
        break;
    default:
        km_buf_str(&t.out, KM_STR("["));
        km_buf_str(&t.out, piece->delta ? piece->delta->text : piece->bytes);
        km_buf_str(&t.out, KM_STR("]"));
    }
    return km_buf_failed(&t.out) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

static void on_more(void *ctx, const struct km_err *err)
{
    assert_ptr_equal(ctx, &t);
    t.mores++;
    t.failed = err ? err->code : 0;
}

static const struct km_chain_ops ops = { sink, on_more };

static void begin(void)
{
    memset(&t, 0, sizeof t);
    km_arena_init(&t.arena, 1 << 20, NULL);
    km_buf_init(&t.out, 1 << 20);
    km_chain_init(&t.chain, &t.arena, &ops, &t);
}

static void finish(void)
{
    km_chain_done(&t.chain);
    km_chain_done(&t.chain);
    km_buf_done(&t.out);
    km_arena_done(&t.arena);
}

static struct km_link *put(const struct km_unit *unit, unsigned every)
{
    struct km_link *link = km_chain_put(&t.chain, unit, NULL);

    if (link)
        ((struct keeping *)link->state)->every = every;
    return link;
}

/* Copies of what is gone when it returns. */
static int give(enum km_piece_what what, const char *text)
{
    struct km_err err = { 0 }, why = { .text = "!" };
    char *bytes = malloc(strlen(text) + 1); /* strdup() counts with libc */
    struct km_chat_event delta = { .kind = KM_CHAT_TEXT };
    struct km_piece piece = { .what = what };
    int r;

    if (!bytes)
        return KM_E_NOMEM;
    strcpy(bytes, text);
    piece.bytes = delta.text = km_str_c(bytes);
    if (what == KM_PIECE_ERROR)
        piece.err = &why;
    if (what == KM_PIECE_EVENT && *text == 'd')
        piece.delta = &delta;
    r = km_chain_take(&t.chain, &piece, &err);
    free(bytes);
    return r;
}

static void check_out(const char *expected)
{
    struct km_str out = km_buf_view(&t.out);

    assert_int_equal(out.n, strlen(expected));
    assert_memory_equal(out.p, expected, out.n);
}

/* --- the tests --- */

static void an_empty_chain_is_its_sink(void **state)
{
    (void)state;
    begin();
    assert_int_equal(give(KM_PIECE_HEAD, ""), 0);
    assert_int_equal(give(KM_PIECE_BYTES, "a"), 0);
    assert_int_equal(give(KM_PIECE_END, ""), 0);
    check_out("h[a]$");
    finish();
}

static void what_is_held_is_flushed_before_the_end(void **state)
{
    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        begin();
        assert_non_null(put(&passes, 0));
        assert_non_null(put(&gathers, 0));
        assert_int_equal(give(KM_PIECE_HEAD, ""), 0);
        assert_int_equal(give(KM_PIECE_EVENT, "a"), 0);
        assert_int_equal(give(KM_PIECE_EVENT, "b"), 0);
        check_out("h");
        assert_int_equal(give(broken ? KM_PIECE_ERROR : KM_PIECE_END, ""), 0);
        check_out(broken ? "h[ab]!" : "h[ab]$");
        finish();
        assert_int_equal(t.dones, 2);
    }
}

static void what_comes_during_a_wait_stands_in_line(void **state)
{
    struct km_link *link;

    (void)state;
    begin();
    link = put(&waits, 3);
    assert_int_equal(give(KM_PIECE_HEAD, ""), 0);
    assert_int_equal(give(KM_PIECE_EVENT, "a"), 0);
    assert_false(km_chain_waits(&t.chain));
    for (const char *const *p = (const char *[]){ "b", "delta", "d", "e", NULL }; *p; p++)
        assert_int_equal(give(KM_PIECE_EVENT, *p), 0);
    assert_int_equal(give(KM_PIECE_ERROR, ""), 0);
    assert_true(km_chain_waits(&t.chain));
    check_out("h[a]");
    km_link_go_on(link, KM_UNIT_PASS, NULL);
    assert_true(km_chain_waits(&t.chain)); /* for the third behind it, "e" */
    assert_int_equal(t.mores, 0);
    check_out("h[a][b][delta][d]");
    km_link_go_on(link, KM_UNIT_HOLD, NULL);
    assert_false(km_chain_waits(&t.chain));
    assert_int_equal(t.mores, 1);
    check_out("h[a][b][delta][d]!");
    finish();
}

static void after_an_end_no_content_comes(void **state)
{
    (void)state;
    begin();
    assert_non_null(put(&ends, 2));
    assert_non_null(put(&gathers, 0));
    assert_int_equal(give(KM_PIECE_HEAD, ""), 0);
    assert_int_equal(give(KM_PIECE_EVENT, "a"), 0);
    assert_false(t.chain.over);
    assert_int_equal(give(KM_PIECE_EVENT, "b"), 0);
    assert_true(t.chain.over);
    assert_int_equal(give(KM_PIECE_EVENT, "c"), 0);
    assert_int_equal(give(KM_PIECE_END, ""), 0);
    check_out("h[aover]$");
    finish();
}

static void a_wait_may_end_the_content(void **state)
{
    struct km_link *link;

    (void)state;
    begin();
    link = put(&waits, 2);
    assert_int_equal(give(KM_PIECE_HEAD, ""), 0);
    assert_int_equal(give(KM_PIECE_EVENT, "a"), 0);
    assert_int_equal(give(KM_PIECE_EVENT, "b"), 0);
    assert_int_equal(give(KM_PIECE_END, ""), 0);
    km_link_go_on(link, KM_UNIT_END, NULL);
    assert_true(t.chain.over);
    check_out("h$");
    finish();
}

static void a_refusal_goes_to_who_gave_the_piece(void **state)
{
    struct km_link *link;

    (void)state;
    begin();
    link = put(&waits, 2);
    assert_non_null(put(&refuses, 0));
    assert_int_equal(give(KM_PIECE_EVENT, "a"), KM_E_INVALID);
    assert_int_equal(give(KM_PIECE_EVENT, "b"), 0);
    km_link_go_on(link, KM_UNIT_PASS, NULL);
    assert_int_equal(t.mores, 1);
    assert_int_equal(t.failed, KM_E_INVALID);
    finish();
}

static void a_wait_may_fail(void **state)
{
    const struct km_err why = { .code = KM_E_STORE };
    struct km_link *link;

    (void)state;
    begin();
    link = put(&waits, 1);
    assert_int_equal(give(KM_PIECE_EVENT, "a"), 0);
    assert_int_equal(give(KM_PIECE_EVENT, "b"), 0);
    km_link_go_on(link, KM_UNIT_PASS, &why);
    assert_int_equal(t.failed, KM_E_STORE);
    check_out("");
    finish(); /* with one in line */
}

static void the_line_is_bounded(void **state)
{
    char *much = malloc(KM_CHAIN_LINE_BYTES / 2);
    struct km_piece lasting = { .what = KM_PIECE_BYTES, .lasts = true };
    struct km_err err = { 0 };

    (void)state;
    assert_non_null(much);
    memset(much, 'x', KM_CHAIN_LINE_BYTES / 2);
    much[KM_CHAIN_LINE_BYTES / 2 - 1] = '\0';
    begin();
    assert_non_null(put(&waits, 1));
    assert_int_equal(give(KM_PIECE_BYTES, much), 0);
    assert_int_equal(give(KM_PIECE_BYTES, much), 0);
    assert_int_equal(give(KM_PIECE_BYTES, "1234"), KM_E_OVERLOADED);
    lasting.bytes = km_str(much, KM_CHAIN_LINE_BYTES / 2 - 1);
    assert_int_equal(km_chain_take(&t.chain, &lasting, &err), 0);
    finish();
    free(much);
}

/* The unit hears at once that it waits for nothing, and not again with the chain. */
static void a_wait_for_what_has_no_room_is_called_off(void **state)
{
    (void)state;
    begin();
    t.chain.line_most = 3;
    assert_non_null(put(&waits, 1));
    assert_int_equal(give(KM_PIECE_BYTES, "1234"), KM_E_OVERLOADED);
    assert_int_equal(t.dones, 1);
    assert_false(km_chain_waits(&t.chain));
    finish();
    assert_int_equal(t.dones, 1);
}

/* --- whatever waits where --- */

static uint32_t drawn;

static unsigned draw(unsigned below)
{
    drawn = drawn * 1664525U + 1013904223U;
    return (drawn >> 16) % below;
}

static bool let_one_go_on(void)
{
    struct km_link *waiting[UNITS];
    unsigned n = 0;

    for (struct km_link *link = t.chain.first; link; link = link->next)
        if (link->waits)
            waiting[n++] = link;
    if (n)
        km_link_go_on(waiting[draw(n)], KM_UNIT_PASS, NULL);
    return n > 0;
}

static void the_order_holds_whoever_waits(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        char expected[8 * PIECES + 4] = "h", name[2] = "a";
        unsigned units = draw(UNITS + 1);

        drawn = round;
        begin();
        for (unsigned i = 0; i < units; i++)
            assert_non_null(draw(3) ? put(&waits, 1 + draw(4)) : put(&passes, 0));
        assert_int_equal(give(KM_PIECE_HEAD, ""), 0);
        for (unsigned i = 0; i < PIECES; i++) {
            name[0] = (char)('e' + i);
            assert_int_equal(give(KM_PIECE_EVENT, name), 0);
            strcat(strcat(strcat(expected, "["), name), "]");
            if (draw(2))
                (void)let_one_go_on();
        }
        assert_int_equal(give(KM_PIECE_END, ""), 0);
        while (let_one_go_on()) {
        }
        assert_false(km_chain_waits(&t.chain));
        assert_int_equal(t.chain.line_bytes, 0);
        check_out(strcat(expected, "$"));
        finish();
    }
}

static void life(void)
{
    struct km_link *link;

    begin();
    link = put(&waits, 2);
    if (link && put(&gathers, 0) && give(KM_PIECE_HEAD, "") == 0 &&
        give(KM_PIECE_EVENT, "delta") == 0 && give(KM_PIECE_EVENT, "b") == 0 &&
        give(KM_PIECE_END, "") == 0 && t.failed == 0 && km_chain_waits(&t.chain)) {
        km_link_go_on(link, KM_UNIT_PASS, NULL);
        assert_true(t.mores > 0 || km_chain_waits(&t.chain));
    }
    finish();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_is_its_sink),
        cmocka_unit_test(what_is_held_is_flushed_before_the_end),
        cmocka_unit_test(what_comes_during_a_wait_stands_in_line),
        cmocka_unit_test(after_an_end_no_content_comes),
        cmocka_unit_test(a_wait_may_end_the_content),
        cmocka_unit_test(a_refusal_goes_to_who_gave_the_piece),
        cmocka_unit_test(a_wait_may_fail),
        cmocka_unit_test(the_line_is_bounded),
        cmocka_unit_test(a_wait_for_what_has_no_room_is_called_off),
        cmocka_unit_test(the_order_holds_whoever_waits),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
