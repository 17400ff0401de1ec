/* SPDX-License-Identifier: Apache-2.0 */
/* The machine against every kind of server, every fact known before and every order in which
 * answers, silences and time-outs can come: all paths are walked, none is sampled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "mcp/remote/era.h"

#define NOTHING KM_ERA_EVENTS_N /* it never answers that */

enum which { D, I, QUESTIONS };

struct kind {
    const char *name;
    bool stateless, handshake; /* what it speaks */
    enum {
        FREE,
        FIRST,
        BOUND
    } pins; /* its process is of the era of the first message it took, and
                                         refuses the other; or it is of the handshake's, once that
                                         is agreed on */
    enum km_era_event says[QUESTIONS];
    bool passing; /* it refuses the first time for a reason that passes */
    bool mute; /* it may be waited for in vain */
};

static const struct kind kinds[] = {
    { "old", false, true, FREE, { KM_ERA_DISCOVER_NO, KM_ERA_INITIALIZE_YES }, false, false },
    { "old, mute", false, true, FREE, { NOTHING, KM_ERA_INITIALIZE_YES }, false, true },
    { "old, like SSE", false, true, FREE, { KM_ERA_DISCOVER_ODD, KM_ERA_INITIALIZE_YES }, 0, 0 },
    { "new", true, false, FREE, { KM_ERA_DISCOVER_YES, KM_ERA_INITIALIZE_NO }, false, false },
    { "new, names it", true, false, FREE, { KM_ERA_DISCOVER_YES, KM_ERA_INITIALIZE_NEWER }, 0, 0 },
    { "new, mute", true, false, FREE, { KM_ERA_DISCOVER_YES, NOTHING }, false, true },
    { "new, busy", true, false, FREE, { KM_ERA_DISCOVER_YES, KM_ERA_INITIALIZE_NEWER }, true, 0 },
    { "both", true, true, FREE, { KM_ERA_DISCOVER_YES, KM_ERA_INITIALIZE_YES }, false, false },
    { "both, pinned", true, true, FIRST, { KM_ERA_DISCOVER_YES, KM_ERA_INITIALIZE_YES }, 0, 0 },
    { "both, bound", true, true, BOUND, { KM_ERA_DISCOVER_YES, KM_ERA_INITIALIZE_YES }, 0, 0 },
    { "neither", false, false, FREE, { KM_ERA_DISCOVER_NO, KM_ERA_INITIALIZE_NO }, false, false },
    { "silent", false, false, FREE, { NOTHING, NOTHING }, false, true },
    { "SSE", false, false, FREE, { KM_ERA_DISCOVER_ODD, KM_ERA_INITIALIZE_ODD }, false, false },
};

struct walk {
    const struct kind *kind;
    const struct km_era_facts *facts;
    struct km_era machine;
    int asked[QUESTIONS]; /* how often */
    enum km_era_event pending[4]; /* answers under way */
    int npending;
    int open; /* questions asked and not answered */
    bool silence; /* there was one */
    enum which pin; /* QUESTIONS: of no era yet */
    int depth;
};

static unsigned long paths;

static const char *word(enum km_era_verdict v)
{
    static const char *const words[] = {
#define XX(NAME) #NAME,
        KM_ERA_VERDICTS(XX)
#undef XX
    };

    return words[v];
}

static void expect(const struct walk *w, bool holds, const char *what, enum km_era_verdict v)
{
    if (holds)
        return;
    fail_msg("%s: a server that is %s; held %d, known %d, asked %d, in %s: %s", what, w->kind->name,
             w->facts->held, (int)w->facts->known, w->facts->asked,
             km_era_state_name(w->machine.state), word(v));
}

static enum km_era_event answer_to(struct walk *w, enum which q)
{
    const struct kind *k = w->kind;

    if (w->pin == QUESTIONS && (k->pins == FIRST || (k->pins == BOUND && q == I)))
        w->pin = q;
    if (k->pins == FIRST && w->pin != q)
        return q == D ? KM_ERA_DISCOVER_NO : KM_ERA_INITIALIZE_NEWER;
    if (k->passing && q == D && w->asked[D] == 1)
        return KM_ERA_DISCOVER_AGAIN;
    return k->says[q];
}

static void ask(struct walk *w, enum which q, enum km_era_verdict v)
{
    enum km_era_event answer;

    w->asked[q]++;
    w->open++;
    expect(w, w->silence || w->open == 1, "asked two things at a time without a silence", v);
    expect(w, w->asked[q] <= (q == D && w->kind->passing ? 2 : 1), "asked again", v);
    expect(w, q == I || !w->facts->held, "asked what it is not held to", v);
    answer = answer_to(w, q);
    if (answer != NOTHING)
        w->pending[w->npending++] = answer;
}

