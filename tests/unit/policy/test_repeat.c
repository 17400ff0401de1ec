/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/repeat.h"

struct row {
    const char *what;
    struct km_repeat_facts facts;
    bool may, shares;
};

#define T KM_REPEAT_ALWAYS
#define N KM_REPEAT_NEVER

/* Of calls that a server may have read something of. */
static const struct row rows[] = {
    /*                               tool server trust  reads destroys idempotent sent */
    { "nobody says anything", { 0, 0, false, 0, 0, 0, true }, false, false },
    { "trusted, and says nothing", { 0, 0, true, 0, 0, 0, true }, false, false },
    { "reads, of a stranger", { 0, 0, false, 1, 0, 0, true }, false, false },
    { "idempotent, of a stranger", { 0, 0, false, 0, 0, 1, true }, false, false },
    { "both, of a stranger", { 0, 0, false, 1, -1, 1, true }, false, false },
    { "reads", { 0, 0, true, 1, 0, 0, true }, true, true },
    { "reads, destroys nothing", { 0, 0, true, 1, -1, 0, true }, true, true },
    { "reads and destroys", { 0, 0, true, 1, 1, 0, true }, false, false },
    { "reads not", { 0, 0, true, -1, 0, 0, true }, false, false },
    { "idempotent", { 0, 0, true, 0, 0, 1, true }, true, false },
    { "deletes, idempotent", { 0, 0, true, -1, 1, 1, true }, true, false },
    { "not idempotent", { 0, 0, true, -1, 0, -1, true }, false, false },
    { "reads, not idempotent", { 0, 0, true, 1, 0, -1, true }, true, true },
    { "the tool is configured", { T, 0, false, 0, 0, 0, true }, true, true },
    { "the server is configured", { 0, T, false, 0, 0, 0, true }, true, true },
    { "the tool is an exception", { N, T, true, 1, 0, 1, true }, false, false },
    { "the tool alone", { T, N, false, -1, 1, -1, true }, true, true },
    { "never, whatever it says", { 0, N, true, 1, -1, 1, true }, false, false },
    { "the tool never", { N, 0, true, 1, -1, 1, true }, false, false },
};

static void each_case_is_judged_as_it_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (km_repeat_may(&rows[i].facts) != rows[i].may ||
            km_repeat_shares(&rows[i].facts) != rows[i].shares)
            fail_msg("%s", rows[i].what);
    }
}

typedef void each_fn(const struct km_repeat_facts *f);

static void each_hint(struct km_repeat_facts f, each_fn *fn)
{
    for (int n = 0; n < 27; n++) {
        f.read_only = (signed char)(n % 3 - 1);
        f.destructive = (signed char)(n / 3 % 3 - 1);
        f.idempotent = (signed char)(n / 9 - 1);
        fn(&f);
    }
}

static void each_combination(each_fn *fn)
{
    for (int n = 0; n < 36; n++)
        each_hint(
            (struct km_repeat_facts){
                .of_tool = n % 3, .of_server = n / 3 % 3, .trusted = n / 9 % 2, .sent = n / 18 },
            fn);
}

/* What a stranger says of itself, or leaves out, changes no verdict. */
static void a_stranger_is_not_believed_f(const struct km_repeat_facts *f)
{
    struct km_repeat_facts silent = *f;

    silent.read_only = silent.destructive = silent.idempotent = 0;
    if (f->trusted)
        return;
    assert_int_equal(km_repeat_may(f), km_repeat_may(&silent));
    assert_int_equal(km_repeat_shares(f), km_repeat_shares(&silent));
}

static void what_was_not_sent_has_not_begun_f(const struct km_repeat_facts *f)
{
    if (!f->sent)
        assert_true(km_repeat_may(f));
}

static void the_operator_has_the_last_word_f(const struct km_repeat_facts *f)
{
    const int64_t said = f->of_tool ? f->of_tool : f->of_server;

    if (said && f->sent)
        assert_int_equal(km_repeat_may(f), said == KM_REPEAT_ALWAYS);
    if (said)
        assert_int_equal(km_repeat_shares(f), said == KM_REPEAT_ALWAYS);
}

/* Without a word of the operator: by a hint that is said, of a trusted server, and by nothing
 * else. */
static void a_hint_has_to_be_said_f(const struct km_repeat_facts *f)
{
    if (f->of_tool || f->of_server)
        return;
    if (km_repeat_shares(f))
        assert_true(f->trusted && f->read_only == 1 && f->destructive != 1);
    if (f->sent && km_repeat_may(f))
        assert_true(f->trusted && (f->read_only == 1 || f->idempotent == 1));
}

/* Who may share may also be repeated, as long as one word is said of both. */
static void sharing_is_the_stricter_f(const struct km_repeat_facts *f)
{
    if (km_repeat_shares(f))
        assert_true(km_repeat_may(f));
}

#define RULE(name)                                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        each_combination(name##_f);                                                                \
    }

RULE(a_stranger_is_not_believed)
RULE(what_was_not_sent_has_not_begun)
RULE(the_operator_has_the_last_word)
RULE(a_hint_has_to_be_said)
RULE(sharing_is_the_stricter)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_is_judged_as_it_is_written),
        cmocka_unit_test(a_stranger_is_not_believed),
        cmocka_unit_test(what_was_not_sent_has_not_begun),
        cmocka_unit_test(the_operator_has_the_last_word),
        cmocka_unit_test(a_hint_has_to_be_said),
        cmocka_unit_test(sharing_is_the_stricter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
