/* SPDX-License-Identifier: Apache-2.0 */
/* test_refusal_maximum.c - the most output tokens that a refusal names, by samples of
 * tests/data/refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llm/model.h"
#include "llm/refusal_maximum.h"

#define LINE ((size_t)2048)

struct sample {
    int64_t want, asked;
    bool left;
    struct km_str text;
};

typedef void each_fn(const struct sample *s);

static int64_t number(struct km_str s)
{
    int64_t n = -1;

    assert_true(km_str_eq(s, KM_STR("-1")) || km_str_i64(s, &n) == 0);
    return n;
}

static size_t each_sample(each_fn *each)
{
    FILE *f = fopen(KM_TEST_REFUSALS "/maxima.tsv", "r");
    char line[LINE];
    size_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        struct km_str rest = km_str_c(line), want, left, asked;

        assert_true(km_str_ends(rest, KM_STR("\n")));
        rest.n--;
        assert_true(km_str_split(&rest, '\t', &want));
        assert_true(km_str_split(&rest, '\t', &left));
        assert_true(km_str_split(&rest, '\t', &asked));
        each(&(struct sample){ .want = number(want),
                               .asked = number(asked),
                               .left = km_str_eq(left, KM_STR("left")),
                               .text = rest });
        n++;
    }
    fclose(f);
    return n;
}

static void expect(const struct sample *s, struct km_str text, int64_t asked, int64_t want)
{
    bool passing = true;
    int64_t got = km_refusal_names_maximum(text, asked, &passing);

    if (got != want || passing != (want >= 0 && s->left))
        fail_msg("%lld, %s: %.*s", (long long)got, passing ? "passing" : "lasting",
                 KM_STR_ARG(text));
}

static void as_it_is(const struct sample *s)
{
    expect(s, s->text, s->asked, s->want);
}

/* As a part of a longer one, where there is no number beside it. */
static void in_the_middle(const struct sample *s)
{
    char text[LINE + 64];

    snprintf(text, sizeof text, "The upstream (v2) says:\n%.*s\n(request 17)", KM_STR_ARG(s->text));
    expect(s, km_str_c(text), s->asked, s->want);
}

/* It never names more than was asked, whatever that was. */
static void of_other_bounds(const struct sample *s)
{
    for (int64_t asked = 0; asked < 300000; asked = asked * 2 + 1) {
        bool passing;
        int64_t got = km_refusal_names_maximum(s->text, asked, &passing);

        assert_true(got < asked || got < 0);
    }
}

/* Wherever it was cut it names what it named, a number that was cut, or nothing. */
static void cut_anywhere(const struct sample *s)
{
    for (size_t n = 0; n <= s->text.n; n++) {
        bool passing;
        int64_t got = km_refusal_names_maximum(km_str_sub(s->text, 0, n), s->asked, &passing);

        assert_true(got < 0 || got <= s->want);
    }
}

static void a_refusal_names_its_maximum(void **state)
{
    (void)state;
    assert_true(each_sample(as_it_is) > 50);
}

static void it_may_stand_anywhere(void **state)
{
    (void)state;
    each_sample(in_the_middle);
}

static void nobody_is_told_more_than_was_asked(void **state)
{
    (void)state;
    each_sample(of_other_bounds);
}

static void a_text_that_was_cut_names_no_more(void **state)
{
    (void)state;
    each_sample(cut_anywhere);
}

/* Where nobody knows what was sent, what the text says must do. */
static void a_bound_that_nobody_knows_is_not_asked_about(void **state)
{
    bool passing;

    (void)state;
    assert_int_equal(km_refusal_names_maximum(KM_STR("the valid range of max_tokens is [1, 8192]"),
                                              -1, &passing),
                     8192);
    assert_int_equal(
        km_refusal_names_maximum(KM_STR("8192 is not less or equal to 8191"), -1, &passing), -1);
}

static void a_deployment_learns_what_was_named(void **state)
{
    static struct km_deployment d;

    (void)state;
    assert_int_equal(km_deployment_learnt_maximum(&d), -1);
    km_deployment_learn_maximum(&d, -1);
    assert_int_equal(km_deployment_learnt_maximum(&d), -1);
    km_deployment_learn_maximum(&d, 4096);
    assert_int_equal(km_deployment_learnt_maximum(&d), 4096);
    km_deployment_learn_maximum(&d, 8192); /* its name stands for another model now */
    assert_int_equal(km_deployment_learnt_maximum(&d), 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_names_its_maximum),
        cmocka_unit_test(it_may_stand_anywhere),
        cmocka_unit_test(nobody_is_told_more_than_was_asked),
        cmocka_unit_test(a_text_that_was_cut_names_no_more),
        cmocka_unit_test(a_bound_that_nobody_knows_is_not_asked_about),
        cmocka_unit_test(a_deployment_learns_what_was_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