/* What must come out, whatever came before. */
static void judge(const struct walk *w, enum km_era_verdict v)
{
    const struct km_era_facts *f = w->facts;
    const struct kind *k = w->kind;
    const bool may_new = !f->held;
    const bool unasked = w->asked[D] + w->asked[I] == 0;

    paths++;
    if (unasked) { /* what is known is believed */
        expect(w, v == KM_ERA_USE_STATELESS && f->known == KM_ERA_OF_STATELESS && may_new,
               "nothing was asked", v);
        return;
    }
    if (v == KM_ERA_USE_STATELESS)
        expect(w, k->stateless && may_new && w->pin != I, "stateless", v);
    else if (v == KM_ERA_USE_HANDSHAKE)
        expect(w, k->handshake && w->pin != D, "with a handshake", v);
    else if (v == KM_ERA_REFUSED) /* never for want of patience */
        expect(w, !(k->stateless && may_new) && !(k->handshake), "refused", v);
    else if (v == KM_ERA_TRY_SSE)
        expect(w, !k->stateless && !k->handshake, "an old transport", v);
    else
        expect(w, k->mute, "too late", v);
    if (v == KM_ERA_USE_STATELESS || v == KM_ERA_USE_HANDSHAKE)
        expect(w,
               w->machine.lacks == KM_ERA_ANY ||
                   !(w->machine.lacks == KM_ERA_OF_STATELESS ? k->stateless : k->handshake),
               "wronged", v);
    if (f->asked && k->handshake)
        expect(w, v == KM_ERA_USE_HANDSHAKE, "its clients can be asked", v);
}

static void go_on(struct walk w, enum km_era_event event);

static void each_next(const struct walk *w, bool settling)
{
    for (int i = 0; i < w->npending; i++) { /* any of the answers under way comes first */
        struct walk next = *w;
        enum km_era_event event = next.pending[i];

        next.pending[i] = next.pending[--next.npending];
        next.open--;
        go_on(next, event);
    }
    if (settling ? w->npending == 0 : !w->silence) {
        struct walk next = *w;

        next.silence = true;
        go_on(next, KM_ERA_QUIET);
    }
    if (w->npending == 0)
        go_on(*w, KM_ERA_LATE);
}

static void go_on(struct walk w, enum km_era_event event)
{
    enum km_era_verdict v = km_era_step(&w.machine, event);

    expect(&w, ++w.depth < 16, "no end", v);
    switch (v) {
    case KM_ERA_ASK_DISCOVER:
        ask(&w, D, v);
        each_next(&w, false);
        break;
    case KM_ERA_ASK_INITIALIZE:
        ask(&w, I, v);
        each_next(&w, false);
        break;
    case KM_ERA_WAIT:
    case KM_ERA_SETTLE:
        expect(&w, event != KM_ERA_LATE, "waits for ever", v);
        each_next(&w, v == KM_ERA_SETTLE);
        break;
    default:
        judge(&w, v);
        for (int e = 0; e < KM_ERA_EVENTS_N; e++) /* what comes later counts for nothing */
            expect(&w, km_era_step(&w.machine, (enum km_era_event)e) == KM_ERA_WAIT, "later", v);
    }
}

static void every_server_is_spoken_to_as_it_can(void **state)
{
    (void)state;
    paths = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int held = 0; held < 2; held++)
            for (int known = 0; known < 3; known++)
                for (int asked = 0; asked < 2; asked++) {
                    const struct km_era_facts facts = { held, (enum km_era_of)known, asked };
                    struct walk w = { .kind = &kinds[k], .facts = &facts, .pin = QUESTIONS };

                    km_era_init(&w.machine, &facts);
                    go_on(w, KM_ERA_UP);
                }
    assert_true(paths > 200); /* it did walk */
}

/* A slow server of both eras was taken for one that refuses. */
static void both_answers_count_in_either_order(void **state)
{
    static const struct km_era_facts nothing = { false, KM_ERA_ANY, false };
    struct km_era e;

    (void)state;
    for (int order = 0; order < 2; order++) {
        km_era_init(&e, &nothing);
        assert_int_equal(km_era_step(&e, KM_ERA_UP), KM_ERA_ASK_DISCOVER);
        assert_int_equal(km_era_step(&e, KM_ERA_QUIET), KM_ERA_ASK_INITIALIZE);
        if (order) {
            assert_int_equal(km_era_step(&e, KM_ERA_INITIALIZE_NEWER), KM_ERA_WAIT);
            assert_int_equal(km_era_step(&e, KM_ERA_DISCOVER_YES), KM_ERA_USE_STATELESS);
        } else {
            assert_int_equal(km_era_step(&e, KM_ERA_DISCOVER_YES), KM_ERA_SETTLE);
            assert_int_equal(km_era_step(&e, KM_ERA_INITIALIZE_NEWER), KM_ERA_USE_STATELESS);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_server_is_spoken_to_as_it_can),
        cmocka_unit_test(both_answers_count_in_either_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
